"""Pooling over all steps or places: worked by hand, in both formats, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import reference
import tolerances
from cnn_core import layers

X = np.array([[[1.0, 6.0], [3.0, 2.0], [5.0, 1.0]]])


def test_average_and_its_derivative_by_hand() -> None:
    layer = layers.GlobalAveragePooling1D()
    y, cache = layer.forward(X)
    np.testing.assert_array_equal(y, [[3, 3]])
    (dx,) = layer.backward(np.array([[3.0, 6.0]]), cache)
    np.testing.assert_array_equal(dx, [[[1, 2]] * 3])


def test_maximum_and_its_derivative_by_hand() -> None:
    layer = layers.GlobalMaxPooling1D()
    y, cache = layer.forward(X)
    np.testing.assert_array_equal(y, [[5, 6]])
    (dx,) = layer.backward(np.array([[3.0, 6.0]]), cache)
    np.testing.assert_array_equal(dx, [[[0, 6], [0, 0], [3, 0]]])


@pytest.mark.parametrize("cls", [layers.GlobalAveragePooling1D, layers.GlobalMaxPooling1D])
def test_formats_differ_in_the_order_of_axes_alone(cls: type) -> None:
    plain = cls()(X)
    np.testing.assert_array_equal(cls("channels_first")(X.transpose(0, 2, 1)), plain)
    np.testing.assert_array_equal(cls(keepdims=True)(X), plain[:, None])
    np.testing.assert_array_equal(cls("channels_first", True)(X.transpose(0, 2, 1)), plain[:, :, None])


@pytest.mark.parametrize("n_axes", [1, 2, 3])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(("kind", "reduction"), [("Average", np.mean), ("Max", np.max)])
def test_grids_of_any_number_of_axes_in_both_formats(n_axes: int, keepdims: bool, kind: str, reduction: Any) -> None:
    x = np.random.default_rng(n_axes).normal(size=(3, *range(2, 2 + n_axes), 5))
    axes = tuple(range(1, 1 + n_axes))
    cls = getattr(layers, f"Global{kind}Pooling{n_axes}D")
    layer = cls(keepdims=keepdims, dtype="float64")
    y, cache = layer.forward(x)
    expected = reduction(x, axis=axes, keepdims=keepdims)
    tolerances.close(y, expected, tolerances.GOLDEN_FLOAT64)
    assert layer.compute_output_shape((None, *x.shape[1:])) == (None, *expected.shape[1:])
    first = cls("channels_first", keepdims=keepdims, dtype="float64")(np.moveaxis(x, -1, 1))
    tolerances.close(first, np.moveaxis(expected, -1, 1) if keepdims else expected, tolerances.GOLDEN_FLOAT64)
    (dx,) = layer.backward(np.cos(y), cache)
    numeric = reference.central_differences(
        lambda: float(np.sin(reduction(x, axis=axes)).sum()), x, tolerances.DIFFERENCE_STEP
    )
    tolerances.close(dx, numeric, tolerances.GRADIENT_CHECK)


@pytest.mark.parametrize("n_axes", [1, 2, 3])
def test_second_names_of_keras(n_axes: int) -> None:
    for short, long in (("AvgPool", "AveragePooling"), ("MaxPool", "MaxPooling")):
        assert getattr(layers, f"Global{short}{n_axes}D") is getattr(layers, f"Global{long}{n_axes}D")


def test_a_mask_stands_in_the_second_place_as_in_keras() -> None:
    np.testing.assert_array_equal(layers.GlobalAveragePooling1D()(X, np.array([[1, 0, 1]])), [[3, 3.5]])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"takes inputs of shape \(n, features, steps\)\. Received: shape="):
        layers.GlobalMaxPooling1D("channels_first")(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"takes inputs of shape \(n, rows, columns, features\)\. Received: shape="):
        layers.GlobalAveragePooling2D()(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"^`data_format` must be .* Received: data_format='last'"):
        layers.GlobalAveragePooling1D("last")
