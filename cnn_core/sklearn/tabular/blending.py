"""A weighted mean of models, chosen greedily by what they predict of rows that they have not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cnn_core.foundation.arrays import Array

MOST_STEPS = 40


def greedy_weights(predictions: Sequence[Array], score: Callable[[Array], float]) -> Array:
    """Return weights that sum to 1: the models of the best mean that adding one after the other finds.

    In every step the model that makes the mean of those chosen so far best is added, one that was chosen before, too;
    the best of all these means counts, and of equals the one of fewer steps, and the earlier model.

    Parameters
    ----------
    predictions : sequence of numpy.ndarray of one shape
        Of one model after another.
    score : callable
        Takes predictions, and returns a number; lower is better.

    References
    ----------
    R. Caruana, A. Niculescu-Mizil, G. Crew, A. Ksikes, "Ensemble Selection from Libraries of Models", ICML 2004.

    Examples
    --------
    >>> truth = np.array([1.0, 2.0])
    >>> models = [np.array([0.0, 1.0]), np.array([2.0, 3.0]), np.array([9.0, 9.0])]
    >>> greedy_weights(models, lambda mean: float(np.abs(mean - truth).mean())).tolist()
    [0.5, 0.5, 0.0]
    """
    counts, best_counts, best = np.zeros(len(predictions)), np.zeros(len(predictions)), np.inf
    total = np.zeros_like(predictions[0], np.float64)
    for step in range(1, MOST_STEPS + 1):
        found = [_number(score((total + each) / step)) for each in predictions]
        chosen = int(np.argmin(found))
        counts[chosen] += 1
        total += predictions[chosen]
        if found[chosen] < best or step == 1:
            best, best_counts = found[chosen], counts / step
    return best_counts


def _number(score: float) -> float:
    return float("inf") if score != score else float(score)
