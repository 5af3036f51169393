"""Activations of one element that are made of straight or quadratic pieces, each with its instance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.activations.base import Activation, registered, registry
from cnn_core.foundation.exports import own_names


@registered
class ReLU(Activation):
    """Cut off below a threshold and, if asked, above a maximum.

    `g(z) = min(z, max_value)` for `z > threshold`, `negative_slope (z - threshold)` below, `g'` is 1, `negative_slope`
    or, above the maximum, 0; at the threshold itself it is the lower side's. From 0 to `max_value` if
    `negative_slope` is 0.

    Parameters
    ----------
    negative_slope : float, default 0.0
    max_value : float or None, default None
        None: no maximum.
    threshold : float, default 0.0

    Examples
    --------
    >>> relu([-1.0, 0.0, 2.0]) + 0, relu.derivative([-1.0, 0.0, 2.0])
    (array([0., 0., 2.]), array([0., 0., 1.]))
    >>> relu([-1.0, 0.5, 9.0], negative_slope=0.5, max_value=4.0, threshold=1.0)
    array([-1.  , -0.25,  4.  ])
    """

    name = native = "relu"

    def __init__(self, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> None:
        if max_value is not None:
            max_value = validation.number(max_value, "max_value", minimum=0)
        self._keep(
            negative_slope=validation.number(negative_slope, "negative_slope"),
            max_value=max_value,
            threshold=validation.number(threshold, "threshold"),
        )

    @property
    def parameters(self) -> tuple[float, ...]:
        """Slope, maximum, threshold."""
        return self.negative_slope, np.inf if self.max_value is None else self.max_value, self.threshold


relu = ReLU()


@registered
class LeakyReLU(Activation):
    """Let a part of the negative side through: `g(z) = z` for `z > 0`, else `negative_slope z`.

    `g'` is 1 or `negative_slope`, which it also is at 0. Any real number.

    Parameters
    ----------
    negative_slope : float, default 0.2
        The layer of the same name has 0.3, as in Keras.

    Examples
    --------
    >>> leaky_relu([-1.0, 2.0]), leaky_relu.derivative([-1.0, 2.0])
    (array([-0.2,  2. ]), array([0.2, 1. ]))
    """

    name = "leaky_relu"
    native = "relu"

    def __init__(self, negative_slope: float = 0.2) -> None:
        self._keep(negative_slope=validation.number(negative_slope, "negative_slope"))

    @property
    def parameters(self) -> tuple[float, ...]:
        """Slope, maximum, threshold."""
        return self.negative_slope, np.inf, 0.0


leaky_relu = LeakyReLU()


@registered
class ReLU6(Activation):
    """Clip to the range from 0 to 6: `g(z) = min(max(z, 0), 6)`, `g'(z) = 1` inside, else 0.

    Examples
    --------
    >>> relu6([-1.0, 2.0, 9.0]) + 0
    array([0., 2., 6.])
    """

    name = "relu6"
    native = "relu"
    parameters = (0.0, 6.0, 0.0)


relu6 = ReLU6()


@registered
class HardSigmoid(Activation):
    """Replace the sigmoid by three lines: `g(z) = clip(z / 6 + 1/2, 0, 1)`, `g'(z) = 1/6` for `|z| < 3`, else 0.

    Examples
    --------
    >>> hard_sigmoid([-4.0, 0.0, 1.5, 4.0])
    array([0.  , 0.5 , 0.75, 1.  ])
    """

    name = native = "hard_sigmoid"


hard_sigmoid = HardSigmoid()


@registered
class HardSiLU(Activation):
    """Gate z by its hard sigmoid: `g(z) = z clip(z / 6 + 1/2, 0, 1)`; at least -0.375. Also "hard_swish".

    `g'(z)` is 0 below -3, 1 above 3 and `z / 3 + 1/2` between.

    Examples
    --------
    >>> hard_silu([-4.0, -1.5, 4.0])
    array([-0.   , -0.375,  4.   ])
    """

    name = native = "hard_silu"


hard_silu = hard_swish = registry.register(name="hard_swish")(HardSiLU)()


@registered
class HardTanh(Activation):
    """Clip to the range from -1 to 1: `g(z) = clip(z, -1, 1)`, `g'(z) = 1` inside, else 0.

    Examples
    --------
    >>> hard_tanh([-2.0, 0.5, 2.0])
    array([-1. ,  0.5,  1. ])
    """

    name = native = "hard_tanh"


hard_tanh = HardTanh()


@registered
class SoftShrink(Activation):
    """Draw towards 0: `g(z) = z - t` above t, `z + t` below -t, else 0, with t the threshold.

    `g'(z) = 1` for `|z| > t`, else 0. Any real number.

    Parameters
    ----------
    threshold : float, default 0.5
        At least 0.

    Examples
    --------
    >>> soft_shrink([-2.0, 0.25, 2.0])
    array([-1.5,  0. ,  1.5])
    """

    name = native = "soft_shrink"

    def __init__(self, threshold: float = 0.5) -> None:
        self._keep(threshold=validation.number(threshold, "threshold", minimum=0))


soft_shrink = SoftShrink()


@registered
class HardShrink(Activation):
    """Drop what is small: `g(z) = z` where `|z| > threshold`, else 0; `g'(z) = 1` or 0. Any real number.

    Parameters
    ----------
    threshold : float, default 0.5
        At least 0.

    Examples
    --------
    >>> hard_shrink([-2.0, 0.25, 2.0])
    array([-2.,  0.,  2.])
    """

    name = native = "hard_shrink"

    def __init__(self, threshold: float = 0.5) -> None:
        self._keep(threshold=validation.number(threshold, "threshold", minimum=0))


hard_shrink = HardShrink()


@registered
class Threshold(Activation):
    """Replace what does not exceed a threshold: `g(z) = z` for `z > threshold`, else `default_value`; `g'` is 1 or 0.

    Parameters
    ----------
    threshold, default_value : float, default 0.0
        Keras's function has no defaults; with these it is a ReLU.

    Examples
    --------
    >>> threshold([0.5, 2.0], 1.0, -3.0)
    array([-3.,  2.])
    """

    name = native = "threshold"

    def __init__(self, threshold: float = 0.0, default_value: float = 0.0) -> None:
        self._keep(
            threshold=validation.number(threshold, "threshold"),
            default_value=validation.number(default_value, "default_value"),
        )


threshold = Threshold()


@registered
class SparsePlus(Activation):
    """Smooth a ReLU with exact zeros: 0 up to -1, `(z + 1)^2 / 4` between -1 and 1, z from 1 on.

    `g'(z) = sparse_sigmoid(z)`. At least 0.

    Examples
    --------
    >>> sparse_plus([-2.0, 0.0, 3.0])
    array([0.  , 0.25, 3.  ])
    """

    name = native = "sparse_plus"


sparse_plus = SparsePlus()


@registered
class SparseSigmoid(Activation):
    """Clip a line to a probability: `g(z) = clip((z + 1) / 2, 0, 1)`, `g'(z) = 1/2` for `|z| < 1`, else 0.

    Examples
    --------
    >>> sparse_sigmoid([-2.0, 0.0, 0.5, 3.0])
    array([0.  , 0.5 , 0.75, 1.  ])
    """

    name = native = "sparse_sigmoid"


sparse_sigmoid = SparseSigmoid()

if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
