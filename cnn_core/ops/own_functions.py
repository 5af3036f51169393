"""Custom plain functions in a plan, and their derivatives: activations and penalties."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import cnn_core._core as _core
from cnn_core.activations import Activation
from cnn_core.foundation.arrays import Array
from cnn_core.network.graph import CallGraph, Symbol, enter_graph
from cnn_core.network.native import bound_network
from cnn_core.network.plan import NetworkPlan
from cnn_core.ops.tracing import trace

Shape = tuple[int, ...]


def graph_of_activation(activation: Activation, shape: Sequence[int]) -> CallGraph:
    """Return a function that is an activation as a graph, for samples of a shape.

    Raises
    ------
    TypeError
        If it computes with NumPy.
    ValueError
        If its output has another shape than its input.
    """
    symbol = Symbol((None, *shape), "z", "float32")
    graph = _traced(activation.function, symbol, activation.name, "an object with forward(z) and derivative(z, a)")
    if tuple(graph.outputs[0].shape) != (None, *shape):
        raise ValueError(
            f"The activation {activation.name!r} must keep the shape of what it is given. "
            f"Received: {graph.outputs[0].shape[1:]} for {shape}"
        )
    return graph


def enter_activation(plan: NetworkPlan, source: int, activation: Activation, layer: str) -> int:
    """Enter what `graph_of_activation` returns into a plan; return the buffer of its output."""
    return enter_graph(plan, graph_of_activation(activation, plan.shapes[source]), [source])[0]


class Gradient:
    """The derivative of the sum of a function, traced once, with respect to an array of one shape.

    Parameters
    ----------
    function : callable
        Of an array or a symbol of its shape, written with `cnn_core.ops`.
    shape : tuple of int
    dtype : str
        "float32" or "float64".
    name : str
        For messages.

    Examples
    --------
    >>> from cnn_core import ops
    >>> Gradient(lambda w: ops.sum(ops.square(w)), (2,), "float64", "penalty")(np.array([1.0, 3.0]))
    array([2., 6.])
    """

    def __init__(self, function: Callable[[object], Any], shape: Shape, dtype: str, name: str) -> None:
        plan = NetworkPlan()
        source = plan.add_input(shape)
        graph = _traced(
            function, Symbol(shape, "x", dtype), name, "an object with the methods __call__(x) and gradient(x)"
        )
        plan.outputs = enter_graph(plan, graph, [source])
        self._shape, self._row = shape, (1, *plan.shapes[source])
        self._block: Any = _core.Block(bound_network(plan, dtype), 1, True)

    def __call__(self, x: Array) -> Array:
        (value,) = self._block.forward([np.ascontiguousarray(x.reshape(self._row))])
        (delta,) = self._block.backward([np.ones_like(value)])
        return np.array(delta).reshape(self._shape)


def _traced(function: Callable[[object], Any], symbol: Symbol, name: str, otherwise: str) -> CallGraph:
    try:
        return trace(lambda _: function(symbol), [symbol], asks_for_training=False, name=name)
    except (TypeError, AttributeError) as error:
        raise TypeError(
            f"{name!r} needs its derivative: write it with functions of cnn_core.ops instead of NumPy's, or pass "
            f"{otherwise}. {error}"
        ) from error
