"""Functions of `ops` in PyTorch: what it makes of them is what they give here."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import cnn_core.random
from cnn_core import Input, Model, Sequential, layers, ops
from cnn_core.interop import from_torch, to_torch
from ops_cases import CASES
from random_expressions import random_expressions, rows_for

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.doors
TOLERANCES = {"float32": 3e-5, "float64": 1e-11}


def check(model: Model, arrays: list[Any]) -> None:
    """Compare what a model, its module and what comes back of it compute."""
    given = arrays if len(arrays) > 1 else arrays[0]
    ours, module = listed(model(given)), to_torch(model)
    close(ours, [each.detach().numpy() for each in listed(module(*map(torch.from_numpy, arrays)))], model.dtype)
    if model.dtype == "float32" or any(each.is_floating_point() for each in module.state_dict().values()):
        again = from_torch(copy.deepcopy(module), [each.shape[1:] for each in arrays])
        close(ours, listed(again(given)), model.dtype)


def listed(made: Any) -> list[Any]:
    return list(made) if isinstance(made, (list, tuple)) else [made]


def close(ours: list[Any], others: list[Any], dtype: str) -> None:
    for one, other in zip(ours, others, strict=True):
        assert (one.shape, one.dtype) == (other.shape, dtype)
        np.testing.assert_allclose(other, one, rtol=TOLERANCES[dtype], atol=TOLERANCES[dtype])


@pytest.mark.parametrize("name", [name for name in CASES if name != "average"])  # whose weights are of float64
def test_every_use(name: str):
    case = CASES[name]
    inputs = [Input(shape) for shape in case.shapes]
    check(Model(inputs, case.function(ops, *inputs)), [each.astype("float32") for each in case.operands()])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_graphs(dtype: str, n_architectures: int):
    for seed in range(n_architectures):
        model = random_expressions(seed, dtype, across=seed % 5 == 0)
        check(model, rows_for(model))


class Gated(layers.Layer):
    """A custom layer with weights, one of them not trained."""

    def build(self, shape: Any) -> None:
        """Make the weights."""
        self.kernel = self.add_weight((shape[-1], shape[-1]), name="kernel")
        self.fixed = self.add_weight((shape[-1],), name="fixed", trainable=False)

    def call(self, x: Any) -> Any:
        return x * ops.sigmoid(ops.matmul(x, self.kernel)) + ops.matmul(x, self.kernel) * (self.fixed + 1.0)


def test_weights_are_parameters_each_once():
    x = Input((3,))
    module = to_torch(
        Model(x, layers.Dense(2, lambda z: z * ops.sigmoid(1.7 * z), name="dense")(Gated(name="gate")(x)))
    )
    trained = {name: parameter.requires_grad for name, parameter in module.named_parameters()}
    assert trained == {"gate_kernel": True, "gate_fixed": False, "dense.weight": True, "dense.bias": True}
    assert sum(parameter.numel() for parameter in module.parameters()) == 9 + 3 + 6 + 2


def test_gradients_are_ours():
    x = Input((3,))
    model = Model(x, ops.sum(ops.square(Gated()(x)), axis=-1, keepdims=True))
    rows = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
    model.compile("sgd", "mse")
    module = to_torch(model)
    loss = torch.nn.functional.mse_loss(module(torch.from_numpy(rows)), torch.ones(6, 1))
    loss.backward()
    before = model.get_weights()[0]
    model.fit(rows, np.ones((6, 1)), batch_size=6, epochs=1, verbose=0)
    kernel = next(each for each in module.parameters() if each.shape == (3, 3))
    np.testing.assert_allclose((before - model.get_weights()[0]) / 0.01, kernel.grad.numpy(), rtol=1e-3, atol=1e-5)


class Noisy(layers.Layer):
    """Noise in prediction, too."""

    def call(self, x: Any) -> Any:
        return x + cnn_core.random.uniform(ops.shape(x))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda x: ops.argmax(x, axis=(1, 2)),
            r"'argmax\w*' \(Argmax\) cannot be carried to PyTorch: .* one axis",
        ),
        (Noisy(), r"operation 'random\w*' \(Random\) .*: it draws random numbers in prediction"),
        (layers.Lambda(np.sin, name="waves"), r"layer 'waves' \(Lambda\) .*: its function computes with NumPy"),
    ],
)
def test_what_cannot_go_out_is_named(make: Any, message: str):
    x = Input((2, 3))
    with pytest.raises(ValueError, match=message):
        to_torch(Model(x, make(x)))


def test_lambdas_and_activations_that_are_functions():
    rows = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    chain = [layers.Lambda(lambda x: x[:, ::-1] ** 2), layers.Activation(lambda z: ops.where(z > 1, z, ops.expm1(z)))]
    check(Sequential([Input((3,)), *chain]), [rows])
