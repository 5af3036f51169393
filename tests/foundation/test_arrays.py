"""Arrays of any rank as the descriptions read them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as shapes

from cnn_core.foundation.arrays import as_float, as_rows, divide, same_rank


@pytest.mark.parametrize(
    ("given_dtype", "dtype"),
    [("float32", "float32"), ("float16", "float32"), ("float64", "float64"), ("int64", "float64"), ("bool", "float64")],
)
@pytest.mark.parametrize("order", ["=", ">"])
def test_types_are_kept_or_widened(given_dtype, dtype, order):
    x = np.array([[0, 1], [1, 1]], np.dtype(given_dtype).newbyteorder(order)).T
    result = as_float(x, "x")
    assert result.dtype == np.dtype(dtype)
    assert result.dtype.isnative
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, [[0, 1], [1, 1]])


def test_nothing_is_copied_without_need():
    x = np.ones((2, 3))
    assert as_float(x, "x") is x
    assert as_float(np.float32(2), "x").shape == ()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="weights has a number"):
        as_float([1e300], "weights", np.float32)
    with pytest.raises(TypeError, match="weights must hold numbers"):
        as_float(["1"], "weights")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((3,), (3, 1), ((3, 1), (3, 1))),
        ((3, 1), (3,), ((3, 1), (3, 1))),
        ((3, 2), (3, 2, 1), ((3, 2), (3, 2))),
        ((3,), (3, 2), ((3,), (3, 2))),
        ((3, 1), (3, 1), ((3, 1), (3, 1))),
        ((), (3, 1), ((), (3, 1))),
    ],
)
def test_a_last_axis_of_one_makes_up_a_rank(first, second, expected):
    assert tuple(each.shape for each in same_rank(np.zeros(first), np.zeros(second))) == expected


@given(shapes.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4))
def test_rows_are_the_last_axis(shape):
    x = np.arange(np.prod(shape)).reshape(shape)
    rows = as_rows(x)
    assert rows.shape == (np.prod(shape[:-1]), shape[-1])
    np.testing.assert_array_equal(rows.reshape(shape), x)


def test_division_by_zero_gives_zero():
    np.testing.assert_array_equal(divide(np.array([1.0, 0.0, 3.0]), np.array([0.0, 0.0, 2.0])), [0, 0, 1.5])
    assert divide(np.array(4), np.array(2)) == 2
