"""L-BFGS: minimises a smooth function of a vector from its values and gradients.

A pure function in NumPy, float64: what costs time is the function that it is given. The line search is Moré and
Thuente's; constants and order of decisions follow L-BFGS-B as SciPy has it, so that both take the same steps.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

import cnn_core.foundation.validation as validation
from cnn_core.foundation.records import NamedTuple

__all__ = ["Result", "minimize"]

Vector: TypeAlias = npt.NDArray[np.float64]
ValueAndGradient: TypeAlias = Callable[[Vector], tuple[float, Vector]]

# The line search accepts a step that lowers the value by this share of what the slope promises ...
SUFFICIENT_DECREASE = 1e-3
# ... and where the slope is at most this share of the slope at the start: together the strong Wolfe conditions.
CURVATURE = 0.9
# It gives up when its interval is narrower than this share of its end.
INTERVAL_TOLERANCE = 0.1
# A factor between 1.1 and 4 bounds each extrapolation.
LEAST_EXTRAPOLATION, MOST_EXTRAPOLATION = 1.1, 4.0
LARGEST_STEP = 1e10
TRIALS = 20
EPSILON = float(np.finfo(np.float64).eps)


class Result(NamedTuple):
    """Where a minimisation ended and why.

    Attributes
    ----------
    x : numpy.ndarray of float64, shape (n,)
    value : float
    gradient : numpy.ndarray of float64, shape (n,)
    n_iterations, n_evaluations : int
    converged : bool
        Whether a tolerance was met.
    message : str
        The reason for stopping.
    """

    x: Vector
    value: float
    gradient: Vector
    n_iterations: int
    n_evaluations: int
    converged: bool
    message: str


def minimize(
    value_and_gradient: ValueAndGradient,
    x0: npt.ArrayLike,
    max_iterations: int = 200,
    max_evaluations: int = 15000,
    gradient_tolerance: float = 1e-5,
    history_size: int = 10,
    function_tolerance: float = 2.220446049250313e-09,
    callback: Callable[[int, Vector, float], bool | None] | None = None,
) -> Result:
    """Minimise a smooth function by the limited-memory BFGS method.

    x = x + step * d with d = -H * gradient, where H approximates the inverse Hessian: gamma * I, updated by the last
    `history_size` pairs (s, y) = (change of x, change of the gradient), gamma = s.y / y.y of the newest. The step
    satisfies the strong Wolfe conditions.

    Parameters
    ----------
    value_and_gradient : callable
        Maps x of shape (n,) to (float, array of shape (n,)). The x it receives must not be changed or kept.
    x0 : array-like, shape (n,)
        Where to begin.
    max_iterations : int, >= 0, default 200
    max_evaluations : int, >= 1, default 15000
        Looked at after every iteration, which may need several: ends when there were more.
    gradient_tolerance : float, >= 0, default 1e-5
        Ends when max |gradient| is at most this.
    history_size : int, >= 1, default 10
    function_tolerance : float, >= 0, default 2.220446049250313e-09
        Ends when an iteration lowers the value by at most this times max(|old value|, |new value|, 1).
    callback : callable, optional
        Called as callback(iteration, x, value) after each iteration, from 1; may return True to end.

    Returns
    -------
    Result

    Raises
    ------
    ValueError
        If an argument is out of its range, or the value or gradient at `x0` is not finite.

    Examples
    --------
    >>> result = minimize(lambda x: (float((x - 3) @ (x - 3)), 2 * (x - 3)), np.zeros(2))
    >>> result.x.round(6), result.message
    (array([3., 3.]), 'the gradient is within its tolerance')

    References
    ----------
    D. C. Liu, J. Nocedal, "On the Limited Memory BFGS Method for Large Scale Optimization", Mathematical Programming
    45, 1989.
    J. J. Moré, D. J. Thuente, "Line Search Algorithms with Guaranteed Sufficient Decrease", ACM Transactions on
    Mathematical Software 20, 1994.
    """
    max_iterations = validation.non_negative_integer(max_iterations, "max_iterations")
    max_evaluations = validation.positive_integer(max_evaluations, "max_evaluations")
    gradient_tolerance = validation.number(gradient_tolerance, "gradient_tolerance", minimum=0)
    function_tolerance = validation.number(function_tolerance, "function_tolerance", minimum=0)
    search = _Search(value_and_gradient, x0, validation.positive_integer(history_size, "history_size"))

    if search.steepness() <= gradient_tolerance:
        return search.result(True, "the gradient is within its tolerance")
    while search.n_iterations < max_iterations:
        previous = search.value
        if not search.iterate():
            return search.result(False, "the line search found no lower value")
        stop = callback is not None and callback(search.n_iterations, search.x, search.value)
        if search.steepness() <= gradient_tolerance:
            return search.result(True, "the gradient is within its tolerance")
        if previous - search.value <= function_tolerance * max(abs(previous), abs(search.value), 1.0):
            return search.result(True, "the decrease is within its tolerance")
        if stop:
            return search.result(False, "the callback asked for it")
        if search.n_evaluations > max_evaluations:
            return search.result(False, "the evaluations are used up")
    return search.result(False, "the iterations are used up")


class _Search:
    """The state of a minimisation between its iterations."""

    def __init__(self, value_and_gradient: ValueAndGradient, x0: npt.ArrayLike, history_size: int) -> None:
        self._value_and_gradient = value_and_gradient
        self._pairs: deque[tuple[Vector, Vector, float]] = deque(maxlen=history_size)
        self.n_iterations = self.n_evaluations = 0
        self.x = np.array(x0, dtype=np.float64)
        if self.x.ndim != 1:
            raise ValueError(f"`x0` must be a vector. Received: x0.shape={self.x.shape}")
        self.value, self.gradient = self._evaluate(self.x)
        if not math.isfinite(self.value) or not np.isfinite(self.gradient).all():
            raise ValueError(f"The value and the gradient at `x0` must be finite. Received: value={self.value}")

    def _evaluate(self, x: Vector) -> tuple[float, Vector]:
        self.n_evaluations += 1
        value, gradient = self._value_and_gradient(x)
        # A copy: the function may well return a view of a buffer that it fills again next time.
        copy = np.array(gradient, dtype=np.float64)
        if copy.shape != x.shape:
            raise ValueError(f"The gradient must have the shape of x, {x.shape}. Received: shape {copy.shape}")
        return float(value), copy

    def steepness(self) -> float:
        return float(np.abs(self.gradient).max(initial=0.0))

    def result(self, converged: bool, message: str) -> Result:
        return Result(self.x, self.value, self.gradient, self.n_iterations, self.n_evaluations, converged, message)

    def iterate(self) -> bool:
        """Take one step; return False if none leads down, not even along the gradient."""
        while True:
            direction = self._direction()
            found = self._line_search(direction)
            if found is not None:
                self._move(*found)
                return True
            if not self._pairs:
                return False
            # What was learnt does not fit here: begin again with the steepest descent.
            self._pairs.clear()

    def _direction(self) -> Vector:
        """Return -H * gradient by the two-loop recursion."""
        direction = -self.gradient
        if not self._pairs:
            return direction
        shares = []
        for step, change, product in reversed(self._pairs):
            share = float(step @ direction) / product
            direction -= share * change
            shares.append(share)
        _, change, product = self._pairs[-1]
        direction *= product / float(change @ change)
        for (step, change, product), share in zip(self._pairs, reversed(shares), strict=True):
            direction += (share - float(change @ direction) / product) * step
        return direction

    def _line_search(self, direction: Vector) -> tuple[Vector, float, Vector] | None:
        slope = float(self.gradient @ direction)
        if not slope < 0:
            return None
        # Nothing is known of the scale at first: begin with a step of length 1.
        first = 1.0 if self.n_iterations else min(1.0 / float(np.linalg.norm(direction)), LARGEST_STEP)
        line = LineSearch(self.value, slope, first)
        for _ in range(TRIALS):
            x = self.x + line.step * direction
            value, gradient = self._evaluate(x)
            line.tell(value, float(gradient @ direction))
            if line.done:
                return x, value, gradient
        return None

    def _move(self, x: Vector, value: float, gradient: Vector) -> None:
        step, change = x - self.x, gradient - self.gradient
        product = float(step @ change)
        # A pair without positive curvature would make H indefinite.
        if product > EPSILON * -float(self.gradient @ step):
            self._pairs.append((step, change, product))
        self.x, self.value, self.gradient = x, value, gradient
        self.n_iterations += 1


class Point(NamedTuple):
    """A point on the line: the step, and the function's value and slope there."""

    step: float
    value: float
    slope: float


class LineSearch:
    """Moré and Thuente's search along a line for a step that satisfies the strong Wolfe conditions.

    Ask for `step`, evaluate there, `tell` value and slope; repeat until `done`. An interval is kept that holds a
    suitable step and shrinks by safeguarded cubic and quadratic interpolation. As long as no value is low enough, the
    auxiliary function value(step) - SUFFICIENT_DECREASE * slope(0) * step takes the place of the value.

    Parameters
    ----------
    value, slope : float
        At step 0; the slope is negative.
    first : float
        The first step to try.

    Examples
    --------
    >>> line = LineSearch(value=9.0, slope=-6.0, first=1.0)      # (t - 3)**2
    >>> while not line.done:
    ...     line.tell((line.step - 3) ** 2, 2 * (line.step - 3))
    >>> line.step
    1.0
    """

    def __init__(self, value: float, slope: float, first: float) -> None:
        self.step = first
        self.done = False
        self._start = Point(0.0, value, slope)
        self._promise = SUFFICIENT_DECREASE * slope
        self._best = self._other = self._start
        self._bracketed = False
        self._auxiliary = True
        self._width = LARGEST_STEP
        self._width_before = 2 * LARGEST_STEP
        self._low, self._high = 0.0, first + MOST_EXTRAPOLATION * first
        self._limit = LARGEST_STEP

    def tell(self, value: float, slope: float) -> None:
        """Take what was found at `step`; choose the next step unless it is `done`."""
        if not (math.isfinite(value) and math.isfinite(slope)):
            self._retreat()
            return
        trial = Point(self.step, value, slope)
        enough = self._start.value + trial.step * self._promise
        if self._auxiliary and value <= enough and slope >= 0:
            self._auxiliary = False
        if self._is_over(trial, enough):
            self.done = True
            return
        if self._auxiliary and enough < value <= self._best.value:
            self._update(trial, self._promise)
        else:
            self._update(trial, 0.0)
        self._choose()

    def _is_over(self, trial: Point, enough: float) -> bool:
        if trial.value <= enough and abs(trial.slope) <= CURVATURE * -self._start.slope:
            return True
        # No better step can be told from this one: rounding, or the interval has shrunk to nothing.
        stuck = self._bracketed and (trial.step <= self._low or trial.step >= self._high)
        narrow = self._bracketed and self._high - self._low <= INTERVAL_TOLERANCE * self._high
        beyond = trial.step == self._limit and trial.value <= enough and trial.slope <= self._promise
        return stuck or narrow or beyond

    def _retreat(self) -> None:
        """Go half the way back to the best step, after a value that is not finite, and never farther again."""
        self.step = self._limit = self._best.step + 0.5 * (self.step - self._best.step)

    def _update(self, trial: Point, tilt: float) -> None:
        """Shrink the interval around the trial and set the next step, all values tilted by a line of this slope."""

        def tilted(point: Point) -> Point:
            return Point(point.step, point.value - point.step * tilt, point.slope - tilt)

        best, other, now = tilted(self._best), tilted(self._other), tilted(trial)
        self.step, self._bracketed = next_step(best, other, now, self._bracketed, self._low, self._high)
        if now.value > best.value:
            self._other = trial
        else:
            if now.slope * best.slope < 0:
                self._other = self._best
            self._best = trial

    def _choose(self) -> None:
        """Keep the next step inside the interval, and halve an interval that shrinks too slowly."""
        ends = self._best.step, self._other.step
        if self._bracketed:
            if abs(ends[1] - ends[0]) >= 0.66 * self._width_before:
                self.step = ends[0] + 0.5 * (ends[1] - ends[0])
            self._width_before, self._width = self._width, abs(ends[1] - ends[0])
            self._low, self._high = min(ends), max(ends)
        else:
            ahead = self.step - ends[0]
            self._low = self.step + LEAST_EXTRAPOLATION * ahead
            self._high = self.step + MOST_EXTRAPOLATION * ahead
        self.step = min(max(self.step, 0.0), self._limit)
        narrow = self._high - self._low <= INTERVAL_TOLERANCE * self._high
        if self._bracketed and (self.step <= self._low or self.step >= self._high or narrow):
            # Nothing better will be found: evaluate at the best step once more, and end there.
            self.step = ends[0]


def next_step(best: Point, other: Point, trial: Point, bracketed: bool, low: float, high: float) -> tuple[float, bool]:
    """Return the step to try after a trial, and whether a minimum is bracketed now.

    `best` has the lowest value so far. With `bracketed` a minimum lies between it and `other`; otherwise the step stays
    within `low` and `high`. The four cases are those of Moré and Thuente's section 4.

    Examples
    --------
    >>> start, trial = Point(0.0, 9.0, -6.0), Point(5.0, 4.0, 4.0)      # (t - 3)**2
    >>> next_step(start, start, trial, False, 0.0, 25.0)
    (3.0, True)
    """
    if trial.value > best.value:
        # 1: too far. The cubic's minimum if it is nearer to the best point than the parabola's, else their middle.
        cubic, _ = _cubic_minimum(best, trial)
        quadratic = _quadratic_minimum(best, trial)
        nearer = abs(cubic - best.step) < abs(quadratic - best.step)
        return (cubic if nearer else cubic + (quadratic - cubic) / 2), True
    if trial.slope * best.slope < 0:
        # 2: lower, but past a minimum. The farther of the cubic's minimum and the secant's.
        cubic, _ = _cubic_minimum(trial, best)
        secant = _secant_minimum(trial, best)
        return (cubic if abs(cubic - trial.step) > abs(secant - trial.step) else secant), True
    ahead = high if trial.step > best.step else low
    if abs(trial.slope) < abs(best.slope):
        # 3: lower and flatter. The cubic may have no minimum ahead.
        cubic, is_ahead = _cubic_minimum(trial, best)
        cubic = cubic if is_ahead else ahead
        secant = _secant_minimum(trial, best)
        cubic_is_nearer = abs(cubic - trial.step) < abs(secant - trial.step)
        if not bracketed:
            return min(max(secant if cubic_is_nearer else cubic, low), high), False
        limit = trial.step + 0.66 * (other.step - trial.step)
        step = cubic if cubic_is_nearer else secant
        return (min(limit, step) if trial.step > best.step else max(limit, step)), True
    # 4: lower and steeper.
    return (_cubic_minimum(trial, other)[0] if bracketed else ahead), bracketed


def _cubic_minimum(at: Point, towards: Point) -> tuple[float, bool]:
    """Return the minimum of the cubic through two points with their slopes, and whether it lies away from `towards`."""
    theta = 3 * (at.value - towards.value) / (towards.step - at.step) + at.slope + towards.slope
    scale = max(abs(theta), abs(at.slope), abs(towards.slope))
    if scale == 0:
        return at.step, False
    gamma = scale * math.sqrt(max(0.0, (theta / scale) ** 2 - (at.slope / scale) * (towards.slope / scale)))
    if at.step > towards.step:
        gamma = -gamma
    numerator = (gamma - at.slope) + theta
    denominator = ((gamma - at.slope) + gamma) + towards.slope
    if denominator == 0:
        return at.step, False
    share = numerator / denominator
    return at.step + share * (towards.step - at.step), share < 0 and gamma != 0


def _quadratic_minimum(at: Point, towards: Point) -> float:
    """Return the minimum of the parabola with the value and slope of one point and the value of another."""
    length = towards.step - at.step
    return at.step + at.slope / ((at.value - towards.value) / length + at.slope) / 2 * length


def _secant_minimum(at: Point, towards: Point) -> float:
    """Return where the slope is 0 if it changes linearly between two points."""
    return at.step + at.slope / (at.slope - towards.slope) * (towards.step - at.step)
