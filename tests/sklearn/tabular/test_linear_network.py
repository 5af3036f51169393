"""Networks without hidden layers: against scikit-learn's regressions, and in blends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info, threadpool_limits

import cnn_core.losses as losses
import cnn_core.sklearn.tabular.logistic as logistic
import cnn_core.sklearn.tabular.ridge as ridge
from cnn_core.data.dataset import Dataset
from cnn_core.sklearn import TabularClassifier, TabularRegressor
from cnn_core.sklearn.tabular.layout import Layout
from cnn_core.sklearn.tabular.linear_network import MOST_PRODUCTS, MOST_UNKNOWNS, is_solvable, solve
from cnn_core.sklearn.tabular.network import TabularNetwork
from cnn_core.sklearn.tabular.presets import PRESETS, Recipe

LINEAR = replace(PRESETS["td_s"]["regression"], hidden=())
LAYOUT = Layout(2, 1, (4, 3))
MSE, ENTROPY = losses.MeanSquaredError(), losses.CategoricalCrossentropy(label_smoothing=0.1)


def table(n: int = 60) -> tuple[Any, Any]:
    """What a network of `LAYOUT` reads, and the same with an indicator for each known category."""
    generator = np.random.default_rng(0)
    x = np.column_stack([generator.normal(size=(n, 3)), generator.integers(0, 4, n), generator.integers(0, 3, n)])
    x = x.astype(np.float32)
    return x, np.concatenate([x[:, :3], x[:, 3:4] == [1, 2, 3], x[:, 4:] == [1, 2]], axis=1).astype(np.float64)


class Outputs(list[Any]):
    """Keeps what it is asked about, of which one number is the best."""

    def __init__(self, best: int):
        super().__init__()
        self.best = best

    def __call__(self, found: Any) -> float:
        self.append(found.copy())
        return abs(len(self) - 1.0 - self.best)


def test_a_network_is_a_ridge_regression_with_a_coefficient_for_every_value():
    x, design = table()
    targets = np.random.default_rng(1).normal(size=(len(x), 2)).astype(np.float32)
    network, outputs = TabularNetwork(LINEAR, LAYOUT, 2, "linear", seed=0), Outputs(9)
    solve(network, MSE, Dataset.of_one(x, targets, None), x, outputs)
    centred = design - design.mean(axis=0)
    penalty = ridge.STRENGTHS[9] * np.linalg.eigvalsh(centred.T @ centred).mean()
    expected = Ridge(alpha=penalty).fit(design, targets).predict(design)
    np.testing.assert_allclose(outputs[9], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(network.predict(x)[0], outputs[9])
    assert len(outputs) == len(ridge.STRENGTHS)


def test_a_network_is_a_logistic_regression_with_a_coefficient_for_every_value():
    x, design = table()
    labels = np.random.default_rng(1).integers(0, 3, len(x))
    network, outputs = TabularNetwork(LINEAR, LAYOUT, 3, "softmax", seed=0), Outputs(4)
    data = Dataset.of_one(x, np.eye(3, dtype=np.float32)[labels], None)
    solve(network, losses.CategoricalCrossentropy(), data, x, outputs)
    centred = design - design.mean(axis=0)
    penalty = logistic.STRENGTHS[4] * (centred**2).sum() / (4 * design.shape[1])
    expected = LogisticRegression(C=1 / penalty, tol=1e-8, max_iter=1000).fit(design, labels).predict_proba(design)
    np.testing.assert_allclose(outputs[4], expected, atol=2e-3)
    np.testing.assert_array_equal(network.predict(x)[0], outputs[4])


def test_products_run_in_one_thread():
    x, _ = table()
    targets = np.random.default_rng(1).normal(size=(len(x), 1)).astype(np.float32)
    seen: set[int] = set()

    def score(_: Any) -> float:
        seen.update(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return 0.0

    with threadpool_limits(2, user_api="blas"):
        if {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} != {2}:
            pytest.skip("NumPy's linear algebra does not let its threads be chosen here")
        solve(TabularNetwork(LINEAR, LAYOUT, 1, "linear", seed=0), MSE, Dataset.of_one(x, targets, None), x, score)
        after = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
    assert seen == {1}
    assert after == {2}


def test_labels_are_smoothed_as_the_loss_says():
    x, _ = table()
    network = TabularNetwork(LINEAR, LAYOUT, 2, "softmax", seed=0)
    solve(network, ENTROPY, Dataset.of_one(x, np.eye(2, dtype=np.float32)[[1] * len(x)], None), x, Outputs(0))
    np.testing.assert_allclose(network.predict(x)[0], np.tile([0.05, 0.95], (len(x), 1)), atol=1e-4)


def test_scores_that_are_undefined_are_the_worst():
    x, _ = table()
    data, found = Dataset.of_one(x, x[:, :1], None), []

    def score(outputs: Any) -> float:
        found.append(outputs.copy())
        return 2.0 if len(found) == 2 else float("nan")

    network = TabularNetwork(LINEAR, LAYOUT, 1, "linear")
    solve(network, MSE, data, x, score)
    np.testing.assert_array_equal(network.predict(x)[0], found[1])


@pytest.mark.parametrize(
    ("recipe", "layout", "n_out", "loss"),
    [
        (PRESETS["td_s"]["regression"], Layout(3, 0), 1, MSE),
        (LINEAR, Layout(3, 0), 1, losses.Quantile([0.1, 0.5])),
        (replace(LINEAR, n_waves=4), Layout(3, 0), 1, MSE),
        (replace(LINEAR, n_bins=4), Layout(3, 0), 1, MSE),
        (replace(LINEAR, embedding_width=1), Layout(3, 0, (50,)), 2, MSE),
        (LINEAR, Layout(3, MOST_UNKNOWNS), 1, MSE),
        (LINEAR, Layout(3, 97), MOST_PRODUCTS // (100 * MOST_UNKNOWNS), ENTROPY),
        (LINEAR, Layout(3, 97), MOST_PRODUCTS // (100 * MOST_UNKNOWNS), MSE),
    ],
    ids=[
        "hidden layers",
        "quantiles",
        "waves",
        "bins",
        "narrow embeddings",
        "many unknowns",
        "many products",
        "much memory",
    ],
)
def test_others_are_trained(recipe: Recipe, layout: Layout, n_out: int, loss: losses.Loss):
    assert not is_solvable(TabularNetwork(recipe, layout, n_out, "linear"), loss, MOST_UNKNOWNS + 1)
    assert is_solvable(TabularNetwork(LINEAR, Layout(3, 0), 1, "linear"), MSE, MOST_UNKNOWNS + 1)


def wide_table() -> tuple[Any, Any]:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(600, 20)) @ generator.normal(size=(20, 300)) + 0.1 * generator.normal(size=(600, 300))
    y = X @ generator.normal(size=300)
    return X, y + 0.5 * y.std() * generator.normal(size=600)


def test_blends_know_what_a_ridge_regression_does_of_more_columns_than_rows():
    X, y = wide_table()
    train, unseen = slice(0, 100), slice(100, None)
    expected = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 5, 17))).fit(X[train], y[train])
    regressor = TabularRegressor("fast", random_state=0).fit(X[train], y[train])
    assert regressor.score(X[unseen], y[unseen]) > expected.score(X[unseen], y[unseen]) - 0.03


def test_blends_know_what_a_logistic_regression_does_of_more_columns_than_rows():
    X, y = wide_table()
    train, unseen, labels = slice(0, 100), slice(100, None), y > 0
    expected = make_pipeline(StandardScaler(), LogisticRegression(C=0.01)).fit(X[train], labels[train])
    classifier = TabularClassifier("fast", random_state=0).fit(X[train], labels[train])
    assert classifier.score(X[unseen], labels[unseen]) > expected.score(X[unseen], labels[unseen]) - 0.03
