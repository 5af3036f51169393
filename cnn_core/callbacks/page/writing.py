"""A history as a page: its values, row by row of a table, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnn_core.foundation.pages.writing import filled_in, json_number
from cnn_core.foundation.records import NamedTuple

__all__ = ["SCRIPTS", "Best", "history_page"]

SCRIPTS = ("history_texts.js", "history.js")
KINDS = {"training": "training", "validation": "validation", "learning rate": "learningRate"}  # names of texts


class Best(NamedTuple):
    """The row of the best epoch, and by what it is the best."""

    row: int
    monitor: str


def history_page(
    epochs: Sequence[int],
    values: Mapping[str, Sequence[Any]],
    panels: Mapping[str, Sequence[tuple[str, str]]],
    logarithmic: Sequence[str],
    best: Best | None,
    title: str,
) -> str:
    """Return the page, one HTML file that asks for nothing else.

    Parameters
    ----------
    epochs : sequence of int
        For each row of the table its epoch.
    values : dict of str to sequence
        For each column a value in every row, None where there is none.
    panels : dict of str to sequence of (str, str)
        For each picture its curves: name of a column, and "training", "validation" or "learning rate".
    logarithmic : sequence of str
        Pictures whose scale is logarithmic from the start.
    best : Best or None
    title : str
    """
    numbers = {name: column for name, column in values.items() if all(map(_is_number, column))}
    drawn = {name: [curve for curve in curves if curve[0] in numbers] for name, curves in panels.items()}
    data = {
        "epochs": list(epochs),
        "values": {name: [_number(value) for value in column] for name, column in numbers.items()},
        "texts": {
            name: ["" if value is None else str(value) for value in column]
            for name, column in values.items()
            if name not in numbers
        },
        "panels": [
            {"name": name, "curves": [{"key": key, "kind": KINDS[kind]} for key, kind in curves]}
            for name, curves in drawn.items()
            if curves
        ],
        "logarithmic": list(logarithmic),
        "best": None if best is None else best._asdict(),
    }
    return filled_in("cnn_core.callbacks.page", "history.html", SCRIPTS, data, title, shared=["axes.js"])


def _is_number(value: Any) -> bool:
    """Callbacks may put anything into the logs; what is no number stands in the table only."""
    return value is None or (np.ndim(value) == 0 and np.asarray(value).dtype.kind in "biuf")


def _number(value: Any) -> float | str | None:
    return None if value is None else json_number(float(value))
