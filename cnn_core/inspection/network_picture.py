"""The picture of a traced network: units with a and delta, weights as lines between them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

import cnn_core.foundation.drawing as drawing
from cnn_core.foundation.drawing import Box, Disc, Line, Picture, Point, Shape, Text, Tiles, brief_number, short_number
from cnn_core.inspection.diagram import Diagram, Link
from cnn_core.inspection.network_layout import FRAME, RADIUS, SIDE, STRIP, NetworkLayout, Standing, stand

__all__ = ["network_picture"]

FOOT = 56.0
WIDEST_LINE = 5.0
NO_WEIGHT, FRAME_FILL, FRAME_EDGE = "#d0d7de", "#f6f8fa", "#d8dee4"


def network_picture(diagram: Diagram, numbers: bool | None = None, title: str = "") -> Picture:
    """Draw a diagram.

    Parameters
    ----------
    diagram : Diagram
    numbers : bool, default None
        True: z and b beside every unit, the weight and its share of dJ/dW along every line, too. False: colours only.
        None: a and delta in every unit.
    title : str, default ""
    """
    wide = numbers is True
    layout = stand(diagram, wide)
    full = drawing.largest(*(link.weights for link in diagram.links))
    back = drawing.largest(*(column.delta for column in diagram.columns))
    shapes: list[Shape] = [_frame(each) for each in layout.columns if not each.column.folded]
    for link in diagram.links:
        shapes += _link(link, layout, full)
    for each in layout.columns:
        shapes += _column(each, back, numbers)
    for link in diagram.links if wide else ():
        shapes += _weights_along(link, layout)
    if layout.loss is not None:
        shapes += _loss(diagram, layout, layout.loss)
    size = max(layout.size[0], 470.0), layout.size[1] + FOOT
    return Picture(size, [*shapes, *_legend(diagram, size[1], wide)], title)


def _frame(at: Standing) -> Shape:
    corner = at.x - at.half, at.y - at.height / 2
    return Box(corner, (2 * at.half, at.height), FRAME_FILL, FRAME_EDGE, 10)


def _one_by_one(link: Link, layout: NetworkLayout) -> bool:
    folded = layout.columns[link.source].column.folded or layout.columns[link.target].column.folded
    return link.weights is not None and not folded


def _link(link: Link, layout: NetworkLayout, full: float) -> Iterator[Shape]:
    source, target = layout.columns[link.source], layout.columns[link.target]
    if _one_by_one(link, layout):
        return _lines(link, source, target, full)
    if link.weights is not None:
        return _folded_link(link, source, target, full)
    begin, end = (source.x + source.half + 2, source.y), (target.x - target.half - 2, target.y)
    way = layout.ways[link.source, link.target][1:-1]
    return iter([Line([begin, *_turned_in(begin, way, end), end], width=2.2, arrow=True)])


def _turned_in(begin: Point, way: list[Point], end: Point) -> list[Point]:
    """Let an arrow leave and arrive level, if it does not run straight."""
    if not way and begin[1] == end[1]:
        return []
    reach = 10.0
    return [(begin[0] + reach, begin[1]), *way, (end[0] - reach - 6, end[1])]


def _column(at: Standing, back: float, numbers: bool | None) -> Iterator[Shape]:
    column, scale = at.column, drawing.largest(at.column.a)
    top = at.y - at.height / 2
    yield Text((at.x, top - 26), column.name, 12, bold=True, halo=True)
    yield Text((at.x, top - 11), column.caption, 9.5, drawing.GREY, halo=True)
    if column.folded:
        yield from _strip(at, scale, back)
        return
    for unit, value in enumerate(column.a):
        yield from _unit(at, unit, drawing.colour(value, scale), back, numbers)


def _strip(at: Standing, scale: float, back: float) -> Iterator[Shape]:
    """A folded layer: a column of tiles for a, beside it one for delta."""
    parts = [(at.column.a, scale, "a")] + ([] if at.column.delta is None else [(at.column.delta, back, "δ")])
    for place, (values, full, name) in enumerate(parts):
        left = at.x - STRIP * len(parts) / 2 + place * STRIP
        yield Tiles((left, at.y - at.height / 2), (STRIP, at.height), values.reshape(-1, 1), full)
        yield Text((left + STRIP / 2, at.y + at.height / 2 + 10), name, 10, drawing.GREY)


def _unit(at: Standing, unit: int, upper: str, back: float, numbers: bool | None) -> Iterator[Shape]:
    column, (x, y) = at.column, at.unit(unit)
    delta = None if column.delta is None else column.delta[unit]
    lower = upper if delta is None else drawing.colour(delta, back)
    said = f"{column.name}[{unit}]: a = {short_number(column.a[unit], 6)}"
    said += "" if delta is None else f", δ = {short_number(delta, 6)}"
    yield Disc((x, y), RADIUS, upper, lower, said)
    if numbers is False:
        return
    if delta is None:
        yield Text((x, y), brief_number(column.a[unit]), 10, drawing.ink_on(upper))
    else:
        yield Text((x, y - 8), brief_number(column.a[unit]), 9, drawing.ink_on(upper))
        yield Text((x, y + 8), brief_number(delta), 9, drawing.ink_on(lower))
    if numbers:
        sums = [
            f"{name} {brief_number(values[unit])}"
            for name, values in (("z", column.z), ("b", column.b))
            if values is not None
        ]
        if sums:
            yield Text((x, y - RADIUS - 7), "   ".join(sums), 9, drawing.INK, halo=True)
    if column.target is not None:
        at_side = x + RADIUS + FRAME + 5, y
        yield Text(at_side, f"y {brief_number(column.target[unit], 6)}", 9.5, drawing.GREY, "start", halo=True)


def _lines(link: Link, source: Standing, target: Standing, full: float) -> Iterator[Shape]:
    assert link.weights is not None
    for (j, k), weight in np.ndenumerate(link.weights):
        (x0, y0), (x1, y1) = source.unit(j), target.unit(k)
        said = f"W[{j}, {k}] of {target.column.name} = {short_number(weight, 6)}"
        if link.shares is not None:
            said += f", dJ/dW = {short_number(link.shares[j, k], 6)}"
        yield Line(
            [(x0 + RADIUS, y0), (x1 - RADIUS, y1)],
            drawing.colour(weight, full) if weight else NO_WEIGHT,
            0.6 + (WIDEST_LINE - 0.6) * min(abs(float(weight)) / full, 1.0),
            bool(weight < 0),
            title=said,
        )


def _weights_along(link: Link, layout: NetworkLayout) -> Iterator[Shape]:
    """Every weight along its line, and its share of dJ/dW; those out of one unit stand below one another."""
    if link.weights is None or not _one_by_one(link, layout):
        return
    source, target = layout.columns[link.source], layout.columns[link.target]
    for (j, k), weight in np.ndenumerate(link.weights):
        (x0, y0), (x1, y1) = source.unit(j), target.unit(k)
        x0, x1 = x0 + source.half, x1 - target.half
        way = 0.08 + 0.84 * (j + 0.5) / len(link.weights)
        text = f"w {brief_number(weight)}"
        if link.shares is not None:
            text += f"  ∂ {brief_number(link.shares[j, k])}"
        angle = math.degrees(math.atan2(y1 - y0, x1 - x0))
        yield Text((x0 + way * (x1 - x0), y0 + way * (y1 - y0)), text, 8.5, angle=angle, halo=True)


def _folded_link(link: Link, source: Standing, target: Standing, full: float) -> Iterator[Shape]:
    """An arrow with the matrix on it as tiles: inputs downwards, units across."""
    assert link.weights is not None
    yield Line([(source.x + source.half, source.y), (target.x - target.half - 2, target.y)], width=2, arrow=True)
    x, y = (source.x + target.x) / 2, (source.y + target.y) / 2
    rows, columns = link.weights.shape
    longest = max(rows, columns)
    width, height = (max(12.0, 70 * length / longest) for length in (columns, rows))
    yield Tiles((x - width / 2, y - height / 2), (width, height), link.weights, full)
    yield Text((x, y + height / 2 + 10), f"W {rows} × {columns}", 9.5, halo=True)


def _loss(diagram: Diagram, layout: NetworkLayout, at: Point) -> Iterator[Shape]:
    x, y = at
    for place in dict.fromkeys(place for place, _, _ in diagram.losses):
        source = layout.columns[place]
        labelled = source.column.target is not None and not source.column.folded
        begin, end = (source.x + source.half + (54 if labelled else 2), source.y), (x - 44, y)
        way = layout.ways[place, len(diagram.columns)][1:-1]
        yield Line([begin, *_turned_in(begin, way, end), end], width=2.2, arrow=True)
    yield Box((x - 42, y - 18), (84, 36), FRAME_FILL, drawing.INK, 8)
    yield Text((x, y), f"J = {short_number(diagram.loss, 4)}", 11, bold=True)
    for line, name in enumerate(dict.fromkeys(name for _, name, _ in diagram.losses)):
        yield Text((x, y + 30 + 13 * line), name.replace("_", " "), 9.5, drawing.GREY, halo=True)


def _legend(diagram: Diagram, height: float, wide: bool) -> Iterator[Shape]:
    y = height - 36
    backward = any(column.delta is not None for column in diagram.columns)
    says = "upper half a, lower half δ = dJ/dz" if backward else "a"
    if wide:
        says += ";  on lines w" + (" and ∂ = dJ/dw" if backward else "")
    yield Text((SIDE, y), says, 9.5, drawing.GREY, "start")
    ramp = np.linspace(-1, 1, 41)[None]
    yield Tiles((SIDE + 18, y + 11), (82, 8), ramp, 1.0)
    yield Text((SIDE + 14, y + 15), "−", 10, drawing.GREY, "end")
    yield Text((SIDE + 104, y + 15), "+", 10, drawing.GREY, "start")
    x = SIDE + 126
    yield Line([(x, y + 15), (x + 26, y + 15)], drawing.colour(1, 1), 3)
    yield Line([(x + 32, y + 15), (x + 58, y + 15)], drawing.colour(-1, 1), 3, dashed=True)
    yield Text((x + 64, y + 15), "weights, as wide as they are large; dashed if negative", 9.5, drawing.GREY, "start")
