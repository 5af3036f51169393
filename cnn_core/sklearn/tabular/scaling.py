"""Features of about the same size: centred on the median, scaled by the range, and bent to lie within limits."""

from __future__ import annotations

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.sklearn.tabular.quantiles import quantiles

LIMIT = 3.0  # of a scaled feature
FAR = 1e100  # beyond, `smooth_clip` is at its limit, and squares would leave the range of float64


def robust_scale(block: Array, counts: Array | None = None) -> tuple[Array, Array]:
    """Return the median of every column and 1 / range; see `TablePreprocessor`. Missing numbers do not count.

    `counts` says how many rows each row of the block stands for; None: one each.

    Examples
    --------
    >>> robust_scale(np.array([[1.0, 7.0], [2.0, 7.0], [3.0, 7.0]]))
    (array([2., 7.]), array([1., 0.]))
    """
    width = block.shape[1]
    centers, factors = np.zeros(width), np.zeros(width)
    for number in range(width):
        known, of_known = block[:, number], counts
        if np.isnan(known).any():
            there = ~np.isnan(known)
            known, of_known = known[there], None if counts is None else counts[there]
        if not len(known):
            continue
        low, centers[number], high = quantiles(known, np.array((0.25, 0.5, 0.75)), of_known)
        spread = high - low or 0.5 * (known.max() - known.min())
        factors[number] = 1 / spread if spread > 0 and np.isfinite(1 / spread) else 0.0
    return centers, factors


def scaled(z: Array, centers: Array, factors: Array) -> Array:
    """Centre, scale and clip features, in place but for the last; a missing one is the centre."""
    z -= centers
    z *= factors
    z[np.isnan(z)] = 0
    return smooth_clip(z)


def smooth_clip(z: Array, limit: float = LIMIT) -> Array:
    """Bend the axis so that everything lies within -limit and limit: ``z / sqrt(1 + (z / limit)**2)``.

    Examples
    --------
    >>> smooth_clip(np.array([0.0, 1.0, 1000.0])).round(3)
    array([0.   , 0.949, 3.   ])
    """
    z = np.clip(z, -FAR, FAR)
    return np.asarray(z / np.sqrt(1 + (z / limit) ** 2))
