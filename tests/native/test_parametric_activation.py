"""src/operations/parametric_activation.pxd: x + alpha (g(x) - x) against the oracle and central differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core._core as _core
import reference
import tolerances
from cnn_core import activations
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable


def block_of(alpha: np.ndarray, name: str, n: int) -> tuple[Any, np.ndarray]:
    """Return a block of this operation alone, and where the gradient of alpha goes."""
    width, dtype = len(alpha), str(alpha.dtype)
    plan = NetworkPlan()
    source, factor = plan.add_input((width,)), Variable(alpha, name="alpha")
    activation = activations.get(name)
    plan.outputs = [
        plan.add("parametric_activation", [source], (width,), layer="", variables=[factor], activation=activation)
    ]
    gradient = np.full(width, np.nan, dtype)
    network = _core.Network(dtype, plan)
    network.bind([alpha], [gradient])
    return _core.Block(network, n), gradient


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["selu", "mish", "tanh", "linear"])
@pytest.mark.parametrize(("n", "width"), [(1, 1), (3, 7), (8, 8), (5, 17), (0, 3)])
def test_forward_and_backward(dtype: str, name: str, n: int, width: int):
    generator = np.random.default_rng(0)
    alpha = generator.normal(1, 0.5, width).astype(dtype)
    x, dy = (generator.normal(size=(n, width)).astype(dtype) for _ in range(2))
    block, gradient = block_of(alpha, name, n)
    exact = x.astype(np.float64), alpha.astype(np.float64), name
    (y,) = block.forward([x])
    tolerances.close(y, reference.parametric_activation_forward(*exact), tolerances.kernel(dtype), "y")
    (dx,) = block.backward([dy])
    expected_dx, expected_dalpha = reference.parametric_activation_backward(dy.astype(np.float64), *exact)
    tolerances.close(dx, expected_dx, tolerances.kernel(dtype), "dx")
    tolerances.close(gradient, expected_dalpha, 10 * tolerances.kernel(dtype), "dalpha")


@pytest.mark.parametrize("name", ["selu", "mish"])
def test_derivatives_by_central_differences(name: str):
    generator = np.random.default_rng(1)
    alpha, x, dy = generator.normal(size=5), generator.normal(size=(4, 5)), generator.normal(size=(4, 5))
    block, gradient = block_of(alpha, name, 4)

    def value() -> float:
        return float(np.sum(block.forward([x])[0] * dy))

    value()
    (dx,) = block.backward([dy])
    for actual, tensor in ((dx, x), (gradient.copy(), alpha)):
        numeric = reference.central_differences(value, tensor, tolerances.DIFFERENCE_STEP)
        tolerances.close(actual, numeric, tolerances.GRADIENT_CHECK)


def test_alpha_zero_passes_everything_and_one_is_the_activation():
    x = np.linspace(-2, 2, 12).reshape(3, 4)
    np.testing.assert_array_equal(block_of(np.zeros(4), "selu", 3)[0].forward([x])[0], x)
    tolerances.close(
        block_of(np.ones(4), "selu", 3)[0].forward([x])[0], reference.activate("selu", x), tolerances.KERNEL_FLOAT64
    )


def test_a_row_wise_activation_is_refused():
    with pytest.raises(ValueError, match="cannot apply activation"):
        block_of(np.ones(3), "softmax", 2)
