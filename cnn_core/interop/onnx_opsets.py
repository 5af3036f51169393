"""What older opsets of ONNX write differently, brought into the form of opset 13 and later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

OPSETS = (6, 28)
_MODERN = 13  # the first in which settings that may be computed are inputs

# Attributes that became inputs, with the kind of their numbers.
_INPUTS: dict[str, tuple[tuple[str, ...], type]] = {
    "Clip": (("min", "max"), np.float32),
    "Dropout": (("ratio",), np.float32),
    "Slice": (("starts", "ends", "axes", "steps"), np.int64),
    "Split": (("split",), np.int64),
    "Squeeze": (("axes",), np.int64),
    "Unsqueeze": (("axes",), np.int64),
}
_TESTED = ("BatchNormalization", "Dropout")  # before opset 7 an attribute tells that no training is meant


def modern(
    operator: str, attributes: Mapping[str, Any], sources: Sequence[Any], opset: int
) -> tuple[dict[str, Any], list[Any]]:
    """Return attributes and inputs of a node as opset 13 has them.

    Parameters
    ----------
    operator : str
    attributes : mapping
    sources : sequence
        What the node reads.
    opset : int

    Raises
    ------
    ValueError
        If opset 13 cannot express it.

    Examples
    --------
    >>> modern("Squeeze", {"axes": [1]}, ["x"], 11)
    ({}, ['x', array([1])])
    """
    found, inputs = dict(attributes), list(sources)
    if opset >= _MODERN:
        return found, inputs
    names, kind = _INPUTS.get(operator, ((), np.float32))
    if any(name in found for name in names):
        inputs += [np.asarray(found.pop(name), kind) if name in found else None for name in names]
    if operator in ("Softmax", "LogSoftmax"):
        found.setdefault("axis", 1)
        _need_last_axis(found["axis"], inputs[0])
    if opset < 7 and operator in _TESTED and not found.pop("is_test", 0):
        raise ValueError("`is_test` must be 1: the file is one for training")
    if found.pop("broadcast", 0) and "axis" in found:
        raise ValueError(f"`axis` of what is repeated must be left out. Received: axis={found['axis']}")
    return found, inputs


def _need_last_axis(axis: int, x: Any) -> None:
    """Axes after the given one were one axis then: the same where there is only one."""
    rank = len(x.shape)
    if axis % rank != rank - 1:
        raise ValueError(f"`axis` must be the last before opset {_MODERN}. Received: axis={axis}")
