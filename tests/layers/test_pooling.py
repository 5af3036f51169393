"""Pooling over all steps: worked by hand, in both formats, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

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


def test_second_names_of_keras() -> None:
    assert layers.GlobalAvgPool1D is layers.GlobalAveragePooling1D
    assert layers.GlobalMaxPool1D is layers.GlobalMaxPooling1D


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"takes inputs of shape \(n, features, steps\)\. Received: shape="):
        layers.GlobalMaxPooling1D("channels_first")(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"^`data_format` must be .* Received: data_format='last'"):
        layers.GlobalAveragePooling1D("last")
