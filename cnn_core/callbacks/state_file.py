"""The state of a training in a data-only file, whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.foundation.validation as validation

if TYPE_CHECKING:
    from pathlib import Path


def write_state(path: Path, state: Mapping[str, object]) -> None:
    """Write a nested dict of numbers, strings and arrays to a data-only file, whole or not at all.

    Arrays become the file's arrays, the rest JSON in its metadata: integers of any size and every float come back with
    the same bits, tuples as lists.

    Raises
    ------
    TypeError
        If the state holds anything else.
    OSError
        If the file cannot be written.
    """
    tensors: dict[str, np.ndarray[Any, Any]] = {}

    def outline(value: object) -> Any:
        if isinstance(value, np.ndarray):
            key = str(len(tensors))
            tensors[key] = value
            return {"": key}
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, Mapping):
            return {str(name): outline(item) for name, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [outline(item) for item in value]
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise TypeError(f"A training state must hold numbers, strings and arrays. Received: {validation.show(value)}")

    import json

    import cnn_core.foundation.model_file as model_file

    # The outline first: it fills the tensors.
    metadata = {"state": json.dumps(outline(state))}
    model_file.write(path, tensors, metadata)


def read_state(path: Path) -> dict[str, Any]:
    """Return what `write_state` wrote.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it was not written by `write_state`.
    """
    import json

    import cnn_core.foundation.model_file as model_file

    tensors, metadata = model_file.read(path)

    def filled(value: object) -> Any:
        if isinstance(value, dict):
            return tensors[value[""]] if value.keys() == {""} else {name: filled(item) for name, item in value.items()}
        return [filled(item) for item in value] if isinstance(value, list) else value

    try:
        state = filled(json.loads(metadata["state"]))
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"The file must hold the state of a training. Received: {str(path)!r} without {error}"
        ) from error
    if not isinstance(state, dict):
        raise ValueError(f"The file must hold the state of a training. Received: {str(path)!r}")
    return state
