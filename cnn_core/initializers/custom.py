"""An initializer from outside: a function of shape and type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.initializers.base import Initializer, checked, float_type, sizes_of


class CustomInitializer(Initializer):
    """Wrap a function of a shape and a dtype.

    Parameters
    ----------
    target : callable
        `target(shape, dtype=dtype)` returns an array of that shape.

    Examples
    --------
    >>> from cnn_core.initializers import get
    >>> get(lambda shape, dtype: np.full(shape, 7.0))((2,))
    array([7., 7.], dtype=float32)
    """

    def __init__(self, target: Any) -> None:
        self.target = target

    @property
    def registered_name(self) -> str:
        """The name under which `custom_objects` must hold the function."""
        return str(getattr(self.target, "__name__", type(self.target).__name__))

    def __call__(
        self, shape: int | Sequence[int], dtype: Any = None, generator: np.random.Generator | None = None
    ) -> Array:
        """Return what the function returns, checked for its shape."""
        result = self.target(sizes_of(shape), dtype=float_type(dtype).name)
        return checked(result, sizes_of(shape), float_type(dtype), self.registered_name)

    def get_config(self) -> dict[str, Any]:
        """Return the function's own configuration."""
        return dict(self.target.get_config()) if hasattr(self.target, "get_config") else {}
