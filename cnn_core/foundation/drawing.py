"""Pictures as data: shapes in pixels, y downwards, written as SVG without any package; `painting` draws the same ones.

Blue is positive, orange negative, near white nothing: the eye that sees no red or green tells them apart, and so does
a printer without colours where negative lines are dashed.
"""

from __future__ import annotations

import base64
import html
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple

__all__ = [
    "GREY",
    "INK",
    "LINE",
    "NO_COLOUR",
    "Box",
    "Disc",
    "Line",
    "Picture",
    "Point",
    "Shape",
    "Text",
    "Tiles",
    "brief_number",
    "colour",
    "colours",
    "ink_on",
    "largest",
    "short_number",
]

INK, GREY, LINE, PAPER = "#1b1f24", "#59636e", "#8c959f", "#ffffff"
NO_COLOUR = "#f6f6f4"
NOTHING, POSITIVE, NEGATIVE = (246, 246, 244), (22, 92, 163), (196, 84, 8)
FONT = "system-ui, 'DejaVu Sans', Arial, sans-serif"
MOST_RECTANGLES = 256  # of a grid of tiles; a larger one is an image
MOST_TILES = 128  # along an axis of an image: each stands for several elements then

SMALLEST_JOINTED = 5.0  # tiles below this size have no lines between them

Point: TypeAlias = tuple[float, float]


class Line(NamedTuple):
    """A line through points, with an arrow's head at its end if wanted."""

    points: Sequence[Point]
    colour: str = LINE
    width: float = 1.2
    dashed: bool = False
    arrow: bool = False
    title: str = ""


class Disc(NamedTuple):
    """A circle whose upper and lower half have colours of their own."""

    centre: Point
    radius: float
    upper: str
    lower: str
    title: str = ""


class Box(NamedTuple):
    """A rectangle with round corners."""

    corner: Point
    size: Point
    fill: str = PAPER
    edge: str = LINE
    radius: float = 4.0


class Text(NamedTuple):
    """A line of text around a point; `align` is "start", "middle" or "end", `angle` in degrees."""

    at: Point
    text: str
    size: float = 11.0
    colour: str = INK
    align: str = "middle"
    bold: bool = False
    angle: float = 0.0
    halo: bool = False


class Tiles(NamedTuple):
    """A matrix as coloured tiles; `scale` is the magnitude of the full colour."""

    corner: Point
    size: Point
    values: Array
    scale: float


Shape: TypeAlias = Line | Disc | Box | Text | Tiles


def largest(*arrays: Array | None) -> float:
    """Return the largest finite magnitude among arrays, 1 if there is none but 0: what a full colour stands for.

    Examples
    --------
    >>> largest(np.array([1.0, -3.0, np.inf]), None), largest(np.zeros(2))
    (3.0, 1.0)
    """
    sizes = [np.abs(each[np.isfinite(each)]).max(initial=0) for each in arrays if each is not None]
    return float(max(sizes, default=0.0)) or 1.0


def colours(values: Array, scale: float) -> Array:
    """Return an RGB triple of uint8 for every value: white at 0, blue at `scale`, orange at -`scale`, grey for NaN."""
    with np.errstate(invalid="ignore"):
        share = np.clip(np.asarray(values, np.float64) / scale, -1, 1)[..., None]
    ends = np.where(share < 0, np.array(NEGATIVE), np.array(POSITIVE))
    mixed = np.array(NOTHING) + np.sqrt(np.abs(share)) * (ends - np.array(NOTHING))
    return np.where(np.isnan(mixed), 140, mixed).round().astype(np.uint8)


def colour(value: float, scale: float) -> str:
    """Return the colour of one value.

    Examples
    --------
    >>> colour(1.0, 1.0), colour(-2.0, 1.0), colour(0.0, 1.0)
    ('#165ca3', '#c45408', '#f6f6f4')
    """
    return _hexadecimal(colours(np.asarray(value), scale))


def _hexadecimal(triple: Any) -> str:
    return "#" + "".join(f"{int(part):02x}" for part in triple)


def ink_on(fill: str) -> str:
    """Return the colour in which text can be read on another.

    Examples
    --------
    >>> ink_on("#165ca3"), ink_on("#f6f6f4")
    ('#ffffff', '#1b1f24')
    """
    red, green, blue = (int(fill[at : at + 2], 16) for at in (1, 3, 5))
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else PAPER


def short_number(value: Any, digits: int = 3) -> str:
    """Return a number in a few digits, with a true minus sign.

    Examples
    --------
    >>> short_number(-0.0625), short_number(1e-07), short_number(250000.0), short_number(2.0)
    ('−0.0625', '1e−7', '2.5e5', '2')
    """
    text = f"{float(value) + 0.0:.{digits}g}"  # no zero with a sign
    mantissa, exponential, power = text.partition("e")
    return (mantissa + (f"e{int(power)}" if exponential else "")).replace("-", "−")


def brief_number(value: Any, length: int = 7) -> str:
    """Return a number in at most so many characters, if one significant digit fits in.

    Examples
    --------
    >>> brief_number(-0.0625), brief_number(-0.00506), brief_number(0.00038567), brief_number(-0.00038567)
    ('−0.0625', '−0.0051', '0.00039', '−3.9e−4')
    """
    texts = [short_number(value, digits) for digits in (3, 2)]
    parts = [f"{float(value):.{digits}e}".partition("e") for digits in (1, 0)] if np.isfinite(value) else []
    texts += [f"{mantissa}e{int(power)}".replace("-", "−") for mantissa, _, power in parts]
    return next((text for text in texts if len(text) <= length), texts[-1])


@dataclass
class Picture:
    """Shapes on a sheet of paper.

    Examples
    --------
    >>> picture = Picture((40, 20), [Text((20, 10), "x < y")], title="an example")
    >>> print(picture.to_svg())
    <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20" width="40" height="20" role="img" ...
    """

    size: Point
    shapes: list[Shape] = field(default_factory=list)
    title: str = ""

    def to_svg(self) -> str:
        """Return the picture as SVG that needs no other file."""
        width, height = (_n(length) for length in self.size)
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'role="img" style="max-width:100%;height:auto" font-family="{FONT}">'
        )
        title = f"<title>{html.escape(self.title)}</title>" if self.title else ""
        paper = f'<rect width="{width}" height="{height}" rx="6" fill="{PAPER}"/>'
        return "\n".join([head + title, paper, *map(_svg, self.shapes), "</svg>"])


def folded(values: Array) -> Array:
    """Return a matrix of at most 128 x 128: of each tile that a larger one is cut into, the element of most weight.

    Examples
    --------
    >>> folded(np.ones((3, 4))).shape, folded(np.ones((1000, 4))).shape
    ((3, 4), (125, 4))
    """
    for axis in (0, 1):
        step = -(-values.shape[axis] // MOST_TILES)
        if step > 1:
            moved = np.moveaxis(values, axis, 0)
            parts = [moved[at : at + step] for at in range(0, len(moved), step)]
            kept = [np.take_along_axis(part, np.abs(part).argmax(0)[None], 0)[0] for part in parts]
            values = np.moveaxis(np.stack(kept), 0, axis)
    return values


def _n(number: float) -> str:
    return f"{number:.6g}" if number == round(number) else f"{number:.2f}".rstrip("0").rstrip(".")


def _svg(shape: Shape) -> str:
    match shape:
        case Line():
            return _line(shape)
        case Disc():
            return _disc(shape)
        case Box((x, y), (width, height), fill, edge, radius):
            return (
                f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="{_n(radius)}" '
                f'fill="{fill}" stroke="{edge}"/>'
            )
        case Text():
            return _text(shape)
        case Tiles():
            return _tiles(shape)


def _titled(element: str, attributes: str, title: str) -> str:
    inner = f"><title>{html.escape(title)}</title></{element}>" if title else "/>"
    return f"<{element} {attributes}{inner}"


def _line(line: Line) -> str:
    points = " ".join(f"{_n(x)},{_n(y)}" for x, y in line.points)
    dashes = ' stroke-dasharray="6 4"' if line.dashed else ""
    drawn = _titled(
        "polyline",
        f'points="{points}" fill="none" stroke="{line.colour}" stroke-width="{_n(line.width)}"{dashes}',
        line.title,
    )
    return drawn + (_head(line) if line.arrow else "")


def arrow_head(points: Sequence[Point], size: float) -> list[Point]:
    """Return the corners of the head of an arrow that ends at the last point.

    Examples
    --------
    >>> arrow_head([(0.0, 0.0), (10.0, 0.0)], 4.0)
    [(10.0, 0.0), (6.0, 2.0), (6.0, -2.0)]
    """
    (x0, y0), (x1, y1) = points[-2:]
    length = float(np.hypot(x1 - x0, y1 - y0)) or 1.0
    dx, dy = size * (x1 - x0) / length, size * (y1 - y0) / length
    return [(x1, y1), (x1 - dx - dy / 2, y1 - dy + dx / 2), (x1 - dx + dy / 2, y1 - dy - dx / 2)]


def _head(line: Line) -> str:
    corners = " ".join(f"{_n(x)},{_n(y)}" for x, y in arrow_head(line.points, 6 + line.width))
    return f'<polygon points="{corners}" fill="{line.colour}"/>'


def _disc(disc: Disc) -> str:
    (x, y), r = disc.centre, disc.radius
    left, right, radius = f"{_n(x - r)} {_n(y)}", f"{_n(x + r)} {_n(y)}", _n(r)
    circle = f'cx="{_n(x)}" cy="{_n(y)}" r="{radius}"'
    half = f'<path d="M{left}A{radius} {radius} 0 0 0 {right}Z" fill="{disc.lower}"/>'
    outline = _titled("circle", f'{circle} fill="none" stroke="{INK}" pointer-events="all"', disc.title)
    return f'<circle {circle} fill="{disc.upper}"/>' + (half if disc.lower != disc.upper else "") + outline


def _text(text: Text) -> str:
    (x, y), attributes = text.at, ""
    if text.bold:
        attributes += ' font-weight="600"'
    if text.angle:
        attributes += f' transform="rotate({_n(text.angle)} {_n(x)} {_n(y)})"'
    if text.halo:
        attributes += f' stroke="{PAPER}" stroke-width="3" paint-order="stroke" stroke-linejoin="round"'
    return (
        f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(text.size)}" fill="{text.colour}" text-anchor="{text.align}" '
        f'dominant-baseline="central"{attributes}>{html.escape(text.text)}</text>'
    )


def _tiles(tiles: Tiles) -> str:
    (x, y), (width, height) = tiles.corner, tiles.size
    values = folded(tiles.values)
    rows, columns = values.shape
    if not values.size:
        return ""
    frame = (
        f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" fill="none" '
        f'stroke="{GREY}" stroke-width="0.8"/>'
    )
    shades = colours(values, tiles.scale)
    if values.size > MOST_RECTANGLES:
        return (
            f'<image x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" preserveAspectRatio="none" '
            f'style="image-rendering:pixelated" href="data:image/png;base64,{base64.b64encode(png(shades)).decode()}"/>'
        ) + frame
    across, down = width / columns, height / rows
    joint = f' stroke="{PAPER}" stroke-width="0.5"' if min(across, down) > SMALLEST_JOINTED else ""
    cells = [
        f'<rect x="{_n(x + column * across)}" y="{_n(y + row * down)}" width="{_n(across)}" height="{_n(down)}" '
        f'fill="{_hexadecimal(shades[row, column])}"{joint}/>'
        for row in range(rows)
        for column in range(columns)
    ]
    return "".join(cells) + frame


def png(pixels: Array) -> bytes:
    r"""Return an image of shape (rows, columns, 3) of uint8 as a PNG file.

    Examples
    --------
    >>> png(np.zeros((2, 3, 3), np.uint8))[:8]
    b'\x89PNG\r\n\x1a\n'
    """
    rows, columns, _ = pixels.shape
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), pixels.reshape(rows, -1)], axis=1)
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    ]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
