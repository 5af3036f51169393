"""What is made of inputs before native code reads them: by layers that look at data while it is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cnn_core.data.dataset import InputSpec
from cnn_core.data.rows import Rows
from cnn_core.foundation.records import NamedTuple
from cnn_core.foundation.validation.messages import Array


class Translation(NamedTuple):
    """How the rows that native code reads come from the inputs.

    Attributes
    ----------
    specs : sequence of InputSpec
        What native code reads.
    sources : sequence of int or None
        The number of the input that each of these is; None if it is made.
    read : sequence of int
        The inputs from which the others are made.
    numbers : callable
        Makes them: takes the values of the inputs in `read`, and returns an array of whole numbers for each None.
    """

    specs: Sequence[InputSpec]
    sources: Sequence[int | None]
    read: Sequence[int]
    numbers: Callable[[Sequence[Array]], list[Array]]


def in_memory(rows: Rows) -> Array:
    """Return rows as an ordinary array."""
    if not hasattr(rows, "rows"):
        return rows
    found = rows.rows(slice(None))
    return found.dense() if hasattr(found, "dense") else found
