from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnn_core.interop.onnx_arrays import ARRAYS, compute
from cnn_core.interop.onnx_format import array_of, decode

MANY = 10**6
X = np.arange(6.0).reshape(2, 3)


def made(operator: str, *arrays: Any, n_outputs: int = 1, **attributes: Any) -> Any:
    return compute(operator, attributes, arrays, n_outputs, MANY)


@pytest.mark.parametrize(
    ("operator", "attributes", "arrays", "expected"),
    [
        ("Div", {}, [np.array([7, -7]), np.array(2)], [3, -3]),
        ("ReduceSum", {"keepdims": 0}, [X, np.array([1])], [3, 12]),
        ("ReduceMean", {"axes": [-1]}, [X], [[1], [4]]),
        ("ReduceMax", {"noop_with_empty_axes": 1}, [X], X),
        ("ReduceL2", {}, [np.array([3.0, 4.0])], [5]),
        ("Slice", {}, [X, np.array([-1]), np.array([-10]), np.array([1]), np.array([-2])], [[2, 0], [5, 3]]),
        ("Gather", {"axis": 1}, [X, np.array([-1])], [[2], [5]]),
        ("Reshape", {}, [X, np.array([0, -1, 1])], X[:, :, None]),
        ("Flatten", {"axis": -1}, [X[None]], X),
        ("ConstantOfShape", {}, [np.array([2])], [0, 0]),
        ("Shape", {"start": -1}, [X], [3]),
        ("Range", {}, [np.array(1), np.array(6), np.array(2)], [1, 3, 5]),
        ("Gemm", {"transB": 1, "alpha": 2.0}, [X, np.eye(3), np.array(1.0)], 2 * X + 1),
        ("Mean", {}, [X, X + 2], X + 1),
        ("Mod", {"fmod": 1}, [np.array([-5.0]), np.array(3.0)], [-2]),
        ("Scaler", {"offset": [1.0], "scale": [2.0, 2.0, 3.0]}, [X], [[-2, 0, 3], [4, 6, 12]]),
    ],
)
def test_rows_by_hand(operator: str, attributes: dict[str, Any], arrays: list[Any], expected: Any):
    assert np.array_equal(made(operator, *arrays, **attributes), expected)


def test_several_outputs():
    first, second = made("Split", np.arange(5), n_outputs=2)
    assert (first.tolist(), second.tolist()) == ([0, 1, 2], [3, 4])
    parts = made("Split", X, np.array([1, 2]), axis=1, n_outputs=2)
    assert [part.shape for part in parts] == [(2, 1), (2, 2)]


@pytest.mark.parametrize(
    ("operator", "arrays"),
    [
        ("ConstantOfShape", [np.array([2**40])]),
        ("Expand", [np.ones(1), np.array([2**20, 2**20])]),
        ("Tile", [np.ones(4), np.array([2**40])]),
        ("Range", [np.array(0), np.array(2**50), np.array(1)]),
        ("Add", [np.ones((2**11, 1)), np.ones((1, 2**11))]),
        ("MatMul", [np.ones((2**11, 1)), np.ones((1, 2**11))]),
        ("Gather", [np.ones((2, 2**10)), np.zeros(2**10, int)]),
        ("Concat", [np.ones(2**19)] * 3),
    ],
)
def test_no_memory_is_taken_for_more_than_allowed(operator: str, arrays: list[Any]):
    with pytest.raises(ValueError, match="must have at most 1000000 numbers"):
        made(operator, *arrays, axis=0)


@pytest.mark.doors
@pytest.mark.filterwarnings("ignore")
def test_cases_of_the_onnx_package():
    """Every node that the package has a case for, and that has a row, gives what is written there, or is refused."""
    cases = pytest.importorskip("onnx.backend.test.case.node").collect_testcases(None)
    tried = 0
    for case in cases:
        graph = case.model.graph
        node = graph.node[0]
        if len(graph.node) != 1 or node.op_type not in ARRAYS or node.domain or not case.data_sets:
            continue
        inputs, outputs = case.data_sets[0]
        known = dict(zip([each.name for each in graph.input], inputs, strict=True)) | {"": None}
        found = decode(memoryview(node.SerializeToString()), "Node")["attribute"]
        try:
            arrays = compute(node.op_type, settings(found), [known[name] for name in node.input], len(outputs), MANY)
        except (ValueError, AttributeError):  # types that NumPy lacks, training, sequences
            continue
        tried += 1
        for one, other in zip(arrays if isinstance(arrays, tuple) else [arrays], outputs, strict=False):
            assert np.shape(one) == other.shape, case.name
            np.testing.assert_allclose(np.asarray(one, other.dtype), other, rtol=1e-3, atol=1e-6, err_msg=case.name)
    assert tried > 300


def settings(found: list[dict[str, Any]]) -> dict[str, Any]:
    kinds = {1: "f", 2: "i", 3: "s", 6: "floats", 7: "ints", 8: "strings"}
    named = {each["name"]: array_of(each["t"]) if each["type"] == 4 else each[kinds[each["type"]]] for each in found}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in named.items()}
