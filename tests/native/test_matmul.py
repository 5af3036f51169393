"""src/numbers/matmul.pxd: the blocked product against NumPy's in float64, at the sizes where its ways part."""

from __future__ import annotations

import numpy as np
import pytest

import cnn_core._core as _core
import cnn_core.config as config
import cnn_core.layers as layers
from cnn_core.layers import Input
from cnn_core.models import Sequential

# (rows, inner, columns): a single row, no rest in any direction, one too many everywhere, w read in place and packed,
# one k block and several, panels enough to copy or transpose x, rows that fall on the same lines of the cache, few rows
# on two panels at a time, few columns of a transposed x, alone and beside whole panels, in one part and several, one
# column of fewer k than a vector has lanes, of more, and of several k blocks.
SIZES = [
    (1, 7, 33),
    (1, 1000, 10),
    (3, 1, 1),
    (2, 900, 150),
    (3, 40, 128),
    (24, 16, 32),
    (25, 17, 33),
    (23, 400, 70),
    (48, 1024, 96),
    (37, 1100, 129),
    (150, 512, 257),
    (600, 33, 40),
    (1100, 330, 1),
    (5, 700, 1),
    (40, 70, 1),
    (70, 200, 3),
    (150, 700, 10),
    (40, 350, 100),
]
SHAPES = pytest.mark.parametrize(("n_rows", "n_k", "n_cols"), SIZES)
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def whole_numbers(*shape: int, dtype: str = "float32") -> np.ndarray:
    """Return numbers whose products and sums every format holds exactly, in any order of summation."""
    return np.random.default_rng(shape[0]).integers(-8, 9, shape).astype(dtype)


def drawn(*shape: int, dtype: str) -> np.ndarray:
    return np.random.default_rng(shape[0]).normal(size=shape).astype(dtype)


@DTYPES
@SHAPES
@pytest.mark.parametrize("transposed_x", [False, True])
@pytest.mark.parametrize("transposed_w", [False, True])
@pytest.mark.usefixtures("instruction_set")
def test_whole_numbers_are_multiplied_exactly(n_rows, n_k, n_cols, dtype, transposed_x, transposed_w):
    x, w = whole_numbers(n_rows, n_k, dtype=dtype), whole_numbers(n_k, n_cols, dtype=dtype)
    given_x = np.ascontiguousarray(x.T) if transposed_x else x
    given_w = np.ascontiguousarray(w.T) if transposed_w else w
    y = _core.product(given_x, given_w, transposed_x, transposed_w)
    np.testing.assert_array_equal(y, x.astype("float64") @ w.astype("float64"))


@DTYPES
@SHAPES
def test_errors_are_those_of_one_sum(n_rows, n_k, n_cols, dtype):
    """|error| <= n_k eps sum_k |x||w|, the bound of recursive summation."""
    x, w = drawn(n_rows, n_k, dtype=dtype), drawn(n_k, n_cols, dtype=dtype)
    exact = x.astype(np.longdouble) @ w.astype(np.longdouble)
    bound = n_k * np.finfo(dtype).eps * (np.abs(x).astype("float64") @ np.abs(w).astype("float64"))
    assert (np.abs(_core.product(x, w) - exact) <= bound).all()


@DTYPES
@SHAPES
def test_products_are_added_to_what_is_there(n_rows, n_k, n_cols, dtype):
    x, w = whole_numbers(n_rows, n_k, dtype=dtype), whole_numbers(n_k, n_cols, dtype=dtype)
    y = whole_numbers(n_rows, n_cols, dtype=dtype)
    expected = y + x.astype("float64") @ w.astype("float64")
    assert _core.product(x, w, y=y) is y
    np.testing.assert_array_equal(y, expected)


@DTYPES
@SHAPES
@pytest.mark.usefixtures("instruction_set")
def test_products_of_a_transpose_are_added_to_what_is_there(n_rows, n_k, n_cols, dtype):
    x, w = whole_numbers(n_k, n_rows, dtype=dtype), whole_numbers(n_k, n_cols, dtype=dtype)
    y = whole_numbers(n_rows, n_cols, dtype=dtype)
    expected = y + x.T.astype("float64") @ w.astype("float64")
    assert _core.product(x, w, transposed_x=True, y=y) is y
    np.testing.assert_array_equal(y, expected)


@DTYPES
@pytest.mark.parametrize("n_cols", [1, 2, 3, 4, 10, 20])
@pytest.mark.parametrize("first", [0, 64])
@pytest.mark.usefixtures("instruction_set")
def test_few_columns_have_the_bits_of_many(n_cols, first, dtype):
    x, w = drawn(400, 150, dtype=dtype), drawn(400, 96, dtype=dtype)
    many = _core.product(x, w, transposed_x=True)
    few = _core.product(x, np.ascontiguousarray(w[:, : first + n_cols]), transposed_x=True)
    np.testing.assert_array_equal(few, many[:, : first + n_cols])


@DTYPES
@pytest.mark.parametrize("n_k", [16, 70, 700])
@pytest.mark.usefixtures("instruction_set")
def test_one_column_has_the_same_bits_for_any_number_of_rows(n_k, dtype):
    x, w = drawn(37, n_k, dtype=dtype), drawn(n_k, 1, dtype=dtype)
    whole = _core.product(x, w)
    for n_rows in (1, 5, 16):
        np.testing.assert_array_equal(_core.product(x[:n_rows], w), whole[:n_rows])


@DTYPES
@pytest.mark.parametrize("n_rows", [1, 5, 37])
@pytest.mark.usefixtures("instruction_set")
def test_a_single_unit_adds_its_bias_and_is_clamped_once(n_rows, dtype):
    x, w, bias = drawn(n_rows, 350, dtype=dtype), drawn(350, 1, dtype=dtype), np.array([0.5], dtype)
    layer = layers.Dense(1, "relu", dtype=dtype)
    model = Sequential([Input((350,), dtype=dtype), layer])
    layer.set_weights([w, bias])
    expected = np.maximum(x.astype("float64") @ w.astype("float64") + bias, 0)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-4)


def test_the_number_of_threads_changes_no_bit():
    x, w = drawn(700, 300, dtype="float32"), drawn(300, 200, dtype="float32")
    before = config.get_num_threads()
    try:
        results = []
        for n in (1, 2, 5):
            config.set_num_threads(n)
            results.append(_core.product(x, w).tobytes())
    finally:
        config.set_num_threads(before)
    assert len(set(results)) == 1


@pytest.mark.parametrize("rows", [1, 2, 3, 23, 24, 130])
def test_a_row_has_the_same_bits_whatever_the_others(rows: int):
    x, w = drawn(300, 200, dtype="float32"), drawn(200, 70, dtype="float32")
    np.testing.assert_array_equal(_core.product(x[:rows].copy(), w), _core.product(x, w)[:rows])


def test_without_a_sum_there_are_zeros():
    np.testing.assert_array_equal(_core.product(np.ones((3, 0)), np.ones((0, 2))), np.zeros((3, 2)))
    assert _core.product(np.ones((0, 4)), np.ones((4, 2))).shape == (0, 2)


@pytest.mark.parametrize(
    ("x", "w", "error", "message"),
    [
        (np.ones(3), np.ones((3, 2)), ValueError, "must be matrices"),
        (np.ones((2, 4)), np.ones((3, 2)), ValueError, "cannot be multiplied"),
        (np.ones((2, 3)), np.ones((3, 2), "float32"), TypeError, "float64"),
        (np.ones((2, 3), int), np.ones((3, 2), int), TypeError, "float32"),
    ],
)
def test_what_does_not_fit_is_refused(x, w, error, message):
    with pytest.raises(error, match=message):
        _core.product(x, w)
