"""How many threads a call to the native core may use, and how many it begins with.

Importing it sets the width of the native pool, which costs some tens of microseconds and starts no thread: threads
start with the first work that is worth sharing.
"""

from __future__ import annotations

import math
import os
import posixpath
from collections.abc import Iterator, Mapping

import cnn_core._core as _core
import cnn_core.foundation.validation as validation
from cnn_core.foundation.keywords import knows_its_arguments

_origin = "set_num_threads"


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


def origin() -> str:
    """Return where the number of threads comes from."""
    return _origin


# The default


def _set_width(n: int, told_by: str) -> None:
    global _origin
    _core.set_num_threads(n)
    _origin = told_by


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
