"""ONNX files as models. Nothing in a file is executed, and nothing but the file is read."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.caller import warn_caller
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.interop.calls import model_between
from cnn_core.interop.onnx_arrays import ARRAYS, compute
from cnn_core.interop.onnx_format import array_of, decode
from cnn_core.interop.onnx_formulas import Formula, Samples
from cnn_core.interop.onnx_graph import TABLES
from cnn_core.interop.onnx_operators import DOMAINS, FAULTS, TRANSPARENT, NotCarriedError, Reading
from cnn_core.interop.onnx_opsets import OPSETS, modern
from cnn_core.layers.input import Input
from cnn_core.network.graph import Symbol

_FLOATS = {1: "float32", 11: "float64"}
_INTEGERS = (6, 7)
FEW, FAR = 64, 1e6  # constants that are tried, and how large they may be
SPARE = 1 << 24  # numbers that a file may compute beside a multiple of those that it holds


@knows_its_arguments
def from_onnx(model: object) -> Any:
    """Return an ONNX file as a model.

    Parameters
    ----------
    model : str, path-like, bytes, or onnx.ModelProto
        Of opset 6 to 28. Sizes of inputs must be known but for the first, which is that of the batch.

    Returns
    -------
    Sequential or Model
        ``metadata`` holds the file's own, and "classes", as JSON, if the file names them.

    Raises
    ------
    ValueError
        If the file is damaged, its tensors lie elsewhere, or something has no counterpart here: the node is named. Of
        several outputs, those that cannot be computed, such as labels, are left out with a warning.

    Examples
    --------
    >>> from cnn_core import Input, Sequential, layers
    >>> from cnn_core.interop.onnx_writer import to_onnx
    >>> from_onnx(to_onnx(Sequential([Input((2,)), layers.Dense(3, "relu")]))).output_shape
    (None, 3)
    """
    name, data = _bytes_of(model)
    try:
        found = decode(memoryview(data))
        return _Reader(found).model()
    except FAULTS as error:
        raise ValueError(f"{name} cannot be read as a model of ONNX: {error}") from error


def _bytes_of(model: object) -> tuple[str, bytes]:
    if isinstance(model, (bytes, bytearray, memoryview)):
        return "`model`", bytes(model)
    if hasattr(model, "SerializeToString"):
        return "`model`", model.SerializeToString()
    path = os.fspath(validation.path(model, "model"))
    with open(path, "rb") as file:  # noqa: PTH123 - as the package's other files are read
        return path, file.read()


class _Reader:
    def __init__(self, found: Mapping[str, Any]) -> None:
        if "graph" not in found:
            raise ValueError("it must hold a graph")
        if found["functions"]:
            raise ValueError("it must not define functions of its own")
        versions = {each.get("domain", ""): each.get("version", 0) for each in found["opset_import"]}
        self.opset = versions.get("", versions.get("ai.onnx", 0))
        if not OPSETS[0] <= self.opset <= OPSETS[1]:
            raise ValueError(f"its opset must be {OPSETS[0]} to {OPSETS[1]}. Received: {self.opset}")
        self.graph = found["graph"]
        if self.graph["sparse_initializer"]:
            raise ValueError("its tensors must be dense. Received: sparse ones")
        self.metadata = {each.get("key", ""): each.get("value", "") for each in found["metadata_props"]}
        if TABLES in self.metadata:
            raise ValueError(
                "it holds an estimator for tables: `cnn_core.load_predictor` and the estimators' `load` read it"
            )
        self.values: dict[str, Any] = {"": None}  # arrays, symbols, formulas, or what went wrong

    def model(self) -> Any:
        constants = {each.get("name", ""): array_of(each) for each in self.graph["initializer"]}
        given = [each for each in self.graph["input"] if each.get("name") not in constants]
        self.values.update(constants)
        stored = sum(array.size for array in constants.values())
        self.samples = Samples(self._small(constants), SPARE + 8 * stored)
        self.reading = Reading(self._dtype(given, constants), self.metadata, self.samples)
        inputs = [self._input(each) for each in given]
        self.values.update({symbol.name: symbol for symbol in inputs})
        self.whole = {each["name"] for each in given if _elements(each) in _INTEGERS}
        self.batches = {_batch(each) for each in given} - {0}
        for node in self.graph["node"]:
            self._read(node)
        model = model_between(inputs, self._outputs())
        model.metadata.update(self.metadata)
        return model

    def _small(self, constants: Mapping[str, Array]) -> list[float]:
        """Numbers that formulas are likely to change their behaviour at."""
        stored = [each["t"] for node in self.graph["node"] for each in node["attribute"] if "t" in each]
        arrays = [*constants.values(), *(array_of(each) for each in stored if math.prod(each["dims"]) <= FEW)]
        small = [array for array in arrays if array.size <= FEW and array.dtype.kind in "fi"]
        found = dict.fromkeys(float(each) for array in small for each in array.reshape(-1) if abs(each) < FAR)
        return list(found)[:FEW]

    def _dtype(self, given: Sequence[Any], constants: Mapping[str, Array]) -> str:
        kinds = {_FLOATS[kind] for each in given if (kind := _elements(each)) in _FLOATS}
        kinds = kinds or {array.dtype.name for array in constants.values() if array.dtype.name in _FLOATS.values()}
        if len(kinds) > 1:
            raise ValueError("all its numbers must be of one dtype. Received: float32 and float64")
        return kinds.pop() if kinds else "float32"

    def _input(self, value: Mapping[str, Any]) -> Symbol:
        name, kind = value.get("name", ""), _elements(value)
        if kind not in _FLOATS and kind not in _INTEGERS:
            raise ValueError(f"its input {name!r} must be float32, float64, int32 or int64. Received: type {kind}")
        sizes = value["type"]["tensor_type"].get("shape", {"dim": []})["dim"]
        shape = [size.get("dim_value", 0) for size in sizes[1:]]
        if not sizes or not all(0 < size < 2**31 for size in shape):
            raise ValueError(f"the sizes of its input {name!r} must be known but for the batch. Received: {shape}")
        return Input(tuple(shape), name=name, dtype=self.reading.dtype)

    def _read(self, node: Mapping[str, Any]) -> None:
        operator, outputs = node.get("op_type", ""), node["output"]
        label = f"node {node.get('name') or (outputs or ['?'])[0]!r} ({operator})"
        missing = [name for name in node["input"] if name not in self.values]
        if missing:
            raise ValueError(f"{label} reads {missing[0]!r}, which nothing before it makes")
        made_before = [name for name in outputs if name and name in self.values]
        if made_before:
            raise ValueError(f"{label} makes {made_before[0]!r}, which is there already")
        sources = [self.values[name] for name in node["input"]]
        wrong = [source for source in sources if isinstance(source, ValueError)]
        try:
            results = wrong if wrong else self._results(node, label, operator, sources)
        except NotCarriedError as error:
            results = [error]
        except FAULTS as error:
            results = [NotCarriedError(f"{label} cannot be carried over: {error}")]
        more = NotCarriedError(f"{label} gives more than is known here")
        self.values.update(dict(zip(outputs, [*results, *[more] * len(outputs)], strict=False)))

    def _results(self, node: Mapping[str, Any], label: str, operator: str, sources: list[Any]) -> Sequence[Any]:
        """What a node makes: arrays if all that it reads is known, formulas, or symbols."""
        attributes = {each["name"]: _attribute(each) for each in node["attribute"]}
        if node.get("domain", "") not in DOMAINS:
            raise ValueError(f"its domain must be one of ONNX. Received: {node['domain']!r}")
        attributes, sources = modern(operator, attributes, sources, self.opset)
        n_outputs = len(node["output"])
        if not any(isinstance(source, (Symbol, Formula)) for source in sources):
            return self._folded(operator, attributes, sources, n_outputs)
        if operator == "Div" and all(map(self._is_whole, sources)):
            raise ValueError("integers are cut when they are divided, numbers are not")
        if operator in TRANSPARENT:
            return [TRANSPARENT[operator](self.reading, attributes, *sources)]
        sources = self._without_batches(operator, sources)
        if not _is_layer(operator, sources) and operator in ARRAYS:
            formulas = self.samples.formulas(label, operator, attributes, sources, n_outputs)
            if formulas is not None:
                return formulas
        return self.reading.made_of(operator, attributes, list(map(self.reading.symbol_of, sources)), n_outputs)

    def _is_whole(self, value: object) -> bool:
        """Whether a value is an input, or a constant, of integers."""
        if isinstance(value, np.ndarray):
            return value.dtype.kind in "iu"
        return isinstance(value, Symbol) and value.name in self.whole

    def _folded(self, operator: str, attributes: Any, arrays: list[Any], n_outputs: int) -> Sequence[Any]:
        if operator not in ARRAYS:
            raise ValueError("the operator has no counterpart here")
        made = compute(operator, attributes, arrays, n_outputs, self.samples.budget)
        made = made if isinstance(made, tuple) else (np.asarray(made),)
        self.samples.budget -= sum(each.size for each in made)
        return made

    def _without_batches(self, operator: str, sources: list[Any]) -> list[Any]:
        """A shape for the fixed batch of the file, or for one of Shape's, as one for any batch."""
        if operator not in ("Reshape", "Expand") or not isinstance(sources[1], np.ndarray) or not sources[1].size:
            return sources
        shape = sources[1].astype(np.int64)
        if shape[0] in self.batches | {0}:
            shape[0] = 0 if operator == "Reshape" else 1
        return [sources[0], shape]

    def _outputs(self) -> list[Symbol]:
        found: list[Symbol] = []
        wrong: list[str] = []
        for each in self.graph["output"]:
            value = self.values.get(each.get("name", ""), ValueError("nothing makes it"))
            try:
                value = self.reading.symbol_of(value)
            except NotCarriedError as error:
                value = error
            if isinstance(value, Symbol):
                found.append(value)
            else:
                reason = value if isinstance(value, ValueError) else "it does not depend on the inputs"
                wrong.append(f"output {each.get('name')!r} is left out because {reason}")
        if not found:
            raise ValueError("; ".join(wrong) or "it has no output")
        for text in wrong:
            warn_caller(text)
        return found


def _is_layer(operator: str, sources: Sequence[object]) -> bool:
    """Whether a node is a layer by itself, and no part of a formula."""
    if operator == "MatMul":
        return isinstance(sources[1], np.ndarray) and sources[1].ndim == 2
    if operator == "Gather":
        return isinstance(sources[0], np.ndarray)
    return operator in ("Gemm", "Softmax", "LogSoftmax")


def _batch(value: Mapping[str, Any]) -> int:
    """The size of an input's batch, 0 if it is free."""
    sizes = value["type"]["tensor_type"].get("shape", {"dim": []})["dim"]
    size: int = sizes[0].get("dim_value", 0)
    return size


def _elements(value: Mapping[str, Any]) -> int:
    kind: int = value.get("type", {}).get("tensor_type", {}).get("elem_type", 0)
    return kind


def _attribute(found: Mapping[str, Any]) -> Any:
    kind = found.get("type", 0)
    name = {1: "f", 2: "i", 3: "s", 4: "t", 6: "floats", 7: "ints", 8: "strings"}.get(kind)
    if name is None:
        raise ValueError(f"its attribute {found['name']!r} must be a number, a text, a tensor or a list")
    value = found.get(name, 0)
    if name == "t":
        return array_of(value)
    if name == "s":
        return value.decode("utf-8")
    return [each.decode("utf-8") for each in value] if name == "strings" else value
