"""Nested lists, tuples and dicts: their leaves in a fixed order, and functions of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def sorted_keys(mapping: Mapping[Any, Any]) -> list[Any]:
    """Return the keys in Keras's order: sorted, or as they were inserted where they cannot be compared."""
    try:
        return sorted(mapping)
    except TypeError:
        return list(mapping)


def flatten(structure: object) -> list[Any]:
    """List the leaves of nested lists, tuples and dicts, dicts in the order of their sorted keys.

    Examples
    --------
    >>> flatten([1, {"b": 2, "a": (3, 4)}])
    [1, 3, 4, 2]
    """
    if isinstance(structure, Mapping):
        return [leaf for key in sorted_keys(structure) for leaf in flatten(structure[key])]
    if isinstance(structure, (list, tuple)):
        return [leaf for value in structure for leaf in flatten(value)]
    return [structure]


def like(sequence: Any, values: Iterable[object]) -> Any:
    """Return a list, tuple or named tuple of the same type with other values.

    Examples
    --------
    >>> from collections import namedtuple
    >>> Point = namedtuple("Point", ["x", "y"])
    >>> like(Point(1, 2), [3, 4]), like([1, 2], (3, 4))
    (Point(x=3, y=4), [3, 4])
    """
    return type(sequence)(*values) if hasattr(sequence, "_fields") else type(sequence)(values)


def map_structure(function: Callable[[Any], Any], structure: object) -> Any:
    """Apply a function to every leaf, in the order of `flatten`, and keep the structure."""
    if isinstance(structure, Mapping):
        made = {key: map_structure(function, structure[key]) for key in sorted_keys(structure)}
        return {key: made[key] for key in structure}
    if isinstance(structure, (list, tuple)):
        return like(structure, [map_structure(function, value) for value in structure])
    return function(structure)


def filled(structure: object, leaves: Iterable[object]) -> Any:
    """Return a structure with other leaves, its dicts by sorted keys, as Keras returns results.

    Examples
    --------
    >>> filled({"b": 0, "a": [0, 0]}, [1, 2, 3])
    {'a': [1, 2], 'b': 3}
    """
    following = iter(leaves)

    def fill(part: object) -> Any:
        if isinstance(part, Mapping):
            return {key: fill(part[key]) for key in sorted_keys(part)}
        if isinstance(part, (list, tuple)):
            return like(part, [fill(each) for each in part])
        return next(following)

    return fill(structure)
