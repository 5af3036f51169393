"""Functions of symbols and arrays against what Keras and PyTorch's autograd have recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
import reference
import tolerances
from cnn_core import Input, Model, layers, ops
from ops_cases import CASES, OF_ONE, OF_TWO, POSITIVE, REDUCTIONS, WRONG_IN_KERAS, Case, N

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


def gradients_of(name: str, weights: Any, dtype: str = "float64") -> tuple[Any, list[np.ndarray]]:
    """Return the value of a case on symbols, and the gradients of its elements' weighted sum."""
    case = CASES[name]
    layer = Traced(case, dtype=dtype)
    value, cache = layer.forward([operand.astype(dtype) for operand in case.operands()])
    found = np.asarray(value)[0] if name in SHARED else value
    weights = np.asarray(weights(found), np.float64)
    delta = np.broadcast_to(weights / N, (N, *weights.shape)) if name in SHARED else weights
    return found, gradients_back(layer, delta.reshape(np.shape(value)).astype(dtype), cache)


def gradients_back(layer: Traced, delta: Any, cache: Any) -> list[np.ndarray]:
    """Return the gradient of each operand."""
    found = layer.backward(delta, cache)[0]
    return found if isinstance(found, list) else [found]


class Noted:
    """The module of functions, with notes of which were used."""

    def __init__(self) -> None:
        self.used: set[Any] = set()

    def __getattr__(self, name: str) -> Any:
        function = getattr(ops, name)
        self.used.add(function)
        return function


def test_every_public_function_has_a_case() -> None:
    noted = Noted()
    for case in CASES.values():
        case.function(noted, *case.operands())
    assert [name for name in ops.__all__ if getattr(ops, name) not in noted.used] == []


@pytest.mark.parametrize("name", [name for name in CASES if name not in WRONG_IN_KERAS])
def test_arrays_as_keras(name: str) -> None:
    case = CASES[name]
    value = case.function(ops, *case.operands())
    expected = RECORDED[f"{name}/value"]
    assert value.shape == expected.shape
    assert (value.dtype.kind in "biu") == (expected.dtype.kind in "biu")
    tolerances.close(as_float64(value), as_float64(expected), TOLERANCE, name)


@pytest.mark.parametrize("name", CASES)
def test_symbols_as_keras(name: str) -> None:
    exact = CASES[name].function(ops, *CASES[name].operands())
    found, gradients = gradients_of(name, lambda found: np.arange(1.0, np.size(found) + 1))
    tolerances.close(as_float64(found).reshape(exact.shape), as_float64(exact), tolerances.GOLDEN_FLOAT64, name)
    if name in WRONG_IN_KERAS:
        return
    expected = RECORDED[f"{name}/value"]
    tolerances.close(as_float64(found).reshape(expected.shape), as_float64(expected), TOLERANCE, name)
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


def of_sines(value: Any) -> float:
    """Return a number that every element moves, and that passes over NaN."""
    return float(np.nansum(np.sin(as_float64(value))))


def check_derivatives(case: Case, operands: list[np.ndarray], gradients: list[np.ndarray], name: str) -> None:
    for gradient, operand in zip(gradients, operands, strict=True):
        numeric = reference.central_differences(
            lambda: of_sines(case.function(ops, *operands)), operand, tolerances.DIFFERENCE_STEP
        )
        tolerances.close(gradient, numeric, tolerances.GRADIENT_CHECK, name)


# By definition: `stop_gradient` and what stands behind a conversion to whole numbers move their value, not the loss.
NOT_FOLLOWED = {"stop_gradient"}


@pytest.mark.parametrize("name", [name for name in CASES if name not in NOT_FOLLOWED])
def test_derivatives_by_central_differences(name: str) -> None:
    _, gradients = gradients_of(name, lambda found: np.nan_to_num(np.cos(as_float64(found))))
    check_derivatives(CASES[name], CASES[name].operands(), gradients, name)


@pytest.mark.parametrize("name", CASES)
def test_derivatives_in_float32(name: str) -> None:
    _, exact = gradients_of(name, lambda found: np.cos(np.arange(np.size(found))).reshape(np.shape(found)))
    _, gradients = gradients_of(
        name, lambda found: np.cos(np.arange(np.size(found))).reshape(np.shape(found)), "float32"
    )
    for gradient, wanted in zip(gradients, exact, strict=True):
        assert gradient.dtype == np.float32
        tolerances.close(gradient, wanted, tolerances.GOLDEN_FLOAT32, name)


def numpys(name: str) -> Callable[..., Any]:
    """Return NumPy's function of a name."""
    return getattr(np, {"divide_no_nan": "divide"}.get(name, name))


@pytest.mark.parametrize("name", OF_TWO)
@pytest.mark.parametrize("shapes", [((3, 1), (1, 4)), ((1,), (3,)), ((2, 1, 3), (1, 4, 1)), ((1, 1), (1, 1))])
def test_operands_are_broadcast(name: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    case = CASES[name]._replace(shapes=shapes, **POSITIVE)  # no divisor is almost 0
    operands = case.operands()
    expected = numpys(name)(*operands)
    tolerances.close(as_float64(case.function(ops, *operands)), as_float64(expected), tolerances.GOLDEN_FLOAT64, name)
    layer = Traced(case, dtype="float64")
    value, cache = layer.forward(operands)
    tolerances.close(as_float64(value), as_float64(expected), tolerances.GOLDEN_FLOAT64, name)
    check_derivatives(case, operands, gradients_back(layer, np.cos(as_float64(value)), cache), name)


@pytest.mark.parametrize("name", OF_TWO)
@pytest.mark.parametrize("constant", [1.3, np.array([[0.7], [1.3], [0.4]]), np.array([0.7, 1.3, 0.4, 1.1])])
def test_symbols_are_broadcast_against_arrays(name: str, constant: Any) -> None:
    (x,) = Case(ops.abs, ((3, 4),), **POSITIVE).operands()
    for function, expected in (
        (lambda ops, x: getattr(ops, name)(x, constant), numpys(name)(x, constant)),
        (lambda ops, x: getattr(ops, name)(constant, x), numpys(name)(constant, x)),
    ):
        case = Case(function, ((3, 4),))
        layer = Traced(case, dtype="float64")
        value, cache = layer.forward([x])
        tolerances.close(as_float64(value), as_float64(expected), tolerances.GOLDEN_FLOAT64, name)
        check_derivatives(case, [x], gradients_back(layer, np.cos(as_float64(value)), cache), name)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("n", [1, 2])
def test_batches_of_few_samples(name: str, n: int) -> None:
    case = CASES[name]
    operands = case.operands(n)
    with np.errstate(invalid="ignore"):  # one sample does not vary
        exact = as_float64(case.function(ops, *operands))
    value = as_float64(Traced(case, dtype="float64")(operands))
    tolerances.close(value, exact, tolerances.GOLDEN_FLOAT64, name)


@pytest.mark.parametrize("name", OF_ONE)
@pytest.mark.parametrize("shape", [(1,), (1, 1), (1, 3, 1)])
def test_axes_of_one_element(name: str, shape: tuple[int, ...]) -> None:
    case = CASES[name]._replace(shapes=(shape,))
    (x,) = case.operands()
    layer = Traced(case, dtype="float64")
    value, cache = layer.forward([x])
    exact = case.function(ops, x)
    tolerances.close(as_float64(value), as_float64(exact), tolerances.GOLDEN_FLOAT64, name)
    if name not in NOT_FOLLOWED:
        check_derivatives(case, [x], gradients_back(layer, np.cos(as_float64(value)), cache), name)


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [1, 2, (1, 2), -1])
def test_reductions_of_one_element(name: str, keepdims: bool, axis: Any) -> None:
    case = Case(lambda ops, x: getattr(ops, name)(x, axis=axis, keepdims=keepdims), ((1, 1),))
    (x,) = case.operands()
    value = Traced(case, dtype="float64")([x])
    expected = np.zeros_like(x) if name in ("var", "std") else x
    expected = expected if keepdims else np.squeeze(expected, axis)
    tolerances.close(value, expected, tolerances.GOLDEN_FLOAT64, name)
    tolerances.close(case.function(ops, x), expected, tolerances.GOLDEN_FLOAT64, name)


@pytest.mark.parametrize("name", [*OF_ONE, *OF_TWO])
@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0), (2, 0, 1)])
def test_arrays_without_elements(name: str, shape: tuple[int, ...]) -> None:
    assert CASES[name].function(ops, *[np.zeros(shape)] * len(CASES[name].shapes)).shape == shape


@pytest.mark.parametrize("name", ["sum", "prod", "any", "all"])
@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
def test_reductions_of_nothing(name: str, shape: tuple[int, ...], axis: Any) -> None:
    found, expected = getattr(ops, name)(np.zeros(shape), axis=axis), numpys(name)(np.zeros(shape), axis=axis)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin"])
def test_there_is_no_largest_of_nothing(name: str) -> None:
    with pytest.raises(ValueError, match=r"empty|zero-size"):
        getattr(ops, name)(np.zeros((2, 0)), axis=1)


@pytest.mark.parametrize("name", [name for name in CASES if name not in SHARED | {"standardized"}])
def test_a_batch_without_samples(name: str) -> None:
    operands = CASES[name].operands(0)
    expected = CASES[name].function(ops, *operands).shape
    assert Traced(CASES[name], dtype="float64")(operands).shape == expected


def test_the_first_condition_that_holds_chooses() -> None:
    x = np.array([-2.0, -0.5, 0.5, 2.0])
    for value in (x, cnn_core.GradientTape().watch(x)):
        found = ops.select([value < -1, value < 1], [value * 10, ops.square(value)], 7.0)
        assert np.asarray(found).tolist() == [-20, 0.25, 0.25, 7]
    with pytest.raises(ValueError, match=r"must have as many elements, one at least. Received: 1 and 2"):
        ops.select([x > 0], [x, x])


def test_a_part_has_all_samples() -> None:
    x = Input((4,))
    assert ops.slice(x, (0, 1), (None, 2)).shape == (None, 2)
    assert ops.slice(x, (0, 1), (ops.shape(x)[0], 2)).shape == (None, 2)
    for begin, size in ((1, None), (0, 2)):
        with pytest.raises(ValueError, match=r"must begin with sample 0 .* Received: start_indices=\("):
            ops.slice(x, (begin, 1), (size, 2))


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
