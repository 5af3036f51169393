"""Arrays as the descriptions (activations, losses, metrics, constraints) compute with them.

Rows and features of training data are checked in validation.py; here the number of dimensions is free.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

import cnn_core._core as _core
import cnn_core.foundation.validation as validation

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

ALIGNMENT = 64  # bytes: a cache line, and the widest vector

# Keras's `epsilon`: clips probabilities and guards quotients.
EPSILON = 1e-7


def as_float(x: object, name: str, dtype: object = None) -> Array:
    """Read array-like numbers as a C-ordered array of float32 or float64.

    Parameters
    ----------
    x : array-like of any shape
    name : str
        The argument's name, for messages.
    dtype : dtype, default None
        None keeps float32 and float64, turns float16 into float32 and everything else, lists and integers included,
        into float64.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.
    ValueError
        If `x` is ragged, or holds a number that the type cannot.

    Examples
    --------
    >>> as_float([1, 2], "x"), as_float(np.ones(2, "float16"), "x")
    (array([1., 2.]), array([1., 1.], dtype=float32))
    """
    array = validation.as_array(x, name)
    if dtype is not None:
        return validation.convert(array, name, np.dtype(dtype))  # type: ignore[call-overload]
    narrow = array.dtype.kind == "f" and array.dtype.itemsize <= 4
    return validation.convert(array, name, np.dtype(np.float32 if narrow else np.float64))


def divide(numerator: Array, denominator: Array) -> Array:
    """Divide elementwise; 0 where the denominator is 0, as Keras does.

    Examples
    --------
    >>> divide(np.array([1.0, 2.0]), np.array([2.0, 0.0]))
    array([0.5, 0. ])
    """
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    result = np.zeros(numerator.shape, np.result_type(numerator, denominator, np.float32))
    np.divide(numerator, denominator, out=result, where=denominator != 0)
    return result


def same_rank(first: Array, second: Array) -> tuple[Array, Array]:
    """Give two arrays whose ranks differ by one the same rank, where a last axis of size 1 makes up the difference.

    A vector beside a column becomes a column; otherwise the axis of size 1 is dropped. Anything else stays.

    Examples
    --------
    >>> [each.shape for each in same_rank(np.ones(3), np.ones((3, 1)))]
    [(3, 1), (3, 1)]
    """
    if first.ndim == second.ndim + 1:
        second, first = _lower_to_match(second, first)
    elif second.ndim == first.ndim + 1:
        first, second = _lower_to_match(first, second)
    return first, second


def _lower_to_match(lower: Array, higher: Array) -> tuple[Array, Array]:
    if higher.shape[-1] != 1:
        return lower, higher
    return (lower[:, None], higher) if lower.ndim == 1 else (lower, higher[..., 0])


def as_rows(x: Array) -> Array:
    """View an array as a matrix whose rows are its last axis.

    Examples
    --------
    >>> as_rows(np.zeros(3)).shape, as_rows(np.zeros((2, 4, 3))).shape
    ((1, 3), (8, 3))
    """
    return np.ascontiguousarray(x).reshape(math.prod(x.shape[:-1]), x.shape[-1])


def aligned_zeros(size: int, dtype: np.dtype[Any]) -> Array:
    """Return a vector of zeros that starts on a 64-byte boundary."""
    memory = np.zeros(size * dtype.itemsize + ALIGNMENT, np.uint8)
    start = -_core.address_of(memory) % ALIGNMENT
    return memory[start : start + size * dtype.itemsize].view(dtype)


def readable(array: Array, dtype: np.dtype[Any] | None = None) -> Array:
    """Return an array, of another type if one is given, as native code reads it: in C order, its numbers aligned.

    What comes from a file or from another process may begin at any byte.

    Examples
    --------
    >>> odd = np.frombuffer(bytes(9), np.float64, offset=1)
    >>> odd.flags.aligned, readable(odd).flags.aligned
    (False, True)
    """
    return np.require(array, dtype, ["C", "ALIGNED"])


def aligned_copy(array: Array) -> Array:
    """Return a copy in C order that starts on a 64-byte boundary: its rows are read up to a third faster.

    Examples
    --------
    >>> aligned_copy(np.ones((2, 3))).ctypes.data % 64
    0
    """
    copy = aligned_zeros(array.size, array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
