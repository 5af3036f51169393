"""Functions of one or two elements, put together from those that native code has."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cnn_core.foundation.eager import returns_arrays
from cnn_core.ops.dtypes import as_array, as_value, standardized, together
from cnn_core.ops.elementwise import absolute, divide, equal, erf, greater, multiply, power, sign, sin, subtract, trunc
from cnn_core.ops.functions import cast, clip, isclose, where
from cnn_core.ops.operation import is_symbolic


def cbrt(x: object) -> Any:
    """Return the cube root, of negative numbers too."""
    return multiply(sign(x), power(absolute(x), 1 / 3)) if is_symbolic(x) else _numpys("cbrt", x)


def erfc(x: object) -> Any:
    """Return ``1 - erf(x)``."""
    return subtract(1, erf(x))


def sinc(x: object) -> Any:
    """Return ``sin(pi x) / (pi x)``, and 1 where x is 0."""
    if not is_symbolic(x):
        return _numpys("sinc", x)
    zero = equal(x, 0)
    angle = multiply(where(zero, 1.0, x), math.pi)
    return where(zero, 1.0, divide(sin(angle), angle))


def fmod(x1: object, x2: object) -> Any:
    """Return what division leaves, with the sign of `x1`; `mod` has that of `x2`."""
    x1, x2 = together(x1, x2)
    return subtract(x1, multiply(trunc(divide(x1, x2)), x2)) if is_symbolic(x1, x2) else _numpys("fmod", x1, x2)


def heaviside(x1: object, x2: Any) -> Any:
    """Return 0 where `x1` is below 0, 1 where it is above, and `x2` where it is 0."""
    x1, x2 = together(x1, x2)
    return where(equal(x1, 0), x2, cast(greater(x1, 0), x2.dtype))


def allclose(x1: object, x2: object, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Tell whether arrays are everywhere as `isclose` says."""
    return bool(np.all(as_array(isclose(as_array(x1), as_array(x2), rtol, atol, equal_nan))))


def saturate_cast(x: object, dtype: object) -> Any:
    """Return elements in another dtype, those that it cannot hold as the nearest that it can."""
    name = standardized(dtype)
    if name == "bool":
        return cast(x, name)
    limits: Any = np.finfo(name) if name.startswith("float") else np.iinfo(name)
    return cast(clip(as_value(x), float(limits.min), _below(limits.max, as_value(x))), name)


def _below(most: Any, x: Any) -> float:
    """Return the largest number of the type of `x` that does not exceed a limit."""
    found = np.asarray(most, str(x.dtype) if str(getattr(x, "dtype", "")).startswith("float") else np.float64)
    return float(found if float(found) <= most else np.nextafter(found, found.dtype.type(0)))


@returns_arrays
def _numpys(name: str, *operands: object) -> Any:
    return getattr(np, name)(*map(as_array, operands))
