"""The networks for tables: initial weights, inputs, pickles and states."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("sklearn")

from cnn_core.sklearn.tabular.layout import Layout
from cnn_core.sklearn.tabular.network import TabularNetwork
from cnn_core.sklearn.tabular.presets import Recipe

RECIPE = Recipe((5, 4), "tanh", 0.05)
FULL = Recipe((5,), "selu", 0.1, parametric=True, dropout=0.1, weight_decay=0.02, n_waves=4, most_one_hot=2)
LAYOUT = Layout(2, 1, (4, 3))


def test_initial_weights_have_the_recipes_spread():
    network = TabularNetwork(Recipe((400,), "selu", 0.04), Layout(0, 300), 2, "softmax", seed=0)
    weights = network.weights()
    assert weights["member_0/dense_0/kernel"].std() == pytest.approx(1 / math.sqrt(300), rel=0.02)
    assert weights["member_0/dense_0/bias"].std() == pytest.approx(1, rel=0.15)
    assert not weights["member_0/dense_1/kernel"].any()
    assert (weights["member_0/scale"] == 1).all()


def test_initial_embeddings_have_the_recipes_spread():
    recipe = Recipe((8,), "selu", 0.04, n_waves=16, most_one_hot=8)
    weights = TabularNetwork(recipe, Layout(200, 0, (300, 200)), 2, "softmax", seed=0).weights()
    assert weights["member_0/waves/frequencies"].std() == pytest.approx(0.1, rel=0.05)
    phases = weights["member_0/waves/phases"]
    assert np.abs(phases).max() == pytest.approx(math.pi, rel=0.01)
    assert phases.std() == pytest.approx(math.pi / math.sqrt(3), rel=0.05)
    for name in ("weights", "biases"):
        assert np.abs(weights[f"member_0/waves/{name}"]).max() == pytest.approx(0.25, rel=0.01)
    embeddings = weights["member_0/embeddings"]
    assert embeddings.std() == pytest.approx(1, rel=0.05)
    assert not embeddings[[0, 300]].any(), "the row for none of the known values begins at 0"
    narrow = TabularNetwork(replace(recipe, embedding_spread=0.25), Layout(200, 0, (300, 200)), 2, "softmax", seed=0)
    np.testing.assert_array_equal(narrow.weights()["member_0/embeddings"], 0.25 * embeddings)


def test_a_matrix_is_cut_into_what_the_plan_reads():
    x = np.array([[0.5, 1.5, -1.0, 3.0, 0.0], [2.5, 3.5, 1.0, 1.0, 2.0]], np.float32)
    numbers, others, rows = TabularNetwork(FULL, LAYOUT, 2, "softmax").inputs(x)
    np.testing.assert_array_equal(numbers, x[:, :2])
    np.testing.assert_array_equal(others, x[:, [2]])
    np.testing.assert_array_equal(rows, [[3, 4], [1, 6]])
    (whole,) = TabularNetwork(RECIPE, Layout(2, 3), 2, "softmax").inputs(x)
    assert np.shares_memory(whole, x)


def test_a_category_changes_nothing_but_its_own_embedding():
    network = TabularNetwork(FULL, LAYOUT, 2, "linear", seed=0)
    x = np.zeros((1, 5), np.float32)
    network.weights()["member_0/dense_1/kernel"][...] = 1
    before = network.predict(x)
    network.weights()["member_0/embeddings"][4] += 1  # none of the known values of the second category
    assert (network.predict(x) != before).all()
    x[0, 4] = 1
    changed = network.predict(x)
    network.weights()["member_0/embeddings"][4] += 1
    np.testing.assert_array_equal(network.predict(x), changed)


@pytest.mark.parametrize(("recipe", "layout"), [(RECIPE, Layout(0, 3)), (FULL, LAYOUT)], ids=["simple", "full"])
def test_pickles_and_state_keep_every_bit(recipe: Recipe, layout: Layout):
    network = TabularNetwork(recipe, layout, 2, "softmax", 2, seed=1)
    generator = np.random.default_rng(0)
    network.values[...] = generator.normal(size=network.values.size)
    x = generator.integers(0, 3, (6, layout.width)).astype(np.float32)
    for copy in (pickle.loads(pickle.dumps(network)), TabularNetwork.from_state(network.state(), network.weights())):
        np.testing.assert_array_equal(copy.predict(x), network.predict(x))
        assert copy.recipe == recipe
        assert copy.layout == layout


def test_a_missing_weight_is_named():
    network = TabularNetwork(RECIPE, Layout(0, 3), 3, "softmax")
    weights = network.weights()
    del weights["member_0/scale"]
    with pytest.raises(ValueError, match="member_0/scale"):
        TabularNetwork.from_state(network.state(), weights)
