"""Symbolic values and the calls that made them: how the functional API remembers a network. Floor 3."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnn_core.layers.base import Layer

Shape = tuple[int | None, ...]


class Symbol:
    """Stand for an array that a network will compute: a shape, and the call that makes it.

    Attributes
    ----------
    shape : tuple
        With the batch dimension first, None.
    node : Node or None
        None for an input.
    name : str
    dtype : str
    """

    def __init__(self, shape: Shape, name: str, dtype: str, node: Node | None = None) -> None:
        self.shape = shape
        self.name = name
        self.dtype = dtype
        self.node = node

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        return f"<Symbol shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    def __array__(self, *arguments: Any, **keywords: Any) -> Any:
        raise TypeError(
            f"{self!r} stands for a value that a model will compute; NumPy cannot compute with it. Use layers, "
            "such as layers.Add, layers.Concatenate or layers.Activation"
        )

    def __bool__(self) -> bool:
        raise TypeError(f"{self!r} has no truth value")


class Node:
    """One call of a layer on symbols."""

    def __init__(self, layer: Layer, inputs: Sequence[Symbol]) -> None:
        self.layer = layer
        self.inputs = tuple(inputs)
        self.outputs: tuple[Symbol, ...] = ()


def flatten(structure: Any) -> list[Any]:
    """List the leaves of nested lists, tuples and dicts, dicts in the order of their keys' insertion."""
    if isinstance(structure, Mapping):
        return [leaf for value in structure.values() for leaf in flatten(value)]
    if isinstance(structure, (list, tuple)):
        return [leaf for value in structure for leaf in flatten(value)]
    return [structure]


def map_structure(function: Callable[[Any], Any], structure: Any) -> Any:
    """Apply a function to every leaf and keep the structure."""
    if isinstance(structure, Mapping):
        return {key: map_structure(function, value) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        return type(structure)(map_structure(function, value) for value in structure)
    return function(structure)


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
