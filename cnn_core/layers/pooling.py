"""Layers that sum up the steps, or the places of a grid, of every sample in one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Unpack

import cnn_core.foundation.validation as validation
from cnn_core.foundation.exports import own_names
from cnn_core.layers.base import Layer, registry
from cnn_core.network.expression import Expression, Instruction, Operand
from cnn_core.network.plan import NetworkPlan

if TYPE_CHECKING:
    from cnn_core.layers.base import Common
    from cnn_core.network.graph import Shape

_LAST, _FIRST = "channels_last", "channels_first"
_AXES = {1: "steps", 2: "rows, columns", 3: "planes, rows, columns"}


class _GlobalPooling(Layer):
    """A layer that takes features at places along some axes, and gives what they have in common over the places."""

    _kind: ClassVar[str]
    _n_axes: ClassVar[int]

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self.data_format = validation.one_of(data_format, "data_format", (None, _LAST, _FIRST)) or _LAST
        self.keepdims = validation.boolean(keepdims, "keepdims")

    @property
    def pooled_axes(self) -> list[int]:
        """The axes of a sample along which its places lie."""
        first = 0 if self.data_format == _LAST else 1
        return [*range(first, first + self._n_axes)]

    def check_inputs(self, shapes: Shape) -> None:
        if len(shapes) != self._n_axes + 2:
            places = _AXES[self._n_axes]
            axes = f"{places}, features" if self.data_format == _LAST else f"features, {places}"
            raise ValueError(f"{self.name!r} takes inputs of shape (n, {axes}). Received: shape={shapes}")

    def compute_output_shape(self, input_shape: Shape) -> Any:
        batch, *sample = input_shape
        if self.keepdims:
            return (batch, *(1 if axis in self.pooled_axes else size for axis, size in enumerate(sample)))
        return (batch, *(size for axis, size in enumerate(sample) if axis not in self.pooled_axes))

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        return [plan.add_reduction(self._kind, inputs[0], self.pooled_axes, layer=self.name, keepdims=self.keepdims)]


@registry.register()
class GlobalAveragePooling1D(_GlobalPooling):
    """Average over the T steps of every sample: ``y[n] = sum over t of x[n, t] / T``, with ``dx[n, t] = dy[n] / T``.

    With a mask, sum and T are those of the steps that count: ``layer(x, mask=m)``, m of shape (n, steps), or the mask
    that x has of `Embedding` or `Masking`. A sample of which no step counts gives 0, where Keras gives NaN.

    Parameters
    ----------
    data_format : {None, "channels_last", "channels_first"}, default None
        Whether inputs have the shape (n, steps, features), which None means, too, or (n, features, steps).
    keepdims : bool, default False
        Whether the output keeps the axis of the steps, with size 1.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalAveragePooling1D()(np.array([[[1.0, 2.0], [3.0, 6.0]]]))
    array([[2., 4.]], dtype=float32)
    """

    _kind, _n_axes = "mean", 1
    supports_masking = reads_masks = True

    def _apply(  # type: ignore[override]  # in the order of Keras
        self, inputs: object, mask: object = None, training: bool | None = None
    ) -> Any:
        return super()._apply(inputs, training) if mask is None else self._apply_masked(inputs, mask, training)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        """Return None: the output has no steps."""

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        return super().emit(plan, inputs) if len(inputs) == 1 else [self._masked_mean(plan, *inputs)]

    def _masked_mean(self, plan: NetworkPlan, source: int, mask: int) -> int:
        """Enter the mean over the steps that count."""
        shape, name = plan.shapes[source], self.name
        (axis,) = self.pooled_axes
        n_steps = shape[axis]
        if plan.shapes[mask] != (n_steps,):
            raise ValueError(
                f"`mask` of {name!r} must have the shape (n, {n_steps}). Received: shape {(None, *plan.shapes[mask])}"
            )
        beside = (n_steps, 1) if axis == 0 else (1, n_steps)
        operands = (Operand(source, shape), Operand(plan.add_reshaping(mask, beside, name), beside))
        chosen = Expression(operands, (0.0,), (Instruction("where", (1, 0, 2)),))
        counted = plan.add_expression(chosen, shape, layer=name)
        total = plan.add_reduction("sum", counted, [axis], layer=name, keepdims=self.keepdims)
        count = plan.add_reduction("sum", mask, [0], layer=name)
        mean = Expression(
            (Operand(total, plan.shapes[total]), Operand(count, (1,))),
            (1.0,),
            (Instruction("maximum", (1, 2)), Instruction("divide", (0, 3))),
        )
        return plan.add_expression(mean, plan.shapes[total], layer=name)


@registry.register()
class GlobalMaxPooling1D(_GlobalPooling):
    """Take the largest of every feature over the steps: ``y[n] = max over t of x[n, t]``; equals share dy.

    Parameters
    ----------
    data_format : {None, "channels_last", "channels_first"}, default None
        Whether inputs have the shape (n, steps, features), which None means, too, or (n, features, steps).
    keepdims : bool, default False
        Whether the output keeps the axis of the steps, with size 1.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalMaxPooling1D()(np.array([[[1.0, 6.0], [3.0, 2.0]]]))
    array([[3., 6.]], dtype=float32)
    """

    _kind, _n_axes = "max", 1


@registry.register()
class GlobalAveragePooling2D(_GlobalPooling):
    """Average over the rows and columns of every sample: `GlobalAveragePooling1D` of a grid, without masks.

    Parameters
    ----------
    data_format : {None, "channels_last", "channels_first"}, default None
        Whether inputs have the shape (n, rows, columns, features), which None means, too, or
        (n, features, rows, columns).
    keepdims : bool, default False
        Whether the output keeps the axes of the places, with size 1.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalAveragePooling2D()(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[3., 4.]], dtype=float32)
    """

    _kind, _n_axes = "mean", 2


@registry.register()
class GlobalAveragePooling3D(_GlobalPooling):
    """Average over the planes, rows and columns of every sample: `GlobalAveragePooling1D` of a grid, without masks.

    Parameters
    ----------
    data_format : {None, "channels_last", "channels_first"}, default None
        Whether inputs have the shape (n, planes, rows, columns, features), which None means, too, or
        (n, features, planes, rows, columns).
    keepdims : bool, default False
        Whether the output keeps the axes of the places, with size 1.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalAveragePooling3D()(np.arange(16.0).reshape(1, 2, 2, 2, 2))
    array([[7., 8.]], dtype=float32)
    """

    _kind, _n_axes = "mean", 3


@registry.register()
class GlobalMaxPooling2D(_GlobalPooling):
    """Take the largest of every feature over the rows and columns of a sample: `GlobalMaxPooling1D` of a grid.

    Parameters
    ----------
    data_format : {None, "channels_last", "channels_first"}, default None
        Whether inputs have the shape (n, rows, columns, features), which None means, too, or
        (n, features, rows, columns).
    keepdims : bool, default False
        Whether the output keeps the axes of the places, with size 1.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalMaxPooling2D("channels_first")(np.arange(8.0).reshape(1, 2, 2, 2))
    array([[3., 7.]], dtype=float32)
    """

    _kind, _n_axes = "max", 2


@registry.register()
class GlobalMaxPooling3D(_GlobalPooling):
    """Take the largest of every feature over the planes, rows and columns of a sample: `GlobalMaxPooling1D` of a grid.

    Parameters
    ----------
    data_format : {None, "channels_last", "channels_first"}, default None
        Whether inputs have the shape (n, planes, rows, columns, features), which None means, too, or
        (n, features, planes, rows, columns).
    keepdims : bool, default False
        Whether the output keeps the axes of the places, with size 1.

    Examples
    --------
    >>> import numpy as np
    >>> GlobalMaxPooling3D()(np.arange(16.0).reshape(1, 2, 2, 2, 2))
    array([[14., 15.]], dtype=float32)
    """

    _kind, _n_axes = "max", 3


GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalMaxPool3D = GlobalMaxPooling3D

if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
