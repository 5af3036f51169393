"""Radial networks: against scikit-learn's kernel ridge regression, what their factors find, and in blends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import laplacian_kernel
from threadpoolctl import threadpool_limits

import cnn_core.losses as losses
import cnn_core.sklearn.tabular.radial_network as radial_network
from cnn_core.data.dataset import Dataset
from cnn_core.sklearn import TabularRegressor
from cnn_core.sklearn.tabular.layout import Layout
from cnn_core.sklearn.tabular.network import TabularNetwork
from cnn_core.sklearn.tabular.presets import PRESETS
from cnn_core.sklearn.tabular.radial_network import STRENGTHS, is_radial_solvable, solve_radial

RADIAL = replace(PRESETS["td_s"]["regression"], hidden=(60,), activation="exponential", radial=True)
LAYOUT = Layout(3, 0)
MSE, ENTROPY = losses.MeanSquaredError(), losses.CategoricalCrossentropy()


class Strength:
    """A score by which one of the penalties is best."""

    def __init__(self, best: int):
        self.best, self.asked = best, -1

    def __call__(self, outputs: Any) -> float:
        self.asked += 1
        return abs(self.asked - self.best)


def table(n: int = 60) -> Any:
    return np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32)


def solved(x: Any, y: Any, score: Any, head: str = "linear", weights: Any = None, n_units: int = 60) -> TabularNetwork:
    network = TabularNetwork(replace(RADIAL, hidden=(n_units,)), LAYOUT, y.shape[1], head, seed=0)
    solve_radial(network, Dataset.of_one(x, y, weights), x, score, seed=1)
    return network


def kernel(network: TabularNetwork, rows: Any, others: Any) -> Any:
    factors = network.weights()["member_0/factors"].astype(np.float64)
    return laplacian_kernel(rows * factors, others * factors, gamma=1)


@pytest.mark.parametrize("weighted", [False, True])
def test_with_a_unit_for_each_row_it_is_a_kernel_ridge_regression(weighted: bool):
    x, generator = table(), np.random.default_rng(1)
    y = generator.normal(size=(60, 2)).astype(np.float32)
    weights = generator.uniform(0.5, 2, 60).astype(np.float32) if weighted else None
    network = solved(x, y, Strength(4), weights=weights)
    mean = np.average(y, axis=0, weights=weights)
    expected = KernelRidge(alpha=STRENGTHS[4], kernel="precomputed")
    expected.fit(kernel(network, x, x), y - mean, sample_weight=weights)
    unseen = generator.normal(size=(20, 3)).astype(np.float32)
    desired = expected.predict(kernel(network, unseen, x)) + mean
    np.testing.assert_allclose(network.predict(unseen)[0], desired, atol=2e-5)


def test_of_fewer_units_it_is_the_regression_on_their_kernels():
    x = table()
    y = (x[:, :1] > 0).astype(np.float32)
    network = solved(x, y, Strength(3), n_units=20)
    centers = network.weights()["member_0/centers"].T
    assert {tuple(each) for each in centers.tolist()} < {tuple(each) for each in x.tolist()}
    near, between = kernel(network, x, centers), kernel(network, centers, centers)
    penalty = STRENGTHS[3] * 60 / 20
    coefficients = np.linalg.solve(near.T @ near + penalty * between, near.T @ (y - y.mean()))
    np.testing.assert_allclose(network.predict(x)[0], near @ coefficients + y.mean(), atol=1e-4)


def test_factors_tell_what_counts():
    x = table(400)
    network = solved(x, (x[:, 1:2] > 0.3).astype(np.float32), Strength(5), n_units=100)
    factors = network.weights()["member_0/factors"]
    assert factors[1] > 2 * max(factors[0], factors[2])
    assert (factors > 0).all()


def test_a_jump_is_learnt_and_classes_are_as_sure_as_they_are_right():
    x, unseen = table(400), np.random.default_rng(5).normal(size=(300, 3)).astype(np.float32)
    labels, truth = ((each[:, 0] > 0) ^ (each[:, 1] > 0) for each in (x, unseen))

    def entropy(outputs: Any) -> float:
        return float(-np.log(outputs[np.arange(400), labels.astype(int)]).mean())

    network = solved(x, np.eye(2, dtype=np.float32)[labels.astype(int)], entropy, "softmax", n_units=200)
    probabilities = network.predict(unseen)[0]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert ((probabilities[:, 1] > 0.5) == truth).mean() > 0.9
    assert np.log(probabilities[np.arange(300), truth.astype(int)]).mean() > np.log(0.75)


def test_constants_and_rows_that_are_alike_leave_finite_weights():
    x = np.ones((60, 3), np.float32)
    for y in (np.zeros((60, 1), np.float32), np.arange(60, dtype=np.float32)[:, None]):
        np.testing.assert_allclose(solved(x, y, Strength(9)).predict(x)[0], y.mean(), atol=1e-4)
    network = solved(x[:1], np.ones((1, 1), np.float32), lambda outputs: float("nan"), n_units=1)
    np.testing.assert_allclose(network.predict(x[:1])[0], 1)


def test_of_many_rows_some_are_learnt_from(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(radial_network, "MOST_ROWS", 30)
    x = table()
    y = x[:, :1].copy()
    drawn = np.random.default_rng(1).permutation(60)[:30]
    same = solved(np.ascontiguousarray(x[drawn]), y[drawn], Strength(4), n_units=30)
    order = np.random.default_rng(1).permutation(30)
    centers = solved(x, y, Strength(4), n_units=30).weights()["member_0/centers"]
    np.testing.assert_array_equal(centers[:, order], same.weights()["member_0/centers"])


def test_the_number_of_threads_decides_nothing():
    x = table()
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(solved(x, x[:, :1].copy(), Strength(4)).values.copy())
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    ("loss", "n_features", "expected"),
    [(MSE, 30, True), (ENTROPY, 30, True), (losses.MeanAbsoluteError(), 30, False), (MSE, 10_000, False)],
)
def test_what_can_be_solved(loss: losses.Loss, n_features: int, expected: bool):
    assert is_radial_solvable(loss, 1_000_000, 1024, n_features) == expected


@pytest.mark.parametrize("possible", [True, False])
def test_a_blend_has_it_where_it_can_be_solved(monkeypatch: pytest.MonkeyPatch, possible: bool):
    if not possible:
        monkeypatch.setattr(radial_network, "MOST_DIFFERENCES", 0)
    x = table(100)
    regressor = TabularRegressor("fast", epochs=2, random_state=0).fit(x, np.sign(x[:, 0]))
    rows = {row["model"]: row for row in regressor.leaderboard()}
    assert ("narrow_radial" in rows) == possible
    if possible:
        assert rows["narrow_radial"]["weight"] > 0.5  # two epochs are nothing for the others
        assert rows["narrow_radial"]["epochs"] == rows["narrow_radial"]["folds"]
