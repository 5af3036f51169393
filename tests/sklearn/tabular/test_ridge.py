"""Ridge regressions against scikit-learn's, and the networks that are one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.linear_model import Ridge, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import cnn_core.losses as losses
from cnn_core.sklearn import TabularRegressor
from cnn_core.sklearn.tabular.layout import Layout
from cnn_core.sklearn.tabular.network import TabularNetwork
from cnn_core.sklearn.tabular.presets import PRESETS, Recipe
from cnn_core.sklearn.tabular.ridge import MOST_UNKNOWNS, STRENGTHS, RidgePath, has_formula, ridge, solve

LINEAR = replace(PRESETS["td_s"]["regression"], hidden=())


def table(n: int, width: int, n_targets: int = 2, seed: int = 0) -> tuple[Any, Any, Any]:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, width)) + 3
    return x, x @ generator.normal(size=(width, n_targets)) + 5, generator.uniform(0.5, 2, n)


@pytest.mark.parametrize("shape", [(30, 4), (6, 20)], ids=["more rows", "more features"])
@pytest.mark.parametrize("penalty", [0.1, 20.0])
def test_solutions_are_scikit_learns(shape: tuple[int, int], penalty: float):
    x, y, weights = table(*shape)
    expected = Ridge(alpha=penalty).fit(x, y)
    np.testing.assert_allclose(ridge(x, y, penalty)(x[:5] + 1), expected.predict(x[:5] + 1))
    for of_rows in (None, weights):
        expected = Ridge(alpha=penalty).fit(x, y, of_rows)
        kernel, bias = RidgePath(x, y, of_rows).solution(penalty)
        np.testing.assert_allclose(kernel, expected.coef_.T)
        np.testing.assert_allclose(bias, expected.intercept_)


def test_features_that_tell_nothing_leave_the_mean():
    path = RidgePath(np.ones((4, 2)), np.array([[1.0], [2.0], [3.0], [6.0]]))
    for penalty in path.penalties:
        kernel, bias = path.solution(penalty)
        assert not kernel.any()
        assert bias == [3]


def test_a_network_is_the_regression_with_a_coefficient_for_every_value():
    generator = np.random.default_rng(0)
    layout = Layout(2, 1, (4, 3))
    x = np.column_stack([generator.normal(size=(40, 3)), generator.integers(0, 4, 40), generator.integers(0, 3, 40)])
    targets = generator.normal(size=(40, 2)).astype(np.float32)
    x = x.astype(np.float32)
    network = TabularNetwork(LINEAR, layout, 2, "linear", seed=0)
    outputs = []

    def score(found: Any) -> float:
        outputs.append(found.copy())
        return abs(len(outputs) - 10.0)  # the tenth penalty is the best

    solve(network, x, targets, None, x, score)
    known = [x[:, 3:4] == [1, 2, 3], x[:, 4:] == [1, 2]]
    design = np.concatenate([x[:, :3], *known], axis=1).astype(np.float64)
    centred = design - design.mean(axis=0)
    penalty = STRENGTHS[9] * np.linalg.eigvalsh(centred.T @ centred).mean()
    expected = Ridge(alpha=penalty).fit(design, targets).predict(design)
    np.testing.assert_allclose(network.predict(x)[0], expected, rtol=1e-4, atol=1e-5)
    assert len(outputs) == len(STRENGTHS)
    np.testing.assert_array_equal(network.predict(x)[0], outputs[9])


def test_scores_that_are_undefined_are_the_worst():
    x, y, _ = table(20, 3, 1)
    network = TabularNetwork(LINEAR, Layout(3, 0), 1, "linear")
    scores = iter([float("nan"), 2.0, *[float("nan")] * len(STRENGTHS)])
    solve(network, x.astype(np.float32), y.astype(np.float32), None, x.astype(np.float32), lambda _: next(scores))
    path = RidgePath(x.astype(np.float32).astype(np.float64), y.astype(np.float32).astype(np.float64))
    kernel = network.weights()["member_0/dense_0/kernel"]
    np.testing.assert_allclose(kernel, path.solution(path.penalties[1])[0], rtol=1e-4)


@pytest.mark.parametrize(
    ("recipe", "layout", "n_out", "loss", "n"),
    [
        (PRESETS["td_s"]["regression"], Layout(3, 0), 1, losses.MeanSquaredError(), 50),
        (LINEAR, Layout(3, 0), 1, losses.Quantile([0.1, 0.5]), 50),
        (replace(LINEAR, n_waves=4), Layout(3, 0), 1, losses.MeanSquaredError(), 50),
        (replace(LINEAR, embedding_width=1), Layout(3, 0, (50,)), 2, losses.MeanSquaredError(), 50),
        (LINEAR, Layout(3, MOST_UNKNOWNS), 1, losses.MeanSquaredError(), MOST_UNKNOWNS + 1),
    ],
    ids=["hidden layers", "quantiles", "waves", "narrow embeddings", "too large"],
)
def test_others_are_trained(recipe: Recipe, layout: Layout, n_out: int, loss: losses.Loss, n: int):
    assert not has_formula(TabularNetwork(recipe, layout, n_out, "linear"), loss, n)
    assert has_formula(TabularNetwork(LINEAR, Layout(3, 0), 1, "linear"), losses.MeanSquaredError(), n)


def test_blends_know_what_a_ridge_regression_does_of_more_columns_than_rows():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(600, 20)) @ generator.normal(size=(20, 300)) + 0.1 * generator.normal(size=(600, 300))
    y = X @ generator.normal(size=300)
    y += 0.5 * y.std() * generator.normal(size=600)
    train, unseen = slice(0, 100), slice(100, None)
    expected = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 5, 17))).fit(X[train], y[train])
    regressor = TabularRegressor("fast", random_state=0).fit(X[train], y[train])
    assert regressor.score(X[unseen], y[unseen]) > expected.score(X[unseen], y[unseen]) - 0.03
