from __future__ import annotations

import contextlib
import io
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cnn_core import Input, Sequential, layers
from cnn_core.interop import from_onnx, to_onnx
from cnn_core.interop.onnx_arrays import ARRAYS
from cnn_core.interop.onnx_format import decode, encode, tensor
from cnn_core.interop.onnx_operators import OPERATORS
from random_expressions import random_expressions
from random_models import random_model, randomize


def written() -> tuple[Any, bytes]:
    chain = [layers.Dense(4, "relu"), layers.LayerNormalization(), layers.Softmax(), layers.Dense(2, use_bias=False)]
    model = Sequential([Input((3,), name="x"), *chain])
    randomize(model, np.random.default_rng(0))
    model.metadata["data"] = "May"
    return model, to_onnx(model)


def test_what_was_written_is_read(tmp_path: Any):
    model, data = written()
    (tmp_path / "m.onnx").write_bytes(data)
    x = np.random.default_rng(1).normal(size=(5, 3)).astype("float32")
    for given in (data, tmp_path / "m.onnx"):
        back = from_onnx(given)
        np.testing.assert_allclose(back(x), model(x), rtol=1e-6, atol=1e-6)
        assert back.metadata == {"data": "May"}
        assert isinstance(back, Sequential)


def test_damaged_files_are_refused_cleanly():
    _, data = written()
    whole = len(encode({name: value for name, value in decode(memoryview(data)).items() if name != "metadata_props"}))
    for end in range(0, whole, 8):
        with pytest.raises(ValueError, match="`model` cannot be read as a model of ONNX"):
            from_onnx(data[:end])
    draw = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(data)
        damaged[draw.integers(len(data))] ^= 1 << int(draw.integers(8))
        with contextlib.suppress(ValueError):
            from_onnx(bytes(damaged))


def test_no_memory_is_taken_for_what_an_input_declares():
    found = decode(memoryview(written()[1]))
    found["graph"]["input"][0]["type"]["tensor_type"]["shape"]["dim"][1]["dim_value"] = 2**30
    with pytest.raises(ValueError, match=r"its `B` must have the shape \(1073741824, 4\)"):
        from_onnx(encode(found))


def changed(**change: Any) -> bytes:
    found = decode(memoryview(written()[1]))
    found["graph"] |= {name: value for name, value in change.items() if name in found["graph"]}
    return encode(found | {name: value for name, value in change.items() if name in found})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"opset_import": [{"version": 5}]}, "its opset must be 6 to 28. Received: 5"),
        (
            {"node": [{"op_type": "Relu", "name": "r", "input": ["a"], "output": ["a"], "attribute": []}]},
            r"node 'r' \(Relu\) reads 'a', which nothing before it makes",
        ),
        (
            {"node": [{"op_type": "Conv", "name": "c", "input": ["x"], "output": ["softmax_1"], "attribute": []}]},
            r"its|output .* is left out",
        ),
    ],
)
def test_what_a_file_may_not_say_is_named(change: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        from_onnx(changed(**change))


CHANGES: list[Callable[[dict[str, Any], np.random.Generator], Any]] = [
    lambda graph, draw: draw.shuffle(graph["node"]),
    lambda graph, draw: pick(graph["initializer"], draw).update(dims=sizes(draw)),
    lambda graph, draw: pick(graph["initializer"], draw).update(data_type=int(draw.integers(20))),
    lambda graph, draw: pick(graph["node"], draw).update(op_type=str(draw.choice([*OPERATORS, *ARRAYS]))),
    lambda graph, draw: pick(graph["node"], draw).update(input=names(graph, draw)),
    lambda graph, draw: pick(graph["node"], draw).update(output=names(graph, draw)),
    lambda graph, draw: pick(graph["node"], draw)["attribute"].append({"name": "axis", "i": 2**40, "type": 2}),
    lambda graph, draw: graph["input"][0]["type"]["tensor_type"].update(shape={"dim": dimensions(draw)}),
    lambda graph, draw: graph.update(output=[{"name": each} for each in names(graph, draw)]),
]


def pick(listed: list[Any], draw: np.random.Generator) -> Any:
    return listed[draw.integers(len(listed))]


def sizes(draw: np.random.Generator) -> list[int]:
    return [int(each) for each in draw.choice([0, 1, -1, 3, 2**31, 2**62], size=draw.integers(5))]


def dimensions(draw: np.random.Generator) -> list[dict[str, int]]:
    return [{"dim_value": size} for size in sizes(draw)]


def names(graph: dict[str, Any], draw: np.random.Generator) -> list[str]:
    known = ["", "x", *(each["name"] for each in graph["initializer"])]
    known += [each for node in graph["node"] for each in node["output"]]
    return [str(each) for each in draw.choice(known, size=draw.integers(4))]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "seed"), [*((random_model, seed) for seed in range(6)), *((random_expressions, seed) for seed in (2, 4))]
)
def test_misled_graphs_are_refused_cleanly_and_take_little_memory(seed: int, make: Any):
    """Shapes, types, names and operators that do not fit, cycles among them: a ValueError, or a model."""
    data, draw = to_onnx(make(seed)), np.random.default_rng(seed)
    tracemalloc.start()
    for _ in range(80 if make is random_model else 10):
        found = decode(memoryview(data))
        for _ in range(draw.integers(1, 3)):
            pick(CHANGES, draw)(found["graph"], draw)
        with contextlib.suppress(ValueError):
            from_onnx(encode(found))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**28


@pytest.mark.parametrize(
    ("operator", "operand"),
    [("Expand", np.array([2**40, 4])), ("Tile", np.array([1, 2**40])), ("Reshape", np.array([2**40, -1]))],
)
def test_no_memory_is_taken_for_what_a_node_asks_for(operator: str, operand: Any):
    graph = {
        "node": [{"op_type": operator, "input": ["x", "n"], "output": ["y"]}],
        "input": [{"name": "x", "type": {"tensor_type": {"elem_type": 1, "shape": {"dim": [{}, {"dim_value": 4}]}}}}],
        "output": [{"name": "y"}],
        "initializer": [tensor(operand, "n")],
    }
    with pytest.raises(ValueError, match=rf"node 'y' \({operator}\) cannot be carried over"):
        from_onnx(encode({"graph": graph, "opset_import": [{"version": 17}]}))


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ({"name": "body", "type": 5}, "its attribute 'body' must be a number, a text, a tensor or a list"),
        ({"name": "axis", "i": 7, "type": 2}, "axis"),
    ],
)
def test_what_cannot_be_carried_names_node_and_attribute(attribute: dict[str, Any], message: str):
    found = decode(memoryview(written()[1]))
    softmax = next(node for node in found["graph"]["node"] if node["op_type"] == "Softmax")
    softmax["attribute"] = [attribute]
    with pytest.raises(ValueError, match=rf"node '{softmax['name']}' \(Softmax\) cannot be carried over: .*{message}"):
        from_onnx(encode(found))


class Block:
    """The modules of the tests, made only where PyTorch is installed."""

    @staticmethod
    def make(torch: Any) -> Any:
        nn = torch.nn
        chain = [nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.2), nn.Linear(6, 6), nn.LeakyReLU(0.2)]
        return nn.Sequential(*chain, nn.LayerNorm(6), nn.ELU(), nn.Linear(6, 3), nn.Softmax(dim=1)).eval()


@pytest.mark.doors
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_file_of_pytorch():
    torch = pytest.importorskip("torch")
    module, x = Block.make(torch), torch.randn(5, 4)
    file = io.BytesIO()
    names = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": {0: "n"}, "y": {0: "n"}}}
    torch.onnx.export(module, (x,), file, opset_version=17, dynamo=False, **names)
    np.testing.assert_allclose(from_onnx(file.getvalue())(x.numpy()), module(x).detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.doors
@pytest.mark.parametrize("classes", [2, 3])
def test_a_file_of_skl2onnx(classes: int):
    skl2onnx = pytest.importorskip("skl2onnx")
    from sklearn.neural_network import MLPClassifier

    x = np.random.default_rng(5).normal(size=(60, 4)).astype("float32")
    y = np.array(["a", "b", "c"])[np.digitize(x[:, 0], [-0.4, 0.4][: classes - 1])]
    fitted = MLPClassifier((5,), max_iter=400, tol=1e-2, random_state=0).fit(x, y)
    with pytest.warns(UserWarning, match="output 'output_label' is left out because node"):
        model = from_onnx(skl2onnx.to_onnx(fitted, x[:1], target_opset=17))
    np.testing.assert_allclose(model(x), fitted.predict_proba(x), rtol=1e-5, atol=1e-6)
