"""A model once more, with new layers and new weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.layers.base import Layer
from cnn_core.models.model import Model

Kind = TypeVar("Kind", bound=Model)


@knows_its_arguments
def clone_model(model: Kind, clone_function: Callable[[Layer], Layer] | None = None) -> Kind:
    """Build a model of the same layers, under the same names, with new weights.

    Parameters
    ----------
    model : Model
    clone_function : callable, default None
        Makes each layer of the clone from that of the model. None: a layer of the same configuration.

    Returns
    -------
    Model
        Not compiled.

    Examples
    --------
    >>> from cnn_core.models import Sequential
    >>> from cnn_core import Input, layers
    >>> model = Sequential([Input((2,)), layers.Dense(1)])
    >>> clone_model(model).count_params()
    3
    """
    if model.has_own_constructor() or model.defines_call:
        if clone_function is not None:
            raise ValueError(
                f"`clone_function` must be None: {type(model).__name__} makes its layers itself. "
                f"Received: clone_function={clone_function!r}"
            )
        clone = type(model).from_config(model.get_config())
        if model.defines_call and model.built:
            clone.build_described(model.input_description())
        return clone
    config = model._settings()
    make = clone_function or _clone_of
    layers = [layer.again() if layer.is_operation else make(layer) for layer in config["layers"]]
    return type(model).from_config({**config, "layers": layers})


def _clone_of(layer: Any) -> Any:
    if layer.is_operation:
        return layer.again()
    if isinstance(layer, Model):
        clone: Layer = clone_model(layer)
        return clone
    # A class of the user's tells its arguments itself; for the package's, objects of the user's need no names.
    told = not type(layer).get_config.__module__.startswith("cnn_core.")
    return type(layer).from_config(layer.get_config() if told else layer._settings())
