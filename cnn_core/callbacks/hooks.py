"""Callbacks of a few lines: functions as hooks, and an end to training at a NaN."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.callbacks.base import HOOKS, Callback, Logs, Phase
from cnn_core.foundation.display import show
from cnn_core.foundation.keywords import refuse_others


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

    def follows_batches(self, phase: Phase) -> bool:
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
        If what stands for a hook is not callable, or a name that begins with `on_` is no hook's.

    Examples
    --------
    >>> LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs)).on_epoch_end(3, {"loss": 0.5})
    3 {'loss': 0.5}
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., object] | None = None,
        on_epoch_end: Callable[..., object] | None = None,
        on_train_begin: Callable[..., object] | None = None,
        on_train_end: Callable[..., object] | None = None,
        on_train_batch_begin: Callable[..., object] | None = None,
        on_train_batch_end: Callable[..., object] | None = None,
        **kwargs: object,
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
        refuse_others(type(self).__name__, HOOKS, {name: hooks[name] for name in hooks if name.startswith("on_")})
        for name, function in hooks.items():
            if name.startswith("on_") and function is not None and not callable(function):
                raise TypeError(f"`{name}` must be callable. Received: {name}={function!r}")
            if function is not None or not name.startswith("on_"):
                setattr(self, name, function)


def accepts(function: Callable[..., object], *arguments: object) -> bool:
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # a built-in without a readable signature
        return True
    return True
