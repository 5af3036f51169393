"""Layers that put the numbers of a sample in other places or another shape, and compute none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.exports import own_names
from cnn_core.layers.base import Layer, registry
from cnn_core.network.plan import NetworkPlan

if TYPE_CHECKING:
    from cnn_core.layers.base import Common
    from cnn_core.network.graph import Shape


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
class Permute(Layer):
    """Put the axes of every sample in another order: ``y[n, i, j] = x[n, j, i]`` for `dims` (2, 1).

    Parameters
    ----------
    dims : tuple of int
        Axis i of the output is axis ``dims[i - 1]`` of the input; the batch is axis 0 and stays where it is.

    Examples
    --------
    >>> import numpy as np
    >>> Permute((2, 1))(np.array([[[1.0, 2.0, 3.0]]]))
    array([[[1.],
            [2.],
            [3.]]], dtype=float32)
    """

    def __init__(self, dims: Sequence[int], **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self.dims = tuple(validation.integers(dims, "dims"))
        if not self.dims or sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                f"`dims` must have each of the numbers from 1 to the number of axes of a sample. Received: dims={dims}"
            )

    def check_inputs(self, shapes: Shape) -> None:
        if len(shapes) != len(self.dims) + 1:
            raise ValueError(
                f"{self.name!r} takes inputs with {len(self.dims)} axes after the samples. Received: shape={shapes}"
            )

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (input_shape[0], *(input_shape[axis] for axis in self.dims))

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        return [plan.add_permutation(inputs[0], [axis - 1 for axis in self.dims], self.name)]


@registry.register()
class RepeatVector(Layer):
    """Repeat every row: ``y[n, i] = x[n]`` for i below `n`, with ``dx = sum of dy over i``.

    Parameters
    ----------
    n : int >= 1

    Examples
    --------
    >>> import numpy as np
    >>> RepeatVector(2)(np.array([[1.0, 2.0]]))
    array([[[1., 2.],
            [1., 2.]]], dtype=float32)
    """

    def __init__(self, n: int, **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self.n = validation.positive_integer(n, "n")

    def check_inputs(self, shapes: Shape) -> None:
        if len(shapes) != 2:
            raise ValueError(f"{self.name!r} takes inputs of shape (n, features). Received: shape={shapes}")

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (input_shape[0], self.n, input_shape[1])

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        (width,) = plan.shapes[inputs[0]]
        elements = np.tile(np.arange(width), self.n)
        return [plan.add_selection(inputs[0], elements, (self.n, width), layer=self.name)]


@registry.register()
class Identity(Layer):
    """Pass the input unchanged.

    Examples
    --------
    >>> import numpy as np
    >>> Identity()(np.array([[1.0, 2.0]]))
    array([[1., 2.]], dtype=float32)
    """

    supports_masking = True

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        return list(inputs)


if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
