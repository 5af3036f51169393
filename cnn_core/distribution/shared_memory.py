"""The sum of gradients on one machine: every rank computes its own in memory that the others read.

The vector is cut into one part for each rank, which adds its part up over all ranks, in their order; then each copies
the other parts. So a number is read and written little more than twice, where messages copy it several times.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from cnn_core.distribution.communicator import Communicator
from cnn_core.distribution.sums import part_sizes
from cnn_core.foundation.arrays import Array

FOLDER = Path("/dev/shm")  # the one place on Linux that is memory and has names
ADDED_AT_A_TIME = 1 << 16  # elements: sums of two and more vectors stay in the cache


def is_possible() -> bool:
    """Whether processes of this machine can share memory by name."""
    return FOLDER.is_dir() and os.access(FOLDER, os.W_OK) and hasattr(os, "posix_fallocate")


class SharedMemorySum:
    """One shard for each rank of a machine, added up where they stand; see `Sum`.

    A rank may also make the step for its part of the vector alone, between `add_part` and `share_parts`.

    Parameters
    ----------
    communicator : Communicator
        All of whose ranks are on this machine.
    """

    def __init__(self, communicator: Communicator) -> None:
        self._communicator = communicator
        self._memories: list[Array] = []  # of each rank: gradients, a second vector, a number
        self._size = 0

    def place(self, vector: Array) -> Array:
        """Return memory for gradients like `vector` that all ranks see; itself if there is not enough of it."""
        self._size = vector.size
        mine, name = _create(2 * vector.size + 1, vector.dtype)
        letters = np.frombuffer(name.ljust(16).encode("latin-1"), np.uint8)
        names = self._communicator.gather(letters.astype(np.float64)).astype(np.uint8)
        found = [_open(bytes(each).decode("latin-1").strip(), 2 * vector.size + 1, vector.dtype) for each in names]
        found[self._communicator.rank] = mine
        all_there = self._communicator.gather(np.array([all(each is not None for each in found)])).all()
        if name:
            with suppress(OSError):
                (FOLDER / name).unlink()
        self._memories = [each for each in found if each is not None] if all_there else []
        return self._vectors(0)[self._communicator.rank] if all_there else vector

    def put(self, gradient: Array) -> None:
        """Leave it where it is: see `Sum.put`. There is only one."""

    def take(self, gradient: Array) -> None:
        """See `Sum.take`."""
        if not self._memories:
            self._communicator.add_up(gradient)
            return
        self._communicator.meet()
        self._add()
        self._communicator.meet()
        self._copy_others(gradient, 0)
        self._communicator.meet()  # nobody begins the next gradient while this one is still being read

    # The step in parts

    @property
    def part(self) -> slice | None:
        """Which part of the vector is this rank's; None where there is no shared memory."""
        return self._parts()[self._communicator.rank] if self._memories else None

    def add_part(self) -> bool:
        """Add this rank's part of the gradients up, where they stand; tell whether those of all ranks are finite."""
        self._communicator.meet()
        part = self._add()
        with np.errstate(over="ignore", invalid="ignore"):
            is_finite = np.isfinite(np.dot(part, part)) or np.isfinite(part).all()  # the squares may be too large
        self._memories[self._communicator.rank][-1] = is_finite
        self._communicator.meet()
        return all(memory[-1] for memory in self._memories)

    def share_parts(self, vector: Array) -> None:
        """Complete a vector, of which each rank has its part, by those of all others."""
        part = self._parts()[self._communicator.rank]
        self._vectors(1)[self._communicator.rank][part] = vector[part]
        self._communicator.meet()
        self._copy_others(vector, 1)

    def _parts(self) -> list[slice]:
        ends = np.cumsum(part_sizes(self._size, self._communicator.size)).tolist()
        return [slice(begin, end) for begin, end in zip([0, *ends[:-1]], ends, strict=True)]

    def _vectors(self, which: int) -> list[Array]:
        """Return the gradients (0) or the second vectors (1) of all ranks."""
        return [memory[which * self._size : (which + 1) * self._size] for memory in self._memories]

    def _add(self) -> Array:
        """Let this rank's part of its own vector be the sum over all ranks."""
        (first, second, *others), whole = self._vectors(0), self._parts()[self._communicator.rank]
        mine = self._vectors(0)[self._communicator.rank]
        for place in range(whole.start, whole.stop, ADDED_AT_A_TIME):
            part = slice(place, min(place + ADDED_AT_A_TIME, whole.stop))
            if not others:
                np.add(first[part], second[part], out=mine[part])
                continue
            total = first[part] + second[part]
            for other in others:
                total += other[part]
            mine[part] = total
        return mine[whole]

    def _copy_others(self, vector: Array, which: int) -> None:
        vectors = self._vectors(which)
        for owner, part in enumerate(self._parts()):
            if owner != self._communicator.rank:
                vector[part] = vectors[owner][part]


def _create(length: int, dtype: np.dtype[Any]) -> tuple[Array | None, str]:
    """Return a vector in shared memory, and its name; None and "" if there is not enough."""
    try:
        descriptor, path = tempfile.mkstemp(prefix="cnn", dir=FOLDER)
    except OSError:
        return None, ""
    try:
        n_bytes = length * dtype.itemsize
        os.posix_fallocate(descriptor, 0, n_bytes)  # or a write would end the process where it is too much
        return _mapped(descriptor, length, dtype), Path(path).name
    except OSError:
        Path(path).unlink(missing_ok=True)
        return None, ""
    finally:
        os.close(descriptor)


def _open(name: str, length: int, dtype: np.dtype[Any]) -> Array | None:
    if not name:
        return None
    try:
        descriptor = os.open(FOLDER / name, os.O_RDWR)
    except OSError:
        return None
    try:
        return _mapped(descriptor, length, dtype)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _mapped(descriptor: int, length: int, dtype: np.dtype[Any]) -> Array:
    return np.frombuffer(mmap.mmap(descriptor, length * dtype.itemsize), dtype)
