"""Schedules that decay by a power, a quotient, pieces or a polynomial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.optimizers.schedules.base import FloatArray, Formula, checked_number, listed, registry, whole_periods


@registry.register()
class ExponentialDecay(Formula):
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
        self.initial_learning_rate = checked_number(initial_learning_rate, "initial_learning_rate", minimum=0)
        self.decay_steps = checked_number(decay_steps, "decay_steps", above=0)
        self.decay_rate = checked_number(decay_rate, "decay_rate", minimum=0)
        self.staircase = validation.boolean(staircase, "staircase")
        self.name = None if name is None else validation.text(name, "name")

    def _formula(self, step: FloatArray) -> Any:
        return self.initial_learning_rate * np.power(
            self.decay_rate, whole_periods(step, self.decay_steps, self.staircase)
        )


@registry.register()
class InverseTimeDecay(Formula):
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
        self.initial_learning_rate = checked_number(initial_learning_rate, "initial_learning_rate", minimum=0)
        self.decay_steps = checked_number(decay_steps, "decay_steps", above=0)
        self.decay_rate = checked_number(decay_rate, "decay_rate", minimum=0)
        self.staircase = validation.boolean(staircase, "staircase")
        self.name = None if name is None else validation.text(name, "name")

    def _formula(self, step: FloatArray) -> Any:
        return self.initial_learning_rate / (
            1 + self.decay_rate * whole_periods(step, self.decay_steps, self.staircase)
        )


@registry.register()
class PiecewiseConstantDecay(Formula):
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
        self.boundaries = [checked_number(boundary, "boundaries") for boundary in listed(boundaries, "boundaries")]
        self.values = [checked_number(value, "values", minimum=0) for value in listed(values, "values")]
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


@registry.register()
class PolynomialDecay(Formula):
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
        self.initial_learning_rate = checked_number(initial_learning_rate, "initial_learning_rate", minimum=0)
        self.decay_steps = checked_number(decay_steps, "decay_steps", above=0)
        self.end_learning_rate = checked_number(end_learning_rate, "end_learning_rate", minimum=0)
        self.power = checked_number(power, "power", minimum=0)
        self.cycle = validation.boolean(cycle, "cycle")
        self.name = None if name is None else validation.text(name, "name")

    def _formula(self, step: FloatArray) -> Any:
        period: Any = self.decay_steps
        if self.cycle:
            period = self.decay_steps * np.maximum(np.ceil(step / self.decay_steps), 1)
        remaining = 1 - np.minimum(step, period) / period
        return (self.initial_learning_rate - self.end_learning_rate) * remaining**self.power + self.end_learning_rate
