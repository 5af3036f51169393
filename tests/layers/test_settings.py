"""Tests of settings of layers that are assigned after the layer was made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import Input, Sequential, layers

X = np.array([[-1.0, 2.0], [3.0, -5.0]], np.float32)
SUMS = np.array([[1.0], [-2.0]], np.float32)


@pytest.mark.parametrize(
    ("given", "expected"), [(None, SUMS), ("relu", SUMS.clip(0)), (cnn_core.activations.tanh, np.tanh(SUMS))]
)
def test_a_layer_takes_another_activation(given: Any, expected: Any) -> None:
    layer = layers.Dense(1, "sigmoid", kernel_initializer="ones")
    layer(X)
    layer.activation = given
    np.testing.assert_allclose(layer(X), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        layers.Dense(1, kernel_initializer="ones"),
        layers.EinsumDense("ab,bc->ac", 1, kernel_initializer="ones"),
    ],
)
def test_models_compute_with_another_activation(layer: Any) -> None:
    model = Sequential([Input((2,)), layer])
    model.compile(cnn_core.optimizers.SGD(0.5), "mse")
    np.testing.assert_allclose(model.predict(X, verbose=0), SUMS)
    layer.activation = "relu"
    np.testing.assert_allclose(model.predict(X, verbose=0), SUMS.clip(0))
    np.testing.assert_allclose(model(X), SUMS.clip(0))
    assert model.train_on_batch(X, np.zeros((2, 1))) == pytest.approx(0.5)
    np.testing.assert_allclose(layer.kernel, [[1.5], [0]])  # the second row has no slope; 1 - 0.5 * 1 * (-1, 2)
    layer.activation = None
    expected = X @ layer.kernel.numpy() + (0 if layer.bias is None else layer.bias.numpy())
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-6)


def test_an_activation_keeps_the_width() -> None:
    layer = layers.Dense(2)
    with pytest.raises(ValueError, match=r"`activation` must keep the number of outputs of 'dense.*'; glu halves it"):
        layer.activation = "glu"
    with pytest.raises(ValueError, match="no_such"):
        layer.activation = "no_such"


def test_models_compute_by_another_policy() -> None:
    layer = layers.Dense(1, kernel_initializer="ones")
    model = Sequential([Input((2,)), layer])
    x = np.array([[1.001, 2.003]], np.float32)  # which bfloat16 rounds
    exact = model.predict(x, verbose=0)
    layer.dtype_policy = "mixed_bfloat16"
    assert (layer.dtype_policy.name, layer.compute_dtype, layer.dtype) == ("mixed_bfloat16", "bfloat16", "float32")
    assert abs(model.predict(x, verbose=0) - exact) > 1e-4
    layer.dtype_policy = cnn_core.DTypePolicy("float32")
    np.testing.assert_array_equal(model.predict(x, verbose=0), exact)


def test_a_policy_says_in_what_variables_will_be_made_and_cannot_change_those_made() -> None:
    layer = layers.Dense(1, name="top")
    layer.dtype_policy = "float64"
    assert layer.dtype == "float64"
    layer(X)
    assert layer.kernel.dtype == np.float64
    with pytest.raises(
        ValueError, match=r"^`dtype_policy` must keep variables in float64, in which 'top' has made 'top/kernel'"
    ):
        layer.dtype_policy = "mixed_bfloat16"
    with pytest.raises(ValueError, match=r"'mixed_float16' is not offered"):
        layer.dtype_policy = "mixed_float16"
    assert layer.dtype_policy.name == "float64"
