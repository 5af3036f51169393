"""Activations as layers. Floor 3."""

from __future__ import annotations

from typing import Any

from cnn_core import activations
from cnn_core.layers.base import Layer, registry
from cnn_core.plan import NetworkPlan


class ActivationLayer(Layer):
    """A layer that applies `self.activation` to its input and has no variables."""

    activation: activations.Activation

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self.activation.native == "glu":
            return (*input_shape[:-1], input_shape[-1] // 2)
        return input_shape

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        return [plan.add_activation(inputs[0], self.activation, self.name)]


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

    def __init__(self, activation: Any, **common: Any) -> None:
        super().__init__(**common)
        self.activation = activations.get(activation)
