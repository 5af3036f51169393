"""How far the truth was from predictions of rows that were not trained on, and intervals that follow from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.sklearn.tabular.quantiles import ascending_quantiles

MOST_KEPT = 1000  # of many errors, evenly among all in their order


class HeldOutErrors:
    """Truth minus prediction of held-out rows, ascending, for each target.

    For a row that is drawn as the n held-out ones were, its error is as likely to fall into each of the n + 1 gaps
    between theirs: so the interval between the ``(n + 1) a / 2``-th from below and from above, rounded outwards, covers
    it with a probability of at least ``1 - a``, whatever the distribution (split conformal prediction).

    Parameters
    ----------
    n : int
        Held-out rows.
    errors : numpy.ndarray of shape (kept, targets)
        Ascending in every column; all of them, or evenly many of their order statistics.

    References
    ----------
    V. Vovk, A. Gammerman, G. Shafer, "Algorithmic Learning in a Random World", Springer 2005.

    Examples
    --------
    >>> errors = HeldOutErrors.of(np.arange(-9.0, 10.0)[:, None])
    >>> errors.around(0.9)
    (array([-9.]), array([9.]))
    >>> errors.quantiles(np.array([0.5]))
    array([[0.]])
    """

    def __init__(self, n: int, errors: Array) -> None:
        self.n, self.errors = n, errors

    @classmethod
    def of(cls, errors: Array) -> HeldOutErrors:
        """Keep errors of shape (n, targets)."""
        ascending = np.sort(np.asarray(errors, np.float64), axis=0)
        n = len(ascending)
        if n > MOST_KEPT:
            ascending = ascending[np.round(np.linspace(0, n - 1, MOST_KEPT)).astype(np.int64)]
        return cls(n, ascending)

    def around(self, coverage: float) -> tuple[Array, Array]:
        """Return what to add to a prediction for the lower and the upper end of an interval, for each target.

        Raises
        ------
        ValueError
            If `coverage` is not between 0 and 1, or needs more held-out rows.
        """
        beyond = (1 - validation.fraction(coverage, "coverage", include_zero=False, include_one=False)) / 2
        place = math.floor((self.n + 1) * beyond + 1e-9)
        if place < 1:
            raise ValueError(
                f"`coverage` must be at most {max(0.0, 1 - 2 / (self.n + 1)):.3g} with {self.n} held-out rows. "
                f"Received: coverage={coverage}"
            )
        return self._ordered(place), self._ordered(self.n + 1 - place)

    def quantiles(self, levels: Array) -> Array:
        """Return the errors below which these shares of errors lie: (levels, targets)."""
        return ascending_quantiles(self.errors, levels)

    def _ordered(self, place: int) -> Array:
        """The error at a place from 1 to n, rounded outwards where not all are kept."""
        at = (place - 1) / max(1, self.n - 1) * (len(self.errors) - 1)
        inner = math.floor(at + 1e-9) if place <= (self.n + 1) / 2 else math.ceil(at - 1e-9)
        return np.asarray(self.errors[inner])

    def state(self) -> dict[str, Any]:
        """Return the errors as plain data."""
        return {"n": self.n, "errors": self.errors.tolist()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], n_targets: int) -> HeldOutErrors:
        """Return the errors whose `state` was saved.

        Raises
        ------
        ValueError
            If they are not ascending numbers for each target.
        """
        n, errors = validation.positive_integer(state["n"], "n"), np.array(state["errors"], np.float64)
        fits = errors.ndim == 2 and errors.shape[1] == n_targets and len(errors) == min(n, MOST_KEPT)
        if not fits or not np.isfinite(errors).all() or (np.diff(errors, axis=0) < 0).any():
            raise ValueError(f"its held-out errors must be ascending numbers for {n_targets} target(s)")
        return cls(n, errors)
