"""Callbacks: what happens beside training, at its begin and end, around epochs and around batches. Floor 4.

Use only the model's public face. `CallbackList` calls several at once; it also says whether anybody listens to single
batches or epochs, for when nobody does many of them are one native call.
"""

from __future__ import annotations

import inspect
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

import cnn_core.foreign_files as foreign_files
import cnn_core.left_out as left_out
import cnn_core.model_header as model_header
import cnn_core.validation as validation
from cnn_core.display import show
from cnn_core.figures import axes_for, new_figure, whole_ticks

if TYPE_CHECKING:
    import csv
    from pathlib import Path

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ReduceLROnPlateau",
    "SwapEMAWeights",
    "TerminateOnNaN",
]

Logs: TypeAlias = dict[str, Any]
Phase: TypeAlias = Literal["train", "test", "predict"]

_BATCH_HOOKS: dict[str, tuple[str, ...]] = {
    "train": ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}


PLOTS_ABREAST = 4


class Callback:
    """Base class of callbacks: override the hooks that you need.

    Epochs and batches are counted from 0. `logs` holds numbers by name, such as ``{"accuracy": 0.97, "loss": 0.11}``,
    at the end of an epoch with validation also ``"val_accuracy"`` and ``"val_loss"``. All callbacks of one call see
    the same dict, in their order, so one may add to what the later ones see. Set ``self.model.stop_training = True`` to
    end training after the batch or epoch.

    A callback that overrides a hook of batches makes training hand control back to Python after every batch, which
    costs time on small networks.

    Attributes
    ----------
    model : Model or None
        The model in training, once `set_model` was called.
    params : dict
        "verbose", "epochs" and "steps" (batches per epoch, None if unknown).

    Examples
    --------
    >>> class Announce(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(f"epoch {epoch}: {logs['loss']:.2f}")
    >>> CallbackList([Announce()]).on_epoch_end(0, {"loss": 0.25})["loss"]
    epoch 0: 0.25
    0.25
    """

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self._model: Any = None

    def set_params(self, params: dict[str, Any]) -> None:
        """Receive the parameters of the training; called before it begins."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Receive the model; called before training begins."""
        self._model = model

    @property
    def model(self) -> Any:
        """The model in training."""
        return getattr(self, "_model", None)

    def needs_batch_hooks(self, phase: Phase) -> bool:
        """Return whether this callback must be called around every batch of "train", "test" or "predict".

        By default it must if it overrides one of the hooks concerned.
        """
        return any(_is_overridden(self, hook) for hook in _BATCH_HOOKS[phase])

    def on_nonfinite_loss(self, batch: int, loss: float) -> bool:
        """Hear that the loss of a batch left the finite numbers; return True to stop quietly instead of by an error."""
        return False

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Do nothing; an older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Do nothing; an older name of `on_train_batch_end`."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Do nothing; called before an epoch of training."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Do nothing; called after an epoch of training and its validation, with the results of both."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call `on_batch_begin`; called before a batch of training."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call `on_batch_end`; called after a batch of training, with the results of the epoch so far."""
        self.on_batch_end(batch, logs=logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Do nothing; called before a batch of evaluation, the validation of `fit` included."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Do nothing; called after a batch of evaluation, with the results so far."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Do nothing; called before a batch of prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Do nothing; called after a batch of prediction, with ``{"outputs": array}``."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Do nothing; called when `fit` begins."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Do nothing; called when `fit` ends, with the logs of its last epoch."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Do nothing; called when an evaluation begins, the validation of `fit` included."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Do nothing; called when an evaluation ends, with its results."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Do nothing; called when `predict` begins."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Do nothing; called when `predict` ends."""


def _is_overridden(callback: Any, hook: str) -> bool:
    method = getattr(callback, hook, None)
    function = getattr(method, "__func__", method)
    # Keras marks the empty hooks of its own base class, whose callbacks are welcome here.
    return function is not None and function is not getattr(Callback, hook) and not hasattr(function, "_is_default")


class CallbackList(Callback):
    """Call several callbacks as one, in their order.

    Parameters
    ----------
    callbacks : Callback, list of Callback or None
        Lists may be nested. Objects of other classes are welcome if they have the same hooks.
    add_history : bool, default False
        Whether to append a `History` unless there is one; it becomes `model.history`.
    model : Model, optional
    **params
        What `set_params` of every callback receives.

    Raises
    ------
    TypeError
        If a callback has no hooks.

    Attributes
    ----------
    callbacks : list of Callback
    history : History or None

    Examples
    --------
    >>> callbacks = CallbackList([LambdaCallback(on_epoch_end=lambda epoch, logs: None)], add_history=True)
    >>> callbacks.needs_batch_hooks("train")
    False
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        super().__init__()
        self._needs: dict[Phase, bool] = {}  # what was found out since the model was set
        self.callbacks: list[Any] = list(_flattened(callbacks))
        self.history = next((callback for callback in self.callbacks if isinstance(callback, History)), None)
        if self.history is None and add_history:
            self.history = History()
            self.callbacks.append(self.history)
        if model is not None:
            self.set_model(model)
        self.set_params(params)

    def append(self, callback: Callback) -> None:
        """Add a callback behind the others."""
        self.callbacks += _flattened(callback)
        self._needs.clear()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.callbacks)

    def set_params(self, params: dict[str, Any]) -> None:
        """Hand the parameters to every callback."""
        self.params = params
        if params:
            for callback in self.callbacks:
                callback.set_params(params)

    def set_model(self, model: Any) -> None:
        """Hand the model to every callback, and the history to the model."""
        super().set_model(model)
        self._needs.clear()
        if self.history is not None:
            model.history = self.history
        for callback in self.callbacks:
            callback.set_model(model)

    def needs_batch_hooks(self, phase: Phase) -> bool:
        """Return whether any callback must be called around every batch of "train", "test" or "predict"."""
        if phase not in self._needs:
            self._needs[phase] = any(
                callback.needs_batch_hooks(phase)
                if isinstance(callback, Callback)
                else any(_is_overridden(callback, hook) for hook in _BATCH_HOOKS[phase])
                for callback in self.callbacks
            )
        return self._needs[phase]

    @property
    def only_records(self) -> bool:
        """Whether nobody but a `History` listens, so that nothing of the model changes between epochs."""
        return all(type(callback) is History for callback in self.callbacks)

    def record(self, done: int, epochs: Sequence[int], logs: Sequence[Logs]) -> None:
        """Let the histories record several epochs at once: see `History.record`."""
        for callback in self.callbacks:
            callback.record(done, epochs, logs)

    def on_nonfinite_loss(self, batch: int, loss: float) -> bool:
        """Tell every callback; return whether one of them takes care of it."""
        heard = [
            callback.on_nonfinite_loss(batch, loss) for callback in self.callbacks if isinstance(callback, Callback)
        ]
        return any(heard)

    def _call(self, hook: str, *arguments: Any, logs: Mapping[str, Any] | None) -> Logs:
        shared = plain_logs(logs)
        for callback in self.callbacks:
            getattr(callback, hook)(*arguments, shared)
        return shared

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call every callback's `on_batch_begin`."""
        self._call("on_batch_begin", batch, logs=logs)

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call every callback's `on_batch_end`."""
        self._call("on_batch_end", batch, logs=logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Call every callback's `on_epoch_begin`."""
        self._call("on_epoch_begin", epoch, logs=logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> Logs:  # type: ignore[override]
        """Call every callback's `on_epoch_end`; return the logs with what callbacks added."""
        return self._call("on_epoch_end", epoch, logs=logs)

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call every callback's `on_train_batch_begin`."""
        self._call("on_train_batch_begin", batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call every callback's `on_train_batch_end`."""
        self._call("on_train_batch_end", batch, logs=logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call every callback's `on_test_batch_begin`."""
        self._call("on_test_batch_begin", batch, logs=logs)

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call every callback's `on_test_batch_end`."""
        self._call("on_test_batch_end", batch, logs=logs)

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Call every callback's `on_predict_batch_begin`."""
        self._call("on_predict_batch_begin", batch, logs=logs)

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Call every callback's `on_predict_batch_end`."""
        self._call("on_predict_batch_end", batch, logs=logs)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Call every callback's `on_train_begin`."""
        self._call("on_train_begin", logs=logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Call every callback's `on_train_end`."""
        self._call("on_train_end", logs=logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Call every callback's `on_test_begin`."""
        self._call("on_test_begin", logs=logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Call every callback's `on_test_end`."""
        self._call("on_test_end", logs=logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Call every callback's `on_predict_begin`."""
        self._call("on_predict_begin", logs=logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Call every callback's `on_predict_end`."""
        self._call("on_predict_end", logs=logs)


class History(Callback):
    """Record the results of every epoch; `fit` returns one.

    Attributes
    ----------
    epoch : list of int
        The epochs of the last training.
    history : dict of str to list of float
        For each name in the logs, its value after each epoch.

    Examples
    --------
    >>> recorded = CallbackList(add_history=True)
    >>> recorded.on_train_begin()
    >>> _ = recorded.on_epoch_end(0, {"loss": 0.5})
    >>> _ = recorded.on_epoch_end(1, {"loss": 0.25})
    >>> recorded.history.history
    {'loss': [0.5, 0.25]}
    """

    def __init__(self) -> None:
        super().__init__()
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = {}
        self._epochs: dict[str, list[int]] = {}  # of each value: with validation_freq some epochs have none
        self._earlier: dict[str, int] = {}  # values of earlier trainings

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget the epochs of an earlier training, but not their values."""
        self.epoch = []
        self._earlier = {name: len(values) for name, values in self.history.items()}

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Append the epoch's values."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
            self._epochs.setdefault(name, []).append(epoch)
        if self.model is not None:
            self.model.history = self

    def record(self, done: int, epochs: Sequence[int], logs: Sequence[Logs]) -> None:
        """Put the values of several epochs behind those of the first `done` ones of this training; twice is as once."""
        self.epoch[done:] = epochs
        for name in logs[0]:
            first = self._earlier.get(name, 0) + done
            self.history.setdefault(name, [])[first:] = [each[name] for each in logs]
            self._epochs.setdefault(name, [])[first:] = epochs

    def plot(
        self, names: Iterable[str] | None = None, path: str | os.PathLike[str] | None = None, ax: Any = None
    ) -> Any:
        """Draw each metric over the epochs, training beside validation.

        Parameters
        ----------
        names : iterable of str, optional
            Metrics without "val_"; all by default.
        path : path, optional
            Where to save the picture; the suffix chooses the format.
        ax : matplotlib.axes.Axes, or array or list of them, optional
            Where to draw, one for each metric; None makes a figure.

        Returns
        -------
        matplotlib.figure.Figure
            Shown by a notebook at the end of a cell.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If nothing is recorded yet, or a metric is unknown.
        """
        shown = self._plotted(names)
        panels = self._panels(len(shown)) if ax is None else axes_for(ax, len(shown), "History.plot")
        for axes, name in zip(panels, shown, strict=True):
            for key, label in ((name, "training"), (f"val_{name}", "validation")):
                if key in self.history:
                    axes.plot(self._epochs[key], self.history[key], label=label, marker=self._marker(key))
            axes.set_title(name)
            axes.set_xlabel("epoch")
            whole_ticks(axes)
            axes.legend()
        figure = panels[0].get_figure().figure
        if path is not None:
            figure.savefig(path)
        return figure

    @staticmethod
    def _panels(count: int) -> list[Any]:
        n_cols = min(count, PLOTS_ABREAST)
        n_rows = -(-count // n_cols)
        size = 1.2 + 4.2 * n_cols, 3.6 * n_rows
        figure = new_figure("History.plot", layout="constrained", figsize=size)
        return [figure.add_subplot(n_rows, n_cols, place) for place in range(1, count + 1)]

    def _marker(self, key: str) -> str:
        """A single value is a point: a line needs two."""
        return "o" if len(self.history[key]) == 1 else ""

    def _plotted(self, names: Iterable[str] | None) -> list[str]:
        known = list(dict.fromkeys(name.removeprefix("val_") for name in self.history))
        if not known:
            raise ValueError("History.plot needs at least one finished epoch. Received: an empty history")
        return known if names is None else [validation.choice(name, "names", known) for name in names]


class MonitorCallback(Callback):
    """Base of the callbacks that watch one value in the logs for improvement.

    Parameters
    ----------
    monitor : str
        The value's name in the logs.
    mode : {"auto", "min", "max"}
        Which direction is better. "auto" knows it for losses and for the metrics of the model. An unknown mode counts
        as "auto", with a warning, as in Keras.
    min_delta : float, >= 0
        An improvement by no more than this is none.
    best : float, optional
        What the first value must beat.
    """

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0, best: float | None = None) -> None:
        super().__init__()
        self.monitor = validation.text(monitor, "monitor")
        if mode not in ("auto", "min", "max"):
            warnings.warn(
                f"`mode` must be 'auto', 'min' or 'max'; 'auto' is used. Received: mode={mode!r}", stacklevel=3
            )
            mode = "auto"
        self.mode = mode
        self._higher: bool | None = None
        self.min_delta = abs(validation.number(min_delta, "min_delta"))
        self.best = best if best is None else validation.number(best, "initial_value_threshold")

    def _is_improvement(self, value: float, reference: float | None) -> bool:
        """Compare as Keras does: the first value improves, NaN never does after that and is never improved on."""
        if reference is None:
            return True
        if self._higher_is_better():
            return bool(value - self.min_delta > reference)
        return bool(value + self.min_delta < reference)

    def _higher_is_better(self) -> bool:
        # Asked for late: the model's metrics exist only once it is trained.
        if self._higher is None:
            self._higher = self._direction() == "up" if self.mode == "auto" else self.mode == "max"
        return self._higher

    def _direction(self) -> str:
        name = self.monitor.removeprefix("val_")
        if name == "loss" or name.endswith("_loss"):
            return "down"
        for metric in _flattened_metrics(getattr(self.model, "metrics", None)):
            # With several outputs the metric's name follows the output's.
            if name == metric.name or name.endswith(f"_{metric.name}"):
                direction = _direction_of(metric)
                if direction in ("up", "down"):
                    return direction
        raise ValueError(
            f"`mode` must be 'min' or 'max' here: {type(self).__name__} cannot tell which direction of "
            f"{self.monitor!r} is better. Received: mode='auto'"
        )

    def _monitored(self, logs: Logs | None, consequence: str) -> Any:
        value = (logs or {}).get(self.monitor)
        if value is None:
            warnings.warn(
                f"{consequence} `{self.monitor}`, which is not available. Available: {', '.join(logs or {})}",
                stacklevel=4,
            )
        return value


class EarlyStopping(MonitorCallback):
    """Stop training when a value has stopped improving.

    Training ends after the epoch that is the `patience`-th in a row without improvement, but not after epoch 0.

    Parameters
    ----------
    monitor : str, default "val_loss"
        The value's name in the logs. If it is missing, a warning says so and the epoch counts for nothing.
    min_delta : float, default 0
        An improvement by no more than this is none.
    patience : int, >= 0, default 0
        Epochs without improvement to wait for.
    verbose : int, default 0
        1 tells about stopping and restoring.
    mode : {"auto", "min", "max"}, default "auto"
        Which direction is better; "auto" knows it for losses and for the metrics of the model.
    baseline : float, optional
        Only an improvement that also beats this restarts the waiting.
    restore_best_weights : bool, default False
        Whether the model gets back the weights of its best epoch when training ends, stopped early or not. The
        baseline does not matter for it.
    start_from_epoch : int, >= 0, default 0
        Epochs at the beginning that count for nothing.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type; in training, if "auto" cannot know the direction.

    Attributes
    ----------
    best : float or None
    best_epoch, stopped_epoch, wait : int
        `stopped_epoch` stays 0 if training was not stopped.
    best_weights : list of numpy.ndarray or None

    Examples
    --------
    >>> EarlyStopping(patience=3, restore_best_weights=True).monitor
    'val_loss'
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = validation.non_negative_integer(patience, "patience")
        self.verbose = validation.one_of(verbose, "verbose", (0, 1, 2, False, True))
        self.baseline = None if baseline is None else validation.number(baseline, "baseline")
        self.restore_best_weights = validation.boolean(restore_best_weights, "restore_best_weights")
        self.start_from_epoch = validation.non_negative_integer(start_from_epoch, "start_from_epoch")
        self._reset()

    def _reset(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_weights: list[Any] | None = None
        self.best_epoch = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier training."""
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Compare, remember the best, and stop when the patience is over."""
        current = self._monitored(logs, "EarlyStopping watches")
        if current is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self._remember(epoch)
        self.wait += 1
        if self._is_improvement(current, self.best):
            self.best = current
            self._remember(epoch)
            if self.baseline is None or self._is_improvement(current, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def _remember(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            self.best_weights = self.model.get_weights()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Restore the best weights, if asked."""
        if self.stopped_epoch > 0 and self.verbose > 0:
            show(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                show(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)


class ReduceLROnPlateau(MonitorCallback):
    """Reduce the learning rate when a value has stopped improving.

    After `patience` epochs in a row without improvement, lr = max(lr * factor, min_lr). Adds "learning_rate" to the
    logs of every epoch.

    Parameters
    ----------
    monitor : str, default "val_loss"
        The value's name in the logs. If it is missing, a warning says so and the epoch counts for nothing.
    factor : float in [0, 1), default 0.1
    patience : int, >= 0, default 10
    verbose : int, default 0
        1 tells about every reduction.
    mode : {"auto", "min", "max"}, default "auto"
        Which direction is better; "auto" knows it for losses and for the metrics of the model.
    min_delta : float, default 1e-4
        An improvement by no more than this is none.
    cooldown : int, >= 0, default 0
        Epochs after a reduction during which nothing is counted.
    min_lr : float, >= 0, default 0

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type; in training, TypeError if the optimizer has a schedule.

    Examples
    --------
    >>> ReduceLROnPlateau(factor=0.5, patience=5).min_delta
    0.0001
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.factor = validation.fraction(factor, "factor", include_one=False)
        self.patience = validation.non_negative_integer(patience, "patience")
        self.verbose = validation.one_of(verbose, "verbose", (0, 1, 2, False, True))
        self.cooldown = validation.non_negative_integer(cooldown, "cooldown")
        self.min_lr = validation.number(min_lr, "min_lr", minimum=0)
        self._reset()

    def _reset(self) -> None:
        self.best = None
        self.cooldown_counter = 0
        self.wait = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier training."""
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Compare, and reduce the learning rate when the patience is over."""
        logs = {} if logs is None else logs
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        current = self._monitored(logs, "ReduceLROnPlateau watches")
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_improvement(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        old = float(self.model.optimizer.learning_rate)
        if old <= self.min_lr:
            return
        new = max(old * self.factor, self.min_lr)
        self.model.optimizer.learning_rate = new
        self.cooldown_counter = self.cooldown
        self.wait = 0
        if self.verbose > 0:
            show(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {new}.")

    def in_cooldown(self) -> bool:
        """Return whether a reduction is so recent that epochs do not count yet."""
        return self.cooldown_counter > 0


class _BatchCounter:
    """Says after which batches something is due every `every` batches, over the borders of epochs."""

    def __init__(self, save_freq: Any) -> None:
        self.every: int | None = None if save_freq == "epoch" else validation.positive_integer(save_freq, "save_freq")
        self._last: int | None = None
        self._waiting = 0

    def is_due(self, batch: int) -> bool:
        if self.every is None:
            return False
        # Batch numbers that do not grow belong to a new epoch; several batches may have passed since the last call.
        new_epoch = self._last is None or batch <= self._last
        self._waiting += batch + 1 if new_epoch else batch - (self._last or 0)
        self._last = batch
        if self._waiting < self.every:
            return False
        self._waiting = 0
        return True


class ModelCheckpoint(MonitorCallback):
    """Save the model, or its weights, every epoch or every so many batches, or when it is the best so far.

    Parameters
    ----------
    filepath : path
        May hold "{epoch}", "{batch}" (both counted from 1 here) and the names in the logs, with formats:
        "model-{epoch:02d}-{val_loss:.2f}.keras". Missing directories are made.
    monitor : str, default "val_loss"
    verbose : int, default 0
        1 tells about every saving.
    save_best_only : bool, default False
        Whether to save only when the monitored value has improved. If it is missing or no single number, a warning
        says so and the model is saved.
    save_weights_only : bool, default False
        Whether to call `model.save_weights` instead of `model.save`.
    mode : {"auto", "min", "max"}, default "auto"
        Which direction is better; "auto" knows it for losses and for the metrics of the model.
    save_freq : "epoch" or int, default "epoch"
        An integer counts batches, over the borders of epochs.
    initial_value_threshold : float, optional
        What the first value must beat to be the best.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type; in training, if "auto" cannot know the direction.
    KeyError
        If `filepath` names a value that is not in the logs.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> ModelCheckpoint("best.keras", save_best_only=True).needs_batch_hooks("train")
    False
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, best=initial_value_threshold)
        self.filepath = validation.path(filepath, "filepath")
        foreign_files.check_name(self.filepath)
        self.verbose = validation.one_of(verbose, "verbose", (0, 1, 2, False, True))
        self.save_best_only = validation.boolean(save_best_only, "save_best_only")
        self.save_weights_only = validation.boolean(save_weights_only, "save_weights_only")
        self.save_freq = save_freq
        self._counter = _BatchCounter(save_freq)
        self._current_epoch = 0

    def needs_batch_hooks(self, phase: Phase) -> bool:
        """Return whether batches of training are counted."""
        return phase == "train" and self.save_freq != "epoch"

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Note the epoch."""
        self._current_epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Save if enough batches have passed."""
        if self._counter.is_due(batch):
            self._save(self._current_epoch, {"batch": batch + 1, **(logs or {})})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save if epochs count."""
        if self.save_freq == "epoch":
            self._save(epoch, logs or {})

    def _save(self, epoch: int, logs: Logs) -> None:
        try:
            path = self.filepath.format(epoch=epoch + 1, **logs)
        except KeyError as error:
            raise KeyError(
                f"`filepath` must name values in the logs. Received: {self.filepath!r} with {error} missing from "
                f"{', '.join(logs)}"
            ) from None
        if not self._is_wanted(epoch, logs, path):
            return
        _path(path).parent.mkdir(parents=True, exist_ok=True)
        save = self.model.save_weights if self.save_weights_only else self.model.save
        try:
            save(path)
        except IsADirectoryError as error:
            raise IsADirectoryError(f"`filepath` must not be a directory. Received: filepath={path!r}") from error
        self._tell(epoch, f"finished saving model to {path}")

    def _is_wanted(self, epoch: int, logs: Logs, path: str) -> bool:
        if not self.save_best_only:
            self._tell(epoch, f"saving model to {path}")
            return True
        current = self._monitored(logs, "ModelCheckpoint saves every time, for it watches")
        if current is None:
            return True
        if np.ndim(current) > 0:
            warnings.warn(
                f"ModelCheckpoint saves every time, for `{self.monitor}` must be one number. Received: {current}",
                stacklevel=4,
            )
            return True
        best = "None" if self.best is None else f"{self.best:.5f}"
        if not self._is_improvement(current, self.best):
            self._tell(epoch, f"{self.monitor} did not improve from {best}")
            return False
        self._tell(epoch, f"{self.monitor} improved from {best} to {current:.5f}, saving model to {path}")
        self.best = current
        return True

    def _tell(self, epoch: int, message: str) -> None:
        if self.verbose > 0:
            show(f"\nEpoch {epoch + 1}: {message}")


class LearningRateScheduler(Callback):
    """Set the learning rate at the beginning of every epoch. Adds "learning_rate" to the logs of every epoch.

    Parameters
    ----------
    schedule : callable
        ``schedule(epoch, learning_rate)`` or ``schedule(epoch)``, with the epoch from 0 and the learning rate in force;
        returns the new one as a float.
    verbose : int, default 0
        1 tells the learning rate of every epoch.

    Raises
    ------
    TypeError
        If `schedule` is not callable; in training, if it returns no float or the optimizer has a schedule of its own.

    Examples
    --------
    >>> LearningRateScheduler(lambda epoch, learning_rate: learning_rate * 0.9).needs_batch_hooks("train")
    False
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        if not callable(schedule):
            raise TypeError(f"`schedule` must be callable. Received: schedule={schedule!r}")
        self.schedule = schedule
        self.verbose = validation.one_of(verbose, "verbose", (0, 1, 2, False, True))
        self._takes_rate = _accepts(schedule, 0, 0.1)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Ask the schedule and set the learning rate."""
        optimizer = self.model.optimizer
        rate = self.schedule(epoch, float(optimizer.learning_rate)) if self._takes_rate else self.schedule(epoch)
        if not isinstance(rate, (float, np.floating)):
            raise TypeError(f"`schedule` must return a float. Received: {rate!r} for epoch {epoch}")
        optimizer.learning_rate = float(rate)
        if self.verbose > 0:
            show(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Add the learning rate to the logs."""
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


class CSVLogger(Callback):
    """Write the results of every epoch as a line of a CSV file.

    The columns are "epoch" and the names of the first epoch's logs in alphabetical order; without validation in the
    first epoch a "val_" column is kept free for each. A missing value is "NA".

    Parameters
    ----------
    filename : path
    separator : str, default ","
    append : bool, default False
        Whether to continue an existing file instead of replacing it.

    Raises
    ------
    OSError
        When training begins, if the file cannot be opened.

    Examples
    --------
    >>> CSVLogger("training.csv").append
    False
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename = validation.path(filename, "filename")
        self.separator = validation.text(separator, "separator")
        self.append = validation.boolean(append, "append")
        self._file: IO[str] | None = None
        self._writer: csv.DictWriter[str] | None = None
        self._keys: list[str] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Open the file."""
        self._close()
        self._file = _path(self.filename).open("a" if self.append else "w", newline="", encoding="utf-8")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write a line."""
        logs = logs or {}
        if self._writer is None:
            self._begin(logs)
        assert self._writer is not None
        assert self._file is not None
        self._writer.writerow({"epoch": epoch, **{key: _cell(logs.get(key, "NA")) for key in self._keys}})
        self._file.flush()

    def _begin(self, logs: Logs) -> None:
        import csv  # here and not above, like pathlib: importing the package should not wait for what few use

        if self._file is None:
            raise RuntimeError("CSVLogger.on_epoch_end was called before on_train_begin")
        self._keys = sorted(logs)
        if not any(key.startswith("val_") for key in self._keys):
            self._keys += [f"val_{key}" for key in self._keys]
        self._writer = csv.DictWriter(self._file, ["epoch", *self._keys], delimiter=self.separator)
        if self._file.tell() == 0:
            self._writer.writeheader()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the file."""
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = self._writer = None


class TerminateOnNaN(Callback):
    """Stop training quietly when the loss becomes NaN or infinite; without it, `fit` raises an error.

    Either way the model keeps the last finite weights. Costs nothing per batch, for the native loop watches the loss.

    Parameters
    ----------
    raise_error : bool, default False
        Whether to raise RuntimeError instead of stopping.

    Examples
    --------
    >>> TerminateOnNaN().needs_batch_hooks("train")
    False
    """

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = validation.boolean(raise_error, "raise_error")

    def needs_batch_hooks(self, phase: Phase) -> bool:
        """Return False: `on_nonfinite_loss` tells what `on_batch_end` would."""
        return False

    def on_nonfinite_loss(self, batch: int, loss: float) -> bool:
        """Stop training."""
        if self.raise_error:
            raise RuntimeError(f"The loss must stay finite. Received: loss={loss} at batch {batch}")
        show(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True
        return True

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Stop training if the loss in the logs is not finite."""
        loss = (logs or {}).get("loss")
        if loss is not None and not np.isfinite(loss):
            self.on_nonfinite_loss(batch, loss)


class LambdaCallback(Callback):
    """Call functions of yours as hooks.

    Parameters
    ----------
    on_epoch_begin, on_epoch_end : callable, optional
        Called with (epoch, logs).
    on_train_begin, on_train_end : callable, optional
        Called with (logs).
    on_train_batch_begin, on_train_batch_end : callable, optional
        Called with (batch, logs).
    **kwargs
        Any other hook by its name; other names become attributes.

    Raises
    ------
    TypeError
        If what stands for a hook is not callable.

    Examples
    --------
    >>> LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs)).on_epoch_end(3, {"loss": 0.5})
    3 {'loss': 0.5}
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        hooks = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        for name, function in hooks.items():
            if name.startswith("on_") and function is not None and not callable(function):
                raise TypeError(f"`{name}` must be callable. Received: {name}={function!r}")
            if function is not None or not name.startswith("on_"):
                setattr(self, name, function)


class SwapEMAWeights(Callback):
    """Use the moving average of the weights for evaluation and prediction, or from epoch to epoch.

    The optimizer must have `use_ema=True`. During an evaluation or prediction the model has the averaged weights, and
    its own again afterwards (in Keras, not after a prediction).

    Parameters
    ----------
    swap_on_epoch : bool, default False
        Whether to swap at the end of every epoch and back at the beginning of the next, so that a `ModelCheckpoint`
        later in the list saves the averaged weights.

    Raises
    ------
    ValueError
        When swapping, if the optimizer keeps no average.

    Examples
    --------
    >>> SwapEMAWeights().needs_batch_hooks("train")
    False
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = validation.boolean(swap_on_epoch, "swap_on_epoch")
        self._swapped = False

    def _swap(self, averaged: bool) -> None:
        if self._swapped == averaged:
            return
        if not getattr(self.model.optimizer, "use_ema", False):
            raise ValueError(
                "SwapEMAWeights must go with an optimizer that has `use_ema=True`. Received: "
                f"{self.model.optimizer!r} with use_ema=False"
            )
        self.model.swap_average_weights()
        self._swapped = averaged

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Return to the trained weights."""
        self._swap(averaged=False)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Switch to the averaged weights, if asked."""
        if not self.swap_on_epoch:
            return
        average = self.model.optimizer.state.get("average")
        before = None if average is None else average.copy()
        self._swap(averaged=True)
        if before is not None and (epoch + 1 == self.params.get("epochs") or self.model.stop_training):
            # When fit ends it copies the average over the weights: both must be the average then.
            self.model.optimizer.state["average"][...] = before

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Switch to the averaged weights."""
        self._swap(averaged=True)

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Return to the trained weights."""
        self._swap(averaged=False)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Switch to the averaged weights."""
        self._swap(averaged=True)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Return to the trained weights."""
        self._swap(averaged=False)


class BackupAndRestore(Callback):
    """Save the whole state of the training now and then, and go on from there after an interruption.

    When `fit` begins and `backup_dir` holds a backup, the model gets back its weights, the optimizer's state, the
    random state and the epoch, and training continues to the same bits as if it had not been interrupted. The states
    of other callbacks are not saved. At every moment the last backup is whole: the next is written
    and synced under new names, and only then the last deleted.

    Parameters
    ----------
    backup_dir : path
        A directory for this training alone; made if missing.
    save_freq : "epoch" or int, default "epoch"
        An integer counts batches, over the borders of epochs.
    double_checkpoint : bool, default False
        Whether to keep the backup before the last as well, for the case that the last cannot be read.
    delete_checkpoint : bool, default True
        Whether to delete the backup when training ends. Other files in the directory stay.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type.
    OSError
        In training, if a backup cannot be written or read.

    Examples
    --------
    >>> BackupAndRestore("backup", save_freq=100).needs_batch_hooks("train")
    True
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        self.backup_dir = _path(validation.path(backup_dir, "backup_dir"))
        self.save_freq = save_freq
        self.double_checkpoint = validation.boolean(double_checkpoint, "double_checkpoint")
        self.delete_checkpoint = validation.boolean(delete_checkpoint, "delete_checkpoint")
        self._counter = _BatchCounter(save_freq)
        self._epoch = 0

    def needs_batch_hooks(self, phase: Phase) -> bool:
        """Return whether batches of training are counted."""
        return phase == "train" and self.save_freq != "epoch"

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Restore the newest backup that can be read, if there is any."""
        self._counter = _BatchCounter(self.save_freq)
        failure: Exception | None = None
        for number in self._numbers():
            try:
                self._restore(number)
                return
            except (OSError, ValueError) as error:
                failure = error
        if failure is not None:
            raise OSError(f"The backup in {str(self.backup_dir)!r} cannot be restored: {failure}") from failure

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Note the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Save if enough batches have passed."""
        if self._counter.is_due(batch):
            self._save(self._epoch, batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save if epochs count."""
        if self.save_freq == "epoch":
            self._save(epoch + 1, 0)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Delete the backup, if asked."""
        if self.delete_checkpoint and self.backup_dir.exists():
            self._delete_all_but([])
            if not any(self.backup_dir.iterdir()):
                self.backup_dir.rmdir()

    def _save(self, epoch: int, batch: int) -> None:
        """Save as of the moment when `epoch` epochs and `batch` batches of the next one are done."""
        self.backup_dir.mkdir(parents=True, exist_ok=True)
        older = self._numbers()
        number = max(older, default=0) + 1
        self.model.save_weights(str(self._weights(number)))
        # Written last: a backup counts from the moment when its state exists.
        write_state(self._state(number), {**self.model.training_state(), "epoch": epoch, "batch": batch})
        self._delete_all_but([number, *older[:1]] if self.double_checkpoint else [number])

    def _restore(self, number: int) -> None:
        path = self._state(number)
        with model_header.refused_by_name(f"The file {str(path)!r}"):
            state = read_state(path)
            self.model.load_weights(str(self._weights(number)))
            self.model.restore_training_state(state)

    def _state(self, number: int) -> Path:
        return self.backup_dir / f"backup-{number}.state.safetensors"

    def _weights(self, number: int) -> Path:
        return self.backup_dir / f"backup-{number}.weights.safetensors"

    def _numbers(self) -> list[int]:
        """Return the numbers of the whole backups, newest first."""
        matches = (re.fullmatch(r"backup-(\d+)\.state\.safetensors", path.name) for path in self._files())
        return sorted((int(match[1]) for match in matches if match), reverse=True)

    def _files(self) -> list[Path]:
        # State before weights, so that deleting never leaves a state without weights; then what a killed process left.
        return [*sorted(self.backup_dir.glob("backup-*.safetensors")), *self.backup_dir.glob(".cnn_core-*.tmp")]

    def _delete_all_but(self, kept: list[int]) -> None:
        names = {path.name for number in kept for path in (self._state(number), self._weights(number))}
        for path in self._files():
            if path.name not in names:
                path.unlink(missing_ok=True)


# What several callbacks share


def plain_logs(logs: Mapping[str, Any] | None) -> Logs:
    """Return logs in alphabetical order, nested ones flattened, with Python floats for everything that is a number.

    Examples
    --------
    >>> plain_logs({"loss": np.float32(0.5), "accuracy": np.array(1.0), "matrix": np.eye(2)[0]})
    {'accuracy': 1.0, 'loss': 0.5, 'matrix': array([1., 0.])}
    """
    plain: Logs = {}
    for name, value in sorted((logs or {}).items()):
        if type(value) is float:  # as nearly all are
            plain[name] = value
        elif isinstance(value, Mapping):
            plain.update(plain_logs(value))
        else:
            is_number = np.ndim(value) == 0 and not isinstance(value, str) and hasattr(value, "__float__")
            plain[name] = float(value) if is_number else value
    return plain


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a nested dict of numbers, strings and arrays to a data-only file, whole or not at all.

    Arrays become the file's arrays, the rest JSON in its metadata: integers of any size and every float come back with
    the same bits, tuples as lists.

    Raises
    ------
    TypeError
        If the state holds anything else.
    OSError
        If the file cannot be written.
    """
    tensors: dict[str, np.ndarray[Any, Any]] = {}

    def outline(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            key = str(len(tensors))
            tensors[key] = value
            return {"": key}
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, Mapping):
            return {str(name): outline(item) for name, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [outline(item) for item in value]
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise TypeError(f"A training state must hold numbers, strings and arrays. Received: {validation.show(value)}")

    import json

    import cnn_core.model_file as model_file

    # The outline first: it fills the tensors.
    metadata = {"state": json.dumps(outline(state))}
    model_file.write(path, tensors, metadata)


def read_state(path: Path) -> dict[str, Any]:
    """Return what `write_state` wrote.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it was not written by `write_state`.
    """
    import json

    import cnn_core.model_file as model_file

    tensors, metadata = model_file.read(path)

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return tensors[value[""]] if value.keys() == {""} else {name: filled(item) for name, item in value.items()}
        return [filled(item) for item in value] if isinstance(value, list) else value

    try:
        state = filled(json.loads(metadata["state"]))
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"The file must hold the state of a training. Received: {str(path)!r} without {error}"
        ) from error
    if not isinstance(state, dict):
        raise ValueError(f"The file must hold the state of a training. Received: {str(path)!r}")
    return state


def _path(path: str) -> Path:
    from pathlib import Path

    return Path(path)


def _flattened(callbacks: Any) -> Iterator[Any]:
    if callbacks is None:
        return
    if isinstance(callbacks, (list, tuple)):
        for callback in callbacks:
            yield from _flattened(callback)
        return
    if isinstance(callbacks, type) or not all(
        callable(getattr(callbacks, hook, None)) for hook in ("set_model", "set_params", "on_epoch_end")
    ):
        raise TypeError(f"`callbacks` must hold Callback objects. Received: {validation.show(callbacks)}")
    yield callbacks


def _flattened_metrics(nested: Any) -> Iterator[Any]:
    for metric in (nested.values() if isinstance(nested, Mapping) else nested) or ():
        if isinstance(metric, (list, tuple, Mapping)):
            yield from _flattened_metrics(metric)
        elif isinstance(getattr(metric, "name", None), str):
            yield metric


def _direction_of(metric: Any) -> str | None:
    """Return "up" or "down" for a metric of ours, one derived from it, or one that says so itself as Keras's do."""
    own = getattr(metric, "_direction", None)
    if own is not None:
        return str(own)
    higher_is_better = getattr(metric, "higher_is_better", None)
    return None if higher_is_better is None else "up" if higher_is_better else "down"


def _accepts(function: Callable[..., Any], *arguments: Any) -> bool:
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # a built-in without a readable signature
        return True
    return True


def _cell(value: Any) -> Any:
    """Write a sequence in one cell."""
    if isinstance(value, str) or np.ndim(value) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'


if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__)
