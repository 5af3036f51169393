"""Losses of symbols: what custom losses, and `add_loss` in a `call`, make of the package's own.

Native code has each of these formulas for rows of numbers; here it is an expression, which is differentiated with
respect to targets and predictions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from cnn_core.losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Huber,
    Loss,
    SparseCategoricalCrossentropy,
)
from cnn_core.ops.crossentropies import (
    binary_crossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)
from cnn_core.ops.elementwise import absolute, divide, log, log1p, maximum, multiply, square, subtract
from cnn_core.ops.functions import clip, expand_dims, where
from cnn_core.ops.nn import softplus
from cnn_core.ops.operation import shape_of
from cnn_core.ops.reductions import max_function, mean_function, sum_function

if TYPE_CHECKING:
    from cnn_core.ops.operation import Value


EPSILON = 1e-7
Formula: TypeAlias = Callable[[Any, Any, Any], Any]


def loss_values(loss: Loss, y_true: Value, y_pred: Value) -> Any:
    """Return the value of every row of predictions, of which one or both are symbols.

    Raises
    ------
    TypeError
        If there is no expression for the loss.
    """
    formula = None if loss.formula is None else FORMULAS.get(loss.formula)
    if formula is None:
        raise TypeError(
            f"The loss {loss.name!r} has no expression of symbols: write it with functions of cnn_core.ops. "
            f"Those that have: {', '.join(sorted(FORMULAS))}"
        )
    if not loss.expects_labels:
        y_true, y_pred = _of_one_rank(y_true, y_pred), _of_one_rank(y_pred, y_true)
    return formula(loss, y_true, y_pred)


def reduced_loss(loss: Loss, y_true: Value, y_pred: Value, sample_weight: object = None) -> Any:
    """Return the value of a loss of symbols, as its reduction says: see `Loss`."""
    if getattr(y_pred, "mask", None) is not None:
        raise ValueError(
            f"y_pred must have no mask for the loss {loss.name!r} of symbols: let a layer such as Flatten end it"
        )
    values = loss.call(y_true, y_pred)
    if sample_weight is not None:
        sample_weight = _of_one_rank(sample_weight, values)
        values = multiply(values, sample_weight)
    if loss.reduction in ("none", None):
        return values
    if loss.reduction == "sum":
        return sum_function(values)
    if loss.reduction == "mean_with_sample_weight" and sample_weight is not None:
        return divide(sum_function(values), sum_function(sample_weight))
    return mean_function(values)


def _of_one_rank(value: object, other: object) -> Any:
    """Give single numbers beside rows of one the axis that they lack."""
    shape, wanted = shape_of(value), shape_of(other)
    return expand_dims(value, -1) if len(shape) == len(wanted) - 1 and wanted[-1] == 1 else value


def _error(y_true: Value, y_pred: Value) -> Any:
    return subtract(y_pred, y_true)


def _mean_squared_error(loss: Loss, y_true: Value, y_pred: Value) -> Any:
    return mean_function(square(_error(y_true, y_pred)), axis=loss.axis)


def _half_squared_error(loss: Loss, y_true: Value, y_pred: Value) -> Any:
    return sum_function(square(_error(y_true, y_pred)), axis=loss.axis) / 2


def _mean_absolute_error(loss: Loss, y_true: Value, y_pred: Value) -> Any:
    return mean_function(absolute(_error(y_true, y_pred)), axis=loss.axis)


def _mean_absolute_percentage_error(loss: Loss, y_true: Value, y_pred: Value) -> Any:
    shares = divide(absolute(_error(y_true, y_pred)), maximum(absolute(y_true), EPSILON))
    return 100 * mean_function(shares, axis=loss.axis)


def _mean_squared_logarithmic_error(loss: Loss, y_true: Value, y_pred: Value) -> Any:
    logarithms = [log1p(maximum(each, EPSILON)) for each in (y_true, y_pred)]
    return mean_function(square(_error(*logarithms)), axis=loss.axis)


def _cosine_similarity(loss: Loss, y_true: Value, y_pred: Value) -> Any:
    lengths = [maximum(sum_function(square(each), axis=loss.axis), 1e-12) ** 0.5 for each in (y_true, y_pred)]
    products = sum_function(multiply(y_true, y_pred), axis=loss.axis)
    return -1 * divide(products, multiply(*lengths))


def _huber(loss: Huber, y_true: Value, y_pred: Value) -> Any:
    size = absolute(_error(y_true, y_pred))
    near, far = square(size) / 2, loss.delta * (size - loss.delta / 2)
    return mean_function(where(size <= loss.delta, near, far), axis=loss.axis)


def _log_cosh(loss: Loss, y_true: Value, y_pred: Value) -> Any:
    error = _error(y_true, y_pred)
    return mean_function(error + softplus(-2 * error) - math.log(2), axis=loss.axis)


def _poisson(loss: Loss, y_true: Value, y_pred: Value) -> Any:
    return mean_function(y_pred - multiply(y_true, log(y_pred + EPSILON)), axis=loss.axis)


def _kl_divergence(loss: Loss, y_true: Value, y_pred: Value) -> Any:
    y_true, y_pred = clip(y_true, EPSILON, 1.0), clip(y_pred, EPSILON, 1.0)
    return sum_function(multiply(y_true, log(divide(y_true, y_pred))), axis=loss.axis)


def _categorical_hinge(loss: Loss, y_true: Value, y_pred: Value) -> Any:
    right = sum_function(multiply(y_true, y_pred), axis=loss.axis)
    wrong = max_function(multiply(subtract(1, y_true), y_pred), axis=loss.axis)
    return maximum(wrong - right + 1, 0)


def _binary_crossentropy(loss: BinaryCrossentropy, y_true: Value, y_pred: Value) -> Any:
    smoothed = multiply(y_true, 1 - loss.label_smoothing) + loss.label_smoothing / 2
    return mean_function(binary_crossentropy(smoothed, y_pred, loss.from_logits), axis=loss.axis)


def _categorical_crossentropy(loss: CategoricalCrossentropy, y_true: Value, y_pred: Value) -> Any:
    share = loss.label_smoothing / np.float64(shape_of(y_pred)[loss.axis])
    smoothed = multiply(y_true, 1 - loss.label_smoothing) + float(share)
    return categorical_crossentropy(smoothed, y_pred, loss.from_logits, loss.axis)


def _sparse_categorical_crossentropy(loss: SparseCategoricalCrossentropy, y_true: Value, y_pred: Value) -> Any:
    if loss.ignore_class is not None:
        raise ValueError("`ignore_class` must be None for symbols: weigh the rows with functions of cnn_core.ops")
    return sparse_categorical_crossentropy(y_true, y_pred, loss.from_logits, loss.axis)


FORMULAS: dict[str, Formula] = {
    "binary_crossentropy": _binary_crossentropy,
    "categorical_crossentropy": _categorical_crossentropy,
    "categorical_hinge": _categorical_hinge,
    "cosine_similarity": _cosine_similarity,
    "half_squared_error": _half_squared_error,
    "huber": _huber,
    "kl_divergence": _kl_divergence,
    "log_cosh": _log_cosh,
    "mean_absolute_error": _mean_absolute_error,
    "mean_absolute_percentage_error": _mean_absolute_percentage_error,
    "mean_squared_error": _mean_squared_error,
    "mean_squared_logarithmic_error": _mean_squared_logarithmic_error,
    "poisson": _poisson,
    "sparse_categorical_crossentropy": _sparse_categorical_crossentropy,
}
