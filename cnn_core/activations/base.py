"""What every activation is: a name, parameters, and the number under which native code knows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

import cnn_core._core as _core
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array, as_float
from cnn_core.foundation.eager import EagerArray
from cnn_core.foundation.keywords import KnowsItsArguments, refuse_others
from cnn_core.foundation.serialization import Registry

registry = Registry("activation", takes=("layer",))
# Of each class the instance with its usual settings.
defaults: dict[type[Activation], Activation] = {}


Kind = TypeVar("Kind", bound="type[Activation]")


class Activation(KnowsItsArguments):
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
    is_traced : bool
        Whether it is a custom function, which a plan traces.

    Examples
    --------
    >>> from cnn_core.activations import LeakyReLU, leaky_relu
    >>> leaky_relu([-1.0, 2.0]), leaky_relu([-1.0, 2.0], negative_slope=0.01)
    (array([-0.2,  2. ]), array([-0.01,  2.  ]))
    >>> LeakyReLU(negative_slope=0.01)
    leaky_relu(negative_slope=0.01)
    """

    name: str = ""
    native: str | None = None
    row_wise: bool = False
    is_traced: bool = False
    _settings: Mapping[str, Any] = {}

    def __init__(self) -> None:
        pass

    def _keep(self, **settings: object) -> None:
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
        return self.name if defaults.get(type(self)) == self else None

    def __call__(self, x: Any, *values: Any, **settings: Any) -> EagerArray:
        """Compute `g(x)`.

        Parameters
        ----------
        x : array-like or symbol
            float32 and float64 are kept, anything else is computed in float64.
        *values, **settings
            This activation's settings for this call only.

        Returns
        -------
        numpy.ndarray of the shape of `x` (`glu`: half the last axis)
            For a symbol another one.
        """
        if values or settings:
            return self._with(values, settings)(x)
        if hasattr(x, "activated"):  # it stands for a value that a model will compute
            return x.activated(self)  # type: ignore[no-any-return]
        return self.forward(as_float(x, "x")).view(EagerArray)

    def _with(self, values: tuple[Any, ...], settings: dict[str, Any]) -> Activation:
        named = dict(zip(self._settings, values, strict=False))
        refuse_others(self.name, ("x", *self._settings), settings)
        if len(values) > len(named) or named.keys() & settings.keys():
            raise TypeError(
                f"{self.name} takes x and {', '.join(self._settings) or 'nothing else'}. "
                f"Received: {validation.show(values)}, {validation.show(settings)}"
            )
        return type(self)(**{**self._settings, **named, **settings})

    def forward(self, z: Array) -> Array:
        """Compute `a = g(z)` for an array of float32 or float64."""
        assert self.native is not None  # a custom activation computes by itself
        return _core.activation_forward(self.native, z, self.parameters)

    def output_shape(self, shape: Any) -> Any:
        """Return the shape of `g(z)` for z of a shape; most keep it."""
        return shape

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


def registered(cls: Kind) -> Kind:
    return registry.register(name=cls.name)(cls)
