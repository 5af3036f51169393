"""The calls of a functional model, as its configuration describes them, made again on other symbols."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import cnn_core.foundation.validation as validation
from cnn_core.foundation.serialization import is_operation
from cnn_core.foundation.structures import flatten, map_structure
from cnn_core.layers.base import registry
from cnn_core.layers.own_call import with_symbols
from cnn_core.network.graph import Symbol

if TYPE_CHECKING:
    from cnn_core.layers.base import Layer


# Takes a layer and the arguments of a call, and returns what the call does.
CallFunction: TypeAlias = Callable[..., Any]


def called_again(
    config: Mapping[str, Any],
    layers: Sequence[Any],
    inputs: Sequence[Symbol],
    call_function: CallFunction | None = None,
) -> tuple[Any, Any]:
    """Call layers on symbols as a configuration says; return the structures of inputs and outputs.

    Parameters
    ----------
    config : mapping
        Of a functional model.
    layers : sequence of Layer
        Those that take the places of its layers.
    inputs : sequence of Symbol
        Those that take the places of its inputs.
    call_function : callable, default None
        Makes each call: ``call_function(layer, *args, **kwargs)``. None: ``layer(*args, **kwargs)``.
    """
    symbols = dict(enumerate(inputs))
    for call in config["calls"]:
        layer, sources = layers[call["layer"]], [symbols[number] for number in call["inputs"]]
        arguments, keywords = _arguments(layer, sources, call)
        made = flatten((call_function or _call)(layer, *arguments, **keywords))
        if len(made) != len(call["outputs"]) or not all(isinstance(each, Symbol) for each in made):
            raise TypeError(
                f"`call_function` must return {len(call['outputs'])} symbols for {layer.name!r}, as its call does. "
                f"Received: {validation.show(made)}"
            )
        symbols.update(dict(zip(call["outputs"], made, strict=True)))
    structures = config["input_structure"], config["output_structure"]
    ends = [map_structure(symbols.__getitem__, structure) for structure in structures]
    return ends[0], ends[1]


def _call(layer: Layer, *arguments: object, **keywords: object) -> Any:
    return layer(*arguments, **keywords)


def _arguments(layer: Layer, sources: list[Symbol], call: Mapping[str, Any]) -> tuple[Sequence[Any], dict[str, Any]]:
    """Return the arguments of a call as a configuration says."""
    training = {} if call.get("training") is None else {"training": call["training"]}
    if call.get("arguments") is not None:
        given = with_symbols(call["arguments"], sources)
        return given["args"], {**given["kwargs"], **training}
    if layer.n_inputs == 1 and len(sources) == 2:
        return [sources[0]], {"mask": sources[1], **training}
    return [sources[0] if layer.n_inputs == 1 else sources], training


def layer_of(value: object, custom_objects: Any) -> Any:
    """Return a layer, or a function of `ops`, from itself or its configuration."""
    if not isinstance(value, Mapping):
        return value
    if not is_operation(value):
        return registry.deserialize(value, custom_objects)
    from cnn_core.ops.reading import read_operation  # few files have functions

    return read_operation(value)
