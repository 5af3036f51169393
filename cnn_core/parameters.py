"""The flat vector of a model's trained parameters, and the native optimizer over it. Floor 4.

Every tensor starts on a 64-byte boundary; the gaps hold zeros and stay zero. Gradients and optimizer state are vectors
of the same layout.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cnn_core import _core
from cnn_core.arrays import Array
from cnn_core.optimizers import Optimizer
from cnn_core.variables import Variable

ALIGNMENT = 64  # bytes: a cache line, and the widest vector


def aligned_zeros(size: int, dtype: np.dtype[Any]) -> Array:
    """Return a vector of zeros that starts on a 64-byte boundary."""
    memory = np.zeros(size * dtype.itemsize + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size * dtype.itemsize].view(dtype)


def aligned_copy(array: Array) -> Array:
    """Return a copy that starts on a 64-byte boundary: a row of it is read a third faster than from anywhere."""
    copy = aligned_zeros(array.size, array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


class ParameterVector:
    """Collect variables in one flat vector; each becomes a view of it.

    Parameters
    ----------
    variables : sequence of Variable
        Of one dtype, each once.
    dtype : numpy.dtype

    Attributes
    ----------
    values, gradients : numpy.ndarray of shape (size,)
    """

    def __init__(self, variables: Sequence[Variable], dtype: np.dtype[Any]) -> None:
        self.variables = list(variables)
        unit = ALIGNMENT // dtype.itemsize
        self.offsets: list[int] = []
        size = 0
        for variable in self.variables:
            self.offsets.append(size)
            size += -(-variable.size // unit) * unit
        self.values = aligned_zeros(size, dtype)
        self.gradients = aligned_zeros(size, dtype)
        for variable, offset in zip(self.variables, self.offsets, strict=True):
            variable.move_to(self.values[offset : offset + variable.size].reshape(variable.shape))

    def holds(self, variables: Sequence[Variable]) -> bool:
        """Whether exactly these variables still live here."""
        return len(variables) == len(self.variables) and all(
            ours is theirs and np.shares_memory(theirs.array, self.values, max_work=1) or theirs.size == 0
            for ours, theirs in zip(self.variables, variables, strict=True)
        )

    def split(self, vector: Array) -> list[Array]:
        """Return a vector of this layout as one view for each variable, in its shape."""
        return [
            vector[offset : offset + variable.size].reshape(variable.shape)
            for variable, offset in zip(self.variables, self.offsets, strict=True)
        ]

    def gradient_of(self, variable: Variable) -> Array | None:
        """Return the view of the gradient that belongs to a variable, None if it is not trained."""
        for known, offset in zip(self.variables, self.offsets, strict=True):
            if known is variable:
                return self.gradients[offset : offset + variable.size]
        return None

    # What the native optimizer is told

    def segments(self, optimizer: Optimizer | None) -> list[tuple[int, int, float, float, bool]]:
        """Return (offset, size, learning-rate multiplier, epsilon multiplier, decays); equal neighbours are one."""
        segments: list[tuple[int, int, float, float, bool]] = []
        for variable, offset in zip(self.variables, self.offsets, strict=True):
            decays = optimizer is not None and bool(optimizer.weight_decay) and optimizer.decays(variable)
            settings = (variable.learning_rate_multiplier, variable.epsilon_multiplier, decays)
            if segments and segments[-1][2:] == settings:
                first = segments[-1][0]
                segments[-1] = (first, offset + variable.size - first, *settings)
            else:
                segments.append((offset, variable.size, *settings))
        return segments

    def rules(self) -> list[tuple[Any, ...]]:
        """Return what only some variables have: penalties and constraints."""
        return [
            self._rule(variable, offset)
            for variable, offset in zip(self.variables, self.offsets, strict=True)
            if variable.regularizer is not None or variable.constraint is not None
        ]

    @staticmethod
    def _rule(variable: Variable, offset: int) -> tuple[Any, ...]:
        l1 = l2 = 0.0
        if variable.regularizer is not None:
            l1, l2 = variable.regularizer.l1, variable.regularizer.l2
        constraint, axis, numbers = None, 0, ()
        if variable.constraint is not None:
            constraint, axis = variable.constraint.native, getattr(variable.constraint, "axis", 0)
            numbers = variable.constraint.native_parameters
        rows, columns = _matrix_shape(variable.shape)
        return offset, rows, columns, l1, l2, constraint, _single_axis(axis, len(variable.shape)), numbers

    def ranges(self) -> list[tuple[int, int]]:
        """Return (offset, size) of every variable."""
        return [(offset, variable.size) for variable, offset in zip(self.variables, self.offsets, strict=True)]


def native_optimizer(parameters: ParameterVector, optimizer: Optimizer | None) -> Any:
    """Build the native optimizer, with the state vectors that `optimizer` keeps.

    Without an optimizer its penalties still count: that is what evaluation and gradients need.
    """
    if optimizer is None:
        return _core.Optimizer(
            "sgd", (0.0, 0.0), _tail(None), [], parameters.rules(), [], parameters.values, parameters.gradients, [], None, None
        )
    name, hyperparameters = optimizer.rule()
    size, dtype = parameters.values.size, parameters.values.dtype
    for slot, initial in (*optimizer.slots(), *optimizer.tail_slots()):
        vector = optimizer.state.get(slot)
        if vector is None or vector.size != size or vector.dtype != dtype:
            fresh = aligned_zeros(size, dtype)
            fresh[...] = initial
            optimizer.state[slot] = fresh
    native = _core.Optimizer(
        name,
        hyperparameters,
        _tail(optimizer),
        parameters.segments(optimizer),
        parameters.rules(),
        parameters.ranges(),
        parameters.values,
        parameters.gradients,
        [optimizer.state[slot] for slot, _ in optimizer.slots()],
        optimizer.state.get("average") if optimizer.use_ema else None,
        optimizer.state.get("gradient_accumulator") if optimizer.gradient_accumulation_steps else None,
    )
    if name == "nadam":
        native.nadam_product = math.prod(
            hyperparameters[0] * (1 - 0.5 * 0.96**t) for t in range(1, optimizer.iterations + 1)
        )
    return native


def _tail(optimizer: Optimizer | None) -> dict[str, Any]:
    """The common arguments in native terms: 0 stands for none."""
    number = {
        "weight_decay": getattr(optimizer, "weight_decay", None),
        "clip_value": getattr(optimizer, "clipvalue", None),
        "clip_norm": getattr(optimizer, "clipnorm", None),
        "global_clip_norm": getattr(optimizer, "global_clipnorm", None),
        "average_momentum": getattr(optimizer, "ema_momentum", None),
        "average_period": getattr(optimizer, "ema_overwrite_frequency", None),
    }
    tail: dict[str, Any] = {name: value or 0 for name, value in number.items()}
    tail["accumulation"] = getattr(optimizer, "gradient_accumulation_steps", None) or 1
    return tail


def _matrix_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) == 2:
        return shape[0], shape[1]
    return math.prod(shape), 1


def _single_axis(axis: Any, rank: int) -> int:
    """Norms run along axis 0 or 1 of a matrix; anything wider is the whole tensor, -1."""
    axes = {int(each) % max(rank, 1) for each in (axis if isinstance(axis, (list, tuple)) else [0 if axis is None else axis])}
    if rank < 2:
        return 0
    return axes.pop() if len(axes) == 1 else -1
