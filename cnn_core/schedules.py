"""Learning-rate schedules: the learning rate as a function of the number of batches seen. Floor 3.

A schedule takes one step or an array of steps, so that the training loop asks once per slice of batches and a step
costs nothing. Everything is computed in float64, where Keras uses float32. Knows nothing of optimizers or models.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias, overload

import numpy as np
import numpy.typing as npt

import cnn_core.left_out as left_out
import cnn_core.validation as validation
from cnn_core.serialization import Registry

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "Coslog",
    "ExponentialDecay",
    "FlatCosine",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "get",
    "serialize",
]

FloatArray: TypeAlias = npt.NDArray[np.float64]

_registry = Registry("learning_rate")


class LearningRateSchedule:
    """Base class of schedules; subclass it and write `__call__` to make your own.

    `__call__(step)` receives the number of batches seen before the step, from 0, and returns the learning rate. A
    subclass is asked for one step at a time, unless it says with the class attribute `vectorized = True` that it
    takes an array of steps as well and then returns an array of rates.

    Examples
    --------
    >>> class Halving(LearningRateSchedule):
    ...     def __init__(self, period):
    ...         self.period = period
    ...     def __call__(self, step):
    ...         return 0.5 ** (step // self.period)
    >>> Halving(2).rates(0, 5)
    array([1.  , 1.  , 0.5 , 0.5 , 0.25])
    """

    vectorized: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Whoever writes a formula of their own need not have thought of arrays, even below a built-in schedule.
        if "__call__" in cls.__dict__ and "vectorized" not in cls.__dict__:
            cls.vectorized = False

    def __call__(self, step: Any) -> Any:
        """Return the learning rate of one step, or of an array of steps."""
        raise NotImplementedError(f"{type(self).__name__} must override `__call__(self, step)`")

    def rates(self, first: int, n: int) -> FloatArray:
        """Return the learning rates of the steps first, first + 1, ..., first + n - 1.

        Parameters
        ----------
        first, n : int, >= 0

        Returns
        -------
        numpy.ndarray of float64, shape (n,)

        Raises
        ------
        ValueError
            If the schedule returns a negative or non-finite rate, or not one rate per step.
        """
        steps = np.arange(first, first + n, dtype=np.int64)
        # Formulas such as min(step ** -0.5, ...) are infinite at step 0 on their way to a finite rate.
        with np.errstate(divide="ignore", invalid="ignore"):
            values = self(steps) if self.vectorized else [float(self(step)) for step in steps]
        rates = np.asarray(values, dtype=np.float64)
        if rates.shape != (n,):
            raise ValueError(
                f"{type(self).__name__} must return one learning rate per step. "
                f"Received: shape {rates.shape} for {n} steps"
            )
        usable = (rates >= 0) & (rates < np.inf)
        if not usable.all():
            where = int(np.argmin(usable))
            raise ValueError(
                f"{type(self).__name__} must return a finite number of at least 0 as learning rate. "
                f"Received: {rates[where]} at step {first + where}"
            )
        return rates

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        raise NotImplementedError(f"{type(self).__name__} must override `get_config(self)` to be saved")

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Return the schedule that `get_config` described."""
        return cls(**config)


class _Formula(LearningRateSchedule):
    """A built-in schedule: `_formula` maps a float64 array of steps to their rates."""

    vectorized = True
    _arguments: ClassVar[tuple[str, ...]]

    @overload
    def __call__(self, step: float) -> float: ...
    @overload
    def __call__(self, step: npt.NDArray[Any]) -> FloatArray: ...
    def __call__(self, step: Any) -> Any:
        """Return the learning rate of one step as a float, or of an array of steps as a float64 array."""
        steps = np.asarray(step, dtype=np.float64)
        rates = np.asarray(self._formula(steps), dtype=np.float64)
        return rates if steps.ndim else float(rates)

    def rates(self, first: int, n: int) -> FloatArray:
        """Return the learning rates of the steps first, first + 1, ..., first + n - 1; see `LearningRateSchedule`."""
        if type(self).__call__ is _Formula.__call__:
            rates = np.asarray(self._formula(np.arange(first, first + n, dtype=np.float64)))
            # Checked arguments cannot give a negative rate, but growing ones infinity. One sum tells in a short epoch.
            if np.isfinite(rates.sum()):
                return rates
        return super().rates(first, n)

    def _formula(self, step: FloatArray) -> Any:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {argument: getattr(self, argument) for argument in self._arguments}

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items() if name != "name")
        return f"{type(self).__name__}({arguments})"


@_registry.register()
class ExponentialDecay(_Formula):
    """Multiply the learning rate by `decay_rate` every `decay_steps` steps.

    lr(step) = initial_learning_rate * decay_rate ** p,  p = step / decay_steps, rounded down with `staircase`

    Parameters
    ----------
    initial_learning_rate : float, >= 0
    decay_steps : float, > 0
    decay_rate : float, >= 0
    staircase : bool, default False
        Decay in jumps after whole periods instead of smoothly.
    name : str, default "ExponentialDecay"

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or not a number.

    Examples
    --------
    >>> ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)(20)
    0.025
    >>> ExponentialDecay(0.1, 10, 0.5, staircase=True)(np.array([9, 10, 19, 20]))
    array([0.1  , 0.05 , 0.05 , 0.025])
    """

    _arguments = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str | None = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate = _number(initial_learning_rate, "initial_learning_rate", minimum=0)
        self.decay_steps = _number(decay_steps, "decay_steps", above=0)
        self.decay_rate = _number(decay_rate, "decay_rate", minimum=0)
        self.staircase = validation.boolean(staircase, "staircase")
        self.name = None if name is None else validation.text(name, "name")

    def _formula(self, step: FloatArray) -> Any:
        return self.initial_learning_rate * np.power(self.decay_rate, _periods(step, self.decay_steps, self.staircase))


@_registry.register()
class InverseTimeDecay(_Formula):
    """Divide the learning rate by a number that grows linearly.

    lr(step) = initial_learning_rate / (1 + decay_rate * p),  p = step / decay_steps, rounded down with `staircase`

    Parameters
    ----------
    initial_learning_rate : float, >= 0
    decay_steps : float, > 0
    decay_rate : float, >= 0
    staircase : bool, default False
        Decay in jumps after whole periods instead of smoothly.
    name : str, default "InverseTimeDecay"

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or not a number.

    Examples
    --------
    >>> InverseTimeDecay(0.1, decay_steps=10, decay_rate=1.0)(np.array([0, 10, 30]))
    array([0.1  , 0.05 , 0.025])
    """

    _arguments = ExponentialDecay._arguments

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str | None = "InverseTimeDecay",
    ) -> None:
        self.initial_learning_rate = _number(initial_learning_rate, "initial_learning_rate", minimum=0)
        self.decay_steps = _number(decay_steps, "decay_steps", above=0)
        self.decay_rate = _number(decay_rate, "decay_rate", minimum=0)
        self.staircase = validation.boolean(staircase, "staircase")
        self.name = None if name is None else validation.text(name, "name")

    def _formula(self, step: FloatArray) -> Any:
        return self.initial_learning_rate / (1 + self.decay_rate * _periods(step, self.decay_steps, self.staircase))


@_registry.register()
class PiecewiseConstantDecay(_Formula):
    """Use one constant learning rate per interval of steps.

    lr(step) = values[i] for boundaries[i - 1] < step <= boundaries[i]: a boundary belongs to the interval it ends.

    Parameters
    ----------
    boundaries : sequence of float
        Steps in strictly ascending order.
    values : sequence of float, >= 0
        Learning rates of the intervals, one more than there are boundaries.
    name : str, default "PiecewiseConstant"

    Raises
    ------
    ValueError, TypeError
        If the lengths do not fit, the boundaries do not ascend, or a number is out of its range or not a number.

    Examples
    --------
    >>> PiecewiseConstantDecay([100, 110], [1.0, 0.5, 0.1])(np.array([0, 100, 101, 110, 111]))
    array([1. , 1. , 0.5, 0.5, 0.1])
    """

    _arguments = ("boundaries", "values", "name")

    def __init__(
        self, boundaries: Sequence[float], values: Sequence[float], name: str | None = "PiecewiseConstant"
    ) -> None:
        self.boundaries = [_number(boundary, "boundaries") for boundary in _listed(boundaries, "boundaries")]
        self.values = [_number(value, "values", minimum=0) for value in _listed(values, "values")]
        self.name = None if name is None else validation.text(name, "name")
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                "`values` must hold one number more than `boundaries`. "
                f"Received: {len(self.values)} values and {len(self.boundaries)} boundaries"
            )
        if any(low >= high for low, high in zip(self.boundaries, self.boundaries[1:], strict=False)):
            raise ValueError(f"`boundaries` must ascend strictly. Received: boundaries={self.boundaries}")

    def _formula(self, step: FloatArray) -> Any:
        interval = np.searchsorted(np.asarray(self.boundaries, dtype=np.float64), step, side="left")
        return np.asarray(self.values, dtype=np.float64)[interval]


@_registry.register()
class PolynomialDecay(_Formula):
    """Go from one learning rate to another along a power of the remaining share of the steps.

    lr(step) = (initial_learning_rate - end_learning_rate) * (1 - min(step, T) / T) ** power + end_learning_rate,
    T = decay_steps. With `cycle`, T is instead the first multiple of decay_steps that is not below the step (at
    least one), so that the rate jumps up again after each period, less high each time.

    Parameters
    ----------
    initial_learning_rate : float, >= 0
    decay_steps : float, > 0
    end_learning_rate : float, >= 0, default 1e-4
    power : float, >= 0, default 1
        1 is a straight line.
    cycle : bool, default False
    name : str, default "PolynomialDecay"

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or not a number.

    Examples
    --------
    >>> PolynomialDecay(0.1, decay_steps=100, end_learning_rate=0.0)(np.array([0, 50, 100, 200]))
    array([0.1 , 0.05, 0.  , 0.  ])
    """

    _arguments = ("initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle", "name")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str | None = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate = _number(initial_learning_rate, "initial_learning_rate", minimum=0)
        self.decay_steps = _number(decay_steps, "decay_steps", above=0)
        self.end_learning_rate = _number(end_learning_rate, "end_learning_rate", minimum=0)
        self.power = _number(power, "power", minimum=0)
        self.cycle = validation.boolean(cycle, "cycle")
        self.name = None if name is None else validation.text(name, "name")

    def _formula(self, step: FloatArray) -> Any:
        period: Any = self.decay_steps
        if self.cycle:
            period = self.decay_steps * np.maximum(np.ceil(step / self.decay_steps), 1)
        remaining = 1 - np.minimum(step, period) / period
        return (self.initial_learning_rate - self.end_learning_rate) * remaining**self.power + self.end_learning_rate


@_registry.register()
class CosineDecay(_Formula):
    """Warm up along a straight line, if asked, then decay along half a cosine wave.

    warm-up, step < warmup_steps:
        lr(step) = initial_learning_rate + (warmup_target - initial_learning_rate) * step / warmup_steps
    then, with t = min(step - warmup_steps, decay_steps) / decay_steps and start = warmup_target:
        lr(step) = start * ((1 - alpha) * (1 + cos(pi * t)) / 2 + alpha)

    Without `warmup_target` there is no warm-up, whatever `warmup_steps` is, and start = initial_learning_rate.

    Parameters
    ----------
    initial_learning_rate : float, >= 0
    decay_steps : float, > 0
        Steps of the decay, not counting the warm-up.
    alpha : float, >= 0, default 0
        The share of the start that is left at the end.
    name : str, default "CosineDecay"
    warmup_target : float, >= 0, optional
    warmup_steps : float, >= 0, default 0

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or not a number.

    Examples
    --------
    >>> CosineDecay(0.0, decay_steps=100, warmup_target=1.0, warmup_steps=10)(np.array([0, 5, 10, 60, 110, 500]))
    array([0. , 0.5, 1. , 0.5, 0. , 0. ])

    References
    ----------
    I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017.
    """

    _arguments = ("initial_learning_rate", "decay_steps", "alpha", "name", "warmup_target", "warmup_steps")

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str | None = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        self.initial_learning_rate = _number(initial_learning_rate, "initial_learning_rate", minimum=0)
        self.decay_steps = _number(decay_steps, "decay_steps", above=0)
        self.alpha = _number(alpha, "alpha", minimum=0)
        self.name = None if name is None else validation.text(name, "name")
        self.warmup_target = None if warmup_target is None else _number(warmup_target, "warmup_target", minimum=0)
        self.warmup_steps = _number(warmup_steps, "warmup_steps", minimum=0)

    def _formula(self, step: FloatArray) -> Any:
        if self.warmup_target is None:
            return self.initial_learning_rate * self._decay(step)
        decayed = self.warmup_target * self._decay(step - self.warmup_steps)
        if not self.warmup_steps:
            return decayed
        rise = (self.warmup_target - self.initial_learning_rate) * (step / self.warmup_steps)
        return np.where(step < self.warmup_steps, rise + self.initial_learning_rate, decayed)

    def _decay(self, step: FloatArray) -> Any:
        return (1 - self.alpha) * _half_wave(np.minimum(step, self.decay_steps) / self.decay_steps) + self.alpha


@_registry.register()
class CosineDecayRestarts(_Formula):
    """Decay along half a cosine wave again and again, each period longer and starting lower than the one before.

    Period i = 0, 1, 2, ... has first_decay_steps * t_mul ** i steps; with t from 0 to 1 inside it
        lr = initial_learning_rate * ((1 - alpha) * m_mul ** i * (1 + cos(pi * t)) / 2 + alpha)

    The first step of a period always belongs to it; Keras, which finds i by a logarithm in float32, sometimes counts
    it to the period before.

    Parameters
    ----------
    initial_learning_rate : float, >= 0
    first_decay_steps : float, > 0
    t_mul : float, >= 1, default 2
        Growth of the periods.
    m_mul : float, >= 0, default 1
        Growth of the rates at which they start.
    alpha : float, >= 0, default 0
        The share of initial_learning_rate that every period ends at.
    name : str, default "SGDRDecay"

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or not a number.

    Examples
    --------
    >>> CosineDecayRestarts(1.0, first_decay_steps=10, m_mul=0.5)(np.array([0, 5, 10, 20, 30]))
    array([1.  , 0.5 , 0.5 , 0.25, 0.25])

    References
    ----------
    I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017.
    """

    _arguments = ("initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha", "name")

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str | None = "SGDRDecay",
    ) -> None:
        self.initial_learning_rate = _number(initial_learning_rate, "initial_learning_rate", minimum=0)
        self.first_decay_steps = _number(first_decay_steps, "first_decay_steps", above=0)
        self.t_mul = _number(t_mul, "t_mul", minimum=1)
        self.m_mul = _number(m_mul, "m_mul", minimum=0)
        self.alpha = _number(alpha, "alpha", minimum=0)
        self.name = None if name is None else validation.text(name, "name")

    def _formula(self, step: FloatArray) -> Any:
        period, fraction = self._position(step / self.first_decay_steps)
        wave = np.power(float(self.m_mul), period) * _half_wave(fraction)
        return self.initial_learning_rate * ((1 - self.alpha) * wave + self.alpha)

    def _position(self, elapsed: Any) -> tuple[Any, Any]:
        """Return the period's index and the share of it that has passed; `elapsed` counts first periods."""
        if self.t_mul == 1:
            period = np.floor(elapsed)
            return period, elapsed - period
        ratio = float(self.t_mul)

        def start(period: Any) -> Any:
            return (ratio**period - 1) / (ratio - 1)

        period = np.floor(np.log1p(elapsed * (ratio - 1)) / np.log(ratio))
        # The quotient of two rounded logarithms may fall on the wrong side of a whole number.
        period = np.where(start(period + 1) <= elapsed, period + 1, period)
        period = np.where(start(period) > elapsed, period - 1, period)
        return period, (elapsed - start(period)) / ratio**period


@_registry.register()
class Coslog(_Formula):
    """Swing between 0 and the learning rate four times, each swing twice as long as the one before.

    lr(step) = initial_learning_rate * (1 - cos(2 pi log2(1 + 15 t))) / 2,  t = min(step / decay_steps, 1)

    It starts and ends at 0; RealMLP is trained with it.

    Parameters
    ----------
    initial_learning_rate : float, >= 0
        The rate at the crests.
    decay_steps : float, > 0
        Steps of the whole training.
    name : str, default "Coslog"

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or not a number.

    Examples
    --------
    >>> Coslog(0.04, decay_steps=15)(np.array([0, 1, 3, 7, 15])).round(12)
    array([0., 0., 0., 0., 0.])
    >>> round(Coslog(0.04, decay_steps=15)(2 ** 2.5 - 1), 12)
    0.04

    References
    ----------
    D. Holzmüller, L. Grinsztajn, I. Steinwart, "Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on
    Tabular Data", NeurIPS 2024.
    """

    _arguments = ("initial_learning_rate", "decay_steps", "name")

    def __init__(self, initial_learning_rate: float, decay_steps: float, name: str | None = "Coslog") -> None:
        self.initial_learning_rate = _number(initial_learning_rate, "initial_learning_rate", minimum=0)
        self.decay_steps = _number(decay_steps, "decay_steps", above=0)
        self.name = None if name is None else validation.text(name, "name")

    def _formula(self, step: FloatArray) -> Any:
        t = np.minimum(step / self.decay_steps, 1)
        return self.initial_learning_rate * (0.5 - 0.5 * np.cos(2 * np.pi * np.log2(1 + 15 * t)))


@_registry.register()
class FlatCosine(_Formula):
    """Keep the learning rate for the first half of the training, then decay to 0 along half a cosine wave.

    lr(step) = initial_learning_rate * (1 + cos(pi * max(2 t - 1, 0))) / 2,  t = min(step / decay_steps, 1)

    Parameters
    ----------
    initial_learning_rate : float, >= 0
    decay_steps : float, > 0
        Steps of the whole training, the flat half included.
    name : str, default "FlatCosine"

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or not a number.

    Examples
    --------
    >>> FlatCosine(0.2, decay_steps=100)(np.array([0, 50, 75, 100, 120]))
    array([0.2, 0.2, 0.1, 0. , 0. ])
    """

    _arguments = ("initial_learning_rate", "decay_steps", "name")

    def __init__(self, initial_learning_rate: float, decay_steps: float, name: str | None = "FlatCosine") -> None:
        self.initial_learning_rate = _number(initial_learning_rate, "initial_learning_rate", minimum=0)
        self.decay_steps = _number(decay_steps, "decay_steps", above=0)
        self.name = None if name is None else validation.text(name, "name")

    def _formula(self, step: FloatArray) -> Any:
        t = np.minimum(step / self.decay_steps, 1)
        return self.initial_learning_rate * _half_wave(np.maximum(2 * t - 1, 0))


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """Return a schedule as plain data.

    Examples
    --------
    >>> serialize(FlatCosine(0.1, 100))["config"]
    {'initial_learning_rate': 0.1, 'decay_steps': 100, 'name': 'FlatCosine'}
    """
    data: dict[str, Any] = _registry.serialize(learning_rate_schedule)
    return data


def deserialize(
    config: str | Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
) -> LearningRateSchedule:
    """Return the schedule that `serialize` wrote.

    Parameters
    ----------
    config : dict
        `{"class_name": ..., "config": {...}}`.
    custom_objects : dict, optional
        Classes of your own by name: data alone cannot name code.

    Raises
    ------
    ValueError
        If the class is unknown or the configuration does not fit it.
    TypeError
        If what is named is no schedule.

    Examples
    --------
    >>> deserialize({"class_name": "FlatCosine", "config": {"initial_learning_rate": 0.1, "decay_steps": 100}})
    FlatCosine(initial_learning_rate=0.1, decay_steps=100)
    """
    return _checked(_registry.deserialize(config, custom_objects))


def get(identifier: LearningRateSchedule | Mapping[str, Any]) -> LearningRateSchedule:
    """Return a schedule as it is, or the one that a configuration describes."""
    return _checked(_registry.get(identifier))


def _checked(schedule: Any) -> LearningRateSchedule:
    if not isinstance(schedule, LearningRateSchedule):
        raise TypeError(f"`learning_rate` must be a LearningRateSchedule. Received: {validation.show(schedule)}")
    return schedule


def _number(value: Any, name: str, *, minimum: float | None = None, above: float | None = None) -> int | float:
    """Check a number and leave an integer one, so that configurations read as they were written."""
    checked = validation.number(value, name, minimum=minimum, above=above)
    return int(value) if isinstance(value, numbers.Integral) else checked


def _listed(values: Any, name: str) -> list[Any]:
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise TypeError(f"`{name}` must be a sequence of numbers. Received: {name}={validation.show(values)}")
    return list(values)


def _periods(step: FloatArray, decay_steps: float, staircase: bool) -> Any:
    periods = step / decay_steps
    return np.floor(periods) if staircase else periods


def _half_wave(t: Any) -> Any:
    """Fall from 1 at t = 0 to 0 at t = 1 along a cosine."""
    return 0.5 * (1 + np.cos(np.pi * t))


if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__)
