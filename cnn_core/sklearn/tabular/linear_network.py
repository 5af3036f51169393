"""Networks of neither hidden layers nor embedded numbers: regressions, of the penalty that serves best.

Descent in few steps ends far from the solution where columns are many or alike. It is found otherwise here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

import cnn_core.losses as losses
from cnn_core.data.dataset import Dataset
from cnn_core.foundation.arrays import Array
from cnn_core.sklearn.tabular.layout import Layout
from cnn_core.sklearn.tabular.logistic import logistic_path
from cnn_core.sklearn.tabular.network import TabularNetwork
from cnn_core.sklearn.tabular.ridge import RidgePath

MOST_UNKNOWNS = 1000  # features or rows, whichever are fewer: the time of a ridge regression grows with their cube
MOST_PRODUCTS = 10_000_000  # rows by features by outputs, of which float64 is kept and seen hundreds of times


def is_solvable(network: TabularNetwork, loss: losses.Loss, n: int) -> bool:
    """Whether a network that learns n rows is a regression of few enough unknowns for `solve`."""
    recipe, layout = network.recipe, network.layout
    if recipe.hidden or recipe.n_bins or recipe.n_waves or recipe.n_sharing:
        return False
    if layout.n_codes and network.n_out > recipe.embedding_width:
        return False
    if n * _width(layout) * network.n_out > MOST_PRODUCTS:
        return False
    if isinstance(loss, losses.CategoricalCrossentropy):
        return True
    return isinstance(loss, losses.MeanSquaredError) and min(n, _width(layout)) <= MOST_UNKNOWNS


def solve(
    network: TabularNetwork,
    loss: losses.Loss,
    data: Dataset,
    x_held_out: Array,
    score: Callable[[Array], float],
) -> None:
    """Set a network's weights to the regression whose outputs for held-out rows have the best score.

    Parameters
    ----------
    network : TabularNetwork
        Of one member, of which `is_solvable` is true; every value of an embedded category has a coefficient of its own.
    loss : cnn_core.losses.Loss
        What is minimised beside a penalty.
    data : Dataset
        To train on: features and one target.
    x_held_out : numpy.ndarray of shape (m, layout.width)
    score : callable
        Takes outputs for the held-out rows, (m, n_out), and returns a number, lower is better.
    """
    from threadpoolctl import threadpool_limits

    best, kept = np.inf, network.values
    with threadpool_limits(1, user_api="blas"):  # products so small that threads wait for each other
        for number, solution in enumerate(_solutions(network, loss, data)):
            _assign(network, *solution)
            found = score(network.predict(x_held_out)[0])
            if number == 0 or found < best:
                best, kept = np.inf if found != found else found, network.values.copy()
    network.values[...] = kept


def _solutions(network: TabularNetwork, loss: losses.Loss, data: Dataset) -> Iterator[tuple[Array, Array]]:
    (x,), (y,), (weights,) = data.inputs, data.targets, data.weights
    assert isinstance(x, np.ndarray)
    assert isinstance(y, np.ndarray)
    x, targets = _indicators(x, network.layout), y.astype(np.float64)
    if isinstance(loss, losses.CategoricalCrossentropy):
        smoothing = loss.label_smoothing
        return logistic_path(x, (1 - smoothing) * targets + smoothing / network.n_out, weights)
    return RidgePath(x, targets, weights).solutions()


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
