"""Callbacks: what happens beside training, at its begin and end, around epochs and around batches.

Use only the model's public face. `CallbackList` calls several at once; it also says whether anybody listens to single
batches or epochs, for when nobody does many of them are one native call.
"""

import importlib
from typing import TYPE_CHECKING, Any

import cnn_core.foundation.left_out as left_out
from cnn_core.callbacks.base import Callback
from cnn_core.callbacks.callback_list import CallbackList
from cnn_core.callbacks.history import History

if TYPE_CHECKING:
    from cnn_core.callbacks.checkpoints import BackupAndRestore, ModelCheckpoint
    from cnn_core.callbacks.hooks import LambdaCallback, TerminateOnNaN
    from cnn_core.callbacks.logging import CSVLogger
    from cnn_core.callbacks.monitors import EarlyStopping, ReduceLROnPlateau
    from cnn_core.callbacks.schedules import LearningRateScheduler, SwapEMAWeights
    from cnn_core.callbacks.tensorboard import TensorBoard

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
    "TensorBoard",
    "TerminateOnNaN",
]

# Where what most programs never use is found.
_HOMES = {
    "BackupAndRestore": "cnn_core.callbacks.checkpoints",
    "ModelCheckpoint": "cnn_core.callbacks.checkpoints",
    "LambdaCallback": "cnn_core.callbacks.hooks",
    "TerminateOnNaN": "cnn_core.callbacks.hooks",
    "CSVLogger": "cnn_core.callbacks.logging",
    "EarlyStopping": "cnn_core.callbacks.monitors",
    "ReduceLROnPlateau": "cnn_core.callbacks.monitors",
    "LearningRateScheduler": "cnn_core.callbacks.schedules",
    "SwapEMAWeights": "cnn_core.callbacks.schedules",
    "TensorBoard": "cnn_core.callbacks.tensorboard",
}


def __getattr__(name: str) -> Any:
    """Import it on first use."""
    if name not in _HOMES:
        raise left_out.missing(__name__, name, __all__)
    found = globals()[name] = getattr(importlib.import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
