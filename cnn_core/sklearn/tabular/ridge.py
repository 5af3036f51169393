"""Ridge regressions: of one penalty, and of all."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cnn_core.foundation.arrays import Array

STRENGTHS = np.logspace(3, -8, 23)  # of the penalty, in mean eigenvalues; the strongest first


def ridge(x: Array, targets: Array, penalty: float) -> Callable[[Array], Array]:
    """Return what predicts targets from features: the solution for one penalty.

    With centred features z and targets t the kernel is ``(z' z + penalty I)^-1 z' t``, which of more features than rows
    is computed as ``z' (z z' + penalty I)^-1 t``.

    Parameters
    ----------
    x : numpy.ndarray of shape (n, features)
    targets : numpy.ndarray of shape (n, k)
    penalty : float

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [2.0]])
    >>> ridge(x, 2 * x, penalty=2.0)(np.array([[3.0]])).round(9)
    array([[4.]])
    """
    center, mean = x.mean(axis=0), targets.mean(axis=0)
    z, (n, width) = x - center, x.shape
    if width <= n:
        kernel = np.linalg.solve(z.T @ z + penalty * np.eye(width), z.T @ (targets - mean))
    else:
        kernel = z.T @ np.linalg.solve(z @ z.T + penalty * np.eye(n), targets - mean)
    return lambda rows: np.asarray((rows - center) @ kernel + mean)


class RidgePath:
    """The solutions for all penalties, from one decomposition.

    Parameters
    ----------
    x : numpy.ndarray of shape (n, features)
    targets : numpy.ndarray of shape (n, k)
    weights : numpy.ndarray of shape (n,), or None

    Attributes
    ----------
    penalties : numpy.ndarray
        `STRENGTHS` times the mean of the eigenvalues that are decomposed: of z' z, or of z z' where there are more
        features than rows.

    References
    ----------
    A. E. Hoerl, R. W. Kennard, "Ridge Regression: Biased Estimation for Nonorthogonal Problems", Technometrics 12
    (1970).

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [2.0]])
    >>> [each.round(9).tolist() for each in RidgePath(x, 2 * x).solution(2.0)]
    [[[1.0]], [1.0]]
    """

    def __init__(self, x: Array, targets: Array, weights: Array | None = None) -> None:
        self._center, self._mean = (np.average(each, axis=0, weights=weights) for each in (x, targets))
        z, t = x - self._center, targets - self._mean
        if weights is not None:
            roots = np.sqrt(weights)[:, None]
            z, t = roots * z, roots * t
        if z.shape[1] <= len(z):
            values, vectors = np.linalg.eigh(z.T @ z)
            self._before, self._after = vectors, vectors.T @ (z.T @ t)
        else:
            values, vectors = np.linalg.eigh(z @ z.T)
            self._before, self._after = z.T @ vectors, vectors.T @ t
        self._values = values.clip(0)[:, None]
        self.penalties = STRENGTHS * (self._values.mean() or 1.0)

    def solution(self, penalty: float) -> tuple[Array, Array]:
        """Return the kernel, (features, k), and the bias, (k,)."""
        kernel = self._before @ (self._after / (self._values + penalty))
        return kernel, self._mean - self._center @ kernel

    def solutions(self) -> Iterator[tuple[Array, Array]]:
        """Yield those of all penalties."""
        return map(self.solution, self.penalties)
