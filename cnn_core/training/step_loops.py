"""The loop around custom steps: batches of structures, handed to the steps that a model overrides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core.callbacks import CallbackList
from cnn_core.data.batches import Batches
from cnn_core.data.samples import Samples
from cnn_core.training.batch_hooks import BatchHooks
from cnn_core.training.progress import Progress
from cnn_core.training.sources import Epoch, Share, have_ended

if TYPE_CHECKING:
    from cnn_core.foundation.arrays import Array


class StepTotals:
    """What the metrics of a model add up in an epoch of custom steps; see `Totals`.

    Attributes
    ----------
    batches : int
        Finished in this epoch.
    """

    penalties = 0.0

    def __init__(self, model: Any) -> None:
        self._model = model
        self._logs: dict[str, Any] = {}
        self.batches = 0
        model.reset_metrics()

    def take(self, logs: object, step: str) -> None:
        """Note what a step has returned."""
        if not isinstance(logs, Mapping):
            raise TypeError(
                f"`{step}` must return a dict of metrics by name, such as "
                f"{{metric.name: metric.result() for metric in self.metrics}}. Received: {type(logs).__name__}"
            )
        self._logs = {name: _plain(value) for name, value in logs.items()}
        self.batches += 1

    def logs(self) -> dict[str, Any]:
        """Return what the last step has returned."""
        return dict(self._logs)

    def state(self) -> dict[str, Any]:
        """Return it all as plain data, for a training that will go on elsewhere."""
        states = [[variable.numpy() for variable in metric.variables] for metric in self._model.metrics]
        return {"batches": self.batches, "metrics": states}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        self.batches = int(state["batches"])
        for metric, values in zip(self._model.metrics, state["metrics"], strict=False):
            for variable, value in zip(metric.variables, values, strict=True):
                variable.assign(value)


def _plain(value: object) -> float | Array:
    array = np.asarray(value)
    return float(array.item()) if array.size == 1 else array


class StepSource:
    """Where the batches of an epoch of custom steps come from; see `BatchSource`.

    Parameters
    ----------
    model : Model
    data : Samples or Batches
    batch_size : int
        Of Samples.
    training : bool
    steps : int, default None
        Batches per epoch; None: all there are.
    class_weight : mapping, default None
        For Batches.
    """

    undisturbed = False
    sharing = None

    def __init__(
        self,
        model: Any,
        data: Samples | Batches,
        batch_size: int,
        training: bool,
        steps: int | None = None,
        class_weight: Mapping[int, float] | None = None,
    ) -> None:
        self.model, self.training = model, training
        self._data, self._batch_size, self._steps, self._class_weight = data, batch_size, steps, class_weight
        self.n_batches: int | None
        if isinstance(data, Batches):
            self.n_batches = steps or data.num_batches
        else:
            self._n_all = -(-data.n // batch_size)
            self.n_batches = min(self._n_all, steps or self._n_all)

    def sole_segment(self) -> None:
        """Return None: nothing runs natively from beginning to end."""

    def totals(self) -> StepTotals:
        """Begin to add up what an epoch measures."""
        return StepTotals(self.model)

    def has_ended(self, number: int) -> bool:
        """Tell, with a warning, whether the data cannot be walked again, so that epoch `number` has no batch."""
        return isinstance(self._data, Batches) and have_ended(self._data, number)

    def rewind(self) -> None:
        """Let the next epoch begin with the first batch, if batches are given and can be had again."""
        if isinstance(self._data, Batches):
            self._data.rewind()

    def close(self) -> None:
        """Let go of what prepares batches."""
        if isinstance(self._data, Batches):
            self._data.close()

    def batches(self, epoch: Epoch = Epoch()) -> Iterator[Any]:  # noqa: B008 - it cannot be changed
        """Yield the batches of an epoch as steps take them."""
        if isinstance(self._data, Batches):
            return self._given(self._data, epoch)
        return self._of_rows(self._data, epoch)

    def _given(self, batches: Batches, epoch: Epoch) -> Iterator[Any]:
        shuffle = epoch.shuffling(self.model)
        read = partial(_read_batch, self.model.step_dtype, self._class_weight)
        for number, batch in enumerate(batches.epoch(read, self._steps, shuffle)):
            if number >= epoch.first_batch:
                yield batch

    def _of_rows(self, samples: Samples, epoch: Epoch) -> Iterator[Any]:
        assert self.n_batches is not None
        share, size = Share.of(epoch, self._n_all, self.n_batches), self._batch_size
        order = share.order(self.model, samples.n)
        for batch in range(share.first + epoch.first_batch, share.end):
            rows = slice(batch * size, (batch + 1) * size)
            yield samples.take(rows if order is None else order[rows])
        if self.training:
            share.warn_if_shorter_than(self._steps)


def _read_batch(
    dtype: np.dtype[Any], class_weight: Mapping[int, float] | None, x: object, y: object, sample_weight: object
) -> Any:
    return Samples(x, y, sample_weight, dtype).weigh_classes(class_weight).take(slice(None))


def run_steps(
    source: StepSource,
    totals: StepTotals,
    callbacks: CallbackList | None = None,
    progress: Progress | None = None,
    epoch: Epoch | None = None,
) -> None:
    """Hand every batch of an epoch to the model's step; see `run_epoch`."""
    epoch = epoch or Epoch()
    model, training = source.model, source.training
    name = "train_step" if training else "test_step"
    step: Callable[[Any], Any] = getattr(model, name)
    hooks = BatchHooks(callbacks, "train" if training else "test", model.steps_per_execution)
    totals.batches = epoch.first_batch
    for data in source.batches(epoch):
        hooks.begin(totals.batches)
        totals.take(step(data), name)
        hooks.done(totals.batches, totals.logs)
        if progress is not None:
            progress.update(totals.batches, dict(sorted(totals.logs().items())))
        if hooks.between and (model.stop_training if training else model.stop_evaluating):
            return
    hooks.close(totals.logs)


def step_results(logs: Mapping[str, object], names: list[str], return_dict: bool) -> Any:
    """Return what `evaluate` and the calls for one batch do: a dict, a list in the metrics' order, or a number."""
    if return_dict:
        return dict(sorted(logs.items()))
    order = [*(name for name in names if name in logs), *sorted(name for name in logs if name not in names)]
    values = [logs[name] for name in order]
    return values[0] if len(values) == 1 else values
