"""The derivative of an expression, operation by operation: values forward, derivatives back along every edge."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import cnn_core._core as _core
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple
from cnn_core.network.graph import CallGraph, Node, Symbol, enter_graph
from cnn_core.network.native import bound_network
from cnn_core.network.plan import NetworkPlan
from cnn_core.ops.operation import Operation

_DTYPE = "float64"


class Step(NamedTuple):
    """An operation of an expression.

    Attributes
    ----------
    name : str
        Of the operation, numbered from the second of its kind on.
    sources : tuple of str
        Names of what it reads.
    value : numpy.ndarray
    delta : numpy.ndarray
        The derivative of the result by the value.
    passed_back : tuple of numpy.ndarray
        What it adds to the derivative by each source.
    """

    name: str
    sources: tuple[str, ...]
    value: Array
    delta: Array
    passed_back: tuple[Array, ...]


class _Block:
    """One operation by itself, forward and backward."""

    def __init__(self, node: Node, values: list[Array]) -> None:
        operation = node.layer
        assert isinstance(operation, Operation)
        inputs = [Symbol(symbol.shape, symbol.name, symbol.dtype) for symbol in node.inputs]
        outputs = operation.again().on(inputs)
        plan = NetworkPlan()
        buffers = [plan.add_input(symbol.sample_shape) for symbol in inputs]
        plan.set_outputs(enter_graph(plan, CallGraph(inputs, outputs), buffers), operation.name)
        self._shapes = [symbol.sample_shape for symbol in inputs]
        self._block = _core.Block(bound_network(plan, _DTYPE), 1, False)
        found = self._block.forward([np.ascontiguousarray(value).reshape(1, -1) for value in values])
        self.values = [each.reshape(symbol.sample_shape).copy() for each, symbol in zip(found, outputs, strict=True)]

    def backward(self, deltas: list[Array]) -> tuple[Array, ...]:
        back = self._block.backward([np.ascontiguousarray(delta).reshape(1, -1) for delta in deltas])
        return tuple(each.reshape(shape).copy() for each, shape in zip(back, self._shapes, strict=True))


def derive(function: Callable[..., object], values: Mapping[str, Array]) -> tuple[list[Step], dict[str, Array]]:
    """Compute an expression and the derivative of the sum of its result's elements.

    Parameters
    ----------
    function : callable
        Takes symbols and returns one, computed by operators and functions of `ops`.
    values : dict of str to numpy.ndarray
        One for each argument.

    Returns
    -------
    list of Step, dict of str to numpy.ndarray
        The operations in their order, and the derivatives by the arguments.
    """
    symbols = {name: Symbol(value.shape, name, _DTYPE) for name, value in values.items()}
    result = function(**symbols)
    if not isinstance(result, Symbol):
        raise TypeError(
            f"`function` must return what it computes of its arguments. Received: {validation.show(result)}"
        )
    nodes = CallGraph(list(symbols.values()), result).nodes
    known = {id(symbols[name]): value for name, value in values.items()}
    names = {id(symbol): name for name, symbol in symbols.items()}
    taken = set(names.values())
    blocks = []
    for node in nodes:
        block = _Block(node, [known[id(source)] for source in node.inputs])
        blocks.append(block)
        for at, (symbol, value) in enumerate(zip(node.outputs, block.values, strict=True)):
            known[id(symbol)] = value
            kind = node.layer.function.name if isinstance(node.layer, Operation) else node.layer.name
            names[id(symbol)] = _free(f"{kind}[{at}]" if len(node.outputs) > 1 else kind, taken)
    deltas = {symbol: np.zeros_like(value) for symbol, value in known.items()}
    deltas[id(result)] = np.ones_like(known[id(result)])
    steps: list[Step] = []
    for node, block in zip(reversed(nodes), reversed(blocks), strict=True):
        back = block.backward([deltas[id(symbol)] for symbol in node.outputs])
        for source, part in zip(node.inputs, back, strict=True):
            deltas[id(source)] = deltas[id(source)] + part
        sources = tuple(names[id(source)] for source in node.inputs)
        for symbol in reversed(node.outputs):
            steps.append(Step(names[id(symbol)], sources, known[id(symbol)], deltas[id(symbol)], back))
    return steps[::-1], {name: deltas[id(symbol)] for name, symbol in symbols.items()}


def arguments_of(
    function: Callable[..., object], given: tuple[Any, ...], named: Mapping[str, object]
) -> dict[str, Array]:
    """Return the values of a function's arguments as arrays, by name."""
    bound = inspect.signature(function).bind(*given, **named)
    return {name: np.asarray(validation.as_array(value, name), np.float64) for name, value in bound.arguments.items()}


def _free(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    taken.add(free)
    return free
