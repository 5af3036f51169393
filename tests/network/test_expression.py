"""Expressions against NumPy, their derivatives by central differences, on every size of tile."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_core._core as _core
import reference
import tolerances
from cnn_core.activations import gelu
from cnn_core.network.expression import MOST_VALUES, Expression, Instruction, Operand, encode
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable
from expression_cases import FLAT, FUNCTIONS, Bench, drawn, evaluated

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.5, 1e-30, 3e38, -3e38, np.inf, -np.inf, np.nan]


def alone(name: str, shape: tuple[int, ...], dtype: str = "float64", n: int = 3) -> Bench:
    arity = _core.ELEMENTWISE[name]
    return Bench([shape] * arity, shape, [Instruction(name, tuple(range(arity)))], dtype=dtype, n=n)


def test_every_function_has_a_case():
    assert {*FUNCTIONS, *(name for name in _core.ELEMENTWISE if name in _core.ACTIVATIONS)} == set(_core.ELEMENTWISE)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_numpys(name: str, dtype: str):
    generator = np.random.default_rng(1)
    inputs = [drawn(generator, domain, (3, 37)).astype(dtype) for domain in FUNCTIONS[name].domains]
    y = alone(name, (37,), dtype).forward(inputs)
    exact = FUNCTIONS[name].function(*(each.astype(np.float64) for each in inputs))
    tolerances.close(y, exact, tolerances.kernel(dtype), name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_what_is_no_plain_number(name: str, dtype: str):
    """Zeros, huge numbers, infinities and NaN in every combination give what NumPy gives."""
    grids = np.meshgrid(*[SPECIAL] * _core.ELEMENTWISE[name])
    inputs = [grid.reshape(1, -1).astype(dtype) for grid in grids]
    y = alone(name, inputs[0].shape[1:], dtype, n=1).forward(inputs)
    with np.errstate(all="ignore"):
        expected = np.asarray(FUNCTIONS[name].function(*inputs), np.float64)
    np.testing.assert_allclose(y, expected, rtol=tolerances.kernel(dtype), atol=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["erf", "expm1", "log1p", "log", "exp", "rsqrt", "sin", "cos"])
def test_functions_are_right_to_four_units_in_the_last_place(name: str, dtype: str):
    """Near zero too, where a formula that cancels would show."""
    generator = np.random.default_rng(7)
    x = np.concatenate(
        [generator.uniform(0, 5, 4000), generator.uniform(0.4, 0.6, 4000), 10.0 ** generator.uniform(-20, 0, 4000)]
    )
    if FUNCTIONS[name].domains[0][0] == -3:
        x = np.concatenate([x, -x])
    x = x.astype(dtype)
    exact = getattr(math, name, lambda each: each**-0.5)
    expected = np.array([exact(float(each)) for each in x])
    y = alone(name, x.shape, dtype, n=1).forward([x.reshape(1, -1)])[0]
    assert (np.abs(y - expected) <= 4 * np.spacing(np.abs(expected).astype(dtype)).astype(np.float64)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_angles_are_right_where_they_are_large_and_near_whole_quarters(name: str, dtype: str):
    generator = np.random.default_rng(8)
    quarters = np.concatenate([np.arange(-3000, 3000), 2.0 ** np.arange(60), [0.0]]) * (np.pi / 2)
    x = np.concatenate([quarters, generator.uniform(-2e6, 2e6, 4000)]).astype(dtype)
    expected = np.array([getattr(math, name)(float(each)) for each in x])
    y = alone(name, x.shape, dtype, n=1).forward([x.reshape(1, -1)])[0]
    assert (np.abs(y - expected) <= 4 * np.spacing(np.abs(expected).astype(dtype)).astype(np.float64)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_element_gives_the_same_bits_wherever_it_stands(name: str, dtype: str):
    """Beside which others, in the body of a vector loop or in its tail."""
    generator = np.random.default_rng(9)
    special = np.array([*SPECIAL, 1e5, 1e20])
    inputs = [
        np.concatenate([drawn(generator, domain, (18,)), np.roll(special, shift)]).astype(dtype)
        for shift, domain in enumerate(FUNCTIONS[name].domains)
    ]
    together = alone(name, (33,), dtype, n=1).forward([each.reshape(1, -1) for each in inputs])[0]
    single = alone(name, (1,), dtype, n=33).forward([each.reshape(-1, 1) for each in inputs])[:, 0]
    turned = alone(name, (33,), dtype, n=1).forward([np.roll(each, 5).reshape(1, -1) for each in inputs])[0]
    np.testing.assert_array_equal(together, single)
    np.testing.assert_array_equal(together, np.roll(turned, -5))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_by_central_differences(name: str):
    generator = np.random.default_rng(2)
    inputs = [drawn(generator, domain, (3, 21)) for domain in FUNCTIONS[name].domains]
    dy = generator.normal(size=(3, 21))
    bench = alone(name, (21,))
    bench.forward(inputs)
    for delta, x in zip(bench.backward(dy), inputs, strict=True):
        numeric = reference.central_differences(
            lambda: float(np.sum(bench.forward(inputs) * dy)), x, tolerances.DIFFERENCE_STEP
        )
        expected = np.zeros_like(x) if name in FLAT else numeric
        tolerances.close(delta, expected, tolerances.GRADIENT_CHECK, name)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_equals_share_the_derivative(name: str):
    bench = alone(name, (2,), n=1)
    bench.forward([np.array([[1.0, 2.0]])] * 2)
    assert [delta.tolist() for delta in bench.backward(np.array([[3.0, 4.0]]))] == [[[1.5, 2.0]]] * 2


def test_derivatives_where_a_bound_is_reached_or_a_factor_is_none():
    bench = Bench([(3,)], (3,), [Instruction("clip", (0, 1, 2))], constants=(-1.0, 1.0), n=1)
    bench.forward([np.array([[-1.0, 1.0, 1.5]])])
    assert bench.backward(np.ones((1, 3)))[0].tolist() == [[1, 1, 0]]
    bench = Bench([(2,)], (2,), [Instruction("power", (0, 1))], constants=(0.0,), n=1)
    bench.forward([np.array([[0.0, 2.0]])])
    assert bench.backward(np.ones((1, 2)))[0].tolist() == [[0, 0]]
    bench = Bench([(2,)], (2,), [Instruction("log", (0,)), Instruction("where", (1, 3, 2))], constants=(0.0, 5.0), n=1)
    assert bench.forward([np.array([[0.0, 2.0]])]).tolist() == [[5, 5]]
    assert bench.backward(np.full((1, 2), np.inf))[0].tolist() != [[1, 1]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [1, 3, 16, 17, 48, 100, 256, 1500])
def test_an_activation_gives_the_bits_of_its_layer(width: int, dtype: str):
    x = np.random.default_rng(3).normal(size=(4, width)).astype(dtype)
    bench = Bench([(width,)], (width,), [Instruction("gelu", (0,))], dtype=dtype, n=4)
    plan = NetworkPlan()
    plan.outputs = [plan.add_activation(plan.add_input((width,)), gelu, "gelu")]
    network = _core.Network(dtype, plan)
    network.bind([], [])
    block = _core.Block(network, 4)
    np.testing.assert_array_equal(bench.forward([x]), block.forward([x])[0])
    np.testing.assert_array_equal(bench.backward(x)[0], block.backward([x.copy()])[0])


def test_an_activation_has_its_parameters():
    bench = Bench([(2,)], (2,), [Instruction("relu", (0,), (0.25, np.inf, 0.0))], n=1)
    assert bench.forward([np.array([[-1.0, 1.0]])]).tolist() == [[-0.25, 1]]
    assert bench.backward(np.ones((1, 2)))[0].tolist() == [[0.25, 1]]


SHAPES = [
    ((5,), (5,), (1,)),
    ((1,), (7,), ()),
    ((3, 5), (5,), (3, 1)),
    ((3, 40), (1, 40), (40,)),
    ((2, 3, 17), (3, 1), (2, 1, 17)),
    ((2, 1, 4, 3), (5, 1, 3), (1, 4, 1)),
    ((4, 700), (4, 1), (700,)),
    ((1, 1, 1), (1,), (1, 1)),
    ((2, 0), (0,), (2, 1)),
    ((0, 3), (3,), (1, 3)),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("n", [1, 4])
def test_operands_broadcast(shapes: tuple[tuple[int, ...], ...], dtype: str, n: int):
    """x + y p, with x and y of buffers and p a parameter, and every gradient the sum over what is repeated."""
    generator = np.random.default_rng(4)
    first, second, third = shapes
    x, y, p = generator.normal(size=(n, *first)), generator.normal(size=(n, *second)), generator.normal(size=third)
    x, y, p, shape = x.astype(dtype), y.astype(dtype), p.astype(dtype), np.broadcast_shapes(*shapes)
    instructions = [Instruction("multiply", (1, 2)), Instruction("add", (0, 3))]
    bench = Bench([first, second], shape, instructions, parameters=(p,), dtype=dtype, n=n)
    dy = generator.normal(size=(n, *shape)).astype(dtype)
    rank = len(shape)
    wide = [each.reshape(n, *(1,) * (rank - each.ndim + 1), *each.shape[1:]).astype(np.float64) for each in (x, y)]
    tolerances.close(bench.forward([x, y]), wide[0] + wide[1] * p, tolerances.kernel(dtype), "value")
    deltas = bench.backward(dy)
    for delta, own, product in zip(deltas, wide, (dy, dy * p), strict=True):
        tolerances.close(delta.reshape(own.shape), summed(product, own.shape), 10 * tolerances.kernel(dtype), "delta")
    expected = summed(dy * wide[1], (1,) * (rank + 1 - p.ndim) + p.shape).reshape(p.shape)
    tolerances.close(bench.gradients[0], expected, 10 * tolerances.kernel(dtype), "gradient")


def summed(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum over the axes along which `shape` has 1."""
    axes = tuple(axis for axis, size in enumerate(shape) if size == 1 and array.shape[axis] != 1)
    return array.sum(axes, keepdims=True, dtype=np.float64)


def test_one_buffer_may_be_read_as_several_operands():
    """x + x^T y for x (3, 1) read again as (3, 1) and, summed over, as a factor of each row."""
    plan = NetworkPlan()
    source = plan.add_input((4,))
    operands = (Operand(source, (4,)), Operand(source, (1, 4)))
    expression = Expression(operands, (), (Instruction("multiply", (0, 1)),))
    plan.outputs = [
        plan.add_expression(expression, (1, 4), layer="square"),
        plan.add_expression(expression, (1, 4), layer=""),
    ]
    network = _core.Network("float64", plan)
    network.bind([], [])
    block = _core.Block(network, 2)
    x = np.arange(8.0).reshape(2, 4)
    np.testing.assert_array_equal(block.forward([x])[0].reshape(2, 4), x * x)
    np.testing.assert_array_equal(block.backward([np.ones((2, 4)), 2 * np.ones((2, 4))])[0], 6 * x)


def test_an_expression_of_parameters_alone_is_the_same_for_every_sample():
    plan = NetworkPlan()
    plan.add_input((1,))
    variable = Variable(np.array([1.0, 2.0]), name="p")
    expression = Expression((Operand(variable, (2,)),), (), (Instruction("square", (0,)),))
    plan.outputs = [plan.add_expression(expression, (2,), layer="square")]
    network, gradient = _core.Network("float64", plan), np.full(2, np.nan)
    network.bind([variable.array], [gradient])
    block = _core.Block(network, 4)
    assert block.forward([np.zeros((4, 1))])[0].tolist() == [[1, 4]] * 4
    assert block.backward([np.arange(8.0).reshape(4, 2)])[0].tolist() == [[0]] * 4
    assert gradient.tolist() == [2 * 12, 4 * 16]


def test_a_parameter_without_gradient_and_a_value_that_passes_none_on():
    """stop_gradient(x) p: the delta of x is 0, and p, which is not trained, has no gradient to fill."""
    plan = NetworkPlan()
    source, variable = plan.add_input((2,)), Variable(np.array([3.0, 5.0]), name="p")
    operands = (Operand(source, (2,)), Operand(variable, (2,)))
    instructions = (Instruction("stop_gradient", (0,)), Instruction("multiply", (2, 1)))
    plan.outputs = [plan.add_expression(Expression(operands, (), instructions), (2,), layer="")]
    network = _core.Network("float64", plan)
    network.bind([variable.array], [None])
    block = _core.Block(network, 1)
    assert block.forward([np.array([[1.0, 2.0]])])[0].tolist() == [[3, 10]]
    assert block.backward([np.ones((1, 2))])[0].tolist() == [[0, 0]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_prediction_in_blocks_agrees_with_the_whole(dtype: str):
    instructions = [Instruction("tanh", (0,)), Instruction("multiply", (1, 1)), Instruction("add", (2, 3))]
    bench = Bench([(5, 3), (3,)], (5, 3), instructions, dtype=dtype, n=2000)
    generator = np.random.default_rng(5)
    inputs = [generator.normal(size=(2000, *shape)).astype(dtype) for shape in bench.shapes]
    out = np.empty((2000, 5, 3), dtype)
    bench.network.predict(inputs, [out])
    np.testing.assert_array_equal(out, bench.forward(inputs))


# Random expressions.

ONE = ["negative", "abs", "square", "expm1", "sin", "erf", "arctan", "sign", "floor"]
TWO = ["add", "subtract", "multiply", "maximum", "minimum", "greater", "logaddexp"]
SHAPE = (2, 3, 5)


@st.composite
def expressions(draw: st.DrawFn) -> tuple[list[Instruction], list[np.ndarray], tuple[float, ...]]:
    """Up to 30 instructions on operands that are repeated here and there, kept between -4 and 4 on the way."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shapes = draw(st.lists(st.sampled_from([SHAPE, (5,), (1,), (3, 1), (2, 1, 5), (2, 3, 1)]), min_size=1, max_size=4))
    operands = [generator.normal(size=(2, *shape)) for shape in [SHAPE, *shapes]]
    wide = [each.reshape(2, *(1,) * (4 - each.ndim), *each.shape[1:]) for each in operands]
    constants, length = (0.5, -1.5), draw(st.integers(2, 30))
    instructions = [Instruction("identity", (0,))]
    values = [*wide, *map(np.asarray, constants), wide[0]]
    while len(instructions) < length:
        name = "arctan" if np.abs(values[-1]).max() > 4 else draw(st.sampled_from(ONE + TWO))
        read = [len(values) - 1]
        if name in TWO:
            read.insert(draw(st.integers(0, 1)), draw(st.integers(0, len(values) - 1)))
        instructions.append(Instruction(name, tuple(read)))
        values.append(evaluated([Instruction(name, tuple(range(len(read))))], [values[i] for i in read], ()))
    return instructions, operands, constants


@given(expressions())
def test_random_expressions(drawn_expression: tuple[list[Instruction], list[np.ndarray], tuple[float, ...]]):
    instructions, operands, constants = drawn_expression
    wide = [each.reshape(2, *(1,) * (4 - each.ndim), *each.shape[1:]) for each in operands]
    shapes = [each.shape[1:] for each in operands]
    single = Bench(shapes, SHAPE, instructions, constants=constants, dtype="float32", n=2)
    assert np.isfinite(single.forward(operands)).all()
    bench = Bench(shapes, SHAPE, instructions, constants=constants, n=2)
    tolerances.close(bench.forward(operands), evaluated(instructions, wide, constants), 10 * tolerances.KERNEL_FLOAT64)
    dy = np.random.default_rng(0).normal(size=(2, *SHAPE))
    for delta, x in zip(bench.backward(dy), operands, strict=True):
        numeric = reference.central_differences(
            lambda: float(np.sum(bench.forward(operands) * dy)), x, tolerances.DIFFERENCE_STEP
        )
        scale = max(1.0, float(np.abs(numeric).max()))
        np.testing.assert_allclose(delta, numeric, rtol=0, atol=10 * tolerances.GRADIENT_CHECK * scale)


# What is refused.

X = Operand(0, (3,))


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        (Expression((X,), (), ()), "1 instruction at least"),
        (Expression((X,), (), (Instruction("square", (0,)),) * MOST_VALUES), "values at most"),
        (Expression((X,), (), (Instruction("cube", (0,)),)), "no elementwise function 'cube'"),
        (Expression((X,), (), (Instruction("add", (0,)),)), "must have 2 operand"),
        (Expression((X,), (), (Instruction("square", (1,)),)), "computed before it"),
        (Expression((Operand(0, (2,)),), (), (Instruction("square", (0,)),)), "does not broadcast"),
        (Expression((Operand(0, (1,)),), (), (Instruction("square", (0,)),)), "cannot be read from a buffer"),
    ],
)
def test_what_cannot_be_run_is_refused(expression: Expression, words: str):
    with pytest.raises(ValueError, match=words):
        encode(expression, [(3,)], (3,))


def test_more_parameters_than_an_operation_has_are_refused():
    variables = [Variable(np.zeros(3), name="p", path=f"p_{i}") for i in range(7)]
    operands = tuple(Operand(variable, (3,)) for variable in variables)
    with pytest.raises(ValueError, match="6 parameters at most"):
        encode(Expression(operands, (), (Instruction("square", (0,)),)), [], (3,))


@given(st.lists(st.integers(-3, 40), min_size=0, max_size=30))
def test_native_code_refuses_numbers_that_lead_outside(numbers: list[int]):
    """Whatever stands in a plan: it fits or it is refused, and nothing is read out of bounds."""
    plan = NetworkPlan()
    source = plan.add_input((3,))
    plan.outputs = [plan.add("expression", [source], (3,), layer="", numbers=numbers)]
    with pytest.raises(ValueError, match="do not fit"):
        _core.Network("float64", plan)


@pytest.mark.parametrize("place", range(35))
@pytest.mark.parametrize("value", [-2, 7, 2**40])
def test_native_code_refuses_a_changed_number_or_runs_within_bounds(place: int, value: int):
    plan = NetworkPlan()
    sources = [plan.add_input((3,)), plan.add_input((2, 3))]
    operands = (Operand(sources[0], (3,)), Operand(sources[1], (2, 3)))
    encoded = encode(
        Expression(operands, (1.0,), (Instruction("add", (0, 1)), Instruction("add", (2, 3)))), [(3,), (2, 3)], (2, 3)
    )
    numbers = list(encoded[2])
    numbers[place] = value
    plan.outputs = [plan.add("expression", sources, (2, 3), layer="", numbers=numbers, constants=encoded[3])]
    with contextlib.suppress(ValueError):
        network = _core.Network("float64", plan)
        network.bind([], [])
        block = _core.Block(network, 2)
        assert block.forward([np.ones((2, 3)), np.ones((2, 2, 3))])[0].size == 12
        assert np.isfinite(block.backward([np.ones((2, 6))])[0]).all()
