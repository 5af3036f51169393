"""Pictures drawn with matplotlib, in axes or in a figure of their own size."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

import cnn_core.foundation.drawing as drawing
from cnn_core.foundation.figures import axes_for, new_figure

__all__ = ["draw"]

PIXELS = 96  # an inch


def draw(
    picture: drawing.Picture,
    caller: str,
    ax: object = None,
    path: str | os.PathLike[str] | None = None,
    dpi: float = 150,
) -> Any:
    """Draw a picture with matplotlib, in axes or in a figure of its own size, and return the figure.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError, ValueError
        If `ax` holds no axes of matplotlib, or several.
    """
    width, height = picture.size
    if ax is None:
        figure = new_figure(caller, dpi=dpi, figsize=(width / PIXELS, height / PIXELS))
        axes = figure.add_axes((0, 0, 1, 1))
    else:
        (axes,) = axes_for(ax, 1, caller)
        figure = axes.get_figure().figure
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    points = min(axes.bbox.width / width, axes.bbox.height / height) * 72 / figure.dpi  # of a pixel of the picture
    for order, shape in enumerate(picture.shapes):
        _draw_shape(axes, shape, points, order)
    if path is not None:
        figure.savefig(path, dpi=dpi)
    return figure


def _draw_shape(axes: Any, shape: drawing.Shape, points: float, order: int) -> None:
    from matplotlib import patches, patheffects

    match shape:
        case drawing.Line(way, colour, width, dashed, arrow):
            across, down = zip(*way, strict=True)
            style = (0, (4, 2.5)) if dashed else "-"
            axes.plot(across, down, color=colour, linewidth=width * points, linestyle=style, zorder=order)
            if arrow:
                corners = drawing.arrow_head(way, 6 + width)
                axes.add_patch(patches.Polygon(corners, facecolor=colour, edgecolor="none", zorder=order))
        case drawing.Disc(centre, radius, upper, lower):
            axes.add_patch(patches.Circle(centre, radius, facecolor=upper, edgecolor="none", zorder=order))
            if lower != upper:  # angles turn the other way where y points down
                half = patches.Wedge(centre, radius, 0, 180, facecolor=lower, edgecolor="none", zorder=order)
                axes.add_patch(half)
            edge = {"facecolor": "none", "edgecolor": drawing.INK, "linewidth": points}
            axes.add_patch(patches.Circle(centre, radius, zorder=order, **edge))
        case drawing.Box(corner, size, fill, edge, radius):
            rounded = f"round,pad=0,rounding_size={radius}"
            look: dict[str, Any] = {"facecolor": fill, "edgecolor": edge, "linewidth": points, "boxstyle": rounded}
            axes.add_patch(patches.FancyBboxPatch(corner, *size, zorder=order, **look))
        case drawing.Text(at, text, size, colour, align, bold, angle, halo):
            effects = [patheffects.withStroke(linewidth=3 * points, foreground=drawing.PAPER)] if halo else None
            axes.text(
                *at,
                text,
                fontsize=size * points,
                color=colour,
                ha="center" if align == "middle" else "left" if align == "start" else "right",
                va="center_baseline",
                weight="bold" if bold else "normal",
                rotation=-angle,
                rotation_mode="anchor",
                path_effects=effects,
                parse_math=False,
                zorder=order,
            )
        case drawing.Tiles(corner, size, values, scale):
            _draw_tiles(axes, corner, size, drawing.colours(drawing.folded(values), scale), points, order)


def _draw_tiles(axes: Any, corner: Any, size: Any, shades: Any, points: float, order: int) -> None:
    from matplotlib import patches

    rows, columns, _ = shades.shape
    if not shades.size:
        return
    left, top = corner
    if rows * columns > drawing.MOST_RECTANGLES:
        extent = (left, left + size[0], top + size[1], top)
        axes.imshow(shades, extent=extent, aspect="equal", interpolation="nearest", zorder=order)
        axes.set_aspect("equal")
    else:
        across, down = size[0] / columns, size[1] / rows
        jointed = min(across, down) > drawing.SMALLEST_JOINTED
        for row, column in np.ndindex(rows, columns):
            place, fill = (left + column * across, top + row * down), shades[row, column] / 255
            look = {"facecolor": fill, "edgecolor": drawing.PAPER if jointed else fill, "linewidth": 0.5 * points}
            axes.add_patch(patches.Rectangle(place, across, down, zorder=order, **look))
    look = {"facecolor": "none", "edgecolor": drawing.GREY, "linewidth": 0.8 * points}
    axes.add_patch(patches.Rectangle(corner, *size, zorder=order, **look))
