"""Lambda: functions, functions of several inputs, custom gradients, files, and what goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import layers, ops

X = np.random.default_rng(3).normal(size=(6, 4))


class Cube:
    """y = x^3, with its gradient."""

    def forward(self, x: Any) -> Any:
        return x**3

    def backward(self, dy: Any, x: Any) -> Any:
        return 3 * x**2 * dy

    def get_config(self) -> dict[str, Any]:
        return {}


class Product(Cube):
    """The product of two inputs, of which the second has one column."""

    def forward(self, x: Any) -> Any:
        return x[0] * x[1]

    def backward(self, dy: Any, x: Any) -> Any:
        return [dy * x[1], (dy * x[0]).sum(axis=1, keepdims=True)]


def double(x: np.ndarray, factor: float = 2.0) -> np.ndarray:
    return factor * x


def between(function: Any) -> Any:
    """Put a function between two dense layers."""
    model = cnn_core.Sequential(
        [
            cnn_core.Input((4,)),
            layers.Dense(3, "tanh", dtype="float64"),
            layers.Lambda(function, dtype="float64"),
            layers.Dense(1, dtype="float64"),
        ]
    )
    model.compile("sgd", "mse")
    return model


def test_a_function_of_an_array_in_its_shape() -> None:
    x = np.random.default_rng(1).normal(size=(5, 3, 2))
    layer = layers.Lambda(lambda x: x.mean(axis=1), dtype="float64")
    assert layer(cnn_core.Input((3, 2))).shape == (None, 2)
    np.testing.assert_array_equal(layer(x), x.mean(axis=1))


def test_arguments_and_output_shape() -> None:
    layer = layers.Lambda(double, output_shape=(4,), arguments={"factor": 3.0}, dtype="float64")
    np.testing.assert_array_equal(layer(X), 3 * X)


def test_a_function_of_several_inputs() -> None:
    layer = layers.Lambda(lambda parts: parts[0] * parts[1], dtype="float64")
    np.testing.assert_array_equal(layer([X, X[:, :1]]), X * X[:, :1])
    model = cnn_core.Model(inputs := [cnn_core.Input((4,)), cnn_core.Input((1,))], layer(inputs))
    np.testing.assert_array_equal(model.predict([X, X[:, :1]]), X * X[:, :1])


def test_before_the_first_weights_no_gradient_is_needed() -> None:
    model = cnn_core.Sequential([cnn_core.Input((4,)), layers.Lambda(double), layers.Dense(1)])
    model.compile("sgd", "mse")
    before = model.get_weights()[0]
    model.fit(X, np.ones((6, 1)), verbose=0)
    assert not np.array_equal(before, model.get_weights()[0])


def test_between_weights_a_gradient_is_needed() -> None:
    model = between(np.tanh)
    kept = model.get_weights()
    with pytest.raises(
        ValueError, match=r"has no gradient: write it with functions of cnn_core\.ops, or pass an object"
    ):
        model.fit(X, np.ones((6, 1)), verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(kept, model.get_weights(), strict=True))
    assert model.predict(X).shape == (6, 1)


def test_the_gradient_of_operators_and_functions_of_ops_is_found() -> None:
    assert cnn_core.inspection.gradient_check(between(double), X, np.ones((6, 1)))
    first, second = cnn_core.Input((4,)), cnn_core.Input((2,))
    parts = [layers.Dense(3, dtype="float64")(first), layers.Dense(3, dtype="float64")(second)]
    product = layers.Lambda(lambda x: ops.exp(x[0]) * x[1][:, ::-1] ** 2, dtype="float64")(parts)
    model = cnn_core.Model([first, second], product)
    model.compile("sgd", "mse")
    assert cnn_core.inspection.gradient_check(model, [X, X[:, :2]], np.ones((6, 3)))


def test_gradients_of_ones_own() -> None:
    assert cnn_core.inspection.gradient_check(between(Cube()), X, np.ones((6, 1)))
    first, second = cnn_core.Input((4,)), cnn_core.Input((2,))
    parts = [layers.Dense(3, dtype="float64")(first), layers.Dense(1, dtype="float64")(second)]
    model = cnn_core.Model([first, second], layers.Lambda(Product(), dtype="float64")(parts))
    model.compile("sgd", "mse")
    assert cnn_core.inspection.gradient_check(model, [X, X[:, :2]], np.ones((6, 3)))


def test_a_batch_is_handed_over_whole() -> None:
    seen = []

    def watched(x: np.ndarray) -> np.ndarray:
        seen.append(len(x))
        return x

    model = cnn_core.Sequential([cnn_core.Input((4,)), layers.Lambda(watched, (4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.ones((3000, 4)), np.ones((3000, 1)), batch_size=3000, verbose=0)
    assert seen[-1] == 3000


@pytest.mark.parametrize("function", [double, Cube()])
def test_files_name_the_function(function: Any, tmp_path: Path) -> None:
    model = between(function)
    model.save(tmp_path / "model.safetensors")
    known = {"double": double, "Cube": Cube}
    loaded = cnn_core.load_model(tmp_path / "model.safetensors", custom_objects=known)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    with pytest.raises(ValueError, match=r"double|Cube"):
        cnn_core.load_model(tmp_path / "model.safetensors")


def test_a_function_without_a_name_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no name"):
        between(lambda x: x).save(tmp_path / "model.safetensors")


def test_errors_come_through() -> None:
    def failing(x: np.ndarray) -> np.ndarray:
        raise KeyError("missing")

    model = cnn_core.Sequential([cnn_core.Input((4,)), layers.Lambda(failing, (4,))])
    with pytest.raises(KeyError, match="missing"):
        model.predict(X)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x.sum(), "must return an array of shape"),
        (lambda x: x[:1], "must return an array of shape"),
        (lambda x: x.sum(axis=1), "must return an array of shape"),
    ],
)
def test_results_without_samples_are_refused(function: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layers.Lambda(function)(X)


def test_a_wrong_output_shape_is_noticed() -> None:
    layer = layers.Lambda(double, output_shape=(5,))
    with pytest.raises(ValueError, match="must return an array of shape"):
        layer(X)


def test_what_is_no_function() -> None:
    with pytest.raises(TypeError, match="`function` must be a function"):
        layers.Lambda(3)
