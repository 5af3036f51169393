"""Custom plain functions in a plan, and their derivatives: activations and penalties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import cnn_core._core as _core
from cnn_core.activations import Activation
from cnn_core.foundation.arrays import Array
from cnn_core.network.graph import CallGraph, Symbol
from cnn_core.network.native import bound_network
from cnn_core.network.plan import NetworkPlan
from cnn_core.ops.fusion import enter_graph
from cnn_core.ops.tracing import trace

Shape = tuple[int, ...]


def enter_activation(plan: NetworkPlan, source: int, activation: Activation, layer: str) -> int:
    """Enter a function that is an activation into a plan, and return the buffer of its output.

    Raises
    ------
    TypeError
        If it computes with NumPy.
    ValueError
        If its output has another shape than its input.
    """
    shape = plan.shapes[source]
    graph = _graph(activation.function, shape, activation.name, "pass an object with forward(z) and derivative(z, a)")
    if tuple(graph.outputs[0].shape) != (None, *shape):
        raise ValueError(
            f"The activation {activation.name!r} must keep the shape of what it is given. "
            f"Received: {graph.outputs[0].shape[1:]} for {shape}"
        )
    return enter_graph(plan, graph, [source])[0]


def gradient_of(function: Callable[[Any], Any], x: Array, name: str) -> Array:
    """Return the derivative of a function's sum with respect to an array.

    Parameters
    ----------
    function : callable
        Of an array or a symbol of its shape, written with `cnn_core.ops`.
    x : numpy.ndarray of float32 or float64
    name : str
        For messages.

    Examples
    --------
    >>> from cnn_core import ops
    >>> gradient_of(lambda w: ops.sum(ops.square(w)), np.array([1.0, 3.0]), "penalty")
    array([2., 6.])
    """
    symbol = Symbol(x.shape, "x", x.dtype.name)
    plan = NetworkPlan()
    source = plan.add_input(x.shape)
    graph = _traced(function, symbol, name, "pass an object with the methods __call__(x) and gradient(x)")
    plan.outputs = enter_graph(plan, graph, [source])
    block: Any = _core.Block(bound_network(plan, x.dtype), 1, True)
    (value,) = block.forward([np.ascontiguousarray(x.reshape(1, *plan.shapes[source]))])
    (delta,) = block.backward([np.ones_like(value)])
    return np.array(delta).reshape(x.shape)


def _graph(function: Callable[[Any], Any], shape: Shape, name: str, otherwise: str) -> CallGraph:
    return _traced(function, Symbol((None, *shape), "x", "float32"), name, otherwise)


def _traced(function: Callable[[Any], Any], symbol: Symbol, name: str, otherwise: str) -> CallGraph:
    try:
        return trace(lambda _: function(symbol), [symbol], asks_for_training=False, name=name)
    except (TypeError, AttributeError) as error:
        raise TypeError(
            f"{name!r} needs its derivative: write it with functions of cnn_core.ops instead of NumPy's, or "
            f"{otherwise}. {error}"
        ) from error
