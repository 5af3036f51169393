"""Layers that make one out of several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

import cnn_core.foundation.validation as validation
from cnn_core.foundation.eager import mask_of, set_mask
from cnn_core.foundation.structures import flatten
from cnn_core.layers.axes import sample_axes
from cnn_core.layers.base import Layer, registry
from cnn_core.layers.masks import beside, either, only_where
from cnn_core.layers.normalization import SHORTEST
from cnn_core.network.graph import Symbol
from cnn_core.network.operators import Operators
from cnn_core.network.plan import NetworkPlan

if TYPE_CHECKING:
    from cnn_core.layers.base import Common
    from cnn_core.network.graph import Shape

LARGEST = 3.4028234663852886e38  # that float32 has


class Merge(Layer):
    """A layer that combines a list of inputs."""

    n_inputs = None
    supports_masking = True
    _exactly: ClassVar[int | None] = None

    def check_inputs(self, shapes: Shape) -> None:
        if self._exactly is not None and len(shapes) != self._exactly:
            raise ValueError(f"{self.name!r} takes a list of {self._exactly} inputs. Received: {len(shapes)}")
        self.compute_output_shape(shapes)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return a mask of what counts in one of the inputs at least; None if one has none."""
        if previous_mask is None:
            return None
        for name, given in (("inputs", inputs), ("previous_mask", previous_mask)):
            if not isinstance(given, (list, tuple)):
                raise ValueError(
                    f"`{name}` must be a list, as the inputs of {self.name!r} are. Received: {name}={given!r}"
                )
        if len(inputs) != len(previous_mask):
            raise ValueError(
                "`inputs` and `previous_mask` must have the same length. "
                f"Received: {len(inputs)} and {len(previous_mask)}"
            )
        return self._merged_mask(inputs, previous_mask)

    def _merged_mask(self, inputs: Sequence[Any], masks: Sequence[Any]) -> Any:
        return either(masks)


class _Elementwise(Merge):
    """Combine element by element; an axis of size 1 is repeated, and a missing axis counts as one of size 1."""

    _kind: ClassVar[str]
    # What stands in the place of a step that does not count, so that only the others decide; None: the step itself.
    _neutral: ClassVar[float | None] = None

    def _apply(self, inputs: object, training: bool | None = None) -> Any:
        given = flatten(inputs)
        masks = [mask_of(each) for each in given]
        if self._neutral is None or all(mask is None for mask in masks):
            return super()._apply(inputs, training)
        counted = [
            each if mask is None else only_where(beside(mask, each), each, self._neutral)
            for each, mask in zip(given, masks, strict=True)
        ]
        output, mask = super()._apply(counted, training), either(masks)
        if mask is not None:
            output = only_where(beside(mask, output), output, 0.0)
            set_mask(output, mask)
        return output

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape: tuple[Any, ...] = tuple(input_shape[0][1:])
        for other in input_shape[1:]:
            shape = self._broadcast(shape, tuple(other[1:]), input_shape)
        for other in input_shape:
            self._check_repetition(tuple(other[1:]), shape, input_shape)
        return (None, *shape)

    def _broadcast(self, first: tuple[Any, ...], second: tuple[Any, ...], shapes: object) -> tuple[Any, ...]:
        rank = max(len(first), len(second))
        merged: list[Any] = []
        for one, two in zip((1,) * (rank - len(first)) + first, (1,) * (rank - len(second)) + second, strict=True):
            if one != two and 1 not in (one, two) and None not in (one, two):
                raise ValueError(f"The inputs of {self.name!r} must have shapes that fit. Received: {_listed(shapes)}")
            merged.append(None if None in (one, two) else max(one, two))
        return tuple(merged)

    def _check_repetition(self, shape: tuple[Any, ...], merged: tuple[Any, ...], shapes: object) -> None:
        """The core repeats a row for all of a sample's rows, or a column for all columns."""
        outer = ((1,) * (len(merged) - len(shape)) + shape)[:-1]
        if None not in merged and outer != merged[:-1] and any(size != 1 for size in outer):
            raise ValueError(
                f"The inputs of {self.name!r} must be repeated along the last axis, or along all others together. "
                f"Received: {_listed(shapes)}"
            )

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        shape = self.compute_output_shape([(None, *plan.shapes[buffer]) for buffer in inputs])[1:]
        return [plan.add(self._kind, inputs, shape, layer=self.name)]


def _listed(shapes: Any) -> str:
    return ", ".join(str(tuple(shape)) for shape in shapes)


@registry.register()
class Add(_Elementwise):
    """Add inputs: ``y = x_0 + x_1 + ...``, with ``dx_i = dy``.

    Examples
    --------
    >>> import numpy as np
    >>> Add()([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])])
    array([[11., 22.]], dtype=float32)
    """

    _kind = "add"


@registry.register()
class Subtract(_Elementwise):
    """Subtract the second input from the first: ``y = x_0 - x_1``, with ``dx_0 = dy`` and ``dx_1 = -dy``.

    Examples
    --------
    >>> import numpy as np
    >>> Subtract()([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])])
    array([[ -9., -18.]], dtype=float32)
    """

    _kind = "subtract"
    _exactly = 2


@registry.register()
class Multiply(_Elementwise):
    """Multiply inputs: ``y = x_0 * x_1 * ...``; dx_i is dy times all inputs but the i-th.

    Steps that do not count by an input's mask are left out, and are 0 where they count in none.

    Examples
    --------
    >>> import numpy as np
    >>> Multiply()([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])])
    array([[10., 40.]], dtype=float32)
    """

    _kind = "multiply"
    _neutral = 1.0


@registry.register()
class Average(_Elementwise):
    """Average k inputs: ``y = (x_0 + x_1 + ...) / k``, with ``dx_i = dy / k``.

    Examples
    --------
    >>> import numpy as np
    >>> Average()([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])])
    array([[ 5.5, 11. ]], dtype=float32)
    """

    _kind = "average"


@registry.register()
class Maximum(_Elementwise):
    """Take the largest of the inputs, element by element: dy goes to the largest; equals share it.

    Steps that do not count by an input's mask are left out, and are 0 where they count in none.

    Examples
    --------
    >>> import numpy as np
    >>> Maximum()([np.array([[1.0, 20.0]]), np.array([[10.0, 2.0]])])
    array([[10., 20.]], dtype=float32)
    """

    _kind = "maximum"
    _neutral = -LARGEST


@registry.register()
class Minimum(_Elementwise):
    """Take the smallest of the inputs, element by element: dy goes to the smallest; equals share it.

    Steps that do not count by an input's mask are left out, and are 0 where they count in none.

    Examples
    --------
    >>> import numpy as np
    >>> Minimum()([np.array([[1.0, 20.0]]), np.array([[10.0, 2.0]])])
    array([[1., 2.]], dtype=float32)
    """

    _kind = "minimum"
    _neutral = LARGEST


@registry.register()
class Concatenate(Merge):
    """Put inputs side by side along an axis; each gets its part of dy.

    Parameters
    ----------
    axis : int, default -1
        Counted with the batch as axis 0, along which nothing can be joined. All other axes must have equal sizes.

    Examples
    --------
    >>> import numpy as np
    >>> Concatenate()([np.array([[1.0, 2.0]]), np.array([[3.0]])])
    array([[1., 2., 3.]], dtype=float32)
    """

    def __init__(self, axis: int = -1, **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self.axis = validation.integer(axis, "axis")

    def compute_output_shape(self, input_shape: Any) -> Any:
        (joined,) = sample_axes(self.axis, input_shape[0], self.name)
        others = {tuple(shape[1 : joined + 1]) + tuple(shape[joined + 2 :]) for shape in input_shape}
        if len({len(shape) for shape in input_shape}) > 1 or len(others) > 1:
            raise ValueError(
                f"The inputs of {self.name!r} must have equal sizes but for axis {joined + 1}. "
                f"Received: {_listed(input_shape)}"
            )
        sizes = [shape[joined + 1] for shape in input_shape]
        merged = list(input_shape[0][1:])
        merged[joined] = None if None in sizes else sum(sizes)
        return (None, *merged)

    def _merged_mask(self, inputs: Sequence[Any], masks: Sequence[Any]) -> Any:
        """Return the masks side by side, where inputs are, or what counts in one of them; an input without counts."""
        if all(mask is None for mask in masks):
            return None
        call = Operators.functions
        parts = []
        for each, mask in zip(inputs, masks, strict=True):
            if mask is None:
                parts.append(call["ones_like"](each, dtype="bool"))
            elif len(mask.shape) < len(each.shape):
                parts.append(call["logical_or"](call["expand_dims"](mask, -1), call["zeros_like"](each, dtype="bool")))
            else:
                parts.append(mask)
        return call["any"](call["concatenate"](parts, axis=self.axis), axis=-1)

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        shapes = [plan.shapes[buffer] for buffer in inputs]
        (joined,) = sample_axes(self.axis, (None, *shapes[0]), self.name)
        segments = 0 if joined == len(shapes[0]) - 1 else math.prod(shapes[0][:joined])
        shape = self.compute_output_shape([(None, *shape) for shape in shapes])[1:]
        return [plan.add("concatenate", inputs, shape, layer=self.name, integers=[segments])]


@registry.register()
class Dot(Merge):
    """Multiply two inputs along an axis of each and sum: for vectors, ``y = x_0 . x_1``, of shape (n, 1).

    Parameters
    ----------
    axes : int or pair of int
        Along which axis of each input the products are summed; the batch is axis 0. With inputs of more axes, the
        output has the others of the first, then the others of the second.
    normalize : bool, default False
        Whether vectors are scaled to length 1 beforehand, which makes y the cosine.

    Examples
    --------
    >>> import numpy as np
    >>> Dot(axes=1)([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])])
    array([[50.]], dtype=float32)
    >>> Dot(axes=(1, 2))([np.ones((5, 4, 3)), np.ones((5, 2, 4))]).shape
    (5, 3, 2)
    """

    _exactly = 2

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **common: Unpack[Common]) -> None:
        super().__init__(**common)
        if isinstance(axes, (list, tuple)):
            if len(axes) != 2:
                raise ValueError(f"`axes` must be an integer or a pair of them. Received: axes={axes}")
            self.axes: Any = tuple(validation.integer(axis, "axes") for axis in axes)
        else:
            self.axes = validation.integer(axes, "axes")
        self.normalize = validation.boolean(normalize, "normalize")

    def _summed(self, shapes: Any) -> list[int]:
        """The axis of a sample of each input that is summed over."""
        pair = self.axes if isinstance(self.axes, tuple) else (self.axes, self.axes)
        return [sample_axes(axis, shape, self.name, "axes")[0] for axis, shape in zip(pair, shapes, strict=True)]

    def compute_output_shape(self, input_shape: Any) -> Any:
        first, second = self._summed(input_shape)
        if input_shape[0][first + 1] != input_shape[1][second + 1]:
            raise ValueError(
                f"{self.name!r} sums over axes of equal size. Received: axis {first + 1} of {tuple(input_shape[0])} "
                f"and axis {second + 1} of {tuple(input_shape[1])}"
            )
        kept = [
            size
            for shape, summed in zip(input_shape, (first, second), strict=True)
            for axis, size in enumerate(shape[1:])
            if axis != summed
        ]
        return (None, *(kept or [1]))

    def _merged_mask(self, inputs: Sequence[Any], masks: Sequence[Any]) -> None:
        """Return None: what is summed over has no steps any more."""

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        shapes = [plan.shapes[buffer] for buffer in inputs]
        rows = []
        for buffer, summed in zip(inputs, self._summed([(None, *shape) for shape in shapes]), strict=True):
            rank = len(plan.shapes[buffer])
            moved = plan.add_permutation(buffer, [*(a for a in range(rank) if a != summed), summed], self.name)
            if self.normalize:
                moved = plan.add("unit_normalization", [moved], plan.shapes[moved], layer=self.name, reals=[SHORTEST])
            rows.append(moved)
        shape = tuple(math.prod(plan.shapes[buffer][:-1]) for buffer in rows)
        product = plan.add("dot", rows, shape, layer=self.name)
        wanted = self.compute_output_shape([(None, *shape) for shape in shapes])[1:]
        return [plan.add_reshaping(product, wanted, self.name)]


def add(inputs: Sequence[Symbol], **common: Unpack[Common]) -> Symbol:
    """Apply an `Add` layer to a list of inputs."""
    return Add(**common)(inputs)


def subtract(inputs: Sequence[Symbol], **common: Unpack[Common]) -> Symbol:
    """Apply a `Subtract` layer to a list of two inputs."""
    return Subtract(**common)(inputs)


def multiply(inputs: Sequence[Symbol], **common: Unpack[Common]) -> Symbol:
    """Apply a `Multiply` layer to a list of inputs."""
    return Multiply(**common)(inputs)


def average(inputs: Sequence[Symbol], **common: Unpack[Common]) -> Symbol:
    """Apply an `Average` layer to a list of inputs."""
    return Average(**common)(inputs)


def maximum(inputs: Sequence[Symbol], **common: Unpack[Common]) -> Symbol:
    """Apply a `Maximum` layer to a list of inputs."""
    return Maximum(**common)(inputs)


def minimum(inputs: Sequence[Symbol], **common: Unpack[Common]) -> Symbol:
    """Apply a `Minimum` layer to a list of inputs."""
    return Minimum(**common)(inputs)


def concatenate(inputs: Sequence[Symbol], axis: int = -1, **common: Unpack[Common]) -> Symbol:
    """Apply a `Concatenate` layer to a list of inputs."""
    return Concatenate(axis, **common)(inputs)


def dot(
    inputs: Sequence[Symbol],
    axes: int | Sequence[int] = -1,
    normalize: bool = False,
    **common: Unpack[Common],
) -> Symbol:
    """Apply a `Dot` layer to a list of two inputs."""
    return Dot(axes, normalize, **common)(inputs)
