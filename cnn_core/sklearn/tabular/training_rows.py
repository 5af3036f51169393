"""Which rows of a table to train on and which to hold out, and their weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.sklearn.inputs import sample_weights

LEAST_ROWS_TO_HOLD_OUT = 64  # of fewer, a held-out part says nothing: all are trained on, and the last epoch is kept


@dataclass
class TrainingTable:
    """A table that `fit` was given, checked: y holds class numbers or rows of targets."""

    X: Any
    y: Array
    weights: Array | None
    X_val: Any
    y_val: Any


def rows_and_weights(X: object, y: Array, weights: Array | None) -> tuple[Array, Array | None]:
    """Return the rows to use, and weights by row number.

    In a table too small to hold rows out, a whole number as weight is so many copies of its row, and arrays of numbers
    are brought in an order of their own: the same rows, in whatever order or multiplicity, give the same bits.
    """
    n = len(y)
    rows = np.arange(n)
    whole = weights is not None and bool((weights == np.floor(weights)).all())
    if weights is not None:
        rows = rows[weights > 0]
        if whole and weights.sum() < LEAST_ROWS_TO_HOLD_OUT:
            rows, weights = np.repeat(np.arange(n), weights.astype(np.int64)), None
    if len(rows) < LEAST_ROWS_TO_HOLD_OUT and isinstance(X, np.ndarray) and X.dtype.kind in "iufb":
        rows = ordered(rows, X[rows], y[rows])
    return rows, weights


def ordered(rows: Array, *values: Array) -> Array:
    """Return rows in the order of their values, whose first columns count first."""
    return rows[np.lexsort(np.column_stack(values).T[::-1])]


def split(y: Array, rows: Array, share: float, seed: int, stratify: bool) -> tuple[Array, Array]:
    """Return rows to train on and rows to hold out; of each class the same share, if y holds classes."""
    n_held_out = round(share * len(rows))
    if len(rows) < LEAST_ROWS_TO_HOLD_OUT or n_held_out < 1:
        return rows, np.empty(0, np.int64)
    shuffled = np.random.default_rng(seed).permutation(rows)
    if stratify:
        # Sorted by class, every so-manieth row is held out.
        by_class = shuffled[np.argsort(y[shuffled], kind="stable")]
        chosen = np.zeros(len(rows), bool)
        chosen[np.floor((np.arange(n_held_out) + 0.5) * len(rows) / n_held_out).astype(np.int64)] = True
        return by_class[~chosen], by_class[chosen]
    return shuffled[n_held_out:], shuffled[:n_held_out]


def checked_weights(sample_weight: object, X: Any) -> Array | None:
    """Return sample weights as float64, None for none.

    Raises
    ------
    ValueError
        If one is negative or not finite, if there are not as many as rows, or if all are zero.
    """
    if sample_weight is None:
        return None
    weights = sample_weights(sample_weight, len(X)).astype(np.float64)
    if weights.min() < 0:
        raise ValueError(f"Negative values in data passed to `sample_weight`. Received: {weights.min()}")
    return weights


def relative(weights: Array | None, rows: Array) -> Array | None:
    """Return the weights of these rows with a mean of 1, as the loss divides by the number of rows."""
    if weights is None:
        return None
    chosen = weights[rows]
    return np.ascontiguousarray(chosen / chosen.mean(), np.float32)
