"""Losses as descriptions: names, options, formulas, reductions. Floor 3.

The arithmetic on rows is native: `native` and `native_parameters` are what a plan hands to it. Here stands what comes
before it (the shape of the targets) and after it (the weighted mean over the rows).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import cnn_core._core as _core
import cnn_core.domains as domains
import cnn_core.left_out as left_out
import cnn_core.validation as validation
from cnn_core.arrays import Array, as_float, as_rows, same_rank
from cnn_core.serialization import CustomObjects, Registry, snake_case
from cnn_core.serialization import serialize as _as_data

_registry = Registry("loss")
# The classes behind the functions of this module, so that `loss=losses.mean_squared_error` trains natively.
_class_of: dict[Any, type[Loss]] = {}
_function_of: dict[type[Loss], Any] = {}

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


class Loss:
    """Measure how far predictions are from targets: one value per row, reduced to one number.

    With values `v_i` and weights `w_i` (1 if there are none) of n rows, the reductions are

    - "sum_over_batch_size", "mean": `sum(w_i v_i) / n`. The divisor is the number of rows, not the sum of the weights.
    - "mean_with_sample_weight": `sum(w_i v_i) / sum(w_i)`.
    - "sum": `sum(w_i v_i)`.
    - "none" or None: the vector of `w_i v_i`.

    A subclass with NumPy code of its own defines `call(y_true, y_pred)`, which returns one value per row, and
    `gradient(y_true, y_pred)`, which returns the derivative of the row's value with respect to the row of `y_pred`.

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
    axis: int = -1
    ignore_class: int | None = None
    # What a method raised while native code was calling it, until the run can raise it again.
    error: BaseException | None = None
    _options: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        # A subclass of a built-in loss with another formula must not be trained with the built-in one.
        if {"call", "gradient"} & vars(cls).keys() and "native" not in vars(cls):
            cls.native = None
            cls.domain = vars(cls).get("domain")

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        self.name = snake_case(type(self).__name__) if name is None else validation.text(name, "name")
        self.reduction = validation.one_of(reduction, "reduction", REDUCTIONS)
        self.dtype = None if dtype is None else validation.float_dtype(dtype).name

    def _set_axis(self, axis: int) -> None:
        self.axis = validation.integer(axis, "axis")
        if self.axis != -1:
            self.native = None  # the core's rows are the last axis; `call` and `gradient` move another one there

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

        Returns
        -------
        float, or numpy.ndarray of shape (n,) without reduction

        Raises
        ------
        ValueError
            If shapes do not fit each other, or labels are out of range.
        """
        values = self.call(*self._read(y_true, y_pred))
        values = np.asarray(values)
        coefficients = self.coefficients(values.shape, y_true, sample_weight)
        weighted = values * coefficients
        if self.reduction in ("none", None):
            return weighted.astype(values.dtype)
        return float(weighted.sum())

    def coefficients(self, shape: tuple[int, ...], y_true: Any = None, sample_weight: Any = None) -> Array:
        """Return the factors c with which the reduction adds up the values of rows: `loss = sum(c * values)`.

        Parameters
        ----------
        shape : tuple of int
            The shape of the values.
        y_true : array-like, default None
            Targets; only a loss with `ignore_class` looks at them: the rows it ignores count neither in the sum nor
            in the number of rows.
        sample_weight : array-like, default None

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

    def _counted(self, y_true: Any, shape: tuple[int, ...]) -> Array:
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
        if type(self).native is None:
            raise NotImplementedError(f"{type(self).__name__} must define call(y_true, y_pred)")
        return self._native(_core.loss_values, y_true, y_pred)[0]

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
        if type(self).native is None:
            raise NotImplementedError(f"{type(self).__name__} must define gradient(y_true, y_pred) to train a model")
        flat, prediction = self._native(_core.loss_gradient, y_true, y_pred)
        return np.moveaxis(flat.reshape(prediction.shape), -1, self.axis)

    def _native(self, function: Callable[..., Array], y_true: Any, y_pred: Any) -> tuple[Array, Array]:
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
        result = np.asarray(function(type(self).native, target, rows, self.native_parameters))
        return (result.reshape(prediction.shape[:-1]) if result.ndim == 1 else result), prediction

    def _read(self, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
        y_pred = as_float(y_pred, "y_pred", self.dtype)
        if y_pred.ndim == 0:
            raise ValueError("y_pred must have at least one axis, shape (n, outputs). Received: y_pred.shape=()")
        if self.expects_labels:
            return validation.as_array(y_true, "y_true"), y_pred
        y_true, y_pred = same_rank(as_float(y_true, "y_true", y_pred.dtype), y_pred)
        return y_true, y_pred

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

    def describe(self, target_width: int, output: int = 0, weight: float = 1.0) -> dict[str, Any]:
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
        return {
            "kind": native or "custom",
            **_core.loss_parameters(native or "custom", self.native_parameters if native else ()),
            "output": output,
            "has_labels": self.expects_labels and native is not None,
            "target_width": target_width,
            "weight": weight,
            "reduction": "sum_over_batch_size" if self.reduction == "mean" else self.reduction,
            "custom": None if native else self,
        }

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


def _same_rows(y_true: Array, y_pred: Array) -> None:
    if y_true.shape[:-1] != y_pred.shape[:-1]:
        raise ValueError(
            "y_true and y_pred must have the same shape. "
            f"Received: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}"
        )


def _broadcast_weights(sample_weight: Any, shape: tuple[int, ...]) -> Array:
    if sample_weight is None:
        return np.ones(shape)
    weights = as_float(sample_weight, "sample_weight", np.float64)
    given = weights.shape
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


# Regression


@_registry.register("mse", "MSE")
class MeanSquaredError(Loss):
    """Average the squared error over the outputs: `v = mean_j (p_j - y_j)^2`, `dv/dp_j = 2 (p_j - y_j) / k`.

    Parameters
    ----------
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> MeanSquaredError()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]])
    0.5
    """

    native = "mean_squared_error"

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "mean_squared_error", dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)


@_registry.register()
class HalfSquaredError(Loss):
    """Add up half the squared error over the outputs: `v = 1/2 sum_j (p_j - y_j)^2`, `dv/dp_j = p_j - y_j`.

    The loss of the derivation on paper; Keras has no name for it. It is k / 2 times the mean squared error.

    Parameters
    ----------
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> HalfSquaredError()([[0.0, 1.0]], [[2.0, 2.0]])
    2.5
    """

    native = "half_squared_error"

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "half_squared_error", dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)


@_registry.register("mae", "MAE")
class MeanAbsoluteError(Loss):
    """Average the absolute error over the outputs: `v = mean_j |p_j - y_j|`, `dv/dp_j = sign(p_j - y_j) / k`.

    Parameters
    ----------
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> MeanAbsoluteError()([[0.0, 1.0]], [[2.0, 2.0]])
    1.5
    """

    native = "mean_absolute_error"

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "mean_absolute_error", dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)


@_registry.register("mape", "MAPE")
class MeanAbsolutePercentageError(Loss):
    """Average the error in per cent of the target: `v = 100 mean_j |y_j - p_j| / max(|y_j|, 1e-7)`.

    Parameters
    ----------
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 4.0]])
    25.0
    """

    native = "mean_absolute_percentage_error"

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "mean_absolute_percentage_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


@_registry.register("msle", "MSLE")
class MeanSquaredLogarithmicError(Loss):
    """Average the squared error of logarithms: `v = mean_j (log(1 + max(p_j, e)) - log(1 + max(y_j, e)))^2`, e = 1e-7.

    Parameters
    ----------
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> round(MeanSquaredLogarithmicError()([[0.0]], [[np.e - 1]]), 6)
    1.0
    """

    native = "mean_squared_logarithmic_error"
    domain = domains.NON_NEGATIVE

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


@_registry.register()
class CosineSimilarity(Loss):
    """Take minus the cosine between target and prediction: `v = -sum_j y_j p_j / (|y| |p|)`, from -1 (alike) to 1.

    Parameters
    ----------
    axis : int, default -1
        The axis of the outputs.
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> CosineSimilarity()([[3.0, 4.0]], [[0.0, 2.0]])
    -0.8
    """

    native = "cosine_similarity"
    _options = ("axis",)

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "cosine_similarity",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self._set_axis(axis)


@_registry.register("huber_loss")
class Huber(Loss):
    """Square small errors and take large ones linearly: `v = mean_j h(p_j - y_j)`.

    `h(e) = e^2 / 2` for `|e| <= delta`, else `delta |e| - delta^2 / 2`; `h'(e) = clip(e, -delta, delta)`.

    Parameters
    ----------
    delta : float, default 1.0
        Above 0.
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> Huber()([[0.0, 0.0]], [[1.0, 3.0]])
    1.5
    """

    native = "huber"
    _options = ("delta",)

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.delta = validation.number(delta, "delta", above=0)

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """The width of the quadratic part."""
        return (self.delta,)


@_registry.register("logcosh")
class LogCosh(Loss):
    """Average the logarithm of cosh of the error: `v = mean_j log(cosh(p_j - y_j))`, `dv/dp_j = tanh(p_j - y_j) / k`.

    Parameters
    ----------
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> round(LogCosh()([[0.0]], [[100.0]]), 6)  # nearly |error| - log(2)
    99.306853
    """

    native = "log_cosh"

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "log_cosh", dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)


@_registry.register()
class Poisson(Loss):
    """Take the negative log-likelihood of counts with rate p: `v = mean_j (p_j - y_j log(p_j + 1e-7))`.

    Parameters
    ----------
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> Poisson()([[0.0, 3.0]], [[2.0, 1.0]]).__round__(5)
    1.5
    """

    native = "poisson"
    domain = domains.NON_NEGATIVE

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "poisson", dtype: Any = None) -> None:
        super().__init__(name, reduction, dtype)


@_registry.register("pinball", "quantile_loss")
class Quantile(Loss):
    """Fit quantiles (the pinball loss): `v = mean_j max(q_j e_j, (q_j - 1) e_j)` with `e_j = y_j - p_j`.

    Output j estimates the quantile of level `q_j`. With L levels and k targets, a model has L k outputs: all levels of
    the first target, then all levels of the second. Keras has no name for it.

    Parameters
    ----------
    levels : float or sequence of float, default 0.5
        Above 0 and below 1; 0.5 estimates medians.
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> Quantile(levels=(0.1, 0.9))([[10.0]], [[5.0, 5.0]])
    2.5
    """

    native = "quantile"
    _options = ("levels",)

    def __init__(
        self,
        levels: float | Sequence[float] = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str = "quantile",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if not isinstance(levels, (list, tuple, np.ndarray)):
            self.levels: float | list[float] = validation.number(levels, "levels", above=0, below=1)
            return
        if len(levels) == 0:
            raise ValueError(f"`levels` must have at least one level. Received: levels={levels!r}")
        self.levels = [validation.number(each, f"levels[{i}]", above=0, below=1) for i, each in enumerate(levels)]

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """The levels."""
        return tuple(self.levels) if isinstance(self.levels, list) else (self.levels,)

    def _fit_width(self, y_true: Array, width: int) -> Array:
        n_levels = len(self.native_parameters)
        if width % n_levels or y_true.shape[1] not in (width, width // n_levels):
            raise ValueError(
                f"A model with Quantile of {n_levels} levels needs {n_levels} outputs for each target. "
                f"Received: {width} outputs, y_true.shape={y_true.shape}"
            )
        return y_true


@_registry.register("gaussian_nll", "GaussianNegativeLogLikelihood")
class GaussianNLL(Loss):
    """Fit mean and variance together: the negative log-likelihood of targets under normal distributions.

    A model for k targets has 2 k outputs: the means `m_j`, then the logarithms of the variances `s_j`.
    `v = mean_j 1/2 (s_j + (y_j - m_j)^2 exp(-s_j) + log(2 pi))`. Keras has no name for it.

    Parameters
    ----------
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> round(GaussianNLL()([[3.0]], [[1.0, 0.0]]), 6)
    2.918939
    """

    native = "gaussian_nll"

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "gaussian_nll", dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)

    def _fit_width(self, y_true: Array, width: int) -> Array:
        if 2 * y_true.shape[1] != width:
            raise ValueError(
                f"A model with GaussianNLL needs a mean and a log variance for each of {y_true.shape[1]} targets, "
                f"{2 * y_true.shape[1]} outputs. Received: {width} outputs"
            )
        return y_true


# Margins


class _BinaryMargin(Loss):
    domain = domains.SIGNS

    def _fit_width(self, y_true: Array, width: int) -> Array:
        y_true = super()._fit_width(y_true, width)
        # As Keras: targets that are all 0 or 1 become -1 and 1, others are taken as they are.
        return 2 * y_true - 1 if np.isin(y_true, (0, 1)).all() else y_true


@_registry.register()
class Hinge(_BinaryMargin):
    """Ask for a margin: `v = mean_j max(1 - y_j p_j, 0)` with targets -1 and 1 (0 and 1 are converted).

    Parameters
    ----------
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> Hinge()([[0.0, 1.0]], [[0.5, 2.0]])
    0.75
    """

    native = "hinge"

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str = "hinge", dtype: Any = None) -> None:
        super().__init__(name, reduction, dtype)


@_registry.register()
class SquaredHinge(_BinaryMargin):
    """Ask for a margin and square what is missing: `v = mean_j max(1 - y_j p_j, 0)^2`; targets as for `Hinge`.

    Parameters
    ----------
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> SquaredHinge()([[-1.0, 1.0]], [[0.5, 2.0]])
    1.125
    """

    native = "squared_hinge"

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "squared_hinge", dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)


@_registry.register()
class CategoricalHinge(Loss):
    """Ask for a margin between the right class and the best wrong one.

    `v = max(neg - pos + 1, 0)`, `pos = sum_j y_j p_j`, `neg = max_j (1 - y_j) p_j`; targets are 0 and 1.

    Parameters
    ----------
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> CategoricalHinge()([[0.0, 1.0, 0.0]], [[0.5, 0.75, 0.25]])
    0.75
    """

    native = "categorical_hinge"
    domain = domains.ONE_HOT

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "categorical_hinge", dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)


# Probabilities


@_registry.register("kld", "KLD", "kullback_leibler_divergence")
class KLDivergence(Loss):
    """Compare distributions: `v = sum_j y_j log(y_j / p_j)`, both clipped to the range from 1e-7 to 1.

    Parameters
    ----------
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> round(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]]), 6)
    0.143841
    """

    native = "kl_divergence"
    domain = domains.DISTRIBUTION

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "kl_divergence", dtype: Any = None
    ) -> None:
        super().__init__(name, reduction, dtype)


@_registry.register("bce", "BCE")
class BinaryCrossentropy(Loss):
    """Average the cross-entropy of independent yes-or-no answers: `v = mean_j -(t_j log p_j + (1 - t_j) log(1 - p_j))`.

    `t = y (1 - e) + e / 2` with e the label smoothing. Probabilities are clipped to the range from 1e-7 to 1 - 1e-7;
    logits z stand for `p = sigmoid(z)` and need no clipping: `v = mean_j max(z, 0) - z t + log(1 + exp(-|z|))`,
    `dv/dz_j = (p_j - t_j) / k`. A model whose last activation is sigmoid is trained from its logits either way.

    Parameters
    ----------
    from_logits : bool, default False
        Whether predictions are logits rather than probabilities.
    label_smoothing : float, default 0.0
        From 0 to 1.
    axis : int, default -1
        The axis of the outputs.
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> round(BinaryCrossentropy()([[1.0], [0.0]], [[0.75], [0.5]]), 6)
    0.490415
    >>> BinaryCrossentropy(from_logits=True)([[1.0]], [[-1e4]])
    10000.0
    """

    native = "binary_crossentropy"
    domain = domains.UNIT
    _options = ("from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = validation.boolean(from_logits, "from_logits")
        self.label_smoothing = validation.fraction(label_smoothing, "label_smoothing")
        self._set_axis(axis)

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """from_logits, label_smoothing."""
        return float(self.from_logits), self.label_smoothing


@_registry.register()
class CategoricalCrossentropy(Loss):
    """Take the cross-entropy of one choice among k classes, targets one-hot or probabilities: `v = -sum_j t_j log p_j`.

    `t = y (1 - e) + e / k` with e the label smoothing. Predicted probabilities are divided by their sum, then clipped
    to the range from 1e-7 to 1 - 1e-7; logits z stand for `p = softmax(z)` and need neither, `dv/dz = p sum_j t_j - t`.
    A model whose last activation is softmax is trained from its logits either way.

    Parameters
    ----------
    from_logits : bool, default False
        Whether predictions are logits rather than probabilities.
    label_smoothing : float, default 0.0
        From 0 to 1.
    axis : int, default -1
        The axis of the classes.
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> round(CategoricalCrossentropy()([[0.0, 1.0]], [[0.75, 0.25]]), 6)
    1.386294
    >>> CategoricalCrossentropy(from_logits=True)([[0.0, 1.0]], [[1e4, 0.0]])
    10000.0
    """

    native = "categorical_crossentropy"
    domain = domains.DISTRIBUTION
    _options = ("from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = validation.boolean(from_logits, "from_logits")
        self.label_smoothing = validation.fraction(label_smoothing, "label_smoothing")
        self._set_axis(axis)

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """from_logits, label_smoothing."""
        return float(self.from_logits), self.label_smoothing


@_registry.register()
class SparseCategoricalCrossentropy(Loss):
    """Take the cross-entropy of one choice among k classes, targets as labels 0..k - 1: `v = -log p_y`.

    Probabilities and logits are treated as by `CategoricalCrossentropy`.

    Parameters
    ----------
    from_logits : bool, default False
        Whether predictions are logits rather than probabilities.
    ignore_class : int or None, default None
        A label whose rows have the value 0 and do not count in a mean.
    reduction : str, default "sum_over_batch_size"
    axis : int, default -1
        The axis of the classes.
    name, dtype
        See `Loss`.

    Examples
    --------
    >>> round(SparseCategoricalCrossentropy()([1], [[0.75, 0.25]]), 6)
    1.386294
    >>> round(SparseCategoricalCrossentropy(ignore_class=-1)([1, -1], [[0.75, 0.25], [0.5, 0.5]]), 6)
    1.386294
    """

    native = "sparse_categorical_crossentropy"
    expects_labels = True
    _options = ("from_logits", "ignore_class", "axis")

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = validation.boolean(from_logits, "from_logits")
        self.ignore_class = None if ignore_class is None else validation.integer(ignore_class, "ignore_class")
        self._set_axis(axis)

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """from_logits, ignore_class (NaN: none)."""
        return float(self.from_logits), np.nan if self.ignore_class is None else float(self.ignore_class)


@_registry.register()
class BinaryFocalCrossentropy(Loss):
    """Weigh down the yes-or-no answers that are right already: `v = mean_j a_j (1 - q_j)^gamma bce_j`.

    `q_j = t_j p_j + (1 - t_j) (1 - p_j)` is the probability of the truth, `bce_j` the binary cross-entropy and
    `a_j = t_j alpha + (1 - t_j) (1 - alpha)` with class balancing, else 1. (Lin et al. 2017, "Focal Loss for Dense
    Object Detection".)

    Parameters
    ----------
    apply_class_balancing : bool, default False
    alpha : float, default 0.25
        The weight of class 1; from 0 to 1.
    gamma : float, default 2.0
        At least 0; 0 gives the binary cross-entropy.
    from_logits : bool, default False
    label_smoothing : float, default 0.0
    axis : int, default -1
        The axis of the outputs.
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> round(BinaryFocalCrossentropy()([[1.0]], [[0.75]]), 6)  # 0.0625 times -log(0.75)
    0.01798
    """

    native = "binary_focal_crossentropy"
    domain = domains.UNIT
    _options = ("apply_class_balancing", "alpha", "gamma", "from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "binary_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.apply_class_balancing = validation.boolean(apply_class_balancing, "apply_class_balancing")
        self.alpha = validation.fraction(alpha, "alpha")
        self.gamma = validation.number(gamma, "gamma", minimum=0)
        self.from_logits = validation.boolean(from_logits, "from_logits")
        self.label_smoothing = validation.fraction(label_smoothing, "label_smoothing")
        self._set_axis(axis)

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """from_logits, label_smoothing, apply_class_balancing, alpha, gamma."""
        return (
            float(self.from_logits),
            self.label_smoothing,
            float(self.apply_class_balancing),
            self.alpha,
            self.gamma,
        )


@_registry.register()
class CategoricalFocalCrossentropy(Loss):
    """Weigh down the choices that are right already: `v = -sum_j alpha (1 - p_j)^gamma t_j log p_j`.

    Targets and predictions are treated as by `CategoricalCrossentropy`, logits through softmax.

    Parameters
    ----------
    alpha : float, default 0.25
        At least 0.
    gamma : float, default 2.0
        At least 0.
    from_logits : bool, default False
    label_smoothing : float, default 0.0
    axis : int, default -1
        The axis of the classes.
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> round(CategoricalFocalCrossentropy()([[1.0, 0.0]], [[0.75, 0.25]]), 6)  # 0.25 / 16 times -log(0.75)
    0.004495
    """

    native = "categorical_focal_crossentropy"
    domain = domains.DISTRIBUTION
    _options = ("alpha", "gamma", "from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.alpha = validation.number(alpha, "alpha", minimum=0)
        self.gamma = validation.number(gamma, "gamma", minimum=0)
        self.from_logits = validation.boolean(from_logits, "from_logits")
        self.label_smoothing = validation.fraction(label_smoothing, "label_smoothing")
        self._set_axis(axis)

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """from_logits, label_smoothing, alpha, gamma."""
        return float(self.from_logits), self.label_smoothing, self.alpha, self.gamma


@_registry.register("ce", "crossentropy")
class CrossentropyByTarget(Loss):
    """Stand for the cross-entropy that fits the target; `resolve` puts the right one in its place.

    One output: binary; labels: sparse categorical; rows as wide as the output: categorical.

    Parameters
    ----------
    from_logits : bool, default False
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> round(CrossentropyByTarget()([1], [[0.75, 0.25]]), 6)
    1.386294
    """

    _options = ("from_logits",)

    def __init__(
        self,
        from_logits: bool = False,
        reduction: str | None = "sum_over_batch_size",
        name: str = "crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = validation.boolean(from_logits, "from_logits")

    def for_shapes(self, width: int, y_true_shape: tuple[int | None, ...]) -> Loss:
        """Return the loss for `width` outputs and targets of a shape."""
        if width == 1:
            kind: type[Any] = BinaryCrossentropy
        elif len(y_true_shape) < 2 or y_true_shape[-1] == 1:
            kind = SparseCategoricalCrossentropy
        else:
            kind = CategoricalCrossentropy
        loss: Loss = kind(from_logits=self.from_logits, reduction=self.reduction, name=self.name, dtype=self.dtype)
        return loss

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Reduce the values of all rows of the loss that fits."""
        return self._fitting(y_true, y_pred)(y_true, y_pred, sample_weight)

    def call(self, y_true: Any, y_pred: Any) -> Array:
        """Compute the value of every row."""
        return self._fitting(y_true, y_pred).call(y_true, y_pred)

    def gradient(self, y_true: Any, y_pred: Any) -> Array:
        """Compute the derivative of every row's value with respect to the row's predictions."""
        return self._fitting(y_true, y_pred).gradient(y_true, y_pred)

    def _fitting(self, y_true: Any, y_pred: Any) -> Loss:
        shape = np.shape(y_pred)
        if not shape:
            raise ValueError("y_pred must have at least one axis, shape (n, outputs). Received: y_pred.shape=()")
        return self.for_shapes(shape[-1], np.shape(y_true))


# A loss from outside


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
        dtype: Any = None,
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

    def _checked(self, result: Any, shape: tuple[int, ...], y_pred: Array, method: str) -> Array:
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


# From names, data and objects to losses


def get(identifier: Any) -> Any:
    """Return the function or the loss that an argument stands for, as in Keras.

    Parameters
    ----------
    identifier : None, str, dict, Loss, function or object
        The name or an alias of a function of this module, or a function, gives the function, one value per row; the
        name of a class, a class, or what `serialize` returned gives a loss; so does an object with
        `value(y_true, y_pred)` and `gradient(y_true, y_pred)`.

    Returns
    -------
    Loss, callable or None

    Raises
    ------
    ValueError
        If a name is unknown.
    TypeError
        If the object is none of these.

    Examples
    --------
    >>> get("mse")([[0.0], [0.0]], [[1.0], [2.0]])
    array([1., 4.])
    >>> get("MeanSquaredError")
    MeanSquaredError(name='mean_squared_error', reduction='sum_over_batch_size')
    """
    found = _registry.get(identifier)
    if isinstance(found, Loss):
        function = _function_of.get(type(found))
        names_function = isinstance(identifier, str) and identifier != type(found).__name__
        return function if names_function and function is not None else _as_loss(found)
    return found if found is None or inspect.isroutine(found) else _as_loss(found)


def as_loss(identifier: Any) -> Loss | None:
    """Return the loss that an argument of `compile` stands for: as `get`, but always as an object.

    Raises
    ------
    ValueError
        If a name is unknown.
    TypeError
        If the object is none of these; a function of one's own lacks the gradient.

    Examples
    --------
    >>> as_loss("mse"), as_loss(huber)
    (MeanSquaredError(name='mean_squared_error', reduction='sum_over_batch_size'),
     Huber(name='huber_loss', reduction='sum_over_batch_size', delta=1.0))
    """
    return deserialize(identifier)


def deserialize(name: Any, custom_objects: CustomObjects | None = None) -> Loss | None:
    """Return the loss that a name or a configuration describes; `custom_objects` maps further names to objects.

    Examples
    --------
    >>> deserialize({"class_name": "Huber", "config": {"delta": 2.0}}).delta
    2.0
    """
    found = _registry.get(name, custom_objects)
    return None if found is None else _as_loss(found)


def serialize(loss: Loss) -> dict[str, Any]:
    """Return a loss as data.

    Examples
    --------
    >>> serialize(Huber(2.0))["class_name"]
    'Huber'
    """
    data: dict[str, Any] = _as_data(loss)
    return data


def _as_loss(target: Any) -> Loss:
    if isinstance(target, Loss):
        overridden = type(target).call is not Loss.call
        if overridden and type(target).gradient is Loss.gradient:
            raise TypeError(
                f"{type(target).__name__} defines call but not gradient(y_true, y_pred), which training needs: the "
                "derivative of each row's value with respect to the row of y_pred"
            )
        return target
    try:
        known = _class_of.get(target)
    except TypeError:  # not hashable
        known = None
    if known is not None:
        return known()
    if callable(getattr(target, "value", None)) and callable(getattr(target, "gradient", None)):
        return CustomLoss(target)
    raise TypeError(
        "`loss` must be a name or a loss. A function of your own needs its gradient: pass an object with the methods "
        f"value(y_true, y_pred) and gradient(y_true, y_pred). Received: loss={validation.show(target)}"
    )


def resolve(identifier: Any, y_pred_width: int, y_true_shape: tuple[int | None, ...]) -> Loss | None:
    """Return the loss that an argument stands for, given what it will compare.

    Parameters
    ----------
    identifier
        As for `as_loss`. "crossentropy" and "ce" are binary for one output, sparse categorical for labels, else
        categorical.
    y_pred_width : int
        Units of the output layer.
    y_true_shape : tuple of int
        The shape of the targets, (n,) or (n, k).

    Returns
    -------
    Loss or None

    Examples
    --------
    >>> [type(resolve("ce", 3, shape)).__name__ for shape in ((64,), (64, 3))]
    ['SparseCategoricalCrossentropy', 'CategoricalCrossentropy']
    """
    loss = as_loss(identifier)
    return loss.for_shapes(y_pred_width, y_true_shape) if isinstance(loss, CrossentropyByTarget) else loss


# The function forms: one value per row


def _function(cls: type[Loss]) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    def enter(function: Callable[..., Array]) -> Callable[..., Array]:
        function.__doc__ = f"Compute the value of every row: see `{cls.__name__}`. Returns an array (n,)."
        _class_of[function], _function_of[cls] = cls, function
        return function

    return enter


@_function(MeanSquaredError)
def mean_squared_error(y_true: Any, y_pred: Any) -> Array:
    return MeanSquaredError().call(y_true, y_pred)


@_function(HalfSquaredError)
def half_squared_error(y_true: Any, y_pred: Any) -> Array:
    return HalfSquaredError().call(y_true, y_pred)


@_function(MeanAbsoluteError)
def mean_absolute_error(y_true: Any, y_pred: Any) -> Array:
    return MeanAbsoluteError().call(y_true, y_pred)


@_function(MeanAbsolutePercentageError)
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Array:
    return MeanAbsolutePercentageError().call(y_true, y_pred)


@_function(MeanSquaredLogarithmicError)
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Array:
    return MeanSquaredLogarithmicError().call(y_true, y_pred)


@_function(CosineSimilarity)
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Array:
    return CosineSimilarity(axis).call(y_true, y_pred)


@_function(Huber)
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Array:
    return Huber(delta).call(y_true, y_pred)


@_function(LogCosh)
def log_cosh(y_true: Any, y_pred: Any) -> Array:
    return LogCosh().call(y_true, y_pred)


@_function(Poisson)
def poisson(y_true: Any, y_pred: Any) -> Array:
    return Poisson().call(y_true, y_pred)


@_function(Quantile)
def quantile(y_true: Any, y_pred: Any, levels: float | Sequence[float] = 0.5) -> Array:
    return Quantile(levels).call(y_true, y_pred)


@_function(GaussianNLL)
def gaussian_nll(y_true: Any, y_pred: Any) -> Array:
    return GaussianNLL().call(y_true, y_pred)


@_function(Hinge)
def hinge(y_true: Any, y_pred: Any) -> Array:
    return Hinge().call(y_true, y_pred)


@_function(SquaredHinge)
def squared_hinge(y_true: Any, y_pred: Any) -> Array:
    return SquaredHinge().call(y_true, y_pred)


@_function(CategoricalHinge)
def categorical_hinge(y_true: Any, y_pred: Any) -> Array:
    return CategoricalHinge().call(y_true, y_pred)


@_function(KLDivergence)
def kl_divergence(y_true: Any, y_pred: Any) -> Array:
    return KLDivergence().call(y_true, y_pred)


@_function(BinaryCrossentropy)
def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    return BinaryCrossentropy(from_logits, label_smoothing, axis).call(y_true, y_pred)


@_function(CategoricalCrossentropy)
def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    return CategoricalCrossentropy(from_logits, label_smoothing, axis).call(y_true, y_pred)


@_function(SparseCategoricalCrossentropy)
def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Array:
    return SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis).call(y_true, y_pred)


@_function(BinaryFocalCrossentropy)
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    loss = BinaryFocalCrossentropy(apply_class_balancing, alpha, gamma, from_logits, label_smoothing, axis)
    return loss.call(y_true, y_pred)


@_function(CategoricalFocalCrossentropy)
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    return CategoricalFocalCrossentropy(alpha, gamma, from_logits, label_smoothing, axis).call(y_true, y_pred)


mse = mean_squared_error
mae = mean_absolute_error
mape = mean_absolute_percentage_error
msle = mean_squared_logarithmic_error
bce = binary_crossentropy
kld = kl_divergence


if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__)
