"""Functions of tensors: each runs natively at once, and keeps what it needs for the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

import cnn_core._core as _core
import cnn_core.config as config
from cnn_core.foundation.arrays import Array
from cnn_core.network.graph import CallGraph, Symbol, enter_graph
from cnn_core.network.native import bound_network
from cnn_core.network.operators import Operators
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.tensors import Step, Tensor
from cnn_core.ops.dtypes import is_float
from cnn_core.ops.operation import Function, Operation

KEPT = 512  # functions of certain shapes, with their native networks


class _Compiled:
    """A function of arrays of certain shapes as a native network.

    Parameters
    ----------
    function : Function
    operands : sequence
        Symbols, and numbers.
    settings : mapping
    n : int
        How many samples the symbols stand for, those of known shapes for one.
    """

    def __init__(self, function: Function, operands: Sequence[Any], settings: Mapping[str, Any], n: int = 1) -> None:
        inputs = [each for each in operands if isinstance(each, Symbol)]
        self._outputs = Operation(function, operands, settings).on(inputs)
        plan = NetworkPlan()
        buffers = [plan.add_input(symbol.sample_shape) for symbol in inputs]
        plan.set_outputs(enter_graph(plan, CallGraph(inputs, self._outputs), buffers), function.name)
        self._n = n
        self._dtype = max((each.dtype for each in inputs if is_float(each.dtype)), default=config.floatx())
        self._network = bound_network(plan, self._dtype)

    def __call__(self, sources: Sequence[Any]) -> list[Tensor]:
        """Compute, and return what remembers it."""
        arrays = [np.asarray(source) for source in sources]
        block = _core.Block(self._network, self._n, False)
        found = block.forward([self._rows(array) for array in arrays])
        values = [self._value(each, symbol) for each, symbol in zip(found, self._outputs, strict=True)]

        def backward(deltas: list[Array]) -> list[Array]:
            given = [self._delta(delta, symbol) for delta, symbol in zip(deltas, self._outputs, strict=True)]
            return [_like(array, part) for part, array in zip(block.backward(given), arrays, strict=True)]

        return Step.results(sources, values, backward)

    def _rows(self, array: Array) -> Array:
        return np.ascontiguousarray(array, self._dtype).reshape(self._n, array.size // max(self._n, 1))

    def _value(self, rows: Array, symbol: Symbol) -> Array:
        rows = rows.reshape(self._n, *symbol.sample_shape)
        return np.array(rows if symbol.batched else rows[0], symbol.dtype)

    def _delta(self, delta: Array, symbol: Symbol) -> Array:
        if symbol.batched or self._n == 1:
            return self._rows(delta)
        rows = np.zeros((self._n, delta.size), self._dtype)  # what all samples share counts once
        rows[0] = delta.reshape(-1)
        return rows


def _like(array: Array, derivative: Array) -> Array:
    """Return the derivative by an array in its shape and, of floats, its dtype."""
    return np.array(derivative.reshape(array.shape), array.dtype if array.dtype.kind == "f" else derivative.dtype)


class _Signature:
    """What two uses of a function must have in common to run in the same network."""

    def __init__(self, function: Function, operands: Sequence[Any], settings: Mapping[str, Any]) -> None:
        self.function, self.operands, self.settings = function, operands, settings
        self._key = (function, tuple(map(_described, operands)), _described(settings))

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Signature) and self._key == other._key


@lru_cache(KEPT)
def _compiled(signature: _Signature) -> _Compiled:
    function, operands, settings = signature.function, signature.operands, signature.settings
    try:
        return _Compiled(function, operands, settings)
    except (TypeError, ValueError):
        lengths = {each.shape[0] for each in operands if isinstance(each, Symbol) and each.shape}
        if len(lengths) != 1:
            raise
        # What looks along the last axes of every row only, such as picking elements by numbers that are computed.
        n = int(lengths.pop() or 0)
        samples = [_samples(each) if isinstance(each, Symbol) else each for each in operands]
        return _Compiled(function, samples, settings, n)


def recorded(function: Function, operands: Sequence[object], settings: Mapping[str, object]) -> list[Tensor]:
    """Return the results of a function as tensors.

    Parameters
    ----------
    function : Function
    operands : sequence of Tensor, Variable, numpy.ndarray or number
    settings : mapping
    """
    sources = [each for each in operands if isinstance(each, (Operators, np.ndarray))]
    given = [_symbol(each) if isinstance(each, (Operators, np.ndarray)) else each for each in operands]
    return _compiled(_Signature(function, given, settings))(sources)


def _samples(symbol: Symbol) -> Symbol:
    return Symbol((None, *symbol.shape[1:]), symbol.name, symbol.dtype)


def _symbol(value: Any) -> Symbol:
    return Symbol(value.shape, "x", str(value.dtype))


def _described(value: object) -> Any:
    """Return what tells a value from others, and can be a key."""
    if isinstance(value, Symbol):
        return Symbol, value.shape, value.dtype
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, value.tobytes()
    if isinstance(value, Mapping):
        return tuple((name, _described(each)) for name, each in value.items())
    if isinstance(value, (list, tuple)):
        return type(value), tuple(map(_described, value))
    if isinstance(value, slice):
        return slice, _described(value.start), _described(value.stop), _described(value.step)
    return type(value), value
