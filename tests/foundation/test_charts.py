"""Curves without matplotlib: points where their values are, and no trouble with few, equal or missing ones."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import hypothesis.strategies as st
import pytest
from hypothesis import given

from cnn_core.foundation.charts import HEIGHT, LEFT, TOP, WIDTH, Curve, Panel, panels, ticks
from cnn_core.foundation.drawing import Disc, Line


def curves_of(picture: object) -> list[Line]:
    return [shape for shape in picture.shapes if isinstance(shape, Line) and shape.title]  # type: ignore[attr-defined]


def test_points_stand_where_their_values_are() -> None:
    (curve,) = curves_of(panels([Panel("loss", [Curve("training", [0, 1, 2], [4.0, 2.0, 1.0])])]))
    (x0, y0), (x1, y1), (x2, y2) = curve.points
    assert x1 - x0 == pytest.approx(x2 - x1)
    assert (y1 - y0) / (y2 - y1) == pytest.approx(2.0)
    assert x2 - x0 == pytest.approx(WIDTH / 1.1)
    assert all(LEFT < x < LEFT + WIDTH and TOP < y < TOP + HEIGHT for x, y in curve.points)


def test_the_second_curve_is_dashed_and_panels_wrap() -> None:
    shown = [Panel(str(n), [Curve("training", [0, 1], [0, 1]), Curve("validation", [0, 1], [1, 0])]) for n in range(5)]
    picture = panels(shown)
    assert [curve.dashed for curve in curves_of(picture)] == [False, True] * 5
    assert picture.size[0] == pytest.approx(3 * picture.size[1] / 2 * (LEFT + WIDTH + 16) / (TOP + HEIGHT + 44))


@pytest.mark.parametrize(
    "values", [[1.0], [0.0], [math.nan], [2.0, 2.0], [math.nan, 1.0, math.inf, 3.0], [1e-300, 2e-300]]
)
def test_few_equal_or_missing_values(values: list[float]) -> None:
    picture = panels([Panel("<loss>", [Curve("training", list(range(len(values))), values)])])
    ElementTree.fromstring(picture.to_svg())
    finite = sum(map(math.isfinite, values))
    drawn = sum(isinstance(shape, Disc) for shape in picture.shapes) + sum(len(c.points) for c in curves_of(picture))
    assert drawn == finite


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_round_few_and_within(low: float, size: float) -> None:
    found = ticks(low, low + size)
    assert 2 <= len(found) <= 7
    assert all(low - 1e-6 * size <= tick <= low + size * (1 + 1e-6) for tick in found)
