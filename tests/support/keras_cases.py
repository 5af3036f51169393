"""Models whose parts Keras has although not their classes, for the tests of its files."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnn_core import Input, Model, Sequential, layers, ops


class Net(Model):
    """A model of a user's own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = layers.Dense(4, "tanh"), layers.Dense(4)

    def call(self, x: Any) -> Any:
        hidden = self.first(x)
        return 2.0 * self.second(hidden) + ops.concatenate([hidden[:, :2], x[:, :2]], axis=-1)


class Chain(Sequential):
    def __init__(self, units: int = 4) -> None:
        super().__init__([Input((3,)), layers.Dense(units)])
        self.units = units


def with_operations() -> Any:
    x = Input((3,))
    hidden = layers.Dense(3)(x)
    parts = ops.split(ops.maximum(hidden, x) * 2.0 - 1.0, 3, axis=-1)
    chosen = ops.where(hidden > 0, hidden, 0.1 * x) + np.ones(3, "float32")
    return Model(x, {"sum": ops.softmax(parts[0] + parts[2]), "chosen": ops.reshape(chosen, (-1, 3, 1))})


def around(inner: Any) -> Any:
    x = Input((3,))
    return Model(x, layers.Dense(2)(inner(x)))


OWN = {"own model": Net, "own chain": Chain, "nested": lambda: around(Net()), "operations": with_operations}
