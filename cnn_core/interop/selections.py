"""Elements of a sample that are picked by their numbers, as the plainest steps that array libraries have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple
from cnn_core.ops.broadcasting import Shape, is_batched


class Cut(NamedTuple):
    """A slice along an axis; an end of -1 lies before the first element."""

    axis: int
    start: int
    end: int
    step: int


class Picked(NamedTuple):
    """Places along an axis, in any order."""

    axis: int
    places: list[int]


class Transposed(NamedTuple):
    """Axes in another order."""

    order: list[int]


class Reshaped(NamedTuple):
    """The elements cut into another shape; None stands for the axis of the samples."""

    shape: Shape


Step: TypeAlias = Cut | Picked | Transposed | Reshaped


def steps_to(shape: Shape, numbers: Array) -> list[Step]:
    """Return the steps that pick elements of a value.

    Parameters
    ----------
    shape : tuple
        Of the value, the axis of the samples, None, included if there is one.
    numbers : numpy.ndarray
        Of the elements of a sample, where they go.

    Examples
    --------
    >>> steps_to((None, 4), np.array([1, 3]))
    [Cut(axis=1, start=1, end=4, step=2)]
    """
    first = int(is_batched(shape))
    sizes: list[int] = [int(size or 0) for size in shape[first:]]
    result = (*shape[:first], *numbers.shape)
    flat, size = numbers.reshape(-1), math.prod(sizes)
    if flat.size == size and np.array_equal(flat, np.arange(size)):
        return _reshaped(shape, result)
    order = _order(sizes, numbers)
    if order is not None:
        return [Transposed([*range(first), *(axis + first for axis in order)])]
    for axis in range(len(sizes)):
        places = _places_along(sizes, axis, flat)
        if places is not None:
            at = axis + first
            return [_along(at, places), *_reshaped((*shape[:at], len(places), *shape[at + 1 :]), result)]
    row = (*shape[:first], size)
    return [*_reshaped(shape, row), Picked(first, flat.tolist()), *_reshaped((*row[:-1], flat.size), result)]


def _reshaped(shape: Shape, result: Shape) -> list[Step]:
    return [] if result == shape else [Reshaped(result)]


def _order(sizes: Sequence[int], numbers: Array) -> list[int] | None:
    """Return the order of axes, if the numbers are all those of a sample with its axes in another order."""
    if numbers.ndim != len(sizes) or sorted(numbers.shape) != sorted(sizes) or 1 in sizes or not numbers.size:
        return None
    steps = [int(np.take(numbers, 1, axis).flat[0] - numbers.flat[0]) for axis in range(len(sizes))]
    own = [math.prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
    if sorted(steps) != sorted(own):
        return None
    order = [own.index(step) for step in steps]
    every = np.arange(numbers.size).reshape(sizes)
    return order if np.array_equal(every.transpose(order), numbers) else None


def _places_along(sizes: Sequence[int], axis: int, flat: Array) -> Array | None:
    """Return which places along an axis are picked, if all that lies beside the axis stays whole and in order."""
    outer, inner = math.prod(sizes[:axis]), math.prod(sizes[axis + 1 :])
    if not flat.size or flat.size % (outer * inner):
        return None
    cube = flat.reshape(outer, -1, inner)
    places: Array = cube[0, :, 0] // inner
    every = np.arange(math.prod(sizes)).reshape(outer, sizes[axis], inner)
    return places if np.array_equal(every[:, places % sizes[axis]], cube) else None


def _along(axis: int, places: Array) -> Step:
    """Places along an axis: a slice if they lie at equal distances."""
    distances = set(np.diff(places).tolist())
    step = distances.pop() if len(distances) == 1 else 1
    if distances or step == 0:
        return Picked(axis, places.tolist())
    return Cut(axis, int(places[0]), int(places[-1]) + (1 if step > 0 else -1), step)
