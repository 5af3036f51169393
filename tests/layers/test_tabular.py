"""Layers for tables: formulas in float64, gradients by central differences, settings, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import layers
from cnn_core.inspection import gradient_check


def test_periodic_embedding_is_its_formula():
    generator = np.random.default_rng(0)
    layer = layers.PeriodicEmbedding(n_waves=5, n_outputs=2, dtype="float64")
    x = generator.normal(size=(7, 3))
    y = layer(x)
    w, b, v, c = (array.astype(np.float64) for array in layer.get_weights())
    for feature in range(3):
        waves = np.cos(2 * np.pi * x[:, [feature]] * w[feature] + b[feature])
        expected = np.column_stack([waves @ v[feature] + c[feature], x[:, feature]])
        np.testing.assert_allclose(y[:, 3 * feature : 3 * feature + 3], expected, rtol=1e-10)
    assert layer.compute_output_shape((None, 3)) == (None, 9)


def test_parametric_activation_is_its_formula():
    layer = layers.ParametricActivation("tanh", dtype="float64")
    x = np.random.default_rng(0).normal(size=(7, 3))
    np.testing.assert_allclose(layer(x), np.tanh(x), rtol=1e-10)
    alpha = np.array([0.5, -1.0, 2.0])
    layer.set_weights([alpha])
    np.testing.assert_allclose(layer(x), x + alpha * (np.tanh(x) - x), rtol=1e-10)


def test_gradients():
    generator = np.random.default_rng(0)
    model = cnn_core.Sequential(
        [
            layers.Input((3,), dtype="float64"),
            layers.PeriodicEmbedding(4, 2, dtype="float64"),
            layers.Dense(5, dtype="float64"),
            layers.ParametricActivation("mish", 0.7, dtype="float64"),
            layers.Dense(2, dtype="float64"),
        ]
    )
    model.compile(loss="mean_squared_error")
    report = gradient_check(model, generator.normal(size=(6, 3)), generator.normal(size=(6, 2)))
    assert report.passed


@pytest.mark.parametrize("layer", [layers.PeriodicEmbedding(4, 2, 0.5), layers.ParametricActivation("elu", 0.25)])
def test_settings_make_an_equal_layer(layer: Any):
    again = layers.deserialize(layers.serialize(layer))
    assert layers.serialize(again) == layers.serialize(layer)
    x = np.ones((2, 3), np.float32)
    layer(x), again(x)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x), layer(x))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.PeriodicEmbedding(0), "n_waves"),
        (lambda: layers.PeriodicEmbedding(n_outputs=0), "n_outputs"),
        (lambda: layers.PeriodicEmbedding(wave_spread=-1), "wave_spread"),
        (lambda: layers.ParametricActivation("softmax"), "`activation` must be a built-in, elementwise one"),
        (lambda: layers.PeriodicEmbedding()(np.ones((2, 3, 4))), "needs an input of shape"),
        (lambda: layers.ParametricActivation("relu")(np.ones((2, 3, 4))), "needs an input of shape"),
    ],
)
def test_wrong_settings_are_named(make: Any, message: str):
    with pytest.raises(ValueError, match=message):
        make()
