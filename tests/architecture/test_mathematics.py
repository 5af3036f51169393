"""The mathematics pages: what they name exists, pictures are current, numbers are those of trace and NumPy."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import picture_cases

DOCS = Path(__file__).resolve().parents[2] / "docs"
ROOT = DOCS.parent
PAGES = [DOCS / "mathematics.md", *sorted((DOCS / "mathematics").glob("*.md"))]
CHINESE = [DOCS / "mathematics_zh.md", *sorted((DOCS / "mathematics_zh").glob("*.md"))]
NAMED = re.compile(r"`([\w./]+\.(?:py|pxd|pxi|c|h))` → ((?:`\w+`(?:, )?)+)")
NUMBER = re.compile(r"(?<![\w#])[-−]?\d+(?:\.\d+)?(?:e[-−]?\d+)?")


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def drawing() -> Any:
    spec = importlib.util.spec_from_file_location("draw", DOCS / "images" / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


DRAWING = drawing()


@pytest.mark.parametrize("page", PAGES[1:] + CHINESE[1:], ids=lambda page: f"{page.parent.name}/{page.name}")
def test_code_and_tests_that_a_page_names_exist(page: Path) -> None:
    found = NAMED.findall(re.sub(r"\s+", " ", read(page)))
    assert len(found) == read(page).count("` →")
    assert any(path.startswith("tests/") for path, _ in found)
    for path, names in found:
        for name in re.findall(r"\w+", names):
            assert re.search(rf"\b{name}\b", read(ROOT / path)), f"{path} has no {name}"


@pytest.mark.parametrize("pages", [PAGES, CHINESE], ids=["english", "chinese"])
def test_every_picture_is_shown_and_described(pages: list[Path]) -> None:
    shown = [each for page in pages for each in re.findall(r"!\[(.*?)\]\((?:\.\./)?images/(\w+)\.svg\)", read(page))]
    assert {name for _, name in shown} == set(DRAWING.PICTURES)
    assert all(len(description) > 8 for description, _ in shown)


@pytest.mark.parametrize("name", DRAWING.PICTURES)
def test_pictures_are_current(name: str) -> None:
    """Drawn again they are the same, but for last digits of numbers, which differ from processor to processor."""
    drawn, stored = DRAWING.draw(name), read(DOCS / "images" / f"{name}.svg")
    assert NUMBER.sub("#", drawn) == NUMBER.sub("#", stored), "python docs/images/draw.py draws them"
    if name == "differences":  # which are rounding itself
        return
    numbers = [[float(each.replace("−", "-")) for each in NUMBER.findall(text)] for text in (drawn, stored)]
    np.testing.assert_allclose(*numbers, rtol=1e-3, atol=0.11)


# The two languages


def common(page: Path) -> dict[str, Any]:
    """Return what does not depend on the language: examples, formulas, headings' levels, pictures, what is named."""
    text = read(page)
    return {
        "examples": re.findall(r"^    .*$", text, re.MULTILINE),
        "formulas": re.findall(r"\$\$.*?\$\$", text, re.DOTALL),
        "headings": re.findall(r"^#+ ", text, re.MULTILINE),
        "pictures": re.findall(r"images/\w+\.svg", text),
        "named": [(path, re.findall(r"\w+", names)) for path, names in NAMED.findall(re.sub(r"\s+", " ", text))],
        "pages": [each.replace("_zh", "") for each in re.findall(r"\]\(([^)]*\d_\w+\.md)\)", text)],
        "rows": [sorted(re.findall(r"`[^`]*`", row)) for row in re.findall(r"^\|.*\|$", text, re.MULTILINE)],
        "exercises": re.findall(r"^\*?\*?\d+\.", text, re.MULTILINE),
    }


@pytest.mark.parametrize(("english", "chinese"), [*zip(PAGES, CHINESE, strict=True)], ids=lambda page: page.name)
def test_both_languages_hold_the_same(english: Path, chinese: Path) -> None:
    assert english.name == chinese.name.replace("_zh", "")
    ours, theirs = common(english), common(chinese)
    for part, found in ours.items():
        assert found == theirs[part], part
    assert not [each for each in ours["formulas"] if "\\text" in each], "formulas speak no language"


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.name)
def test_chinese_is_set_as_chinese(page: Path) -> None:
    """Its commas, colons and question marks are full width, and no line breaks within a sentence."""
    prose = re.sub(
        r"^    [^\n]*$|\$\$.*?\$\$|<!--.*?-->|^\*代码.*?(?=\n\n)", "", read(page), flags=re.DOTALL | re.MULTILINE
    )
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)", "", prose)
    assert re.findall(r"[\u4e00-\u9fff]\s?[,;:?!](?!\[)|[,;:?!]\s?[\u4e00-\u9fff]", prose) == []
    assert re.findall(r"[\u4e00-\u9fff]\n[\u4e00-\u9fff]", prose) == []
    assert len(re.findall(r"[\u4e00-\u9fff]", prose)) > 100


# The example by hand: every row of its tables


def rows_by_hand() -> dict[str, tuple[str, str]]:
    text = read(DOCS / "mathematics" / "5_worked_example.md")
    return {
        name: (sums, value)
        for name, sums, value in re.findall(r"^\| `([a-zA-Z][\w,\[\]]*)` \| `(.+)` \| `(.+)` \|$", text, re.M)
    }


def with_numpy() -> dict[str, Any]:
    """Go forward and back through the example with NumPy alone; what is a multiple of ln 3 is divided by it."""
    ln3 = np.log(3.0)
    (w1, w2), (b1, b2), x, y = picture_cases.KERNELS, picture_cases.BIASES, picture_cases.X, picture_cases.Y
    z1 = x @ w1 + b1
    a1 = 1 / (1 + np.exp(-z1))
    z2 = a1 @ w2 + b2
    a2 = 1 / (1 + np.exp(-z2))
    delta2 = (a2 - y) / 2 * a2 * (1 - a2)
    da1 = delta2 @ w2.T
    delta1 = da1 * a1 * (1 - a1)
    forward = {"z1": z1 / ln3, "a1": a1, "z2": z2 / ln3, "a2": a2, "J": np.square(a2 - y).sum() / 4}
    backward = {"delta2": delta2, "da1": da1 / ln3, "delta1": delta1 / ln3}
    gradients = {"dW2": a1.T @ delta2, "db2": delta2.sum(axis=0), "dW1": x.T @ delta1, "db1": delta1.sum(axis=0)}
    return forward | backward | gradients | {name: gradients[name] / ln3 for name in ("dW1", "db1")}


def with_trace() -> dict[str, Any]:
    ln3, seen = np.log(3.0), picture_cases.worked()
    hidden, output = seen.layers
    forward = {"z1": hidden.z / ln3, "a1": hidden.a, "z2": output.z / ln3, "a2": output.a, "J": seen.loss}
    backward = {"delta2": output.delta, "da1": hidden.da / ln3, "delta1": hidden.delta / ln3}
    gradients = {"dW2": output.dW, "db2": output.db, "dW1": hidden.dW / ln3, "db1": hidden.db / ln3}
    return forward | backward | gradients


def test_the_numbers_by_hand_are_those_of_trace_and_of_numpy() -> None:
    rows = rows_by_hand()
    for computed in (with_trace(), with_numpy()):
        wanted = {
            f"{name}[{','.join(map(str, at))}]" if at else name: float(value)
            for name, values in computed.items()
            for at, value in np.ndenumerate(values)
        }
        assert set(rows) == set(wanted)
        for name, value in wanted.items():
            sums, shown = rows[name]
            assert float(shown) == pytest.approx(value, rel=0, abs=1e-14), name
            assert eval(sums, {}) == pytest.approx(float(shown), rel=0, abs=1e-14), name
