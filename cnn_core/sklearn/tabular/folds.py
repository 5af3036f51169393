"""Folds of rows: each row is held out once."""

from __future__ import annotations

import numpy as np

from cnn_core.foundation.arrays import Array

FEWEST_ROWS_TO_FOLD = 10  # of fewer, all are trained on and looked at


def folds(labels: Array | None, n: int, n_folds: int, seed: int) -> list[tuple[Array, Array]]:
    """Return places of rows to train on and to hold out, fold by fold; of each class about the same share.

    Parameters
    ----------
    labels : numpy.ndarray of int of shape (n,), or None
        Classes; None for numbers.
    n, n_folds, seed : int

    Examples
    --------
    >>> labels = np.repeat([0, 1], 6)
    >>> [labels[held_out].tolist() for _, held_out in folds(labels, 12, 3, seed=0)]
    [[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]]
    """
    if n < FEWEST_ROWS_TO_FOLD:
        everything = np.arange(n)
        return [(everything, everything)]
    shuffled = np.random.default_rng(seed).permutation(n)
    if labels is not None:
        shuffled = shuffled[np.argsort(labels[shuffled], kind="stable")]
    fold_of = np.empty(n, np.int64)
    fold_of[shuffled] = np.arange(n) % min(n_folds, n)
    return [(np.flatnonzero(fold_of != k), np.flatnonzero(fold_of == k)) for k in range(min(n_folds, n))]
