"""Functions of tensors: values as NumPy's, derivatives as PyTorch's autograd has recorded them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tolerances
from cnn_core import GradientTape, Tensor, Variable, ops
from ops_cases import CASES, WRONG_IN_KERAS

RECORDED = np.load(Path(__file__).parents[1] / "agreement" / "golden" / "ops.npz")
FLAT = {"floor_divide"}  # PyTorch knows no derivative of it


@pytest.mark.parametrize("name", [name for name in CASES if name not in WRONG_IN_KERAS])
def test_values_and_derivatives(name: str) -> None:
    case = CASES[name]
    tape = GradientTape()
    operands = [tape.watch(operand) for operand in case.operands()]
    with tape:
        value = case.function(ops, *operands)
    exact = case.function(ops, *case.operands())
    assert np.shape(value) == np.shape(exact)
    tolerances.close(np.asarray(value, "float64"), np.asarray(exact, "float64"), tolerances.GOLDEN_FLOAT64, name)
    weights = np.arange(1.0, np.size(exact) + 1).reshape(np.shape(exact))
    if not isinstance(value, Tensor):
        return  # computed of shapes alone
    with tape:
        scalar = ops.sum(ops.cast(value, "float64") * weights)
    for place, gradient in enumerate(tape.gradient(scalar, operands)):
        known = np.zeros(operands[place].shape) if name in FLAT else RECORDED[f"{name}/gradient {place}"]
        found = np.zeros_like(known) if gradient is None else gradient
        tolerances.close(found, known, tolerances.GOLDEN_FLOAT32, f"{name}, operand {place}")


def test_a_function_of_the_same_shapes_is_compiled_once() -> None:
    from cnn_core.ops.recording import _compiled

    tape = GradientTape()
    with tape:
        ops.exp(tape.watch(np.ones((5, 7))))
        before = _compiled.cache_info()
        ops.exp(tape.watch(np.zeros((5, 7))))
        after = _compiled.cache_info()
    assert (after.hits, after.misses) == (before.hits + 1, before.misses)


def test_numbers_and_settings_are_told_apart() -> None:
    tape = GradientTape()
    x = tape.watch(np.array([1.0, 2.0, 3.0]))
    with tape:
        assert [float(ops.sum(x * factor)) for factor in (1, 2, 2.5, True)] == [6, 12, 15, 6]
        assert [np.asarray(x[part]).tolist() for part in (slice(1, None), slice(None, 1), 0)] == [[2, 3], [1], 1]
        assert [np.asarray(ops.take(x, [at])).tolist() for at in (0, 2)] == [[1], [3]]


def test_lists_of_tensors_are_stacked_and_not_forgotten() -> None:
    tape, first, second = GradientTape(), Variable(np.ones(())), Variable(np.ones(()))
    with tape:
        total = ops.sum([first * 3.0, second * 5.0, 1.0])
    assert (float(total), *map(float, tape.gradient(total, [first, second]))) == (9, 3, 5)


def test_dtypes_of_operands_are_those_of_their_derivatives() -> None:
    tape = GradientTape()
    single, double = tape.watch(np.ones(3, "float32")), tape.watch(np.ones(3, "float64"))
    with tape:
        value = ops.sum(single * double)
    assert value.dtype == np.float64
    assert [each.dtype for each in tape.gradient(value, [single, double])] == [np.float32, np.float64]


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 3), (2, 3, 0)])
@pytest.mark.parametrize("name", ["sum", "mean", "prod", "var", "cumsum", "sort", "softmax"])
@pytest.mark.filterwarnings("ignore:.*(empty slice|invalid value):RuntimeWarning")
def test_axes_of_no_elements(name: str, shape: tuple[int, ...]) -> None:
    for axis in range(len(shape)):
        tape = GradientTape()
        x = tape.watch(np.zeros(shape))
        with tape:
            value = getattr(ops, name)(x, axis=axis)
            total = ops.sum(value)
        assert value.shape == getattr(ops, name)(np.zeros(shape), axis=axis).shape
        (gradient,) = tape.gradient(total, [x])
        assert gradient is not None
        assert gradient.shape == shape
