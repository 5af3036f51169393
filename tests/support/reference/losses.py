"""Losses: the value of each row and its gradient. Arguments (y, p, **options)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from reference.activations import (
    EPSILON,
    Array,
    between,
    log_softmax,
    log_softmax_vector_jacobian,
    sigmoid,
    softmax,
    softmax_vector_jacobian,
    softplus,
)

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


def _tversky_parts(y: Array, p: Array, alpha: float, beta: float) -> tuple[Array, Array]:
    shared = (y * p).sum(axis=-1, keepdims=True)
    lacking, false = (y * (1 - p)).sum(axis=-1, keepdims=True), ((1 - y) * p).sum(axis=-1, keepdims=True)
    return shared, shared + alpha * lacking + beta * false + EPSILON


def _tversky(y: Array, p: Array, alpha: float = 0.5, beta: float = 0.5, axis: int = -1) -> Array:
    shared, size = _tversky_parts(y, p, alpha, beta)
    return 1 - (shared / size)[:, 0]


def _tversky_gradient(y: Array, p: Array, alpha: float = 0.5, beta: float = 0.5, axis: int = -1) -> Array:
    shared, size = _tversky_parts(y, p, alpha, beta)
    return -(y * size - shared * (y - alpha * y + beta * (1 - y))) / size**2


def _dice(y: Array, p: Array, axis: int = -1) -> Array:
    return 1 - 2 * (y * p).sum(axis=-1) / (y.sum(axis=-1) + p.sum(axis=-1) + EPSILON)


def _dice_gradient(y: Array, p: Array, axis: int = -1) -> Array:
    size = (y + p).sum(axis=-1, keepdims=True) + EPSILON
    return -2 * (y * size - (y * p).sum(axis=-1, keepdims=True)) / size**2


def _generalized_crossentropy(y: Array, p: Array, q: float = 0.5) -> Array:
    return (1 - (one_hot(y, p.shape[1]) * p).sum(axis=-1) ** q) / q


def _generalized_crossentropy_gradient(y: Array, p: Array, q: float = 0.5) -> Array:
    of_label = one_hot(y, p.shape[1])
    return -of_label * (of_label * p).sum(axis=-1, keepdims=True) ** (q - 1)


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
    "categorical_generalized_cross_entropy": LossFunction(
        _generalized_crossentropy, _generalized_crossentropy_gradient
    ),
    "dice": LossFunction(_dice, _dice_gradient),
    "tversky": LossFunction(_tversky, _tversky_gradient),
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
