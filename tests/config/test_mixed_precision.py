"""cnn_core/config/mixed_precision.py: what a layer under "mixed_bfloat16" computes; models train and are saved."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import cnn_core
import cnn_core.config.mixed_precision as mixed_precision
from cnn_core import Sequential, layers, ops
from tests.native.test_pairs import WAYS, chosen
from thread_counts import on_threads

ml_dtypes = pytest.importorskip("ml_dtypes")


@pytest.fixture
def mixed() -> Iterator[None]:
    """Make layers under the policy."""
    mixed_precision.set_global_policy("mixed_bfloat16")
    yield
    mixed_precision.set_global_policy("float32")


def rounded(x: np.ndarray) -> np.ndarray:
    return x.astype(ml_dtypes.bfloat16).astype("float64")


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).normal(size=shape).astype("float32")


@WAYS
@pytest.mark.parametrize(("n", "n_in", "n_out"), [(1, 1, 1), (7, 5, 3), (33, 130, 17), (64, 48, 260)])
def test_products_forward_and_backward_round_their_factors(n, n_in, n_out, way):
    """y = [x] [w] + b;  dx = [dy] [w]^T;  dw = [x]^T [dy];  db = sum of dy, with [.] in bfloat16."""
    layer = layers.Dense(n_out, dtype="mixed_bfloat16", bias_initializer="normal")
    x, dy = drawn(n, n_in), drawn(n, n_out)
    with chosen(*way):
        y, cache = layer.forward(x)
        dx, dw, db = layer.backward(dy, cache)
    w, b = (variable.numpy() for variable in layer.variables)
    for found, expected in [
        (y, rounded(x) @ rounded(w) + b),
        (dx, rounded(dy) @ rounded(w).T),
        (dw, rounded(x).T @ rounded(dy)),
        (db, dy.astype("float64").sum(0)),
    ]:
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-5)


@pytest.mark.usefixtures("mixed")
def test_everything_but_the_products_stays_float32():
    model = Sequential(
        [layers.Input((4,)), layers.Dense(8), layers.BatchNormalization(), layers.Dense(3, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(drawn(16, 4), np.arange(16) % 3, epochs=1, verbose=0)
    assert [layer.compute_dtype for layer in model.layers] == ["bfloat16"] * 3
    assert {str(variable.numpy().dtype) for variable in model.variables} == {"float32"}
    outputs = model.predict(drawn(16, 4), verbose=0)
    assert outputs.dtype == np.float32
    np.testing.assert_allclose(outputs.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.usefixtures("mixed")
def test_a_layer_of_float32_inside_stays_exact():
    exact = layers.Dense(3, dtype="float32")
    model = Sequential([layers.Input((4,)), exact])
    x = drawn(5, 4)
    np.testing.assert_allclose(model.predict(x, verbose=0), x @ exact.kernel.numpy(), rtol=1e-6, atol=1e-7)


@pytest.mark.usefixtures("mixed")
@pytest.mark.parametrize("name", ["model.safetensors", "model.keras"])
def test_a_file_keeps_the_policy(name: str, tmp_path: Path):
    model = Sequential([layers.Input((4,)), layers.Dense(3), layers.Dense(2, dtype="float32")])
    model.save(tmp_path / name)
    mixed_precision.set_global_policy("float32")
    loaded = cnn_core.load_model(tmp_path / name)
    assert [layer.dtype_policy.name for layer in loaded.layers] == ["mixed_bfloat16", "float32"]
    x = drawn(6, 4)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    assert [layer.compute_dtype for layer in cnn_core.clone_model(model).layers] == ["bfloat16", "float32"]


class Product(layers.Layer):
    """A product that a user has written out."""

    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape[-1], 3))

    def call(self, x):
        return ops.matmul(x, self.kernel)


@pytest.mark.usefixtures("mixed")
def test_products_of_custom_layers_round_too():
    layer, x = Product(), drawn(5, 4)
    y = layer(x)
    np.testing.assert_allclose(y, rounded(x) @ rounded(layer.kernel.numpy()), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_training_reaches_the_loss_of_float32(optimizer: str):
    (x, y), _ = cnn_core.datasets.load_digits()
    x = x.reshape(-1, 64) / np.float32(16)
    losses = []
    for dtype in ("float32", "mixed_bfloat16"):
        cnn_core.utils.set_random_seed(0)
        model = Sequential(
            [
                layers.Input((64,)),
                layers.Dense(32, activation="relu", dtype=dtype),
                layers.LayerNormalization(dtype=dtype),
                layers.Dense(10, activation="softmax", dtype=dtype),
            ]
        )
        model.compile(optimizer, "sparse_categorical_crossentropy")
        losses.append(model.fit(x, y, epochs=5, batch_size=32, verbose=0).history["loss"][-1])
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


def test_threads_change_no_bit():
    x, y = drawn(512, 300), drawn(512, 200)
    weights = []
    for n in (1, 2):
        with on_threads(n):
            cnn_core.utils.set_random_seed(0)
            model = Sequential([layers.Input((300,)), layers.Dense(256, dtype="mixed_bfloat16"), layers.Dense(200)])
            model.compile("sgd", "mse")
            model.fit(x, y, epochs=2, batch_size=256, verbose=0)
            weights.append(model.layers[0].kernel.numpy().tobytes())
    assert weights[0] == weights[1]
