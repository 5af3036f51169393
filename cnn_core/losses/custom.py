"""Losses from outside: a function, or an object with `value` and `gradient`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cnn_core.foundation.arrays import Array, as_float
from cnn_core.foundation.serialization import function_name, snake_case
from cnn_core.losses.base import Loss


class CustomLoss(Loss):
    """Wrap an object with `value(y_true, y_pred)` and `gradient(y_true, y_pred)`.

    Parameters
    ----------
    target : object
        `value` returns an array (n,), one value per row; `gradient` returns an array (n, k), the derivative of the
        row's value with respect to the row of `y_pred`. Both receive NumPy arrays with n rows. For saving, it has
        `get_config`, and its class is passed in `custom_objects` when loading.
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> from cnn_core.losses import get
    >>> class Quartic:
    ...     def value(self, y_true, y_pred):
    ...         return ((y_pred - y_true) ** 4).sum(axis=-1)
    ...     def gradient(self, y_true, y_pred):
    ...         return 4 * (y_pred - y_true) ** 3
    >>> get(Quartic())([[0.0]], [[2.0]]), get(Quartic()).gradient([[0.0]], [[2.0]])
    (16.0, array([[32.]]))
    """

    def __init__(
        self,
        target: Any,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: object = None,
    ) -> None:
        super().__init__(name or snake_case(type(target).__name__), reduction, dtype)
        self.target = target
        self.expects_labels = bool(getattr(target, "expects_labels", False))

    @property
    def registered_name(self) -> str:
        """The class of the wrapped object, under which `custom_objects` must hold it."""
        return type(self.target).__name__

    def call(self, y_true: Any, y_pred: Any) -> Array:
        """Return what the object's `value` returns, checked for its shape."""
        y_true, y_pred = self._read(y_true, y_pred)
        return self._checked(self.target.value(y_true, y_pred), y_pred.shape[:-1], y_pred, "value")

    def gradient(self, y_true: Any, y_pred: Any) -> Array:
        """Return what the object's `gradient` returns, checked for its shape."""
        y_true, y_pred = self._read(y_true, y_pred)
        return self._checked(self.target.gradient(y_true, y_pred), y_pred.shape, y_pred, "gradient")

    def _checked(self, result: object, shape: tuple[int, ...], y_pred: Array, method: str) -> Array:
        values: Array = as_float(result, f"the result of {type(self.target).__name__}.{method}", y_pred.dtype)
        if values.shape != shape:
            wanted = "one value per row" if method == "value" else "an array of the shape of y_pred"
            raise ValueError(
                f"{type(self.target).__name__}.{method} must return {wanted}, shape {shape}. "
                f"Received: shape {values.shape}"
            )
        return values

    def prepare_target(self, y_true: Array, width: int, dtype: Any) -> Array:
        """Lay targets out in two dimensions; their width is the object's own affair."""
        return np.ascontiguousarray(y_true[:, None] if y_true.ndim == 1 else y_true, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the object's own configuration."""
        return dict(self.target.get_config()) if hasattr(self.target, "get_config") else {}


class FunctionLoss(Loss):
    """Wrap a custom function, written with `cnn_core.ops`, which gives its gradient.

    Parameters
    ----------
    function : callable
        Takes `y_true` and `y_pred` and returns one value per row, or per sample, or one for the whole batch. For saving
        it needs a name, under which it is passed in `custom_objects` when loading.
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> from cnn_core import ops
    >>> FunctionLoss(lambda y_true, y_pred: ops.mean(ops.square(y_true - y_pred), axis=-1))([[0.0, 0.0]], [[1.0, 3.0]])
    5.0
    """

    def __init__(
        self,
        function: Callable[[Any, Any], Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: object = None,
    ) -> None:
        super().__init__(name or getattr(function, "__name__", type(function).__name__), reduction, dtype)
        self.function = function

    @property
    def registered_name(self) -> str:
        """The function's name, under which `custom_objects` must hold it."""
        return function_name(self.function, self.name, type(self.function).__name__)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return what the function returns."""
        return self.function(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        """Return nothing: the name says everything."""
        return {}
