"""Pictures as data: colours that everybody can tell apart, images that decode, SVG that parses."""

from __future__ import annotations

import struct
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest

import cnn_core.foundation.drawing as drawing


def luminance(triple: np.ndarray) -> float:
    return float(np.array([0.299, 0.587, 0.114]) @ triple)


def seen_without(cone: str, triple: np.ndarray) -> np.ndarray:
    """What an eye without red or green cones makes of a colour (Viénot, Brettel and Mollon 1999, linear part)."""
    matrix = {
        "red": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
        "green": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
    }[cone]
    linear = (triple / 255) ** 2.2
    return 255 * np.clip(np.array(matrix) @ linear, 0, 1) ** (1 / 2.2)


@pytest.mark.parametrize("cone", ["red", "green"])
def test_signs_differ_without_red_or_green_cones(cone: str) -> None:
    positive, negative = (seen_without(cone, drawing.colours(np.array(sign), 1.0)) for sign in (1, -1))
    assert np.abs(positive - negative).max() > 100


def test_equal_magnitudes_are_about_equally_dark() -> None:
    """A printer without colours shows the magnitude; the sign is told by dashes and numbers."""
    for size in (0.01, 0.25, 1.0):
        positive, negative = (luminance(drawing.colours(np.array(sign * size), 1.0)) for sign in (1, -1))
        assert abs(positive - negative) < 30
    shades = [luminance(drawing.colours(np.array(size), 1.0)) for size in np.linspace(0, 1, 20)]
    assert shades == sorted(shades, reverse=True)


def test_what_is_no_number_is_grey_and_beyond_the_scale_is_full() -> None:
    shades = drawing.colours(np.array([np.nan, np.inf, -np.inf, 5.0]), 1.0)
    assert shades.tolist() == [[140] * 3, [22, 92, 163], [196, 84, 8], [22, 92, 163]]


def test_a_png_decodes_to_its_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    data, at, chunks = drawing.png(pixels), 8, {}
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + length
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (7, 5, 8, 2, 0, 0, 0)
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(5, 22)
    assert not lines[:, 0].any()
    np.testing.assert_array_equal(lines[:, 1:].reshape(5, 7, 3), pixels)


def test_folding_keeps_the_element_of_most_weight() -> None:
    values = np.zeros((300, 2))
    values[77, 1] = -3.0
    folded = drawing.folded(values)
    assert folded.shape == (100, 2)
    assert folded[77 // 3, 1] == -3.0
    assert np.abs(folded).sum() == 3.0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-1234567.0, "−1.23e6"),
        (np.nan, "nan"),
        (np.inf, "inf"),
        (1e-300, "1e−300"),
    ],
)
def test_numbers_in_a_few_characters(value: float, text: str) -> None:
    assert drawing.brief_number(value) == text


def test_every_shape_is_valid_svg_and_texts_are_escaped() -> None:
    picture = drawing.Picture(
        (100, 50),
        [
            drawing.Line([(0, 0), (10, 10)], arrow=True, dashed=True, title="<a>"),
            drawing.Disc((20, 20), 5, "#ffffff", "#000000", 'a "title"'),
            drawing.Box((1, 1), (5, 5)),
            drawing.Text((5, 5), "a < b & c", bold=True, angle=30, halo=True),
            drawing.Tiles((0, 0), (10, 10), np.eye(3), 1.0),
            drawing.Tiles((0, 0), (10, 10), np.eye(50), 1.0),
            drawing.Tiles((0, 0), (10, 10), np.empty((0, 3)), 1.0),
        ],
        "x & y",
    )
    root = ElementTree.fromstring(picture.to_svg())
    said = [each.text for each in root.iter() if each.text and each.text.strip()]
    assert said == ["x & y", "<a>", 'a "title"', "a < b & c"]
