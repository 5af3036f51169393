"""A user's function, run once with symbols, as a graph; `training` is tried both ways."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import cnn_core.foundation.validation as validation
from cnn_core.foundation.structures import filled, flatten, map_structure
from cnn_core.network.graph import CallGraph, Node, Symbol
from cnn_core.network.tracing import traced_as
from cnn_core.network.variables import Variable
from cnn_core.ops.elementwise import copy, multiply
from cnn_core.ops.modes import added_loss, by_mode
from cnn_core.ops.operation import Operation


class _Run:
    """What a function gave, and what it added to the loss, with one value of `training`."""

    def __init__(self, function: Callable[[bool | None], Any], training: bool | None, name: str) -> None:
        with traced_as(training) as scope:
            self.outputs = map_structure(lambda leaf: _output(leaf, name), function(training))
            self.losses = list(scope.losses)


def trace(function: Callable[[bool | None], Any], inputs: Any, *, asks_for_training: bool, name: str) -> CallGraph:
    """Return a function of symbols as a graph.

    Parameters
    ----------
    function : callable
        Takes `training` and computes with the symbols of `inputs`.
    inputs : list of Symbol
    asks_for_training : bool
        Whether it makes a difference to the function: then it runs twice, and what differs is chosen by the mode of a
        run.
    name : str
        For messages.

    Raises
    ------
    TypeError
        If the function gives anything but symbols.
    """
    if not asks_for_training:
        run = _Run(function, None, name)
        return CallGraph(inputs, run.outputs, list(map(added_loss, run.losses)))
    first, second = _Run(function, True, name), _Run(function, False, name)
    same = _Sameness(inputs, first, second)
    others = flatten(second.outputs)
    leaves = flatten(first.outputs)
    if len(leaves) != len(others):
        raise ValueError(
            f"{name!r} must give as many outputs with training=True as with training=False. "
            f"Received: {len(leaves)} and {len(others)}"
        )
    chosen = [same.chosen(one, other) for one, other in zip(leaves, others, strict=True)]
    losses = _padded(first.losses, second.losses, same)
    return CallGraph(inputs, _sorted_back(first.outputs, chosen), list(map(added_loss, losses)))


def _sorted_back(structure: object, leaves: list[Symbol]) -> Any:
    return leaves[0] if isinstance(structure, Symbol) else filled(structure, leaves)


def _output(leaf: object, name: str) -> Symbol:
    if isinstance(leaf, Variable):
        return copy(leaf)  # type: ignore[no-any-return]
    if not isinstance(leaf, Symbol):
        raise TypeError(
            f"{name!r} must return what it computes of its inputs by layers and functions of cnn_core.ops. "
            f"Received: {validation.show(leaf)}"
        )
    return leaf


def _padded(first: list[Symbol], second: list[Symbol], same: _Sameness) -> list[Symbol]:
    """Pair the losses of both runs; one that is missing in a run is 0 there."""
    losses = []
    for place in range(max(len(first), len(second))):
        one = first[place] if place < len(first) else multiply(same.of(second[place]), 0.0)
        other = same.of(second[place]) if place < len(second) else multiply(first[place], 0.0)
        losses.append(one if one is other else by_mode(one, other))
    return losses


class _Sameness:
    """Finds, for the symbols of a second run, those of a first one that are the same function of the inputs."""

    def __init__(self, inputs: list[Symbol], first: _Run, second: _Run) -> None:
        self._same: dict[int, Symbol] = {id(symbol): symbol for symbol in inputs}
        known: dict[Any, Node] = {}
        times: Counter[Any] = Counter()
        for node in _nodes(inputs, first):
            key = _described(node, node.inputs)
            known[key, times[key]] = node
            times[key] += 1
        times.clear()
        for node in _nodes(inputs, second):
            sources = [self.of(symbol) for symbol in node.inputs]
            key = _described(node, sources)
            twin = known.get((key, times[key]))
            times[key] += 1
            if twin is None:
                outputs = [Symbol(each.shape, each.name, each.dtype) for each in node.outputs]
                twin = Node.of(node.layer, sources, outputs, node.training, node.arguments)
            self._same.update({id(own): its for own, its in zip(node.outputs, twin.outputs, strict=True)})

    def of(self, symbol: Symbol) -> Symbol:
        """Return what stands for a symbol of the second run."""
        return self._same[id(symbol)]

    def chosen(self, in_training: Symbol, otherwise: Symbol) -> Symbol:
        """Return what is the first in training, the second else."""
        other = self.of(otherwise)
        return other if other is in_training else by_mode(in_training, other)


def _nodes(inputs: list[Symbol], run: _Run) -> list[Node]:
    return CallGraph(inputs, [*flatten(run.outputs), *run.losses]).nodes


def _described(node: Node, inputs: Any) -> Any:
    """Return what two calls must have in common to be the same function of the same symbols."""
    layer: Any = node.layer
    if isinstance(layer, Operation):
        operands = tuple(repr(each) if isinstance(each, (int, float)) else id(each) for each in layer.operands)
        layer = (layer.function.name, operands, repr(layer.settings))
    else:
        layer = id(layer)
    return layer, node.training, repr(node.arguments), tuple(map(id, inputs))
