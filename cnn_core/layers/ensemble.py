"""Dense layers of several networks side by side, which share most of their parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import cnn_core.constraints as constraints
import cnn_core.foundation.validation as validation
import cnn_core.initializers as initializers
import cnn_core.regularizers as regularizers
from cnn_core.initializers import Initializer, VarianceScaling
from cnn_core.layers.axes import activated, axes_of_rows, on_rows
from cnn_core.layers.base import Layer, registry
from cnn_core.layers.settings import ActivationSetting
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable

if TYPE_CHECKING:
    from cnn_core.activations.lookup import ActivationLike
    from cnn_core.constraints import ConstraintLike
    from cnn_core.initializers.lookup import InitializerLike
    from cnn_core.layers.base import CommonWithoutPenalty
    from cnn_core.network.graph import Shape
    from cnn_core.regularizers import RegularizerLike


@registry.register()
class EnsembleDense(Layer):
    """Connect inputs and units of several networks at once: ``a[m] = g(q[m] * ((r[m] * x[m]) . kernel) + bias[m])``.

    The members m of an ensemble share one kernel, which each scales by factors of its own, r of its inputs and q of its
    units. So many members cost little more than their products, and far fewer parameters than as many networks.

    Parameters
    ----------
    units : int >= 1
        Of each member.
    n_members : int >= 1
    activation : str or activation, default None
        None is linear. Another one may be assigned to the attribute later.
    use_bias : bool, default True
        Every member has its own.
    shared_kernel : bool, default True
        False: every member has a kernel, as an output layer may want it, and no factors.
    input_factors, output_factors : bool, default None
        Whether there are r and q. None: where the kernel is shared.
    kernel_initializer : default "glorot_uniform"
        Inputs and units are counted of one member.
    bias_initializer : default "zeros"
    input_factor_initializer : default "random_sign"
        Members whose factors, and biases, begin alike stay alike.
    output_factor_initializer : default "ones"
    kernel_regularizer, bias_regularizer, activity_regularizer : default None
    kernel_constraint, bias_constraint : default None

    Attributes
    ----------
    kernel : Variable of shape (inputs, units), or (n_members, inputs, units)
    bias : Variable of shape (n_members, units), or None
    input_factor : Variable of shape (n_members, inputs), or None
    output_factor : Variable of shape (n_members, units), or None

    Notes
    -----
    The input has the shape (n, inputs) and is every member's, or (n, n_members, inputs); the output has the shape
    (n, n_members, units). With ``u = (x * r) . kernel`` and ``delta = da * g'(z)``, dJ/dkernel is the sum over members
    of ``(x * r)^T . (delta * q)``, dJ/dq the sum of ``delta * u`` over samples, dJ/dbias that of delta, and, with
    ``v = (delta * q) . kernel^T``, dJ/dr that of ``v * x``, and dJ/dx is ``v * r``, summed over the members of one
    input.

    References
    ----------
    Y. Wen, D. Tran, J. Ba, "BatchEnsemble: An Alternative Approach to Efficient Ensemble and Lifelong Learning", ICLR
    2020.
    Y. Gorishniy, A. Kotelnikov, A. Babenko, "TabM: Advancing Tabular Deep Learning With Parameter-Efficient
    Ensembling", ICLR 2025.

    Examples
    --------
    >>> import numpy as np
    >>> layer = EnsembleDense(1, n_members=2, kernel_initializer="ones")
    >>> layer.build((None, 2))
    >>> layer.input_factor.assign([[1.0, 1.0], [1.0, -1.0]]).tolist()
    [[1.0, 1.0], [1.0, -1.0]]
    >>> layer(np.array([[3.0, 2.0]])).tolist()
    [[[5.0], [1.0]]]
    """

    activation = ActivationSetting()

    def __init__(
        self,
        units: int,
        n_members: int,
        activation: ActivationLike = None,
        use_bias: bool = True,
        *,
        shared_kernel: bool = True,
        input_factors: bool | None = None,
        output_factors: bool | None = None,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        input_factor_initializer: InitializerLike = "random_sign",
        output_factor_initializer: InitializerLike = "ones",
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        activity_regularizer: RegularizerLike = None,
        kernel_constraint: ConstraintLike = None,
        bias_constraint: ConstraintLike = None,
        **common: Unpack[CommonWithoutPenalty],
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **common)
        self.units = validation.positive_integer(units, "units")
        self.n_members = validation.positive_integer(n_members, "n_members")
        self.activation = activation
        self.use_bias = validation.boolean(use_bias, "use_bias")
        self.shared_kernel = validation.boolean(shared_kernel, "shared_kernel")
        self.input_factors = self._factors(input_factors, "input_factors")
        self.output_factors = self._factors(output_factors, "output_factors")
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.input_factor_initializer = initializers.get(input_factor_initializer)
        self.output_factor_initializer = initializers.get(output_factor_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        if self.activation.native == "glu" and self.units % 2:
            raise ValueError(f"`units` must be even with the activation glu. Received: units={units}")

    def _factors(self, wanted: bool | None, name: str) -> bool:
        if wanted is None:
            return self.shared_kernel
        if validation.boolean(wanted, name) and not self.shared_kernel:
            raise ValueError(
                f"`{name}` must be False or None where every member has a kernel of its own, which has them in it. "
                f"Received: {name}=True with shared_kernel=False"
            )
        return bool(wanted)

    def check_inputs(self, shapes: Shape) -> None:
        if len(shapes) not in (2, 3) or (len(shapes) == 3 and shapes[1] != self.n_members):
            raise ValueError(
                f"{self.name!r} needs an input of shape (n, features) or (n, {self.n_members}, features), "
                f"{self.n_members} its `n_members`. Received: shape={shapes}"
            )
        axes_of_rows(self.activation, (None, self.n_members, self.units), self.name)
        if self.built and shapes[-1] != self.kernel.shape[-2]:
            raise ValueError(
                f"{self.name!r} has a kernel of shape {self.kernel.shape}; its input has {shapes[-1]} features. "
                f"Received: shape={shapes}"
            )

    def build(self, input_shape: Any) -> None:
        n_inputs, members = int(input_shape[-1]), self.n_members
        self.kernel = self.add_weight(
            (n_inputs, self.units) if self.shared_kernel else (members, n_inputs, self.units),
            self.kernel_initializer if self.shared_kernel else _of_one_member(self.kernel_initializer),
            name="kernel",
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias: Variable | None = None
        self.input_factor: Variable | None = None
        self.output_factor: Variable | None = None
        if self.use_bias:
            self.bias = self.add_weight(
                (members, self.units),
                self.bias_initializer,
                name="bias",
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        if self.input_factors:
            self.input_factor = self.add_weight((members, n_inputs), self.input_factor_initializer, name="input_factor")
        if self.output_factors:
            self.output_factor = self.add_weight(
                (members, self.units), self.output_factor_initializer, name="output_factor"
            )
        self.built = True

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return self.activation.output_shape((input_shape[0], self.n_members, self.units))

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        shape = (self.n_members, self.units)
        activation = on_rows(self.activation, (None, *shape))
        fused = axes_of_rows(activation, (None, *shape), self.name) is None
        buffer = plan.add(
            "members",
            inputs,
            shape,
            layer=self.name,
            variables=[self.kernel, self.bias, self.input_factor, self.output_factor],
            activation=activation if fused else None,
            integers=[not self.shared_kernel],
        )
        return [buffer if fused else activated(plan, buffer, activation, self.name)]


def _of_one_member(initializer: Initializer | None) -> Initializer | None:
    """Return an initializer that counts inputs and units of one of the kernels that it draws."""
    if isinstance(initializer, VarianceScaling):
        return type(initializer).from_config({"input_axes": [1], "output_axes": [2], **initializer.get_config()})
    return initializer
