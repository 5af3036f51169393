"""Initial weights fitted to a table: the spread of every unit, where its kink lies, and what stays as it was."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

import cnn_core._core as _core
from cnn_core.sklearn.tabular.fitted_start import MOST_ROWS, start_from_data
from cnn_core.sklearn.tabular.layout import Layout
from cnn_core.sklearn.tabular.network import TabularNetwork
from cnn_core.sklearn.tabular.presets import Recipe

RECIPE = Recipe((30, 20), "selu", 0.04, parametric=True, dropout=0.15, n_waves=4, fitted_start=True)
LAYOUT = Layout(2, 1)


def started(x: np.ndarray, n_members: int = 2, seed: int = 1) -> TabularNetwork:
    network = TabularNetwork(RECIPE, LAYOUT, 3, "linear", n_members, seed=0)
    start_from_data(network, x, seed)
    return network


def sums(network: TabularNetwork, x: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return z without the bias, and the bias, of every layer of every member."""
    block = _core.Block(network.native, len(x), training=False)
    block.forward(network.inputs(x))
    return [
        (block.value(layer.source) @ layer.kernel.array, layer.bias.array)
        for member in network.members
        for layer in member.layers
    ]


def test_every_unit_starts_with_spread_one_and_its_kink_within_the_data():
    x = np.random.default_rng(0).normal(3, 5, (500, 3)).astype(np.float32)
    found = sums(started(x), x)
    assert len(found) == 6
    for z, bias in found:
        np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-4)
        assert (-bias > z.min(axis=0)).all()
        assert (-bias < z.max(axis=0)).all()
        # A convex combination of five draws has the draws' mean, and a third of their variance:
        # E[sum p^2] = 5 * 2 / (5 * 6) for the shares p.
    offsets = np.concatenate([(-bias - z.mean(axis=0)) / z.std(axis=0) for z, bias in found])
    assert np.mean(offsets) == pytest.approx(0, abs=0.2)
    assert np.std(offsets) == pytest.approx(np.sqrt(1 / 3), rel=0.25)


def test_members_differ_and_the_seed_decides():
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    network, again, other = started(x), started(x), started(x, seed=2)
    first, second = (member.layers[0].bias.array for member in network.members)
    assert (first != second).any()
    np.testing.assert_array_equal(network.values, again.values)
    assert (network.values != other.values).any()


def test_only_kernels_and_biases_change():
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    before = TabularNetwork(RECIPE, LAYOUT, 3, "linear", 2, seed=0).weights()
    for name, array in started(x).weights().items():
        changed = bool((array != before[name]).any())
        assert changed == name.endswith(("kernel", "bias")), name


def test_constant_features_leave_finite_weights():
    network = started(np.ones((1, 3), np.float32))
    assert np.isfinite(network.values).all()


def test_of_many_rows_some_are_enough():
    x = np.random.default_rng(0).normal(size=(2 * MOST_ROWS, 3)).astype(np.float32)
    for z, _ in sums(started(x, n_members=1), x):
        np.testing.assert_allclose(z.std(axis=0), 1, rtol=0.1)
