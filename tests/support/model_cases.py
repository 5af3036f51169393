"""What the tests of models share."""

from __future__ import annotations

from typing import Any

import numpy as np

import cnn_core
from cnn_core import layers, optimizers
from cnn_core.models import Model, Sequential

GENERATOR = np.random.default_rng(31)
X = GENERATOR.normal(size=(12, 4)).astype("float32")
Y = GENERATOR.normal(size=(12, 2)).astype("float32")


def sequential(**arguments: Any) -> Any:
    cnn_core.utils.set_random_seed(1)
    return Sequential([cnn_core.Input((4,)), layers.Dense(3, "tanh"), layers.Dense(2)], **arguments)


def with_branches() -> Any:
    """Two inputs, a shared layer, a skip connection and two outputs."""
    cnn_core.utils.set_random_seed(2)
    left, right = cnn_core.Input((4,), name="left"), cnn_core.Input((4,), name="right")
    shared = layers.Dense(4, "tanh", name="shared")
    a, b = shared(left), shared(right)
    joined = layers.Add(name="joined")([a, b, left])
    return Model([left, right], [layers.Dense(2, name="first")(joined), layers.Dense(1, name="second")(b)])


def expected_of_branches(model: Any, left: Any, right: Any) -> list[Any]:
    def dense(name: str, x: Any) -> Any:
        kernel, bias = model.get_layer(name).get_weights()
        return x @ kernel + bias

    a, b = np.tanh(dense("shared", left)), np.tanh(dense("shared", right))
    return [dense("first", a + b + left), dense("second", b)]


# Copies


def trained() -> Any:
    model = sequential()
    model.compile(optimizers.Adam(0.01), "mse", metrics=["mae"])
    model.fit(X, Y, epochs=2, verbose=0)
    return model
