"""Predictors in int8: what they answer, how wrong that is, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

import cnn_core
import cnn_core._core as _core
from cnn_core import layers
from cnn_core.models.quantization import quantize_kernel


def expected_outputs(x: np.ndarray, model: cnn_core.Sequential, calibration: np.ndarray) -> np.ndarray:
    """Compute dense layers with ReLU, the last one linear, in 8 bits: rows and columns each by a unit of their own."""
    rows, seen = x.astype("float64"), calibration.astype("float64")
    for layer in model.layers:
        kernel, bias = (w.astype("float64") for w in layer.get_weights())
        reach, weights = np.abs(seen).max(axis=0), np.abs(kernel).max(axis=1)
        factors = np.where((reach > 0) & (weights > 0), np.sqrt(weights / np.where(reach > 0, reach, 1)), 1)
        scaled_x, scaled_w = rows * factors, kernel / factors[:, None]
        x_unit = np.abs(scaled_x).max(axis=1, keepdims=True) / 127
        w_unit = np.abs(scaled_w).max(axis=0) / 127
        z = np.rint(scaled_x / x_unit) @ np.rint(scaled_w / w_unit) * (x_unit * w_unit) + bias
        last = layer is model.layers[-1]
        rows = z if last else np.maximum(z, 0)
        seen = seen @ kernel + bias if last else np.maximum(seen @ kernel + bias, 0)
    return rows


def relu_model(*sizes: int) -> cnn_core.Sequential:
    hidden = [layers.Dense(n, "relu", bias_initializer="normal") for n in sizes[1:-1]]
    return cnn_core.Sequential([cnn_core.Input((sizes[0],)), *hidden, layers.Dense(sizes[-1])])


@pytest.mark.parametrize("sizes", [(7, 5), (9, 33, 4), (30, 64, 50, 3)])
def test_the_answers_are_those_of_the_formula(sizes: tuple[int, ...]):
    model = relu_model(*sizes)
    rng = np.random.default_rng(0)
    scales = rng.uniform(0.1, 100, sizes[0])
    calibration, x = ((rng.normal(size=(n, sizes[0])) * scales).astype("float32") for n in (200, 50))
    found, expected = model.predictor("int8", calibration)(x), expected_outputs(x, model, calibration)
    # A number that floats put on the other side of a tie is one unit, a 127th of its row, off.
    np.testing.assert_allclose(found, expected, atol=0.01 * np.abs(expected).max())
    assert np.mean(np.isclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())) > 0.8


def test_a_kernel_comes_back_within_half_a_unit():
    rng = np.random.default_rng(1)
    kernel, reach = rng.normal(size=(10, 6)), rng.uniform(0, 5, 10)
    kernel[3], reach[4] = 0, 0
    kernel[:, 2] = 0
    quantized = quantize_kernel(kernel, reach)
    numbers = np.ascontiguousarray(quantized.quads).view("int8").reshape(3, 6, 4).transpose(0, 2, 1).reshape(12, 6)
    assert np.abs(numbers).max() == 127
    assert not numbers[10:].any()
    np.testing.assert_array_equal(numbers.sum(axis=0), quantized.sums)
    back = numbers[:10] * quantized.units * quantized.factors[:, None]
    assert (np.abs(back - kernel) <= 0.5001 * quantized.units * quantized.factors[:, None]).all()
    np.testing.assert_array_equal(quantized.factors[[3, 4]], 1)


def test_a_large_input_does_not_spoil_the_others():
    """Without factors the row's unit would be 1000 / 127, and the small inputs, which decide, would all be zero."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 8)).astype("float32")
    x[:, 0] *= 1000
    model = cnn_core.Sequential([cnn_core.Input((8,)), layers.Dense(16)])
    kernel = rng.normal(size=(8, 16))
    kernel[0] /= 1000
    model.layers[0].set_weights([kernel, np.zeros(16)])
    assert model.predictor("int8", x).error < 0.01


def test_the_error_is_measured_on_the_rows_given():
    model = relu_model(9, 33, 4)
    rows = np.random.default_rng(3).normal(size=(100, 9)).astype("float32")
    predict = model.predictor("int8", rows)
    exact = model.predict(rows, verbose=0).astype("float64")
    assert predict.error == pytest.approx(np.sqrt(np.mean((predict(rows) - exact) ** 2)) / exact.std(), rel=1e-5)
    assert 0 < predict.error < 0.03
    assert (
        repr(predict)
        == f"<Predictor: (9,) of float32 -> (4,) of float32, in int8 with an error of {predict.error:.2%}>"
    )
    assert model.predictor().error is None


def test_digits_are_told_apart_as_well_as_in_floats():
    (x, y), (x_test, y_test) = cnn_core.datasets.load_digits()
    x, x_test = (rows.reshape(len(rows), -1).astype("float32") / 16 for rows in (x, x_test))
    cnn_core.utils.set_random_seed(0)
    model = cnn_core.Sequential(
        [cnn_core.Input((64,)), layers.Dense(64, "relu"), layers.BatchNormalization(), layers.Dense(10, "softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=15, verbose=0)
    predict = model.predictor("int8", x[:200])
    right = [np.mean(np.argmax(p, axis=1) == y_test) for p in (model.predict(x_test, verbose=0), predict(x_test))]
    assert right[0] > 0.9
    assert abs(right[0] - right[1]) < 0.01


@pytest.mark.parametrize("rows", [1, 2, 9, 700])
def test_rows_alone_and_together_give_the_same_bits(rows: int):
    model = relu_model(7, 33, 5)
    x = np.random.default_rng(4).normal(size=(rows, 7)).astype("float32")
    predict = model.predictor("int8", x)
    np.testing.assert_array_equal(predict(x), np.stack([predict(row) for row in x]))


def test_graphs_embeddings_and_layers_without_kernels():
    ids = cnn_core.Input((3,), dtype="int32")
    h = layers.Flatten()(layers.Embedding(11, 6)(ids))
    h = layers.LayerNormalization()(layers.Dense(20, "gelu")(h))
    h = layers.Concatenate()([layers.Dense(7, "tanh", use_bias=False)(h), layers.Dropout(0.5)(h)])
    model = cnn_core.Model(ids, layers.Dense(4, "softmax")(h))
    x = np.random.default_rng(5).integers(0, 11, (200, 3))
    predict = model.predictor("int8", x)
    np.testing.assert_allclose(predict(x), model.predict(x, verbose=0), atol=0.02)


def test_it_keeps_its_weights():
    model, x = relu_model(7, 5), np.ones((3, 7), "float32")
    predict = model.predictor("int8", x)
    before = predict(x)
    model.set_weights([weight + 1 for weight in model.get_weights()])
    np.testing.assert_array_equal(predict(x), before)


def test_it_survives_another_instruction_set():
    x = np.random.default_rng(6).normal(size=(20, 7)).astype("float32")
    predict = relu_model(7, 33, 5).predictor("int8", x)
    before, expected = (_core.instruction_set(), _core.int8()), predict(x)
    _core.select_instruction_set("portable")
    try:
        np.testing.assert_allclose(predict(x), expected, rtol=1e-6)
    finally:
        _core.select_instruction_set(before[0])
        _core.select_int8(before[1])


def test_models_of_float64_are_refused():
    model = cnn_core.Sequential([cnn_core.Input((2,), dtype="float64"), layers.Dense(1, dtype="float64")])
    with pytest.raises(ValueError, match=r"`dtype` 'int8' is for models of float32\. Received: a model of float64"):
        model.predictor("int8", np.ones((2, 2)))


@pytest.mark.parametrize(
    ("dtype", "calibration"), [("int8", None), (None, np.ones((1, 7))), ("bfloat16", np.ones((1, 7)))]
)
def test_calibration_goes_with_int8(dtype: str | None, calibration: object):
    with pytest.raises(ValueError, match="`calibration` goes with dtype='int8', and that with it"):
        relu_model(7, 5).predictor(dtype, calibration)


@pytest.mark.parametrize("rows", [np.ones((0, 7)), np.full((2, 7), np.nan), np.full((2, 7), np.inf)])
def test_calibration_needs_rows_of_numbers(rows: np.ndarray):
    with pytest.raises(ValueError, match="`calibration` must have at least one row, and no NaN or infinity"):
        relu_model(7, 5).predictor("int8", rows)


def test_calibration_of_another_width_is_refused():
    with pytest.raises(ValueError, match="the model expects"):
        relu_model(7, 5).predictor("int8", np.ones((2, 6)))
