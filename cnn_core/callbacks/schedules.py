"""Callbacks that change what trains: the learning rate, the averaged weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.callbacks.base import ARRANGED_OTHERWISE, Callback, Logs
from cnn_core.callbacks.hooks import accepts
from cnn_core.foundation.display import show


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
        self._takes_rate = accepts(schedule, 0, 0.1)

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

    passed_over: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("_swap_variables", "_tf_swap_variables", "_backend_agnostic_swap_variables", "_finalize_ema_values"),
        ARRANGED_OTHERWISE,
    )

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
