"""Where the batches of an epoch come from: rows of arrays, or batches that are given.

A source yields segments: a native pass, and which of its batches to run. Rows in memory are one segment; rows that are
converted when they are needed, and batches that are given, are one segment each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

import cnn_core._core as _core
import cnn_core.foundation.random_state as random_state
from cnn_core.data.batches import Batches, warn_of_shortage
from cnn_core.data.dataset import Dataset
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.caller import warn_caller
from cnn_core.foundation.records import NamedTuple
from cnn_core.optimizers import LBFGS
from cnn_core.training.objectives import Objectives
from cnn_core.training.segments import KEPT_ROWS, PassKept, Segment, SingleBatches
from cnn_core.training.sharing import Sharing
from cnn_core.training.totals import Totals
from cnn_core.training.trained_model import TrainedModel


class Epoch(NamedTuple):
    """Which batches an epoch of training consists of.

    Attributes
    ----------
    number : int
        From 0.
    first_batch : int
        Where an interrupted epoch goes on; 0 for a whole one.
    place : int
        Epochs that the same call of `fit` has run before. With `steps_per_epoch` an epoch goes on where the one before
        it ended.
    stream : int or None
        Names the order of the samples in an epoch that is a whole pass over the data. With `steps_per_epoch` the
        passes are counted instead of the epochs. None: their own order.
    """

    number: int = 0
    first_batch: int = 0
    place: int = 0
    stream: int | None = None

    def shuffling(self, model: TrainedModel) -> np.random.Generator | None:
        """Return what draws the order of batches that are had by number."""
        if self.stream is None:
            return None
        return random_state.generator((model._seed_for_training() + self.stream) % 2**63)


class Share(NamedTuple):
    """Which batches of a pass over rows an epoch has: all, or as many as `steps_per_epoch` says.

    Attributes
    ----------
    first, end : int
    stream : int or None
        Names the order of the samples; None: their own.
    """

    first: int
    end: int
    stream: int | None

    @classmethod
    def of(cls, epoch: Epoch, n_all: int, n_batches: int) -> Share:
        """Return the share of an epoch of so many batches, of all that a pass has."""
        passed, place = divmod(epoch.place, -(-n_all // n_batches))
        stream = None if epoch.stream is None else epoch.stream - epoch.place + passed
        return cls(place * n_batches, min((place + 1) * n_batches, n_all), stream)

    def order(self, model: TrainedModel, n: int) -> Array | None:
        """Return a permutation of n samples, which depends on the model's seed and the stream alone."""
        if self.stream is None:
            return None
        return np.asarray(_core.shuffled(n, model._seed_for_training(), self.stream))

    def warn_if_shorter_than(self, steps: int | None) -> None:
        """Warn of an epoch of training that has fewer batches than were asked for."""
        if steps is not None and self.end - self.first < steps:
            warn_of_shortage("x", self.end - self.first, "steps_per_epoch")


def have_ended(batches: Batches, number: int) -> bool:
    """Tell, with a warning, whether batches cannot be walked again, so that epoch `number` has none."""
    if not batches.has_ended():
        return False
    warn_caller(
        f"x ran out of batches: training ends after epoch {number}. Use a PyDataset, or an endless generator and "
        f"`steps_per_epoch`."
    )
    return True


class BatchSource(PassKept):
    """Where the batches of an epoch come from; `source_of` makes it.

    Attributes
    ----------
    undisturbed : bool
        Set where nobody can change the optimizer's settings between epochs, which then are looked at once.
    sharing : Sharing or None
        How several ranks share the batches, if they do.
    n_batches : int or None
        Batches per epoch, None if unknown.
    """

    undisturbed = False
    sharing: Sharing | None = None
    n_batches: int | None

    def segments(self, epoch: Epoch) -> Iterator[tuple[Segment, int, int]]:
        """Yield native passes, and the first of their batches to run and the one behind the last."""
        if self._optimizer is None or not self.undisturbed:
            self._look_at_optimizer()
        yield from self._segments(epoch)

    def _segments(self, epoch: Epoch) -> Iterator[tuple[Segment, int, int]]:
        raise NotImplementedError

    def _one_batch(self, data: Dataset) -> Segment:
        return self._segment_with(data.take(slice(None)), data.n)

    def sole_segment(self) -> Segment | None:
        """Return the native pass over all samples if an epoch is nothing else: in memory, and no code but our own."""
        return None

    def evaluation(self) -> BatchSource:
        """Return a source of the same batches, for evaluation."""
        raise NotImplementedError

    def totals(self) -> Totals:
        """Begin to add up what an epoch measures."""
        return Totals(self.objectives)

    def whole(self) -> Dataset:
        """Return all samples in memory, as one batch.

        Raises
        ------
        ValueError
            If batches are given, or an epoch is to have a part of them.
        """
        raise NotImplementedError

    def has_ended(self, number: int) -> bool:
        """Tell, with a warning, whether the data cannot be walked again, so that epoch `number` has no batch."""
        return False

    def rewind(self) -> None:
        """Let the next epoch begin with the first batch, if batches are given and can be had again."""

    def close(self) -> None:
        """Let go of what prepares batches."""


def source_of(
    model: TrainedModel,
    objectives: Objectives,
    source: Dataset | Batches,
    batch_size: int,
    training: bool,
    steps: int | None = None,
    class_weight: Mapping[int, float] | None = None,
    sharing: Sharing | None = None,
) -> BatchSource:
    """Return where the batches of a model's epochs come from.

    Parameters
    ----------
    model : Model
    objectives : Objectives
    source : Dataset or Batches
    batch_size : int
        Of a Dataset; Batches have sizes of their own.
    training : bool
    steps : int, default None
        Batches per epoch; None: all there are.
    class_weight : mapping, default None
        For Batches; a Dataset is weighed already.
    sharing : Sharing, default None
    """
    found: BatchSource
    if isinstance(source, Batches):
        found = GivenBatches(model, objectives, source, training, steps, class_weight)
    elif sharing is not None and sharing.own_parts:
        found = RowSource(model, objectives, source, *sharing.cut(source.n, batch_size), training, steps)
    else:
        n_batches = -(-source.n // batch_size)
        found = RowSource(model, objectives, source, batch_size, n_batches, training, steps)
    found.sharing = sharing
    return found


class RowSource(BatchSource):
    """Batches of a data set's rows; see `source_of`."""

    def __init__(
        self,
        model: TrainedModel,
        objectives: Objectives,
        data: Dataset,
        batch_size: int,
        n_all: int,
        training: bool,
        steps: int | None,
    ) -> None:
        super().__init__(model, objectives, training)
        self._data = data
        self._batch_size = batch_size
        self._steps = steps
        self._n_all = n_all
        self.n_batches: int = min(self._n_all, steps or self._n_all)

    def whole(self) -> Dataset:
        """Return all samples in memory, as one batch."""
        if self._steps is not None:
            raise ValueError(f"LBFGS needs all rows at once. Received: steps_per_epoch={self._steps}")
        return self._data.take(slice(None))

    def sole_segment(self) -> Segment | None:
        """Return the native pass over all samples if an epoch is nothing else: in memory, and no code but our own."""
        optimizer = self._model.optimizer
        asked = [optimizer, optimizer.schedule, *(each.metric for each in self.objectives.metrics)]
        if (
            not self._data.in_memory
            or self._steps is not None
            or self.sharing is not None
            or isinstance(optimizer, LBFGS)
            or self.objectives.python_metrics
            or not self.objectives.losses
            or not all(each is None or type(each).__module__.startswith("cnn_core.") for each in asked)
        ):
            return None
        if self._data.n <= min(self._batch_size, KEPT_ROWS):
            segment = SingleBatches.of(self._model, self.objectives, True).holding(self._data)
        else:
            self._look_at_optimizer()
            segment = self._all_rows()
        return None if segment.native.calls_python else segment

    def evaluation(self) -> BatchSource:
        """Return a source of the same batches, for evaluation."""
        found = RowSource(self._model, self.objectives, self._data, self._batch_size, self._n_all, False, self._steps)
        found.sharing = self.sharing
        return found

    def _segments(self, epoch: Epoch) -> Iterator[tuple[Segment, int, int]]:
        share = Share.of(epoch, self._n_all, self.n_batches)
        yield from self._of_rows(share.order(self._model, self._data.n), share.first + epoch.first_batch, share.end)
        if self._training:
            share.warn_if_shorter_than(self._steps)

    def _of_rows(self, order: Array | None, first: int, last: int) -> Iterator[tuple[Segment, int, int]]:
        """Batches first..last - 1 of the samples in some order."""
        data, size = self._data, self._batch_size
        if data.in_memory:
            segment = self._all_rows()
            segment.order = order
            yield segment, first, last
            return
        for batch in range(first, last):
            if order is None:
                rows = data.slice(min(batch * size, data.n), min((batch + 1) * size, data.n)).take(slice(None))
            else:
                rows = data.take(order[batch * size : (batch + 1) * size])
            yield self._one_batch(rows), 0, 1

    def _all_rows(self) -> Segment:
        """The segment of all rows, the only one that this source then has."""
        return self._segment or self._segment_with(self._data, self._batch_size)


class GivenBatches(BatchSource):
    """Batches from a generator or a PyDataset, each read when its turn comes; see `source_of`."""

    def __init__(
        self,
        model: TrainedModel,
        objectives: Objectives,
        batches: Batches,
        training: bool,
        steps: int | None,
        class_weight: Mapping[int, float] | None,
    ) -> None:
        super().__init__(model, objectives, training)
        self._batches = batches
        self._steps = steps
        self.n_batches = steps or batches.num_batches
        self._class_weight = class_weight

    def whole(self) -> Dataset:
        """Refuse: see `BatchSource.whole`."""
        if self._steps is not None:
            raise ValueError(f"LBFGS needs all rows at once. Received: steps_per_epoch={self._steps}")
        raise ValueError("LBFGS needs all rows at once: pass arrays. Received: a generator or PyDataset as x")

    def evaluation(self) -> BatchSource:
        """Return a source of the same batches, for evaluation."""
        return GivenBatches(self._model, self.objectives, self._batches, False, self._steps, None)

    def has_ended(self, number: int) -> bool:
        """Tell, with a warning, whether the data cannot be walked again, so that epoch `number` has no batch."""
        return have_ended(self._batches, number)

    def rewind(self) -> None:
        """Let the next epoch begin with the first batch, if it can be had again."""
        self._batches.rewind()

    def close(self) -> None:
        """Stop the workers, if there are any."""
        self._batches.close()

    def _segments(self, epoch: Epoch) -> Iterator[tuple[Segment, int, int]]:
        shuffle = epoch.shuffling(self._model)
        read = partial(self._model._reader(self.objectives).read, class_weight=self._class_weight)
        for batch, data in enumerate(self._batches.epoch(read, self._steps, shuffle)):
            if batch >= epoch.first_batch:
                yield self._one_batch(data), 0, 1
