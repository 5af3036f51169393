"""Functions are known however they are written: first of all as `to_onnx` writes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnn_core import Input, Sequential, activations, layers
from cnn_core.interop import from_onnx, to_onnx
from cnn_core.interop.calls import in_dtype
from cnn_core.interop.onnx_formulas import LONGEST, Samples
from cnn_core.interop.onnx_known import as_product, recognize
from random_models import ELEMENTWISE, blocks, random_model, random_rows, randomize

TOLERANCES = {"float32": 1e-4, "float64": 1e-9}  # of networks that amplify rounding


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(0, 240, 6))
def test_random_models_come_back(seed: int, dtype: str):
    for number in range(seed, seed + 3):
        model = random_model(number, dtype)
        x, again = random_rows(model), from_onnx(to_onnx(model))
        np.testing.assert_allclose(again(x), model(x), rtol=TOLERANCES[dtype], atol=TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", [*ELEMENTWISE, "softmax", "log_softmax", "glu", activations.LeakyReLU(-1.0)])
def test_activations_come_back_as_they_are(activation: Any, dtype: str):
    model = Sequential([Input((4,), dtype=dtype), layers.Activation(activation, dtype=dtype)])
    again = from_onnx(to_onnx(model))
    assert len(again.layers) == 1
    x = np.linspace(-7, 7, 40).reshape(10, 4).astype(dtype)
    np.testing.assert_allclose(again(x), model(x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layers_come_back_as_they_are(dtype: str):
    draw = np.random.default_rng(0)
    silent = (layers.Dropout, layers.AlphaDropout, layers.Identity)
    for make in blocks(draw):
        layer = in_dtype(make(4), dtype)
        model = Sequential([Input((4,), dtype=dtype), layer])
        randomize(model, draw)
        if not isinstance(layer, silent):
            assert len(from_onnx(to_onnx(model)).layers) == 1, layer


def formula_of(*nodes: tuple[str, dict[str, Any], list[Any]], shape: tuple[int, ...] = (4,)) -> Any:
    """Chain operators; 0 among their operands is the input, n what the n-th node made."""
    constants = [float(each) for _, _, operands in nodes for each in operands if isinstance(each, np.floating)]
    samples, made = Samples(constants, 10**7), [Input(shape)]
    for operator, attributes, operands in nodes:
        values = [made[each] if isinstance(each, int) else np.asarray(each) for each in operands]
        found = samples.formulas(f"node {operator!r}", operator, attributes, values, 1)
        assert found is not None
        made.append(found[0])
    return made[-1]


HALF, ONE, SIX, ROOT = np.float32(0.5), np.float32(1), np.float32(6), np.float32(2**0.5)
HALVED = [("Mul", {}, [0, HALF]), ("Div", {}, [0, ROOT])]
LAST: dict[str, Any] = {"axes": [-1]}
LOWERED = [("ReduceMax", LAST, [0]), ("Sub", {}, [0, 1])]
WRITTEN: list[tuple[str, list[tuple[str, dict[str, Any], list[Any]]]]] = [
    # As PyTorch, Keras and TensorFlow write it.
    (
        "gelu",
        [("Div", {}, [0, ROOT]), ("Erf", {}, [1]), ("Add", {}, [2, ONE]), ("Mul", {}, [0, 3]), ("Mul", {}, [4, HALF])],
    ),
    ("gelu", [*HALVED, ("Erf", {}, [2]), ("Add", {}, [ONE, 3]), ("Mul", {}, [1, 4])]),
    ("log_sigmoid", [("Sigmoid", {}, [0]), ("Log", {}, [1])]),
    ("mish", [("Softplus", {}, [0]), ("Tanh", {}, [1]), ("Mul", {}, [0, 2])]),
    ("softplus", [("Exp", {}, [0]), ("Add", {}, [1, ONE]), ("Log", {}, [2])]),
    ("sigmoid", [("Neg", {}, [0]), ("Exp", {}, [1]), ("Add", {}, [2, ONE]), ("Reciprocal", {}, [3])]),
    (
        "hard_silu",
        [("Add", {}, [0, SIX / 2]), ("Clip", {}, [1, 0 * ONE, SIX]), ("Mul", {}, [0, 2]), ("Div", {}, [3, SIX])],
    ),
    ("softmax", [*LOWERED, ("Exp", {}, [2]), ("ReduceSum", LAST, [3]), ("Div", {}, [3, 4])]),
    ("log_softmax", [("ReduceLogSumExp", LAST, [0]), ("Sub", {}, [0, 1])]),
]


@pytest.mark.parametrize(("name", "nodes"), WRITTEN)
def test_activations_written_out(name: str, nodes: list[Any]):
    known = recognize(formula_of(*nodes))
    assert known is not None
    assert [step.layer.activation.name for step in known.steps] == [name]  # type: ignore[attr-defined]


def test_what_is_almost_an_activation_is_none():
    quick = formula_of(("Mul", {}, [0, np.float32(1.702)]), ("Sigmoid", {}, [1]), ("Mul", {}, [0, 2]))
    assert recognize(quick) is None
    limited = formula_of(("Clip", {}, [0, np.float32(-300), np.float32(300)]))
    assert recognize(limited) is None
    later = formula_of(("Sub", {}, [0, np.float32(500)]), ("Relu", {}, [1]))
    known = recognize(later)
    assert known is not None
    assert known.argument is not later.base


def test_linear_functions_of_a_sample_are_products():
    cut = formula_of(("Slice", {}, [0, np.array([1]), np.array([3]), np.array([1])]))
    known = as_product(cut)
    assert known is not None
    (step,) = known.steps
    assert step.weights[0].tolist() == [[0, 0], [1, 0], [0, 1], [0, 0]]
    assert not step.layer.trainable
    turned = as_product(formula_of(("Transpose", {"perm": [0, 2, 1]}, [0]), shape=(2, 3)))
    assert turned is not None
    assert [type(each.layer).__name__ for each in turned.steps] == ["Flatten", "Dense", "Reshape"]
    assert as_product(formula_of(("Abs", {}, [0]))) is None


def test_limits():
    samples = Samples([], 10**6)
    assert samples.formulas("a", "Relu", {}, [Input((2**20,))], 1) is None
    assert samples.formulas("a", "Add", {}, [Input((2,)), Input((2,))], 1) is None
    assert samples.formulas("a", "ReduceSum", {"axes": [0], "keepdims": 0}, [Input((2,))], 1) is None
    found = samples.formulas("a", "Relu", {}, [Input((2,))], 1)
    for _ in range(LONGEST - 1):
        assert found is not None
        found = samples.formulas("a", "Relu", {}, found, 1)
    assert found is not None
    assert samples.formulas("a", "Relu", {}, found, 1) is None
