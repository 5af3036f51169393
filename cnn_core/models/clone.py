"""A model once more, with new layers and new weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import cnn_core.foundation.validation as validation
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.foundation.records import NamedTuple
from cnn_core.foundation.structures import flatten, map_structure
from cnn_core.layers.base import Layer
from cnn_core.layers.input import Input
from cnn_core.layers.wrapper import Wrapper
from cnn_core.models.calls_again import CallFunction, called_again
from cnn_core.models.model import Model
from cnn_core.models.sequential import Sequential
from cnn_core.network.graph import Symbol
from cnn_core.training.compile_arguments import compile_like

Kind = TypeVar("Kind", bound=Model)


@knows_its_arguments
def clone_model(
    model: Kind,
    input_tensors: object = None,
    clone_function: Callable[[Layer], Layer] | None = None,
    call_function: CallFunction | None = None,
    recursive: bool = False,
) -> Kind:
    """Build a model of the same layers, under the same names, with new weights.

    Parameters
    ----------
    model : Model
    input_tensors : Symbol, or list or dict of Symbol, default None
        Inputs of the clone, in the structure of `model.input`. None: new ones.
    clone_function : callable, default None
        Makes each layer of the clone from that of the model. None: a layer of the same configuration.
    call_function : callable, default None
        Makes each call of a layer in a functional model, and may call other layers before or after it:
        ``call_function(layer, *args, **kwargs)`` returns symbols. None: ``layer(*args, **kwargs)``.
    recursive : bool, default False
        Whether the functions are used within models inside, too, but `call_function` not within a `Sequential`. False:
        `clone_function` is given models inside as layers.

    Returns
    -------
    Model
        Compiled as the model is, if it is, with an optimizer that has made no step. A layer that the model shares with
        a model inside it is shared in the clone, too.

    Raises
    ------
    TypeError
        If a function is not callable, or `clone_function` returns no layer, or `call_function` no symbols.
    ValueError
        If `input_tensors` have another structure, functions or `input_tensors` are given for a model that makes its
        layers itself, `call_function` is given for a `Sequential`, or layers are shared with a model inside that makes
        its layers itself.

    Examples
    --------
    >>> from cnn_core.models import Sequential
    >>> from cnn_core import Input, Model, layers
    >>> model = Sequential([Input((2,)), layers.Dense(1)])
    >>> clone_model(model).count_params()
    3
    >>> def regularized(layer, *args, **kwargs):
    ...     return layers.Dropout(0.5)(layer(*args, **kwargs))
    >>> x = Input((2,))
    >>> functional = Model(x, layers.Dense(1)(x))
    >>> [type(layer).__name__ for layer in clone_model(functional, call_function=regularized).layers]
    ['InputLayer', 'Dense', 'Dropout']
    """
    recursive = validation.boolean(recursive, "recursive")
    if not isinstance(model, Model):
        raise TypeError(f"`model` must be a model. Received: model={validation.show(model)}")
    for name, function in (("clone_function", clone_function), ("call_function", call_function)):
        if function is not None and not callable(function):
            raise TypeError(f"`{name}` must be callable. Received: {name}={validation.show(function)}")
    _refuse_what_does_not_apply(
        model, input_tensors=input_tensors, clone_function=clone_function, call_function=call_function
    )
    _check_structure(model, input_tensors)
    clone: Kind = _Cloning(clone_function, call_function, recursive, {}).of_model(model, input_tensors)
    if clone_function is call_function is None and model.built and len(clone.variables) != len(model.variables):
        raise ValueError(
            f"{model.name!r} cannot be cloned: it shares a layer with a model inside that makes its layers itself. "
            f"Received: {len(model.variables)} variables, of which the clone has {len(clone.variables)}"
        )
    if model.compiled:
        compile_like(clone, model)
    return clone


def _makes_itself(model: Model) -> bool:
    """Whether a model makes its layers in a constructor or a `call` of its own."""
    return model.has_own_constructor() or model.defines_call


def _refuse_what_does_not_apply(model: Model, **given: object) -> None:
    for name, value in given.items():
        if value is not None and _makes_itself(model):
            raise ValueError(
                f"`{name}` must be None: {type(model).__name__} makes its layers itself. "
                f"Received: {name}={validation.show(value)}"
            )
    if given["call_function"] is not None and isinstance(model, Sequential):
        raise ValueError(
            "`call_function` must be None for a Sequential, whose layers are listed and not called. "
            f"Received: call_function={given['call_function']!r}"
        )


def _check_structure(model: Model, input_tensors: object) -> None:
    if input_tensors is None:
        return
    fits = all(isinstance(symbol, Symbol) for symbol in flatten(input_tensors))
    if model.built:
        expected = _shapes(model.input)
        fits = fits and _shapes(input_tensors) in (expected, [expected])
    if not fits:
        raise ValueError(
            "`input_tensors` must be symbols in the structure of model.input"
            f"{f', {model.input}' if model.built else ''}. Received: {validation.show(input_tensors)}"
        )


def _shapes(structure: object) -> Any:
    return map_structure(lambda symbol: symbol.shape, structure)


def _like(symbol: Symbol) -> Symbol:
    return Input(symbol.shape[1:], name=symbol.name, dtype=symbol.dtype)


class _Cloning(NamedTuple):
    """How layers are cloned and called, and the clones of those that others have, too."""

    clone_function: Callable[[Layer], Layer] | None
    call_function: CallFunction | None
    recursive: bool
    known: dict[int, Any]

    def of_model(self, model: Any, inputs: Any = None) -> Any:
        if _makes_itself(model):
            clone = type(model).from_config(model.get_config())
            if model.defines_call and model.built:
                clone.build_described(model.input_description())
            return clone
        config = model._settings()
        layers = [self.of_layer(layer) for layer in config["layers"]]
        given = [] if inputs is None else flatten(inputs)
        if isinstance(model, Sequential):
            shape = config["build_input_shape"] if inputs is None else None
            return type(model).from_config({**config, "layers": [*given, *layers], "build_input_shape": shape})
        symbols = given or list(map(_like, model.inputs))
        return type(model).connected(config, *called_again(config, layers, symbols, self.call_function))

    def of_layer(self, layer: Layer) -> Any:
        """Return the clone of a layer, the same for each place where it stands."""
        if id(layer) not in self.known:
            self.known[id(layer)] = self._made_of(layer)
        return self.known[id(layer)]

    def _made_of(self, layer: Any) -> Any:
        if layer.is_operation:
            return layer.again()
        goes_inside = isinstance(layer, Model) and (self.recursive or self.clone_function is None)
        if goes_inside:
            inside = self if self.recursive else self._replace(call_function=None)
            return inside.of_model(layer)
        if self.clone_function is not None:
            clone = self.clone_function(layer)
            if not isinstance(clone, Layer):
                raise TypeError(
                    f"`clone_function` must return a layer. Received: {validation.show(clone)} for {layer.name!r}"
                )
            return clone
        if isinstance(layer, Wrapper):
            return type(layer).from_config({**layer.get_config(), "layer": self.of_layer(layer.layer)})
        # A class of the user's tells its arguments itself; for the package's, objects of the user's need no names.
        told = not type(layer).get_config.__module__.startswith("cnn_core.")
        return type(layer).from_config(layer.get_config() if told else layer._settings())
