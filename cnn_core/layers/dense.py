"""The dense layer."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Unpack

import cnn_core.constraints as constraints
import cnn_core.foundation.validation as validation
import cnn_core.initializers as initializers
import cnn_core.regularizers as regularizers
from cnn_core.layers.axes import activated, axes_of_rows, on_rows
from cnn_core.layers.base import Layer, features, registry
from cnn_core.layers.settings import ActivationSetting
from cnn_core.network.plan import NetworkPlan

if TYPE_CHECKING:
    from cnn_core.activations.lookup import ActivationLike
    from cnn_core.constraints import ConstraintLike
    from cnn_core.initializers.lookup import InitializerLike
    from cnn_core.layers.base import CommonWithoutPenalty
    from cnn_core.network.graph import Shape
    from cnn_core.regularizers import RegularizerLike

# Arguments of Keras's layers with a kernel, for what is left out.
ADAPTERS = MappingProxyType({"lora_rank": None, "lora_alpha": None, "quantization_config": None})


@registry.register()
class Dense(Layer):
    """Connect every input with every unit: ``a = g(x . kernel + bias)``.

    Parameters
    ----------
    units : int >= 1
    activation : str or activation, default None
        None is linear. Another one may be assigned to the attribute later.
    use_bias : bool, default True
    kernel_initializer : default "glorot_uniform"
    bias_initializer : default "zeros"
    kernel_regularizer, bias_regularizer, activity_regularizer : default None
        Biases are left out of a penalty unless it is asked for here.
    kernel_constraint, bias_constraint : default None
    kernel_learning_rate_multiplier, bias_learning_rate_multiplier : float, default 1
        Beyond Keras: what the optimizer's learning rate is multiplied by.

    Attributes
    ----------
    kernel : Variable of shape (inputs, units)
    bias : Variable of shape (units,), or None

    Notes
    -----
    The input has the shape (n, inputs), the output (n, units); further axes may stand between: the layer then works on
    the last one. dJ/dkernel is ``x^T . delta``, dJ/dbias the sum of delta over samples, dJ/dx ``delta . kernel^T``,
    with ``delta = da * g'(z)``.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Dense(2, kernel_initializer="ones")
    >>> layer(np.array([[1.0, 2.0, 3.0]]))
    array([[6., 6.]], dtype=float32)
    """

    only_default = ADAPTERS
    supports_masking = True
    activation = ActivationSetting()

    def __init__(
        self,
        units: int,
        activation: ActivationLike = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        *,
        kernel_learning_rate_multiplier: float = 1.0,
        bias_learning_rate_multiplier: float = 1.0,
        **common: Unpack[CommonWithoutPenalty],
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **common)
        self.units = validation.positive_integer(units, "units")
        self.activation = activation
        self.use_bias = validation.boolean(use_bias, "use_bias")
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.kernel_learning_rate_multiplier = _multiplier(
            kernel_learning_rate_multiplier, "kernel_learning_rate_multiplier"
        )
        self.bias_learning_rate_multiplier = _multiplier(bias_learning_rate_multiplier, "bias_learning_rate_multiplier")
        if self.activation.native == "glu" and self.units % 2:
            raise ValueError(f"`units` must be even with the activation glu. Received: units={units}")

    def check_inputs(self, shapes: Shape) -> None:
        if len(shapes) < 2:
            raise ValueError(f"{self.name!r} needs an input of shape (n, features). Received: shape={shapes}")
        axes_of_rows(self.activation, (*shapes[:-1], self.units), self.name)
        if self.built and shapes[-1] != self.kernel.shape[0]:
            raise ValueError(
                f"{self.name!r} has a kernel of shape {self.kernel.shape}; its input has {shapes[-1]} features. "
                f"Received: shape={shapes}"
            )

    def build(self, input_shape: Shape) -> None:
        self.kernel = self.add_weight(
            (features(input_shape, self.name), self.units),
            self.kernel_initializer,
            name="kernel",
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            learning_rate_multiplier=self.kernel_learning_rate_multiplier,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                (self.units,),
                self.bias_initializer,
                name="bias",
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                learning_rate_multiplier=self.bias_learning_rate_multiplier,
            )
        self.built = True

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return self.activation.output_shape((*input_shape[:-1], self.units))

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        shape = (*plan.shapes[inputs[0]][:-1], self.units)
        variables = [self.kernel, self.bias]
        activation = on_rows(self.activation, (None, *shape))
        if axes_of_rows(activation, (None, *shape), self.name) is None:
            return [plan.add_dense(inputs[0], shape, variables, activation, layer=self.name)]
        sums = plan.add_dense(inputs[0], shape, variables, layer=self.name)
        return [activated(plan, sums, activation, self.name)]


def _multiplier(value: float, name: str) -> float:
    return validation.number(value, name, minimum=0)
