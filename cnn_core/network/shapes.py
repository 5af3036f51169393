"""Shapes of inputs as users give them: tuples that begin with the batch dimension, alone or in lists and dicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import cnn_core.foundation.validation as validation
from cnn_core.foundation.numbering import unique_name
from cnn_core.foundation.structures import flatten, like, map_structure
from cnn_core.network.graph import Symbol

if TYPE_CHECKING:
    from cnn_core.network.graph import Shape


def is_shape(structure: object) -> bool:
    """Tell whether it is one shape, not a structure of several.

    Examples
    --------
    >>> is_shape((None, 4)), is_shape([(None, 4), (None, 2)])
    (True, False)
    """
    return isinstance(structure, (tuple, list)) and all(isinstance(size, int) or size is None for size in structure)


def map_shapes(function: Callable[[Any], Any], structure: object) -> Any:
    """Apply a function to every shape and keep the structure.

    Raises
    ------
    ValueError
        If there is something else in it.

    Examples
    --------
    >>> map_shapes(len, {"a": (None, 4), "b": [(None,)]})
    {'a': 2, 'b': [1]}
    """
    if is_shape(structure):
        return function(structure)
    if isinstance(structure, Mapping):
        return {key: map_shapes(function, part) for key, part in structure.items()}
    if isinstance(structure, (tuple, list)):
        return like(structure, [map_shapes(function, part) for part in structure])
    raise ValueError(
        "`input_shape` must be a shape such as (None, 4), or a list or dict of shapes. "
        f"Received: input_shape={validation.show(structure)}"
    )


def symbol_for(shape: Shape, dtype: str, name: str | None = None) -> Symbol:
    """Return a symbol for an input of a shape that begins with the batch dimension."""
    checked = validation.shape(tuple(shape)[1:], "input_shape", unknown=True)
    return Symbol((None, *checked), name or unique_name("input_layer"), dtype)


def listed_shapes(structure: object) -> list[Any]:
    """List shapes in the order of `flatten`.

    Examples
    --------
    >>> listed_shapes({"b": (None, 4), "a": [(7,)]})
    [(7,), (None, 4)]
    """
    return [flat.shape for flat in flatten(map_shapes(_Whole, structure))]


class _Whole:
    """A shape as one leaf of a structure."""

    def __init__(self, shape: Shape) -> None:
        self.shape = tuple(shape)


def shapes_for(input_shape: object, outputs: object) -> Any:
    """Return the shapes of symbols, with the batch dimension of the inputs' shape.

    Examples
    --------
    >>> shapes_for((7, 4), [symbol_for((None, 2), "float32")])
    [(7, 2)]
    """
    batch = next((shape[0] for shape in listed_shapes(input_shape) if shape), None)
    return map_structure(lambda symbol: (batch, *symbol.shape[1:]) if symbol.batched else symbol.shape, outputs)


def fits(shape: Sequence[int | None], expected: Sequence[int | None]) -> bool:
    """Return whether a shape is the expected one, as far as both are known.

    Examples
    --------
    >>> fits((None, 4), (7, 4)), fits((None, 4), (None, 5))
    (True, False)
    """
    return len(shape) == len(expected) and all(
        size == wanted or size is None or wanted is None for size, wanted in zip(shape, expected, strict=True)
    )
