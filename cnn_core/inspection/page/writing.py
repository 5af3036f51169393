"""A traced batch as a page: its arrays as JSON, whose numbers are exactly the trace's, beside scripts and styles."""

from __future__ import annotations

import html
import json
from importlib.resources import files
from typing import Any

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.inspection.diagram import Diagram
from cnn_core.inspection.network_layout import stand
from cnn_core.inspection.records import BatchRecord, LayerTrace

__all__ = ["step_page"]

SCRIPTS = ("texts.js", "steps.js", "network.js", "chain.js", "view.js")


def step_page(record: BatchRecord, title: str) -> str:
    """Return the page, one HTML file that asks for nothing else."""
    parts = {
        "title": html.escape(title),
        "style": _text("page.css"),
        "script": "\n".join(map(_text, SCRIPTS)),
        "data": _data(record),
    }
    page = _text("page.html")
    for name in ("title", "style", "script", "data"):  # what a user has named comes last but for the title
        page = page.replace(f"{{{{{name}}}}}", parts[name])
    return page


def _text(name: str) -> str:
    return (files("cnn_core.inspection.page") / name).read_text(encoding="utf-8").rstrip()


def _data(record: BatchRecord) -> str:
    """Return the trace as JSON that is safe within a script of a page: no `<` begins a tag in it."""
    described = {
        "n": len(next(iter(record.inputs.values()))),
        "inputs": _named(record.inputs),
        "layers": [_layer(layer) for layer in record.layers],
        "loss": record.loss,
        "losses": [
            {"name": each.name, "output": each.output, "value": each.value, "target": _array(each.target)}
            for each in record.losses
        ],
        "outputs": _named(record.outputs),
        "penalties": _named(record.penalties),
        "layout": _layout(Diagram.of(record, 0)),
    }
    return json.dumps(described, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _array(values: Array | None) -> dict[str, Any] | None:
    """Return shape and elements; JSON has no numbers that are not finite, so they become text."""
    if values is None:
        return None
    data = np.ascontiguousarray(values).reshape(-1).tolist()
    if not np.isfinite(values).all():
        names = {np.inf: "Infinity", -np.inf: "-Infinity"}
        data = [each if np.isfinite(each) else names.get(each, "NaN") for each in data]
    return {"shape": list(values.shape), "data": data}


def _named(arrays: dict[str, Array]) -> list[dict[str, Any]]:
    return [{"name": name, "values": _array(values)} for name, values in arrays.items()]


def _layer(layer: LayerTrace) -> dict[str, Any]:
    # A z that is the same array as a is left out: the page takes a instead.
    arrays = {name: _array(getattr(layer, name)) for name in ("a", "slope", "da", "delta", "W", "b", "dW", "db")}
    others = {} if layer.kind == "dense" else layer.parameters
    gradients = {} if layer.kind == "dense" else layer.gradients
    return {
        "name": layer.name,
        "kind": layer.kind,
        "inputs": layer.inputs,
        "activation": layer.activation,
        "z": None if layer.z is layer.a else _array(layer.z),
        **arrays,
        "dInputs": [_array(back) for back in layer.d_inputs],
        "parameters": {name: _array(values) for name, values in others.items()},
        "gradients": {name: _array(values) for name, values in gradients.items()},
    }


def _layout(diagram: Diagram) -> dict[str, Any]:
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
