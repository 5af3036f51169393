"""Room for weights that a file holds: layers built from a file take no more memory than it has for them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

import numpy as np

from cnn_core.foundation.arrays import Array


class Measured(Protocol):
    """An array, or what one will take."""

    @property
    def nbytes(self) -> int:
        """Bytes."""


class _Room:
    """What is left of a file's weights while layers take theirs."""

    def __init__(self, weights: Mapping[str, Measured]) -> None:
        self.names = weights.keys()
        self.n_arrays = len(weights)
        self.n_bytes = sum(array.nbytes for array in weights.values())

    def take(self, shape: tuple[int, ...], dtype: np.dtype[np.generic], name: str | None) -> Array:
        if name is not None and name not in self.names:
            raise ValueError(f"The weight {name!r} is missing")
        self.n_arrays -= 1
        self.n_bytes -= math.prod(shape) * dtype.itemsize
        if self.n_arrays < 0 or self.n_bytes < 0:
            raise ValueError(f"it holds fewer weights than its layers need. Received: none for one of shape {shape}")
        return np.zeros(shape, dtype)


# A context variable, so that two threads that load models at once do not take from each other's room.
_ROOM: ContextVar[_Room | None] = ContextVar("room", default=None)


@contextmanager
def room_for(weights: Mapping[str, Measured]) -> Iterator[None]:
    """Let the variables that are made inside the block wait for these weights.

    Examples
    --------
    >>> with room_for({"kernel": np.ones((2, 3))}):
    ...     waiting_weight((2, 3), "float64")
    array([[0., 0., 0.],
           [0., 0., 0.]])
    >>> waiting_weight((2, 3), "float64")
    """
    token = _ROOM.set(_Room(weights))
    try:
        yield
    finally:
        _ROOM.reset(token)


def waiting_weight(shape: Sequence[int], dtype: str, name: str | None = None) -> Array | None:
    """Return zeros that will be overwritten; None where no file is being read, so that a first value is needed.

    With a name, the file must have a weight of that name; without, any.

    Raises
    ------
    ValueError
        If the file holds less than that.
    """
    room = _ROOM.get()
    return None if room is None else room.take(tuple(shape), np.dtype(dtype), name)
