"""The picture of a computation graph: values go forward along its arrows, derivatives back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

import cnn_core.foundation.drawing as drawing
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.drawing import Box, Line, Picture, Point, Shape, Text, short_number
from cnn_core.inspection.records import Edge
from cnn_core.network.model_plot import Box as Place
from cnn_core.network.model_plot import lay_out

__all__ = ["graph_picture", "lines_of", "together"]

HEIGHT, LETTER, MARGIN = 17.0, 6.4, 26.0  # of a line of text, of a letter, and around texts
ROOM = 64.0  # for what stands on an arrow, beside the gap that `lay_out` leaves
PIXELS = 100.0
MOST_NUMBERS = 2
FILL, FORWARD, BACKWARD = "#eef3fa", "#165ca3", "#b34700"


def lines_of(name: str, value: Array, derivative: Array | None) -> list[str]:
    """Return what is said of a node: its name, its value, and its derivative if it has one.

    Examples
    --------
    >>> lines_of("a", np.asarray(2.0), np.asarray(3.0))
    ['a', '2', '∂ 3']
    """
    return [name, _numbers(value), *([] if derivative is None else [f"∂ {_numbers(derivative)}"])]


def together(edges: Sequence[Edge]) -> dict[tuple[str, str], str]:
    """Return for each pair of connected nodes what comes back from one to the other: a number, or an array's shape.

    Examples
    --------
    >>> three = np.asarray(3.0)
    >>> together([Edge("a", "multiply", three), Edge("a", "multiply", three)])
    {('a', 'multiply'): '3 + 3'}
    """
    found: dict[tuple[str, str], list[str]] = {}
    for edge in edges:
        back = found.setdefault((edge.source, edge.target), [])
        back += [] if edge.gradient is None else [_numbers(edge.gradient, most=0)]
    return {pair: " + ".join(back) for pair, back in found.items()}


def _numbers(values: object, most: int = MOST_NUMBERS) -> str:
    """Return a number, or the shape of an array and its first elements."""
    array: Array = np.asarray(values)
    texts = [short_number(value, 4) for value in array.reshape(-1)[: max(most, 1)]]
    if array.size == 1:
        return texts[0]
    more = ["…"] if array.size > most else []
    return f"{array.shape} {', '.join([*texts, *more])}" if most else str(array.shape)


def graph_picture(
    nodes: Mapping[str, Array], edges: Sequence[Edge], derivatives: Mapping[str, Array], title: str = ""
) -> Picture:
    """Draw a graph from left to right."""
    names = list(nodes)
    texts = [lines_of(name, value, derivatives.get(name)) for name, value in nodes.items()]
    labels = together(edges)
    places = {name: number for number, name in enumerate(names)}
    boxes = [Place((), tuple(places[source] for source, target in labels if target == name)) for name in names]
    size = LETTER * max(len(line) for lines in texts for line in lines) + MARGIN, HEIGHT * max(map(len, texts)) + 14
    room = max(ROOM, LETTER * max(map(len, labels.values()), default=0))
    layout = lay_out(boxes, (size[1] / PIXELS, (size[0] + room) / PIXELS))
    (left, top), (right, bottom) = layout.corners
    edge = top * PIXELS + room / 2

    def at(point: Point) -> Point:
        return point[1] * PIXELS - edge + MARGIN / 2, (point[0] - left) * PIXELS

    centres = [at(centre) for centre in layout.centres]
    shapes: list[Shape] = []
    pairs = [(source, target) for target, box in enumerate(boxes) for source in box.inputs]
    for (source, target), way in zip(pairs, layout.arrows, strict=True):
        points = [at(point) for point in way]
        begin, end = centres[source][0] + size[0] / 2, centres[target][0] - size[0] / 2
        whole = [(begin, points[0][1]), *points, (end, points[-1][1])]
        shapes += _arrow(whole, labels[names[source], names[target]])
    for centre, lines in zip(centres, texts, strict=True):
        shapes += _node(centre, size, lines)
    return Picture(((bottom - top) * PIXELS - room + MARGIN, (right - left) * PIXELS), shapes, title)


def _node(centre: Point, size: Point, lines: list[str]) -> Iterator[Shape]:
    x, y = centre
    yield Box((x - size[0] / 2, y - size[1] / 2), size, FILL, drawing.INK, 8)
    for number, (line, ink) in enumerate(zip(lines, (drawing.INK, FORWARD, BACKWARD), strict=False)):
        yield Text((x, y + HEIGHT * (number - (len(lines) - 1) / 2)), line, 12, ink, bold=number == 0)


def _arrow(way: list[Point], back: str) -> Iterator[Shape]:
    """An arrow forward, and on its last part but one what comes back."""
    yield Line(way, width=1.8, arrow=True, title=f"back: {back}" if back else "")
    if back:
        (x0, y0), (x1, y1) = way[-3:-1]
        yield Text(((x0 + x1) / 2, (y0 + y1) / 2 - 9), f"← {back}", 11, BACKWARD, halo=True)
