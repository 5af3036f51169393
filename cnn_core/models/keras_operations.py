"""Operations in functional models of Keras 3, such as `x * 2 + y` and `keras.ops.gelu(x)`, as layers.

Keras lists an operation like a layer, with what it is called with: symbols, and numbers between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cnn_core.foundation.validation as validation
from cnn_core.activations.base import registry as activations
from cnn_core.foundation.serialization import snake_case

_HOME = "keras.src.ops."
_ARITHMETIC = ("Add", "Subtract", "Multiply", "TrueDivide", "Divide")
_NAMES = {"exp": "exponential"}  # of activations that are called otherwise here


def as_layer(described: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the description of the layer that does what an operation does; that of a layer as it is.

    Raises
    ------
    ValueError
        If a number is where no layer takes one.

    Examples
    --------
    >>> node = {"args": [{"class_name": "__keras_tensor__", "config": {}}, 2.0], "kwargs": {}}
    >>> found = as_layer({"module": "keras.src.ops.numpy", "class_name": "Multiply", "config": {"name": "double"},
    ...                   "inbound_nodes": [node]})
    >>> found["class_name"], found["config"], len(found["inbound_nodes"][0]["args"])
    ('Rescaling', {'name': 'double', 'scale': 2.0, 'offset': 0.0}, 1)
    """
    if not str(described.get("module")).startswith(_HOME):
        return described
    kind, settings = described["class_name"], dict(described["config"])
    name = {"name": settings.pop("name", described.get("name"))}
    activation = _NAMES.get(snake_case(kind), snake_case(kind))
    if kind == "Negative":
        return _layer(described, "Rescaling", {**name, "scale": -1.0})
    if kind == "Reshape":
        _, *shape = settings["newshape"]
        return _layer(described, "Reshape", {**name, "target_shape": shape})
    if activation in activations.names():
        return _layer(described, "Activation", {**name, "activation": {"class_name": activation, "config": settings}})
    return _rescaled(described, name) if kind in _ARITHMETIC else described


def _layer(described: Mapping[str, Any], class_name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    return {**described, "module": "keras.layers", "class_name": class_name, "config": dict(config)}


def _rescaled(described: Mapping[str, Any], name: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the layer of an operation on a symbol and a number; one on symbols alone is a layer as it is."""
    node = described["inbound_nodes"][0]
    arguments = [*node["args"], *node["kwargs"].values()]
    symbols = [each for each in arguments if isinstance(each, Mapping) and each["class_name"] == "__keras_tensor__"]
    if len(arguments) != 2 or len(symbols) != 1:
        return described
    place = arguments.index(symbols[0])
    number = validation.number(arguments[1 - place], "number")
    scale, offset = _line(described["class_name"], number, symbol_first=place == 0)
    called = {**node, "args": symbols, "kwargs": {}}
    return {**_layer(described, "Rescaling", {**name, "scale": scale, "offset": offset}), "inbound_nodes": [called]}


def _line(kind: str, number: float, symbol_first: bool) -> tuple[float, float]:
    """Return what a symbol is multiplied by, and what is added, where an operation joins it with a number."""
    if kind == "Add":
        return 1.0, number
    if kind == "Subtract":
        return (1.0, -number) if symbol_first else (-1.0, number)
    if kind == "Multiply":
        return number, 0.0
    if not symbol_first or number == 0:
        raise ValueError(f"{kind} must divide a symbol by a number other than 0. Received: number={number}")
    return 1.0 / number, 0.0
