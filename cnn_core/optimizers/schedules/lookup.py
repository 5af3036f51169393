"""From names and data to schedules, and back to data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.optimizers.schedules.base import LearningRateSchedule, checked, registry


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """Return a schedule as plain data.

    Examples
    --------
    >>> from cnn_core.optimizers.schedules import FlatCosine
    >>> serialize(FlatCosine(0.1, 100))["config"]
    {'initial_learning_rate': 0.1, 'decay_steps': 100, 'name': 'FlatCosine'}
    """
    data: dict[str, Any] = registry.serialize(learning_rate_schedule)
    return data


@knows_its_arguments
def deserialize(
    config: str | Mapping[str, Any], custom_objects: Mapping[str, object] | None = None
) -> LearningRateSchedule:
    """Return the schedule that `serialize` wrote.

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
        If what is named is no schedule.

    Examples
    --------
    >>> from cnn_core.optimizers.schedules import FlatCosine
    >>> deserialize({"class_name": "FlatCosine", "config": {"initial_learning_rate": 0.1, "decay_steps": 100}})
    FlatCosine(initial_learning_rate=0.1, decay_steps=100)
    """
    return checked(registry.deserialize(config, custom_objects))


def get(identifier: LearningRateSchedule | Mapping[str, Any]) -> LearningRateSchedule:
    """Return a schedule as it is, or the one that a configuration describes."""
    return checked(registry.get(identifier))
