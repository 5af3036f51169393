"""Activations and their derivatives. At a kink the derivative is the one of the left side, as Keras has it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
# Keras keeps probabilities this far from 0 and 1 and adds it where a division needs it.
EPSILON = 1e-7
SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772
_erfc = np.vectorize(math.erfc, otypes=[np.float64])


# --------------------------------------------------------------------------------------------------------------------
# Elementwise activations: a = g(z) and g'(z). At a kink the derivative is the one of the left side, as Keras has it.
# --------------------------------------------------------------------------------------------------------------------


class Elementwise(NamedTuple):
    """An activation g with its derivative, both functions of (z, *parameters)."""

    forward: Callable[..., Array]
    derivative: Callable[..., Array]
    parameters: tuple[float, ...] = ()


def sigmoid(z: Array) -> Array:
    """Compute 1 / (1 + exp(-z)) without overflow on either side."""
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + small), small / (1 + small))


def softplus(z: Array) -> Array:
    """Compute log(1 + exp(z))."""
    return np.logaddexp(0, z)


def normal_distribution(z: Array) -> Array:
    """Compute Phi(z), the standard normal distribution function."""
    return 0.5 * _erfc(-z / math.sqrt(2))


def normal_density(z: Array) -> Array:
    """Compute phi(z) = exp(-z^2 / 2) / sqrt(2 pi)."""
    return np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


def relu(z: Array, slope: float = 0.0, maximum: float = math.inf, threshold: float = 0.0) -> Array:
    """Compute slope (z - threshold) up to the threshold, z above it, and never more than maximum."""
    return np.where(z > threshold, np.minimum(z, maximum), slope * (z - threshold))


def relu_derivative(z: Array, slope: float = 0.0, maximum: float = math.inf, threshold: float = 0.0) -> Array:
    return np.where(z > threshold, np.where(z < maximum, 1.0, 0.0), slope)


def elu(z: Array, alpha: float = 1.0) -> Array:
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


def elu_derivative(z: Array, alpha: float = 1.0) -> Array:
    return np.where(z > 0, 1.0, alpha * np.exp(np.minimum(z, 0)))


def celu(z: Array, alpha: float = 1.0) -> Array:
    return np.maximum(z, 0) + np.minimum(0, alpha * np.expm1(np.minimum(z, 0) / alpha))


def celu_derivative(z: Array, alpha: float = 1.0) -> Array:
    return np.where(z > 0, 1.0, np.exp(np.minimum(z, 0) / alpha))


def silu_derivative(z: Array) -> Array:
    s = sigmoid(z)
    return s + z * s * (1 - s)


def gelu_tanh(z: Array) -> Array:
    return 0.5 * z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))


def gelu_tanh_derivative(z: Array) -> Array:
    t = np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))
    inner = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z**2)
    return 0.5 * (1 + t) + 0.5 * z * (1 - t**2) * inner


def mish_derivative(z: Array) -> Array:
    t = np.tanh(softplus(z))
    return t + z * (1 - t**2) * sigmoid(z)


def hard_sigmoid(z: Array) -> Array:
    return np.clip(z / 6 + 0.5, 0, 1)


def between(z: Array, low: float, high: float) -> Array:
    """Compute 1 where low < z < high, else 0."""
    return np.where((z > low) & (z < high), 1.0, 0.0)


def sparse_plus(z: Array) -> Array:
    return np.where(z <= -1, 0, np.where(z < 1, 0.25 * (z + 1) ** 2, z))


def sparse_plus_derivative(z: Array) -> Array:
    return np.clip(0.5 * (z + 1), 0, 1)


def soft_shrink(z: Array, threshold: float = 0.5) -> Array:
    return np.sign(z) * np.maximum(np.abs(z) - threshold, 0)


ACTIVATIONS: dict[str, Elementwise] = {
    "linear": Elementwise(lambda z: z, np.ones_like),
    "relu": Elementwise(relu, relu_derivative, (0.0, math.inf, 0.0)),
    "sigmoid": Elementwise(sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "tanh": Elementwise(np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "elu": Elementwise(elu, elu_derivative, (1.0,)),
    "selu": Elementwise(
        lambda z: SELU_SCALE * elu(z, SELU_ALPHA), lambda z: SELU_SCALE * elu_derivative(z, SELU_ALPHA)
    ),
    "celu": Elementwise(celu, celu_derivative, (1.0,)),
    "softplus": Elementwise(softplus, sigmoid),
    "softsign": Elementwise(lambda z: z / (1 + np.abs(z)), lambda z: 1 / (1 + np.abs(z)) ** 2),
    "silu": Elementwise(lambda z: z * sigmoid(z), silu_derivative),
    "gelu": Elementwise(lambda z: z * normal_distribution(z), lambda z: normal_distribution(z) + z * normal_density(z)),
    "gelu_tanh": Elementwise(gelu_tanh, gelu_tanh_derivative),
    "mish": Elementwise(lambda z: z * np.tanh(softplus(z)), mish_derivative),
    "exponential": Elementwise(np.exp, np.exp),
    "log_sigmoid": Elementwise(lambda z: -softplus(-z), lambda z: sigmoid(-z)),
    "hard_sigmoid": Elementwise(hard_sigmoid, lambda z: between(z, -3, 3) / 6),
    "hard_silu": Elementwise(
        lambda z: z * hard_sigmoid(z), lambda z: np.where(z >= 3, 1.0, between(z, -3, 3) * (z / 3 + 0.5))
    ),
    "hard_tanh": Elementwise(lambda z: np.clip(z, -1, 1), lambda z: between(z, -1, 1)),
    "squareplus": Elementwise(
        lambda z, b=4.0: 0.5 * (z + np.sqrt(z**2 + b)), lambda z, b=4.0: 0.5 * (1 + z / np.sqrt(z**2 + b)), (4.0,)
    ),
    "soft_shrink": Elementwise(soft_shrink, lambda z, threshold=0.5: np.where(np.abs(z) > threshold, 1.0, 0.0), (0.5,)),
    "hard_shrink": Elementwise(
        lambda z, threshold=0.5: np.where(np.abs(z) > threshold, z, 0),
        lambda z, threshold=0.5: np.where(np.abs(z) > threshold, 1.0, 0.0),
        (0.5,),
    ),
    "tanh_shrink": Elementwise(lambda z: z - np.tanh(z), lambda z: np.tanh(z) ** 2),
    "threshold": Elementwise(
        lambda z, threshold, value: np.where(z > threshold, z, value),
        lambda z, threshold, value: np.where(z > threshold, 1.0, 0.0),
        (0.5, 0.1),
    ),
    "sparse_plus": Elementwise(sparse_plus, sparse_plus_derivative),
    "sparse_sigmoid": Elementwise(lambda z: np.clip(0.5 * (z + 1), 0, 1), lambda z: 0.5 * between(z, -1, 1)),
}


# --------------------------------------------------------------------------------------------------------------------
# Activations of a whole row: a = g(z) and the vector-Jacobian product da . dg/dz.
# --------------------------------------------------------------------------------------------------------------------


class Rowwise(NamedTuple):
    """An activation of rows with `vector_jacobian(z, da) = da . (da_j/dz_k)`."""

    forward: Callable[[Array], Array]
    vector_jacobian: Callable[[Array, Array], Array]


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_vector_jacobian(z: Array, da: Array) -> Array:
    """Compute dz_k = sum_j da_j a_j (1[j = k] - a_k)."""
    a = softmax(z)
    return a * (da - (da * a).sum(axis=-1, keepdims=True))


def log_softmax(z: Array) -> Array:
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def log_softmax_vector_jacobian(z: Array, da: Array) -> Array:
    """Compute dz_k = da_k - softmax(z)_k sum_j da_j."""
    return da - softmax(z) * da.sum(axis=-1, keepdims=True)


def glu(z: Array) -> Array:
    """Compute u sigmoid(v) for the two halves z = [u, v] of each row."""
    u, v = np.split(z, 2, axis=-1)
    return u * sigmoid(v)


def glu_vector_jacobian(z: Array, da: Array) -> Array:
    u, v = np.split(z, 2, axis=-1)
    s = sigmoid(v)
    return np.concatenate([da * s, da * u * s * (1 - s)], axis=-1)


def sparsemax(z: Array) -> Array:
    """Project each row onto the probability simplex (Martins and Astudillo, 2016)."""
    descending = -np.sort(-z, axis=-1)
    count = np.arange(1, z.shape[-1] + 1)
    cumulated = np.cumsum(descending, axis=-1)
    support_size = (1 + count * descending > cumulated).sum(axis=-1, keepdims=True)
    threshold = (np.take_along_axis(cumulated, support_size - 1, axis=-1) - 1) / support_size
    return np.maximum(z - threshold, 0)


def sparsemax_vector_jacobian(z: Array, da: Array) -> Array:
    """Take the mean over the support from da, on the support; 0 elsewhere."""
    support = sparsemax(z) > 0
    mean = (da * support).sum(axis=-1, keepdims=True) / support.sum(axis=-1, keepdims=True)
    return np.where(support, da - mean, 0)


ROWWISE: dict[str, Rowwise] = {
    "softmax": Rowwise(softmax, softmax_vector_jacobian),
    "log_softmax": Rowwise(log_softmax, log_softmax_vector_jacobian),
    "glu": Rowwise(glu, glu_vector_jacobian),
    "sparsemax": Rowwise(sparsemax, sparsemax_vector_jacobian),
}


def activate(name: str, z: ArrayLike, parameters: tuple[float, ...] = ()) -> Array:
    """Compute a = g(z) for an activation of either sort."""
    z = np.asarray(z, dtype=np.float64)
    if name in ROWWISE:
        return ROWWISE[name].forward(z)
    return ACTIVATIONS[name].forward(z, *(parameters or ACTIVATIONS[name].parameters))


def activation_backward(name: str, da: ArrayLike, z: ArrayLike, parameters: tuple[float, ...] = ()) -> Array:
    """Compute delta = dJ/dz from da = dJ/da: da g'(z), or the vector-Jacobian product of a row."""
    da, z = np.asarray(da, dtype=np.float64), np.asarray(z, dtype=np.float64)
    if name in ROWWISE:
        return ROWWISE[name].vector_jacobian(z, da)
    return da * ACTIVATIONS[name].derivative(z, *(parameters or ACTIVATIONS[name].parameters))
