"""Whether a network shall learn the logarithm of a target, decided on rows held out from a linear model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.sklearn.tabular.folds import folds
from cnn_core.sklearn.tabular.ridge import ridge
from cnn_core.sklearn.tabular.target_scale import TargetLogarithm, skewness
from cnn_core.sklearn.tabular.training_rows import LEAST_ROWS_TO_HOLD_OUT

LEAST_SKEWNESS = 1.0  # of a target without a long tail, nothing else is tried
MOST_ROWS = 2000
MOST_FEATURES = 400  # of more, fewer rows are looked at, so that a linear model stays a matter of milliseconds
ROWS_OF_WIDE = 800
_FOLDS = 5
_LEAST_GAIN = 0.002  # of the squared error, below which the target stays as it is


def chosen_logarithm(y: Array, features: Callable[[], Array], seed: int) -> TargetLogarithm | None:
    """Return the logarithm to learn instead of a target; None to learn the target itself.

    Where the target is skewed, a ridge regression of it and one of its logarithm are compared by the squared errors of
    their predictions in the target's units for rows that they have not seen.

    Parameters
    ----------
    y : numpy.ndarray of shape (n,)
    features : callable
        Returns the table's features, (n, features); it is called only where they are needed.
    seed : int
        Of the folds.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(200, 1))
    >>> chosen_logarithm(np.exp(x[:, 0]), lambda: x, seed=0).sign
    1
    >>> chosen_logarithm(x[:, 0], lambda: x, seed=0) is None
    True
    """
    if len(y) < LEAST_ROWS_TO_HOLD_OUT or abs(skewness(y)) < LEAST_SKEWNESS:
        return None
    logarithm = TargetLogarithm.of(y)
    if logarithm is None:
        return None
    x = features()
    most = MOST_ROWS if x.shape[1] <= MOST_FEATURES else ROWS_OF_WIDE
    if len(y) > most:
        kept = np.random.default_rng(seed).permutation(len(y))[:most]
        x, y = x[kept], y[kept]
    plain, learnt = _squared_errors(x.astype(np.float64), y, logarithm, seed)
    return logarithm if learnt < (1 - _LEAST_GAIN) * plain else None


def _squared_errors(x: Array, y: Array, logarithm: TargetLogarithm, seed: int) -> tuple[float, float]:
    """The sums of squared errors of linear models of a target and of its logarithm, for held-out rows."""
    sums, both = np.zeros(2), np.stack([y, logarithm.logarithm(y)], axis=1)
    for train, held_out in folds(None, len(y), _FOLDS, seed):
        model = ridge(x[train], both[train], 1 + x.shape[1] / 10)
        residuals = both[train, 1] - model(x[train])[:, 1]
        plain, learnt = model(x[held_out]).T
        smeared = learnt + logarithm.sign * np.log(np.exp(logarithm.sign * residuals).mean())
        found = plain.clip(logarithm.low, logarithm.high), logarithm.prediction(smeared)
        sums += [float(((each - y[held_out]) ** 2).sum()) for each in found]
    return float(sums[0]), float(sums[1])
