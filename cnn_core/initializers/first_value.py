"""The first value of a variable: what is given, or what an initializer makes of a shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

import cnn_core.config as config
import cnn_core.foundation.validation as validation
import cnn_core.initializers.lookup as lookup
from cnn_core.foundation.arrays import Array
from cnn_core.initializers.base import initial_value

_WHOLE = "int32"  # of numbers without a dtype, as in Keras
_DTYPES = (
    *("bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64"),
)


def first_value(initializer: object, shape: Sequence[int] | None, dtype: object, name: str) -> Array:
    """Return the value with which a variable begins; see `Variable`.

    Parameters
    ----------
    initializer : array-like, str, dict, class or callable
    shape : tuple of int, or None
    dtype : dtype or None
    name : str
        The variable's, for messages.

    Raises
    ------
    ValueError, TypeError
        If an initializer has no shape, the value is not of the shape given, or is no array of numbers.

    Examples
    --------
    >>> first_value("zeros", (2,), None, "bias"), first_value([1, 2], None, None, "count")
    (array([0., 0.], dtype=float32), array([1, 2], dtype=int32))
    """
    if isinstance(initializer, np.ndarray) and shape is None and dtype is None:
        return validation.as_array(initializer, name)
    wanted = None if dtype is None else _checked_dtype(dtype)
    if isinstance(initializer, (str, Mapping)) or callable(initializer):
        return _made(initializer, shape, wanted or np.dtype(config.floatx()), name)
    if initializer is None:
        raise TypeError(
            f"`initializer` of {name!r} must be a value, or an initializer such as 'zeros'. Received: initializer=None"
        )
    given = validation.as_array(initializer, name)
    if shape is not None and given.shape != _sizes(shape, name):
        raise ValueError(f"{name} must have the shape {tuple(shape)}. Received: shape={given.shape}")
    return exact(given, name, wanted or _dtype_of(initializer, given))


def exact(array: Array, name: str, dtype: np.dtype[Any]) -> Array:
    """Convert numbers to the dtype of a variable; floating ones are rounded, others must be what the dtype can hold.

    Examples
    --------
    >>> exact(np.array([2.0]), "count", np.dtype("int32"))
    array([2], dtype=int32)
    """
    if dtype.kind == "f":
        return validation.convert(array, name, dtype)
    with np.errstate(invalid="ignore"):
        converted = array.astype(dtype)
    if not np.array_equal(converted, array):
        raise ValueError(f"{name} must hold numbers that {dtype.name} can. Received: {validation.show(array)}")
    return converted


def _made(initializer: object, shape: Sequence[int] | None, dtype: np.dtype[Any], name: str) -> Array:
    if shape is None:
        raise ValueError(
            f"`shape` of {name!r} must be given where an initializer makes the value. "
            f"Received: initializer={validation.show(initializer)}, shape=None"
        )
    sizes = _sizes(shape, name)
    computed = dtype.name if dtype.name in ("float32", "float64") else "float64"
    made = initial_value(lookup.get(initializer), sizes, computed)  # type: ignore[arg-type]
    return exact(made, name, dtype)


def _sizes(shape: object, name: str) -> tuple[int, ...]:
    """Check a shape, which may be that of a single number."""
    if isinstance(shape, Sequence) and not len(shape):
        return ()
    return tuple(validation.shape(shape, f"shape of {name}"))  # type: ignore[arg-type]


def _checked_dtype(dtype: object) -> np.dtype[Any]:
    """Find a dtype that variables can have; Python's `int` and `float` stand for Keras's."""
    if isinstance(dtype, (type, str)):
        dtype = {bool: "bool", int: _WHOLE, "int": _WHOLE, float: config.floatx(), "float": config.floatx()}.get(
            dtype, dtype
        )
    with suppress(TypeError):  # it is no name of any dtype, as `one_of` says
        dtype = next((name for name in _DTYPES if np.dtype(name) == dtype), dtype)
    name: str = validation.one_of(dtype, "dtype", _DTYPES)
    return np.dtype(name)


def _dtype_of(given: object, array: Array) -> np.dtype[Any]:
    """The dtype of an array; that of Keras for Python's numbers, which have none."""
    if hasattr(given, "dtype"):
        return array.dtype
    if array.dtype.kind == "f":
        return np.dtype(config.floatx())
    return np.dtype(_WHOLE) if array.dtype.kind in "iu" else array.dtype
