"""Feature spaces in files of Keras, in and out: their layers are no part of a graph there, but kept by columns."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

import cnn_core.interop.hdf5_writer as hdf5_writer
from cnn_core.foundation.serialization import CustomObjects, class_name_of
from cnn_core.interop.hdf5 import Group
from cnn_core.interop.hdf5_writer import Branch
from cnn_core.interop.keras_description import description_of
from cnn_core.interop.keras_vocabularies import groups_of, with_vocabulary
from cnn_core.layers.base import Layer, registry
from cnn_core.layers.reshaping import Identity

_CLASS = "FeatureSpace"
_HOME = "keras.src.layers.preprocessing.feature_space"
_PLAIN = "TFDIdentity"  # Keras's layer of columns that are left as they are
_CONTAINER = "preprocessors"


def is_feature_space(model: object) -> bool:
    """Tell whether a model, or the configuration of one, is that of a feature space."""
    return (model.get("class_name") if isinstance(model, Mapping) else class_name_of(model)) == _CLASS


def read(
    config: Mapping[str, Any], texts: Mapping[str, str], weights: Group, custom_objects: CustomObjects | None
) -> Any:
    """Make the feature space that Keras has described, with what it had learned.

    Parameters
    ----------
    config : mapping
    texts : mapping of str to str
        The members of the archive that hold vocabularies, by their names.
    weights : Group
    custom_objects : dict of str to object, or None

    Raises
    ------
    ValueError
        If it had learned nothing yet, or something is missing.
    """
    settings = config["config"]
    features = {name: dict(each["config"]) for name, each in settings["features"].items()}
    paths = [(_CONTAINER, group) for group in groups_of(each["preprocessor"] for each in features.values())]
    for feature, path in zip(features.values(), paths, strict=True):
        layer = with_vocabulary(feature["preprocessor"], path, texts, weights)
        feature["preprocessor"] = {**layer, "class_name": "Identity"} if layer["class_name"] == _PLAIN else layer
    crosses = [each["config"] for each in settings.get("crosses") or ()]
    given = {**settings, "features": features, "crosses": crosses, "is_adapted": True}
    model = registry.deserialize({"class_name": _CLASS, "config": given}, custom_objects)
    for layer, path in zip(model.preprocessors.values(), paths, strict=True):
        _read_variables(layer, weights.group(*path, "vars"))
    return model


def _read_variables(layer: Layer, own: Group | None) -> None:
    for number, variable in enumerate(layer.variables):
        if own is None or str(number) not in own.names():
            raise ValueError(
                f"it must hold {variable.path!r} of shape {variable.shape}. Received: nothing in its place"
            )
        variable.write(variable.check(own.array(str(number))))


def described(model: Any) -> dict[str, Any]:
    """Return a feature space as Keras describes its own."""
    settings = model.get_config()
    features = {
        name: _object("Feature", {**each, "preprocessor": _preprocessor(model.preprocessors[name])})
        for name, each in settings["features"].items()
    }
    config = {
        "features": features,
        "output_mode": settings["output_mode"],
        "crosses": [_object("Cross", each) for each in settings["crosses"]],
        **{name: settings[name] for name in ("crossing_dim", "hashing_dim", "num_discretization_bins")},
    }
    shapes = {name: {"input_shape": [None, 1]} for name in features}
    entry = {"module": "keras.utils", "class_name": _CLASS, "config": config, "registered_name": None}
    return {**entry, "build_config": shapes}


def _object(class_name: str, config: Mapping[str, object]) -> dict[str, Any]:
    return {"module": _HOME, "class_name": class_name, "config": dict(config), "registered_name": class_name}


def _preprocessor(layer: Layer) -> dict[str, Any]:
    if type(layer) is Identity:
        made = _object(_PLAIN, {"name": layer.name, "dtype": layer.dtype})
    else:
        made = description_of(layer)
    return {**made, "build_config": {"input_shape": [None, 1]}}


def weights_of(model: Any) -> bytes:
    """Return a file of the weights of its layers, as Keras lays them out."""
    layers = list(model.preprocessors.values())
    branches = {group: _branch(layer) for group, layer in zip(_groups(layers), layers, strict=True)}
    file = io.BytesIO()
    hdf5_writer.write(file, Branch({"vars": Branch({}, {"name": model.name}), _CONTAINER: Branch(branches)}))
    return file.getvalue()


def _groups(layers: list[Layer]) -> Iterator[str]:
    names = (_PLAIN if type(layer) is Identity else type(layer).__name__ for layer in layers)
    return groups_of({"class_name": name} for name in names)


def _branch(layer: Layer) -> Branch:
    arrays = {str(number): variable.array for number, variable in enumerate(layer.variables)}
    if (idf := getattr(layer, "idf_weights", None)) is not None:  # not a variable here
        arrays["idf_weights"] = idf
    return Branch({"vars": Branch(arrays, {"name": layer.name})})
