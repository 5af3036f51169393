"""Penalties and constraints inside the native step: the built-in ones, and those that only Python knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core
import tolerances
from cnn_core import constraints, layers, regularizers

X = np.random.default_rng(1).normal(size=(12, 5))
Y = np.random.default_rng(2).normal(size=(12, 3))


class Cubic(regularizers.Regularizer):
    def __call__(self, x: Any) -> float:
        return 0.1 * float((np.abs(x) ** 3).sum())

    def gradient(self, x: Any) -> Any:
        return 0.3 * x * np.abs(x)


class Doubled(regularizers.L2):
    """Another formula than its base class: it must not be trained with the built-in one."""

    def __call__(self, x: Any) -> float:
        return 2 * super().__call__(x)

    def gradient(self, x: Any) -> Any:
        return 2 * super().gradient(x)


class Rounded(constraints.Constraint):
    def __call__(self, w: Any) -> Any:
        return np.round(w * 16) / 16


def clipped(w: np.ndarray) -> np.ndarray:
    return np.clip(w, -0.25, 0.25)


REGULARIZERS = [
    regularizers.L1(0.1),
    regularizers.L2(0.1),
    regularizers.L1L2(0.1, 0.2),
    regularizers.OrthogonalRegularizer(0.5),
    regularizers.OrthogonalRegularizer(0.5, mode="columns"),
    Cubic(),
    Doubled(0.1),
]
CONSTRAINTS = [
    constraints.MaxNorm(0.5),
    constraints.MaxNorm(0.5, axis=1),
    constraints.MaxNorm(0.5, axis=(0, 1)),
    constraints.UnitNorm(),
    constraints.UnitNorm(axis=-1),
    constraints.MinMaxNorm(0.5, 0.75, rate=0.5),
    constraints.NonNeg(),
    Rounded(),
    clipped,
]


def network(dtype: str = "float64", **arguments: Any) -> Any:
    cnn_core.utils.set_random_seed(1)
    model = cnn_core.Sequential(
        [cnn_core.Input((5,)), layers.Dense(3, dtype=dtype, use_bias=False, kernel_initializer="normal", **arguments)]
    )
    model.compile(cnn_core.optimizers.SGD(0.1), "mse")
    return model


@pytest.mark.parametrize("regularizer", REGULARIZERS, ids=repr)
def test_penalties_are_part_of_loss_and_gradient(regularizer: Any) -> None:
    model = network(kernel_regularizer=regularizer)
    w = model.get_weights()[0]
    for _ in range(5):
        loss = ((X @ w - Y) ** 2).mean() + regularizer(w)
        assert model.evaluate(X, Y, verbose=0) == pytest.approx(loss, rel=tolerances.REFERENCE_FLOAT64)
        assert model.train_on_batch(X, Y) == pytest.approx(loss, rel=tolerances.REFERENCE_FLOAT64)
        w = w - 0.1 * (2 * X.T @ (X @ w - Y) / Y.size + regularizer.gradient(w))
        tolerances.close(model.get_weights()[0], w, tolerances.REFERENCE_FLOAT64)
    assert cnn_core.inspection.gradient_check(model, X, Y)


def name_of(constraint: Any) -> str:
    """Return a name that is the same in every process: the repr of a function has its address."""
    return getattr(constraint, "__name__", None) or repr(constraint)


@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=name_of)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_constraints_follow_every_step(constraint: Any, dtype: str) -> None:
    model = network(dtype, kernel_constraint=constraint)
    w = model.get_weights()[0].astype("float64")
    for _ in range(5):
        model.train_on_batch(X, Y)
        w = constraint(w - 0.1 * (2 * X.T @ (X @ w - Y) / Y.size))
        tolerances.close(model.get_weights()[0], w, tolerances.golden(dtype))
        w = model.get_weights()[0].astype("float64")


@pytest.mark.parametrize("mode", ["rows", "columns"])
@pytest.mark.parametrize("shape", [(1, 3), (3, 1), (2, 5), (6, 4)])
def test_orthogonality_at_every_shape(mode: str, shape: tuple[int, int]) -> None:
    regularizer = regularizers.OrthogonalRegularizer(0.5, mode=mode)
    model = cnn_core.Sequential(
        [cnn_core.Input(shape[:1]), layers.Dense(shape[1], dtype="float64", kernel_regularizer=regularizer)]
    )
    model.compile("sgd", "mse")
    w = model.get_weights()[0]
    x = np.zeros((2, shape[0]))
    assert model.evaluate(x, np.zeros((2, shape[1])), verbose=0) == pytest.approx(regularizer(w), rel=1e-12, abs=1e-15)
    gradient = model.gradients(x, np.zeros((2, shape[1])))[0]
    np.testing.assert_allclose(gradient, regularizer.gradient(w), rtol=1e-10, atol=1e-14)
    model.set_weights([np.zeros(shape), np.zeros(shape[1])])
    assert np.isfinite(model.gradients(x, np.ones((2, shape[1])))[0]).all()


def test_orthogonality_needs_a_matrix() -> None:
    model = network()
    model.add(layers.LayerNormalization(gamma_regularizer=regularizers.OrthogonalRegularizer(), dtype="float64"))
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="needs a matrix"):
        model.fit(X, Y, verbose=0)


def test_tensors_of_three_axes_are_handed_over_in_their_shape() -> None:
    shapes = []

    def watched(w: np.ndarray) -> np.ndarray:
        shapes.append(w.shape)
        return w

    x = cnn_core.Input((4, 2, 3))
    slopes = layers.PReLU(alpha_constraint=watched, alpha_regularizer=Cubic(), dtype="float64")(x)
    model = cnn_core.Model(x, layers.Dense(1, dtype="float64")(layers.Flatten(dtype="float64")(slopes)))
    model.compile("sgd", "mse")
    model.fit(np.ones((2, 4, 2, 3)), np.ones((2, 1)), verbose=0)
    assert shapes == [(4, 2, 3)]


class Failing:
    """A penalty that fails when it is asked for the second time."""

    def __init__(self, where: str) -> None:
        self.where = where

    def __call__(self, x: Any) -> float:
        if self.where == "value":
            raise RuntimeError("no value today")
        return 0.0

    def gradient(self, x: Any) -> Any:
        if self.where == "gradient":
            raise RuntimeError("no gradient today")
        return np.zeros(3) if self.where == "shape" else np.zeros_like(x)


@pytest.mark.parametrize(
    ("where", "error", "message"),
    [
        ("value", RuntimeError, "no value today"),
        ("gradient", RuntimeError, "no gradient today"),
        ("shape", ValueError, "reshape"),
    ],
)
def test_a_failing_penalty_changes_nothing(where: str, error: Any, message: str) -> None:
    model = network(kernel_regularizer=Failing(where))
    kept = model.get_weights()[0]
    with pytest.raises(error, match=message):
        model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], kept)
    np.testing.assert_allclose(model.predict(X), X @ kept, rtol=1e-12)
    if where == "value":
        with pytest.raises(error, match=message):
            model.evaluate(X, Y, verbose=0)


def test_a_failing_constraint_is_reported() -> None:
    def failing(w: np.ndarray) -> np.ndarray:
        return w[:1]

    model = network(kernel_constraint=failing)
    with pytest.raises(ValueError, match="must keep the shape"):
        model.fit(X, Y, verbose=0)
    assert np.isfinite(model.get_weights()[0]).all()


def test_the_trace_leaves_penalties_out_of_dw() -> None:
    plain, penalised = network(), network(kernel_regularizer=Cubic())
    np.testing.assert_allclose(penalised.trace(X, Y)[0].dW, plain.trace(X, Y)[0].dW, rtol=1e-12)
    assert penalised.trace(X, Y).loss > plain.trace(X, Y).loss
