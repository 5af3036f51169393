"""Predictions of a fitted estimator for dask collections: lazy, partition by partition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from dask import delayed

from cnn_core.sklearn.dask.collections import checked_features, is_array

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


def predicted(estimator: BaseEstimator, method: str, X: Any) -> Any:
    """Return what a method of a fitted estimator says of every partition.

    Parameters
    ----------
    estimator : object
    method : str
        One that returns an array with a row for each row.
    X : dask.array.Array of shape (n, features), or dask.dataframe.DataFrame

    Returns
    -------
    dask.array.Array of an array; of a frame a dask Series or, with several columns, a DataFrame, with the frame's index
    """
    X = checked_features(X)
    # As one task, and not as part of every partition's.
    shared = delayed(estimator, pure=False, traverse=False)
    if not is_array(X):
        meta = _frame_of(estimator, method, X._meta_nonempty).iloc[:0]
        return X.map_partitions(_frame, shared, method, meta, meta=meta)
    empty = _rows(estimator, method, np.ones((1, X.shape[1]), X.dtype))[:0]
    more: dict[str, Any] = {"drop_axis": 1} if empty.ndim == 1 else {"chunks": (X.chunks[0], (empty.shape[1],))}
    return X.map_blocks(_block, shared, method, empty, dtype=empty.dtype, meta=empty, **more)


def _rows(estimator: BaseEstimator, method: str, X: object) -> Any:
    return getattr(estimator, method)(X)


def _block(X: Any, estimator: BaseEstimator, method: str, empty: object) -> Any:
    return _rows(estimator, method, X) if len(X) else empty


def _frame(X: Any, estimator: BaseEstimator, method: str, empty: object) -> Any:
    return _frame_of(estimator, method, X) if len(X) else empty


def _frame_of(estimator: BaseEstimator, method: str, X: Any) -> Any:
    """The rows as a series or a frame of pandas with the index of X; probabilities have the classes as columns."""
    import pandas

    rows = _rows(estimator, method, X)
    if rows.ndim == 1:
        return pandas.Series(rows, index=X.index, name=method)
    of_classes = rows.shape[1] == len(getattr(estimator, "classes_", ()))
    return pandas.DataFrame(rows, index=X.index, columns=estimator.classes_ if of_classes else None)
