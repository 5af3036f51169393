"""Tests of every axis that a layer, an activation, a loss or a metric can be given, on two to five dimensions.

An axis is right by NumPy's formula, forward and backward, or refused by its name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import activations, inspection, layers, losses, metrics
from cnn_core.foundation.arrays import Array

RANKS = (2, 3, 4, 5)
CASES = [(rank, axis) for rank in RANKS for axis in range(-rank - 1, rank + 2)]


def sample(rank: int, seed: int = 0, low: float = -2.0) -> Array:
    return np.random.default_rng(seed).uniform(low, 2, size=(3, 4, 2, 6, 2)[:rank])


def softmax(x: Array, axis: int) -> Array:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def gated(x: Array, axis: int) -> Array:
    u, v = np.split(x, 2, axis=axis)
    return u / (1 + np.exp(-v))


def sparsemax(x: Array, axis: int) -> Array:
    def project(z: Array) -> Array:
        ordered = np.sort(z)[::-1]
        sums = np.cumsum(ordered)
        count = np.max(np.flatnonzero(1 + np.arange(1, len(z) + 1) * ordered > sums)) + 1
        return np.maximum(z - (sums[count - 1] - 1) / count, 0)

    return np.apply_along_axis(project, axis, x)


def batch_normalized(x: Array, axis: int) -> Array:
    return x / np.sqrt(1.001)  # moving statistics of a layer that has not trained


def layer_normalized(x: Array, axis: int) -> Array:
    mean, variance = x.mean(axis=axis, keepdims=True), x.var(axis=axis, keepdims=True)
    return (x - mean) / np.sqrt(variance + 0.001)


def of_length_one(x: Array, axis: int) -> Array:
    return x / np.sqrt((x**2).sum(axis=axis, keepdims=True))


def of_square_one(x: Array, axis: int) -> Array:
    return x / np.sqrt((x**2).mean(axis=axis, keepdims=True) + 1e-6)


FORMULAS: dict[str, tuple[Callable[..., Any], Callable[[Array, int], Array]]] = {
    "Softmax": (lambda axis, **c: layers.Softmax(axis=axis, **c), softmax),
    "softmax": (lambda axis, **c: layers.Activation(activations.Softmax(axis), **c), softmax),
    "log_softmax": (
        lambda axis, **c: layers.Activation(activations.LogSoftmax(axis), **c),
        lambda x, axis: np.log(softmax(x, axis)),
    ),
    "sparsemax": (lambda axis, **c: layers.Activation(activations.Sparsemax(axis), **c), sparsemax),
    "glu": (lambda axis, **c: layers.Activation(activations.GLU(axis), **c), gated),
    "BatchNormalization": (lambda axis, **c: layers.BatchNormalization(axis, **c), batch_normalized),
    "LayerNormalization": (lambda axis, **c: layers.LayerNormalization(axis, **c), layer_normalized),
    "RMSNormalization": (lambda axis, **c: layers.RMSNormalization(axis, epsilon=1e-6, **c), of_square_one),
    "UnitNormalization": (lambda axis, **c: layers.UnitNormalization(axis, **c), of_length_one),
}


def is_fit(rank: int, axis: int) -> bool:
    return -rank <= axis < rank and axis % rank != 0


@pytest.mark.parametrize(("rank", "axis"), CASES)
@pytest.mark.parametrize("name", FORMULAS)
def test_layers_work_along_the_axis_or_refuse_it(name: str, rank: int, axis: int) -> None:
    make, formula = FORMULAS[name]
    x = sample(rank)
    source = cnn_core.Input(x.shape[1:], dtype="float64")
    if not is_fit(rank, axis):
        with pytest.raises(ValueError, match=rf"axis.* Received: axis={axis}"):
            make(axis, dtype="float64")(source)
        return
    below = layers.Dense(x.shape[-1], dtype="float64")
    model = cnn_core.Model(source, make(axis, dtype="float64")(below(source)))
    expected = formula(x @ np.asarray(below.kernel), axis)
    assert model.output_shape[1:] == expected.shape[1:]
    np.testing.assert_allclose(model.predict(x), expected, rtol=1e-9, atol=1e-12)
    model.compile("sgd", "mse")
    y = np.random.default_rng(1).normal(size=expected.shape)
    assert inspection.gradient_check(model, x, y)


@pytest.mark.parametrize(("rank", "axis"), CASES)
def test_dense_applies_an_activation_along_its_axis(rank: int, axis: int) -> None:
    x = sample(rank)
    dense = layers.Dense(4, activations.Softmax(axis), dtype="float64")
    source = cnn_core.Input(x.shape[1:], dtype="float64")
    if not is_fit(rank, axis):
        with pytest.raises(ValueError, match=rf"axis.* Received: axis={axis}"):
            dense(source)
        return
    model = cnn_core.Model(source, dense(source))
    np.testing.assert_allclose(model.predict(x), softmax(x @ np.asarray(dense.kernel), axis), rtol=1e-9)
    model.compile("sgd", "mse")
    y = np.random.default_rng(1).normal(size=(*x.shape[:-1], 4))
    assert inspection.gradient_check(model, x, y)


@pytest.mark.parametrize(("rank", "axis"), CASES)
def test_concatenate_joins_along_the_axis_or_refuses_it(rank: int, axis: int) -> None:
    x, y = sample(rank), sample(rank, 1)
    sources = [cnn_core.Input(x.shape[1:], dtype="float64") for _ in range(2)]
    if not is_fit(rank, axis):
        with pytest.raises(ValueError, match=rf"axis.* Received: axis={axis}"):
            layers.Concatenate(axis, dtype="float64")(sources)
        return
    model = cnn_core.Model(sources, layers.Concatenate(axis, dtype="float64")(sources))
    np.testing.assert_array_equal(model.predict([x, y]), np.concatenate([x, y], axis))


def cosine(y: Array, p: Array, axis: int) -> Array:
    return -(of_length_one(y, axis) * of_length_one(p, axis)).sum(axis=axis)


def crossentropy(y: Array, p: Array, axis: int) -> Array:
    shares = p / p.sum(axis=axis, keepdims=True)
    return -(y * np.log(shares)).sum(axis=axis)


def binary(y: Array, p: Array, axis: int) -> Array:
    return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(axis=axis)


LOSSES: dict[str, tuple[Any, Callable[[Array, Array, int], Array]]] = {
    "cosine_similarity": (losses.CosineSimilarity, cosine),
    "categorical_crossentropy": (losses.CategoricalCrossentropy, crossentropy),
    "binary_crossentropy": (losses.BinaryCrossentropy, binary),
}


@pytest.mark.parametrize(("rank", "axis"), CASES)
@pytest.mark.parametrize("name", LOSSES)
def test_losses_compare_along_the_axis_or_refuse_it(name: str, rank: int, axis: int) -> None:
    cls, formula = LOSSES[name]
    p, y = softmax(sample(rank), axis if is_fit(rank, axis) else -1), sample(rank, 1, 0.1)
    y = y / y.sum(axis=axis if is_fit(rank, axis) else -1, keepdims=True)
    loss = cls(axis=axis)
    if not -rank <= axis < rank:
        with pytest.raises(ValueError, match=rf"`axis` must be an axis of y_pred. Received: axis={axis}"):
            loss(y, p)
        return
    if axis % rank == 0:
        return  # the loss called by itself knows no batch; a model's is below
    np.testing.assert_allclose(loss(y, p), formula(y, p, axis).mean(), rtol=1e-6)


@pytest.mark.parametrize(("rank", "axis"), CASES)
@pytest.mark.parametrize("name", LOSSES)
def test_models_train_on_losses_along_the_last_axis_and_refuse_others(name: str, rank: int, axis: int) -> None:
    cls, formula = LOSSES[name]
    x = sample(rank)
    source = cnn_core.Input(x.shape[1:], dtype="float64")
    below = layers.Dense(x.shape[-1], dtype="float64")
    model = cnn_core.Model(source, layers.Softmax(dtype="float64")(below(source)))
    y = sample(rank, 1, 0.1)
    y = y / y.sum(axis=-1, keepdims=True)
    model.compile("sgd", cls(axis=axis))
    if axis not in (-1, rank - 1):
        with pytest.raises(ValueError, match=rf"axis.* Received: axis={axis}"):
            model.evaluate(x, y, verbose=0)
        return
    expected = formula(y, softmax(x @ np.asarray(below.kernel), -1), -1).mean()
    np.testing.assert_allclose(model.evaluate(x, y, verbose=0), expected, rtol=1e-6)
    assert inspection.gradient_check(model, x, y)


@pytest.mark.parametrize(("rank", "axis"), CASES)
@pytest.mark.parametrize(
    ("cls", "formula"),
    [
        (metrics.CosineSimilarity, lambda y, p, axis: -cosine(y, p, axis)),
        (metrics.CategoricalCrossentropy, crossentropy),
    ],
)
def test_metrics_compare_along_the_axis_or_refuse_it(
    cls: Any, formula: Callable[[Array, Array, int], Array], rank: int, axis: int
) -> None:
    fit = axis if is_fit(rank, axis) else -1
    p, y = softmax(sample(rank), fit), sample(rank, 1, 0.1)
    y = y / y.sum(axis=fit, keepdims=True)
    metric = cls(axis=axis)
    if not -rank <= axis < rank:
        with pytest.raises(ValueError, match=rf"axis={axis}"):
            metric.update_state(y, p)
        return
    if axis % rank == 0:
        return
    metric.update_state(y, p)
    np.testing.assert_allclose(float(metric.result()), formula(y, p, axis).mean(), rtol=1e-6)
