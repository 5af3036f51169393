"""Arrays of texts, and of whole numbers of any size: what vocabularies and hashes read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cnn_core.foundation.validation.arrays import as_array, is_sparse
from cnn_core.foundation.validation.messages import Array, place, show

_TEXT_KINDS = "UST"  # NumPy's letters: texts and bytes of one width, texts of any


def as_texts(x: object, name: str) -> Array:
    """Read anything that resembles an array of texts as a NumPy array of `str` objects.

    Parameters
    ----------
    x : array-like
        A NumPy array of texts, of bytes in UTF-8, or of objects that are either; a text; a nested list; a column or
        a frame of pandas or polars; a tensor of TensorFlow.
    name : str
        The argument's name.

    Returns
    -------
    numpy.ndarray of object
        Of the same shape; `x` itself if it is one of `str` already.

    Raises
    ------
    TypeError
        If it holds anything but texts.
    ValueError
        If a text is missing, or bytes are no UTF-8.

    Examples
    --------
    >>> as_texts(np.array(["a", "bc"]), "x")
    array(['a', 'bc'], dtype=object)
    >>> as_texts([["a"], [None]], "x")
    Traceback (most recent call last):
        ...
    ValueError: x has a missing value at row 1, column 0. Fill it first, such as with "". Received: None
    """
    array = _objects(x, name)
    kinds = set(map(type, array.ravel().tolist()))
    if all(issubclass(kind, str) for kind in kinds):
        return array
    if not all(issubclass(kind, (str, bytes)) for kind in kinds):
        _refuse(array, name)
    texts = np.empty(array.size, object)
    try:
        texts[:] = [each if isinstance(each, str) else each.decode() for each in array.ravel().tolist()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} must hold texts, or bytes in UTF-8. Received: {show(error.object)}") from None
    return texts.reshape(array.shape)


def as_tokens(x: object, name: str) -> Array:
    """Read an array-like of texts as `as_texts` does, anything else as whole numbers.

    Returns
    -------
    numpy.ndarray of object or int64

    Raises
    ------
    TypeError, ValueError
        As `as_texts` and `as_whole_numbers`.

    Examples
    --------
    >>> as_tokens(["a"], "x"), as_tokens([[3.0]], "x")
    (array(['a'], dtype=object), array([[3]]))
    """
    return as_texts(x, name) if holds_texts(x) else as_whole_numbers(x, name)


def as_whole_numbers(x: object, name: str) -> Array:
    """Read an array-like of whole numbers as int64.

    Parameters
    ----------
    x : array-like
        Integers, booleans, or floats without a fraction.
    name : str
        The argument's name.

    Raises
    ------
    TypeError, ValueError
        As `as_array`; ValueError for a fraction, or a number that int64 cannot hold.

    Examples
    --------
    >>> as_whole_numbers([2**40, -3.0], "x")
    array([1099511627776,            -3])
    """
    array = as_array(x, name)
    if array.dtype.kind in "bi":
        return array.astype(np.int64, copy=False)
    with np.errstate(invalid="ignore"):
        whole = array.astype(np.int64)
        same = (whole == array) & (np.abs(array) < 2.0**63)
    if not same.all():
        where = tuple(int(i) for i in np.argwhere(~same)[0])
        raise ValueError(
            f"{name} must hold whole numbers that int64 has, but has {show(array[where])} {place(where)}. "
            f"Received: dtype={array.dtype}"
        )
    return whole


def holds_texts(x: object) -> bool:
    """Tell whether an array-like is one of texts, by its type or the first thing in it.

    Examples
    --------
    >>> holds_texts([["a"]]), holds_texts(np.zeros(2)), holds_texts(np.array([b"a"]))
    (True, False, True)
    """
    while isinstance(x, (list, tuple)) and x:
        x = x[0]
    if isinstance(x, (str, bytes)):
        return True
    if not isinstance(x, np.ndarray):
        if not hasattr(x, "dtype") and not hasattr(x, "columns"):
            return False
        x = _objects(x, "x") if _may_hold_texts(x) else np.empty(0)
    if x.dtype.kind == "O":
        return any(isinstance(each, (str, bytes)) for each in x.ravel()[:1000].tolist())
    return x.dtype.kind in _TEXT_KINDS


def _may_hold_texts(x: Any) -> bool:
    """Whether the type of a column, a frame's columns or a tensor leaves it open."""
    kinds = x.dtypes if hasattr(x, "columns") else [x.dtype]
    return not all(str(kind).lower().lstrip("u").startswith(("int", "float", "bool")) for kind in kinds)


def _objects(x: object, name: str) -> Array:
    if isinstance(x, Mapping) or is_sparse(x) or x is None:
        raise TypeError(f"{name} must be an array of texts. Received: {name} of type {type(x).__name__}")
    if isinstance(x, (list, tuple)):
        return np.array(x, object)
    array = np.asarray(x.to_numpy() if hasattr(x, "to_numpy") else x)
    return array.astype(object, copy=False)


def _refuse(array: Array, name: str) -> None:
    """Refuse an array with something else than texts in it."""
    where, value = next((w, v) for w, v in np.ndenumerate(array) if not isinstance(v, (str, bytes)))
    if value is None or type(value).__name__ in ("NAType", "NaTType") or value != value:
        raise ValueError(
            f'{name} has a missing value {place(where)}. Fill it first, such as with "". Received: {value}'
        )
    if isinstance(value, (list, tuple)):
        raise ValueError(f"{name} must have rows of one length. Received: {show(value)} {place(where)}")
    raise TypeError(
        f"{name} must hold texts, but has {show(value)} {place(where)}. Convert numbers first, as by .astype(str). "
        f"Received: {name} of dtype {array.dtype}"
    )
