"""Arguments that both estimators read alike."""

from __future__ import annotations

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple


class GivenSet(NamedTuple):
    """Rows as `fit` was given them, beside those to train on."""

    X: object
    y: object
    weights: object


def dense(y: object) -> Array:
    return np.asarray(y.toarray() if hasattr(y, "toarray") else y)


def own_set(X_val: object, y_val: object, sample_weight_val: object) -> GivenSet | None:
    if (X_val is None) != (y_val is None):
        raise ValueError("`X_val` and `y_val` must be given together")
    return None if X_val is None else GivenSet(X_val, y_val, sample_weight_val)
