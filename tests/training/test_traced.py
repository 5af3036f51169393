"""Losses whose formula is a plan against built-in ones, against NumPy, and by central differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cnn_core._core as _core
import reference
import tolerances
from cnn_core.data.dataset import Dataset
from cnn_core.losses.base import description
from cnn_core.network.array_operations import BATCH
from cnn_core.network.expression import Expression, Instruction, Operand
from cnn_core.network.native import bound_network, native_pass, optimizer_over
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable

Build = Callable[[NetworkPlan, int, int], int]


def elementwise(plan: NetworkPlan, first: int, second: int, *names: str) -> int:
    """The first function of both buffers, then the others, one after the other."""
    shape = plan.shapes[second]
    instructions = [Instruction(names[0], (0, 1)), *(Instruction(name, (i + 2,)) for i, name in enumerate(names[1:]))]
    operands = (Operand(first, plan.shapes[first]), Operand(second, shape))
    return plan.add_expression(Expression(operands, (), tuple(instructions)), shape, layer="error")


def squared_error(plan: NetworkPlan, y: int, a: int) -> int:
    """The mean over columns of (y - a)^2, a value for each row"""
    error = elementwise(plan, y, a, "subtract", "square")
    return plan.add_reduction("mean", error, [len(plan.shapes[a]) - 1], layer="mean")


def by_sample(plan: NetworkPlan, y: int, a: int) -> int:
    return plan.add_reduction("mean", elementwise(plan, y, a, "subtract", "square"), [0, 1], layer="mean")


def by_batch(plan: NetworkPlan, y: int, a: int) -> int:
    return plan.add_reduction("mean", elementwise(plan, y, a, "subtract", "square"), [BATCH, 0, 1], layer="mean")


def traced(build: Build, y_shape: tuple[int, ...], a_shape: tuple[int, ...], **more: Any) -> dict[str, Any]:
    plan = NetworkPlan()
    y, a = plan.add_input(y_shape), plan.add_input(a_shape)
    plan.outputs = [build(plan, y, a)]
    return {**description("traced", y_shape[-1], **more), "plan": plan}


class Model:
    """y = x w for rows of a sample, trained on one loss; `run` gives the loss, its gradient and dJ/dx."""

    def __init__(self, rows: int = 1, n_in: int = 4, n_out: int = 3, dtype: str = "float64") -> None:
        generator = np.random.default_rng(0)
        self.plan = NetworkPlan()
        self.kernel = Variable(generator.normal(size=(n_in, n_out)).astype(dtype), name="kernel")
        source = self.plan.add_input((rows, n_in))
        self.output = self.plan.add_product(source, self.kernel, layer="dense")
        self.plan.outputs = [self.output]
        self.rows, self.n_in, self.n_out, self.dtype = rows, n_in, n_out, dtype

    def run(self, x: np.ndarray, y: np.ndarray, loss: dict[str, Any], **more: Any) -> tuple[float, np.ndarray]:
        gradient = np.full(self.kernel.array.size, np.nan, self.dtype)
        network = bound_network(self.plan, self.dtype, gradients=[gradient.reshape(self.kernel.array.shape)])
        weights, order = more.pop("weights", None), more.pop("order", None)
        native = native_pass(
            network,
            Dataset.of_one(x, y, weights),
            losses=[loss],
            optimizer=optimizer_over(self.kernel.array.reshape(-1), gradient),
            batch_size=more.pop("batch_size", len(x)),
            **{"mode": "training", **more},
        )
        native(0, 1, None, 0, order, False)
        return native.last_loss, gradient


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def data(n: int, rows: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    return generator.normal(size=(n, rows, 4)).astype(dtype), generator.normal(size=(n, rows, 3)).astype(dtype)


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
@pytest.mark.parametrize("weighted", [None, "sample", "row"])
def test_a_traced_squared_error_is_the_built_in_one(rows: int, reduction: str, weighted: str | None, dtype: str):
    x, y = data(1000, rows, dtype)
    model, more = Model(rows, dtype=dtype), {"reduction": reduction, "weight": 0.5}
    weights = {None: None, "sample": np.arange(1000) % 3, "row": np.arange(1000 * rows) % 3}[weighted]
    order = np.random.default_rng(2).permutation(1000)
    run = {"weights": None if weights is None else weights.astype(dtype), "order": order, "batch_size": 700}
    value, gradient = model.run(x, y, traced(squared_error, (rows, 3), (rows, 3), **more), **run)
    expected, expected_gradient = model.run(x, y, description("mean_squared_error", 3, **more), **run)
    np.testing.assert_allclose(value, expected, rtol=10 * tolerances.kernel(dtype))
    tolerances.close(gradient, expected_gradient, 10 * tolerances.kernel(dtype))


@pytest.mark.parametrize("build", [by_sample, by_batch])
def test_a_loss_may_give_one_value_a_sample_or_one_a_batch(build: Build, dtype: str):
    x, y = data(1000, 5, dtype)
    model = Model(5, dtype=dtype)
    value, gradient = model.run(x, y, traced(build, (5, 3), (5, 3)))
    expected, expected_gradient = model.run(x, y, description("mean_squared_error", 3))
    np.testing.assert_allclose(value, expected, rtol=10 * tolerances.kernel(dtype))
    tolerances.close(gradient, expected_gradient, 20 * tolerances.kernel(dtype))


def test_what_looks_across_the_batch_sees_all_of_it():
    """The greatest error of the batch, whatever the size of blocks."""
    x, y = data(5000, 1, "float64")
    model = Model()

    def build(plan: NetworkPlan, y: int, a: int) -> int:
        return plan.add_reduction("max", elementwise(plan, y, a, "subtract", "abs"), [BATCH, 0, 1], layer="")

    value, _ = model.run(x, y, traced(build, (1, 3), (1, 3)), mode="evaluation")
    np.testing.assert_allclose(value, np.abs(x @ model.kernel.array - y).max(), rtol=tolerances.KERNEL_FLOAT64)


def test_targets_of_another_shape_and_derivatives_by_central_differences():
    """A quantile loss of two columns a prediction: sum of max(q e, (q - 1) e), with one column of targets."""

    def build(plan: NetworkPlan, y: int, a: int) -> int:
        operands = (Operand(y, (2, 1)), Operand(a, (2, 3)))
        instructions = (
            Instruction("subtract", (0, 1)),
            Instruction("multiply", (4, 2)),
            Instruction("multiply", (4, 3)),
            Instruction("maximum", (5, 6)),
        )
        loss = plan.add_expression(Expression(operands, (0.9, -0.1), instructions), (2, 3), layer="")
        return plan.add_reduction("sum", loss, [1], layer="")

    x, y = data(7, 2, "float64")
    y = y[:, :, :1].copy()
    model, loss = Model(2), traced(build, (2, 1), (2, 3))
    value, gradient = model.run(x, y, loss)
    error = y - x @ model.kernel.array
    np.testing.assert_allclose(value, np.maximum(0.9 * error, -0.1 * error).sum(-1).mean(), rtol=1e-14)
    numeric = reference.central_differences(
        lambda: model.run(x, y, loss)[0], model.kernel.array, tolerances.DIFFERENCE_STEP
    )
    tolerances.close(gradient, numeric.reshape(-1), tolerances.GRADIENT_CHECK)


def test_a_loss_that_does_not_read_the_prediction_has_no_gradient():
    x, y = data(5, 1, "float64")
    value, gradient = Model().run(x, y, traced(lambda plan, y, a: y, (1, 3), (1, 3)))
    np.testing.assert_allclose(value, y.mean(), rtol=tolerances.KERNEL_FLOAT64)
    assert not gradient.any()
    value, _ = Model().run(x, y, traced(lambda plan, y, a: a, (1, 3), (1, 3)))
    np.testing.assert_allclose(value, (x @ Model().kernel.array).mean(), rtol=tolerances.KERNEL_FLOAT64)


def test_a_number_out_of_range_ends_the_run_and_the_pass_goes_on_afterwards():
    def build(plan: NetworkPlan, y: int, a: int) -> int:
        return plan.add_gather(a, y, 1, layer="pick")

    model, (x, _) = Model(), data(4, 1, "float64")
    network = bound_network(model.plan, "float64")
    y = np.array([0.0, 1, 2, 3]).reshape(4, 1, 1)
    native = native_pass(
        network,
        Dataset.of_one(x, y),
        batch_size=4,
        losses=[traced(build, (1, 1), (1, 3))],
    )
    with pytest.raises(ValueError, match="'pick' takes whole numbers from 0 to 2"):
        native(0, 1)
    y[3] = 2
    assert native(0, 1)[0] == "finished"


@pytest.mark.parametrize(
    ("y_shape", "a_shape", "words"),
    [((1, 3), (1, 2), "must read targets of 3 columns"), ((2, 3), (1, 3), "must read targets of 3 columns")],
)
def test_a_plan_that_does_not_fit_the_output_is_refused(y_shape: tuple[int, ...], a_shape: tuple[int, ...], words: str):
    x, y = data(4, 1, "float64")
    with pytest.raises(ValueError, match=words):
        Model().run(x, y, traced(lambda plan, y, a: a, y_shape, a_shape))


def test_a_metric_cannot_average_a_traced_loss():
    x, y = data(4, 1, "float64")
    loss = traced(squared_error, (1, 3), (1, 3))
    metric = {"kind": "loss", "weighted": False, "threshold": 0.0, "loss": loss, "target": 0}
    with pytest.raises(ValueError, match="cannot read the targets"):
        Model().run(x, y, loss, metrics=[metric])


def test_an_added_loss_counts_its_factor_times_the_mean_over_samples():
    x, y = data(6, 1, "float64")
    model = Model()
    squares = model.plan.add_expression(
        Expression((Operand(model.output, (1, 3)),), (), (Instruction("square", (0,)),)), (1, 3), layer=""
    )
    model.plan.add_loss(squares, 0.25, layer="")
    value, gradient = model.run(x, y, description("mean_squared_error", 3), batch_size=6)
    a = x @ model.kernel.array
    np.testing.assert_allclose(value, ((a - y) ** 2).mean() + 0.25 * (a**2).sum() / 6, rtol=tolerances.KERNEL_FLOAT64)
    expected = np.einsum("nri,nro->io", x, 2 * (a - y) / a.size + 0.25 * 2 * a / 6)
    tolerances.close(gradient, expected.reshape(-1), tolerances.KERNEL_FLOAT64)


def test_a_plan_with_one_input_is_no_loss():
    plan = NetworkPlan()
    plan.outputs = [plan.add_input((1, 3))]
    x, y = data(4, 1, "float64")
    with pytest.raises(ValueError, match="reads targets and predictions"):
        Model().run(x, y, {**description("traced", 3), "plan": plan})
    with pytest.raises(ValueError, match="a traced one its plan"):
        Model().run(x, y, description("traced", 3))
    with pytest.raises(ValueError, match="not native"):
        _core.loss_values("traced", y[:, 0], y[:, 0])
