"""Files that Keras wrote, .keras, .h5 and .weights.h5, read as data: nothing in them is executed or unpacked."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import cnn_core.foundation.model_file as model_file
import cnn_core.foundation.model_header as model_header
import cnn_core.foundation.validation as validation
import cnn_core.interop.hdf5 as hdf5
import cnn_core.interop.keras_feature_space as keras_feature_space
import cnn_core.interop.keras_training as keras_training
from cnn_core.activations import HardSigmoid, Sparsemax
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.caller import warn_caller
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.foundation.records import NamedTuple
from cnn_core.foundation.serialization import CustomObjects, custom_objects_in_use
from cnn_core.foundation.stored_weights import room_for
from cnn_core.interop.hdf5 import Group
from cnn_core.interop.keras_tracing import has_unknown_classes, traced
from cnn_core.interop.keras_vocabularies import FILE, FOLDER, with_vocabularies
from cnn_core.interop.keras_weights import Part, Place, parts_of, places, places_before_keras_3, trainable_variables
from cnn_core.layers.base import registry
from cnn_core.network.graph import check_number_of_calls
from cnn_core.optimizers.applying import state_order
from cnn_core.training.compile_arguments import compile_as_in_keras
from cnn_core.training.trainer import Trainer

if TYPE_CHECKING:
    from cnn_core.network.built_model import BuiltModel


_ZIP = b"PK\x03\x04"
_EXPANSION = 10  # times its size in the archive: Keras compresses nothing, and weights compress badly
_ROOM = 1 << 20  # bytes that a member may have whatever its size in the archive

# What Python's reader of archives raises for damaged ones.
_DAMAGES = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, OverflowError, UnicodeDecodeError)


class _Source(NamedTuple):
    """What a file holds.

    Attributes
    ----------
    group : Group
        The file's root, or the archive's file of weights.
    weights : Group
        Where the weights are.
    before_keras_3 : bool
        Whether they are laid out as in .h5.
    config, training : str or None
        The model and the arguments of `compile`, as JSON; in an archive the former includes the latter.
    metadata : str or None
        Of an archive, as JSON.
    vocabularies : mapping of str to str
        Of an archive: its members that hold vocabularies.
    """

    group: Group
    weights: Group
    before_keras_3: bool
    config: str | None
    training: str | None
    metadata: str | None = None
    vocabularies: Mapping[str, str] = MappingProxyType({})


@knows_its_arguments
def from_keras(model: object) -> Any:
    """Return a model of Keras, or one that Keras has saved, as a model of ours.

    Parameters
    ----------
    model : keras.Model, str, path-like or binary file
        A file may be .keras of Keras 3 and of TensorFlow 2.12 and later, or .h5; it is read without Keras. A model, or
        layers in it, with a `call` of a user's own, whose classes are not registered here, comes in as what it is made
        of in prediction: that takes the object itself, called before on some rows.

    Returns
    -------
    Model
        With the weights, compiled as it was; training goes on where Keras left it, but for what a user's `call` made:
        there the optimizer's state stays behind.

    Raises
    ------
    ValueError
        If a layer has no counterpart here, or the file is damaged.
    TypeError
        If `model` is something else.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from cnn_core import Input, Sequential, layers
    >>> with TemporaryDirectory() as folder:
    ...     Sequential([Input((3,)), layers.Dense(2)], name="small").save(folder + "/model.keras")
    ...     from_keras(folder + "/model.keras")
    <Sequential name=small, built=True>
    """
    if isinstance(model, (str, os.PathLike)) or hasattr(model, "read"):
        return load_model(model)
    if not any(kind.__module__.partition(".")[0] in ("keras", "tf_keras") for kind in type(model).__mro__):
        raise TypeError(
            f"`model` must be a model of Keras or the path of its file. Received: model={validation.show(model)}"
        )
    if not has_unknown_classes(model):
        return _through_file(model)
    with traced(model) as functional:
        return _through_file(functional)


def _through_file(model: Any) -> Any:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.keras"
        model.save(path)
        return load_model(io.BytesIO(path.read_bytes()))


def load_model(filepath: Any, custom_objects: CustomObjects | None = None, compile: bool = True) -> Any:
    """Read a model that Keras saved: see `cnn_core.load_model`."""
    name = model_file.name_of(filepath)
    with model_header.refused_by_name(name), custom_objects_in_use(custom_objects):
        source = _opened(filepath)
        if source.config is None:
            raise ValueError("it holds weights, not a model: use load_weights")
        stored = source.weights.stored()
        config = model_header.parse(source.config, len(stored))
        if keras_feature_space.is_feature_space(config):
            space = keras_feature_space.read(config, source.vocabularies, source.weights, custom_objects)
            space.metadata.update(_texts(source))
            return space
        config = with_vocabularies(config, source.vocabularies, source.weights)
        with room_for(stored):
            model = _built(registry.deserialize(config, custom_objects), config)
        check_number_of_calls(model.inner_graph)
        parts = parts_of(model, config)
        for place, value in _read(source, parts, skip_mismatch=False):
            place.variable.write(value)
        model.metadata.update(_texts(source))
        _warn_of_differences(parts, _version(source).startswith("2."))
        written = config.get("compile_config") if source.training is None else model_header.parse(source.training)
        if compile and written and written.get("optimizer", written.get("optimizer_config")):
            _compile(model, written)
            _restore(model, source, parts)
    return model


def _compile(model: object, arguments: Mapping[str, object]) -> None:
    try:
        compile_as_in_keras(model, keras_training.modern(arguments))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{error}. compile=False loads the model without what it was compiled with") from error


def _warn_of_differences(parts: tuple[Part, ...], of_keras_2: bool) -> None:
    for part in parts:
        _warn_of_differences(part.parts or (), of_keras_2)
        activation = getattr(part.layer, "activation", None)
        reason = None
        if isinstance(activation, Sparsemax):
            reason = "Keras, whose sparsemax does not sum to 1 where several outputs are positive; ours does"
        if isinstance(activation, HardSigmoid) and of_keras_2:
            reason = "Keras 2, whose hard_sigmoid rises by 0.2 for every 1; ours and that of Keras 3 by 1/6"
        if reason is not None:
            warn_caller(f"layer {part.layer.name!r} predicts otherwise than in {reason}")


def load_weights(model: object, filepath: Any, skip_mismatch: bool = False) -> None:
    """Read weights that Keras saved: see `Model.load_weights`."""
    with model_header.refused_by_name(model_file.name_of(filepath)):
        for place, value in list(_read(_opened(filepath), parts_of(model), skip_mismatch)):
            place.variable.write(value)


def _built(model: object, config: Mapping[str, Any]) -> Any:
    if not isinstance(model, Trainer):
        raise ValueError(f"it must hold a model. Received: {validation.show(model)}")
    shape = (config.get("build_config") or {}).get("input_shape")
    if not model.built and shape:
        model.build(tuple(shape))  # type: ignore[attr-defined]
    if not model.built:
        raise ValueError(f"it must hold a model with an input. Received: {validation.show(model)}")
    return model


def _read(source: _Source, parts: tuple[Part, ...], skip_mismatch: bool) -> Iterator[tuple[Place, Array]]:
    """Yield every variable with its value, checked."""
    find = places_before_keras_3 if source.before_keras_3 else places
    for place in find(source.weights, parts):
        wrong = _mismatch(source.group, place)
        if wrong is None:
            assert place.path is not None
            yield place, place.variable.check(_native(source.group.array(place.path)))
        elif not skip_mismatch:
            raise ValueError(
                f"it must hold {place.variable.path!r} of shape {place.variable.shape}. Received: {wrong}. "
                "skip_mismatch=True leaves such weights as they are"
            )


def _mismatch(group: Group, place: Place) -> str | None:
    if place.path is None:
        return "nothing in its place"
    shape = group.array(place.path).shape
    return None if shape == place.variable.shape else f"shape={shape}"


def _native(array: Array) -> Array:
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _version(source: _Source) -> str:
    """Return the version of Keras that wrote a file, as far as it says so."""
    if source.metadata is None:
        return source.group.text("keras_version") or ""
    return str(model_header.parse(source.metadata).get("keras_version"))


def _texts(source: _Source) -> dict[str, str]:
    """Return the texts that `to_keras` sent along."""
    texts = model_header.parse(source.metadata).get("texts", {}) if source.metadata is not None else {}
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise ValueError(f"its 'texts' must map names to texts. Received: {validation.show(texts)}")
    return texts


def _restore(model: BuiltModel, source: _Source, parts: tuple[Part, ...]) -> None:
    """Hand the optimizer what the file has of its state, if anything."""
    if source.before_keras_3:
        state = source.group.group("optimizer_weights")
        paths = [] if state is None else state.texts("weight_names")
    else:
        state = source.group.group("optimizer", "vars")
        paths = [] if state is None else state.names()
    if state is None:
        return
    slot_by_slot = bool(paths) and paths[0].endswith("/iter:0")
    order = state_order(model.optimizer, trainable_variables(parts), slot_by_slot=slot_by_slot)
    keras_training.restore(model, order, [state.array(path) for path in paths])


# Opening


def _opened(filepath: Any) -> _Source:
    is_path = isinstance(filepath, (str, os.PathLike))
    with open(filepath, "rb") if is_path else nullcontext(filepath) as file:  # noqa: PTH123 - as all other files
        data = file.read()
    return _from_archive(data) if data.startswith(_ZIP) else _from_hdf5(hdf5.root_of(data))


def _from_hdf5(group: Group) -> _Source:
    described, training = group.text("model_config"), group.text("training_config")
    weights = group.group("model_weights") if described is not None else group
    if weights is None or not weights.texts("layer_names"):
        return _Source(group, group, False, None, None)
    return _Source(group, weights, True, described, training)


def _from_archive(data: bytes) -> _Source:
    """Take three members of an archive, and vocabularies; whatever else is in it stays there."""
    most = _EXPANSION * len(data) + _ROOM
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            config = _member(archive, "config.json", min(model_file.MAX_HEADER, most)).decode()
            metadata = _member(archive, "metadata.json", min(model_file.MAX_HEADER, most)).decode()
            weights = _member(archive, "model.weights.h5", most)
            vocabularies = {
                name: _member(archive, name, most).decode()
                for name in archive.namelist()
                if name.startswith(FOLDER) and name.endswith(f"/{FILE}")
            }
    except _DAMAGES as error:
        raise ValueError(f"its archive is damaged: {error}") from None
    group = hdf5.root_of(weights)
    return _Source(group, group, False, config, None, metadata, vocabularies)


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    try:
        described = archive.getinfo(name)
    except KeyError:
        raise ValueError(f"its archive must hold {name!r}. Received: none") from None
    if described.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"its {name!r} must be stored or deflated. Received: method {described.compress_type}")
    if described.file_size > most:
        raise ValueError(f"its {name!r} must be at most {most} bytes. Received: {described.file_size} bytes")
    return archive.read(described)
