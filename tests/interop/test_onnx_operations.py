"""Functions of symbols give what NumPy makes of the same operators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnn_core import Input, Model
from cnn_core.interop import from_onnx
from cnn_core.interop.onnx_arrays import FUNCTIONS_OF_ANGLES, compute
from cnn_core.interop.onnx_format import encode, tensor
from cnn_core.interop.onnx_operations import OPERATIONS, operation

X, Y = (np.random.default_rng(seed).uniform(0.1, 2.0, size=(5, 2, 3)) for seed in (0, 1))
ONE = (
    "Neg",
    "Exp",
    "Log",
    "Sqrt",
    "Reciprocal",
    "Erf",
    "Sin",
    "Cos",
    "Sign",
    "Floor",
    "Ceil",
    "Round",
    "Relu",
    "Sigmoid",
)
TWO = ("Add", "Sub", "Mul", "Div", "Pow", "Sum", "Mean", "Max", "Min")
TRUTH = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
REDUCED = [name for name in OPERATIONS if name.startswith("Reduce")]
CASES: list[tuple[str, dict[str, Any], list[Any]]] = [
    *((name, {}, [X]) for name in (*ONE, "Tanh", "Abs", "Softmax", "LogSoftmax")),
    *((name, {}, [X - 1]) for name in ("Abs", "Sign", "Floor", "Relu", "IsNaN")),
    *((name, {}, [X, Y]) for name in (*TWO, *TRUTH)),
    *((name, {}, [X, np.full((1, 1, 3), 1.5)]) for name in TWO),
    *((name, {"axes": [2], "keepdims": n % 2}, [X]) for n, name in enumerate(REDUCED)),
    ("ReduceMean", {}, [X, np.array([-1, 1])]),
    ("Clip", {}, [X, np.array(0.5), np.array(1.5)]),
    ("PRelu", {}, [X - 1, np.array([0.1, 0.2, 0.3])]),
    ("MatMul", {}, [X, Y.transpose(0, 2, 1)]),
    ("MatMul", {}, [X, np.ones((3, 4))]),
    ("Transpose", {"perm": [0, 2, 1]}, [X]),
    ("Slice", {}, [X, np.array([-1]), np.array([-5]), np.array([2]), np.array([-1])]),
    ("Gather", {"axis": 2}, [X, np.array([-1, 0])]),
    ("Concat", {"axis": -1}, [X, Y]),
    ("Expand", {}, [X[:, :1], np.array([1, 2, 1])]),
    *((name, {}, [X / 3]) for name in FUNCTIONS_OF_ANGLES if name != "Acosh"),
    ("Acosh", {}, [X + 1]),
    ("IsInf", {}, [X]),
    ("Mod", {}, [X - 1, Y]),
    ("Mod", {"fmod": 1}, [X - 1, Y]),
    ("ArgMax", {"axis": 2}, [X]),
    ("ArgMin", {"axis": 1, "keepdims": 0}, [X]),
    ("CumSum", {}, [X, np.array(2)]),
    ("GatherElements", {"axis": 2}, [X, np.argsort(X, axis=2).astype(float)]),
    ("Cast", {"to": 7}, [3 * X]),
    ("Cast", {"to": 9}, [X]),
]


@pytest.mark.parametrize(("operator", "attributes", "values"), CASES)
def test_rows(operator: str, attributes: dict[str, Any], values: list[Any]):
    symbols = [each.shape[:1] == (5,) and each.ndim == 3 for each in values]
    inputs = [
        Input(each.shape[1:], dtype="float64") for each, is_symbol in zip(values, symbols, strict=True) if is_symbol
    ]
    following = iter(inputs)
    operands = [next(following) if is_symbol else each for each, is_symbol in zip(values, symbols, strict=True)]
    (made,) = operation(operator, attributes, operands, 1, "float64")
    given = [each for each, is_symbol in zip(values, symbols, strict=True) if is_symbol]
    found = Model(inputs, made)(given)
    np.testing.assert_allclose(found, compute(operator, attributes, values, 1, 10**6), rtol=1e-12, atol=1e-12)


def test_parts_choices_and_normalizations():
    x = Input((2, 3), dtype="float64")
    first, second = operation("Split", {"axis": 2}, [x], 2, "float64")
    assert [part.shape for part in (first, second)] == [(None, 2, 2), (None, 2, 1)]
    (small,) = operation("Less", {}, [x, np.array(1.0)], 1, "float64")
    (chosen,) = operation("Where", {}, [small, x, np.array(1.0)], 1, "float64")
    assert np.array_equal(Model(x, chosen)(X), np.minimum(X, 1))
    for truth in ("And", "Or", "Xor"):
        (both,) = operation(truth, {}, [small, small], 1, "float64")
        assert np.array_equal(Model(x, both)(X), compute(truth, {}, [X < 1, X < 1], 1, 1000))
    (other,) = operation("Not", {}, [small], 1, "float64")
    assert np.array_equal(Model(x, other)(X), X >= 1)
    (layer,) = operation("LayerNormalization", {"epsilon": 1e-3}, [x, x], 1, "float64")
    normal = (X - X.mean(-1, keepdims=True)) / np.sqrt(X.var(-1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(Model(x, layer)(X), normal * X, rtol=1e-12)
    (root,) = operation("RMSNormalization", {"epsilon": 1e-3}, [x, x], 1, "float64")
    np.testing.assert_allclose(Model(x, root)(X), X * X / np.sqrt((X * X).mean(-1, keepdims=True) + 1e-3), rtol=1e-12)
    for largest in (0, 1):
        found = operation("TopK", {"axis": 1, "largest": largest}, [x, np.array([1])], 2, "float64")
        for one, other in zip(
            found, compute("TopK", {"axis": 1, "largest": largest}, [X, np.array([1])], 2, 100), strict=True
        ):
            np.testing.assert_array_equal(Model(x, one)(X), other)
    square = Input((3, 3), dtype="float64")
    (product,) = operation("Gemm", {"alpha": 2.0}, [square, square, np.ones(3)], 1, "float64")
    np.testing.assert_allclose(Model(square, product)(np.eye(3)[None]), 2 * np.eye(3)[None] + 1)


def test_every_row_is_tried():
    tried = {operator for operator, _, _ in CASES}
    others = {"Split", "TopK", "Where", "And", "Or", "Xor", "Not", "LayerNormalization", "RMSNormalization", "Gemm"}
    assert set(OPERATIONS) == tried | others


@pytest.mark.parametrize(
    ("operator", "attributes", "values", "message"),
    [
        ("Softmax", {"axis": 3}, [], "its axes must be of a sample, 1 to 2"),
        ("ReduceSum", {"axes": [0]}, [], "its axes must be of a sample"),
        ("ReduceSum", {}, [], "its axes must be of a sample"),
        ("Transpose", {"perm": [1, 0, 2]}, [], "the first axis must stay that of the batch"),
        ("Expand", {}, [np.array([1, 2**40, 1])], "at most|broadcast"),
        ("Gemm", {"transA": 1}, [X[0]], "must be 0"),
        ("CumSum", {"reverse": 1}, [np.array(1)], "`reverse` must be 0"),
        ("CumSum", {}, [np.array(0)], "its axes must be of a sample"),
        ("ArgMax", {"axis": 1, "select_last_index": 1}, [], "`select_last_index` must be 0"),
    ],
)
def test_what_looks_from_sample_to_sample_is_refused(operator: str, attributes: Any, values: list[Any], message: str):
    with pytest.raises(ValueError, match=message):
        operation(operator, attributes, [Input((2, 3)), *values], 1, "float32")


def test_files_that_no_layers_express():
    """A standard deviation over features, and a choice between two branches: by functions, trained as all is."""
    nodes: list[tuple[str, list[str], str]] = [
        ("MatMul", ["x", "w"], "h"),
        ("Greater", ["h", "zero"], "is"),
        ("Neg", ["x"], "n"),
        ("Where", ["is", "x", "n"], "c"),
        ("Mul", ["c", "h"], "m"),
        ("ReduceSumSquare", ["m", "axis"], "s"),
        ("Sqrt", ["s"], "root"),
        ("Erf", ["root"], "y"),
    ]
    w = np.random.default_rng(0).normal(size=(3, 3)).astype("float32")
    constants = [tensor(w, "w"), tensor(np.zeros((), "float32"), "zero"), tensor(np.array([1]), "axis")]
    shape = {"dim": [{"dim_param": "n"}, {"dim_value": 3}]}
    graph = {
        "node": [{"op_type": name, "input": read, "output": [made]} for name, read, made in nodes],
        "initializer": constants,
        "input": [{"name": "x", "type": {"tensor_type": {"elem_type": 1, "shape": shape}}}],
        "output": [{"name": "y"}],
    }
    model = from_onnx(encode({"graph": graph, "opset_import": [{"version": 18}]}))
    x = np.random.default_rng(1).normal(size=(4, 3)).astype("float32")
    h = x @ w
    root = np.sqrt(((np.where(h > 0, x, -x) * h) ** 2).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(model(x), compute("Erf", {}, [root], 1, 100), rtol=1e-5, atol=1e-6)
