"""Operations on arrays in C: compiled, and compared with the native network."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

import cnn_core._core as core
from c_compiler import compile_library, pointer
from cnn_core.interop.c_arrays import ACTIVATIONS, FORMULAS
from cnn_core.interop.c_network import Network
from cnn_core.interop.c_texts import Constants, prologue
from cnn_core.network.expression import Expression, Instruction, Operand
from cnn_core.network.native import bound_network
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable

RANDOM = np.random.default_rng(2)
ROWS = np.concatenate(
    [RANDOM.normal(size=(20, 24)), 3 * RANDOM.normal(size=(20, 24)), RANDOM.integers(-2, 3, (20, 24))]
)


def library_of(plan, folder):
    """The plan as the function `f` of a library."""
    constants = Constants("float64", "f", "const")
    network = Network(plan, constants)
    (folder / "f.c").write_text(
        f"{prologue(constants, network.body)}\nint f({network.arguments()});\n"
        f"int f({network.arguments()})\n{{\n{network.body}}}\n"
    )
    return compile_library([folder / "f.c"], folder)


def both(plan, inputs, folder):
    """What the native network and the compiled C give."""
    shapes = [plan.shapes[buffer] for buffer in plan.outputs]
    native = [np.empty((len(inputs[0]), *shape)) for shape in shapes]
    bound_network(plan, "float64").predict(list(inputs), native)
    library = library_of(plan, folder)
    compiled = [np.full_like(each, np.nan) for each in native]
    for row in range(len(inputs[0])):
        arguments = [each[row].copy() for each in inputs]
        outputs = [each[row] for each in compiled]
        assert library.f(*map(pointer, [*arguments, *outputs])) == 0
    return native, compiled


def check(plan, inputs, folder):
    native, compiled = both(plan, inputs, folder)
    for one, other in zip(compiled, native, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


def test_every_function_has_a_formula():
    assert set(core.ELEMENTWISE) == {"linear", *ACTIVATIONS, *FORMULAS}


@pytest.mark.parametrize("arity", [1, 2, 3])
def test_every_function_also_for_special_numbers(arity, tmp_path):
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, 2.5, -1.5, 3.5, -2.0])
    grid = np.stack(np.meshgrid(*[special] * arity), axis=-1).reshape(-1, arity)
    names = [name for name, n in core.ELEMENTWISE.items() if n == arity and name not in ACTIVATIONS]
    plan = NetworkPlan()
    inputs = [plan.add_input((1,)) for _ in range(arity)]
    operands = tuple(Operand(buffer, (1,)) for buffer in inputs)
    for name in names:
        expression = Expression(operands, (), (Instruction(name, tuple(range(arity))),))
        plan.outputs.append(plan.add_expression(expression, (1,), layer=name))
    native, compiled = both(plan, [grid[:, [n]] for n in range(arity)], tmp_path)
    for name, one, other in zip(names, compiled, native, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-300, err_msg=name)


def test_operands_are_repeated_along_any_axes(tmp_path):
    plan = NetworkPlan()
    x = plan.add_input((2, 3, 4))
    parts = [plan.add_selection(x, np.arange(size), shape, layer="part") for size, shape in
             ((3, (3, 1)), (8, (2, 1, 4)), (1, (1,)), (4, (4,)))]  # fmt: skip
    variable = Variable(RANDOM.normal(size=(2, 1, 1)), name="w", path="layer/w")
    operands = [
        Operand(x, (2, 3, 4)),
        *(Operand(part, plan.shapes[part]) for part in parts),
        Operand(variable, (2, 1, 1)),
    ]
    instructions = [Instruction("multiply", (0, 1)), Instruction("add", (8, 2)), Instruction("divide", (9, 6)),
                    Instruction("subtract", (10, 3)), Instruction("maximum", (11, 4)), Instruction("gelu", (12,)),
                    Instruction("relu", (13,), (0.1, 2.0, 0.5)), Instruction("where", (5, 14, 7))]  # fmt: skip
    expression = Expression(tuple(operands), (-2.5, -1.0), tuple(instructions))
    plan.outputs.append(plan.add_expression(expression, (2, 3, 4), layer="all"))
    check(plan, [ROWS.reshape(-1, 2, 3, 4)], tmp_path)


@pytest.mark.parametrize("kind", list(core.AGGREGATES))
def test_reductions(kind, tmp_path):
    plan = NetworkPlan()
    x = plan.add_input((2, 3, 4))
    for axes in ([0], [1], [2], [0, 2], [1, 2], [0, 1, 2]):
        plan.outputs.append(plan.add_reduction(kind, x, axes, layer="r"))
    check(plan, [ROWS.reshape(-1, 2, 3, 4)], tmp_path)


def test_selections_products_scans_orders_and_constants(tmp_path):
    plan = NetworkPlan()
    x = plan.add_input((4, 6))
    y = plan.add_selection(x, np.arange(24).reshape(4, 6)[::-1, ::2], (4, 3), layer="slice")
    turned = plan.add_transposition(x, [1, 0], layer="t")
    values, numbers = plan.add_sort(x, layer="sort", k=3, descending=True)
    plan.outputs += [
        y,
        plan.add_matmul(turned, y, layer="matmul"),
        plan.add_scan("cumsum", x, 0, layer="sum"),
        plan.add_scan("cumprod", x, 1, layer="product"),
        values,
        numbers,
        plan.add_gather(x, numbers, 1, layer="along", along=True),
        plan.add_constant(RANDOM.normal(size=(2, 2)), layer="constant"),
        plan.add_choice(plan.add_random("normal", (4, 6), [0, 1], layer="noise"), x, layer="choice"),
    ]
    plan.next_seed = None
    check(plan, [ROWS.reshape(-1, 4, 6)], tmp_path)


def test_numbers_outside_are_reported(tmp_path):
    plan = NetworkPlan()
    x, numbers = plan.add_input((3,)), plan.add_input((2,))
    plan.outputs.append(plan.add_gather(x, numbers, 0, layer="take"))
    library = library_of(plan, tmp_path)
    y = np.empty(2)
    for given, result, wanted in (([0, -1], 0, [10, 12]), ([3, 1], 1, [0, 11]), ([np.nan, -4], 1, [0, 0])):
        arguments = map(pointer, (np.array([10.0, 11, 12]), np.array(given, float), y))
        assert library.f(*arguments) == result
        assert y.tolist() == wanted
    assert isinstance(library, ctypes.CDLL)


def test_what_is_refused():
    plan = NetworkPlan()
    x = plan.add_input((3,))
    plan.outputs.append(plan.add_reduction("mean", x, [-1], layer="over_batch"))
    with pytest.raises(ValueError, match="layer 'over_batch' cannot be carried to C: it looks across the samples"):
        Network(plan, Constants("float32", "f", "const"))
    plan = NetworkPlan()
    plan.outputs.append(plan.add_random("normal", (3,), [0, 1], layer="noise"))
    with pytest.raises(ValueError, match="layer 'noise' cannot be carried to C: it draws random numbers"):
        Network(plan, Constants("float32", "f", "const"))
