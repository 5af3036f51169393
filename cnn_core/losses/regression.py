"""Losses of regression: distances between numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import cnn_core.foundation.domains as domains
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.exports import own_names
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.losses.base import Loss, function_form, registry


@registry.register("mse", "MSE")
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
        self, reduction: str | None = "sum_over_batch_size", name: str = "mean_squared_error", dtype: object = None
    ) -> None:
        super().__init__(name, reduction, dtype)


@function_form(MeanSquaredError)
@knows_its_arguments
def mean_squared_error(y_true: object, y_pred: object) -> Array:
    return MeanSquaredError().call(y_true, y_pred)


mse = mean_squared_error


@registry.register()
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
        self, reduction: str | None = "sum_over_batch_size", name: str = "half_squared_error", dtype: object = None
    ) -> None:
        super().__init__(name, reduction, dtype)


@function_form(HalfSquaredError)
@knows_its_arguments
def half_squared_error(y_true: object, y_pred: object) -> Array:
    return HalfSquaredError().call(y_true, y_pred)


@registry.register("mae", "MAE")
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
        self, reduction: str | None = "sum_over_batch_size", name: str = "mean_absolute_error", dtype: object = None
    ) -> None:
        super().__init__(name, reduction, dtype)


@function_form(MeanAbsoluteError)
@knows_its_arguments
def mean_absolute_error(y_true: object, y_pred: object) -> Array:
    return MeanAbsoluteError().call(y_true, y_pred)


mae = mean_absolute_error


@registry.register("mape", "MAPE")
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
        dtype: object = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


@function_form(MeanAbsolutePercentageError)
@knows_its_arguments
def mean_absolute_percentage_error(y_true: object, y_pred: object) -> Array:
    return MeanAbsolutePercentageError().call(y_true, y_pred)


mape = mean_absolute_percentage_error


@registry.register("msle", "MSLE")
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
        dtype: object = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


@function_form(MeanSquaredLogarithmicError)
@knows_its_arguments
def mean_squared_logarithmic_error(y_true: object, y_pred: object) -> Array:
    return MeanSquaredLogarithmicError().call(y_true, y_pred)


msle = mean_squared_logarithmic_error


@registry.register()
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
        dtype: object = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self._set_axis(axis)


@function_form(CosineSimilarity)
@knows_its_arguments
def cosine_similarity(y_true: object, y_pred: object, axis: int = -1) -> Array:
    return CosineSimilarity(axis).call(y_true, y_pred)


@registry.register("huber_loss")
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
        dtype: object = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.delta = validation.number(delta, "delta", above=0)

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """The width of the quadratic part."""
        return (self.delta,)


@function_form(Huber)
@knows_its_arguments
def huber(y_true: object, y_pred: object, delta: float = 1.0) -> Array:
    return Huber(delta).call(y_true, y_pred)


@registry.register("logcosh")
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
        self, reduction: str | None = "sum_over_batch_size", name: str = "log_cosh", dtype: object = None
    ) -> None:
        super().__init__(name, reduction, dtype)


@function_form(LogCosh)
@knows_its_arguments
def log_cosh(y_true: object, y_pred: object) -> Array:
    return LogCosh().call(y_true, y_pred)


@registry.register()
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

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "poisson", dtype: object = None
    ) -> None:
        super().__init__(name, reduction, dtype)


@function_form(Poisson)
@knows_its_arguments
def poisson(y_true: object, y_pred: object) -> Array:
    return Poisson().call(y_true, y_pred)


@registry.register("pinball", "quantile_loss")
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
        dtype: object = None,
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


@function_form(Quantile)
@knows_its_arguments
def quantile(y_true: object, y_pred: object, levels: float | Sequence[float] = 0.5) -> Array:
    return Quantile(levels).call(y_true, y_pred)


@registry.register("gaussian_nll", "GaussianNegativeLogLikelihood")
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
        self, reduction: str | None = "sum_over_batch_size", name: str = "gaussian_nll", dtype: object = None
    ) -> None:
        super().__init__(name, reduction, dtype)

    def _fit_width(self, y_true: Array, width: int) -> Array:
        if 2 * y_true.shape[1] != width:
            raise ValueError(
                f"A model with GaussianNLL needs a mean and a log variance for each of {y_true.shape[1]} targets, "
                f"{2 * y_true.shape[1]} outputs. Received: {width} outputs"
            )
        return y_true


@function_form(GaussianNLL)
@knows_its_arguments
def gaussian_nll(y_true: object, y_pred: object) -> Array:
    return GaussianNLL().call(y_true, y_pred)


if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
