"""Embedding: lookup, scattered gradients, indices of every kind, and those that are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core
import tolerances
from cnn_core import layers

TABLE = np.arange(12.0).reshape(4, 3) / 8
IDS = np.array([[0, 3], [3, 3], [2, 0]])


def network(dtype: str = "float64", **arguments: Any) -> Any:
    cnn_core.utils.set_random_seed(2)
    model = cnn_core.Sequential(
        [
            cnn_core.Input((2,), dtype="int32"),
            layers.Embedding(4, 3, weights=TABLE, dtype=dtype, name="lookup", **arguments),
            layers.Flatten(dtype=dtype),
            layers.Dense(1, dtype=dtype),
        ]
    )
    model.compile(cnn_core.optimizers.SGD(0.1), "mse")
    return model


@pytest.mark.parametrize("kind", ["int64", "int32", "uint8", "float32", "float64", "bool", "list"])
def test_lookup(kind: str) -> None:
    ids: Any = np.array([[0, 1], [1, 1]]) if kind == "bool" else IDS
    given = ids.tolist() if kind == "list" else ids.astype(kind)
    layer = layers.Embedding(4, 3, weights=[TABLE], dtype="float64")
    np.testing.assert_array_equal(layer(given), TABLE[ids])
    model = network()
    flat = TABLE[ids].reshape(len(ids), 6)
    tolerances.close(model.predict(given), flat @ model.get_weights()[1] + model.get_weights()[2], 1e-12)


@pytest.mark.parametrize("shape", [(5, 1), (5, 7), (5, 2, 3)])
def test_every_axis_gets_a_vector(shape: tuple[int, ...]) -> None:
    ids = np.random.default_rng(1).integers(0, 4, shape)
    layer = layers.Embedding(4, 3, weights=TABLE, dtype="float64")
    np.testing.assert_array_equal(layer(ids), TABLE[ids])


def test_gradients_are_scattered() -> None:
    layer = layers.Embedding(4, 3, weights=TABLE, dtype="float64")
    _, cache = layer.forward(IDS)
    da = np.random.default_rng(1).normal(size=(3, 2, 3))
    dx, gradient = layer.backward(da, cache)
    desired = np.zeros((4, 3))
    np.add.at(desired, IDS, da)
    np.testing.assert_array_equal(gradient, desired)
    np.testing.assert_array_equal(gradient[1], np.zeros(3))
    np.testing.assert_array_equal(dx, np.zeros((3, 2)))


def test_training_moves_only_what_was_looked_up() -> None:
    model = network()
    model.fit(IDS, np.ones((3, 1)), verbose=0)
    after = model.get_weights()[0]
    np.testing.assert_array_equal(after[1], TABLE[1])
    assert (after[[0, 2, 3]] != TABLE[[0, 2, 3]]).any(axis=1).all()


def test_a_shared_table_collects_all_gradients() -> None:
    first, second = cnn_core.Input((1,)), cnn_core.Input((1,))
    lookup = layers.Embedding(4, 3, dtype="float64")
    both = layers.Dot(axes=(2, 2), dtype="float64")([lookup(first), lookup(second)])
    model = cnn_core.Model([first, second], layers.Flatten(dtype="float64")(both))
    model.compile("sgd", "mse")
    x = [IDS[:, :1].astype("float64"), IDS[:, 1:].astype("float64")]
    assert cnn_core.inspection.gradient_check(model, x, np.ones((3, 1)))


@pytest.mark.parametrize("wrong", [4, -1, 1.5, np.nan, 2**40])
@pytest.mark.parametrize("method", ["fit", "predict", "evaluate", "call", "train_on_batch"])
def test_what_is_no_index_is_refused(method: str, wrong: float) -> None:
    model = network()
    x = IDS.astype("float64")
    x[1, 1] = wrong
    call = {
        "fit": lambda: model.fit(x, np.ones((3, 1)), verbose=0),
        "predict": lambda: model.predict(x),
        "evaluate": lambda: model.evaluate(x, np.ones((3, 1)), verbose=0),
        "call": lambda: model(x),
        "train_on_batch": lambda: model.train_on_batch(x, np.ones((3, 1))),
    }[method]
    kept = model.get_weights()
    with pytest.raises(ValueError, match=r"x (has|must hold)"):
        call()
    assert all(np.array_equal(a, b) for a, b in zip(kept, model.get_weights(), strict=True))
    model.fit(IDS, np.ones((3, 1)), verbose=0)


@pytest.mark.parametrize("wrong", [4.0, -1.0])
def test_indices_that_a_network_computes_are_watched(wrong: float) -> None:
    x = cnn_core.Input((1,))
    computed = layers.Rescaling(1.0, dtype="float64")(x)
    looked_up = layers.Flatten(dtype="float64")(layers.Embedding(4, 3, dtype="float64", name="lookup")(computed))
    model = cnn_core.Model(x, layers.Dense(1, dtype="float64")(looked_up))
    model.compile("sgd", "mse")
    bad = np.array([[1.0], [wrong]])
    for call in (
        lambda: model.predict(bad),
        lambda: model.predictor()(bad),
        lambda: model.fit(bad, np.ones((2, 1)), verbose=0),
        lambda: model.evaluate(bad, np.ones((2, 1)), verbose=0),
        lambda: model.trace(bad),
    ):
        with pytest.raises(ValueError, match="'lookup' takes whole numbers from 0 to 3"):
            call()
    assert model.predict(np.array([[1.0]])).shape == (1, 1)
    assert model.predictor()(np.array([[1.0]])).shape == (1, 1)


def test_bins_can_be_looked_up() -> None:
    x = cnn_core.Input((1,))
    bins = layers.Discretization([0.0, 1.0], dtype="float64")(x)
    model = cnn_core.Model(x, layers.Embedding(3, 3, weights=TABLE[:3], dtype="float64")(bins))
    np.testing.assert_array_equal(model.predict(np.array([[-1.0], [0.5], [2.0]]))[:, 0], TABLE[:3])


def test_the_smallest_table_limits_an_input() -> None:
    x = cnn_core.Input((1,))
    both = [layers.Embedding(limit, 2)(x) for limit in (4, 3)]
    model = cnn_core.Model(x, layers.Concatenate()(both))
    with pytest.raises(ValueError, match=r"indices must be 0\.\.2"):
        model.predict(np.array([[3]]))


def test_float32_holds_no_larger_table() -> None:
    with pytest.raises(ValueError, match="`input_dim` must be at most 16777216"):
        layers.Embedding(2**24 + 1, 1)
    layers.Embedding(2**24, 1)
    layers.Embedding(2**24 + 1, 1, dtype="float64")


def test_weights_must_fit() -> None:
    with pytest.raises(ValueError, match=r"\(4, 3\)"):
        layers.Embedding(4, 3, weights=np.zeros((3, 4)))


def test_penalties_reach_every_row() -> None:
    model = network(embeddings_regularizer="l2")
    assert cnn_core.inspection.gradient_check(model, IDS, np.ones((3, 1)))


def test_a_table_is_built_without_a_shape() -> None:
    layer = layers.Embedding(3, 2)
    layer.build()
    layer.set_weights([np.arange(6).reshape(3, 2)])
    np.testing.assert_array_equal(layer(np.array([2, 0])), [[4, 5], [0, 1]])
    with pytest.raises(ValueError, match="must be called once"):
        layer.build()
