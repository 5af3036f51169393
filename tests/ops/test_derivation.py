"""Graphs of expressions: worked by hand, and random ones against differences and against the fused plan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
import tolerances
from cnn_core import inspection, layers, ops


def test_the_graph_of_a_sum_times_a_factor() -> None:
    graph = inspection.expression(lambda a, b, c: (a + b) * c, 5, b=3, c=2)
    assert {name: float(value) for name, value in graph.nodes.items()} == {
        "a": 5, "b": 3, "c": 2, "add": 8, "multiply": 16,
    }  # fmt: skip
    assert {name: float(value) for name, value in graph.gradients.items()} == {
        "a": 2, "b": 2, "c": 8, "add": 2, "multiply": 1,
    }  # fmt: skip
    assert [(edge.source, edge.target, float(edge.gradient)) for edge in graph.edges] == [
        ("a", "add", 2), ("b", "add", 2), ("add", "multiply", 2), ("c", "multiply", 8),
    ]  # fmt: skip


def test_what_comes_back_along_two_edges_adds_up() -> None:
    graph = inspection.expression(lambda a: a * a + a, 3)
    assert float(graph.gradients["a"]) == 7
    assert [float(edge.gradient) for edge in graph.edges if edge.source == "a"] == [3, 3, 1]


def test_matrices() -> None:
    generator = np.random.default_rng(2)
    values = [generator.normal(size=shape) for shape in ((4, 3), (3, 2), (2,), (4, 2))]

    def loss(x: Any, w: Any, b: Any, y: Any) -> Any:
        return ops.mean(ops.square(ops.tanh(x @ w + b) - y))

    graph = inspection.expression(loss, *values)
    assert list(graph.nodes)[4:] == ["matmul", "add", "tanh", "subtract", "square", "mean"]
    for name, value in zip("xwby", values, strict=True):
        numeric = reference.central_differences(lambda: float(loss(*values)), value, tolerances.DIFFERENCE_STEP)
        tolerances.close(graph.gradients[name], numeric, tolerances.GRADIENT_CHECK, name)


def test_several_results_of_one_operation() -> None:
    graph = inspection.expression(lambda x: ops.split(x, 2)[1] * 3, [1.0, 2.0, 3.0, 4.0])
    assert list(graph.nodes) == ["x", "split[0]", "split[1]", "multiply"]
    assert graph.gradients["x"].tolist() == [0, 0, 3, 3]


def test_a_result_that_is_no_expression_is_refused() -> None:
    with pytest.raises(TypeError, match="must return what it computes of its arguments"):
        inspection.expression(lambda a: 3.0, 1.0)


UNARY = ["exp", "tanh", "sigmoid", "square", "sin", "negative", "softplus", "gelu", "erf", "arctan", "absolute"]
BINARY = ["add", "subtract", "multiply", "maximum", "minimum", "logaddexp"]


@st.composite
def programs(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """Draw up to thirty operations, each of earlier values; the first three are the operands."""
    steps: list[tuple[Any, ...]] = []
    for place in range(3, 3 + draw(st.integers(1, 30))):
        earlier = st.integers(0, place - 1)
        kind = draw(st.sampled_from(["unary", "binary", "sum", "scaled", "slice"]))
        if kind == "unary":
            steps.append((draw(st.sampled_from(UNARY)), draw(earlier)))
        elif kind == "binary":
            steps.append((draw(st.sampled_from(BINARY)), draw(earlier), draw(earlier)))
        else:
            steps.append((kind, draw(earlier)))
    return steps


def run(program: list[tuple[Any, ...]], values: list[Any]) -> Any:
    """Run a program; every value is kept small, and has the shape of the operands."""
    values = list(values)
    for name, *places in program:
        operands = [values[place] for place in places]
        if name == "sum":
            values.append(operands[0] - ops.mean(operands[0], axis=-1, keepdims=True))
        elif name == "scaled":
            values.append(0.5 * operands[0] + 1 / (2 + ops.square(operands[0])))
        elif name == "slice":
            values.append(ops.concatenate([operands[0][:, 1:], operands[0][:, :1]], axis=1))
        else:
            values.append(ops.tanh(getattr(ops, name)(*operands)))
    return values[-1] + sum(0.1 * value for value in values[:3])


class Program(layers.Layer):
    def __init__(self, program: list[tuple[Any, ...]]) -> None:
        super().__init__(dtype="float64")
        self.program = program

    def call(self, inputs: Any) -> Any:
        return run(self.program, inputs)


@settings(max_examples=60, deadline=None)
@given(programs())
def test_random_expressions(program: list[tuple[Any, ...]]) -> None:
    """Fused in a plan, operation by operation, and on arrays: the same values, and derivatives as by differences."""
    generator = np.random.default_rng(len(program))
    values = [generator.normal(size=(3, 4)) for _ in range(3)]
    layer = Program(program)
    value, cache = layer.forward(values)
    tolerances.close(value, run(program, values), tolerances.GOLDEN_FLOAT64, "value")
    gradients = layer.backward(np.ones_like(value), cache)[0]
    graph = inspection.expression(lambda a, b, c: run(program, [a, b, c]), *values)
    for name, operand, gradient in zip("abc", values, gradients, strict=True):
        tolerances.close(gradient, graph.gradients[name], tolerances.GOLDEN_FLOAT64, "both ways")
        numeric = reference.central_differences(
            lambda: float(np.sum(run(program, values))), operand, tolerances.DIFFERENCE_STEP
        )
        # A maximum or an absolute value may have its kink within the step, but hardly where numbers are random.
        tolerances.close(gradient, numeric, 10 * tolerances.GRADIENT_CHECK, "differences")


class Backwards(layers.Layer):
    """Reads its last weight first, and one of them not at all."""

    def build(self, shape: Any) -> None:
        """Make three weights of different shapes."""
        self.first, self.unread, self.last = (self.add_weight((size,), "ones") for size in (1, 2, 3))

    def call(self, x: Any) -> Any:
        return x * self.last + self.first


def test_gradients_stand_in_the_order_of_the_weights() -> None:
    layer = Backwards()
    value, cache = layer.forward([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    gradients = layer.backward(np.ones_like(value), cache)[1:]
    assert [each.tolist() for each in gradients] == [[6], [0, 0], [5, 7, 9]]
    assert [each.shape for each in gradients] == [each.shape for each in layer.trainable_variables]
