"""Saving and loading models: one file of data only, safetensors with the configuration as JSON. Floor 4.

Loading executes nothing and names no code: a configuration can only name what the package knows, or what the caller
passes as `custom_objects`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import cnn_core.losses as losses
import cnn_core.metrics as metrics
import cnn_core.model_file as model_file
import cnn_core.optimizers as known_optimizers
import cnn_core.validation as validation
from cnn_core.arrays import Array
from cnn_core.layers.base import registry
from cnn_core.parameters import adopt_state
from cnn_core.serialization import (
    CustomObjects,
    custom_objects_in_use,
    get_custom_objects,
    register_keras_serializable,
    serialize,
)
from cnn_core.variables import Variable

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "get_custom_objects",
    "load_model",
    "load_weights",
    "model_from_json",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "to_json",
]

CustomObjectScope = custom_object_scope = custom_objects_in_use

_MODEL = "cnn_core.model"
_TRAINING = "cnn_core.training"
_STATE = "cnn_core.optimizer/"  # what the names of the optimizer's state begin with: then slot/variable


def save_model(model: Any, filepath: Any, overwrite: bool = True, include_optimizer: bool = True) -> None:
    """Write a model to a file: layers, weights, what `compile` was given, and the optimizer's state.

    The file is written beside its place and renamed, so that a crash leaves the old file or the new one.

    Parameters
    ----------
    model : Model
    filepath : str or path-like
        Any name; ".safetensors" says what it is, ".keras" is accepted for the sake of old scripts.
    overwrite : bool, default True
    include_optimizer : bool, default True

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    ValueError
        If the model has not been built yet.
    """
    _require_built(model, "save")
    _check_overwrite(filepath, overwrite)
    tensors = _weights_by_name(model)
    metadata = {_MODEL: json.dumps(registry.serialize(model))}
    if model.compiled:
        arguments = {name: serialize(_each(value, _KINDS[name])) for name, value in model._arguments._asdict().items()}
        training = {"compile": arguments, "optimizer": known_optimizers.serialize(model.optimizer)}
        if include_optimizer:
            state = model.training_state()
            state.pop("totals", None)  # of an epoch under way
            del state["optimizer"]["slots"]
            training["state"] = state
            tensors |= _state_by_name(model)
        metadata[_TRAINING] = json.dumps(training)
    model_file.write(filepath, tensors, metadata)


# What turns each argument of `compile` into objects, which know how they are written.
_KINDS: dict[str, Callable[[Any], Any]] = {
    "loss": losses.as_loss,
    "loss_weights": lambda weight: weight,
    "metrics": metrics.as_metric,
    "weighted_metrics": metrics.as_metric,
}


def _each(value: Any, get: Callable[[Any], Any]) -> Any:
    """Turn every object in an argument of `compile`, or its configuration, by `get`; names stay names.

    "accuracy" and "crossentropy" have no meaning before data is seen, and a function is written as a metric or loss.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping) and "class_name" not in value:
        return {name: _each(part, get) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_each(part, get) for part in value]
    return get(value)


def _state_by_name(model: Any) -> dict[str, Array]:
    """Cut the optimizer's state up by variable, so that it does not depend on how parameters are laid out."""
    optimizer, parameters = model.optimizer, model._bind()
    if not optimizer.state:
        return {}
    adopt_state(optimizer, parameters)
    names = _names(parameters.variables)
    return {
        f"{_STATE}{slot}/{name}": part
        for slot, vector in optimizer.state.items()
        for name, part in zip(names, parameters.split(vector), strict=True)
    }


def load_model(
    filepath: Any, custom_objects: CustomObjects | None = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """Read a model that `save` wrote.

    Parameters
    ----------
    filepath : str or path-like
    custom_objects : dict of str to object, default None
        The user's own classes and functions that the model uses, by name.
    compile : bool, default True
        Whether to compile the model as it was, with the optimizer's state.
    safe_mode : bool, default True
        Accepted because Keras has it: a file holds nothing that could be executed.

    Returns
    -------
    Model

    Raises
    ------
    ValueError
        If the file is no model, is damaged, or names something that neither the package nor `custom_objects` has.
    """
    tensors, metadata = model_file.read(filepath)
    if _MODEL not in metadata:
        raise ValueError(f"{os.fspath(filepath)} holds weights, not a model: use load_weights")
    with custom_objects_in_use(custom_objects):
        model = _build(_parse(metadata[_MODEL], filepath), filepath, custom_objects)
        _assign(model, tensors, filepath, skip_mismatch=False)
        if compile and _TRAINING in metadata:
            training = _parse(metadata[_TRAINING], filepath)
            _compile(model, training, tensors)
    return model


def _compile(model: Any, training: Mapping[str, Any], tensors: Mapping[str, Array]) -> None:
    arguments = {name: _each(value, _KINDS[name]) for name, value in training["compile"].items()}
    model.compile(known_optimizers.deserialize(training["optimizer"]), **arguments)
    if "state" in training:
        state = dict(training["state"])
        state["optimizer"] = {**state["optimizer"], "slots": _state_from_names(model, tensors)}
        model.restore_training_state(state)


def _compile_as_in_keras(model: Any, arguments: Mapping[str, Any]) -> None:
    """Compile a model with the arguments that Keras has written, the optimizer among them."""
    given = {name: _each(arguments.get(name), get) for name, get in _KINDS.items()}
    model.compile(known_optimizers.deserialize(arguments["optimizer"]), **given)


def _state_from_names(model: Any, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Undo `_state_by_name`."""
    parameters = model._bind()
    places = dict(zip(_names(parameters.variables), range(len(parameters.variables)), strict=True))
    slots: dict[str, Array] = {}
    for key, tensor in tensors.items():
        if key.startswith(_STATE):
            slot, _, name = key.removeprefix(_STATE).partition("/")
            vector = slots.setdefault(slot, np.zeros_like(parameters.values))
            if name not in places:
                raise ValueError(f"The file holds an optimizer's state for {name!r}, which the model does not train")
            parameters.split(vector)[places[name]][...] = tensor
    return slots


def save_weights(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Write the weights alone.

    Parameters
    ----------
    model : Model
    filepath : str or path-like
    overwrite : bool, default True

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    ValueError
        If the model has not been built yet.
    """
    _require_built(model, "save_weights")
    _check_overwrite(filepath, overwrite)
    model_file.write(filepath, _weights_by_name(model))


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False) -> None:
    """Read weights that `save_weights` or `save` wrote.

    They are taken in the order in which they were written, for names of layers differ between two models built alike
    in one process. With `skip_mismatch` those under equal names are taken first.

    Parameters
    ----------
    model : Model
    filepath : str or path-like
    skip_mismatch : bool, default False
        Whether to leave weights as they are that the file lacks or has in another shape.

    Raises
    ------
    ValueError
        If the file holds more or fewer weights than the model, or one of another shape or dtype; then no weight is
        changed.
    """
    _require_built(model, "load_weights")
    tensors, _ = model_file.read(filepath)
    _assign(model, tensors, filepath, skip_mismatch)


def to_json(model: Any, **arguments: Any) -> str:
    """Return a model's architecture as JSON; `arguments` are those of `json.dumps`."""
    return json.dumps(registry.serialize(model), **arguments)


def model_from_json(json_string: str, custom_objects: CustomObjects | None = None) -> Any:
    """Build a model from what `to_json` returned here or in Keras, with new weights.

    What Keras has written of a compiled model is compiled, too.

    Parameters
    ----------
    json_string : str
    custom_objects : dict of str to object, default None
        The user's own classes and functions that the model uses, by name.

    Returns
    -------
    Model

    Raises
    ------
    ValueError
        If the text describes no model, or names something that neither the package nor `custom_objects` has.
    """
    config = _parse(json_string, "json_string")
    with custom_objects_in_use(custom_objects):
        model = _build(config, "json_string", custom_objects)
        if config.get("compile_config"):
            _compile_as_in_keras(model, config["compile_config"])
    return model


def _parse(text: str, source: Any) -> Any:
    try:
        parsed = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{source} holds no valid configuration: {error}") from None
    if not isinstance(parsed, dict):
        raise ValueError(f"{source} holds no configuration. Received: {validation.show(parsed)}")
    return parsed


def _build(config: Mapping[str, Any], source: Any, custom_objects: CustomObjects | None) -> Any:
    try:
        return registry.deserialize(config, custom_objects)
    except (LookupError, AttributeError) as error:
        raise ValueError(f"{source} holds an incomplete configuration: {error!r} is missing or misplaced") from error


def _require_built(model: Any, purpose: str) -> None:
    if not model.built:
        raise ValueError(f"`{purpose}` needs a model with weights: begin it with Input(shape), or call build or fit")


def _check_overwrite(filepath: Any, overwrite: bool) -> None:
    if not overwrite and Path(filepath).exists():
        raise FileExistsError(f"{os.fspath(filepath)} exists already: choose another name, or overwrite=True")


def _names(variables: Sequence[Variable]) -> list[str]:
    """The variables' paths; one that occurs twice is numbered."""
    names: list[str] = []
    for variable in variables:
        name, number = variable.path, 1
        while name in names:
            name, number = f"{variable.path}#{number}", number + 1
        names.append(name)
    return names


def _weights_by_name(model: Any) -> dict[str, Array]:
    variables = model.variables
    return {name: variable.array for name, variable in zip(_names(variables), variables, strict=True)}


def _assign(model: Any, tensors: Mapping[str, Array], filepath: Any, skip_mismatch: bool) -> None:
    """Set all weights from a file, or none."""
    weights = {name: tensor for name, tensor in tensors.items() if not name.startswith(_STATE)}
    named = list(zip(_weights_by_name(model), model.variables, strict=True))
    if skip_mismatch:
        pairs: list[tuple[Variable, Array | None]] = [(variable, weights.get(name)) for name, variable in named]
        if not any(tensor is not None for _, tensor in pairs):  # a model built again, under other names
            pairs = list(zip(model.variables, weights.values(), strict=False))
        pairs = [(variable, tensor) for variable, tensor in pairs if _mismatch(variable, tensor) is None]
    else:
        pairs = list(zip(model.variables, _matching(named, weights, filepath), strict=True))
    checked = [(variable, variable.check(tensor)) for variable, tensor in pairs]
    for variable, value in checked:
        variable.array[...] = value


def _matching(named: Sequence[tuple[str, Variable]], weights: Mapping[str, Array], filepath: Any) -> list[Array]:
    """Return the file's weights in the model's order, or say what does not fit."""
    if len(weights) != len(named):
        raise ValueError(
            f"{os.fspath(filepath)} holds {len(weights)} weights, the model has {len(named)}. The model's: "
            f"{', '.join(name for name, _ in named)}. Received: {', '.join(weights)}"
        )
    same_names = all(name in weights for name, _ in named)
    tensors = [weights[name] for name, _ in named] if same_names else list(weights.values())
    for (name, variable), tensor in zip(named, tensors, strict=True):
        if (wrong := _mismatch(variable, tensor)) is not None:
            raise ValueError(
                f"{os.fspath(filepath)} must hold {name!r} of shape {variable.shape}. Received: {wrong}. "
                "skip_mismatch=True leaves such weights as they are"
            )
    return tensors


def _mismatch(variable: Variable, tensor: Array | None) -> str | None:
    if tensor is None:
        return "nothing under this name"
    return None if tensor.shape == variable.shape else f"shape={tensor.shape}"
