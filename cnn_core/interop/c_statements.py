"""The statements of a C function that is being written, and what they read."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.interop.c_functions import ACTIVATIONS
from cnn_core.interop.c_texts import NO_NUMBERS
from cnn_core.network.plan import NetworkPlan, Operation


class Statements:
    """The statements of a function, and the constants that they read.

    Parameters
    ----------
    plan : NetworkPlan
    dtype : numpy.dtype
    store : callable
        Takes a parameter's array and a name, and returns the C expression of its address.
    table : callable
        The same for numbers that stay what they are: float64, or sizes as int64.
    """

    def __init__(
        self,
        plan: NetworkPlan,
        dtype: np.dtype[Any],
        store: Callable[[Array, str], str],
        table: Callable[[Array, str], str],
    ) -> None:
        self.plan, self.dtype, self.store, self.table = plan, dtype, store, table
        self.lines: list[str] = []
        self.places: dict[int, str] = {}  # of buffers: C expressions

    def size(self, buffer: int) -> int:
        """Return how many elements a sample has."""
        return math.prod(self.plan.shapes[buffer])

    def rows(self, buffer: int) -> tuple[int, int]:
        """Return how many rows a sample has, and their width."""
        return self.plan.buffers[buffer]

    def parameter(self, operation: Operation, which: int) -> str:
        """Return where the operation's parameter is: an address, or NULL."""
        tensor = operation.tensors[which] if which < len(operation.tensors) else None
        if tensor is None:
            return "NULL"
        variable = self.plan.variables[tensor]
        return self.store(variable.array, variable.path)

    def values(self, operation: Operation, which: int) -> Array:
        """Return the operation's parameter in float64."""
        tensor = operation.tensors[which]
        assert tensor is not None
        return np.asarray(self.plan.variables[tensor].array, np.float64).reshape(-1)

    def number(self, value: float) -> str:
        """Return a number of the network's type as C writes it."""
        return literal(self.dtype.type(value))

    def call(self, function: str, *arguments: object) -> None:
        """Add a call."""
        self.lines.append(f"{function}({', '.join(map(str, arguments))});")

    def activate(self, operation: Operation, a: str, z: str) -> None:
        """Add ``a = g(z)``, which may be in place."""
        name, output = operation.activation, operation.output
        if name == "linear":
            if a != z:
                n, width = self.rows(output)
                self.call("place_rows", a, z, n, width, width)
        elif name in ACTIVATIONS:
            numbers = [*operation.activation_parameters, 0.0, 0.0, 0.0][:3]
            self.call(f"{name}_each", a, z, self.size(output), *map(self.number, numbers))
        else:
            n, width = self.rows(output)
            self.call(name, a, z, n, 2 * width if name == "glu" else width)


def literal(value: object) -> str:
    """Return the shortest text that C reads as the same float or double.

    Examples
    --------
    >>> literal(np.float32(0.1)), literal(np.float64(1)), literal(np.float32(np.inf))
    ('0.1f', '1.0', 'INFINITY')
    """
    return NO_NUMBERS.get(str(value), f"{value!s}f" if isinstance(value, np.float32) else str(value))


def refuse(operation: Operation, reason: str) -> ValueError:
    """Return the error for an operation that C code cannot have."""
    return ValueError(f"layer {operation.layer!r} cannot be carried to C: {reason}")


# How a kind of operation is written: takes the statements, the operation, and where its inputs and its output stand.
Row = Callable[[Statements, Operation, Sequence[str], str], None]
