"""Logistic regressions of all penalties."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cnn_core.foundation.arrays import Array

STRENGTHS = np.logspace(2, -3, 11)  # of the penalty, in mean squares of features; the strongest first
_SETTINGS = {"maxiter": 50, "ftol": 1e-7}  # for each penalty, from the solution for the one before


def logistic_path(x: Array, targets: Array, weights: Array | None = None) -> Iterator[tuple[Array, Array]]:
    """Yield the kernels, (features, classes), and biases, (classes,), of one penalty after the other.

    They minimise the cross-entropy of ``softmax(x . kernel + bias)`` summed over the rows, plus
    ``penalty / 2 * sum(kernel**2)``, by L-BFGS. Penalties are `STRENGTHS` times the sum of squares of the centred
    features over 4 times the rows or the features, whichever are fewer: the mean curvature of the sum, at most.

    Parameters
    ----------
    x : numpy.ndarray of shape (n, features)
    targets : numpy.ndarray of shape (n, classes)
        Probabilities.
    weights : numpy.ndarray of shape (n,), default None

    References
    ----------
    S. le Cessie, J. C. van Houwelingen, "Ridge Estimators in Logistic Regression", Applied Statistics 41 (1992).

    Examples
    --------
    >>> targets = np.eye(2)[[0, 0, 0, 1]]
    >>> kernel, bias = next(logistic_path(np.zeros((4, 1)), targets))
    >>> kernel.tolist(), (np.exp(bias) / np.exp(bias).sum()).round(4).tolist()
    ([[0.0, 0.0]], [0.75, 0.25])
    """
    import scipy.optimize

    center = x.mean(axis=0)
    z, of_rows = x - center, np.ones((len(x), 1)) if weights is None else weights[:, None].astype(np.float64)
    shape = x.shape[1] + 1, targets.shape[1]

    def objective(flat: Array, penalty: float) -> tuple[float, Array]:
        kernel, bias = flat.reshape(shape)[:-1], flat.reshape(shape)[-1]
        logits = z @ kernel + bias
        logits -= logits.max(axis=1, keepdims=True)
        logarithms = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        errors = of_rows * (np.exp(logarithms) - targets)
        value = -(of_rows * targets * logarithms).sum() + penalty / 2 * (kernel**2).sum()
        return float(value), np.concatenate([z.T @ errors + penalty * kernel, errors.sum(axis=0)[None]]).ravel()

    flat = np.zeros(shape).ravel()
    curvature = float((of_rows * z**2).sum()) / (4 * max(1, min(x.shape))) or 1.0
    for penalty in STRENGTHS * curvature:
        flat = scipy.optimize.minimize(objective, flat, (penalty,), "L-BFGS-B", jac=True, options=_SETTINGS).x
        kernel, bias = flat.reshape(shape)[:-1], flat.reshape(shape)[-1]
        yield kernel, bias - center @ kernel
