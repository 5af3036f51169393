"""What picks elements of a sample is written by the plainest operators that do so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnn_core import Input, Model, ops
from cnn_core.interop.onnx_graph import Nodes
from cnn_core.interop.onnx_selections import write_selection
from onnx_checks import operators

EVERY = np.arange(24).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("numbers", "wanted"),
    [
        (EVERY, []),
        (EVERY.reshape(6, 4), ["Reshape"]),
        (EVERY[:, 1:], ["Slice"]),
        (EVERY[:, :, ::-2], ["Slice"]),
        (EVERY[1], ["Slice", "Reshape"]),
        (EVERY[:, [2, 0, 1]], ["Gather"]),
        (EVERY[:, [1, 1]], ["Gather"]),
        (np.repeat(EVERY, 2, axis=2), ["Gather"]),
        (EVERY.transpose(2, 0, 1), ["Transpose"]),
        (EVERY[:, None, 1], ["Slice"]),
        (EVERY[::-1, :, 1:], ["Reshape", "Gather", "Reshape"]),
        (np.diagonal(EVERY, axis1=1, axis2=2), ["Reshape", "Gather", "Reshape"]),
    ],
)
def test_the_plainest_operators(numbers: Any, wanted: list[str]):
    g = Nodes("float32", ["x"])
    write_selection(g, "x", (None, 2, 3, 4), numbers)
    assert [node["op_type"] for node in g.nodes] == wanted


def test_slices_in_a_model():
    x = Input((6,))
    assert operators(Model(x, x[:, 4:1:-1] + x[:, 0:1])) == ["Slice", "Slice", "Add"]
    assert operators(Model(x, ops.roll(x, 1, axis=1))) == ["Gather"]
