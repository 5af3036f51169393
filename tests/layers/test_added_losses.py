"""`losses` of layers and models: what the last call on arrays has added, and penalties as they are now."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from cnn_core import Input, Model, Sequential, layers, ops

X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")


class Adding(layers.Layer):
    def call(self, x: Any) -> Any:
        self.add_loss([ops.mean(ops.square(x)), ops.sum(x)])
        return x


class Outer(Model):
    def __init__(self) -> None:
        super().__init__()
        self.adding = Adding()
        self.dense = layers.Dense(2, kernel_regularizer="l2", activity_regularizer="l1")

    def call(self, x: Any) -> Any:
        return self.dense(self.adding(x))


def numbers(layer: Any) -> list[float]:
    return [float(each) for each in layer.losses]


def test_values_by_hand() -> None:
    model = Outer()
    y = model(X)
    kernel = model.dense.kernel.numpy()
    wanted = [np.mean(X**2), X.sum(), 0.01 * np.abs(y).sum() / len(X), 0.01 * np.sum(kernel**2)]
    assert numbers(model) == pytest.approx(wanted, rel=1e-5)
    assert numbers(model.dense) == pytest.approx(wanted[3:], rel=1e-5)


def test_a_call_forgets_what_the_one_before_has_added() -> None:
    model = Outer()
    model(X)
    model.adding(2 * X)
    assert numbers(model)[:5] != numbers(model)[:4]
    model(3 * X)
    assert numbers(model)[0] == pytest.approx(9 * np.mean(X**2), rel=1e-5)
    assert len(model.losses) == 4


def test_penalties_follow_the_weights_and_what_is_trained() -> None:
    layer = layers.Dense(2, kernel_regularizer="l2")
    assert layer.losses == []
    layer(X)
    layer.kernel.assign(np.ones((4, 2)))
    assert numbers(layer) == pytest.approx([0.08])
    layer.trainable = False
    assert layer.losses == []


def test_functional_models_and_copies() -> None:
    inputs = Input((4,))
    model = Model(inputs, layers.Dense(2, kernel_regularizer="l1")(inputs))
    assert numbers(model) == pytest.approx([0.01 * np.abs(model.layers[1].kernel.numpy()).sum()])
    assert Sequential([Input((2,)), layers.Dense(1)]).losses == []
    outer = Outer()
    outer(X)
    assert len(copy.deepcopy(outer).losses) == 1  # calls are no part of a copy


def test_add_loss_needs_a_call() -> None:
    with pytest.raises(RuntimeError, match="must be called in the `call` of a custom layer or model"):
        Adding().add_loss(1.0)
