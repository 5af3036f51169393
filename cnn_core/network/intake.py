"""What a model computes of data while it is read: the numbers that lookups and hashes find for texts and whole numbers.

A graph with such layers is cut in two: before the cut stands what they read, behind it what native code computes of the
numbers that they give.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

import cnn_core._core as _core
import cnn_core.config as config
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.structures import flatten, map_structure
from cnn_core.network.graph import TEXT, CallGraph, Node, Symbol, enter_graph
from cnn_core.network.native import bound_network
from cnn_core.network.plan import NetworkPlan


class Intake:
    """The calls before the cut, and the graph behind it.

    Attributes
    ----------
    graph : CallGraph
        Behind the cut: from what native code reads to the outputs.
    sources : list of Symbol
        What each input of that graph is: an input of the whole, or what a layer before the cut gives.
    read : list of Symbol
        The inputs of the whole that calls before the cut look at.
    """

    def __init__(self, graph: CallGraph, inside: dict[int, bool]) -> None:
        opened = _opened(graph, inside)
        self._inputs = {id(symbol): place for place, symbol in enumerate(opened.inputs)}
        self._readers = {id(node): node for node in opened.nodes if node.layer.reads_values}
        before = _before(opened, self._readers.values())
        self.read = [symbol for symbol in opened.inputs if id(symbol) in before]
        self.graph, self.sources = self._behind(opened)
        self._at_once = {id(symbol) for node in self._readers.values() for symbol in node.inputs}

    def is_read_at_once(self, symbol: Symbol) -> bool:
        """Whether the values of an input are tokens, of which nothing is computed before they are looked at."""
        return id(symbol) in self._at_once

    @classmethod
    def of(cls, graph: CallGraph) -> Intake | None:
        """Cut a graph; None if nothing in it looks at data while it is read.

        Raises
        ------
        TypeError
            If something else than such a layer is called on texts.
        """
        inside: dict[int, bool] = {}
        if not _holds_readers(graph, inside) and all(symbol.dtype != TEXT for symbol in graph.inputs):
            return None
        intake = cls(graph, inside)
        for source in intake.sources:
            if source.dtype == TEXT:
                raise TypeError(
                    f"{source.name!r} is text, which layers cannot compute with: let StringLookup, Hashing or "
                    f"HashedCrossing read it first. Received: {source!r}"
                )
        return intake

    def _behind(self, graph: CallGraph) -> tuple[CallGraph, list[Symbol]]:
        copies: dict[int, Symbol] = {id(symbol): _like(symbol) for symbol in graph.inputs}
        sources = [(copies[id(symbol)], symbol) for symbol in graph.inputs]
        for node in graph.nodes:
            if id(node) in self._readers:
                numbers, behind = _numbers_of(node)
                copies[id(node.outputs[0])] = behind
                sources.append((numbers, node.outputs[0]))
            else:
                _copy(node, copies, None)
        outputs = map_structure(lambda symbol: copies[id(symbol)], graph.output_structure)
        losses = [copies[id(symbol)] for symbol in graph.losses]
        needed = _inputs_of([*flatten(outputs), *losses])
        kept = [(own, source) for own, source in sources if id(own) in needed]
        return CallGraph([own for own, _ in kept], outputs, losses), [source for _, source in kept]

    def rows(self, arrays: Sequence[Array]) -> list[Array]:
        """Return what native code reads, given an array for each input of the whole."""
        made = iter(self.numbers([arrays[self._inputs[id(symbol)]] for symbol in self.read]))
        places = [self._inputs.get(id(source)) for source in self.sources]
        found = [next(made) if place is None else arrays[place] for place in places]
        return [each if each.ndim > 1 else each[:, None] for each in found]

    def numbers(self, values: Sequence[Array]) -> list[Array]:
        """Return what native code reads in the place of each of `sources` that is no input of the whole.

        Parameters
        ----------
        values : sequence of numpy.ndarray
            One for each symbol of `read`: texts as objects, or numbers.
        """
        known = {
            id(symbol): value.reshape(len(value), *symbol.shape[1:])
            for symbol, value in zip(self.read, values, strict=True)
        }
        return [self._number(symbol, known) for symbol in self.sources if id(symbol) not in self._inputs]

    def _number(self, symbol: Symbol, known: dict[int, Array]) -> Array:
        node = symbol.node
        assert node is not None
        arrays = [self._value(each, known) for each in node.inputs]
        found: Array = node.layer.read(arrays)  # type: ignore[attr-defined]
        return found

    def _value(self, symbol: Symbol, known: dict[int, Array]) -> Array:
        """Return the value of a symbol before the cut."""
        if id(symbol) not in known:
            node = symbol.node
            assert node is not None
            if id(node) in self._readers:
                made = [self._number(symbol, known)]
            else:
                made = _computed(node, [self._value(each, known) for each in node.inputs])
            known.update({id(each): value for each, value in zip(node.outputs, made, strict=True)})
        return known[id(symbol)]


def _computed(node: Node, arrays: Sequence[Array]) -> list[Array]:
    """Return what a call makes of arrays: texts it may only put elsewhere."""
    if any(array.dtype.kind == "O" for array in arrays):
        if not node.layer.is_operation:
            raise TypeError(
                f"{node.layer.name!r} cannot compute with texts: let StringLookup, Hashing or HashedCrossing read them"
            )
        moved: list[Array] = node.layer.moved(arrays)  # type: ignore[attr-defined]
        return moved
    dtype = node.layer.dtype if node.layer.dtype in ("float32", "float64") else config.floatx()
    plan = NetworkPlan()
    buffers = [plan.add_input(array.shape[1:]) for array in arrays]
    plan.set_outputs(enter_graph(plan, CallGraph(list(node.inputs), list(node.outputs)), buffers), node.layer.name)
    rows = [validation.convert(array.reshape(len(array), -1), "x", np.dtype(dtype)) for array in arrays]
    run = _core.Block(bound_network(plan, dtype), len(rows[0]), False, 0)
    made = run.forward([array.reshape(len(array), *shape) for array, shape in zip(rows, plan.shapes, strict=False)])
    return [array.reshape(len(array), *symbol.shape[1:]) for array, symbol in zip(made, node.outputs, strict=True)]


# Graphs


def _holds_readers(graph: CallGraph, inside: dict[int, bool]) -> bool:
    """Whether a layer in a graph looks at data while it is read; `inside` knows what is so of inner graphs, by `id`."""
    if id(graph) not in inside:
        inside[id(graph)] = any(
            node.layer.reads_values or ((inner := node.inner_graph) is not None and _holds_readers(inner, inside))
            for node in graph.nodes
        )
    return inside[id(graph)]


def _opened(graph: CallGraph, inside: dict[int, bool]) -> CallGraph:
    """Return an equal graph with the calls inside of layers that hold readers in the place of the calls of these."""
    copies = {id(symbol): symbol for symbol in graph.inputs}
    losses: list[Symbol] = []
    _open(graph, copies, losses, None, inside)
    outputs = map_structure(lambda symbol: copies[id(symbol)], graph.output_structure)
    return CallGraph(graph.input_structure, outputs, losses)


def _open(
    graph: CallGraph, copies: dict[int, Symbol], losses: list[Symbol], training: bool | None, inside: dict[int, bool]
) -> None:
    for node in graph.nodes:
        inner = node.inner_graph
        if inner is None or not _holds_readers(inner, inside):
            _copy(node, copies, training)
            continue
        if getattr(node.layer, "activity_regularizer", None) is not None:
            raise ValueError(
                f"`activity_regularizer` of {node.layer.name!r} must be None, because a layer inside looks at data "
                "while it is read: give it to the layers inside"
            )
        within = {id(own): copies[id(given)] for own, given in zip(inner.inputs, node.inputs, strict=True)}
        _open(inner, within, losses, training if node.training is None else node.training, inside)
        copies.update({id(made): within[id(own)] for made, own in zip(node.outputs, inner.outputs, strict=True)})
    losses.extend(copies[id(symbol)] for symbol in graph.losses)


def _copy(node: Node, copies: dict[int, Symbol], training: bool | None) -> None:
    """Note the same call of copies, which its layer does not remember."""
    mode = training if node.training is None else node.training
    again = Node(node.layer, [copies[id(symbol)] for symbol in node.inputs], mode, node.arguments)
    again.make(list(map(_like, node.outputs)))
    copies.update({id(old): new for old, new in zip(node.outputs, again.outputs, strict=True)})


def _like(symbol: Symbol) -> Symbol:
    return Symbol(symbol.shape, symbol.name, symbol.dtype)


def _numbers_of(node: Node) -> tuple[Symbol, Symbol]:
    """Return a symbol for the numbers that a reader finds, and what it gives behind the cut."""
    numbers = Symbol(node.inputs[0].shape, node.layer.name, "int64")
    if node.outputs[0].dtype.startswith("int"):
        return numbers, numbers
    encoding = Node(node.layer, [numbers])
    encoding.make([_like(node.outputs[0])])
    return numbers, encoding.outputs[0]


def _before(graph: CallGraph, readers: Iterable[Node]) -> set[int]:
    """Return the symbols that readers, and what they read, depend on."""
    found: set[int] = set()
    waiting = [symbol for node in readers for symbol in node.inputs]
    ends = {id(symbol) for symbol in graph.inputs}
    while waiting:
        symbol = waiting.pop()
        if id(symbol) not in found:
            found.add(id(symbol))
            if id(symbol) not in ends and symbol.node is not None:
                waiting.extend(symbol.node.inputs)
    return found


def _inputs_of(symbols: list[Symbol]) -> set[int]:
    """Return the symbols without a call that others depend on."""
    seen: set[int] = set()
    ends: set[int] = set()
    while symbols:
        symbol = symbols.pop()
        if id(symbol) in seen:
            continue
        seen.add(id(symbol))
        if symbol.node is None:
            ends.add(id(symbol))
        else:
            symbols.extend(symbol.node.inputs)
    return ends
