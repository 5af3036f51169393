"""Normalization: against the oracle, moving statistics step by step, numbers with large means, frozen layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_core
import cnn_core._core as _core
import reference
import tolerances
from cnn_core import layers
from thread_counts import on_threads

DTYPES = ("float32", "float64")


def batch(n: int, width: int, dtype: str = "float64", seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, width)).astype(dtype)


def network(*middle: Any, width: int = 4, dtype: str = "float64", seed: int = 3) -> Any:
    """Make and compile dense, the layers in the middle, dense."""
    cnn_core.utils.set_random_seed(seed)
    model = cnn_core.Sequential(
        [cnn_core.Input((width,)), *middle, layers.Dense(1, dtype=dtype, kernel_initializer="normal")]
    )
    model.compile(cnn_core.optimizers.SGD(0.1), "mse")
    return model


@pytest.mark.parametrize("dtype", DTYPES)
@given(n=st.integers(1, 40), width=st.integers(1, 20), seed=st.integers(0, 99))
def test_batch_normalization_is_the_oracle(dtype: str, n: int, width: int, seed: int) -> None:
    x, da = batch(n, width, dtype, seed), batch(n, width, dtype, seed + 1)
    layer = layers.BatchNormalization(gamma_initializer="normal", beta_initializer="normal", dtype=dtype)
    a, cache = layer.forward(x, training=True)
    gamma, beta, *_ = (weight.astype("float64") for weight in layer.get_weights())
    desired = reference.batch_normalization_forward(x, gamma, beta, *reference.batch_moments(x.astype("float64")))
    np.testing.assert_allclose(a, desired, rtol=0, atol=tolerances.golden(dtype) * max(np.abs(desired).max(), 1.0))
    for actual, desired in zip(
        layer.backward(da, cache), reference.batch_normalization_backward(da, x, gamma), strict=True
    ):
        scale = max(np.abs(desired).max(), 1.0)  # a batch of one row has gradients of zero
        np.testing.assert_allclose(actual, desired, rtol=0, atol=tolerances.golden(dtype) * scale)


@pytest.mark.parametrize("dtype", DTYPES)
@given(n=st.integers(1, 9), width=st.integers(1, 40), seed=st.integers(0, 99))
def test_layer_normalization_is_the_oracle(dtype: str, n: int, width: int, seed: int) -> None:
    x, da = batch(n, width, dtype, seed), batch(n, width, dtype, seed + 1)
    layer = layers.LayerNormalization(gamma_initializer="normal", beta_initializer="normal", dtype=dtype)
    a, cache = layer.forward(x)
    gamma, beta = (weight.astype("float64") for weight in layer.get_weights())
    tolerances.close(a, reference.layer_normalization_forward(x, gamma, beta), tolerances.golden(dtype))
    for actual, desired in zip(
        layer.backward(da, cache), reference.layer_normalization_backward(da, x, gamma), strict=True
    ):
        scale = max(np.abs(desired).max(), 1.0)
        np.testing.assert_allclose(actual, desired, rtol=0, atol=tolerances.golden(dtype) * scale)


@pytest.mark.parametrize("dtype", DTYPES)
@given(n=st.integers(1, 9), width=st.integers(1, 40), seed=st.integers(0, 99))
def test_rms_and_unit_normalization_are_the_oracle(dtype: str, n: int, width: int, seed: int) -> None:
    x, da = batch(n, width, dtype, seed), batch(n, width, dtype, seed + 1)
    layer = layers.RMSNormalization(dtype=dtype)
    a, cache = layer.forward(x)
    tolerances.close(a, reference.rms_normalization_forward(x, np.ones(width)), tolerances.golden(dtype))
    desired = reference.rms_normalization_backward(da, x, np.ones(width))[0]
    scale = max(np.abs(desired).max(), 1.0)
    np.testing.assert_allclose(layer.backward(da, cache)[0], desired, rtol=0, atol=tolerances.golden(dtype) * scale)
    unit = layers.UnitNormalization(dtype=dtype)
    a, cache = unit.forward(x)
    tolerances.close(a, reference.unit_normalization_forward(x), tolerances.golden(dtype))
    desired = reference.unit_normalization_backward(da, x)
    scale = max(np.abs(desired).max(), 1.0)
    np.testing.assert_allclose(unit.backward(da, cache)[0], desired, rtol=0, atol=tolerances.golden(dtype) * scale)


def test_by_hand() -> None:
    # Two samples 1 and 3: mean 2, variance 1, normalized -1 and 1 but for epsilon, chosen so that s = 2.
    layer = layers.BatchNormalization(epsilon=3.0, momentum=0.5, dtype="float64")
    a, cache = layer.forward(np.array([[1.0], [3.0]]), training=True)
    np.testing.assert_array_equal(a, [[-0.5], [0.5]])
    # dy = (1, 0): dbeta 1, dgamma -1/2, dx = 1/2 (dy - 1/2 + n / 4) = 1/2 (1/2 - 1/8), 1/2 (-1/2 + 1/8).
    dx, d_gamma, d_beta = layer.backward(np.array([[1.0], [0.0]]), cache)
    np.testing.assert_array_equal(dx, [[0.1875], [-0.1875]])
    assert (d_gamma, d_beta) == (-0.5, 1.0)
    assert (layer.moving_mean.array, layer.moving_variance.array) == (1.0, 1.0)


@pytest.mark.parametrize("n", [7, 3000])
def test_statistics_move_once_a_batch(n: int) -> None:
    # 3,000 samples would be cut into blocks if the layer did not need the batch whole.
    x = batch(n, 4)
    layer = layers.BatchNormalization(momentum=0.75, dtype="float64")
    model = network(layer)
    mean, variance = np.zeros(4), np.ones(4)
    for part in (x, x[: n // 2], x[:1]):
        model.train_on_batch(part, np.zeros((len(part), 1)))
        mean = 0.75 * mean + 0.25 * part.mean(axis=0)
        variance = 0.75 * variance + 0.25 * part.var(axis=0)
        tolerances.close(layer.moving_mean.array, mean, tolerances.REFERENCE_FLOAT64)
        tolerances.close(layer.moving_variance.array, variance, tolerances.REFERENCE_FLOAT64)


def test_only_training_moves_statistics() -> None:
    x, y = batch(6, 4), np.zeros((6, 1))
    layer = layers.BatchNormalization(dtype="float64")
    model = network(layer)
    model.fit(x, y, verbose=0)
    kept = layer.get_weights()
    model.evaluate(x, y, verbose=0)
    model.predict(x)
    model(x)
    model.trace(x, y)
    model.gradients(x, y)
    model.test_on_batch(x, y)
    assert all(np.array_equal(a, b) for a, b in zip(kept, layer.get_weights(), strict=True))


def test_prediction_uses_the_moving_statistics() -> None:
    x = batch(6, 4)
    layer = layers.BatchNormalization(dtype="float64")
    layer.build((None, 4))
    layer.moving_mean.assign([1.0, 2.0, 3.0, 4.0])
    layer.moving_variance.assign([4.0, 1.0, 9.0, 0.25])
    desired = (x - [1, 2, 3, 4]) / np.sqrt(np.array([4, 1, 9, 0.25]) + 0.001)
    tolerances.close(layer(x), desired, tolerances.REFERENCE_FLOAT64)


@pytest.mark.parametrize("arguments", [{}, {"center": False, "scale": False}])
def test_frozen_layers_keep_to_what_they_learned(arguments: dict[str, Any]) -> None:
    x, y = batch(6, 4), np.ones((6, 1))
    layer = layers.BatchNormalization(dtype="float64", **arguments)
    model = network(layer)
    model.fit(x, y, verbose=0)
    layer.trainable = False  # counts from the next fit on
    kept, rest = layer.get_weights(), model.layers[-1].get_weights()
    loss = model.evaluate(x, y, verbose=0)
    assert model.fit(x, y, verbose=0).history["loss"][0] == pytest.approx(loss, rel=tolerances.REFERENCE_FLOAT64)
    assert all(np.array_equal(a, b) for a, b in zip(kept, layer.get_weights(), strict=True))
    assert not np.array_equal(rest[0], model.layers[-1].get_weights()[0])
    layer.trainable = True
    model.fit(x, y, verbose=0)
    assert not np.array_equal(kept[-1], layer.get_weights()[-1])


def test_a_frozen_model_freezes_its_statistics() -> None:
    inner = cnn_core.Sequential([cnn_core.Input((4,)), layers.BatchNormalization(dtype="float64")])
    inner.trainable = False
    model = network(inner)
    model.fit(batch(6, 4), np.ones((6, 1)), verbose=0)
    np.testing.assert_array_equal(inner.layers[-1].moving_mean.array, np.zeros(4))


@pytest.mark.parametrize(("dtype", "mean"), [("float32", 4096.0), ("float64", 2.0**30)])
def test_large_means_cost_no_digits(dtype: str, mean: float) -> None:
    # Steps of 1/8 are exact at both means, so that only the layer's own rounding shows.
    x = np.round(batch(64, 3) * 8) / 8
    layer = layers.BatchNormalization(epsilon=1e-6, dtype=dtype)
    a, _ = layer.forward((x + mean).astype(dtype), training=True)
    desired = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-6)
    tolerances.close(a, desired, 1e-6)
    normalized = layers.LayerNormalization(epsilon=1e-6, dtype=dtype)((x + mean).astype(dtype))
    centred = x - x.mean(axis=1, keepdims=True)
    tolerances.close(normalized, centred / np.sqrt(x.var(axis=1, keepdims=True) + 1e-6), 1e-6)


@pytest.mark.parametrize("scale", [1e300, 1e25])
def test_what_a_diverging_batch_saw_leaves_no_trace(scale: float) -> None:
    dtype = "float64" if scale > 1e38 else "float32"
    layer = layers.BatchNormalization(dtype=dtype)
    model = network(layer, dtype=dtype)
    x = batch(6, 4, dtype)
    model.fit(x, np.ones((6, 1)), verbose=0)
    kept = model.get_weights()
    with pytest.raises(cnn_core.NonFiniteLossError):
        # The loss is finite, but the variance of this batch is not.
        model.fit(x * np.array(scale, dtype), np.ones((6, 1)), verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(kept, model.get_weights(), strict=True))
    assert np.isfinite(model.predict(x)).all()


def test_a_shared_layer_moves_at_every_use() -> None:
    layer = layers.BatchNormalization(momentum=0.5, dtype="float64")
    first, second = cnn_core.Input((2,)), cnn_core.Input((2,))
    model = cnn_core.Model([first, second], layers.Add(dtype="float64")([layer(first), layer(second)]))
    model.compile("sgd", "mse")
    x = [np.array([[2.0, 0.0]]), np.array([[0.0, 4.0]])]
    model.train_on_batch(x, np.zeros((1, 2)))
    np.testing.assert_array_equal(layer.moving_mean.array, [0.5, 2.0])


def test_gradients_add_up_beside_a_skip_connection() -> None:
    x = cnn_core.Input((4,))
    hidden = layers.Dense(4, "tanh", dtype="float64")(x)
    for kind in (layers.BatchNormalization, layers.LayerNormalization, layers.RMSNormalization):
        hidden = layers.Add(dtype="float64")([hidden, kind(dtype="float64")(hidden)])
    model = cnn_core.Model(x, layers.Dense(2, dtype="float64")(hidden))
    model.compile("sgd", "mse")
    check = cnn_core.inspection.gradient_check(model, batch(5, 4), batch(5, 2))
    assert check, str(check)


def test_rows_without_direction_pass_no_gradient() -> None:
    layer = layers.UnitNormalization(dtype="float64")
    a, cache = layer.forward(np.array([[0.0, 0.0], [3.0, 4.0]]))
    np.testing.assert_array_equal(a[0], [0.0, 0.0])
    dx = layer.backward(np.ones((2, 2)), cache)[0]
    np.testing.assert_array_equal(dx[0], [0.0, 0.0])
    assert np.isfinite(dx).all()


def test_the_number_of_threads_changes_no_bit() -> None:
    weights = []
    for threads in (1, 3):
        with on_threads(threads):
            model = network(
                layers.Dense(64, dtype="float32"), layers.BatchNormalization(dtype="float32"), dtype="float32"
            )
            model.compile("adam", "mse")
            model.fit(batch(200, 4, "float32"), np.ones((200, 1)), epochs=2, verbose=0)
            weights.append(model.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))


def forward_and_backward(kind: str, n: int, width: int, dtype: str) -> list[np.ndarray]:
    x, dy = batch(n, width, dtype), batch(n, width, dtype, seed=2)
    layer = getattr(layers, kind)(dtype=dtype)
    a, cache = layer.forward(x, training=True)
    return [a, *layer.backward(dy, cache)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_threads_share_out_the_columns(dtype: str) -> None:
    found = []
    for threads in (1, 2, 5):
        with on_threads(threads):
            found.append(forward_and_backward("BatchNormalization", 600, 130, dtype))
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [1, 2, 7, 8, 9, 15, 16, 17, 33])
@pytest.mark.parametrize("kind", ["BatchNormalization", "LayerNormalization", "RMSNormalization", "UnitNormalization"])
def test_every_instruction_set_gives_the_same_bits(kind: str, width: int, dtype: str) -> None:
    before = _core.instruction_set()
    found = []
    try:
        for name in _core.instruction_sets():
            _core.select_instruction_set(name)
            found.append(forward_and_backward(kind, 19, width, dtype))
    finally:
        _core.select_instruction_set(before)
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (layers.BatchNormalization(axis=0), "from 1 to 1"),
        (layers.BatchNormalization(axis=2), "from 1 to 1"),
        (layers.LayerNormalization(axis=[1, -1]), "each once"),
        (layers.UnitNormalization(axis=-3), "from 1 to 1"),
    ],
)
def test_axes_that_are_not_there(layer: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layer(np.ones((2, 3)))


def test_other_widths_are_refused() -> None:
    layer = layers.BatchNormalization()
    layer(np.ones((2, 3)))
    with pytest.raises(ValueError, match="was built for"):
        layer(np.ones((2, 4)))


@pytest.mark.parametrize("dtype", DTYPES)
@given(
    n=st.integers(1, 5),
    groups=st.integers(1, 4),
    size=st.integers(1, 5),
    steps=st.integers(1, 4),
    axis=st.integers(1, 2),
)
def test_group_normalization_is_layer_normalization_of_groups(
    dtype: str, n: int, groups: int, size: int, steps: int, axis: int
) -> None:
    x = np.random.default_rng(n).normal(size=(n, groups * size, steps)).astype(dtype)
    layer = layers.GroupNormalization(groups, axis, gamma_initializer="normal", beta_initializer="normal", dtype=dtype)
    y = layer(x if axis == 1 else x.transpose(0, 2, 1))
    gamma, beta = (weight.astype("float64")[:, None] for weight in layer.get_weights())
    parts = x.astype("float64").reshape(n, groups, -1)
    normal = (parts - parts.mean(2, keepdims=True)) / np.sqrt(parts.var(2, keepdims=True) + 0.001)
    desired = gamma * normal.reshape(x.shape) + beta
    scale = max(np.abs(desired).max(), 1.0)  # groups of one element are beta
    np.testing.assert_allclose(
        y if axis == 1 else y.transpose(0, 2, 1), desired, rtol=0, atol=tolerances.golden(dtype) * scale
    )


def test_groups_must_divide_the_features() -> None:
    with pytest.raises(
        ValueError, match=r"^`groups` of 'groups' must divide the number of features, 6\. Received: groups=4"
    ):
        layers.GroupNormalization(4, name="groups")(np.ones((2, 6)))
    with pytest.raises(ValueError, match=r"^`groups` must be a positive integer, or -1 .*\. Received: groups=0$"):
        layers.GroupNormalization(0)
