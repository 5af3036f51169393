"""Tabular estimators as ONNX files: rows go in as they are, labels and probabilities, or numbers, come out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.foundation.model_file as model_file
from cnn_core.foundation.arrays import Array
from cnn_core.interop.onnx_format import TEXT
from cnn_core.interop.onnx_graph import ML, Nodes, file_of, type_number, value_info
from cnn_core.interop.onnx_writer import write_answers
from cnn_core.interop.sklearn_perceptrons import CLASSES
from cnn_core.sklearn.tabular.encoders import (
    FAR,
    LIMIT,
    CategoryEncoder,
    CodeEncoder,
    DateEncoder,
    Encoder,
    NumberEncoder,
    TablePreprocessor,
)
from cnn_core.sklearn.tabular.number_texts import number_of
from cnn_core.sklearn.tabular.onnx_network import DOUBLE, write_members
from cnn_core.sklearn.tabular.onnx_state import GRAPH_KEY, METADATA_KEY, digest

if TYPE_CHECKING:
    from cnn_core.foundation.replacement import PathLike
    from cnn_core.sklearn.tabular.target_scale import TargetLogarithm

FLOAT = type_number(np.float32)
_READ_AS = {
    "number": "a number, NaN if missing",
    "date": "seconds since 1970-01-01 in UTC, NaN if missing",
    "boolean": "1 or 0, NaN if missing",
    "code": "the number of a category, NaN if missing",
    "text": "the text of a category, a date as 2026-01-31, any unknown one if missing",
}


def to_onnx(predictor: Any, path: PathLike | None = None, state: Mapping[str, object] | None = None) -> bytes:
    """Return what a tabular estimator has learnt as an ONNX file, and write it if a path is given.

    Parameters
    ----------
    predictor : ClassPredictor or NumberPredictor
        Which this module does not import: they import it.
    path : str or path-like, default None
    state : mapping, default None
        What the file says, beside the graph, of what was learnt, as plain data. None: what the predictor knows.

    Returns
    -------
    bytes
        Every column is an input of its own name and of shape (n, 1); where columns had no names and all are numbers,
        "X" of shape (n, columns) is the only one. Columns that held nothing in training are no inputs.

    Raises
    ------
    ValueError
        If a column, or the network, cannot be expressed, by its name.
    """
    data = _Writer(predictor).file({"task": predictor.task, **predictor.state()} if state is None else state)
    if path is not None:
        model_file.write_bytes(path, data)
    return data


class _Writer:
    """One file, being written."""

    def __init__(self, predictor: Any) -> None:
        self.network = predictor.lone_network("ONNX")
        self.predictor, self.preprocessor = predictor, predictor.preprocessor
        self.columns = _Columns(self.preprocessor, predictor.named)
        own = {}
        for name in ("label", "probabilities", "variable", "quantiles"):
            own[name] = name if name not in self.columns.inputs else f"output_{name}"
            if own[name] in self.columns.inputs:
                raise ValueError(f"Columns must not have the names of outputs. Received: {own[name]!r}")
        self.outputs = own
        self.g = Nodes("float64", [*self.columns.inputs, *own.values()])

    def file(self, state: Mapping[str, Any]) -> bytes:
        g, predictor, metadata = self.g, self.predictor, {METADATA_KEY: json.dumps(state)}
        inputs = self.columns.infos()
        if predictor.task == "classification":
            with g.counting_in("float32"):
                names = (self.outputs["label"], self.outputs["probabilities"])
                outputs = write_answers(g, self._probabilities(predictor), predictor.classes, names)
            metadata[CLASSES] = json.dumps(predictor.classes.tolist(), default=str)
        else:
            outputs = self._numbers(predictor)
        graph = {"node": g.nodes, "initializer": list(g.constants.values()), "input": inputs, "output": outputs}
        name = "classifier" if predictor.task == "classification" else "regressor"
        return file_of(name, g, inputs, outputs, {**metadata, GRAPH_KEY: digest(graph)})

    # Outputs

    def _probabilities(self, predictor: object) -> str:
        g, network = self.g, self.network
        if network is None:
            return g.add("ConstantOfShape", self._shape_of_rows(), value=np.ones(1, np.float32))
        mean = write_members(g, network, self._features(list(network.input_widths())))
        return g.cast(g.add("Div", mean, g.add("ReduceSum", mean, g.sizes(1), keepdims=1)), FLOAT)

    def _numbers(self, predictor: Any) -> list[dict[str, Any]]:
        """Outputs stay standardised in float32, so that large targets lose nothing."""
        g, scale, network = self.g, predictor.scale, self.network
        bounds = (scale.lowest, scale.highest) if network.recipe.clamps else None
        with g.counting_in("float32"):
            made = write_members(g, network, self._features(list(network.input_widths())), bounds)
        made = g.add("Mul", made, g.numbers(scale.spread, "spread"))
        made = g.add("Add", made, g.numbers(scale.mean, "mean"))
        if scale.logarithm is not None:
            made = self._of_logarithm(made, scale.logarithm)
        infos = [value_info(self.outputs["variable"], DOUBLE, (None, len(scale.mean)))]
        if predictor.levels is not None:
            asked, n = np.flatnonzero(predictor.are_told), len(predictor.are_told)
            made, _ = g.split("TopK", made, g.sizes(n), names=("values", "places"), axis=1, largest=0)
            g.add("Gather", made, g.sizes(*asked), output=self.outputs["quantiles"], axis=1)
            infos.append(value_info(self.outputs["quantiles"], DOUBLE, (None, len(asked))))
            made = g.add("Gather", made, g.sizes(predictor.median), axis=1)
        g.add("Identity", made, output=self.outputs["variable"])
        return infos

    def _of_logarithm(self, t: str, logarithm: TargetLogarithm) -> str:
        """The targets of which these are the logarithms, within their range."""
        g, step = self.g, logarithm.sign * logarithm.unit
        power = g.add("Exp", g.add("Mul", t, float(logarithm.sign)))
        target = g.add("Add", g.add("Mul", g.add("Sub", power, 1.0), step), logarithm.anchor)
        return g.add("Clip", target, logarithm.low, logarithm.high)

    # Features

    def _features(self, names: Sequence[str]) -> dict[str, str]:
        """Write, in float64, what the network's inputs of these names are made of."""
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
            return g.add("ConstantOfShape", self._shape_of_rows(), value=np.zeros(1, np.float32))
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

    def _shape_of_rows(self) -> str:
        """The number of rows and 1, as a shape."""
        g = self.g
        if not self.columns.inputs:
            raise ValueError("At least one column must have held something in training. Received: none that has")
        rows = g.add("Shape", self.columns.inputs[0], start=0, end=1)
        return g.add("Concat", rows, g.sizes(1), axis=0)


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


class _Columns:
    """What the file's inputs are: one for each column, or one for all."""

    def __init__(self, preprocessor: TablePreprocessor, named: bool) -> None:
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

    def read(self, g: Nodes, number: int) -> str:
        """Return the name of a column of shape (n, 1)."""
        return g.add("Gather", "X", g.sizes(number), axis=1) if self.together else self.names[number]


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
