"""The table that `Model.summary` prints. Floor 4."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any



def format_summary(
    model: Any,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> str:
    """Return the layers of a model with their output shapes and numbers of parameters, as text."""
    several = not hasattr(model, "_stack")
    headings = ["Layer (type)", "Output Shape", "Param #"] + (["Connected to"] if several else [])
    headings += ["Trainable"] if show_trainable else []
    rows = summary_rows(model, several, show_trainable, expand_nested)
    if layer_range is not None:
        names = [row[0].split(" (")[0] for row in rows]
        rows = rows[names.index(layer_range[0]) : names.index(layer_range[1]) + 1]
    widths = [max(len(line) for cell in column for line in cell.split("\n")) + 2 for column in zip(headings, *rows, strict=True)]
    length = line_length or min(max(sum(widths) + len(widths) + 1, 60), max(shutil.get_terminal_size().columns, 80))
    spare = max(0, length - len(widths) - 1 - sum(widths))
    widths = [width + spare // len(widths) for width in widths]
    if positions is not None:
        edges = [0, *(int(position * length) if position <= 1 else int(position) for position in positions)]
        widths = [max(8, b - a - 1) for a, b in zip(edges, edges[1:], strict=False)][: len(headings)]
    lines = [f'Model: "{model.name}"', _rule(widths, "┏┳┓", "━"), _row(headings, widths, "┃"), _rule(widths, "┡╇┩", "━")]
    for number, row in enumerate(rows):
        lines += [] if number == 0 else [_rule(widths, "├┼┤", "─")]
        lines.append(_row(row, widths, "│"))
    lines.append(_rule(widths, "└┴┘", "─"))
    return "\n".join([*lines, *_counts(model)])


def summary_rows(model: Any, connections: bool = False, show_trainable: bool = False, nested: bool = False) -> list[list[str]]:
    """Return the cells of the table, a row for each layer."""
    shapes = {}
    sources: dict[str, list[str]] = {}
    if model.built:
        for symbol in model.inputs:
            shapes[symbol.name] = symbol.shape
        for node in model._nodes:
            shapes[node.layer.name] = node.outputs[0].shape if len(node.outputs) == 1 else [s.shape for s in node.outputs]
            before = [s.node.layer.name if s.node is not None else s.name for s in node.inputs]
            sources.setdefault(node.layer.name, []).extend(before)
    rows = []
    for layer in model.layers:
        count = f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"
        row = [f"{layer.name} ({type(layer).__name__})", str(shapes.get(layer.name, "?")), count]
        row += [", ".join(sources.get(layer.name, ["-"]))] if connections else []
        row += ["Y" if layer.trainable else "N"] if show_trainable else []
        rows.append(row)
        if nested and hasattr(layer, "layers"):
            rows += [[f"  └ {cells[0]}", *cells[1:]] for cells in summary_rows(layer, connections, show_trainable, nested)]
    return rows


def _counts(model: Any) -> list[str]:
    total = model.count_params()
    trained = sum(variable.size for variable in model.trainable_variables)
    size = 8 if model.built and str(model.compute_dtype) == "float64" else 4
    lines = [
        f" Total params: {total:,} ({_bytes(total * size)})",
        f" Trainable params: {trained:,} ({_bytes(trained * size)})",
        f" Non-trainable params: {total - trained:,} ({_bytes((total - trained) * size)})",
    ]
    state = getattr(getattr(model, "optimizer", None), "state", {})
    kept = sum(vector.size for vector in state.values())
    return [*lines, f" Optimizer params: {kept:,} ({_bytes(kept * size)})"] if kept else lines


def _bytes(count: int) -> str:
    for unit, size in (("GB", 2**30), ("MB", 2**20), ("KB", 2**10)):
        if count >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count:.2f} B"


def _rule(widths: Sequence[int], corners: str, line: str) -> str:
    return corners[0] + corners[1].join(line * width for width in widths) + corners[2]


def _row(cells: Sequence[str], widths: Sequence[int], edge: str) -> str:
    fitted = [_fit(cell, width - 2) for cell, width in zip(cells, widths, strict=True)]
    return edge + edge.join(f" {cell:<{width - 1}}" for cell, width in zip(fitted, widths, strict=True)) + edge


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"
