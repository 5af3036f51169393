"""What native code calls back in Python: a user's activation, operation, penalty, constraint or loss.

Each keeps the exception that the user's code raised until native code has returned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.losses import Loss
from cnn_core.network.operators import Operators
from cnn_core.regularizers import has_own_gradient


class CustomCalls:
    """What native code calls for a user's activation or operation; keeps an exception until native code has returned.

    `error` is set by native code and raised by `_core`. It stands here and not on the user's
    object, which may be shared, frozen or a class with slots.
    """

    def __init__(self, target: Any) -> None:
        self.error: BaseException | None = None
        self._target = target

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)


class TensorCalls(CustomCalls):
    """What native code calls for a user's penalty or constraint: hands tensors over in their shape, not as rows.

    Parameters
    ----------
    target : callable
        A regularizer, with a method `gradient` or written with `cnn_core.ops`, or a constraint.
    shape : tuple of int
        Of the tensor; -1 stands for the batch.
    """

    def __init__(self, target: Any, shape: Sequence[int]) -> None:
        super().__init__(target)
        self._shape = tuple(shape)
        self._traced: Any = None  # the gradient of a penalty that has none of its own, once it was asked for

    def penalty(self, rows: Array) -> float:
        """Return the penalty on a tensor given as rows."""
        return float(self._target(rows.reshape(self._shape)))

    def gradient(self, rows: Array) -> Array:
        """Return its gradient, as rows again."""
        tensor = rows.reshape(self._shape)
        if has_own_gradient(self._target):
            return np.asarray(self._target.gradient(tensor)).reshape(rows.shape)
        if self._traced is None:
            name = getattr(self._target, "__name__", type(self._target).__name__)
            self._traced = Operators.functions["gradient"](self._target, tensor.shape, tensor.dtype.name, name)
        return np.asarray(self._traced(tensor)).reshape(rows.shape)

    def constrain(self, rows: Array) -> Array:
        """Return what the constraint makes of a tensor, as rows again."""
        result = np.asarray(self._target(rows.reshape(self._shape)))
        if result.shape != self._shape:
            raise ValueError(f"A constraint must keep the shape {self._shape}. Received: shape={result.shape}")
        return result.reshape(rows.shape)


class CustomLossCalls:
    """What native code calls for a loss that only Python knows, once for every batch.

    Native code hands over rows, (n * rows, width); the user's methods see the output's own shape.

    Attributes
    ----------
    error : BaseException or None
        What the user's code raised, until native code has returned.
    values : numpy.ndarray of float64
        Of all rows of the last batch; native code reads them where they are.
    weights : numpy.ndarray or None
        Of all rows of the last batch.
    couples_rows : bool
        Whether native code is to leave weights out of the derivatives, for `gradient` counts them.
    """

    def __init__(self, loss: Loss, shape: tuple[int, ...]) -> None:
        self.error: BaseException | None = None
        self.values = np.empty(0)
        self.weights: Array | None = None
        self.couples_rows = loss.couples_rows
        self._loss = loss
        self._shape = shape

    def value(self, y_true: Array, y_pred: Array) -> Array:
        """Return the value of every row, (n * rows,)."""
        prediction = y_pred.reshape(-1, *self._shape)
        values = np.asarray(self._loss.value(self._target(y_true, len(prediction)), prediction))
        self._check(values, prediction.shape[:-1], "value")
        if self.couples_rows:
            values = values * self._shares(values)
        self.values = np.ascontiguousarray(values.reshape(-1), np.float64)
        return self.values

    def gradient(self, y_true: Array, y_pred: Array) -> Array:
        """Return its derivative, (n * rows, width)."""
        prediction = y_pred.reshape(-1, *self._shape)
        target = self._target(y_true, len(prediction))
        if self.couples_rows:
            values = np.asarray(self._loss.value(target, prediction))
            weights = 1.0 if self.weights is None else self.weights.reshape(-1)
            gradient = np.asarray(self._loss.pullback(target, prediction, self._shares(values) * weights))
        else:
            gradient = np.asarray(self._loss.gradient(target, prediction))
        self._check(gradient, prediction.shape, "gradient")
        return gradient.reshape(y_pred.shape)

    def _shares(self, values: Array) -> Array:
        """Return what the coefficients of rows are, measured by what they would be if all rows counted."""
        given = self._loss.coefficients(values.shape, None, self.weights, values)
        plain = self._loss.coefficients(values.shape, None, self.weights)
        return np.divide(given, plain, out=np.zeros_like(given), where=plain != 0)

    def _target(self, y_true: Array, n: int) -> Array:
        if self._loss.expects_labels:
            return y_true.reshape(-1).astype(np.int32)
        fits = y_true.size == n * math.prod(self._shape)
        return y_true.reshape(n, *self._shape) if fits else y_true.reshape(n, -1)

    def _check(self, result: Array, shape: tuple[int, ...], method: str) -> None:
        if result.shape != shape:
            name = self._loss.name
            raise ValueError(
                f"`{method}` of the loss {name!r} must return an array of shape {shape}. Received: shape {result.shape}"
            )
