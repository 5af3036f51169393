"""One layer by itself: called on arrays, or forward and backward with a cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import cnn_core._core as _core
import cnn_core.foundation.random_state as random_state
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.eager import eager
from cnn_core.foundation.structures import flatten, map_structure
from cnn_core.network.graph import LayerLike
from cnn_core.network.native import bound_network
from cnn_core.network.plan import NetworkPlan


class Cache:
    """What the forward step of a layer keeps for its backward step.

    Attributes
    ----------
    x : numpy.ndarray, or list of them
        The input.
    z : numpy.ndarray or None
        What the activation was applied to; None for a layer without one.
    a : numpy.ndarray
        The output.
    """

    def __init__(
        self,
        layer: LayerLike,
        inputs: list[Any],
        several: bool,
        training: bool,
        enter: Callable[[NetworkPlan, list[int]], list[int]] | None = None,
    ) -> None:
        self.layer = layer
        self._plan = NetworkPlan()
        self._several = several
        inputs = [_as_batch(x, "x", layer.dtype) for x in inputs]
        if len(set(map(len, inputs))) > 1:
            raise ValueError(f"All inputs must have the same number of rows. Received: {[len(x) for x in inputs]}")
        buffers = [self._plan.add_input(x.shape[1:]) for x in inputs]
        if enter is None:
            self._plan.outputs = layer.add_to(self._plan, buffers)
        else:
            self._plan.set_outputs(enter(self._plan, buffers), layer.name)
        self._gradients = [
            np.zeros(variable.shape, layer.dtype) if variable.trainable else None for variable in self._plan.variables
        ]
        network = bound_network(self._plan, layer.dtype, gradients=self._gradients)
        draws = training or self._plan.next_seed is not None
        seed, first_draw = (random_state.next_seed(), layer.n_draws) if draws else (0, 0)
        layer.n_draws += draws
        self._block = _core.Block(network, len(inputs[0]), training, seed, first_draw=first_draw)
        outputs = self._block.forward(inputs)
        if training:
            self._block.move_statistics()
        shapes = [self._plan.shapes[buffer] for buffer in self._plan.outputs]
        shaped = [output.reshape(len(inputs[0]), *shape) for output, shape in zip(outputs, shapes, strict=True)]
        self.x: Any = inputs if several else inputs[0]
        self.a: Any = shaped if len(shaped) > 1 else shaped[0]
        writers = [n for n, operation in enumerate(self._plan.operations) if not operation.adds_to_loss]
        z = self._block.pre_activation(writers[-1]) if writers else None
        self.z = None if z is None else z.reshape(len(inputs[0]), *shapes[-1])

    def backward(self, da: Any) -> tuple[Any, ...]:
        """Return dx and the gradient of every variable that can be trained."""
        wanted = self.a if isinstance(self.a, list) else [self.a]
        given = [_as_batch(part, "da", self.layer.dtype) for part in (da if isinstance(da, list) else [da])]
        for part, output in zip(given, wanted, strict=True):
            if part.shape != output.shape:
                raise ValueError(f"da must have the shape of a, {output.shape}. Received: da.shape={part.shape}")
        gradients = [gradient for gradient in self._gradients if gradient is not None]
        for gradient in gradients:
            gradient[...] = 0
        deltas = self._block.backward(given)
        inputs = self.x if self._several else [self.x]
        dx = [delta.reshape(x.shape) for delta, x in zip(deltas, inputs, strict=True)]
        return (dx if self._several else dx[0], *(gradient.copy() for gradient in gradients))


def _as_batch(x: Any, name: str, dtype: str) -> Array:
    array = validation.convert(validation.as_array(x, name), name, np.dtype(dtype))
    if array.ndim < 2:
        raise ValueError(f"{name} must have the shape (n, features). Received: {name}.shape={array.shape}")
    return validation.finite(np.ascontiguousarray(array), name)


def forward(layer: LayerLike, x: Any, training: bool = False) -> tuple[Any, Cache]:
    """See `Layer.forward`."""
    several = layer.n_inputs is None and isinstance(x, (list, tuple, Mapping))
    inputs = [_as_batch(part, "x", layer.dtype) for part in (flatten(x) if several else [x])]
    shapes = [(None, *part.shape[1:]) for part in inputs]
    layer.ensure_built(shapes if layer.n_inputs is None else shapes[0])
    cache = Cache(layer, inputs, several, training)
    return cache.a, cache


def backward(layer: LayerLike, da: Any, cache: Any) -> tuple[Any, ...]:
    """See `Layer.backward`."""
    if not isinstance(cache, Cache) or cache.layer is not layer:
        raise ValueError(f"`cache` must be what {layer.name!r}.forward(x) returned. Received: {validation.show(cache)}")
    return cache.backward(da)


def call_layer(layer: LayerLike, inputs: Any, training: bool) -> Any:
    """Apply a layer to arrays."""
    outputs = forward(layer, inputs, training)[0]
    return eager(outputs) if isinstance(outputs, np.ndarray) else map_structure(eager, outputs)
