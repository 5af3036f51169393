"""Predict with ONNX Runtime: a graph of Gemm nodes in one session."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from cases import Network, Optimizer, Training, Weights
from rivals.base import Rival, Route, Values, in_blocks

OPERATORS = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "softmax": "Softmax"}
OPSET = 17


class OnnxRuntime(Rival):
    """Run the network in an InferenceSession with all graph optimisations."""

    def versions(self) -> dict[str, str]:
        return {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}

    def build(self, network: Network, weights: Weights, case: Training | None, optimizer: Optimizer | None) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        model = graph_of(network, weights).SerializeToString()
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def predict(self, x: NDArray[np.float32]) -> Values:
        outputs: Values = self.session.run(None, {"x": x})[0]
        return outputs

    def routes(self) -> dict[str, Route]:
        binding = self.session.io_binding()
        binding.bind_cpu_input("x", self.x)
        binding.bind_output("y")
        routes: dict[str, Route] = {
            "whole": lambda: self.predict(self.x),
            "binding": lambda: self.session.run_with_iobinding(binding),
        }
        if len(self.x) > 10_000:
            routes["blocks"] = lambda: in_blocks(self.predict, self.x)
        return routes


def graph_of(network: Network, weights: Weights) -> onnx.ModelProto:
    """Write the network as an ONNX model with input x (rows, inputs) and output y (rows, outputs)."""
    nodes, tensors, value = [], [], "x"
    for layer, (_, _, activation) in enumerate(network.layers):
        names = [f"w{layer}", f"b{layer}"]
        tensors += [numpy_helper.from_array(weights[2 * layer + i], names[i]) for i in range(2)]
        nodes.append(helper.make_node("Gemm", [value, *names], [f"z{layer}"]))
        value = f"z{layer}"
        if activation != "linear":
            attributes = {"axis": 1} if activation == "softmax" else {}
            nodes.append(helper.make_node(OPERATORS[activation], [value], [f"a{layer}"], **attributes))
            value = f"a{layer}"
    nodes.append(helper.make_node("Identity", [value], ["y"]))
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", network.sizes[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", network.sizes[-1]])],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
