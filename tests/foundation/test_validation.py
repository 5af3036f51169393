"""Scalars, and the parts of array checks that the zoo of inputs does not show."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import cnn_core.foundation.validation as validation


def says(message: str) -> str:
    """Return a pattern for exactly this message."""
    return f"^{re.escape(message)}$"


# Scalars


@pytest.mark.parametrize("value", [1, np.int8(1), np.uint64(1), np.array(1)])
def test_positive_integer_accepts_every_kind_of_integer(value):
    result = validation.positive_integer(value, "units")
    assert result == 1
    assert type(result) is int


@pytest.mark.parametrize("value", [True, np.True_, 1.0, np.float32(1), "1", None, [1], np.array([1]), np.array([1, 2])])
def test_positive_integer_refuses_what_is_no_integer(value):
    with pytest.raises(TypeError, match=r"^`units` must be a positive integer\. Received: units="):
        validation.positive_integer(value, "units")


@pytest.mark.parametrize("value", [0, -3, np.int64(-3)])
def test_positive_integer_refuses_what_is_not_positive(value):
    with pytest.raises(ValueError, match=says(f"`units` must be a positive integer. Received: units={int(value)}")):
        validation.positive_integer(value, "units")


def test_integer_includes_its_limits_and_words_them():
    assert [validation.integer(value, "k", 2, 4) for value in (2, 4)] == [2, 4]
    message = "`k` must be an integer of at least 2 and at most 4. Received: k=5"
    with pytest.raises(ValueError, match=says(message)):
        validation.integer(5, "k", 2, 4)


def test_seed_is_none_or_fits_64_bits():
    assert validation.seed(None) is None
    assert validation.seed(2**64 - 1) == 2**64 - 1
    for value in (-1, 2**64):
        with pytest.raises(ValueError, match="`seed` must be None or an integer"):
            validation.seed(value)


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.array(0.5), Fraction(1, 2)])
def test_number_accepts_every_kind_of_real_number(value):
    assert validation.number(value, "rho") == 0.5


@pytest.mark.parametrize("value", [True, "0.5", None, 1j, [0.5], np.array([0.5])])
def test_number_refuses_other_types(value):
    with pytest.raises(TypeError, match=r"^`rho` must be a finite number\. Received: rho="):
        validation.number(value, "rho")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400])
def test_number_refuses_what_is_not_finite(value):
    with pytest.raises(ValueError, match=r"^`rho` must be a finite number\. Received: rho="):
        validation.number(value, "rho")


def test_number_may_be_infinite_but_never_nan():
    assert validation.number(math.inf, "limit", infinite=True) == math.inf
    with pytest.raises(ValueError, match="Received: limit=nan"):
        validation.number(math.nan, "limit", infinite=True)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(-10, 10), st.floats(-10, 10))
def test_number_keeps_its_limits(value, one, other):
    low, high = min(one, other), max(one, other)
    for options, inside in (
        ({"minimum": low, "maximum": high}, low <= value <= high),
        ({"above": low, "below": high}, low < value < high),
    ):
        if inside:
            assert validation.number(value, "rho", **options) == value
        else:
            with pytest.raises(ValueError, match="`rho` must be a number"):
                validation.number(value, "rho", **options)


@pytest.mark.parametrize(("zero", "one"), [(True, True), (False, True), (True, False), (False, False)])
def test_fraction_includes_the_ends_it_is_told_to(zero, one):
    for value, fine in ((0, zero), (1, one), (0.5, True), (-1e-9, False), (1 + 1e-9, False)):
        if fine:
            assert validation.fraction(value, "rate", include_zero=zero, include_one=one) == value
        else:
            with pytest.raises(ValueError, match="`rate` must be a number"):
                validation.fraction(value, "rate", include_zero=zero, include_one=one)


def test_boolean_is_not_a_number():
    assert validation.boolean(np.True_, "shuffle") is True
    for value in (0, 1, "True", None):
        with pytest.raises(TypeError, match=r"^`shuffle` must be True or False\. Received"):
            validation.boolean(value, "shuffle")


def test_choice_proposes_the_nearest():
    known = ("auto", "min", "max")
    assert validation.choice("min", "mode", known) == "min"
    with pytest.raises(ValueError, match=r"Received: mode='MAX'\. Did you mean 'max'\?$"):
        validation.choice("MAX", "mode", known)
    with pytest.raises(ValueError, match=says("`mode` must be 'auto', 'max' or 'min'. Received: mode='qqq'")):
        validation.choice("qqq", "mode", known)
    with pytest.raises(TypeError, match="Received: mode=3"):
        validation.choice(3, "mode", known)


def test_lists_of_choices_are_in_alphabetical_order():
    with pytest.raises(ValueError, match=says("`color` must be 'Black', 'red' or 'white'. Received: color='blue'")):
        validation.choice("blue", "color", ("white", "red", "Black"))
    with pytest.raises(ValueError, match=r"^`mode` must be 'auto', 'min', 0 or None\. .* Did you mean 'auto'\?$"):
        validation.one_of("atuo", "mode", ("min", 0, "auto", None))


def test_one_of_tells_1_from_true():
    assert validation.one_of(True, "verbose", ("auto", True, 0)) is True
    with pytest.raises(ValueError, match=says("`verbose` must be 'auto', True or 0. Received: verbose=1")):
        validation.one_of(1, "verbose", ("auto", True, 0))


def test_text_is_a_string_with_something_in_it():
    assert validation.text("dense", "name") == "dense"
    with pytest.raises(ValueError, match="not empty"):
        validation.text("", "name")
    with pytest.raises(TypeError, match="`name` must be a string"):
        validation.text(b"dense", "name")


def test_shape_reads_integers_and_sequences():
    assert validation.shape([2, np.int64(3)]) == (2, 3)
    assert validation.shape(()) == ()
    assert validation.shape((None, 3), unknown=True) == (None, 3)
    for value, error in (
        ((3, -1), ValueError),
        ((0,), ValueError),
        ("ab", TypeError),
        (2.5, TypeError),
        ((None,), TypeError),
    ):
        with pytest.raises(error, match="`shape` must be a tuple of positive integers"):
            validation.shape(value)


@pytest.mark.parametrize("value", ["float32", np.float32, np.dtype("f4"), "f4"])
def test_float_dtype_accepts_every_spelling(value):
    assert validation.float_dtype(value) == np.dtype(np.float32)


@pytest.mark.parametrize(
    "value", ["float16", ">f4" if np.little_endian else "<f4", "int32", None, "nonsense", 3, object()]
)
def test_float_dtype_refuses_the_rest(value):
    with pytest.raises(ValueError, match=r"^`dtype` must be 'float32' or 'float64'\. Received: dtype="):
        validation.float_dtype(value)


def test_show_survives_any_value():
    class array:  # noqa: N801 - reprlib goes by the name and takes it for the standard library's
        def __repr__(self) -> str:
            raise RuntimeError("no")

    assert validation.show(array()).startswith("<array")
    assert len(validation.show("a" * 10**6)) < 100
    assert len(validation.show(np.zeros(10**6))) < 200


# Arrays

FLOATS = st.sampled_from(["float16", "float32", "float64", ">f4", ">f8"])
WANTED = st.sampled_from(["float32", "float64"])
SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, max_side=6)


@given(st.data(), FLOATS, WANTED, SHAPES)
def test_matrix_is_what_astype_gives_whatever_the_layout(data, dtype, wanted, shape):
    elements = {"allow_nan": False, "min_value": -1024, "max_value": 1024, "width": 16}
    x = data.draw(arrays.arrays(dtype, shape, elements=st.floats(**elements)))
    view = x[data.draw(arrays.basic_indices(shape, min_dims=len(shape), allow_ellipsis=False, allow_newaxis=False))]
    if 0 in view.shape:
        with pytest.raises(ValueError, match=r"^x must not be empty"):
            validation.as_matrix(view, "x", wanted)
        return
    result = validation.as_matrix(view, "x", wanted)
    assert result.dtype == np.dtype(wanted)
    assert result.dtype.isnative
    assert result.flags.c_contiguous
    assert result.flags.aligned
    np.testing.assert_array_equal(result, view.astype(wanted).reshape(result.shape))
    assert result.shape == (view.shape if view.ndim > 1 else (view.size, 1))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_matrix_that_fits_is_not_copied(dtype):
    x = np.arange(6, dtype=dtype).reshape(3, 2)
    assert validation.as_matrix(x, "x", dtype) is x
    assert np.shares_memory(validation.as_matrix(x[1:], "x", dtype), x)
    assert np.shares_memory(validation.as_matrix(x.reshape(-1), "x", dtype), x)


def test_matrix_does_not_change_what_it_was_given():
    x = np.arange(6, dtype=">f8").reshape(3, 2).T
    before = x.copy()
    validation.as_matrix(x, "x")[:] = 0
    np.testing.assert_array_equal(x, before)


def test_overflow_is_an_error_but_rounding_and_infinity_are_not():
    message = (
        "x has a number at row 1, column 0 that float32 cannot hold. Scale the data or use float64. Received: 1e+39"
    )
    with pytest.raises(ValueError, match=says(message)):
        validation.as_matrix([[1.0], [1e39]], "x")
    assert validation.as_matrix([[1e39]], "x", "float64")[0, 0] == 1e39
    assert validation.as_matrix([[0.1]], "x")[0, 0] == np.float32(0.1)
    assert validation.as_matrix([[1e-300]], "x")[0, 0] == 0
    assert np.isinf(validation.as_matrix(np.array([[np.inf]]), "x")).all()


def test_checks_are_blind_to_the_callers_floating_point_mode():
    with np.errstate(all="raise"):
        validation.as_matrix([[1e-300, 1e-42]], "x")
        validation.finite(np.full(100, 3e38, np.float32), "x")
        with pytest.raises(ValueError, match="NaN or infinite"):
            validation.finite(np.array([np.inf, -np.inf]), "x")


@pytest.mark.parametrize(
    ("shape", "width", "message"),
    [
        ((64, 12), 10, "x has 12 features; the model expects 10. Received: x.shape=(64, 12)"),
        ((64, 1), 10, "x has 1 feature; the model expects 10. Received: x.shape=(64, 1)"),
        (
            (10,),
            10,
            "x has one dimension; the model expects (n, 10). Use x[None, :] for one sample. Received: x.shape=(10,)",
        ),
        ((7,), 10, "x has 1 dimension; the model expects shape (n, 10). Received: x.shape=(7,)"),
        ((3, 4, 5), 20, "x has 3 dimensions; the model expects shape (n, 20). Received: x.shape=(3, 4, 5)"),
        (
            (3, 4, 6),
            (4, 5),
            "x has features of shape (4, 6); the model expects shape (n, 4, 5). Received: x.shape=(3, 4, 6)",
        ),
        ((3, 4), (None, 5), "x has 2 dimensions; the model expects shape (n, any, 5). Received: x.shape=(3, 4)"),
    ],
)
def test_width_that_differs_is_worded(shape, width, message):
    with pytest.raises(ValueError, match=says(message)):
        validation.as_matrix(np.zeros(shape), "x", width=width)


def test_width_that_fits():
    validation.check_width(np.zeros((3, 4, 5)), (None, 5), "x")
    assert validation.as_matrix(np.zeros(3), "x", width=1).shape == (3, 1)


@given(st.integers(1, 40), st.integers(1, 5), st.data())
def test_finite_finds_every_bad_value_and_the_first(rows, columns, data):
    x = np.zeros((rows, columns), data.draw(st.sampled_from(["float16", "float32", "float64"])))
    bad = data.draw(st.lists(st.tuples(st.integers(0, rows - 1), st.integers(0, columns - 1)), unique=True))
    for where in bad:
        x[where] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    if not bad:
        assert validation.finite(x, "x") is x
        return
    row, column = min(bad)
    with pytest.raises(ValueError, match=rf"^x has {len(bad)} values? .* at row {row}, column {column}\. "):
        validation.finite(x, "x")


def test_finite_looks_again_when_a_sum_overflows():
    x = np.full((1000, 10), np.finfo(np.float32).max, np.float32)
    assert validation.finite(x, "x") is x
    x[999, 9] = np.nan
    with pytest.raises(ValueError, match=r"has 1 value .* at row 999, column 9"):
        validation.finite(x, "x")


def test_finite_looks_beyond_its_first_block():
    x = np.zeros(3_000_000, np.float32)
    x[2_900_000] = np.nan
    x[2_900_001:2_900_003] = np.inf
    with pytest.raises(ValueError, match=r"has 3 values .* the first is nan at row 2900000"):
        validation.finite(x, "x")


def test_finite_words_any_number_of_dimensions():
    x = np.zeros((2, 3, 4))
    x[1, 2, 0] = np.nan
    with pytest.raises(ValueError, match=r"the first is nan at row 1, feature \(2, 0\)"):
        validation.finite(x, "x")
    with pytest.raises(ValueError, match="the first is nan in it"):
        validation.finite(np.array(np.nan), "loss")
    integers = np.array([1, 2])
    assert validation.finite(integers, "x") is integers


def test_finite_names_the_column():
    with pytest.raises(ValueError, match="at row 0, column 'height'"):
        validation.finite(np.array([[1, np.nan]]), "x", ["age", "height"])


# Labels and indices


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", ">i4", "uint64", "float16", "float64"])
@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_labels_of_every_type_become_int32(dtype, shape):
    result = validation.labels(np.array([0, 3, 1, 2], dtype).reshape(shape), 4)
    assert result.dtype == np.int32
    assert result.tolist() == [0, 3, 1, 2]


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        ([0, 4], ValueError, "y has label 4 at row 1; the output layer has 4 units, so labels must be 0..3"),
        ([-1, 0], ValueError, "y has label -1 at row 0; the output layer has 4 units, so labels must be 0..3"),
        (np.array([2**63], np.uint64), ValueError, "y has label 9223372036854775808 at row 0"),
        ([0, 1.5], ValueError, "y must hold whole numbers, but has 1.5 at row 1"),
        ([0, np.nan], ValueError, "y has 1 value that is NaN or infinite"),
        (np.eye(4), ValueError, "y must hold one label per row, shape (n,) or (n, 1)"),
        (["cat", "dog"], TypeError, "y must hold numbers, but has the text 'cat' at row 0"),
        ([], ValueError, "y must not be empty"),
        (3, ValueError, "y must hold one label per row"),
    ],
)
def test_labels_that_are_none(y, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}"):
        validation.labels(y, 4)


def test_one_label_may_be_ignored():
    assert validation.labels([0, -1, 255], 300, ignore_class=-1).tolist() == [0, -1, 255]
    with pytest.raises(ValueError, match="label -2 at row 0"):
        validation.labels([-2, -1], 3, ignore_class=-1)


def test_labels_without_a_number_of_classes():
    assert validation.labels([0, 2**31 - 1], None).tolist() == [0, 2**31 - 1]
    with pytest.raises(ValueError, match=r"label 2147483648 at row 0; labels must be 0\.\.2147483647"):
        validation.labels([2**31], None)


def test_indices_keep_their_shape_and_limit():
    assert validation.as_indices([[0, 1], [2, 0]], "x", 3).tolist() == [[0, 1], [2, 0]]
    assert validation.as_indices([0, 1], "x").shape == (2, 1)
    with pytest.raises(ValueError, match=r"x has index 3 at row 0, column 1; indices must be 0\.\.2"):
        validation.as_indices([[0, 3]], "x", 3)
    with pytest.raises(ValueError, match=r"whole numbers, but has 0\.5 at row 0, column 0"):
        validation.as_indices([[0.5]], "x", 3)


def test_same_length_returns_it():
    assert validation.same_length({"x": np.zeros((3, 2)), "y": np.zeros(3)}) == 3


def test_bfloat16_is_read_as_float32():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for kind in ("bfloat16", "float8_e4m3fn"):
        array = validation.as_array(np.array([[0.5, -2.0]], getattr(ml_dtypes, kind)), "x")
        assert array.dtype == np.float32
        assert array.tolist() == [[0.5, -2.0]]


class Tensor:
    """As PyTorch's, as far as reading goes: no NumPy type for bfloat16, and none of what records gradients."""

    def __init__(self, array, dtype, records=False):
        self.array, self.dtype, self.records = array, dtype, records

    def detach(self):
        return Tensor(self.array, self.dtype)

    def float(self):
        return Tensor(self.array.astype(np.float32), "torch.float32", self.records)

    def __array__(self, dtype=None, copy=None):
        if self.records:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        if self.dtype == "torch.bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.array


def test_tensors_are_read_without_gradients_and_without_a_copy():
    x = np.ones((2, 2))
    assert validation.as_array(Tensor(x, "torch.float64", records=True), "x") is x
    assert validation.as_array(Tensor(x, "torch.bfloat16", records=True), "x").dtype == np.float32
