"""Quantiles of values that stand for several rows each, and few values that stand for many rows."""

from __future__ import annotations

from typing import Literal

import numpy as np

from cnn_core.foundation.arrays import Array

POINTS = 2048  # of a sketch


def quantiles(
    values: Array, levels: Array, counts: Array | None = None, method: Literal["linear", "inverted_cdf"] = "linear"
) -> Array:
    """Return what `numpy.quantile` returns for values of which each occurs so many times.

    Parameters
    ----------
    values : numpy.ndarray of shape (n,)
    levels : numpy.ndarray of shape (levels,)
    counts : numpy.ndarray of int64 of shape (n,), default None
        None: each value occurs once.
    method : {"linear", "inverted_cdf"}, default "linear"

    Returns
    -------
    numpy.ndarray of shape (levels,)

    Examples
    --------
    >>> quantiles(np.array([1.0, 2.0]), np.array([0.25, 0.5]), np.array([3, 1]))
    array([1., 1.])
    """
    if counts is None:
        return np.asarray(np.quantile(values, levels, method=method))
    order = np.argsort(values, kind="stable")
    values, ends = values[order], np.cumsum(counts[order])

    def of_rank(rank: Array) -> Array:
        return np.asarray(values[np.searchsorted(ends, rank, side="right").clip(0, len(values) - 1)])

    if method == "inverted_cdf":
        return of_rank(np.ceil(levels * ends[-1]).astype(np.int64) - 1)
    places = levels * (ends[-1] - 1)
    floor = np.floor(places)
    return _between(of_rank(floor), of_rank(floor + 1), places - floor)


def ascending_quantiles(values: Array, levels: Array) -> Array:
    """Return what `numpy.quantile` returns for values that are in order, without a look at all of them.

    Parameters
    ----------
    values : numpy.ndarray of shape (n, k)
        Ascending in every column.
    levels : numpy.ndarray of shape (levels,)

    Returns
    -------
    numpy.ndarray of shape (levels, k)

    Examples
    --------
    >>> ascending_quantiles(np.array([[1.0], [2.0], [4.0]]), np.array([0.25, 1.0]))
    array([[1.5],
           [4. ]])
    """
    last = len(values) - 1
    places = levels * last
    floor = places.astype(np.int64)
    return _between(values[floor], values[np.minimum(floor + 1, last)], (places - floor)[:, None])


def _between(low: Array, high: Array, share: Array) -> Array:
    """The number so far from `low` to `high`, reckoned from the nearer one."""
    return np.asarray(np.where(share < 0.5, low + (high - low) * share, high - (high - low) * (1 - share)))


def sketch(values: Array, counts: Array) -> tuple[Array, Array]:
    """Return at most `POINTS` + 2 of the values, ascending, and how many rows each stands for.

    The rows are cut into `POINTS` runs of equal length, and the middle one of each stands for all; the least and the
    largest stay. So a value's rank is moved by half a run at most, ``n / (2 POINTS)``, 0.025 % of the rows, each time
    that sketches are merged into one. Merged in a tree of h levels, quantiles are those of a level that is wrong by
    ``(h + 1) / (2 POINTS)`` at most. Of fewer different values, all stay, and nothing is lost.

    Parameters
    ----------
    values : numpy.ndarray of shape (n,)
    counts : numpy.ndarray of int64 of shape (n,)

    Examples
    --------
    >>> sketch(np.array([2.0, 1.0, 2.0]), np.array([1, 1, 3]))
    (array([1., 2.]), array([1, 4]))
    >>> few, counts = sketch(np.arange(100_000.0), np.ones(100_000, np.int64))
    >>> len(few), counts.sum(), few[0], few[-1]
    (2050, np.int64(100000), np.float64(0.0), np.float64(99999.0))
    """
    values, counts = _distinct(values, counts)
    if len(values) <= POINTS:
        return values, counts
    ends = np.cumsum(counts)
    n = int(ends[-1])
    bounds = np.arange(POINTS + 1) * n // POINTS
    middles = values[np.searchsorted(ends, (bounds[:-1] + bounds[1:]) // 2, side="right")]
    lengths = np.diff(bounds)
    lengths[[0, -1]] -= 1
    return _distinct(
        np.concatenate([values[:1], middles, values[-1:]]), np.concatenate([[1], lengths, [1]]).astype(np.int64)
    )


def _distinct(values: Array, counts: Array) -> tuple[Array, Array]:
    values, places = np.unique(values, return_inverse=True)
    total = np.bincount(places.reshape(-1), counts, len(values)).astype(np.int64)
    there = total > 0
    return values[there], total[there]
