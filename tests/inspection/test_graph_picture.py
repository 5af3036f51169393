"""Pictures of computation graphs: values in boxes, derivatives on arrows, as they are worked out by hand."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import picture_cases
from cnn_core import inspection, ops
from cnn_core.foundation.drawing import Box, Line, Text
from cnn_core.inspection.graph_picture import graph_picture

SVG = "{http://www.w3.org/2000/svg}"


def by_hand() -> Any:
    """(5 + 3) * 2 = 16: the sum gets 2 back, c gets 8."""
    return inspection.expression(lambda a, b, c: (a + b) * c, 5, 3, 2)


def texts_of(graph: Any) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(graph.to_svg()).iter(f"{SVG}text")]


def test_values_and_derivatives_of_an_expression() -> None:
    texts = texts_of(by_hand())
    assert sorted(text for text in texts if text.startswith("←")) == ["← 2", "← 2", "← 2", "← 8"]
    nodes = [texts[at : at + 3] for at in range(4, len(texts), 3)]
    assert nodes == [
        ["a", "5", "∂ 2"], ["b", "3", "∂ 2"], ["c", "2", "∂ 8"], ["add", "8", "∂ 2"], ["multiply", "16", "∂ 1"]
    ]  # fmt: skip


def test_what_comes_back_along_several_ways_stands_together() -> None:
    assert "← 3 + 3" in texts_of(inspection.expression(lambda a: a * a + a, 3))


def test_arrows_run_from_box_to_box_and_labels_lie_on_the_sheet() -> None:
    graph = inspection.expression(lambda w, x, b, y: ops.square(ops.sigmoid(w * x + b) - y), 0.5, 2, -1, 1)
    picture = graph_picture(graph.nodes, graph.edges, graph.derivatives)
    boxes = [each for each in picture.shapes if isinstance(each, Box)]
    lefts = [(round(each.corner[0], 6), each.corner[1] + each.size[1] / 2) for each in boxes]
    rights = [(round(each.corner[0] + each.size[0], 6), each.corner[1] + each.size[1] / 2) for each in boxes]
    lines = [each for each in picture.shapes if isinstance(each, Line)]
    assert len(lines) == 8
    for line in lines:
        (x0, y0), (x1, y1) = line.points[0], line.points[-1]
        assert min(abs(x0 - x) + abs(y0 - y) for x, y in rights) < 1e-3
        assert min(abs(x1 - x) + abs(y1 - y) for x, y in lefts) < 1e-3
    for text in picture.shapes:
        if isinstance(text, Text):
            assert 0 < text.at[0] < picture.size[0]
            assert 0 < text.at[1] < picture.size[1]


def test_a_traced_network_is_drawn_with_shapes() -> None:
    texts = texts_of(picture_cases.worked().graph())
    assert {"x", "hidden.z", "hidden.a", "output.z", "output.a", "J", "0.2344"} <= set(texts)
    assert "(2, 4) 0.75, 0.75, …" in texts
    assert texts.count("← (2, 4)") == 2
    forward = picture_cases.worked_model().trace(picture_cases.X).graph()
    assert not [text for text in texts_of(forward) if text.startswith("←")]


def test_dot_and_mermaid() -> None:
    graph = by_hand()
    assert 'n4 [label="multiply\\n16\\n∂ 1"];' in graph.to_dot()
    assert 'n2 -> n4 [label="← 8"];' in graph.to_dot()
    assert '  n2["c<br>2<br>∂ 8"]' in graph.to_mermaid()
    assert '  n2 -->|"← 8"| n4' in graph.to_mermaid()


def test_matplotlib_draws_the_same_and_a_notebook_shows_it() -> None:
    pytest.importorskip("matplotlib")
    graph = by_hand()
    (axes,) = graph.plot().axes
    assert [each.get_text() for each in axes.texts] == texts_of(graph)
    assert graph._repr_html_() == graph.to_svg()


def test_a_graph_of_one_value() -> None:
    graph = inspection.Graph({"a": np.zeros(3)}, [])
    assert texts_of(graph) == ["a", "(3,) 0, 0, …"]
