"""From a table to the numbers a network reads, as RealMLP's simple variant has it.

Everything is fitted on the training part alone. What is fitted is plain data, so that it goes into a model's file.
"""

from __future__ import annotations

import itertools
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple
from cnn_core.foundation.suggestions import alphabetical
from cnn_core.sklearn.tabular.columns import (
    Column,
    canonical,
    chosen_columns,
    columns_of,
    distinct,
    is_missing,
    known_kind,
    read_column,
)
from cnn_core.sklearn.tabular.layout import CODE, NUMBER, OTHER, Layout
from cnn_core.sklearn.tabular.number_texts import number_of
from cnn_core.sklearn.tabular.quantiles import quantiles
from cnn_core.sklearn.tabular.scaling import robust_scale
from cnn_core.sklearn.tabular.table_arrays import column_names, named_series
from cnn_core.sklearn.tabular.table_features import MakesFeatures

MAX_CATEGORIES = 256
MAX_CODES = 1 << 14
DAY = 86400.0  # in seconds
_YEAR = 365.2425 * DAY


class NumberEncoder:
    """A number is one feature; where training has gaps, "is missing" is a second one, -1 or +1.

    With bins, each is a feature more that grows from 0 to 1 between the bin's edges, which are quantiles: the sum of
    these with weights is any function that is linear between the edges.
    """

    kind = "number"

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.gaps = bool(settings["gaps"])
        self.edges = np.array(settings["edges"], np.float64)

    @classmethod
    def fit(cls, column: Column, n_bins: int = 0) -> NumberEncoder:
        missing = np.isnan(column.values)
        edges: list[float] = []
        if n_bins and not missing.all():
            known = column.take(~missing)
            levels = np.linspace(0, 1, n_bins + 1)
            edges = np.unique(quantiles(known.values, levels, known.counts, "inverted_cdf")).tolist()
        return cls({"gaps": bool(missing.any()), "edges": edges if len(edges) > 2 else []})

    def settings(self) -> dict[str, Any]:
        return {"gaps": self.gaps, "edges": self.edges.tolist()}

    @property
    def n_bins(self) -> int:
        return max(0, len(self.edges) - 1)

    def names(self, column: str) -> list[str]:
        bins = [f"{column} from {low:g} to {high:g}" for low, high in itertools.pairwise(self.edges.tolist())]
        return [column, *([f"{column} is missing"] if self.gaps else []), *bins]

    def roles(self) -> list[int]:
        return [NUMBER] + [OTHER] * (len(self.names("")) - 1)

    def read(self, column: Column) -> Column:
        return column

    def steps(self) -> Array:
        """Return a number for each piece of the axis, one bin or all of it, and last a missing one."""
        return np.append(self.edges[:-1] if self.n_bins else 0.0, np.nan)

    def encode(self, values: Array) -> Array:
        block = [values[:, None]]
        if self.gaps:
            block.append(np.where(np.isnan(values), 1.0, -1.0)[:, None])
        if self.n_bins:
            block.append(((values[:, None] - self.edges[:-1]) / np.diff(self.edges)).clip(0, 1))
        return np.concatenate(block, axis=1)


class DateEncoder:
    """A date is the time since 1970, its place in the year and in the week, and the time of day, if there is any."""

    kind = "date"

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.time_of_day = bool(settings["time_of_day"])

    @classmethod
    def fit(cls, column: Column) -> DateEncoder:
        known = column.values[~np.isnan(column.values)]
        return cls({"time_of_day": bool((known % DAY != 0).any())})

    def settings(self) -> dict[str, Any]:
        return {"time_of_day": self.time_of_day}

    def periods(self) -> dict[str, float]:
        """Return the length of each cycle in seconds."""
        periods = {"year": _YEAR, "week": 7 * DAY}
        return periods | {"day": DAY} if self.time_of_day else periods

    def names(self, column: str) -> list[str]:
        return [column, *(f"{column} {wave} of {period}" for period in self.periods() for wave in ("sin", "cos"))]

    def roles(self) -> list[int]:
        return [NUMBER] + [OTHER] * (len(self.names("")) - 1)

    def read(self, column: Column) -> Column:
        return column

    def encode(self, seconds: Array) -> Array:
        angles = [2 * np.pi / period * (seconds % period) for period in self.periods().values()]
        return np.stack([seconds, *(wave(angle) for angle in angles for wave in (np.sin, np.cos))], axis=1)


class CategoryEncoder:
    """A category is one feature for each value seen, 0 or 1; of two values one feature, -1 or +1.

    Unknown and missing values are all zeros. Of more than `MAX_CATEGORIES` values the most frequent are kept.
    """

    kind = "category"

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.levels = [str(level) for level in settings["levels"]]
        self.numeric = bool(settings.get("numeric", False))  # whether they were numbers in training, not texts
        self._index = {level: number for number, level in enumerate(self.levels)}

    @classmethod
    def fit(cls, column: Column, most_one_hot: int | None = None) -> CategoryEncoder:
        """Return an encoder of its own kind, or a `CodeEncoder` for more than `most_one_hot` values."""
        codes, values = distinct(column)
        occurrences = np.bincount(codes, column.counts, len(values)).astype(np.int64)
        counts: dict[str, int] = {}
        for value, count in zip(values, occurrences.tolist(), strict=True):
            if count and not is_missing(value):
                text = canonical(value)
                counts[text] = counts.get(text, 0) + count
        by_frequency = sorted(counts, key=lambda text: (-counts[text], text))
        numeric = all(map(_is_number, itertools.filterfalse(is_missing, values)))
        if most_one_hot is not None and len(counts) > most_one_hot:
            return CodeEncoder({"levels": sorted(by_frequency[:MAX_CODES]), "numeric": numeric})
        return cls({"levels": sorted(by_frequency[:MAX_CATEGORIES]), "numeric": numeric})

    def settings(self) -> dict[str, Any]:
        return {"levels": self.levels, "numeric": self.numeric}

    @property
    def binary(self) -> bool:
        return len(self.levels) == 2

    def names(self, column: str) -> list[str]:
        return [f"{column}={level}" for level in (self.levels[1:] if self.binary else self.levels)]

    def roles(self) -> list[int]:
        return [OTHER] * len(self.names(""))

    def read(self, column: Column) -> Column:
        """The number of each row's level, -1 for none."""
        codes, values = distinct(column)
        numbers = np.array([*map(self._place, values), -1], np.int64)
        return Column(column.name, "category", numbers[codes])

    def _place(self, value: object) -> int:
        """The number of a value's level; a number is also the one level that is written as the same number."""
        if is_missing(value):
            return -1
        known = self._index.get(canonical(value))
        if known is None and isinstance(value, (int, float)) and not isinstance(value, bool):
            same = [place for place, level in enumerate(self.levels) if number_of(level) == value]
            known = same[0] if len(same) == 1 else None
        return -1 if known is None else known

    def steps(self) -> Array:
        """Return the number of each level, and last that of none."""
        return np.append(np.arange(len(self.levels)), -1)

    def encode(self, found: Array) -> Array:
        if self.binary:
            return np.where(found < 0, 0.0, 2.0 * found - 1)[:, None]
        block = np.zeros((len(found), len(self.levels)))
        known = np.flatnonzero(found >= 0)
        block[known, found[known]] = 1
        return block


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


class CodeEncoder(CategoryEncoder):
    """A category of many values is the number of its value, from 1; 0 for unknown and missing ones.

    Of more than `MAX_CODES` values the most frequent are kept. A network looks the code up in a table.
    """

    kind = "code"

    def names(self, column: str) -> list[str]:
        return [column]

    def roles(self) -> list[int]:
        return [CODE]

    def encode(self, found: Array) -> Array:
        return (found + 1.0)[:, None]


Encoder = NumberEncoder | DateEncoder | CategoryEncoder
_ENCODERS: dict[str, type[Encoder]] = {
    each.kind: each for each in (NumberEncoder, DateEncoder, CategoryEncoder, CodeEncoder)
}


class _Plain(NamedTuple):
    """What pickled preprocessors of earlier versions hold; nothing reads it."""

    kept: Array
    centers: Array
    factors: Array


class TablePreprocessor(MakesFeatures):
    """Turn tables into matrices of float32: encode each column, then scale and clip each feature.

    A feature x becomes ``z / sqrt(1 + (z / 3)**2)`` with ``z = (x - median) / range``, where range is the distance
    between the quartiles; if that is 0, half the distance between the extremes. A missing number is the median. A
    feature that is constant in training is left out.

    Parameters
    ----------
    categorical_features : "from_dtype" or list of column names, numbers or booleans, default "from_dtype"
        "from_dtype": texts, booleans and categories are categories, numbers are numbers.
    n_bins : int, default 0
        How many pieces the axis of a number is cut into; 0 for none.
    most_one_hot : int, default None
        A category of more values becomes one feature, the number of its value, for an embedding to look up. None: of
        any number of values it is one feature for each.

    Attributes
    ----------
    names : list of str
        Of the columns.
    kinds : list of str
        What each column was in training, and is read as from then on; see `Column.remembered`.
    feature_names : list of str
        Of the features that come out.
    layout : Layout
        Which of the features are numbers, and which are codes.

    References
    ----------
    D. Holzmüller, L. Grinsztajn, I. Steinwart, "Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular
    Data", NeurIPS 2024.

    Examples
    --------
    >>> table = np.array([[1.0, "red"], [2.0, "blue"], [3.0, "red"]], dtype=object)
    >>> TablePreprocessor().fit(table).transform(table).round(2)
    array([[-0.95,  0.  ],
           [ 0.  , -1.66],
           [ 0.95,  0.  ]], dtype=float32)
    """

    def __init__(
        self, categorical_features: object = "from_dtype", n_bins: int = 0, most_one_hot: int | None = None
    ) -> None:
        self.categorical_features = categorical_features
        self.n_bins = n_bins
        self.most_one_hot = most_one_hot
        self.names: list[str] = []
        self.encoders: list[Encoder | None] = []
        self.kinds: list[str] = []
        self._centers: list[Array] = []
        self._factors: list[Array] = []
        self._known_features: list[tuple[str, int]] | None = None  # None until somebody asks for them

    # Fitting

    def fit(self, table: object, rows: Array | None = None) -> TablePreprocessor:
        """Learn from a table, or from some of its rows.

        Parameters
        ----------
        table : pandas.DataFrame, polars.DataFrame, numpy.ndarray of shape (n, columns), or list of Column
            Columns may stand for more rows than they have, as those of a `TableSummary` do.
        rows : numpy.ndarray of int, default None

        Returns
        -------
        TablePreprocessor
            Itself.
        """
        columns = table if isinstance(table, list) else self.learn_kinds(table)
        self.names = [column.name for column in columns]
        self.kinds = [column.remembered for column in columns]
        self.encoders, self._centers, self._factors = [], [], []
        self._features, self._known_features = None, None
        for column in columns:
            self._fit_column(column.take(rows))
        return self

    def learn_kinds(self, table: object) -> list[Column]:
        """Tell what the columns of a table are; `categorical_features` decides where it is a list."""
        chosen = chosen_columns(self.categorical_features, column_names(table))
        if chosen is None:
            return columns_of(table)
        columns = columns_of(table, ["category" if each else None for each in chosen])
        for number, (column, (_, series)) in enumerate(zip(columns, named_series(table), strict=True)):
            if column.kind == "category" and not chosen[number]:
                columns[number] = read_column(column.name, series, "number")
        return columns

    def _fit_column(self, column: Column) -> None:
        encoder: Encoder | None = None  # of a column that holds nothing
        if column.kind == "category":
            encoder = CategoryEncoder.fit(column, self.most_one_hot)
        elif column.kind == "date":
            encoder = DateEncoder.fit(column)
        elif column.kind == "number":
            encoder = NumberEncoder.fit(column, self.n_bins)
        self.encoders.append(encoder)
        if isinstance(encoder, CodeEncoder):
            centers, factors = np.zeros(1), np.ones(1)
        else:
            block = np.zeros((0, 0)) if encoder is None else encoder.encode(encoder.read(column).values)
            centers, factors = robust_scale(block, column.counts)
        self._centers.append(centers)
        self._factors.append(factors)

    # Use

    def _kept(self) -> list[tuple[str, int]]:
        """Name and role of every feature that is not left out, column by column."""
        if self._known_features is None:
            self._known_features = [
                (name, role)
                for column, encoder, factors in zip(self.names, self.encoders, self._factors, strict=True)
                if encoder is not None
                for name, role, factor in zip(encoder.names(column), encoder.roles(), factors, strict=True)
                if factor != 0
            ]
        return self._known_features

    def _order(self) -> Array:
        """The features that `_kept` lists in the order in which they stand in a matrix: by their roles."""
        return np.argsort([role for _, role in self._kept()], kind="stable")

    @property
    def n_features(self) -> int:
        return max(1, len(self._kept()))

    @property
    def feature_names(self) -> list[str]:
        kept = self._kept()
        return [kept[number][0] for number in self._order()] or ["nothing"]

    @property
    def places(self) -> list[Array]:
        """Which features of a matrix each column became."""
        places = np.argsort(self._order())
        counts = [int((factors != 0).sum()) for factors in self._factors]
        return np.split(places, np.cumsum(counts)[:-1])

    @property
    def layout(self) -> Layout:
        roles = [role for _, role in self._kept()] or [OTHER]
        n_codes = [len(encoder.levels) + 1 for encoder in self.encoders if isinstance(encoder, CodeEncoder)]
        return Layout(roles.count(NUMBER), roles.count(OTHER), tuple(n_codes))

    def fitted(self) -> list[tuple[Encoder | None, Array, Array]]:
        """Return every column's encoder, None for one that held nothing, and its features' centers and factors."""
        return list(zip(self.encoders, self._centers, self._factors, strict=True))

    def _parts(self) -> list[TablePreprocessor]:
        return [self]

    # Saving

    def state(self) -> dict[str, Any]:
        """Return all that was fitted as plain data."""
        return {
            "categorical_features": "from_dtype",  # has had its effect
            "columns": [
                {
                    "name": name,
                    "read_as": kind,
                    "kind": None if encoder is None else encoder.kind,
                    "settings": None if encoder is None else encoder.settings(),
                    "centers": centers.tolist(),
                    "factors": factors.tolist(),
                }
                for name, kind, encoder, centers, factors in zip(
                    self.names, self.kinds, self.encoders, self._centers, self._factors, strict=True
                )
            ],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> TablePreprocessor:
        """Return the preprocessor whose `state` was saved."""
        made = cls(state["categorical_features"])
        for column in state["columns"]:
            encoder = _ENCODERS.get(column["kind"])
            if encoder is None and column["kind"] is not None:
                raise ValueError(
                    f"A column's kind must be one of {', '.join(alphabetical(_ENCODERS))}. Received: {column['kind']!r}"
                )
            made.names.append(str(column["name"]))
            made.kinds.append(known_kind(column["read_as"]))
            made.encoders.append(None if encoder is None else encoder(column["settings"]))
            made._centers.append(np.array(column["centers"], np.float64))
            made._factors.append(np.array(column["factors"], np.float64))
            n_features = 0 if encoder is None else len(made.encoders[-1].names(made.names[-1]))  # type: ignore[union-attr]
            if not made._centers[-1].shape == made._factors[-1].shape == (n_features,):
                raise ValueError(f"Column {made.names[-1]!r} must have {n_features} centers and factors")
        return made
