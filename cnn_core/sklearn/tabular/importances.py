"""How much each column matters: what the score loses when the column is shuffled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.figures import only_axes
from cnn_core.foundation.suggestions import alphabetical, did_you_mean


class Importances(np.ndarray):
    """An array with one number for each column of a table, and the columns' names.

    Attributes
    ----------
    names : tuple of str
        Of the columns; () of an array that is not one number a column any more.

    Examples
    --------
    >>> importances = Importances([0.1, 0.3, 0.0], ["age", "city", "empty"])
    >>> importances.ranked()
    [('city', 0.3), ('age', 0.1), ('empty', 0.0)]
    >>> importances["city"], int(importances.argmax())
    (0.3, 1)
    """

    names: tuple[str, ...]

    def __new__(cls, values: object, names: Sequence[str]) -> Importances:
        """Return the values as an array that knows the names."""
        made = np.asarray(values, np.float64).view(cls)
        made.names = tuple(names)
        return made

    def __array_finalize__(self, source: object) -> None:
        names = getattr(source, "names", ())
        self.names = names if self.shape == (len(names),) else ()

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            if key not in self.names:
                known = ", ".join(map(repr, alphabetical(self.names)[:20]))
                raise KeyError(f"no column {key!r}; there are {known}{did_you_mean(key, self.names)}")
            return float(self[self.names.index(key)])
        found = super().__getitem__(key)
        return found.view(np.ndarray) if isinstance(found, Importances) else found

    def __reduce__(self) -> tuple[type[Importances], tuple[Array, tuple[str, ...]]]:
        return Importances, (np.asarray(self), self.names)

    def ranked(self) -> list[tuple[str, float]]:
        """Return (name, importance) of every column, the most important first."""
        order = np.argsort(-np.asarray(self), kind="stable") if self.names else ()
        return [(self.names[place], float(self[place])) for place in order]

    def plot(self, top: int | None = 20, ax: object = None) -> Any:
        """Draw a bar for each column, the most important one above.

        Parameters
        ----------
        top : int or None, default 20
            How many of the most important columns are drawn; None: all.
        ax : matplotlib.axes.Axes, default None
            Where to draw; None makes a figure.

        Returns
        -------
        matplotlib.axes.Axes
            Shown by a notebook at the end of a cell; its ``figure.savefig(path)`` writes it.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If it is not one number a column any more.
        """
        ranked = self.ranked()[: None if top is None else validation.positive_integer(top, "top")]
        if not ranked:
            raise ValueError(
                f"Importances.plot needs a number for each column. Received: shape {self.shape} without names"
            )
        axes = only_axes(ax, "Importances.plot", figsize=(6.4, 1.2 + 0.28 * len(ranked)))
        names, losses = zip(*ranked, strict=True)
        places = range(len(ranked))
        axes.barh(places, losses)
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        axes.axvline(0, color="gray", linewidth=0.8)
        axes.set_xlabel("mean loss of score when shuffled")
        return axes


def shuffled_losses(
    score: Callable[[Array], float], x: Array, places: Sequence[Array], n_repeats: int, generator: Any
) -> Array:
    """Return the mean loss of score for each column when its features are shuffled among the rows.

    Parameters
    ----------
    score : callable from a matrix of features to a number, higher is better
    x : numpy.ndarray of shape (n, features)
        Left as it is.
    places : sequence of numpy.ndarray of int
        Which features each column became.
    n_repeats : int
    generator : numpy.random.RandomState
    """
    whole = score(x)
    losses = np.zeros(len(places))
    for column, place in enumerate(places):
        if not len(place):
            continue
        kept = x[:, place].copy()
        shuffled = []
        for _ in range(n_repeats):
            x[:, place] = kept[generator.permutation(len(x))]
            shuffled.append(score(x))
        x[:, place] = kept
        losses[column] = whole - float(np.mean(shuffled))
    return losses
