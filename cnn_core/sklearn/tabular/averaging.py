"""How much smaller errors become where networks of several folds are averaged."""

from __future__ import annotations

import numpy as np

from cnn_core.foundation.arrays import Array


def averaging_factor(own: Array, others: Array) -> Array:
    """Return what errors of single networks are to be multiplied by to be those of the networks' mean.

    Errors of K networks for new rows that correlate with r have a mean whose spread is ``f = sqrt(r + (1 - r) / K)`` of
    theirs. Of a row that was held out once, one network alone says what it makes of new rows. How its errors correlate
    with those of the others, which were trained on the row, is a lower bound of r, for training takes away some of what
    the errors share, the noise above all; 1 is the upper one. The factor is the geometric mean of the two,
    ``sqrt(f)``.

    Parameters
    ----------
    own : numpy.ndarray of shape (n, outputs)
        Errors for rows by the network that was not trained on them.
    others : numpy.ndarray of shape (K - 1, n, outputs)
        By those that were.

    Returns
    -------
    numpy.ndarray of shape (outputs,)
        At most 1.

    Examples
    --------
    >>> noise, first, second = np.random.default_rng(0).normal(size=(3, 10_000, 1))
    >>> averaging_factor(noise + first, (noise + second)[None]).round(2)  # r = 0.5, f = 0.87
    array([0.93])
    """
    centred = own - own.mean(axis=0)
    found = []
    for each in others:
        other = each - each.mean(axis=0)
        scale = np.sqrt((centred**2).sum(axis=0) * (other**2).sum(axis=0))
        found.append(np.where(scale > 0, (centred * other).sum(axis=0) / np.where(scale > 0, scale, 1), 1.0))
    if not found:
        return np.ones(own.shape[1])
    correlation = np.mean(found, axis=0).clip(0, 1)
    return np.asarray((correlation + (1 - correlation) / (len(others) + 1)) ** 0.25)
