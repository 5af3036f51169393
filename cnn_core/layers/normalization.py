"""Layers that bring values to mean 0 and variance 1, or to length 1."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Unpack

import cnn_core.constraints as constraints
import cnn_core.foundation.validation as validation
import cnn_core.initializers as initializers
import cnn_core.regularizers as regularizers
from cnn_core.foundation.exports import own_names
from cnn_core.layers.axes import as_rows, checked_axis, over_axes, sample_axes
from cnn_core.layers.base import Layer, registry
from cnn_core.network.expression import Expression, Instruction, Operand
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable

if TYPE_CHECKING:
    from cnn_core.constraints import ConstraintLike
    from cnn_core.initializers.lookup import InitializerLike
    from cnn_core.layers.base import Common
    from cnn_core.network.graph import Shape
    from cnn_core.regularizers import RegularizerLike


class _Normalization(Layer):
    """A layer that normalizes over `self.axis`, and whose operation works on rows."""

    axis: Any

    def _sizes(self, input_shape: Any) -> tuple[int, ...]:
        sizes = tuple(input_shape[1:][axis] for axis in sample_axes(self.axis, input_shape, self.name))
        if None in sizes:
            raise ValueError(f"The axes that {self.name!r} normalizes must be known. Received: shape={input_shape}")
        return sizes

    def check_inputs(self, shapes: Shape) -> None:
        sizes = self._sizes(shapes)
        known = [variable.shape for variable in self.variables]
        if self.built and known and known[0] != sizes:
            raise ValueError(f"{self.name!r} was built for {known[0]} features. Received: shape={shapes}")

    def _emit(
        self, plan: NetworkPlan, inputs: list[int], kind: str, variables: list[Variable | None], **numbers: Any
    ) -> list[int]:
        source, *others = inputs
        axes = sample_axes(self.axis, (None, *plan.shapes[source]), self.name)
        beside = [as_rows(plan, other, axes, self.name) for other in others]

        def apply(rows: int) -> int:
            return plan.add(kind, [rows, *beside], plan.shapes[rows], layer=self.name, variables=variables, **numbers)

        return [over_axes(plan, source, axes, self.name, apply)]


class _ScaleAndCentre(_Normalization):
    """The part that batch and layer normalization share: gamma and beta."""

    def __init__(
        self,
        axis: object,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: InitializerLike,
        gamma_initializer: InitializerLike,
        beta_regularizer: RegularizerLike,
        gamma_regularizer: RegularizerLike,
        beta_constraint: ConstraintLike,
        gamma_constraint: ConstraintLike,
        common: Common,
    ) -> None:
        super().__init__(**common)
        self.axis = axis
        self.epsilon = validation.positive_number(epsilon, "epsilon")
        self.center = validation.boolean(center, "center")
        self.scale = validation.boolean(scale, "scale")
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Variable | None = None
        self.beta: Variable | None = None

    def build(self, input_shape: Shape) -> None:
        sizes = self._sizes(input_shape)
        if self.scale:
            self.gamma = self.add_weight(
                sizes,
                self.gamma_initializer,
                name="gamma",
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )
        if self.center:
            self.beta = self.add_weight(
                sizes,
                self.beta_initializer,
                name="beta",
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
            )
        self.built = True


@registry.register()
class BatchNormalization(_ScaleAndCentre):
    """Normalize every feature over the batch: ``y = gamma * (x - mean) / sqrt(variance + epsilon) + beta``.

    In training, mean and variance (divided by the number of samples, not by one less) are those of the batch, and after
    each step the moving ones follow: ``moving = momentum * moving + (1 - momentum) * batch``. Otherwise, and whenever
    `trainable` is False, the moving ones are used and stay as they are. With a mask, ``layer(x, mask=m)`` or that which
    x has of `Embedding` or `Masking`, only steps that count are in the batch's mean and variance.

    Parameters
    ----------
    axis : int, default -1
        The axis of the features; statistics are taken over all others.
    momentum : float, 0 <= momentum <= 1, default 0.99
    epsilon : float > 0, default 0.001
    center, scale : bool, default True
        Whether there is a beta, a gamma.
    beta_initializer : default "zeros"
    gamma_initializer : default "ones"
    moving_mean_initializer : default "zeros"
    moving_variance_initializer : default "ones"
    beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint : default None

    Attributes
    ----------
    gamma, beta : Variable of shape (features,), or None
    moving_mean, moving_variance : Variable of shape (features,)
        Not trained; saved with the model.

    Notes
    -----
    With ``n = (x - mean) / s``, ``s = sqrt(variance + epsilon)`` and m samples: dJ/dbeta is the sum of dy, dJ/dgamma
    the sum of ``dy * n``, and ``dx = gamma / s * (dy - dJ/dbeta / m - n * dJ/dgamma / m)``: mean and variance depend on
    x too. A batch is never cut into blocks where this layer is in use. Ioffe and Szegedy, Batch normalization:
    accelerating deep network training by reducing internal covariate shift (2015).

    Examples
    --------
    >>> import numpy as np
    >>> layer = BatchNormalization(epsilon=1e-9)
    >>> layer(np.array([[1.0, 5.0], [3.0, 5.0]]), training=True)
    array([[-1.,  0.],
           [ 1.,  0.]], dtype=float32)
    >>> layer.moving_mean.numpy()
    array([0.02, 0.05], dtype=float32)
    """

    supports_masking = reads_masks = True
    only_default = MappingProxyType(
        {"renorm": False, "renorm_clipping": None, "renorm_momentum": 0.99, "synchronized": False}
    )

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        moving_mean_initializer: InitializerLike = "zeros",
        moving_variance_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(
            checked_axis(axis, several=False),
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            common,
        )
        self.momentum = validation.fraction(momentum, "momentum")
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        sizes = self._sizes(input_shape)
        self.moving_mean = self.add_weight(sizes, self.moving_mean_initializer, name="moving_mean", trainable=False)
        self.moving_variance = self.add_weight(
            sizes, self.moving_variance_initializer, name="moving_variance", trainable=False
        )

    def _apply(self, inputs: object, training: bool | None = None, mask: object = None) -> Any:
        return super()._apply(inputs, training) if mask is None else self._apply_masked(inputs, mask, training)

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        variables = [self.gamma, self.beta, self.moving_mean, self.moving_variance]
        reals = [self.epsilon, self.momentum]
        if plan.training:
            raise ValueError(
                f"`training` must be None or False where {self.name!r} is called on symbols: a prediction takes each "
                "row by itself, not with the statistics of its batch. Received: training=True"
            )
        always = plan.training is False
        masks = [] if always else [self._whole_mask(plan, inputs[0], mask) for mask in inputs[1:]]
        return self._emit(
            plan,
            [inputs[0], *masks],
            "batch_normalization",
            variables,
            reals=reals,
            frozen=lambda: always or not self.trainable,
        )

    def _whole_mask(self, plan: NetworkPlan, source: int, mask: int) -> int:
        """Enter a mask of steps, or of samples, as one of all elements."""
        shape, steps = plan.shapes[source], plan.shapes[mask]
        expected = shape[:-1] or (1,)
        if len(steps) != len(expected) or any(one not in (1, size) for one, size in zip(steps, expected, strict=True)):
            raise ValueError(
                f"`mask` of {self.name!r} must have the shape {(None, *shape[:-1])}. Received: shape {(None, *steps)}"
            )
        beside = (*steps, 1)[: len(shape)]
        operand = Operand(plan.add_reshaping(mask, beside, self.name), beside)
        counts = Expression((operand,), (0.0,), (Instruction("not_equal", (0, 1)),))
        return plan.add_expression(counts, shape, layer=self.name)


@registry.register()
class LayerNormalization(_ScaleAndCentre):
    """Normalize every sample over its features: ``y = gamma * (x - mean) / sqrt(variance + epsilon) + beta``.

    Mean and variance are those of the sample, in training and otherwise.

    Parameters
    ----------
    axis : int or list of int, default -1
        The axes over which mean and variance are taken; gamma and beta have their sizes.
    epsilon : float > 0, default 0.001
    center, scale : bool, default True
        Whether there is a beta, a gamma.
    beta_initializer : default "zeros"
    gamma_initializer : default "ones"
    beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint : default None

    Notes
    -----
    With ``n = (x - mean) / s`` and ``g = dy * gamma``: ``dx = (g - mean(g) - n * mean(g * n)) / s``. Ba, Kiros and
    Hinton, Layer normalization (2016).

    Examples
    --------
    >>> import numpy as np
    >>> LayerNormalization(epsilon=1e-9)(np.array([[1.0, 3.0], [5.0, 9.0]]))
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """

    supports_masking = True
    takes_vectors_whole = True

    only_default = MappingProxyType({"rms_scaling": False})

    def __init__(
        self,
        axis: object = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(
            checked_axis(axis),
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            common,
        )

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        return self._emit(plan, inputs, "layer_normalization", [self.gamma, self.beta], reals=[self.epsilon])


@registry.register()
class GroupNormalization(_ScaleAndCentre):
    """Normalize every sample over groups of features: ``y = gamma * (x - mean) / sqrt(variance + epsilon) + beta``.

    Mean and variance are those of a group of neighbouring features of the sample, over all other axes, too, in training
    and otherwise. One group is nearly layer normalization, but that gamma and beta have the size of one axis.

    Parameters
    ----------
    groups : int >= 1 or -1, default 32
        How many; the number of features must be a multiple. -1: every feature is a group, which is instance
        normalization.
    axis : int, default -1
        The axis of the features, whose size gamma and beta have.
    epsilon : float > 0, default 0.001
    center, scale : bool, default True
        Whether there is a beta, a gamma.
    beta_initializer : default "zeros"
    gamma_initializer : default "ones"
    beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint : default None

    Attributes
    ----------
    gamma, beta : Variable of shape (features,), or None

    Notes
    -----
    With ``n = (x - mean) / s`` and ``g = dy * gamma``, ``dx = (g - mean(g) - n * mean(g * n)) / s``, all means over a
    group. Wu and He, Group normalization (2018).

    Examples
    --------
    >>> import numpy as np
    >>> GroupNormalization(groups=2, epsilon=1e-9)(np.array([[1.0, 3.0, 5.0, 9.0]]))
    array([[-1.,  1., -1.,  1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        beta_constraint: ConstraintLike = None,
        gamma_constraint: ConstraintLike = None,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(
            checked_axis(axis, several=False),
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            common,
        )
        self.groups = validation.integer(groups, "groups", minimum=-1)
        if self.groups == 0:
            raise ValueError("`groups` must be a positive integer, or -1 for one of every feature. Received: groups=0")

    def check_inputs(self, shapes: Shape) -> None:
        super().check_inputs(shapes)
        (features,) = self._sizes(shapes)
        if features % self.groups:
            raise ValueError(
                f"`groups` of {self.name!r} must divide the number of features, {features}. "
                f"Received: groups={self.groups} for an input of shape {tuple(shapes)}"
            )

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        source = inputs[0]
        shape = plan.shapes[source]
        (axis,) = sample_axes(self.axis, (None, *shape), self.name)
        n_groups = shape[axis] if self.groups == -1 else self.groups
        order = [axis, *(other for other in range(len(shape)) if other != axis)]
        moved = plan.add_permutation(source, order, self.name)
        rows = plan.add_reshaping(moved, (n_groups, math.prod(shape) // n_groups), self.name)
        rows = plan.add(
            "layer_normalization",
            [rows],
            plan.shapes[rows],
            layer=self.name,
            variables=[None, None],
            reals=[self.epsilon],
        )
        back = plan.add_reshaping(rows, plan.shapes[moved], self.name)
        normalized = plan.add_permutation(back, [order.index(place) for place in range(len(shape))], self.name)
        return [self._scaled(plan, normalized, (shape[axis], *(1,) * (len(shape) - 1 - axis)))]

    def _scaled(self, plan: NetworkPlan, source: int, features: tuple[int, ...]) -> int:
        """Enter the product with gamma and the sum with beta, as far as they are there; they are read in a shape."""
        shape = plan.shapes[source]
        known = [("multiply", self.gamma), ("add", self.beta)]
        present = [(name, variable) for name, variable in known if variable is not None]
        if not present:
            return source
        operands = (Operand(source, shape), *(Operand(variable, features) for _, variable in present))
        steps = [Instruction(present[0][0], (0, 1))]
        steps += [Instruction(name, (len(operands), 2)) for name, _ in present[1:]]
        return plan.add_expression(Expression(operands, (), tuple(steps)), shape, layer=self.name)


@registry.register()
class RMSNormalization(_Normalization):
    """Divide every sample by its root mean square: ``y = scale * x / sqrt(mean(x^2) + epsilon)``.

    Parameters
    ----------
    axis : int or list of int, default -1
        The axes over which the mean is taken.
    epsilon : float > 0, default 1e-6

    Attributes
    ----------
    scale : Variable of the size of the axes, ones at first

    Notes
    -----
    With ``n = x / s`` and ``g = dy * scale``: ``dx = (g - n * mean(g * n)) / s``. Zhang and Sennrich, Root mean square
    layer normalization (2019).

    Examples
    --------
    >>> import numpy as np
    >>> RMSNormalization()(np.array([[3.0, 4.0, 0.0, 0.0]])).round(4)
    array([[1.2, 1.6, 0. , 0. ]], dtype=float32)
    """

    takes_vectors_whole = True

    def __init__(self, axis: object = -1, epsilon: float = 1e-6, **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self.axis = checked_axis(axis)
        self.epsilon = validation.positive_number(epsilon, "epsilon")

    def build(self, input_shape: Shape) -> None:
        self.scale = self.add_weight(self._sizes(input_shape), "ones", name="scale")
        self.built = True

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        return self._emit(plan, inputs, "rms_normalization", [self.scale], reals=[self.epsilon])


@registry.register()
class UnitNormalization(_Normalization):
    """Scale every sample to length 1: ``y = x / max(|x|, 1e-12)``.

    Parameters
    ----------
    axis : int or list of int, default -1
        The axes over which the length is taken.

    Notes
    -----
    ``dx = (dy - y * (dy . y)) / |x|``. A sample of length 0 has no direction and passes no gradient.

    Examples
    --------
    >>> import numpy as np
    >>> UnitNormalization()(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]], dtype=float32)
    """

    supports_masking = True
    takes_vectors_whole = True

    def __init__(self, axis: object = -1, **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self.axis = checked_axis(axis)

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        return self._emit(plan, inputs, "unit_normalization", [], reals=[SHORTEST])


SHORTEST = 1e-12  # Keras's: nothing is divided by less

if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
