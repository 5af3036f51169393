"""Predictions for few rows: the answer of `predict`, or an error that says why not."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import cnn_core
import cnn_core._core as _core
from cnn_core import layers
from input_zoo import EXPECTED, READABLE

X = np.array([[1.0, -2.0, 0.5, 3.0], [0.0, 1.0, 2.0, -1.0]], np.float32)


def network(features: int = 4, dtype: str = "float32") -> cnn_core.Sequential:
    first = layers.Dense(5, "tanh", dtype=dtype)
    return cnn_core.Sequential([cnn_core.Input((features,)), first, layers.Dense(3, "softmax", dtype=dtype)])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", READABLE)
def test_whatever_resembles_an_array_gives_the_answer_of_predict(kind: str, dtype: str) -> None:
    model = network(2, dtype)
    np.testing.assert_array_equal(model.predictor()(READABLE[kind]()), model.predict(EXPECTED.astype(dtype)))


REFUSED = {
    "complex": (X + 1j, TypeError, "x must hold numbers, but has complex numbers"),
    "dates": (X.astype("M8[s]"), TypeError, "x must hold numbers, but has dates"),
    "durations": (X.astype("m8[s]"), TypeError, "x must hold numbers, but has time differences"),
    "texts": (X.astype(str), TypeError, "x must hold numbers, but has the text '1.0' at row 0, column 0"),
    "masked": (np.ma.masked_array(X, X < 0), ValueError, "x has 2 masked entries"),
    "missing": (np.full((2, 4), None), ValueError, "x has a missing value at row 0, column 0"),
    "huge": (np.full((2, 4), 1e300), ValueError, "x has a number at row 0, column 0 that float32 cannot hold"),
    "huge integers": ([[10**400] * 4], ValueError, "that float64 cannot hold"),
    "none": (None, TypeError, "x must be an array of numbers"),
    "ragged": ([[1.0] * 4, [2.0]], ValueError, "x must have rows of one length"),
    "too wide": (np.ones((2, 5), np.float32), ValueError, "x has 5 features; the model expects 4"),
    "as many numbers in another shape": (np.ones((2, 2), np.float32), ValueError, "x has 2 features; the model"),
    "a column": (np.ones((4, 1), np.float32), ValueError, "x has 1 feature; the model expects 4"),
    "two rows in one": (np.ones(8, np.float32), ValueError, "the model expects shape"),
    "three dimensions": (X[None], ValueError, "the model expects shape"),
    "a number": (1.0, ValueError, "x must have at least one dimension"),
    "an array of no dimensions": (np.array(1.0, np.float32), ValueError, "x must have at least one dimension"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_everything_else_is_refused(kind: str) -> None:
    x, error, message = REFUSED[kind]
    with pytest.raises(error, match=message):
        network().predictor()(x)


@pytest.mark.parametrize("sparse", ["csr_matrix", "coo_array", "dok_matrix"])
def test_sparse_rows_are_refused_with_the_remedy(sparse: str) -> None:
    x = getattr(pytest.importorskip("scipy.sparse"), sparse)(X)
    with pytest.raises(TypeError, match=r"sparse matrix, which cannot be used here. Use x\.toarray\(\)"):
        network().predictor()(x)


@pytest.mark.parametrize("as_given", [X, X.astype("float64")], ids=["in place", "converted"])
def test_one_sample_gives_one_answer_without_the_batch(as_given: Any) -> None:
    model = network()
    predict = model.predictor()
    np.testing.assert_array_equal(predict(as_given[0]), predict(as_given)[0])
    assert predict(as_given[:1]).shape == (1, 3)
    assert predict(as_given[:0]).shape == (0, 3)


def test_one_feature_may_come_as_a_vector_of_samples() -> None:
    model = network(1)
    x = np.linspace(-1, 1, 5, dtype=np.float32)
    np.testing.assert_array_equal(model.predictor()(x), model.predict(x))
    assert model.predictor()(x[:1]).shape == (3,)


def test_samples_of_several_dimensions() -> None:
    model = cnn_core.Sequential([cnn_core.Input((2, 2)), layers.Flatten(), layers.Dense(3)])
    x = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    predict = model.predictor()
    np.testing.assert_array_equal(predict(x), model.predict(x))
    np.testing.assert_array_equal(predict(x[0]), model.predict(x)[0])
    with pytest.raises(ValueError, match="x has 2 dimensions; the model expects"):
        predict(x.reshape(2, 4))


def test_nan_and_infinity_pass() -> None:
    assert np.isnan(network().predictor()(np.array([np.nan, 0, 0, 0], np.float32))).all()
    relu = cnn_core.Sequential([cnn_core.Input((1,)), layers.Dense(1, "relu", kernel_initializer="ones")])
    np.testing.assert_array_equal(relu.predictor()([[np.inf], [-np.inf]]), [[np.inf], [0.0]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("wrong", [1.5, -1.0, 5.0, np.nan, np.inf])
def test_an_index_is_a_whole_number_in_range(wrong: float, dtype: str) -> None:
    model = cnn_core.Sequential([cnn_core.Input((2,)), layers.Embedding(5, 2), layers.Flatten()])
    predict = model.predictor()
    np.testing.assert_array_equal(predict(np.array([[4, 0]], dtype)), model.predict([[4, 0]]))
    with pytest.raises(ValueError, match=r"x (has index|must hold whole numbers|has 1 value that is NaN)"):
        predict(np.array([[0, wrong]], dtype))


def test_the_answer_may_take_the_place_of_the_question() -> None:
    model = cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(3)])
    predict = model.predictor()
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    expected = model.predict(x)
    memory = np.append(x, np.float32(0))
    np.testing.assert_array_equal(predict(memory[:6].reshape(2, 3), out=memory[1:].reshape(2, 3)), expected)
    assert predict(x, out=x) is x
    np.testing.assert_array_equal(x, expected)


def test_the_answer_is_not_rounded_to_what_is_given_for_it() -> None:
    with pytest.raises(TypeError, match="`out` must be a writable, C-contiguous array of float32"):
        network().predictor()(X, out=np.empty((2, 3), np.float16))


@pytest.mark.parametrize("carry", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_predictor_is_not_carried_elsewhere(carry):
    predict = cnn_core.Sequential([cnn_core.Input((4,)), layers.Dense(2)]).predictor()
    with pytest.raises(TypeError, match=r"Copy or pickle the model, and call its predictor\(\) again"):
        carry(predict)


# In bfloat16


def dense_model(dtype: str = "float32") -> cnn_core.Sequential:
    return cnn_core.Sequential(
        [
            cnn_core.Input((7,)),
            layers.Dense(33, activation="tanh", dtype=dtype, bias_initializer="normal"),
            layers.Dense(5, activation="softmax", dtype=dtype),
        ]
    )


@pytest.mark.parametrize("rows", [1, 2, 9, 700])
def test_a_predictor_in_bfloat16_computes_as_the_policy_does(rows: int):
    model, mixed = dense_model(), dense_model("mixed_bfloat16")
    mixed.set_weights(model.get_weights())
    x = np.random.default_rng(0).normal(size=(rows, 7)).astype("float32")
    expected = mixed.predict(x, verbose=0)
    np.testing.assert_array_equal(model.predictor("bfloat16")(x), expected)
    np.testing.assert_array_equal(mixed.predictor()(x), expected)
    np.testing.assert_array_equal(mixed.predictor("float32")(x), model.predict(x, verbose=0))
    assert 0 < np.abs(expected - model.predict(x, verbose=0)).max() < 0.01


def test_a_predictor_in_bfloat16_keeps_its_weights():
    model, x = dense_model(), np.ones((3, 7), "float32")
    predict = model.predictor(dtype="bfloat16")
    before = predict(x)
    model.set_weights([weight + 1 for weight in model.get_weights()])
    np.testing.assert_array_equal(predict(x), before)


@pytest.mark.parametrize("way", _core.bfloat16_ways())
def test_a_predictor_in_bfloat16_survives_another_way_to_multiply(way: str):
    predict, x = dense_model().predictor("bfloat16"), np.ones((3, 7), "float32")
    before, expected = _core.bfloat16(), predict(x)
    _core.select_bfloat16(way)
    try:
        np.testing.assert_allclose(predict(x), expected, rtol=1e-5)
    finally:
        _core.select_bfloat16(before)


def test_bfloat16_is_for_models_of_float32():
    with pytest.raises(ValueError, match=r"`dtype` 'bfloat16' is for models of float32\. Received: a model of float64"):
        dense_model("float64").predictor("bfloat16")


@pytest.mark.parametrize("dtype", ["float64", "float16", "int4", 3])
def test_another_type_of_a_predictor_is_refused(dtype: object):
    with pytest.raises(ValueError, match=r"`dtype` must be None, 'float32', the model's own, 'bfloat16' or 'int8'"):
        dense_model().predictor(dtype)


def wide_model(dtype: str) -> cnn_core.Sequential:
    """Kernels of several panels, the last of them ragged, and of more rows than are multiplied at a time."""
    hidden = [layers.Dense(79, "relu", dtype=dtype), layers.Dense(200, "tanh", dtype=dtype)]
    return cnn_core.Sequential([cnn_core.Input((700,)), *hidden, layers.Dense(3, dtype=dtype)])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [1, 2, 8, 23, 24, 100, 700])
def test_packed_kernels_give_the_bits_of_predict(rows: int, dtype: str) -> None:
    model = wide_model(dtype)
    x = np.random.default_rng(0).normal(size=(rows, 700)).astype(dtype)
    np.testing.assert_array_equal(model.predictor()(x), model.predict(x, verbose=0))


def test_packed_kernels_are_left_alone_where_panels_have_another_width() -> None:
    model = wide_model("float32")
    x = np.random.default_rng(0).normal(size=(40, 700)).astype("float32")
    predict, expected = model.predictor(), model.predict(x, verbose=0)
    before = _core.instruction_set()
    try:
        for name in _core.instruction_sets():
            _core.select_instruction_set(name)
            np.testing.assert_allclose(predict(x), expected, rtol=1e-4, atol=1e-5)
    finally:
        _core.select_instruction_set(before)
