"""Targets of tables as arrays: classes without gaps, numbers of one or two dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, column_or_1d

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.sklearn.inputs import check_labels, check_numbers
from cnn_core.sklearn.tabular.columns import is_missing


def plain_target(y: Any, name: str = "y") -> Any:
    """A series of pandas or polars, or an array of Arrow, as an array of NumPy."""
    validation.rows_at_once(y, name)
    if hasattr(y, "to_pylist"):
        return y.to_numpy(zero_copy_only=False)
    return y.to_numpy() if hasattr(y, "to_numpy") else y


def refuse_missing(y: Array, name: str = "y") -> None:
    """Missing classes and infinity, which scikit-learn would turn into classes or warnings."""
    if y.dtype.kind in "iub" or (y.dtype.kind == "f" and np.isfinite(y).all()):
        return
    for row, value in enumerate(y.tolist()):
        if is_missing(value) or (isinstance(value, float) and np.isinf(value)):
            raise ValueError(f"{name} must have a class for every row. Input {name} contains {value!r} in row {row}")


def class_targets(y: Any) -> Array:
    """Targets as a vector of class labels; a single column as a vector, with scikit-learn's warning."""
    y = column_or_1d(plain_target(y), warn=True)
    refuse_missing(y)
    check_labels(y)
    check_classification_targets(y)
    return np.asarray(y)


def numeric_targets(y: Any, name: str = "y") -> Array:
    """Targets as float64 of one or two dimensions; a single column as a vector, with scikit-learn's warning."""
    plain = plain_target(y, name)
    check_numbers(plain, name)
    y = check_array(plain, ensure_2d=False, dtype=np.float64, input_name=name)
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    if y.ndim > 2:
        raise ValueError(f"{name} must have the shape (n,) or (n, targets). Received: {name}.shape={y.shape}")
    return np.asarray(y)
