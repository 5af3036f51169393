"""Targets and weights that `fit` is given: what scikit-learn's checks let through."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time, timedelta
from numbers import Number, Real
from typing import Any

import numpy as np
from sklearn.utils import check_array, compute_sample_weight

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.sparse import check_sparse

_TIMES = (date, time, timedelta, np.datetime64, np.timedelta64)
_OF_TIMES = "Convert dates and times to numbers of a unit of your choice: (t - t.min()) / np.timedelta64(1, 'D')"


def check_numbers(values: object, name: str) -> None:
    """Refuse texts, bytes, dates and times, of which NumPy makes numbers without a word.

    Parameters
    ----------
    values : array-like
        A list, an array, a column or a table.
    name : str
        The argument's, for the message.

    Raises
    ------
    ValueError
        If there are any.

    Examples
    --------
    >>> check_numbers([1, 2.5, True], "y")
    >>> check_numbers(["1", "2"], "y")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: could not convert string to float: `y` must hold numbers. Received: '1'. Texts become numbers by ...
    """
    validation.rows_at_once(values, name)
    if hasattr(values, "tocsr"):
        return
    array = np.asarray(values)
    if array.dtype.kind in "biufc" or not array.size:
        return
    found = next((each for each in array.ravel() if isinstance(each, (str, bytes, *_TIMES))), None)
    if isinstance(found, (str, bytes)):
        text = found.item() if isinstance(found, np.generic) else found
        raise ValueError(
            f"could not convert string to float: `{name}` must hold numbers. Received: {text!r}. "
            "Texts become numbers by astype(float)"
        )
    if found is not None:
        raise ValueError(f"`{name}` must hold numbers. Received: {found} of {array.dtype}. {_OF_TIMES}")


def check_labels(y: Any, name: str = "y") -> None:
    """Refuse bytes as class labels, in the words of scikit-learn since 1.7, and objects that neither sort nor save.

    Raises
    ------
    TypeError
        If there are any.

    Examples
    --------
    >>> check_labels(["a", "b"])
    >>> check_labels(np.array(["a", 1], object))
    Traceback (most recent call last):
    TypeError: Unknown label type: `y` must hold texts, whole numbers or booleans. Received: 1 of type int among ... ...
    """
    labels = y if hasattr(y, "tocsr") else np.asarray(y)
    if labels.dtype.kind == "S" or (labels.dtype == object and labels.size and isinstance(labels.flat[0], bytes)):
        raise TypeError(
            "Support for labels represented as bytes is not supported. "
            "Convert the labels to a string or integer format."
        )
    if labels.dtype != object or labels.ndim != 1:
        return
    for label in labels.tolist():
        if not isinstance(label, str):
            raise TypeError(
                f"Unknown label type: `{name}` must hold texts, whole numbers or booleans. Received: {label} of type "
                f"{type(label).__name__} among objects. Whole numbers become plain by astype(int), anything else by "
                "astype(str)"
            )


def as_written(y: Any) -> Any:
    """Return nullable integers and booleans of pandas as NumPy's, of which scikit-learn would make floats.

    Examples
    --------
    >>> as_written([1, 2])
    [1, 2]
    """
    plain = getattr(getattr(y, "dtype", None), "numpy_dtype", None)
    if plain is None or plain.kind not in "biu" or y.isna().any():
        return y
    return y.to_numpy(dtype=plain)


def check_features(X: object) -> None:
    """Refuse what is no table, damaged sparse matrices, dates and times, whose numbers depend on the unit of storage.

    Raises
    ------
    ValueError
        If it is one, or there are any.
    """
    validation.rows_at_once(X, "X")
    check_sparse(X, "X")
    own = getattr(X, "dtype", None)
    dtypes = getattr(X, "dtypes", ()) if own is None else (own,)
    for dtype in dtypes:
        if getattr(dtype, "kind", "") in ("m", "M"):
            raise ValueError(f"`X` must hold numbers. Received: dtype {dtype}. {_OF_TIMES}")


def sample_weights(given: object, n: int, name: str = "sample_weight") -> Array:
    """Return one weight for each of `n` rows, from an array or a number, in scikit-learn's words where it refuses.

    Raises
    ------
    ValueError
        If they are not finite numbers, not `n`, or all zero.

    Examples
    --------
    >>> sample_weights(2, 3), sample_weights([0, 1], 2)
    (array([2., 2., 2.]), array([0., 1.]))
    """
    if isinstance(given, Number):
        given = np.full(n, given)
    check_numbers(given, name)
    dtypes = (np.float64, np.float32)
    weights: Array = check_array(given, ensure_2d=False, dtype=dtypes, order="C", input_name=name)
    if weights.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar, got {weights.ndim}D array. Expected either a scalar value or "
            f"a 1D array of length {n}."
        )
    if weights.shape != (n,):
        raise ValueError(f"{name}.shape == {weights.shape}, expected {(n,)}!")
    return _some_weight(weights)


def with_class_weight(class_weight: object, y: object, weights: Array | None) -> Array | None:
    """Return sample weights, None for ones, multiplied by the factors of the rows' classes.

    Parameters
    ----------
    class_weight : dict, "balanced", list of dict or None
    y : array-like or sparse matrix
    weights : numpy.ndarray or None

    Raises
    ------
    ValueError
        If a factor is negative or not finite, a class has none, or nothing has any weight.

    Examples
    --------
    >>> with_class_weight({"a": 3, "b": 1}, np.array(["a", "b"]), None)
    array([3., 1.])
    """
    if class_weight is None:
        return weights
    for each in class_weight if isinstance(class_weight, list) else [class_weight]:
        _check_factors(each)
    factors = compute_sample_weight(class_weight, y.toarray() if hasattr(y, "toarray") else y)
    return _some_weight(np.asarray(factors if weights is None else factors * weights))


def _check_factors(class_weight: object) -> None:
    for factor in class_weight.values() if isinstance(class_weight, Mapping) else ():
        if not isinstance(factor, Real) or not 0 <= float(factor) < np.inf:
            raise ValueError(
                f"`class_weight` must hold finite numbers of at least 0. Received: class_weight={class_weight!r}"
            )


def _some_weight(weights: Array) -> Array:
    if not weights.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights
