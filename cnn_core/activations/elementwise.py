"""Smooth activations of one element, each with its instance of default parameters; piecewise.py has the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cnn_core.foundation.validation as validation
from cnn_core.activations.base import Activation, registered, registry
from cnn_core.foundation.exports import own_names


@registered
class Linear(Activation):
    """Return z itself: `g(z) = z`, `g'(z) = 1`, any real number.

    Examples
    --------
    >>> linear([-1.0, 2.0])
    array([-1.,  2.])
    """

    name = native = "linear"


linear = Linear()


@registered
class Sigmoid(Activation):
    """Squash to a probability: `s(z) = 1 / (1 + exp(-z))`, `s'(z) = s (1 - s)`, from 0 to 1.

    Examples
    --------
    >>> sigmoid([0.0, 1e4]), sigmoid.derivative(0.0)
    (array([0.5, 1. ]), array(0.25))
    """

    name = native = "sigmoid"


sigmoid = Sigmoid()


@registered
class Tanh(Activation):
    """Squash symmetrically: `g(z) = tanh(z)`, `g'(z) = 1 - tanh(z)^2`, from -1 to 1.

    Examples
    --------
    >>> tanh([0.0, 1e4]), tanh.derivative(0.0)
    (array([0., 1.]), array(1.))
    """

    name = native = "tanh"


tanh = Tanh()


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


elu = ELU()


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


selu = SELU()


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


celu = CELU()


@registered
class Softplus(Activation):
    """Smooth a ReLU: `g(z) = log(1 + exp(z))`, `g'(z) = sigmoid(z)`, above 0.

    Examples
    --------
    >>> softplus([-100.0, 0.0, 100.0]).round(4)
    array([  0.    ,   0.6931, 100.    ])
    """

    name = native = "softplus"


softplus = Softplus()


@registered
class Softsign(Activation):
    """Squash slowly: `g(z) = z / (1 + |z|)`, `g'(z) = 1 / (1 + |z|)^2`, from -1 to 1.

    Examples
    --------
    >>> softsign([-1.0, 0.0, 3.0])
    array([-0.5 ,  0.  ,  0.75])
    """

    name = native = "softsign"


softsign = Softsign()


@registered
class SiLU(Activation):
    """Gate z by its own sigmoid s: `g(z) = z s`, `g'(z) = s (1 + z (1 - s))`; at least about -0.2785. Also "swish".

    Examples
    --------
    >>> silu([0.0, 1e4]), silu.derivative(0.0)
    (array([    0., 10000.]), array(0.5))
    """

    name = native = "silu"


silu = swish = registry.register(name="swish")(SiLU)()


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


gelu = GELU()


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


mish = Mish()


@registered
class Exponential(Activation):
    """Grow without bound: `g(z) = exp(z)`, `g'(z) = exp(z)`, above 0.

    Examples
    --------
    >>> exponential([0.0, 1.0]).round(6)
    array([1.      , 2.718282])
    """

    name = native = "exponential"


exponential = Exponential()


@registered
class LogSigmoid(Activation):
    """Return the logarithm of the sigmoid: `g(z) = -log(1 + exp(-z))`, `g'(z) = 1 - sigmoid(z)`, below 0.

    Examples
    --------
    >>> log_sigmoid([-100.0, 0.0]).round(4)
    array([-100.    ,   -0.6931])
    """

    name = native = "log_sigmoid"


log_sigmoid = LogSigmoid()


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


squareplus = Squareplus()


@registered
class TanhShrink(Activation):
    """Subtract the tanh: `g(z) = z - tanh(z)`, `g'(z) = tanh(z)^2`. Any real number.

    Examples
    --------
    >>> tanh_shrink([0.0, 100.0])
    array([ 0., 99.])
    """

    name = native = "tanh_shrink"


tanh_shrink = TanhShrink()

if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
