"""Merging layers: against NumPy, repeated axes, equal maxima, one input twice, shapes that do not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_core
from cnn_core import layers

GENERATOR = np.random.default_rng(2)
NUMPY = {
    layers.Add: lambda parts: sum(parts[1:], parts[0]),
    layers.Multiply: lambda parts: np.prod(np.broadcast_arrays(*parts), axis=0),
    layers.Average: lambda parts: sum(parts[1:], parts[0]) / len(parts),
    layers.Maximum: lambda parts: np.max(np.broadcast_arrays(*parts), axis=0),
    layers.Minimum: lambda parts: np.min(np.broadcast_arrays(*parts), axis=0),
}
FUNCTIONS = {
    layers.add: layers.Add,
    layers.subtract: layers.Subtract,
    layers.multiply: layers.Multiply,
    layers.average: layers.Average,
    layers.maximum: layers.Maximum,
    layers.minimum: layers.Minimum,
    layers.concatenate: layers.Concatenate,
}


def normal(*shape: int) -> np.ndarray:
    return GENERATOR.normal(size=shape)


@pytest.mark.parametrize("cls", NUMPY)
@given(n=st.integers(1, 4), rows=st.integers(1, 5), width=st.integers(1, 20), data=st.data())
def test_elementwise_is_numpy(cls: Any, n: int, rows: int, width: int, data: Any) -> None:
    shapes = [(n, rows, width), (n, 1, width), (n, rows, 1), (n, 1, 1)]
    chosen = [shapes[0], *data.draw(st.lists(st.sampled_from(shapes), min_size=1, max_size=3))]
    parts = [normal(*shape) for shape in data.draw(st.permutations(chosen))]
    np.testing.assert_allclose(cls(dtype="float64")(parts), NUMPY[cls](parts), rtol=1e-14)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_are_their_layers(function: Any) -> None:
    parts = [normal(3, 4), normal(3, 4)]
    np.testing.assert_array_equal(function(parts), FUNCTIONS[function]()(parts))
    assert function(parts, dtype="float64").dtype == np.float64


def test_dot_function() -> None:
    parts = [normal(3, 4), normal(3, 4)]
    np.testing.assert_array_equal(layers.dot(parts, axes=1, normalize=True), layers.Dot(1, normalize=True)(parts))


@pytest.mark.parametrize("axis", [1, 2, 3, -1, -2])
def test_concatenation_is_numpy(axis: int) -> None:
    shape = [2, 3, 4, 5]
    parts = []
    for size in (3, 1, 2):
        shape[axis] = size
        parts.append(normal(*shape))
    layer = layers.Concatenate(axis, dtype="float64")
    a, cache = layer.forward(parts)
    np.testing.assert_array_equal(a, np.concatenate(parts, axis))
    da = normal(*a.shape)
    for actual, desired in zip(layer.backward(da, cache)[0], np.split(da, [3, 4], axis), strict=True):
        np.testing.assert_array_equal(actual, desired)


@pytest.mark.parametrize(
    ("axes", "first", "second", "formula"),
    [
        (1, (3, 4), (3, 4), "ni,ni->n"),
        ((2, 2), (3, 5, 4), (3, 2, 4), "nak,nbk->nab"),
        ((1, 2), (3, 4, 5), (3, 2, 4), "nka,nbk->nab"),
        ((1, 1), (3, 4, 5), (3, 4), "nka,nk->na"),
        ((1, 2), (3, 4), (3, 5, 4), "nk,nbk->nb"),
        ((3, 1), (3, 2, 5, 4), (3, 4), "nabk,nk->nab"),
        (-1, (3, 5, 4), (3, 4), "nak,nk->na"),
    ],
)
def test_dot_is_numpy(axes: Any, first: tuple[int, ...], second: tuple[int, ...], formula: str) -> None:
    parts = [normal(*first), normal(*second)]
    desired = np.einsum(formula, *parts)
    actual = layers.Dot(axes, dtype="float64")(parts)
    np.testing.assert_allclose(actual, desired[:, None] if desired.ndim == 1 else desired, rtol=1e-12)


def test_normalized_dot_is_the_cosine() -> None:
    first, second = normal(3, 4), normal(3, 4)
    cosine = (first * second).sum(axis=1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
    np.testing.assert_allclose(layers.Dot(1, True, dtype="float64")([first, second])[:, 0], cosine, rtol=1e-12)


@pytest.mark.parametrize("cls", [layers.Maximum, layers.Minimum])
def test_equal_extrema_share_the_gradient(cls: Any) -> None:
    x = np.array([[1.0, 2.0]])
    layer = cls(dtype="float64")
    _, cache = layer.forward([x, x.copy(), x + (-1 if cls is layers.Maximum else 1)])
    first, second, third = layer.backward(np.ones((1, 2)), cache)[0]
    np.testing.assert_array_equal(first, [[0.5, 0.5]])
    np.testing.assert_array_equal(second, [[0.5, 0.5]])
    np.testing.assert_array_equal(third, [[0.0, 0.0]])


@pytest.mark.parametrize("cls", [layers.Add, layers.Multiply, layers.Average, layers.Maximum, layers.Concatenate])
def test_one_input_twice(cls: Any) -> None:
    x = cnn_core.Input((3,))
    hidden = layers.Dense(4, "tanh", dtype="float64")(x)
    merged = cls(dtype="float64")([hidden, hidden])
    model = cnn_core.Model(x, layers.Dense(1, dtype="float64")(merged))
    model.compile("sgd", "mse")
    check = cnn_core.inspection.gradient_check(model, normal(5, 3), normal(5, 1))
    assert check, str(check)


def test_dot_of_an_input_with_itself() -> None:
    x = cnn_core.Input((3,))
    hidden = layers.Dense(4, "tanh", dtype="float64")(x)
    model = cnn_core.Model(x, layers.Dot(1, dtype="float64")([hidden, hidden]))
    model.compile("sgd", "mse")
    assert cnn_core.inspection.gradient_check(model, normal(5, 3), normal(5, 1))


def test_a_single_input_passes() -> None:
    x = normal(2, 3)
    np.testing.assert_array_equal(layers.Add(dtype="float64")([x]), x)


@pytest.mark.parametrize(
    ("layer", "shapes", "message"),
    [
        (layers.Add(), [(2, 3), (2, 4)], "must have shapes that fit"),
        (layers.Add(), [(2, 4, 3), (2, 2, 3)], "must have shapes that fit"),
        (layers.Multiply(), [(2, 4, 3, 2), (2, 4, 1, 2)], "repeated along the last axis"),
        (layers.Subtract(), [(2, 3)], "list of 2 inputs"),
        (layers.Subtract(), [(2, 3)] * 3, "list of 2 inputs"),
        (layers.Concatenate(), [(2, 3, 4), (2, 2, 4)], "equal sizes but for axis 2"),
        (layers.Concatenate(), [(2, 3), (2, 3, 3)], "equal sizes"),
        (layers.Concatenate(axis=0), [(2, 3), (2, 3)], "from 1 to 1"),
        (layers.Concatenate(axis=2), [(2, 3), (2, 3)], "from 1 to 1"),
        (layers.Dot(1), [(2, 3), (2, 4)], "axes of equal size"),
        (layers.Dot(0), [(2, 3), (2, 3)], "from 1 to 1"),
        (layers.Dot((1, 3)), [(2, 3), (2, 3)], "from 1 to 1"),
    ],
)
def test_shapes_that_do_not_fit(layer: Any, shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layer([np.ones(shape) for shape in shapes])
    with pytest.raises(ValueError, match=message):
        layer([cnn_core.Input(shape[1:]) for shape in shapes])


def test_different_numbers_of_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="same number of rows"):
        layers.Add()([np.ones((2, 3)), np.ones((3, 3))])


def test_dot_wants_one_axis_or_two() -> None:
    with pytest.raises(ValueError, match="`axes` must be an integer or a pair"):
        layers.Dot((1, 2, 3))
