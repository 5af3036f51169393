"""First values that are not drawn: constants and the identity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array, as_float
from cnn_core.initializers.base import Initializer, float_type, registry, sizes_of

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


@registry.register()
class Constant(Initializer):
    """Fill with a value.

    Parameters
    ----------
    value : float or array-like, default 0.0
        An array is repeated to the wanted shape as NumPy broadcasts it.

    Examples
    --------
    >>> Constant(0.5)((2,))
    array([0.5, 0.5], dtype=float32)
    """

    _options = ("value",)

    def __init__(self, value: Any = 0.0) -> None:
        self.value = validation.number(value, "value") if np.ndim(value) == 0 else as_float(value, "value")

    def __call__(
        self, shape: int | Sequence[int], dtype: DTypeLike | None = None, generator: np.random.Generator | None = None
    ) -> Array:
        """Make an array filled with the value."""
        value = np.asarray(self.value)
        try:
            return np.broadcast_to(value, sizes_of(shape)).astype(float_type(dtype))
        except ValueError:
            raise ValueError(
                f"`value` cannot be repeated to the wanted shape. Received: value.shape={value.shape}, shape={shape}"
            ) from None


@registry.register("zero")
class Zeros(Initializer):
    """Fill with 0.

    Examples
    --------
    >>> Zeros()((2,))
    array([0., 0.], dtype=float32)
    """

    def __call__(
        self, shape: int | Sequence[int], dtype: DTypeLike | None = None, generator: np.random.Generator | None = None
    ) -> Array:
        """Make an array of zeros."""
        return np.zeros(sizes_of(shape), float_type(dtype))


@registry.register("one")
class Ones(Initializer):
    """Fill with 1.

    Examples
    --------
    >>> Ones()((2,), "float64")
    array([1., 1.])
    """

    def __call__(
        self, shape: int | Sequence[int], dtype: DTypeLike | None = None, generator: np.random.Generator | None = None
    ) -> Array:
        """Make an array of ones."""
        return np.ones(sizes_of(shape), float_type(dtype))


@registry.register("IdentityInitializer")
class Identity(Initializer):
    """Make a matrix with `gain` on the diagonal and 0 elsewhere.

    Parameters
    ----------
    gain : float, default 1.0

    Examples
    --------
    >>> Identity(2.0)((2, 3))
    array([[2., 0., 0.],
           [0., 2., 0.]], dtype=float32)
    """

    _options = ("gain",)

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = validation.number(gain, "gain")

    def __call__(
        self, shape: int | Sequence[int], dtype: DTypeLike | None = None, generator: np.random.Generator | None = None
    ) -> Array:
        """Make the matrix; ValueError if the shape is not two-dimensional."""
        sizes = sizes_of(shape)
        if len(sizes) != 2:
            raise ValueError(f"The identity needs a shape of two dimensions. Received: shape={shape}")
        return np.asarray(np.eye(*sizes) * self.gain, float_type(dtype))
