"""src/operations/nearness.pxd: how near rows are to centres, against the oracle; derivatives by central differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core._core as _core
import reference
import tolerances
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable


class Nearness:
    """The operation by itself with drawn parameters; `gradients` are filled by its backward pass."""

    def __init__(self, n_features: int, n_centers: int, n: int, dtype: str, several: bool = False) -> None:
        generator = np.random.default_rng(n_features + n_centers)
        self.tensors = [
            generator.normal(size=(n_features, n_centers)).astype(dtype),
            generator.uniform(0.5, 2, n_features).astype(dtype),
        ]
        self.gradients = [np.full_like(tensor, np.nan) for tensor in self.tensors]
        self.network = _core.Network(dtype, planned(self.tensors, n_features, n_centers, 2 if several else 1))
        self.network.bind(self.tensors, self.gradients)
        self.block: Any = _core.Block(self.network, n)

    def exact(self) -> list[np.ndarray]:
        return [tensor.astype(np.float64) for tensor in self.tensors]


def planned(tensors: list[np.ndarray], n_features: int, n_centers: int, count: int = 1) -> NetworkPlan:
    variables = [Variable(tensor, name="part", path=f"part_{number}") for number, tensor in enumerate(tensors)]
    plan = NetworkPlan()
    source = plan.add_input((n_features,))
    plan.outputs = [plan.add("nearness", [source], (n_centers,), layer="", variables=variables) for _ in range(count)]
    return plan


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("n_features", "n_centers"), [(1, 1), (3, 16), (5, 7), (40, 33)])
@pytest.mark.parametrize("n", [1, 9, 40])
def test_forward_and_backward(dtype: str, n_features: int, n_centers: int, n: int):
    operation = Nearness(n_features, n_centers, n, dtype)
    generator = np.random.default_rng(0)
    x = generator.normal(size=(n, n_features)).astype(dtype)
    dy = generator.normal(size=(n, n_centers)).astype(dtype)
    (y,) = operation.block.forward([x])
    exact = x.astype(np.float64)
    tolerances.close(y, reference.nearness_forward(exact, *operation.exact()), tolerances.kernel(dtype), "y")
    (dx,) = operation.block.backward([dy])
    expected = reference.nearness_backward(dy.astype(np.float64), exact, *operation.exact())
    for name, actual, desired in zip(("dx", "dc", "da"), [dx, *operation.gradients], expected, strict=True):
        tolerances.close(actual, desired, 10 * tolerances.kernel(dtype), name)


def test_derivatives_by_central_differences():
    operation = Nearness(3, 4, 5, "float64")
    generator = np.random.default_rng(2)
    x, dy = generator.normal(size=(5, 3)), generator.normal(size=(5, 4))

    def value() -> float:
        return float(np.sum(operation.block.forward([x])[0] * dy))

    value()
    (dx,) = operation.block.backward([dy])
    gradients = [dx, *(gradient.copy() for gradient in operation.gradients)]
    for actual, tensor in zip(gradients, [x, *operation.tensors], strict=True):
        numeric = reference.central_differences(value, tensor, tolerances.DIFFERENCE_STEP)
        tolerances.close(actual, numeric, tolerances.GRADIENT_CHECK)


def test_gradients_of_shared_parameters_and_input_are_summed():
    once, twice = Nearness(2, 3, 4, "float64"), Nearness(2, 3, 4, "float64", several=True)
    generator = np.random.default_rng(3)
    x, first, second = generator.normal(size=(4, 2)), generator.normal(size=(4, 3)), generator.normal(size=(4, 3))
    once.block.forward([x])
    (dx,) = once.block.backward([first + second])
    twice.block.forward([x])
    (dx_of_both,) = twice.block.backward([first, second])
    for actual, desired in zip([dx_of_both, *twice.gradients], [dx, *once.gradients], strict=True):
        tolerances.close(actual, desired, 10 * tolerances.KERNEL_FLOAT64)


def test_a_row_that_is_a_center_is_nearest_to_it_and_its_slope_is_0():
    operation = Nearness(3, 4, 4, "float64")
    x = np.ascontiguousarray(operation.tensors[0].T)
    (y,) = operation.block.forward([x])
    np.testing.assert_array_equal(y.argmax(axis=1), np.arange(4))
    np.testing.assert_array_equal(np.diag(y), 0)
    (dx,) = operation.block.backward([np.eye(4)])
    np.testing.assert_array_equal(dx, 0)


def test_numbers_that_are_none_stay_so():
    operation = Nearness(2, 3, 1, "float32")
    (y,) = operation.block.forward([np.array([[np.nan, 1]], np.float32)])
    assert np.isnan(y).all()


@pytest.mark.parametrize("shapes", [[(3, 4), (2,)], [(3, 5), (3,)], [(2, 4), (3,)]])
def test_sizes_that_do_not_fit_are_refused(shapes: list[tuple[int, ...]]):
    with pytest.raises(ValueError, match="do not fit"):
        _core.Network("float64", planned([np.zeros(shape) for shape in shapes], 3, 4))
