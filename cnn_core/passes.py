"""Passes over data: epochs of training and evaluation, callbacks, the progress display. Floor 4.

A source yields stretches: a native pass and how many batches it can do by itself. Arrays in memory are one stretch,
batches from a generator one stretch each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnn_core import _core, random_state
from cnn_core.arrays import Array
from cnn_core.callbacks import CallbackList, History
from cnn_core.data import Batches, Dataset
from cnn_core.objectives import Objectives
from cnn_core.parameters import native_optimizer
from cnn_core.progress import Progress


class NonFiniteLossError(FloatingPointError):
    """The loss or a gradient left the finite numbers; the model keeps the weights of the batch before."""


@dataclass(frozen=True)
class FitPlan:
    """The checked arguments of `fit` that are not data."""

    epochs: int
    initial_epoch: int
    batch_size: int
    validation_batch_size: int
    steps_per_epoch: int | None
    validation_steps: int | None
    validation_freq: Callable[[int], bool]
    shuffle: bool
    verbose: Any


class Totals:
    """What passes have added up: losses here, metrics in their own objects."""

    def __init__(self, objectives: Objectives) -> None:
        self.objectives = objectives
        self.samples = 0.0
        self.penalties = 0.0
        self.losses = [0.0] * len(objectives.losses)

    def add(self, totals: tuple[float, float, list[float], list[tuple[float, float]]]) -> None:
        """Add what a native pass has counted since it was asked last."""
        samples, penalties, losses, metrics = totals
        self.samples += samples
        self.penalties += penalties
        self.losses = [ours + theirs for ours, theirs in zip(self.losses, losses, strict=True)]
        native = (each for each in self.objectives.metrics if each.native)
        for each, (total, count) in zip(native, metrics, strict=True):
            each.metric.accumulate(total, count)

    def logs(self) -> dict[str, Any]:
        """Return the loss, each output's loss if there are several, and the metrics."""
        n = self.samples or 1.0
        weighted = sum(each.weight * total for each, total in zip(self.objectives.losses, self.losses, strict=True))
        logs: dict[str, Any] = {"loss": (weighted + self.penalties) / n}
        if len(self.objectives.output_names) > 1:
            logs |= {each.label: total / n for each, total in zip(self.objectives.losses, self.losses, strict=True)}
        return logs | self.objectives.results()


class Stretch:
    """A native pass over data in memory, with what Python measures beside it."""

    def __init__(
        self, model: Any, objectives: Objectives, data: Dataset, batch_size: int, training: bool, optimizer: Any
    ) -> None:
        self.objectives = objectives
        self.weights = data.weights
        self.batch_size = batch_size
        self.order: Array | None = None
        self.targets = objectives.prepare_targets(data.targets, model.compute_dtype)  # type: ignore[arg-type]
        self.predictions: list[Array | None] = [None] * len(model.output_names)
        for output in objectives.predicted_outputs:
            self.predictions[output] = np.empty((data.n, *model.output_shapes[output][1:]), model.compute_dtype)
        self.native = _core.Pass(
            model._network(),
            data.inputs,
            self.targets,
            data.weights,
            batch_size,
            objectives.native_losses(self.targets),
            objectives.native_metrics(self.targets),
            optimizer,
            self.predictions,
            "training" if training else "evaluation",
            model._seed_for_training() if training else 0,
        )

    @property
    def n_batches(self) -> int:
        return int(self.native.n_batches)

    def measure(self, first_batch: int, last_batch: int) -> None:
        """Update the metrics that Python computes with the predictions of these batches."""
        for each in self.objectives.metrics:
            if each.native:
                continue
            for batch in range(first_batch, last_batch):
                rows = slice(batch * self.batch_size, (batch + 1) * self.batch_size)
                prediction = self.predictions[each.output]
                assert prediction is not None
                y_pred = prediction[rows]
                chosen = rows if self.order is None else self.order[rows]
                weight = self.weights[each.target] if each.weighted else None
                each.metric.update_state(
                    self.targets[each.target][chosen], y_pred, None if weight is None else weight[chosen]
                )


def dense(data: Dataset) -> Dataset:
    """Return the data with sparse inputs as ordinary arrays."""
    return replace(data, inputs=[rows if isinstance(rows, np.ndarray) else rows.dense() for rows in data.inputs])  # type: ignore[union-attr]


class BatchSource:
    """Where an epoch's batches come from: arrays, rows that are converted batch by batch, or a generator."""

    def __init__(
        self,
        model: Any,
        objectives: Objectives,
        source: Dataset | Batches,
        batch_size: int,
        training: bool,
        steps: int | None = None,
        class_weight: Mapping[int, float] | None = None,
    ) -> None:
        self.model = model
        self.objectives = objectives
        self.source = source
        self.batch_size = batch_size
        self.training = training
        self.steps = steps
        self.class_weight = class_weight
        self._whole: Stretch | None = None
        self._start: Array | None = None
        # Evaluation needs the optimizer for its penalties only.
        self._optimizer = native_optimizer(model._bind(), model.optimizer if training else None)
        if isinstance(source, Dataset) and source.in_memory:
            self._whole = self._stretch(source, batch_size)

    def _stretch(self, data: Dataset, batch_size: int) -> Stretch:
        return Stretch(self.model, self.objectives, data, batch_size, self.training, self._optimizer)

    @property
    def n_batches(self) -> int | None:
        if isinstance(self.source, Batches):
            return self.steps or self.source.num_batches
        n = -(-self.source.n // self.batch_size)
        return n if self.steps is None else min(n, self.steps)

    def stretches(self, order_stream: int | None) -> Iterator[tuple[Stretch, int]]:
        """Yield native passes and their numbers of batches; `order_stream` names the epoch's order, None for none."""
        if isinstance(self.source, Batches):
            yield from self._generated(order_stream)
            return
        order = None if order_stream is None else self._order(order_stream)
        count = self.n_batches or 0
        if self._whole is not None:
            self._whole.order = order
            yield self._whole, count
            return
        indices = np.arange(self.source.n) if order is None else order
        for batch in range(count):
            rows = indices[batch * self.batch_size : (batch + 1) * self.batch_size]
            yield self._single(self.source.take(rows)), 1

    def _generated(self, order_stream: int | None) -> Iterator[tuple[Stretch, int]]:
        assert isinstance(self.source, Batches)
        shuffle = None
        if order_stream is not None:
            shuffle = random_state.generator((self.model._seed_for_training() + order_stream) % 2**63)

        def read(x: Any, y: Any, sample_weight: Any) -> Dataset:
            data: Dataset = self.model._dataset(x, y, sample_weight, self.class_weight, self.objectives)
            return data

        for data in self.source.epoch(read, self.steps, shuffle):
            yield self._single(data), 1

    def _single(self, data: Dataset) -> Stretch:
        return self._stretch(dense(data), max(data.n, 1))

    def _order(self, stream: int) -> Array:
        """A permutation that depends on the model's seed and the stream alone."""
        assert isinstance(self.source, Dataset)
        if self._start is None:
            self._start = np.arange(self.source.n, dtype=np.int64)
        return np.asarray(
            _core.shuffled(self.source.n, self.model._seed_for_training(), stream, self._start.copy())
        )


def run_epoch(
    model: Any,
    source: BatchSource,
    totals: Totals,
    training: bool,
    callbacks: CallbackList | None = None,
    progress: Progress | None = None,
    order_stream: int | None = None,
    epoch: int = 0,
) -> None:
    """Run every batch of the source once, adding up what they measure."""
    one_by_one = callbacks is not None and callbacks.needs_batch_hooks("train" if training else "test")
    done = 0
    for stretch, count in source.stretches(order_stream):
        reached = 0
        while reached < count and not (training and model.stop_training and one_by_one):
            last = reached + 1 if one_by_one else count
            if one_by_one and callbacks is not None:
                (callbacks.on_train_batch_begin if training else callbacks.on_test_batch_begin)(done)
            first, (status, reached) = reached, _native_slice(model, stretch, reached, last, training)
            totals.add(stretch.native.take_totals())
            stretch.measure(first, reached)
            done += reached - first
            if status == "diverged":
                if _diverged(stretch.native.last_loss, done, epoch, callbacks, training):
                    totals.penalties = float("nan")
                return
            if one_by_one and callbacks is not None:
                (callbacks.on_train_batch_end if training else callbacks.on_test_batch_end)(done - 1, totals.logs())
            if progress is not None and progress.verbose:
                progress.update(done, dict(sorted(totals.logs().items())))


def _native_slice(model: Any, stretch: Stretch, first: int, last: int, training: bool) -> tuple[str, int]:
    if not training:
        status, reached, _ = stretch.native(first, last, None, 0, stretch.order, False)
        return status, reached
    optimizer = model.optimizer
    rates = optimizer.learning_rates(optimizer.batches_seen, last - first)
    try:
        status, reached, _ = stretch.native(first, last, rates, optimizer.batches_seen, stretch.order, True)
    finally:
        # Even if an interrupt arrives here: the weights are those after native.step steps.
        optimizer.batches_seen = max(optimizer.batches_seen, stretch.native.step)
    return status, reached


def _diverged(loss: float, batch: int, epoch: int, callbacks: CallbackList | None, training: bool) -> bool:
    """Let callbacks take care of it (then True), else raise."""
    if callbacks is not None and callbacks.on_nonfinite_loss(batch, loss):
        return True
    what = f"The loss of batch {batch} is {loss}" if not np.isfinite(loss) else f"A gradient of batch {batch} overflows"
    if not training:
        raise NonFiniteLossError(f"{what}: the model's outputs are too large for its loss")
    raise NonFiniteLossError(
        f"{what} in epoch {epoch + 1}. The weights are those before that batch. A smaller learning rate, `clipnorm`, or "
        "inputs scaled to about 1 help"
    )


def fit(
    model: Any,
    objectives: Objectives,
    source: Dataset | Batches,
    held_out: Dataset | Batches | None,
    class_weight: Mapping[int, float] | None,
    plan: FitPlan,
    callbacks: Any,
) -> History:
    """Train for the epochs of the plan; see `Trainer.fit`."""
    model.stop_training = False
    batches = BatchSource(model, objectives, source, plan.batch_size, True, plan.steps_per_epoch, class_weight)
    progress = Progress(plan.verbose, plan.epochs, batches.n_batches)
    heard = callbacks if isinstance(callbacks, CallbackList) else CallbackList(callbacks, add_history=True)
    heard.set_model(model)
    heard.set_params({"verbose": progress.verbose, "epochs": plan.epochs, "steps": batches.n_batches})
    heard.on_train_begin()
    logs: dict[str, Any] = {}
    try:
        for epoch in range(plan.initial_epoch, plan.epochs):
            logs = _fit_epoch(model, objectives, batches, held_out, plan, heard, progress, epoch)
            if model.stop_training:
                break
    finally:
        if isinstance(source, Batches):
            source.close()
    _overwrite_with_average(model)
    heard.on_train_end(logs)
    model._batch_totals = None
    history: History = model.history
    return history


def _fit_epoch(
    model: Any,
    objectives: Objectives,
    batches: BatchSource,
    held_out: Dataset | Batches | None,
    plan: FitPlan,
    callbacks: CallbackList,
    progress: Progress,
    epoch: int,
) -> dict[str, Any]:
    callbacks.on_epoch_begin(epoch)
    progress.epoch_begin(epoch)
    objectives.reset()
    totals = Totals(objectives)
    model._epochs_begun += 1
    stream = model._epochs_begun if plan.shuffle else None
    run_epoch(model, batches, totals, True, callbacks, progress, stream, epoch)
    logs = dict(sorted(totals.logs().items()))
    if held_out is not None and plan.validation_freq(epoch + 1):
        measured = evaluate(
            model, objectives, held_out, plan.validation_batch_size, plan.validation_steps, 0, callbacks
        )
        logs |= {f"val_{name}": value for name, value in sorted(measured.items())}
    progress.epoch_end(logs)
    return callbacks.on_epoch_end(epoch, logs)


def _overwrite_with_average(model: Any) -> None:
    """Keras's rule: with use_ema, the average becomes the weights when training ends."""
    optimizer = model.optimizer
    if getattr(optimizer, "use_ema", False) and optimizer.state.get("average") is not None and optimizer.iterations:
        model._parameters.values[...] = optimizer.state["average"]


def evaluate(
    model: Any,
    objectives: Objectives,
    source: Dataset | Batches,
    batch_size: int,
    steps: int | None,
    verbose: Any,
    callbacks: Any,
) -> dict[str, Any]:
    """Measure loss and metrics over the source."""
    heard = callbacks if isinstance(callbacks, CallbackList) else CallbackList(callbacks, model=model)
    heard.on_test_begin()
    batches = BatchSource(model, objectives, source, batch_size, False, steps)
    progress = Progress(verbose, 1, batches.n_batches)
    progress.epoch_begin(0)
    objectives.reset()
    totals = Totals(objectives)
    run_epoch(model, batches, totals, False, heard, progress)
    logs = totals.logs()
    progress.epoch_end(dict(sorted(logs.items())))
    heard.on_test_end(logs)
    return logs


def predict_with_hooks(model: Any, data: Dataset, batch_size: int, verbose: Any, callbacks: Any) -> list[Array]:
    """Predict batch by batch, because a callback or a progress display wants to follow."""
    heard = callbacks if isinstance(callbacks, CallbackList) else CallbackList(callbacks, model=model)
    n_batches = -(-data.n // batch_size)
    progress = Progress(verbose, 1, n_batches)
    heard.on_predict_begin()
    progress.epoch_begin(0)
    parts = []
    for batch in range(n_batches):
        heard.on_predict_batch_begin(batch)
        rows = data.slice(batch * batch_size, min((batch + 1) * batch_size, data.n))
        parts.append(model._predict_dataset(rows))
        heard.on_predict_batch_end(batch, {"outputs": model._pack_outputs(parts[-1])})
        progress.update(batch + 1)
    progress.epoch_end()
    heard.on_predict_end()
    return [np.concatenate(column) for column in zip(*parts, strict=True)]
