"""What estimators are given as X and y, read by scikit-learn's rules: it refuses in its words, and knows its features.

A model's `Reader` asks how wide its inputs are; an estimator learns that here, with the names of its features. Both
take a plain array as it stands, which native code looks at: scikit-learn's checks of one take some 100 us, as long as a
hundred rows through a small network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.validation import validate_data

import cnn_core._core as _core
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.sparse import check_sparse
from cnn_core.sklearn.inputs import check_features

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


REAL = (np.dtype(np.float64), np.dtype(np.float32))
SPARSE = ["csr", "csc"]


def read_features(estimator: object, X: object) -> Any:
    """Return the rows of a fitted estimator's call as a matrix, dense or sparse.

    Raises
    ------
    ValueError
        If they are no finite numbers, or have other features than in training.
    """
    if _is_plain_of(estimator, X):
        return X
    check_features(X)
    return validate_data(estimator, X, accept_sparse=SPARSE, reset=False)


def read_pair(estimator: BaseEstimator, X: Any, y: Any, reset: bool, **checks: object) -> tuple[Any, Any]:
    """Return X, a matrix dense or sparse, and y, whose single column becomes a vector.

    Parameters
    ----------
    estimator : estimator
        Its features, and their names, become those of X or, unless `reset`, must be the same.
    X, y : array-like or sparse matrix
    reset : bool
    **checks
        More of `sklearn.utils.validation.validate_data`'s.

    Raises
    ------
    ValueError
        If they are not as they should be, or have different numbers of rows.
    """
    if reset and is_plain_matrix(X) and is_plain_target(y, len(X)):
        _take_over(estimator, X)
        return X, y
    if not reset and _is_plain_of(estimator, X) and is_plain_target(y, len(X)):
        return X, y
    check_features(X)
    validation.rows_at_once(y, "y")
    check_sparse(y, "y")
    X, y = validate_data(estimator, X, y, accept_sparse=SPARSE, multi_output=True, dtype=REAL, reset=reset, **checks)
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    return X, y


def is_plain_matrix(X: object) -> bool:
    """Whether scikit-learn would take this as it is: finite reals with rows and columns.

    Examples
    --------
    >>> is_plain_matrix(np.ones((2, 3))), is_plain_matrix(np.array([[1.0, np.inf]])), is_plain_matrix([[1.0]])
    (True, False, False)
    """
    return type(X) is np.ndarray and X.dtype in REAL and X.ndim == 2 and _core.reads_in_place(X, X.dtype, X.shape[1])


def is_plain_target(y: object, n: int) -> bool:
    """Whether scikit-learn would take this as `n` targets as they are: a vector of whole numbers or finite reals.

    Examples
    --------
    >>> is_plain_target(np.arange(3), 3), is_plain_target(np.arange(3), 4), is_plain_target(np.array(["a"]), 1)
    (True, False, False)
    """
    if type(y) is not np.ndarray or y.shape != (n,):
        return False
    return y.dtype.kind in "iu" or (y.dtype in REAL and bool(np.isfinite(y).all()))


def _take_over(estimator: Any, X: Array) -> None:
    """Set what an estimator knows of its features after `fit` on a plain matrix."""
    estimator.n_features_in_ = X.shape[1]
    estimator.__dict__.pop("feature_names_in_", None)


def _is_plain_of(estimator: object, X: object) -> bool:
    """Whether this is a plain matrix of the features that the estimator was fitted with, which had no names."""
    known = estimator.__dict__
    return (
        type(X) is np.ndarray
        and X.dtype in REAL
        and "feature_names_in_" not in known
        and _core.reads_in_place(X, X.dtype, known.get("n_features_in_", -1))
    )
