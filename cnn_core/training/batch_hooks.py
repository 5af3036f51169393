"""When callbacks are called around batches: at every one, or at every few, as `steps_per_execution` says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cnn_core.callbacks import CallbackList
from cnn_core.callbacks.base import Phase


class BatchHooks:
    """Calls callbacks before the first and after the last of every few batches.

    Parameters
    ----------
    callbacks : CallbackList or None
    phase : {"train", "test", "predict"}
    size : int
        How many batches run between two calls.

    Attributes
    ----------
    listens : bool
        Whether any callback wants to be called.
    end : int
        The batch behind the last of those under way.

    Examples
    --------
    >>> from cnn_core.callbacks import LambdaCallback
    >>> told = LambdaCallback(on_train_batch_begin=lambda batch, logs: print("begin", batch))
    >>> told.on_train_batch_end = lambda batch, logs: print("end", batch)
    >>> hooks = BatchHooks(CallbackList([told]), "train", 2)
    >>> for batch in range(3):
    ...     hooks.begin(batch)
    ...     hooks.done(batch + 1, dict)
    begin 0
    end 1
    begin 2
    >>> hooks.close(dict)
    end 3
    """

    def __init__(self, callbacks: CallbackList | None, phase: Phase, size: int) -> None:
        self.listens = callbacks is not None and callbacks.needs_batch_hooks(phase)
        self.end = 0
        self._size = size
        self._is_open = False
        self._on_begin = getattr(callbacks, f"on_{phase}_batch_begin", None)
        self._on_end = getattr(callbacks, f"on_{phase}_batch_end", None)

    @property
    def between(self) -> bool:
        """Whether the loop may end here: no callback waits for the last of its batches."""
        return not self._is_open

    def begin(self, batch: int) -> None:
        """Tell that a batch begins, unless it is in the middle of a few."""
        if self.listens and not self._is_open:
            self._on_begin(batch)  # type: ignore[misc]  # there are callbacks if any listens
            self._is_open = True
            self.end = batch + self._size

    def done(self, batches: int, logs: Callable[[], Mapping[str, Any]]) -> None:
        """Tell that so many batches are done, if they complete the few under way."""
        if self._is_open and batches >= self.end:
            self.close(logs)

    def close(self, logs: Callable[[], Mapping[str, Any]]) -> None:
        """End the few under way, at the end of an epoch; they are numbered as if they were complete, as in Keras."""
        if self._is_open:
            self._is_open = False
            self._on_end(self.end - 1, logs())  # type: ignore[misc]
