"""Arguments that both estimators read alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnn_core.foundation.arrays import Array


def dense(y: object) -> Array:
    return np.asarray(y.toarray() if hasattr(y, "toarray") else y)


def own_set(X_val: object, y_val: object, sample_weight_val: object) -> tuple[Any, Any, Any] | None:
    if (X_val is None) != (y_val is None):
        raise ValueError("`X_val` and `y_val` must be given together")
    return None if X_val is None else (X_val, y_val, sample_weight_val)
