"""src/operations/scale.pxd: dense layers with a factor for every input, against the oracle and plain dense layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core._core as _core
import reference
import tolerances
from cnn_core import activations
from cnn_core.data.rows import SparseRows
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable


class ScaledDense:
    """The operation by itself, once or twice with the same parameters."""

    def __init__(self, n_in: int, n_out: int, n: int, dtype: str, times: int = 1, trained: str = "wbs") -> None:
        generator = np.random.default_rng(n_in + n_out)
        shapes = {"w": (n_in, n_out), "b": (n_out,), "s": (n_in,)}
        self.tensors = {name: generator.normal(size=shape).astype(dtype) for name, shape in shapes.items()}
        self.gradients = {name: np.full(shape, np.nan, dtype) for name, shape in shapes.items()}
        variables = [Variable(tensor, name=name) for name, tensor in self.tensors.items()]
        plan = NetworkPlan()
        source, tanh = plan.add_input((n_in,)), activations.get("tanh")
        plan.outputs = [
            plan.add("dense", [source], (n_out,), layer="", variables=variables, activation=tanh) for _ in range(times)
        ]
        self.network = _core.Network(dtype, plan)
        gradients = [self.gradients[name] if name in trained else None for name in shapes]
        self.network.bind(list(self.tensors.values()), gradients)
        self.block: Any = _core.Block(self.network, n)

    def expected(self, x: np.ndarray, da: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the output, and all derivatives by the chain rule in the order of the formula."""
        w, b, s = (tensor.astype(np.float64) for tensor in self.tensors.values())
        z = (x * s) @ w + b
        delta = reference.activation_backward("tanh", da, z)
        d_scaled = delta @ w.T
        gradients = {"w": (x * s).T @ delta, "b": delta.sum(axis=0), "s": (d_scaled * x).sum(axis=0)}
        return np.tanh(z), {**gradients, "x": d_scaled * s}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("n_in", "n_out"), [(1, 1), (3, 8), (9, 17), (40, 33)])
@pytest.mark.parametrize("n", [1, 7, 40])
def test_forward_and_backward(dtype: str, n_in: int, n_out: int, n: int):
    layer = ScaledDense(n_in, n_out, n, dtype)
    generator = np.random.default_rng(0)
    x, da = generator.normal(size=(n, n_in)).astype(dtype), generator.normal(size=(n, n_out)).astype(dtype)
    a, gradients = layer.expected(x.astype(np.float64), da.astype(np.float64))
    tolerance = 10 * tolerances.kernel(dtype)
    tolerances.close(layer.block.forward([x])[0], a, tolerance, "a")
    (dx,) = layer.block.backward([da])
    for name, actual in {**layer.gradients, "x": dx}.items():
        tolerances.close(actual, gradients[name], tolerance, name)
    out = np.empty((n, n_out), dtype)
    layer.network.predict([x], [out])
    tolerances.close(out, a, tolerance, "prediction")


def test_derivatives_by_central_differences():
    layer = ScaledDense(5, 4, 3, "float64")
    generator = np.random.default_rng(1)
    x, da = generator.normal(size=(3, 5)), generator.normal(size=(3, 4))

    def value() -> float:
        return float(np.sum(layer.block.forward([x])[0] * da))

    value()
    (dx,) = layer.block.backward([da])
    gradients = {name: gradient.copy() for name, gradient in layer.gradients.items()}
    for name, tensor in {**layer.tensors, "x": x}.items():
        numeric = reference.central_differences(value, tensor, tolerances.DIFFERENCE_STEP)
        tolerances.close({**gradients, "x": dx}[name], numeric, tolerances.GRADIENT_CHECK, name)


def test_a_factor_of_zero_has_a_gradient():
    layer = ScaledDense(3, 4, 5, "float64")
    layer.tensors["s"][1] = 0
    x, da = np.ones((5, 3)), np.ones((5, 4))
    layer.block.forward([x])
    layer.block.backward([da])
    tolerances.close(layer.gradients["s"], layer.expected(x, da)[1]["s"], tolerances.KERNEL_FLOAT64)
    assert layer.gradients["s"][1] != 0
    assert not layer.gradients["w"][1].any()


def test_gradients_of_shared_parameters_are_summed():
    once, twice = ScaledDense(3, 4, 5, "float64"), ScaledDense(3, 4, 5, "float64", times=2)
    generator = np.random.default_rng(2)
    x, first, second = generator.normal(size=(5, 3)), generator.normal(size=(5, 4)), generator.normal(size=(5, 4))
    once.block.forward([x])
    once.block.backward([first + second])
    twice.block.forward([x])
    twice.block.backward([first, second])
    for name, gradient in once.gradients.items():
        tolerances.close(twice.gradients[name], gradient, 10 * tolerances.KERNEL_FLOAT64, name)


@pytest.mark.parametrize("trained", ["s", "w", "b", "ws"])
def test_only_what_is_trained_gets_a_gradient(trained: str):
    layer, whole = ScaledDense(3, 4, 5, "float32", trained=trained), ScaledDense(3, 4, 5, "float32")
    generator = np.random.default_rng(3)
    x, da = generator.normal(size=(5, 3)).astype("float32"), generator.normal(size=(5, 4)).astype("float32")
    for each in (layer, whole):
        each.block.forward([x])
        each.block.backward([da])
    for name, gradient in layer.gradients.items():
        if name in trained:
            np.testing.assert_array_equal(gradient, whole.gradients[name])
        else:
            assert np.isnan(gradient).all()


def test_sparse_rows():
    layer = ScaledDense(6, 4, 5, "float64")
    x = np.random.default_rng(4).normal(size=(5, 6)) * (np.random.default_rng(5).random((5, 6)) < 0.4)
    rows, columns = np.nonzero(x)
    indptr = np.searchsorted(rows, np.arange(6)).astype(np.int64)
    out = np.empty((5, 4))
    layer.network.predict([SparseRows(x[rows, columns], columns.astype(np.int32), indptr, 6)], [out])
    tolerances.close(out, layer.expected(x, np.ones((5, 4)))[0], 10 * tolerances.KERNEL_FLOAT64)


def test_factors_of_another_number_are_refused():
    plan = NetworkPlan()
    variables = [Variable(np.zeros(shape), name=name) for name, shape in (("w", (3, 2)), ("b", (2,)), ("s", (2,)))]
    plan.outputs = [plan.add("dense", [plan.add_input((3,))], (2,), layer="", variables=variables)]
    with pytest.raises(ValueError, match="do not fit"):
        _core.Network("float64", plan)
