"""Layers that act in training only, against overfitting. Floor 3."""

from __future__ import annotations

from typing import Any

from cnn_core import random_state, validation
from cnn_core.layers.base import Layer, registry
from cnn_core.plan import NetworkPlan


@registry.register()
class Dropout(Layer):
    """Set inputs to zero at random in training: ``y = x * mask``; pass them unchanged otherwise.

    A mask's element is 0 with probability `rate`, else 1 / (1 - rate), so that the mean stays.

    Parameters
    ----------
    rate : float, 0 <= rate < 1
    noise_shape : default None
        Only None: every element has a mask of its own.
    seed : int, default None
        None: drawn when the layer is made. An element's mask depends on the seed, the model's seed, the optimizer's
        step and the element's place in the batch, and on nothing else.

    Examples
    --------
    >>> import numpy as np
    >>> Dropout(0.5)(np.ones((1, 3)))
    array([[1., 1., 1.]], dtype=float32)
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **common: Any) -> None:
        super().__init__(**common)
        self.rate = validation.fraction(rate, "rate", include_one=False)
        if noise_shape is not None:
            raise ValueError(f"`noise_shape` must be None: every element is dropped by itself. Received: {noise_shape}")
        self.noise_shape = noise_shape
        self.seed = validation.seed(seed)
        self._stream = (random_state.next_seed() if self.seed is None else self.seed) % 2**62

    def emit(self, plan: NetworkPlan, inputs: list[int]) -> list[int]:
        shape = plan.shapes[inputs[0]]
        return [plan.add("dropout", inputs, shape, layer=self.name, reals=[self.rate], integers=[self._stream])]
