"""Columns that stand for many rows: what a preprocessor learns from parts of a table.

A summary is a `Column` of few values, each of which stands for many rows, and a preprocessor is fitted to summaries as
to the columns of a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.sklearn.tabular.columns import Column, distinct, is_missing
from cnn_core.sklearn.tabular.encoders import DAY
from cnn_core.sklearn.tabular.quantiles import sketch

MOST_VALUES = 1 << 17  # of a category; of more, the most frequent ones of every part are kept


def summary_of(column: Column) -> Column:
    """Return a column of few values that stands for all rows of another one.

    Numbers and dates become a `sketch`, categories their different values; missing values become one.

    Examples
    --------
    >>> summary = summary_of(Column("size", "number", np.array([2.0, np.nan, 1.0, 2.0])))
    >>> summary.values, summary.counts
    (array([ 1.,  2., nan]), array([1, 2, 1]))
    """
    counts = np.ones(len(column.values), np.int64) if column.counts is None else column.counts
    summarize = _of_categories if column.kind == "category" else _of_numbers
    values, counts = summarize(column.values, counts, column.kind == "date")
    return replace(column, values=values, counts=counts)


def merged(columns: Sequence[Column]) -> Column:
    """Return the summary of all rows that some summaries stand for.

    Of texts that are dates in some parts and not in others, no value is kept: they must be read as categories.

    Raises
    ------
    ValueError
        If the column holds numbers in one part and something else in another.

    Examples
    --------
    >>> both = merged([summary_of(Column("a", "category", np.array(list(each), object))) for each in ("xyx", "y")])
    >>> both.values, both.counts
    (array(['x', 'y'], dtype=object), array([2, 2]))
    """
    kind = _merged_kind(columns)
    if len(columns) == 1:
        return columns[0]
    known = [column for column in columns if column.kind == kind]
    if kind == "category" and any(column.kind == "date" or must_be_read_again(column) for column in columns):
        return Column(columns[0].name, kind, np.empty(0, object), counts=np.empty(0, np.int64))
    values = np.concatenate([column.values for column in known])
    counts = np.concatenate([_counts(column) for column in known])
    gaps = sum(int(_counts(column).sum()) for column in columns if column.kind != kind)
    if gaps:
        nothing = np.array([None]) if values.dtype == object else np.array([np.nan])
        values, counts = np.concatenate([values, nothing]), np.append(counts, gaps)
    boolean = all(column.boolean for column in known)
    return summary_of(Column(columns[0].name, kind, values, boolean, counts))


def must_be_read_again(column: Column) -> bool:
    """Whether parts of a table do not agree on what a column is, and its summary holds nothing."""
    return column.kind == "category" and not len(column.values)


def _merged_kind(columns: Sequence[Column]) -> str:
    kinds = {column.kind: number for number, column in reversed(list(enumerate(columns)))}
    kinds.pop("missing", None)
    if "number" in kinds and len(kinds) > 1:
        other = next(kind for kind in kinds if kind != "number")
        raise ValueError(
            f"{columns[0].name!r} must be of one kind. Received: numbers in some parts of the rows, "
            f"{'dates' if other == 'date' else 'texts'} in others. Convert it to one type"
        )
    return "category" if "category" in kinds else next(iter(kinds), "missing")


def _counts(column: Column) -> Array:
    assert column.counts is not None
    return column.counts


def _of_numbers(values: Array, counts: Array, are_dates: bool) -> tuple[Array, Array]:
    missing = np.isnan(values)
    groups = [~missing]
    if are_dates:  # so that the few rows that have a time of day are seen
        with np.errstate(invalid="ignore"):
            whole = values % DAY == 0
        groups = [whole & ~missing, ~whole & ~missing]
    parts = [sketch(values[group], counts[group]) for group in groups if group.any()]
    if missing.any():
        parts.append((np.array([np.nan]), np.array([counts[missing].sum()])))
    if not parts:
        return values, counts
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _of_categories(values: Array, counts: Array, _: bool) -> tuple[Array, Array]:
    codes, different = distinct(Column("", "category", values))
    totals = np.bincount(codes, counts, len(different)).astype(np.int64)
    known = np.array([not is_missing(value) for value in different], bool)
    kept = np.flatnonzero(known)
    if len(kept) > MOST_VALUES:
        kept = np.sort(kept[np.argsort(-totals[kept], kind="stable")[:MOST_VALUES]])
    found: list[Any] = [different[place] for place in kept]
    totals_kept = totals[kept].tolist()
    if not known.all():
        found.append(None if values.dtype == object else np.nan)
        totals_kept.append(int(totals[~known].sum()))
    objects = np.empty(len(found), object)
    objects[:] = found
    return objects.astype(values.dtype, copy=False), np.array(totals_kept, np.int64)
