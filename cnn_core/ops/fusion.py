"""Graphs on their way into a plan: chains of elementwise functions become one expression each.

What several expressions read is computed in each of them if that costs little, else once, into a buffer.
"""

from __future__ import annotations

from collections import defaultdict

from cnn_core.foundation.records import NamedTuple
from cnn_core.network.graph import CallGraph, Node, Symbol
from cnn_core.network.plan import NetworkPlan
from cnn_core.ops.broadcasting import of_a_sample
from cnn_core.ops.dense import dense_layers
from cnn_core.ops.elementwise import Draft, Elementwise, number_of
from cnn_core.ops.modes import is_choice, needed_calls, read_by
from cnn_core.ops.operation import Operation, shape_of

MOST_OPERANDS = 8  # of an expression
MOST_VARIABLES = 6
LONGEST = 40  # functions in an expression: native code keeps all their values in the nearest cache
CHEAP = 4  # functions that are computed again rather than stored


class _Chain(NamedTuple):
    """What is fused below a symbol: how many functions, what they read, and whether all are cheap."""

    length: int
    leaves: frozenset[int]
    variables: frozenset[int]
    cheap: bool


def enter_fused(plan: NetworkPlan, graph: CallGraph, inputs: list[int]) -> list[int]:
    """Do what `network.graph.enter_graph` does, for a graph with functions of `ops` in it."""
    return _Entry(plan, graph, inputs).outputs()


def is_elementwise(node: Node | None) -> bool:
    """Tell whether a call is that of an elementwise function."""
    return node is not None and isinstance(node.layer, Operation) and isinstance(node.layer.function, Elementwise)


class _Entry:
    def __init__(self, plan: NetworkPlan, graph: CallGraph, inputs: list[int]) -> None:
        self._plan = plan
        self._graph = graph
        self._buffers = {id(symbol): buffer for symbol, buffer in zip(graph.inputs, inputs, strict=True)}
        self._nodes = needed_calls(graph, [*graph.outputs, *graph.losses], plan.training)
        self._chains: dict[int, _Chain] = {}
        self._ends, self._shared = self._readers()
        self._dense = dense_layers(graph, self._nodes)

    def outputs(self) -> list[int]:
        """Enter all calls."""
        for node in self._nodes:
            if is_elementwise(node):
                self._note_chain(node)
            elif id(node) in self._dense:
                dense = self._dense[id(node)]
                buffer = dense.add_to(self._plan, self._buffer(node.inputs[0]))
                self._buffers[id(dense.output)] = buffer
            else:
                self._enter(node)
        return [self._buffer(symbol) for symbol in self._graph.outputs]

    def _enter(self, node: Node) -> None:
        read = read_by(node, self._plan.training)
        if is_choice(node) and len(read) == 1:
            outputs = [self._buffer(read[0])]
        else:
            outputs = node.add_to(self._plan, [self._buffer(symbol) for symbol in read])
        self._buffers.update({id(symbol): buffer for symbol, buffer in zip(node.outputs, outputs, strict=True)})

    def _readers(self) -> tuple[set[int], set[int]]:
        """Find the symbols that something else than expressions reads, and those that lead to several expressions."""
        ends = {id(symbol) for symbol in (*self._graph.outputs, *self._graph.losses)}
        reached: defaultdict[int, set[int]] = defaultdict(set)  # of each symbol the expressions that it leads to
        for node in reversed(self._nodes):
            made = node.outputs[0]
            if id(made) in ends:
                reached[id(made)] = {id(made)}
            for source in read_by(node, self._plan.training):
                if is_elementwise(node):
                    reached[id(source)] |= reached[id(made)]
                else:
                    ends.add(id(source))
        return ends, {symbol for symbol, found in reached.items() if len(found) > 1}

    def _note_chain(self, node: Node) -> None:
        """Work out what is fused below an elementwise function, and store what would be too much."""
        symbol = node.outputs[0]
        if id(symbol) in self._buffers:
            return  # the last part of a dense layer
        for source in node.inputs:
            chain = self._chains.get(id(source))
            if chain is None:
                continue
            again = id(source) in self._shared or source.sample_shape != symbol.sample_shape
            if id(source) in self._ends or (again and not chain.cheap):
                self._buffer(source)
        chain = self._chain_of(node)
        if chain.length > LONGEST or len(chain.leaves) > MOST_OPERANDS or len(chain.variables) > MOST_VARIABLES:
            for source in node.inputs:
                self._buffer(source)
            chain = self._chain_of(node)
        self._chains[id(symbol)] = chain

    def _chain_of(self, node: Node) -> _Chain:
        operation = node.layer
        assert isinstance(operation, Operation)
        assert isinstance(operation.function, Elementwise)
        variables = {
            id(operation.variable(position))
            for position, operand in enumerate(operation.operands)
            if operand is not None and number_of(operand) is None
        }
        length, leaves, cheap = 1, set(variables), operation.function.cheap
        for source in node.inputs:
            below = self._chains.get(id(source))
            if below is None or id(source) in self._buffers:
                leaves.add(id(source))
                continue
            length += below.length
            leaves |= below.leaves
            variables |= below.variables
            cheap = cheap and below.cheap
        return _Chain(length, frozenset(leaves), frozenset(variables), cheap and length <= CHEAP)

    def _buffer(self, symbol: Symbol) -> int:
        """Return the buffer of a symbol, computing the expression that gives it."""
        if id(symbol) not in self._buffers:
            draft, node = Draft(), symbol.node
            assert node is not None
            result = self._write(draft, symbol, symbol, {})
            shape = symbol.sample_shape
            self._buffers[id(symbol)] = self._plan.add_expression(draft.finished(result), shape, layer=node.layer.name)
        return self._buffers[id(symbol)]

    def _write(self, draft: Draft, symbol: Symbol, root: Symbol, written: dict[int, int]) -> int:
        """Write what gives a symbol into an expression and return its value."""
        if id(symbol) in self._buffers:
            shape = of_a_sample(symbol.shape, root.shape)
            return draft.operand(self._buffers[id(symbol)], shape)
        if id(symbol) not in written:
            node = symbol.node
            assert node is not None
            assert isinstance(node.layer, Operation)
            following = iter(node.inputs)
            values = []
            for position, operand in enumerate(node.layer.operands):
                if operand is None:
                    values.append(self._write(draft, next(following), root, written))
                else:
                    values.append(_write_constant(draft, node.layer, position, root))
            function = node.layer.function
            assert isinstance(function, Elementwise)
            written[id(symbol)] = function.write(draft, values, node.layer.settings)
        return written[id(symbol)]


def _write_constant(draft: Draft, operation: Operation, position: int, root: Symbol) -> int:
    operand = operation.operands[position]
    number = number_of(operand)
    if number is not None:
        return draft.constant(number)
    return draft.operand(operation.variable(position), of_a_sample(shape_of(operand), root.shape))
