"""The network in float64 NumPy: the oracle that kernels and layers are tested against.

Every function is the formula as a textbook writes it, one line where one line does. Speed and memory do not matter
here, and nothing of cnn_core is imported, so that an error in the product cannot hide in its own measure. The oracle is
checked itself, by central differences, by hand and against Keras's recorded numbers, in test_reference.py.

Letters: x input, w kernel (n_in, n_out), b bias (n_out,), z = x.w + b, a = g(z), delta = dJ/dz, dw, db, y target;
rows are samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

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


# --------------------------------------------------------------------------------------------------------------------
# Losses: the value of each row and its gradient, d(value of row i) / d p[i, :]. Arguments (y, p, **options).
# --------------------------------------------------------------------------------------------------------------------


class LossFunction(NamedTuple):
    """A loss as the value of each row, shape (n,), and the gradient of that value, shaped as p."""

    values: Callable[..., Array]
    gradient: Callable[..., Array]


def _mean_over_outputs(value: Callable[..., Array], derivative: Callable[..., Array]) -> LossFunction:
    """Make a loss of an elementwise value(y, p) and its derivative with respect to p."""
    return LossFunction(
        lambda y, p, **options: value(y, p, **options).mean(axis=-1),
        lambda y, p, **options: derivative(y, p, **options) / p.shape[-1],
    )


def _absolute_percentage(y: Array, p: Array) -> Array:
    return 100 * np.abs(p - y) / np.maximum(np.abs(y), EPSILON)


def _absolute_percentage_derivative(y: Array, p: Array) -> Array:
    return 100 * np.sign(p - y) / np.maximum(np.abs(y), EPSILON)


def _log_error(y: Array, p: Array) -> Array:
    return np.log(np.maximum(p, EPSILON) + 1) - np.log(np.maximum(y, EPSILON) + 1)


def _squared_log_derivative(y: Array, p: Array) -> Array:
    return np.where(p > EPSILON, 2 * _log_error(y, p) / (np.maximum(p, EPSILON) + 1), 0)


def _huber(y: Array, p: Array, delta: float = 1.0) -> Array:
    e = np.abs(p - y)
    return np.where(e <= delta, 0.5 * e**2, delta * e - 0.5 * delta**2)


def _huber_derivative(y: Array, p: Array, delta: float = 1.0) -> Array:
    return np.clip(p - y, -delta, delta)


def _log_cosh(y: Array, p: Array) -> Array:
    e = np.abs(p - y)
    return e + np.log1p(np.exp(-2 * e)) - math.log(2)


def _poisson(y: Array, p: Array) -> Array:
    return p - y * np.log(p + EPSILON)


def _pinball(y: Array, p: Array, quantile: float = 0.5) -> Array:
    return np.maximum(quantile * (y - p), (quantile - 1) * (y - p))


def _pinball_derivative(y: Array, p: Array, quantile: float = 0.5) -> Array:
    return np.where(y > p, -quantile, np.where(y < p, 1 - quantile, 0))


def signed_labels(y: Array) -> Array:
    """Turn labels 0 and 1 into -1 and 1; leave others as they are (Keras looks at the whole batch)."""
    return 2 * y - 1 if np.isin(y, (0, 1)).all() else y


def _hinge(y: Array, p: Array) -> Array:
    return np.maximum(1 - signed_labels(y) * p, 0)


def _hinge_derivative(y: Array, p: Array) -> Array:
    return np.where(_hinge(y, p) > 0, -signed_labels(y), 0)


def _categorical_hinge(y: Array, p: Array) -> Array:
    return np.maximum(((1 - y) * p).max(axis=-1) - (y * p).sum(axis=-1) + 1, 0)


def _categorical_hinge_gradient(y: Array, p: Array) -> Array:
    """Share the gradient of the maximum evenly among the elements that reach it."""
    wrong = (1 - y) * p
    largest = wrong == wrong.max(axis=-1, keepdims=True)
    active = _categorical_hinge(y, p)[:, None] > 0
    return np.where(active, (1 - y) * largest / largest.sum(axis=-1, keepdims=True) - y, 0)


def _unit(v: Array) -> Array:
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), EPSILON)


def _cosine(y: Array, p: Array) -> Array:
    return -(_unit(y) * _unit(p)).sum(axis=-1)


def _cosine_gradient(y: Array, p: Array) -> Array:
    length = np.linalg.norm(p, axis=-1, keepdims=True)
    projection = _unit(p) * (_unit(y) * _unit(p)).sum(axis=-1, keepdims=True)
    return np.where(length > EPSILON, projection - _unit(y), -_unit(y)) / np.maximum(length, EPSILON)


def _kl_divergence(y: Array, p: Array) -> Array:
    y, p = np.clip(y, EPSILON, 1), np.clip(p, EPSILON, 1)
    return (y * np.log(y / p)).sum(axis=-1)


def _kl_divergence_gradient(y: Array, p: Array) -> Array:
    inside = (p > EPSILON) & (p < 1)
    return np.where(inside, -np.clip(y, EPSILON, 1) / np.where(inside, p, 1), 0)


def _half_squared_error(y: Array, p: Array) -> Array:
    return 0.5 * ((p - y) ** 2).sum(axis=-1)


def _mean_and_log_variance(p: Array) -> tuple[Array, Array]:
    mean, log_variance = np.split(p, 2, axis=-1)
    return mean, log_variance


def _gaussian_nll(y: Array, p: Array) -> Array:
    """Compute mean over outputs of (log(2 pi var) + (y - mean)^2 / var) / 2 for rows p = [mean, log var]."""
    mean, log_variance = _mean_and_log_variance(p)
    return 0.5 * (math.log(2 * math.pi) + log_variance + (y - mean) ** 2 * np.exp(-log_variance)).mean(axis=-1)


def _gaussian_nll_gradient(y: Array, p: Array) -> Array:
    mean, log_variance = _mean_and_log_variance(p)
    precision = np.exp(-log_variance)
    parts = [(mean - y) * precision, 0.5 * (1 - (y - mean) ** 2 * precision)]
    return np.concatenate(parts, axis=-1) / y.shape[-1]


def _clip_probability(p: Array) -> tuple[Array, Array]:
    """Keep p within [EPSILON, 1 - EPSILON]; the second array is the derivative of doing so."""
    return np.clip(p, EPSILON, 1 - EPSILON), between(p, EPSILON, 1 - EPSILON)


def _binary_smoothed(y: Array, label_smoothing: float) -> Array:
    return y * (1 - label_smoothing) + 0.5 * label_smoothing


def _binary_crossentropy(y: Array, p: Array, from_logits: bool = False, label_smoothing: float = 0.0) -> Array:
    y = _binary_smoothed(y, label_smoothing)
    if from_logits:
        return softplus(p) - y * p
    p, _ = _clip_probability(p)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def _binary_crossentropy_derivative(
    y: Array, p: Array, from_logits: bool = False, label_smoothing: float = 0.0
) -> Array:
    y = _binary_smoothed(y, label_smoothing)
    if from_logits:
        return sigmoid(p) - y
    p, inside = _clip_probability(p)
    return (p - y) / (p * (1 - p)) * inside


def _binary_focal(
    y: Array,
    p: Array,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Array:
    y = _binary_smoothed(y, label_smoothing)
    p = sigmoid(p) if from_logits else p
    wrong = 1 - (y * p + (1 - y) * (1 - p))
    weight = y * alpha + (1 - y) * (1 - alpha) if apply_class_balancing else 1.0
    return weight * wrong**gamma * _binary_crossentropy(y, p)


def _binary_focal_derivative(
    y: Array,
    p: Array,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Array:
    y = _binary_smoothed(y, label_smoothing)
    chain = sigmoid(p) * sigmoid(-p) if from_logits else 1.0
    p = sigmoid(p) if from_logits else p
    wrong = 1 - (y * p + (1 - y) * (1 - p))
    weight = y * alpha + (1 - y) * (1 - alpha) if apply_class_balancing else 1.0
    factor_slope = gamma * wrong ** (gamma - 1) * (1 - 2 * y)
    return (
        weight
        * chain
        * (factor_slope * _binary_crossentropy(y, p) + wrong**gamma * _binary_crossentropy_derivative(y, p))
    )


def _categorical_smoothed(y: Array, label_smoothing: float) -> Array:
    return y * (1 - label_smoothing) + label_smoothing / y.shape[-1]


def _through_normalization(p: Array, dq: Array) -> Array:
    """Carry the gradient dq back through q = p / sum(p)."""
    total = p.sum(axis=-1, keepdims=True)
    return (dq - (dq * p).sum(axis=-1, keepdims=True) / total) / total


def _categorical_crossentropy(y: Array, p: Array, from_logits: bool = False, label_smoothing: float = 0.0) -> Array:
    y = _categorical_smoothed(y, label_smoothing)
    if from_logits:
        return -(y * log_softmax(p)).sum(axis=-1)
    q, _ = _clip_probability(p / p.sum(axis=-1, keepdims=True))
    return -(y * np.log(q)).sum(axis=-1)


def _categorical_crossentropy_gradient(
    y: Array, p: Array, from_logits: bool = False, label_smoothing: float = 0.0
) -> Array:
    y = _categorical_smoothed(y, label_smoothing)
    if from_logits:
        return log_softmax_vector_jacobian(p, -y)
    q, inside = _clip_probability(p / p.sum(axis=-1, keepdims=True))
    return _through_normalization(p, -y / q * inside)


def one_hot(labels: ArrayLike, classes: int) -> Array:
    """Turn labels (n,) or (n, 1) into rows with a single 1."""
    labels = np.asarray(labels).reshape(-1).astype(np.int64)
    return (labels[:, None] == np.arange(classes)).astype(np.float64)


def _sparse_targets(y: Array, p: Array, ignore_class: int | None) -> tuple[Array, Array]:
    """Turn labels into rows, those of ignore_class into zeros; and say what each row counts.

    Keras averages over the rows that are not ignored; written as a weight n / n_valid of each valid row.
    """
    valid = np.reshape(y, -1) != (np.nan if ignore_class is None else ignore_class)
    rows = one_hot(np.where(valid, np.reshape(y, -1), 0), p.shape[-1]) * valid[:, None]
    return rows, valid


def _sparse_crossentropy(y: Array, p: Array, from_logits: bool = False, ignore_class: int | None = None) -> Array:
    rows, _ = _sparse_targets(y, p, ignore_class)
    return _categorical_crossentropy(rows, p, from_logits)


def _sparse_crossentropy_gradient(
    y: Array, p: Array, from_logits: bool = False, ignore_class: int | None = None
) -> Array:
    rows, _ = _sparse_targets(y, p, ignore_class)
    return _categorical_crossentropy_gradient(rows, p, from_logits)


def _categorical_focal(
    y: Array,
    p: Array,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Array:
    y = _categorical_smoothed(y, label_smoothing)
    p = softmax(p) if from_logits else p
    q, _ = _clip_probability(p / p.sum(axis=-1, keepdims=True))
    return -(alpha * (1 - q) ** gamma * y * np.log(q)).sum(axis=-1)


def _categorical_focal_gradient(
    y: Array,
    p: Array,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Array:
    y = _categorical_smoothed(y, label_smoothing)
    logits, p = p, softmax(p) if from_logits else p
    q, inside = _clip_probability(p / p.sum(axis=-1, keepdims=True))
    dq = alpha * y * (gamma * (1 - q) ** (gamma - 1) * np.log(q) - (1 - q) ** gamma / q) * inside
    dp = _through_normalization(p, dq)
    return softmax_vector_jacobian(logits, dp) if from_logits else dp


LOSSES: dict[str, LossFunction] = {
    "mean_squared_error": _mean_over_outputs(lambda y, p: (p - y) ** 2, lambda y, p: 2 * (p - y)),
    "mean_absolute_error": _mean_over_outputs(lambda y, p: np.abs(p - y), lambda y, p: np.sign(p - y)),
    "mean_absolute_percentage_error": _mean_over_outputs(_absolute_percentage, _absolute_percentage_derivative),
    "mean_squared_logarithmic_error": _mean_over_outputs(lambda y, p: _log_error(y, p) ** 2, _squared_log_derivative),
    "cosine_similarity": LossFunction(_cosine, _cosine_gradient),
    "huber": _mean_over_outputs(_huber, _huber_derivative),
    "log_cosh": _mean_over_outputs(_log_cosh, lambda y, p: np.tanh(p - y)),
    "poisson": _mean_over_outputs(_poisson, lambda y, p: 1 - y / (p + EPSILON)),
    "kl_divergence": LossFunction(_kl_divergence, _kl_divergence_gradient),
    "hinge": _mean_over_outputs(_hinge, _hinge_derivative),
    "squared_hinge": _mean_over_outputs(
        lambda y, p: _hinge(y, p) ** 2, lambda y, p: -2 * _hinge(y, p) * signed_labels(y)
    ),
    "categorical_hinge": LossFunction(_categorical_hinge, _categorical_hinge_gradient),
    "binary_crossentropy": _mean_over_outputs(_binary_crossentropy, _binary_crossentropy_derivative),
    "categorical_crossentropy": LossFunction(_categorical_crossentropy, _categorical_crossentropy_gradient),
    "sparse_categorical_crossentropy": LossFunction(_sparse_crossentropy, _sparse_crossentropy_gradient),
    "binary_focal_crossentropy": _mean_over_outputs(_binary_focal, _binary_focal_derivative),
    "categorical_focal_crossentropy": LossFunction(_categorical_focal, _categorical_focal_gradient),
    "half_squared_error": LossFunction(_half_squared_error, lambda y, p: p - y),
    "gaussian_nll": LossFunction(_gaussian_nll, _gaussian_nll_gradient),
    "quantile": _mean_over_outputs(_pinball, _pinball_derivative),
}


def loss_values(name: str, y: ArrayLike, p: ArrayLike, **options: Any) -> Array:
    """Compute the loss of each row, shape (n,)."""
    return LOSSES[name].values(np.asarray(y, dtype=np.float64), np.asarray(p, dtype=np.float64), **options)


def loss_gradient(name: str, y: ArrayLike, p: ArrayLike, **options: Any) -> Array:
    """Compute d(value of row i) / d p[i, :], shaped as p."""
    return LOSSES[name].gradient(np.asarray(y, dtype=np.float64), np.asarray(p, dtype=np.float64), **options)


def row_weights(
    rows: int,
    sample_weight: ArrayLike | None = None,
    reduction: str = "sum_over_batch_size",
    counted: ArrayLike | None = None,
) -> Array:
    """Compute c_i such that J = sum_i c_i value_i.

    "sum_over_batch_size" divides the weighted sum by the number of rows (of `counted` rows, when some are ignored),
    "mean_with_sample_weight" by the sum of the weights, "sum" by nothing.
    """
    weight = np.ones(rows) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64).reshape(-1)
    if reduction == "sum":
        return weight
    if reduction == "mean_with_sample_weight" and sample_weight is not None:
        return weight / weight.sum()
    return weight / (rows if counted is None else np.count_nonzero(counted))


# --------------------------------------------------------------------------------------------------------------------
# Regularizers and constraints of one tensor.
# --------------------------------------------------------------------------------------------------------------------


def l1_l2_penalty(w: Array, l1: float = 0.0, l2: float = 0.0) -> float:
    """Compute l1 sum |w| + l2 sum w^2 (no half)."""
    return float(l1 * np.abs(w).sum() + l2 * (w**2).sum())


def l1_l2_gradient(w: Array, l1: float = 0.0, l2: float = 0.0) -> Array:
    return l1 * np.sign(w) + 2 * l2 * w


def _unit_rows(w: Array) -> tuple[Array, Array]:
    length = np.maximum(np.linalg.norm(w, axis=1, keepdims=True), EPSILON)
    return w / length, length


def orthogonal_penalty(w: Array, factor: float = 0.01, mode: str = "rows") -> float:
    """Compute factor times the mean |cosine| between pairs of rows (or columns)."""
    u, _ = _unit_rows(w if mode == "rows" else w.T)
    pairs = len(u) * (len(u) - 1) / 2
    off_diagonal = u @ u.T * (1 - np.eye(len(u)))
    return float(0.5 * factor * np.abs(off_diagonal).sum() / pairs)


def orthogonal_gradient(w: Array, factor: float = 0.01, mode: str = "rows") -> Array:
    u, length = _unit_rows(w if mode == "rows" else w.T)
    pairs = len(u) * (len(u) - 1) / 2
    signs = np.sign(u @ u.T * (1 - np.eye(len(u))))
    du = factor / pairs * signs @ u
    dw = (du - u * (du * u).sum(axis=1, keepdims=True)) / length
    return dw if mode == "rows" else dw.T


def _length(w: Array, axis: int | Sequence[int]) -> Array:
    axes = tuple(axis) if isinstance(axis, Sequence) else axis
    return np.sqrt((w**2).sum(axis=axes, keepdims=True))


def min_max_norm(
    w: Array, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: int | Sequence[int] = 0
) -> Array:
    length = _length(w, axis)
    desired = rate * np.clip(length, min_value, max_value) + (1 - rate) * length
    return w * desired / (EPSILON + length)


CONSTRAINTS: dict[str, Callable[..., Array]] = {
    "max_norm": lambda w, max_value=2.0, axis=0: min_max_norm(w, 0.0, max_value, 1.0, axis),
    "unit_norm": lambda w, axis=0: w / (EPSILON + _length(w, axis)),
    "min_max_norm": min_max_norm,
    "non_neg": lambda w: np.maximum(w, 0),
}


# --------------------------------------------------------------------------------------------------------------------
# Layers.
# --------------------------------------------------------------------------------------------------------------------


def dense_forward(x: Array, w: Array, b: Array | None = None) -> Array:
    """Compute z = x.w + b: (n, n_in), (n_in, n_out), (n_out,) -> (n, n_out)."""
    return x @ w if b is None else x @ w + b


def dense_backward(delta: Array, x: Array, w: Array) -> tuple[Array, Array, Array]:
    """Compute dx = delta.w^T, dw = x^T.delta and db = sum over rows of delta."""
    return delta @ w.T, x.T @ delta, delta.sum(axis=0)


def batch_moments(x: Array) -> tuple[Array, Array]:
    """Compute mean and variance (divided by n) of each column."""
    return x.mean(axis=0), x.var(axis=0)


def batch_normalization_forward(
    x: Array, gamma: Array, beta: Array, mean: Array, variance: Array, epsilon: float = 1e-3
) -> Array:
    """Compute gamma (x - mean) / sqrt(variance + epsilon) + beta, by column."""
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


def _normalization_backward(da: Array, x: Array, epsilon: float, axis: int) -> Array:
    """Carry da back through (x - mean(x)) / sqrt(var(x) + epsilon), mean and variance taken along axis."""
    deviation = np.sqrt(x.var(axis=axis, keepdims=True) + epsilon)
    normalized = (x - x.mean(axis=axis, keepdims=True)) / deviation
    mean = da.mean(axis=axis, keepdims=True)
    projection = normalized * (da * normalized).mean(axis=axis, keepdims=True)
    return (da - mean - projection) / deviation


def batch_normalization_backward(
    da: Array, x: Array, gamma: Array, epsilon: float = 1e-3
) -> tuple[Array, Array, Array]:
    """Compute dx, dgamma, dbeta of the training pass, whose mean and variance depend on x."""
    normalized = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + epsilon)
    return (
        _normalization_backward(da * gamma, x, epsilon, axis=0),
        (da * normalized).sum(axis=0),
        da.sum(axis=0),
    )


def layer_normalization_forward(x: Array, gamma: Array, beta: Array, epsilon: float = 1e-3) -> Array:
    """Compute gamma (x - mean) / sqrt(variance + epsilon) + beta, mean and variance of each row."""
    deviation = np.sqrt(x.var(axis=1, keepdims=True) + epsilon)
    return gamma * (x - x.mean(axis=1, keepdims=True)) / deviation + beta


def layer_normalization_backward(
    da: Array, x: Array, gamma: Array, epsilon: float = 1e-3
) -> tuple[Array, Array, Array]:
    normalized = layer_normalization_forward(x, np.ones_like(gamma), np.zeros_like(gamma), epsilon)
    return (
        _normalization_backward(da * gamma, x, epsilon, axis=1),
        (da * normalized).sum(axis=0),
        da.sum(axis=0),
    )


def rms_normalization_forward(x: Array, gamma: Array, epsilon: float = 1e-6) -> Array:
    """Compute gamma x / sqrt(mean of the row's squares + epsilon)."""
    return gamma * x / np.sqrt((x**2).mean(axis=1, keepdims=True) + epsilon)


def rms_normalization_backward(da: Array, x: Array, gamma: Array, epsilon: float = 1e-6) -> tuple[Array, Array]:
    deviation = np.sqrt((x**2).mean(axis=1, keepdims=True) + epsilon)
    normalized = x / deviation
    du = da * gamma
    dx = (du - normalized * (du * normalized).mean(axis=1, keepdims=True)) / deviation
    return dx, (da * normalized).sum(axis=0)


def unit_normalization_forward(x: Array) -> Array:
    """Compute x / |x| by row."""
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def unit_normalization_backward(da: Array, x: Array) -> Array:
    length = np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    u = x / length
    return (da - u * (da * u).sum(axis=1, keepdims=True)) / length


def parametric_activation_forward(x: Array, alpha: Array, name: str) -> Array:
    """Compute x + alpha (g(x) - x)."""
    return x + alpha * (activate(name, x) - x)


def parametric_activation_backward(dy: Array, x: Array, alpha: Array, name: str) -> tuple[Array, Array]:
    """Return dx and dalpha."""
    slope = activation_backward(name, np.ones_like(x), x)
    return dy * (1 - alpha + alpha * slope), np.sum(dy * (activate(name, x) - x), axis=0)


def periodic_forward(x: Array, w: Array, b: Array, v: Array, c: Array) -> Array:
    """Compute [cos(2 pi x w + b) . v + c, x] for every feature: x (n, f), w and b (f, p), v (f, p, k), c (f, k)."""
    waves = np.cos(2 * np.pi * x[:, :, None] * w + b)
    outputs = np.einsum("nfp,fpk->nfk", waves, v) + c
    return np.concatenate([outputs, x[:, :, None]], axis=2).reshape(len(x), -1)


def periodic_backward(
    dy: Array, x: Array, w: Array, b: Array, v: Array, c: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """Return dx, dw, db, dv and dc."""
    angles = 2 * np.pi * x[:, :, None] * w + b
    parts = dy.reshape(*x.shape, -1)
    dq, direct = parts[:, :, :-1], parts[:, :, -1]
    d_angles = -np.sin(angles) * np.einsum("nfk,fpk->nfp", dq, v)
    return (
        direct + 2 * np.pi * np.sum(d_angles * w, axis=2),
        2 * np.pi * np.einsum("nfp,nf->fp", d_angles, x),
        d_angles.sum(axis=0),
        np.einsum("nfp,nfk->fpk", np.cos(angles), dq),
        dq.sum(axis=0),
    )


# --------------------------------------------------------------------------------------------------------------------
# The multilayer perceptron.
# --------------------------------------------------------------------------------------------------------------------


@dataclass
class Layer:
    """A dense layer: its weights, its activation and its L1 and L2 factors."""

    w: Array
    b: Array | None
    activation: str = "linear"
    parameters: tuple[float, ...] = ()
    kernel_l1: float = 0.0
    kernel_l2: float = 0.0
    bias_l1: float = 0.0
    bias_l2: float = 0.0


class LayerCache(NamedTuple):
    """What the forward step of a layer keeps: its input, z and a."""

    x: Array
    z: Array
    a: Array


class LayerGradient(NamedTuple):
    """What the backward step of a layer finds: delta = dJ/dz, dw, db and dx = dJ/d(input)."""

    delta: Array
    dw: Array
    db: Array
    dx: Array


class Pass(NamedTuple):
    """One pass forward and back through a network."""

    loss: float
    caches: list[LayerCache]
    gradients: list[LayerGradient]


def mlp_forward(layers: Sequence[Layer], x: ArrayLike) -> list[LayerCache]:
    """Compute z[l] = a[l-1].w[l] + b[l] and a[l] = g[l](z[l]) for l = 1..L."""
    a, caches = np.asarray(x, dtype=np.float64), []
    for layer in layers:
        z = dense_forward(a, layer.w, layer.b)
        caches.append(LayerCache(a, z, activate(layer.activation, z, layer.parameters)))
        a = caches[-1].a
    return caches


def mlp_penalty(layers: Sequence[Layer]) -> float:
    """Compute the sum of all regularization terms."""
    kernels = sum(l1_l2_penalty(layer.w, layer.kernel_l1, layer.kernel_l2) for layer in layers)
    biases = sum(l1_l2_penalty(layer.b, layer.bias_l1, layer.bias_l2) for layer in layers if layer.b is not None)
    return kernels + biases


def mlp_loss(
    layers: Sequence[Layer],
    x: ArrayLike,
    y: ArrayLike,
    loss: str,
    sample_weight: ArrayLike | None = None,
    reduction: str = "sum_over_batch_size",
    **options: Any,
) -> float:
    """Compute J = sum_i c_i value_i + penalties."""
    p = mlp_forward(layers, x)[-1].a
    values = loss_values(loss, y, p, **options)
    return float(row_weights(len(p), sample_weight, reduction) @ values) + mlp_penalty(layers)


def mlp_backward(
    layers: Sequence[Layer],
    x: ArrayLike,
    y: ArrayLike,
    loss: str,
    sample_weight: ArrayLike | None = None,
    reduction: str = "sum_over_batch_size",
    **options: Any,
) -> Pass:
    """Carry the loss back: delta[L] = dJ/da . g'(z), then delta[l] = (delta[l+1].w[l+1]^T) . g'(z[l])."""
    caches = mlp_forward(layers, x)
    p = caches[-1].a
    da = row_weights(len(p), sample_weight, reduction)[:, None] * loss_gradient(loss, y, p, **options)
    gradients: list[LayerGradient] = []
    for layer, cache in zip(reversed(layers), reversed(caches), strict=True):
        delta = activation_backward(layer.activation, da, cache.z, layer.parameters)
        da, dw, db = dense_backward(delta, cache.x, layer.w)
        dw = dw + l1_l2_gradient(layer.w, layer.kernel_l1, layer.kernel_l2)
        if layer.b is not None:
            db = db + l1_l2_gradient(layer.b, layer.bias_l1, layer.bias_l2)
        gradients.insert(0, LayerGradient(delta, dw, db, da))
    value = mlp_loss(layers, x, y, loss, sample_weight, reduction, **options)
    return Pass(value, caches, gradients)


def mlp_gradients(layers: Sequence[Layer], result: Pass) -> list[Array]:
    """List the gradients in the order kernel, bias, kernel, bias, ... of the trainable weights."""
    ordered = []
    for layer, gradient in zip(layers, result.gradients, strict=True):
        ordered.append(gradient.dw)
        if layer.b is not None:
            ordered.append(gradient.db)
    return ordered


# --------------------------------------------------------------------------------------------------------------------
# Optimizers, as Keras steps them. A rule changes one weight in place; the common tail stands in Optimizer.apply.
# --------------------------------------------------------------------------------------------------------------------

State = dict[str, Array]


@dataclass
class Optimizer:
    """The steps that all optimizers share: accumulate, clip, decay, step by the rule, average, constrain.

    With accumulation, the rule and the average count updates while a learning-rate schedule counts batches. What
    does not belong to Keras's common tail belongs to the rule and stands in `options`.
    """

    rule: str
    learning_rate: float | Callable[[int], float] = 0.001
    options: dict[str, Any] = field(default_factory=dict)
    weight_decay: float | None = None
    clipnorm: float | None = None
    clipvalue: float | None = None
    global_clipnorm: float | None = None
    use_ema: bool = False
    ema_momentum: float = 0.99
    ema_overwrite_frequency: int | None = None
    gradient_accumulation_steps: int | None = None
    iterations: int = 0
    states: list[State] = field(default_factory=list)
    averages: list[Array] = field(default_factory=list)
    accumulated: list[Array] = field(default_factory=list)

    @property
    def updates(self) -> int:
        """The number of updates so far, of which each takes `gradient_accumulation_steps` batches."""
        return self.iterations // (self.gradient_accumulation_steps or 1)

    def apply(
        self,
        weights: Sequence[Array],
        gradients: Sequence[Array],
        constraints: Sequence[Callable[[Array], Array] | None] | None = None,
        decayed: Sequence[bool] | None = None,
    ) -> None:
        """Make one step, changing `weights` in place."""
        if not self.states:
            self.states = [{} for _ in weights]
            self.averages = [np.zeros_like(w) for w in weights]
            self.accumulated = [np.zeros_like(w) for w in weights]
        steps = self.gradient_accumulation_steps or 1
        for accumulated, gradient in zip(self.accumulated, gradients, strict=True):
            accumulated += gradient
        if (self.iterations + 1) % steps == 0:
            self._update(weights, [g / steps for g in self.accumulated], decayed)
            self.accumulated = [np.zeros_like(w) for w in weights]
        if self.use_ema:
            self._average(weights)
        for w, constraint in zip(weights, constraints or (), strict=bool(constraints)):
            if constraint is not None:
                w[...] = constraint(w)
        self.iterations += 1

    def _update(self, weights: Sequence[Array], gradients: list[Array], decayed: Sequence[bool] | None) -> None:
        rate = self.learning_rate(self.iterations) if callable(self.learning_rate) else self.learning_rate
        gradients = self._clip(gradients)
        if self.weight_decay is not None:
            for w, wanted in zip(weights, decayed or [True] * len(weights), strict=True):
                w -= w * self.weight_decay * rate if wanted else 0.0
        for w, gradient, state in zip(weights, gradients, self.states, strict=True):
            RULES[self.rule](w, gradient, state, rate, self.updates + 1, **self.options)

    def _clip(self, gradients: list[Array]) -> list[Array]:
        """Clip by at most one of the three measures, in Keras's order of precedence."""
        if self.clipnorm:
            return [g * self.clipnorm / max(float(np.linalg.norm(g)), self.clipnorm) for g in gradients]
        if self.global_clipnorm:
            norm = math.sqrt(sum(float((g**2).sum()) for g in gradients))
            return [g * self.global_clipnorm / max(norm, self.global_clipnorm) for g in gradients]
        if self.clipvalue:
            return [np.clip(g, -self.clipvalue, self.clipvalue) for g in gradients]
        return gradients

    def _average(self, weights: Sequence[Array]) -> None:
        """Average the weights; the first step starts from them, and every so often they are replaced."""
        momentum = self.ema_momentum if self.updates else 0.0
        for w, average in zip(weights, self.averages, strict=True):
            average[...] = momentum * average + (1 - momentum) * w
        frequency = self.ema_overwrite_frequency
        if frequency and (self.updates + 1) % frequency == 0:
            for w, average in zip(weights, self.averages, strict=True):
                w[...] = average


def _slot(state: State, name: str, w: Array, value: float = 0.0) -> Array:
    return state.setdefault(name, np.full_like(w, value))


def sgd_step(
    w: Array, g: Array, state: State, rate: float, t: int, momentum: float = 0.0, nesterov: bool = False
) -> None:
    m = _slot(state, "m", w)
    m[...] = momentum * m - rate * g
    w += momentum * m - rate * g if nesterov and momentum else m


def rmsprop_step(
    w: Array,
    g: Array,
    state: State,
    rate: float,
    t: int,
    rho: float = 0.9,
    momentum: float = 0.0,
    epsilon: float = 1e-7,
    centered: bool = False,
) -> None:
    v, average, m = _slot(state, "v", w), _slot(state, "average", w), _slot(state, "m", w)
    v[...] = rho * v + (1 - rho) * g**2
    average[...] = rho * average + (1 - rho) * g
    denominator = v + epsilon - (average**2 if centered else 0.0)
    m[...] = momentum * m + rate * g / np.sqrt(denominator)
    w -= m


def adam_step(
    w: Array,
    g: Array,
    state: State,
    rate: float,
    t: int,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    amsgrad: bool = False,
) -> None:
    m, v, largest = _slot(state, "m", w), _slot(state, "v", w), _slot(state, "largest", w)
    m[...] = beta_1 * m + (1 - beta_1) * g
    v[...] = beta_2 * v + (1 - beta_2) * g**2
    largest[...] = np.maximum(largest, v)
    alpha = rate * math.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    w -= alpha * m / (np.sqrt(largest if amsgrad else v) + epsilon)


def nadam_step(
    w: Array,
    g: Array,
    state: State,
    rate: float,
    t: int,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
) -> None:
    """Step with the momentum schedule u_t = beta_1 (1 - 0.96^t / 2), whose running product the state keeps."""
    m, v = _slot(state, "m", w), _slot(state, "v", w)
    now, following = beta_1 * (1 - 0.5 * 0.96**t), beta_1 * (1 - 0.5 * 0.96 ** (t + 1))
    m[...] = beta_1 * m + (1 - beta_1) * g
    v[...] = beta_2 * v + (1 - beta_2) * g**2
    product = _slot(state, "product", np.ones(()), 1.0)
    product *= now
    m_hat = following * m / (1 - product * following) + (1 - now) * g / (1 - product)
    w -= rate * m_hat / (np.sqrt(v / (1 - beta_2**t)) + epsilon)


def adamax_step(
    w: Array,
    g: Array,
    state: State,
    rate: float,
    t: int,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
) -> None:
    m, u = _slot(state, "m", w), _slot(state, "u", w)
    m[...] = beta_1 * m + (1 - beta_1) * g
    u[...] = np.maximum(beta_2 * u, np.abs(g))
    w -= rate * m / ((1 - beta_1**t) * (u + epsilon))


def adagrad_step(
    w: Array,
    g: Array,
    state: State,
    rate: float,
    t: int,
    initial_accumulator_value: float = 0.1,
    epsilon: float = 1e-7,
) -> None:
    v = _slot(state, "v", w, initial_accumulator_value)
    v += g**2
    w -= rate * g / np.sqrt(v + epsilon)


def adadelta_step(
    w: Array, g: Array, state: State, rate: float, t: int, rho: float = 0.95, epsilon: float = 1e-7
) -> None:
    v, moved = _slot(state, "v", w), _slot(state, "moved", w)
    v[...] = rho * v + (1 - rho) * g**2
    step = np.sqrt(moved + epsilon) / np.sqrt(v + epsilon) * g
    moved[...] = rho * moved + (1 - rho) * step**2
    w -= rate * step


def lion_step(w: Array, g: Array, state: State, rate: float, t: int, beta_1: float = 0.9, beta_2: float = 0.99) -> None:
    m = _slot(state, "m", w)
    w -= rate * np.sign(beta_1 * m + (1 - beta_1) * g)
    m[...] = beta_2 * m + (1 - beta_2) * g


RULES: dict[str, Callable[..., None]] = {
    "sgd": sgd_step,
    "rmsprop": rmsprop_step,
    "adam": adam_step,
    "adamw": adam_step,
    "nadam": nadam_step,
    "adamax": adamax_step,
    "adagrad": adagrad_step,
    "adadelta": adadelta_step,
    "lion": lion_step,
}


# --------------------------------------------------------------------------------------------------------------------
# The measure of every backward pass.
# --------------------------------------------------------------------------------------------------------------------


def central_differences(function: Callable[[], float], w: Array, step: float = 1e-6) -> Array:
    """Compute (f(w + h e_i) - f(w - h e_i)) / 2h for every element of `w`, which `function` reads; w is restored."""
    gradient = np.empty_like(w)
    for index in np.ndindex(w.shape):
        kept = w[index]
        w[index] = kept + step
        above = function()
        w[index] = kept - step
        below = function()
        w[index] = kept
        gradient[index] = (above - below) / (2 * step)
    return gradient


def relative_error(actual: ArrayLike, desired: ArrayLike) -> float:
    """Compute max |actual - desired| / max(1, max |actual|, max |desired|)."""
    actual, desired = np.asarray(actual, dtype=np.float64), np.asarray(desired, dtype=np.float64)
    if actual.size == 0:
        return 0.0
    scale = max(1.0, float(np.abs(actual).max()), float(np.abs(desired).max()))
    return float(np.abs(actual - desired).max()) / scale
