"""Native objects by keyword: networks bound to arrays, passes, optimizers, and runs of batches. Floor 3.

All who train or look inside make them here: the model's loop, inspection, and both families of estimators.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

import cnn_core._core as _core
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple
from cnn_core.network.plan import NetworkPlan

if TYPE_CHECKING:
    from cnn_core.data.dataset import Dataset
    from cnn_core.foundation.descriptions import LossDescription, MetricDescription, OptimizerTail, TensorRule


class Status(StrEnum):
    """How a native run of batches has ended."""

    FINISHED = "finished"
    OUT_OF_TIME = "out of time"
    DIVERGED = "diverged"
    FAILED = "failed"


class ParameterGroup(NamedTuple):
    """Neighbours in the flat vector of parameters that are stepped alike."""

    offset: int
    size: int
    rate_multiplier: float = 1.0
    epsilon_multiplier: float = 1.0
    decay_multiplier: float = 0.0


class TensorRange(NamedTuple):
    """A tensor in the flat vector of parameters, and the matrices that a rule of tensors sees in it, one or several."""

    offset: int
    size: int
    n_rows: int = 0
    n_cols: int = 0


def bound_network(
    plan: NetworkPlan,
    dtype: np.dtype[Any] | str,
    *,
    values: Sequence[Array] | None = None,
    gradients: Sequence[Array | None] | None = None,
) -> _core.Network:
    """Return the native network of a plan, bound to arrays.

    Parameters
    ----------
    plan : NetworkPlan
    dtype : dtype
    values : sequence of numpy.ndarray, default None
        One for each variable of the plan, in its order; None: the variables' own.
    gradients : sequence of numpy.ndarray or None, default None
        Where each variable's gradient goes, if anywhere; None: nowhere.
    """
    network = _core.Network(np.dtype(dtype).name, plan)
    bound = [variable.in_dtype(dtype) for variable in plan.variables] if values is None else list(values)
    network.bind(bound, [None] * len(bound) if gradients is None else list(gradients))
    return network


def native_pass(
    network: _core.Network,
    data: Dataset,
    *,
    batch_size: int,
    losses: list[LossDescription],
    metrics: Sequence[MetricDescription] = (),
    optimizer: _core.Optimizer | None = None,
    predictions: Sequence[Array | None] | None = None,
    mode: str = "evaluation",
    seed: int = 0,
    input_gradients: bool = False,
) -> _core.Pass:
    """Return a native pass over rows in memory.

    Parameters
    ----------
    network : _core.Network
    data : Dataset
        In memory: inputs for each input of the network, targets as native code reads them and weights for each loss.
    batch_size : int
    losses : list of dict
        `Loss.describe` of each.
    metrics : sequence of dict, default ()
    optimizer : _core.Optimizer, default None
        Evaluation needs it for its penalties.
    predictions : sequence of numpy.ndarray or None, default None
        Where each output of the network goes, if anywhere.
    mode : {"training", "evaluation", "tracing"}, default "evaluation"
    seed : int, default 0
        Of random layers.
    input_gradients : bool, default False
        Whether dJ/dx is computed too.
    """
    targets: list[Array] = data.targets  # type: ignore[assignment]  # in memory
    return _core.Pass(
        network,
        data.inputs,
        targets,
        data.weights,
        batch_size,
        losses,
        list(metrics),
        optimizer,
        None if predictions is None else list(predictions),
        mode,
        seed,
        input_gradients,
    )


TAIL: OptimizerTail = {
    "weight_decay": 0,
    "clip_value": 0,
    "clip_norm": 0,
    "global_clip_norm": 0,
    "average_momentum": 0,
    "average_period": 0,
    "accumulation": 1,
    "penalties_over_batch": False,
}


def optimizer_over(
    parameters: Array,
    gradients: Array,
    *,
    rule: str = "sgd",
    numbers: Sequence[float] = (0.0, 0.0),
    slots: Sequence[Array] = (),
    groups: Sequence[ParameterGroup] = (),
    rules: Sequence[TensorRule] = (),
    tensors: Sequence[TensorRange] = (),
    average: Array | None = None,
    accumulator: Array | None = None,
    **tail: Unpack[OptimizerTail],
) -> _core.Optimizer:
    """Return a native optimizer of a flat vector. Without groups it moves nothing, and its rules still count.

    Parameters
    ----------
    parameters, gradients : numpy.ndarray of shape (size,)
    rule : str, default "sgd"
    numbers : sequence of float
        The rule's hyperparameters in native order.
    slots : sequence of numpy.ndarray of shape (size,)
        Its memory.
    groups : sequence of ParameterGroup
        What moves.
    rules : sequence of TensorRule
    tensors : sequence of TensorRange
        What is clipped by its own norm, and what rules of tensors step.
    average, accumulator : numpy.ndarray of shape (size,), default None
    **tail
        See `OptimizerTail`.
    """
    if not tail.keys() <= TAIL.keys():
        raise TypeError(f"An optimizer may also have {', '.join(TAIL)}. Received: {', '.join(tail)}")
    return _core.Optimizer(
        rule, tuple(numbers), {**TAIL, **tail}, groups, rules, tensors, parameters, gradients, list(slots), average,
        accumulator,
    )  # fmt: skip


def run_whole(native: _core.Pass) -> bool:
    """Run the only batch of a pass forward and backward, without a step; tell whether all has stayed finite."""
    status = native(0, 1, None, 0, None, False)[0]
    return status != Status.DIVERGED


def run_slices(
    native: _core.Pass,
    first: int,
    last: int,
    step: int,
    order: Array | None,
    learning_rates: Callable[[int], Array],
    stops: Callable[[int], bool] | None = None,
) -> tuple[str, int, int]:
    """Train on batches in slices of the time after which native code comes back to look for signals.

    Parameters
    ----------
    native : _core.Pass
    first, last : int
        The batches from `first` to before `last`.
    step : int
        Batches seen before.
    order : numpy.ndarray of int64, or None
    learning_rates : callable
        Takes how many batches are left and returns their learning rates.
    stops : callable, default None
        Takes the step that a slice has reached and tells whether to leave the rest.

    Returns
    -------
    tuple
        The status of the last slice, the next batch and the next step.
    """
    status: str = Status.FINISHED
    while first < last and status != Status.DIVERGED:
        status, first, step = native(first, last, learning_rates(last - first), step, order)
        if stops is not None and stops(step):
            break
    return status, first, step
