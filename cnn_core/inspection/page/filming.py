"""A training as a page with a slider: what each epoch's trace comes to, small enough to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.foundation.pages.writing import filled_in
from cnn_core.inspection.diagram import Diagram
from cnn_core.inspection.page.writing import FILM_SCRIPTS, PACKAGE, array_data, layout_data
from cnn_core.inspection.records import BatchRecord, LayerTrace

__all__ = ["film_page"]

BINS = 25
DIGITS = 4  # of a prediction in the picture of all
MOST_WEIGHTS = 400  # of a network whose lines are drawn


def film_page(traces: Sequence[BatchRecord], logs: Sequence[Mapping[str, float]], surfaces: Any, title: str) -> str:
    """Return the page, one HTML file that asks for nothing else.

    Parameters
    ----------
    traces, logs
        One for each epoch, that before training first.
    surfaces : Surfaces or None
    title : str
    """
    layers = [layer.name for layer in traces[0].layers]
    ranges = [_ranges([trace.layers[number] for trace in traces]) for number in range(len(layers))]
    lined = sum(0 if layer.W is None else layer.W.size for layer in traces[0].layers) <= MOST_WEIGHTS
    frames = [
        {
            "J": _number(trace.loss),
            "logs": {name: _number(value) for name, value in log.items()},
            "sizes": {name: [_size(getattr(layer, name)) for layer in trace.layers] for name in ("a", "delta", "dW")},
            "histograms": [_counts(layer, each) for layer, each in zip(trace.layers, ranges, strict=True)],
            "weights": {layer.name: array_data(layer.W) for layer in trace.layers if lined and layer.W is not None},
            "surface": []
            if surfaces is None
            else surfaces.predictions[number].astype(np.float64).round(DIGITS).tolist(),
        }
        for number, (trace, log) in enumerate(zip(traces, logs, strict=True))
    ]
    data = {
        "samples": len(next(iter(traces[0].inputs.values()))),
        "layers": [{"name": name, "ranges": each} for name, each in zip(layers, ranges, strict=True)],
        "frames": frames,
        "layout": layout_data(Diagram.of(traces[0], 0)) if lined else None,
        "surface": None
        if surfaces is None
        else {
            "side": surfaces.side,
            "limits": surfaces.limits,
            "points": surfaces.points.tolist(),
            "values": surfaces.values.tolist(),
        },
    }
    return filled_in(PACKAGE, "film.html", FILM_SCRIPTS, data, title, shared=["axes.js"])


def _rounded(values: Array) -> list[float]:
    return [float(value) for value in np.nan_to_num(values.astype(np.float64)).round(DIGITS)]


def _number(value: float | None) -> float | str | None:
    return value if value is None or np.isfinite(value) else str(value)


def _size(values: Array | None) -> float:
    """Root mean square; 0, which the page leaves out, where there is nothing finite."""
    if values is None or not values.size or not np.isfinite(values).all():
        return 0.0
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def _quantities(layer: LayerTrace) -> dict[str, Array]:
    found = {"W": layer.W, "a": layer.a, "delta": layer.delta}
    return {name: values[np.isfinite(values)] for name, values in found.items() if values is not None}


def _ranges(layers: Sequence[LayerTrace]) -> dict[str, tuple[float, float]]:
    """Return for each quantity of a layer the range of its values over all epochs."""
    found: dict[str, tuple[float, float]] = {}
    for name in _quantities(layers[0]):
        parts = [values for layer in layers if (values := _quantities(layer)[name]).size]
        low, high = (float(min(map(np.min, parts), default=0.0)), float(max(map(np.max, parts), default=0.0)))
        found[name] = (low, high) if low < high else (low - 0.5, high + 0.5)
    return found


def _counts(layer: LayerTrace, ranges: Mapping[str, tuple[float, float]]) -> dict[str, list[int]]:
    found = _quantities(layer)
    return {name: np.histogram(found[name], BINS, limits)[0].tolist() for name, limits in ranges.items()}
