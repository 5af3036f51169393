"""Probabilities made as sure as they are right: one temperature for all."""

from __future__ import annotations

import numpy as np

from cnn_core.foundation.arrays import Array

LARGEST_LOG = 3.0  # of the temperature
SMALLEST = 1e-7  # of a probability
_STEPS = 60
_GOLDEN = (np.sqrt(5.0) - 1) / 2


def tempered(probabilities: Array, temperature: float) -> Array:
    """Return ``p**(1 / T)``, scaled to sum to 1 in each row.

    Examples
    --------
    >>> tempered(np.array([[0.8, 0.2]]), 0.5).round(4)
    array([[0.9412, 0.0588]])
    """
    return softmax(np.log(np.clip(probabilities.astype(np.float64), SMALLEST, None)) / temperature)


def softmax(logits: Array) -> Array:
    """Return ``exp(z) / sum(exp(z))`` of each row.

    Examples
    --------
    >>> softmax(np.log([[8.0, 2.0]])).round(4)
    array([[0.8, 0.2]])
    """
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def best_temperature(probabilities: Array, labels: Array, weights: Array | None = None) -> float:
    """Return the temperature with which the probabilities of the true classes are best, by their log loss.

    As a function of 1 / T the log loss is convex, so that a golden section finds its only minimum.

    Parameters
    ----------
    probabilities : numpy.ndarray of shape (n, classes)
        Of rows that the model has not seen.
    labels : numpy.ndarray of int of shape (n,)
    weights : numpy.ndarray of shape (n,), default None

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.

    Examples
    --------
    >>> sure = np.array([[0.99, 0.01]] * 4)
    >>> temperature = best_temperature(sure, np.array([0, 0, 0, 1]))
    >>> tempered(sure, temperature)[0].round(3).tolist()
    [0.75, 0.25]
    """

    def loss(log_temperature: float) -> float:
        chosen = tempered(probabilities, np.exp(log_temperature))[np.arange(len(labels)), labels]
        return float(np.average(-np.log(np.clip(chosen, 1e-15, None)), weights=weights))

    low, high = -LARGEST_LOG, LARGEST_LOG
    for _ in range(_STEPS):
        first, second = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        low, high = (low, second) if loss(first) <= loss(second) else (first, high)
    return float(np.exp((low + high) / 2))
