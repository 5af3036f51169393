"""The calls of a functional model as Keras writes them, in the form in which `Model.from_config` reads them.

Keras lists with every layer the calls that were made of it, and names a symbol by [layer, call of the layer, output].
Before Keras 3 a call is a list of such names, each with the call's other arguments, and the calls of a model that
begins with an input count from 1. Here calls are one list in the order in which they can be computed, and symbols are
numbered. Both are plain data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cnn_core.foundation.records import NamedTuple
from cnn_core.foundation.serialization import is_operation
from cnn_core.foundation.structures import flatten, sorted_keys
from cnn_core.ops.reading import static_arguments

Reference = tuple[str, int, int]


class _Call(NamedTuple):
    layer: int
    name: str
    number: int
    sources: list[Reference]
    training: bool | None


def is_keras_functional(config: Mapping[str, object]) -> bool:
    """Tell whether a model's configuration is one that Keras wrote."""
    return "input_layers" in config and "output_layers" in config


def from_keras(config: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the configuration of a functional model.

    Raises
    ------
    ValueError
        If a call has arguments that no layer here takes, or reads a symbol that no call makes.
    """
    inputs = _references(config["input_layers"])
    described = {each["name"]: each for each in config["layers"]}
    layers = [_with_operands(each) for each in config["layers"] if each["class_name"] != "InputLayer"]
    number: dict[Reference, int] = {reference: at for at, reference in enumerate(inputs)}
    calls = []
    for call in _in_order(_calls(layers), set(inputs)):
        outputs = [(call.name, call.number, at) for at in range(_n_outputs(layers[call.layer]))]
        number.update({output: len(number) + at for at, output in enumerate(outputs)})
        calls.append(
            {
                "layer": call.layer,
                "inputs": [number[source] for source in call.sources],
                "outputs": [number[output] for output in outputs],
                "training": call.training,
            }
        )
    return {
        "name": config.get("name"),
        "trainable": config.get("trainable", True),
        "inputs": [_input(described[name]["config"]) for name, *_ in inputs],
        "layers": layers,
        "calls": calls,
        "input_structure": _numbered(_unwrapped(config["input_layers"], layers), number),
        "output_structure": _numbered(_unwrapped(config["output_layers"], layers), _as_outputs(number, layers)),
    }


def _as_outputs(number: Mapping[Reference, int], layers: Sequence[Mapping[str, Any]]) -> dict[Reference, int]:
    """Return the numbers of symbols by their names among outputs, where Keras 3 counts calls of models from 1."""
    from_1 = (
        set() if _is_of_keras_2(layers) else {layer["name"] for layer in layers if is_keras_functional(layer["config"])}
    )
    return {(name, call + (name in from_1), output): at for (name, call, output), at in number.items()}


def _is_of_keras_2(layers: Sequence[Mapping[str, Any]]) -> bool:
    return any(isinstance(node, list) for layer in layers for node in layer["inbound_nodes"])


def _unwrapped(structure: Any, layers: Sequence[Mapping[str, Any]]) -> Any:
    """Keras 2 writes an only input or output as a list of one."""
    return structure[0] if len(structure) == 1 and _is_of_keras_2(layers) else structure


def _with_operands(layer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Move what a function of `ops` reads besides symbols from its call to its configuration."""
    if not is_operation(layer) or "inbound_nodes" not in layer or not layer["inbound_nodes"]:
        return layer
    arguments = layer["inbound_nodes"][0]["args"]
    names = static_arguments(layer["class_name"])
    operands = arguments[: len(arguments) - len(names)] if names else arguments
    flat = operands[0] if len(operands) == 1 and isinstance(operands[0], list) else operands
    static = dict(zip(names, arguments[len(arguments) - len(names) :], strict=True))
    kept = [None if _is_symbol(each) else each for each in flat]
    return {**layer, "config": {**layer["config"], **static, "operands": kept}}


def _is_symbol(argument: object) -> bool:
    return isinstance(argument, Mapping) and argument.get("class_name") == "__keras_tensor__"


def _of_symbols(layer: Mapping[str, object], arguments: Any) -> Any:
    """Return the arguments of a call without what `_with_operands` has moved."""
    if not is_operation(layer):
        return arguments
    flat = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], list) else arguments
    return [each for each in flat if _is_symbol(each)]


def _is_reference(structure: object) -> bool:
    return isinstance(structure, Sequence) and len(structure) == 3 and isinstance(structure[0], str)


def _references(structure: Any) -> list[Reference]:
    if _is_reference(structure):
        name, call, output = structure
        return [(name, call, output)]
    parts = [structure[key] for key in sorted_keys(structure)] if isinstance(structure, Mapping) else structure
    return [reference for part in parts for reference in _references(part)]


def _numbered(structure: Any, number: Mapping[Reference, int]) -> Any:
    if _is_reference(structure):
        return number[_references(structure)[0]]
    if isinstance(structure, Mapping):
        return {key: _numbered(part, number) for key, part in structure.items()}
    return [_numbered(part, number) for part in structure]


def _input(config: Mapping[str, Any]) -> dict[str, Any]:
    shape = config["batch_shape"] if "batch_shape" in config else config["batch_input_shape"]
    return {"name": config["name"], "shape": shape[1:], "dtype": config["dtype"]}


def _n_outputs(layer: Mapping[str, Any]) -> int:
    if layer["class_name"] == "Split" and is_operation(layer):
        parts = layer["config"]["indices_or_sections"]
        return parts if isinstance(parts, int) else len(parts) + 1
    outputs = layer["config"].get("output_layers")
    return 1 if outputs is None else len(_references(outputs))


def _calls(layers: Sequence[Mapping[str, Any]]) -> Iterator[_Call]:
    for place, layer in enumerate(layers):
        for number, node in enumerate(layer["inbound_nodes"]):
            if isinstance(node, list):
                yield _call_of_keras_2(place, layer, number, node)
                continue
            arguments = dict(node["kwargs"])
            training = _training(arguments, layer["name"])
            sources = list(_symbols([*_of_symbols(layer, node["args"]), *_mask(node["kwargs"])], layer["name"]))
            yield _Call(place, layer["name"], number, sources, training)


def _training(arguments: dict[str, Any], layer: str) -> bool | None:
    """Return the one argument of a call that is known here; others must be None, or None for each input."""
    training: bool | None = arguments.pop("training", None)
    if _mask(arguments):
        del arguments["mask"]  # the last of the symbols that the call reads
    others = {name: value for name, value in arguments.items() if any(part is not None for part in flatten(value))}
    if others:
        raise ValueError(f"A call of {layer!r} must have no argument but `training`. Received: {others}")
    return training


def _mask(arguments: Mapping[str, object]) -> list[Any]:
    """Return the mask that a call reads, if it does."""
    return [arguments["mask"]] if _is_symbol(arguments.get("mask")) else []


def _call_of_keras_2(place: int, layer: Mapping[str, Any], number: int, node: Sequence[Any]) -> _Call:
    sources: list[Reference] = []
    arguments: dict[str, Any] = {}
    for name, call, output, *others in node:
        sources.append((name, call, output))
        arguments.update(others[0] if others else {})
    inner = layer["config"].get("layers") or [{}]
    number += inner[0].get("class_name") == "InputLayer"
    return _Call(place, layer["name"], number, sources, _training(arguments, layer["name"]))


def _symbols(arguments: object, layer: str) -> Iterator[Reference]:
    """Find the symbols in the arguments of a call, dicts in the order of their sorted keys."""
    if isinstance(arguments, Mapping) and arguments.get("class_name") == "__keras_tensor__":
        yield from _references(arguments["config"]["keras_history"])
    elif isinstance(arguments, Mapping):
        for key in sorted_keys(arguments):
            yield from _symbols(arguments[key], layer)
    elif isinstance(arguments, (list, tuple)):
        for each in arguments:
            yield from _symbols(each, layer)
    else:
        raise ValueError(f"A call of {layer!r} must have nothing but symbols as inputs. Received: {arguments!r}")


def _in_order(calls: Iterator[_Call], known: set[Reference]) -> Iterator[_Call]:
    """Yield each call after those whose outputs it reads."""
    made = {(name, number) for name, number, _ in known}
    waiting = list(calls)
    while waiting:
        ready = [call for call in waiting if all(source[:2] in made for source in call.sources)]
        if not ready:
            raise ValueError(f"The calls of layers must lead from the inputs. Received: {waiting[0].name!r} without")
        yield from ready
        made.update((call.name, call.number) for call in ready)
        waiting = [call for call in waiting if (call.name, call.number) not in made]
