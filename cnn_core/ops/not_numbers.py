"""Keras's functions that pass over what is no number: elements that are NaN count as if they were not there."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from cnn_core.ops.dtypes import as_value, is_float, promoted
from cnn_core.ops.elementwise import divide, equal, isnan, logical_not, maximum, minimum, sqrt, square, subtract
from cnn_core.ops.functions import cast, where
from cnn_core.ops.ordering import cumprod_function, cumsum_function
from cnn_core.ops.reductions import all_function, max_function, min_function, prod_function, sum_function


def _filled(x: object, number: float) -> Any:
    """Return `x` with a number in the place of NaN."""
    return where(isnan(x), number, x)


def _count(x: object, axis: object, keepdims: bool) -> Any:
    """Return how many numbers there are along axes; NaN where there is none."""
    count = sum_function(cast(logical_not(isnan(x)), "int32"), axis, keepdims)
    return where(equal(count, 0), math.nan, count)


def _extremum(reduce: Callable[..., Any], x: object, least: float, axis: object, keepdims: bool) -> Any:
    if not is_float(promoted([as_value(x)])):
        return reduce(x, axis, keepdims)
    return where(all_function(isnan(x), axis, keepdims), math.nan, reduce(_filled(x, least), axis, keepdims))


def fmax(x1: object, x2: object) -> Any:
    """Return the larger of two elements, or that which is a number."""
    return where(isnan(x1), x2, where(isnan(x2), x1, maximum(x1, x2)))


def fmin(x1: object, x2: object) -> Any:
    """Return the smaller of two elements, or that which is a number."""
    return where(isnan(x1), x2, where(isnan(x2), x1, minimum(x1, x2)))


def isneginf(x: object) -> Any:
    """Tell where elements are minus infinity."""
    return equal(x, -math.inf)


def isposinf(x: object) -> Any:
    """Tell where elements are plus infinity."""
    return equal(x, math.inf)


def nancumprod(x: object, axis: int | None = None, dtype: object = None) -> Any:
    """Return the products of the numbers up to each place along an axis."""
    return cumprod_function(_filled(x, 1), axis=axis, dtype=dtype)


def nancumsum(x: object, axis: int | None = None, dtype: object = None) -> Any:
    """Return the sums of the numbers up to each place along an axis."""
    return cumsum_function(_filled(x, 0), axis=axis, dtype=dtype)


def nanmax(x: object, axis: object = None, keepdims: bool = False) -> Any:
    """Return the largest number along axes; NaN where there is none."""
    return _extremum(max_function, x, -math.inf, axis, keepdims)


def nanmean(x: object, axis: object = None, keepdims: bool = False) -> Any:
    """Return the mean of the numbers along axes; NaN where there is none."""
    return divide(nansum(x, axis, keepdims), _count(x, axis, keepdims))


def nanmin(x: object, axis: object = None, keepdims: bool = False) -> Any:
    """Return the smallest number along axes; NaN where there is none."""
    return _extremum(min_function, x, math.inf, axis, keepdims)


def nanprod(x: object, axis: object = None, keepdims: bool = False) -> Any:
    """Return the product of the numbers along axes."""
    return prod_function(_filled(x, 1), axis, keepdims)


def nanstd(x: object, axis: object = None, keepdims: bool = False) -> Any:
    """Return the standard deviation of the numbers along axes."""
    return sqrt(nanvar(x, axis, keepdims))


def nansum(x: object, axis: object = None, keepdims: bool = False) -> Any:
    """Return the sum of the numbers along axes."""
    return sum_function(_filled(x, 0), axis, keepdims)


def nanvar(x: object, axis: object = None, keepdims: bool = False) -> Any:
    """Return the variance of the numbers along axes: the mean of ``(x - nanmean(x))^2``."""
    # Filled after the subtraction, for 0 times the slope of a square at NaN would be NaN.
    distance = where(isnan(x), 0, subtract(x, nanmean(x, axis, True)))
    return divide(sum_function(square(distance), axis, keepdims), _count(x, axis, keepdims))
