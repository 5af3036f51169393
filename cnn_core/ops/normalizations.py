"""Keras's normalizations as functions, with what is learned as arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cnn_core.config as config
from cnn_core.ops.elementwise import add, multiply, rsqrt, square, subtract
from cnn_core.ops.functions import reshape, var
from cnn_core.ops.operation import shape_of
from cnn_core.ops.reductions import mean_function

if TYPE_CHECKING:
    from cnn_core.network.graph import Shape


def _along(value: object, axes: list[int], shape: Shape) -> Any:
    """Return what is learned for some axes, with axes of size 1 for the others."""
    if len(shape_of(value)) == len(shape):
        return value
    return reshape(value, [size if axis in axes else 1 for axis, size in enumerate(shape)])


def _axes(axis: Any, shape: Any) -> list[int]:
    return [each % len(shape) for each in (axis if isinstance(axis, (list, tuple)) else [axis])]


def layer_normalization(
    x: object, gamma: object = None, beta: object = None, axis: object = -1, epsilon: float | None = None
) -> Any:
    """Return ``gamma (x - mean) / sqrt(variance + epsilon) + beta``, mean and variance of each sample along axes.

    Parameters
    ----------
    x : array-like or symbol
    gamma, beta : array-like or variable of the sizes of the axes, default None
        None: 1 and 0.
    axis : int or sequence of int, default -1
    epsilon : float, default None
        None: `config.epsilon()`.
    """
    axes, small = _axes(axis, shape_of(x)), config.epsilon() if epsilon is None else epsilon
    centred = subtract(x, mean_function(x, axes, True))
    y = multiply(centred, rsqrt(add(var(x, axes, True), small)))
    y = y if gamma is None else multiply(y, _along(gamma, axes, shape_of(x)))
    return y if beta is None else add(y, _along(beta, axes, shape_of(x)))


def rms_normalization(x: object, scale: object = None, axis: object = -1, epsilon: float | None = None) -> Any:
    """Return ``scale x / sqrt(mean(x^2) + epsilon)``, the mean of each sample along axes: see `layer_normalization`."""
    axes, small = _axes(axis, shape_of(x)), config.epsilon() if epsilon is None else epsilon
    y = multiply(x, rsqrt(add(mean_function(square(x), axes, True), small)))
    return y if scale is None else multiply(y, _along(scale, axes, shape_of(x)))


def batch_normalization(
    x: object,
    mean: object,
    variance: object,
    axis: int,
    offset: object = None,
    scale: object = None,
    epsilon: float = 1e-3,
) -> Any:
    """Return ``scale (x - mean) / sqrt(variance + epsilon) + offset``, each of a size along an axis."""
    shape = shape_of(x)
    axes = _axes(axis, shape)
    factor = rsqrt(add(variance, epsilon))
    factor = factor if scale is None else multiply(factor, scale)
    y = multiply(subtract(x, _along(mean, axes, shape)), _along(factor, axes, shape))
    return y if offset is None else add(y, _along(offset, axes, shape))
