"""A traced batch as a page: its arrays as JSON, whose numbers are exactly the trace's."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.foundation.pages.writing import filled_in, json_number
from cnn_core.inspection.diagram import Diagram
from cnn_core.inspection.network_layout import stand
from cnn_core.inspection.records import BatchRecord, LayerTrace

__all__ = ["FILM_SCRIPTS", "PACKAGE", "STEP_SCRIPTS", "array_data", "layout_data", "step_page"]

PACKAGE = "cnn_core.inspection.page"
STEP_SCRIPTS = (
    "step_texts.js",
    "steps.js",
    "network.js",
    "chain.js",
    "arrays.js",
    "descriptions.js",
    "view.js",
)
FILM_SCRIPTS = ("film_texts.js", "film.js")


def step_page(record: BatchRecord, title: str) -> str:
    """Return the page, one HTML file that asks for nothing else."""
    return filled_in(PACKAGE, "step.html", STEP_SCRIPTS, _described(record), title)


def _described(record: BatchRecord) -> dict[str, Any]:
    return {
        "n": len(next(iter(record.inputs.values()))),
        "inputs": _named(record.inputs),
        "layers": [_layer(layer) for layer in record.layers],
        "loss": record.loss,
        "losses": [
            {"name": each.name, "output": each.output, "value": each.value, "target": array_data(each.target)}
            for each in record.losses
        ],
        "outputs": _named(record.outputs),
        "penalties": _named(record.penalties),
        "layout": layout_data(Diagram.of(record, 0)),
    }


def array_data(values: Array | None) -> dict[str, Any] | None:
    """Return shape and elements."""
    if values is None:
        return None
    data = np.ascontiguousarray(values).reshape(-1).tolist()
    if not np.isfinite(values).all():
        data = [json_number(each) for each in data]
    return {"shape": list(values.shape), "data": data}


def _named(arrays: dict[str, Array]) -> list[dict[str, Any]]:
    return [{"name": name, "values": array_data(values)} for name, values in arrays.items()]


def _layer(layer: LayerTrace) -> dict[str, Any]:
    # A z that is the same array as a is left out: the page takes a instead.
    arrays = {name: array_data(getattr(layer, name)) for name in ("a", "slope", "da", "delta", "W", "b", "dW", "db")}
    others = {} if layer.W is not None else layer.parameters
    gradients = {} if layer.W is not None else layer.gradients
    return {
        "name": layer.name,
        "kind": layer.kind,
        "inputs": layer.inputs,
        "activation": layer.activation,
        "z": None if layer.z is layer.a else array_data(layer.z),
        **arrays,
        "dInputs": [array_data(back) for back in layer.d_inputs],
        "parameters": {name: array_data(values) for name, values in others.items()},
        "gradients": {name: array_data(values) for name, values in gradients.items()},
    }


def layout_data(diagram: Diagram) -> dict[str, Any]:
    """Return where the columns of the picture stand, and how lines and arrows connect them."""
    layout = stand(diagram, wide=False)
    columns = [
        {
            "name": each.column.name,
            "caption": each.column.caption,
            "x": each.x,
            "y": each.y,
            "height": each.height,
            "half": each.half,
            "units": each.column.a.size,
            "folded": each.column.folded,
        }
        for each in layout.columns
    ]
    ways: list[dict[str, Any]] = []
    for link in diagram.links:
        source, target = layout.columns[link.source], layout.columns[link.target]
        lines = link.weights is not None and not (source.column.folded or target.column.folded)
        ends = (source.x + source.half + 2, source.y), (target.x - target.half - 2, target.y)
        way = [ends[0], *layout.ways[link.source, link.target][1:-1], ends[1]]
        ways.append({"source": link.source, "target": link.target, "lines": lines, "points": way})
    for place in dict.fromkeys(place for place, _, _ in diagram.losses):
        assert layout.loss is not None
        source, (x, y) = layout.columns[place], layout.loss
        way = [(source.x + source.half + 2, source.y), *layout.ways[place, len(layout.columns)][1:-1], (x - 44, y)]
        ways.append({"source": place, "target": None, "lines": False, "points": way})
    return {"columns": columns, "loss": layout.loss, "ways": ways, "size": layout.size}
