"""Where the columns of a network's picture stand, in pixels."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from cnn_core.foundation.records import NamedTuple
from cnn_core.inspection.diagram import Column, Diagram
from cnn_core.network.model_plot import Box, lay_out, levels_of

__all__ = ["FRAME", "HEAD", "RADIUS", "SIDE", "STRIP", "NetworkLayout", "Standing", "stand"]

RADIUS, STRIP = 24.0, 26.0  # of a unit; the width of a folded layer's tiles
HEAD, SIDE = 50.0, 24.0  # above a column, and beside all of them
FRAME = 9.0  # between units and the frame of their column
STEP, WIDE_STEP = 55.0, 86.0  # from unit to unit; with every number beside it
MOST_HEIGHT = 340.0  # of a folded layer
GAP, LINES_GAP, TILES_GAP = 70.0, 120.0, 150.0  # between columns, by what is drawn there
LABEL, MOST_LABELS = 112.0, 1000.0  # the width of a weight's numbers, and of all of them
LOSS_WIDTH = 84.0
PIXELS = 100.0  # of an inch of `lay_out`

Point: TypeAlias = tuple[float, float]


class Standing(NamedTuple):
    """Where a column stands: its centre, and the height of what is drawn."""

    column: Column
    x: float
    y: float
    height: float

    def unit(self, number: int) -> Point:
        """Return the centre of a unit."""
        return self.x, self.y - self.height / 2 + self.height * (number + 0.5) / self.column.a.size

    @property
    def half(self) -> float:
        """Half of its width."""
        if not self.column.folded:
            return RADIUS + FRAME
        return STRIP if self.column.delta is not None else STRIP / 2


class NetworkLayout(NamedTuple):
    """Columns, the centre of J or None, and for each pair of columns with an arrow the points that it runs through."""

    columns: list[Standing]
    loss: Point | None
    ways: dict[tuple[int, int], list[Point]]
    size: Point


def stand(diagram: Diagram, wide: bool) -> NetworkLayout:
    """Find a place for every column, and for J, and a way for every arrow between them.

    Parameters
    ----------
    diagram : Diagram
    wide : bool
        Whether every number has room beside its unit or line.
    """
    heights = [_height(column, wide) for column in diagram.columns]
    boxes = _boxes(diagram)
    levels = levels_of(boxes)
    widths = [(height + HEAD) / PIXELS for height in heights]
    layout = lay_out(boxes, (0.0, 1.0), [*widths, 0.9][: len(boxes)])
    along = [level * 1.5 for level in range(max(levels) + 1)]  # how `lay_out` spaces levels of length 1
    abscissae = _abscissae(diagram, levels, wide)
    edges, places = _with_edges(along, abscissae)
    (left, _), (right, _) = layout.corners

    def at(point: Point) -> Point:
        return float(np.interp(point[1], edges, places)), (point[0] - left) * PIXELS + HEAD / 2

    centres = [at(centre) for centre in layout.centres]
    columns = [
        Standing(column, *centre, height)
        for column, centre, height in zip(diagram.columns, centres, heights, strict=False)
    ]
    pairs = [(source, target) for target, box in enumerate(boxes) for source in box.inputs]
    ways = {pair: [at(point) for point in way] for pair, way in zip(pairs, layout.arrows, strict=True)}
    width = abscissae[-1] + _half_width(diagram, levels, len(abscissae) - 1) + SIDE
    return NetworkLayout(
        columns, None if diagram.loss is None else centres[-1], ways, (width, (right - left) * PIXELS + HEAD / 2)
    )


def _height(column: Column, wide: bool) -> float:
    if column.folded:
        return min(column.a.size * 5.0 + 60, MOST_HEIGHT)
    return column.a.size * (WIDE_STEP if wide else STEP)


def _boxes(diagram: Diagram) -> list[Box]:
    sources: list[list[int]] = [[] for _ in diagram.columns]
    for link in diagram.links:
        sources[link.target].append(link.source)
    if diagram.loss is not None:
        sources.append([place for place, _, _ in diagram.losses])
    return [Box((), tuple(dict.fromkeys(each))) for each in sources]


def _half_width(diagram: Diagram, levels: list[int], level: int) -> float:
    """Half of the width of the widest thing on a level: a frame, a name or a label."""
    columns = [column for column, at in zip(diagram.columns, levels, strict=False) if at == level]
    widths = [max(7.4 * len(column.name), 5.4 * len(column.caption), 2 * (RADIUS + FRAME)) for column in columns]
    names = [5.4 * len(name) for _, name, _ in diagram.losses]
    return max([*widths, *([LOSS_WIDTH, *names] if len(columns) < levels.count(level) else [])]) / 2


def _abscissae(diagram: Diagram, levels: list[int], wide: bool) -> list[float]:
    """Return where each level's centre stands: as far from the one before as what is drawn between them needs."""
    halves = [_half_width(diagram, levels, level) for level in range(max(levels) + 1)]
    found = [SIDE + halves[0]]
    for level in range(1, len(halves)):
        gap = GAP
        for link in diagram.links:
            if levels[link.target] == level and link.weights is not None:
                one_by_one = not (diagram.columns[link.source].folded or diagram.columns[link.target].folded)
                labels = min(LABEL * len(link.weights) + 40, MOST_LABELS) if wide else LINES_GAP
                gap = max(gap, labels if one_by_one else TILES_GAP)
        found.append(found[-1] + max(2 * (RADIUS + FRAME) + gap, halves[level - 1] + halves[level] + 14))
    return found


def _with_edges(along: list[float], abscissae: list[float]) -> tuple[list[float], list[float]]:
    """Return points between which places are interpolated: each level's edges lie close around its centre."""
    edges = [centre + side for centre in along for side in (-0.5, 0.0, 0.5)]
    reach = RADIUS + FRAME + 12
    return edges, [centre + side for centre in abscissae for side in (-reach, 0.0, reach)]
