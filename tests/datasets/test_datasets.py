"""The digits that come with the package are the real ones, and their division is the documented one."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

from cnn_core.datasets import load_digits


def test_digits_are_those_of_the_repository_divided_as_documented():
    original = pytest.importorskip("sklearn.datasets").load_digits()
    (x_train, y_train), (x_test, y_test) = load_digits()
    train, test = iter(zip(x_train, y_train, strict=True)), iter(zip(x_test, y_test, strict=True))
    seen = np.zeros(10, dtype=int)
    for image, label in zip(original.images, original.target, strict=True):
        seen[label] += 1
        found_image, found_label = next(test if seen[label] % 5 == 0 else train)
        assert found_label == label
        assert (found_image == image).all()
    assert not [*train, *test]


def test_digits_have_the_documented_form():
    (x_train, y_train), (x_test, y_test) = load_digits()
    assert x_train.dtype == x_test.dtype == np.uint8
    assert y_train.dtype == y_test.dtype == np.int64
    assert (x_train.shape, x_test.shape) == ((1442, 8, 8), (355, 8, 8))
    assert (y_train.shape, y_test.shape) == ((1442,), (355,))
    assert {int(x_train.min()), int(x_test.min())} == {0}
    assert {int(x_train.max()), int(x_test.max())} == {16}


def test_each_class_is_held_out_in_the_same_proportion():
    (_, y_train), (_, y_test) = load_digits()
    counts = np.bincount(y_train) + np.bincount(y_test)
    assert (np.bincount(y_test) == counts // 5).all()


def test_no_image_stands_in_both_parts():
    (x_train, _), (x_test, _) = load_digits()
    assert not set(map(bytes, x_train)) & set(map(bytes, x_test))


def test_caller_may_write_into_the_arrays():
    (first, labels), _ = load_digits()
    first[:] = 0
    labels[:] = 0
    (second, again), _ = load_digits()
    assert second.max() == 16
    assert again.max() == 9


def test_source_and_licence_stand_beside_the_data():
    text = files("cnn_core.datasets").joinpath("digits.txt").read_text(encoding="utf-8")
    assert "E. Alpaydin and C. Kaynak (1998)" in text
    assert "CC BY 4.0" in text
