"""The record of losses and metrics that `fit` returns, and its plot."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import cnn_core.foundation.validation as validation
from cnn_core.callbacks.base import Callback, Logs
from cnn_core.foundation.figures import axes_for, new_figure, whole_ticks

PLOTS_ABREAST = 4


class History(Callback):
    """Record the results of every epoch; `fit` returns one.

    Attributes
    ----------
    epoch : list of int
        The epochs of the last training.
    history : dict of str to list of float
        For each name in the logs, its value after each epoch.

    Examples
    --------
    >>> from cnn_core.callbacks import CallbackList
    >>> recorded = CallbackList(add_history=True)
    >>> recorded.on_train_begin()
    >>> _ = recorded.on_epoch_end(0, {"loss": 0.5})
    >>> _ = recorded.on_epoch_end(1, {"loss": 0.25})
    >>> recorded.history.history
    {'loss': [0.5, 0.25]}
    """

    def __init__(self) -> None:
        super().__init__()
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = {}
        self._epochs: dict[str, list[int]] = {}  # of each value: with validation_freq some epochs have none
        self._earlier: dict[str, int] = {}  # values of earlier trainings

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget the epochs of an earlier training, but not their values."""
        self.epoch = []
        self._earlier = {name: len(values) for name, values in self.history.items()}

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Append the epoch's values."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
            self._epochs.setdefault(name, []).append(epoch)
        if self.model is not None:
            self.model.history = self

    def record(self, done: int, epochs: Sequence[int], logs: Sequence[Logs]) -> None:
        """Put the values of several epochs behind those of the first `done` ones of this training; twice is as once."""
        self.epoch[done:] = epochs
        for name in logs[0]:
            first = self._earlier.get(name, 0) + done
            self.history.setdefault(name, [])[first:] = [each[name] for each in logs]
            self._epochs.setdefault(name, [])[first:] = epochs

    def plot(
        self, names: Iterable[str] | None = None, path: str | os.PathLike[str] | None = None, ax: Any = None
    ) -> Any:
        """Draw each metric over the epochs, training beside validation.

        Parameters
        ----------
        names : iterable of str, optional
            Metrics without "val_"; all by default.
        path : path, optional
            Where to save the picture; the suffix chooses the format.
        ax : matplotlib.axes.Axes, or array or list of them, optional
            Where to draw, one for each metric; None makes a figure.

        Returns
        -------
        matplotlib.figure.Figure
            Shown by a notebook at the end of a cell.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If nothing is recorded yet, or a metric is unknown.
        """
        shown = self._plotted(names)
        panels = self._panels(len(shown)) if ax is None else axes_for(ax, len(shown), "History.plot")
        for axes, name in zip(panels, shown, strict=True):
            for key, label in ((name, "training"), (f"val_{name}", "validation")):
                if key in self.history:
                    axes.plot(self._epochs[key], self.history[key], label=label, marker=self._marker(key))
            axes.set_title(name)
            axes.set_xlabel("epoch")
            whole_ticks(axes)
            axes.legend()
        figure = panels[0].get_figure().figure
        if path is not None:
            figure.savefig(path)
        return figure

    def _repr_html_(self) -> str | None:
        """Show the curves in a notebook, without matplotlib; None, so that text is shown, before the first epoch."""
        from cnn_core.foundation.charts import Curve, Panel, panels

        if not self.history:
            return None
        shown = []
        for name in self._plotted(None):
            named = ((f"{name}", "training"), (f"val_{name}", "validation"))
            curves = [Curve(label, self._epochs[key], self.history[key]) for key, label in named if key in self.history]
            shown.append(Panel(name, curves))
        return panels(shown, "History of a training").to_svg()

    @staticmethod
    def _panels(count: int) -> list[Any]:
        n_cols = min(count, PLOTS_ABREAST)
        n_rows = -(-count // n_cols)
        size = 1.2 + 4.2 * n_cols, 3.6 * n_rows
        figure = new_figure("History.plot", layout="constrained", figsize=size)
        return [figure.add_subplot(n_rows, n_cols, place) for place in range(1, count + 1)]

    def _marker(self, key: str) -> str:
        """A single value is a point: a line needs two."""
        return "o" if len(self.history[key]) == 1 else ""

    def _plotted(self, names: Iterable[str] | None) -> list[str]:
        known = list(dict.fromkeys(name.removeprefix("val_") for name in self.history))
        if not known:
            raise ValueError("History.plot needs at least one finished epoch. Received: an empty history")
        return known if names is None else [validation.choice(name, "names", known) for name in names]
