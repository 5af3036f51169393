"""Settings of the whole process: the floating-point type, the number of threads, and what the CPU offers.

Knows neither layers nor models. Importing it sets the width of the native pool, which costs some tens of
microseconds and starts no thread: threads start with the first work that is worth sharing.
"""

from __future__ import annotations

import math
import os
import posixpath
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

import cnn_core._core as _core
import cnn_core.foundation.left_out as left_out
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import EPSILON
from cnn_core.foundation.dtype_policy import DTypePolicy, policy_of
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.foundation.version import __version__

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

_floatx = "float32"
_dtype_policy: DTypePolicy | None = None
_threads_from = "set_num_threads"


def floatx() -> str:
    """Return the floating-point type of layers and models that are given none.

    Returns
    -------
    str
        ``"float32"``, the default, or ``"float64"``.

    Examples
    --------
    >>> floatx()
    'float32'
    """
    return _floatx


@knows_its_arguments
def set_floatx(value: object) -> None:
    """Choose the floating-point type of layers and models that are given none.

    Those that exist already keep theirs. It takes the place of a policy that was set before.

    Parameters
    ----------
    value : "float32" or "float64"
        NumPy's types and dtypes are accepted too.

    Raises
    ------
    ValueError
        If it is another type.

    Examples
    --------
    >>> set_floatx("float64")
    >>> floatx()
    'float64'
    >>> set_floatx("float32")
    """
    global _floatx, _dtype_policy
    _floatx, _dtype_policy = validation.float_dtype(value, "value").name, None


def dtype_policy() -> DTypePolicy:
    """Return the policy of layers that are given no `dtype`: the one that was set, or that of `floatx`.

    Examples
    --------
    >>> dtype_policy()
    <DTypePolicy "float32">
    """
    return DTypePolicy(_floatx) if _dtype_policy is None else _dtype_policy


@knows_its_arguments
def set_dtype_policy(policy: object) -> None:
    """Choose the policy of layers that are given no `dtype`; those that exist already keep theirs.

    Parameters
    ----------
    policy : DTypePolicy, {"float32", "float64", "mixed_bfloat16"}, or a dtype of NumPy
        See `DTypePolicy`.

    Raises
    ------
    ValueError
        If it is another one.

    Examples
    --------
    >>> set_dtype_policy("mixed_bfloat16")
    >>> dtype_policy().compute_dtype
    'bfloat16'
    >>> set_dtype_policy("float32")
    """
    global _dtype_policy
    _dtype_policy = policy_of(policy, "policy")


def epsilon() -> float:
    """Return the small number that guards quotients and clips probabilities, as in Keras.

    Examples
    --------
    >>> epsilon()
    1e-07
    """
    return EPSILON


@knows_its_arguments
def set_num_threads(n: int) -> None:
    """Set how many threads a call to the native core may use, in this process, the calling one included.

    Results do not depend on it: one seed gives the same bits on one thread and on many. Small work stays on the
    calling thread whatever the number. At the start it is the least of the CPUs that the process may run on, the CPU
    quota of its control group, rounded up, and the environment variable OMP_NUM_THREADS; the environment variable
    CNN_CORE_NUM_THREADS overrides all three.

    Parameters
    ----------
    n : int
        From 1 to 256. A pool that becomes narrower ends its surplus threads.

    Raises
    ------
    TypeError
        If `n` is no integer.
    ValueError
        If it is out of range.

    Examples
    --------
    >>> before = get_num_threads()
    >>> set_num_threads(2)
    >>> get_num_threads()
    2
    >>> set_num_threads(before)
    """
    _set_width(validation.integer(n, "n", minimum=1, maximum=_core.max_threads()), "set_num_threads")


def get_num_threads() -> int:
    """Return how many threads a call to the native core may use, the calling one included.

    Examples
    --------
    >>> get_num_threads() >= 1
    True
    """
    return _core.get_num_threads()


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
    threads          ...
    CPUs             ...
    floatx           float32
    dtype policy     float32
    """
    rows = {
        "cnn_core": __version__,
        "NumPy": np.__version__,
        "Python": f"{sys.version.split()[0]} on {sys.platform}",
        "instruction set": f"{_core.instruction_set()} (available: {', '.join(_core.instruction_sets())})",
        "bfloat16": f"multiplied by {_core.bfloat16()} (available: {', '.join(_core.bfloat16_ways())})",
        "threads": f"{get_num_threads()} (from {_threads_from}); {_core.threads_started()} started",
        "CPUs": str(os.cpu_count()),
        "floatx": floatx(),
        "dtype policy": dtype_policy().name,
    }
    for name, value in rows.items():
        print(f"{name:<16} {value}")


# The default number of threads


def _set_width(n: int, origin: str) -> None:
    global _threads_from
    _core.set_num_threads(n)
    _threads_from = origin


def _default_threads(environment: Mapping[str, str], root: str) -> tuple[int, str]:
    """Return the number of threads to begin with and where it comes from; `root` is "/" except in tests."""
    wanted = environment.get("CNN_CORE_NUM_THREADS")
    if wanted:
        return _threads_wanted(wanted), "CNN_CORE_NUM_THREADS"
    limits = [(_core.max_threads(), "the largest possible number"), _usable_cpus()]
    quota = _cgroup_quota(root)
    if quota is not None:
        limits.append((max(1, math.ceil(quota)), "cgroup quota"))
    openmp = _openmp_threads(environment.get("OMP_NUM_THREADS", ""))
    if openmp is not None:
        limits.append((openmp, "OMP_NUM_THREADS"))
    return min(limits, key=lambda limit: limit[0])


def _threads_wanted(text: str) -> int:
    most = _core.max_threads()
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise ValueError(
            f"The environment variable CNN_CORE_NUM_THREADS must be an integer from 1 to {most}. Received: "
            f"CNN_CORE_NUM_THREADS={text!r}"
        )
    return int(text)


def _usable_cpus() -> tuple[int, str]:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)), "CPU affinity"
    return os.cpu_count() or 1, "number of CPUs"


def _openmp_threads(text: str) -> int | None:
    """Read OMP_NUM_THREADS: a positive integer, or a list of them, one per nested level.

    The variable is not ours, so what OpenMP itself would not understand counts as not set.

    >>> _openmp_threads("4"), _openmp_threads(" 3,2"), _openmp_threads("0"), _openmp_threads("many")
    (4, 3, None, None)
    """
    first = text.split(",")[0].strip()
    return int(first) if first.isascii() and first.isdigit() and len(first) < 10 and int(first) > 0 else None


def _cgroup_quota(root: str) -> float | None:
    """Return how many CPUs' time the control groups of the process allow, None if they set no limit.

    Every group on the way to the root may set one, and the least holds. In a container the path may be the host's,
    of which only the root can be seen; groups that cannot be read are passed over.
    """
    quotas = [quota for directory, version in _cgroup_directories(root) if (quota := _quota(directory, version))]
    return min(quotas, default=None)


def _cgroup_directories(root: str) -> Iterator[tuple[str, int]]:
    mounted = posixpath.join(root, "sys/fs/cgroup")
    for line in _read(posixpath.join(root, "proc/self/cgroup")).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":
            mounts = [(mounted, 2)]
        elif "cpu" in controllers.split(","):
            mounts = [(f"{mounted}/cpu", 1), (f"{mounted}/cpu,cpuacct", 1)]
        else:
            continue
        for group in _upwards(path):
            for mount, version in mounts:
                yield mount + group, version


def _upwards(path: str) -> Iterator[str]:
    """Walk from a group to the root.

    >>> list(_upwards("/user/job")), list(_upwards("/../.."))
    (['/user/job', '/user', '/'], ['/'])
    """
    path = posixpath.normpath("/" + path.lstrip("/"))
    while path != "/":
        yield path
        path = posixpath.dirname(path)
    yield "/"


def _quota(directory: str, version: int) -> float | None:
    if version == 2:
        words = _read(f"{directory}/cpu.max").split()
    else:
        words = [_read(f"{directory}/cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    try:
        quota, period = map(int, words)
    except ValueError:  # "max 100000", or nothing to read
        return None
    return quota / period if quota > 0 and period > 0 else None  # version 1 writes -1 for no limit


def _read(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 65536).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)


_set_width(*_default_threads(os.environ, "/"))


if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__)
