"""What targets may be: the numbers that a loss or a metric can mean."""

from __future__ import annotations

import numpy as np

import cnn_core._core as _core
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple

# Rounding, of float16 too, may leave a probability this far outside 0 to 1, and a row's sum this far from 1: 0.01 as a
# sum of float32 comes out.
_ROUNDING = 1e-4
_SUM_ROUNDING = 1.0001e-2


class Domain(NamedTuple):
    """The targets that have a meaning.

    Attributes
    ----------
    rule : str
        In words, to go with "must be".
    remedy : str
        What to do about other targets.
    low, high : float
        The range of every number.
    choices : tuple of tuple of float, default ()
        Pairs of numbers: all targets must be of one of the pairs. () leaves the range alone.
    adds_up : bool, default False
        Whether a row, if it has more than one number, must add up to 1.

    Examples
    --------
    >>> UNIT.violation(np.array([[0.5], [2.0]])), UNIT.violation(np.array([[0.5], [1.0]]))
    ((1, '2.0'), None)
    """

    rule: str
    remedy: str
    low: float = -np.inf
    high: float = np.inf
    choices: tuple[tuple[float, float], ...] = ()
    adds_up: bool = False

    def violation(self, targets: Array, axis: int = -1) -> tuple[int, str] | None:
        """Return the first row that is outside, and what is wrong with it; None if all is well."""
        if not targets.size:
            return None
        low, high = self.low - _ROUNDING, self.high + _ROUNDING
        adds_up = self.adds_up and targets.ndim > 1 and targets.shape[axis] > 1
        along = np.moveaxis(targets, axis, -1) if adds_up and axis != -1 else targets
        if along.dtype.char not in "fd" or not along.flags.c_contiguous:
            along = np.ascontiguousarray(along, np.float64)
        if _core.all_mean_something(along, low, high, self.choices, _SUM_ROUNDING if adds_up else -1.0):
            return None
        return self._worst(targets, axis, low, high)

    def _worst(self, targets: Array, axis: int, low: float, high: float) -> tuple[int, str]:
        """Return the first row of targets that are known to be outside, and what is wrong with it."""
        outside = (targets < low) | (targets > high)
        if not outside.any() and self.choices:
            outside = min(((targets != one) & (targets != other) for one, other in self.choices), key=np.count_nonzero)
        if outside.any():
            return _first(targets, outside)
        sums = targets.sum(axis=axis, dtype=np.float64)
        return _first(sums, np.abs(sums - 1) > _SUM_ROUNDING, "a sum of ")


def _first(values: Array, wrong: Array, what: str = "") -> tuple[int, str]:
    where = tuple(int(i) for i in np.argwhere(wrong)[0])
    return where[0], what + validation.show(values[where])


_OTHER_LABELS = "Numbers of classes go with a sparse categorical loss, -1 and 1 with hinge, any numbers with mse"
_SEVERAL = (
    "Several answers at once go with sigmoid and binary_crossentropy, any numbers with mse; a `sample_weight` of 0 "
    "leaves a row out"
)
UNIT = Domain("from 0 to 1", _OTHER_LABELS, 0.0, 1.0)
BINARY = Domain("0 or 1", _OTHER_LABELS, 0.0, 1.0, ((0.0, 1.0),))
SIGNS = Domain("all -1 or 1, or all 0 or 1", "Any numbers go with mse", -1.0, 1.0, choices=((-1.0, 1.0), (0.0, 1.0)))
NON_NEGATIVE = Domain("at least 0", "Any numbers go with mse", 0.0)
DISTRIBUTION = Domain("rows of probabilities, such as one-hot rows, that add up to 1", _SEVERAL, 0.0, 1.0, adds_up=True)
ONE_HOT = Domain("one-hot rows", _SEVERAL, 0.0, 1.0, choices=((0.0, 1.0),), adds_up=True)
