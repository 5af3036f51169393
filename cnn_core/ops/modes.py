"""What differs between training and all other runs, and what a user's function adds to the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnn_core.network.array_operations import BATCH
from cnn_core.network.graph import CallGraph, Node, Symbol
from cnn_core.network.plan import NetworkPlan
from cnn_core.ops.operation import Function, Operation, Spec


class _Choice(Function):
    """By the run's mode: training reads the first operand, everything else the second."""

    def infer(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> list[Spec]:
        return [Spec(operands[0].shape, operands[0].dtype)]

    def enter(self, plan: NetworkPlan, operation: Operation, buffers: list[int]) -> list[int]:
        return [plan.add_choice(buffers[0], buffers[1], layer=operation.name)]


class _AddLoss(Function):
    """Add the sum of what is read to the loss; of what every sample has, the sum over the samples."""

    def infer(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> list[Spec]:
        return [Spec(operands[0].shape, operands[0].dtype)]

    def enter(self, plan: NetworkPlan, operation: Operation, buffers: list[int]) -> list[int]:
        (value,) = buffers
        if operation.shapes[0][:1] == (None,):  # the plan takes the mean over samples
            value = plan.add_reduction("sum", value, [BATCH], layer=operation.name)
        plan.add_loss(value, layer=operation.name)
        return [value]


_choice = _Choice("choice", "Choice", "core")
_add_loss = _AddLoss("add_loss", "AddLoss", "core")


def by_mode(in_training: Symbol, otherwise: Symbol) -> Symbol:
    """Return a symbol that is the first in training, the second in every other run.

    Raises
    ------
    ValueError
        If the two have different shapes.
    """
    if in_training.shape != otherwise.shape:
        raise ValueError(
            f"A call must give the same shape with training=True and training=False. "
            f"Received: {in_training.shape} and {otherwise.shape}"
        )
    chosen: Symbol = _choice.on([in_training, otherwise])
    return chosen


def is_choice(node: Node) -> bool:
    """Tell whether a call chooses by the run's mode."""
    return isinstance(node.layer, Operation) and node.layer.function is _choice


def read_by(node: Node, training: bool | None) -> tuple[Symbol, ...]:
    """Return the symbols that a call reads in a mode; None: whatever the mode."""
    return node.inputs if training is None or not is_choice(node) else (node.inputs[0 if training else 1],)


def needed_calls(graph: CallGraph, ends: Sequence[Symbol], training: bool | None) -> list[Node]:
    """Return the calls of a graph that some symbols need in a mode, in their order."""
    needed: set[int] = set()
    waiting = list(ends)
    inputs = {id(symbol) for symbol in graph.inputs}
    while waiting:
        symbol = waiting.pop()
        if id(symbol) in inputs or symbol.node is None or id(symbol.node) in needed:
            continue
        needed.add(id(symbol.node))
        waiting.extend(read_by(symbol.node, training))
    return [node for node in graph.nodes if id(node) in needed]


def added_loss(value: Symbol) -> Symbol:
    """Return a value that is added to the loss where its call is entered into a plan."""
    added: Symbol = _add_loss.on([value])
    return added
