"""Pictures of a step: the numbers in them are the trace's, and those worked out by hand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import cnn_core
import picture_cases
import tolerances
from cnn_core import Input, Sequential, layers
from cnn_core.foundation.drawing import short_number
from cnn_core.inspection.diagram import MOST_UNITS, Diagram

SVG = "{http://www.w3.org/2000/svg}"
CASES = [picture_cases.worked, picture_cases.branches, picture_cases.large]


def texts_of(svg: str, tag: str = "text") -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(svg).iter(f"{SVG}{tag}")]


def weights_said(svg: str) -> dict[str, tuple[float, float]]:
    """Read weight and gradient off the titles of the lines."""
    found = {}
    for title in texts_of(svg, "title"):
        match = re.fullmatch(r"(W\[\d+, \d+\] of \w+) = (\S+), dJ/dW = (\S+)", title)
        if match:
            found[match[1]] = tuple(float(number.replace("−", "-")) for number in match.groups()[1:])
    return found


def test_every_weight_has_a_line_with_its_value_and_gradient() -> None:
    said = weights_said(picture_cases.worked().to_svg())
    assert len(said) == 3 * 4 + 4 * 2
    for (j, k), weight in np.ndenumerate(picture_cases.KERNELS[1]):
        value, gradient = said[f"W[{j}, {k}] of output"]
        assert value == pytest.approx(weight, rel=1e-5)
        assert gradient == pytest.approx(picture_cases.OUTPUT_DW[j, k], rel=1e-5)


def test_a_sample_has_its_own_share_and_the_shares_add_up() -> None:
    seen = picture_cases.worked()
    shares = [Diagram.of(seen, sample).links[1].shares for sample in (0, 1)]
    tolerances.close(shares[0], np.outer(picture_cases.HIDDEN_A[0], picture_cases.OUTPUT_DELTA[0]), tolerances.BY_HAND)
    tolerances.close(shares[0] + shares[1], picture_cases.OUTPUT_DW, tolerances.BY_HAND)
    tolerances.close(Diagram.of(seen).links[1].shares, seen["output"].dW, tolerances.BY_HAND)


def test_every_unit_has_its_a_and_delta() -> None:
    seen = picture_cases.worked()
    for sample, number in ((0, 0), (1, 1), (-1, 1)):
        titles = texts_of(seen.to_svg(sample=sample), "title")
        for unit in range(2):
            a, delta = picture_cases.OUTPUT_A[number, unit], picture_cases.OUTPUT_DELTA[number, unit]
            assert f"output[{unit}]: a = {short_number(a, 6)}, δ = {short_number(delta, 6)}" in titles
    mean = short_number(picture_cases.OUTPUT_A.mean(axis=0)[0], 6)
    assert any(title.startswith(f"output[0]: a = {mean},") for title in texts_of(seen.to_svg(), "title"))


def test_single_numbers_on_request() -> None:
    svg = picture_cases.worked().to_svg(sample=0, numbers=True)
    texts = texts_of(svg)
    assert "w 1.1  ∂ −0.0425" in texts  # 2 times the delta of unit 1, -0.0193359 ln 3
    assert "z −2.2   b 0" in texts
    assert {"y 1", "y 0", "J = 0.2344"} <= set(texts)
    assert not [text for text in texts_of(picture_cases.worked().to_svg(numbers=False)) if text == "0.625"]


@pytest.mark.parametrize("build", CASES, ids=lambda each: each.__name__)
@pytest.mark.parametrize("kind", ["network", "blocks"])
def test_pictures_are_whole(build: Any, kind: str) -> None:
    """Everything lies on the sheet, every layer is named, and no other file is needed."""
    seen = build()
    svg = seen.to_svg(kind, sample=0)
    root = ElementTree.fromstring(svg)
    width, height = (float(root.get(name) or 0) for name in ("width", "height"))
    assert {layer.name for layer in seen} <= set(texts_of(svg))
    assert not re.search(r'(href|src)="(?!data:)', svg)
    for disc in root.iter(f"{SVG}circle"):
        x, y, r = (float(disc.get(name) or 0) for name in ("cx", "cy", "r"))
        assert r <= x <= width - r
        assert r <= y <= height - r
    for text in root.iter(f"{SVG}text"):
        assert 0 < float(text.get("x") or 0) < width
        assert 0 < float(text.get("y") or 0) < height


def test_columns_do_not_overlap() -> None:
    root = ElementTree.fromstring(picture_cases.branches().to_svg())
    discs = [(float(each.get("cx") or 0), float(each.get("cy") or 0)) for each in root.iter(f"{SVG}circle")]
    places = sorted(set(discs))
    assert len(places) == 3 + 2 + 4 * 4 + 9 * 2 + 2
    assert min(np.hypot(a[0] - b[0], a[1] - b[1]) for a in places for b in places if a != b) >= 2 * 24


def test_negative_weights_are_dashed_for_printers_without_colour() -> None:
    root = ElementTree.fromstring(picture_cases.worked().to_svg())
    lines = [each for each in root.iter(f"{SVG}polyline") if each.find(f"{SVG}title") is not None]
    dashed = [each for each in lines if each.get("stroke-dasharray")]
    assert len(dashed) == sum(int((kernel < 0).sum()) for kernel in picture_cases.KERNELS)
    widths = {float(each.get("stroke-width") or 0) for each in lines}
    assert max(widths) == 5.0
    assert min(widths) == 0.6


def test_large_layers_are_folded() -> None:
    seen = picture_cases.large()
    svg = seen.to_svg()
    assert MOST_UNITS < 40
    assert len(re.findall("<circle", svg)) == 2 * 10
    assert {"W 64 × 40", "W 40 × 10"} <= set(texts_of(svg))
    assert "data:image/png;base64," in svg
    assert len(svg) < 200_000


def test_blocks_show_shapes_values_and_the_rule_of_dimensions() -> None:
    texts = texts_of(picture_cases.worked().to_svg("blocks"))
    wanted = [
        "a_prev (2, 4)", "W (4, 2)", "b (2,)", "z (2, 2) cached", "a (2, 2)",
        "da_prev (2, 4) as a_prev", "dW (4, 2) as W", "db (2,) as b", "dz = δ (2, 2) as z", "da (2, 2) as a",
        "forward   z = a_prev · W + b,   a = sigmoid(z)",
        "backward   dz = da ⊙ sigmoid'(z),   dW = a_prevᵀ · dz,   db = Σ dz,   da_prev = dz · Wᵀ",
    ]  # fmt: skip
    assert [text for text in wanted if text not in texts] == []
    assert {short_number(value) for value in picture_cases.OUTPUT_DW.ravel()} <= set(texts)
    assert {"−0.25", "0.125", "−0.375"} <= set(texts)  # dJ/da = (a - y) / 2


def test_blocks_of_one_sample_show_its_share() -> None:
    texts = texts_of(picture_cases.worked().to_svg("blocks", sample=0))
    assert "dW (4, 2) as W, this sample's share" in texts
    assert {"−0.0469", "0.0176", "0.00234", "0.0117"} <= set(texts)  # 0.75, 0.1 and 0.5 times the deltas


def test_operations_are_blocks_too() -> None:
    texts = texts_of(picture_cases.branches().to_svg("blocks"))
    for text in ("gamma (4,)", "dgamma (4,) as gamma", "moving_mean (4,)", "da_prev extra (5, 2) as a_prev extra"):
        assert text in texts
    assert "forward   a = concatenate(norm, extra, x)" in texts


def test_a_forward_pass_is_drawn_without_gradients() -> None:
    seen = picture_cases.worked_model().trace(picture_cases.X)
    for kind in ("network", "blocks"):
        svg = seen.to_svg(kind)
        assert "δ" not in svg.replace("δ = dJ", "")
        assert "backward" not in svg


def test_inputs_of_several_axes_and_glu() -> None:
    model = Sequential(
        [Input((2, 3)), layers.Dense(4, "glu"), layers.PReLU(), layers.Flatten(), layers.Dense(1, use_bias=False)]
    )
    model.compile("sgd", "mse")
    seen = model.trace(np.ones((3, 2, 3)), np.ones((3, 1)))
    for kind in ("network", "blocks"):
        for sample in (None, 0):
            ElementTree.fromstring(seen.to_svg(kind, sample=sample, numbers=True))


def test_names_are_escaped() -> None:
    name = '<script>"&'
    seen = picture_cases.worked(("x", name, "output"))
    for svg in (seen.to_svg(), seen.to_svg("blocks")):
        assert name in texts_of(svg)
        assert "<script" not in svg


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "graph"}, "`kind` must be 'blocks' or 'network'"),
        ({"sample": 2}, "`sample` must be a number of the batch's 2 samples. Received: sample=2"),
        ({"sample": -3}, "`sample` must be"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments: dict[str, Any], message: str) -> None:
    for draw in (picture_cases.worked().to_svg, picture_cases.worked().plot):
        with pytest.raises(ValueError, match=message):
            draw(**arguments)
    with pytest.raises(TypeError, match="`numbers` must be True or False"):
        picture_cases.worked().to_svg(numbers=3)


# matplotlib draws the same picture


@pytest.mark.parametrize("build", CASES, ids=lambda each: each.__name__)
@pytest.mark.parametrize("kind", ["network", "blocks"])
def test_matplotlib_draws_the_same_picture(build: Any, kind: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    seen = build()
    figure = seen.plot(kind, path=tmp_path / "picture.png")
    (axes,) = figure.axes
    assert [each.get_text() for each in axes.texts] == texts_of(seen.to_svg(kind))
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_matplotlib_draws_into_given_axes() -> None:
    figures = pytest.importorskip("matplotlib.figure")
    figure = figures.Figure(figsize=(4, 3))
    axes = figure.add_subplot()
    assert picture_cases.worked().plot(ax=axes) is figure
    assert axes.texts
    with pytest.raises(TypeError, match="`ax` must be axes"):
        picture_cases.worked().plot(ax=3)


def test_drawing_imports_matplotlib_only_for_plot() -> None:
    code = """
import sys
sys.modules["matplotlib"] = None
import cnn_core
model = cnn_core.Sequential([cnn_core.Input((2,)), cnn_core.layers.Dense(1)])
seen = model.trace([[1.0, 2.0]])
assert seen.to_svg().startswith("<svg") and seen.to_dot() and seen.to_mermaid()
try:
    seen.plot()
except ImportError as error:
    print(error)
"""
    root = str(Path(cnn_core.__file__).parents[1])
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root).stdout
    assert printed == "Trace.plot needs matplotlib. Install it with: pip install 'cnn_core[plot]'\n"
