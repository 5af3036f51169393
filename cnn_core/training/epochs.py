"""Epochs: the loop over segments, batch by batch or many epochs in one native call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import cnn_core._core as _core
from cnn_core.callbacks import CallbackList
from cnn_core.network.native import Status
from cnn_core.network.variables import Variable
from cnn_core.training.batch_hooks import BatchHooks
from cnn_core.training.objectives import Objectives
from cnn_core.training.progress import Progress
from cnn_core.training.segments import Segment
from cnn_core.training.sources import BatchSource, Epoch
from cnn_core.training.totals import Taken, Totals
from cnn_core.training.trained_model import TrainedModel


class NonFiniteLossError(FloatingPointError):
    """The loss or a gradient left the finite numbers; the model keeps the weights of the batch before."""


def run_epoch(
    model: TrainedModel,
    source: BatchSource,
    totals: Totals,
    training: bool,
    callbacks: CallbackList | None = None,
    progress: Progress | None = None,
    epoch: Epoch | None = None,
) -> None:
    """Run every batch of an epoch, adding up what they measure.

    Native code runs as many batches as it can in 50 ms; then Python looks for signals, shows the progress and asks
    whether to go on. With a callback that wants to hear of batches it runs as many at a time as `steps_per_execution`
    says.

    Raises
    ------
    NonFiniteLossError
        If a loss or gradient is not finite and no callback takes care of it.
    """
    epoch = epoch or Epoch()
    hooks = BatchHooks(callbacks, "train" if training else "test", model.steps_per_execution)
    totals.batches = epoch.first_batch
    for segment, first, end in source.segments(epoch):
        reached = first
        while reached < end:
            hooks.begin(totals.batches)
            before, last = reached, min(end, reached + hooks.end - totals.batches) if hooks.listens else end
            model._hold_variables()
            status, reached = _run_slice(model, segment, before, last, training)
            totals.add(segment.native.take_totals())
            segment.measure(before, reached)
            totals.batches += reached - before
            if status == Status.DIVERGED:
                diverged(model, segment.native.last_loss, totals, epoch, callbacks, training)
                return
            hooks.done(totals.batches, totals.logs)
            if progress is not None:
                logs = totals.logs() if progress.shows_batches else {}
                progress.update(totals.batches, dict(sorted(logs.items())))
            if hooks.between and (model.stop_training if training else model.stop_evaluating):
                return
    hooks.close(totals.logs)


def measure_batch(model: TrainedModel, segment: Segment, training: bool, totals: Totals) -> None:
    """Run the only batch of a segment without a step, and add up what it measures.

    Raises
    ------
    NonFiniteLossError
        If a loss or gradient is not finite.
    """
    model._hold_variables()
    status, *_ = segment.native(0, 1, None, model.optimizer.batches_seen if training else 0, segment.order, False)
    totals.add(segment.native.take_totals())
    segment.measure(0, 1)
    if status == Status.DIVERGED:
        diverged(model, segment.native.last_loss, totals, Epoch(), None, training)


def step_on_batch(model: TrainedModel, segment: Segment, totals: Totals) -> None:
    """Make the step for a batch that was measured in training: all or, out of memory, nothing of it.

    What the step takes is there before it, and behind it nothing is allocated.

    Raises
    ------
    NonFiniteLossError
        If the step would leave the finite numbers.
    """
    optimizer, native = model.optimizer, segment.native
    attributes, before = vars(optimizer), optimizer.batches_seen
    after, rate = before + 1, optimizer.learning_rate_at(before)
    made = False
    try:
        made = native.update(rate)
    finally:
        # Even if an interrupt arrives here: the weights are those after a step or before it.
        attributes["batches_seen"] = after if native.has_updated else before
    if not made:
        diverged(model, native.last_loss, totals, Epoch(), None, True)


def run_epochs(
    model: TrainedModel,
    segment: Segment,
    n_epochs: int,
    shuffle: bool,
    record: Callable[[int, list[dict[str, Any]]], None],
) -> None:
    """Run epochs of training that nobody watches, many in one native call.

    Parameters
    ----------
    model : Model
    segment : Segment
        As `BatchSource.sole_segment` returns it.
    n_epochs : int
    shuffle : bool
    record : callable
        Receives how many epochs were done before, and the logs of those done since. If an interrupt arrives meanwhile
        it is called once more with the same.

    Raises
    ------
    NonFiniteLossError
        If a loss or gradient is not finite.
    """
    optimizer, objectives, begun = model.optimizer, segment.objectives, model._epochs_begun
    epochs = _core.Epochs(segment.native, (model._seed_for_training(), begun + 1) if shuffle else None)
    done, status = 0, ""

    def note() -> None:
        model._epochs_begun = begun + done + epochs.n_done + epochs.begun
        record(done, [_logs(objectives, taken) for taken in epochs.totals()])

    while done < n_epochs and status != Status.DIVERGED and not model.stop_training:
        model._hold_variables()
        attributes, before = vars(optimizer), optimizer.batches_seen
        rates = optimizer.learning_rates(before - epochs.next_batch, segment.n_batches)
        try:
            # A schedule has other rates for every epoch.
            status = epochs(n_epochs - done if optimizer.schedule is None else 1, rates, before)
        finally:
            # As in `_run_slice`: before anything is called.
            attributes["batches_seen"] = segment.native.step if segment.native.step > before else before
            _finish(note)
        done += epochs.n_done
    if status == Status.DIVERGED:
        totals = Totals(objectives)
        totals.batches = epochs.next_batch
        diverged(model, segment.native.last_loss, totals, Epoch(done), None, True)


def _logs(objectives: Objectives, taken: Taken) -> dict[str, Any]:
    totals = Totals(objectives)
    totals.add(taken)
    return totals.logs()


def _finish(work: Callable[[], None]) -> None:
    """Do work that may be done twice, to its end: an interrupt during it is raised afterwards."""
    try:
        work()
    except BaseException:
        work()
        raise


def _run_slice(model: TrainedModel, segment: Segment, first: int, last: int, training: bool) -> tuple[str, int]:
    if not training:
        status, reached, _ = segment.native(first, last, None, 0, segment.order, False)
        return status, reached
    optimizer = model.optimizer
    attributes, before = vars(optimizer), optimizer.batches_seen
    last = first + 1 if optimizer.asks_every_batch else last
    rates = optimizer.learning_rates(before, last - first)
    try:
        status, reached, _ = segment.native(first, last, rates, before, segment.order, True)
    finally:
        # The weights are those after native.step steps. An interrupt arrives where something is called: nothing is.
        attributes["batches_seen"] = segment.native.step if segment.native.step > before else before
    return status, reached


def diverged(
    model: TrainedModel, loss: float, totals: Totals, epoch: Epoch, callbacks: CallbackList | None, training: bool
) -> None:
    """Let a callback take care of it, or raise."""
    batch = totals.batches
    if callbacks is not None and callbacks.on_nonfinite_loss(batch, loss):
        totals.penalties = float("nan")
        return
    what = f"The loss of batch {batch} is {loss}" if not np.isfinite(loss) else f"A gradient of batch {batch} overflows"
    where = f" in epoch {epoch.number + 1}" if training else ""
    raise NonFiniteLossError(f"{what}{where}. {_reason(model.variables, training)}")


def _reason(variables: Sequence[Variable], training: bool) -> str:
    for variable in variables:
        wrong = int((~np.isfinite(variable.array)).sum())
        if wrong:
            return f"The weights {variable.path!r} hold {wrong} values that are NaN or infinite: set them again"
    if not training:
        return "The model's outputs are too large for its loss"
    return (
        "The weights are those before that batch. A smaller learning rate, `clipnorm`, or inputs scaled to about 1 help"
    )
