"""Data frames of pandas and polars, and arrays, as NumPy arrays column by column.

Frames are recognised by what they offer, so that neither package is imported here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cnn_core.foundation.arrays import Array

FEW_ROWS = 1024  # up to which a column costs more than its rows
# What a column becomes by the kind of its type; anything else becomes objects.
_PLAIN = {"i": "i8", "u": "u8", "f": "f8", "b": "?", "c": "c16", "M": "datetime64[ns]", "m": "timedelta64[ns]"}


def is_frame(table: object) -> bool:
    """Whether an object is a data frame of pandas or polars, or a table or record batch of Arrow.

    Examples
    --------
    >>> is_frame(np.ones((2, 3)))
    False
    """
    return hasattr(table, "columns") and (
        hasattr(table, "iloc") or hasattr(table, "get_columns") or _is_of_arrow(table)
    )


def _is_of_arrow(table: object) -> bool:
    return hasattr(table, "schema") and hasattr(table, "column_names")


def column_names(table: Any) -> list[str]:
    """Return the names of a frame's columns, or "column 0", "column 1", ... for an array."""
    if is_frame(table):
        return [str(name) for name in (table.column_names if _is_of_arrow(table) else table.columns)]
    return [f"column {number}" for number in range(table.shape[1])]


def named_series(table: Any) -> Iterator[tuple[str, Any]]:
    """Yield the name of every column and what the table holds there."""
    names = column_names(table)
    if not is_frame(table):
        series = [table[:, number] for number in range(table.shape[1])]
    elif hasattr(table, "iloc"):
        series = [each for _, each in table.items()]
    else:
        series = list(table.columns if _is_of_arrow(table) else table.get_columns())
    return zip(names, series, strict=True)


def array_of(series: object) -> tuple[Array, bool]:
    """Return a column's values in one of NumPy's types, and whether its own type says that they are categories.

    Types are numbers, booleans, times or objects; a missing value makes an integer a float and anything else an object.
    """
    if isinstance(series, np.ndarray):
        return series, False
    if hasattr(series, "iloc"):
        return _of_pandas(series)
    if hasattr(series, "to_pylist"):
        return _of_arrow(series)
    return _of_polars(series)


def few_numbers(table: Any, names: Sequence[str] | None) -> Array | None:
    """Return a few rows of finite or missing numbers as a matrix: an array, or a frame of pandas, of these columns.

    None for anything else, which has to be read column by column.

    Examples
    --------
    >>> few_numbers(np.array([[1.0, np.nan]]), None), few_numbers(np.array([[np.inf]]), None)
    (array([[ 1., nan]]), None)
    """
    matrix: Array | None = None
    if type(table) is np.ndarray:
        matrix = table if names is None and table.ndim == 2 else None
    elif names is not None and hasattr(table, "iloc") and hasattr(table, "columns"):
        matrix = table.to_numpy() if len(table) <= FEW_ROWS and list(table.columns) == names else None
    if matrix is None or matrix.dtype.kind not in "iuf" or not matrix.size or len(matrix) > FEW_ROWS:
        return None
    return None if np.isinf(matrix).any() else matrix


def whole_table(frame: object) -> Any:
    """Return a record batch of Arrow as a table, whose names scikit-learn knows; anything else as it is."""
    if not _is_of_arrow(frame) or hasattr(frame, "combine_chunks"):
        return frame
    import pyarrow

    return pyarrow.Table.from_batches([frame])


def chosen(frame: Any, names: Sequence[str]) -> Any:
    """Return some columns of a frame, in this order."""
    return frame.select(list(names)) if _is_of_arrow(frame) else frame[list(names)]


def _of_pandas(series: Any) -> tuple[Array, bool]:
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return np.asarray(series.to_numpy().astype(_PLAIN.get(dtype.kind, object), copy=False)), False
    if hasattr(dtype, "categories"):
        return _of_categories(series.cat.categories, series.cat.codes), True
    if str(dtype).startswith("dictionary"):  # of Arrow
        return np.asarray(series.to_numpy(dtype=object)), True
    kind = getattr(dtype, "kind", "O")
    if kind in "iu" and not series.hasnans:
        return np.asarray(series.to_numpy(dtype=_PLAIN[kind])), False
    if kind in "iuf":
        return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan)), False
    if (kind == "b" and not series.hasnans) or kind in "Mm":
        return np.asarray(series.to_numpy(dtype=_PLAIN[kind])), False
    if kind == "c":
        return np.asarray(series.to_numpy()), False
    if str(dtype).startswith("period"):
        return np.asarray(series.dt.start_time.to_numpy(dtype=_PLAIN["M"])), False
    return np.asarray(series.to_numpy(dtype=object)), False


def _of_categories(categories: Any, codes: Any) -> Array:
    values = np.empty(len(categories) + 1, dtype=object)
    # Intervals, as of pandas.cut, are known by their text; code -1 stands for none, the last one.
    values[:-1] = [str(each) if type(each).__name__ == "Interval" else each for each in categories]
    return np.asarray(values[codes.to_numpy()])


def _of_polars(series: Any) -> tuple[Array, bool]:
    import polars

    dtype = series.dtype
    if dtype in (polars.Categorical, polars.Enum):
        return np.array(series.to_list(), dtype=object), True
    if dtype.is_integer() and not series.null_count():
        return np.asarray(series.to_numpy()), False
    if dtype.is_numeric():
        return np.asarray(series.cast(polars.Float64).to_numpy(), np.float64), False
    if dtype.is_temporal() and dtype != polars.Time:
        return np.asarray(series.to_numpy()), False
    return np.array(series.to_list(), dtype=object), False


def _of_arrow(series: Any) -> tuple[Array, bool]:
    import pyarrow.types as types

    kind = series.type
    if types.is_dictionary(kind):
        return np.array(series.to_pylist(), dtype=object), True
    if types.is_floating(kind) or types.is_integer(kind):
        return np.asarray(series.to_numpy(zero_copy_only=False)), False
    if (types.is_timestamp(kind) and kind.tz is None) or types.is_date(kind):
        return np.asarray(series.cast("timestamp[ns]").to_numpy(zero_copy_only=False)), False
    return np.array(series.to_pylist(), dtype=object), False
