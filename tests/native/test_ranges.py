"""Tests of the passes that tell whether numbers are what they may be, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnn_core._core as _core
import cnn_core.losses as losses
from cnn_core.foundation.arrays import Array

SIZES = [0, 1, 3, 7, 8, 15, 16, 17, 31, 33, 100]
PAIRS = ((0.0, 1.0), (-1.0, 1.0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", SIZES)
def test_a_single_number_outside_is_found_wherever_it_stands(size: int, dtype: str) -> None:
    x = np.tile([0.0, 0.5, 1.0], size)[:size].astype(dtype)
    assert _core.all_mean_something(x, 0, 1)
    for place in range(size):
        for bad in (-0.25, 1.25, -1e30, np.inf):
            other = x.copy()
            other[place] = bad
            assert not _core.all_mean_something(other, 0, 1), (place, bad)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([-1.0, 0.0, 0.5, 1.0]), max_size=40), st.sampled_from(["float32", "float64"]))
def test_choices_are_of_one_pair_alone(numbers: list[float], dtype: str) -> None:
    x = np.array(numbers, dtype)
    expected = any(np.isin(x, pair).all() for pair in PAIRS)
    assert _core.all_mean_something(x, -1, 1, PAIRS) == expected
    assert _core.all_mean_something(x, -1, 1, PAIRS[:1]) == np.isin(x, PAIRS[0]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [1, 2, 5, 33])
def test_every_row_adds_up(width: int, dtype: str) -> None:
    x = np.random.default_rng(0).dirichlet(np.ones(width), 9).astype(dtype)
    assert _core.all_mean_something(x, 0, 1, (), 1e-3)
    for row in range(len(x)):
        other = x.copy()
        other[row] *= 0.9
        assert not _core.all_mean_something(other, 0, 1, (), 1e-3), row
        assert _core.all_mean_something(other, 0, 1), "nothing is said of sums unless asked"


def test_other_arrays_are_refused() -> None:
    for array in (np.zeros(3, int), np.zeros(3, "float16"), np.zeros((4, 4))[:, ::2], np.zeros(3, ">f8")):
        with pytest.raises(TypeError, match="C-contiguous array of float32 or float64"):
            _core.all_mean_something(array, 0, 1)


def values(labels: Array, ignored: int | None = None) -> Array:
    loss = losses.SparseCategoricalCrossentropy(ignore_class=ignored)
    y = np.asarray(labels, np.int32)[:, None]
    return _core.loss_values(loss.native, y, np.full((len(y), 4), 0.25), loss.native_parameters)


@pytest.mark.parametrize("size", SIZES[1:])
@pytest.mark.parametrize("bad", [-1, 4, 2**31 - 1, -(2**31)])
def test_a_single_label_outside_is_found_wherever_it_stands(size: int, bad: int) -> None:
    labels = np.arange(size) % 4
    assert len(values(labels)) == size
    for place in range(size):
        other = labels.copy()
        other[place] = bad
        with pytest.raises(ValueError, match=r"labels must be one column of 0\.\.3"):
            values(other)
        assert np.flatnonzero(values(other, ignored=bad) == 0).tolist() == ([] if 0 <= bad < 4 else [place])
