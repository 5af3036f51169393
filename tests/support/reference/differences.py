"""The measure of every backward pass: central differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from reference.activations import Array

# --------------------------------------------------------------------------------------------------------------------
# The measure of every backward pass.
# --------------------------------------------------------------------------------------------------------------------


def central_differences(function: Callable[[], float], w: Array, step: float = 1e-6) -> Array:
    """Compute (f(w + h e_i) - f(w - h e_i)) / 2h for every element of `w`, which `function` reads; w is restored."""
    gradient = np.empty_like(w)
    for index in np.ndindex(w.shape):
        kept = w[index]
        w[index] = kept + step
        above = function()
        w[index] = kept - step
        below = function()
        w[index] = kept
        gradient[index] = (above - below) / (2 * step)
    return gradient


def relative_error(actual: ArrayLike, desired: ArrayLike) -> float:
    """Compute max |actual - desired| / max(1, max |actual|, max |desired|)."""
    actual, desired = np.asarray(actual, dtype=np.float64), np.asarray(desired, dtype=np.float64)
    if actual.size == 0:
        return 0.0
    scale = max(1.0, float(np.abs(actual).max()), float(np.abs(desired).max()))
    return float(np.abs(actual - desired).max()) / scale
