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
        self._numbers: list[int] = []  # of the epochs of all trainings
        self._places: dict[str, list[int]] = {}  # of each value among them: with validation_freq some have none
        self._earlier: dict[str, int] = {}  # values of earlier trainings
        self._n_earlier = 0  # epochs of earlier trainings

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Forget the epochs of an earlier training, but not their values."""
        self.epoch = []
        self._earlier = {name: len(values) for name, values in self.history.items()}
        self._n_earlier = len(self._numbers)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Append the epoch's values."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
            self._places.setdefault(name, []).append(len(self._numbers))
        self._numbers.append(epoch)
        if self.model is not None:
            self.model.history = self

    def record(self, done: int, epochs: Sequence[int], logs: Sequence[Logs]) -> None:
        """Put the values of several epochs behind those of the first `done` ones of this training; twice is as once."""
        self.epoch[done:] = epochs
        begun = self._n_earlier + done
        self._numbers[begun:] = epochs
        for name in logs[0]:
            first = self._earlier.get(name, 0) + done
            self.history.setdefault(name, [])[first:] = [each[name] for each in logs]
            self._places.setdefault(name, [])[first:] = range(begun, begun + len(epochs))

    def plot(
        self,
        names: Iterable[str] | None = None,
        path: str | os.PathLike[str] | None = None,
        ax: object = None,
        *,
        monitor: str | None = "val_loss",
        mode: str = "auto",
    ) -> Any:
        """Draw each metric over the epochs, training beside validation, with the best epoch marked.

        The learning rate is drawn where it is in the logs, as `LearningRateScheduler` and `ReduceLROnPlateau` put it.

        Parameters
        ----------
        names : iterable of str, optional
            Metrics without `val_`; all by default.
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
        shown = self._plotted(names, "History.plot")
        best = self._best_place(monitor, mode, "History.plot")
        drawn_in = panels_for(ax, len(shown), "History.plot")
        for axes, name in zip(drawn_in, shown, strict=True):
            self._draw_curves(axes, name)
            if best is not None:
                # In the axes' own heights, so that the mark moves no limits.
                upright = axes.get_xaxis_transform()
                epoch = self._all_epochs()[best]
                axes.vlines(epoch, 0, 1, "gray", "dashed", label=f"best epoch: {epoch}", transform=upright)
            axes.legend()
        figure = drawn_in[0].get_figure().figure
        if path is not None:
            figure.savefig(path)
        return figure

    def to_html(
        self,
        path: str | os.PathLike[str] | None = None,
        title: str = "History of a training",
        *,
        monitor: str | None = "val_loss",
        mode: str = "auto",
    ) -> str:
        """Write a page with a picture for every metric and a table of all epochs, in English and Chinese.

        It is one file that needs no other. A slider, the arrow keys or a click choose an epoch, whose values stand
        below the pictures; the best epoch is marked, and every metric that is positive can have a logarithmic scale.

        Parameters
        ----------
        path : path, default None
            Where to write the page; None: nowhere.
        title : str, default "History of a training"
        monitor, mode
            What is best in the best epoch, as in `plot`.

        Returns
        -------
        str
            The page.

        Raises
        ------
        ValueError
            As `plot`.

        Examples
        --------
        >>> from cnn_core import Input, Sequential, layers
        >>> model = Sequential([Input((1,)), layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> page = model.fit([[1.0], [2.0]], [[2.0], [4.0]], epochs=5, verbose=0).to_html(title="y from x")
        >>> page[:15], "<title>y from x</title>" in page
        ('<!doctype html>', True)
        """
        from cnn_core.callbacks.page.writing import Best, history_page
        from cnn_core.foundation.pages.writing import write

        shown = self._plotted(None, "History.to_html")
        best = self._best_place(monitor, mode, "History.to_html")
        epochs = self._all_epochs()
        columns: dict[str, list[Any]] = {name: [None] * len(epochs) for name in self.history}
        for name, values in self.history.items():
            for place, value in zip(self._where(name), values, strict=True):
                columns[name][place] = value
        page = history_page(
            epochs,
            columns,
            {name: self._curves(name) for name in shown},
            [name for name in shown if self._spans_decades(name)],
            None if best is None or monitor is None else Best(best, monitor),
            str(title),
        )
        return write(page, path)

    def _draw_curves(self, axes: Any, name: str) -> None:
        for key, label in self._curves(name):
            axes.plot(self._epochs(key), self.history[key], label=label, marker=self._marker(key))
        if self._spans_decades(name):
            axes.set_yscale("log")
        axes.set_title(name)
        axes.set_xlabel("epoch")
        whole_ticks(axes)

    def _spans_decades(self, name: str) -> bool:
        """Whether this is a learning rate that a logarithmic scale shows better."""
        return name == LEARNING_RATE and bool(max(self.history[name]) >= 10 * min(self.history[name]) > 0)

    def _where(self, key: str) -> Sequence[int]:
        """Return where among all epochs a metric's values are; those that a user put there begin with the first."""
        known, count = self._places.get(key, []), len(self.history[key])
        return known if len(known) == count else range(count)

    def _all_epochs(self) -> list[int]:
        """Return the number of every epoch that has a value."""
        most = max((place + 1 for key in self.history for place in self._where(key)), default=0)
        return [*self._numbers, *range(len(self._numbers), most)]

    def _epochs(self, key: str) -> list[int]:
        """Return the epoch of each of a metric's values."""
        numbers = self._all_epochs()
        return [numbers[place] for place in self._where(key)]

    def _best_place(self, monitor: str | None, mode: str, caller: str) -> int | None:
        """Return where among all epochs the best value that is a number is; None if there is none or nobody asks."""
        from cnn_core.callbacks.monitors import is_higher_better

        validation.one_of(mode, "mode", ("auto", "min", "max"))
        if monitor is None or (monitor == "val_loss" and monitor not in self.history):
            return None
        values = np.asarray(self.history[validation.choice(monitor, "monitor", list(self.history))], np.float64)
        if np.isnan(values).all():
            return None
        higher = is_higher_better(monitor, mode, self.model, caller)
        return self._where(monitor)[int(np.nanargmax(values if higher else -values))]

    def _repr_html_(self) -> str | None:
        """Show the curves in a notebook, without matplotlib; None, so that text is shown, before the first epoch."""
        from cnn_core.foundation.charts import Curve, Panel, panels

        if not self.history:
            return None
        shown = []
        for name in self._plotted(None, "History"):
            curves = [Curve(label, self._epochs(key), self.history[key]) for key, label in self._curves(name)]
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

    def _plotted(self, names: Iterable[str] | None, caller: str) -> list[str]:
        known = list(dict.fromkeys(name.removeprefix("val_") for name in self.history))
        if not known:
            raise ValueError(f"{caller} needs at least one finished epoch. Received: an empty history")
        return known if names is None else [validation.choice(name, "names", known) for name in names]
