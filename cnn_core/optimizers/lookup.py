"""From names, data and objects to optimizers, and back to data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import cnn_core.foundation.validation as validation
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.optimizers.base import Optimizer, registry

if TYPE_CHECKING:
    from cnn_core.foundation.names import OptimizerName

    OptimizerLike: TypeAlias = OptimizerName | Optimizer | type[Optimizer] | Mapping[str, Any]


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """Return an optimizer as plain data, without its state.

    Examples
    --------
    >>> from cnn_core.optimizers import Adam
    >>> serialize(Adam(0.01))["class_name"]
    'Adam'
    """
    data: dict[str, Any] = registry.serialize(optimizer)
    return data


@knows_its_arguments
def deserialize(config: str | Mapping[str, Any], custom_objects: Mapping[str, object] | None = None) -> Optimizer:
    """Return the optimizer that `serialize` wrote, without state.

    Parameters
    ----------
    config : dict
        `{"class_name": ..., "config": {...}}`.
    custom_objects : dict, optional
        Classes of your own by name: data alone cannot name code.

    Raises
    ------
    ValueError
        If the class is unknown or the configuration does not fit it.
    TypeError
        If what is named is no optimizer.

    Examples
    --------
    >>> from cnn_core.optimizers import Adam
    >>> deserialize({"class_name": "Adam", "config": {"learning_rate": 0.01}}).learning_rate
    0.01
    """
    return _checked_optimizer(registry.deserialize(config, custom_objects), config)


def get(identifier: OptimizerLike | str) -> Optimizer:
    """Return the optimizer that a name, a configuration, a class or an optimizer stands for.

    Parameters
    ----------
    identifier : str, dict, class or Optimizer
        Names count without regard to capitals: "adam", "sgd", "rmsprop", ... give the defaults.

    Raises
    ------
    ValueError
        If a name is unknown: the message lists the known ones, nearest first.
    TypeError
        If it stands for no optimizer.

    Examples
    --------
    >>> get("adam").learning_rate
    0.001
    """
    return _checked_optimizer(registry.get(identifier), identifier)


def _checked_optimizer(optimizer: object, identifier: object) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            "`optimizer` must be an Optimizer, the name of one or its configuration. "
            f"Received: optimizer={validation.show(identifier)}"
        )
    return optimizer
