"""Activations of a whole row, such as softmax, and their instances."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core._core as _core
import cnn_core.foundation.validation as validation
from cnn_core.activations.base import Activation, registered
from cnn_core.activations.elementwise import sigmoid
from cnn_core.foundation.arrays import Array, as_float, as_rows
from cnn_core.foundation.exports import own_names


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

    def derivative(self, z: object, a: Array | None = None) -> Array:
        """Refuse: an element of `a` has a derivative by every element of its row."""
        raise TypeError(f"{self.name} looks at whole rows and has no derivative per element. Use backward(da, z)")

    def backward(self, da: object, z: object) -> Array:
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


@registered
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


softmax = Softmax()


@registered
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


log_softmax = LogSoftmax()


@registered
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
        self.output_shape(z.shape)
        return super().forward(z)

    def backward(self, da: object, z: Any) -> Array:
        """Compute `dJ/dz` for both halves."""
        self.output_shape(np.shape(z))
        return super().backward(da, z)

    def output_shape(self, shape: Any) -> Any:
        """Return the shape with half the axis; refuse one of odd size."""
        if not -len(shape) <= self.axis < len(shape):
            return shape  # refused for its rank
        sizes = list(shape)
        if sizes[self.axis] is not None:
            if sizes[self.axis] % 2:
                raise ValueError(
                    f"glu halves its axis, whose size must be even. Received: axis={self.axis}, shape {shape}"
                )
            sizes[self.axis] //= 2
        return tuple(sizes)

    def _backward(self, da: Array, z: Array) -> Array:
        u, v = np.split(z, 2, axis=-1)
        s = sigmoid.forward(np.ascontiguousarray(v))
        return np.concatenate([da * s, da * u * s * (1 - s)], axis=-1)


glu = GLU()


@registered
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


sparsemax = Sparsemax()

if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
