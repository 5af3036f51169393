"""Samples that are single numbers: inputs of shape (), outputs of shape (n,), layers called on arrays of one axis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
import tolerances
from cnn_core import layers, ops

GENERATOR = np.random.default_rng(3)
X = np.array([1.0, -2.0, 3.0, 0.5], "float32")
CODES = np.array([2, 0, 1, 2])
ROWS = GENERATOR.normal(size=(4, 2)).astype("float32")


def factorisation(shape: tuple[int, ...]) -> Any:
    """Predict the product of two rows, and a bias for each, as recommenders do, beside other features."""
    user, item, row = cnn_core.Input(shape, name="user"), cnn_core.Input(shape, name="item"), cnn_core.Input((2,))

    def looked_up(code: Any, width: int, seed: int) -> Any:
        made = layers.Embedding(3, width, cnn_core.initializers.RandomNormal(seed=seed), "l2")(code)
        return layers.Flatten()(made) if shape else made

    product = layers.Dot(1)([looked_up(user, 4, 1), looked_up(item, 4, 2)])
    total = layers.Add()([product, looked_up(user, 1, 3), looked_up(item, 1, 4)])
    joined = layers.Concatenate()([total, row, looked_up(item, 3, 5)])
    kernel = cnn_core.initializers.GlorotUniform(seed=6)
    return cnn_core.Model([user, item, row], layers.Dense(1, kernel_initializer=kernel)(joined))


def test_embeddings_of_numbers_train_as_those_of_rows_of_one() -> None:
    histories, predictions = [], []
    for shape in ((), (1,)):
        model = factorisation(shape)
        x = [CODES.reshape(-1, *shape), CODES[::-1].reshape(-1, *shape), ROWS]
        model.compile("adam", "mse")
        histories.append(model.fit(x, X, epochs=5, batch_size=2, shuffle=False, verbose=0).history["loss"])
        predictions.append(model.predict(x))
    assert histories[0] == histories[1]
    np.testing.assert_array_equal(predictions[0], predictions[1])


def test_their_gradients_are_central_differences() -> None:
    before = cnn_core.config.floatx()
    cnn_core.config.set_floatx("float64")
    try:
        model = factorisation(())
        model.compile("sgd", "mse")
        check = cnn_core.inspection.gradient_check(model, [CODES, CODES[::-1], ROWS.astype("float64")], X)
    finally:
        cnn_core.config.set_floatx(before)
    assert check, str(check)


def test_saved_cloned_and_nested(tmp_path: Path) -> None:
    model = factorisation(())
    x = [CODES, CODES[::-1], ROWS]
    expected = model.predict(x)
    for name in ("model.safetensors", "model.keras"):
        model.save(tmp_path / name)
        np.testing.assert_array_equal(cnn_core.load_model(tmp_path / name).predict(x), expected)
    inputs = [cnn_core.Input(symbol.shape[1:]) for symbol in model.inputs]
    outer = cnn_core.Model(inputs, layers.Identity()(model(inputs)))
    np.testing.assert_array_equal(outer.predict(x), expected)
    twin = cnn_core.clone_model(model)
    twin.set_weights(model.get_weights())
    np.testing.assert_array_equal(twin.predict(x), expected)


def test_an_output_of_single_numbers_is_measured_as_a_column() -> None:
    found = []
    for shape in ((), (1,)):
        a, b = cnn_core.Input(shape), cnn_core.Input(shape)
        model = cnn_core.Model([a, b], layers.PReLU(alpha_initializer="ones")(layers.Multiply()([a, b])))
        model.compile("sgd", "mse", metrics=["mae", lambda y_true, y_pred: np.abs(y_true - y_pred).max()])
        x = [X.reshape(-1, *shape), X.reshape(-1, *shape)]
        history = model.fit(x, X, epochs=2, batch_size=4, verbose=0).history
        found.append((model.evaluate(x, X, verbose=0), list(history.values()), model.predict(x).tolist()))
    assert found[0][:2] == found[1][:2]
    assert np.shape(found[0][2]) == (4,)
    np.testing.assert_array_equal(found[0][2], np.ravel(found[1][2]))


def test_numbers_beside_rows_in_functions_of_ops() -> None:
    a, row = cnn_core.Input(()), cnn_core.Input((2,))
    output = layers.Concatenate()([ops.expand_dims(2 * a, -1), row, layers.Reshape((1,))(ops.square(a))])
    found = cnn_core.Model([a, row], output).predict([X, ROWS])
    tolerances.close(found, np.column_stack([2 * X, ROWS, X**2]), tolerances.GOLDEN_FLOAT32)


ELEMENTWISE = [
    (layers.Rescaling(2.0, 1.0), [3, -3, 7, 2]),
    (layers.ReLU(), [1, 0, 3, 0.5]),
    (layers.LeakyReLU(0.5), [1, -1, 3, 0.5]),
    (layers.PReLU("ones"), [1, -2, 3, 0.5]),
    (layers.Activation("linear"), [1, -2, 3, 0.5]),
    (layers.Identity(), [1, -2, 3, 0.5]),
    (layers.Dropout(0.5), [1, -2, 3, 0.5]),
    (layers.ActivityRegularization(0.5), [1, -2, 3, 0.5]),
    (layers.Normalization(None, 1.0, 4.0), [0, -1.5, 1, -0.25]),
    (layers.Discretization([0.0, 1.0]), [2, 0, 2, 1]),
    (layers.Lambda(lambda x: 2 * x), [2, -4, 6, 1]),
    (layers.Reshape((1,)), [[1], [-2], [3], [0.5]]),
    (layers.Flatten(), [[1], [-2], [3], [0.5]]),
    (layers.EinsumDense("a,b->ab", 2, kernel_initializer="ones"), [[1, 1], [-2, -2], [3, 3], [0.5, 0.5]]),
]


@pytest.mark.parametrize(("layer", "expected"), ELEMENTWISE, ids=lambda case: getattr(case, "name", ""))
def test_layers_take_arrays_of_numbers(layer: Any, expected: Any) -> None:
    """As Keras does: values recorded from it by hand."""
    np.testing.assert_array_equal(layer(X), expected)
    a, cache = layer.forward(X)
    if isinstance(layer, layers.Lambda):
        return  # which takes a list for several inputs
    np.testing.assert_array_equal(layer(X.tolist()), expected)
    (dx, *_) = layer.backward(np.ones_like(a), cache)
    assert dx.shape == X.shape


def test_layers_of_several_inputs_take_arrays_of_numbers() -> None:
    np.testing.assert_array_equal(layers.Add()([X, X]), 2 * X)
    np.testing.assert_array_equal(layers.Add()([X, ROWS]), X[:, None] + ROWS)
    np.testing.assert_array_equal(layers.Maximum()([X, -X]), np.abs(X))


def test_embedding_takes_arrays_of_numbers() -> None:
    layer = layers.Embedding(3, 2, weights=[[0.0, 0.5], [1.0, 1.5], [2.0, 2.5]])
    np.testing.assert_array_equal(layer(CODES), [[2, 2.5], [0, 0.5], [1, 1.5], [2, 2.5]])


@pytest.mark.parametrize(
    "layer",
    [
        layers.Softmax(),
        layers.Activation("softmax"),
        layers.LayerNormalization(),
        layers.RMSNormalization(),
        layers.UnitNormalization(),
        layers.Normalization(mean=[1.0, 2.0, 3.0, 4.0], variance=4.0),
        layers.CategoryEncoding(4),
        layers.CategoryEncoding(4, "count"),
    ],
    ids=lambda layer: layer.name,
)
def test_a_vector_is_a_sample_where_all_its_numbers_count_together(layer: Any) -> None:
    x = np.array([1.0, 0.0, 3.0, 3.0], "float32")
    found, cache = layer.forward(x)
    np.testing.assert_array_equal(found, layer(x[None])[0])
    (dx, *_) = layer.backward(np.ones_like(found), cache)
    np.testing.assert_array_equal(cache.x, x)
    assert dx.shape == x.shape


def test_one_hot_rows_are_those_of_single_numbers() -> None:
    encoding = layers.CategoryEncoding(3, "one_hot")
    np.testing.assert_array_equal(encoding(CODES), np.eye(3)[CODES])
    code = cnn_core.Input(())
    np.testing.assert_array_equal(cnn_core.Model(code, encoding(code)).predict(CODES), np.eye(3)[CODES])


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (layers.Dense(2), r"needs an input of shape \(n, features\)\. Received: shape="),
        (layers.Softmax(), r"needs an input with an axis of features\. Received: shape="),
        (layers.Activation("softmax"), r"needs an axis of features, along which softmax goes\. Received: shape="),
        (layers.BatchNormalization(), r"needs an input with an axis of features\. Received: shape="),
        (layers.Normalization(mean=0.0, variance=1.0), r"needs an input with an axis of features\. Received: shape="),
    ],
    ids=lambda case: getattr(case, "name", ""),
)
def test_symbols_of_numbers_are_refused_where_features_are_needed(layer: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layer(cnn_core.Input(()))


def test_arrays_without_samples_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^x must have an axis of samples\. Received: x\.shape=\(\)$"):
        layers.Rescaling(2.0)(3.0)
