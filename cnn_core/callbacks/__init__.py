"""Callbacks: what happens beside training, at its begin and end, around epochs and around batches.

Use only the model's public face. `CallbackList` calls several at once; it also says whether anybody listens to single
batches or epochs, for when nobody does many of them are one native call.
"""

from typing import TYPE_CHECKING

import cnn_core.foundation.left_out as left_out
from cnn_core.callbacks.base import Callback
from cnn_core.callbacks.callback_list import CallbackList
from cnn_core.callbacks.history import History

if TYPE_CHECKING:
    from cnn_core.callbacks.checkpoints import BackupAndRestore, ModelCheckpoint
    from cnn_core.callbacks.histograms import HistogramLogger
    from cnn_core.callbacks.hooks import LambdaCallback, TerminateOnNaN
    from cnn_core.callbacks.logging import CSVLogger
    from cnn_core.callbacks.monitors import EarlyStopping, ReduceLROnPlateau
    from cnn_core.callbacks.progress import TqdmCallback
    from cnn_core.callbacks.schedules import LearningRateScheduler, SwapEMAWeights
    from cnn_core.callbacks.tensorboard import TensorBoard

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "HistogramLogger",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ReduceLROnPlateau",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
    "TqdmCallback",
]

# Where what most programs never use is found.
_HOMES = {
    "BackupAndRestore": "cnn_core.callbacks.checkpoints",
    "ModelCheckpoint": "cnn_core.callbacks.checkpoints",
    "HistogramLogger": "cnn_core.callbacks.histograms",
    "LambdaCallback": "cnn_core.callbacks.hooks",
    "TerminateOnNaN": "cnn_core.callbacks.hooks",
    "CSVLogger": "cnn_core.callbacks.logging",
    "EarlyStopping": "cnn_core.callbacks.monitors",
    "ReduceLROnPlateau": "cnn_core.callbacks.monitors",
    "TqdmCallback": "cnn_core.callbacks.progress",
    "LearningRateScheduler": "cnn_core.callbacks.schedules",
    "SwapEMAWeights": "cnn_core.callbacks.schedules",
    "TensorBoard": "cnn_core.callbacks.tensorboard",
}


if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__, _HOMES, __all__)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
