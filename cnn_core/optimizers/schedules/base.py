"""What every learning-rate schedule is: a function of the number of batches seen."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any, ClassVar, Self, TypeAlias, overload

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.copies import CopiedWhole
from cnn_core.foundation.keywords import KnowsItsArguments
from cnn_core.foundation.serialization import Registry

FloatArray: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
registry = Registry("learning_rate")


class LearningRateSchedule(KnowsItsArguments, CopiedWhole):
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

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        # A formula of the user's own need not be written for arrays, even below a built-in schedule.
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


class Formula(LearningRateSchedule):
    """A built-in schedule: `_formula` maps a float64 array of steps to their rates."""

    vectorized = True
    _arguments: ClassVar[tuple[str, ...]]

    @overload
    def __call__(self, step: float) -> float: ...
    @overload
    def __call__(self, step: Array) -> FloatArray: ...
    def __call__(self, step: object) -> Any:
        """Return the learning rate of one step as a float, or of an array of steps as a float64 array."""
        steps = np.asarray(step, dtype=np.float64)
        rates = np.asarray(self._formula(steps), dtype=np.float64)
        return rates if steps.ndim else float(rates)

    def rates(self, first: int, n: int) -> FloatArray:
        """Return the learning rates of the steps first, first + 1, ..., first + n - 1; see `LearningRateSchedule`."""
        if type(self).__call__ is Formula.__call__:
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


def checked(schedule: object) -> LearningRateSchedule:
    if not isinstance(schedule, LearningRateSchedule):
        raise TypeError(f"`learning_rate` must be a LearningRateSchedule. Received: {validation.show(schedule)}")
    return schedule


def checked_number(
    value: object, name: str, *, minimum: float | None = None, above: float | None = None
) -> int | float:
    """Check a number and leave an integer one, so that configurations read as they were written."""
    checked = validation.number(value, name, minimum=minimum, above=above)
    return int(value) if isinstance(value, numbers.Integral) else checked


def listed(values: object, name: str) -> list[Any]:
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise TypeError(f"`{name}` must be a sequence of numbers. Received: {name}={validation.show(values)}")
    return list(values)


def whole_periods(step: FloatArray, decay_steps: float, staircase: bool) -> Array:
    periods = step / decay_steps
    return np.floor(periods) if staircase else periods
