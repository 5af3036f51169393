"""What the tests of layers share: gradients of one layer by central differences."""

from __future__ import annotations

from typing import Any

import numpy as np

import cnn_core
import reference
import tolerances


def check_gradients(layer: Any, x: Any, training: bool = False, moves_inputs: bool = True) -> None:
    """Assert that `layer.backward` gives the derivatives of sum(a * da) for inputs and weights.

    Parameters
    ----------
    layer
        Of float64.
    x
        An array of float64, or a list of them.
    training
        Passed to `layer.forward`; random draws are the same in every call.
    moves_inputs
        Whether the output depends smoothly on the inputs; False for whole numbers.
    """
    parts = x if isinstance(x, list) else [x]
    a, cache = forward(layer, x, training)
    da = np.random.default_rng(3).normal(size=a.shape)
    dx, *gradients = layer.backward(da, cache)
    weights = [variable for variable in layer.variables if variable.trainable]
    assert len(gradients) == len(weights)
    pairs = list(zip(weights, gradients, strict=True))
    found = [(variable.array, gradient) for variable, gradient in pairs]
    if moves_inputs:
        found += list(zip(parts, dx if isinstance(x, list) else [dx], strict=True))
    for array, gradient in found:
        differences = reference.central_differences(lambda: objective(layer, x, training, da), array)
        assert gradient.shape == array.shape
        assert reference.relative_error(gradient, differences) < tolerances.GRADIENT_CHECK


def forward(layer: Any, x: Any, training: bool) -> tuple[Any, Any]:
    """Run a layer forward with the same random draws in every call, and without moving its statistics."""
    kept = [variable.numpy() for variable in layer.variables if not variable.trainable]
    cnn_core.utils.set_random_seed(5)
    result: tuple[Any, Any] = layer.forward(x, training=training)
    moved = [variable for variable in layer.variables if not variable.trainable]
    for variable, value in zip(moved, kept, strict=False):
        variable.assign(value)
    return result


def objective(layer: Any, x: Any, training: bool, da: np.ndarray) -> float:
    return float((forward(layer, x, training)[0] * da).sum())
