"""Members that share their kernels: first weights, outputs as means, losses of their own, learning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from cnn_core.sklearn import TabularClassifier, TabularRegressor
from cnn_core.sklearn.tabular.layout import Layout
from cnn_core.sklearn.tabular.network import TabularNetwork
from cnn_core.sklearn.tabular.presets import PRESETS

RECIPE = replace(PRESETS["tabm"]["classification"], hidden=(6, 5), n_sharing=3, dropout=0.0)
X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)


def member_outputs(network: TabularNetwork, x: Any) -> np.ndarray:
    """Compute each member by itself, in float64: (n_sharing, n, n_out)."""
    found = []
    weights = {path.partition("/")[2]: array.astype(np.float64) for path, array in network.weights().items()}
    for member in range(network.recipe.n_sharing):
        h = x.astype(np.float64)
        for number in range(2):
            part = {name: weights[f"dense_{number}/{name}"] for name in ("bias", "input_factor", "output_factor")}
            r, q, b = (part[name][member] for name in ("input_factor", "output_factor", "bias"))
            h = np.maximum(((h * r) @ weights[f"dense_{number}/kernel"]) * q + b, 0)
        z = h @ weights["dense_2/kernel"][member] + weights["dense_2/bias"][member]
        e = np.exp(z - z.max(axis=1, keepdims=True))
        found.append(e / e.sum(axis=1, keepdims=True))
    return np.array(found)


def test_the_output_is_the_mean_of_probabilities():
    network = TabularNetwork(RECIPE, Layout(4, 0), 2, "softmax", seed=1)
    expected = member_outputs(network, X)
    assert np.ptp(expected, axis=0).max() > 0.01
    np.testing.assert_allclose(network.predict(X)[0], expected.mean(axis=0), rtol=1e-5)


def test_first_weights():
    network = TabularNetwork(replace(RECIPE, hidden=(64, 64)), Layout(4, 0), 2, "softmax", seed=1)
    weights = network.weights()
    assert set(np.unique(weights["member_0/dense_0/input_factor"])) == {-1.0, 1.0}
    for name in ("dense_1/input_factor", "dense_0/output_factor", "dense_1/output_factor"):
        assert (weights[f"member_0/{name}"] == 1).all()
    for number, n_in in ((0, 4), (1, 64)):
        bias = weights[f"member_0/dense_{number}/bias"]
        assert (bias == bias[0]).all()
        kernel = np.abs(weights[f"member_0/dense_{number}/kernel"])
        assert 0.9 / n_in**0.5 < kernel.max() <= 1 / n_in**0.5
    last = weights["member_0/dense_2/kernel"]
    assert (last[0] != last[1]).all()


@pytest.mark.parametrize("n_members", [1, 5])
def test_members_learn(n_members: int):
    x = np.random.default_rng(1).normal(size=(400, 3))
    settings: Any = {"n_members": n_members, "hidden_layer_sizes": (32, 32), "epochs": 40, "batch_size": 32}
    classifier = TabularClassifier("tabm", random_state=0, **settings).fit(x, x[:, 0] * x[:, 1] > 0)
    assert classifier.score(x, x[:, 0] * x[:, 1] > 0) > 0.9
    regressor = TabularRegressor("tabm", random_state=0, quantiles=(0.1, 0.9), **settings).fit(x, x[:, 0] * x[:, 1])
    assert regressor.score(x, x[:, 0] * x[:, 1]) > 0.8
    assert len(classifier.best_epochs_) == 1


def test_the_preset_ends_without_progress_unless_patience_is_said():
    x = np.random.default_rng(1).normal(size=(100, 3))
    y = np.random.default_rng(2).integers(0, 2, 100)
    settings: Any = {"n_members": 2, "hidden_layer_sizes": (8,), "epochs": 300, "random_state": 0}
    short = TabularClassifier("tabm", **settings).fit(x, y)
    assert short.n_iter_ < 300
    assert TabularClassifier("tabm", patience=300, **settings).fit(x, y).n_iter_ == 300


def test_too_many_members_are_refused():
    with pytest.raises(ValueError, match="`n_members` must be at most 1024"):
        TabularClassifier("tabm", n_members=1025).fit(X, X[:, 0] > 0)
    with pytest.raises(ValueError, match="`n_members` must be at most 16"):
        TabularClassifier(n_members=17).fit(X, X[:, 0] > 0)
