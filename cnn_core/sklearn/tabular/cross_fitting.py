"""What a network predicts of held-out rows by which its best epoch was not chosen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnn_core.foundation.arrays import Array

FEWEST_ROWS_TO_HALVE = 4


class CrossFitted:
    """Score the outputs of each epoch, and keep those of each half of the rows at the epoch best on the other half.

    The best of many epochs on a few rows looks better on these rows than it is; so what is to be compared between
    models must come from an epoch that other rows have chosen.

    Parameters
    ----------
    score_of : callable of places of rows
        Returns a score of outputs for these rows, lower is better.
    places : numpy.ndarray of int
        Of the held-out rows.

    Attributes
    ----------
    outputs : numpy.ndarray of shape (n, n_out)
        What was kept; the last call's where a score was never defined.

    Examples
    --------
    >>> truth = np.array([[0.0], [1.0], [0.0], [1.0]])
    >>> def score_of(places):
    ...     return lambda outputs: float(np.abs(outputs - truth[places]).mean())
    >>> scores = CrossFitted(score_of, np.arange(4))
    >>> scores(np.array([[0.0], [0.5], [0.0], [0.5]])), scores(np.array([[0.1], [1.0], [0.1], [1.0]]))
    (0.25, 0.05)
    >>> scores.outputs.ravel().tolist()
    [0.1, 0.5, 0.1, 0.5]
    """

    def __init__(self, score_of: Callable[[Array], Callable[[Array], float]], places: Array) -> None:
        everything = np.arange(len(places))
        self._halves = [everything[::2], everything[1::2]]
        if len(places) < FEWEST_ROWS_TO_HALVE:
            self._halves = [everything, everything]
        self._score = score_of(places)
        self._scores = [score_of(places[half]) for half in self._halves]
        self._best = [np.inf, np.inf]
        self.outputs = np.empty((0, 0))

    def __call__(self, outputs: Array) -> float:
        """Return the score of all rows."""
        if not self.outputs.size:
            self.outputs = outputs.copy()
        for number, score in enumerate(self._scores):
            half, other = self._halves[number], self._halves[1 - number]
            found = score(outputs[half])
            if found <= self._best[number] or self._best[number] == np.inf:
                self.outputs[other] = outputs[other]
                self._best[number] = np.inf if found != found else found
        return self._score(outputs)


class CrossFittedMembers:
    """The same for members that are scored in turn, each with a best epoch of its own.

    Parameters
    ----------
    score_of, places
        See `CrossFitted`.
    n_members : int
        One call after another is the next one's.
    """

    def __init__(self, score_of: Callable[[Array], Callable[[Array], float]], places: Array, n_members: int) -> None:
        self._members = [CrossFitted(score_of, places) for _ in range(n_members)]
        self._next = 0

    @property
    def outputs(self) -> Array:
        """What was kept: (n_members, n, n_out)."""
        return np.stack([member.outputs for member in self._members])

    def __call__(self, outputs: Array) -> float:
        """Return the score of all rows, of the member whose turn it is."""
        member, self._next = self._members[self._next], (self._next + 1) % len(self._members)
        return member(outputs)
