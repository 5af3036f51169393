"""Keras's other functions of places: parts, turns, grids, and where numbers stand among others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.config as config
from cnn_core.foundation.eager import returns_arrays
from cnn_core.network.operators import Operators
from cnn_core.ops.dtypes import as_array, standardized
from cnn_core.ops.elementwise import add, less, less_equal, multiply
from cnn_core.ops.functions import (
    cast,
    concatenate,
    expand_dims,
    flip,
    full,
    full_like,
    reshape,
    split,
    swapaxes,
    take,
)
from cnn_core.ops.operation import shape_of
from cnn_core.ops.reductions import sum_function
from cnn_core.ops.selecting import diff

if TYPE_CHECKING:
    from cnn_core.foundation.arrays import Array


def array_split(x: object, indices_or_sections: object, axis: int = 0) -> list[Any]:
    """Return parts along an axis, whose sizes differ by 1 where they cannot be equal."""
    if not isinstance(indices_or_sections, (int, np.integer)):
        return split(x, indices_or_sections, axis)
    size, n = int(shape_of(x)[axis] or 0), int(indices_or_sections)
    sizes = [size // n + (part < size % n) for part in range(n)]
    return split(x, np.cumsum(sizes)[:-1].tolist(), axis)


def hsplit(x: object, indices_or_sections: object) -> list[Any]:
    """Return parts along axis 1, or the only one."""
    return split(x, indices_or_sections, 1 if len(shape_of(x)) > 1 else 0)


def vsplit(x: object, indices_or_sections: object) -> list[Any]:
    """Return parts along axis 0."""
    return split(x, indices_or_sections, 0)


def dstack(xs: Sequence[Any]) -> Any:
    """Return values one behind the other, along axis 2."""
    return concatenate([_with_three_axes(x) for x in xs], 2)


def _with_three_axes(x: object) -> Any:
    rank = len(shape_of(x))
    if rank > 2:
        return x
    return expand_dims(reshape(x, (1, -1)) if rank < 2 else x, 2)


def fliplr(x: object) -> Any:
    """Return the elements along axis 1 in reverse."""
    return flip(x, 1)


def flipud(x: object) -> Any:
    """Return the elements along axis 0 in reverse; samples of a symbol stay in order."""
    return flip(x, 0)


def rot90(array: object, k: int = 1, axes: Sequence[int] = (0, 1)) -> Any:
    """Return the plane of two axes turned by k quarters, from the first to the second."""
    first, second = axes
    turns = k % 4
    if turns == 2:
        return flip(flip(array, first), second)
    if turns == 1:
        return swapaxes(flip(array, second), first, second)
    return flip(swapaxes(array, first, second), second) if turns else array


def trapezoid(y: object, x: object = None, dx: float = 1.0, axis: int = -1) -> Any:
    """Return the area below points along an axis, `x` or `dx` apart, by trapezoids."""
    size = int(shape_of(y)[axis] or 0)
    heights = multiply(add(take(y, np.arange(1, size), axis), take(y, np.arange(size - 1), axis)), 0.5)
    if x is None:
        return multiply(sum_function(heights, axis), dx)
    widths = diff(x, axis=axis if len(shape_of(x)) > 1 else -1)
    if len(shape_of(x)) == 1:
        widths = reshape(widths, [-1, *[1] * (len(shape_of(y)) - 1 - axis % len(shape_of(y)))])
    return sum_function(multiply(heights, widths), axis)


def searchsorted(sorted_sequence: object, values: object, side: str = "left") -> Any:
    """Return for each value how many elements of a rising sequence are less; or not greater, from the right."""
    if side not in ("left", "right"):
        raise ValueError(f"`side` must be 'left' or 'right'. Received: side={side!r}")
    before = (less if side == "left" else less_equal)(as_array(sorted_sequence), expand_dims(values, -1))
    return sum_function(cast(before, "int32"), -1)


def digitize(x: object, bins: object) -> Any:
    """Return the number of the bin in which each element is, by rising borders, which belong to the bin above."""
    return searchsorted(bins, x, "right")


# Arrays that nothing is computed of


@returns_arrays
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: float = 10, dtype: object = None, axis: int = 0
) -> Array:
    """Return `num` powers of a base, with exponents at equal distances."""
    wanted = config.floatx() if dtype is None else standardized(dtype)
    return np.logspace(start, stop, num, endpoint, base, axis=axis).astype(wanted)


@returns_arrays
def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: object = None, axis: int = 0
) -> Array:
    """Return `num` numbers at equal ratios."""
    return np.geomspace(start, stop, num, endpoint, axis=axis).astype(
        config.floatx() if dtype is None else standardized(dtype)
    )


@returns_arrays
def tri(N: int, M: int | None = None, k: int = 0, dtype: object = None) -> Array:
    """Return a matrix with ones on and below a diagonal."""
    return np.tri(N, M, k, dtype=config.floatx() if dtype is None else standardized(dtype))


@returns_arrays
def meshgrid(*x: object, indexing: str = "xy") -> list[Any]:
    """Return the coordinates of the points of a grid, an array for each axis."""
    return list(np.meshgrid(*map(as_array, x), indexing=indexing))  # type: ignore[call-overload]


def empty(shape: object, dtype: object = None) -> Any:
    """Return an array to be filled; here, zeros."""
    return full(shape, 0, config.floatx() if dtype is None else dtype)


def empty_like(x: object, dtype: object = None) -> Any:
    """Return an array of the same shape to be filled; here, zeros."""
    return full_like(x, 0, dtype)


def is_tensor(x: object) -> bool:
    """Tell whether functions of `ops` have given this: an array, a symbol, a tensor or a variable."""
    return isinstance(x, (np.ndarray, Operators))
