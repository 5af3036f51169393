"""Curves as pictures, for notebooks without matplotlib."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

import cnn_core.foundation.drawing as drawing
from cnn_core.foundation.drawing import Box, Line, Picture, Point, Shape, Text, short_number
from cnn_core.foundation.records import NamedTuple

__all__ = ["Curve", "Panel", "panels"]

WIDTH, HEIGHT, LEFT, TOP, RIGHT, FOOT = 300.0, 170.0, 62.0, 34.0, 16.0, 44.0
ABREAST = 3
COLOURS = "#165ca3", "#c45408"
TICKS = 4
LEGEND_WIDTH, LEGEND_LINE = 110.0, 15.0


class Curve(NamedTuple):
    """Points of a curve, such as epochs and values."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


class Panel(NamedTuple):
    """At most two curves in one frame; the second is dashed."""

    title: str
    curves: Sequence[Curve]
    across: str = "epoch"  # what x is


def panels(shown: Sequence[Panel], title: str = "") -> Picture:
    """Draw panels beside and below one another.

    Examples
    --------
    >>> picture = panels([Panel("loss", [Curve("training", [0, 1], [0.5, 0.25])])])
    >>> "loss" in picture.to_svg()
    True
    """
    across, down = LEFT + WIDTH + RIGHT, TOP + HEIGHT + FOOT
    shapes: list[Shape] = []
    for number, panel in enumerate(shown):
        row, column = divmod(number, ABREAST)
        shapes += _panel(panel, (column * across + LEFT, row * down + TOP))
    rows = -(-len(shown) // ABREAST)
    return Picture((across * min(len(shown), ABREAST), down * max(rows, 1)), shapes, title)


def ticks(low: float, high: float, most: int = TICKS, whole: bool = False) -> list[float]:
    """Return round numbers between two others, at most about as many as wanted.

    Examples
    --------
    >>> ticks(0.0, 0.9), ticks(0, 3, whole=True)
    ([0.0, 0.2, 0.4, 0.6, 0.8], [0.0, 1.0, 2.0, 3.0])
    """
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= most + 1)
    if whole:
        step = max(1.0, round(step))
    first = math.ceil(low / step - 1e-9)
    return [float(np.round(at * step, 12)) for at in range(first, math.floor(high / step + 1e-9) + 1)]


def _limits(values: list[float]) -> tuple[float, float]:
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    margin = 0.05 * (high - low) or abs(high) * 0.1 or 0.5
    return low - margin, high + margin


def _panel(panel: Panel, corner: Point) -> Iterator[Shape]:
    left, top = corner
    x_low, x_high = _limits([float(x) for curve in panel.curves for x in curve.x])
    y_low, y_high = _limits([float(y) for curve in panel.curves for y in curve.y])

    def place(x: float, y: float) -> Point:
        return left + WIDTH * (x - x_low) / (x_high - x_low), top + HEIGHT * (y_high - y) / (y_high - y_low)

    yield Box(corner, (WIDTH, HEIGHT), radius=0)
    yield Text((left + WIDTH / 2, top - 16), panel.title, 13, bold=True)
    for tick in ticks(y_low, y_high):
        _, y = place(x_low, tick)
        yield Line([(left, y), (left + WIDTH, y)], "#e4e8ec", 1)
        yield Text((left - 6, y), short_number(tick, 4), 10, drawing.GREY, "end")
    for tick in ticks(x_low, x_high, whole=True):
        x, _ = place(tick, y_low)
        yield Text((x, top + HEIGHT + 12), short_number(tick, 6), 10, drawing.GREY)
    yield Text((left + WIDTH / 2, top + HEIGHT + 28), panel.across, 10.5, drawing.GREY)
    drawn = [[place(x, y) for x, y in zip(each.x, each.y, strict=True) if math.isfinite(y)] for each in panel.curves]
    free = _free_corner([point for points in drawn for point in points], corner, len(panel.curves))
    for number, (curve, points, colour) in enumerate(zip(panel.curves, drawn, COLOURS, strict=False)):
        if len(points) == 1:
            yield drawing.Disc(points[0], 3.5, colour, colour, curve.label)
        elif points:
            yield Line(points, colour, 1.8, dashed=number == 1, title=curve.label)
        x, y = free[0] + 6, free[1] + 12 + LEGEND_LINE * number
        yield Line([(x, y), (x + 22, y)], colour, 1.8, dashed=number == 1)
        yield Text((x + 28, y), curve.label, 10, drawing.INK, "start", halo=True)


def _free_corner(points: Sequence[Point], corner: Point, n_lines: int) -> Point:
    """Return where the legend begins: in the corner in which it covers the fewest points, rather right and above."""
    height = LEGEND_LINE * n_lines + 9
    rooms = [
        (corner[0] + across, corner[1] + down) for down in (0, HEIGHT - height) for across in (WIDTH - LEGEND_WIDTH, 0)
    ]

    def covered(room: Point) -> int:
        return sum(room[0] <= x <= room[0] + LEGEND_WIDTH and room[1] <= y <= room[1] + height for x, y in points)

    return min(rooms, key=covered)
