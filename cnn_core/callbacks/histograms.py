"""How weights and their gradients are distributed, epoch by epoch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.callbacks.base import Callback, Logs
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.figures import panels_for, whole_ticks
from cnn_core.foundation.numbering import distinct_names
from cnn_core.foundation.records import NamedTuple

KINDS = ("weights", "gradients")


class Histogram(NamedTuple):
    """How many values lie in each bin.

    Attributes
    ----------
    counts : numpy.ndarray of int, shape (bins,)
    edges : numpy.ndarray of shape (bins + 1,)
        From the least value to the greatest.
    """

    counts: Array
    edges: Array


class HistogramLogger(Callback):
    """Record histograms of all trained weights, and of their gradients, over the epochs; `plot` draws them.

    The gradients are those of a batch that is given, so that epochs can be compared: it is the same after each of them.
    They cost a step of training an epoch. In deep networks they tell whether gradients vanish or explode on their way
    back.

    Parameters
    ----------
    x, y : array-like, optional
        The batch whose gradients are recorded, as `model.gradients` takes it. None: weights only.
    freq : int, >= 1, default 1
        Every how many epochs histograms are recorded.
    bins : int, >= 1, default 40
        How many bins a histogram has.

    Attributes
    ----------
    epochs : list of int
        The epochs of the last training after which histograms were recorded.
    weights, gradients : dict of str to list of Histogram
        For each trained variable a histogram for each of these epochs, under the variable's path; a path that occurs
        again is numbered: "hidden/kernel#1". A histogram has `counts` and `edges`; values that are not finite are in
        none of its bins.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type, or `y` comes without `x`.

    Examples
    --------
    >>> import numpy as np
    >>> from cnn_core import Input, Sequential, layers
    >>> x, y = np.eye(4), np.arange(4.0)
    >>> model = Sequential([Input((4,)), layers.Dense(3, "tanh", name="hidden"), layers.Dense(1, name="output")])
    >>> model.compile("sgd", "mse")
    >>> logger = HistogramLogger(x, y, bins=5)
    >>> _ = model.fit(x, y, epochs=2, verbose=0, callbacks=[logger])
    >>> list(logger.gradients)
    ['hidden/kernel', 'hidden/bias', 'output/kernel', 'output/bias']
    >>> [int(each.counts.sum()) for each in logger.weights["hidden/kernel"]]
    [12, 12]
    >>> logger.plot("gradients", path="gradients.png")  # doctest: +SKIP
    """

    def __init__(self, x: object = None, y: object = None, *, freq: int = 1, bins: int = 40) -> None:
        super().__init__()
        if x is None and y is not None:
            raise ValueError("`x` must be given where `y` is: gradients are those of a batch. Received: x=None")
        self.x, self.y = x, y
        self.freq = validation.positive_integer(freq, "freq")
        self.bins = validation.positive_integer(bins, "bins")
        self._forget()

    def _forget(self) -> None:
        self.epochs: list[int] = []
        self.weights: dict[str, list[Histogram]] = {}
        self.gradients: dict[str, list[Histogram]] = {}

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget an earlier training."""
        self._forget()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Record the epoch, if it is its turn."""
        if epoch % self.freq:
            return
        variables = self.model.trainable_variables
        gradients = [] if self.x is None else self.model.gradients(self.x, self.y)
        self.epochs.append(epoch)
        names = distinct_names(variable.path for variable in variables)
        for name, variable in zip(names, variables, strict=True):
            self.weights.setdefault(name, []).append(histogram_of(variable.numpy(), self.bins))
        for name, gradient in zip(names, gradients, strict=self.x is not None):
            self.gradients.setdefault(name, []).append(histogram_of(gradient, self.bins))

    def plot(
        self,
        kind: str = "weights",
        names: Iterable[str] | None = None,
        path: str | os.PathLike[str] | None = None,
        ax: object = None,
    ) -> Any:
        """Draw the histograms of each variable over the epochs: the darker, the more values there are.

        Every epoch is a column, whose fullest bin is the darkest.

        Parameters
        ----------
        kind : {"weights", "gradients"}, default "weights"
        names : iterable of str, optional
            Paths of variables, such as "hidden/kernel"; all by default.
        path : path, optional
            Where to save the picture; the suffix chooses the format.
        ax : matplotlib.axes.Axes, or array or list of them, optional
            Where to draw, one for each variable; None makes a figure.

        Returns
        -------
        matplotlib.figure.Figure
            Shown by a notebook at the end of a cell; its `axes` are those of the variables.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If nothing of the kind is recorded, or a name is unknown.
        """
        recorded = self._recorded(validation.choice(kind, "kind", KINDS))
        shown = list(recorded) if names is None else [validation.choice(name, "names", recorded) for name in names]
        panels = panels_for(ax, len(shown), "HistogramLogger.plot")
        for axes, name in zip(panels, shown, strict=True):
            _draw(axes, self.epochs, recorded[name], self.freq)
            axes.set_title(name)
            axes.set_xlabel("epoch")
            axes.set_ylabel(kind.removesuffix("s"))
            whole_ticks(axes)
        figure = panels[0].get_figure().figure
        if path is not None:
            figure.savefig(path)
        return figure

    def _recorded(self, kind: str) -> Mapping[str, list[Histogram]]:
        recorded: dict[str, list[Histogram]] = getattr(self, kind)
        if recorded:
            return recorded
        if kind == "gradients" and self.x is None:
            raise ValueError(
                "`kind` must be 'weights' without a batch to take gradients of: give HistogramLogger x and y"
            )
        raise ValueError("HistogramLogger.plot needs at least one finished epoch. Received: no histograms")


def histogram_of(values: object, bins: int) -> Histogram:
    """Return the histogram of all finite values of an array, from the least to the greatest.

    Examples
    --------
    >>> histogram = histogram_of([[0.0, 1.0], [1.0, np.nan]], 2)
    >>> histogram.counts, histogram.edges
    (array([1, 2]), array([0. , 0.5, 1. ]))
    """
    flat = np.asarray(values, np.float64).ravel()
    flat = flat[np.isfinite(flat)]
    low, high = (flat.min(), flat.max()) if flat.size else (0.0, 0.0)
    if high - low <= 1e-9 * max(abs(low), abs(high)):  # too close to be told apart by edges
        half = max(abs(low), abs(high)) / 2 or 1e-6  # so that it widens no picture in which others are drawn
        low, high = low - half, high + half
    return Histogram(*np.histogram(flat, bins, (low, high)))


def _draw(axes: Any, epochs: Sequence[int], histograms: Sequence[Histogram], freq: int) -> None:
    """Draw one column for each epoch as a single mesh, in which what is between two columns has no width."""
    counts = np.array([each.counts for each in histograms], np.float64)
    fullest = np.maximum(counts.max(axis=1, keepdims=True), 1.0)
    sides = np.add.outer(epochs, (-freq / 2, freq / 2)).ravel()
    edges = np.repeat([each.edges for each in histograms], 2, axis=0)
    shares = np.repeat(counts / fullest, 2, axis=0)[:-1]
    axes.pcolormesh(np.broadcast_to(sides, edges.T.shape), edges.T, shares.T, cmap="Blues", vmin=0, vmax=1)
