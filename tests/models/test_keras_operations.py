from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnn_core import layers
from cnn_core.models.keras_operations import as_layer

X = np.array([[1.0, -2.0, 4.0]], "float32")
SYMBOL = {"class_name": "__keras_tensor__", "config": {"shape": [None, 3], "keras_history": ["x", 0, 0]}}


def described(kind: str, *arguments: Any, home: str = "numpy", **config: Any) -> dict[str, Any]:
    node = {"args": list(arguments), "kwargs": {}}
    config = {"name": "made", **config}
    return {"module": f"keras.src.ops.{home}", "class_name": kind, "config": config, "inbound_nodes": [node]}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (described("Add", SYMBOL, 2), X + 2),
        (described("Add", 2.0, SYMBOL), X + 2),
        (described("Subtract", SYMBOL, 2.0), X - 2),
        (described("Subtract", 2.0, SYMBOL), 2 - X),
        (described("Multiply", 3.0, SYMBOL), 3 * X),
        (described("TrueDivide", SYMBOL, 4.0), X / 4),
        (described("Divide", SYMBOL, -4.0), X / -4),
        (described("Negative", SYMBOL), -X),
        (described("Relu", SYMBOL, home="nn"), np.maximum(X, 0)),
        (described("LeakyRelu", SYMBOL, home="nn", negative_slope=0.5), np.maximum(X, X / 2)),
        (described("Exp", SYMBOL), np.exp(X)),
        (described("Reshape", SYMBOL, newshape=[-1, 3, 1]), X[:, :, None]),
    ],
)
def test_an_operation_becomes_the_layer_that_does_the_same(operation: dict[str, Any], expected: Any):
    found = as_layer(operation)
    layer = layers.deserialize({"class_name": found["class_name"], "config": found["config"]})
    assert layer.name == "made"
    np.testing.assert_allclose(layer(X), expected, rtol=1e-6)
    assert found["inbound_nodes"] == [{"args": [SYMBOL], "kwargs": {}}]


def test_what_needs_no_translation_stays_as_it_is():
    for given in (
        described("Add", SYMBOL, SYMBOL),
        described("Mean", SYMBOL, axis=-1),
        {"module": "keras.layers", "class_name": "Reshape", "config": {}, "inbound_nodes": []},
        {"class_name": "Dense", "config": {}, "inbound_nodes": []},
    ):
        assert as_layer(given) is given


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (described("TrueDivide", 2.0, SYMBOL), "TrueDivide must divide a symbol by a number other than 0"),
        (described("Divide", SYMBOL, 0.0), "Divide must divide a symbol by a number other than 0"),
        (described("Add", SYMBOL, "2"), "`number` must be"),
        (described("Add", SYMBOL, {"class_name": "__numpy__", "config": {}}), "`number` must be"),
    ],
)
def test_what_no_layer_does_is_refused(operation: dict[str, Any], message: str):
    with pytest.raises((ValueError, TypeError), match=message):
        as_layer(operation)
