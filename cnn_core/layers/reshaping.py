"""Layers that change the shape of a sample, not its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import cnn_core.foundation.validation as validation
from cnn_core.foundation.exports import own_names
from cnn_core.layers.base import Layer, registry
from cnn_core.network.plan import NetworkPlan

if TYPE_CHECKING:
    from cnn_core.layers.base import Common


@registry.register()
class Flatten(Layer):
    """Turn every sample into one row: (n, a, b, ...) becomes (n, a * b * ...).

    Parameters
    ----------
    data_format : {None, "channels_last"}
        The order of the axes; there is only this one here.

    Examples
    --------
    >>> import numpy as np
    >>> Flatten()(np.zeros((2, 3, 4))).shape
    (2, 12)
    """

    def __init__(self, data_format: str | None = None, **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self.data_format = validation.one_of(data_format, "data_format", (None, "channels_last"))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], None if None in input_shape[1:] else math.prod(input_shape[1:]))

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        return [plan.add("reshape", inputs, (math.prod(plan.shapes[inputs[0]]),), layer=self.name)]


@registry.register()
class Reshape(Layer):
    """Give every sample another shape, with the elements in the same order.

    Parameters
    ----------
    target_shape : tuple of int
        Without the batch dimension; one of them may be -1 and is inferred.

    Examples
    --------
    >>> import numpy as np
    >>> Reshape((2, -1))(np.zeros((5, 6))).shape
    (5, 2, 3)
    """

    def __init__(self, target_shape: Sequence[int], **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self.target_shape = tuple(validation.integers(target_shape, "target_shape"))
        if self.target_shape.count(-1) > 1 or any(size < 1 and size != -1 for size in self.target_shape):
            raise ValueError(f"`target_shape` must be positive, one -1 at most. Received: target_shape={target_shape}")

    def compute_output_shape(self, input_shape: Any) -> Any:
        if None in input_shape[1:]:
            return (input_shape[0], *(None if part == -1 else part for part in self.target_shape))
        size = math.prod(input_shape[1:])
        known = -math.prod(self.target_shape) if -1 in self.target_shape else math.prod(self.target_shape)
        if size % known or (-1 not in self.target_shape and size != known):
            raise ValueError(
                f"{self.name!r} must keep the number of elements. "
                f"Received: input shape {input_shape[1:]} and target_shape {self.target_shape}"
            )
        return (input_shape[0], *(size // known if part == -1 else part for part in self.target_shape))

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        shape = self.compute_output_shape((None, *plan.shapes[inputs[0]]))[1:]
        return [plan.add("reshape", inputs, shape, layer=self.name)]


@registry.register()
class Identity(Layer):
    """Pass the input unchanged.

    Examples
    --------
    >>> import numpy as np
    >>> Identity()(np.array([[1.0, 2.0]]))
    array([[1., 2.]], dtype=float32)
    """

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        return list(inputs)


if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
