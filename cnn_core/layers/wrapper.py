"""Layers around a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import cnn_core.foundation.validation as validation
from cnn_core.foundation.exports import own_names
from cnn_core.layers.base import Layer, get, registry
from cnn_core.layers.dense import Dense
from cnn_core.network.operators import Operators

if TYPE_CHECKING:
    from cnn_core.layers.base import Common


@registry.register()
class Wrapper(Layer):
    """Base class of layers around another one, ``self.layer``: a subclass says in `call` what it computes with it.

    Parameters
    ----------
    layer : Layer, or its configuration

    Examples
    --------
    >>> import numpy as np
    >>> from cnn_core.layers import Rescaling
    >>> class Twice(Wrapper):
    ...     def call(self, x):
    ...         return self.layer(self.layer(x))
    >>> Twice(Rescaling(3.0))(np.array([[1.0, 2.0]]))
    array([[ 9., 18.]], dtype=float32)
    """

    def __init__(self, layer: Any, **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self.layer: Layer = get(layer)
        if not isinstance(self.layer, Layer):
            raise TypeError(f"`layer` must be a layer. Received: layer={validation.show(layer)}")

    def build(self, input_shape: Any) -> None:
        self.layer.ensure_built(input_shape)
        self.built = True


@registry.register()
class TimeDistributed(Wrapper):
    """Apply a layer to every step of a sample: ``y[n, t] = layer(x[n, t])``.

    Parameters
    ----------
    layer : Layer, or its configuration
        Its weights serve all steps. Normalizations and random layers in it work on each step by itself.

    Notes
    -----
    The input has the shape (n, steps, ...), with a known number of steps. `Dense` works on all steps at once, as it
    does without this layer; any other is called once for each.

    Examples
    --------
    >>> import numpy as np
    >>> from cnn_core.layers import Flatten
    >>> TimeDistributed(Flatten())(np.ones((2, 5, 3, 4))).shape
    (2, 5, 12)
    """

    supports_masking = True

    def _of_step(self, shape: Any) -> tuple[Any, ...]:
        if len(shape) < 3 or shape[1] is None:
            raise ValueError(
                f"{self.name!r} takes inputs of shape (n, steps, ...), of a known number of steps. "
                f"Received: shape={tuple(shape)}"
            )
        return (shape[0], *shape[2:])

    def build(self, input_shape: Any) -> None:
        super().build(self._of_step(input_shape))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the inner layer's output with the axis of the steps."""
        batch, *sample = self.layer.compute_output_shape(self._of_step(input_shape))
        return (batch, input_shape[1], *sample)

    def call(self, inputs: Any) -> Any:
        """Apply the layer to every step."""
        if self._works_on_rows():
            return self.layer(inputs)
        steps = [self.layer(inputs[:, step]) for step in range(inputs.shape[1])]
        return Operators.functions["stack"](steps, axis=1)

    def _works_on_rows(self) -> bool:
        """Whether the layer itself does to all steps what it does to one."""
        if type(self.layer) is not Dense:
            return False
        activation: Any = self.layer.activation
        return not activation.row_wise or activation.axis == -1


if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
