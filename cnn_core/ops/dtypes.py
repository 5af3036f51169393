"""Dtypes as Keras has them: floats win over integers of any size, and Python's numbers take what is beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import cnn_core.config as config
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.network.graph import TEXT
from cnn_core.network.operators import Operators

_SIZES = {"float16": 2, "float32": 4, "float64": 8}


def is_float(dtype: object) -> bool:
    """Tell whether a dtype's name is that of a float."""
    return str(dtype) in _SIZES


def dtype_of(value: object) -> str | None:
    """Return the dtype's name of anything that has one; None for Python's numbers."""
    found = getattr(value, "dtype", None)
    return None if found is None else str(found)


def standardized(dtype: Any) -> str:
    """Return the name of a dtype given in any form.

    Examples
    --------
    >>> standardized(int), standardized("float32"), standardized(np.bool_)
    ('int64', 'float32', 'bool')
    """
    if dtype is float:
        return config.floatx()
    try:
        name = str(np.dtype(dtype).name)
    except TypeError as error:
        raise ValueError(f"`dtype` must be the name of a dtype. Received: dtype={validation.show(dtype)}") from error
    if name not in _SIZES and np.dtype(dtype).kind not in "biu":
        raise ValueError(f"`dtype` must be one of floats, integers or bool. Received: dtype={validation.show(dtype)}")
    return name


def promoted(values: Sequence[object]) -> str:
    """Return the dtype in which values are computed together.

    Examples
    --------
    >>> promoted([np.zeros(1, "float32"), np.zeros(1, "int64")]), promoted([np.zeros(1, "float32"), 2.0])
    ('float32', 'float32')
    >>> promoted([np.zeros(1, "int64"), 0.5]), promoted([1, 2]), promoted([True])
    ('float32', 'int32', 'bool')
    """
    strong = [dtype for value in values if (dtype := dtype_of(value)) is not None]
    if TEXT in strong:
        if set(strong) != {TEXT} or len(strong) < len(values):
            raise TypeError(
                "A function of `ops` computes with numbers: let StringLookup, Hashing or HashedCrossing read texts "
                f"first. Received: {', '.join(map(validation.show, values))}"
            )
        return TEXT
    floats = [dtype for dtype in strong if is_float(dtype)]
    if floats:
        return str(max(floats, key=_SIZES.__getitem__))
    weak = [value for value in values if dtype_of(value) is None]
    if any(isinstance(value, float) for value in weak):
        return config.floatx()
    whole = any(isinstance(value, int) and not isinstance(value, bool) for value in weak)
    if not strong:
        return "int32" if whole else "bool"
    found = str(np.result_type(*strong))
    return "int32" if found == "bool" and whole else found


def as_floats(dtype: str) -> str:
    """Return a float's dtype for what functions such as exp compute of it."""
    return dtype if is_float(dtype) else config.floatx()


def as_value(value: object) -> Any:
    """Return an array, or a number of Python's as it is; lists of floats get the usual float, symbols are stacked."""
    if isinstance(value, (bool, int, float, Operators)):
        return value
    if isinstance(value, (list, tuple)) and any(isinstance(each, Operators) for each in value):
        return Operators.functions["stack"]([as_value(each) for each in value])
    if isinstance(value, (np.ndarray, np.generic)):
        return np.asarray(value)
    array = np.asarray(value)
    if array.dtype.kind == "O" or array.dtype.kind in "USMmc":
        raise TypeError(f"A function of `ops` takes numbers. Received: {validation.show(value)}")
    if dtype_of(value) is None and array.dtype.kind == "f":
        return array.astype(config.floatx())
    if dtype_of(value) is None and array.dtype.kind == "i":
        return array.astype("int32") if np.all(np.abs(array) < 2**31) else array
    return array


def as_array(value: object, dtype: str | None = None) -> Array:
    """Return an array of a dtype, or of its own."""
    found = as_value(value)
    return np.asarray(found, dtype or promoted([found]))


def together(*values: object) -> list[Any]:
    """Return values that are computed together, Python's numbers as arrays of the dtype that the others ask for.

    For functions put together from others, one of which would take a number of Python's for a float of the usual size.

    Examples
    --------
    >>> together(np.zeros(1), 0.1)
    [array([0.]), array(0.1)]
    """
    read = [as_value(value) for value in values]
    dtype = promoted(read)
    return [np.asarray(value, dtype) if isinstance(value, (bool, int, float)) else value for value in read]
