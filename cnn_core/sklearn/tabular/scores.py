"""What the best epoch is chosen by: scores of predictions, lower is better."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.foundation.suggestions import alphabetical, did_you_mean
from cnn_core.sklearn.metric_names import SYNONYMS

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
    """Return minus the area under the ROC curve; of several classes the mean of each against the rest.

    Classes that no row has, or all, have no area; NaN if there is none at all.
    """
    classes = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    areas = [_auc(y == label, probabilities[:, label], weights) for label in classes]
    known = [area for area in areas if area == area]
    return -float(np.mean(known)) if known else float("nan")


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
    return float(values.mean() if weights is None else np.average(values, weights=weights))


CLASSIFICATION: dict[str, Score] = {"error": error, "log_loss": log_loss, "brier": brier, "auc": negative_auc}
REGRESSION: dict[str, Score] = {"rmse": rmse, "mae": mae}


def plain_name(metric: object, known: dict[str, Score]) -> Any:
    """Return our name of a metric of scikit-learn's where we have it, else the metric as it is.

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> plain_name("accuracy", CLASSIFICATION), plain_name("f1_macro", CLASSIFICATION)
    ('error', 'f1_macro')
    """
    if callable(metric):
        return metric
    meant = ""
    if isinstance(metric, str):
        name = SYNONYMS.get(metric, metric)
        if name in known:
            return name
        from sklearn.metrics import get_scorer_names

        if metric in get_scorer_names():
            return metric
        meant = did_you_mean(metric, [*known, *get_scorer_names()])
    raise ValueError(
        f"`eval_metric` must be {', '.join(map(repr, alphabetical(known)))}, a scorer of scikit-learn's, or callable. "
        f"Received: eval_metric={metric!r}{meant}"
    )


def by_scorer(scorer: Any, answers: object, y: Array, weights: Array | None, X: object = None) -> float:
    """Return what a scorer of scikit-learn's, by name or as a callable, says of answers; higher is better.

    Parameters
    ----------
    scorer : str or callable of (estimator, X, y)
    answers : object
        What an estimator would answer, see `cnn_core.sklearn.tabular.answers`.
    y : numpy.ndarray
    weights : numpy.ndarray or None
        Passed on to a scorer that takes them.
    X : object, default None
        The rows that were asked for.
    """
    from sklearn.metrics import get_scorer

    scorer = get_scorer(scorer) if isinstance(scorer, str) else scorer
    takes = "sample_weight" in inspect.signature(getattr(scorer, "_score_func", scorer)).parameters
    more = {"sample_weight": weights} if weights is not None and takes else {}
    return float(scorer(answers, X, y, **more))


def negative_of_scorer(
    scorer: object, answers: object, y: Array, weights: Array | None, *, may_be_undefined: bool = False
) -> float:
    """Return minus what a scorer says: lower is better; NaN where it fails and may be undefined for such rows."""
    try:
        return -by_scorer(scorer, answers, y, weights)
    except ValueError:
        if may_be_undefined:
            return float("nan")
        raise
