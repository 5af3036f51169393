"""Activations of one element, and their instances with default parameters."""

from __future__ import annotations

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.activations.base import Activation, registered, registry


@registered
class Linear(Activation):
    """Return z itself: `g(z) = z`, `g'(z) = 1`, any real number.

    Examples
    --------
    >>> linear([-1.0, 2.0])
    array([-1.,  2.])
    """

    name = native = "linear"


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


@registered
class Sigmoid(Activation):
    """Squash to a probability: `s(z) = 1 / (1 + exp(-z))`, `s'(z) = s (1 - s)`, from 0 to 1.

    Examples
    --------
    >>> sigmoid([0.0, 1e4]), sigmoid.derivative(0.0)
    (array([0.5, 1. ]), array(0.25))
    """

    name = native = "sigmoid"


@registered
class Tanh(Activation):
    """Squash symmetrically: `g(z) = tanh(z)`, `g'(z) = 1 - tanh(z)^2`, from -1 to 1.

    Examples
    --------
    >>> tanh([0.0, 1e4]), tanh.derivative(0.0)
    (array([0., 1.]), array(1.))
    """

    name = native = "tanh"


@registered
class ELU(Activation):
    """Saturate smoothly below: `g(z) = z` for `z > 0`, else `alpha (exp(z) - 1)`; at least `-alpha`.

    `g'(z) = 1` for `z > 0`, else `alpha exp(z)`.

    Parameters
    ----------
    alpha : float, default 1.0

    Examples
    --------
    >>> elu([-1e4, 2.0], alpha=3.0)
    array([-3.,  2.])
    """

    name = native = "elu"

    def __init__(self, alpha: float = 1.0) -> None:
        self._keep(alpha=validation.number(alpha, "alpha"))


@registered
class SELU(Activation):
    """Scale an ELU such that mean 0 and variance 1 reproduce themselves from layer to layer.

    `g(z) = s elu(z, alpha=t)` with s = 1.0507009873554805 and t = 1.6732632423543772 (Klambauer et al. 2017, "Self-
    Normalizing Neural Networks"). `g'(z) = s` for `z > 0`, else `s t exp(z)`. At least `-s t`.

    Examples
    --------
    >>> selu([-1e4, 1.0]).round(4)
    array([-1.7581,  1.0507])
    """

    name = native = "selu"


@registered
class CELU(Activation):
    """Saturate below with a slope that is continuous for every alpha.

    `g(z) = max(z, 0) + min(0, alpha (exp(z / alpha) - 1))`, `g'(z) = 1` for `z > 0`, else `exp(z / alpha)`. At least
    `-alpha`.

    Parameters
    ----------
    alpha : float, default 1.0
        Above 0.

    Examples
    --------
    >>> celu([-1e4, 2.0], alpha=3.0)
    array([-3.,  2.])
    """

    name = native = "celu"

    def __init__(self, alpha: float = 1.0) -> None:
        self._keep(alpha=validation.number(alpha, "alpha", above=0))


@registered
class Softplus(Activation):
    """Smooth a ReLU: `g(z) = log(1 + exp(z))`, `g'(z) = sigmoid(z)`, above 0.

    Examples
    --------
    >>> softplus([-100.0, 0.0, 100.0]).round(4)
    array([  0.    ,   0.6931, 100.    ])
    """

    name = native = "softplus"


@registered
class Softsign(Activation):
    """Squash slowly: `g(z) = z / (1 + |z|)`, `g'(z) = 1 / (1 + |z|)^2`, from -1 to 1.

    Examples
    --------
    >>> softsign([-1.0, 0.0, 3.0])
    array([-0.5 ,  0.  ,  0.75])
    """

    name = native = "softsign"


@registered
class SiLU(Activation):
    """Gate z by its own sigmoid s: `g(z) = z s`, `g'(z) = s (1 + z (1 - s))`; at least about -0.2785. Also "swish".

    Examples
    --------
    >>> silu([0.0, 1e4]), silu.derivative(0.0)
    (array([    0., 10000.]), array(0.5))
    """

    name = native = "silu"


@registered
class GELU(Activation):
    """Gate z by the normal distribution function Phi: `g(z) = z Phi(z)`; at least about -0.17.

    `g'(z) = Phi(z) + z phi(z)`. Approximately, `Phi(z) = (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2`.
    (Hendrycks and Gimpel 2016, "Gaussian Error Linear Units".)

    Parameters
    ----------
    approximate : bool, default False
        Whether to use the approximation by tanh.

    Examples
    --------
    >>> gelu([0.0, 1.0]).round(6), gelu([0.0, 1.0], approximate=True).round(6)
    (array([0.      , 0.841345]), array([0.      , 0.841192]))
    """

    name = "gelu"
    parameters = ()

    def __init__(self, approximate: bool = False) -> None:
        self._keep(approximate=validation.boolean(approximate, "approximate"))

    @property
    def native(self) -> str:  # type: ignore[override]
        """The core's name of the exact function or of its approximation."""
        return "gelu_tanh" if self.approximate else "gelu"


@registered
class Mish(Activation):
    """Gate z by the tanh of its softplus: `g(z) = z t`, `t = tanh(softplus(z))`; at least about -0.31.

    `g'(z) = t + z (1 - t^2) sigmoid(z)`.

    Examples
    --------
    >>> mish([0.0, 1e4]), mish.derivative(0.0)
    (array([    0., 10000.]), array(0.6))
    """

    name = native = "mish"


@registered
class Exponential(Activation):
    """Grow without bound: `g(z) = exp(z)`, `g'(z) = exp(z)`, above 0.

    Examples
    --------
    >>> exponential([0.0, 1.0]).round(6)
    array([1.      , 2.718282])
    """

    name = native = "exponential"


@registered
class LogSigmoid(Activation):
    """Return the logarithm of the sigmoid: `g(z) = -log(1 + exp(-z))`, `g'(z) = 1 - sigmoid(z)`, below 0.

    Examples
    --------
    >>> log_sigmoid([-100.0, 0.0]).round(4)
    array([-100.    ,   -0.6931])
    """

    name = native = "log_sigmoid"


@registered
class HardSigmoid(Activation):
    """Replace the sigmoid by three lines: `g(z) = clip(z / 6 + 1/2, 0, 1)`, `g'(z) = 1/6` for `|z| < 3`, else 0.

    Examples
    --------
    >>> hard_sigmoid([-4.0, 0.0, 1.5, 4.0])
    array([0.  , 0.5 , 0.75, 1.  ])
    """

    name = native = "hard_sigmoid"


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


@registered
class HardTanh(Activation):
    """Clip to the range from -1 to 1: `g(z) = clip(z, -1, 1)`, `g'(z) = 1` inside, else 0.

    Examples
    --------
    >>> hard_tanh([-2.0, 0.5, 2.0])
    array([-1. ,  0.5,  1. ])
    """

    name = native = "hard_tanh"


@registered
class Squareplus(Activation):
    """Smooth a ReLU without exp: `g(z) = (z + sqrt(z^2 + b)) / 2`, `g'(z) = (1 + z / sqrt(z^2 + b)) / 2`, above 0.

    Parameters
    ----------
    b : float, default 4
        At least 0; 0 gives the ReLU.

    Examples
    --------
    >>> squareplus([0.0, 1.5])
    array([1., 2.])
    """

    name = native = "squareplus"

    def __init__(self, b: float = 4) -> None:
        self._keep(b=validation.number(b, "b", minimum=0))


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


@registered
class TanhShrink(Activation):
    """Subtract the tanh: `g(z) = z - tanh(z)`, `g'(z) = tanh(z)^2`. Any real number.

    Examples
    --------
    >>> tanh_shrink([0.0, 100.0])
    array([ 0., 99.])
    """

    name = native = "tanh_shrink"


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


@registered
class SparseSigmoid(Activation):
    """Clip a line to a probability: `g(z) = clip((z + 1) / 2, 0, 1)`, `g'(z) = 1/2` for `|z| < 1`, else 0.

    Examples
    --------
    >>> sparse_sigmoid([-2.0, 0.0, 0.5, 3.0])
    array([0.  , 0.5 , 0.75, 1.  ])
    """

    name = native = "sparse_sigmoid"


linear = Linear()
relu = ReLU()
leaky_relu = LeakyReLU()
relu6 = ReLU6()
sigmoid = Sigmoid()
tanh = Tanh()
elu = ELU()
selu = SELU()
celu = CELU()
softplus = Softplus()
softsign = Softsign()
silu = swish = registry.register(name="swish")(SiLU)()
gelu = GELU()
mish = Mish()
exponential = Exponential()
log_sigmoid = LogSigmoid()
hard_sigmoid = HardSigmoid()
hard_silu = hard_swish = registry.register(name="hard_swish")(HardSiLU)()
hard_tanh = HardTanh()
squareplus = Squareplus()
soft_shrink = SoftShrink()
hard_shrink = HardShrink()
tanh_shrink = TanhShrink()
threshold = Threshold()
sparse_plus = SparsePlus()
sparse_sigmoid = SparseSigmoid()
