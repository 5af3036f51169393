"""src/numbers/bfloat16.pxd: products of factors rounded to bfloat16, against NumPy's in float64."""

from __future__ import annotations

import numpy as np
import pytest

import cnn_core._core as _core
import cnn_core.config as config
from tests.native.test_matmul import SHAPES, drawn, whole_numbers
from tests.native.test_pairs import WAYS, chosen

ml_dtypes = pytest.importorskip("ml_dtypes")


def rounded(x: np.ndarray) -> np.ndarray:
    return x.astype(ml_dtypes.bfloat16).astype("float64")


@WAYS
@SHAPES
@pytest.mark.parametrize("transposed_x", [False, True])
@pytest.mark.parametrize("transposed_w", [False, True])
def test_whole_numbers_are_multiplied_exactly(n_rows, n_k, n_cols, transposed_x, transposed_w, way):
    x, w = whole_numbers(n_rows, n_k), whole_numbers(n_k, n_cols)
    y = whole_numbers(n_rows, n_cols)
    expected = y + x.astype("float64") @ w.astype("float64")
    given_x = np.ascontiguousarray(x.T) if transposed_x else x
    given_w = np.ascontiguousarray(w.T) if transposed_w else w
    with chosen(*way):
        _core.product(given_x, given_w, transposed_x, transposed_w, y=y, in_bfloat16=True)
    np.testing.assert_array_equal(y, expected)


@WAYS
@SHAPES
def test_factors_are_rounded_and_sums_are_not(n_rows, n_k, n_cols, way):
    """Products of rounded factors are exact: what is left is the error of one sum of floats."""
    x, w = drawn(n_rows, n_k, dtype="float32"), drawn(n_k, n_cols, dtype="float32")
    exact = rounded(x) @ rounded(w)
    bound = n_k * np.finfo("float32").eps * (np.abs(rounded(x)) @ np.abs(rounded(w)))
    with chosen(*way):
        assert (np.abs(_core.product(x, w, in_bfloat16=True) - exact) <= bound).all()


@WAYS
@SHAPES
def test_a_kept_w_gives_the_same_bits(n_rows, n_k, n_cols, way):
    """It is stored in another order, and widened from half the size, but the sums are those of rounded floats."""
    x, w = drawn(n_rows, n_k, dtype="float32"), drawn(n_k, n_cols, dtype="float32")
    with chosen(*way):
        expected = _core.product(x, w, in_bfloat16=True)
        np.testing.assert_array_equal(_core.product(x, w, in_bfloat16=True, keeps_w=True), expected)


@WAYS
@pytest.mark.parametrize("rows", [1, 2, 8, 9, 23, 24, 130])
@pytest.mark.parametrize("sizes", [(641, 130), (784, 64), (2, 200), (333, 10)])
def test_a_row_has_the_same_bits_whatever_the_others_where_w_is_kept(rows: int, sizes: tuple[int, int], way):
    x, w = drawn(300, sizes[0], dtype="float32"), drawn(*sizes, dtype="float32")
    with chosen(*way):
        alone = _core.product(x[:rows].copy(), w, in_bfloat16=True, keeps_w=True)
        np.testing.assert_array_equal(alone, _core.product(x, w, in_bfloat16=True)[:rows])


@WAYS
@pytest.mark.parametrize("rows", [1, 2, 23, 24, 130])
def test_a_row_has_the_same_bits_whatever_the_others(rows: int, way):
    x, w = drawn(300, 201, dtype="float32"), drawn(201, 70, dtype="float32")
    with chosen(*way):
        alone = _core.product(x[:rows].copy(), w, in_bfloat16=True)
        np.testing.assert_array_equal(alone, _core.product(x, w, in_bfloat16=True)[:rows])


def test_the_number_of_threads_changes_no_bit():
    x, w = drawn(701, 301, dtype="float32"), drawn(301, 203, dtype="float32")
    before = config.get_num_threads()
    try:
        results = []
        for n in (1, 2, 5):
            config.set_num_threads(n)
            results.append(_core.product(x.T.copy(), w, True, in_bfloat16=True).tobytes())
            results.append(_core.product(x, w, in_bfloat16=True).tobytes())
    finally:
        config.set_num_threads(before)
    assert len(set(results)) == 1


def test_doubles_are_refused():
    with pytest.raises(TypeError, match=r"x must be float32\. Received: float64"):
        _core.product(np.ones((2, 2)), np.ones((2, 2)), in_bfloat16=True)
