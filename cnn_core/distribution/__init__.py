"""Training on several processes at once, under Keras's names, over MPI: see docs/scaling.md."""

from typing import TYPE_CHECKING

import cnn_core.foundation.left_out as left_out
from cnn_core.distribution.current import distribution

if TYPE_CHECKING:
    from cnn_core.distribution.communicator import RankEndedError
    from cnn_core.distribution.data_parallel import DataParallel, list_devices, set_distribution
    from cnn_core.distribution.launch import initialize

__all__ = ["DataParallel", "RankEndedError", "distribution", "initialize", "list_devices", "set_distribution"]

# Where what a program on one process never uses is found.
_HOMES = {
    "DataParallel": "cnn_core.distribution.data_parallel",
    "RankEndedError": "cnn_core.distribution.communicator",
    "initialize": "cnn_core.distribution.launch",
    "list_devices": "cnn_core.distribution.data_parallel",
    "set_distribution": "cnn_core.distribution.data_parallel",
}


if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__, _HOMES, __all__)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
