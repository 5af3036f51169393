"""What a model takes and gives: inputs, names, shapes and a dtype, worked out from its graph. Floor 4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import cnn_core.config as config
from cnn_core.data import InputSpec
from cnn_core.graph import CallGraph, LayerLike, Symbol, flatten, sorted_keys


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
    """

    inputs: list[InputSpec]
    output_names: list[str]
    output_shapes: list[tuple[Any, ...]]
    dtype: np.dtype[Any]
    width: int | None

    @classmethod
    def of(cls, graph: CallGraph) -> Interface:
        """Work it out for a graph."""
        inputs = [
            InputSpec(name, symbol.shape[1:], sparse=True)
            if (limit := index_limit(graph, symbol)) is None
            else InputSpec(name, symbol.shape[1:], "int", limit)
            for name, symbol in zip(_names(graph.input_structure, "input"), graph.inputs, strict=True)
        ]
        shapes = [tuple(symbol.shape) for symbol in graph.outputs]
        plain = len(inputs) == 1 and inputs[0].kind == "float" and len(inputs[0].shape) == 1
        names = _names(graph.output_structure, "output")
        return cls(inputs, names, shapes, _common_dtype(graph.layers), inputs[0].shape[0] if plain else None)


def index_limit(graph: CallGraph, symbol: Symbol) -> int | None:
    """Return how many indices an input may take that a layer such as Embedding reads; None for ordinary numbers."""
    limits = []
    for node in graph.nodes:
        for position, source in enumerate(node.inputs):
            if source is symbol:
                inner = node.layer.inner_graph
                limits.append(node.layer.index_limit if inner is None else index_limit(inner, inner.inputs[position]))
    known = [limit for limit in limits if limit is not None]
    return min(known) if known and len(known) == len(limits) else None


def _names(structure: Any, kind: str) -> list[str]:
    if isinstance(structure, Mapping) and all(isinstance(part, Symbol) for part in structure.values()):
        return sorted_keys(structure)
    names: list[str] = []
    for symbol in flatten(structure):
        name = symbol.name if kind == "input" or symbol.node is None else symbol.node.layer.name
        names.append(name if name not in names else f"{name}_{names.count(name)}")
    return names


def _common_dtype(layers: Sequence[LayerLike]) -> np.dtype[Any]:
    dtypes = sorted({layer.dtype for layer in layers}) or [config.floatx()]
    if len(dtypes) > 1:
        raise ValueError(f"All layers of a model must have the same dtype. Received: {' and '.join(dtypes)}")
    return np.dtype(dtypes[0])
