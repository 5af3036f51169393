"""Models of ours, and what they were compiled with, as Keras describes its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnn_core.activations.base import registry as activations
from cnn_core.foundation.caller import warn_caller
from cnn_core.foundation.serialization import serialize
from cnn_core.foundation.structures import filled, map_structure
from cnn_core.interop.calls import not_carried
from cnn_core.interop.keras_weights import class_name_of, is_model
from cnn_core.layers.base import Layer, registry
from cnn_core.layers.ensemble import EnsembleDense
from cnn_core.layers.function import Lambda
from cnn_core.layers.input import InputLayer
from cnn_core.layers.tabular import ParametricActivation, PeriodicEmbedding
from cnn_core.layers.wrapper import Wrapper
from cnn_core.network.graph import CallGraph, LayerLike, Node, Symbol
from cnn_core.ops.operation import Operation
from cnn_core.training.compile_arguments import compile_arguments_of

_WITHOUT_COUNTERPART = (PeriodicEmbedding, ParametricActivation, EnsembleDense, Lambda)
_MODULES = {"_initializer": "initializers", "_regularizer": "regularizers", "_constraint": "constraints"}
# Arguments that only ours have, and the value with which nothing is lost without them.
_OURS_ALONE = {"kernel_learning_rate_multiplier": 1.0, "bias_learning_rate_multiplier": 1.0}
# Activations with parameters: Keras has them as layers or operations, which may stand wherever an activation does.
_AS_LAYERS = {"relu": "ReLU", "leaky_relu": "LeakyReLU", "elu": "ELU", "softmax": "Softmax"}
_AS_OPERATIONS = {
    "celu": "Celu",
    "gelu": "Gelu",
    "hard_shrink": "HardShrink",
    "log_softmax": "LogSoftmax",
    "soft_shrink": "SoftShrink",
    "squareplus": "Squareplus",
    "threshold": "Threshold",
}
_OTHERWISE_IN_KERAS = {
    "sparsemax": "Keras computes another function under this name",
    "glu": "Keras takes its output for as wide as its input",
}
_OF_LISTS = ("concatenate",)  # operations that Keras calls with one list
# Of losses, optimizers and schedules.
_UNKNOWN_TO_KERAS = frozenset(
    ("CrossentropyByTarget", "GaussianNLL", "HalfSquaredError", "Quantile", "gaussian_nll", "half_squared_error",
     "quantile", "LBFGS", "Coslog", "FlatCosine")
)  # fmt: skip


def description_of(layer: Layer) -> dict[str, Any]:
    """Return a layer, or a model with all that is in it, as Keras describes it.

    Raises
    ------
    ValueError
        If Keras has no counterpart of something in it.

    Examples
    --------
    >>> from cnn_core import layers
    >>> found = description_of(layers.ReLU(6.0, name="top"))
    >>> found["module"], found["class_name"], found["config"]["max_value"]
    ('keras.layers', 'ReLU', 6.0)
    """
    if isinstance(layer, _WITHOUT_COUNTERPART):
        raise not_carried(layer, "Keras")
    if not is_model(layer):
        described = {**serialize(layer), "config": _layer_config(layer)}
        if not type(layer).__module__.startswith("cnn_core."):
            described.setdefault("registered_name", described["class_name"])
        return _object("keras.layers", described)
    graph = layer.inner_graph
    assert graph is not None
    shared = {"name": layer.name, "trainable": layer.trainable}
    if class_name_of(layer) == "Functional":
        return _entry("keras.src.models.functional", "Functional", {**shared, **_functional(layer, graph)})
    first = InputLayer.of(graph.inputs[0])
    layers = [description_of(each) for each in (first, *layer.layers)]  # type: ignore[attr-defined]
    return _entry("keras", "Sequential", {**shared, "layers": layers, "build_input_shape": list(graph.inputs[0].shape)})


def _entry(module: str, class_name: str, config: Mapping[str, object]) -> dict[str, Any]:
    return {"module": module, "class_name": class_name, "config": dict(config), "registered_name": None}


def _object(module: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """Say where Keras has an object; one of the user's own, it finds by the registered name, as we do."""
    if "registered_name" in value:
        return {"module": None, **value}
    return _entry(module, value["class_name"], value["config"])


def _layer_config(layer: Layer) -> dict[str, Any]:
    config = dict(registry.serialize(layer)["config"])
    for name, neutral in _OURS_ALONE.items():
        if config.pop(name, neutral) != neutral:
            raise not_carried(layer, "Keras", f"it has no `{name}`")
    if layer.trainable or not layer.variables:
        config.pop("trainable", None)  # which not all of Keras's layers take
    if config.get("activity_regularizer", 0) is None:
        del config["activity_regularizer"]
    if isinstance(layer, Wrapper):
        config["layer"] = description_of(layer.layer)
    for name, value in config.items():
        module = next((module for ending, module in _MODULES.items() if name.endswith(ending)), None)
        if isinstance(value, Mapping) and module is not None:
            config[name] = _object(f"keras.{module}", value)
        elif name == "activation":
            config[name] = _activation(layer, value)
    return config


def _activation(layer: Layer, value: object) -> Any:
    name = value["class_name"] if isinstance(value, Mapping) else value
    if name in _OTHERWISE_IN_KERAS:
        raise not_carried(layer, "Keras", f"it has the activation {name}, and {_OTHERWISE_IN_KERAS[name]}")
    if not isinstance(value, Mapping):
        return value
    if "registered_name" in value or name not in activations.names():
        return _object("keras.activations", value)
    if name in _AS_LAYERS:
        settings = {**value["config"], "trainable": True, "dtype": layer.dtype}
        return _entry("keras.layers", _AS_LAYERS[name], settings)
    return _entry("keras.src.ops.nn", _AS_OPERATIONS[name], value["config"])


def _functional(model: Any, graph: CallGraph) -> dict[str, Any]:
    if graph.losses:
        raise not_carried(model, "Keras", "losses are added to it")
    history: dict[int, list[Any]] = {id(symbol): [symbol.name, 0, 0] for symbol in graph.inputs}
    inputs = [] if any(isinstance(layer, InputLayer) for layer in model.layers) else map(InputLayer.of, graph.inputs)
    steps: dict[int, LayerLike] = {id(layer): layer for layer in (*inputs, *model.layers)}
    calls: dict[int, list[dict[str, Any]]] = {}
    for node in graph.nodes:
        steps[id(node.layer)] = node.layer
        made = calls.setdefault(id(node.layer), [])
        history.update((id(each), [node.layer.name, len(made), at]) for at, each in enumerate(node.outputs))
        made.append(_call(node, [_tensor(symbol, history) for symbol in node.inputs]))
    layers = [{**_step(step), "name": step.name, "inbound_nodes": calls.get(id(step), [])} for step in steps.values()]
    functional = {layer.name for layer in model.layers if class_name_of(layer) == "Functional"}
    return {
        "layers": layers,
        "input_layers": map_structure(lambda symbol: history[id(symbol)], graph.input_structure),
        "output_layers": map_structure(lambda symbol: _as_output(symbol, history, functional), graph.output_structure),
    }


def _step(step: LayerLike) -> dict[str, Any]:
    """Describe a layer or an operation of a functional model."""
    if isinstance(step, Layer):
        return description_of(step)
    assert isinstance(step, Operation)
    kept = {name: value for name, value in step.get_config().items() if name != "operands"}
    config = {name: value for name, value in kept.items() if name not in step.function.static}
    return {**_entry(step.keras_module, step.registered_name, config), "registered_name": step.registered_name}


def _call(node: Node, tensors: list[Any]) -> dict[str, Any]:
    """Describe a call: what a layer or an operation is called with."""
    if node.arguments is not None:
        raise ValueError(f"{node.layer.name!r} cannot be carried to Keras: it is called with arguments of its own")
    arguments: list[Any]
    if isinstance(node.layer, Operation):
        written = node.layer.get_config()
        following = iter(tensors)
        operands = [next(following) if each is None else each for each in written["operands"]]
        static = [written[name] for name in node.layer.function.static]
        arguments = [operands] if node.layer.function.name in _OF_LISTS else [*operands, *static]
    elif isinstance(node.layer, Layer) and is_model(node.layer):
        assert node.layer.inner_graph is not None
        arguments = [filled(node.layer.inner_graph.input_structure, tensors)]
    else:
        arguments = [tensors if node.layer.n_inputs is None else tensors[0]]
    named: dict[str, Any] = {} if node.training is None else {"training": node.training}
    if isinstance(node.layer, Layer) and node.layer.reads_masks and len(tensors) > 1:
        named["mask"] = tensors[1]
    return {"args": arguments, "kwargs": named}


def _as_output(symbol: Symbol, history: Mapping[int, list[Any]], functional: set[str]) -> list[Any]:
    """Name a symbol among a model's outputs, where Keras counts the calls of functional models from 1."""
    name, call, output = history[id(symbol)]
    return [name, call + (name in functional), output]


def _tensor(symbol: Symbol, history: Mapping[int, list[Any]]) -> dict[str, Any]:
    config = {"shape": list(symbol.shape), "dtype": symbol.dtype, "keras_history": history[id(symbol)]}
    return {"class_name": "__keras_tensor__", "config": config}


def compile_config_of(model: Any) -> dict[str, Any]:
    """Return what a compiled model was compiled with, as Keras describes it.

    Raises
    ------
    ValueError
        If Keras has no such loss, optimizer or schedule.
    """
    arguments = {name: _named(value, name) for name, value in compile_arguments_of(model).items()}
    optimizer = serialize(model.optimizer)
    settings = dict(_known(optimizer)["config"])
    if settings.pop("excluded_from_weight_decay", None) is not None:
        reason = "files of Keras have no place for it"
        warn_caller(f"what is excluded from weight decay is left out because {reason}")
    if isinstance(settings["learning_rate"], Mapping):
        settings["learning_rate"] = _object("keras.optimizers.schedules", _known(settings["learning_rate"]))
    return {**arguments, "optimizer": _object("keras.optimizers", {**optimizer, "config": settings})}


def _named(value: Any, argument: str) -> Any:
    """Say of every loss and metric where Keras has it."""
    if isinstance(value, list):
        return [_named(each, argument) for each in value]
    if isinstance(value, Mapping) and "class_name" not in value:
        return {name: _named(each, argument) for name, each in value.items()}
    if not isinstance(_known(value), Mapping):
        return value
    return _object("keras.losses" if argument == "loss" else "keras.metrics", value)


def _known(value: object) -> Any:
    """Return a description or a name unless it is of something that Keras lacks."""
    name = value["class_name"] if isinstance(value, Mapping) else value
    if name in _UNKNOWN_TO_KERAS:
        raise ValueError(
            f"what the model is compiled with must be known to Keras: compile=False leaves it out. Received: {name}"
        )
    return value
