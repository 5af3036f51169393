"""Pictures of models: a box for each layer, arrows for what flows between them.

Boxes stand in levels, each behind all that feeds it. An arrow that passes levels by keeps a gap free in each of them,
and one that leads back to a shared layer goes around, so that no arrow crosses a box.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import cnn_core.foundation.drawing as drawing
import cnn_core.foundation.validation as validation
from cnn_core.foundation.drawing import Picture
from cnn_core.foundation.figures import axes_for, new_figure
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.foundation.records import NamedTuple
from cnn_core.network.built_model import BuiltModel
from cnn_core.network.graph import Symbol, nodes_between

__all__ = ["model_picture", "plot_model"]

PIXELS = 96.0  # of an inch, where a picture has pixels
# Inches.
MARGIN = 0.1
GAP_ALONG, GAP_ACROSS = 0.5, 0.3  # between levels, and between neighbours on a level
LANE = 0.2  # what an arrow needs beside a box
FONT_SIZE = 9.0

Point: TypeAlias = tuple[float, float]


class Box(NamedTuple):
    """A layer in the picture: its lines of text and the places in the list of the boxes that feed it."""

    lines: tuple[str, ...]
    inputs: tuple[int, ...]


@knows_its_arguments
def plot_model(
    model: BuiltModel,
    to_file: str | os.PathLike[str] | None = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    dpi: float = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    ax: object = None,
) -> Any:
    """Draw the layers of a model and how they are connected.

    Parameters
    ----------
    model : Model
    to_file : path, default "model.png"
        The suffix chooses the format; None saves nothing.
    show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable : bool, default False
        What stands in a layer's box besides its class.
    rankdir : {"TB", "LR"}, default "TB"
        From top to bottom, or from left to right.
    dpi : float, default 200
    ax : matplotlib.axes.Axes, default None
        Where to draw; None makes a figure of the size that the model needs.

    Returns
    -------
    matplotlib.figure.Figure
        Shown by a notebook at the end of a cell.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the model has no layers yet, or `rankdir` is unknown.

    Examples
    --------
    >>> plot_model(model, "network.svg", show_shapes=True)  # doctest: +SKIP
    """
    validation.choice(rankdir, "rankdir", ("TB", "LR"))
    shown = {
        "name": show_layer_names,
        "activation": show_layer_activations,
        "output_shape": show_shapes,
        "dtype": show_dtype,
        "trainable": show_trainable,
    }
    boxes = boxes_of(model, [what for what, wanted in shown.items() if wanted])
    if not boxes:
        raise ValueError("plot_model needs a model with layers. Received: a model without layers")
    sideways = rankdir == "LR"
    width = 0.09 * max(len(line) for box in boxes for line in box.lines) + 0.4
    height = 0.2 * max(len(box.lines) for box in boxes) + 0.2
    layout = lay_out(boxes, (height, width) if sideways else (width, height))
    low, high = _turned(layout.corners[0], sideways), _turned(layout.corners[1], sideways)
    size = abs(high[0] - low[0]), abs(high[1] - low[1])
    if ax is None:
        figure = new_figure("plot_model", dpi=dpi, figsize=size)
        axes = figure.add_axes((0, 0, 1, 1))
    else:
        (axes,) = axes_for(ax, 1, "plot_model")
        figure = axes.get_figure().figure
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.set_xlim(*sorted((low[0], high[0])))
    axes.set_ylim(*sorted((low[1], high[1])))
    scale = min(axes.bbox.width / size[0], axes.bbox.height / size[1]) / figure.dpi
    for box, centre in zip(boxes, layout.centres, strict=True):
        _draw_box(axes, _turned(centre, sideways), box.lines, (width, height), scale)
    for way in layout.arrows:
        _draw_arrow(axes, [_turned(point, sideways) for point in way], scale)
    if to_file is not None:
        figure.savefig(to_file, bbox_inches="tight", dpi=dpi)
    return figure


def model_picture(model: BuiltModel, shown: Iterable[str] = ("name", "output_shape")) -> Picture:
    """Return the picture that `plot_model` draws, without matplotlib."""
    boxes = boxes_of(model, shown)
    width = 0.085 * max(len(line) for box in boxes for line in box.lines) + 0.3
    height = 0.19 * max(len(box.lines) for box in boxes) + 0.14
    layout = lay_out(boxes, (width, height))
    (left, top), (right, bottom) = layout.corners

    def at(point: Point) -> Point:
        return (point[0] - left) * PIXELS, (point[1] - top) * PIXELS

    shapes: list[drawing.Shape] = [drawing.Line([at(point) for point in way], arrow=True) for way in layout.arrows]
    for box, (x, y) in zip(boxes, map(at, layout.centres), strict=True):
        corner = x - width * PIXELS / 2, y - height * PIXELS / 2
        shapes.append(drawing.Box(corner, (width * PIXELS, height * PIXELS), "#eef3fa", drawing.INK, 6))
        for line, text in enumerate(box.lines):
            below = (line - (len(box.lines) - 1) / 2) * 0.19 * PIXELS
            shapes.append(drawing.Text((x, y + below), text, 12, bold=line == 0))
    return drawing.Picture(at((right, bottom)), shapes, "The layers of a model")


def boxes_of(model: BuiltModel, shown: Iterable[str] = ()) -> list[Box]:
    """Return a box for each input and layer of a model, or of each layer in a row while the model is not built.

    A layer that is called several times has one box, fed by everything that it is called on.
    """
    shown = tuple(shown)
    if not model.built:
        layers = list(model.layers)
        return [Box(_lines(layer, None, shown), (place - 1,) if place else ()) for place, layer in enumerate(layers)]
    lines: dict[str, tuple[str, ...]] = {symbol.name: _lines(symbol, symbol.shape, shown) for symbol in model.inputs}
    sources: dict[str, list[str]] = {name: [] for name in lines}
    for node in nodes_between(model.inputs, model.outputs):
        name = node.layer.name
        lines[name] = _lines(node.layer, node.outputs[0].shape, shown)
        feeding = (symbol.name if symbol.node is None else symbol.node.layer.name for symbol in node.inputs)
        sources.setdefault(name, []).extend(feeding)
    places = {name: place for place, name in enumerate(lines)}
    return [Box(lines[name], tuple(dict.fromkeys(places[source] for source in sources[name]))) for name in lines]


def _lines(drawn: object, shape: tuple[int | None, ...] | None, shown: tuple[str, ...]) -> tuple[str, ...]:
    """Return what stands in the box of a layer, or of a symbol that is an input."""
    lines = ["Input" if isinstance(drawn, Symbol) else type(drawn).__name__]
    for what in shown:
        value = shape if what == "output_shape" else getattr(drawn, what, None)
        if what == "activation":
            value = getattr(value, "name", value)
        if value is not None:
            lines.append(f"{what.replace('_', ' ')}: {value}")
    return tuple(lines)


def levels_of(boxes: list[Box]) -> list[int]:
    """Return for each box how many connections lie between it and the inputs on the longest way.

    What a shared layer gets from layers behind it does not count.

    Examples
    --------
    >>> levels_of([Box(("a",), ()), Box(("b",), (0,)), Box(("c",), (0, 1))])
    [0, 1, 2]
    """
    levels: list[int] = []
    for place, box in enumerate(boxes):
        levels.append(max((levels[source] + 1 for source in box.inputs if source < place), default=0))
    return levels


class Layout(NamedTuple):
    """Where boxes and arrows go, as (across, along) in inches; levels follow each other along.

    Attributes
    ----------
    centres : list of (float, float)
        Of every box.
    arrows : list of list of (float, float)
        The points that every arrow runs through, from the edge of one box to that of another.
    corners : tuple of two (float, float)
        Between which all of it lies.
    """

    centres: list[Point]
    arrows: list[list[Point]]
    corners: tuple[Point, Point]


def lay_out(boxes: list[Box], extent: Point, widths: Sequence[float] | None = None) -> Layout:
    """Find a place for every box, of this extent, and a way for every arrow that crosses no box.

    With `widths` every box has one of its own, across.

    Examples
    --------
    >>> layout = lay_out([Box(("a",), ()), Box(("b",), (0,))], (1.0, 0.5))
    >>> layout.centres, layout.arrows
    ([(0.0, 0.0), (0.0, 1.0)], [[(0.0, 0.25), (0.0, 0.75)]])
    """
    levels, (across, along) = levels_of(boxes), extent
    widths = [across] * len(boxes) if widths is None else widths
    step, half = along + GAP_ALONG, along / 2
    connections = [(source, target) for target, box in enumerate(boxes) for source in box.inputs]
    places = _places(levels, [each for each in connections if levels[each[0]] < levels[each[1]]], widths)
    centres = [(places[level][place], level * step) for place, level in enumerate(levels)]
    ends = [
        abs(place) + (LANE if isinstance(key, tuple) else widths[key]) / 2
        for row in places
        for key, place in row.items()
    ]
    outside = max(ends)
    arrows = []
    for source, target in connections:
        begin, end = (centres[source][0], centres[source][1] + half), (centres[target][0], centres[target][1] - half)
        if levels[source] < levels[target]:
            between = range(levels[source] + 1, levels[target])
            passed = [(places[level][source, target], level * step) for level in between]
            way = [(place, middle + side) for place, middle in passed for side in (-half, half)]
        else:
            outside += LANE
            turns = begin[1] + GAP_ALONG / 3, end[1] - GAP_ALONG / 3
            way = [(begin[0], turns[0]), (outside, turns[0]), (outside, turns[1]), (end[0], turns[1])]
        arrows.append([begin, *way, end])
    reach = outside + MARGIN
    reached = [along for way in arrows for _, along in way]
    first, last = min(reached, default=0.0), max(reached, default=0.0)
    first, last = min(first, -half) - MARGIN, max(last, max(levels) * step + half) + MARGIN
    return Layout(centres, arrows, ((-reach, first), (reach, last)))


def _places(levels: list[int], passing: list[tuple[int, int]], across: Sequence[float]) -> list[dict[Any, float]]:
    """Return for each level where its boxes stand, and where arrows pass it, each near what it comes from."""
    rows: list[dict[Any, float]] = []
    for level in range(max(levels) + 1):
        wishes: dict[Any, list[float]] = {place: [] for place, at in enumerate(levels) if at == level}
        for source, target in passing:
            if levels[source] < level <= levels[target]:
                above = rows[level - 1][source if levels[source] == level - 1 else (source, target)]
                wishes.setdefault(target if levels[target] == level else (source, target), []).append(above)
        ordered = sorted(wishes, key=lambda key: sum(wishes[key]) / len(wishes[key]) if wishes[key] else 0.0)
        widths = [LANE if isinstance(key, tuple) else across[key] + GAP_ACROSS for key in ordered]
        edge, row = -sum(widths) / 2, {}
        for key, width in zip(ordered, widths, strict=True):
            row[key] = edge + width / 2
            edge += width
        rows.append(row)
    return rows


def _turned(point: Point, sideways: bool) -> Point:
    """Return a point of the layout as x and y of the picture, where y grows upwards."""
    across, along = point
    return (along, -across) if sideways else (across, -along)


def _draw_box(axes: Any, centre: Point, lines: tuple[str, ...], size: Point, scale: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    corner = (centre[0] - size[0] / 2, centre[1] - size[1] / 2)
    style = "round,pad=0,rounding_size=0.06"
    axes.add_patch(FancyBboxPatch(corner, *size, boxstyle=style, facecolor="#eef3fa", zorder=2))
    axes.text(*centre, "\n".join(lines), ha="center", va="center", fontsize=FONT_SIZE * scale, zorder=3)


def _draw_arrow(axes: Any, way: list[Point], scale: float) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    axes.add_patch(FancyArrowPatch(path=Path(way), arrowstyle="->", mutation_scale=FONT_SIZE * scale, zorder=1))
