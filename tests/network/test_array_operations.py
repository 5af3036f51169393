"""Operations of a plan on arrays against NumPy, and their derivatives by central differences."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_core._core as _core
import tolerances
from cnn_core.network.array_operations import BATCH
from cnn_core.network.native import bound_network
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable
from plan_bench import PlanBench

DTYPES = ["float32", "float64"]


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


# Reductions.

REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum": np.sum,
    "mean": np.mean,
    "prod": np.prod,
    "max": np.max,
    "min": np.min,
    "logsumexp": lambda x, axis, keepdims: np.log(np.sum(np.exp(x), axis, keepdims=keepdims)),
    "any": np.any,
    "all": np.all,
}
AXES = [(2,), (0,), (1,), (0, 2), (1, 2), (0, 1, 2), (BATCH,), (BATCH, 1), (BATCH, 0, 1, 2)]


def reduction(
    kind: str, shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool = False, **more: Any
) -> PlanBench:
    return PlanBench(
        [shape], lambda plan, s, _: plan.add_reduction(kind, s[0], axes, layer="", keepdims=keepdims), **more
    )


def test_every_reduction_is_tried():
    assert {*REDUCTIONS, "argmax", "argmin"} == set(_core.AGGREGATES)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", REDUCTIONS)
@pytest.mark.parametrize("axes", AXES)
def test_reductions_are_numpys(kind: str, axes: tuple[int, ...], dtype: str):
    x = np.where(drawn(3, 2, 3, 70) > 1.5, 0, drawn(3, 2, 3, 70, seed=1)).astype(dtype)
    for keepdims in (False, True):
        y = reduction(kind, (2, 3, 70), axes, keepdims, dtype=dtype).forward([x])
        expected = REDUCTIONS[kind](x.astype(np.float64), axis=tuple(axis + 1 for axis in axes), keepdims=keepdims)
        if BATCH in axes:
            expected = np.broadcast_to(expected[0] if keepdims else expected, y.shape)
        tolerances.close(y, expected.reshape(y.shape), 10 * tolerances.kernel(dtype), kind)
        assert y.shape[1:] == (expected.shape[1:] or (1,))


@pytest.mark.parametrize("kind", [kind for kind in REDUCTIONS if kind not in ("any", "all")])
@pytest.mark.parametrize("axes", AXES)
def test_derivatives_of_reductions(kind: str, axes: tuple[int, ...]):
    reduction(kind, (2, 3, 4), axes).check_derivatives([drawn(3, 2, 3, 4) + 0.1])


@pytest.mark.parametrize("kind", ["argmax", "argmin"])
@pytest.mark.parametrize("axes", [(1,), (0, 1), (BATCH,)])
def test_places_of_extrema(kind: str, axes: tuple[int, ...]):
    x = np.round(drawn(4, 3, 5) * 2)  # with equals, of which the first counts
    expected = getattr(np, kind)(x if axes != (0, 1) else x.reshape(4, -1), axis=0 if axes == (BATCH,) else -1)
    y = reduction(kind, (3, 5), axes, n=4).forward([x])
    np.testing.assert_array_equal(
        y, np.broadcast_to(expected, y.shape) if axes == (BATCH,) else expected.reshape(y.shape)
    )


def test_reductions_of_what_is_no_plain_number():
    x = np.array([[np.nan, 1, 2], [np.inf, 1, -np.inf], [-np.inf, -np.inf, -np.inf], [1, 2, np.nan]])
    for kind in ("sum", "max", "min", "prod", "any", "all"):
        with np.errstate(all="ignore"):
            expected = REDUCTIONS[kind](x, axis=1)
        np.testing.assert_array_equal(reduction(kind, (3,), (0,), n=4).forward([x])[:, 0], expected, kind)
    assert reduction("argmax", (3,), (0,), n=4).forward([x])[:, 0].tolist() == np.argmax(x, 1).tolist()
    assert str(reduction("logsumexp", (3,), (0,), n=4).forward([x])[:, 0].tolist()) == "[nan, inf, -inf, nan]"


@pytest.mark.parametrize(("kind", "value"), [("sum", 0), ("prod", 1), ("mean", np.nan), ("any", 0), ("all", 1)])
@pytest.mark.parametrize(("shape", "axes"), [((0, 3), (0,)), ((3, 0), (1,)), ((0,), (0,)), ((2, 0, 3), (1, 2))])
def test_reductions_of_nothing(kind: str, value: float, shape: tuple[int, ...], axes: tuple[int, ...]):
    y = reduction(kind, shape, axes, n=2).forward([np.zeros((2, *shape))])
    np.testing.assert_array_equal(y, np.full_like(y, value))


@pytest.mark.parametrize("kind", ["sum", "mean", "max", "logsumexp"])
@pytest.mark.parametrize(("shape", "axis"), [((0, 3), 1), ((3, 0), 0), ((2, 0, 3), 2)])
def test_nothing_is_reduced_to_nothing(kind: str, shape: tuple[int, ...], axis: int):
    y = reduction(kind, shape, (axis,), n=2).forward([np.zeros((2, *shape))])
    assert y.size == 0


def test_nothing_has_no_largest_element():
    with pytest.raises(ValueError, match="`max` needs one number at least"):
        reduction("max", (2, 0), (1,))


def test_equal_extrema_share_the_derivative_and_zeros_leave_a_product_one():
    run = reduction("max", (4,), (0,), n=1)
    run.forward([np.array([[2.0, 1.0, 2.0, 0.0]])])
    assert run.backward(np.array([[6.0]]))[0].tolist() == [[3, 0, 3, 0]]
    run = reduction("prod", (3,), (0,), n=3)
    run.forward([np.array([[2.0, 0.0, 3.0], [0.0, 0.0, 3.0], [2.0, 3.0, 5.0]])])
    assert run.backward(np.ones((3, 1)))[0].tolist() == [[0, 6, 0], [0, 0, 0], [15, 10, 6]]


def test_a_mean_over_the_batch_reads_all_of_a_prediction():
    run = reduction("mean", (2,), (BATCH,), n=1)
    x, out = drawn(20000, 2), np.empty((20000, 2))
    run.network.predict([x], [out])
    tolerances.close(out, np.broadcast_to(x.mean(0), x.shape), 10 * tolerances.KERNEL_FLOAT64)


# Selections.


def selection(shape: tuple[int, ...], numbers: np.ndarray, **more: Any) -> PlanBench:
    return PlanBench([shape], lambda plan, s, _: plan.add_selection(s[0], numbers, numbers.shape, layer=""), **more)


SELECTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "slice of columns": lambda x: x[:, 2:17],
    "every other row": lambda x: x[::2],
    "flipped": lambda x: x[::-1, ::-1],
    "one column": lambda x: x[:, 3],
    "one number": lambda x: x[1, 2],
    "tiled": lambda x: np.tile(x, (2, 3)),
    "repeated": lambda x: np.repeat(x, 2, axis=1),
    "transposed": lambda x: x.T,
    "another shape": lambda x: x.reshape(5, -1),
    "nothing": lambda x: x[:, :0],
    "rolled": lambda x: np.roll(x, 7),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SELECTIONS)
def test_selections_are_numpys(name: str, dtype: str):
    numbers = SELECTIONS[name](np.arange(6 * 20).reshape(6, 20))
    x = drawn(3, 6, 20).astype(dtype)
    run = selection((6, 20), np.asarray(numbers), dtype=dtype)
    expected = x.reshape(3, -1)[:, np.asarray(numbers)]
    np.testing.assert_array_equal(run.forward([x]), expected.reshape(3, *run.shape))
    dy = drawn(*expected.shape, seed=1).astype(dtype)
    (dx,) = run.backward(dy)
    summed = np.zeros((3, 120))
    np.add.at(summed, (slice(None), np.asarray(numbers)), dy)
    tolerances.close(dx, summed.reshape(3, 6, 20), tolerances.kernel(dtype), name)


def test_two_selections_of_one_buffer_add_up():
    def build(plan: NetworkPlan, sources: list[int], _: list[Variable]) -> int:
        parts = [plan.add_selection(sources[0], np.array(each), (2,), layer="") for each in ([0, 1], [1, 2])]
        return plan.add("add", parts, (2,), layer="")

    run = PlanBench([(3,)], build, n=1)
    assert run.forward([np.array([[1.0, 2.0, 4.0]])]).tolist() == [[3, 6]]
    assert run.backward(np.array([[10.0, 1.0]]))[0].tolist() == [[10, 11, 1]]


def test_a_number_beyond_a_sample_is_refused():
    with pytest.raises(ValueError, match="between 0 and 2"):
        selection((3,), np.array([0, 3]))


@given(st.lists(st.integers(-2, 12), max_size=9), st.integers(0, 3))
def test_native_code_refuses_runs_that_lead_outside(numbers: list[int], rows: int):
    """Runs within rows of five pass; whatever else stands in a plan is refused."""
    plan = NetworkPlan()
    source = plan.add_input((rows, 5))
    plan.outputs = [plan.add("selection", [source], (rows, 5), layer="", numbers=numbers)]
    runs = [numbers[i : i + 3] for i in range(0, len(numbers), 3)]
    fits = all(
        len(run) == 3 and run[2] > 0 and all(0 <= first < 5 * rows and first % 5 + run[2] <= 5 for first in run[:2])
        for run in runs
    )
    if not fits:
        with pytest.raises(ValueError, match="do not fit"):
            _core.Network("float64", plan)
        return
    network = _core.Network("float64", plan)
    network.bind([], [])
    assert _core.Block(network, 1).forward([np.ones((1, 5 * rows))])[0].size == 5 * rows


# Numbers in a buffer.


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("numbers", [(4,), (2, 3), (1,)])
def test_gather_takes_along_an_axis(axis: int, numbers: tuple[int, ...], dtype: str):
    x = drawn(3, 2, 5, 20).astype(dtype)
    size = x.shape[axis + 1]
    indices = np.random.default_rng(0).integers(-size, size, (3, *numbers))
    run = PlanBench([(2, 5, 20), numbers], lambda plan, s, _: plan.add_gather(*s, axis, layer=""), dtype=dtype)
    expected = np.stack([np.take(each, own, axis) for each, own in zip(x, indices, strict=True)])
    np.testing.assert_array_equal(run.forward([x, indices]), expected)
    if dtype == "float64":
        dy = drawn(*expected.shape, seed=1)
        summed = np.zeros_like(x)
        for sample in range(3):
            np.add.at(summed[sample], (*[slice(None)] * axis, indices[sample]), dy[sample])
        dx, of_numbers = run.backward(dy)
        tolerances.close(dx, summed, tolerances.KERNEL_FLOAT64)
        assert not of_numbers.any()


@pytest.mark.parametrize("axis", [0, 1])
def test_gather_along(axis: int):
    x = drawn(3, 4, 5)
    numbers = np.random.default_rng(0).integers(0, 4, (3, 3, 5) if axis == 0 else (3, 4, 2))
    run = PlanBench([(4, 5), numbers.shape[1:]], lambda plan, s, _: plan.add_gather(*s, axis, layer="", along=True))
    np.testing.assert_array_equal(run.forward([x, numbers]), np.take_along_axis(x, numbers, axis + 1))


@pytest.mark.parametrize("number", [3, -4, np.nan, np.inf])
def test_a_number_out_of_range_is_an_error(number: float):
    def build(plan: NetworkPlan, sources: list[int], _: list[Variable]) -> int:
        return plan.add_gather(sources[0], sources[1], 0, layer="take_1")

    run = PlanBench([(3,), (1,)], build, n=1)
    with pytest.raises(ValueError, match="'take_1' takes whole numbers from 0 to 2"):
        run.forward([np.zeros((1, 3)), np.array([[number]])])


# By the run's mode.


@pytest.mark.parametrize("training", [True, False])
def test_a_choice_reads_the_first_in_training_and_the_second_otherwise(training: bool):
    run = PlanBench([(2, 3)] * 2, lambda plan, s, _: plan.add_choice(*s, layer=""), training=training)
    inputs, dy = [drawn(3, 2, 3), drawn(3, 2, 3, seed=1)], drawn(3, 2, 3, seed=2)
    np.testing.assert_array_equal(run.forward(inputs), inputs[0 if training else 1])
    np.testing.assert_array_equal(run.backward(dy), [dy, 0 * dy] if training else [0 * dy, dy])
    out = np.empty((3, 2, 3))
    run.network.predict(inputs, [out])
    np.testing.assert_array_equal(out, inputs[1])


# Products.

MATRICES = [
    ((2, 3), (3, 4)),
    ((3,), (3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((2, 1, 2, 3), (4, 3, 20)),
    ((30, 40), (40, 33)),
    ((1, 1), (1, 1)),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("left", "right"), MATRICES)
def test_products_of_matrices(left: tuple[int, ...], right: tuple[int, ...], dtype: str):
    x, w = drawn(3, *left).astype(dtype), drawn(3, *right, seed=1).astype(dtype)
    run = PlanBench([left, right], lambda plan, s, _: plan.add_matmul(*s, layer=""), dtype=dtype)
    expected = np.stack([a.astype(np.float64) @ b for a, b in zip(x, w, strict=True)])
    tolerances.close(run.forward([x, w]), expected, 10 * tolerances.kernel(dtype))
    if dtype == "float64" and x.size + w.size < 400:
        run.check_derivatives([x, w])


@pytest.mark.parametrize(("left", "right"), [((2, 0), (0, 3)), ((0, 2), (2, 3)), ((2, 3), (3, 0))])
def test_products_of_empty_matrices(left: tuple[int, ...], right: tuple[int, ...]):
    run = PlanBench([left, right], lambda plan, s, _: plan.add_matmul(*s, layer=""), n=2)
    y = run.forward([np.zeros((2, *left)), np.zeros((2, *right))])
    np.testing.assert_array_equal(y, np.zeros((2, left[0], right[1])))


def test_matrices_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(2, 3\) cannot be multiplied"):
        PlanBench([(2, 3)] * 2, lambda plan, s, _: plan.add_matmul(*s, layer=""))


def test_a_product_with_a_parameter():
    run = PlanBench(
        [(2, 3)], lambda plan, s, v: plan.add_product(s[0], v[0], layer=""), parameters=(drawn(3, 4, seed=1),)
    )
    x = drawn(3, 2, 3)
    tolerances.close(run.forward([x]), x @ run.parameters[0], tolerances.KERNEL_FLOAT64)
    run.check_derivatives([x])


# What comes from no buffer.


def test_a_parameter_is_the_same_for_every_sample_and_its_gradient_their_sum():
    def build(plan: NetworkPlan, sources: list[int], variables: list[Variable]) -> int:
        return plan.add("multiply", [sources[0], plan.add_parameter(variables[0], layer="")], (2, 3), layer="")

    run = PlanBench([(2, 3)], build, parameters=(drawn(2, 3, seed=1),), n=4)
    x, dy = drawn(4, 2, 3), drawn(4, 2, 3, seed=2)
    tolerances.close(run.forward([x]), x * run.parameters[0], tolerances.KERNEL_FLOAT64)
    run.backward(dy)
    tolerances.close(run.gradients[0], (x * dy).sum(0), tolerances.KERNEL_FLOAT64)


@pytest.mark.parametrize("shape", [(3,), (2, 20), (2, 0), ()])
def test_a_constant(shape: tuple[int, ...]):
    constant = drawn(*shape) if shape else np.float64(1.5).reshape(())
    y = PlanBench([(1,)], lambda plan, s, _: plan.add_constant(constant, layer="")).forward([np.zeros((3, 1))])
    np.testing.assert_array_equal(y, np.broadcast_to(constant, y.shape))


# Random numbers.


def random(kind: str, *reals: float, shape: tuple[int, ...] = (40, 5), n: int = 500, **more: Any) -> PlanBench:
    seed = more.pop("of_layer", None)
    return PlanBench([(1,)], lambda plan, s, _: plan.add_random(kind, shape, reals, layer="", seed=seed), n=n, **more)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("kind", "reals", "mean", "variance", "low", "high"),
    [
        ("normal", (2.0, 3.0), 2, 9, -np.inf, np.inf),
        ("truncated_normal", (1.0, 2.0), 1, 4 * 0.7737413, -3, 5),
        ("uniform", (-1.0, 3.0), 1, 16 / 12, -1, 3),
        ("bernoulli", (0.3,), 0.3, 0.21, 0, 1),
        ("integers", (-2.0, 3.0), 0, 2, -2, 2),
    ],
)
def test_random_numbers_have_their_distribution(
    kind: str, reals: tuple[float, ...], mean: float, variance: float, low: float, high: float, dtype: str
):
    y = random(kind, *reals, dtype=dtype).forward([np.zeros((500, 1))]).astype(np.float64)
    deviation = np.sqrt(variance / y.size)
    assert abs(y.mean() - mean) < 5 * deviation
    assert abs(y.var() / variance - 1) < tolerances.SCRIPT_SHARE * 3
    assert low <= y.min() <= y.max() <= high
    assert abs(np.corrcoef(y[:-1].reshape(-1), y[1:].reshape(-1))[0, 1]) < 5 / np.sqrt(y.size)
    if kind in ("bernoulli", "integers"):
        np.testing.assert_array_equal(np.unique(y), np.arange(low, high + 1))


@pytest.mark.parametrize("kind", ["normal", "truncated_normal", "uniform"])
def test_random_numbers_follow_from_seed_and_step(kind: str):
    x = np.zeros((500, 1))

    def numbers(**more: Any) -> np.ndarray:
        return random(kind, 0.0, 1.0, **more).forward([x])

    first = numbers(seed=1, step=1)
    np.testing.assert_array_equal(numbers(seed=1, step=1), first)
    np.testing.assert_array_equal(numbers(seed=1, step=1, training=False), first)
    assert not np.isclose(numbers(seed=2, step=1), first).all()
    assert not np.isclose(numbers(seed=1, step=2), first).all()
    own = numbers(seed=1, step=1, of_layer=7)
    np.testing.assert_array_equal(numbers(seed=2, step=1, of_layer=7), own)


# Orders.


@pytest.mark.parametrize("kind", ["cumsum", "cumprod"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_running_sums_and_products(kind: str, axis: int):
    x = drawn(3, 2, 3, 4)
    x[0, 0, 1] = x[1, 1, 2, 2] = 0  # what a derivative by division would not survive
    run = PlanBench([(2, 3, 4)], lambda plan, s, _: plan.add_scan(kind, s[0], axis, layer=""))
    tolerances.close(run.forward([x]), getattr(np, kind)(x, axis + 1), tolerances.KERNEL_FLOAT64)
    run.check_derivatives([x])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [1, 2, 7, 64, 100])
@pytest.mark.parametrize("descending", [False, True])
def test_sorting(width: int, descending: bool, dtype: str):
    x = np.round(drawn(4, 2, width) * 3).astype(dtype)  # with equals
    for which, k in itertools.product((0, 1), (None, (width + 1) // 2)):
        run = PlanBench(
            [(2, width)],
            lambda plan, s, _, k=k, which=which: plan.add_sort(s[0], layer="", k=k, descending=descending)[which],
            dtype=dtype,
            n=4,
        )
        order = np.argsort(-x if descending else x, axis=-1, kind="stable")[..., :k]
        expected = order if which else np.take_along_axis(x, order, -1)
        np.testing.assert_array_equal(run.forward([x]), expected)


def test_sorting_puts_nan_last_or_first():
    x = np.array([[np.nan, 1.0, np.nan, -np.inf, np.inf]])
    for descending, expected in ((False, [3, 1, 4, 0, 2]), (True, [0, 2, 4, 1, 3])):
        run = PlanBench([(5,)], lambda plan, s, _, d=descending: plan.add_sort(s[0], layer="", descending=d)[1], n=1)
        assert run.forward([x]).tolist() == [expected]


def test_derivatives_of_the_largest():
    run = PlanBench([(2, 6)], lambda plan, s, _: plan.add_sort(s[0], layer="", k=3, descending=True)[0])
    run.check_derivatives([drawn(3, 2, 6)])


def test_inputs_of_the_network_are_picked_from_where_they_stand():
    # Buffers have gaps between rows of 6 numbers; arrays that a prediction reads have none.
    x = np.arange(48.0).reshape(2, 4, 6)
    numbers = np.array([[5.0, -1.0], [0.0, 3.0]])
    plan = NetworkPlan()
    source, places = plan.add_input((4, 6)), plan.add_input((2,))
    picked = np.arange(24).reshape(4, 6)[::-1, ::2]
    plan.outputs += [
        plan.add_selection(source, picked, (4, 3), layer="slice"),
        plan.add_gather(source, places, 1, layer="take"),
    ]
    outputs = [np.empty((2, 4, 3)), np.empty((2, 4, 2))]
    bound_network(plan, "float64").predict([x, numbers], outputs)
    np.testing.assert_array_equal(outputs[0], x[:, ::-1, ::2])
    np.testing.assert_array_equal(outputs[1][0], x[0][:, [5, 5]])
    np.testing.assert_array_equal(outputs[1][1], x[1][:, [0, 3]])
