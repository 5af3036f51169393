"""What a bug report needs to know of the package, the machine and the settings."""

from __future__ import annotations

import os
import sys

import numpy as np

import cnn_core._core as _core
import cnn_core.config.precision as precision
import cnn_core.config.threads as threads
from cnn_core.foundation.version import __version__


def show_config() -> None:
    """Print the versions, the instruction sets, and the number of threads with its origin: what a bug report needs.

    Examples
    --------
    >>> show_config()  # doctest: +ELLIPSIS
    cnn_core         ...
    NumPy            ...
    Python           ...
    instruction set  ...
    bfloat16         ...
    int8             ...
    threads          ...
    CPUs             ...
    floatx           float32
    dtype policy     float32
    """
    for name, value in _report().items():
        print(f"{name:<16} {value}")


def _report() -> dict[str, str]:
    return {
        "cnn_core": __version__,
        "NumPy": np.__version__,
        "Python": f"{sys.version.split()[0]} on {sys.platform}",
        "instruction set": f"{_core.instruction_set()} (available: {', '.join(_core.instruction_sets())})",
        "bfloat16": f"multiplied by {_core.bfloat16()} (available: {', '.join(_core.bfloat16_ways())})",
        "int8": f"multiplied by {_core.int8()} (available: {', '.join(_core.int8_ways())})",
        "threads": f"{threads.get_num_threads()} (from {threads.origin()}); {_core.threads_started()} started",
        "CPUs": str(os.cpu_count()),
        "floatx": precision.floatx(),
        "dtype policy": precision.dtype_policy().name,
    }


def config_html() -> str:
    """Return the same as a table, which a notebook shows of `cnn_core.config`."""
    import cnn_core.foundation.notebook as notebook

    return notebook.definitions(_report())
