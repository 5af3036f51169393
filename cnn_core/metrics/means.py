"""Sums and means of values, and of any function of (y_true, y_pred)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import cnn_core.foundation.validation as validation
import cnn_core.losses as losses
from cnn_core.foundation.arrays import Array, as_float, same_rank
from cnn_core.foundation.eager import EagerFloat
from cnn_core.foundation.serialization import snake_case
from cnn_core.metrics.base import Metric, registry

if TYPE_CHECKING:
    from cnn_core.foundation.descriptions import MetricDescription


def _per_sample(values: Array, sample_weight: object, reduce: Callable[..., object]) -> tuple[Array, Array | None]:
    """Reduce weighted values to one per sample, and weights likewise: a weight may count for a sample or for less."""
    if sample_weight is None:
        return _reduce_from(values, 1, reduce), None
    weights = as_float(sample_weight, "sample_weight", np.float64)
    given = weights.shape
    values, weights = same_rank(values, weights)
    values = _reduce_from(values, weights.ndim, reduce)
    try:
        weights = np.broadcast_to(weights, values.shape)
    except ValueError:
        raise ValueError(
            f"sample_weight must have one weight per value. Received: sample_weight.shape={given} "
            f"for values of shape {values.shape}"
        ) from None
    return _reduce_from(values * weights, 1, reduce), _reduce_from(weights, 1, reduce)


def _reduce_from(values: Array, first: int, reduce: Callable[..., object]) -> Array:
    return np.asarray(reduce(values, axis=tuple(range(first, values.ndim)))) if values.ndim > first else values


@registry.register()
class Sum(Metric):
    """Add up values: `sum(w_i v_i)`.

    Parameters
    ----------
    name : str, default "sum"
    dtype : str, default None

    Examples
    --------
    >>> Sum()([1.0, 2.0], sample_weight=[1.0, 0.5])
    2.0
    """

    def __init__(self, name: str | None = "sum", dtype: object = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable(name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add values of any shape; weights may lack trailing axes."""
        self.total.assign_add(_per_sample(as_float(values, "values", np.float64), sample_weight, np.sum)[0].sum())

    def result(self) -> EagerFloat:
        """Return the sum."""
        return EagerFloat(self.total)


@registry.register()
class Mean(Metric):
    """Average values: `sum(w_i v_i) / sum(w_i)`; 0 before the first batch.

    Parameters
    ----------
    name : str, default "mean"
    dtype : str, default None

    Examples
    --------
    >>> Mean()([1.0, 3.0]), Mean()([1.0, 3.0], sample_weight=[3.0, 1.0])
    (2.0, 1.5)
    """

    def __init__(self, name: str | None = "mean", dtype: object = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable(name="total")
        self.count = self.add_variable(name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add values; those of shape (n, ...) are averaged per sample, one number counts as one sample."""
        values, weights = _per_sample(as_float(values, "values", np.float64), sample_weight, np.mean)
        self.accumulate(values.sum(), values.size if weights is None else weights.sum())

    def describe(
        self, target_width: int, output: int = 0, target: int = 0, weighted: bool = False
    ) -> MetricDescription:
        """Return a metric with a `native` name as a plan hands it to the core.

        Parameters
        ----------
        target_width : int
            Columns of the targets.
        output : int, default 0
            Which of the model's outputs it compares.
        target : int, default 0
            Which of the model's losses has its targets.
        weighted : bool, default False
            Whether sample weights count.

        Returns
        -------
        dict
        """
        loss = getattr(self, "_loss", None)
        kind = self.native if loss is None else "loss"
        assert kind is not None
        return {
            "kind": kind,
            "target": target,
            "weighted": weighted,
            "threshold": getattr(self, "threshold", 0.5),
            "loss": (loss or losses.MeanSquaredError()).describe(target_width, output),
        }

    def accumulate(self, total: Any, count: Any) -> None:
        """Add a weighted sum and the sum of the weights, as the core has counted them."""
        self.total.assign_add(total)
        self.count.assign_add(count)

    def result(self) -> EagerFloat:
        """Return the mean."""
        count = self.count.value.item()
        return EagerFloat(self.total.value.item() / count if count else 0.0)


class MeanMetricWrapper(Mean):
    """Average what a function of targets and predictions returns.

    Parameters
    ----------
    fn : callable
        `fn(y_true, y_pred, **kwargs)` returns one value per row, or one number for the batch, which then counts as
        one sample. It receives NumPy arrays.
    name : str, default None
        None: the function's name.
    dtype : str, default None
    **kwargs
        Further arguments of the function.

    Examples
    --------
    >>> def error(y_true, y_pred):
    ...     return abs(y_true - y_pred).max(axis=-1)
    >>> metric = MeanMetricWrapper(error)
    >>> metric([[0.0], [0.0]], [[1.0], [2.0]]), metric.name
    (1.5, 'error')
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: object = None, **kwargs: object) -> None:
        if not callable(fn):
            raise TypeError(f"`fn` must be a function of (y_true, y_pred). Received: fn={validation.show(fn)}")
        super().__init__(name or getattr(fn, "__name__", None) or snake_case(type(fn).__name__), dtype)
        self._function = fn
        self._keywords = kwargs

    @property
    def registered_name(self) -> str:
        """The name under which `custom_objects` must hold a custom function."""
        if type(self) is not MeanMetricWrapper:
            return type(self).__name__
        return str(getattr(self._function, "__name__", type(self._function).__name__))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a batch."""
        y_pred = as_float(y_pred, "y_pred", self.dtype)
        values = self._function(validation.as_array(y_true, "y_true"), y_pred, **self._keywords)
        super().update_state(np.asarray(values), sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `deserialize` builds an equal metric; a function goes by its name."""
        if type(self) is not MeanMetricWrapper:
            return super().get_config()
        if hasattr(self._function, "get_config"):
            return dict(self._function.get_config())
        return {**super().get_config(), **self._keywords}


class MeanOf(MeanMetricWrapper):
    """A mean whose function the class fixes."""

    higher_is_better = True
    _of: ClassVar[Any]

    def __init__(self, name: str | None, dtype: object = None, **keywords: object) -> None:
        super().__init__(type(self)._of[0], name, dtype, **keywords)
