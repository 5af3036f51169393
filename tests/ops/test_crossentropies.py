"""Cross-entropies as functions: the formulas in float64, derivatives by central differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import reference
import tolerances
from cnn_core import GradientTape, Input, Model, ops

Z = np.random.default_rng(0).normal(size=(4, 3))
P = np.exp(Z) / np.exp(Z).sum(-1, keepdims=True)
TARGET = np.array([[1.0, 0, 0], [0, 1, 0], [0.2, 0.3, 0.5], [0, 0, 1]])
CLASSES = np.array([0, 2, 1, 2])
SIGMOID = 1 / (1 + np.exp(-Z))
BINARY = -(TARGET * np.log(SIGMOID) + (1 - TARGET) * np.log(1 - SIGMOID))
CASES: dict[str, tuple[str, Any, Any, bool, Any]] = {
    "binary": ("binary_crossentropy", TARGET, SIGMOID, False, BINARY),
    "binary of logits": ("binary_crossentropy", TARGET, Z, True, BINARY),
    "categorical": ("categorical_crossentropy", TARGET, 3 * P, False, -(TARGET * np.log(P)).sum(-1)),
    "categorical of logits": ("categorical_crossentropy", TARGET, Z, True, -(TARGET * np.log(P)).sum(-1)),
    "sparse": ("sparse_categorical_crossentropy", CLASSES, 3 * P, False, -np.log(P[range(4), CLASSES])),
    "sparse of logits": ("sparse_categorical_crossentropy", CLASSES[:, None], Z, True, -np.log(P[range(4), CLASSES])),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_derivatives(name: str) -> None:
    function, target, output, from_logits, expected = CASES[name]
    output, tape = output.copy(), GradientTape()
    watched = tape.watch(output)
    with tape:
        value = getattr(ops, function)(target, watched, from_logits=from_logits)
        total = ops.sum(ops.square(value))
    on_arrays = getattr(ops, function)(target, output, from_logits=from_logits)
    tolerances.close(np.asarray(value), expected, tolerances.GOLDEN_FLOAT64, name)
    tolerances.close(on_arrays, expected, tolerances.GOLDEN_FLOAT64, name)
    numeric = reference.central_differences(
        lambda: float(np.sum(np.square(getattr(ops, function)(target, output, from_logits=from_logits)))),
        output,
        tolerances.DIFFERENCE_STEP,
    )
    tolerances.close(tape.gradient(total, [watched])[0], numeric, tolerances.GRADIENT_CHECK, name)


def test_symbols() -> None:
    target, output = Input((3,)), Input((3,))
    model = Model([target, output], ops.categorical_crossentropy(target, output, from_logits=True))
    found = model([TARGET.astype("float32"), Z.astype("float32")])
    tolerances.close(found, -(TARGET * np.log(P)).sum(-1), tolerances.GOLDEN_FLOAT32)


def test_certain_and_wrong_stays_finite() -> None:
    assert ops.binary_crossentropy(np.array([1.0]), np.array([0.0])) == pytest.approx(-np.log(1e-7))
    assert ops.binary_crossentropy(np.array([1.0]), np.array([-1e4]), from_logits=True) == pytest.approx(1e4)


def test_another_axis() -> None:
    found = ops.sparse_categorical_crossentropy(CLASSES, P.T, axis=0)
    tolerances.close(found, -np.log(P[range(4), CLASSES]), tolerances.GOLDEN_FLOAT64)


@pytest.mark.parametrize("function", ["binary_crossentropy", "categorical_crossentropy"])
def test_targets_of_another_shape_are_refused(function: str) -> None:
    with pytest.raises(ValueError, match=rf"`target` of `{function}` must have the shape \(4, 3\). Received: .*\(4,\)"):
        getattr(ops, function)(np.ones(4), P)
    with pytest.raises(ValueError, match=r"must have the shape \(4,\). Received: target.shape=\(3,\)"):
        ops.sparse_categorical_crossentropy(CLASSES[:3], P)
