"""Layers around layers: TimeDistributed against a loop over the steps, SpectralNormalization, a custom wrapper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
import layer_checks
import tolerances
from cnn_core import Input, Model, Sequential, layers
from thread_counts import on_threads

X = np.random.default_rng(0).normal(size=(5, 3, 4))


def residual() -> Any:
    x = Input((4,), dtype="float64")
    return Model(x, layers.Add(dtype="float64")([x, layers.Dense(4, "tanh", dtype="float64")(x)]))


INNER = {
    "dense": lambda: layers.Dense(2, "softmax", dtype="float64"),
    "normalized": lambda: layers.LayerNormalization(gamma_initializer="normal", dtype="float64"),
    "reshaped": lambda: layers.Reshape((2, 2), dtype="float64"),
    "chain": lambda: Sequential([layers.Dense(3, "tanh", dtype="float64"), layers.Dense(2, dtype="float64")]),
    "model": residual,
}


@pytest.mark.parametrize("name", INNER)
def test_every_step_by_itself(name: str) -> None:
    inner = INNER[name]()
    layer = layers.TimeDistributed(inner, dtype="float64")
    found = layer(X)
    for step in range(X.shape[1]):
        tolerances.close(found[:, step], np.asarray(inner(X[:, step])), tolerances.KERNEL_FLOAT64)
    assert layer.compute_output_shape((None, *X.shape[1:])) == (None, *found.shape[1:])
    assert layer(Input(X.shape[1:])).shape == (None, *found.shape[1:])
    layer_checks.check_gradients(layer, X)


def test_its_weights_are_those_of_the_layer() -> None:
    layer = layers.TimeDistributed(layers.Dense(2))
    layer(X)
    assert layer.count_params() == 10
    assert [variable.shape for variable in layer.layer.variables] == [(4, 2), (2,)]
    layer.trainable = False
    assert layer.trainable_variables == layer.layer.trainable_variables == []


@pytest.mark.parametrize("name", ["dense", "chain", "model"])
def test_saved_and_cloned(name: str, tmp_path: Path) -> None:
    x = Input(X.shape[1:], dtype="float64")
    steps = layers.TimeDistributed(INNER[name](), dtype="float64")(x)
    flat = layers.Flatten(dtype="float64")(steps)
    model = Model(x, layers.Dense(1, dtype="float64")(flat))
    model.compile("adam", "mse")
    model.fit(X, np.ones(5), epochs=2, verbose=0)
    clone = cnn_core.clone_model(model)
    assert not set(map(id, clone.variables)) & set(map(id, model.variables))
    clone.set_weights(model.get_weights())
    twins = [clone]
    for file in ("model.safetensors", "model.keras"):
        model.save(tmp_path / file)
        twins.append(cnn_core.load_model(tmp_path / file))
    for twin in twins:
        np.testing.assert_array_equal(twin.predict(X), model.predict(X))


def test_a_mask_goes_through() -> None:
    codes = np.array([[1, 2, 0], [3, 0, 0]])
    model = Sequential(
        [
            Input((3,)),
            layers.Embedding(4, 2, mask_zero=True),
            layers.TimeDistributed(layers.Dense(2, "relu", bias_initializer="ones")),
            layers.GlobalAveragePooling1D(),
        ]
    )
    first, second, _ = model.layers
    rows = np.asarray(second(first(codes)))
    expected = [rows[0, :2].mean(axis=0), rows[1, 0]]
    tolerances.close(model.predict(codes), np.array(expected), tolerances.GOLDEN_FLOAT32)


# Spectral normalization


def spectral_step(kernel: np.ndarray, u: np.ndarray, iterations: int) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel and vector after a batch, by the formulas."""
    rows = kernel.reshape(-1, kernel.shape[-1])
    for _ in range(iterations):
        v = rows @ u / np.linalg.norm(rows @ u)
        u = v @ rows / np.linalg.norm(v @ rows)
    return kernel / (v @ rows @ u), u


@pytest.mark.parametrize("iterations", [1, 4])
@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Dense(3, "tanh", dtype="float64"),
        lambda: layers.EinsumDense("ab,bcd->acd", (2, 3), bias_axes="d", dtype="float64"),
    ],
)
def test_a_call_in_training_divides_the_kernel(make: Any, iterations: int) -> None:
    layer = layers.SpectralNormalization(make(), iterations, dtype="float64")
    layer(X[:, 0])
    kernel, u = layer.layer.kernel.numpy(), layer.vector_u.numpy()[0]
    for _ in range(3):
        kernel, u = spectral_step(kernel, u, iterations)
        found = layer(X[:, 0], training=True)
        tolerances.close(layer.layer.kernel.numpy(), kernel, tolerances.KERNEL_FLOAT64)
        tolerances.close(layer.vector_u.numpy()[0], u, tolerances.KERNEL_FLOAT64)
        np.testing.assert_array_equal(found, layer(X[:, 0]))


def test_the_largest_singular_value_becomes_1() -> None:
    layer = layers.SpectralNormalization(layers.Dense(6, dtype="float64"), dtype="float64")
    for _ in range(200):
        layer(X[:, 0], training=True)
    assert np.linalg.norm(layer.layer.kernel.numpy(), 2) == pytest.approx(1, abs=1e-6)


def test_what_only_looks_leaves_the_kernel_alone() -> None:
    model = Sequential([Input((4,)), layers.SpectralNormalization(layers.Dense(2, "tanh"))])
    model.compile("sgd", "mse")
    before = model.get_weights()
    y = np.ones((5, 2))
    model.predict(X[:, 0])
    model.evaluate(X[:, 0], y, verbose=0)
    model.gradients(X[:, 0], y)
    model.trace(X[:, 0], y)
    for found, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)
    model.fit(X[:, 0], y, verbose=0)
    assert not np.array_equal(model.get_weights()[0], before[0])


@pytest.mark.parametrize("size", [1, 5, 300])
def test_it_divides_once_a_batch_on_any_number_of_threads(size: int) -> None:
    x = np.random.default_rng(1).normal(size=(size, 4))
    kernels = []
    for threads in (1, 2):
        with on_threads(threads):
            cnn_core.utils.set_random_seed(3)
            layer = layers.SpectralNormalization(layers.Dense(3, dtype="float64"), dtype="float64")
            model = Sequential([Input((4,)), layer])
            expected, _ = spectral_step(layer.layer.kernel.numpy(), layer.vector_u.numpy()[0], 1)
            model.compile(cnn_core.optimizers.SGD(0.0), "mse")
            model.fit(x, np.ones((size, 3)), batch_size=size, verbose=0)
        kernels.append(layer.layer.kernel.numpy())
        tolerances.close(kernels[-1], expected, tolerances.KERNEL_FLOAT64)
    np.testing.assert_array_equal(*kernels)


def test_a_kernel_of_zeros_stays() -> None:
    layer = layers.SpectralNormalization(layers.Dense(2, kernel_initializer="zeros"))
    layer(X[:, 0])
    u = layer.vector_u.numpy()
    np.testing.assert_array_equal(layer(X[:, 0], training=True), np.zeros((5, 2)))
    np.testing.assert_array_equal(layer.vector_u.numpy(), u)


def test_gradients_with_a_spectral_norm() -> None:
    layer = layers.SpectralNormalization(layers.Dense(3, "tanh", dtype="float64"), dtype="float64")
    layer_checks.check_gradients(layer, X[:, 0])


def test_embeddings_are_looked_up_and_checked_as_before(tmp_path: Path) -> None:
    codes = np.array([[0, 2], [1, 1], [2, 0]])
    layer = layers.SpectralNormalization(layers.Embedding(3, 2))
    model = Sequential([Input((2,)), layer, layers.Flatten(), layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(codes, np.ones(3), epochs=3, verbose=0)
    with pytest.raises(ValueError, match="x"):
        model.predict(np.array([[0, 3]]))
    for name in ("model.safetensors", "model.keras"):
        model.save(tmp_path / name)
        again = cnn_core.load_model(tmp_path / name)
        np.testing.assert_array_equal(again.predict(codes), model.predict(codes))
        assert [each.shape for each in again.variables] == [(3, 2), (1, 2), (4, 1), (1,)]


def test_what_has_no_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^`layer` must have a `kernel` or `embeddings`\. Received: layer=<Flatten"):
        layers.SpectralNormalization(layers.Flatten())(X)
    with pytest.raises(
        ValueError, match=r"^`power_iterations` must be a positive integer\. Received: power_iterations=0$"
    ):
        layers.SpectralNormalization(layers.Dense(2), 0)
    model = Model(x := Input((4,)), layers.SpectralNormalization(layers.Dense(2))(x, training=True))
    with pytest.raises(ValueError, match=r"a prediction leaves the kernel as it is\. Received: training=True$"):
        model.predict(X[:, 0])


class Scaled(layers.Wrapper):
    """Multiply what a layer gives by a trained factor for every unit."""

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.factor = self.add_weight((self.layer.compute_output_shape(input_shape)[-1],), "ones", name="factor")

    def call(self, x: Any) -> Any:
        return self.layer(x) * self.factor


def test_a_custom_wrapper(tmp_path: Path) -> None:
    model = Sequential([Input((4,)), Scaled(layers.Dense(3, "tanh")), layers.Dense(1)])
    assert model.count_params() == 15 + 3 + 4
    model.compile("adam", "mse")
    model.fit(X[:, 0], np.ones(5), epochs=3, verbose=0)
    assert not np.array_equal(model.layers[0].factor.numpy(), np.ones(3))
    model.save(tmp_path / "model.safetensors")
    again = cnn_core.load_model(tmp_path / "model.safetensors", custom_objects={"Scaled": Scaled})
    np.testing.assert_array_equal(again.predict(X[:, 0]), model.predict(X[:, 0]))
    clone = cnn_core.clone_model(model)
    assert clone.layers[0].layer is not model.layers[0].layer


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^`layer` must be a layer\. Received: layer=3$"):
        layers.TimeDistributed(3)
    with pytest.raises(
        ValueError, match=r"takes inputs of shape \(n, steps, \.\.\.\), of a known number of steps\. Received"
    ):
        layers.TimeDistributed(layers.Dense(2))(np.ones((2, 3)))
    with pytest.raises(ValueError, match="of a known number of steps"):
        layers.TimeDistributed(layers.Flatten())(Input((None, 3)))
    with pytest.raises(NotImplementedError, match=r"Wrapper must define call\(self, x\)"):
        layers.Wrapper(layers.Dense(2))(np.ones((2, 3)))
