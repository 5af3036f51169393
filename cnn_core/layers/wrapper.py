"""Layers around a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

import cnn_core.foundation.validation as validation
import cnn_core.initializers as initializers
from cnn_core.foundation.exports import own_names
from cnn_core.layers.base import Layer, get, registry
from cnn_core.layers.dense import Dense
from cnn_core.network.operators import Operators
from cnn_core.network.plan import NetworkPlan
from cnn_core.network.variables import Variable

if TYPE_CHECKING:
    from cnn_core.layers.base import Common
    from cnn_core.network.graph import Shape


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

    def __init__(self, layer: object, **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self.layer: Layer = get(layer)
        if not isinstance(self.layer, Layer):
            raise TypeError(f"`layer` must be a layer. Received: layer={validation.show(layer)}")

    def build(self, input_shape: Any) -> None:
        self.layer.ensure_built(input_shape)
        self.built = True

    def _inner_layers(self) -> Sequence[Layer]:
        return self.attribute_layers()

    @property
    def variables(self) -> list[Variable]:
        """All variables: its own, then those of the layer."""
        return self.own_variables()

    @property
    def trainable_variables(self) -> list[Variable]:
        """Those of them that training changes."""
        return self.own_trainable_variables() if self.trainable else []


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

    def _of_step(self, shape: Shape) -> tuple[Any, ...]:
        if len(shape) < 3 or shape[1] is None:
            raise ValueError(
                f"{self.name!r} takes inputs of shape (n, steps, ...), of a known number of steps. "
                f"Received: shape={tuple(shape)}"
            )
        return (shape[0], *shape[2:])

    def build(self, input_shape: Shape) -> None:
        super().build(self._of_step(input_shape))

    def compute_output_shape(self, input_shape: Shape) -> Any:
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


@registry.register()
class SpectralNormalization(Wrapper):
    """Divide the kernel of a layer by its largest singular value before every batch of training.

    Power iteration estimates the value, and begins where the batch before has left it: ``v = W u / |W u|``,
    ``u = v W / |v W|``, then ``W = W / (v W u)``. The kernel W itself is changed, so that the layer is as steep as 1 at
    most but for the optimizer's last step, which prediction sees.

    Parameters
    ----------
    layer : Layer, or its configuration
        With a `kernel`, such as `Dense`, or `embeddings`, of which all axes but the last count as rows.
    power_iterations : int >= 1, default 1

    Attributes
    ----------
    vector_u : Variable of shape (1, columns)
        Not trained; saved with the model.

    Notes
    -----
    No gradient passes through the value: dJ/dW is that of the layer with its new kernel. A kernel of zeros is left as
    it is. A batch whose loss is not finite has divided the kernel all the same. Miyato, Kataoka, Koyama and Yoshida,
    Spectral normalization for generative adversarial networks (2018).

    Examples
    --------
    >>> import numpy as np
    >>> layer = SpectralNormalization(Dense(2), power_iterations=50)
    >>> y = layer(np.ones((1, 3)), training=True)
    >>> print(f"{np.linalg.norm(layer.layer.kernel.numpy(), 2):.1f}")
    1.0
    """

    def __init__(self, layer: object, power_iterations: int = 1, **common: Unpack[Common]) -> None:
        super().__init__(layer, **common)
        self.power_iterations = validation.positive_integer(power_iterations, "power_iterations")

    @property
    def index_limit(self) -> int | None:  # type: ignore[override]
        """Set where the layer's input holds indices."""
        return self.layer.index_limit

    @property
    def kernel(self) -> Variable:
        """The variable of the layer that is normalized."""
        found = getattr(self.layer, "kernel", getattr(self.layer, "embeddings", None))
        if not isinstance(found, Variable):
            raise ValueError(f"`layer` must have a `kernel` or `embeddings`. Received: layer={self.layer!r}")
        return found

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        initializer = initializers.TruncatedNormal(stddev=0.02)
        self.vector_u = self.add_weight((1, self.kernel.shape[-1]), initializer, name="vector_u", trainable=False)

    @property
    def variables(self) -> list[Variable]:
        """All variables in Keras's order: the kernel, `vector_u`, and what else the layer has."""
        return list({id(each): each for each in (*self.own_of_keras(), *super().variables)}.values())

    def own_of_keras(self) -> list[Variable]:
        """Return the variables that Keras counts to this layer; the kernel is the inner layer's, too."""
        return [self.kernel, self.vector_u] if self.built else []

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return self.layer.compute_output_shape(input_shape)

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        if plan.training:
            raise ValueError(
                f"`training` must be None or False where {self.name!r} is called on symbols: a prediction leaves the "
                "kernel as it is. Received: training=True"
            )
        if plan.training is False:
            return self.layer.add_to(plan, inputs)
        kernel = self.kernel
        integers = [kernel.size // kernel.shape[-1], kernel.shape[-1], self.power_iterations]
        before = plan.add(
            "spectral_normalization",
            inputs,
            plan.shapes[inputs[0]],
            layer=self.name,
            variables=[kernel, self.vector_u],
            integers=integers,
        )
        return self.layer.add_to(plan, [before])


if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
