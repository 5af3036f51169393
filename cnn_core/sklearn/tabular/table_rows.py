"""Rows by name: a dict, a list of dicts or a series of pandas as the columns of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core.sklearn.tabular.columns import Column, read_column
from cnn_core.sklearn.tabular.table_arrays import array_of

if TYPE_CHECKING:
    from cnn_core.foundation.arrays import Array


def are_named_rows(rows: object) -> bool:
    """Whether an object is a dict, a list of dicts, or a series whose index holds names.

    Examples
    --------
    >>> [are_named_rows(each) for each in ({"a": 1}, [{"a": 1}, {"a": 2}], [1, 2], np.eye(2))]
    [True, True, False, False]
    """
    if isinstance(rows, Mapping):
        return True
    if isinstance(rows, (list, tuple)):
        return bool(rows) and all(isinstance(row, Mapping) or _is_series(row) for row in rows)
    return _is_series(rows)


def _is_series(row: object) -> bool:
    return hasattr(row, "index") and hasattr(row, "to_dict") and getattr(row, "ndim", 0) == 1


def columns_of_rows(rows: Any, names: Sequence[str], kinds: Sequence[str | None]) -> list[Column]:
    """Read rows by name as columns in the order of `names`; a dict may also hold whole columns.

    Parameters
    ----------
    rows : dict, series, or list of them
    names : sequence of str
        Of the columns, in training.
    kinds : sequence of str
        What the columns were; see `columns_of`.

    Returns
    -------
    list of Column

    Raises
    ------
    ValueError
        If a row lacks a column or has another one, or if columns are of different lengths.

    Examples
    --------
    >>> rows = [{"size": 3, "city": "Bonn"}, {"city": "Rome", "size": 4.5}]
    >>> [column.values.tolist() for column in columns_of_rows(rows, ["city", "size"], ["category", "number"])]
    [['Bonn', 'Rome'], [3.0, 4.5]]
    """
    if isinstance(rows, Mapping) and rows and all(map(_is_column, rows.values())):
        return _whole_columns(rows, names, kinds)
    listed = rows if isinstance(rows, (list, tuple)) else [rows]
    for number, row in enumerate(listed):
        _check_names(row.keys(), names, f"row {number}" if len(listed) > 1 else "the row")
    return [
        read_column(name, _objects([row[name] for row in listed]), kind)
        for name, kind in zip(names, kinds, strict=True)
    ]


def _whole_columns(columns: Mapping[str, object], names: Sequence[str], kinds: Sequence[str | None]) -> list[Column]:
    _check_names(columns.keys(), names, "the table")
    arrays = {
        name: _objects(column) if isinstance(column, (list, tuple)) else array_of(column)[0]
        for name, column in columns.items()
    }
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"Columns must be of one length. Received: {lengths}")
    return [read_column(name, arrays[name], kind) for name, kind in zip(names, kinds, strict=True)]


def _is_column(value: object) -> bool:
    return isinstance(value, (list, tuple)) or getattr(value, "ndim", 0) == 1 or hasattr(value, "to_list")


def _objects(values: Sequence[object]) -> Array:
    array = np.empty(len(values), dtype=object)
    array[:] = list(values)
    return array


def _check_names(received: Any, names: Sequence[str], where: str) -> None:
    problem = names_differ(names, list(received))
    if problem:
        raise ValueError(f"The names must be those of the columns in training: {problem} in {where}")


def names_differ(expected: Sequence[str], received: Sequence[object]) -> str | None:
    """Return what is wrong with the names of columns in any order, None if they are the expected ones.

    Examples
    --------
    >>> names_differ(["a", "b"], ["b", "a"]), names_differ(["a", "b"], ["b"]), names_differ(["a"], ["a", "c"])
    (None, "the column 'a' is missing", "the column 'c' was not there")
    """
    known, found = set(expected), set(received)
    missing = [name for name in expected if name not in found]
    extra = [name for name in received if name not in known]
    if missing:
        return f"the column {missing[0]!r}{f' and {len(missing) - 1} more' if missing[1:] else ''} is missing"
    if extra:
        return f"the column {extra[0]!r}{f' and {len(extra) - 1} more' if extra[1:] else ''} was not there"
    return None
