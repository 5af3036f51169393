"""The record of losses and metrics that `fit` returns, and its plot."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.callbacks.base import Callback, Logs
from cnn_core.foundation.figures import panels_for, whole_ticks

LEARNING_RATE = "learning_rate"  # in the logs, where a callback put it


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
        self,
        names: Iterable[str] | None = None,
        path: str | os.PathLike[str] | None = None,
        ax: Any = None,
        *,
        monitor: str | None = "val_loss",
        mode: str = "auto",
    ) -> Any:
        """Draw each metric over the epochs, training beside validation, with the best epoch marked.

        The learning rate is drawn where it is in the logs, as `LearningRateScheduler` and `ReduceLROnPlateau` put it.

        Parameters
        ----------
        names : iterable of str, optional
            Metrics without "val_"; all by default.
        path : path, optional
            Where to save the picture; the suffix chooses the format.
        ax : matplotlib.axes.Axes, or array or list of them, optional
            Where to draw, one for each metric; None makes a figure.
        monitor : str or None, default "val_loss"
            What is best in the epoch that is marked by an upright line; without validation there is no mark by default.
            None marks none.
        mode : {"auto", "min", "max"}, default "auto"
            Which direction of `monitor` is better; "auto" knows it for losses and for the metrics of the model.

        Returns
        -------
        matplotlib.figure.Figure
            Shown by a notebook at the end of a cell.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If nothing is recorded yet, a name is unknown, or "auto" cannot know the direction.
        """
        shown = self._plotted(names)
        best = self._best_epoch(monitor, mode)
        drawn_in = panels_for(ax, len(shown), "History.plot")
        for axes, name in zip(drawn_in, shown, strict=True):
            self._draw_curves(axes, name)
            if best is not None:
                # In the axes' own heights, so that the mark moves no limits.
                upright = axes.get_xaxis_transform()
                axes.vlines(best, 0, 1, "gray", "dashed", label=f"best epoch: {best}", transform=upright)
            axes.legend()
        figure = drawn_in[0].get_figure().figure
        if path is not None:
            figure.savefig(path)
        return figure

    def _draw_curves(self, axes: Any, name: str) -> None:
        for key, label in self._curves(name):
            axes.plot(self._epochs[key], self.history[key], label=label, marker=self._marker(key))
        if name == LEARNING_RATE and max(self.history[name]) >= 10 * min(self.history[name]) > 0:
            axes.set_yscale("log")
        axes.set_title(name)
        axes.set_xlabel("epoch")
        whole_ticks(axes)

    def _best_epoch(self, monitor: str | None, mode: str) -> int | None:
        """Return the epoch of the best value that is a number, None if there is none or nobody asks."""
        from cnn_core.callbacks.monitors import is_higher_better

        validation.one_of(mode, "mode", ("auto", "min", "max"))
        if monitor is None or (monitor == "val_loss" and monitor not in self.history):
            return None
        values = np.asarray(self.history[validation.choice(monitor, "monitor", list(self.history))], np.float64)
        if np.isnan(values).all():
            return None
        higher = is_higher_better(monitor, mode, self.model, "History.plot")
        return self._epochs[monitor][int(np.nanargmax(values if higher else -values))]

    def _repr_html_(self) -> str | None:
        """Show the curves in a notebook, without matplotlib; None, so that text is shown, before the first epoch."""
        from cnn_core.foundation.charts import Curve, Panel, panels

        if not self.history:
            return None
        shown = []
        for name in self._plotted(None):
            curves = [Curve(label, self._epochs[key], self.history[key]) for key, label in self._curves(name)]
            shown.append(Panel(name, curves))
        return panels(shown, "History of a training").to_svg()

    def _curves(self, name: str) -> list[tuple[str, str]]:
        """Return key and label of what there is of a metric."""
        if name == LEARNING_RATE:
            return [(name, "learning rate")]
        return [each for each in ((name, "training"), (f"val_{name}", "validation")) if each[0] in self.history]

    def _marker(self, key: str) -> str:
        """A single value is a point: a line needs two."""
        return "o" if len(self.history[key]) == 1 else ""

    def _plotted(self, names: Iterable[str] | None) -> list[str]:
        known = list(dict.fromkeys(name.removeprefix("val_") for name in self.history))
        if not known:
            raise ValueError("History.plot needs at least one finished epoch. Received: an empty history")
        return known if names is None else [validation.choice(name, "names", known) for name in names]
