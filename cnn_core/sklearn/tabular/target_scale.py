"""What a network learns instead of a target: standardised numbers, of a long tail its logarithm. NumPy alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array

if TYPE_CHECKING:
    from cnn_core.sklearn.row_statistics import Moments

_LEAST_SHARE = 1e-6  # of what the logarithm is taken of, beyond the target's own range


@dataclass(frozen=True)
class TargetLogarithm:
    """The logarithm of how far a target is from the end of its range that has no tail.

    ``t = sign log(1 + sign (y - anchor) / unit)``: from the least target for a tail of large ones (sign 1), from the
    largest for a tail of small ones (sign -1), in units of the distance between that end and the median. Predictions
    stay between `low` and `high`.

    Attributes
    ----------
    sign : int
        1 or -1.
    anchor, unit : float
    low, high : float
        The least and the largest target in training.
    mean, spread : float
        Of the target in training, as it is.

    Examples
    --------
    >>> logarithm = TargetLogarithm.of(np.array([1.0, 2.0, 3.0, 100.0]))
    >>> logarithm.sign, logarithm.anchor, logarithm.unit
    (1, 1.0, 1.5)
    >>> logarithm.target(logarithm.logarithm(np.array([1.0, 2.5, 100.0]))).round(9).tolist()
    [1.0, 2.5, 100.0]
    """

    sign: int
    anchor: float
    unit: float
    low: float
    high: float
    mean: float
    spread: float

    @classmethod
    def of(cls, y: Array) -> TargetLogarithm | None:
        """Learn from targets of shape (n,); None if they are constant."""
        low, high, mean, spread = (float(each) for each in (y.min(), y.max(), y.mean(), y.std()))
        sign = -1 if skewness(y) < 0 else 1
        anchor = low if sign == 1 else high
        unit = abs(float(np.median(y)) - anchor) or abs(mean - anchor)
        if not (0 < unit < np.inf and 0 < spread < np.inf):
            return None
        return cls(sign, anchor, unit, low, high, mean, spread)

    def logarithm(self, y: Array) -> Array:
        """Return t of targets or predictions."""
        share = 1 + self.sign * ((y - self.anchor) / self.unit)
        return np.asarray(self.sign * np.log(np.maximum(share, _LEAST_SHARE)))

    def target(self, t: Array) -> Array:
        """Return the targets of which this is the logarithm."""
        with np.errstate(over="ignore"):
            return np.asarray(self.anchor + self.sign * self.unit * (np.exp(self.sign * t) - 1))

    def prediction(self, t: Array) -> Array:
        """Return the same, within the range of the targets in training."""
        return self.target(t).clip(self.low, self.high)

    def standardised(self, y: Array) -> Array:
        """Return targets, or predictions, themselves standardised, not their logarithm."""
        return np.asarray((y - self.mean) / self.spread)

    def state(self) -> dict[str, Any]:
        """Return all that was learnt as plain data."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> TargetLogarithm:
        """Return what was saved.

        Raises
        ------
        ValueError
            If it is no logarithm of a target.
        """
        sign = 1 if validation.number(state["sign"], "sign") > 0 else -1
        anchor, low, high, mean = (float(state[name]) for name in ("anchor", "low", "high", "mean"))
        unit, spread = (validation.positive_number(state[name], name) for name in ("unit", "spread"))
        if not np.isfinite((anchor, low, high, mean)).all() or low > high:
            raise ValueError("its target must lie between finite numbers")
        return cls(sign, anchor, unit, low, high, mean, spread)


def skewness(y: Array) -> float:
    """Return the third standardised moment of numbers; 0 if they are constant.

    Examples
    --------
    >>> round(skewness(np.array([0.0, 0.0, 0.0, 1.0])), 3), skewness(np.ones(3))
    (1.155, 0.0)
    """
    spread = float(y.std())
    return float((((y - y.mean()) / spread) ** 3).mean()) if 0 < spread < np.inf else 0.0


@dataclass(frozen=True)
class TargetScale:
    """How targets are standardised for training.

    Attributes
    ----------
    mean, spread : numpy.ndarray of shape (targets,)
        Of the targets, or of the logarithm.
    lowest, highest : numpy.ndarray of shape (targets,)
        Of the standardised targets in training.
    logarithm : TargetLogarithm or None
        Of a single target.
    """

    mean: Array
    spread: Array
    lowest: Array
    highest: Array
    logarithm: TargetLogarithm | None = None

    @classmethod
    def fit(cls, moments: Moments, logarithm: TargetLogarithm | None = None) -> TargetScale:
        """Learn from what the targets, or their logarithms, are like."""
        # A constant target needs no scale; what rounding leaves of one is no spread either.
        spread = np.where(moments.deviation <= 1e-12 * np.abs(moments.mean), 1.0, moments.deviation)
        lowest, highest = (_standardised(bound, moments.mean, spread) for bound in (moments.low, moments.high))
        return cls(moments.mean, spread, lowest, highest, logarithm)

    def standardised(self, y: Array) -> Array:
        """Return what a network learns as float32: ``(y - mean) / spread``, or that of the logarithm."""
        return _standardised(y if self.logarithm is None else self.logarithm.logarithm(y), self.mean, self.spread)

    def numbers(self, outputs: Array) -> Array:
        """Return predictions in the units of the targets from what a network has learnt to predict."""
        restored = np.asarray(outputs * self.spread + self.mean)
        return restored if self.logarithm is None else self.logarithm.prediction(restored)

    def unbiased(self, y: Array, predictions: Array) -> TargetScale:
        """Return the scale with which predictions of rows not trained on have the mean of their targets.

        The mean of logarithms is that of a median rather than of a mean; ``exp(t)`` is multiplied by one factor, as
        Duan's smearing estimate does, which is a shift of t.

        References
        ----------
        N. Duan, "Smearing Estimate: A Nonparametric Retransformation Method", JASA 78 (1983).
        """
        if self.logarithm is None:
            return self
        sign, sums = self.logarithm.sign, []
        for each in (y, predictions):
            sums.append(float(np.exp(sign * self.logarithm.logarithm(each)).mean()))
        return replace(self, mean=self.mean + sign * np.log(sums[0] / sums[1]))

    def errors(self, y: Array, predictions: Array) -> Array:
        """Return targets minus predictions, of logarithms where these are learnt."""
        if self.logarithm is None:
            return np.asarray(y - predictions)
        return np.asarray(self.logarithm.logarithm(y) - self.logarithm.logarithm(predictions))

    def moved(self, predictions: Array, error: Array) -> Array:
        """Return the targets that are so far from predictions as `errors` measures it."""
        if self.logarithm is None:
            return np.asarray(predictions + error)
        return self.logarithm.target(self.logarithm.logarithm(predictions) + error)


def _standardised(y: Array, mean: Array, spread: Array) -> Array:
    return np.ascontiguousarray((y - mean) / spread, np.float32)
