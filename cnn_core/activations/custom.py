"""Activations from outside: a function, or an object with `forward` and `derivative`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cnn_core.activations.base import Activation
from cnn_core.foundation.arrays import Array, as_float
from cnn_core.foundation.serialization import function_name


class CustomActivation(Activation):
    """Wrap an object with `forward(z)` and `derivative(z, a)` that computes elementwise in NumPy.

    Parameters
    ----------
    target : object
        `forward(z)` returns `a = g(z)`, `derivative(z, a)` returns `g'(z)`; both of the shape of `z`. For saving, it
        has `get_config`, and its class is passed in `custom_objects` when loading.

    Examples
    --------
    >>> from cnn_core.activations import get
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

    def __init__(self, target: object) -> None:
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

    def derivative(self, z: object, a: Array | None = None) -> Array:
        """Return what the object's `derivative` returns, checked for its shape."""
        z = as_float(z, "z")
        return self._checked(self.target.derivative(z, self.forward(z) if a is None else a), z, "derivative")

    def backward(self, da: object, z: object) -> Array:
        """Compute `da * g'(z)`."""
        z = as_float(z, "z")
        return np.asarray(as_float(da, "da", z.dtype) * self.derivative(z))

    def _checked(self, result: object, z: Array, method: str) -> Array:
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


class FunctionActivation(Activation):
    """Wrap a custom function, written with `cnn_core.ops`, which gives its derivative.

    Parameters
    ----------
    function : callable
        Of an array or a symbol; returns another of the same shape. For saving it needs a name, under which it is passed
        in `custom_objects` when loading.

    Examples
    --------
    >>> from cnn_core import ops
    >>> FunctionActivation(lambda z: z * ops.sigmoid(1.702 * z))([0.0]).tolist()
    [0.0]
    """

    parameters = ()
    is_traced = True

    def __init__(self, function: Callable[[object], Any]) -> None:
        self._keep(function=function)

    @property
    def name(self) -> str:  # type: ignore[override]
        """The function's name."""
        return str(getattr(self.function, "__name__", type(self.function).__name__))

    @property
    def registered_name(self) -> str:
        """The function's name, under which `custom_objects` must hold it."""
        return function_name(self.function, self.name, type(self.function).__name__)

    def __call__(self, x: object, *values: object, **settings: object) -> Any:
        """Return what the function makes of an array or a symbol."""
        if hasattr(x, "activated"):
            return self.function(x, *values, **settings)
        return np.asarray(self.function(as_float(x, "x"), *values, **settings))

    def forward(self, z: Array) -> Array:
        """Return what the function returns."""
        return np.asarray(self.function(z))

    def get_config(self) -> dict[str, Any]:
        """Return nothing: the name says everything."""
        return {}

    def __reduce__(self) -> tuple[Any, ...]:
        return FunctionActivation, (self.function,)

    def __repr__(self) -> str:
        return f"FunctionActivation({self.name})"

    def __hash__(self) -> int:
        return hash((FunctionActivation, id(self.function)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FunctionActivation) and self.function is other.function
