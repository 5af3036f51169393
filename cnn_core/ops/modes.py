"""What differs between training and all other runs, and what a user's function adds to the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnn_core.network.array_operations import BATCH
from cnn_core.network.graph import Node, Symbol
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


def added_loss(value: Symbol) -> Symbol:
    """Return a value that is added to the loss where its call is entered into a plan."""
    added: Symbol = _add_loss.on([value])
    return added
