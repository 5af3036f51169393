"""Functions put together from others: their corners, by hand."""

from __future__ import annotations

import numpy as np
import pytest

import cnn_core
from cnn_core import ops


@pytest.mark.parametrize("traced", [False, True])
def test_corners(traced: bool) -> None:
    x = np.array([-8.0, -0.0, 0.0, 27.0])
    value = cnn_core.GradientTape().watch(x) if traced else x
    np.testing.assert_allclose(np.asarray(ops.cbrt(value)), [-2, 0, 0, 3], atol=1e-15)
    np.testing.assert_array_equal(np.asarray(ops.heaviside(value, 0.3)), [0, 0.3, 0.3, 1])
    np.testing.assert_allclose(np.asarray(ops.sinc(value)), np.sinc(x), atol=1e-15)
    np.testing.assert_allclose(np.asarray(ops.fmod(value, 5.0)), [-3, 0, 0, 2])
    np.testing.assert_allclose(np.asarray(ops.erfc(value))[1:3], 1)


def test_casts_stay_within_what_a_dtype_holds() -> None:
    x = np.array([-1e10, -1.5, 300.0, 3e10], np.float32)
    for dtype in ("int8", "uint8", "int32"):
        limits = np.iinfo(dtype)
        found = ops.saturate_cast(x, dtype)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found[1:3], np.clip([-1, 300], limits.min, limits.max))
        assert found[0] == limits.min
        assert 0 <= limits.max - int(found[3]) < 2**7  # what a float below the limit holds
    assert ops.saturate_cast(np.array([1e300]), "float32")[0] == np.finfo("float32").max
    assert ops.saturate_cast(np.array([0.0, 2.0]), "bool").tolist() == [False, True]


def test_all_elements_are_compared() -> None:
    assert ops.allclose([1.0, 2.0], [1.0, 2.0 + 1e-6])
    assert not ops.allclose([1.0, np.nan], [1.0, np.nan])
    assert ops.allclose([1.0, np.nan], [1.0, np.nan], equal_nan=True)
