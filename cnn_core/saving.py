"""Saving and loading models: one file of data only, safetensors with the configuration as JSON.

Loading executes nothing and names no code: a configuration can only name what the package knows, or what the caller
passes as `custom_objects`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

import cnn_core.foundation.foreign_files as foreign_files
import cnn_core.foundation.left_out as left_out
import cnn_core.foundation.model_file as model_file
import cnn_core.foundation.model_header as model_header
import cnn_core.foundation.validation as validation
import cnn_core.optimizers as known_optimizers
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.keras_objects import (
    deserialize_keras_object,
    get_registered_name,
    get_registered_object,
    serialize_keras_object,
)
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.foundation.numbering import distinct_names
from cnn_core.foundation.serialization import (
    CustomObjects,
    custom_objects_in_use,
    get_custom_objects,
    register_keras_serializable,
)
from cnn_core.foundation.stored_weights import room_for
from cnn_core.layers.base import registry
from cnn_core.layers.wrapper import Wrapper
from cnn_core.network.graph import check_number_of_calls
from cnn_core.network.variables import Variable
from cnn_core.training.compile_arguments import (
    KINDS,
    compile_arguments_of,
    compile_as_in_keras,
    each_object,
)
from cnn_core.training.trainer import Trainer

__all__ = [
    "CustomObjectScope",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load_metadata",
    "load_model",
    "load_weights",
    "model_from_json",
    "register_keras_serializable",
    "save_model",
    "save_weights",
    "serialize_keras_object",
    "to_json",
]

CustomObjectScope = custom_object_scope = custom_objects_in_use

_RESERVED = "cnn_core."
_MODEL = "cnn_core.model"
_TRAINING = "cnn_core.training"
_ESTIMATORS = {  # in files that cnn_core.sklearn writes
    "cnn_core.tabular": "for tables: use load of cnn_core.sklearn's TabularClassifier or TabularRegressor, or "
    "cnn_core.load_predictor",
    "cnn_core.perceptron": "of cnn_core.sklearn: use load of its MLPClassifier or MLPRegressor",
}
_STATE = "cnn_core.optimizer/"  # what the names of the optimizer's state begin with: then slot/variable


@knows_its_arguments
def save_model(
    model: Any,
    filepath: FileLike,
    overwrite: bool = True,
    include_optimizer: bool = True,
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a model to a file: layers, weights, what `compile` was given, and the optimizer's state.

    The file is written beside its place and renamed, so that a crash leaves the old file or the new one.

    Parameters
    ----------
    model : Model
    filepath : str or path-like
        ".safetensors" says what it is. A name that ends in ".keras" gives a file of Keras, which `load_model` and
        Keras read, without the state of random numbers; what Keras has no counterpart of is refused: see
        `interop.to_keras`. Names of other formats are refused.
    overwrite : bool, default True
    include_optimizer : bool, default True
    metadata : mapping of str to str, default None
        Texts of your own besides those in `model.metadata`, which `load_metadata` reads and every reader of safetensors
        shows.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    ValueError
        If the model has not been built yet, a layer stands in it and in a model inside it, or `filepath` ends as files
        of another format do.
    TypeError
        If `metadata` holds anything but texts.
    """
    _require_built(model, "save")
    _check_layers_stand_once(model)
    own = _checked_metadata(model.metadata) | _checked_metadata(metadata)
    _check_overwrite(filepath, overwrite)
    if _is_for_keras(filepath, foreign_files.KERAS_MODEL):
        model_file.write_bytes(filepath, _as_in_keras(model, own, include_optimizer))
        return
    tensors = _weights_by_name(model)
    texts = {**own, _MODEL: _written(_described(model), len(tensors))}
    if model.compiled:
        training = {"compile": compile_arguments_of(model), "optimizer": known_optimizers.serialize(model.optimizer)}
        if include_optimizer:
            state = model.training_state()
            state.pop("totals", None)  # of an epoch under way
            del state["optimizer"]["slots"]
            training["state"] = state
            tensors |= _state_by_name(model)
        texts[_TRAINING] = _written(training)
    model_file.write(filepath, tensors, texts)


def _is_for_keras(filepath: FileLike, ending: str) -> TypeGuard[PathLike]:
    """Whether a file is to be one of Keras, by its name; names of other formats are refused."""
    if not isinstance(filepath, (str, os.PathLike)):
        return False
    foreign_files.check_name(filepath, but=ending)
    return foreign_files.has_ending(filepath, ending)


def _as_in_keras(model: object, texts: Mapping[str, str], include_optimizer: bool) -> bytes:
    import cnn_core.interop.keras_writer as keras_writer

    try:
        return keras_writer.archive_of(model, texts, with_state=include_optimizer)
    except ValueError as error:
        raise ValueError(f"{error}. A file that ends in '.safetensors' holds every model") from None


def _checked_metadata(metadata: Mapping[str, str] | None) -> dict[str, str]:
    if not isinstance(metadata, (Mapping, type(None))):
        raise TypeError(f"`metadata` must be a mapping of texts. Received: metadata={validation.show(metadata)}")
    for key, value in (metadata or {}).items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(
                f"`metadata` must map texts to texts, such as json.dumps gives. "
                f"Received: {validation.show(key)}: {validation.show(value)}"
            )
        if key.startswith(_RESERVED):
            raise ValueError(f"A key of `metadata` must not begin with {_RESERVED!r}. Received: {key!r}")
    return dict(metadata or {})


@knows_its_arguments
def load_metadata(filepath: FileLike) -> dict[str, str]:
    """Read the texts that `save` was given as `metadata`, and "cnn_core.version", the version that wrote the file.

    Weights are not read.

    Parameters
    ----------
    filepath : str, path-like or binary file
        A model, weights or an estimator.

    Returns
    -------
    dict of str to str

    Raises
    ------
    ValueError
        If the file is none of ours, or damaged.

    Examples
    --------
    >>> import io
    >>> from cnn_core import Input, Sequential, layers
    >>> file = io.BytesIO()
    >>> Sequential([Input((2,)), layers.Dense(1)]).save(file, metadata={"data": "2024-05"})
    >>> _ = file.seek(0)
    >>> load_metadata(file)["data"]
    '2024-05'
    """
    texts = model_file.read_metadata(filepath)
    version = {key: text for key, text in texts.items() if key == model_file.VERSION_KEY}
    return version | _own_texts(texts)


def _own_texts(texts: Mapping[str, str]) -> dict[str, str]:
    return {key: text for key, text in texts.items() if not key.startswith(_RESERVED)}


def _written(config: object, n_tensors: int | None = None) -> str:
    """Return a configuration as text, unless `load_model` would refuse it."""
    try:
        text = json.dumps(config)
        model_header.parse(text, n_tensors)
    except (RecursionError, ValueError) as error:
        raise ValueError(f"The model cannot be saved, because loading would fail: {error}") from None
    return text


def _state_by_name(model: Trainer) -> dict[str, Array]:
    """Cut the optimizer's state up by variable, so that it does not depend on how parameters are laid out."""
    names = distinct_names(each.path for each in model.trainable_variables)
    return {
        f"{_STATE}{slot}/{name}": part
        for slot, parts in model.optimizer_state().items()
        for name, part in zip(names, parts, strict=True)
    }


def read_model(filepath: FileLike, custom_objects: CustomObjects | None, compile: bool) -> Any:
    """Read a model from a file, ours or Keras's: see `models.load_model`."""
    found = _read_unless_keras_wrote_it(filepath)
    if found is None:
        import cnn_core.interop.keras_files as keras_files

        return keras_files.load_model(filepath, custom_objects, compile)
    tensors, metadata = found
    with model_header.refused_by_name(model_file.name_of(filepath)), custom_objects_in_use(custom_objects):
        if _MODEL not in metadata:
            for key, kind in _ESTIMATORS.items():
                if key in metadata:
                    raise ValueError(f"it holds an estimator {kind}")
            raise ValueError("it holds weights, not a model: use load_weights")
        weights = _weights_among(tensors)
        config = model_header.parse(metadata[_MODEL], len(weights))
        training = _read_training(metadata[_TRAINING]) if compile and _TRAINING in metadata else None
        with room_for(weights):
            model = _made(config, custom_objects)
        is_model = isinstance(model, Trainer)
        if not is_model or not model.built:
            raise ValueError(f"it must hold a model with an input. Received: {validation.show(model)}")
        check_number_of_calls(model.inner_graph)
        _assign(model, weights, skip_mismatch=False)
        model.metadata.update(_own_texts(metadata))
        if training is not None:
            _compile(model, training, tensors)
    return model


def _read_unless_keras_wrote_it(filepath: FileLike) -> tuple[dict[str, Array], dict[str, str]] | None:
    """Read a file of ours; of one that Keras wrote return None, an open file back where it stood."""
    stream = None if isinstance(filepath, (str, os.PathLike)) else filepath
    begin = stream.tell() if stream is not None and stream.seekable() else None
    try:
        return model_file.read(filepath)
    except model_file.KerasFileError as error:
        if stream is not None and begin is not None:
            stream.seek(begin)
        elif stream is not None:
            raise ValueError(f"{error}. From a stream it is read only if it can be sought in") from None
        return None


def _weights_among(tensors: Mapping[str, Array]) -> dict[str, Array]:
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(_STATE)}


def _read_training(text: str) -> dict[str, Any]:
    """Return what `compile` was given and the optimizer's state, of the right types."""
    training = model_header.parse(text)
    arguments = model_header.field(training, "compile", dict, "training")
    for name in arguments:
        validation.choice(name, "compile", KINDS)
    model_header.field(training, "optimizer", dict, "training")
    if "state" in training:
        state = model_header.field(training, "state", dict, "training")
        model_header.whole(state, "seed", "state", 2**64 - 1)
        model_header.whole(state, "epochs_begun", "state")
        model_header.whole(model_header.field(state, "optimizer", dict, "state"), "batches_seen", "optimizer")
        for name in ("epoch", "batch", "totals"):  # of a backup in the middle of an epoch
            if name in state:
                raise ValueError(f"its 'state' must be that between two epochs. Received: {name!r}")
    return training


def _compile(model: Trainer, training: Mapping[str, Any], tensors: Mapping[str, Array]) -> None:
    arguments = {name: each_object(value, KINDS[name]) for name, value in training["compile"].items()}
    model.compile(known_optimizers.deserialize(training["optimizer"]), **arguments)
    if "state" in training:
        state = dict(training["state"])
        state["optimizer"] = {**state["optimizer"], "slots": _state_from_names(model, tensors)}
        model.restore_training_state(state)


def _state_from_names(model: Trainer, tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Undo `_state_by_name`. Every vector is in the file as a whole, so that they take no more memory than it has."""
    names = distinct_names(each.path for each in model.trainable_variables)
    slots: dict[str, dict[str, Array]] = {}
    for key, tensor in tensors.items():
        if key.startswith(_STATE):
            slot, _, name = key.removeprefix(_STATE).partition("/")
            slots.setdefault(slot, {})[name] = tensor
    for slot, parts in slots.items():
        if len(parts) == len(names) and parts.keys() != set(names):  # a model built again, under other names
            parts = slots[slot] = dict(zip(names, parts.values(), strict=True))
        for name in parts.keys() - set(names):
            raise ValueError(f"it holds an optimizer's state for {name!r}, which the model does not train")
        for name, variable in zip(names, model.trainable_variables, strict=True):
            if name not in parts or parts[name].shape != variable.shape:
                raise ValueError(
                    f"its optimizer's state {slot!r} must have the shape {variable.shape} for {name!r}. "
                    f"Received: {parts[name].shape if name in parts else 'nothing'}"
                )
    parameters = model._bind()
    vectors = {slot: np.zeros_like(parameters.values) for slot in slots}
    for slot, vector in vectors.items():
        for name, view in zip(names, parameters.split(vector), strict=True):
            view[...] = slots[slot][name]
    return vectors


@knows_its_arguments
def save_weights(model: BuiltModel, filepath: FileLike, overwrite: bool = True) -> None:
    """Write the weights alone.

    Parameters
    ----------
    model : Model
    filepath : str or path-like
        A name that ends in ".weights.h5" gives a file of Keras, all others one of ours.
    overwrite : bool, default True

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    ValueError
        If the model has not been built yet, or `filepath` ends as files of other formats do.
    """
    _require_built(model, "save_weights")
    _check_overwrite(filepath, overwrite)
    if _is_for_keras(filepath, foreign_files.KERAS_WEIGHTS):
        import cnn_core.interop.keras_writer as keras_writer

        model_file.write_bytes(filepath, keras_writer.weights_of(model))
        return
    model_file.write(filepath, _weights_by_name(model))


@knows_its_arguments
def load_weights(model: BuiltModel, filepath: FileLike, skip_mismatch: bool = False) -> None:
    """Read weights that `save_weights` or `save` wrote, or Keras's methods of these names.

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
    found = _read_unless_keras_wrote_it(filepath)
    if found is None:
        import cnn_core.interop.keras_files as keras_files

        keras_files.load_weights(model, filepath, skip_mismatch)
        return
    tensors, _ = found
    with model_header.refused_by_name(model_file.name_of(filepath)):
        _assign(model, _weights_among(tensors), skip_mismatch)


def to_json(model: object, **arguments: Any) -> str:
    """Return a model's architecture as JSON; `arguments` are those of `json.dumps`."""
    return json.dumps(_described(model), **arguments)


def _described(model: Any) -> dict[str, Any]:
    """Return a model as plain data; with it go the inputs for which a custom one, which knows none, was built."""
    data: dict[str, Any] = registry.serialize(model)
    return {**data, "build_config": model.input_description()} if model.defines_call and model.built else data


def _made(config: Mapping[str, object], custom_objects: CustomObjects | None) -> Any:
    """Make the model that data describes, built if it was."""
    model = registry.deserialize(config, custom_objects)
    if getattr(model, "defines_call", False) and not model.built and config.get("build_config") is not None:
        model.build_described(config["build_config"])
    return model


def read_json(json_string: str, custom_objects: CustomObjects | None) -> Any:
    """Build a model from JSON, ours or Keras's: see `models.model_from_json`."""
    text = validation.text(json_string, "json_string")
    with model_header.refused_by_name("`json_string`"), custom_objects_in_use(custom_objects):
        config = model_header.parse(text)
        model = _made(config, custom_objects)
        if config.get("compile_config"):
            compile_as_in_keras(model, config["compile_config"])
    return model


def _require_built(model: BuiltModel, purpose: str) -> None:
    if not model.built:
        raise ValueError(f"`{purpose}` needs a model with weights: begin it with Input(shape), or call build or fit")


def _check_layers_stand_once(model: Any) -> None:
    """Refuse a layer that two models or wrappers share: described in both, it would come back as two."""
    holders, owners = [model], dict[int, Any]()
    for owner in holders:
        held = [owner.layer] if isinstance(owner, Wrapper) else owner.layers
        for layer in {id(each): each for each in held}.values():
            if id(layer) in owners:
                raise ValueError(
                    f"layer {layer.name!r} must stand in one model or wrapper, for each is described by itself; "
                    "save_weights takes what is shared. "
                    f"Received: it stands in {owners[id(layer)].name!r} and in {owner.name!r}"
                )
            owners[id(layer)] = owner
            if layer.inner_graph is not None or isinstance(layer, Wrapper):
                holders.append(layer)


def _check_overwrite(filepath: FileLike, overwrite: bool) -> None:
    if overwrite or not isinstance(filepath, (str, os.PathLike)):
        return
    if os.path.exists(filepath):  # noqa: PTH110 - the package's import does not wait for pathlib
        raise FileExistsError(f"{os.fspath(filepath)} exists already: choose another name, or overwrite=True")


def _weights_by_name(model: BuiltModel) -> dict[str, Array]:
    variables = model.variables
    names = distinct_names(variable.path for variable in variables)
    return {name: variable.array for name, variable in zip(names, variables, strict=True)}


def _assign(model: BuiltModel, weights: Mapping[str, Array], skip_mismatch: bool) -> None:
    """Set all weights from a file, or none."""
    named = list(zip(_weights_by_name(model), model.variables, strict=True))
    if skip_mismatch:
        pairs: list[tuple[Variable, Array | None]] = [(variable, weights.get(name)) for name, variable in named]
        if not any(tensor is not None for _, tensor in pairs):  # a model built again, under other names
            pairs = list(zip(model.variables, weights.values(), strict=False))
        pairs = [(variable, tensor) for variable, tensor in pairs if _mismatch(variable, tensor) is None]
    else:
        pairs = list(zip(model.variables, _matching(named, weights), strict=True))
    checked = [(variable, variable.check(tensor)) for variable, tensor in pairs]
    for variable, value in checked:
        variable.write(value)


def _matching(named: Sequence[tuple[str, Variable]], weights: Mapping[str, Array]) -> list[Array]:
    """Return the file's weights in the model's order, or say what does not fit."""
    if len(weights) != len(named):
        raise ValueError(
            f"it holds {len(weights)} weights, the model has {len(named)}. The model's: "
            f"{_listed([name for name, _ in named])}. Received: {_listed(list(weights))}"
        )
    same_names = all(name in weights for name, _ in named)
    tensors = [weights[name] for name, _ in named] if same_names else list(weights.values())
    for (name, variable), tensor in zip(named, tensors, strict=True):
        if (wrong := _mismatch(variable, tensor)) is not None:
            raise ValueError(
                f"it must hold {name!r} of shape {variable.shape}. Received: {wrong}. "
                "skip_mismatch=True leaves such weights as they are"
            )
    return tensors


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:50]) + (", ..." if len(names) > 50 else "")


def _mismatch(variable: Variable, tensor: Array | None) -> str | None:
    if tensor is None:
        return "nothing under this name"
    return None if tensor.shape == variable.shape else f"shape={tensor.shape}"


if TYPE_CHECKING:
    from cnn_core.foundation.model_file import FileLike
    from cnn_core.foundation.replacement import PathLike
    from cnn_core.network.built_model import BuiltModel

    load_model: Callable[..., Any]
    model_from_json: Callable[..., Any]
else:  # a checker must not take every name for known
    # What returns a model stands above, where models are known.
    __getattr__ = left_out.answer_for(
        __name__, dict.fromkeys(("load_model", "model_from_json"), "cnn_core.models.loading")
    )


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
