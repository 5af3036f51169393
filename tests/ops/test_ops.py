"""Functions of symbols and arrays against what Keras and PyTorch's autograd have recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
import reference
import tolerances
from cnn_core import Input, Model, layers, ops
from ops_cases import CASES, Case, N

# Keras computes much of this in float32, whatever it is given.
TOLERANCE = tolerances.GOLDEN_FLOAT32
GOLDEN = Path(__file__).parents[1] / "agreement" / "golden"
RECORDED = np.load(GOLDEN / "ops.npz")
FLAT = {"floor_divide"}  # PyTorch knows no derivative of it
SHARED = {"mean of samples", *(name for name in CASES if name.endswith(" all"))}  # one result for all samples


@pytest.fixture
def double() -> Iterator[None]:
    """Let everything be float64."""
    cnn_core.config.set_floatx("float64")
    yield
    cnn_core.config.set_floatx("float32")


class Traced(layers.Layer):
    """A case as a layer."""

    def __init__(self, case: Case, **common: Any) -> None:
        super().__init__(**common)
        self.case = case

    def call(self, inputs: Any) -> Any:
        return self.case.function(ops, *inputs)


def as_float64(array: Any) -> np.ndarray:
    return np.asarray(array, np.float64)


@pytest.mark.parametrize("name", CASES)
def test_arrays_as_keras(name: str) -> None:
    case = CASES[name]
    value = case.function(ops, *case.operands())
    expected = RECORDED[f"{name}/value"]
    assert value.shape == expected.shape
    assert (value.dtype.kind in "biu") == (expected.dtype.kind in "biu")
    tolerances.close(as_float64(value), as_float64(expected), TOLERANCE, name)


@pytest.mark.parametrize("name", CASES)
def test_symbols_as_keras(name: str) -> None:
    case = CASES[name]
    layer = Traced(case, dtype="float64")
    value, cache = layer.forward(case.operands())
    expected = RECORDED[f"{name}/value"]
    found = np.asarray(value)[0] if name in SHARED else value
    tolerances.close(as_float64(found).reshape(expected.shape), as_float64(expected), TOLERANCE, name)
    exact = case.function(ops, *case.operands())
    tolerances.close(as_float64(found).reshape(expected.shape), as_float64(exact), tolerances.GOLDEN_FLOAT64, name)
    weights = np.arange(1.0, expected.size + 1)
    delta = np.tile(weights / N, N) if name in SHARED else weights
    gradients = layer.backward(delta.reshape(np.shape(value)), cache)[0]
    gradients = gradients if isinstance(gradients, list) else [gradients]
    for place, gradient in enumerate(gradients):
        wanted = np.zeros_like(gradient) if name in FLAT else RECORDED[f"{name}/gradient {place}"]
        tolerances.close(gradient, wanted, TOLERANCE, f"{name}, operand {place}")


@pytest.mark.parametrize("name", CASES)
def test_symbols_in_float32(name: str) -> None:
    case = CASES[name]
    operands = [operand.astype(np.float32) for operand in case.operands()]
    value = Traced(case, dtype="float32")(operands)
    tolerances.close(as_float64(value), as_float64(case.function(ops, *operands)), tolerances.GOLDEN_FLOAT32, name)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("double")
def test_symbols_in_a_functional_model_that_is_saved(name: str) -> None:
    case = CASES[name]
    inputs = [Input(shape) for shape in case.shapes]
    model = Model(inputs, case.function(ops, *inputs))
    again = cnn_core.model_from_json(model.to_json())
    np.testing.assert_array_equal(again.predict(case.operands()), model.predict(case.operands()))


def test_a_model_that_keras_wrote() -> None:
    written = json.loads((GOLDEN / "ops_model.json").read_text(encoding="utf-8"))
    model = cnn_core.model_from_json(written["json"])
    model.set_weights([np.array(weight, np.float32) for weight in written["weights"]])
    x = np.array(written["x"], np.float32)
    tolerances.close(model.predict(x), np.array(written["y"]), tolerances.GOLDEN_FLOAT32)
    again = cnn_core.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(x), model.predict(x))


SMOOTH = ["exp", "power", "gelu", "softmax axis", "std axes", "logsumexp axis", "norm 3", "matmul", "cumprod", "where"]


@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives_by_central_differences(name: str) -> None:
    case = CASES[name]
    layer, operands = Traced(case, dtype="float64"), case.operands()
    value, cache = layer.forward(operands)
    gradients = layer.backward(np.cos(value), cache)[0]
    gradients = gradients if isinstance(gradients, list) else [gradients]
    for gradient, operand in zip(gradients, operands, strict=True):
        numeric = reference.central_differences(
            lambda: float(np.sum(np.sin(case.function(ops, *operands)))), operand, tolerances.DIFFERENCE_STEP
        )
        tolerances.close(gradient, numeric, tolerances.GRADIENT_CHECK, name)


def test_the_first_condition_that_holds_chooses() -> None:
    x = np.array([-2.0, -0.5, 0.5, 2.0])
    for value in (x, cnn_core.GradientTape().watch(x)):
        found = ops.select([value < -1, value < 1], [value * 10, ops.square(value)], 7.0)
        assert np.asarray(found).tolist() == [-20, 0.25, 0.25, 7]
    with pytest.raises(ValueError, match=r"must have as many elements, one at least. Received: 1 and 2"):
        ops.select([x > 0], [x, x])


def test_how_far_elements_lie_apart() -> None:
    x = np.array([[1.0, 5.0, 2.0], [0.0, 0.0, -3.0]])
    for value in (x, cnn_core.GradientTape().watch(x)):
        assert np.asarray(ops.ptp(value, axis=1)).tolist() == [4, 3]
        assert np.asarray(ops.ptp(value, axis=0, keepdims=True)).tolist() == [[1, 5, 5]]


def test_one_of_two_functions_is_called() -> None:
    called: list[str] = []
    assert ops.cond(np.bool_(False), lambda: called.append("first"), lambda: 5) == 5
    assert ops.cond(True, lambda: 3, lambda: called.append("second")) == 3
    assert called == []
    with pytest.raises(TypeError, match=r"ops\.where"):
        ops.cond(Input((2,)) > 0, lambda: 1, lambda: 2)


@pytest.mark.parametrize("values", [[[3, 0, 3, 1]], [[1.0, np.nan, 3.0, 3.0]]])
def test_the_largest_elements_of_any_dtype(values: list[list[float]]) -> None:
    for dtype in ("uint8", "float32") if values[0][1] == 0 else ("float64",):
        x = np.array(values, dtype)
        found = [np.asarray(each).tolist() for each in ops.top_k(x, 3)]
        with cnn_core.GradientTape() as tape:
            natively = [np.asarray(each).tolist() for each in ops.top_k(tape.watch(x.astype("float64")), 3)]
        np.testing.assert_array_equal(found, natively)
    assert ops.top_k(np.array([[3, 0, 3, 1]], "uint8"), 3)[1].tolist() == [[0, 2, 3]]
    assert ops.top_k(np.array([False, True, True]), 2)[1].tolist() == [1, 2]


@pytest.mark.parametrize("k", [0, 5])
def test_as_many_of_the_largest_as_there_are(k: int) -> None:
    for x in (np.ones((2, 4)), Input((4,))):
        with pytest.raises(ValueError, match=f"`k` must lie between 1 and 4. Received: k={k}"):
            ops.top_k(x, k)


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_the_logarithm_of_a_sum_of_nothing() -> None:
    assert ops.logsumexp(np.zeros((2, 0)), axis=1).tolist() == [-np.inf, -np.inf]
