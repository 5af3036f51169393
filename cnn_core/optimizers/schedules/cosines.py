"""Schedules along a cosine, with warm-up, restarts or a flat beginning."""

from __future__ import annotations

from typing import Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.optimizers.schedules.base import FloatArray, Formula, checked_number, registry


@registry.register()
class CosineDecay(Formula):
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
        self.initial_learning_rate = checked_number(initial_learning_rate, "initial_learning_rate", minimum=0)
        self.decay_steps = checked_number(decay_steps, "decay_steps", above=0)
        self.alpha = checked_number(alpha, "alpha", minimum=0)
        self.name = None if name is None else validation.text(name, "name")
        self.warmup_target = (
            None if warmup_target is None else checked_number(warmup_target, "warmup_target", minimum=0)
        )
        self.warmup_steps = checked_number(warmup_steps, "warmup_steps", minimum=0)

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


@registry.register()
class CosineDecayRestarts(Formula):
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
        self.initial_learning_rate = checked_number(initial_learning_rate, "initial_learning_rate", minimum=0)
        self.first_decay_steps = checked_number(first_decay_steps, "first_decay_steps", above=0)
        self.t_mul = checked_number(t_mul, "t_mul", minimum=1)
        self.m_mul = checked_number(m_mul, "m_mul", minimum=0)
        self.alpha = checked_number(alpha, "alpha", minimum=0)
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


@registry.register()
class Coslog(Formula):
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
        self.initial_learning_rate = checked_number(initial_learning_rate, "initial_learning_rate", minimum=0)
        self.decay_steps = checked_number(decay_steps, "decay_steps", above=0)
        self.name = None if name is None else validation.text(name, "name")

    def _formula(self, step: FloatArray) -> Any:
        t = np.minimum(step / self.decay_steps, 1)
        return self.initial_learning_rate * (0.5 - 0.5 * np.cos(2 * np.pi * np.log2(1 + 15 * t)))


@registry.register()
class FlatCosine(Formula):
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
        self.initial_learning_rate = checked_number(initial_learning_rate, "initial_learning_rate", minimum=0)
        self.decay_steps = checked_number(decay_steps, "decay_steps", above=0)
        self.name = None if name is None else validation.text(name, "name")

    def _formula(self, step: FloatArray) -> Any:
        t = np.minimum(step / self.decay_steps, 1)
        return self.initial_learning_rate * _half_wave(np.maximum(2 * t - 1, 0))


def _half_wave(t: Any) -> Any:
    """Fall from 1 at t = 0 to 0 at t = 1 along a cosine."""
    return 0.5 * (1 + np.cos(np.pi * t))
