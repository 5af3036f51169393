"""Tests of means of what several networks make of the same rows, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import cnn_core._core as _core

SHARES = np.array([0.5, 0.2, 0.3])


def outputs(n: int, columns: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, 3, columns)).astype(np.float32)


@pytest.mark.parametrize("columns", [1, 2, 5])
def test_means_are_weighted_within_bounds(columns: int) -> None:
    x = outputs(50, columns)
    low = np.full((3, columns), -0.5, np.float32)
    high = np.arange(3 * columns, dtype=np.float32).reshape(3, columns)
    expected = np.einsum("m,nmc->nc", SHARES, x.clip(low, high).astype(np.float64))
    np.testing.assert_allclose(_core.weighted_mean(x, SHARES, low, high), expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("columns", [1, 2, 5])
def test_a_row_has_the_same_mean_alone(columns: int) -> None:
    x, wide = outputs(50, columns), np.full((3, columns), np.inf, np.float32)
    together = _core.weighted_mean(x, SHARES, -wide, wide)
    for row in range(50):
        np.testing.assert_array_equal(_core.weighted_mean(x[row : row + 1], SHARES, -wide, wide)[0], together[row])


def test_what_is_no_number_stays_so() -> None:
    x, wide = outputs(2, 1), np.ones((3, 1), np.float32)
    x[0, 1] = np.nan
    assert np.isnan(_core.weighted_mean(x, SHARES, -wide, wide)).tolist() == [[True], [False]]


def test_no_rows_have_no_means() -> None:
    wide = np.ones((3, 2), np.float32)
    assert _core.weighted_mean(outputs(0, 2), SHARES, -wide, wide).shape == (0, 2)


def test_arrays_of_other_sizes_and_types_are_refused() -> None:
    x, wide = outputs(4, 2), np.ones((3, 2), np.float32)
    with pytest.raises(ValueError, match="expected 3 elements"):
        _core.weighted_mean(x, SHARES[:2], -wide, wide)
    with pytest.raises(ValueError, match="expected 6 elements"):
        _core.weighted_mean(x, SHARES, -wide[:2], wide)
    with pytest.raises(TypeError, match="array of float32"):
        _core.weighted_mean(x.astype(np.float64), SHARES, -wide, wide)
    with pytest.raises(TypeError, match="C-contiguous"):
        _core.weighted_mean(x[:, ::-1], SHARES, -wide, wide)
