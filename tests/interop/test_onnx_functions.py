"""Functions of `ops` in ONNX: what ONNX Runtime makes of them is what they give here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core.random
from cnn_core import Input, Model, Sequential, layers, ops
from cnn_core.interop import from_onnx, to_onnx
from cnn_core.interop.onnx_format import decode
from cnn_core.interop.onnx_functions import FUNCTIONS, OF_TRUTHS
from cnn_core.ops.activations import Activated, RowWise
from cnn_core.ops.operation import FUNCTIONS as KNOWN
from cnn_core.ops.reductions import Reduction
from cnn_core.ops.shapes import Selection
from onnx_checks import check, operators, run
from ops_cases import CASES
from random_expressions import random_expressions, rows_for

# What ONNX Runtime has in float32 only.
IN_FLOAT32 = {"arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "cosh", "erf", "gelu exact"}
IN_FLOAT32 |= {"erfc", "sinh", "tan"}


def test_every_function_has_a_row():
    others = {"choice", "add_loss", "reshape", "random"}  # chosen, left out, written by its result, refused
    kinds = (Activated, Reduction, RowWise, Selection)
    rows = {name for name, function in KNOWN.items() if not isinstance(function, kinds)}
    assert rows == {*FUNCTIONS, *OF_TRUTHS, *others}


@pytest.mark.doors
@pytest.mark.parametrize("name", [name for name in CASES if name != "average"])  # whose weights are of float64
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.usefixtures("floatx")
def test_every_use(name: str, dtype: str):
    if dtype == "float64" and name in IN_FLOAT32:
        pytest.skip("ONNX Runtime has it in float32 only")
    case = CASES[name]
    inputs = [Input(shape) for shape in case.shapes]
    check(Model(inputs, case.function(ops, *inputs)), *(each.astype(dtype) for each in case.operands()))


@pytest.mark.doors
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_graphs(dtype: str, n_architectures: int):
    for seed in range(n_architectures):
        model = random_expressions(seed, dtype, across=seed % 5 == 0)
        check(model, *rows_for(model))


# What no file can say that comes back: constants, and what looks across the samples.
ONE_WAY = {"ones_like", "zeros_like", "full_like", "broadcast_to", "pad", "standardized", "mean of samples", "average"}
ONE_WAY |= {name for name in CASES if name.endswith(" all")}


@pytest.mark.parametrize("name", [name for name in CASES if name not in ONE_WAY])
def test_every_use_comes_back(name: str):
    case = CASES[name]
    inputs = [Input(shape) for shape in case.shapes]
    model = Model(inputs, case.function(ops, *inputs))
    given: Any = [each.astype("float32") for each in case.operands()]
    given = given if len(given) > 1 else given[0]
    ours, back = model(given), from_onnx(to_onnx(model))(given)
    assert ours.shape == back.shape
    np.testing.assert_allclose(back, ours, rtol=2e-5, atol=2e-5)


@pytest.mark.doors
def test_special_numbers():
    x, y = Input((7,)), Input((7,))
    outputs = [
        *(ops.log1p(x), ops.expm1(x), ops.isfinite(x), ops.isnan(x), ops.isinf(x), ops.nan_to_num(x)),
        *(ops.logaddexp(x, y), ops.floor_divide(x, y), ops.mod(x, y), ops.arctan2(x, y), ops.trunc(x)),
    ]
    numbers = np.array([0.0, 1e-6, -1e-6, -0.5, 2.5, 1e6, -7.0], "float32")
    rows = np.stack([np.roll(numbers, shift) for shift in range(7)])
    check(Model([x, y], outputs), np.tile(numbers, (7, 1)), rows)
    large = x * 1e38
    beyond = [large, large - large, ops.isfinite(large), ops.isnan(large - large), ops.isinf(large)]
    limited = ops.nan_to_num(ops.concatenate([large, large - large], axis=-1), posinf=5.0, neginf=-6.0)
    check(Model(x, [*beyond, limited]), np.array([[0, 1, 10, -10, 0.5, -2, 20]], "float32"))


class Gated(layers.Layer):
    """A custom layer with a weight, a loss, and something that it does in training only."""

    def build(self, shape: Any) -> None:
        """Make the weight."""
        self.kernel = self.add_weight((shape[-1], shape[-1]), name="kernel")

    def call(self, x: Any, training: bool = False) -> Any:
        self.add_loss(ops.mean(ops.arctan2(x, x + 1)))
        noisy = x + cnn_core.random.normal(ops.shape(x)) if training else x
        return noisy * ops.sigmoid(ops.matmul(x, self.kernel)) + ops.matmul(noisy, self.kernel)


class Net(Model):
    """A custom model."""

    def __init__(self) -> None:
        super().__init__()
        self.first = layers.Dense(4, lambda z: z * ops.sigmoid(1.702 * z))
        self.second = layers.Dense(4)

    def call(self, x: Any) -> Any:
        hidden = self.first(x)
        return {"sum": hidden + self.second(self.second(hidden))[:, ::-1], "top": ops.max(hidden, axis=-1)}


def test_what_only_training_needs_is_left_out():
    x = Input((3,))
    written = operators(Model(x, Gated()(x)))
    assert written == ["MatMul", "Sigmoid", "Mul", "MatMul", "Add"]


@pytest.mark.doors
def test_custom_layers_models_activations_and_lambdas():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(6, 3)).astype("float32")
    symbol = Input((3,))
    check(Model(symbol, layers.Lambda(lambda h: h[:, :2] ** 2 + 1.0)(Gated()(symbol))), x)
    check(Sequential([Input((3,)), layers.Activation(lambda z: ops.where(z > 0, z, ops.expm1(z)))]), x)
    net = Net()
    made = net(x)
    for one, other in zip(made.values(), run(to_onnx(net), {net.input_names[0]: x}), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)


def test_a_weight_that_is_read_twice_is_written_once():
    x, dense = Input((3,)), layers.Dense(3, name="shared")
    stored = decode(memoryview(to_onnx(Model(x, dense(dense(x)) + x))))["graph"]["initializer"]
    assert [each["name"] for each in stored] == ["shared.kernel", "shared.bias"]


class _Cube:
    def forward(self, z: Any) -> Any:
        return z**3

    def derivative(self, z: Any, a: Any) -> Any:
        return 3 * z**2


class Noisy(layers.Layer):
    """Noise in prediction, too."""

    def call(self, x: Any) -> Any:
        return x + cnn_core.random.uniform(ops.shape(x))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x: ops.argmax(x, axis=(1, 2)), r"operation 'argmax\w*' \(Argmax\) cannot be carried to ONNX: .* one"),
        (Noisy(), r"operation 'random\w*' \(Random\) .*: it draws random numbers in prediction"),
        (layers.Lambda(np.sin, name="waves"), r"layer 'waves' \(Lambda\) .*: its function computes with NumPy"),
        (layers.Activation(_Cube(), name="cube"), r"layer 'cube' \(Activation\) .*: the activation '_Cube' has no"),
    ],
)
def test_what_cannot_go_out_is_named(make: Any, message: str):
    x = Input((2, 3))
    with pytest.raises(ValueError, match=message):
        to_onnx(Model(x, make(x)))
