"""Arrays of texts and of whole numbers: every kind that is read, and what is refused with its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core.foundation.validation as validation


class Wrapped:
    """What has nothing but `__array__`, as tensors of other packages have."""

    def __init__(self, values: Any) -> None:
        self.values = np.array(values)
        self.dtype = self.values.dtype

    def __array__(self, *arguments: Any, **keywords: Any) -> Any:
        return self.values


@pytest.mark.parametrize(
    "given",
    [
        np.array(["a", "é"]),
        np.array(["a", "é"], object),
        np.array([b"a", "é".encode()]),
        ["a", "é"],
        ("a", "é".encode()),
        [np.str_("a"), "é"],
        Wrapped(["a", "é"]),
        # Texts of NumPy's own, which NumPy 2 brought.
        *([np.array(["a", "é"], np.dtypes.StringDType())] if hasattr(np.dtypes, "StringDType") else []),
    ],
)
def test_texts_of_every_kind_are_read_alike(given: Any) -> None:
    assert validation.holds_texts(given)
    found = validation.as_texts(given, "x")
    assert found.dtype == object
    assert found.tolist() == ["a", "é"]


def test_an_array_of_texts_is_read_in_place() -> None:
    given = np.array([["a"], ["b"]], object)
    assert validation.as_texts(given, "x") is given


@pytest.mark.parametrize("given", [np.zeros(2), [1, 2], [[0.5]], np.array([1, None], object), Wrapped([1.0]), [], 3])
def test_numbers_are_no_texts(given: Any) -> None:
    assert not validation.holds_texts(given)


def test_columns_of_pandas_and_polars() -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    for column in (pandas.Series(["a", "b"]), pandas.Series(["a", "b"], dtype="category"), polars.Series(["a", "b"])):
        assert validation.holds_texts(column)
        assert validation.as_texts(column, "x").tolist() == ["a", "b"]
    assert not validation.holds_texts(pandas.Series([1, 2]))
    assert validation.as_texts(pandas.DataFrame({"p": ["a"], "q": ["b"]}), "x").tolist() == [["a", "b"]]
    for missing in (pandas.Series(["a", None], dtype="string"), polars.Series(["a", None])):
        with pytest.raises(ValueError, match="x has a missing value at row 1"):
            validation.as_texts(missing, "x")


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"a": "b"}, TypeError, r"^x must be an array of texts. Received: x of type dict"),
        (None, TypeError, "x must be an array of texts"),
        (["a", 3], TypeError, r"^x must hold texts, but has 3 at row 1\. Convert numbers first"),
        ([["a"], ["b", "c"]], ValueError, "x must have rows of one length"),
        ([b"\xff"], ValueError, "x must hold texts, or bytes in UTF-8"),
        ([["a", float("nan")]], ValueError, "x has a missing value at row 0, column 1"),
    ],
)
def test_what_is_no_text_is_refused(given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        validation.as_texts(given, "x")


def test_whole_numbers_keep_all_their_digits() -> None:
    for given in ([2**62 + 1, -3], np.array([2**62 + 1, -3])):
        assert validation.as_whole_numbers(given, "x").tolist() == [2**62 + 1, -3]
    assert validation.as_whole_numbers(np.array([True, False]), "x").tolist() == [1, 0]
    assert validation.as_whole_numbers([3.0], "x").dtype == np.int64


@pytest.mark.parametrize("given", [[0.5], [float("nan")], [float("inf")], [1e19], np.array([2**63], np.uint64)])
def test_what_is_no_whole_number_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match=r"x must hold whole numbers that int64 has, but has .* at row 0"):
        validation.as_whole_numbers(given, "x")
