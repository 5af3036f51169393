"""Training as a film: a trace of the same samples after every epoch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.callbacks.base import Callback
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.keywords import knows_its_arguments, refuse_others
from cnn_core.foundation.records import NamedTuple
from cnn_core.inspection.traces import Trace
from cnn_core.inspection.tracing import trace
from cnn_core.training.trainer import Trainer

__all__ = ["Film", "Surfaces", "film"]

SIDE = 40  # of the square of predictions over two inputs
MARGIN = 0.1  # around the samples, of their range


class Surfaces(NamedTuple):
    """The predictions over two inputs.

    Attributes
    ----------
    limits : tuple of (float, float)
        Of either input.
    points : numpy.ndarray of shape (n, 2)
        The samples that are watched.
    values : numpy.ndarray of shape (n,)
        Their targets: the first of each, or the label.
    predictions : list of numpy.ndarray of shape (side * side,)
        For each epoch the first output, rows from the least of the second input on.
    side : int
    """

    limits: tuple[tuple[float, float], tuple[float, float]]
    points: Array
    values: Array
    predictions: list[Array]
    side: int = SIDE


@dataclass(frozen=True)
class Film:
    """A training, epoch by epoch.

    Attributes
    ----------
    traces : list of Trace
        Of the samples that are watched: before training, and after each epoch.
    logs : list of dict of str to float
        What `fit` said of each epoch; nothing before training.
    surfaces : Surfaces or None
        The predictions over the inputs, where these are two numbers.
    """

    traces: list[Trace]
    logs: list[dict[str, float]]
    surfaces: Surfaces | None = None

    @property
    def losses(self) -> list[float]:
        """J of the samples that are watched, before training and after each epoch."""
        return [float(each.loss or 0.0) for each in self.traces]

    @knows_its_arguments
    def to_html(self, path: str | os.PathLike[str] | None = None, title: str = "A training") -> str:
        """Write a page with a slider over the epochs, in English and Chinese: one file that needs no other.

        It shows the loss; for every layer the root mean square of a, delta and dW, which lets vanishing and exploding
        gradients be seen, and histograms of weights, activations and deltas; the weights of a small network as lines;
        and what the network predicts over two inputs.

        Parameters
        ----------
        path : path, default None
            Where to write the page; None: nowhere.
        title : str, default "A training"

        Returns
        -------
        str
            The page.
        """
        from cnn_core.foundation.pages.writing import write
        from cnn_core.inspection.page.filming import film_page

        return write(film_page(self.traces, self.logs, self.surfaces, str(title)), path)

    def _repr_html_(self) -> str:
        from cnn_core.foundation.charts import Curve, Panel, panels

        curve = Curve("J", range(len(self.traces)), self.losses)
        return panels([Panel("loss", [curve])], "A training").to_svg()


@knows_its_arguments
def film(model: Trainer, x: Any, y: Any, epochs: int = 20, samples: int = 256, **fit: Any) -> Film:
    """Train a model, and record a trace of the same samples before the first and after every epoch.

    Parameters
    ----------
    model : Model
        Compiled. It is trained.
    x, y : array, or list or dict of arrays
    epochs : int, default 20
    samples : int, default 256
        How many samples to watch: the first of x. Traces of all epochs are kept in memory.
    **fit
        Further arguments of `fit`. It is silent unless `verbose` is given.

    Returns
    -------
    Film

    Raises
    ------
    TypeError, ValueError
        As `fit`, or if `samples` is no positive integer.

    Examples
    --------
    >>> from cnn_core import Input, Sequential, layers, utils
    >>> utils.set_random_seed(1)
    >>> model = Sequential([Input((2,)), layers.Dense(4, "tanh"), layers.Dense(1, "sigmoid")])
    >>> model.compile("adam", "binary_crossentropy")
    >>> seen = film(model, [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]], epochs=3)
    >>> len(seen.traces), len(seen.to_html()) < 200_000
    (4, True)
    """
    names = {*signature(film).parameters, *signature(Trainer.fit).parameters} - {"self", "fit"}
    refuse_others("film", names, fit)
    watched = validation.positive_integer(samples, "samples")
    x, y = _arrays(x), _arrays(y)
    camera = _Camera(model, _first(x, watched), _first(y, watched))
    camera.shoot({})
    arguments = {"verbose": 0, **fit}
    model.fit(x, y, epochs=epochs, **{**arguments, "callbacks": [*(fit.get("callbacks") or ()), camera]})
    return Film(camera.traces, camera.logs, camera.surfaces)


def _arrays(data: object) -> Any:
    """Return arrays where data are nested lists of numbers; structures of arrays stay what they are."""
    if isinstance(data, Mapping):
        return {name: _arrays(part) for name, part in data.items()}
    if isinstance(data, (list, tuple)) and data and all(hasattr(part, "shape") for part in data):
        return type(data)(_arrays(part) for part in data)
    return data if hasattr(data, "shape") else np.asarray(data)


def _first(data: Any, count: int) -> Any:
    if isinstance(data, Mapping):
        return {name: part[:count] for name, part in data.items()}
    return type(data)(part[:count] for part in data) if isinstance(data, (list, tuple)) else data[:count]


class _Camera(Callback):
    """Record a trace of the same samples whenever an epoch has ended."""

    def __init__(self, filmed: Any, x: Any, y: Any) -> None:
        super().__init__()
        self.filmed, self.x, self.y = filmed, x, y
        self.traces: list[Trace] = []
        self.logs: list[dict[str, float]] = []
        self.surfaces: Surfaces | None = None
        self.grid: Array | None = None

    def shoot(self, logs: Mapping[str, Any]) -> None:
        """Record the model as it is."""
        self.traces.append(trace(self.filmed, self.x, self.y))
        self.logs.append({name: float(value) for name, value in logs.items()})
        if len(self.traces) == 1:
            self._look_at_inputs()
        if self.surfaces is not None:
            predicted = np.asarray(self.filmed.predict(self.grid, verbose=0))
            self.surfaces.predictions.append(predicted.reshape(len(predicted), -1)[:, 0])

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Record the epoch."""
        self.shoot(logs or {})

    def _look_at_inputs(self) -> None:
        """Lay a grid over the inputs, if there are two numbers of them and one output."""
        seen = self.traces[0]
        inputs = list(seen.inputs.values())
        if len(inputs) != 1 or inputs[0].shape[1:] != (2,) or len(seen.losses) != 1:
            return
        points, targets = inputs[0], np.asarray(seen.losses[0].target)
        low, high = points.min(axis=0), points.max(axis=0)
        margin = np.where(high > low, MARGIN * (high - low), 1.0)
        axes = [np.linspace(low[axis] - margin[axis], high[axis] + margin[axis], SIDE) for axis in (0, 1)]
        across, down = np.meshgrid(*axes)
        self.grid = np.stack([across.reshape(-1), down.reshape(-1)], axis=1)
        limits = [(float(axis[0]), float(axis[-1])) for axis in axes]
        self.surfaces = Surfaces((limits[0], limits[1]), points, targets.reshape(len(points), -1)[:, 0], [])
