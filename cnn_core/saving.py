"""Saving and loading models: one file of data only, safetensors with the configuration as JSON. Floor 4.

Loading executes nothing and names no code: a configuration can only name what the package knows, or what the caller
passes as `custom_objects`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from cnn_core import model_file, validation
from cnn_core import optimizers as known_optimizers
from cnn_core.arrays import Array
from cnn_core.layers.base import registry
from cnn_core.serialization import CustomObjects, custom_objects_in_use, serialize

_MODEL = "cnn_core.model"
_TRAINING = "cnn_core.training"


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
        arguments = {name: serialize(value) for name, value in vars(model._arguments).items()}
        training: dict[str, Any] = {"compile": arguments}
        if include_optimizer:
            state = model.training_state()
            slots = state["optimizer"].pop("slots")
            training |= {"optimizer": known_optimizers.serialize(model.optimizer), "state": state}
            tensors |= {f"optimizer/{name}": vector for name, vector in slots.items()}
        metadata[_TRAINING] = json.dumps(training)
    model_file.write(filepath, tensors, metadata)


def load_model(filepath: Any, custom_objects: CustomObjects | None = None, compile: bool = True) -> Any:
    """Read a model that `save` wrote.

    Parameters
    ----------
    filepath : str or path-like
    custom_objects : dict of str to object, default None
        The user's own classes and functions that the model uses, by name.
    compile : bool, default True
        Whether to compile the model as it was, with the optimizer's state.

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
        model = registry.deserialize(_parse(metadata[_MODEL], filepath), custom_objects)
        _assign(model, tensors, filepath, skip_mismatch=False)
        if compile and _TRAINING in metadata:
            training = _parse(metadata[_TRAINING], filepath)
            _compile(model, training, tensors)
    return model


def _compile(model: Any, training: Mapping[str, Any], tensors: Mapping[str, Array]) -> None:
    optimizer: Any = "rmsprop"
    if "optimizer" in training:
        optimizer = known_optimizers.deserialize(training["optimizer"])
    model.compile(optimizer, **training["compile"])
    if "state" in training:
        state = dict(training["state"])
        prefix = "optimizer/"
        slots = {name[len(prefix) :]: vector for name, vector in tensors.items() if name.startswith(prefix)}
        state["optimizer"] = {**state["optimizer"], "slots": slots}
        model.restore_training_state(state)


def save_weights(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Write the weights alone."""
    _require_built(model, "save_weights")
    _check_overwrite(filepath, overwrite)
    model_file.write(filepath, _weights_by_name(model))


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False) -> None:
    """Read weights by their names: a layer's name and the variable's.

    Parameters
    ----------
    model : Model
    filepath : str or path-like
    skip_mismatch : bool, default False
        Whether to leave weights as they are that the file lacks or has in another shape.

    Raises
    ------
    ValueError
        If a weight is missing or has another shape; then no weight is changed.
    """
    _require_built(model, "load_weights")
    tensors, _ = model_file.read(filepath)
    _assign(model, tensors, filepath, skip_mismatch)


def to_json(model: Any, **arguments: Any) -> str:
    """Return a model's architecture as JSON; `arguments` are those of `json.dumps`."""
    return json.dumps(registry.serialize(model), **arguments)


def model_from_json(json_string: str, custom_objects: CustomObjects | None = None) -> Any:
    """Build a model from what `to_json` returned, with new weights."""
    config = _parse(json_string, "json_string")
    with custom_objects_in_use(custom_objects):
        return registry.deserialize(config, custom_objects)


def _parse(text: str, source: Any) -> Any:
    try:
        parsed = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{source} holds no valid configuration: {error}") from None
    if not isinstance(parsed, dict):
        raise ValueError(f"{source} holds no configuration. Received: {validation.show(parsed)}")
    return parsed


def _require_built(model: Any, purpose: str) -> None:
    if not model.built:
        raise ValueError(f"`{purpose}` needs a model with weights: begin it with Input(shape), or call build or fit")


def _check_overwrite(filepath: Any, overwrite: bool) -> None:
    if not overwrite and os.path.exists(filepath):
        raise FileExistsError(f"{os.fspath(filepath)} exists already: choose another name, or overwrite=True")


def _weights_by_name(model: Any) -> dict[str, Array]:
    """The weights under their paths; a path that occurs twice is numbered."""
    named: dict[str, Array] = {}
    for variable in model.variables:
        name, number = variable.path, 1
        while name in named:
            name, number = f"{variable.path}#{number}", number + 1
        named[name] = variable.array
    return named


def _assign(model: Any, tensors: Mapping[str, Array], filepath: Any, skip_mismatch: bool) -> None:
    checked = []
    for (name, _), variable in zip(_weights_by_name(model).items(), model.variables, strict=True):
        tensor = tensors.get(name)
        if tensor is None or tensor.shape != variable.shape:
            if skip_mismatch:
                continue
            found = "nothing" if tensor is None else f"shape={tensor.shape}"
            raise ValueError(
                f"{os.fspath(filepath)} must hold {name!r} of shape {variable.shape}. Received: {found}. "
                "skip_mismatch=True leaves such weights as they are"
            )
        checked.append((variable, variable.check(tensor)))
    for variable, value in checked:
        variable.array[...] = np.asarray(value)
