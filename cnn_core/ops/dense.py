"""Products with a matrix, a bias and an activation that a user has written out: they run as a dense layer does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from cnn_core.activations import Activation
from cnn_core.foundation.records import NamedTuple
from cnn_core.network.graph import CallGraph, Node, Symbol
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable
from cnn_core.ops.activations import Activated
from cnn_core.ops.operation import Operation
from cnn_core.ops.products import matrix_of


class Dense(NamedTuple):
    """``activation(x @ kernel + bias)`` and the symbol that it gives."""

    layer: str
    kernel: Variable
    bias: Variable
    activation: Activation | None
    output: Symbol

    def add_to(self, plan: NetworkPlan, source: int) -> int:
        """Enter it into a plan as one operation."""
        variables = [self.kernel, self.bias]
        return plan.add_dense(source, self.output.sample_shape, variables, self.activation, layer=self.layer)


def dense_layers(graph: CallGraph, nodes: Sequence[Node]) -> dict[int, Dense]:
    """Find the products in a graph that a bias, and maybe an activation, follow; by their calls."""
    readers: dict[int, Node] = {}
    times = Counter(id(symbol) for symbol in (*graph.outputs, *graph.losses))
    for node in nodes:
        for source in node.inputs:
            times[id(source)] += 1
            readers[id(source)] = node

    def only_reader(symbol: Symbol) -> Operation | None:
        node = readers.get(id(symbol))
        if times[id(symbol)] != 1 or node is None:
            return None
        return node.layer if isinstance(node.layer, Operation) else None

    found: dict[int, Dense] = {}
    for node in nodes:
        kernel = matrix_of(node)
        if kernel is None:
            continue
        reader = only_reader(node.outputs[0])
        bias = None if reader is None else _bias_in(reader, kernel)
        if reader is None or bias is None:
            continue
        output = readers[id(node.outputs[0])].outputs[0]
        after = only_reader(output)
        if after is not None and isinstance(after.function, Activated):
            activation = after.function.activation(after.settings)
            output = readers[id(output)].outputs[0]
            found[id(node)] = Dense(after.name, kernel, bias, activation, output)
        else:
            found[id(node)] = Dense(reader.name, kernel, bias, None, output)
    return found


def _bias_in(reader: Operation, kernel: Variable) -> Variable | None:
    """Return what an addition adds to a product, if it is a variable with an element for each column."""
    if reader.function.name != "add":
        return None
    variables = [each for each in reader.operands if isinstance(each, Variable)]
    return variables[0] if len(variables) == 1 and variables[0].shape == kernel.shape[1:] else None
