"""Settings of the whole process: the floating-point type, the number of threads, and what the CPU offers.

Knows neither layers nor models.
"""

from typing import TYPE_CHECKING

import cnn_core.foundation.left_out as left_out
from cnn_core.config.precision import dtype_policy, epsilon, floatx, set_dtype_policy, set_floatx
from cnn_core.config.report import config_html as _repr_html_  # noqa: F401 - notebooks ask modules, too
from cnn_core.config.report import show_config
from cnn_core.config.threads import get_num_threads, set_num_threads

__all__ = [
    "dtype_policy",
    "epsilon",
    "floatx",
    "get_num_threads",
    "set_dtype_policy",
    "set_floatx",
    "set_num_threads",
    "show_config",
]


if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__, {"mixed_precision": "cnn_core.config.mixed_precision"})
