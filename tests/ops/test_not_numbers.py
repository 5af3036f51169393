"""Functions that pass over NaN, against NumPy's; derivatives by central differences."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import reference
import tolerances
from cnn_core import GradientTape, ops

REDUCTIONS = ["nanmax", "nanmean", "nanmin", "nanprod", "nanstd", "nansum", "nanvar"]
SCANS = ["nancumprod", "nancumsum"]


def holed() -> Any:
    """Return numbers with NaN between them: at 0, 1 there is nothing else along the last axis."""
    x = np.random.default_rng(0).normal(size=(3, 4, 2))
    x[0, 1], x[2, 3, 0] = np.nan, np.nan
    return x


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", REDUCTIONS + SCANS)
def test_values_are_numpys(name: str, dtype: str) -> None:
    x = holed().astype(dtype)
    for axis in (1, 2) if name in SCANS else (1, 2, (1, 2)):
        with warnings.catch_warnings(action="ignore"):  # NumPy's, where there is no number
            expected = getattr(np, name)(x.astype("float64"), axis=axis)
        tape = GradientTape()
        with tape:
            natively = getattr(ops, name)(tape.watch(x), axis=axis)
        on_arrays = getattr(ops, name)(x, axis=axis)
        assert (natively.dtype, on_arrays.dtype) == (dtype, dtype)
        for found in (natively, on_arrays):
            tolerances.close(np.asarray(found, "float64"), expected, tolerances.GOLDEN_FLOAT32, name)


@pytest.mark.parametrize("name", REDUCTIONS + SCANS)
def test_derivatives_are_differences_and_zero_at_nan(name: str) -> None:
    x, tape = holed(), GradientTape()
    watched = tape.watch(x)
    with tape:
        total = ops.sum(ops.square(getattr(ops, name)(watched, axis=1)))
    (gradient,) = tape.gradient(total, [watched])
    numeric = reference.central_differences(
        lambda: float(np.sum(np.square(getattr(np, name)(x, axis=1)))), x, tolerances.DIFFERENCE_STEP
    )
    assert gradient is not None
    assert not gradient[np.isnan(x)].any()
    tolerances.close(gradient, np.where(np.isnan(x), 0, numeric), tolerances.GRADIENT_CHECK, name)


def test_whole_numbers_stay_whole() -> None:
    for name in ("nanmax", "nanmin", "nansum", "nanprod"):
        assert getattr(ops, name)(np.array([1, 2, 3])).dtype == np.int64


def test_pairs_and_infinities() -> None:
    first, second = np.array([1.0, np.nan, 3.0, np.nan, np.inf]), np.array([2.0, 2.0, np.nan, np.nan, -np.inf])
    for values in ((first, second), (GradientTape().watch(first), second)):
        np.testing.assert_array_equal(np.asarray(ops.fmax(*values)), np.fmax(first, second))
        np.testing.assert_array_equal(np.asarray(ops.fmin(*values)), np.fmin(first, second))
    assert ops.isposinf(first).tolist() == np.isposinf(first).tolist()
    assert ops.isneginf(second).tolist() == np.isneginf(second).tolist()
