"""What crosses the door to native code: the forms in which losses, metrics and optimizers are described to it.

For type checkers only: nothing imports this module at run time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict


class LossParameters(TypedDict):
    """A loss's native parameters, sorted by `_core.loss_parameters`."""

    from_logits: bool
    smoothing: float  # of labels
    ignored: float  # the class that does not count, NaN for none
    parameters: Sequence[float]  # the rest


class LossDescription(LossParameters):
    """A loss of one output, with its targets; see `Loss.describe`."""

    kind: str
    output: int
    has_labels: bool
    target_width: int
    weight: float
    reduction: str | None
    custom: Any  # what native code calls for a loss that only Python knows, or None
    clip: float  # how far probabilities are kept from 0 and 1


class TracedLossDescription(LossDescription):
    """A loss whose formula is a plan."""

    plan: Any  # from targets and predictions to its values


class MetricDescription(TypedDict):
    """A metric that native code adds up; see `Mean.describe`."""

    kind: str
    target: int
    weighted: bool
    threshold: float
    loss: LossDescription


class Penalty(TypedDict, total=False):
    """What is added to the loss for one tensor."""

    penalty: str | None
    l1: float
    l2: float
    custom_penalty: Any


class Projection(TypedDict, total=False):
    """What is done to one tensor after each step."""

    constraint: str | None
    axis: int
    parameters: Sequence[float]
    custom_constraint: Any


class TensorRule(Penalty, Projection):
    """A penalty and a constraint on one matrix in the flat vector of parameters."""

    offset: int
    n_rows: int
    n_cols: int


class OptimizerTail(TypedDict, total=False):
    """What an optimizer may do besides its rule; 0 stands for nothing."""

    weight_decay: float
    clip_value: float
    clip_norm: float
    global_clip_norm: float
    average_momentum: float
    average_period: int
    accumulation: int
    penalties_over_batch: bool
