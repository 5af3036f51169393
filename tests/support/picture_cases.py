"""Traced networks for pictures and pages: one whose numbers are worked out by hand, one with branches, a large one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import cnn_core
from cnn_core import Input, Model, Sequential, layers, losses

LN3 = float(np.log(3.0))
# sigmoid(k ln 3) is a short decimal: docs/mathematics/5_worked_example.md works this network out.
KERNELS = (
    LN3 * np.array([[1, 0, 1, 0], [0, 1, -1, 1], [0, 0, 1, 2]]),
    LN3 * np.array([[2.08, 0.92], [1.2, -1.2], [1, -1], [-2, 1]]),
)
BIASES = LN3 * np.array([0, -1, 0, 0]), LN3 * np.array([-1.56, -1.19])
X, Y = np.array([[1.0, 2.0, -1.0], [0.0, -1.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
HIDDEN_A = np.array([[0.75, 0.75, 0.1, 0.5], [0.5, 0.1, 0.9, 0.75]])
OUTPUT_A = np.array([[0.5, 0.25], [0.25, 0.25]])
OUTPUT_DELTA = np.array([[-0.0625, 0.0234375], [0.0234375, -0.0703125]])
OUTPUT_DW = np.array(
    [
        [-0.03515625, -0.017578125],
        [-0.04453125, 0.010546875],
        [0.01484375, -0.0609375],
        [-0.013671875, -0.041015625],
    ]
)


@contextmanager
def double() -> Iterator[None]:
    """Make float64 the type of what is built within."""
    before = cnn_core.config.floatx()
    cnn_core.config.set_floatx("float64")
    try:
        yield
    finally:
        cnn_core.config.set_floatx(before)


def worked_model(names: tuple[str, str, str] = ("x", "hidden", "output")) -> Any:
    with double():
        model = Sequential(
            [
                Input((3,), name=names[0]),
                layers.Dense(4, "sigmoid", name=names[1]),
                layers.Dense(2, "sigmoid", name=names[2]),
            ]
        )
        model.set_weights([KERNELS[0], BIASES[0], KERNELS[1], BIASES[1]])
    model.compile("sgd", losses.HalfSquaredError())
    return model


def worked(names: tuple[str, str, str] = ("x", "hidden", "output")) -> Any:
    return worked_model(names).trace(X, Y)


def branches() -> Any:
    """Two inputs, Add, BatchNormalization, Concatenate, an expression of ops, softmax with cross-entropy."""
    cnn_core.utils.set_random_seed(3)
    generator = np.random.default_rng(0)
    with double():
        x, extra = Input((3,), name="x"), Input((2,), name="extra")
        left, right = layers.Dense(4, "relu", name="left")(x), layers.Dense(4, "tanh", name="right")(x)
        normal = layers.BatchNormalization(name="norm")(layers.Add(name="sum")([left, right]))
        joined = layers.Concatenate(name="joined")([normal, extra, x]) * 2.0
        model = Model([x, extra], layers.Dense(2, "softmax", name="out")(joined))
    model.compile("sgd", "categorical_crossentropy")
    return model.trace([generator.normal(size=(5, 3)), generator.normal(size=(5, 2))], np.eye(2)[[0, 1, 0, 1, 1]])


def large() -> Any:
    """64 inputs and 40 hidden units, labels as targets, float32."""
    cnn_core.utils.set_random_seed(3)
    generator = np.random.default_rng(0)
    model = Sequential(
        [Input((64,)), layers.Dense(40, "relu"), layers.Dropout(0.3), layers.Dense(10, "softmax", name="classes")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model.trace(generator.normal(size=(32, 64)), generator.integers(0, 10, 32))


def shared() -> Any:
    """One layer that is called twice."""
    cnn_core.utils.set_random_seed(3)
    generator = np.random.default_rng(0)
    with double():
        x, twice = Input((4,), name="x"), layers.Dense(4, "tanh", name="shared")
        model = Model(x, layers.Dense(2, name="out")(twice(twice(x))))
    model.compile("sgd", "mse")
    return model.trace(generator.normal(size=(6, 4)), generator.normal(size=(6, 2)))


def two_inputs() -> tuple[Any, Any, Any]:
    """A model of two inputs, with samples of the exclusive or."""
    cnn_core.utils.set_random_seed(4)
    x = np.random.default_rng(1).normal(size=(60, 2))
    y = (x[:, :1] * x[:, 1:] > 0).astype(float)
    model = Sequential([Input((2,), name="x"), layers.Dense(5, "tanh", name="h"), layers.Dense(1, "sigmoid", name="o")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model, x, y


def film() -> Any:
    model, x, y = two_inputs()
    return cnn_core.inspection.film(model, x, y, epochs=4, samples=30)
