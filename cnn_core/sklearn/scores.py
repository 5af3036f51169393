"""What the best epoch is chosen by: scores of predictions, the less the better. Floor 5."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cnn_core.arrays import Array

Score = Callable[[Array, Array, "Array | None"], float]


def error(y: Array, probabilities: Array, weights: Array | None = None) -> float:
    """Return the share of rows whose most probable class is wrong.

    Examples
    --------
    >>> error(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]))
    0.5
    """
    return _mean(probabilities.argmax(axis=1) != y, weights)


def log_loss(y: Array, probabilities: Array, weights: Array | None = None) -> float:
    """Return the mean of -log p(true class)."""
    chosen = probabilities[np.arange(len(y)), y].astype(np.float64)
    return _mean(-np.log(np.clip(chosen, 1e-15, None)), weights)


def brier(y: Array, probabilities: Array, weights: Array | None = None) -> float:
    """Return the mean over rows of the squared distance between the probabilities and the truth."""
    wrong = probabilities.astype(np.float64)
    wrong[np.arange(len(y)), y] -= 1
    return _mean((wrong**2).sum(axis=1), weights)


def negative_auc(y: Array, probabilities: Array, weights: Array | None = None) -> float:
    """Return minus the area under the ROC curve; of several classes the mean of each against the rest."""
    classes = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    areas = [_auc(y == label, probabilities[:, label], weights) for label in classes]
    known = [area for area in areas if area == area]
    return -float(np.mean(known)) if known else 0.0


def _auc(positive: Array, score: Array, weights: Array | None) -> float:
    """The probability that a positive row scores above a negative one, ties counting one half."""
    weight = np.ones(len(score)) if weights is None else weights
    _, group = np.unique(score, return_inverse=True)
    ups = np.bincount(group, weight * positive)
    downs = np.bincount(group, weight * ~positive)
    below = np.cumsum(downs) - downs
    pairs = float(ups.sum() * downs.sum())
    return float((ups * (below + 0.5 * downs)).sum()) / pairs if pairs else float("nan")


def rmse(y: Array, predictions: Array, weights: Array | None = None) -> float:
    """Return the root of the mean squared error."""
    return float(np.sqrt(_mean(((predictions - y) ** 2).mean(axis=1), weights)))


def mae(y: Array, predictions: Array, weights: Array | None = None) -> float:
    """Return the mean absolute error."""
    return _mean(np.abs(predictions - y).mean(axis=1), weights)


def pinball(levels: Array) -> Score:
    """Return the score of predicted quantiles: the mean of max(q d, (q - 1) d) with d = y - prediction."""

    def score(y: Array, predictions: Array, weights: Array | None = None) -> float:
        difference = y - predictions
        return _mean(np.maximum(levels * difference, (levels - 1) * difference).mean(axis=1), weights)

    return score


def _mean(values: Array, weights: Array | None) -> float:
    """A mean that a NaN makes infinitely bad."""
    mean = float(values.mean() if weights is None else np.average(values, weights=weights))
    return mean if mean == mean else float("inf")


CLASSIFICATION: dict[str, Score] = {"error": error, "log_loss": log_loss, "brier": brier, "auc": negative_auc}
REGRESSION: dict[str, Score] = {"rmse": rmse, "mae": mae}


def named(metric: Any, known: dict[str, Score]) -> Score:
    """Return a score by its name, or a callable of (y, predictions, weights) as it is.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if callable(metric):
        score: Score = metric
        return score
    if metric not in known:
        raise ValueError(
            f"`eval_metric` must be one of {', '.join(known)}, or callable. Received: eval_metric={metric!r}"
        )
    return known[metric]
