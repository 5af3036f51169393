"""Symbolic values and the calls that made them: how the functional API remembers a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NotRequired, Protocol, TypedDict
from weakref import ref

from cnn_core.foundation.structures import flatten, map_structure
from cnn_core.network.operators import Operators
from cnn_core.network.plan import NetworkPlan

if TYPE_CHECKING:
    from cnn_core.network.variables import Variable

Shape = tuple[int | None, ...]
TEXT = "string"  # the dtype of symbols that stand for texts
BAND = 16  # how many calls deep a pickle follows them at once

MAX_CALLS = 100_000  # of layers, in a model from a file: more would take minutes to compile


class UndefinedError(AttributeError, ValueError):
    """An attribute has no value yet: `hasattr` says so, and the message says what is missing."""


class Symbol(Operators):
    """Stand for an array that a network will compute: a shape, and the call that makes it.

    Symbols take Python's operators and slices, ``(1 - a) * b[:, :2]``, which are functions of `cnn_core.ops`.

    Attributes
    ----------
    shape : tuple
        With the batch dimension first, None. A shape without it is that of a value which all samples share, such as a
        mean over the batch.
    node : Node or None
        None for an input.
    name : str
    dtype : str
    mask : Symbol or None
        Which steps of each sample count: see `cnn_core.layers.masks`. None: all.
    """

    mask: Symbol | None = None

    def __init__(self, shape: Shape, name: str, dtype: str, node: Node | None = None) -> None:
        self.shape = shape
        self.name = name
        self.dtype = dtype
        self.node = node

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def _keras_mask(self) -> Symbol | None:
        return self.mask

    @_keras_mask.setter
    def _keras_mask(self, mask: Symbol | None) -> None:
        self.mask = mask

    @property
    def depth(self) -> int:
        """How many calls lead to it on the longest way."""
        return 0 if self.node is None else self.node.depth

    def __repr__(self) -> str:
        return f"<Symbol shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    def loss_values(self, loss: object, y_true: object, y_pred: object) -> Any:
        """Return what a loss of this package makes of each row, where the value is among targets and predictions."""
        return self.functions["loss_values"](loss, y_true, y_pred)

    def reduced_loss(self, loss: object, y_true: object, y_pred: object, sample_weight: object) -> Any:
        """Return the loss as its reduction says."""
        return self.functions["reduced_loss"](loss, y_true, y_pred, sample_weight)

    @property
    def batched(self) -> bool:
        """Whether every sample has a value of its own."""
        return bool(self.shape) and self.shape[0] is None

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample's value, all of it known."""
        shape = self.shape[1:] if self.batched else self.shape
        if None in shape:
            raise ValueError(f"The shape of {self.name!r} must be known but for the batch. Received: {self.shape}")
        return shape  # type: ignore[return-value]

    def __array__(self, *arguments: object, **keywords: object) -> Any:
        raise TypeError(
            f"{self!r} stands for a value that a model will compute; NumPy cannot compute with it. Use functions of "
            "cnn_core.ops, or layers"
        )

    def _refuse_ufunc(self, ufunc: object, method: str, inputs: object, keywords: object) -> Any:
        return self.__array__()

    def __bool__(self) -> bool:
        raise TypeError(
            f"{self!r} has no truth value before the model computes: Python's `if`, `while`, `and`, `or` and `not` "
            "cannot depend on it. Use ops.where(condition, a, b), ops.logical_and, ops.logical_or or ops.logical_not"
        )

    def _refuse_number(self) -> Any:
        raise TypeError(
            f"{self!r} is no number before the model computes: sizes, ranges and Python's functions of numbers cannot "
            "depend on it. Use functions of cnn_core.ops"
        )

    __int__ = __float__ = __index__ = _refuse_number

    def __len__(self) -> int:
        raise TypeError(f"{self!r} has no length before the model computes. Use its `shape`, or ops.shape")

    def __iter__(self) -> Any:
        raise TypeError(
            f"{self!r} cannot be iterated over. Use slices such as x[:, 0], ops.split or ops.unstack along an axis of "
            "the features"
        )

    # Pickled and copied with the landmarks on the way to it, the farthest first: from each it is a few calls to the
    # next, where following all of them at once would recurse as deep as the network is.

    def __getstate__(self) -> dict[str, Any]:
        return {"landmarks": _landmarks(self), **self.__dict__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update((name, value) for name, value in state.items() if name != "landmarks")


class LayerLike(Protocol):
    """What a graph needs of a layer; `cnn_core.layers.Layer` has it."""

    name: str
    n_inputs: int | None
    n_draws: int
    index_limit: int | None
    calls: list[ref[Node]]

    @property
    def dtype(self) -> str:
        """The type of its variables and outputs."""

    @property
    def variables(self) -> list[Variable]:
        """All of its variables."""

    @property
    def reads_values(self) -> bool:
        """Whether it looks at data while it is read: texts, whole numbers of any size."""

    @property
    def is_operation(self) -> bool:
        """Whether it is a function of `cnn_core.ops`."""

    @property
    def defines_call(self) -> bool:
        """Whether a user's `call` says what it computes."""

    def inner_graph_of(self, inputs: Sequence[Symbol], arguments: object) -> CallGraph | None:
        """The calls inside, if the layer is made of others."""

    def ensure_built(self, shapes: object) -> None:
        """Build the layer unless it is built."""

    def add_to(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        """Enter the layer into a plan; return the buffers of its outputs."""

    def add_call_to(
        self, plan: NetworkPlan, inputs: list[int], symbols: Sequence[Symbol], arguments: object = None
    ) -> list[int]:
        """Do so for what a user's `call` makes of these symbols."""


class Node:
    """One call of a layer on symbols.

    Attributes
    ----------
    layer : LayerLike
    inputs, outputs : tuple of Symbol
    training : bool or None
        What the call said, None if nothing.
    arguments : object or None
        What else it said, where a layer takes more than its inputs.
    """

    def __init__(
        self, layer: LayerLike, inputs: Sequence[Symbol], training: bool | None = None, arguments: object = None
    ) -> None:
        self.layer = layer
        self.inputs = tuple(inputs)
        self.training = training
        self.depth = 1 + max((symbol.depth for symbol in self.inputs), default=0)
        self.arguments = arguments
        self.outputs: tuple[Symbol, ...] = ()

    @classmethod
    def of(
        cls,
        layer: LayerLike,
        inputs: Sequence[Symbol],
        outputs: Sequence[Symbol],
        training: bool | None = None,
        arguments: object = None,
    ) -> Node:
        """Record a call that made these symbols; the layer remembers it as long as somebody else does."""
        node = cls(layer, inputs, training, arguments)
        node.make(outputs)
        layer.calls.append(ref(node))
        return node

    def make(self, outputs: Sequence[Symbol]) -> None:
        """Let symbols be what the call makes."""
        self.outputs = tuple(outputs)
        for symbol in outputs:
            symbol.node = self

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.layer.calls.append(ref(self))

    def add_to(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        """Enter the call into a plan, given the buffers of what it reads; return those of its outputs."""
        with plan.called_with(self.training):
            if self.layer.defines_call:
                made = self.layer.add_call_to(plan, inputs, self.inputs, self.arguments)
            else:
                made = self.layer.add_to(plan, inputs)
        return [
            plan.in_shape(buffer, each.shape[each.batched :]) for buffer, each in zip(made, self.outputs, strict=True)
        ]

    @property
    def inner_graph(self) -> CallGraph | None:
        """The calls inside, if the layer is made of others."""
        return self.layer.inner_graph_of(self.inputs, self.arguments)

    def forget(self) -> None:
        """Let the layer forget the call, because another one takes its place."""
        self.layer.calls = [call for call in self.layer.calls if call() is not self]


def nodes_between(inputs: Iterable[Symbol], outputs: Iterable[Symbol]) -> list[Node]:
    """Return the calls that lead from inputs to outputs, each after those it depends on.

    Raises
    ------
    ValueError
        If an output depends on an input that is not listed.
    """
    known = {id(symbol) for symbol in inputs}
    order: list[Node] = []
    visited: set[int] = set()
    stack: list[tuple[Symbol, bool]] = [(symbol, False) for symbol in reversed(list(outputs))]
    while stack:
        symbol, expanded = stack.pop()
        if id(symbol) in known or (symbol.node is not None and id(symbol.node) in visited):
            continue
        if symbol.node is None:
            raise ValueError(f"`inputs` must list every input that the outputs depend on. Missing: {symbol.name!r}")
        if expanded:
            visited.add(id(symbol.node))
            order.append(symbol.node)
            continue
        stack.append((symbol, True))
        stack.extend((source, False) for source in reversed(symbol.node.inputs))
    return order


def _is_landmark(symbol: Symbol) -> bool:
    """Whether its call reads a symbol of another band, so that no way through one band is longer than it is deep."""
    read = () if symbol.node is None else symbol.node.inputs
    return any(source.depth // BAND != symbol.depth // BAND for source in read)


def _landmarks(symbol: Symbol) -> list[Symbol]:
    """Return the landmarks that a landmark depends on, each behind those that it depends on itself."""
    if not _is_landmark(symbol):
        return []
    found, waiting = {id(symbol): symbol}, [symbol]
    while waiting:
        node = waiting.pop().node
        for source in () if node is None else node.inputs:
            if id(source) not in found:
                found[id(source)] = source
                waiting.append(source)
    marked = [each for each in found.values() if each is not symbol and _is_landmark(each)]
    return sorted(marked, key=lambda each: each.depth)


class Call(TypedDict):
    """A node as plain data: the number of its layer, and those of the symbols it reads and makes.

    `training` and `arguments` are there only if the call said something about them.
    """

    layer: int
    inputs: list[int]
    outputs: list[int]
    training: NotRequired[bool]
    arguments: NotRequired[Any]


class CallGraph:
    """The calls that lead from inputs to outputs, in an order in which they can be computed.

    Parameters
    ----------
    inputs, outputs : Symbol, or list, tuple or dict of Symbol
    losses : sequence of Symbol, default ()
        What is added to the loss on the way.

    Attributes
    ----------
    inputs, outputs : list of Symbol
        Flattened.
    input_structure, output_structure
        As given.
    losses : list of Symbol
    nodes : list of Node
    masked : list of bool
        Of each output whether it has a mask.

    Raises
    ------
    TypeError
        If something else than symbols is given.
    ValueError
        If an output depends on an input that is not listed, or an input is no input.
    """

    def __init__(self, inputs: object, outputs: object, losses: Sequence[Symbol] = ()) -> None:
        for name, structure in (("inputs", inputs), ("outputs", outputs)):
            for symbol in flatten(structure):
                if not isinstance(symbol, Symbol):
                    raise TypeError(
                        f"`{name}` must be symbols, as Input() and calls of layers return. Received: {symbol!r}"
                    )
        self._set(inputs, outputs, losses, nodes_between(flatten(inputs), [*flatten(outputs), *losses]))

    def _set(self, inputs: Any, outputs: object, losses: Sequence[Symbol], nodes: list[Node]) -> None:
        self.input_structure = inputs
        self.output_structure = outputs
        self.nodes = nodes
        self.inputs: list[Symbol] = flatten(inputs)
        self.outputs: list[Symbol] = flatten(outputs)
        self.losses = list(losses)
        self.masked = [symbol.mask is not None for symbol in self.outputs]

    @property
    def layers(self) -> list[LayerLike]:
        """The layers that are called, each once, in the order of their first calls."""
        return list({id(node.layer): node.layer for node in self.nodes}.values())

    def in_order(self) -> list[Symbol | LayerLike]:
        """Return inputs and layers in Keras's order, in which `get_weights` lists the weights of a model.

        By falling depth, which is the number of calls on the longest way to an output; those of the same depth as a
        walk from the outputs back to the inputs reaches them.
        """
        depths: dict[int, int] = {}  # of nodes and input symbols
        of_parts: dict[int, int] = {}  # of layers and input symbols
        known = {id(symbol) for symbol in self.inputs}
        for node in reversed(self.nodes):
            depth = max(depths.get(id(node), 0), of_parts.get(id(node.layer), 0))
            of_parts[id(node.layer)] = depths[id(node)] = depth
            for source in node.inputs:
                origin = source if source.node is None or id(source) in known else source.node
                depths[id(origin)] = max(depths.get(id(origin), 0), depth + 1)
        met = self._met()
        parts: list[Symbol | LayerLike] = [*self.inputs, *self.layers]
        of_parts.update((id(symbol), depths.get(id(symbol), 0)) for symbol in self.inputs)
        return sorted(parts, key=lambda part: (-of_parts[id(part)], met.get(id(part), -1)))

    def _met(self) -> dict[int, int]:
        """Number layers and input symbols as a walk from the outputs, depth first, reaches them."""
        known = {id(symbol) for symbol in self.inputs}
        met: dict[int, int] = {}
        visited: set[int] = set()
        stack = [*reversed(self.losses), *reversed(self.outputs)]
        while stack:
            symbol = stack.pop()
            node = None if id(symbol) in known else symbol.node
            met.setdefault(id(symbol if node is None else node.layer), len(met))
            if node is not None and id(node) not in visited:
                visited.add(id(node))
                stack.extend(reversed(node.inputs))
        return met

    @property
    def symbols(self) -> list[Symbol]:
        """The inputs and what each call makes; a symbol's place is its number in `calls` and in structures."""
        return [*self.inputs, *(symbol for node in self.nodes for symbol in node.outputs)]

    def calls(self) -> list[Call]:
        """Return the nodes as plain data."""
        number = {id(symbol): at for at, symbol in enumerate(self.symbols)}
        place = {id(layer): at for at, layer in enumerate(self.layers)}
        calls: list[Call] = []
        for node in self.nodes:
            calls.append(
                {
                    "layer": place[id(node.layer)],
                    "inputs": [number[id(symbol)] for symbol in node.inputs],
                    "outputs": [number[id(symbol)] for symbol in node.outputs],
                }
            )
            if node.training is not None:
                calls[-1]["training"] = node.training
            if node.arguments is not None:
                calls[-1]["arguments"] = node.arguments
        return calls

    def numbered(self, structure: object) -> Any:
        """Return a structure of symbols with their numbers in their place."""
        number = {id(symbol): at for at, symbol in enumerate(self.symbols)}
        return map_structure(lambda symbol: number[id(symbol)], structure)

    # Pickled and copied as a flat list: following symbols to nodes and nodes to symbols would recurse as deep as the
    # network is.

    def __getstate__(self) -> dict[str, Any]:
        return {
            "layers": self.layers,
            "symbols": [(symbol.shape, symbol.name, symbol.dtype) for symbol in self.symbols],
            "calls": self.calls(),
            "inputs": self.numbered(self.input_structure),
            "outputs": self.numbered(self.output_structure),
            "losses": self.numbered(self.losses),
            "masked": self.masked,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        symbols = [Symbol(*each) for each in state["symbols"]]
        find = symbols.__getitem__
        nodes = [
            Node.of(
                state["layers"][call["layer"]],
                list(map(find, call["inputs"])),
                list(map(find, call["outputs"])),
                call.get("training"),
                call.get("arguments"),
            )
            for call in state["calls"]
        ]
        inputs, outputs, losses = (map_structure(find, state[name]) for name in ("inputs", "outputs", "losses"))
        self._set(inputs, outputs, losses, nodes)
        self.masked = state["masked"]


def enter_graph(plan: NetworkPlan, graph: CallGraph, inputs: list[int]) -> list[int]:
    """Enter the calls of a graph into a plan, given the inputs' buffers; return the outputs'."""
    if any(node.layer.is_operation for node in graph.nodes):
        outputs: list[int] = Operators.functions["enter_graph"](plan, graph, inputs)
        return outputs
    buffers = {id(symbol): buffer for symbol, buffer in zip(graph.inputs, inputs, strict=True)}
    for node in graph.nodes:
        made = node.add_to(plan, [buffers[id(symbol)] for symbol in node.inputs])
        buffers.update({id(symbol): buffer for symbol, buffer in zip(node.outputs, made, strict=True)})
    return [buffers[id(symbol)] for symbol in graph.outputs]


def check_number_of_calls(graph: CallGraph | None) -> None:
    """Refuse a graph, if there is one, whose layers are called so often that compiling it would take minutes.

    Raises
    ------
    ValueError
        If there are more than `MAX_CALLS`, those in models that it calls included.
    """
    n_calls = 0 if graph is None else _calls_in(graph, {})
    if n_calls > MAX_CALLS:
        raise ValueError(f"its layers must be called at most {MAX_CALLS} times. Received: {n_calls} calls")


def _calls_in(graph: CallGraph, known: dict[int, int]) -> int:
    """Count the calls of layers in a graph and in the models that it calls: each may call the next one twice."""
    if id(graph) not in known:
        inner = (node.inner_graph for node in graph.nodes)
        known[id(graph)] = sum(1 if each is None else _calls_in(each, known) for each in inner)
    return known[id(graph)]
