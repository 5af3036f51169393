"""Callbacks that act on a monitored value: stop early, lower the learning rate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import cnn_core.foundation.validation as validation
from cnn_core.callbacks.base import ARRANGED_OTHERWISE, Callback, Logs
from cnn_core.foundation.caller import warn_caller
from cnn_core.foundation.display import show
from cnn_core.foundation.suggestions import alphabetical


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

    passed_over: ClassVar[Mapping[str, str]] = {"_set_monitor_op": ARRANGED_OTHERWISE}
    kept = frozenset({"_is_improvement", "_reset"})

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0, best: float | None = None) -> None:
        super().__init__()
        self.monitor = validation.text(monitor, "monitor")
        if mode not in ("auto", "min", "max"):
            warn_caller(f"`mode` must be 'auto', 'min' or 'max'; 'auto' is used. Received: mode={mode!r}")
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
        # Found out late: the model's metrics exist only once it is trained.
        if self._higher is None:
            self._higher = is_higher_better(self.monitor, self.mode, self.model, type(self).__name__)
        return self._higher

    def _monitored(self, logs: Logs | None, consequence: str) -> Any:
        value = (logs or {}).get(self.monitor)
        if value is None:
            available = ", ".join(alphabetical(logs or {}))
            warn_caller(f"{consequence} `{self.monitor}`, which is not available. Available: {available}")
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
        current = self.get_monitor_value(logs)
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

    def get_monitor_value(self, logs: Logs | None) -> Any:
        """Return the value of an epoch to compare, None if there is none; a subclass may take another one."""
        return self._monitored(logs, "EarlyStopping watches")

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
    epsilon : float, optional
        What older Keras scripts call `min_delta`.

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
        *,
        epsilon: float | None = None,
    ) -> None:
        if epsilon is not None:
            min_delta = validation.number(epsilon, "epsilon")
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


def is_higher_better(monitor: str, mode: str, model: object, caller: str) -> bool:
    """Return which direction of a value in the logs is better, found out by its name if the mode is "auto".

    Raises
    ------
    ValueError
        If it is the name neither of a loss nor of one of the model's metrics that know.

    Examples
    --------
    >>> is_higher_better("val_loss", "auto", None, "EarlyStopping")
    False
    """
    if mode != "auto":
        return mode == "max"
    name = monitor.removeprefix("val_")
    if name == "loss" or name.endswith("_loss"):
        return False
    for metric in _flattened_metrics(getattr(model, "metrics", None)):
        # With several outputs the metric's name follows the output's.
        if name == metric.name or name.endswith(f"_{metric.name}"):
            direction = _direction_of(metric)
            if direction in ("up", "down"):
                return direction == "up"
    raise ValueError(
        f"`mode` must be 'min' or 'max' here: {caller} cannot tell which direction of "
        f"{monitor!r} is better. Received: mode='auto'"
    )


def _flattened_metrics(nested: Any) -> Iterator[Any]:
    for metric in (nested.values() if isinstance(nested, Mapping) else nested) or ():
        if isinstance(metric, (list, tuple, Mapping)):
            yield from _flattened_metrics(metric)
        elif isinstance(getattr(metric, "name", None), str):
            yield metric


def _direction_of(metric: object) -> str | None:
    """Return "up" or "down" for a metric of ours, one derived from it, or one that says so itself as Keras's do."""
    own = getattr(metric, "_direction", None)
    if own is not None:
        return str(own)
    higher_is_better = getattr(metric, "higher_is_better", None)
    return None if higher_is_better is None else "up" if higher_is_better else "down"
