"""Columns of pandas as NumPy arrays of one of few types."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pandas")

import pandas as pd

from cnn_core.sklearn.tabular.table_arrays import array_of, named_series

DAY = datetime.date(2026, 1, 31)


@pytest.mark.parametrize(
    ("column", "dtype", "values"),
    [
        (pd.Series([1, 2], dtype="int8"), "int64", [1, 2]),
        (pd.Series([1, 2], dtype="uint16"), "uint64", [1, 2]),
        (pd.Series([1.5, np.nan], dtype="float32"), "float64", [1.5, np.nan]),
        (pd.Series([True, False]), "bool", [True, False]),
        (pd.Series([1, None], dtype="Int64"), "float64", [1, np.nan]),
        (pd.Series([1, 2], dtype="Int16"), "int64", [1, 2]),
        (pd.Series([True, False], dtype="boolean"), "bool", [True, False]),
        (pd.Series([True, None], dtype="boolean"), "object", [True, pd.NA]),
        (pd.Series([0, 1.5], dtype="Sparse[float64]"), "float64", [0, 1.5]),
        (pd.Series(["a", "b"], dtype=object), "object", ["a", "b"]),
        (pd.Series(["a", "b"], dtype="string"), "object", ["a", "b"]),
        (pd.Series([DAY, "x"], dtype=object), "object", [DAY, "x"]),
        (pd.Series(["2026-01-31"], dtype="datetime64[s]"), "datetime64[ns]", [np.datetime64(DAY)]),
        (pd.Series([pd.Timestamp(DAY, tz="Asia/Tokyo")]), "datetime64[ns]", [np.datetime64("2026-01-30T15")]),
        (pd.Series([pd.Timedelta("1h")]), "timedelta64[ns]", [np.timedelta64(1, "h")]),
        (pd.Series(pd.period_range("2026-01-31", periods=1, freq="D")), "datetime64[ns]", [np.datetime64(DAY)]),
        (pd.Series([1j]), "complex128", [1j]),
    ],
    ids=lambda each: str(getattr(each, "dtype", "")),
)
def test_columns_of_pandas_have_one_of_few_types(column: Any, dtype: str, values: list[Any]) -> None:
    found, is_categorical = array_of(column)
    assert (found.dtype, is_categorical) == (np.dtype(dtype), False)
    np.testing.assert_array_equal(found[~pd.isna(found)], np.array(values, dtype)[~pd.isna(np.array(values, object))])


def test_categories_are_told_apart() -> None:
    found, is_categorical = array_of(pd.Series(["a", None, "b"], dtype="category"))
    assert (found.tolist(), is_categorical) == (["a", None, "b"], True)
    cut, is_categorical = array_of(pd.cut(pd.Series([0.5]), [0, 1]))
    assert (cut.tolist(), is_categorical) == (["(0, 1]"], True)


def test_columns_come_in_their_order_with_their_names() -> None:
    frame = pd.DataFrame(np.eye(2), columns=["b", "b"])
    assert [(name, series.tolist()) for name, series in named_series(frame)] == [("b", [1.0, 0.0]), ("b", [0.0, 1.0])]
