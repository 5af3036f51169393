"""SciPy's sparse matrices, looked at before anything converts them.

SciPy leaves the arrays of a matrix to the caller, and its own conversions follow an index that lies outside
them. Knows the formats by their attributes and does not import SciPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, NoReturn

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array


def check_sparse(x: Any, name: str) -> None:
    """Refuse a sparse matrix whose parts do not fit each other or its shape; let everything else pass.

    Parameters
    ----------
    x : object
        What is no SciPy sparse matrix or array is not looked at.
    name : str
        The argument's name.

    Raises
    ------
    ValueError
        If an index lies outside the matrix, or a part has another length, number of dimensions or type than it must.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> x = csr_array([[0.0, 5.0]])
    >>> check_sparse(x, "x")
    >>> x.indices[0] = 7
    >>> check_sparse(x, "x")
    Traceback (most recent call last):
        ...
    ValueError: x is an inconsistent sparse matrix: `indices` must be whole numbers from 0 to 1. \
Received: x in the format 'csr' of shape (1, 2)
    """
    if not validation.is_sparse(x):
        return
    layout = getattr(x, "format", None)
    check = _CHECKS.get(layout) if isinstance(layout, str) else None
    if check is None:  # not SciPy's own: what it becomes there is looked at
        x, layout, check = x.tocsr(), "csr", _check_rows
        if getattr(x, "format", None) != layout:
            raise TypeError(f"{name} must be a sparse matrix of SciPy. Received: {name} of type {type(x).__name__}")
    try:
        _check_shape(x)
        check(x)
    except _InconsistentError as error:
        raise ValueError(
            f"{name} is an inconsistent sparse matrix: {error}. "
            f"Received: {name} in the format {layout!r} of shape {tuple(x.shape)}"
        ) from None


class _InconsistentError(Exception):
    """What is wrong with a matrix, to be completed by its name."""


def _fail(part: str, rule: str) -> NoReturn:
    raise _InconsistentError(f"`{part}` must be {rule}")


def _check_shape(x: Any) -> None:
    any_rank, vector = x.format in ("coo", "dok"), x.format == "csr" and len(x.shape) == 1
    if not (len(x.shape) == 2 or any_rank or vector) or min(x.shape, default=-1) < 0:
        _fail("shape", "two whole numbers, none below 0")


def _check_coordinates(x: Any) -> None:
    axes = list(x.coords) if hasattr(x, "coords") else [x.row, x.col]
    if len(axes) != len(x.shape):
        _fail("coords", f"{len(x.shape)} arrays")
    stored = _length(x.data, "data")
    parts = ("row", "col") if len(axes) == 2 else ("coords",) * len(axes)
    for part, numbers, size in zip(parts, axes, x.shape, strict=True):
        if len(_check_indices(numbers, part, size)) != stored:
            _fail(part, f"as long as `data`, {stored}")


def _check_rows(x: Any) -> None:
    n_rows, width = x.shape if len(x.shape) == 2 else (1, x.shape[0])
    _check_compressed(x, n_rows, width, _length(x.data, "data"))


def _check_columns(x: Any) -> None:
    n_rows, width = x.shape
    _check_compressed(x, width, n_rows, _length(x.data, "data"))


def _check_blocks(x: Any) -> None:
    if getattr(x.data, "ndim", 0) != 3:
        _fail("data", "an array of three dimensions")
    height, width = x.data.shape[1:]
    if not height or not width or x.shape[0] % height or x.shape[1] % width:
        _fail("data", "blocks that the shape is a multiple of")
    _check_compressed(x, x.shape[0] // height, x.shape[1] // width, len(x.data))


def _check_compressed(x: Any, major: int, minor: int, stored: int) -> None:
    starts = _whole_numbers(x.indptr, "indptr")
    indices = _check_indices(x.indices, "indices", minor)
    stored = min(stored, len(indices))
    if len(starts) != major + 1:
        _fail("indptr", f"an array of length {major + 1}")
    if starts[0] != 0 or starts[-1] > stored or bool((starts[1:] < starts[:-1]).any()):
        _fail("indptr", f"numbers that rise from 0 to at most {stored}")


def _check_diagonals(x: Any) -> None:
    offsets = _whole_numbers(x.offsets, "offsets")
    if getattr(x.data, "ndim", 0) != 2 or len(x.data) != len(offsets):
        _fail("data", f"an array of two dimensions with {len(offsets)} rows, one for each of `offsets`")
    if len(np.unique(offsets)) < len(offsets):
        _fail("offsets", "different numbers")
    if max(x.shape) > np.iinfo(offsets.dtype).max:
        _fail("offsets", "numbers of a type that holds the shape")


def _check_lists(x: Any) -> None:
    for part, lists in (("rows", x.rows), ("data", x.data)):
        if getattr(lists, "shape", None) != (x.shape[0],) or not all(isinstance(each, list) for each in lists):
            _fail(part, f"{x.shape[0]} lists")
    if any(len(columns) != len(values) for columns, values in zip(x.rows, x.data, strict=True)):
        _fail("rows", "as long as `data`, list by list")
    _check_indices(_gathered(chain.from_iterable(x.rows), "rows"), "rows", x.shape[1])


def _check_keys(x: Any) -> None:
    keys = list(x.keys())
    if len(x.shape) == 1:
        keys = [(key,) for key in keys]
    if not all(isinstance(key, tuple) and len(key) == len(x.shape) for key in keys):
        _fail("keys", f"tuples of length {len(x.shape)}")
    for axis, size in enumerate(x.shape):
        _check_indices(_gathered((key[axis] for key in keys), "keys"), "keys", size)


_CHECKS: dict[str, Callable[[Any], None]] = {
    "bsr": _check_blocks,
    "coo": _check_coordinates,
    "csc": _check_columns,
    "csr": _check_rows,
    "dia": _check_diagonals,
    "dok": _check_keys,
    "lil": _check_lists,
}


def _gathered(numbers: Iterable[object], part: str) -> Array:
    whole = list(numbers)
    if not all(hasattr(number, "__index__") for number in whole):
        _fail(part, "whole numbers")
    try:
        return np.array(whole, dtype=np.int64)
    except (OverflowError, TypeError, ValueError):
        _fail(part, "whole numbers of 64 bits")


def _whole_numbers(numbers: object, part: str) -> Array:
    if not isinstance(numbers, np.ndarray) or numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        _fail(part, "an array of whole numbers and of one dimension")
    return np.asarray(numbers)


def _check_indices(numbers: object, part: str, size: int) -> Array:
    indices = _whole_numbers(numbers, part)
    if len(indices) and (indices.min() < 0 or indices.max() >= size):
        _fail(part, f"whole numbers from 0 to {size - 1}")
    return indices


def _length(values: object, part: str) -> int:
    if not isinstance(values, np.ndarray) or values.ndim != 1:
        _fail(part, "an array of one dimension")
    return len(values)
