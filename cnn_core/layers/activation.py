"""Activations as layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import cnn_core.activations as activations
import cnn_core.constraints as constraints
import cnn_core.foundation.validation as validation
import cnn_core.initializers as initializers
import cnn_core.regularizers as regularizers
from cnn_core.foundation.eager import mask_of
from cnn_core.layers.axes import activated, axes_of_rows, checked_axis, over_axes, sample_axes
from cnn_core.layers.base import Layer, registry
from cnn_core.layers.masks import only_where
from cnn_core.layers.settings import ActivationSetting
from cnn_core.network.operators import Operators
from cnn_core.network.plan import NetworkPlan

if TYPE_CHECKING:
    from cnn_core.activations.lookup import ActivationLike
    from cnn_core.constraints import ConstraintLike
    from cnn_core.initializers.lookup import InitializerLike
    from cnn_core.layers.base import Common
    from cnn_core.network.graph import Shape
    from cnn_core.regularizers import RegularizerLike

_NO_SHARE = -1e9  # a logit whose exponential is 0 beside any other


class ActivationLayer(Layer):
    """A layer that applies `self.activation` to its input and has no variables."""

    supports_masking = True
    activation: activations.Activation

    @property
    def takes_vectors_whole(self) -> bool:  # type: ignore[override]
        """Whether an array of one axis is a sample."""
        return self.activation.row_wise

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return self.activation.output_shape(input_shape)

    def check_inputs(self, shapes: Shape) -> None:
        axes_of_rows(self.activation, shapes, self.name)

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        return [activated(plan, inputs[0], self.activation, self.name)]


@registry.register()
class Activation(ActivationLayer):
    """Apply an activation: ``a = g(x)``.

    Parameters
    ----------
    activation : str or activation

    Examples
    --------
    >>> import numpy as np
    >>> Activation("relu")(np.array([[-1.0, 2.0]]))
    array([[0., 2.]], dtype=float32)
    """

    activation = ActivationSetting()

    def __init__(self, activation: ActivationLike, **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self.activation = activation


@registry.register()
class ReLU(ActivationLayer):
    """Cut off below: ``a = x`` above the threshold, else ``negative_slope * (x - threshold)``; at most `max_value`.

    Parameters
    ----------
    max_value : float >= 0, default None
        None: no maximum.
    negative_slope : float >= 0, default 0.0
    threshold : float >= 0, default 0.0

    Examples
    --------
    >>> import numpy as np
    >>> ReLU(max_value=2.0, negative_slope=0.5)(np.array([[-1.0, 1.0, 3.0]]))
    array([[-0.5,  1. ,  2. ]], dtype=float32)
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        self.max_value = None if max_value is None else validation.number(max_value, "max_value", minimum=0)
        self.negative_slope = validation.number(negative_slope, "negative_slope", minimum=0)
        self.threshold = validation.number(threshold, "threshold", minimum=0)
        self.activation = activations.ReLU(self.negative_slope, self.max_value, self.threshold)


@registry.register()
class LeakyReLU(ActivationLayer):
    """Let a part of the negative side through: ``a = x`` above 0, else ``negative_slope * x``.

    Parameters
    ----------
    negative_slope : float, default 0.3
        The activation of the same name has 0.2, as in Keras.
    alpha : float, default None
        The older name of `negative_slope`.

    Examples
    --------
    >>> import numpy as np
    >>> LeakyReLU(0.5)(np.array([[-1.0, 1.0]]))
    array([[-0.5,  1. ]], dtype=float32)
    """

    def __init__(self, negative_slope: float = 0.3, *, alpha: float | None = None, **common: Unpack[Common]) -> None:
        super().__init__(**common)
        if alpha is not None:
            if negative_slope != 0.3:
                raise ValueError(f"`alpha` must be None if `negative_slope` is given. Received: alpha={alpha}")
            negative_slope = validation.number(alpha, "alpha")
        self.negative_slope = validation.number(negative_slope, "negative_slope")
        self.activation = activations.LeakyReLU(self.negative_slope)


@registry.register()
class ELU(ActivationLayer):
    """Saturate smoothly below: ``a = x`` above 0, else ``alpha * (exp(x) - 1)``.

    Parameters
    ----------
    alpha : float, default 1.0

    Examples
    --------
    >>> import numpy as np
    >>> ELU(2.0)(np.array([[-1e4, 1.0]]))
    array([[-2.,  1.]], dtype=float32)
    """

    def __init__(self, alpha: float = 1.0, **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self.alpha = validation.number(alpha, "alpha")
        self.activation = activations.ELU(self.alpha)


@registry.register()
class Softmax(Layer):
    """Turn values along an axis into probabilities: ``a_i = exp(x_i) / sum_j exp(x_j)``.

    With a mask, ``layer(x, mask=m)``, whose axes have the sizes of x or 1, only elements that count are summed over;
    the others, of which m is False or not above 0.5, get 0.

    Parameters
    ----------
    axis : int or list of int, default -1

    Examples
    --------
    >>> import numpy as np
    >>> Softmax()(np.array([[0.0, 0.0], [999.0, 0.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]], dtype=float32)
    >>> Softmax()(np.array([[0.0, 0.0, 5.0]]), mask=np.array([[True, True, False]]))
    array([[0.5, 0.5, 0. ]], dtype=float32)
    """

    supports_masking = True
    takes_vectors_whole = True

    def __init__(self, axis: object = -1, **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self.axis = checked_axis(axis)

    def check_inputs(self, shapes: Shape) -> None:
        sample_axes(self.axis, shapes, self.name)

    def _apply(  # type: ignore[override]  # in the order of Keras
        self, inputs: object, mask: Any = None, training: bool | None = None
    ) -> Any:
        mask = mask_of(inputs) if mask is None else mask
        if mask is None:
            return super()._apply(inputs, training)
        logits, mask = (Operators.functions["convert_to_tensor"](each) for each in (inputs, mask))
        self._check_mask(mask.shape, logits.shape)
        shares = super()._apply(only_where(mask, logits, _NO_SHARE), training)
        masked = only_where(mask, shares, 0.0)  # also where nothing along the axis counts
        self.pass_mask_on(inputs, masked)
        return masked

    def _check_mask(self, mask: Sequence[Any], inputs: Sequence[Any]) -> None:
        pairs = zip(mask[::-1], inputs[::-1], strict=False)
        if len(mask) > len(inputs) or any(one not in (1, other) and None not in (one, other) for one, other in pairs):
            raise ValueError(
                f"`mask` of {self.name!r} must tell of each element of its input whether it counts: every axis must "
                f"have the input's size, or 1. Received: shape {tuple(mask)} for an input of shape {tuple(inputs)}"
            )

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        axes = sample_axes(self.axis, (None, *plan.shapes[inputs[0]]), self.name)
        return [
            over_axes(
                plan, inputs[0], axes, self.name, lambda rows: plan.add_activation(rows, activations.softmax, self.name)
            )
        ]


@registry.register()
class PReLU(Layer):
    """Let a learned part of the negative side through: ``a = x`` above 0, else ``alpha * x``.

    Parameters
    ----------
    alpha_initializer : default "Zeros"
    alpha_regularizer, alpha_constraint : default None
    shared_axes : int or list of int, default None
        Axes along which one alpha serves all; the batch, axis 0, always is one. With three and more axes in a sample,
        either all of them but the last are shared or none.

    Attributes
    ----------
    alpha : Variable of the shape of a sample, 1 along shared axes

    Notes
    -----
    dJ/dalpha is the sum of ``da * x`` over negative x. He, Zhang, Ren and Sun, Delving deep into rectifiers (2015).

    Examples
    --------
    >>> import numpy as np
    >>> PReLU(alpha_initializer="ones")(np.array([[-1.0, 1.0]]))
    array([[-1.,  1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        alpha_initializer: InitializerLike = "Zeros",
        alpha_regularizer: RegularizerLike = None,
        alpha_constraint: ConstraintLike = None,
        shared_axes: object = None,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        self.shared_axes = None if not shared_axes else checked_axis(shared_axes, name="shared_axes")

    def _slopes(self, input_shape: Any) -> tuple[int, ...]:
        sizes = list(input_shape[1:])
        if self.shared_axes is not None:
            for axis in sample_axes(self.shared_axes, input_shape, self.name, "shared_axes"):
                sizes[axis] = 1
        outer = sizes[:-1]
        if None in sizes or (outer != list(input_shape[1:-1]) and any(size != 1 for size in outer)):
            raise ValueError(
                f"`shared_axes` of {self.name!r} must leave out or hold all axes between the first and the last, and "
                f"the others must be known. Received: shared_axes={self.shared_axes}, input shape {input_shape}"
            )
        return tuple(sizes)

    def check_inputs(self, shapes: Shape) -> None:
        if self.built and self.alpha.shape != self._slopes(shapes):
            raise ValueError(f"{self.name!r} has slopes of shape {self.alpha.shape}. Received: shape={shapes}")

    def build(self, input_shape: Shape) -> None:
        self.alpha = self.add_weight(
            self._slopes(input_shape),
            self.alpha_initializer,
            name="alpha",
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )
        self.built = True

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        slopes = self.alpha.shape or (1,)
        integers = [math.prod(slopes[:-1]), slopes[-1]]
        shape = plan.shapes[inputs[0]]
        return [plan.add("prelu", inputs, shape, layer=self.name, variables=[self.alpha], integers=integers)]
