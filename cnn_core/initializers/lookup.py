"""From names, data and objects to initializers, and back to data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.foundation.serialization import CustomObjects
from cnn_core.foundation.serialization import serialize as _as_data
from cnn_core.initializers.base import Initializer, registry
from cnn_core.initializers.constants import Constant, Identity, Ones, Zeros
from cnn_core.initializers.custom import CustomInitializer
from cnn_core.initializers.random import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    RandomNormal,
    RandomSign,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)

if TYPE_CHECKING:
    from cnn_core.foundation.arrays import Array
    from cnn_core.foundation.names import InitializerName

    InitializerLike: TypeAlias = (
        InitializerName | Initializer | type[Initializer] | Callable[..., Any] | Array | Mapping[str, Any] | None
    )

constant = Constant
zeros = Zeros
ones = Ones
identity = Identity
random_normal = RandomNormal
random_sign = RandomSign
truncated_normal = TruncatedNormal
random_uniform = RandomUniform
variance_scaling = VarianceScaling
glorot_uniform = GlorotUniform
glorot_normal = GlorotNormal
he_uniform = HeUniform
he_normal = HeNormal
lecun_uniform = LecunUniform
lecun_normal = LecunNormal
orthogonal = Orthogonal


def get(identifier: InitializerLike | str) -> Initializer | None:
    """Return the initializer that an argument stands for.

    Parameters
    ----------
    identifier : None, str, dict, array, Initializer or callable
        A name; what `serialize` returned; the values themselves; an initializer or its class; or a function of
        (shape, dtype).

    Returns
    -------
    Initializer or None

    Raises
    ------
    ValueError
        If a name is unknown.
    TypeError
        If the object is none of these.

    Examples
    --------
    >>> get("he_normal"), get("zeros"), get("uniform")
    (HeNormal(seed=None), Zeros(), RandomUniform(minval=-0.05, maxval=0.05, seed=None))
    """
    if identifier is None or isinstance(identifier, Initializer):
        return identifier
    return deserialize(identifier)


@knows_its_arguments
def deserialize(config: InitializerLike | str, custom_objects: CustomObjects | None = None) -> Initializer | None:
    """Return the initializer that a configuration describes; `custom_objects` maps further names to classes.

    Examples
    --------
    >>> import cnn_core.config as config
    >>> from cnn_core.initializers import Constant
    >>> deserialize({"class_name": "Constant", "config": {"value": 0.5}})
    Constant(value=0.5)
    """
    if isinstance(config, np.ndarray):
        return Constant(config)
    found = registry.get(config, custom_objects)
    if found is None or isinstance(found, Initializer):
        return found
    if callable(found):
        return CustomInitializer(found)
    raise TypeError(
        f"`initializer` must be a name, an initializer or a function. Received: initializer={validation.show(found)}"
    )


def serialize(initializer: Initializer) -> dict[str, Any]:
    """Return an initializer as data.

    Examples
    --------
    >>> from cnn_core.initializers import HeNormal
    >>> serialize(HeNormal(seed=3))
    {'class_name': 'HeNormal', 'config': {'seed': 3}}
    """
    data: dict[str, Any] = _as_data(initializer)
    return data
