"""Ridge regressions of one penalty, and networks without hidden layers that are one, of the penalty that serves best.

Descent in few steps ends far from the solution where columns are many or alike; the solution itself has a formula.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import cnn_core.losses as losses
from cnn_core.foundation.arrays import Array
from cnn_core.sklearn.tabular.layout import Layout
from cnn_core.sklearn.tabular.network import TabularNetwork

STRENGTHS = np.logspace(3, -8, 23)  # of the penalty, in mean eigenvalues; the strongest first
MOST_UNKNOWNS = 1000  # features or rows, whichever are fewer: the time grows with their cube


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


def has_formula(network: TabularNetwork, loss: losses.Loss, n: int) -> bool:
    """Whether a network that learns n rows is a ridge regression of few enough unknowns."""
    recipe, layout = network.recipe, network.layout
    return (
        isinstance(loss, losses.MeanSquaredError)
        and not (recipe.hidden or recipe.n_waves or recipe.n_sharing)
        and (not layout.n_codes or network.n_out <= recipe.embedding_width)
        and min(n, _width(layout)) <= MOST_UNKNOWNS
    )


def solve(
    network: TabularNetwork,
    x: Array,
    targets: Array,
    weights: Array | None,
    x_held_out: Array,
    score: Callable[[Array], float],
) -> None:
    """Set a network's weights to the ridge regression whose outputs for held-out rows have the best score.

    Parameters
    ----------
    network : TabularNetwork
        Of one member, of which `has_formula` is true; every value of an embedded category has a coefficient of its own.
    x : numpy.ndarray of shape (n, layout.width)
    targets : numpy.ndarray of shape (n, n_out)
    weights : numpy.ndarray of shape (n,), or None
    x_held_out : numpy.ndarray of shape (m, layout.width)
    score : callable
        Takes outputs for the held-out rows, (m, n_out), and returns a number, lower is better.
    """
    path = RidgePath(_indicators(x, network.layout), targets.astype(np.float64), weights)
    best, kept = np.inf, network.values.copy()
    for number, penalty in enumerate(path.penalties):
        _assign(network, *path.solution(penalty))
        found = score(network.predict(x_held_out)[0])
        if number == 0 or found < best:
            best, kept = np.inf if found != found else found, network.values.copy()
    network.values[...] = kept


def _width(layout: Layout) -> int:
    return layout.n_numbers + layout.n_others + sum(layout.n_codes) - len(layout.n_codes)


def _indicators(x: Array, layout: Layout) -> Array:
    """Features with 0 or 1 for each known value instead of codes."""
    numbers, others, codes = layout.parts(x)
    known = [code[:, None] == np.arange(1, n) for code, n in zip(codes.T, layout.n_codes, strict=True)]
    return np.concatenate([numbers, others, *known], axis=1, dtype=np.float64)


def _assign(network: TabularNetwork, kernel: Array, bias: Array) -> None:
    """Write a solution into the weights: of an embedded category into its table, which the kernel then passes on."""
    weights, layout, n_out = network.weights(), network.layout, network.n_out
    own, first = weights["member_0/dense_0/kernel"], layout.n_numbers + layout.n_others
    own[...] = 0
    own[:first] = kernel[:first]
    weights["member_0/dense_0/bias"][...] = bias
    if not layout.n_codes:
        return
    table, width = weights["member_0/embeddings"], network.recipe.embedding_width
    table[...] = 0
    row = 0
    for number, n in enumerate(layout.n_codes):
        start = first + number * width
        own[start : start + n_out] = np.eye(n_out)
        known = kernel[first + row - number :][: n - 1]
        table[row + 1 : row + n, :n_out] = known
        row += n
