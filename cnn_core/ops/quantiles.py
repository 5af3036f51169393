"""Keras's quantiles: which value so many elements along an axis lie below."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.eager import returns_arrays
from cnn_core.ops.dtypes import as_floats
from cnn_core.ops.functions import expand_dims, reshape, transpose
from cnn_core.ops.operation import is_symbolic, shape_of
from cnn_core.ops.ordering import axis_of_sample
from cnn_core.ops.selecting import sort

METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


@returns_arrays
def quantile(x: object, q: Any, axis: object = None, method: str = "linear", keepdims: bool = False) -> Any:
    """Return the value that a share of the elements along axes lie below.

    Parameters
    ----------
    x : array-like or symbol
        Of a symbol, axes are those of the features.
    q : float, or array-like of shape (k,) for an array
        Shares from 0 to 1.
    axis : int or sequence of int, default None
        None: all.
    method : {"linear", "lower", "higher", "midpoint", "nearest"}, default "linear"
        What to take where a share falls between two elements.
    keepdims : bool, default False
    """
    method = validation.choice(method, "method", METHODS)
    shape, symbolic = shape_of(x), is_symbolic(x)
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, (list, tuple)) else (axis,)
    along = sorted(axis_of_sample(shape, each, "quantile") for each in axes)
    others = [each for each in range(len(shape)) if each not in along]
    n = math.prod(shape[each] for each in along)  # type: ignore[misc]
    rows = reshape(transpose(x, [*others, *along]), [*(-1 if shape[a] is None else shape[a] for a in others), n])
    if symbolic:
        found = _between(sort(rows, axis=-1), validation.number(q, "q", minimum=0, maximum=1) * (n - 1), method)
    else:
        wanted = as_floats(str(rows.dtype))
        found = np.asarray(np.quantile(rows.astype(wanted), np.asarray(q), -1, method=method), wanted)  # type: ignore[call-overload]
    for each in along if keepdims else ():
        found = expand_dims(found, each + (0 if symbolic else np.ndim(q)))
    return found


def _between(ordered: Any, place: float, method: str) -> Any:
    """Return what stands at a place of rows in order, counted from 0."""
    low, high = math.floor(place), math.ceil(place)
    part = {"linear": place - low, "lower": 0, "higher": 1, "midpoint": 0.5, "nearest": round(place) - low}[method]
    if low == high or part == 0:
        return ordered[..., low]
    return ordered[..., low] + (ordered[..., high] - ordered[..., low]) * part


def percentile(x: object, q: object, axis: object = None, method: str = "linear", keepdims: bool = False) -> Any:
    """Return the value that so many hundredths of the elements along axes lie below: see `quantile`."""
    shares = q / 100 if isinstance(q, (int, float)) else np.asarray(q, np.float64) / 100
    return quantile(x, shares, axis, method, keepdims)


def median(x: object, axis: object = None, keepdims: bool = False) -> Any:
    """Return the value that half of the elements along axes lie below: see `quantile`."""
    return quantile(x, 0.5, axis, keepdims=keepdims)
