"""One layer by itself: called on arrays, or forward and backward with a cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

import cnn_core._core as _core
import cnn_core.foundation.random_state as random_state
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.eager import eager
from cnn_core.foundation.structures import flatten
from cnn_core.network.custom import TensorCalls
from cnn_core.network.graph import LayerLike
from cnn_core.network.native import bound_network
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.tensors import Step, Tensor
from cnn_core.network.tracing import is_recording
from cnn_core.network.variables import Variable


class BlockLayer(LayerLike, Protocol):
    """What a single block needs of a layer; `cnn_core.layers.Layer` has it."""

    @property
    def takes_vectors_whole(self) -> bool:
        """Whether an array of one axis is a sample, and not samples of a number."""

    @property
    def gives_numbers(self) -> bool:
        """Whether each sample of the output is a number, without an axis."""

    @property
    def trainable_variables(self) -> list[Variable]:
        """What training moves, in the order in which `backward` gives gradients."""

    def compute_output_shape(self, input_shape: object) -> Any:
        """Return the shape of the output, the axis of the samples included."""


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

    Parameters
    ----------
    layer : BlockLayer
    inputs : list of array-like
    several : bool
        Whether they were given as a list.
    training : bool
    enter : callable, default None
        Enters the layer into a plan; None: its `add_to`.
    losses_apart : bool, default False
        Whether what the layer adds to the loss is computed apart, as `results` gives it; else `backward` has the
        derivatives of that in it, too.
    """

    def __init__(
        self,
        layer: BlockLayer,
        inputs: list[Any],
        several: bool,
        training: bool,
        enter: Callable[[NetworkPlan, list[int]], list[int]] | None = None,
        losses_apart: bool = False,
    ) -> None:
        self.layer = layer
        self._plan = NetworkPlan()
        self._plan.losses_apart = [] if losses_apart else None
        self._several = several
        self._given = inputs
        inputs = [_as_batch(x, "x", layer.dtype) for x in inputs]
        if len(set(map(len, inputs))) > 1:
            raise ValueError(f"All inputs must have the same number of rows. Received: {[len(x) for x in inputs]}")
        seen = _shapes_seen(layer, inputs)
        is_sample = len(seen[0]) > inputs[0].ndim
        n = 1 if is_sample else len(inputs[0])
        buffers = [self._plan.add_input(shape[1:]) for shape in seen]
        if enter is None:
            self._plan.outputs = layer.add_to(self._plan, buffers)
        else:
            self._plan.set_outputs(enter(self._plan, buffers), layer.name)
        n_outputs = len(self._plan.outputs)
        if self._plan.losses_apart:
            self._plan.set_outputs([buffer for buffer, _ in self._plan.losses_apart], layer.name)
        self._gradients = [
            np.zeros(variable.shape, layer.dtype) if variable.trainable else None for variable in self._plan.variables
        ]
        network = bound_network(self._plan, layer.dtype, gradients=self._gradients)
        draws = training or self._plan.next_seed is not None
        seed, first_draw = (random_state.next_seed(), layer.n_draws) if draws else (0, 0)
        layer.n_draws += draws
        self._block = _core.Block(network, n, training, seed, first_draw=first_draw)
        outputs = self._block.forward(self._in_rows(inputs, self._plan.inputs, n))
        if training:
            self._block.move_statistics()
        shapes = [(n, *self._plan.shapes[buffer]) for buffer in self._plan.outputs]
        # A plan gives a number an axis of its own, which a sample that is a number has not.
        numbers = layer.gives_numbers or any(x.ndim == 1 for x in inputs)
        if is_sample or (enter is None and numbers):
            shapes[:n_outputs] = [shape if is_sample else (n, *shape) for shape in _declared(layer, seen)]
        shaped = [output.reshape(shape) for output, shape in zip(outputs, shapes, strict=True)]
        self.x: Any = inputs if several else inputs[0]
        self.a: Any = shaped[:n_outputs] if n_outputs > 1 else shaped[0]
        self._results, self._n_outputs, self._n = shaped, n_outputs, n
        last = self._plan.outputs[n_outputs - 1]
        writers = [n for n, each in enumerate(self._plan.operations) if each.output == last and not each.adds_to_loss]
        z = self._block.pre_activation(writers[-1]) if writers else None
        self.z = None if z is None else z.reshape(shapes[n_outputs - 1])

    def _in_rows(self, arrays: list[Array], buffers: list[int], n: int) -> list[Array]:
        """Return arrays as the plan holds them, a sample of one number with an axis of its own."""
        return [each.reshape(n, *self._plan.shapes[at]) for each, at in zip(arrays, buffers, strict=True)]

    def backward(self, da: object) -> tuple[Any, ...]:
        """Return dx and the gradient of every variable that can be trained."""
        wanted = self.a if isinstance(self.a, list) else [self.a]
        given = [_as_batch(part, "da", self.layer.dtype) for part in (da if isinstance(da, list) else [da])]
        for part, output in zip(given, wanted, strict=True):
            if part.shape != output.shape:
                raise ValueError(f"da must have the shape of a, {output.shape}. Received: da.shape={part.shape}")
        dx, gradients = self._back(given)
        return (dx if self._several else dx[0], *self._in_order(gradients))

    def _in_order(self, gradients: list[Array]) -> list[Array]:
        """Return gradients, known in the order in which variables are read, in that of the layer's own; then others."""
        read = {id(variable): None for variable in self._plan.variables if variable.trainable}
        known = dict(zip(read, gradients, strict=True))
        own = [known.pop(id(each), np.zeros(each.shape, self.layer.dtype)) for each in self.layer.trainable_variables]
        return [*own, *known.values()]

    def results(self) -> tuple[list[Any], list[Any]]:
        """Return the outputs, and what the layer adds to the loss: tensors while a tape records, else arrays."""
        found: list[Any] = self._results
        if not is_recording() and not self._plan.losses_apart:
            return found, []
        if is_recording():
            trained = [variable for variable in self._plan.variables if variable.trainable]
            found = Step.results([*self._given, *trained], found, self._back_through_results)
        apart = zip(found[self._n_outputs :], self._plan.losses_apart or (), strict=True)
        losses = [_added(value) if penalty is None else penalized(penalty, value) for value, (_, penalty) in apart]
        return found[: self._n_outputs], losses

    def _back_through_results(self, deltas: list[Array]) -> list[Array]:
        dx, gradients = self._back(deltas)
        return [*dx, *gradients]

    def _back(self, given: list[Array]) -> tuple[list[Array], list[Array]]:
        """Return the derivatives by all inputs, and by all variables that can be trained."""
        gradients = [gradient for gradient in self._gradients if gradient is not None]
        for gradient in gradients:
            gradient[...] = 0
        deltas = self._block.backward(self._in_rows(given, self._plan.outputs, self._n))
        inputs = self.x if self._several else [self.x]
        dx = [delta.reshape(x.shape) for delta, x in zip(deltas, inputs, strict=True)]
        return dx, [gradient.copy() for gradient in gradients]


def penalized(regularizer: object, source: object) -> Tensor | Array:
    """Return the penalty on an array, divided by its samples; on a variable, as it is.

    A tensor, of a tensor or variable while a tape records; else a number of NumPy's.
    """
    array = np.asarray(source)
    whole = isinstance(source, Variable)
    calls = TensorCalls(regularizer, array.shape if whole else (-1, *array.shape[1:]))
    rows, n = array.reshape(1, -1) if whole else array, 1 if whole else max(len(array), 1)
    value = np.asarray(calls.penalty(rows) / n, array.dtype)
    if not is_recording():
        return value[()]

    def backward(deltas: list[Array]) -> list[Array]:
        return [deltas[0] / n * calls.gradient(rows).reshape(array.shape)]

    return Step.results([source], [value], backward)[0]


def _added(value: object) -> Any:
    """Return a loss that all samples share, as a plan computes it: once for each of them."""
    array = np.asarray(value)
    total = array[0].sum(dtype=array.dtype)
    if not isinstance(value, Tensor):
        return total

    def backward(delta: Array) -> Array:
        back = np.zeros_like(array)
        back[0] = delta
        return back

    return value.derived(np.asarray(total), backward)


def _shapes_seen(layer: BlockLayer, inputs: list[Any]) -> list[Any]:
    """Return the shapes of inputs as the layer sees them: an array of one axis is a sample, or samples of a number."""
    whole = layer.takes_vectors_whole and all(each.ndim == 1 for each in inputs)
    return [(None, *(each.shape if whole else each.shape[1:])) for each in inputs]


def _declared(layer: BlockLayer, seen: list[Any]) -> list[Any]:
    """Return the shapes of a sample of each output, as the layer tells them."""
    told = layer.compute_output_shape(seen if layer.n_inputs is None else seen[0])
    return [shape[1:] for shape in (told if isinstance(told, list) else [told])]


def _as_batch(x: object, name: str, dtype: str) -> Array:
    array = validation.convert(validation.as_array(x, name), name, np.dtype(dtype))
    if array.ndim == 0:
        raise ValueError(f"{name} must have an axis of samples. Received: {name}.shape={array.shape}")
    return validation.finite(np.ascontiguousarray(array), name)


def forward(layer: BlockLayer, x: object, training: bool = False) -> tuple[Any, Cache]:
    """See `Layer.forward`."""
    cache = _cache_of(layer, x, training)
    return cache.a, cache


def _cache_of(
    layer: BlockLayer, x: object, training: bool, more: Sequence[object] = (), *, losses_apart: bool = False
) -> Cache:
    several = layer.n_inputs is None and isinstance(x, (list, tuple, Mapping))
    given = [*(flatten(x) if several else [x]), *more]
    inputs = [part if isinstance(part, Tensor) else _as_batch(part, "x", layer.dtype) for part in given]
    shapes = _shapes_seen(layer, inputs)
    layer.ensure_built(shapes if layer.n_inputs is None else shapes[0])
    return Cache(layer, inputs, several, training, losses_apart=losses_apart)


def backward(layer: BlockLayer, da: object, cache: object) -> tuple[Any, ...]:
    """See `Layer.backward`."""
    if not isinstance(cache, Cache) or cache.layer is not layer:
        raise ValueError(f"`cache` must be what {layer.name!r}.forward(x) returned. Received: {validation.show(cache)}")
    return cache.backward(da)


def call_layer(layer: BlockLayer, inputs: object, training: bool, more: Sequence[object] = ()) -> tuple[Any, list[Any]]:
    """Apply a layer to arrays or tensors, and to what else it reads; return also what it adds to the loss."""
    outputs, losses = _cache_of(layer, inputs, training, more, losses_apart=True).results()
    outputs = list(map(eager, outputs))
    return outputs if len(outputs) > 1 else outputs[0], losses
