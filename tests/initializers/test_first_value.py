from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core.config as config
from cnn_core.initializers.first_value import exact, first_value


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (1.5, "float32"),
        ([1.0, 2.0], "float32"),
        (3, "int32"),
        ([[1, 2]], "int32"),
        (True, "bool"),
        (np.ones(2), "float64"),
        (np.ones(2, "float16"), "float16"),
        (np.arange(2), "int64"),
        (np.float32(2), "float32"),
    ],
)
def test_a_value_keeps_its_dtype_and_numbers_have_that_of_keras(given: Any, dtype: str) -> None:
    value = first_value(given, None, None, "v")
    assert value.dtype == dtype
    np.testing.assert_array_equal(value, given)


def test_numbers_follow_floatx() -> None:
    config.set_floatx("float64")
    try:
        assert first_value([0.1], None, None, "v").tolist() == [0.1]
        assert first_value("zeros", (1,), None, "v").dtype == "float64"
    finally:
        config.set_floatx("float32")


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint64", "float16", "float64", int, float, np.dtype("float64"), "int"]
)
def test_initializers_make_any_dtype(dtype: Any) -> None:
    names = {int: "int32", "int": "int32", float: "float32"}
    value = first_value("ones", (2, 1), dtype, "v")
    assert value.dtype == names.get(dtype, dtype)
    assert value.tolist() == [[1], [1]]


def test_a_shape_beside_a_value_must_be_its_own() -> None:
    assert first_value([1.0, 2.0], (2,), None, "v").tolist() == [1.0, 2.0]
    assert first_value(1.0, (), None, "v").shape == ()
    with pytest.raises(ValueError, match=r"v must have the shape \(3,\). Received: shape=\(2,\)"):
        first_value([1.0, 2.0], (3,), None, "v")


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (("zeros", None, None), ValueError, "`shape` of 'v' must be given where an initializer makes the value"),
        (("zeros", (None, 2), None), TypeError, "`shape of v` must be a tuple of positive integers"),
        (("zerros", (2,), None), ValueError, "zerros"),
        ((None, (2,), None), TypeError, "must be a value, or an initializer such as 'zeros'"),
        ((object(), None, None), TypeError, "v "),
        ((["a"], None, None), TypeError, "v must hold numbers"),
        ((1.0, None, "complex64"), ValueError, "`dtype` must be 'bool', 'float16'"),
        ((1.0, None, []), ValueError, "`dtype` must be 'bool', 'float16'"),
        ((1.0, None, "bfloat16"), ValueError, "`dtype` must be 'bool', 'float16'"),
        ((1.5, None, "int32"), ValueError, "v must hold numbers that int32 can"),
        ((300, None, "int8"), ValueError, "v must hold numbers that int8 can"),
        ((1e300, None, "float32"), ValueError, "that float32 cannot hold"),
    ],
)
def test_refused(arguments: tuple[Any, ...], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        first_value(*arguments, "v")


def test_floating_numbers_are_rounded_and_whole_ones_are_not() -> None:
    assert exact(np.array([0.1]), "v", np.dtype("float32"))[0] == np.float32(0.1)
    with pytest.raises(ValueError, match="must hold numbers that bool can"):
        exact(np.array([2]), "v", np.dtype("bool"))
