"""L-BFGS: known minima, SciPy's steps, the Wolfe conditions, every reason to stop, misbehaving functions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_core.optimizers.lbfgs as lbfgs
import tolerances
from cnn_core.optimizers.lbfgs import CURVATURE, SUFFICIENT_DECREASE, LineSearch, minimize


def rosenbrock(x):
    """The sum of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2, whose minimum lies at (1, ..., 1) in a curved valley."""
    along, across = 1 - x[:-1], x[1:] - x[:-1] ** 2
    gradient = np.zeros_like(x)
    gradient[:-1] = -400 * x[:-1] * across - 2 * along
    gradient[1:] += 200 * across
    return float(100 * across @ across + along @ along), gradient


def quadratic(n: int, seed: int):
    generator = np.random.Generator(np.random.Philox(seed))
    root = generator.normal(size=(n, n))
    matrix, shift = root @ root.T + np.eye(n), generator.normal(size=n)
    return (lambda x: (float(0.5 * x @ matrix @ x - shift @ x), matrix @ x - shift)), np.linalg.solve(matrix, shift)


class TestMinima:
    @pytest.mark.parametrize("n", [2, 3, 10, 40])
    def test_rosenbrock(self, n: int):
        start = np.tile([-1.2, 1.0], n)[:n]
        result = minimize(rosenbrock, start, 1000, gradient_tolerance=1e-8, function_tolerance=0)
        assert result.converged
        tolerances.close(result.x, np.ones(n), tolerances.GOLDEN_METRIC)
        assert np.abs(result.gradient).max() <= 1e-8

    @given(n=st.integers(1, 12), seed=st.integers(0, 10_000))
    def test_quadratic(self, n: int, seed: int):
        function, minimum = quadratic(n, seed)
        result = minimize(function, np.zeros(n), 500, gradient_tolerance=1e-9, function_tolerance=0)
        tolerances.close(result.x, minimum, tolerances.GOLDEN_METRIC)

    def test_one_dimension_by_hand(self):
        # f = (x - 3)^2 from 0: the first step has length 1, the secant through the two slopes hits the minimum.
        result = minimize(lambda x: (float((x[0] - 3) ** 2), 2 * (x - 3)), [0.0])
        assert result.x.tolist() == [3.0]
        assert (result.n_iterations, result.n_evaluations) == (2, 3)

    @pytest.mark.parametrize("history_size", [1, 3, 100])
    def test_history_of_any_size(self, history_size: int):
        assert minimize(rosenbrock, [-1.2, 1.0, 0.5], 1000, history_size=history_size).value < 1e-7

    def test_values_never_rise(self):
        values: list[float] = []
        minimize(rosenbrock, [-1.2, 1.0], callback=lambda iteration, x, value: values.append(value))
        assert all(later < earlier for earlier, later in itertools.pairwise(values))


class TestAgainstSciPy:
    @pytest.mark.parametrize(("n", "seed"), [(2, 0), (2, 1), (5, 2), (5, 3), (10, 4)])
    def test_takes_the_same_steps(self, n: int, seed: int):
        scipy_optimize = pytest.importorskip("scipy.optimize")
        start = np.random.Generator(np.random.Philox(seed)).normal(size=n)
        ours, theirs = [], []
        result = minimize(rosenbrock, start, 500, callback=lambda iteration, x, value: ours.append(x.copy()))
        expected = scipy_optimize.minimize(
            rosenbrock, start, jac=True, method="L-BFGS-B", options={"maxiter": 500},
            callback=lambda x: theirs.append(x.copy()),
        )  # fmt: skip
        assert (result.n_iterations, result.n_evaluations) == (expected.nit, expected.nfev)
        # Rounding grows along the valley; the first steps agree to the last places.
        tolerances.close(ours[:10], theirs[:10], tolerances.GOLDEN_FLOAT64)
        tolerances.close(result.x, expected.x, tolerances.GOLDEN_FLOAT32)


# Functions of one step and their slopes, downhill at 0.
LINES = {
    "quadratic": (lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3)),
    "flattening": (lambda t: -t / (t * t + 2), lambda t: (t * t - 2) / (t * t + 2) ** 2),
    "exponential": (lambda t: math.exp(t / 50) - t, lambda t: math.exp(t / 50) / 50 - 1),
    "wavy": (
        lambda t: 1 - t + 0.2 * (1 - math.cos(5 * t)) + 0.05 * t * t,
        lambda t: -1 + math.sin(5 * t) + 0.1 * t,
    ),
}


class TestLineSearch:
    @pytest.mark.parametrize("name", LINES)
    @pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 10.0, 1000.0])
    def test_strong_wolfe_conditions_hold_at_the_end(self, name: str, first: float):
        value, slope = LINES[name]
        line = LineSearch(value(0.0), slope(0.0), first)
        for _ in range(20):
            line.tell(value(line.step), slope(line.step))
            if line.done:
                break
        assert line.done
        assert value(line.step) <= value(0.0) + SUFFICIENT_DECREASE * line.step * slope(0.0)
        assert abs(slope(line.step)) <= CURVATURE * abs(slope(0.0))

    def test_backs_off_from_what_is_not_finite(self):
        # log(t) exists below 2 only; the first step goes beyond.
        line = LineSearch(0.0, -1.0, 4.0)
        for _ in range(20):
            inside = line.step < 2
            line.tell(-line.step + line.step**2 if inside else math.nan, -1 + 2 * line.step if inside else math.nan)
            if line.done:
                break
        assert line.done
        assert line.step < 2


class TestStopping:
    def test_at_the_minimum_already(self):
        result = minimize(rosenbrock, np.ones(3))
        assert (result.n_iterations, result.n_evaluations, result.converged) == (0, 1, True)

    def test_iterations(self):
        result = minimize(rosenbrock, [-1.2, 1.0], max_iterations=3)
        assert (result.n_iterations, result.converged, result.message) == (3, False, "the iterations are used up")
        assert minimize(rosenbrock, [-1.2, 1.0], max_iterations=0).x.tolist() == [-1.2, 1.0]

    def test_evaluations(self):
        result = minimize(rosenbrock, [-1.2, 1.0], max_evaluations=5)
        assert 5 < result.n_evaluations < 10
        assert not result.converged
        assert "evaluations" in result.message

    def test_gradient(self):
        result = minimize(rosenbrock, [-1.2, 1.0], 1000, gradient_tolerance=0.5, function_tolerance=0)
        assert 0.01 < np.abs(result.gradient).max() <= 0.5
        assert "gradient" in result.message

    def test_decrease(self):
        result = minimize(rosenbrock, [-1.2, 1.0], function_tolerance=0.3)
        assert result.converged
        assert "decrease" in result.message

    def test_callback(self):
        seen: list[int] = []

        def stop_at_four(iteration, x, value):
            seen.append(iteration)
            return iteration == 4

        result = minimize(rosenbrock, [-1.2, 1.0], callback=stop_at_four)
        assert seen == [1, 2, 3, 4]
        assert result.n_iterations == 4

    def test_wrong_gradient_ends_the_search(self):
        result = minimize(lambda x: (float(x @ x), 0.3 - 2 * x), [1.0, 2.0])
        assert not result.converged
        assert "line search" in result.message
        assert result.x.tolist() == [1.0, 2.0]

    def test_same_function_same_bits(self):
        first, second = (minimize(rosenbrock, np.linspace(-1, 1, 9)) for _ in range(2))
        assert first.x.tobytes() == second.x.tobytes()


class TestFunctions:
    def test_nan_outside_the_domain(self):
        def barrier(x):
            with np.errstate(invalid="ignore", divide="ignore"):
                return float(np.sum(x - np.log(x))), 1 - 1 / x

        result = minimize(barrier, [5.0, 0.1, 30.0])
        tolerances.close(result.x, np.ones(3), tolerances.GOLDEN_FLOAT32)

    def test_reused_gradient_buffer(self):
        buffer = np.empty(2)

        def function(x):
            value, buffer[:] = rosenbrock(x)
            return value, buffer

        assert minimize(function, [-1.2, 1.0]).x.tobytes() == minimize(rosenbrock, [-1.2, 1.0]).x.tobytes()

    def test_start_is_left_alone(self):
        start = np.array([-1.2, 1.0])
        minimize(rosenbrock, start)
        assert start.tolist() == [-1.2, 1.0]

    def test_float32_function(self):
        def function(x):
            value, gradient = rosenbrock(x.astype(np.float32))
            return np.float32(value), gradient

        result = minimize(function, [-1.2, 1.0], 500)
        assert result.x.dtype == np.float64
        assert result.value < 1e-3

    def test_empty_vector(self):
        assert minimize(lambda x: (0.0, x), np.zeros(0)).converged

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: minimize(rosenbrock, [[1.0, 2.0]]), "`x0` must be a vector"),
            (lambda: minimize(rosenbrock, [math.nan, 1.0]), "`x0` must be finite"),
            (lambda: minimize(lambda x: (0.0, np.zeros(3)), [1.0]), "shape of x"),
            (lambda: minimize(rosenbrock, [1.0, 2.0], -1), "`max_iterations` must be"),
            (lambda: minimize(rosenbrock, [1.0, 2.0], max_evaluations=0), "`max_evaluations` must be"),
            (lambda: minimize(rosenbrock, [1.0, 2.0], gradient_tolerance=-1), "`gradient_tolerance` must be"),
            (lambda: minimize(rosenbrock, [1.0, 2.0], function_tolerance=-1), "`function_tolerance` must be"),
            (lambda: minimize(rosenbrock, [1.0, 2.0], history_size=0), "`history_size` must be"),
        ],
    )
    def test_errors(self, make, message: str):
        with pytest.raises(ValueError, match=message):
            make()


def test_result_names():
    assert lbfgs.Result._fields == ("x", "value", "gradient", "n_iterations", "n_evaluations", "converged", "message")
