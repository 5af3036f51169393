"""A model once more, with new layers and new weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.layers.base import Layer
from cnn_core.layers.wrapper import Wrapper
from cnn_core.models.model import Model

Kind = TypeVar("Kind", bound=Model)


@knows_its_arguments
def clone_model(
    model: Kind, input_tensors: None = None, clone_function: Callable[[Layer], Layer] | None = None
) -> Kind:
    """Build a model of the same layers, under the same names, with new weights.

    Parameters
    ----------
    model : Model
    input_tensors : default None
        Has no other value: call the clone on symbols instead.
    clone_function : callable, default None
        Makes each layer of the clone from that of the model. None: a layer of the same configuration.

    Returns
    -------
    Model
        Not compiled. A layer that the model shares with a model inside it is shared in the clone, too.

    Raises
    ------
    ValueError
        If `input_tensors` are given, `clone_function` is given for a model that makes its layers itself, or layers are
        shared with such a model.

    Examples
    --------
    >>> from cnn_core.models import Sequential
    >>> from cnn_core import Input, layers
    >>> model = Sequential([Input((2,)), layers.Dense(1)])
    >>> clone_model(model).count_params()
    3
    """
    if input_tensors is not None:
        raise ValueError("`input_tensors` must be None: call the clone on them instead. Received: others")
    if clone_function is not None and _makes_itself(model):
        raise ValueError(
            f"`clone_function` must be None: {type(model).__name__} makes its layers itself. "
            f"Received: clone_function={clone_function!r}"
        )
    clone: Kind = _clone_of_model(model, clone_function, {})
    if len(clone.variables) != len(model.variables) and model.built and clone_function is None:
        raise ValueError(
            f"{model.name!r} cannot be cloned: it shares a layer with a model inside that makes its layers itself. "
            f"Received: {len(model.variables)} variables, of which the clone has {len(clone.variables)}"
        )
    return clone


def _makes_itself(model: Model) -> bool:
    """Whether a model makes its layers in a constructor or a `call` of its own."""
    return model.has_own_constructor() or model.defines_call


def _clone_of_model(model: Any, clone_function: Callable[[Layer], Layer] | None, known: dict[int, Any]) -> Any:
    """Clone a model, given the clones of layers that others have, too."""
    if _makes_itself(model):
        clone = type(model).from_config(model.get_config())
        if model.defines_call and model.built:
            clone.build_described(model.input_description())
        return clone
    config = model._settings()
    layers = []
    for layer in config["layers"]:
        if id(layer) not in known:
            known[id(layer)] = _clone_of(layer, clone_function, known)
        layers.append(known[id(layer)])
    return type(model).from_config({**config, "layers": layers})


def _clone_of(layer: Any, clone_function: Callable[[Layer], Layer] | None, known: dict[int, Any]) -> Any:
    if layer.is_operation:
        return layer.again()
    if clone_function is not None:
        return clone_function(layer)
    if isinstance(layer, Model):
        return _clone_of_model(layer, None, known)
    if isinstance(layer, Wrapper):
        inner = layer.layer
        if id(inner) not in known:
            known[id(inner)] = _clone_of(inner, None, known)
        return type(layer).from_config({**layer.get_config(), "layer": known[id(inner)]})
    # A class of the user's tells its arguments itself; for the package's, objects of the user's need no names.
    told = not type(layer).get_config.__module__.startswith("cnn_core.")
    return type(layer).from_config(layer.get_config() if told else layer._settings())
