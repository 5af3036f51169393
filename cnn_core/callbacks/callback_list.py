"""Several callbacks called as one, and whether any of them needs single batches or epochs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cnn_core.foundation.validation as validation
from cnn_core.callbacks.base import BATCH_HOOKS, Callback, Logs, Phase, is_overridden, plain_logs
from cnn_core.callbacks.history import History


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
    >>> from cnn_core.callbacks import LambdaCallback
    >>> callbacks = CallbackList([LambdaCallback(on_epoch_end=lambda epoch, logs: None)], add_history=True)
    >>> callbacks.needs_batch_hooks("train")
    False
    """

    def __init__(
        self,
        callbacks: object = None,
        add_history: bool = False,
        model: object = None,
        **params: object,
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

    def follows_batches(self, phase: Phase) -> bool:
        """Return whether any callback must be called around every batch of "train", "test" or "predict"."""
        if phase not in self._needs:
            self._needs[phase] = any(
                callback.needs_batch_hooks(phase)
                if isinstance(callback, Callback)
                else any(is_overridden(callback, hook) for hook in BATCH_HOOKS[phase])
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
        answers = [
            callback.on_nonfinite_loss(batch, loss) for callback in self.callbacks if isinstance(callback, Callback)
        ]
        return any(answers)

    def _call(self, hook: str, *arguments: object, logs: Mapping[str, object] | None) -> Logs:
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
        """Call every callback's `on_predict_batch_end`, with outputs in their structure."""
        shared = dict(logs or {})
        for callback in self.callbacks:
            callback.on_predict_batch_end(batch, shared)

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


def _flattened(callbacks: object) -> Iterator[Any]:
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
