"""src/operations/periodic.pxd: embeddings of numbers against the oracle; derivatives by central differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_core._core as _core
import reference
import tolerances
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable


class Embedding:
    """The operation by itself with drawn parameters; `gradients` are filled by its backward pass."""

    def __init__(self, n_features: int, n_waves: int, n_out: int, n: int, dtype: str, several: bool = False) -> None:
        generator = np.random.default_rng(n_features + n_waves)
        shapes = [(n_features, n_waves)] * 2 + [(n_features, n_waves, n_out), (n_features, n_out)]
        self.tensors = [generator.normal(size=shape).astype(dtype) for shape in shapes]
        self.gradients = [np.full(shape, np.nan, dtype) for shape in shapes]
        variables = [Variable(tensor, name="part", path=f"part_{number}") for number, tensor in enumerate(self.tensors)]
        plan = NetworkPlan()
        source = plan.add_input((n_features,))
        plan.outputs = [
            plan.add(
                "periodic", [source], (n_features * (n_out + 1),), layer="", variables=variables, integers=[n_waves]
            )
            for _ in range(2 if several else 1)
        ]
        self.network = _core.Network(dtype, plan)
        self.network.bind(self.tensors, self.gradients)
        self.block: Any = _core.Block(self.network, n)

    def exact(self) -> list[np.ndarray]:
        return [tensor.astype(np.float64) for tensor in self.tensors]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("n_features", "n_waves", "n_out"), [(1, 1, 1), (3, 16, 3), (2, 5, 8), (5, 7, 20), (1, 33, 2)])
@pytest.mark.parametrize("n", [1, 9, 40])
def test_forward_and_backward(dtype: str, n_features: int, n_waves: int, n_out: int, n: int):
    embedding = Embedding(n_features, n_waves, n_out, n, dtype)
    generator = np.random.default_rng(0)
    x = generator.normal(size=(n, n_features)).astype(dtype)
    dy = generator.normal(size=(n, n_features * (n_out + 1))).astype(dtype)
    (y,) = embedding.block.forward([x])
    tolerance = 4 * tolerances.kernel(dtype)  # the angles' rounding counts as well
    tolerances.close(y, reference.periodic_forward(x.astype(np.float64), *embedding.exact()), tolerance, "y")
    np.testing.assert_array_equal(y.reshape(n, n_features, -1)[:, :, -1], x)
    (dx,) = embedding.block.backward([dy])
    expected = reference.periodic_backward(dy.astype(np.float64), x.astype(np.float64), *embedding.exact())
    for name, actual, desired in zip(("dx", "dw", "db", "dv", "dc"), [dx, *embedding.gradients], expected, strict=True):
        tolerances.close(actual, desired, 10 * tolerances.kernel(dtype), name)


def test_derivatives_by_central_differences():
    embedding = Embedding(2, 4, 3, 5, "float64")
    generator = np.random.default_rng(2)
    x, dy = generator.normal(size=(5, 2)), generator.normal(size=(5, 8))

    def value() -> float:
        return float(np.sum(embedding.block.forward([x])[0] * dy))

    value()
    (dx,) = embedding.block.backward([dy])
    gradients = [dx, *(gradient.copy() for gradient in embedding.gradients)]
    for actual, tensor in zip(gradients, [x, *embedding.tensors], strict=True):
        numeric = reference.central_differences(value, tensor, tolerances.DIFFERENCE_STEP)
        tolerances.close(actual, numeric, tolerances.GRADIENT_CHECK)


def test_gradients_of_shared_parameters_and_input_are_summed():
    once, twice = Embedding(2, 3, 2, 4, "float64"), Embedding(2, 3, 2, 4, "float64", several=True)
    generator = np.random.default_rng(3)
    x, first, second = generator.normal(size=(4, 2)), generator.normal(size=(4, 6)), generator.normal(size=(4, 6))
    once.block.forward([x])
    (dx,) = once.block.backward([first + second])
    twice.block.forward([x])
    (dx_of_both,) = twice.block.backward([first, second])
    for actual, desired in zip([dx_of_both, *twice.gradients], [dx, *once.gradients], strict=True):
        tolerances.close(actual, desired, 10 * tolerances.KERNEL_FLOAT64)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_prediction_agrees_with_the_block(dtype: str):
    embedding = Embedding(3, 16, 3, 50, dtype)
    x = np.random.default_rng(4).normal(size=(50, 3)).astype(dtype)
    out = np.empty((50, 12), dtype)
    embedding.network.predict([x], [out])
    np.testing.assert_array_equal(out, embedding.block.forward([x])[0])


@given(st.floats(-(2.0**20), 2.0**20, width=32), st.sampled_from(["float32", "float64"]))
def test_cosines_are_right_for_every_angle(turns: float, dtype: str):
    """One wave of frequency x = turns: y = cos(2 pi turns), of which whole turns are taken off without rounding."""
    embedding = Embedding(1, 1, 1, 1, dtype)
    for tensor, value in zip(embedding.tensors, (1, 0, 1, 0), strict=True):
        tensor[...] = value
    (y,) = embedding.block.forward([np.full((1, 1), turns, dtype)])
    fraction = np.fmod(np.float64(turns), 1.0)
    assert abs(float(y[0, 0]) - np.cos(2 * np.pi * fraction)) <= 2 * np.finfo(dtype).eps


def test_cosines_of_quarters_are_exact():
    embedding = Embedding(1, 1, 1, 9, "float32")
    for tensor, value in zip(embedding.tensors, (1, 0, 1, 0), strict=True):
        tensor[...] = value
    x = np.arange(-4, 5, dtype=np.float32).reshape(-1, 1) / 4
    assert embedding.block.forward([x])[0][:, 0].tolist() == [1, 0, -1, 0, 1, 0, -1, 0, 1]


def test_numbers_that_are_none_stay_so():
    embedding = Embedding(1, 2, 1, 2, "float32")
    (y,) = embedding.block.forward([np.array([[np.nan], [np.inf]], np.float32)])
    assert np.isnan(y[:, 0]).all()


@pytest.mark.parametrize(("width", "n_waves"), [(5, 4), (3, 4), (6, 0), (6, 3), (6, -1)])
def test_sizes_that_do_not_fit_are_refused(width: int, n_waves: int):
    shapes = [(3, 4), (3, 4), (3, 4, 1), (3, 1)]
    variables = [Variable(np.zeros(shape), name="part", path=f"part_{number}") for number, shape in enumerate(shapes)]
    plan = NetworkPlan()
    source = plan.add_input((3,))
    plan.outputs = [plan.add("periodic", [source], (width,), layer="", variables=variables, integers=[n_waves])]
    with pytest.raises(ValueError, match="do not fit"):
        _core.Network("float64", plan)
