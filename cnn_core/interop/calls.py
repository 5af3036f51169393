"""A model as a flat list of calls of layers, and a model from such calls: what every door begins or ends with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cnn_core.foundation.validation as validation
from cnn_core.foundation.dtype_policy import policy_of
from cnn_core.foundation.records import NamedTuple
from cnn_core.layers.base import Layer, registry
from cnn_core.layers.function import Lambda
from cnn_core.network.graph import CallGraph, Node, Shape, Symbol
from cnn_core.ops.modes import is_choice, needed_calls, read_by
from cnn_core.ops.operation import Operation

# Why no door carries a part.
DRAWS = "it draws random numbers in prediction"
NUMPY = "its function computes with NumPy; one of operators and functions of cnn_core.ops can be carried"


class Call(NamedTuple):
    """One call of a layer that is no model, or one use of a function of `ops`; values are known by numbers."""

    layer: Layer | Operation
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Calls(NamedTuple):
    """All calls of a model, those of models inside it in their places.

    Attributes
    ----------
    inputs, outputs : tuple of int
        The numbers of the model's inputs and outputs.
    calls : list of Call
        Each after those it depends on.
    shapes : dict of int to tuple
        Of every value, the batch dimension, None, first.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    calls: list[Call]
    shapes: dict[int, Shape]

    @property
    def is_chain(self) -> bool:
        """Whether every call reads what the call before it made, and nothing else."""
        last = self.inputs
        for call in self.calls:
            if len(call.inputs) != 1 or call.inputs != last:
                return False
            last = call.outputs
        return len(self.inputs) == 1 and self.outputs == last


def calls_of(model: object) -> Calls:
    """Return the calls of a model.

    Raises
    ------
    TypeError
        If it is no model.
    ValueError
        If it has not been built yet, calls a layer as in training, or looks at data while it is read.

    Examples
    --------
    >>> from cnn_core import Input, Sequential, layers
    >>> inner = Sequential([Input((2,)), layers.Dense(3)])
    >>> found = calls_of(Sequential([Input((2,)), inner, layers.ReLU()]))
    >>> [type(call.layer).__name__ for call in found.calls], found.shapes[found.outputs[0]], found.is_chain
    (['Dense', 'ReLU'], (None, 3), True)
    """
    graph = model.inner_graph if isinstance(model, Layer) else None
    if graph is None:
        raise TypeError(f"`model` must be a model of cnn_core. Received: model={validation.show(model)}")
    found = Calls(tuple(range(len(graph.inputs))), (), [], {n: tuple(s.shape) for n, s in enumerate(graph.inputs)})
    return found._replace(outputs=_walk(graph, found.inputs, found))


def _walk(graph: CallGraph, inputs: Sequence[int], found: Calls) -> tuple[int, ...]:
    numbers = {id(symbol): number for symbol, number in zip(graph.inputs, inputs, strict=True)}
    for node in needed_calls(graph, graph.outputs, training=False):
        read = tuple(numbers[id(symbol)] for symbol in read_by(node, training=False))
        if node.training:
            raise ValueError(f"layer {node.layer.name!r} is called with training=True, which no other package knows")
        if node.layer.reads_values:
            raise ValueError(
                f"layer {node.layer.name!r} ({type(node.layer).__name__}) looks at data while it is read, in Python: "
                "take the model from its output on, Model(layer.output, model.output), and call the layer before it"
            )
        inner = _graph_inside(node)
        if inner is not None:
            made = _walk(inner, read, found)
        elif is_choice(node):
            made = read
        else:
            made = tuple(len(found.shapes) + place for place in range(len(node.outputs)))
            found.shapes.update({n: tuple(symbol.shape) for n, symbol in zip(made, node.outputs, strict=True)})
            assert isinstance(node.layer, (Layer, Operation))
            found.calls.append(Call(node.layer, read, made))
        numbers.update({id(symbol): number for symbol, number in zip(node.outputs, made, strict=True)})
    return tuple(numbers[id(symbol)] for symbol in graph.outputs)


def _graph_inside(node: Node) -> CallGraph | None:
    """Return the calls that a call is made of, if it is; a function that computes with NumPy is not."""
    layer: Any = node.layer
    return layer.graph_of(node.inputs) if isinstance(layer, Lambda) else node.inner_graph


def model_between(inputs: Sequence[Symbol], outputs: Sequence[Symbol], name: str | None = None) -> Any:
    """Return the model that leads from symbols to symbols: a Sequential if it is a chain.

    Examples
    --------
    >>> from cnn_core import Input, layers
    >>> x = Input((2,))
    >>> type(model_between([x], [layers.Dense(3)(x)])).__name__
    'Sequential'
    """
    first, last = (each[0] if len(each) == 1 else list(each) for each in (inputs, outputs))
    graph = CallGraph(first, last)
    steps = [symbol for node in graph.nodes for symbol in node.outputs]
    read = [symbol for node in graph.nodes for symbol in node.inputs]
    of_layers = all(isinstance(layer, Layer) for layer in graph.layers)
    is_chain = of_layers and len(inputs) == 1 and read + list(outputs) == [inputs[0], *steps]
    if not (is_chain and len(graph.layers) == len(graph.nodes) and graph.nodes):
        return registry.find("Functional")(graph.input_structure, graph.output_structure, name)
    for node in graph.nodes:
        node.forget()  # a Sequential calls its layers by itself
    return registry.find("Sequential")([inputs[0], *graph.layers], name)


def described(part: Layer | Operation) -> str:
    """Return what a part of a model is called in messages.

    Examples
    --------
    >>> from cnn_core import layers
    >>> described(layers.Dense(3, name="hidden"))
    "layer 'hidden' (Dense)"
    """
    what = "operation" if isinstance(part, Operation) else "layer"
    kind = part.function.class_name if isinstance(part, Operation) else type(part).__name__
    return f"{what} {part.name!r} ({kind})"


def in_dtype(layer: Layer, dtype: str) -> Layer:
    """Return a layer that has not been built yet, made one of a dtype."""
    layer.dtype_policy = policy_of(dtype)
    return layer


def left_out(layer: Layer, reason: str) -> str:
    """Return the sentence in which a door says what it leaves out.

    Examples
    --------
    >>> from cnn_core import layers
    >>> left_out(layers.GaussianNoise(0.1, name="noise"), "it acts in training only")
    "layer 'noise' (GaussianNoise) is left out because it acts in training only"
    """
    return f"{described(layer)} is left out because {reason}"


def not_carried(layer: Layer | Operation, door: str, reason: str = "it has no counterpart there") -> ValueError:
    """Return the error for a layer, or a function of `ops`, that a door cannot carry.

    Examples
    --------
    >>> from cnn_core import layers
    >>> raise not_carried(layers.PReLU(name="slopes"), "scikit-learn")
    Traceback (most recent call last):
    ...
    ValueError: layer 'slopes' (PReLU) cannot be carried to scikit-learn: it has no counterpart there
    """
    return ValueError(f"{described(layer)} cannot be carried to {door}: {reason}")
