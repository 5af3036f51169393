"""Objects of every kind as data and back, under the names of Keras's `serialize_keras_object`.

The registries know the objects of their own kinds; a configuration says by its module which of them is asked.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import EllipsisType
from typing import Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.foundation.serialization import (
    CustomObjects,
    Registry,
    custom_objects_in_use,
    function_name,
    get_custom_objects,
    kinds_of,
    objects_in_use,
    serialize,
)

# Where Keras has the objects of each registry.
_MODULES = {
    "activation": "keras.activations",
    "constraint": "keras.constraints",
    "initializer": "keras.initializers",
    "layer": "keras.layers",
    "learning_rate": "keras.optimizers.schedules",
    "loss": "keras.losses",
    "metric": "keras.metrics",
    "optimizer": "keras.optimizers",
    "regularizer": "keras.regularizers",
}
_MODELS = ("Functional", "Model", "Sequential")
_CUSTOM = Registry("config")  # names nothing itself


@knows_its_arguments
def serialize_keras_object(obj: object) -> Any:
    """Return an object, or a structure of objects, as data that JSON can hold and `deserialize_keras_object` reads.

    Parameters
    ----------
    obj : object
        None, numbers, texts, arrays, lists, tuples, which become lists, dicts, and what `get_config` describes: layers,
        models, losses, metrics, optimizers, schedules, activations, initializers, regularizers, constraints; functions
        by name.

    Returns
    -------
    object
        An object becomes ``{"module": ..., "class_name": ..., "config": ..., "registered_name": ...}``.

    Raises
    ------
    TypeError
        If it is none of these.
    ValueError
        If a function has no name.

    Examples
    --------
    >>> serialize_keras_object({"shape": (2, 3), "rate": np.float32(0.5), "text": b"a"})
    {'shape': [2, 3], 'rate': 0.5, 'text': {'class_name': '__bytes__', 'config': {'value': 'a'}}}
    """
    for kind, name, config in _SPECIAL:
        if isinstance(obj, kind) and not (isinstance(obj, np.ndarray) and obj.ndim == 0):
            return {"class_name": name, "config": config(obj)}
    if isinstance(obj, (list, tuple)):
        return [serialize_keras_object(each) for each in obj]
    if isinstance(obj, Mapping):
        return {str(key): serialize_keras_object(each) for key, each in obj.items()}
    if inspect.isfunction(obj):
        return _function(function_name(obj, "obj"), get_registered_name(obj))
    if isinstance(obj, type) or not hasattr(obj, "get_config"):
        return serialize(obj)
    data = serialize(obj)
    if isinstance(data, str):  # an activation with its usual settings
        return _function(data)
    kind = next(iter(kinds_of(type(obj))), "")
    module = "keras" if data["class_name"] in _MODELS else _MODULES.get(kind, type(obj).__module__)
    return _described(module, data["class_name"], data["config"], data.get("registered_name"))


@knows_its_arguments
def deserialize_keras_object(
    config: object, custom_objects: CustomObjects | None = None, safe_mode: bool = True
) -> Any:
    """Return what `serialize_keras_object` has described, here or in Keras.

    Parameters
    ----------
    config : object
    custom_objects : dict, default None
        Custom classes and functions by name.
    safe_mode : bool, default True
        Changes nothing: data never runs code.

    Raises
    ------
    ValueError
        If a name is unknown, or a configuration does not fit its class.

    Examples
    --------
    >>> from cnn_core import losses
    >>> deserialize_keras_object(serialize_keras_object([losses.Huber(0.5), (1, 2)]))
    [Huber(name='huber_loss', reduction='sum_over_batch_size', delta=0.5), [1, 2]]
    """
    validation.boolean(safe_mode, "safe_mode")
    with custom_objects_in_use(custom_objects):
        return _read(config)


def _read(config: object) -> Any:
    if isinstance(config, list):
        return [_read(each) for each in config]
    if not isinstance(config, Mapping):
        return config
    if "class_name" not in config or "config" not in config:
        return {key: _read(each) for key, each in config.items()}
    name, settings = config["class_name"], config["config"]
    if name in _READERS:
        return _READERS[name](settings)
    if name == "__lambda__":
        raise ValueError(
            "A lambda in data would be code: use a named function and `custom_objects`. Received: __lambda__"
        )
    if name == "function":
        return _function_named(str(settings), str(config.get("registered_name")))
    return _registry_of(config).deserialize(config)


def _registry_of(config: Mapping[str, object]) -> Registry:
    """Return the registry that knows a class: by the module that the data names, else by the class's own name."""
    module, name = str(config.get("module")), str(config["class_name"])
    places = module.split(".")
    kind = next((kind for kind, home in _MODULES.items() if home.rpartition(".")[2] in places), None)
    if kind is None and places[0] == "keras":
        kind = "layer"  # models are layers
    for registry in Registry.all():
        if registry.argument == kind or (kind is None and name in registry.names()):
            return registry
    return _CUSTOM


def _function_named(name: str, registered_name: str) -> Any:
    """Return a custom function, or what a name of the package's stands for."""
    found = get_registered_object(registered_name) or get_registered_object(name)
    for registry in Registry.all():
        if found is None and name in registry.names():
            found = registry.deserialize(name)
    return _found(name) if found is None else found


def _found(name: str) -> Any:
    found = get_registered_object(name)
    if found is None:
        raise ValueError(f"`custom_objects` must hold what data names. Received: no {name!r}")
    return found


@knows_its_arguments
def get_registered_name(obj: Any) -> str:
    """Return the name under which a class or function is registered, "package>name"; its own name if it is not.

    Examples
    --------
    >>> get_registered_name(serialize_keras_object)
    'serialize_keras_object'
    """
    found = next((name for name, target in get_custom_objects().items() if target is obj), None)
    if found is None and not hasattr(obj, "__name__"):
        raise TypeError(f"`obj` must be a class or a function. Received: obj={validation.show(obj)}")
    return str(found or obj.__name__)


@knows_its_arguments
def get_registered_object(
    name: str, custom_objects: CustomObjects | None = None, module_objects: CustomObjects | None = None
) -> Any:
    """Return the custom class or function of a name: of a `custom_object_scope`, registered, or given. None: none.

    Parameters
    ----------
    name : str
    custom_objects, module_objects : dict, default None
        Where to look last.

    Examples
    --------
    >>> get_registered_object("double", {"double": abs})
    <built-in function abs>
    """
    for objects in (objects_in_use(), get_custom_objects(), custom_objects, module_objects):
        if objects and name in objects:
            return objects[name]
    return None


def _function(name: str, registered_name: str = "function") -> dict[str, Any]:
    registered = registered_name if ">" in registered_name else "function"
    return _described("builtins", "function", name, registered)


def _described(module: str, name: str, config: object, registered_name: str | None) -> dict[str, Any]:
    return {"module": module, "class_name": name, "config": config, "registered_name": registered_name}


def _ends(given: slice) -> dict[str, Any]:
    return {name: serialize_keras_object(getattr(given, name)) for name in ("start", "stop", "step")}


_SPECIAL: tuple[tuple[Any, str, Callable[[Any], Any]], ...] = (
    (bytes, "__bytes__", lambda given: {"value": given.decode("utf-8")}),
    (slice, "__slice__", _ends),
    (EllipsisType, "__ellipsis__", lambda given: {}),
    (np.ndarray, "__numpy__", lambda given: {"value": given.tolist(), "dtype": given.dtype.name}),
)
_READERS: dict[Any, Callable[[Any], Any]] = {
    "__bytes__": lambda settings: settings["value"].encode("utf-8"),
    "__tuple__": lambda settings: tuple(_read(each) for each in settings["value"]),
    "__slice__": lambda settings: slice(*(_read(settings[name]) for name in ("start", "stop", "step"))),
    "__ellipsis__": lambda settings: ...,
    "__numpy__": lambda settings: np.array(settings["value"], settings["dtype"]),
    "__tensor__": lambda settings: np.array(settings["value"], settings["dtype"]),
}
