"""A plan as the body of a C function that computes one sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnn_core.interop.c_operations import passed_on, write_operation
from cnn_core.interop.c_statements import Statements
from cnn_core.interop.c_texts import Constants
from cnn_core.network.plan import NetworkPlan, Operation


class Network:
    """The body of a function that runs a plan on one sample.

    Attributes
    ----------
    constants : Constants
    body : str
        Statements, the last of which returns 0, or 1 if a number that is looked up is no entry.
    n_bytes : int
        Of the buffers on the stack.
    input_sizes, output_sizes : list of int
    """

    def __init__(self, plan: NetworkPlan, constants: Constants) -> None:
        self.dtype, self.constants = constants.dtype, constants
        s = Statements(plan, self.dtype, self.constants.weight, self.constants.table)
        self.input_sizes = [s.size(buffer) for buffer in plan.inputs]
        self.output_sizes = [s.size(buffer) for buffer in plan.outputs]
        needed = needed_operations(plan)
        buffers = _Buffers(s, needed)
        operations = [each for each in needed if passed_on(each) is None]
        for at, operation in enumerate(operations):
            s.places[operation.output] = buffers.place(operation.output, at)
            for source in operation.inputs:
                s.places[source] = buffers.place(source, at)
            write_operation(s, operation)
            buffers.release(at)
        for number, buffer in enumerate(plan.outputs):
            found = buffers.place(buffer, len(operations))
            if found != f"y{number}":
                size = s.size(buffer)
                s.call("place_rows", f"y{number}", found, 1, size, size)
        slots = [f"real slot_{number}[{size}];" for number, size in enumerate(buffers.sizes)]
        read = {source for operation in needed for source in operation.inputs} | set(plan.outputs)
        unread = [f"(void)x{number};" for number, buffer in enumerate(plan.inputs) if buffer not in read]
        lines = [*slots, *unread, *s.lines]
        self.looks_up = any(line.startswith("outside") for line in s.lines)
        if self.looks_up:
            lines = ["int outside = 0;", *lines]
        self.body = "".join(f"    {line}\n" for line in [*lines, f"return {'outside != 0' if self.looks_up else '0'};"])
        self.n_bytes = sum(buffers.sizes) * self.dtype.itemsize

    def arguments(self, more: str = "") -> str:
        """Return the parameters of the function: inputs x0, x1, ..., then outputs y0, y1, ..."""
        kind = "float" if self.dtype == np.float32 else "double"
        given = [f"const {kind} *x{number}" for number in range(len(self.input_sizes))]
        return ", ".join([*given, *(f"{kind} *y{number}" for number in range(len(self.output_sizes)))]) + more


def needed_operations(plan: NetworkPlan) -> list[Operation]:
    """Return the operations of which the outputs of a prediction come, in their order."""
    needed, found = set(plan.outputs), []
    for operation in reversed(plan.operations):
        if operation.output in needed and operation.output not in operation.inputs:
            source = passed_on(operation)
            needed.update(operation.inputs if source is None else [source])
            found.append(operation)
    return found[::-1]


class _Buffers:
    """Where each buffer of a plan is while a sample is computed: those that are read no more lend their memory."""

    def __init__(self, s: Statements, operations: Sequence[Operation]) -> None:
        self._s = s
        self._roots: dict[int, int] = {}
        for operation in operations:
            source = passed_on(operation)
            if source is not None:
                self._roots[operation.output] = self._root(source)
        written = [each for each in operations if passed_on(each) is None]
        self._last = {self._root(source): at for at, each in enumerate(written) for source in each.inputs}
        self._places = {buffer: f"x{number}" for number, buffer in enumerate(s.plan.inputs)}
        for number, buffer in enumerate(s.plan.outputs):
            self._places.setdefault(self._root(buffer), f"y{number}")
        self._free: list[int] = []
        self._slots: dict[int, int] = {}
        self.sizes: list[int] = []

    def _root(self, buffer: int) -> int:
        return self._roots.get(buffer, buffer)

    def place(self, buffer: int, at: int) -> str:
        """Return the name of a buffer's memory, choosing it when it is first written."""
        root = self._root(buffer)
        if root not in self._places:
            slot = self._slots[root] = self._slot(self._s.size(root))
            self._places[root] = f"slot_{slot}"
        return self._places[root]

    def _slot(self, size: int) -> int:
        fitting = sorted(self._free, key=lambda slot: (self.sizes[slot] < size, abs(self.sizes[slot] - size)))
        if not fitting:
            self.sizes.append(0)
            fitting = [len(self.sizes) - 1]
        else:
            self._free.remove(fitting[0])
        self.sizes[fitting[0]] = max(self.sizes[fitting[0]], size, 1)
        return fitting[0]

    def release(self, at: int) -> None:
        """Free the memory of what no operation after this one reads."""
        for root, slot in list(self._slots.items()):
            if self._last.get(root, -1) <= at:
                self._free.append(slot)
                del self._slots[root]
