"""Passes over data: what native code is handed, batch by batch or whole, and what it adds up. Floor 4.

A source yields stretches: a native pass, and which of its batches to run. Arrays in memory are one stretch, batches
from a generator one stretch each.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

import cnn_core._core as _core
import cnn_core.random_state as random_state
from cnn_core.arrays import Array
from cnn_core.callbacks import CallbackList
from cnn_core.data import Batches, Dataset, warn_of_shortage
from cnn_core.objectives import Objectives
from cnn_core.optimizers import LBFGS
from cnn_core.parameters import native_optimizer
from cnn_core.progress import Progress

# What a native pass has counted: samples, penalties, each loss, and each metric's total and count.
Taken: TypeAlias = tuple[float, float, list[float], list[tuple[float, float]]]


class NonFiniteLossError(FloatingPointError):
    """The loss or a gradient left the finite numbers; the model keeps the weights of the batch before."""


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


class Totals:
    """What passes have added up: losses here, metrics in their own objects.

    Attributes
    ----------
    batches : int
        Finished in this epoch.
    samples : float
    penalties : float
        Sum over samples of the penalties of their batches.
    losses : list of float
        The same of each loss, unweighted.
    """

    def __init__(self, objectives: Objectives) -> None:
        self.objectives = objectives
        self.batches = 0
        self.samples = 0.0
        self.penalties = 0.0
        self.losses = [0.0] * len(objectives.losses)
        objectives.reset()

    def add(self, taken: Taken) -> None:
        """Add what a native pass has counted, as its `take_totals` returns it."""
        samples, penalties, losses, metrics = taken
        self.samples += samples
        self.penalties += penalties
        self.losses = [ours + theirs for ours, theirs in zip(self.losses, losses, strict=True)]
        added = (each for each in self.objectives.metrics if each.native)
        for each, (total, count) in zip(added, metrics, strict=True):
            each.metric.accumulate(total, count)

    def logs(self) -> dict[str, Any]:
        """Return the loss, each output's loss if there are several, and the metrics; nothing if no batch was seen."""
        if self.samples == 0 and self.penalties == 0:
            return {}
        n = self.samples or 1.0
        losses = self.objectives.losses
        weighted = sum(each.weight * total for each, total in zip(losses, self.losses, strict=True))
        logs: dict[str, Any] = {"loss": (weighted + self.penalties) / n}
        if len(losses) > 1:
            logs |= {each.label: total / n for each, total in zip(losses, self.losses, strict=True)}
        return logs | self.objectives.results()

    def state(self) -> dict[str, Any]:
        """Return it all as plain data, for a training that will go on elsewhere."""
        return {
            "batches": self.batches,
            "samples": self.samples,
            "penalties": self.penalties,
            "losses": self.losses,
            "metrics": self.objectives.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        self.batches = int(state["batches"])
        self.samples, self.penalties = float(state["samples"]), float(state["penalties"])
        losses = [float(loss) for loss in state["losses"]]
        if len(losses) != len(self.losses):
            raise ValueError(f"`losses` must have {len(self.losses)} numbers. Received: {len(losses)}")
        self.losses = losses
        self.objectives.restore(state["metrics"])


class Stretch:
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
        self, model: Any, objectives: Objectives, data: Dataset, batch_size: int, training: bool, optimizer: Any
    ) -> None:
        self.objectives = objectives
        self.batch_size = batch_size
        self.order: Array | None = None
        self._shapes = model.output_shapes
        self._dtype = model.compute_dtype
        self._measured = {each.output for each in objectives.python_metrics}
        self._kinds = [type(rows) for rows in data.inputs]
        targets = self._take(data)
        self.native = _core.Pass(
            model._network(),
            data.inputs,
            targets,
            data.weights,
            batch_size,
            objectives.native_losses(targets),
            objectives.native_metrics(targets),
            optimizer,
            self._predictions,
            "training" if training else "evaluation",
            model._seed_for_training() if training else 0,
        )

    def _take(self, data: Dataset) -> list[Array]:
        """Keep what Python measures with, and return the targets as native code reads them."""
        given: list[Array] = data.targets  # type: ignore[assignment]
        self._weights = data.weights
        self._observed = [each.observed(y) for each, y in zip(self.objectives.losses, given, strict=True)]
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

    @property
    def n_batches(self) -> int:
        """How many batches the data has."""
        return int(self.native.n_batches)

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


class BatchSource:
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
        model: Any,
        objectives: Objectives,
        source: Dataset | Batches,
        batch_size: int,
        training: bool,
        steps: int | None = None,
        class_weight: Mapping[int, float] | None = None,
    ) -> None:
        self._model = model
        self._objectives = objectives
        self._source = source
        self._batch_size = batch_size
        self._training = training
        self._steps = steps
        self._class_weight = class_weight
        self.undisturbed = False
        self._optimizer: Any = None
        self._stretch: Stretch | None = None
        self._fed: Dataset | None = None  # what the stretch holds

    def _look_at_optimizer(self) -> None:
        """Begin anew if the optimizer, its state or its settings are others than before."""
        model = self._model
        stepping = self._training and not isinstance(model.optimizer, LBFGS)
        optimizer = native_optimizer(model._bind(), model.optimizer if stepping else None)
        if optimizer is not self._optimizer:
            self._optimizer, self._stretch = optimizer, None

    def use(self, data: Dataset) -> None:
        """Take these samples as one batch from now on."""
        self._source, self._batch_size = data, data.n

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
        warnings.warn(
            f"x ran out of batches: training ends after epoch {number}. Use a PyDataset, or an endless generator and "
            f"`steps_per_epoch`.",
            UserWarning,
            stacklevel=4,
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

    def alone(self) -> Stretch | None:
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
        self._look_at_optimizer()
        stretch = self._over(self._source)
        return None if stretch.native.calls_python else stretch

    def evaluation(self) -> BatchSource:
        """Return a source of the same batches, for evaluation."""
        return BatchSource(self._model, self._objectives, self._source, self._batch_size, False, self._steps)

    def stretches(self, epoch: Epoch) -> Iterator[tuple[Stretch, int, int]]:
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

    def _of_rows(self, data: Dataset, order: Array | None, first: int, last: int) -> Iterator[tuple[Stretch, int, int]]:
        """Batches first..last - 1 of the samples in some order."""
        size = self._batch_size
        if data.in_memory:
            stretch = self._over(data)
            stretch.order = order
            yield stretch, first, last
            return
        for batch in range(first, last):
            if order is None:
                rows = data.slice(batch * size, min((batch + 1) * size, data.n)).take(slice(None))
            else:
                rows = data.take(order[batch * size : (batch + 1) * size])
            yield self._single(rows), 0, 1

    def _over(self, data: Dataset) -> Stretch:
        """The stretch of all of this data."""
        held = self._stretch if self._fed is data else None
        return held or self._holding(data, self._batch_size)

    def _generated(self, epoch: Epoch) -> Iterator[tuple[Stretch, int, int]]:
        assert isinstance(self._source, Batches)
        shuffle = None
        if epoch.stream is not None:
            shuffle = random_state.generator((self._model._seed_for_training() + epoch.stream) % 2**63)

        def read(x: Any, y: Any, sample_weight: Any) -> Dataset:
            data: Dataset = self._model._dataset(x, y, sample_weight, self._class_weight, self._objectives)
            return data

        for batch, data in enumerate(self._source.epoch(read, self._steps, shuffle)):
            if batch >= epoch.first_batch:
                yield self._single(data), 0, 1

    def _single(self, data: Dataset) -> Stretch:
        """A stretch of one batch."""
        return self._holding(data.take(slice(None)), data.n)

    def _holding(self, data: Dataset, batch_size: int) -> Stretch:
        """A stretch with this data; the memory of the one before is used again where it fits."""
        if self._stretch is None or not self._stretch.feed(data):
            self._stretch = Stretch(self._model, self._objectives, data, batch_size, self._training, self._optimizer)
        self._fed = data
        return self._stretch

    def _order(self, data: Dataset, stream: int) -> Array:
        """A permutation that depends on the model's seed and the stream alone."""
        return np.asarray(_core.shuffled(data.n, self._model._seed_for_training(), stream))


def run_epoch(
    model: Any,
    source: BatchSource,
    totals: Totals,
    training: bool,
    callbacks: CallbackList | None = None,
    progress: Progress | None = None,
    epoch: Epoch | None = None,
) -> None:
    """Run every batch of an epoch, adding up what they measure.

    Native code runs as many batches as it can in 50 ms; then Python looks for signals, shows the progress and asks
    whether to go on. With a callback that wants to hear of every batch it runs one at a time.

    Raises
    ------
    NonFiniteLossError
        If a loss or gradient is not finite and no callback takes care of it.
    """
    epoch = epoch or Epoch()
    hooks = _batch_hooks(callbacks, training)
    totals.batches = epoch.first_batch
    for stretch, first, end in source.stretches(epoch):
        reached = first
        while reached < end:
            if hooks is not None:
                hooks[0](totals.batches)
            before, last = reached, end if hooks is None else reached + 1
            model._hold_variables()
            status, reached = _run_slice(model, stretch, before, last, training)
            totals.add(stretch.native.take_totals())
            stretch.measure(before, reached)
            totals.batches += reached - before
            if status == "diverged":
                _diverged(model, stretch.native.last_loss, totals, epoch, callbacks, training)
                return
            shows = progress is not None and progress.shows_batches
            logs = totals.logs() if hooks is not None or shows else {}
            if hooks is not None:
                hooks[1](totals.batches - 1, logs)
            if progress is not None:
                progress.update(totals.batches, dict(sorted(logs.items())))
            if model.stop_training if training else model.stop_evaluating:
                return


def run_epochs(
    model: Any,
    stretch: Stretch,
    n_epochs: int,
    shuffle: bool,
    record: Callable[[int, list[dict[str, Any]]], None],
) -> None:
    """Run epochs of training that nobody watches, many in one native call.

    Parameters
    ----------
    model : Model
    stretch : Stretch
        As `BatchSource.alone` returns it.
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
    optimizer, objectives, begun = model.optimizer, stretch.objectives, model._epochs_begun
    epochs = _core.Epochs(stretch.native, (model._seed_for_training(), begun + 1) if shuffle else None)
    done, status = 0, ""

    def note() -> None:
        optimizer.batches_seen = max(before, stretch.native.step)  # the weights are those after native.step steps
        model._epochs_begun = begun + done + epochs.n_done + epochs.begun
        record(done, [_logs(objectives, taken) for taken in epochs.totals()])

    while done < n_epochs and status != "diverged" and not model.stop_training:
        model._hold_variables()
        before = optimizer.batches_seen
        rates = optimizer.learning_rates(before - epochs.next_batch, stretch.n_batches)
        try:
            # A schedule has other rates for every epoch.
            status = epochs(n_epochs - done if optimizer.schedule is None else 1, rates, before)
        finally:
            _finish(note)
        done += epochs.n_done
    if status == "diverged":
        totals = Totals(objectives)
        totals.batches = epochs.next_batch
        _diverged(model, stretch.native.last_loss, totals, Epoch(done), None, True)


def _logs(objectives: Objectives, taken: Taken) -> dict[str, Any]:
    totals = Totals(objectives)
    totals.add(taken)
    return totals.logs()


def _finish(work: Callable[[], None]) -> None:
    """Do work that may be done twice, to its end: an interrupt amid it is raised afterwards."""
    try:
        work()
    except BaseException:
        work()
        raise


def _batch_hooks(callbacks: CallbackList | None, training: bool) -> tuple[Any, Any] | None:
    if callbacks is None or not callbacks.needs_batch_hooks("train" if training else "test"):
        return None
    if training:
        return callbacks.on_train_batch_begin, callbacks.on_train_batch_end
    return callbacks.on_test_batch_begin, callbacks.on_test_batch_end


def _run_slice(model: Any, stretch: Stretch, first: int, last: int, training: bool) -> tuple[str, int]:
    if not training:
        status, reached, _ = stretch.native(first, last, None, 0, stretch.order, False)
        return status, reached
    optimizer = model.optimizer
    before = optimizer.batches_seen
    last = first + 1 if optimizer.asks_every_batch else last
    rates = optimizer.learning_rates(before, last - first)
    try:
        status, reached, _ = stretch.native(first, last, rates, before, stretch.order, True)
    finally:
        # Even if an interrupt arrives here: the weights are those after native.step steps.
        optimizer.batches_seen = max(before, stretch.native.step)
    return status, reached


def _diverged(
    model: Any, loss: float, totals: Totals, epoch: Epoch, callbacks: CallbackList | None, training: bool
) -> None:
    """Let a callback take care of it, or raise."""
    batch = totals.batches
    if callbacks is not None and callbacks.on_nonfinite_loss(batch, loss):
        totals.penalties = float("nan")
        return
    what = f"The loss of batch {batch} is {loss}" if not np.isfinite(loss) else f"A gradient of batch {batch} overflows"
    where = f" in epoch {epoch.number + 1}" if training else ""
    raise NonFiniteLossError(f"{what}{where}. {_reason(model.variables, training)}")


def _reason(variables: Sequence[Any], training: bool) -> str:
    for variable in variables:
        wrong = int((~np.isfinite(variable.array)).sum())
        if wrong:
            return f"The weights {variable.path!r} hold {wrong} values that are NaN or infinite: set them anew"
    if not training:
        return "The model's outputs are too large for its loss"
    return (
        "The weights are those before that batch. A smaller learning rate, `clipnorm`, or inputs scaled to about 1 help"
    )
