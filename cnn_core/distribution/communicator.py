"""What a training that is shared among processes asks of them: a few collective calls.

A rank is one process of several that run the same script. Every call here is made by all ranks, in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from cnn_core.foundation.arrays import Array


class RankEndedError(RuntimeError):
    """Another rank has failed, been stopped or left while this one was waiting for it."""


class Communicator(Protocol):
    """The ranks of a run, as one of them sees them.

    Attributes
    ----------
    rank, size : int
    """

    @property
    def rank(self) -> int:
        """The number of this rank, from 0."""

    @property
    def size(self) -> int:
        """How many ranks there are."""

    def session(self, purpose: str) -> Any:
        """Return a context in which an exception on one rank ends the call on all."""

    @property
    def shares_memory(self) -> bool:
        """Whether all ranks are processes of one machine that can share memory."""

    def meet(self) -> None:
        """Wait until all ranks have come here."""

    def gather(self, numbers: Array) -> Array:
        """Return the numbers of all ranks, float64 of one length, as rows in the order of ranks."""

    def broadcast(self, array: Array) -> None:
        """Overwrite a contiguous array by that of rank 0."""

    def broadcast_object(self, value: object) -> Any:
        """Return the value of rank 0, which must be data that can be pickled."""

    def add_up(self, vector: Array) -> None:
        """Add a contiguous vector up over all ranks, in place."""

    def exchange(self, parts: Sequence[Array], sizes: Sequence[int]) -> list[Array]:
        """Send part i to rank i; return what each rank has sent here, of so many elements."""

    def collect(self, part: Array, sizes: Sequence[int]) -> Array:
        """Return the parts of all ranks, of so many elements, one behind the other."""


class OneProcess:
    """The communicator of a process that runs alone."""

    rank = 0
    size = 1
    shares_memory = False

    @contextmanager
    def session(self, purpose: str) -> Iterator[None]:
        """Do nothing more."""
        yield

    def meet(self) -> None:
        """Go on."""

    def gather(self, numbers: Array) -> Array:
        """Return the numbers as the only row."""
        return np.asarray(numbers, np.float64)[np.newaxis]

    def broadcast(self, array: Array) -> None:
        """Leave the array as it is."""

    def broadcast_object(self, value: object) -> Any:
        """Return the value."""
        return value

    def add_up(self, vector: Array) -> None:
        """Leave the vector as it is."""

    def exchange(self, parts: Sequence[Array], sizes: Sequence[int]) -> list[Array]:
        """Return the only part."""
        return list(parts)

    def collect(self, part: Array, sizes: Sequence[int]) -> Array:
        """Return the only part."""
        return part
