"""src/operations/members.pxd: members of an ensemble against the oracle, one network after another."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

import cnn_core._core as _core
import reference
import tolerances
from cnn_core import activations
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable

NAMES = ("kernel", "bias", "input_factor", "output_factor")


class Case(NamedTuple):
    """Sizes, whether members have kernels of their own, and which other parameters there are."""

    n: int
    rows: int
    members: int
    n_in: int
    n_out: int
    own: bool
    parts: str

    def tensors(self, generator: np.random.Generator, dtype: str) -> dict[str, np.ndarray]:
        shapes = {
            "kernel": (self.members, self.n_in, self.n_out) if self.own else (self.n_in, self.n_out),
            "bias": (self.members, self.n_out),
            "input_factor": (self.members, self.n_in),
            "output_factor": (self.members, self.n_out),
        }
        wanted = {"kernel", *(name for name in NAMES if name[0] in self.parts)}
        return {name: generator.normal(size=shapes[name]).astype(dtype) for name in NAMES if name in wanted}


CASES = (
    Case(5, 1, 3, 4, 6, False, "bio"),
    Case(5, 3, 3, 4, 6, False, "bio"),
    Case(1, 1, 1, 1, 1, False, "bio"),
    Case(33, 4, 4, 17, 9, False, "i"),
    Case(7, 1, 2, 3, 20, False, "bo"),
    Case(7, 1, 2, 3, 20, False, ""),
    Case(7, 2, 2, 3, 20, False, "b"),
    Case(6, 4, 4, 5, 1, True, "b"),
    Case(6, 1, 4, 5, 3, True, ""),
    Case(0, 1, 2, 3, 4, False, "bio"),
    Case(200, 8, 8, 40, 48, False, "bio"),  # products that threads share
)


def block_of(case: Case, tensors: dict[str, np.ndarray], activation: str = "linear") -> tuple[Any, list[np.ndarray]]:
    """Return a block of this operation alone, and where the gradients go."""
    plan = NetworkPlan()
    source = plan.add_input((case.n_in,) if case.rows == 1 else (case.rows, case.n_in))
    variables = [Variable(tensors[name], name=name) if name in tensors else None for name in NAMES]
    plan.outputs = [
        plan.add(
            "members",
            [source],
            (case.members, case.n_out),
            layer="",
            variables=variables,
            activation=activations.get(activation),
            integers=[case.own],
        )
    ]
    gradients = [np.full(tensor.shape, np.nan, tensor.dtype) for tensor in tensors.values()]
    network = _core.Network(str(tensors["kernel"].dtype), plan)
    network.bind(list(tensors.values()), gradients)
    return _core.Block(network, case.n), gradients


def oracle(case: Case, x: np.ndarray, dy: np.ndarray, tensors: dict[str, np.ndarray]) -> tuple[Any, ...]:
    """Return y, dx and the gradients, each member a dense layer of the reference."""
    exact = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
    gradients = {name: np.zeros_like(tensor) for name, tensor in exact.items()}
    y, dx = np.zeros(dy.shape), np.zeros((len(x), case.rows, case.n_in))
    for member in range(case.members):
        row = member if case.rows > 1 else 0
        r = exact["input_factor"][member] if "input_factor" in exact else np.ones(case.n_in)
        q = exact["output_factor"][member] if "output_factor" in exact else np.ones(case.n_out)
        w = exact["kernel"][member] if case.own else exact["kernel"]
        b = exact["bias"][member] if "bias" in exact else np.zeros(case.n_out)
        scaled = x[:, row].astype(np.float64) * r
        u = reference.dense_forward(scaled, w)
        y[:, member] = u * q + b
        delta = dy[:, member].astype(np.float64)
        d_scaled, dw, _ = reference.dense_backward(delta * q, scaled, w)
        dx[:, row] += d_scaled * r
        own = {
            "bias": delta.sum(axis=0),
            "input_factor": (d_scaled * x[:, row]).sum(axis=0),
            "output_factor": (delta * u).sum(axis=0),
        }
        for name in own.keys() & exact.keys():
            gradients[name][member] = own[name]
        if case.own:
            gradients["kernel"][member] = dw
        else:
            gradients["kernel"] += dw
    return y, dx, gradients


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_every_member_is_a_dense_layer(dtype: str, case: Case):
    generator = np.random.default_rng(0)
    tensors = case.tensors(generator, dtype)
    x = generator.normal(size=(case.n, case.rows, case.n_in)).astype(dtype)
    dy = generator.normal(size=(case.n, case.members, case.n_out)).astype(dtype)
    block, gradients = block_of(case, tensors)
    rows = x.reshape(-1, case.n_in)
    (y,) = block.forward([x[:, 0] if case.rows == 1 else x])
    expected_y, expected_dx, expected = oracle(case, x, dy, tensors)
    tolerances.close(y.reshape(dy.shape), expected_y, 10 * tolerances.kernel(dtype), "y")
    (dx,) = block.backward([dy])
    tolerances.close(dx.reshape(x.shape), expected_dx, 10 * tolerances.kernel(dtype), "dx")
    assert rows.shape == (case.n * case.rows, case.n_in)
    for (name, wanted), found in zip(expected.items(), gradients, strict=True):
        tolerances.close(found, wanted, 100 * tolerances.kernel(dtype), f"d{name}")


@pytest.mark.parametrize("case", [each for each in CASES if 0 < each.n < 10])
def test_derivatives_by_central_differences(case: Case):
    generator = np.random.default_rng(1)
    tensors = case.tensors(generator, "float64")
    shape = (case.n, case.n_in) if case.rows == 1 else (case.n, case.rows, case.n_in)
    x, dy = generator.normal(size=shape), generator.normal(size=(case.n, case.members, case.n_out))
    block, gradients = block_of(case, tensors, "mish")

    def value() -> float:
        return float(np.sum(block.forward([x])[0].reshape(dy.shape) * dy))

    value()
    (dx,) = block.backward([dy.copy()])
    found = [gradient.copy() for gradient in gradients]
    for actual, tensor in ((dx.reshape(x.shape), x), *zip(found, tensors.values(), strict=True)):
        numeric = reference.central_differences(value, tensor, tolerances.DIFFERENCE_STEP)
        tolerances.close(actual, numeric, tolerances.GRADIENT_CHECK)


def test_wrong_sizes_are_refused():
    case = Case(2, 1, 3, 4, 5, False, "bio")
    tensors = case.tensors(np.random.default_rng(0), "float32")
    for name in NAMES:
        wrong = {**tensors, name: tensors[name][:, :-1].copy()}
        with pytest.raises(ValueError, match="members"):
            block_of(case, wrong)
    with pytest.raises(ValueError, match="members"):
        block_of(case._replace(rows=2), tensors)
    own = case._replace(own=True).tensors(np.random.default_rng(0), "float32")
    with pytest.raises(ValueError, match="members"):  # factors beside kernels of their own
        block_of(case._replace(own=True), own)
