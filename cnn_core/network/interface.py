"""What a model takes and gives: inputs, names, shapes and a dtype, worked out from its graph."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import cnn_core.config as config
from cnn_core.data.dataset import InputSpec, Kind
from cnn_core.data.form import Form
from cnn_core.data.translation import Translation
from cnn_core.foundation.records import NamedTuple
from cnn_core.foundation.structures import flatten, map_structure, sorted_keys
from cnn_core.network.graph import TEXT, CallGraph, LayerLike, Node, Symbol
from cnn_core.network.intake import Intake


class Interface(NamedTuple):
    """What a model takes and gives, worked out once.

    Attributes
    ----------
    inputs : list of InputSpec
    output_names : list of str
        By which losses, metrics and targets can be given: the keys of a dict of outputs, or the layers' names.
    output_shapes : list of tuple
        With the batch dimension, None.
    dtype : numpy.dtype
    width : int or None
        Features of a sample, if there is one input and it takes a row of numbers.
    input_form, output_form : Form
        The structures in which inputs and outputs were given, and come and go.
    masked : list of bool
        Of each output whether it has a mask.
    graph : CallGraph
        What native code computes: the graph, or what is left of it when an intake has read the data.
    rows : sequence of InputSpec
        What native code reads: the inputs, or what is made of them while they are read.
    translation : Translation or None
        How that is made.
    """

    inputs: list[InputSpec]
    output_names: list[str]
    output_shapes: list[tuple[Any, ...]]
    dtype: np.dtype[Any]
    width: int | None
    input_form: Form
    output_form: Form
    masked: list[bool]
    graph: CallGraph
    rows: Sequence[InputSpec]
    translation: Translation | None

    @classmethod
    def of(cls, graph: CallGraph) -> Interface:
        """Work it out for a graph."""
        input_names, names = _names(graph.input_structure, "input"), _names(graph.output_structure, "output")
        intake = Intake.of(graph)
        behind = graph if intake is None else intake.graph
        rows = _specs(behind, input_names if intake is None else _names(behind.inputs, "input"))
        inputs = rows if intake is None else _specs_before(intake, graph, input_names, rows)
        shapes = [tuple(symbol.shape) if symbol.batched else (None, *symbol.shape) for symbol in graph.outputs]
        plain = intake is None and len(inputs) == 1 and inputs[0].kind == "float" and len(inputs[0].shape) == 1
        return cls(
            inputs,
            names,
            shapes,
            _common_dtype(graph.layers),
            inputs[0].shape[0] if plain else None,
            _form(graph.input_structure, input_names),
            _form(graph.output_structure, names),
            graph.masked,
            behind,
            rows,
            None if intake is None else _translation(intake, graph, rows),
        )


def _specs(graph: CallGraph, names: Sequence[str]) -> list[InputSpec]:
    return [
        InputSpec(name, symbol.shape[1:], sparse=True)
        if limit is None
        else InputSpec(name, symbol.shape[1:], "int", limit)
        for name, symbol, limit in zip(names, graph.inputs, index_limits(graph), strict=True)
    ]


def _specs_before(intake: Intake, graph: CallGraph, names: Sequence[str], rows: Sequence[InputSpec]) -> list[InputSpec]:
    """Describe what a model takes that looks at data while it is read."""
    native = {id(source): spec for source, spec in zip(intake.sources, rows, strict=True)}
    read = set(map(id, intake.read))
    specs = []
    for name, symbol in zip(names, graph.inputs, strict=True):
        whole = symbol.dtype.startswith(("int", "uint")) or intake.is_read_at_once(symbol)
        kind: Kind = "text" if symbol.dtype == TEXT else "whole" if whole else "float"
        own = native.get(id(symbol))
        if id(symbol) in read or own is None:
            specs.append(InputSpec(name, symbol.shape[1:], kind))
        else:
            specs.append(own._replace(name=name))
    return specs


def _translation(intake: Intake, graph: CallGraph, rows: Sequence[InputSpec]) -> Translation:
    place = {id(symbol): number for number, symbol in enumerate(graph.inputs)}
    sources = [place.get(id(source)) for source in intake.sources]
    return Translation(rows, sources, [place[id(symbol)] for symbol in intake.read], intake.numbers)


def index_limits(graph: CallGraph) -> list[int | None]:
    """Return how many indices each input may take that a layer such as Embedding reads; None for ordinary numbers."""
    limits: dict[int, list[int | None]] = {id(symbol): [] for symbol in graph.inputs}
    of_models: dict[int, list[int | None]] = {}  # a model may be called many times
    for node in graph.nodes:
        inner = node.inner_graph
        if inner is not None and id(inner) not in of_models:
            of_models[id(inner)] = index_limits(inner)
        for position, source in enumerate(node.inputs):
            if id(source) in limits and not _compares(node):
                limits[id(source)].append(node.layer.index_limit if inner is None else of_models[id(inner)][position])
    return [_least(limits[id(symbol)]) for symbol in graph.inputs]


def _compares(node: Node) -> bool:
    """Whether a function tells something of its inputs, which any numbers may be, as a mask does."""
    return node.layer.is_operation and node.outputs[0].dtype == "bool"


def _least(limits: Sequence[int | None]) -> int | None:
    known = [limit for limit in limits if limit is not None]
    return min(known) if known and len(known) == len(limits) else None


def _form(structure: object, names: Sequence[str]) -> Form:
    following = iter(names)
    return Form(map_structure(lambda symbol: next(following), structure))


def _names(structure: object, kind: str) -> list[str]:
    if isinstance(structure, Mapping) and all(isinstance(part, Symbol) for part in structure.values()):
        return sorted_keys(structure)
    names: list[str] = []
    own = [
        symbol.name if kind == "input" or symbol.node is None else symbol.node.layer.name
        for symbol in flatten(structure)
    ]
    for name in own:
        numbered = (f"{name}_{number}" for number in itertools.count(1))
        names.append(name if name not in names else next(each for each in numbered if each not in own + names))
    return names


def _common_dtype(layers: Sequence[LayerLike]) -> np.dtype[Any]:
    """Return the widest dtype, which all layers with variables must have; the others compute in it."""
    dtypes = sorted({layer.dtype for layer in layers if layer.dtype.startswith("float")}) or [config.floatx()]
    if len(dtypes) > 1 and any(layer.dtype == dtypes[0] and layer.variables for layer in layers):
        raise ValueError(
            f"All layers of a model that have variables must have the same dtype. Received: {' and '.join(dtypes)}"
        )
    return np.dtype(dtypes[-1])


def tell_apart(layers: Sequence[Any]) -> None:
    """Refuse layers of one name; functions, which nobody has named, get others: a file names those of its masks.

    Raises
    ------
    ValueError
        If two layers have the same name.
    """
    if len({layer.name for layer in layers}) == len(layers):
        return
    names = Counter(layer.name for layer in layers)
    for layer in layers:
        if layer.is_operation and names[layer.name] > 1:
            names[layer.name] -= 1
            layer.name = next(name for name in iter(layer.next_name, None) if name not in names)
    for name, count in names.items():
        if count > 1:
            raise ValueError(f"Layers of one model must have different names. Received: {name!r} twice")
