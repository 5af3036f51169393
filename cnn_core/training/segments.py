"""Segments of an epoch: a native pass over data in memory, kept from one piece of data to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import cnn_core._core as _core
from cnn_core.data.dataset import Dataset
from cnn_core.foundation.arrays import Array
from cnn_core.network.native import native_pass
from cnn_core.network.parameters import native_optimizer
from cnn_core.training.objectives import Objectives, in_columns
from cnn_core.training.trained_model import TrainedModel

# Rows of a batch that a model may keep, with the memory to run them, when nobody has asked for single batches.
KEPT_ROWS = 128


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
    network : _core.Network, default None
        None: the model's, which has its gradients.

    Attributes
    ----------
    data : Dataset
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
        network: _core.Network | None = None,
    ) -> None:
        self.objectives = objectives
        self.data = data
        self.batch_size = batch_size
        self.order: Array | None = None
        self._shapes = list(map(in_columns, model.output_shapes))
        self._dtype = model.array_dtype
        self._measured = {each.output for each in objectives.python_metrics}
        self._weights: list[Array | None] = []
        self._observed: list[Array] = []
        self._predictions: list[Array | None] = [None] * len(self._shapes)
        self._kinds = [type(rows) for rows in data.inputs]
        self._takes_plain = not objectives.python_metrics and all(each.takes_plain for each in objectives.losses)
        targets = self._take(data)
        self._ranks = objectives.ranks(data.targets)
        self.native = native_pass(
            model._network() if network is None else network,
            Dataset(data.inputs, list(targets), data.weights, data.n, data.dtype),
            batch_size=batch_size,
            losses=objectives.describe_losses(targets, data.targets),
            metrics=objectives.describe_metrics(targets),
            optimizer=optimizer,
            predictions=self._predictions,
            mode="training" if training else "evaluation",
            seed=model._seed_for_training() if training else 0,
        )

    def _take(self, data: Dataset) -> list[Array]:
        """Keep what Python measures with, and return the targets as native code reads them."""
        self.data = data
        given: list[Array] = data.targets  # type: ignore[assignment]
        if self._measured:
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
        """Run over other data from now on; False if there are more samples than before, or other kinds."""
        if data.n > self.batch_size or [type(rows) for rows in data.inputs] != self._kinds:
            return False
        if self._ranks != self.objectives.ranks(data.targets):
            return False
        targets = self._take(data)
        self.native.feed(data.inputs, targets, data.weights, self._predictions)
        return True

    def feed_plain(self, x: object, y: Any) -> bool:
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
        if self.objectives.python_metrics:
            for batch in range(first_batch, last_batch):
                self.measure_rows(slice(batch * self.batch_size, (batch + 1) * self.batch_size))

    def measure_rows(self, rows: slice) -> None:
        """Update the metrics that Python computes with the predictions of these samples of the order."""
        chosen = rows if self.order is None else self.order[rows]
        for each in self.objectives.python_metrics:
            predictions, weights = self._predictions[each.output], self._weights[each.target]
            assert predictions is not None
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
        self.objectives = objectives
        self._training = training
        self._optimizer: _core.Optimizer | None = None
        self._segment: Segment | None = None

    def _look_at_optimizer(self) -> None:
        """Begin again if the optimizer, its state or its settings are others than before."""
        model = self._model
        stepping = self._training and model.optimizer.steps_natively
        if self._training and not stepping:
            model._refuse_uncompiled_optimizer()
        optimizer = native_optimizer(model._bind(), model.optimizer if stepping else None)
        if optimizer is not self._optimizer:
            self._optimizer, self._segment = optimizer, None

    def _segment_with(self, data: Dataset, batch_size: int) -> Segment:
        """A segment with this data; the memory of the one before is used again where it fits."""
        if self._segment is None or not self._segment.feed(data):
            self._segment = Segment(self._model, self.objectives, data, batch_size, self._training, self._optimizer)
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
        data = self._model._reader(self.objectives).read(x, y, sample_weight, class_weight).take(slice(None))
        return self._segment_with(data, data.n)

    def holding(self, data: Dataset) -> Segment:
        """Return a segment with this data in memory as one batch."""
        self._look_at_optimizer()
        return self._segment_with(data, data.n)
