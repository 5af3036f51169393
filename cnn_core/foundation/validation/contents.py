"""Checks of what an array holds: its shape, finite numbers, indices, labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import cnn_core._core as _core
from cnn_core.foundation.validation.arrays import as_array
from cnn_core.foundation.validation.messages import Array, Shape, count, listing, place, show

_INT32 = np.iinfo(np.int32)
_NATIVE_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def as_matrix(
    x: object,
    name: str,
    dtype: object = np.float32,
    width: int | Shape | None = None,
    *,
    allow_empty: bool = False,
) -> Array:
    """Read array-like data as a matrix that native code can walk: one row per sample.

    Values are rounded to the nearest of the wanted type, as NumPy's ``astype`` does: float64 and large integers
    lose digits in float32. A finite value that would become infinite is an error. NaN and infinities pass;
    `finite` refuses them.

    Parameters
    ----------
    x : array-like of shape (n, ...) or (n,)
        Whatever `as_array` reads. A vector of length n becomes n rows of one feature.
    name : str
        The argument's name.
    dtype : {float32, float64}, default float32
        Type of the result.
    width : int or tuple of int or None, default None
        The features per row that the model expects: their number, or their shape, where None fits any size.
    allow_empty : bool, default False
        Whether zero rows are permitted. Zero features never are.

    Returns
    -------
    numpy.ndarray of shape (n, ...)
        C-contiguous, aligned, native byte order. `x` itself, or memory shared with it, if that is so already;
        possibly read-only.

    Raises
    ------
    TypeError, ValueError
        As `as_array`; and ValueError for a scalar, an empty array, a wrong width or an overflow.

    Examples
    --------
    >>> as_matrix([[1, 2], [3, 4]], "x", width=2)
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    >>> as_matrix(np.zeros((64, 12)), "x", width=10)
    Traceback (most recent call last):
        ...
    ValueError: x has 12 features; the model expects 10. Received: x.shape=(64, 12)
    """
    array = check_rows(as_array(x, name), name, width, allow_empty=allow_empty)
    return convert(array, name, np.dtype(dtype))  # type: ignore[call-overload]


def check_rows(array: Array, name: str, width: int | Shape | None = None, *, allow_empty: bool = False) -> Array:
    """Check that an array has rows, features and the expected width; give a vector its second dimension."""
    if array.ndim == 0:
        raise ValueError(
            f"{name} must have at least one dimension, (samples, features). "
            f"Use [[value]] for one sample of one feature. Received: {name}.shape=()"
        )
    if 0 in array.shape[1:] or (array.shape[0] == 0 and not allow_empty):
        missing = "rows" if array.shape[0] == 0 else "features"
        raise ValueError(f"{name} must not be empty, but has no {missing}. Received: {name}.shape={array.shape}")
    if width is not None:
        check_width(array, width, name)
    return array[:, None] if array.ndim == 1 else array


def check_width(x: Array, width: int | Shape, name: str) -> None:
    """Check that an array has the features per row that the model expects.

    Parameters
    ----------
    x : numpy.ndarray of shape (n, ...) or (n,)
        A vector counts as one feature per row.
    width : int or tuple
        Number of features, or their shape, in which None fits any size.
    name : str
        The argument's name.

    Raises
    ------
    ValueError
        If the shape differs.

    Examples
    --------
    >>> check_width(np.zeros((64, 10)), 10, "x")
    """
    wanted: Shape = (width,) if isinstance(width, int) else tuple(width)
    features = x.shape[1:] if x.ndim > 1 else (1,)
    if features == wanted:
        return
    fits = len(features) == len(wanted) and all(want in (None, got) for got, want in zip(features, wanted, strict=True))
    if fits:
        return
    if len(wanted) == 1 and x.ndim == 2:
        rule = f"{name} has {count(features[0], 'feature')}; the model expects {wanted[0]}"
    elif len(wanted) == 1 and x.ndim == 1 and wanted[0] == x.shape[0]:
        rule = f"{name} has one dimension; the model expects (n, {wanted[0]}). Use {name}[None, :] for one sample"
    else:
        expected = ", ".join(["n", *("any" if size is None else str(size) for size in wanted)])
        rule = f"{name} has {count(x.ndim, 'dimension')}; the model expects shape ({expected})"
        if x.ndim == len(wanted) + 1:
            rule = f"{name} has features of shape {features}; the model expects shape ({expected})"
    raise ValueError(f"{rule}. Received: {name}.shape={x.shape}")


def convert(array: Array, name: str, dtype: np.dtype[Any]) -> Array:
    """Convert a numeric array to a floating type, C order and native byte order; copy only if one of them differs.

    Rounds to nearest. A finite value beyond the range of `dtype` raises ValueError.
    """
    flags = array.flags
    if array.dtype == dtype and flags.c_contiguous and flags.aligned:
        return array
    try:
        # "raise" for overflow is the only sign NumPy gives of a finite number that became infinite.
        with np.errstate(over="raise", under="ignore", invalid="ignore"):
            return array.astype(dtype, order="C")
    except FloatingPointError:
        pass
    with np.errstate(all="ignore"):
        lost = np.isinf(array.astype(dtype)) & np.isfinite(array)
    where = tuple(int(i) for i in np.argwhere(lost)[0])
    raise ValueError(
        f"{name} has a number {place(where)} that {dtype.name} cannot hold. Scale the data"
        f"{' or use float64' if dtype == np.float32 else ''}. Received: {show(array[where])}"
    )


def finite(x: Array, name: str, columns: Sequence[str] | None = None) -> Array:
    """Check that an array holds neither NaN nor infinities, and return it.

    Parameters
    ----------
    x : numpy.ndarray
        Any shape and numeric type.
    name : str
        The argument's name.
    columns : sequence of str, default None
        Names of the features, for the message.

    Raises
    ------
    ValueError
        With how many there are and where the first is.

    Examples
    --------
    >>> finite(np.array([[1.0, 2.0], [np.nan, 4.0]]), "x")
    Traceback (most recent call last):
        ...
    ValueError: x has 1 value that is NaN or infinite; the first is nan at row 1, column 0. \
Remove or impute such rows. Received: x.shape=(2, 2)
    """
    if x.dtype.kind != "f":
        return x
    flags = x.flags
    if flags.c_contiguous and flags.aligned and x.dtype in _NATIVE_FLOATS and _core.all_finite(x):
        return x
    first: tuple[int, ...] | None = None
    count = 0
    rows = max(1, (1 << 20) // max(1, x[:1].size)) if x.ndim else 1
    for start in range(0, x.shape[0] if x.ndim else 1, rows):
        block = x[start : start + rows] if x.ndim else x
        bad = ~np.isfinite(block)
        found = int(np.count_nonzero(bad))
        if found and first is None:
            inside = tuple(int(i) for i in np.argwhere(bad)[0])
            first = (inside[0] + start, *inside[1:]) if inside else ()
        count += found
    if first is None:
        return x
    are = "value that is" if count == 1 else "values that are"
    raise ValueError(
        f"{name} has {count} {are} NaN or infinite; the first is {show(x[first])} {place(first, columns)}. "
        f"Remove or impute such rows. Received: {name}.shape={x.shape}"
    )


def as_indices(x: object, name: str, limit: int | None = None) -> Array:
    """Read array-like whole numbers as int32 rows, such as the input of an Embedding.

    Parameters
    ----------
    x : array-like of shape (n, ...) or (n,)
        Integers, booleans or floats without a fraction.
    name : str
        The argument's name.
    limit : int, default None
        Indices must be at least 0 and below this. None: any int32.

    Returns
    -------
    numpy.ndarray of int32, shape (n, ...)
        C-contiguous.

    Raises
    ------
    TypeError, ValueError
        As `as_array`; ValueError for a fraction or an index outside the limit.

    Examples
    --------
    >>> as_indices([[0, 2], [1, 1]], "x", limit=3)
    array([[0, 2],
           [1, 1]], dtype=int32)
    """
    array = _whole_numbers(check_rows(as_array(x, name), name), name)
    low, high = (_INT32.min, _INT32.max) if limit is None else (0, limit - 1)
    where = _first_outside(array, low, high)
    if where is not None:
        raise ValueError(
            f"{name} has index {int(array[where])} {place(where)}; indices must be {low}..{high}. "
            f"Received: {name}.shape={array.shape}"
        )
    return np.require(array, dtype=np.int32, requirements=["C", "ALIGNED"])


def labels(
    y: object,
    n_classes: int | None,
    name: str = "y",
    *,
    ignore_class: int | None = None,
    places: tuple[int, ...] = (),
) -> Array:
    """Read class labels as int32.

    Parameters
    ----------
    y : array-like of shape (n, *places) or (n, *places, 1)
        Integers, booleans or floats without a fraction.
    n_classes : int or None
        Units of the output layer: labels must be 0..n_classes - 1. None: any label from 0.
    name : str, default "y"
        The argument's name.
    ignore_class : int, default None
        A label that passes whatever the number of classes.
    places : tuple of int, default ()
        Where a sample has labels: the output's shape without its last dimension. () for one label a sample.

    Returns
    -------
    numpy.ndarray of int32, shape (n,), or (n, number of places)
        C-contiguous.

    Raises
    ------
    TypeError, ValueError
        As `as_array`; ValueError for another shape, a fraction or a label out of range.

    Examples
    --------
    >>> labels([0.0, 2.0, 1.0], 3)
    array([0, 2, 1], dtype=int32)
    >>> labels([[[0], [2]], [[1], [1]]], 3, places=(2,))
    array([[0, 2],
           [1, 1]], dtype=int32)
    >>> labels([0, 1, 2, 10], 10)
    Traceback (most recent call last):
        ...
    ValueError: y has label 10 at row 3; the output layer has 10 units, so labels must be 0..9. Received: y.shape=(4,)
    """
    if n_classes is not None and ignore_class is None and not places:
        plain = _core.labels_as_they_are(y, n_classes)
        if plain is not None:
            return plain
    array = as_array(y, name)
    if array.ndim == 0 or array.shape[1:] not in (places, (*places, 1)):
        inner = "".join(f", {size}" for size in places)
        what, shapes = ("place", f"(n{inner}) or (n{inner}, 1)") if places else ("row", "(n,) or (n, 1)")
        raise ValueError(
            f"{name} must hold one label per {what}, shape {shapes}. Rows of class probabilities go with "
            f"a categorical loss instead. Received: {name}.shape={array.shape}"
        )
    check_rows(array, name)
    flat = _whole_numbers(array, name).reshape(len(array), -1) if places else _whole_numbers(array, name).reshape(-1)
    high = _INT32.max if n_classes is None else n_classes - 1
    where = _first_outside(flat, 0, high, ignore_class)
    if where is not None:
        units = "" if n_classes is None else f"the output layer has {count(n_classes, 'unit')}, so "
        raise ValueError(
            f"{name} has label {int(flat[where])} {place(where)}; {units}labels must be 0..{high}. "
            f"Received: {name}.shape={array.shape}"
        )
    return np.require(flat, dtype=np.int32, requirements=["C", "ALIGNED"])


def same_length(arrays: Mapping[str, Any]) -> int:
    """Check that named arrays have the same number of rows, and return it.

    Parameters
    ----------
    arrays : mapping of str to object with a shape
        At least one.

    Raises
    ------
    ValueError
        With every shape.

    Examples
    --------
    >>> same_length({"x": np.zeros((64, 10)), "y": np.zeros(63)})
    Traceback (most recent call last):
        ...
    ValueError: x and y must have the same number of rows. Received: x.shape=(64, 10), y.shape=(63,)
    """
    shapes = {name: tuple(array.shape) for name, array in arrays.items()}
    lengths = {each[0] for each in shapes.values()}
    if len(lengths) != 1:
        received = ", ".join(f"{name}.shape={each}" for name, each in shapes.items())
        raise ValueError(f"{listing(list(shapes), 'and')} must have the same number of rows. Received: {received}")
    return int(lengths.pop())


def _whole_numbers(array: Array, name: str) -> Array:
    """Refuse floats with a fraction, NaN and infinities."""
    if array.dtype.kind != "f":
        return array
    finite(array, name)
    broken = array != np.trunc(array)
    if broken.any():
        where = tuple(int(i) for i in np.argwhere(broken)[0])
        raise ValueError(
            f"{name} must hold whole numbers, but has {show(array[where])} {place(where)}. "
            f"Received: {name}.shape={array.shape}, dtype={array.dtype}"
        )
    return array


def _first_outside(array: Array, low: int, high: int, ignored: int | None = None) -> tuple[int, ...] | None:
    """Return the index of the first element outside low..high that is not `ignored`, or None."""
    if not array.size or (array.min() >= low and array.max() <= high):
        return None
    outside = (array < low) | (array > high)
    if ignored is not None:
        outside &= array != ignored
    return tuple(int(i) for i in np.argwhere(outside)[0]) if outside.any() else None
