"""Activations under Keras's names, with the defaults that they have among its functions."""

from __future__ import annotations

from typing import Any

from cnn_core.ops.functions import convert_to_tensor, swapaxes
from cnn_core.ops.operation import FUNCTIONS, shape_of


def _of(name: str, x: object, **settings: object) -> Any:
    return FUNCTIONS[name](convert_to_tensor(x), **settings)  # type: ignore[operator]


def _along(name: str, x: object, axis: object) -> Any:
    """Apply an activation of rows along any axis of the features."""
    x = convert_to_tensor(x)
    rank = len(shape_of(x))
    if not isinstance(axis, int) or axis in (-1, rank - 1):
        return _of(name, x, axis=-1 if isinstance(axis, int) else axis)
    return swapaxes(_of(name, swapaxes(x, axis, -1), axis=-1), axis, -1)


def celu(x: object, alpha: float = 1.0) -> Any:
    """Return ``max(0, x) + min(0, alpha * (exp(x / alpha) - 1))``."""
    return _of("celu", x, alpha=alpha)


def elu(x: object, alpha: float = 1.0) -> Any:
    """Return `x` above 0, ``alpha * (exp(x) - 1)`` below."""
    return _of("elu", x, alpha=alpha)


def gelu(x: object, approximate: bool = True) -> Any:
    """Return ``x * P(X <= x)`` of a standard normal X, by its approximation with tanh unless told otherwise."""
    return _of("gelu", x, approximate=approximate)


def glu(x: object, axis: int = -1) -> Any:
    """Return the first half along an axis times the sigmoid of the second."""
    return _along("glu", x, axis)


def hard_shrink(x: object, threshold: float = 0.5) -> Any:
    """Return `x` where ``|x|`` is above the threshold, else 0."""
    return _of("hard_shrink", x, threshold=threshold)


def hard_sigmoid(x: object) -> Any:
    """Return ``clip(x / 6 + 0.5, 0, 1)``."""
    return _of("hard_sigmoid", x)


def hard_silu(x: object) -> Any:
    """Return ``x * hard_sigmoid(x)``."""
    return _of("hard_silu", x)


def hard_tanh(x: object) -> Any:
    """Return ``clip(x, -1, 1)``."""
    return _of("hard_tanh", x)


def leaky_relu(x: object, negative_slope: float = 0.2) -> Any:
    """Return `x` above 0, ``negative_slope * x`` below."""
    return _of("leaky_relu", x, negative_slope=negative_slope)


def log_sigmoid(x: object) -> Any:
    """Return ``log(sigmoid(x))``."""
    return _of("log_sigmoid", x)


def log_softmax(x: object, axis: int = -1) -> Any:
    """Return ``x - log(sum(exp(x)))`` along an axis."""
    return _along("log_softmax", x, axis)


def relu(x: object) -> Any:
    """Return ``max(x, 0)``."""
    return _of("relu", x)


def relu6(x: object) -> Any:
    """Return ``min(max(x, 0), 6)``."""
    return _of("relu6", x)


def selu(x: object) -> Any:
    """Return ``scale * elu(x, alpha)`` with the constants that keep mean 0 and variance 1."""
    return _of("selu", x)


def sigmoid(x: object) -> Any:
    """Return ``1 / (1 + exp(-x))``."""
    return _of("sigmoid", x)


def silu(x: object) -> Any:
    """Return ``x * sigmoid(x)``."""
    return _of("silu", x)


def soft_shrink(x: object, threshold: float = 0.5) -> Any:
    """Return `x` brought nearer to 0 by the threshold, 0 where that would pass it."""
    return _of("soft_shrink", x, threshold=threshold)


def softmax(x: object, axis: int = -1) -> Any:
    """Return ``exp(x) / sum(exp(x))`` along an axis."""
    return _along("softmax", x, axis)


def softplus(x: object) -> Any:
    """Return ``log(1 + exp(x))``."""
    return _of("softplus", x)


def softsign(x: object) -> Any:
    """Return ``x / (1 + |x|)``."""
    return _of("softsign", x)


def sparse_plus(x: object) -> Any:
    """Return 0 below -1, `x` above 1, ``(x + 1)^2 / 4`` between."""
    return _of("sparse_plus", x)


def sparse_sigmoid(x: object) -> Any:
    """Return ``clip((x + 1) / 2, 0, 1)``."""
    return _of("sparse_sigmoid", x)


def sparsemax(x: object, axis: int = -1) -> Any:
    """Return the nearest point of the probability simplex along an axis."""
    return _along("sparsemax", x, axis)


def squareplus(x: object, b: float = 4) -> Any:
    """Return ``(x + sqrt(x^2 + b)) / 2``."""
    return _of("squareplus", x, b=b)


def tanh(x: object) -> Any:
    """Return the hyperbolic tangent."""
    return _of("tanh", x)


def tanh_shrink(x: object) -> Any:
    """Return ``x - tanh(x)``."""
    return _of("tanh_shrink", x)


def threshold(x: object, threshold: float, default_value: float) -> Any:
    """Return `x` above the threshold, else the default value."""
    return _of("threshold", x, threshold=threshold, default_value=default_value)


hard_swish = hard_silu
swish = silu
