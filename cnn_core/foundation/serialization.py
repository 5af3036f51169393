"""Names for objects and objects for names: what lets a configuration travel as plain data.

Data can only name what a `Registry` lists, what the caller passes in `custom_objects` and what the program
has registered by itself; nothing named in data is ever imported. Knows nothing about any particular kind of object.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, TypeVar

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.foundation.suggestions import alphabetical, did_you_mean

CustomObjects = Mapping[str, Any]
Registered = TypeVar("Registered")
Named = TypeVar("Named", bound=Callable[..., Any])

# What `deserialize(..., custom_objects)` was given, for the nested objects that are built while it runs. A context
# variable, so that two threads that load models at once do not see each other's objects.
OPERATIONS = "keras.src.ops."  # where Keras keeps the classes of its functions, as files name them
_CUSTOM_OBJECTS: ContextVar[CustomObjects | None] = ContextVar("custom_objects", default=None)
# What the program itself has registered for good.
_REGISTERED_OBJECTS: dict[str, Any] = {}
# What the package's own registries name, and under which names: data need not say whose it is.
_BUILT_IN: set[Any] = set()
_BUILT_IN_NAMES: set[str] = set()
_KINDS: dict[type, set[str]] = {}  # the registries, by their arguments, that name a class


@functools.cache  # of few names, and again for every layer
def snake_case(name: str) -> str:
    """Turn a class name into the name that Keras gives its instances.

    Parameters
    ----------
    name : str
        A name such as ``"MeanSquaredError"``.

    Returns
    -------
    str

    Examples
    --------
    >>> snake_case("MeanSquaredError"), snake_case("AUC"), snake_case("L1L2")
    ('mean_squared_error', 'auc', 'l1l2')
    """
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def function_name(function: object, owner: str, unnamed: str = "<lambda>") -> str:
    """Return the name by which data tell of a function; `custom_objects` must hold it under that when loading.

    `unnamed` is that of an object which can be called and has no `__name__`.

    Raises
    ------
    ValueError
        If it has none; `owner` is what wraps it, for the message.

    Examples
    --------
    >>> function_name(lambda x: x, "layer")
    Traceback (most recent call last):
    ...
    ValueError: 'layer' cannot be described as data: its function has no name. Use a named function, and pass it in \
custom_objects when loading
    """
    name = str(getattr(function, "__name__", unnamed))
    if name == "<lambda>":
        raise ValueError(
            f"{owner!r} cannot be described as data: its function has no name. Use a named function, and pass it in "
            "custom_objects when loading"
        )
    return name


def serialize(value: object) -> Any:
    """Turn an object, or a structure of objects, into data that JSON can hold.

    An object with `get_config` becomes ``{"class_name": ..., "config": ...}``, as in Keras with a third key,
    "registered_name", where a custom class is registered or has a name of the package's; mappings and sequences are
    walked; NumPy numbers and arrays become numbers and lists. An object with a `short_name` becomes that name.

    Parameters
    ----------
    value : object
        None, a number, string, array, sequence, mapping, or an object with `get_config`.

    Returns
    -------
    object
        None, bool, int, float, str, list or dict.

    Raises
    ------
    TypeError
        If the value is none of these.

    Examples
    --------
    >>> serialize({"rate": np.float32(0.5), "shape": (2, 3)})
    {'rate': 0.5, 'shape': [2, 3]}
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (np.generic, np.ndarray)):
        if value.dtype.kind not in "biufUS":
            raise TypeError(f"An array in a configuration must hold numbers or strings. Received: dtype={value.dtype}")
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): serialize(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [serialize(item) for item in value]
    if (name := getattr(value, "short_name", None)) is not None and not isinstance(value, type):
        return name
    if hasattr(value, "get_config") and not isinstance(value, type):
        data = {"class_name": class_name_of(value), "config": serialize(value.get_config())}
        if isinstance(module := getattr(value, "keras_module", None), str):
            data = {"module": module, **data}
        registered_name = _registered_name(value)
        return data if registered_name is None else {**data, "registered_name": registered_name}
    raise TypeError(
        f"An object in a configuration must be plain data or have a `get_config` method. Received: {value!r}"
    )


def class_name_of(value: object) -> str:
    """Return the name under which `serialize` writes an object: its `registered_name`, or else its class's name."""
    return str(getattr(value, "registered_name", None) or type(value).__name__)


def _registered_name(value: object) -> str | None:
    """Return what tells an object of the user's from the package's: "package>name", or the name if that is taken."""
    if type(value) in _BUILT_IN:
        return None
    target = getattr(value, "target", value)
    for name, registered in _REGISTERED_OBJECTS.items():
        if ">" in name and (registered is target or registered is type(target)):
            return name
    name = class_name_of(value)
    return name if _fold(name) in _BUILT_IN_NAMES else None


@contextmanager
@knows_its_arguments
def custom_objects_in_use(custom_objects: CustomObjects | None) -> Iterator[None]:
    """Let every lookup inside the block see `custom_objects` besides those of the blocks around it.

    Loading a model enters it once, so that a layer's constructor finds a custom activation that the data names.
    """
    if not custom_objects:
        yield
        return
    token = _CUSTOM_OBJECTS.set({**(_CUSTOM_OBJECTS.get() or {}), **custom_objects})
    try:
        yield
    finally:
        _CUSTOM_OBJECTS.reset(token)


def objects_in_use() -> CustomObjects:
    """Return what the blocks of `custom_objects_in_use` around the caller let lookups see.

    Examples
    --------
    >>> with custom_objects_in_use({"double": abs}):
    ...     objects_in_use()
    {'double': <built-in function abs>}
    """
    return _CUSTOM_OBJECTS.get() or {}


def get_custom_objects() -> dict[str, Any]:
    """Return what the program has registered by name for every lookup, as a dict that can be changed.

    Examples
    --------
    >>> get_custom_objects()
    {}
    """
    return _REGISTERED_OBJECTS


@knows_its_arguments
def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[Named], Named]:
    """Decorate a custom class or function, so that files that name it can be loaded without `custom_objects`.

    Parameters
    ----------
    package : str, default "Custom"
        Data names the object "package>name", as Keras does. The name alone finds it too, unless it is one of the
        package's own names, such as "Dense", or an object of another package had it first.
    name : str, default None
        None: the class's own name.

    Examples
    --------
    >>> from cnn_core import activations, utils
    >>> @utils.register_keras_serializable()
    ... class Cube:
    ...     def forward(self, z):
    ...         return z**3
    ...     def derivative(self, z, a):
    ...         return 3 * z**2
    >>> float(activations.get("Cube")(2.0))
    8.0
    >>> utils.get_custom_objects().clear()
    """

    def register(target: Named) -> Named:
        called = target.__name__ if name is None else validation.text(name, "name")
        _REGISTERED_OBJECTS[f"{validation.text(package, 'package')}>{called}"] = target
        return target

    return register


def kinds_of(cls: type) -> list[str]:
    """Return the arguments of the registries that name a class or one that it is made from, the nearest first.

    Examples
    --------
    >>> from cnn_core import losses
    >>> kinds_of(losses.Huber), kinds_of(int)
    (['loss'], [])
    """
    return [kind for parent in cls.__mro__ for kind in _KINDS.get(parent, ())]


class Registry:
    """Hold the named objects of one kind, and translate between names, data and objects.

    Parameters
    ----------
    argument : str
        How messages call the thing, usually the argument that receives it: ``"activation"``.
    takes : tuple of str, default ()
        The other kinds whose objects may stand for one of this kind, such as a loss for a metric.

    Attributes
    ----------
    homes : dict of str to str
        The modules that enter names when they are loaded, which nobody has asked for yet.

    Examples
    --------
    >>> shapes = Registry("shape")
    >>> @shapes.register("ring")
    ... class Circle:
    ...     def __init__(self, radius=1.0):
    ...         self.radius = radius
    ...     def get_config(self):
    ...         return {"radius": self.radius}
    >>> shapes.get("circle").radius, shapes.get("ring").radius
    (1.0, 1.0)
    >>> shapes.serialize(Circle(2.0))
    {'class_name': 'Circle', 'config': {'radius': 2.0}}
    >>> shapes.deserialize({"class_name": "Circle", "config": {"radius": 3.0}}).radius
    3.0
    >>> shapes.get("circel")
    Traceback (most recent call last):
    ...
    ValueError: `shape` must be one of 'Circle', 'ring'. Received: 'circel'. Did you mean 'Circle'?
    """

    _all: ClassVar[list[Registry]] = []

    def __init__(self, argument: str, takes: tuple[str, ...] = ()) -> None:
        self.argument = argument
        self._takes = (argument, *takes)
        self._all.append(self)
        self.homes: dict[str, str] = {}
        self._named: dict[str, Any] = {}
        self._folded: dict[str, str] = {}

    @classmethod
    def all(cls) -> list[Registry]:
        """Return the registries of all kinds that have been loaded."""
        return list(cls._all)

    def register(self, *aliases: str, name: str | None = None) -> Callable[[Registered], Registered]:
        """Return a decorator that enters a class or function under its own name, or `name`, and `aliases`.

        Raises
        ------
        ValueError
            If a name is already taken by another object.
        """

        def enter(target: Registered) -> Registered:
            own_name = name or str(target.__name__)  # type: ignore[attr-defined]
            for each in (own_name, *aliases):
                self._enter(each, target)
            return target

        return enter

    def _enter(self, name: str, target: object) -> None:
        known = self._named.get(self._folded.get(_fold(name), name), target)
        if known is not target:
            raise ValueError(f"`{self.argument}` named {name!r} exists already: {known!r}")
        self._named[name] = target
        if isinstance(target, type):
            _KINDS.setdefault(target, set()).add(self.argument)
        _BUILT_IN.add(target)
        _BUILT_IN_NAMES.add(_fold(name))
        self._folded.setdefault(_fold(name), name)

    def names(self) -> list[str]:
        """Return every registered name and alias, sorted."""
        return sorted(self._named)

    def find(self, name: str, custom_objects: CustomObjects | None = None) -> Any:
        """Return what is registered under `name`.

        `custom_objects` come first, and only under their exact keys; then the exact name; then the name without
        regard to capitals and underscores, so that ``"MeanSquaredError"``, ``"mean_squared_error"`` are one; last what
        the program has registered, "package>name" or the name alone.

        Parameters
        ----------
        name : str
        custom_objects : mapping of str to object, default None

        Returns
        -------
        object

        Raises
        ------
        TypeError
            If `name` is not a string.
        ValueError
            If the name is unknown; the message lists the known names in alphabetical order, and the nearest one.
        """
        if not isinstance(name, str):
            raise TypeError(f"The name of `{self.argument}` must be a string. Received: {name!r}")
        if (found := _handed_in(name, custom_objects)) is not None:
            return found
        if name in self.homes:
            importlib.import_module(self.homes.pop(name))
        if name in self._named:
            return self._named[name]
        if (known := self._folded.get(_fold(name))) is not None:
            return self._named[known]
        if (found := _registered(name)) is not None:
            return found
        raise self._unknown_name(name, custom_objects)

    def find_own(self, name: str, registered_name: str, custom_objects: CustomObjects | None = None) -> Any:
        """Return the user's object that data names; never one of the package's that happens to have the name."""
        for each in (registered_name, name):
            if (found := _handed_in(each, custom_objects)) is not None:
                return found
        found = _REGISTERED_OBJECTS.get(registered_name)
        if found is None and ">" not in registered_name:
            found = _registered(registered_name)
        if found is None:
            raise self._unknown_name(name, custom_objects)
        return found

    def _unknown_name(self, name: str, custom_objects: CustomObjects | None) -> ValueError:
        # One spelling of each name is enough to read: the first that was entered.
        registered = (known.rpartition(">")[2] for known in _REGISTERED_OBJECTS)
        names = {*self._folded.values(), *(custom_objects or {}), *(_CUSTOM_OBJECTS.get() or {}), *registered}
        known = ", ".join(map(repr, alphabetical(names))) or "those in custom_objects"
        return ValueError(
            f"`{self.argument}` must be one of {known}. Received: {name[:200]!r}{did_you_mean(name, names)}"
        )

    def get(self, identifier: object, custom_objects: CustomObjects | None = None) -> Any:
        """Return the object that `identifier` stands for.

        Parameters
        ----------
        identifier : None, str, dict, class or object
            None stays None; a string is a name; a dict is what `serialize` wrote; a class is called without
            arguments; any other object is returned as it is.
        custom_objects : mapping of str to object, default None

        Returns
        -------
        object

        Raises
        ------
        ValueError
            If a name is unknown or a configuration does not fit.
        """
        if identifier is None:
            return None
        if isinstance(identifier, (str, Mapping)):
            return self.deserialize(identifier, custom_objects)
        self._refuse_other_kinds(identifier)
        return identifier() if isinstance(identifier, type) else identifier

    def _refuse_other_kinds(self, identifier: object) -> None:
        """Refuse objects of the package's that are called like one of this kind, and mean something else."""
        cls = identifier if isinstance(identifier, type) else type(identifier)
        for kind in kinds_of(cls):
            if kind not in self._takes:
                raise TypeError(
                    f"`{self.argument}` must be no {kind}. Received: {self.argument}={validation.show(identifier)}"
                )

    def serialize(self, value: object) -> Any:
        """Return `value` as data: see the function `serialize`."""
        return serialize(value)

    def deserialize(self, config: object, custom_objects: CustomObjects | None = None) -> Any:
        """Build the object that a configuration describes.

        Parameters
        ----------
        config : None, str or dict
            A name, or ``{"class_name": name, "config": {...}}``; other keys, such as those that Keras writes, are
            ignored.
        custom_objects : mapping of str to object, default None
            Classes, functions or objects that the configuration may name besides the registered ones; objects nested
            in the configuration may name them too.

        Returns
        -------
        object

        Raises
        ------
        TypeError
            If `config` is neither None, a string nor a mapping.
        ValueError
            If a name is unknown or a configuration does not fit its class.
        """
        if config is None:
            return None
        if isinstance(config, str):
            return self._instance(self.find(config, custom_objects), {}, custom_objects)
        if isinstance(config, Mapping):
            return self._instance(*self._read(config, custom_objects), custom_objects)
        raise TypeError(f"`{self.argument}` must be a name or a configuration. Received: {validation.show(config)}")

    def _instance(self, target: object, settings: dict[str, Any], custom_objects: CustomObjects | None) -> Any:
        if not isinstance(target, type):
            return target
        if not custom_objects:
            return self._build(target, settings)
        with custom_objects_in_use(custom_objects):
            return self._build(target, settings)

    def _read(self, config: Mapping[str, object], custom_objects: CustomObjects | None) -> tuple[Any, dict[str, Any]]:
        if "class_name" not in config:
            raise ValueError(
                f"The configuration of `{self.argument}` must have the key 'class_name'. "
                f"Received: {validation.show(config)}"
            )
        settings = config.get("config")
        # Keras writes a function as a dict whose "config" is the function's name.
        if config["class_name"] == "function" and isinstance(settings, str):
            return self.find(settings, custom_objects), {}
        if settings is not None and not isinstance(settings, Mapping):
            raise ValueError(
                f"'config' in the configuration of `{self.argument}` must be a dict. "
                f"Received: {validation.show(config)}"
            )
        return self._named_in(config, custom_objects), dict(settings or {})

    def _named_in(self, config: Mapping[str, Any], custom_objects: CustomObjects | None) -> Any:
        """Find the class that data names: with a registered name it is the user's, unless Keras writes its own so."""
        name, registered_name = config["class_name"], config.get("registered_name")
        if not isinstance(registered_name, str) or str(config.get("module")).partition(".")[0] == "keras":
            return self.find(name, custom_objects)
        return self.find_own(name, registered_name, custom_objects)

    def _build(self, target: type, settings: dict[str, Any]) -> Any:
        try:
            from_config = getattr(target, "from_config", None)
            return target(**settings) if from_config is None else from_config(settings)
        except TypeError as error:
            raise ValueError(
                f"The configuration of `{self.argument}` {target.__name__!r} does not fit it: {error}. "
                f"Received: config={validation.show(settings)}"
            ) from error


def _handed_in(name: str, custom_objects: CustomObjects | None) -> Any:
    for mapping in (custom_objects, _CUSTOM_OBJECTS.get(), _REGISTERED_OBJECTS):
        if mapping and name in mapping:
            return mapping[name]
    return None


def is_operation(config: Mapping[str, object]) -> bool:
    """Tell whether a configuration, ours or Keras's, is that of a function of `ops`."""
    return str(config.get("module")).startswith(OPERATIONS)


def _registered(name: str) -> Any:
    """Return what is registered under a name without its package; the first, if several packages have it."""
    return next((found for key, found in _REGISTERED_OBJECTS.items() if key.rpartition(">")[2] == name), None)


def _fold(name: str) -> str:
    return name.replace("_", "").lower()
