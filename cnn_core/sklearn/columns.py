"""The columns of a table as typed arrays: what a data frame or an array holds, told apart. Floor 5.

Frames of pandas and polars are recognised by what they offer, so that neither package is imported here.
"""

from __future__ import annotations

import datetime
import numbers
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from cnn_core.arrays import Array

_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?")
_DATE_UNIT = "datetime64[us]"
_MOSTLY_NUMBERS = 0.9


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name : str
    kind : {"number", "category", "date", "missing"}
    values : numpy.ndarray of shape (n,)
        float64 with NaN for missing numbers; objects for categories; seconds since 1970 as float64 for dates.
    """

    name: str
    kind: str
    values: Array

    def take(self, rows: Array | slice | None) -> Column:
        """Return the same column with some rows only."""
        return self if rows is None else Column(self.name, self.kind, self.values[rows])


def is_frame(table: Any) -> bool:
    """Whether an object is a data frame of pandas or polars.

    Examples
    --------
    >>> is_frame(np.ones((2, 3)))
    False
    """
    return hasattr(table, "columns") and (hasattr(table, "iloc") or hasattr(table, "get_columns"))


def column_names(table: Any) -> list[str]:
    """Return the names of a frame's columns, or "column 0", "column 1", ... for an array."""
    if is_frame(table):
        return [str(name) for name in table.columns]
    return [f"column {number}" for number in range(table.shape[1])]


def columns_of(table: Any) -> list[Column]:
    """Read every column of a table.

    Parameters
    ----------
    table : pandas.DataFrame, polars.DataFrame or numpy.ndarray of shape (n, columns)

    Returns
    -------
    list of Column

    Raises
    ------
    ValueError
        If a column mixes numbers and text, or holds an infinite number.
    TypeError
        If a column holds something that is neither a number nor a text, a boolean or a date.

    Examples
    --------
    >>> [column.kind for column in columns_of(np.array([[1.5, "red"], [2, None]], dtype=object))]
    ['number', 'category']
    """
    return [read_column(name, series) for name, series in zip(column_names(table), _series(table), strict=True)]


def _series(table: Any) -> list[Any]:
    if not is_frame(table):
        return [table[:, number] for number in range(table.shape[1])]
    if hasattr(table, "iloc"):
        return [table.iloc[:, number] for number in range(table.shape[1])]
    return list(table.get_columns())


def read_column(name: str, series: Any) -> Column:
    """Tell what one column holds; see `columns_of`."""
    array = _as_array(series)
    kind = array.dtype.kind
    if kind in "iuf":
        return _numbers(name, array.astype(np.float64, copy=False))
    if kind == "b":
        return Column(name, "category", array.astype(object))
    if kind in "Mm":
        return _times(name, array)
    if kind in "US":
        array = array.astype(object)
    elif kind == "c":
        raise ValueError(f"Complex data not supported: {name} holds complex numbers")
    return _objects(name, array)


def _as_array(series: Any) -> Array:
    """One of NumPy's types: numbers, booleans, times or objects."""
    if isinstance(series, np.ndarray):
        return series
    dtype = series.dtype
    if hasattr(series, "iloc"):
        return _pandas_array(series, dtype)
    if dtype.is_numeric():
        return np.asarray(series.cast(_polars_float(series)).to_numpy(), np.float64)
    if dtype.is_temporal() and str(dtype) != "Time":
        return np.asarray(series.to_numpy())
    return np.array(series.to_list(), dtype=object)


def _polars_float(series: Any) -> Any:
    import polars

    return polars.Float64


def _pandas_array(series: Any, dtype: Any) -> Array:
    kind = getattr(dtype, "kind", "O")
    if kind in "iuf":
        return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
    if kind == "b" and not series.hasnans:
        return np.asarray(series.to_numpy(dtype=bool))
    if kind == "M":
        return np.asarray(series.to_numpy(dtype="datetime64[ns]"))
    if kind == "m":
        return np.asarray(series.to_numpy(dtype="timedelta64[ns]"))
    if kind == "c":
        return np.asarray(series.to_numpy())
    if str(dtype).startswith("period"):
        return np.asarray(series.dt.start_time.to_numpy(dtype="datetime64[ns]"))
    return np.asarray(series.to_numpy(dtype=object))


def _numbers(name: str, values: Array) -> Column:
    infinite = np.isinf(values)
    if infinite.any():
        row = int(np.argmax(infinite))
        raise ValueError(f"{name!r} must hold finite numbers; missing ones may be NaN. Received: infinity in row {row}")
    return Column(name, "missing" if len(values) and np.isnan(values).all() else "number", values)


def _times(name: str, array: Array) -> Column:
    kind = "number" if array.dtype.kind == "m" else "date"
    missing = np.isnat(array)
    if len(array) and missing.all():
        return Column(name, "missing", np.full(len(array), np.nan))
    unit = f"{array.dtype.str[1]}8[us]"
    seconds = array.astype(unit).astype(np.int64) / 1e6
    seconds[missing] = np.nan
    return Column(name, kind, seconds)


def _objects(name: str, array: Array) -> Column:
    """Objects, told apart by their types."""
    values = array.tolist()
    kinds = {type(value): _kind_of_type(type(value)) for value in values}
    found = set(kinds.values()) - {"missing"}
    if found == {"number", "category"} and all(kinds[type(value)] != "number" or value != value for value in values):
        found = {"category"}  # NaN is how text is missing in a frame
    if not found:
        return Column(name, "missing", np.full(len(values), np.nan))
    if "unknown" in found:
        row = next(row for row, value in enumerate(values) if kinds[type(value)] == "unknown")
        raise TypeError(
            f"{name!r} must hold numbers, texts, booleans or dates: each argument must be a string or a number. "
            f"Received: {type(values[row]).__name__} in row {row}"
        )
    if found == {"boolean"}:
        return Column(name, "category", array)
    if found <= {"number", "boolean"}:
        return _numbers(name, np.array([_as_float(value) for value in values], np.float64))
    if found == {"date"}:
        return _times(name, np.array([_as_date(value) for value in values], _DATE_UNIT))
    if found == {"category"}:
        return _texts(name, array, values)
    raise _mixed(name, values, kinds)


def _mixed(name: str, values: list[Any], kinds: dict[type, str]) -> ValueError:
    rows: dict[str, int] = {}
    for row, value in enumerate(values):
        if not is_missing(value):
            rows.setdefault(kinds[type(value)], row)
    first, second, *_ = sorted(rows.values())
    return ValueError(
        f"{name!r} must hold numbers or texts, not both. Received: {values[first]!r} in row {first} and "
        f"{values[second]!r} in row {second}. Convert it to one type, or write missing values as NaN or None"
    )


def _texts(name: str, array: Array, values: list[Any]) -> Column:
    """Texts: dates if every one is written as a date; a number's column with a stray text is an error."""
    present = [value for value in values if not is_missing(value)]
    if all(_ISO_DATE.fullmatch(text) for text in present[:100]):
        dates = _parse_dates(values)
        if dates is not None:
            return _times(name, dates)
    if len(present) >= 10 and _parses(present[0]) + _parses(present[-1]):
        stray = [row for row, value in enumerate(values) if not is_missing(value) and not _parses(value)]
        if stray and len(stray) <= (1 - _MOSTLY_NUMBERS) * len(present):
            raise ValueError(
                f"{name!r} must hold numbers or texts, not both. Received: numbers but for {values[stray[0]]!r} in row "
                f"{stray[0]}{f' and {len(stray) - 1} more' if stray[1:] else ''}. Write missing values as NaN or None"
            )
    return Column(name, "category", array)


def _parse_dates(values: list[Any]) -> Array | None:
    try:
        return np.array(["NaT" if is_missing(value) else value.strip() for value in values], dtype=_DATE_UNIT)
    except ValueError:
        return None


def _parses(text: Any) -> bool:
    try:
        float(text)
    except (TypeError, ValueError):
        return False
    return True


def _kind_of_type(kind: type) -> str:
    """What values of a Python type are."""
    if kind is type(None) or kind.__name__ in ("NAType", "NaTType"):
        return "missing"
    if issubclass(kind, (bool, np.bool_)):
        return "boolean"
    if issubclass(kind, (numbers.Real, Decimal, datetime.time, datetime.timedelta)):
        return "number"
    if issubclass(kind, str):
        return "category"
    if issubclass(kind, (datetime.date, np.datetime64)):
        return "date"
    return "unknown"


def is_missing(value: Any) -> bool:
    """Whether a single value stands for none.

    Examples
    --------
    >>> [is_missing(value) for value in (None, float("nan"), "", 0)]
    [True, True, False, False]
    """
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)


def _as_float(value: Any) -> float:
    """A number; of a time of day or a duration, its seconds."""
    if isinstance(value, datetime.time):
        value = datetime.datetime.combine(datetime.date.min, value.replace(tzinfo=None)) - datetime.datetime.min
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return float("nan") if is_missing(value) else float(value)


def _as_date(value: Any) -> Any:
    if is_missing(value):
        return np.datetime64("NaT")
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(datetime.UTC).replace(tzinfo=None)
        return np.datetime64(value)
    return np.datetime64(value)


def as_numbers(column: Column) -> Column:
    """Return a column that was one of numbers in training as one of numbers, texts parsed.

    Raises
    ------
    ValueError
        If a text is no number; the message names the column and the row.
    """
    if column.kind in ("number", "missing"):
        return column
    if column.kind == "date":
        raise ValueError(f"{column.name!r} held numbers in training. Received: dates")
    parsed = np.empty(len(column.values))
    for row, value in enumerate(column.values.tolist()):
        try:
            parsed[row] = _as_float(value)
        except ValueError:
            raise ValueError(f"{column.name!r} held numbers in training. Received: {value!r} in row {row}") from None
    return _numbers(column.name, parsed)


def as_dates(column: Column) -> Column:
    """Return a column that was one of dates in training, or say that it is none."""
    if column.kind in ("date", "missing"):
        return column
    raise ValueError(
        f"{column.name!r} held dates in training. Received: {column.values[0]!r}. Texts must be written as 2026-01-31"
    )


def as_texts(column: Column) -> tuple[Array, list[str | None]]:
    """Return (codes, texts): for every row the number of its text, None for the missing ones.

    Numbers and booleans are written out, integers without a point, so that 1, 1.0 and "1" are one category.
    """
    if column.kind in ("number", "missing", "date"):
        unique, codes = np.unique(column.values, return_inverse=True)
        return codes.reshape(-1), [None if value != value else canonical(value) for value in unique.tolist()]
    seen: dict[Any, int] = {}
    codes = np.fromiter((seen.setdefault(value, len(seen)) for value in column.values.tolist()), np.int64)
    return codes, [None if is_missing(value) else canonical(value) for value in seen]


def canonical(value: Any) -> str:
    """Return the text by which a category is known.

    Examples
    --------
    >>> canonical(1.0), canonical("1"), canonical(True), canonical(0.5)
    ('1', '1', 'True', '0.5')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (numbers.Real, Decimal)):
        number = float(value)
        return str(int(number)) if number.is_integer() else repr(number)
    return str(value)


def chosen_columns(choice: Any, names: Sequence[str]) -> list[bool] | None:
    """Which columns a list of names or numbers, or a mask, chooses; None for "from_dtype".

    Raises
    ------
    ValueError
        If a column does not exist.
    """
    if choice is None:
        return [False] * len(names)
    if isinstance(choice, str):
        if choice != "from_dtype":
            raise ValueError(
                "`categorical_features` must be 'from_dtype' or a list of columns. "
                f"Received: categorical_features={choice!r}"
            )
        return None
    listed = list(choice)
    if listed and all(isinstance(each, (bool, np.bool_)) for each in listed):
        if len(listed) != len(names):
            raise ValueError(
                f"`categorical_features` must have one entry for each of {len(names)} columns. Received: {len(listed)}"
            )
        return [bool(each) for each in listed]
    chosen = [False] * len(names)
    for each in listed:
        if isinstance(each, str) and each in names:
            chosen[list(names).index(each)] = True
        elif isinstance(each, numbers.Integral) and -len(names) <= int(each) < len(names):
            chosen[int(each)] = True
        else:
            raise ValueError(f"`categorical_features` must name columns of the table. Received: {each!r}")
    return chosen
