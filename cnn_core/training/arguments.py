"""The arguments of `fit`, `evaluate` and `predict`, checked, and what they return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.caller import warn_caller
from cnn_core.training.objectives import Objectives
from cnn_core.training.segments import KEPT_ROWS

DEFAULT_BATCH_SIZE = 32


def results(logs: Mapping[str, object], objectives: Objectives, return_dict: bool) -> Any:
    """Return a dict with sorted keys; or the loss alone if there is nothing else, else a list in the labels' order."""
    if return_dict:
        return dict(sorted(logs.items()))
    values = [logs[label] for label in objectives.labels]
    return values[0] if len(values) == 1 else values


def checked_batch_size(value: object, name: str) -> int:
    return DEFAULT_BATCH_SIZE if value is None else validation.positive_integer(value, name)


def is_one_batch(x: object, size: int) -> bool:
    """Whether x is a matrix of no more rows than a batch has, and few enough that what runs them may be kept."""
    return type(x) is np.ndarray and x.ndim == 2 and len(x) <= min(size, KEPT_ROWS)


def checked_steps(value: object, name: str) -> int | None:
    return None if value is None else validation.positive_integer(value, name)


def validation_due(value: object) -> Callable[[int], bool]:
    """Whether to validate after an epoch, counted from 1."""
    if isinstance(value, (list, tuple, set)):
        chosen = {validation.positive_integer(epoch, "validation_freq") for epoch in value}
        return chosen.__contains__
    every = validation.positive_integer(value, "validation_freq")
    return lambda epoch: epoch % every == 0


def warn_of_batch_size(batch_size: object) -> None:
    """Tell that a size is of no use: Keras passes over it in silence."""
    if batch_size is not None:
        warn_caller(
            f"`batch_size` has no effect where x yields batches, which have their own size. Received: "
            f"batch_size={batch_size}"
        )


def unpacked_validation(validation_data: object) -> tuple[Any, Any, Any]:
    """Return x, y and sample weights of `validation_data` that is arrays."""
    if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
        raise ValueError(
            "`validation_data` must be (x, y), (x, y, sample_weight), a generator or a PyDataset. "
            f"Received: {validation.show(validation_data)}"
        )
    x, y, sample_weight = (*validation_data, None)[:3]
    return x, y, sample_weight


def refuse_beside_batches(**given: object) -> None:
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"`{name}` must be None when x yields batches. Received: {name}={validation.show(value)}")
