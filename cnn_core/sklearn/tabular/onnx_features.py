"""The features of tabular estimators as nodes of ONNX: from columns as they are to what networks read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.interop.onnx_format import TEXT
from cnn_core.interop.onnx_graph import ML, Nodes, type_number, value_info
from cnn_core.sklearn.tabular.blend import JoinedPreprocessor
from cnn_core.sklearn.tabular.encoders import (
    CategoryEncoder,
    CodeEncoder,
    DateEncoder,
    Encoder,
    NumberEncoder,
    TablePreprocessor,
)
from cnn_core.sklearn.tabular.number_texts import number_of
from cnn_core.sklearn.tabular.onnx_network import DOUBLE
from cnn_core.sklearn.tabular.scaling import FAR, LIMIT

FLOAT = type_number(np.float32)
_READ_AS = {
    "number": "a number, NaN if missing",
    "date": "seconds since 1970-01-01 in UTC, NaN if missing",
    "boolean": "1 or 0, NaN if missing",
    "code": "the number of a category, NaN if missing",
    "text": "the text of a category, a date as 2026-01-31, any unknown one if missing",
}


class InputColumns:
    """What the file's inputs are: one for each column, or one for all."""

    def __init__(self, preprocessor: TablePreprocessor | JoinedPreprocessor, named: bool) -> None:
        self.names = preprocessor.names
        self.kinds = [_kind(*each) for each in zip(preprocessor.kinds, preprocessor.encoders, strict=True)]
        self.together = not named and "text" not in self.kinds
        known = [name for name, kind in zip(self.names, self.kinds, strict=True) if kind is not None]
        if "" in known:
            raise ValueError("Every column must have a name: those of ONNX are not empty. Received: ''")
        self.inputs = ["X"] if self.together else known

    def infos(self) -> list[dict[str, Any]]:
        if self.together:
            return [value_info("X", DOUBLE, (None, len(self.names)), "columns as in training, NaN if missing")]
        return [
            value_info(name, TEXT if kind == "text" else DOUBLE, (None, 1), _READ_AS[kind])
            for name, kind in zip(self.names, self.kinds, strict=True)
            if kind is not None
        ]

    def shape_of_rows(self, g: Nodes) -> str:
        """Return the name of the number of rows and 1, as a shape.

        Raises
        ------
        ValueError
            If no column has held anything.
        """
        if not self.inputs:
            raise ValueError("At least one column must have held something in training. Received: none that has")
        return g.add("Concat", g.add("Shape", self.inputs[0], start=0, end=1), g.sizes(1), axis=0)

    def read(self, g: Nodes, number: int) -> str:
        """Return the name of a column of shape (n, 1)."""
        return g.add("Gather", "X", g.sizes(number), axis=1) if self.together else self.names[number]


class FeatureWriter:
    """What one preprocessor makes of the columns.

    Parameters
    ----------
    g : Nodes
    columns : InputColumns
    preprocessor : TablePreprocessor
    """

    def __init__(self, g: Nodes, columns: InputColumns, preprocessor: TablePreprocessor) -> None:
        self.g, self.columns, self.preprocessor = g, columns, preprocessor

    def of(self, names: Sequence[str]) -> dict[str, str]:
        """Write, in float64, what a network's inputs of these names are made of; return what they are called."""
        with self.g.counting_in("float64"):
            return self._made(names)

    def _made(self, names: Sequence[str]) -> dict[str, str]:
        g, numbers, others = self.g, _Block(), _Block()
        codes: list[str] = []
        first = 0  # row of the table of embeddings
        for number, (encoder, centers, factors) in enumerate(self.preprocessor.fitted()):
            g.prefix = self.preprocessor.names[number]
            if isinstance(encoder, CodeEncoder):
                codes.append(self._code(number, encoder, first))
                first += len(encoder.levels) + 1
            elif encoder is not None:
                kept = np.flatnonzero(factors)
                in_numbers = kept[kept == 0] if isinstance(encoder, (NumberEncoder, DateEncoder)) else kept[:0]
                in_others = kept[len(in_numbers) :]
                if len(in_numbers):
                    numbers.add([self.columns.read(g, number)], centers[in_numbers], factors[in_numbers])
                if len(in_others):
                    others.add(self._parts(number, encoder, in_others), centers[in_others], factors[in_others])
        g.prefix = "features"
        if "numbers" not in names:
            others = numbers.before(others)
        made = {"numbers": lambda: self._scaled(numbers), "others": lambda: self._scaled(others)}
        made["codes"] = lambda: g.cast(self._joined(codes), FLOAT)
        return {name: made[name]() for name in names}

    def _scaled(self, block: _Block) -> str:
        """What `TablePreprocessor` makes of encoded columns, as float32."""
        g = self.g
        if not block.parts:
            return g.add("ConstantOfShape", self.columns.shape_of_rows(g), value=np.zeros(1, np.float32))
        z = g.add("Sub", self._joined(block.parts), g.numbers(np.concatenate(block.centers), "centers"))
        z = g.add("Mul", z, g.numbers(np.concatenate(block.factors), "factors"))
        z = g.add("Where", g.add("IsNaN", z), 0.0, g.add("Clip", z, -FAR, FAR))
        part = g.add("Div", z, LIMIT)
        length = g.add("Sqrt", g.add("Add", g.add("Mul", part, part), 1.0))
        return g.cast(g.add("Div", z, length), FLOAT)

    def _joined(self, parts: Sequence[str]) -> str:
        return parts[0] if len(parts) == 1 else self.g.add("Concat", *parts, axis=1)

    def _parts(self, number: int, encoder: Encoder, kept: Array) -> list[str]:
        """Write the features of a column, beside its number, that are kept."""
        x = self.columns.read(self.g, number)
        if isinstance(encoder, NumberEncoder):
            return self._gaps_and_bins(x, encoder, kept - 1)
        if isinstance(encoder, DateEncoder):
            return self._waves(x, encoder, kept - 1)
        return [self._categories(x, number, encoder, kept)]

    def _gaps_and_bins(self, x: str, encoder: NumberEncoder, kept: Array) -> list[str]:
        g, parts = self.g, []
        if encoder.gaps:
            if 0 in kept:
                parts.append(g.add("Where", g.add("IsNaN", x), 1.0, -1.0))
            kept = kept[kept > 0] - 1
        if len(kept):
            low, width = encoder.edges[:-1][kept], np.diff(encoder.edges)[kept]
            steps = g.add("Div", g.add("Sub", x, g.numbers(low, "edges")), g.numbers(width, "widths"))
            parts.append(g.add("Clip", steps, 0.0, 1.0))
        return parts

    def _waves(self, x: str, encoder: DateEncoder, kept: Array) -> list[str]:
        g, parts = self.g, []
        for place, (period, wave) in enumerate((p, w) for p in encoder.periods().values() for w in ("Sin", "Cos")):
            if place in kept:
                angle = g.add("Mul", g.add("Mod", x, period, fmod=1), 2 * math.pi / period)
                parts.append(g.add(wave, angle))
        return parts

    def _categories(self, x: str, number: int, encoder: CategoryEncoder, kept: Array) -> str:
        """The indicators of the known values, of two their difference."""
        g = self.g
        if self.columns.kinds[number] == "text":
            x = self._encoded(x, encoder.levels, range(len(encoder.levels)), -1)
            keys: Array = np.arange(len(encoder.levels))
        else:
            keys = _keys(self.preprocessor.names[number], encoder.levels)
        if not encoder.binary:
            return g.cast(g.add("Equal", x, g.constant(keys[None, kept], "levels")), DOUBLE)
        hits = g.cast(g.add("Equal", x, g.constant(keys[None], "levels")), DOUBLE)
        return g.add("MatMul", hits, g.numbers([[-1.0], [1.0]], "signs"))

    def _code(self, number: int, encoder: CodeEncoder, first: int) -> str:
        """The row of the table of embeddings: first that of the unknown ones."""
        g, x, levels = self.g, self.columns.read(self.g, number), encoder.levels
        if self.columns.kinds[number] == "text":
            return g.cast(self._encoded(x, levels, range(first + 1, first + 1 + len(levels)), first), DOUBLE)
        keys = _keys(self.preprocessor.names[number], levels)
        hits = g.cast(g.add("Equal", x, g.constant(keys[None], "levels")), DOUBLE)
        return g.add("Add", g.add("MatMul", hits, g.numbers(np.arange(1, len(levels) + 1)[:, None], "codes")), first)

    def _encoded(self, x: str, levels: Sequence[str], numbers: Sequence[int], unknown: int) -> str:
        keys = [level.encode() for level in levels]
        settings: dict[str, Any] = {"keys_strings": keys, "values_int64s": list(numbers), "default_int64": unknown}
        return self.g.add("LabelEncoder", x, domain=ML, **settings)


class _Block:
    """Encoded columns side by side, and how they are scaled."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.centers: list[Array] = []
        self.factors: list[Array] = []

    def add(self, parts: Sequence[str], centers: Array, factors: Array) -> None:
        self.parts.extend(parts)
        self.centers.append(centers)
        self.factors.append(factors)

    def before(self, other: _Block) -> _Block:
        joined = _Block()
        for name in ("parts", "centers", "factors"):
            setattr(joined, name, getattr(self, name) + getattr(other, name))
        return joined


def _kind(read_as: str, encoder: Encoder | None) -> str | None:
    """What a column is in the file, a key of `_READ_AS`; None if it held nothing."""
    if encoder is None:
        return None
    if isinstance(encoder, CategoryEncoder) and read_as != "boolean":
        return "code" if encoder.numeric else "text"
    return read_as


def _keys(name: str, levels: Sequence[str]) -> Array:
    """The numbers by which known values are told apart: of booleans 0 and 1."""
    booleans = {"False": 0.0, "True": 1.0}
    found = np.array([booleans.get(level, number_of(level)) for level in levels], np.float64)
    if len(np.unique(found)) < len(found):
        raise ValueError(
            f"Column {name!r} cannot be carried to ONNX: some of its categories are the same number in float64. "
            "Convert it to texts before training"
        )
    return found
