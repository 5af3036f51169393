"""Epochs that several ranks share: the gradient of a rank's samples, its sum over all ranks, a step on every rank."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core._core as _core
from cnn_core.callbacks import CallbackList
from cnn_core.foundation.arrays import Array
from cnn_core.network.native import Status
from cnn_core.training.batch_hooks import BatchHooks
from cnn_core.training.epochs import diverged
from cnn_core.training.progress import Progress
from cnn_core.training.segments import Segment
from cnn_core.training.sharing import COUNT, FIRST, RankExchange, Sharing
from cnn_core.training.side_by_side import SideBySide
from cnn_core.training.sources import BatchSource, Epoch
from cnn_core.training.step_in_parts import StepInParts
from cnn_core.training.totals import Taken, Totals

if TYPE_CHECKING:
    from cnn_core.training.trained_model import TrainedModel


SECONDS_BETWEEN_AGREEMENTS = 0.05
STOP, DIVERGED, SECONDS, N_FLAGS = range(4)


class SharedRun:
    """The batches of one epoch, as far as this rank runs them.

    Parameters
    ----------
    sharing : Sharing
    source : BatchSource
    totals : Totals
    training : bool
    """

    def __init__(self, sharing: Sharing, source: BatchSource, totals: Totals, training: bool) -> None:
        self._sharing = sharing
        self._model = sharing.model
        self._totals = totals
        self._training = training
        self._parameters = self._model._bind()
        self._n_shards = len(sharing.distribution.own_shards)
        self._side_by_side: SideBySide | None = None
        self._in_parts: StepInParts | None = None
        self._python_metrics = [each.metric for each in source.objectives.python_metrics]
        self._taken: list[Array] = []
        self._losses: list[float] = []  # of the shards of the last batch
        self._table = np.empty((0, 0))
        self._segment: Any = None

    def segments(self, source: BatchSource, epoch: Epoch) -> Iterator[tuple[int, int]]:
        """Make the segments of an epoch ready to be run, and yield which of their batches are wanted.

        Where every rank has its own part, one whose segments have ended takes part with no samples.
        """
        segments: Iterator[Any] = source.segments(epoch)
        for found in self._sharing.go_on(segments) if self._sharing.own_parts else segments:
            if found is None and self._segment is None:
                raise ValueError(
                    "Every rank must be given some rows with auto_shard_dataset=False. Received: none here"
                )
            segment, first, end = found or (self._segment, 0, 1)
            self._open(segment, end, segment.data.n if found else 0)
            yield first, end

    @classmethod
    def of_one_batch(cls, sharing: Sharing, source: BatchSource, totals: Totals, segment: Segment) -> SharedRun:
        """Return a run over the only batch of a segment, for `value_and_gradient`."""
        run = cls(sharing, source, totals, True)
        run._open(segment, 1, segment.data.n)
        return run

    def _open(self, segment: Segment, end: int, n: int) -> None:
        sharing, native = self._sharing, segment.native
        sharing.refuse_joined_samples(native)
        self._native, self._segment = native, segment
        self._table = sharing.table(native, end, segment.batch_size, n, segment.order)
        self._synchronize()
        if self._training and self._in_parts is None and not native.looks_across and not sharing.steps_alone:
            self._in_parts = StepInParts.of(sharing)

    def _synchronize(self) -> None:
        """Point the segment at its shares, and at the other ranks where they exchange statistics of a batch."""
        native, chosen = self._native, self._sharing.distribution
        if not (
            self._training
            and chosen.batch_normalization == "synchronized"
            and "batch_normalization" in native.looks_across
        ):
            native.share_batches(self._table)
        elif self._n_shards == 1:
            native.share_batches(self._table, RankExchange(lambda sums: self._total(sums[np.newaxis])))
        else:
            if self._side_by_side is None:
                self._side_by_side = SideBySide(self._model, self._n_shards, self._total)
            self._side_by_side.open(self._segment, self._table)

    def _total(self, rows: Array) -> Array:
        """Add rows, one for each shard of this rank, up over all shards, in their order if it counts."""
        if not self._sharing.in_order:
            return self._sharing.total(rows[0])
        everybody = self._sharing.communicator.gather(self._padded(rows).ravel())
        return self._over_shards(everybody.reshape(-1, rows.shape[-1]))[-1]

    def slice(self, first: int, end: int) -> tuple[int, bool, bool]:
        """Run batches for some 50 ms, add up what all ranks have measured, and agree how to go on.

        Returns the batch behind the last finished, whether a rank wants to stop, and whether the numbers have left the
        finite ones.
        """
        sharing, begun, before = self._sharing, time.perf_counter(), self._metric_state()
        reached, is_diverged = self._run(first, min(end, first + (1 if sharing.single_batches else sharing.stride)))
        flags = [_wants_to_stop(self._model, self._training), is_diverged, time.perf_counter() - begun]
        return reached, *self._agree(before, flags)

    def complete(self) -> None:
        """Let every rank have the whole state of the optimizer."""
        if self._in_parts is not None:
            self._in_parts.complete()
            self._in_parts = None

    def end_epoch(self) -> None:
        """Let ranks that have gone ways of their own come together."""
        if not self._training:
            return
        self.complete()
        self._sharing.give_waiting_gradients_to_first()
        if self._sharing.steps_alone:
            self.average()
        elif self._sharing.distribution.batch_normalization == "local":
            self.average_statistics()

    # Batches

    def _run(self, first: int, last: int) -> tuple[int, bool]:
        """Run batches; return the one behind the last finished, and whether the numbers have left the finite ones."""
        if not self._training:
            return self._measure(first, last)
        if self._sharing.steps_alone:
            return self._step_alone(first, last)
        for batch in range(first, last):
            self._compute_gradients(batch)
            if not self._step():
                return batch, True
        return last, False

    def _measure(self, first: int, last: int) -> tuple[int, bool]:
        row, end = first * self._n_shards, last * self._n_shards
        while row < end:
            before, stop = row, row + 1 if self._sharing.in_order else end
            status, row, _ = self._native(row, stop, None, 0, self._segment.order, False)
            self._note(self._native, before, row)
            if status == Status.DIVERGED:
                return before // self._n_shards, True
        return last, False

    def _compute_gradients(self, batch: int) -> None:
        """Hand the gradients of this rank's shards of a batch to their sum."""
        gradients, step = self._parameters.gradients, self._model.optimizer.batches_seen
        self._losses = []
        first = batch * self._n_shards
        self._model._hold_variables()
        if self._side_by_side is not None:
            self._side_by_side.run(first, step, self._segment.order)
        for shard in range(self._n_shards):
            if self._side_by_side is not None:
                native, status = self._side_by_side.outcome(shard, gradients)
            else:
                native = self._native
                status, *_ = native(first + shard, first + shard + 1, None, step, self._segment.order, False)
            if status == Status.DIVERGED:
                gradients.fill(np.nan)  # which the sum tells all ranks
            self._losses.append(native.last_loss)
            self._sharing.gradient_sum.put(gradients)
            self._note(native, first + shard, first + shard + 1)

    def _gathers(self, gradients: Array) -> bool:
        """Whether the gradients of this batch wait here for those of the next ones, before any sum over ranks.

        They wait where the optimizer has its own sums: see `gradient_accumulation_steps`.
        """
        optimizer = self._model.optimizer
        period = optimizer.gradient_accumulation_steps or 1
        if period == 1 or self._sharing.in_order:
            return False
        waiting = optimizer.state["gradient_accumulator"]
        if (optimizer.batches_seen + 1) % period == 0:
            gradients += waiting
            waiting.fill(0)
            return False
        waiting += gradients
        gradients.fill(0)
        return True

    def value_and_gradient(self) -> tuple[float, Array]:
        """Return the loss of the only batch, and its gradient in float64; infinity where they are not finite."""
        self._compute_gradients(0)
        self._sharing.gradient_sum.take(self._parameters.gradients)
        self._pop_taken()
        value, gradient = self.last_loss, self._parameters.gradients.astype(np.float64)
        if np.isfinite(value) and np.isfinite(gradient).all():
            return value, gradient
        return float("inf"), np.zeros_like(gradient)

    def _step(self) -> bool:
        """Add the gradients up and make the optimizer's step, unless it would leave the finite numbers."""
        optimizer, native, gradients = self._model.optimizer, self._native, self._parameters.gradients
        before = optimizer.batches_seen
        rate = optimizer.learning_rate_at(before)
        if self._in_parts is not None and self._in_parts.is_possible(rate):
            made = self._in_parts.step(rate)
            optimizer.batches_seen = before + made
            return made
        if not self._gathers(gradients):
            self._sharing.gradient_sum.take(gradients)
        made = False
        try:
            made = native.update(rate, True)
        finally:
            # Even if an interrupt arrives here: the weights are those after a step or before it.
            optimizer.batches_seen = before + 1 if native.has_updated else before
        return made

    def _step_alone(self, first: int, last: int) -> tuple[int, bool]:
        """Steps on this rank's samples; every so many, the weights become the mean over the ranks."""
        optimizer, every = self._model.optimizer, self._sharing.distribution.sync_every
        while first < last:
            due = min(last, first + every - optimizer.batches_seen % every)
            reached = self._run_steps(first, due)
            self._note(self._native, first, reached)
            if self._sharing.any(reached < due):
                return reached, True
            first = due
            if optimizer.batches_seen % every == 0:
                self.average()
        return last, False

    def _run_steps(self, first: int, last: int) -> int:
        """Make a step for each of some batches; return the one behind the last that has left the numbers finite."""
        optimizer, native = self._model.optimizer, self._native
        status: str = Status.FINISHED
        while first < last and status != Status.DIVERGED:
            before = optimizer.batches_seen
            end = first + 1 if optimizer.asks_every_batch else last
            self._model._hold_variables()
            try:
                rates = optimizer.learning_rates(before, end - first)
                status, first, _ = native(first, end, rates, before, self._segment.order, True)
            finally:
                optimizer.batches_seen = max(before, native.step)
        return first

    def average(self) -> None:
        """Let the weights, and what else is a number of the model's, be their means over the ranks."""
        communicator, size = self._sharing.communicator, self._sharing.distribution.size
        communicator.add_up(self._parameters.values)
        self._parameters.values /= size
        self.average_statistics()

    def average_statistics(self) -> None:
        """The same of what no optimizer moves, such as the moving statistics of batch normalization."""
        floats = [each.array for each in self._sharing.other_variables() if each.array.dtype.kind == "f"]
        if floats:
            means = self._sharing.total(np.concatenate([np.ravel(each) for each in floats]))
            means /= self._sharing.distribution.size
            for each, part in zip(floats, np.split(means, np.cumsum([a.size for a in floats])[:-1]), strict=True):
                each[...] = part.reshape(each.shape)

    # What is measured

    def _note(self, native: _core.Pass, first_row: int, last_row: int) -> None:
        """Keep what a pass over rows of the table has measured, until all ranks add it up.

        Where the order does not count, native code goes on adding.
        """
        if self._sharing.in_order:
            self._taken.append(_flat(native.take_totals()))
        if self._python_metrics:
            for row in self._table[first_row:last_row]:
                self._segment.measure_rows(slice(int(row[FIRST]), int(row[FIRST] + row[COUNT])))

    def _agree(self, before: list[Array], flags: list[float]) -> tuple[bool, bool]:
        taken = self._pop_taken()
        state = self._metric_state()
        before = before + [np.zeros_like(each) for each in state[len(before) :]]  # some are made at the first batch
        changes = [now - was for now, was in zip(state, before, strict=True)]
        everything = self._sharing.communicator.gather(np.concatenate([flags, taken.ravel(), *changes]))
        self._adapt_stride(everything[:, SECONDS].max())
        end = N_FLAGS + taken.size
        for row in self._in_order(everything[:, N_FLAGS:end].reshape(len(everything), *taken.shape)):
            self._totals.add(_taken(row, len(self._totals.losses)))
        self._set_metric_state(before, everything[:, end:].sum(axis=0))
        return bool(everything[:, STOP].any()), bool(everything[:, DIVERGED].any())

    def _pop_taken(self) -> Array:
        """Return what was noted: in its order, a row for each batch and shard, or added up."""
        if not self._sharing.in_order:
            return _flat(self._native.take_totals())[np.newaxis]
        taken, self._taken = self._taken, []
        return self._padded(np.array(taken))

    def _in_order(self, everybody: Array) -> list[Array]:
        """Return what to add to the totals, one after the other, of all that the ranks have noted."""
        return self._over_shards(everybody) if self._sharing.in_order else [everybody.sum(axis=(0, 1))]

    def _padded(self, rows: Array) -> Array:
        """Return rows, one for each batch and shard of this rank, with as many shards as the rank with most has."""
        most = len(self._sharing.distribution.shards_of(self._sharing.distribution.size - 1))
        padded = np.zeros((len(rows) // self._n_shards, most, rows.shape[-1]))
        padded[:, : self._n_shards] = rows.reshape(-1, self._n_shards, rows.shape[-1])
        return padded.reshape(-1, rows.shape[-1])

    def _over_shards(self, everybody: Array) -> list[Array]:
        """Add up the padded rows of all ranks over the shards of each batch, in the order of shards."""
        chosen = self._sharing.distribution
        shards = [chosen.shards_of(rank) for rank in range(chosen.size)]
        by_batch = everybody.reshape(chosen.size, -1, len(shards[-1]), everybody.shape[-1])
        chained = [by_batch[rank, :, : len(own)] for rank, own in enumerate(shards)]
        return list(np.add.accumulate(np.concatenate(chained, axis=1), axis=1)[:, -1])

    def _adapt_stride(self, seconds: float) -> None:
        ratio = SECONDS_BETWEEN_AGREEMENTS / max(seconds, 1e-6)
        self._sharing.stride = max(1, int(self._sharing.stride * min(2.0, ratio)))

    def _metric_state(self) -> list[Array]:
        return [np.ravel(each.numpy()).astype(np.float64) for each in self._metric_variables()]

    def _set_metric_state(self, before: list[Array], changes: Array) -> None:
        place = 0
        for variable, was in zip(self._metric_variables(), before, strict=True):
            value = was + changes[place : place + was.size]
            variable.assign(value.reshape(variable.shape))
            place += was.size

    def _metric_variables(self) -> list[Any]:
        return [variable for metric in self._python_metrics for variable in metric.variables]

    @property
    def last_loss(self) -> float:
        """The loss of the last batch, as all ranks together have it."""
        if not self._losses:
            return float(self._sharing.total([self._native.last_loss])[0])
        return float(self._total(np.reshape(self._losses, (-1, 1)))[0])


def _flat(taken: Taken) -> Array:
    samples, penalties, losses, metrics = taken
    return np.array([samples, penalties, *losses, *(number for pair in metrics for number in pair)])


def _taken(row: Array, n_losses: int) -> Taken:
    samples, penalties, *rest = map(float, row)
    metrics = rest[n_losses:]
    return samples, penalties, rest[:n_losses], list(zip(metrics[::2], metrics[1::2], strict=True))


def run_shared_epoch(
    sharing: Sharing,
    source: BatchSource,
    totals: Totals,
    training: bool,
    callbacks: CallbackList | None = None,
    progress: Progress | None = None,
    epoch: Epoch | None = None,
) -> None:
    """Run an epoch that all ranks share: see `run_epoch`.

    Every rank runs as many batches as take some 50 ms; then they add up what they have measured, and agree whether to
    go on. A callback that wants to hear of every batch has them do so after each.

    Raises
    ------
    NonFiniteLossError
        On all ranks, if a loss or gradient is not finite and no callback takes care of it.
    """
    epoch = epoch or Epoch()
    model = sharing.model
    hooks = BatchHooks(callbacks, "train" if training else "test", model.steps_per_execution)
    sharing.single_batches = sharing.any(hooks.listens)
    totals.batches = epoch.first_batch
    run = SharedRun(sharing, source, totals, training)
    for first, end in run.segments(source, epoch):
        reached = first
        while reached < end:
            hooks.begin(totals.batches)
            before = reached
            reached, stops, is_diverged = run.slice(before, end)
            totals.batches += reached - before
            if is_diverged:
                run.complete()
                diverged(model, run.last_loss, totals, epoch, callbacks, training)
                return
            hooks.done(totals.batches, totals.logs)
            if progress is not None:
                logs = totals.logs() if progress.shows_batches else {}
                progress.update(totals.batches, dict(sorted(logs.items())))
            wanted = hooks.between and _wants_to_stop(model, training)
            if sharing.any(wanted) if sharing.single_batches else stops:
                _stop(model, training)
                run.end_epoch()
                return
    hooks.close(totals.logs)
    run.end_epoch()


def _wants_to_stop(model: TrainedModel, training: bool) -> bool:
    return bool(model.stop_training if training else model.stop_evaluating)


def _stop(model: TrainedModel, training: bool) -> None:
    if training:
        model.stop_training = True
    else:
        model.stop_evaluating = True
