"""What to predict from a table: whether a column holds numbers or classes, and which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnn_core.commands.table_notation import Notation
from cnn_core.foundation.arrays import Array

_MOST_CLASSES = 20  # whole numbers of so many different values, at most, are taken for classes
_AS_CLASSES = "or say --task classification if they are classes"


def task_of(y: Array) -> str:
    """Return "regression" for numbers, "classification" for whole numbers of few values.

    Examples
    --------
    >>> task_of(np.array([0.5, 1.5])), task_of(np.array([1.0, 0.0, 1.0]))
    ('regression', 'classification')
    """
    few = len(np.unique(y)) <= min(_MOST_CLASSES, max(2, len(y) // 10))
    return "classification" if few and bool((y == np.floor(y)).all()) else "regression"


def read_target(series: object, name: str, task: str | None, notation: Notation) -> tuple[str, Array, Array]:
    """Read the target of a table.

    Parameters
    ----------
    series : numpy.ndarray, or a series of pandas or polars
    name : str
    task : {"classification", "regression", None}
        None: what the values look like.
    notation : Notation
        Of numbers in texts.

    Returns
    -------
    task : str
    y : numpy.ndarray of shape (known,)
        float64 for regression; classes as they are written.
    rows : numpy.ndarray of int of shape (known,)
        Which rows have a target.

    Raises
    ------
    ValueError
        If nothing is known, or if the values are no numbers where numbers are wanted or likely.
    """
    from cnn_core.sklearn.tabular.columns import is_missing
    from cnn_core.sklearn.tabular.table_arrays import array_of

    array, is_categorical = array_of(series)
    values = array.tolist()
    rows = np.array([row for row, value in enumerate(values) if not is_missing(value)], np.int64)
    if not len(rows):
        raise ValueError(f"the column {name!r} holds nothing")
    if array.dtype.kind not in "O":
        array = array[rows]
        values = array.tolist()
    else:
        values = [values[row] for row in rows]
    if is_categorical:
        task = task or "classification"
    if task == "classification":
        return task, classes_of(values), rows
    numbers = _numbers(array, values, rows, name, notation, task)
    if numbers is None:
        return "classification", classes_of(values), rows
    task = task or task_of(numbers)
    return task, numbers if task == "regression" else classes_of(values), rows


def classes_of(values: Sequence[object]) -> Array:
    """Return classes as an array: whole numbers as such if that is how they are written, else texts.

    Examples
    --------
    >>> classes_of(["1", "12"]), classes_of(["007", "12"]), classes_of([1.0, 2.0]), classes_of([True, False])
    (array([ 1, 12]), array(['007', '12'], dtype=object), array([1, 2]), array([ True, False]))
    """
    from cnn_core.sklearn.tabular.columns import canonical

    if all(isinstance(value, bool) for value in values):
        return np.array(values, bool)
    texts = [canonical(value) for value in values]
    if all(text.removeprefix("-").isdecimal() and str(int(text)) == text and len(text) < 19 for text in set(texts)):
        return np.array(list(map(int, texts)), np.int64)
    return np.array(texts, dtype=object)


def _numbers(
    array: Array, values: list[Any], rows: Array, name: str, notation: Notation, task: str | None
) -> Array | None:
    """The target's numbers, None if it plainly holds classes; an error between the two."""
    from cnn_core.sklearn.tabular.columns import read_column

    if all(isinstance(value, str) for value in values):
        return _parsed(values, rows, name, notation, task)
    if array.dtype.kind in "mM":
        what = "dates" if array.dtype.kind == "M" else "durations"
        raise ValueError(
            f"the target {name!r} must hold numbers or classes. Received: {what}, whose unit is open. "
            f"Count them in days or another unit, {_AS_CLASSES}"
        )
    kept = np.empty(len(values), object)
    kept[:] = values
    column = read_column(name, kept if array.dtype.kind == "O" else array)
    if column.kind == "number":
        return column.values
    if column.kind == "date":
        return _numbers(np.empty(0, "M8[us]"), values[:1], rows, name, notation, task)
    if task == "regression":
        raise ValueError(f"the target {name!r} must hold numbers. Received: {values[0]!r} in row {rows[0]}")
    return None


def _parsed(texts: list[str], rows: Array, name: str, notation: Notation, task: str | None) -> Array | None:
    from cnn_core.sklearn.tabular.number_texts import date_of, is_decorated_number, strays

    numbers = {text: notation.number_of(text) for text in set(texts)}
    wrong = [place for place, text in enumerate(texts) if numbers[text] is None]
    if not wrong:
        found = np.array([numbers[text] for text in texts], np.float64)
        if np.isinf(found).any():
            row = rows[int(np.argmax(np.isinf(found)))]
            raise ValueError(f"the target {name!r} must hold finite numbers. Received: infinity in row {row}")
        return found
    received = f"Received: {texts[wrong[0]]!r} in row {rows[wrong[0]]}"
    if strays(texts, lambda text: date_of(text) is not None) is not None:
        raise ValueError(
            f"the target {name!r} must hold numbers or classes, and no dates. Received: {texts[0]!r} in row {rows[0]}. "
            f"Count them in days or another unit, {_AS_CLASSES}"
        )
    others = strays(texts, is_decorated_number)
    many = len({number for number in numbers.values() if number is not None}) > _MOST_CLASSES
    if others is None and many and len(wrong) < len(texts) / 2:
        others = wrong
    if others == [] or (others and task == "regression" and is_decorated_number(texts[wrong[0]])):
        raise ValueError(
            f"the target {name!r} must hold numbers or classes. {received}. Say how numbers are written with --decimal "
            f"and --thousands, {_AS_CLASSES}"
        )
    if others:
        others = [place for place in wrong if not is_decorated_number(texts[place])]
        raise ValueError(
            f"the target {name!r} must hold numbers or classes, not both. Received: numbers but for "
            f"{texts[others[0]]!r} in row {rows[others[0]]}{f' and {len(others) - 1} more' if others[1:] else ''}. "
            f"Name what stands for a missing value in --na, {_AS_CLASSES}"
        )
    if task == "regression":
        raise ValueError(f"the target {name!r} must hold numbers. {received}")
    return None
