"""Layers for tables: embedded numbers, and activations whose shape is learnt."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Unpack

import cnn_core.activations as activations
import cnn_core.foundation.validation as validation
import cnn_core.initializers as initializers
from cnn_core.foundation.exports import own_names
from cnn_core.layers.base import Layer, features, registry
from cnn_core.network.plan import NetworkPlan

if TYPE_CHECKING:
    from cnn_core.activations.lookup import ActivationLike
    from cnn_core.initializers.lookup import InitializerLike
    from cnn_core.layers.base import Common
    from cnn_core.network.graph import Shape


@registry.register()
class PeriodicEmbedding(Layer):
    """Embed each number: ``y = [cos(2 pi x w + b) . v + c, x]``, with waves of its own for every feature.

    Parameters
    ----------
    n_waves : int, default 16
    n_outputs : int, default 3
        Of each feature, besides itself.
    wave_spread : float, default 0.1
        Standard deviation of the first frequencies.

    Attributes
    ----------
    frequencies, phases : Variable of shape (features, n_waves)
        w, at first normal, and b, uniform between -pi and pi.
    coefficients : Variable of shape (features, n_waves, n_outputs)
        v, as c at first uniform between -1 / sqrt(n_waves) and 1 / sqrt(n_waves).
    offsets : Variable of shape (features, n_outputs)

    References
    ----------
    Y. Gorishniy, I. Rubachev, A. Babenko, "On Embeddings for Numerical Features in Tabular Deep Learning", NeurIPS
    2022; in this form D. Holzmüller, L. Grinsztajn, I. Steinwart, "Better by Default", NeurIPS 2024.

    Examples
    --------
    >>> import numpy as np
    >>> layer = PeriodicEmbedding(n_waves=1, n_outputs=1)
    >>> layer.build((None, 1))
    >>> layer.set_weights([[[0.25]], [[0.0]], [[[2.0]]], [[1.0]]])
    >>> layer(np.array([[0.0], [2.0]])).round(3) + 0.0
    array([[ 3.,  0.],
           [-1.,  2.]], dtype=float32)
    """

    def __init__(
        self, n_waves: int = 16, n_outputs: int = 3, wave_spread: float = 0.1, **common: Unpack[Common]
    ) -> None:
        super().__init__(**common)
        self.n_waves = validation.positive_integer(n_waves, "n_waves")
        self.n_outputs = validation.positive_integer(n_outputs, "n_outputs")
        self.wave_spread = validation.positive_number(wave_spread, "wave_spread")

    def check_inputs(self, shapes: Shape) -> None:
        if len(shapes) != 2:
            raise ValueError(f"{self.name!r} needs an input of shape (n, features). Received: shape={shapes}")
        if self.built and shapes[-1] != self.frequencies.shape[0]:
            raise ValueError(f"{self.name!r} embeds {self.frequencies.shape[0]} features. Received: shape={shapes}")

    def build(self, input_shape: Shape) -> None:
        n, bound = features(input_shape, self.name), 1 / math.sqrt(self.n_waves)
        within, around = initializers.RandomUniform(-bound, bound), initializers.RandomUniform(-math.pi, math.pi)
        waves = initializers.RandomNormal(0.0, self.wave_spread)
        self.frequencies = self.add_weight((n, self.n_waves), waves, name="frequencies")
        self.phases = self.add_weight((n, self.n_waves), around, name="phases")
        self.coefficients = self.add_weight((n, self.n_waves, self.n_outputs), within, name="coefficients")
        self.offsets = self.add_weight((n, self.n_outputs), within, name="offsets")
        self.built = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], input_shape[1] * (self.n_outputs + 1))

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        width = plan.shapes[inputs[0]][0] * (self.n_outputs + 1)
        variables = [self.frequencies, self.phases, self.coefficients, self.offsets]
        return [plan.add("periodic", inputs, (width,), layer=self.name, variables=variables, integers=[self.n_waves])]


@registry.register()
class ParametricActivation(Layer):
    """Learn how much of an activation is taken: ``a = x + alpha (g(x) - x)`` with an alpha for every unit.

    Parameters
    ----------
    activation : str or activation
        A built-in, elementwise one.
    alpha_initializer : default "ones"

    Attributes
    ----------
    alpha : Variable of shape (features,)

    Examples
    --------
    >>> import numpy as np
    >>> ParametricActivation("relu", alpha_initializer=0.5)(np.array([[-2.0, 2.0]]))
    array([[-1.,  2.]], dtype=float32)
    """

    def __init__(
        self,
        activation: ActivationLike,
        alpha_initializer: InitializerLike = "ones",
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        self.activation = activations.get(activation)
        if self.activation.native is None or self.activation.row_wise:
            raise ValueError(f"`activation` must be a built-in, elementwise one. Received: activation={activation!r}")
        constant = isinstance(alpha_initializer, (int, float))
        self.alpha_initializer = (
            initializers.Constant(alpha_initializer) if constant else initializers.get(alpha_initializer)
        )

    def check_inputs(self, shapes: Shape) -> None:
        if len(shapes) != 2:
            raise ValueError(f"{self.name!r} needs an input of shape (n, features). Received: shape={shapes}")
        if self.built and shapes[-1] != self.alpha.shape[0]:
            raise ValueError(f"{self.name!r} has {self.alpha.shape[0]} alphas. Received: shape={shapes}")

    def build(self, input_shape: Shape) -> None:
        self.alpha = self.add_weight((features(input_shape, self.name),), self.alpha_initializer, name="alpha")
        self.built = True

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        return [
            plan.add(
                "parametric_activation",
                inputs,
                plan.shapes[inputs[0]],
                layer=self.name,
                variables=[self.alpha],
                activation=self.activation,
            )
        ]


if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
