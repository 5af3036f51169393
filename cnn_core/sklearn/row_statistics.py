"""What can be said of rows part by part, and of all of them from what was said of the parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Self

import numpy as np
from sklearn.utils import compute_class_weight

from cnn_core.foundation.arrays import Array


@dataclass(frozen=True)
class Moments:
    """What rows of numbers are like, column by column.

    Attributes
    ----------
    weight : float
        The sum of the rows' weights, or their number.
    mean, deviation : numpy.ndarray of shape (columns,)
        The standard deviation is that of the rows themselves, ``sqrt(sum(w (y - mean)^2) / sum(w))``.
    low, high : numpy.ndarray of shape (columns,)

    Examples
    --------
    >>> whole = Moments.of(np.array([[1.0], [2.0], [6.0]]))
    >>> parts = Moments.merge([Moments.of(np.array([[1.0], [2.0]])), Moments.of(np.array([[6.0]]))])
    >>> whole.mean, parts.mean, bool(np.isclose(whole.deviation, parts.deviation)[0])
    (array([3.]), array([3.]), True)
    """

    weight: float
    mean: Array
    deviation: Array
    low: Array
    high: Array

    @classmethod
    def of(cls, y: Array, weights: Array | None = None) -> Self:
        """Return those of rows of shape (n, columns), of which there is one at least."""
        largest = np.abs(y).max(axis=0)
        unit = np.where(largest > 0, largest, 1.0)  # no square of a number leaves the range of float64
        mean = unit * np.average(y / unit, axis=0, weights=weights)
        deviation = unit * np.sqrt(np.average(((y - mean) / unit) ** 2, axis=0, weights=weights))
        weight = len(y) if weights is None else weights.sum(dtype=np.float64)
        return cls(float(weight), mean, deviation, y.min(axis=0), y.max(axis=0))

    @classmethod
    def merge(cls, parts: Sequence[Self]) -> Self:
        """Return those of all rows together, by the pairwise formula of Chan, Golub and LeVeque (1983)."""
        return reduce(lambda one, other: one._with(other), parts)

    def _with(self, other: Self) -> Self:
        weight = self.weight + other.weight
        share = other.weight / weight if weight else 0.0
        step = other.mean - self.mean
        within = np.hypot(np.sqrt(1 - share) * self.deviation, np.sqrt(share) * other.deviation)
        return type(self)(
            weight,
            self.mean + share * step,
            np.hypot(within, np.sqrt(share * (1 - share)) * step),
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
        )


@dataclass(frozen=True)
class ClassCounts:
    """How many rows every class has, or the sum of their weights.

    Attributes
    ----------
    classes : numpy.ndarray of shape (classes,)
        Ascending.
    counts : numpy.ndarray of shape (classes,)

    Examples
    --------
    >>> parts = [ClassCounts.of(np.array(["b", "a", "b"])), ClassCounts.of(np.array(["c"]))]
    >>> ClassCounts.merge(parts).classes, ClassCounts.merge(parts).counts
    (array(['a', 'b', 'c'], dtype='<U1'), array([1, 2, 1]))
    """

    classes: Array
    counts: Array

    @classmethod
    def of(cls, y: Array, weights: Array | None = None) -> Self:
        """Return those of the labels of some rows, or with weights their sums."""
        if weights is None:
            return cls(*np.unique(y, return_counts=True))
        classes, places = np.unique(y, return_inverse=True)
        return cls(classes, np.bincount(places, weights, len(classes)))

    @classmethod
    def merge(cls, parts: Sequence[Self]) -> Self:
        """Return those of all rows together.

        Raises
        ------
        ValueError
            If the labels of one part are texts and those of another are not.
        """
        are_texts = {part.classes.dtype.kind in "OU" for part in parts}
        if len(are_texts) > 1:
            shown = sorted({str(part.classes.dtype) for part in parts})
            raise ValueError(f"`y` must hold either texts or numbers in all parts. Received: {', '.join(shown)}")
        labels = np.concatenate([part.classes for part in parts])
        classes, places = np.unique(labels, return_inverse=True)
        parts_of_counts = np.concatenate([part.counts for part in parts])
        counts = np.zeros(len(classes), parts_of_counts.dtype)
        np.add.at(counts, places, parts_of_counts)
        return cls(classes, counts)

    def factors(self, class_weight: object) -> dict[Any, float] | None:
        """Return the factor of every class that scikit-learn's `class_weight` means; None for none.

        Raises
        ------
        ValueError
            If a class that it names is not there.

        Examples
        --------
        >>> ClassCounts.of(np.array([0, 0, 0, 1])).factors("balanced")
        {0: 0.6666666666666666, 1: 2.0}
        """
        if class_weight is None:
            return None
        if isinstance(class_weight, str):  # of which there is one only: "balanced"
            factors = self.counts.sum() / (len(self.counts) * self.counts)
        else:
            factors = compute_class_weight(class_weight, classes=self.classes, y=self.classes)
        return dict(zip(self.classes.tolist(), factors.tolist(), strict=True))


@dataclass(frozen=True)
class Hits:
    """The weight of the rows that are classified right, and that of all.

    Examples
    --------
    >>> Hits.merge([Hits.of(np.array(["a", "b"]), np.array(["a", "a"])), Hits(2.0, 2.0)]).accuracy
    0.75
    """

    right: float
    weight: float

    @classmethod
    def of(cls, y: Array, predictions: Array, weights: Array | None = None) -> Self:
        """Return those of some rows; of several labels a row, all must be right."""
        right = (y == predictions).reshape(len(y), -1).all(axis=1)
        every = np.ones(len(y)) if weights is None else weights
        return cls(float(every[right].sum(dtype=np.float64)), float(every.sum(dtype=np.float64)))

    @classmethod
    def merge(cls, parts: Sequence[Self]) -> Self:
        """Return those of all rows together."""
        return cls(sum(part.right for part in parts), sum(part.weight for part in parts))

    @property
    def accuracy(self) -> float:
        return self.right / self.weight


@dataclass(frozen=True)
class SquaredErrors:
    """The sums of the squared errors of predictions, output by output, and what the targets are like.

    Examples
    --------
    >>> SquaredErrors.of(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 1.0])).r2
    0.5
    """

    sums: Array
    targets: Moments

    @classmethod
    def of(cls, y: Array, predictions: Array, weights: Array | None = None) -> Self:
        """Return those of some rows, of which there is one at least."""
        y = np.asarray(y, np.float64).reshape(len(y), -1)
        squares = (y - predictions.reshape(y.shape)) ** 2
        return cls(squares.sum(axis=0) if weights is None else weights @ squares, Moments.of(y, weights))

    @classmethod
    def merge(cls, parts: Sequence[Self]) -> Self:
        """Return those of all rows together."""
        return cls(np.sum([part.sums for part in parts], axis=0), Moments.merge([part.targets for part in parts]))

    @property
    def r2(self) -> float:
        """R^2, averaged over the outputs."""
        return r2_of_sums(self.sums, self.targets.weight * self.targets.deviation**2)


def r2_of_sums(residual: Array, spread: Array) -> float:
    """Return R^2, averaged over the outputs, from sums of squared residuals and of squared distances from the mean.

    Examples
    --------
    >>> r2_of_sums(np.array([1.0, 0.0]), np.array([4.0, 0.0]))
    0.875
    """
    constant = spread == 0
    scores = np.where(constant, np.where(residual == 0, 1.0, 0.0), 1 - residual / np.where(constant, 1, spread))
    return float(scores.mean())
