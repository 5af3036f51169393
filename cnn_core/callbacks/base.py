"""What every callback is: hooks at the beginning and end of training, epochs and batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np

from cnn_core.foundation.caller import warn_caller
from cnn_core.foundation.copies import CopiedWithItsState
from cnn_core.foundation.keywords import KnowsItsArguments
from cnn_core.foundation.left_out import RefusesPassedOver

if TYPE_CHECKING:
    from pathlib import Path

Logs: TypeAlias = dict[str, Any]
Phase: TypeAlias = Literal["train", "test", "predict"]
BATCH_HOOKS: dict[str, tuple[str, ...]] = {
    "train": ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}


# Why private methods of Keras's callbacks are never called.
ARRANGED_OTHERWISE = "the work is arranged otherwise here"


class Callback(KnowsItsArguments, CopiedWithItsState, RefusesPassedOver):
    """Base class of callbacks: override the hooks that you need.

    Epochs and batches are counted from 0. `logs` holds numbers by name, such as ``{"accuracy": 0.97, "loss": 0.11}``,
    at the end of an epoch with validation also ``"val_accuracy"`` and ``"val_loss"``. All callbacks of one call see
    the same dict, in their order, so one may add to what the later ones see. Set ``self.model.stop_training = True`` to
    end training after the batch or epoch.

    A callback that overrides a hook of batches makes training hand control back to Python after every batch, which
    costs time on small networks.

    `copy.copy` gives a callback that watches the same model and gathers results of its own from there on.

    Attributes
    ----------
    writes_files : bool, default False
        Of the class: whether only one of several processes that share a training shall have it.
    model : Model or None
        The model in training, once `set_model` was called.
    params : dict
        "verbose", "epochs" and "steps" (batches per epoch, None if unknown).

    Examples
    --------
    >>> from cnn_core.callbacks import CallbackList
    >>> class Announce(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(f"epoch {epoch}: {logs['loss']:.2f}")
    >>> CallbackList([Announce()]).on_epoch_end(0, {"loss": 0.25})["loss"]
    epoch 0: 0.25
    0.25
    """

    writes_files: ClassVar[bool] = False
    owner = "callbacks.Callback"
    instead = "Define one of the hooks, such as on_epoch_end, and call super()"

    def __init_subclass__(cls, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        for name in vars(cls):
            if name.startswith("on_") and not hasattr(Callback, name) and (meant := _nearest_hook(name)):
                warn_caller(
                    f"{cls.__name__} defines `{name}`, which is no hook and is never called. Did you mean `{meant}`?"
                )

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

        It must if it overrides one of the hooks concerned; a callback of this package, if it has work to do there.
        """
        hooks = [hook for hook in BATCH_HOOKS[phase] if is_overridden(self, hook)]
        return any(_is_custom(self, hook) for hook in hooks) or (bool(hooks) and self.follows_batches(phase))

    def follows_batches(self, phase: Phase) -> bool:
        """Return whether the hooks that this package defines for batches have work to do."""
        return True

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


HOOKS = tuple(name for name in dir(Callback) if name.startswith("on_"))


def _nearest_hook(name: str) -> str | None:
    """Return the hook that a name is a slip of the pen for, None for the name of a custom method."""
    import difflib  # only a mistake needs it

    return next(iter(difflib.get_close_matches(name, HOOKS, n=1, cutoff=0.8)), None)


def is_overridden(callback: object, hook: str) -> bool:
    method = getattr(callback, hook, None)
    function = getattr(method, "__func__", method)
    # Keras marks the empty hooks of its own base class, whose callbacks are welcome here.
    return function is not None and function is not getattr(Callback, hook) and not hasattr(function, "_is_default")


def _is_custom(callback: object, hook: str) -> bool:
    """Tell whether a user has defined a hook, in a subclass or by setting it."""
    function = getattr(type(callback), hook)
    return hook in vars(callback) or not getattr(function, "__module__", "").startswith("cnn_core.")


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


def path_of(path: str) -> Path:
    from pathlib import Path

    return Path(path)
