"""What every loss is: a name, options, a formula for rows, a reduction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec

import numpy as np

import cnn_core._core as _core
import cnn_core.foundation.domains as domains
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array, as_float, as_rows, same_rank
from cnn_core.foundation.eager import EagerArray, EagerFloat, eager, mask_of
from cnn_core.foundation.keywords import KnowsItsArguments
from cnn_core.foundation.serialization import Registry, snake_case

if TYPE_CHECKING:
    from cnn_core.foundation.descriptions import LossDescription

registry = Registry("loss")
_Arguments = ParamSpec("_Arguments")
# The classes behind the functions of this module, so that `loss=losses.mean_squared_error` trains natively.
class_of: dict[Any, type[Loss]] = {}


function_of: dict[type[Loss], Any] = {}
REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


class Loss(KnowsItsArguments):
    """Measure how far predictions are from targets: one value per row, reduced to one number.

    With values `v_i` and weights `w_i` (1 if there are none) of n rows, the reductions are

    - "sum_over_batch_size", "mean": `sum(w_i v_i) / n`. The divisor is the number of rows, not the sum of the weights.
    - "mean_with_sample_weight": `sum(w_i v_i) / sum(w_i)`.
    - "sum": `sum(w_i v_i)`.
    - "none" or None: the vector of `w_i v_i`.

    A subclass defines `call(y_true, y_pred)`, which returns one value per row. Written with `cnn_core.ops` it
    differentiates itself and runs in native code. Written with NumPy it needs `gradient(y_true, y_pred)`, too, which
    returns the derivative of the row's value with respect to the row of `y_pred`.
    Below a loss of this package `super().call` and `super().gradient` are its formulas.

    Parameters
    ----------
    name : str, default None
        None: the class's name in snake case.
    reduction : str, default "sum_over_batch_size"
    dtype : str, default None
        "float32" or "float64", to compute in; None computes in the type of `y_pred`. (Keras uses float32 throughout.)

    Attributes
    ----------
    native : str or None
        The name under which the core computes it; None for one that only Python knows.
    native_parameters : tuple of float
        What the core needs besides targets and predictions.
    expects_labels : bool
        Whether a target is a class label per row rather than a row of numbers.
    domain : Domain or None
        The targets that the loss can mean. `fit`, `evaluate` and the calls for one batch refuse others; the loss called
        by itself is a formula that computes with any numbers.

    Examples
    --------
    >>> class Cubic(Loss):
    ...     def call(self, y_true, y_pred):
    ...         return (abs(y_pred - y_true) ** 3).sum(axis=-1)
    ...     def gradient(self, y_true, y_pred):
    ...         return 3 * (y_pred - y_true) * abs(y_pred - y_true)
    >>> Cubic()([[0.0], [1.0]], [[2.0], [1.0]])
    4.0
    """

    native: str | None = None
    expects_labels: bool = False
    domain: domains.Domain | None = None
    # Whether the value of a row depends on other rows of the batch: then `pullback` says how, and `gradient` nothing.
    couples_rows: bool = False
    axis: int = -1
    ignore_class: int | None = None
    # What a method raised while native code was calling it, until the run can raise it again.
    error: BaseException | None = None
    _options: ClassVar[tuple[str, ...]] = ()
    _formula: ClassVar[str | None] = None  # the native name of what `call` and `gradient` compute, for super() too

    def __init_subclass__(cls, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        if "native" in vars(cls):
            cls._formula = cls.native
        # A subclass of a built-in loss with another formula must not be trained with the built-in one.
        if {"call", "value", "gradient"} & vars(cls).keys() and "native" not in vars(cls):
            cls.native = None
            cls.domain = vars(cls).get("domain")

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: object = None
    ) -> None:
        self.name = snake_case(type(self).__name__) if name is None else validation.text(name, "name")
        self.reduction = validation.one_of(reduction, "reduction", REDUCTIONS)
        self.dtype = None if dtype is None else validation.float_dtype(dtype).name

    def _set_axis(self, axis: int) -> None:
        self.axis = validation.integer(axis, "axis")
        if self.axis != -1:
            self.native = None  # the core's rows are the last axis; `call` and `gradient` move another one there

    @property
    def formula(self) -> str | None:
        """The native name of what `call` computes."""
        return self._formula

    @property
    def is_traced(self) -> bool:
        """Whether `call` alone says what it computes: training traces it and differentiates by itself."""
        cls = type(self)
        return (
            self.native is None
            and cls.gradient is Loss.gradient
            and (cls.call is not Loss.call or cls.value is not Loss.value)
        )

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """What the core needs besides targets and predictions."""
        return ()

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Reduce the values of all rows.

        Parameters
        ----------
        y_true : array-like of shape (n, k); labels: (n,) or (n, 1)
        y_pred : array-like of shape (n, k)
            Further axes may stand between n and k; then every position is a row. A single row may be one-dimensional.
        sample_weight : array-like of shape (n,) or (n, 1), default None
            Rows that do not count by the mask of `y_pred`, which a layer may have put beside it, weigh nothing and are
            left out of the number of rows.

        Returns
        -------
        float, or numpy.ndarray of shape (n,) without reduction
            As Keras's tensors it has `numpy()`.

        Raises
        ------
        ValueError
            If shapes do not fit each other, or labels are out of range.
        """
        symbol = _symbol_among(y_true, y_pred)
        if symbol is not None:
            return symbol.reduced_loss(self, y_true, y_pred, sample_weight)
        sample_weight = self._weights_of_mask(mask_of(y_pred), sample_weight)
        if _is_recorded(y_true) or _is_recorded(y_pred):
            return self._reduced(self._recorded_values(y_true, y_pred), y_true, sample_weight)
        values = self.call(*self._read(y_true, y_pred))
        values = np.asarray(values)
        coefficients = self.coefficients(values.shape, y_true, sample_weight, values)
        weighted = values * coefficients
        if self.reduction in ("none", None):
            return eager(weighted.astype(values.dtype))
        return EagerFloat(weighted.sum())

    def _weights_of_mask(self, mask: object, sample_weight: object) -> Any:
        """Return weights in which a mask is, such that a mean is over the rows that count."""
        if mask is None:
            return sample_weight
        counts = np.asarray(mask, np.float64)
        if self.reduction in ("mean", "sum_over_batch_size"):
            counts = counts * (counts.size / max(counts.sum(), 1))
        if sample_weight is None:
            return counts
        counts, weights = same_rank(counts, as_float(sample_weight, "sample_weight", np.float64))
        return weights.reshape(weights.shape + (1,) * (counts.ndim - weights.ndim)) * counts

    # Tensors, which remember how they were computed, while a GradientTape records

    def _recorded_values(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the value of every row as a tensor."""
        if self.is_traced:
            return self.call(*same_rank(y_true, y_pred))
        values = self.call(*self._read(y_true, y_pred))
        return values if _is_recorded(values) else self._recorded(values, y_true, y_pred)

    def _recorded(self, values: Array, y_true: Any, y_pred: Any) -> Any:
        """Return values that were computed of tensors as a tensor; of arrays as they are."""
        if not _is_recorded(y_pred):
            return values if not _is_recorded(y_true) else y_true.derived(values, lambda delta: None)

        def backward(delta: Array) -> Array:
            return self.pullback(y_true, y_pred, delta).reshape(y_pred.shape).astype(y_pred.dtype)

        return y_pred.derived(values, backward, beside=[y_true])

    def _reduced(self, values: Any, y_true: object, sample_weight: object) -> Any:
        array = np.asarray(values)
        coefficients = self.coefficients(array.shape, y_true, sample_weight, array).astype(array.dtype)
        weighted = np.asarray(array * coefficients, array.dtype)
        if self.reduction in ("none", None):
            return values.derived(weighted, lambda delta: delta * coefficients)
        return values.derived(weighted.sum(dtype=np.float64).astype(array.dtype), lambda delta: delta * coefficients)

    def coefficients(
        self, shape: tuple[int, ...], y_true: Any = None, sample_weight: Any = None, values: Array | None = None
    ) -> Array:
        """Return the factors c with which the reduction adds up the values of rows: `loss = sum(c * values)`.

        Parameters
        ----------
        shape : tuple of int
            The shape of the values.
        y_true : array-like, default None
            Targets; only a loss with `ignore_class` looks at them: the rows it ignores count neither in the sum nor
            in the number of rows.
        sample_weight : array-like, default None
        values : numpy.ndarray, default None
            The values; only some losses of pairs look at them.

        Returns
        -------
        numpy.ndarray of float64 of the given shape
        """
        weights = _broadcast_weights(sample_weight, shape)
        counted = self._counted(y_true, shape)
        weights = weights * counted
        if self.reduction in ("sum", "none", None):
            return weights
        if self.reduction == "mean_with_sample_weight" and (sample_weight is not None or self.ignore_class is not None):
            divisor = weights.sum()
        else:
            divisor = counted.sum()
        return np.asarray(weights / divisor if divisor else np.zeros(shape))

    def _counted(self, y_true: object, shape: tuple[int, ...]) -> Array:
        if self.ignore_class is None or y_true is None:
            return np.ones(shape)
        return np.asarray(as_float(y_true, "y_true").reshape(shape) != self.ignore_class, np.float64)

    def call(self, y_true: Any, y_pred: Any) -> Array:
        """Compute the value of every row.

        Parameters
        ----------
        y_true : array-like of shape (n, k); labels: (n,) or (n, 1)
        y_pred : array-like of shape (n, k)

        Returns
        -------
        numpy.ndarray of shape (n,)
        """
        if self._formula is None:
            raise NotImplementedError(f"{type(self).__name__} must define call(y_true, y_pred)")
        symbol = _symbol_among(y_true, y_pred)
        if symbol is not None:
            expression: Array = symbol.loss_values(self, y_true, y_pred)
            return expression
        values: Array = self._recorded(self._native(_core.loss_values, y_true, y_pred)[0], y_true, y_pred)
        return values

    def value(self, y_true: Any, y_pred: Any) -> Array:
        """Compute the value of every row, under the name by which a plan calls a loss that only Python knows."""
        return self.call(y_true, y_pred)

    def gradient(self, y_true: Any, y_pred: Any) -> Array:
        """Compute the derivative of every row's value with respect to the row's predictions.

        Parameters
        ----------
        y_true : array-like of shape (n, k); labels: (n,) or (n, 1)
        y_pred : array-like of shape (n, k)

        Returns
        -------
        numpy.ndarray of the shape of `y_pred`
        """
        if self._formula is None:
            raise NotImplementedError(f"{type(self).__name__} must define gradient(y_true, y_pred) to train a model")
        flat, prediction = self._native(_core.loss_gradient, y_true, y_pred)
        return np.moveaxis(flat.reshape(prediction.shape), -1, self.axis)

    def pullback(self, y_true: Any, y_pred: Any, delta: Array) -> Array:
        """Compute the derivative of `sum(delta * values)` with respect to the predictions.

        Parameters
        ----------
        y_true, y_pred : array-like
        delta : numpy.ndarray of the shape of the values

        Returns
        -------
        numpy.ndarray of the shape of `y_pred`
        """
        gradient = self.gradient(y_true, y_pred)
        axis = self.axis if self.axis < 0 else self.axis - gradient.ndim
        return np.asarray(np.expand_dims(delta, axis) * gradient)

    def _native(self, function: Callable[..., Array], y_true: object, y_pred: object) -> tuple[Array, Array]:
        y_true, y_pred = self._read(y_true, y_pred)
        if not -y_pred.ndim <= self.axis < y_pred.ndim:
            raise ValueError(
                f"`axis` must be an axis of y_pred. Received: axis={self.axis}, y_pred.shape={y_pred.shape}"
            )
        prediction = np.moveaxis(y_pred, self.axis, -1)
        if not self.expects_labels:
            y_true = np.moveaxis(y_true, self.axis, -1)
            _same_rows(y_true, prediction)
        width = prediction.shape[-1]
        target = self.prepare_target(
            y_true.reshape(-1, 1) if self.expects_labels else as_rows(y_true), width, prediction.dtype
        )
        rows = as_rows(prediction)
        validation.same_length({"y_true": target, "y_pred": rows})
        result = np.asarray(function(self._formula, target, rows, self.native_parameters))
        return (result.reshape(prediction.shape[:-1]) if result.ndim == 1 else result), prediction

    def _read(self, y_true: object, y_pred: object) -> tuple[Array, Array]:
        y_pred = as_float(y_pred, "y_pred", self.dtype)
        if y_pred.ndim == 0:
            raise ValueError("y_pred must have at least one axis, shape (n, outputs). Received: y_pred.shape=()")
        if self.expects_labels:
            return validation.as_array(y_true, "y_true"), y_pred
        y_true, y_pred = same_rank(as_float(y_true, "y_true", y_pred.dtype), y_pred)
        return y_true, y_pred

    @property
    def keeps_layout(self) -> bool:
        """Whether `prepare_target` leaves targets of the prediction's shape and type, and labels, as they are."""
        cls = type(self)
        return cls.prepare_target is Loss.prepare_target and cls._fit_width is Loss._fit_width

    def prepare_target(self, y_true: Array, width: int, dtype: Any) -> Array:
        """Lay targets out as the core reads them, and check that they fit an output layer of `width` units.

        Parameters
        ----------
        y_true : numpy.ndarray of shape (n, k) or (n,)
        width : int
            Units of the output layer.
        dtype : dtype
            That of the predictions.

        Returns
        -------
        numpy.ndarray of `dtype`, two-dimensional, in C order; labels: of int32, shape (n, 1)

        Raises
        ------
        ValueError
            If the number of targets per row is wrong, or a label is out of range.
        """
        y_true = y_true[:, None] if y_true.ndim == 1 else y_true
        if self.expects_labels:
            return validation.labels(y_true, width, "y_true", ignore_class=self.ignore_class)[:, None]
        return np.ascontiguousarray(self._fit_width(y_true, width), dtype=dtype)

    def _fit_width(self, y_true: Array, width: int) -> Array:
        if y_true.shape[1] != width:
            raise ValueError(
                f"y_true has {y_true.shape[1]} values per row; the predictions have {width}. "
                f"Received: y_true.shape={y_true.shape}"
            )
        return y_true

    def describe(self, target_width: int, output: int = 0, weight: float = 1.0) -> LossDescription:
        """Return the loss as a plan hands it to the core.

        Parameters
        ----------
        target_width : int
            Columns of the prepared targets.
        output : int, default 0
            Which of the model's outputs it compares.
        weight : float, default 1.0
            Its factor in the sum of all losses.

        Returns
        -------
        dict

        Raises
        ------
        ValueError
            If the loss does not reduce to a number, so that there is nothing to minimise, or if labels belong to
            another axis than the last.
        """
        if self.reduction in ("none", None):
            raise ValueError(f"A model cannot be trained on a loss without reduction. Received: {self!r}")
        native = self.native
        if native is None and type(self).native is not None and self.expects_labels:
            raise ValueError(f"`axis` must be -1 to train a model on labels. Received: axis={self.axis}")
        return description(
            native or "custom",
            target_width,
            self.native_parameters if native else (),
            output=output,
            has_labels=self.expects_labels and native is not None,
            weight=weight,
            reduction="sum_over_batch_size" if self.reduction == "mean" else self.reduction,
            custom=None if native else self,
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` builds an equal loss."""
        config = {"name": self.name, "reduction": self.reduction}
        if self.dtype is not None:
            config["dtype"] = self.dtype
        return {**config, **{each: getattr(self, each) for each in self._options}}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Loss:
        """Build the loss whose `get_config` returned `config`."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


def description(
    kind: str,
    target_width: int,
    parameters: Sequence[float] = (),
    *,
    output: int = 0,
    has_labels: bool = False,
    weight: float = 1.0,
    reduction: str | None = "sum_over_batch_size",
    custom: object = None,
    clip: float = 0.0,
) -> LossDescription:
    """Return a loss as native code is told of it; see `Loss.describe`.

    Parameters
    ----------
    kind : str
        Its native name, "custom" for one that only Python knows.
    target_width, output, weight
        See `Loss.describe`.
    parameters : sequence of float
        See `Loss.native_parameters`.
    has_labels : bool, default False
        Whether targets are int32 labels.
    reduction : str
        "sum", "sum_over_batch_size" or "mean_with_sample_weight".
    custom : object, default None
        What native code calls for a custom loss.
    clip : float, default 0
        How far a cross-entropy keeps probabilities from 0 and 1.
    """
    return {
        "kind": kind,
        **_core.loss_parameters(kind, parameters),
        "output": output,
        "has_labels": has_labels,
        "target_width": target_width,
        "weight": weight,
        "reduction": reduction,
        "custom": custom,
        "clip": clip,
    }


def _same_rows(y_true: Array, y_pred: Array) -> None:
    if y_true.shape[:-1] != y_pred.shape[:-1]:
        raise ValueError(
            "y_true and y_pred must have the same shape. "
            f"Received: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}"
        )


def _broadcast_weights(sample_weight: object, shape: tuple[int, ...]) -> Array:
    if sample_weight is None:
        return np.ones(shape)
    weights = as_float(sample_weight, "sample_weight", np.float64)
    given = weights.shape
    if shape == ():  # one value of a whole batch
        return np.asarray(weights.mean())
    if weights.ndim > len(shape) and weights.shape[-1] == 1:
        weights = weights[..., 0]
    weights = weights.reshape(weights.shape + (1,) * (len(shape) - weights.ndim))
    try:
        return np.broadcast_to(weights, shape)
    except ValueError:
        raise ValueError(
            f"sample_weight must have one weight per row; there are rows of shape {shape}. "
            f"Received: sample_weight.shape={given}"
        ) from None


def _symbol_among(y_true: object, y_pred: object) -> Any:
    """Return the predictions or the targets if they stand for what a model will compute."""
    return next((each for each in (y_pred, y_true) if hasattr(each, "loss_values")), None)


def _is_recorded(value: object) -> bool:
    """Tell whether a value remembers how it was computed, as tensors do."""
    return hasattr(value, "derived")


# The function forms: one value per row


def function_form(cls: type[Loss]) -> Callable[[Callable[_Arguments, Array]], Callable[_Arguments, EagerArray]]:
    def enter(function: Callable[_Arguments, Array]) -> Callable[_Arguments, EagerArray]:
        @wraps(function)
        def values(*arguments: _Arguments.args, **keywords: _Arguments.kwargs) -> EagerArray:
            found: EagerArray = eager(function(*arguments, **keywords))
            return found

        values.__doc__ = f"Compute the value of every row: see `{cls.__name__}`. Returns an array (n,)."
        class_of[values], function_of[cls] = cls, values
        return values

    return enter
