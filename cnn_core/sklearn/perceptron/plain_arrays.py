"""Plain arrays, for which scikit-learn's checks of data have one outcome that is known at once.

Those checks take some 100 us, as long as a hundred rows take through a small network; whatever is not plainly in
order goes to them, and so all their messages are scikit-learn's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import cnn_core._core as _core
from cnn_core.foundation.arrays import Array

_REAL = (np.dtype(np.float32), np.dtype(np.float64))


def is_plain_matrix(X: object) -> bool:
    """Whether scikit-learn would take this as it is: finite reals with rows and columns.

    Examples
    --------
    >>> is_plain_matrix(np.ones((2, 3))), is_plain_matrix(np.array([[1.0, np.inf]])), is_plain_matrix([[1.0]])
    (True, False, False)
    """
    return (
        type(X) is np.ndarray
        and X.dtype in _REAL
        and X.ndim == 2
        and X.size > 0
        and X.flags.c_contiguous
        and X.flags.aligned
        and _core.all_finite(X)
    )


def is_plain_target(y: object, n: int) -> bool:
    """Whether scikit-learn would take this as `n` targets as they are: a vector of whole numbers or finite reals.

    Examples
    --------
    >>> is_plain_target(np.arange(3), 3), is_plain_target(np.arange(3), 4), is_plain_target(np.array(["a"]), 1)
    (True, False, False)
    """
    if type(y) is not np.ndarray or y.shape != (n,):
        return False
    return y.dtype.kind in "iu" or (y.dtype in _REAL and bool(np.isfinite(y).all()))


def take_over(estimator: Any, X: Array) -> None:
    """Set what an estimator knows of its features after `fit` on a plain matrix."""
    estimator.n_features_in_ = X.shape[1]
    estimator.__dict__.pop("feature_names_in_", None)


def has_known_features(estimator: object, X: Array) -> bool:
    """Whether a plain matrix has the features that the estimator was fitted with, which had no names."""
    return X.shape[1] == getattr(estimator, "n_features_in_", None) and not hasattr(estimator, "feature_names_in_")
