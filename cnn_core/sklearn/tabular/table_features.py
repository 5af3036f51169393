"""The features that tables become, all columns at once: numbers in native code, categories by looking up their rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

import cnn_core._core as _core
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple
from cnn_core.sklearn.tabular.columns import Column
from cnn_core.sklearn.tabular.scaling import scaled

_CHUNK = 1 << 16  # rows made at a time


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
    """

    def __init__(self, parts: Sequence[Fitted]) -> None:
        kinds = [None if encoder is None else encoder.kind for encoder, *_ in parts[0].fitted()]
        self._numbers = [number for number, kind in enumerate(kinds) if kind == "number"]
        self._are_all = len(self._numbers) == len(kinds)
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

    def of_numbers(self, matrix: Array) -> Array | None:
        """Return the features of a matrix of finite or missing numbers; None unless every column is one of numbers."""
        if not self._are_all:
            return None
        out = np.zeros((len(matrix), self._width), np.float32)
        self._native(np.ascontiguousarray(matrix, np.float64), out)
        return out

    def of_columns(self, columns: Sequence[Column], rows: Array | None) -> Array:
        """Return the features of some rows of columns, all if `rows` is None: float32 of shape (n, features)."""
        numbers = [columns[column].take(rows).values for column in self._numbers]
        levels = [encoder.read(columns[column]).take(rows).values for column, encoder, _ in self._categories]
        seconds = [columns[column].take(rows).values for column, _ in self._dates]
        out = np.zeros((len(columns[0].values if rows is None else rows), self._width), np.float32)
        for start in range(0, len(out), _CHUNK):
            part = slice(start, start + _CHUNK)
            chunk = out[part]
            if numbers:
                self._native(np.stack([values[part] for values in numbers], axis=1), chunk)
            for found, (_, _, tables) in zip(levels, self._categories, strict=True):
                for places, table in tables:
                    chunk[:, places] = table[found[part]]
            for values, (_, features) in zip(seconds, self._dates, strict=True):
                chunk[:, features.places] = features.of(values[part])
        return out


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
        encoder.edges if encoder.n_bins else np.zeros(2),
        places,
        centers,
        factors,
    )
