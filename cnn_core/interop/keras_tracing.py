"""Models of Keras whose `call` a user has written, as functional models of Keras: what they are made of."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.foundation.caller import warn_caller
from cnn_core.foundation.extras import need
from cnn_core.layers.base import registry

if TYPE_CHECKING:
    from types import ModuleType


def has_unknown_classes(model: object) -> bool:
    """Tell whether a model, or a layer in it, is of a user's class that this side has not been told of."""
    return not all(_is_known(kind) for kind in _custom_classes(model))


def _custom_classes(model: Any) -> set[Any]:
    kinds = {type(part) for part in (model, *model._flatten_layers())}
    return {kind for kind in kinds if kind.__module__.partition(".")[0] not in ("keras", "tf_keras")}


def _is_known(kind: Any) -> bool:
    keras = need("keras", "keras", "from_keras")
    try:
        registry.find_own(kind.__name__, keras.saving.get_registered_name(kind))
    except ValueError:
        return False
    return True


@contextlib.contextmanager
def traced(model: Any) -> Iterator[Any]:
    """Yield a functional model of Keras that computes what a model does in prediction, with the same layers.

    Layers of one name have others meanwhile.

    The methods `call` of the user's classes are run once with symbols of Keras; what they multiply with a variable
    becomes a Dense layer, other variables that they read become constants, of which a warning tells.

    Raises
    ------
    ValueError
        If the model has not been built yet, or its `call` computes with other functions than Keras's.
    """
    keras = need("keras", "keras", "from_keras")
    given = _inputs(model, keras)
    told = {"training": False} if "training" in inspect.signature(model.call).parameters else {}
    with _named_apart(model):
        try:
            with _taken_apart(model):
                whole = keras.Model(given, model.call(given, **told))
        except Exception as error:  # whatever a user's function raises on symbols
            raise ValueError(
                f"`call` of {type(model).__name__!r} must compute with layers and functions of keras.ops alone: it is "
                f"run with symbols. It raised {type(error).__name__}: {error}"
            ) from error
        rebuilt = _Rebuilt(keras)
        made = keras.models.clone_model(whole, clone_function=lambda layer: layer, call_function=rebuilt)
        _warn_of_constants(model, {*map(id, made.variables), *rebuilt.carried})
        if model.compiled:
            made.compile_from_config(model.get_compile_config())
        yield made


def _warn_of_constants(model: Any, kept: set[int]) -> None:
    for variable in model.variables:
        if id(variable) not in kept and "seed_generator" not in variable.path:
            warn_caller(f"weight {variable.path!r} is a constant from now on: it is in no layer of Keras's own")


def _inputs(model: Any, keras: ModuleType) -> Any:
    """Return symbols for the argument of a model's `call`."""
    if getattr(model, "inputs", None):
        known = model.inputs[0] if len(model.inputs) == 1 else model.input
        return keras.tree.map_structure(lambda tensor: keras.Input(**_like(tensor)), known)
    _, *others = inspect.signature(model.call).parameters.values()
    if any(each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD for each in others):
        raise ValueError(
            f"`call` of {type(model).__name__!r} must take one argument, which may be a list or a dict. "
            f"Received: call{inspect.signature(model.call)}"
        )
    shapes = model.get_build_config() if model.built else None
    if not shapes:
        raise ValueError("`model` must be built, so that the shapes of its inputs are known: call it on some rows")
    return _of_shapes(keras, shapes["input_shape"])


def _like(tensor: Any) -> dict[str, Any]:
    return {"shape": tensor.shape[1:], "dtype": tensor.dtype, "name": tensor.name}


def _of_shapes(keras: ModuleType, structure: Any, name: str | None = None) -> Any:
    if isinstance(structure, dict):
        return {key: _of_shapes(keras, part, key) for key, part in structure.items()}
    if all(size is None or isinstance(size, int) for size in structure):
        return keras.Input(tuple(structure[1:]), name=name)
    return [_of_shapes(keras, part) for part in structure]


@contextlib.contextmanager
def _named_apart(model: Any) -> Iterator[None]:
    names: dict[Any, str] = {}
    taken: set[str] = set()
    for layer in model._flatten_layers():
        name, number = layer.name, 1
        while layer.name in taken:
            number += 1
            names.setdefault(layer, name)
            layer.name = f"{name}_{number}"
        taken.add(layer.name)
    try:
        yield
    finally:
        for layer, name in names.items():
            layer.name = name


@contextlib.contextmanager
def _taken_apart(model: object) -> Iterator[None]:
    """Let calls of the user's layers run their `call` at once."""
    own = {kind: vars(kind).get("__call__") for kind in _custom_classes(model)}
    for kind in own:
        kind.__call__ = lambda self, *arguments, **keywords: self.call(*arguments, **keywords)
    try:
        yield
    finally:
        for kind, before in own.items():
            if before is None:
                del kind.__call__
            else:
                kind.__call__ = before


class _Rebuilt:
    """Calls operations again, those that read variables as layers or with constants in their place."""

    def __init__(self, keras: ModuleType) -> None:
        self._keras = keras
        self._dense: dict[tuple[int, int], Any] = {}  # by the variables that it holds
        self.carried: set[int] = set()  # variables whose values have become those of layers
        self._products: dict[int, tuple[Any, Any, Any]] = {}  # by the identity of what one made: it, its input, kernel

    def __call__(self, operation: Any, *arguments: object, **keywords: object) -> Any:
        variables = {id(leaf): leaf for leaf in arguments if isinstance(leaf, self._keras.Variable)}
        if len(arguments) == 2 and len(variables) == 1:
            made = self._as_dense(type(operation).__name__, *arguments)
            if made is not None:
                return made
        return operation(*(_value(leaf) if id(leaf) in variables else leaf for leaf in arguments), **keywords)

    def _as_dense(self, kind: str, first: Any, second: Any) -> Any:
        """Return a product with a variable, or one with a bias behind it, as what a Dense layer makes."""
        known = self._products.get(id(first), self._products.get(id(second)))
        if kind == "Add" and known is not None:
            made, x, kernel = known
            bias = second if made is first else first
            return self._product(x, kernel, bias) if tuple(bias.shape) == tuple(made.shape[-1:]) else None
        is_kernel = isinstance(second, self._keras.Variable) and len(second.shape) == 2
        return self._product(first, second, None) if kind == "Matmul" and is_kernel else None

    def _product(self, x: Any, kernel: Any, bias: Any) -> Any:
        key, weights = (id(kernel), id(bias)), [kernel] if bias is None else [kernel, bias]
        if key not in self._dense:
            name = weights[-1].path.replace("/", "_")
            layer = self._keras.layers.Dense(kernel.shape[1], use_bias=bias is not None, name=name, dtype=kernel.dtype)
            layer.build(x.shape)
            layer.set_weights([_value(each) for each in weights])
            self.carried.update(map(id, weights))
            layer.trainable = kernel.trainable
            self._dense[key] = layer
        made = self._dense[key](x)
        if bias is None:
            self._products[id(made)] = (made, x, kernel)
        return made


def _value(variable: Any) -> Array:
    value = variable.value
    found: Array = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
    return found
