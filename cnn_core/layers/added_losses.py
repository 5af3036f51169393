"""What layers add to the loss: by `add_loss` in a `call`, by penalties on what they compute and on their variables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cnn_core.foundation.structures import flatten
from cnn_core.network.block import penalized
from cnn_core.network.operators import Operators
from cnn_core.network.tracing import current_scope
from cnn_core.network.variables import Variable


class AddsLosses:
    """The part of a layer that knows what it adds to the loss."""

    _losses_of_call: Sequence[Any] = ()  # of the last call on arrays
    _unmeasured: Any = None  # what it was called on, if its losses are computed only when they are asked for

    def add_loss(self, loss: object) -> None:
        """Add a value to the loss, in `call`: its sum over all elements, samples included.

        Parameters
        ----------
        loss : symbol, or list of them
            Such as ``ops.mean(ops.square(x))``.

        Raises
        ------
        RuntimeError
            If `call` is not being traced.
        """
        scope = current_scope()
        if scope is None:
            raise RuntimeError("`add_loss` must be called in the `call` of a custom layer or model")
        copy = Operators.functions["copy"]
        scope.losses.extend(copy(each) if isinstance(each, Variable) else each for each in flatten(loss))

    @property
    def losses(self) -> list[Any]:
        """What the last call on arrays has added to the loss, then the penalties on trained variables.

        Numbers; tensors while a `GradientTape` records, by which the variables' derivatives are found.
        """
        for layer in self._layers_inside():
            if layer._unmeasured is not None:
                layer.keep_losses(layer.losses_on(layer._unmeasured))
        added = [loss for layer in self._layers_inside() for loss in layer._losses_of_call]
        variables: list[Variable] = self.trainable_variables  # type: ignore[attr-defined]
        return [*added, *(penalized(each.regularizer, each) for each in variables if each.regularizer is not None)]

    def keep_losses(self, losses: Sequence[Any]) -> None:
        """Keep what a call on arrays has added to the loss, in the place of what was there before."""
        if self._unmeasured is not None:
            self._unmeasured = None
        if self._inner_layers():  # type: ignore[attr-defined]
            for layer in self._layers_inside():
                if layer._losses_of_call or layer._unmeasured is not None:
                    layer._losses_of_call, layer._unmeasured = (), None
        if losses or self._losses_of_call:
            self._losses_of_call = losses

    def losses_on(self, inputs: object) -> Sequence[Any]:
        """Return what a call on arrays adds to the loss."""
        raise NotImplementedError

    def _layers_inside(self) -> Iterator[AddsLosses]:
        """Yield the layer and all layers inside of it, each once."""
        waiting: list[Any] = [self]
        seen = {id(self)}
        while waiting:
            yield (layer := waiting.pop(0))
            for inner in layer._inner_layers():
                if id(inner) not in seen and isinstance(inner, AddsLosses):
                    seen.add(id(inner))
                    waiting.append(inner)
