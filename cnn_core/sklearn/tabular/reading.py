"""What tabular estimators are given as X, read by scikit-learn's rules: a frame as it is, anything else as an array."""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import validate_data

import cnn_core.foundation.validation as validation
from cnn_core.sklearn.tabular.predictor import array_of_rows
from cnn_core.sklearn.tabular.table_arrays import column_names, is_frame, whole_table


def read_table(estimator: object, X: Any, reset: bool) -> Any:
    """Return a table that has rows and columns: a frame, or an array of any type.

    Parameters
    ----------
    estimator : estimator
        Its columns, and their names, become those of X or, unless `reset`, must be the same.
    X : data frame or array-like of shape (n, columns)
    reset : bool

    Raises
    ------
    TypeError, ValueError
        If it is no table, is empty, or has two columns of one name or other columns than in training.
    """
    if hasattr(X, "collect"):
        raise TypeError(f"X must be a data frame: call its `collect()`. Received: {type(X).__name__}")
    validation.rows_at_once(X, "X")
    if is_frame(X):
        X = whole_table(X)
        rows, width = X.shape
        _refuse_repeated(column_names(X))
        if not rows or not width:
            what = f"{rows} sample(s)" if not rows else f"{width} feature(s)"
            raise ValueError(f"Found array with {what} (shape=({rows}, {width})) while a minimum of 1 is required.")
        return validate_data(estimator, X, reset=reset, skip_check_array=True)
    if isinstance(X, (list, tuple)):
        X = array_of_rows(X)
    return validate_data(estimator, X, reset=reset, dtype=None, ensure_all_finite=False)


def _refuse_repeated(names: list[str]) -> None:
    repeated = [name for number, name in enumerate(names) if name in names[:number]]
    if repeated:
        raise ValueError(f"Columns must have names of their own. Received: {repeated[0]!r} more than once")
