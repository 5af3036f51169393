"""Permute and RepeatVector: worked by hand, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import layers


def test_permute_by_hand() -> None:
    x = np.arange(12.0).reshape(1, 2, 3, 2)
    y = layers.Permute((3, 1, 2))(x)
    assert y.shape == (1, 2, 2, 3)
    assert y[0, 1, 0, 2] == x[0, 0, 2, 1] == 5


def test_repeat_vector_by_hand() -> None:
    layer = layers.RepeatVector(3)
    y, cache = layer.forward(np.array([[1.0, 2.0]]))
    np.testing.assert_array_equal(y, [[[1, 2], [1, 2], [1, 2]]])
    (dx,) = layer.backward(np.array([[[1.0, 0.0], [10.0, 0.0], [100.0, 5.0]]]), cache)
    np.testing.assert_array_equal(dx, [[111, 5]])


def test_sizes_may_be_unknown() -> None:
    assert layers.Permute((2, 1)).compute_output_shape((None, None, 3)) == (None, 3, None)
    assert layers.RepeatVector(2)(cnn_core.Input((None,))).shape == (None, 2, None)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Permute((2, 3)), r"^`dims` must have each of the numbers from 1 .*\. Received: dims=\(2, 3\)$"),
        (lambda: layers.Permute(()), r"^`dims` must have each of the numbers"),
        (
            lambda: layers.Permute((1, 2))(np.ones((2, 3))),
            r"takes inputs with 2 axes after the samples\. Received: shape=",
        ),
        (lambda: layers.RepeatVector(0), r"^`n` must be a positive integer\. Received: n=0$"),
        (
            lambda: layers.RepeatVector(2)(np.ones((2, 3, 4))),
            r"takes inputs of shape \(n, features\)\. Received: shape=",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
