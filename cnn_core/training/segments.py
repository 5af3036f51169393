"""Where the batches of an epoch come from.

A source yields segments: a native pass, and which of its batches to run. Arrays in memory are one segment, batches
from a generator one segment each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import cnn_core._core as _core
import cnn_core.foundation.random_state as random_state
from cnn_core.data.batches import Batches, warn_of_shortage
from cnn_core.data.dataset import Dataset
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.caller import warn_caller
from cnn_core.network.native import native_pass
from cnn_core.network.parameters import native_optimizer
from cnn_core.optimizers import LBFGS
from cnn_core.training.objectives import Objectives
from cnn_core.training.trained_model import TrainedModel

# Rows of a batch that a model may keep, with the memory to run them, when nobody has asked for single batches.
KEPT_ROWS = 128


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


class Segment:
    """A native pass over data in memory, with what Python measures beside it.

    Parameters
    ----------
    model : Model
    objectives : Objectives
    data : Dataset
        In memory.
    batch_size : int
    training : bool
    optimizer : _core.Optimizer
        Evaluation needs it for its penalties.

    Attributes
    ----------
    order : numpy.ndarray of int64, or None
        The samples in the order in which batches take them.
    """

    def __init__(
        self,
        model: TrainedModel,
        objectives: Objectives,
        data: Dataset,
        batch_size: int,
        training: bool,
        optimizer: _core.Optimizer | None,
    ) -> None:
        self.objectives = objectives
        self.batch_size = batch_size
        self.order: Array | None = None
        self._shapes = model.output_shapes
        self._dtype = model.compute_dtype
        self._measured = {each.output for each in objectives.python_metrics}
        self._kinds = [type(rows) for rows in data.inputs]
        self._takes_plain = not objectives.python_metrics and all(each.takes_plain for each in objectives.losses)
        targets = self._take(data)
        self.native = native_pass(
            model._network(),
            inputs=data.inputs,
            targets=targets,
            weights=data.weights,
            batch_size=batch_size,
            losses=objectives.describe_losses(targets),
            metrics=objectives.describe_metrics(targets),
            optimizer=optimizer,
            predictions=self._predictions,
            mode="training" if training else "evaluation",
            seed=model._seed_for_training() if training else 0,
        )

    def _take(self, data: Dataset) -> list[Array]:
        """Keep what Python measures with, and return the targets as native code reads them."""
        given: list[Array] = data.targets  # type: ignore[assignment]
        self._weights = data.weights
        self._observed = [
            spec.in_shape(target) for spec, target in zip(self.objectives.target_specs, given, strict=True)
        ]
        self._predictions = [
            np.empty((data.n, *shape[1:]), self._dtype) if output in self._measured else None
            for output, shape in enumerate(self._shapes)
        ]
        return self.objectives.lay_out(given, self._dtype)

    def feed(self, data: Dataset) -> bool:
        """Run over other data from now on; False if there are more samples than before, or other kinds of inputs."""
        if data.n > self.batch_size or [type(rows) for rows in data.inputs] != self._kinds:
            return False
        targets = self._take(data)
        self.native.feed(data.inputs, targets, data.weights, self._predictions)
        return True

    def feed_plain(self, x: Any, y: Any) -> bool:
        """Run over one batch of plain arrays from now on; False if they must be read first, and the pass fed again."""
        if not (self._takes_plain and self.native.feed_plain(x, y)):
            return False
        meanings = self.objectives.target_specs[0].meanings
        return not any(meaning.domain.violation(y, meaning.axis) for meaning in meanings)

    @property
    def n_batches(self) -> int:
        """How many batches the data has."""
        return self.native.n_batches

    def measure(self, first_batch: int, last_batch: int) -> None:
        """Update the metrics that Python computes with the predictions of these batches."""
        for each in self.objectives.python_metrics:
            predictions, weights = self._predictions[each.output], self._weights[each.target]
            assert predictions is not None
            for batch in range(first_batch, last_batch):
                rows = slice(batch * self.batch_size, (batch + 1) * self.batch_size)
                chosen = rows if self.order is None else self.order[rows]
                weight = weights[chosen] if each.weighted and weights is not None else None
                each.metric.update_state(self._observed[each.target][chosen], predictions[rows], weight)


class PassKept:
    """The native pass of a model, kept from one piece of data to the next as long as it serves.

    Parameters
    ----------
    model : Model
    objectives : Objectives
    training : bool
    """

    def __init__(self, model: TrainedModel, objectives: Objectives, training: bool) -> None:
        self._model = model
        self._objectives = objectives
        self._training = training
        self._optimizer: _core.Optimizer | None = None
        self._segment: Segment | None = None

    def _look_at_optimizer(self) -> None:
        """Begin again if the optimizer, its state or its settings are others than before."""
        model = self._model
        stepping = self._training and not isinstance(model.optimizer, LBFGS)
        optimizer = native_optimizer(model._bind(), model.optimizer if stepping else None)
        if optimizer is not self._optimizer:
            self._optimizer, self._segment = optimizer, None

    def _segment_with(self, data: Dataset, batch_size: int) -> Segment:
        """A segment with this data; the memory of the one before is used again where it fits."""
        if self._segment is None or not self._segment.feed(data):
            self._segment = Segment(self._model, self._objectives, data, batch_size, self._training, self._optimizer)
        return self._segment


class SingleBatches(PassKept):
    """One batch at a time, each a segment of its own: for `train_on_batch`, `test_on_batch` and what is as small."""

    @classmethod
    def of(cls, model: TrainedModel, objectives: Objectives, training: bool) -> SingleBatches:
        """Return those that the model keeps."""
        kept: SingleBatches | None = model._on_batch.get(training)
        if kept is None:
            kept = model._on_batch[training] = cls(model, objectives, training)
        return kept

    def segment(self, x: object, y: object, sample_weight: object, class_weight: Mapping[int, float] | None) -> Segment:
        """Return a segment with this batch. Plain arrays go straight to native code, anything else is read first."""
        self._look_at_optimizer()
        segment = self._segment
        if segment is not None and sample_weight is None and class_weight is None and segment.feed_plain(x, y):
            return segment
        data = self._model._reader(self._objectives).read(x, y, sample_weight, class_weight).take(slice(None))
        return self._segment_with(data, data.n)

    def holding(self, data: Dataset) -> Segment:
        """Return a segment with this data in memory as one batch."""
        self._look_at_optimizer()
        return self._segment_with(data, data.n)


class BatchSource(PassKept):
    """Where batches come from: arrays, rows that are converted batch by batch, or a generator.

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

    Attributes
    ----------
    undisturbed : bool
        Set where nobody can change the optimizer's settings between epochs, which then are looked at once.
    """

    def __init__(
        self,
        model: TrainedModel,
        objectives: Objectives,
        source: Dataset | Batches,
        batch_size: int,
        training: bool,
        steps: int | None = None,
        class_weight: Mapping[int, float] | None = None,
    ) -> None:
        super().__init__(model, objectives, training)
        self._source = source
        self._batch_size = batch_size
        self._steps = steps
        self._class_weight = class_weight
        self.undisturbed = False

    @property
    def n_batches(self) -> int | None:
        """Batches per epoch, None if unknown."""
        if isinstance(self._source, Batches):
            return self._steps or self._source.num_batches
        n = -(-self._source.n // self._batch_size)
        return min(n, self._steps or n)

    def has_ended(self, number: int) -> bool:
        """Tell, with a warning, whether the data cannot be walked again, so that epoch `number` has no batch."""
        if not (isinstance(self._source, Batches) and self._source.has_ended()):
            return False
        warn_caller(
            f"x ran out of batches: training ends after epoch {number}. Use a PyDataset, or an endless generator and "
            f"`steps_per_epoch`."
        )
        return True

    def rewind(self) -> None:
        """Let the next epoch begin with the first batch, where batches come from outside and can be had again."""
        if isinstance(self._source, Batches):
            self._source.rewind()

    def whole(self) -> Dataset:
        """Return all samples in memory, as one batch.

        Raises
        ------
        ValueError
            If batches come from outside, or an epoch is to have a part of them.
        """
        if self._steps is not None:
            raise ValueError(f"LBFGS needs all rows at once. Received: steps_per_epoch={self._steps}")
        if isinstance(self._source, Batches):
            raise ValueError("LBFGS needs all rows at once: pass arrays. Received: a generator or PyDataset as x")
        return self._source.take(slice(None))

    def sole_segment(self) -> Segment | None:
        """Return the native pass over all samples if an epoch is nothing else: in memory, and no code but our own."""
        optimizer = self._model.optimizer
        asked = [optimizer, optimizer.schedule, *(each.metric for each in self._objectives.metrics)]
        if (
            not isinstance(self._source, Dataset)
            or not self._source.in_memory
            or self._steps is not None
            or isinstance(optimizer, LBFGS)
            or self._objectives.python_metrics
            or not all(each is None or type(each).__module__.startswith("cnn_core.") for each in asked)
        ):
            return None
        if self._source.n <= min(self._batch_size, KEPT_ROWS):
            segment = SingleBatches.of(self._model, self._objectives, True).holding(self._source)
        else:
            self._look_at_optimizer()
            segment = self._whole_segment(self._source)
        return None if segment.native.calls_python else segment

    def evaluation(self) -> BatchSource:
        """Return a source of the same batches, for evaluation."""
        return BatchSource(self._model, self._objectives, self._source, self._batch_size, False, self._steps)

    def segments(self, epoch: Epoch) -> Iterator[tuple[Segment, int, int]]:
        """Yield native passes, and the first of their batches to run and the one behind the last."""
        if self._optimizer is None or not self.undisturbed:
            self._look_at_optimizer()
        if isinstance(self._source, Batches):
            yield from self._generated(epoch)
            return
        passed, first, end = self._batches_of(epoch.place)
        order = None if epoch.stream is None else self._order(self._source, epoch.stream - epoch.place + passed)
        yield from self._of_rows(self._source, order, first + epoch.first_batch, end)
        if self._training and self._steps is not None and end - first < self._steps:
            warn_of_shortage("x", end - first, "steps_per_epoch")

    def _batches_of(self, place: int) -> tuple[int, int, int]:
        """Return how many passes over the rows lie before an epoch, its first batch and the one behind its last."""
        assert isinstance(self._source, Dataset)
        n = -(-self._source.n // self._batch_size)
        steps = min(n, self._steps or n)
        passed, place = divmod(place, -(-n // steps))
        return passed, place * steps, min((place + 1) * steps, n)

    def _of_rows(self, data: Dataset, order: Array | None, first: int, last: int) -> Iterator[tuple[Segment, int, int]]:
        """Batches first..last - 1 of the samples in some order."""
        size = self._batch_size
        if data.in_memory:
            segment = self._whole_segment(data)
            segment.order = order
            yield segment, first, last
            return
        for batch in range(first, last):
            if order is None:
                rows = data.slice(batch * size, min((batch + 1) * size, data.n)).take(slice(None))
            else:
                rows = data.take(order[batch * size : (batch + 1) * size])
            yield self._one_batch(rows), 0, 1

    def _whole_segment(self, data: Dataset) -> Segment:
        """The segment of all of this data, the only one that this source has."""
        return self._segment or self._segment_with(data, self._batch_size)

    def _generated(self, epoch: Epoch) -> Iterator[tuple[Segment, int, int]]:
        assert isinstance(self._source, Batches)
        shuffle = None
        if epoch.stream is not None:
            shuffle = random_state.generator((self._model._seed_for_training() + epoch.stream) % 2**63)
        read = partial(self._model._reader(self._objectives).read, class_weight=self._class_weight)
        for batch, data in enumerate(self._source.epoch(read, self._steps, shuffle)):
            if batch >= epoch.first_batch:
                yield self._one_batch(data), 0, 1

    def _one_batch(self, data: Dataset) -> Segment:
        """A segment of one batch."""
        return self._segment_with(data.take(slice(None)), data.n)

    def _order(self, data: Dataset, stream: int) -> Array:
        """A permutation that depends on the model's seed and the stream alone."""
        return np.asarray(_core.shuffled(data.n, self._model._seed_for_training(), stream))
