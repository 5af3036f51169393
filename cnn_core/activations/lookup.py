"""From names, data and objects to activations, and back to data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

import cnn_core.activations.elementwise as elementwise
import cnn_core.activations.piecewise as piecewise
import cnn_core.activations.row_wise as row_wise
import cnn_core.foundation.validation as validation
from cnn_core.activations.base import Activation, defaults, registry
from cnn_core.activations.custom import CustomActivation, FunctionActivation
from cnn_core.activations.elementwise import linear
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.foundation.serialization import CustomObjects, is_operation
from cnn_core.foundation.serialization import serialize as _as_data

if TYPE_CHECKING:
    from cnn_core.foundation.names import ActivationName

    class Differentiable(Protocol):
        """A custom function with its derivative."""

        def forward(self, z: Any, /) -> Any: ...

        def derivative(self, z: Any, a: Any, /) -> Any: ...

    class HasActivation(Protocol):
        """What applies an activation, such as a layer."""

        activation: Activation

    ActivationLike: TypeAlias = (
        ActivationName | Activation | type[Activation] | Differentiable | HasActivation | Mapping[str, Any] | None
    )

_OF_LAYERS = ("name", "trainable", "dtype")

defaults.update(
    {
        type(each): each
        for each in (*vars(elementwise).values(), *vars(piecewise).values(), *vars(row_wise).values())
        if isinstance(each, Activation)
    }
)


def get(identifier: ActivationLike | str) -> Activation:
    """Return the activation that an argument stands for.

    Parameters
    ----------
    identifier : None, str, dict, Activation or object
        None is `linear`; a name of this module; what `serialize` returned; an activation or its class; an object with
        an activation as its attribute `activation`, such as an activation layer, or what Keras wrote of one; or an
        object with `forward(z)` and `derivative(z, a)`.

    Returns
    -------
    Activation

    Raises
    ------
    ValueError
        If a name is unknown.
    TypeError
        If the object is none of these.

    Examples
    --------
    >>> from cnn_core.activations import elu, swish
    >>> get("swish"), get(None), get({"class_name": "elu", "config": {"alpha": 2.0}})
    (silu, linear, elu(alpha=2.0))
    >>> get("rleu")
    Traceback (most recent call last):
    ...
    ValueError: `activation` must be one of 'celu', 'elu', 'exponential', ... Received: 'rleu'. Did you mean 'relu'?
    """
    return deserialize(identifier)


@knows_its_arguments
def deserialize(config: ActivationLike | str, custom_objects: CustomObjects | None = None) -> Activation:
    """Return the activation that a configuration describes; `custom_objects` maps further names to classes or objects.

    Examples
    --------
    >>> from cnn_core.activations import tanh
    >>> deserialize("tanh")
    tanh
    """
    if config is None:
        return linear
    if isinstance(config, str) and (usual := _usual(registry.find(config, custom_objects))) is not None:
        return usual
    found = registry.get(_without_layer(config) if isinstance(config, Mapping) else config, custom_objects)
    if not isinstance(found, Activation):
        found = _wrap(found)
    default = defaults.get(type(found))
    return default if default == found else found


def _usual(named: object) -> Activation | None:
    """Return the activation with its usual settings, of which there is one, that a class stands for."""
    return defaults.get(named) if isinstance(named, type) else None


def _without_layer(config: Mapping[str, object]) -> Mapping[str, Any]:
    """Leave out what Keras writes of an activation that is a layer or an operation besides the activation."""
    settings = config.get("config")
    if not isinstance(settings, Mapping) or ("trainable" not in settings and not is_operation(config)):
        return config
    own = {name: value for name, value in settings.items() if name not in _OF_LAYERS}
    if config["class_name"] == "LeakyReLU" and "alpha" in own:  # before Keras 3
        own["negative_slope"] = own.pop("alpha")
    return {**config, "config": own}


def serialize(activation: Activation) -> str | dict[str, Any]:
    """Return the name of an activation with default settings, or its name and settings.

    Examples
    --------
    >>> from cnn_core.activations import ELU, relu
    >>> serialize(relu), serialize(ELU(alpha=2.0))
    ('relu', {'class_name': 'elu', 'config': {'alpha': 2.0}})
    """
    data: str | dict[str, Any] = _as_data(activation)
    return data


def _wrap(target: object) -> Activation:
    inner = getattr(target, "activation", None)
    if isinstance(inner, Activation):
        return inner
    if callable(getattr(target, "forward", None)) and callable(getattr(target, "derivative", None)):
        return CustomActivation(target)
    if callable(target) and not isinstance(target, (type, np.ufunc)):  # NumPy's have no derivative
        return FunctionActivation(target)
    raise TypeError(
        "`activation` must be a name, an activation, a function, or an object with the methods forward(z) and "
        f"derivative(z, a). Received: activation={validation.show(target)}"
    )
