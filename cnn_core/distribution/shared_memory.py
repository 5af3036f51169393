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

    Parameters
    ----------
    communicator : Communicator
        All of whose ranks are on this machine.
    """

    def __init__(self, communicator: Communicator) -> None:
        self._communicator = communicator
        self._vectors: list[Array] = []

    def place(self, vector: Array) -> Array:
        """Return memory for gradients like `vector` that all ranks see; itself if there is not enough of it."""
        mine, name = _create(vector)
        names = self._communicator.gather(np.frombuffer(name.ljust(16).encode("latin-1"), np.uint8).astype(np.float64))
        found = [_open(bytes(each.astype(np.uint8)).decode("latin-1").strip(), vector) for each in names]
        found[self._communicator.rank] = mine
        all_there = self._communicator.gather(np.array([all(each is not None for each in found)])).all()
        if name:
            with suppress(OSError):
                (FOLDER / name).unlink()
        self._vectors = [each for each in found if each is not None] if all_there else []
        return self._vectors[self._communicator.rank] if all_there else vector

    def put(self, gradient: Array) -> None:
        """Leave it where it is: see `Sum.put`. There is only one."""

    def take(self, gradient: Array) -> None:
        """See `Sum.take`."""
        if not self._vectors:
            self._communicator.add_up(gradient)
            return
        ends = np.cumsum(part_sizes(gradient.size, self._communicator.size)).tolist()
        begins = [0, *ends[:-1]]
        rank = self._communicator.rank
        self._communicator.meet()
        self._add(begins[rank], ends[rank])
        self._communicator.meet()
        for owner, (begin, end) in enumerate(zip(begins, ends, strict=True)):
            if owner != rank:
                gradient[begin:end] = self._vectors[owner][begin:end]
        self._communicator.meet()  # nobody begins the next gradient while this one is still being read

    def _add(self, begin: int, end: int) -> None:
        """Let a part of this rank's vector be the sum over all ranks."""
        first, *others = self._vectors
        mine = self._vectors[self._communicator.rank]
        for place in range(begin, end, ADDED_AT_A_TIME):
            part = slice(place, min(place + ADDED_AT_A_TIME, end))
            total = first[part] + others[0][part]
            for other in others[1:]:
                total += other[part]
            mine[part] = total


def _create(like: Array) -> tuple[Array | None, str]:
    """Return shared memory like an array, and its name; None and "" if there is not enough."""
    try:
        descriptor, path = tempfile.mkstemp(prefix="cnn", dir=FOLDER)
    except OSError:
        return None, ""
    try:
        os.posix_fallocate(descriptor, 0, max(like.nbytes, 1))  # or a write would end the process where it is too much
        return _mapped(descriptor, like), Path(path).name
    except OSError:
        Path(path).unlink(missing_ok=True)
        return None, ""
    finally:
        os.close(descriptor)


def _open(name: str, like: Array) -> Array | None:
    if not name:
        return None
    try:
        descriptor = os.open(FOLDER / name, os.O_RDWR)
    except OSError:
        return None
    try:
        return _mapped(descriptor, like)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _mapped(descriptor: int, like: Array) -> Array:
    memory = mmap.mmap(descriptor, max(like.nbytes, 1))
    return np.frombuffer(memory, like.dtype, like.size)
