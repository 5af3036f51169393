"""What a model takes and gives: inputs, names, shapes and a dtype, worked out from its graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import cnn_core.config as config
import cnn_core.foundation.validation as validation
from cnn_core.data.dataset import InputSpec
from cnn_core.foundation.structures import flatten, map_structure, sorted_keys
from cnn_core.network.graph import CallGraph, LayerLike, Symbol


class Form(NamedTuple):
    """The structure in which a model was given its inputs or outputs, with their names in their places.

    Attributes
    ----------
    names : str, or list, tuple or dict of such forms
    """

    names: Any

    @property
    def is_nested(self) -> bool:
        """Whether it is a list or dict that holds others."""
        parts = self.names.values() if isinstance(self.names, Mapping) else self.names
        return not isinstance(self.names, str) and not all(isinstance(part, str) for part in parts)

    @property
    def has_order(self) -> bool:
        """Whether a flat list can only mean one order: there is no dict whose keys were not given sorted."""
        return _has_order(self.names)

    def by_name(self, given: Any, argument: str) -> Any:
        """Return one value for each place, given in a structure, as `Dataset` and `compile` take them.

        A dict by names, a flat list and a single value come back as they are; what has the form itself, and that is
        nested, as a dict by names.

        Raises
        ------
        ValueError
            If a nested structure has another form, or a list is given where a dict's keys are not in sorted order:
            the list could follow either order.

        Examples
        --------
        >>> Form({"user": {"b": "b", "a": "a"}, "item": "c"}).by_name({"item": 3, "user": {"a": 1, "b": 2}}, "x")
        {'c': 3, 'a': 1, 'b': 2}
        """
        if isinstance(given, Mapping):
            if not self.is_nested or validation.is_sparse(given) or set(given) <= set(flatten(self.names)):
                return given
            return _by_name(self.names, given, argument)
        if not isinstance(given, (list, tuple)) or isinstance(self.names, str):
            return given
        if self.is_nested and not isinstance(self.names, Mapping) and _any_nested(given):
            return _by_name(self.names, given, argument)
        if 1 < len(given) <= len(flatten(self.names)) and not self.has_order:
            raise ValueError(
                f"{argument} must have the form {self.names!r}, of which the model was made; the order of a list "
                f"would be a guess. Received: {validation.show(given)}"
            )
        return given


def _has_order(names: Any) -> bool:
    if isinstance(names, str):
        return True
    if isinstance(names, Mapping):
        return list(names) == sorted_keys(names) and all(map(_has_order, names.values()))
    return all(map(_has_order, names))


def _any_nested(given: Sequence[Any]) -> bool:
    return any(isinstance(part, (list, tuple, Mapping)) and not validation.is_sparse(part) for part in given)


def _by_name(names: Any, given: Any, argument: str) -> dict[str, Any]:
    if isinstance(names, str):
        return {names: given}
    if isinstance(names, Mapping):
        fits = isinstance(given, Mapping) and set(given) <= set(names)
        parts = [(key, names[key], given[key]) for key in given] if fits else []
    else:
        fits = isinstance(given, (list, tuple)) and len(given) == len(names)
        parts = list(zip(range(len(names)), names, given, strict=True)) if fits else []
    if not fits:
        raise ValueError(f"{argument} must have the form {names!r}. Received: {validation.show(given)}")
    return {
        name: value for key, part, each in parts for name, value in _by_name(part, each, f"{argument}[{key!r}]").items()
    }


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
    """

    inputs: list[InputSpec]
    output_names: list[str]
    output_shapes: list[tuple[Any, ...]]
    dtype: np.dtype[Any]
    width: int | None
    input_form: Form
    output_form: Form

    @classmethod
    def of(cls, graph: CallGraph) -> Interface:
        """Work it out for a graph."""
        input_names, names = _names(graph.input_structure, "input"), _names(graph.output_structure, "output")
        inputs = [
            InputSpec(name, symbol.shape[1:], sparse=True)
            if limit is None
            else InputSpec(name, symbol.shape[1:], "int", limit)
            for name, symbol, limit in zip(input_names, graph.inputs, index_limits(graph), strict=True)
        ]
        shapes = [tuple(symbol.shape) for symbol in graph.outputs]
        plain = len(inputs) == 1 and inputs[0].kind == "float" and len(inputs[0].shape) == 1
        return cls(
            inputs,
            names,
            shapes,
            _common_dtype(graph.layers),
            inputs[0].shape[0] if plain else None,
            _form(graph.input_structure, input_names),
            _form(graph.output_structure, names),
        )


def index_limits(graph: CallGraph) -> list[int | None]:
    """Return how many indices each input may take that a layer such as Embedding reads; None for ordinary numbers."""
    limits: dict[int, list[int | None]] = {id(symbol): [] for symbol in graph.inputs}
    of_models: dict[int, list[int | None]] = {}  # a model may be called many times
    for node in graph.nodes:
        inner = node.layer.inner_graph
        if inner is not None and id(inner) not in of_models:
            of_models[id(inner)] = index_limits(inner)
        for position, source in enumerate(node.inputs):
            if id(source) in limits:
                limits[id(source)].append(node.layer.index_limit if inner is None else of_models[id(inner)][position])
    return [_least(limits[id(symbol)]) for symbol in graph.inputs]


def _least(limits: Sequence[int | None]) -> int | None:
    known = [limit for limit in limits if limit is not None]
    return min(known) if known and len(known) == len(limits) else None


def _form(structure: Any, names: Sequence[str]) -> Form:
    following = iter(names)
    return Form(map_structure(lambda symbol: next(following), structure))


def _names(structure: Any, kind: str) -> list[str]:
    if isinstance(structure, Mapping) and all(isinstance(part, Symbol) for part in structure.values()):
        return sorted_keys(structure)
    names: list[str] = []
    times: Counter[str] = Counter()
    for symbol in flatten(structure):
        name = symbol.name if kind == "input" or symbol.node is None else symbol.node.layer.name
        names.append(f"{name}_{times[name]}" if times[name] else name)
        times[names[-1]] += 1
    return names


def _common_dtype(layers: Sequence[LayerLike]) -> np.dtype[Any]:
    dtypes = sorted({layer.dtype for layer in layers}) or [config.floatx()]
    if len(dtypes) > 1:
        raise ValueError(f"All layers of a model must have the same dtype. Received: {' and '.join(dtypes)}")
    return np.dtype(dtypes[0])
