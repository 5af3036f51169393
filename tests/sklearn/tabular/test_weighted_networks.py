"""Networks as one plan: their weighted mean, bounds, and weights that stay where they are."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from cnn_core.sklearn.tabular.layout import Layout
from cnn_core.sklearn.tabular.network import TabularNetwork
from cnn_core.sklearn.tabular.presets import Recipe
from cnn_core.sklearn.tabular.weighted_networks import WeightedNetworks

X = np.random.default_rng(0).normal(size=(700, 3)).astype(np.float32)
SHARES = [0.25, 0.75]


def networks(head: str = "linear", n_members: int = 1) -> list[TabularNetwork]:
    deep = Recipe((8, 8), "mish", 0.1, parametric=True, dropout=0.2, n_waves=4, fitted_start=True)
    simple = Recipe((), "selu", 0.1, fitted_start=True)
    return [
        TabularNetwork(deep, Layout(2, 1), 2, head, seed=1),
        TabularNetwork(simple, Layout(2, 1), 2, head, n_members, seed=2),
    ]


def joined(parts: list[TabularNetwork], bounds: tuple[np.ndarray, np.ndarray] | None = None) -> WeightedNetworks:
    """The first reads numbers and others apart, the second both at once."""
    return WeightedNetworks(parts, SHARES, [2, 1, 3], [(0, 1), (2,)], [None, bounds])


def inputs(x: np.ndarray) -> list[np.ndarray]:
    return [np.ascontiguousarray(x[:, :2]), np.ascontiguousarray(x[:, 2:]), x]


@pytest.mark.parametrize("head", ["linear", "softmax"])
@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("n", [0, 1, 7, 700])
def test_the_mean_is_that_of_the_networks(n: int, n_members: int, head: str) -> None:
    parts = networks(head, n_members)
    expected = sum(
        share * part.predict(X[:n]).mean(axis=0, dtype=np.float64) for share, part in zip(SHARES, parts, strict=True)
    )
    np.testing.assert_allclose(joined(parts).mean(inputs(X[:n])), expected, rtol=1e-12, atol=1e-12)


def test_bounds_are_those_of_a_network() -> None:
    parts, bounds = networks(), (np.array([-0.1, 0.0]), np.array([0.1, 0.2]))
    deep, simple = (part.predict(X)[0].astype(np.float64) for part in parts)
    low, high = (each.astype(np.float32) for each in bounds)
    np.testing.assert_allclose(
        joined(parts, bounds).mean(inputs(X)), 0.25 * deep + 0.75 * simple.clip(low, high), rtol=1e-12, atol=1e-12
    )


def test_a_row_has_the_same_mean_alone() -> None:
    both = joined(networks())
    np.testing.assert_array_equal(both.mean(inputs(X[5:6])), both.mean(inputs(X))[5:6])


def test_changed_weights_count() -> None:
    parts = networks()
    both = joined(parts)
    for part in parts:
        part.values[...] = 0
    np.testing.assert_array_equal(both.mean(inputs(X)), np.zeros((700, 2)))
