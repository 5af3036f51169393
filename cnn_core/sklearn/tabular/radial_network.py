"""Networks whose hidden units are rows of training: kernel regressions, of the penalty that serves best.

Where targets jump, or follow a few columns at a time, the Laplace kernel sees what networks of smooth units blur.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

import cnn_core.losses as losses
from cnn_core.data.dataset import Dataset
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple
from cnn_core.sklearn.tabular.calibration import softmax
from cnn_core.sklearn.tabular.network import TabularNetwork

STRENGTHS = np.logspace(1, -5, 13)  # of the penalty, in rows per unit; the strongest first
SHARPNESSES = np.logspace(0, 5, 11, base=2)  # what estimated probabilities are multiplied by, to be logits
PATIENCE = 2  # penalties without progress after which none is tried any more
SPAN = 2.0  # in which the kernel falls to 1 / e: in distances of two rows, of those in the middle
UNITS_OF_FACTORS = 256  # by which it is found out how much each feature counts
MOST_ROWS_OF_FACTORS = 400
LEAST_FACTOR = 1e-3  # of the greatest
MOST_ROWS = 10_000  # that are learnt from; of more, some are drawn
MOST_DIFFERENCES = 2_000_000_000  # rows by units by features
_LEAST_PENALTY = 1e-9  # of each coefficient by itself, in rows: rows that are alike make the equations singular


def is_radial_solvable(loss: losses.Loss, n: int, n_units: int, n_features: int) -> bool:
    """Whether a radial network that learns n rows is a regression of not too many numbers for `solve_radial`."""
    if not isinstance(loss, (losses.MeanSquaredError, losses.CategoricalCrossentropy)):
        return False
    return min(n, MOST_ROWS) * n_units * n_features <= MOST_DIFFERENCES


def solve_radial(
    network: TabularNetwork, data: Dataset, x_held_out: Array, score: Callable[[Array], float], seed: int
) -> None:
    """Set a network's weights to the kernel regression whose outputs for held-out rows have the best score.

    With rows x, centres c drawn from them, and ``k(x, c) = exp(-sum(a * |x - c|))``, the coefficients of the centred
    targets t are ``(k(x, c)' k(x, c) + penalty k(c, c))^-1 k(x, c)' t``: Nyström's approximation of a kernel ridge
    regression. Of classes it is fitted to their indicators; its outputs, as sharp as serves best, are logits.

    The factors a are proportional to how steep, as a root mean square, a first regression of equal factors is along
    each feature.

    Parameters
    ----------
    network : TabularNetwork
        Of one member, radial, without codes among its features, and of no more units than there are rows.
    data : Dataset
        To train on: features and one target.
    x_held_out : numpy.ndarray of shape (m, layout.width)
    score : callable
        Takes outputs for the held-out rows, (m, n_out), and returns a number, lower is better.
    seed : int

    References
    ----------
    C. K. I. Williams, M. Seeger, "Using the Nyström Method to Speed Up Kernel Machines", NeurIPS 2000.

    A. Radhakrishnan, D. Beaglehole, P. Pandit, M. Belkin, "Mechanism for Feature Learning in Neural Networks and
    Backpropagation-free Machine Learning Models", Science 383 (2024).
    """
    from threadpoolctl import threadpool_limits

    (x,), (y,), (weights,) = data.inputs, data.targets, data.weights
    assert isinstance(x, np.ndarray)
    assert isinstance(y, np.ndarray)
    order = np.random.default_rng(seed).permutation(len(x))[:MOST_ROWS]
    of_rows = np.ones(len(order)) if weights is None else weights[order].astype(np.float64)
    rows = _Rows(x[order].astype(np.float64), y[order].astype(np.float64), of_rows)
    with threadpool_limits(1, user_api="blas"):  # so that results do not depend on the number of threads
        kernel = _Kernel.of(rows.x[: network.recipe.hidden[0]], _factors(rows))
        coefficients, bias = _best(_solutions(kernel, rows), kernel(x_held_out), network.head, score)
    own = network.weights()
    own["member_0/centers"][...] = kernel.centers.T
    own["member_0/factors"][...] = kernel.factors
    own["member_0/dense_1/kernel"][...] = coefficients
    own["member_0/dense_1/bias"][...] = bias


class _Rows(NamedTuple):
    """What is learnt from, in an order of chance."""

    x: Array
    y: Array
    weights: Array


class _Kernel(NamedTuple):
    """How near rows are to centres."""

    centers: Array
    factors: Array

    @classmethod
    def of(cls, centers: Array, factors: Array) -> _Kernel:
        """The kernel of `SPAN`, with factors in proportion to these."""
        from scipy.spatial.distance import pdist

        distances = pdist(centers * factors, "cityblock")
        span = SPAN * float(np.median(distances)) if len(distances) else 0.0
        return cls(centers, factors / (span or 1.0))

    def __call__(self, x: Array) -> Array:
        from scipy.spatial.distance import cdist

        return np.asarray(np.exp(-cdist(x * self.factors, self.centers * self.factors, "cityblock")))


def _solutions(kernel: _Kernel, rows: _Rows) -> Iterator[tuple[Array, Array]]:
    """The coefficients and the bias of one penalty after the other."""
    from scipy.linalg import cho_factor, cho_solve

    mean, between = np.average(rows.y, axis=0, weights=rows.weights), kernel(kernel.centers)
    roots = np.sqrt(rows.weights)[:, None]
    near = roots * kernel(rows.x)
    products, targets = near.T @ near, near.T @ (roots * (rows.y - mean))
    products[np.diag_indices_from(products)] += _LEAST_PENALTY * len(near)
    for penalty in STRENGTHS * len(near) / len(between):
        yield cho_solve(cho_factor(products + penalty * between, lower=True), targets), mean


def _best(
    solutions: Iterator[tuple[Array, Array]], near: Array, head: str, score: Callable[[Array], float]
) -> tuple[Array, Array]:
    """The solution of the best score; of classes with the sharpness that serves it."""
    best, kept, without_progress = np.inf, None, 0
    for coefficients, bias in solutions:
        outputs, without_progress = near @ coefficients + bias, without_progress + 1
        for sharpness in SHARPNESSES if head == "softmax" else (1.0,):
            found = score(softmax(sharpness * outputs) if head == "softmax" else outputs)
            if kept is None or found < best:
                best, without_progress = np.inf if found != found else found, 0
                kept = sharpness * coefficients, sharpness * bias
        if without_progress == PATIENCE:
            break
    assert kept is not None
    return kept


def _factors(rows: _Rows) -> Array:
    """How steep a first regression is along each feature, on rows that it was not fitted to; 1 where it is flat."""
    n = len(rows.x) - len(rows.x) // 5
    fitted, others = (_Rows(*(each[part] for each in rows)) for part in (slice(n), slice(n, None)))
    if not len(others.x):
        return np.ones(rows.x.shape[1])
    kernel = _Kernel.of(fitted.x[:UNITS_OF_FACTORS], np.ones(rows.x.shape[1]))
    near = kernel(others.x)

    def error(outputs: Array) -> float:
        return float(np.average(((outputs - others.y) ** 2).mean(axis=1), weights=others.weights))

    coefficients, _ = _best(_solutions(kernel, fitted), near, "linear", error)
    slopes = _slopes(others.x[:MOST_ROWS_OF_FACTORS], near[:MOST_ROWS_OF_FACTORS], kernel.centers, coefficients)
    greatest = slopes.max()
    return np.maximum(slopes / greatest, LEAST_FACTOR) if greatest > 0 else np.ones(len(slopes))


def _slopes(x: Array, near: Array, centers: Array, coefficients: Array) -> Array:
    """Root mean squares over the rows of the derivatives by each feature; in float32, which takes far less time."""
    x, near, centers, coefficients = (each.astype(np.float32) for each in (x, near, centers, coefficients))
    signs = (np.sign(column[:, None] - center) for column, center in zip(x.T, centers.T, strict=True))
    derivatives = (near * sign @ coefficients for sign in signs)
    return np.array([np.sqrt(np.square(each, dtype=np.float64).sum(axis=1).mean()) for each in derivatives])
