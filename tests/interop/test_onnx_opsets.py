from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnn_core.interop.onnx_opsets import modern

X = np.zeros((2, 3))


def test_attributes_become_inputs():
    attributes, (x, *bounds) = modern("Clip", {"max": 6.0}, [X], 10)
    assert (attributes, bounds) == ({}, [None, np.float32(6)])
    assert x is X
    _, inputs = modern("Slice", {"starts": [1], "ends": [2], "axes": [1]}, [X], 9)
    assert [None if each is None else each.tolist() for each in inputs[1:]] == [[1], [2], [1], None]
    assert modern("Clip", {"max": 6.0}, [X], 13) == ({"max": 6.0}, [X])
    assert modern("Dropout", {"is_test": 1, "ratio": 0.5}, [X], 6)[0] == {}


@pytest.mark.parametrize(
    ("operator", "attributes", "message"),
    [
        ("Softmax", {"axis": 0}, "`axis` must be the last before opset 13. Received: axis=0"),
        ("Dropout", {}, "`is_test` must be 1"),
        ("Add", {"broadcast": 1, "axis": 0}, "`axis` of what is repeated must be left out. Received: axis=0"),
    ],
)
def test_what_is_no_longer_said(operator: str, attributes: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        modern(operator, attributes, [X], 6)
    assert modern(operator, attributes, [X], 13)[0] == attributes
