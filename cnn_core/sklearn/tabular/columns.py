"""The columns of a table as typed arrays: told apart in training, and read as what they were from then on."""

from __future__ import annotations

import datetime
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.foundation.suggestions import alphabetical
from cnn_core.sklearn.tabular.number_texts import date_of, is_decorated_number, number_of, strays
from cnn_core.sklearn.tabular.table_arrays import array_of, named_series

_DATE_UNIT = "datetime64[us]"
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    name : str
    kind : {"number", "category", "date", "missing"}
    values : numpy.ndarray of shape (n,)
        float64 with NaN for missing numbers; seconds since 1970 as float64 for dates; objects or numbers for
        categories.
    boolean : bool
        Whether the categories are True and False.
    counts : numpy.ndarray of int64 of shape (n,), or None
        How many rows each value stands for; None: one each.
    """

    name: str
    kind: str
    values: Array
    boolean: bool = False
    counts: Array | None = None

    @property
    def remembered(self) -> str:
        """What to read the column as from now on: its kind, or "boolean"."""
        return "boolean" if self.boolean else self.kind

    def take(self, rows: Array | slice | None) -> Column:
        """Return the same column with some rows only."""
        if rows is None:
            return self
        return replace(self, values=self.values[rows], counts=None if self.counts is None else self.counts[rows])


def columns_of(table: object, kinds: Sequence[str | None] | None = None) -> list[Column]:
    """Read every column of a table.

    Parameters
    ----------
    table : pandas.DataFrame, polars.DataFrame or numpy.ndarray of shape (n, columns)
    kinds : sequence of {"number", "boolean", "category", "date", "missing", None}, default None
        What each column is known to be, see `Column.remembered`; None where that is to be found out.

    Returns
    -------
    list of Column

    Raises
    ------
    ValueError
        If a column mixes numbers and text, holds an infinite number, or something else than what it is known to be; if
        its numbers or dates are written as texts, but for a few, or with signs.
    TypeError
        If a column holds something that is neither a number nor a text, a boolean or a date.

    Examples
    --------
    >>> [column.kind for column in columns_of(np.array([[1.5, "red"], [2, None]], dtype=object))]
    ['number', 'category']
    >>> columns_of(np.array([[7.0], [8.0]]), ["category"])[0].kind
    'category'
    """
    series = list(named_series(table))
    known = [None] * len(series) if kinds is None else kinds
    return [read_column(*each, kind) for each, kind in zip(series, known, strict=True)]


def read_column(name: str, series: object, kind: str | None = None) -> Column:
    """Read one column as what it is known to be, or tell what it is; see `columns_of`."""
    array, is_categorical = array_of(series)
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} holds complex numbers")
    if array.dtype.kind in "US":
        array = array.astype(object)
    if kind is None:
        return _categories(name, array) if is_categorical else _told_apart(name, array)
    return _READERS[kind](name, array)


# Telling kinds apart


def _told_apart(name: str, array: Array) -> Column:
    kind = array.dtype.kind
    if kind in "iuf":
        return _finite(name, array)
    if kind == "b":
        return _categories(name, array)
    if kind in "Mm":
        return _times(name, array)
    values = array.tolist()
    kinds = _kinds(values)
    found = set(kinds.values()) - {"missing"}
    if all(_is_nan(value) for value in values if kinds[type(value)] == "number"):
        found.discard("number")  # NaN is how anything is missing in a frame
    if not found:
        return _nothing(name, array)
    if "unknown" in found:
        raise _unknown(name, values, kinds)
    if found == {"boolean"}:
        return _categories(name, array)
    if found <= {"number", "boolean"}:
        return _numbers(name, array)
    if found == {"date"}:
        return _dates(name, array)
    if found == {"category"}:
        return _texts(name, array, values)
    raise _mixed(name, values, kinds)


def _texts(name: str, array: Array, values: list[Any]) -> Column:
    """Categories; dates if every text is written as one; an error if numbers or dates hide behind a few strays."""
    rows = [row for row, value in enumerate(values) if not is_missing(value)]
    texts = [values[row] for row in rows]
    for what, fits in (("dates", _is_date), ("numbers", is_decorated_number)):
        others = strays(texts, _remembering(fits))
        if others is None:
            continue
        if others:
            raise ValueError(
                f"{name!r} must hold {what} or texts, not both. Received: {what} but for {texts[others[0]]!r} in row "
                f"{rows[others[0]]}{f' and {len(others) - 1} more' if others[1:] else ''}. "
                "Write missing values as NaN or None"
            )
        if what == "dates":
            return _dates(name, array)
        decorated = next((place for place, text in enumerate(texts) if number_of(text) is None), None)
        if decorated is not None:
            raise ValueError(
                f"{name!r} must hold numbers, not texts in which numbers are written otherwise. Received: "
                f"{texts[decorated]!r} in row {rows[decorated]}. "
                "Convert them, or make the column one of categories, by its type or with `categorical_features`"
            )
    return _categories(name, array)


def _is_date(text: str) -> bool:
    return date_of(text) is not None


def _remembering(fits: Callable[[str], bool]) -> Callable[[str], bool]:
    """The same test, which looks at each text once."""
    known: dict[str, bool] = {}

    def test(text: str) -> bool:
        if text not in known:
            known[text] = fits(text)
        return known[text]

    return test


def _kinds(values: list[Any]) -> dict[type, str]:
    return {kind: _kind_of_type(kind) for kind in set(map(type, values))}


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


def _unknown(name: str, values: list[Any], kinds: dict[type, str]) -> TypeError:
    row = next(row for row, value in enumerate(values) if kinds[type(value)] == "unknown")
    return TypeError(
        f"{name!r} must hold numbers, texts, booleans or dates: each argument must be a string or a number. "
        f"Received: {type(values[row]).__name__} in row {row}"
    )


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


# Reading what is known


def _nothing(name: str, array: Array) -> Column:
    return Column(name, "missing", np.full(len(array), np.nan))


def _finite(name: str, values: Array) -> Column:
    values = values.astype(np.float64, copy=False)
    if np.isfinite(values).all():
        return Column(name, "number", values)
    infinite = np.isinf(values)
    if infinite.any():
        row = int(np.argmax(infinite))
        raise ValueError(f"{name!r} must hold finite numbers; missing ones may be NaN. Received: infinity in row {row}")
    return Column(name, "missing" if np.isnan(values).all() else "number", values)


def _numbers(name: str, array: Array) -> Column:
    """Numbers; texts that are some are parsed."""
    kind = array.dtype.kind
    if kind in "iufb":
        return _finite(name, array)
    if kind == "m":
        return _times(name, array)
    parsed = np.empty(len(array))
    for row, value in enumerate(array.tolist() if kind == "O" else array):
        number = _as_float(value)
        if number is None:
            raise ValueError(f"{name!r} held numbers in training. Received: {_shown(value)} in row {row}")
        parsed[row] = number
    return _finite(name, parsed)


def _dates(name: str, array: Array) -> Column:
    """Dates; texts that are some are parsed."""
    if array.dtype.kind == "M":
        return _times(name, array)
    values = array.tolist()
    moments = np.empty(len(values), _DATE_UNIT)
    for row, value in enumerate(values):
        moment = _as_date(value)
        if moment is None:
            raise ValueError(
                f"{name!r} held dates in training. Received: {_shown(value)} in row {row}. "
                "Texts must be written as 2026-01-31"
            )
        moments[row] = moment
    return _times(name, moments)


def _times(name: str, array: Array) -> Column:
    """Dates or durations, in seconds."""
    missing = np.isnat(array)
    if len(array) and missing.all():
        return _nothing(name, array)
    seconds = array.astype(f"{array.dtype.str[1]}8[us]").astype(np.int64) / 1e6
    seconds[missing] = np.nan
    return Column(name, "number" if array.dtype.kind == "m" else "date", seconds)


def _booleans(name: str, array: Array) -> Column:
    """True and False, also where they are written as 1 and 0 or as texts; anything else is none of the known ones."""
    if array.dtype.kind in "fiu":
        array = array.astype(object)
    if array.dtype.kind == "O":
        values = [_BOOLEANS.get(canonical(each).strip().lower(), each) for each in array.tolist()]
        array = np.empty(len(values), object)
        array[:] = values
    return _categories(name, array)


def _categories(name: str, array: Array) -> Column:
    kind = array.dtype.kind
    if kind in "iuf":
        return Column(name, "category", array)
    if kind == "m":
        return replace(_times(name, array), kind="category")
    values = array.astype(object) if kind == "b" else array.astype(_DATE_UNIT).astype(object) if kind == "M" else array
    listed = values.tolist()
    kinds = _kinds(listed)
    found = set(kinds.values()) - {"missing"}
    if "unknown" in found:
        raise _unknown(name, listed, kinds)
    if all(_is_nan(value) for value in listed if kinds[type(value)] == "number"):
        found.discard("number")
    return Column(name, "category" if found else "missing", values, boolean=found == {"boolean"})


_READERS: dict[str, Callable[[str, Array], Column]] = {
    "number": _numbers,
    "boolean": _booleans,
    "category": _categories,
    "date": _dates,
    "missing": _nothing,
}


def known_kind(kind: object) -> str:
    """Return the name of a kind of column, or say that it is none."""
    if kind not in _READERS:
        raise ValueError(f"A column must be read as one of {', '.join(alphabetical(_READERS))}. Received: {kind!r}")
    return str(kind)


# Single values


def is_missing(value: object) -> bool:
    """Whether a single value stands for none.

    Examples
    --------
    >>> [is_missing(value) for value in (None, float("nan"), "", 0)]
    [True, True, False, False]
    """
    return value is None or type(value).__name__ in ("NAType", "NaTType") or _is_nan(value)


def _is_nan(value: object) -> bool:
    return bool(value != value)


def _shown(value: object) -> str:
    return str(value) if isinstance(value, (np.datetime64, datetime.date)) else repr(value)


def _as_float(value: Any) -> float | None:
    """A number; of a time of day or a duration, its seconds; None if it is neither."""
    if is_missing(value):
        return float("nan")
    if isinstance(value, str):
        return number_of(value)
    if isinstance(value, datetime.time):
        value = datetime.datetime.combine(datetime.date.min, value.replace(tzinfo=None)) - datetime.datetime.min
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    try:
        return float(value)
    except OverflowError:
        return float("inf")
    except (TypeError, ValueError):
        return None


def _as_date(value: object) -> np.datetime64 | None:
    if is_missing(value):
        return np.datetime64("NaT", "us")
    if isinstance(value, str):
        return date_of(value)
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    return np.datetime64(value) if isinstance(value, (datetime.date, np.datetime64)) else None


def distinct(column: Column) -> tuple[Array, list[Any]]:
    """Return (codes, values): for every row the number of its value among the different ones of a column."""
    if column.values.dtype.kind != "O":
        unique, codes = np.unique(column.values, return_inverse=True)
        return codes.reshape(-1), unique.tolist()
    seen: dict[Any, int] = {}
    codes = np.fromiter((seen.setdefault(value, len(seen)) for value in column.values.tolist()), np.int64)
    return codes, list(seen)


def canonical(value: object) -> str:
    """Return the text by which a category is known: the same for 1, 1.0 and "1".

    Examples
    --------
    >>> canonical(1.0), canonical("1"), canonical(True), canonical(0.5), canonical(datetime.date(2026, 1, 31))
    ('1', '1', 'True', '0.5', '2026-01-31')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ").removesuffix(" 00:00:00")
    number = None if isinstance(value, datetime.date) else _as_float(value)
    if number is None or is_missing(value):
        return str(value)
    return str(int(number)) if number.is_integer() else repr(number)


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
