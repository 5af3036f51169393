"""Models of ours as files of Keras 3, written without Keras, and as models of Keras."""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.foundation.model_file as model_file
import cnn_core.foundation.validation as validation
import cnn_core.interop.hdf5_writer as hdf5_writer
import cnn_core.interop.keras_feature_space as keras_feature_space
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.extras import need
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.interop.hdf5_writer import Branch
from cnn_core.interop.keras_description import compile_config_of, description_of
from cnn_core.interop.keras_weights import (
    Part,
    is_model,
    layers_held_by,
    numbered,
    own_variables,
    part_of,
    parts_of,
    trainable_variables,
)
from cnn_core.optimizers.applying import state_order
from cnn_core.optimizers.base import first_state

if TYPE_CHECKING:
    from cnn_core.network.built_model import BuiltModel


_VERSION = "3.5.0"  # of Keras, whose layout the files have


@knows_its_arguments
def to_keras(model: BuiltModel, path: Any = None, *, compile: bool = True) -> Any:
    """Write a model as a file of Keras 3, or return it as a model of Keras.

    Parameters
    ----------
    model : Model
    path : str or path-like, default None
        Of a file that ends in ".keras". With it, Keras itself is not needed, and nothing is returned.
    compile : bool, default True
        Whether losses, metrics and the optimizer with its state go along, if the model is compiled.

    Returns
    -------
    keras.Model or None

    Raises
    ------
    TypeError
        If `model` is no model.
    ValueError
        If it has not been built yet, Keras has no counterpart of something in it, or `path` ends in something else.
    ImportError
        Without `path`, if Keras is not installed.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from cnn_core import Input, Sequential, layers, load_model
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "model.keras"
    ...     to_keras(Sequential([Input((3,)), layers.Dense(2)], name="small"), path)
    ...     load_model(path)
    <Sequential name=small, built=True>
    """
    if not is_model(model):
        raise TypeError(f"`model` must be a model of cnn_core. Received: model={validation.show(model)}")
    if path is not None:
        if not os.fspath(path).endswith(".keras"):
            raise ValueError(f"`path` must end in '.keras'. Received: path={os.fspath(path)!r}")
        model_file.write_bytes(path, archive_of(model, model.metadata, compile=compile))
        return None
    keras = need("keras", "keras", "to_keras without `path`")
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "model.keras"
        file.write_bytes(archive_of(model, {}, compile=compile))
        return keras.saving.load_model(file, compile=compile)


def archive_of(model: Any, texts: Mapping[str, str], *, compile: bool = True, with_state: bool = True) -> bytes:
    """Return a file of Keras.

    Parameters
    ----------
    model : Model
        Which has been built.
    texts : mapping of str to str
        Texts that travel with it: Keras does not look at them, `load_model` gives them back.
    compile : bool, default True
        Whether to describe what it was compiled with.
    with_state : bool, default True
        Whether to write the optimizer's state, too.
    """
    space = keras_feature_space.is_feature_space(model)
    config = keras_feature_space.described(model) if space else description_of(model)
    if compile and model.compiled and not space:
        config["compile_config"] = compile_config_of(model)
    written = datetime.now(UTC).strftime("%Y-%m-%d@%H:%M:%S")
    metadata = {"keras_version": _VERSION, "date_saved": written, **({"texts": dict(texts)} if texts else {})}
    with_state = with_state and "compile_config" in config
    weights = keras_feature_space.weights_of(model) if space else weights_of(model, with_state=with_state)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("metadata.json", json.dumps(metadata))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights)
    return file.getvalue()


def weights_of(model: Any, *, with_state: bool = False) -> bytes:
    """Return a file of weights as Keras 3 lays them out, with or without the optimizer's state."""
    parts = parts_of(model)
    members = {"vars": Branch({}, {"name": model.name}), "layers": _layers(parts)}
    if with_state:
        state = {str(number): array for number, array in enumerate(_state(model, parts))}
        members["optimizer"] = Branch({"vars": Branch(state, {"name": model.optimizer.name})})
    file = io.BytesIO()
    hdf5_writer.write(file, Branch(members))
    return file.getvalue()


def _layers(parts: tuple[Part, ...]) -> Branch:
    return Branch({group: _branch(part, set()) for part, group in zip(parts, numbered(parts), strict=True)})


def _branch(part: Part, known: set[int]) -> Branch:
    """Return a layer with its variables and what it holds; layers that have been written before, only once."""
    known.add(id(part.layer))
    name = {"name": part.layer.name}
    if part.parts is not None:
        return Branch({"vars": Branch({}, name), "layers": _layers(part.parts)})
    arrays = {str(number): variable.array for number, variable in enumerate(own_variables(part.layer))}
    if (idf := getattr(part.layer, "idf_weights", None)) is not None:  # not a variable here
        arrays["idf_weights"] = idf
    members: dict[str, Branch | Array] = {"vars": Branch(arrays, name)}
    for (first, *others), inner in layers_held_by(part.layer):
        if id(inner) in known:
            continue
        branch = _branch(part_of(inner), known)
        if others:
            container = members.setdefault(first, Branch({}))
            container.members[others[0]] = branch  # type: ignore[union-attr, index]
        else:
            members[first] = branch
    return Branch(members)


def _state(model: Any, parts: tuple[Part, ...]) -> Iterator[Array]:
    """Yield the arrays of the optimizer in Keras's order, its first values before the first training."""
    optimizer = model.optimizer
    yield np.array(optimizer.batches_seen, np.int32)
    if optimizer.schedule is None:
        yield np.array(optimizer.learning_rate, np.float32)
    found = model.optimizer_state()
    places = {id(variable): place for place, variable in enumerate(model.trainable_variables)}
    for name, variable in state_order(optimizer, trainable_variables(parts)):
        place = places[id(variable)]
        kept = {
            slot: found[slot][place]
            if slot in found
            else np.full(variable.shape, first_state(initial, variable.array), model.array_dtype)
            for slot, initial in (*optimizer.slots(), *optimizer.tail_slots())
        }
        yield optimizer.slot_value(name, variable, kept)
    if hasattr(optimizer, "momentum_product"):
        yield np.array(optimizer.momentum_product(optimizer.batches_seen), model.array_dtype)
