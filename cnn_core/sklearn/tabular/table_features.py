"""The features that tables become, all columns at once: numbers in native code, categories by looking up their rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

import cnn_core._core as _core
from cnn_core.foundation.arrays import Array, readable
from cnn_core.foundation.records import NamedTuple
from cnn_core.sklearn.tabular.columns import Column, columns_of
from cnn_core.sklearn.tabular.scaling import scaled

_CHUNK = 1 << 16  # rows made at a time
_CACHED_BYTES = 1 << 20  # of features that each thread predicts from at a time,
_FEWEST_ROWS = 480  # but not of fewer rows


class Fitted(Protocol):
    """What is asked of a `TablePreprocessor`."""

    @property
    def n_features(self) -> int: ...

    @property
    def places(self) -> list[Array]: ...

    def fitted(self) -> list[tuple[Any, Array, Array]]: ...


class NumberColumn(NamedTuple):
    """A column of numbers as native code reads it; see src/numbers/number_features.pxd."""

    source: int
    place: int
    center: float
    factor: float
    first: int
    steps: Array
    edges: Array
    places: Array
    centers: Array
    factors: Array


class _Values(NamedTuple):
    """Columns as they have been read: numbers, the numbers of levels, and seconds."""

    n: int
    numbers: list[Array]
    levels: list[Array]
    seconds: list[Array]


class _Features(NamedTuple):
    """What a column becomes: those of its encoder's features that are not constant, and where they go."""

    encoder: Any  # of the column's kind
    kept: Array
    centers: Array  # of the kept ones
    factors: Array
    places: Array

    def of(self, values: Array) -> Array:
        """Return the features of some values: float32 of shape (n, features)."""
        block = self.encoder.encode(values)[:, self.kept]
        return np.asarray(
            block if self.encoder.kind == "code" else scaled(block, self.centers, self.factors), np.float32
        )


class TableFeatures:
    """What preprocessors make of one table, side by side.

    Parameters
    ----------
    parts : sequence of TablePreprocessor
        Fitted to the same columns.

    Attributes
    ----------
    reads_numbers_alone : bool
        Whether every column is one of numbers.
    """

    def __init__(self, parts: Sequence[Fitted]) -> None:
        kinds = [None if encoder is None else encoder.kind for encoder, *_ in parts[0].fitted()]
        self._numbers = [number for number, kind in enumerate(kinds) if kind == "number"]
        self.reads_numbers_alone = len(self._numbers) == len(kinds)
        self._categories: list[tuple[int, Any, list[tuple[slice, Array]]]] = []
        self._dates: list[tuple[int, _Features]] = []
        described = []
        self._width = 0
        for part in parts:
            for column, (fitted, places) in enumerate(zip(part.fitted(), part.places, strict=True)):
                encoder, centers, factors = fitted
                if encoder is None or not len(places):
                    continue
                kept = np.flatnonzero(factors)
                features = _Features(encoder, kept, centers[kept], factors[kept], places + self._width)
                if encoder.kind == "number":
                    described.append(_number_column(self._numbers.index(column), features))
                elif encoder.kind == "date":
                    self._dates.append((column, features))
                else:
                    self._add_category(column, features)
            self._width += part.n_features
        self._native = _core.NumberFeatures(len(self._numbers), self._width, described)

    def _add_category(self, column: int, features: _Features) -> None:
        """Add the features of every level; those who know the same levels look a value up once."""
        encoder, places = features.encoder, features.places
        table = slice(places[0], places[-1] + 1), features.of(encoder.steps())
        for known, other, tables in self._categories:
            if known == column and other.levels == encoder.levels:
                tables.append(table)
                return
        self._categories.append((column, encoder, [table]))

    def of_numbers(self, matrix: Array) -> Array:
        """Return the features of a matrix of finite or missing numbers, where every column is one."""
        out = np.zeros((len(matrix), self._width), np.float32)
        self._native(readable(matrix, np.dtype(np.float64)), out)
        return out

    def of_columns(self, columns: Sequence[Column], rows: Array | None) -> Array:
        """Return the features of some rows of columns, all if `rows` is None: float32 of shape (n, features)."""
        values = self._read(columns, rows)
        out = np.zeros((values.n, self._width), np.float32)
        for part in _slices(values.n, _CHUNK):
            self._fill(out[part], values, part)
        return out

    def answers(self, columns: Sequence[Column], answer: Callable[[Array], Array]) -> Array:
        """Return what `answer` makes of the features of columns, of so few rows at a time that they stay in a cache."""
        values = self._read(columns, None)
        most = max(_FEWEST_ROWS, _CACHED_BYTES * _core.get_num_threads() // (4 * self._width))
        features = np.zeros((min(most, values.n), self._width), np.float32)
        found = []
        for part in _slices(values.n, most):
            of_part = features[: part.stop - part.start]
            self._fill(of_part, values, part)
            found.append(answer(of_part))
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _read(self, columns: Sequence[Column], rows: Array | None) -> _Values:
        return _Values(
            len(columns[0].values if rows is None else rows),
            [columns[column].take(rows).values for column in self._numbers],
            [encoder.read(columns[column]).take(rows).values for column, encoder, _ in self._categories],
            [columns[column].take(rows).values for column, _ in self._dates],
        )

    def _fill(self, features: Array, values: _Values, part: slice) -> None:
        """Write the features of some rows, all but those of columns that make none."""
        if values.numbers:
            self._native(np.stack([each[part] for each in values.numbers], axis=1), features)
        for found, (_, _, tables) in zip(values.levels, self._categories, strict=True):
            for places, table in tables:
                features[:, places] = table[found[part]]
        for seconds, (_, of_date) in zip(values.seconds, self._dates, strict=True):
            features[:, of_date.places] = of_date.of(seconds[part])


class MakesFeatures:
    """What preprocessors have in common, one and several joined ones."""

    kinds: Any
    _features: TableFeatures | None = None  # until they are asked for

    def _parts(self) -> Sequence[Fitted]:
        raise NotImplementedError

    def transform(self, table: object, rows: Array | None = None) -> Array:
        """Return the features of a table, or of some of its rows: float32 of shape (n, n_features).

        Raises
        ------
        ValueError
            If a column of numbers or dates holds something else; the message names column and row.
        """
        columns = table if isinstance(table, list) else columns_of(table, self.kinds)
        return self._made().of_columns(columns, rows)

    @property
    def reads_numbers_alone(self) -> bool:
        """Whether every column is one of numbers."""
        return self._made().reads_numbers_alone

    def transform_numbers(self, matrix: Array) -> Array:
        """Return what `transform` does of a matrix of finite or missing numbers, where these alone are read."""
        return self._made().of_numbers(matrix)

    def answers(self, columns: Sequence[Column], answer: Callable[[Array], Array]) -> Array:
        """Return what `answer` makes of features, row by row, without those of the whole table at once."""
        return self._made().answers(columns, answer)

    def _made(self) -> TableFeatures:
        if self._features is None:
            self._features = TableFeatures(self._parts())
        return self._features

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_features"}


def _slices(n: int, most: int) -> list[slice]:
    """Return slices of as many rows each that cover n rows; one of none."""
    return [slice(start, min(start + most, n)) for start in range(0, max(n, 1), most)]


def _number_column(source: int, features: _Features) -> NumberColumn:
    """Describe the number itself, what is the same for all numbers of a piece, and what grows along each piece."""
    encoder = features.encoder
    steps = features.of(encoder.steps())
    n_pieces = len(steps) - 1
    places, centers, factors = np.full(n_pieces, -1, np.intp), np.zeros(n_pieces), np.zeros(n_pieces)
    of_features = zip(features.kept, features.places, features.centers, features.factors, strict=True)
    for feature, place, center, factor in of_features:
        piece = feature - 1 - encoder.gaps  # after the number itself and whether it is missing
        if piece >= 0:
            places[piece], centers[piece], factors[piece] = place, center, factor
    is_kept = int(features.kept[0] == 0)
    place, center, factor = (features.places[0], features.centers[0], features.factors[0]) if is_kept else (-1, 0, 0)
    shared = features.places[is_kept:]
    return NumberColumn(
        source,
        int(place),
        float(center),
        float(factor),
        int(shared[0]) if len(shared) else 0,
        np.ascontiguousarray(steps[:, is_kept:]),
        readable(encoder.edges) if encoder.n_bins else np.zeros(2),
        places,
        centers,
        factors,
    )
