"""Activation functions as descriptions: names, parameters, formulas. Floor 3.

The arithmetic is native; `native` and `parameters` are what a plan hands to it. Here stand the functions' settings, and
what lets them be called on any array: other types than the core's, other axes than the last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core._core as _core
import cnn_core.left_out as left_out
import cnn_core.validation as validation
from cnn_core.arrays import Array, as_float, as_rows
from cnn_core.serialization import CustomObjects, Registry
from cnn_core.serialization import serialize as _as_data

_registry = Registry("activation")


class Activation:
    """Describe a function `a = g(z)` that a layer applies to its weighted sums.

    An activation is called like a function, with Keras's keyword arguments; its own settings never change. Equal
    settings make equal activations.

    Attributes
    ----------
    name : str
        Keras's name.
    native : str or None
        The name under which the core computes it; None for one that only Python knows.
    parameters : tuple of float
        What the core needs besides `z`, at most three numbers.
    row_wise : bool
        Whether an element of `a` depends on the whole row of `z`.

    Examples
    --------
    >>> leaky_relu([-1.0, 2.0]), leaky_relu([-1.0, 2.0], negative_slope=0.01)
    (array([-0.2,  2. ]), array([-0.01,  2.  ]))
    >>> LeakyReLU(negative_slope=0.01)
    leaky_relu(negative_slope=0.01)
    """

    name: str = ""
    native: str | None = None
    row_wise: bool = False
    _settings: Mapping[str, Any] = {}

    def __init__(self) -> None:
        pass

    def _keep(self, **settings: Any) -> None:
        object.__setattr__(self, "_settings", settings)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"An activation cannot be changed; build another one. Received: {name}={value!r}")

    def __getattr__(self, name: str) -> Any:
        if name == "__signature__":  # what help() and editors show of the call, settings included
            return self._signature()
        try:
            return self._settings[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}") from None

    def _signature(self) -> Any:
        from inspect import Parameter, Signature

        kind = Parameter.POSITIONAL_OR_KEYWORD
        settings = [Parameter(name, kind, default=value) for name, value in self._settings.items()]
        return Signature([Parameter("x", kind), *settings])

    @property
    def parameters(self) -> tuple[float, ...]:
        """What the core needs besides `z`."""
        return tuple(self._settings.values())

    @property
    def registered_name(self) -> str:
        """The name in a configuration."""
        return self.name

    @property
    def short_name(self) -> str | None:
        """The name, if that alone says everything: for an activation with its usual settings."""
        return self.name if _defaults.get(type(self)) == self else None

    def __call__(self, x: Any, *values: Any, **settings: Any) -> Array:
        """Compute `g(x)`.

        Parameters
        ----------
        x : array-like
            float32 and float64 are kept, anything else is computed in float64.
        *values, **settings
            This activation's settings for this call only.

        Returns
        -------
        numpy.ndarray of the shape of `x` (`glu`: half the last axis)
        """
        if values or settings:
            return self._with(values, settings)(x)
        return self.forward(as_float(x, "x"))

    def _with(self, values: tuple[Any, ...], settings: dict[str, Any]) -> Activation:
        named = dict(zip(self._settings, values, strict=False))
        if len(values) > len(named) or named.keys() & settings.keys() or settings.keys() - self._settings.keys():
            raise TypeError(
                f"{self.name} takes x and {', '.join(self._settings) or 'nothing else'}. "
                f"Received: {validation.show(values)}, {validation.show(settings)}"
            )
        return type(self)(**{**self._settings, **named, **settings})

    def forward(self, z: Array) -> Array:
        """Compute `a = g(z)` for an array of float32 or float64."""
        assert self.native is not None  # a custom activation computes by itself
        return _core.activation_forward(self.native, z, self.parameters)

    def derivative(self, z: Any, a: Array | None = None) -> Array:
        """Compute `g'(z)` element by element.

        Parameters
        ----------
        z : array-like
        a : numpy.ndarray, default None
            `g(z)` if it is known; only a custom activation makes use of it.

        Returns
        -------
        numpy.ndarray of the shape of `z`

        Raises
        ------
        TypeError
            If the activation looks at whole rows: it has no such derivative, see `backward`.
        """
        z = as_float(z, "z")
        return self.backward(np.ones_like(z), z)

    def backward(self, da: Any, z: Any) -> Array:
        """Compute `dJ/dz` from `da = dJ/da`: `da * g'(z)`, or the product with the row's Jacobian matrix.

        Parameters
        ----------
        da : array-like of the shape of `g(z)`
        z : array-like

        Returns
        -------
        numpy.ndarray of the shape of `z`
        """
        z = as_float(z, "z")
        assert self.native is not None
        return _core.activation_backward(self.native, as_float(da, "da", z.dtype), z, self.parameters)

    def get_config(self) -> dict[str, Any]:
        """Return the settings, from which `from_config` builds an equal activation."""
        return dict(self._settings)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Activation:
        """Build the activation whose `get_config` returned `config`."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Activation):
            return NotImplemented
        return type(self) is type(other) and self._settings == other._settings

    def __hash__(self) -> int:
        return hash((type(self), tuple(self._settings.items())))

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self._settings.items())
        return f"{self.name}({settings})" if settings else self.name

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_config, (self.get_config(),)


def _register(cls: type[Activation]) -> type[Activation]:
    return _registry.register(name=cls.name)(cls)


# Functions of one element


@_register
class Linear(Activation):
    """Return z itself: `g(z) = z`, `g'(z) = 1`, any real number.

    Examples
    --------
    >>> linear([-1.0, 2.0])
    array([-1.,  2.])
    """

    name = native = "linear"


@_register
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


@_register
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


@_register
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


@_register
class Sigmoid(Activation):
    """Squash to a probability: `s(z) = 1 / (1 + exp(-z))`, `s'(z) = s (1 - s)`, from 0 to 1.

    Examples
    --------
    >>> sigmoid([0.0, 1e4]), sigmoid.derivative(0.0)
    (array([0.5, 1. ]), array(0.25))
    """

    name = native = "sigmoid"


@_register
class Tanh(Activation):
    """Squash symmetrically: `g(z) = tanh(z)`, `g'(z) = 1 - tanh(z)^2`, from -1 to 1.

    Examples
    --------
    >>> tanh([0.0, 1e4]), tanh.derivative(0.0)
    (array([0., 1.]), array(1.))
    """

    name = native = "tanh"


@_register
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


@_register
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


@_register
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


@_register
class Softplus(Activation):
    """Smooth a ReLU: `g(z) = log(1 + exp(z))`, `g'(z) = sigmoid(z)`, above 0.

    Examples
    --------
    >>> softplus([-100.0, 0.0, 100.0]).round(4)
    array([  0.    ,   0.6931, 100.    ])
    """

    name = native = "softplus"


@_register
class Softsign(Activation):
    """Squash slowly: `g(z) = z / (1 + |z|)`, `g'(z) = 1 / (1 + |z|)^2`, from -1 to 1.

    Examples
    --------
    >>> softsign([-1.0, 0.0, 3.0])
    array([-0.5 ,  0.  ,  0.75])
    """

    name = native = "softsign"


@_register
class SiLU(Activation):
    """Gate z by its own sigmoid s: `g(z) = z s`, `g'(z) = s (1 + z (1 - s))`; at least about -0.2785. Also "swish".

    Examples
    --------
    >>> silu([0.0, 1e4]), silu.derivative(0.0)
    (array([    0., 10000.]), array(0.5))
    """

    name = native = "silu"


@_register
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


@_register
class Mish(Activation):
    """Gate z by the tanh of its softplus: `g(z) = z t`, `t = tanh(softplus(z))`; at least about -0.31.

    `g'(z) = t + z (1 - t^2) sigmoid(z)`.

    Examples
    --------
    >>> mish([0.0, 1e4]), mish.derivative(0.0)
    (array([    0., 10000.]), array(0.6))
    """

    name = native = "mish"


@_register
class Exponential(Activation):
    """Grow without bound: `g(z) = exp(z)`, `g'(z) = exp(z)`, above 0.

    Examples
    --------
    >>> exponential([0.0, 1.0]).round(6)
    array([1.      , 2.718282])
    """

    name = native = "exponential"


@_register
class LogSigmoid(Activation):
    """Return the logarithm of the sigmoid: `g(z) = -log(1 + exp(-z))`, `g'(z) = 1 - sigmoid(z)`, below 0.

    Examples
    --------
    >>> log_sigmoid([-100.0, 0.0]).round(4)
    array([-100.    ,   -0.6931])
    """

    name = native = "log_sigmoid"


@_register
class HardSigmoid(Activation):
    """Replace the sigmoid by three lines: `g(z) = clip(z / 6 + 1/2, 0, 1)`, `g'(z) = 1/6` for `|z| < 3`, else 0.

    Examples
    --------
    >>> hard_sigmoid([-4.0, 0.0, 1.5, 4.0])
    array([0.  , 0.5 , 0.75, 1.  ])
    """

    name = native = "hard_sigmoid"


@_register
class HardSiLU(Activation):
    """Gate z by its hard sigmoid: `g(z) = z clip(z / 6 + 1/2, 0, 1)`; at least -0.375. Also "hard_swish".

    `g'(z)` is 0 below -3, 1 above 3 and `z / 3 + 1/2` between.

    Examples
    --------
    >>> hard_silu([-4.0, -1.5, 4.0])
    array([-0.   , -0.375,  4.   ])
    """

    name = native = "hard_silu"


@_register
class HardTanh(Activation):
    """Clip to the range from -1 to 1: `g(z) = clip(z, -1, 1)`, `g'(z) = 1` inside, else 0.

    Examples
    --------
    >>> hard_tanh([-2.0, 0.5, 2.0])
    array([-1. ,  0.5,  1. ])
    """

    name = native = "hard_tanh"


@_register
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


@_register
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


@_register
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


@_register
class TanhShrink(Activation):
    """Subtract the tanh: `g(z) = z - tanh(z)`, `g'(z) = tanh(z)^2`. Any real number.

    Examples
    --------
    >>> tanh_shrink([0.0, 100.0])
    array([ 0., 99.])
    """

    name = native = "tanh_shrink"


@_register
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


@_register
class SparsePlus(Activation):
    """Smooth a ReLU with exact zeros: 0 up to -1, `(z + 1)^2 / 4` between -1 and 1, z from 1 on.

    `g'(z) = sparse_sigmoid(z)`. At least 0.

    Examples
    --------
    >>> sparse_plus([-2.0, 0.0, 3.0])
    array([0.  , 0.25, 3.  ])
    """

    name = native = "sparse_plus"


@_register
class SparseSigmoid(Activation):
    """Clip a line to a probability: `g(z) = clip((z + 1) / 2, 0, 1)`, `g'(z) = 1/2` for `|z| < 1`, else 0.

    Examples
    --------
    >>> sparse_sigmoid([-2.0, 0.0, 0.5, 3.0])
    array([0.  , 0.5 , 0.75, 1.  ])
    """

    name = native = "sparse_sigmoid"


# Functions of a whole row


class RowActivation(Activation):
    """Describe an activation whose output depends on all elements along an axis.

    Parameters
    ----------
    axis : int or tuple of int, default -1
        The axis that makes a row. Layers compute natively for the last axis; for others, `native` is None.
    """

    row_wise = True
    parameters = ()
    _kind = ""

    def __init__(self, axis: int | tuple[int, ...] = -1) -> None:
        if isinstance(axis, (tuple, list)):
            self._keep(axis=tuple(validation.integer(each, "axis") for each in axis))
        else:
            self._keep(axis=validation.integer(axis, "axis"))

    @property
    def native(self) -> str | None:  # type: ignore[override]
        """The core's name, if the rows are the last axis."""
        return self._kind if self.axis == -1 else None

    def forward(self, z: Array) -> Array:
        """Compute `a = g(z)` along the axis."""
        rows, restore = _along(z, self.axis)
        return restore(self._forward(rows))

    def derivative(self, z: Any, a: Array | None = None) -> Array:
        """Refuse: an element of `a` has a derivative by every element of its row."""
        raise TypeError(f"{self.name} looks at whole rows and has no derivative per element. Use backward(da, z)")

    def backward(self, da: Any, z: Any) -> Array:
        """Compute `dJ/dz`, the product of `da` with the Jacobian matrix of each row."""
        z = as_float(z, "z")
        rows, restore = _along(z, self.axis)
        return restore(self._backward(_along(as_float(da, "da", z.dtype), self.axis)[0], rows))

    def _forward(self, z: Array) -> Array:
        return np.asarray(_core.activation_forward(self._kind, z))

    def _backward(self, da: Array, z: Array) -> Array:
        return np.asarray(_core.activation_backward(self._kind, da, z))


def _along(x: Array, axis: int | tuple[int, ...]) -> tuple[Array, Callable[[Array], Array]]:
    """Lay the given axes out as rows of a matrix, and return the way back (whose rows may be of another length)."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    if not all(-x.ndim <= each < x.ndim for each in axes) or len({each % x.ndim for each in axes}) < len(axes):
        raise ValueError(f"`axis` must name axes of x. Received: axis={axis}, x.shape={x.shape}")
    last = tuple(range(-len(axes), 0))
    moved = np.moveaxis(x, axes, last)
    outer, row = moved.shape[: -len(axes)], moved.shape[-len(axes) :]

    def restore(rows: Array) -> Array:
        shape = row if len(axes) > 1 else (rows.shape[-1],)
        return np.ascontiguousarray(np.moveaxis(rows.reshape(outer + shape), last, axes))

    return as_rows(moved.reshape(*outer, int(np.prod(row)))), restore


@_register
class Softmax(RowActivation):
    """Turn a row into probabilities: `p_i = exp(z_i) / sum_j exp(z_j)`, from 0 to 1 with sum 1.

    `dp_i/dz_j = p_i ((i == j) - p_j)`, so `dJ/dz = p * (da - sum_j da_j p_j)`. The row's maximum is subtracted before
    exp, so no logit overflows.

    Parameters
    ----------
    axis : int or tuple of int, default -1

    Examples
    --------
    >>> softmax([[0.0, 0.0], [1e4, 0.0]])
    array([[0.5, 0.5],
           [1. , 0. ]])
    """

    name = _kind = "softmax"


@_register
class LogSoftmax(RowActivation):
    """Return the logarithm of softmax: `a_i = z_i - log(sum_j exp(z_j))`, at most 0.

    `dJ/dz = da - p sum_j da_j` with `p = softmax(z)`.

    Parameters
    ----------
    axis : int or tuple of int, default -1

    Examples
    --------
    >>> log_softmax([0.0, 0.0]).round(6), log_softmax([1e4, 0.0])
    (array([-0.693147, -0.693147]), array([     0., -10000.]))
    """

    name = _kind = "log_softmax"


@_register
class GLU(RowActivation):
    """Let the second half of a row gate the first: `a = u sigmoid(v)` with `z = [u, v]`; half as wide as z.

    `dJ/du = da s`, `dJ/dv = da u s (1 - s)` with `s = sigmoid(v)`. Any real number.

    Parameters
    ----------
    axis : int, default -1
        Of even size.

    Raises
    ------
    ValueError
        When called with an axis of odd size.

    Examples
    --------
    >>> glu([2.0, 3.0, 0.0, 1e4])
    array([1., 3.])
    """

    name = _kind = "glu"

    def __init__(self, axis: int = -1) -> None:
        self._keep(axis=validation.integer(axis, "axis"))

    def forward(self, z: Array) -> Array:
        """Compute `a = u sigmoid(v)` along the axis."""
        self._check_even(z)
        return super().forward(z)

    def backward(self, da: Any, z: Any) -> Array:
        """Compute `dJ/dz` for both halves."""
        self._check_even(as_float(z, "z"))
        return super().backward(da, z)

    def _check_even(self, z: Array) -> None:
        if -z.ndim <= self.axis < z.ndim and z.shape[self.axis] % 2:
            raise ValueError(
                f"glu halves its axis, whose size must be even. Received: axis={self.axis}, shape {z.shape}"
            )

    def _backward(self, da: Array, z: Array) -> Array:
        u, v = np.split(z, 2, axis=-1)
        s = sigmoid.forward(np.ascontiguousarray(v))
        return np.concatenate([da * s, da * u * s * (1 - s)], axis=-1)


@_register
class Sparsemax(RowActivation):
    """Project a row onto the probabilities: the nearest point with non-negative elements of sum 1.

    `a_i = max(z_i - t, 0)` where t makes the sum 1; many elements are exactly 0. With S the elements above 0,
    `dJ/dz_i = da_i - mean(da over S)` in S and 0 elsewhere. (Martins and Astudillo 2016, "From Softmax to Sparsemax".)
    Keras 3.15 returns this only for rows of which one element remains; for others its result has another sum.

    Parameters
    ----------
    axis : int or tuple of int, default -1

    Examples
    --------
    >>> sparsemax([[0.5, 0.25, -3.0], [9.0, 1.0, 0.0]])
    array([[0.625, 0.375, 0.   ],
           [1.   , 0.   , 0.   ]])
    """

    name = _kind = "sparsemax"


# An activation from outside


class CustomActivation(Activation):
    """Wrap an object with `forward(z)` and `derivative(z, a)` that computes elementwise in NumPy.

    Parameters
    ----------
    target : object
        `forward(z)` returns `a = g(z)`, `derivative(z, a)` returns `g'(z)`; both of the shape of `z`. For saving, it
        has `get_config`, and its class is passed in `custom_objects` when loading.

    Examples
    --------
    >>> class Cube:
    ...     def forward(self, z):
    ...         return z**3
    ...     def derivative(self, z, a):
    ...         return 3 * z**2
    >>> get(Cube())([2.0]), get(Cube()).derivative([2.0])
    (array([8.]), array([12.]))
    """

    parameters = ()
    # What a method raised while native code was calling it, until the run can raise it again.
    error: BaseException | None = None

    def __init__(self, target: Any) -> None:
        self._keep(target=target)

    def __setattr__(self, name: str, value: object) -> None:
        if name != "error":
            super().__setattr__(name, value)
        object.__setattr__(self, name, value)

    @property
    def name(self) -> str:  # type: ignore[override]
        """The class of the wrapped object."""
        return str(getattr(self.target, "name", None) or type(self.target).__name__)

    @property
    def registered_name(self) -> str:
        """The class of the wrapped object, under which `custom_objects` must hold it."""
        return type(self.target).__name__

    def forward(self, z: Array) -> Array:
        """Return what the object's `forward` returns, checked for its shape."""
        return self._checked(self.target.forward(z), z, "forward")

    def derivative(self, z: Any, a: Array | None = None) -> Array:
        """Return what the object's `derivative` returns, checked for its shape."""
        z = as_float(z, "z")
        return self._checked(self.target.derivative(z, self.forward(z) if a is None else a), z, "derivative")

    def backward(self, da: Any, z: Any) -> Array:
        """Compute `da * g'(z)`."""
        z = as_float(z, "z")
        return np.asarray(as_float(da, "da", z.dtype) * self.derivative(z))

    def _checked(self, result: Any, z: Array, method: str) -> Array:
        values: Array = as_float(result, f"the result of {self.name}.{method}", z.dtype)
        if values.shape != z.shape:
            raise ValueError(
                f"{self.name}.{method} must return an array of the shape of z. "
                f"Received: shape {values.shape} for z.shape={z.shape}"
            )
        return values

    def get_config(self) -> dict[str, Any]:
        """Return the object's own configuration."""
        return dict(self.target.get_config()) if hasattr(self.target, "get_config") else {}

    def __reduce__(self) -> tuple[Any, ...]:
        return CustomActivation, (self.target,)

    def __repr__(self) -> str:
        return f"CustomActivation({self.target!r})"

    def __hash__(self) -> int:
        return hash((CustomActivation, id(self.target)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CustomActivation) and self.target is other.target


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
silu = swish = SiLU()
gelu = GELU()
mish = Mish()
exponential = Exponential()
log_sigmoid = LogSigmoid()
hard_sigmoid = HardSigmoid()
hard_silu = hard_swish = HardSiLU()
hard_tanh = HardTanh()
squareplus = Squareplus()
soft_shrink = SoftShrink()
hard_shrink = HardShrink()
tanh_shrink = TanhShrink()
threshold = Threshold()
sparse_plus = SparsePlus()
sparse_sigmoid = SparseSigmoid()
softmax = Softmax()
log_softmax = LogSoftmax()
glu = GLU()
sparsemax = Sparsemax()

_registry.register(name="swish")(SiLU)
_registry.register(name="hard_swish")(HardSiLU)
_defaults = {type(each): each for each in list(globals().values()) if isinstance(each, Activation)}


def get(identifier: Any) -> Activation:
    """Return the activation that an argument stands for.

    Parameters
    ----------
    identifier : None, str, dict, Activation or object
        None is `linear`; a name of this module; what `serialize` returned; an activation or its class; an object with
        an activation as its attribute `activation`, such as an activation layer; or an object with `forward(z)` and
        `derivative(z, a)`.

    Returns
    -------
    Activation

    Raises
    ------
    ValueError
        If a name is unknown.
    TypeError
        If the object is none of these.

    Examples
    --------
    >>> get("swish"), get(None), get({"class_name": "elu", "config": {"alpha": 2.0}})
    (silu, linear, elu(alpha=2.0))
    >>> get("rleu")
    Traceback (most recent call last):
    ...
    ValueError: `activation` must be one of 'celu', 'elu', 'exponential', ... Received: 'rleu'. Did you mean 'relu'?
    """
    return deserialize(identifier)


def deserialize(config: Any, custom_objects: CustomObjects | None = None) -> Activation:
    """Return the activation that a configuration describes; `custom_objects` maps further names to classes or objects.

    Examples
    --------
    >>> deserialize("tanh")
    tanh
    """
    if config is None:
        return linear
    found = _registry.get(config, custom_objects)
    if not isinstance(found, Activation):
        found = _wrap(found)
    default = _defaults.get(type(found))
    return default if default == found else found


def serialize(activation: Activation) -> str | dict[str, Any]:
    """Return the name of an activation with default settings, or its name and settings.

    Examples
    --------
    >>> serialize(relu), serialize(ELU(alpha=2.0))
    ('relu', {'class_name': 'elu', 'config': {'alpha': 2.0}})
    """
    data: str | dict[str, Any] = _as_data(activation)
    return data


def _wrap(target: Any) -> Activation:
    inner = getattr(target, "activation", None)
    if isinstance(inner, Activation):
        return inner
    if callable(getattr(target, "forward", None)) and callable(getattr(target, "derivative", None)):
        return CustomActivation(target)
    raise TypeError(
        "`activation` must be a name or an activation. A function of your own needs its derivative: pass an object "
        f"with the methods forward(z) and derivative(z, a). Received: activation={validation.show(target)}"
    )


if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__)
