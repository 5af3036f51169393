"""A layer around a user's own function."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, Unpack

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.serialization import Registry, function_name
from cnn_core.foundation.serialization import serialize as as_data
from cnn_core.layers.base import Layer, registry
from cnn_core.network.custom import CustomCalls
from cnn_core.network.graph import CallGraph, Symbol
from cnn_core.network.plan import NetworkPlan

if TYPE_CHECKING:
    from cnn_core.layers.base import Common

_functions = Registry("function")


class _Calls:
    """What a plan calls back: joins the inputs' rows into arrays of their shapes, and splits gradients again."""

    def __init__(self, layer: Lambda, shapes: Sequence[tuple[int, ...]]) -> None:
        self._layer = layer
        self._shapes = [tuple(shape) for shape in shapes]
        self._traced = _Traced(layer)

    def _inputs(self, rows: Array) -> list[Array] | Array:
        ends = np.cumsum([math.prod(shape) for shape in self._shapes])[:-1]
        parts = np.split(rows, ends, axis=1)
        arrays = [part.reshape(-1, *shape) for part, shape in zip(parts, self._shapes, strict=True)]
        return arrays if len(arrays) > 1 else arrays[0]

    def forward(self, rows: Array) -> Array:
        result = np.asarray(self._layer.evaluate(self._inputs(rows)))
        return result.reshape(len(rows), -1)

    def backward(self, dy: Array, rows: Array) -> Array:
        backward = getattr(self._layer.function, "backward", None)
        shape = self._layer.compute_output_shape([(None, *shape) for shape in self._shapes])[1:]
        dy, inputs = dy.reshape(-1, *shape), self._inputs(rows)
        result = self._derive(dy, inputs) if backward is None else backward(dy, inputs)
        parts = result if len(self._shapes) > 1 else [result]
        return np.concatenate([np.asarray(part).reshape(len(rows), -1) for part in parts], axis=1)

    def _derive(self, dy: Array, inputs: object) -> Any:
        """Find the gradient of a function that can be traced with symbols."""
        try:
            _, cache = self._traced.forward(inputs)
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"{self._layer.name!r} stands between trained layers, but its function has no gradient: write it with "
                "functions of cnn_core.ops, or pass an object with the methods forward(x) and backward(dy, x), which "
                f"returns dJ/dx. Received: {error}"
            ) from error
        return self._traced.backward(dy, cache)[0]


class _Traced(Layer):
    """A layer's function, traced with symbols for its derivative."""

    def __init__(self, layer: Lambda) -> None:
        super().__init__(name=layer.name, dtype=layer.dtype)
        self._evaluate = layer.evaluate

    def call(self, inputs: Any) -> Any:
        """Call the function."""
        return self._evaluate(inputs)


@registry.register()
class Lambda(Layer):
    """Apply a custom function: ``y = function(x)``.

    Parameters
    ----------
    function : callable, or object with forward(x) and backward(dy, x)
        Takes an array of shape (n, ...), or a list of them if the layer has several inputs, and returns an array of n
        samples, each computed by itself. Where a trained layer stands below, a gradient is needed: that of a function
        of operators, slices and `cnn_core.ops` is found by itself; else `backward` returns dJ/dx (a list for a list)
        from ``dy = dJ/dy``.
    output_shape : tuple of int, default None
        Of one sample. None: found by calling the function on ones.
    arguments : dict, default None
        Further keyword arguments of the function.

    Notes
    -----
    The function runs in Python, once a batch. A file names a function, it does not hold it: `load_model` needs it in
    `custom_objects`, and a function without a name cannot be saved.

    Examples
    --------
    >>> import numpy as np
    >>> Lambda(lambda x: x[:, :1] ** 2)(np.array([[3.0, 4.0]]))
    array([[9.]], dtype=float32)
    """

    n_inputs = None

    def __init__(
        self,
        function: Any,
        output_shape: Sequence[int] | None = None,
        mask: None = None,
        arguments: Mapping[str, Any] | None = None,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        if not callable(function) and not callable(getattr(function, "forward", None)):
            raise TypeError(
                "`function` must be a function, or an object with forward(x) and backward(dy, x). "
                f"Received: function={validation.show(function)}"
            )
        if mask is not None:
            raise ValueError(f"`mask` must be None: layers here know no masks. Received: mask={mask}")
        self.function = function
        self.arguments = dict(arguments or {})
        self.output_shape = None if output_shape is None else validation.shape(output_shape, "output_shape")

    def evaluate(self, inputs: Any) -> Any:
        """Call the function."""
        call: Callable[..., Any] = getattr(self.function, "forward", self.function)
        return call(inputs, **self.arguments)

    def graph_of(self, symbols: Sequence[Symbol]) -> CallGraph | None:
        """Return what the function makes of symbols as a graph; None if it computes with NumPy."""
        from cnn_core.ops.tracing import trace  # which predictions and training never need

        inputs = [Symbol(each.shape, each.name, each.dtype) for each in symbols]
        try:
            given = inputs if len(inputs) > 1 else inputs[0]
            graph = trace(lambda _: self.evaluate(given), inputs, asks_for_training=False, name=self.name)
        except (AttributeError, TypeError, ValueError):
            return None
        wanted = tuple(self.compute_output_shape([each.shape for each in symbols]))
        return graph if [tuple(each.shape) for each in graph.outputs] == [wanted] else None

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self.output_shape is not None:
            return (None, *self.output_shape)
        if any(None in shape[1:] for shape in input_shape):
            raise ValueError(
                f"`output_shape` must be given where the input's shape is unknown. Received: {input_shape}"
            )
        arrays = [np.ones((2, *shape[1:]), self.dtype) for shape in input_shape]
        result = np.asarray(self.evaluate(arrays if len(arrays) > 1 else arrays[0]))
        fewest = min(2, *map(len, input_shape))  # axes: a number a sample only where one came in
        if result.ndim < fewest or len(result) != 2:
            raise ValueError(
                f"The function of {self.name!r} must return an array of shape (n, features). Received: for n = 2 the "
                f"shape {result.shape}"
            )
        return (None, *result.shape[1:])

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        shapes = [plan.shapes[buffer] for buffer in inputs]
        flat = [plan.add_reshaping(buffer, (math.prod(plan.shapes[buffer]),), self.name) for buffer in inputs]
        joined = flat[0]
        if len(flat) > 1:
            total = sum(plan.shapes[buffer][0] for buffer in flat)
            joined = plan.add("concatenate", flat, (total,), layer=self.name, integers=[0])
        wanted = self.compute_output_shape([(None, *shape) for shape in shapes])[1:]
        calls = CustomCalls(_Calls(self, shapes))
        result = plan.add("custom", [joined], (math.prod(wanted),), layer=self.name, custom=calls)
        return [plan.add_reshaping(result, wanted, self.name)]

    def _settings(self) -> dict[str, Any]:
        config = {**super()._settings(), "arguments": self.arguments}
        config.pop("mask", None)
        return config

    def get_config(self) -> dict[str, Any]:
        """Return the arguments; a function goes by its name, under which `custom_objects` must hold it."""
        config = self._settings()
        if hasattr(self.function, "get_config"):
            return {name: as_data(value) for name, value in config.items()}
        function = {"class_name": "function", "config": function_name(self.function, self.name)}
        return {name: as_data(value) for name, value in {**config, "function": function}.items()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Build the layer whose `get_config` returned `config`."""
        function = config["function"]
        if isinstance(function, Mapping):
            function = _functions.deserialize(function)
        return cls(**{**config, "function": function})
