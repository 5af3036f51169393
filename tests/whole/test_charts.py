"""The pictures of the benchmarks say what the recorded tables say, in lengths and in numbers."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
if not (ROOT / "benchmarks").is_dir():
    pytest.skip("the benchmarks are not part of this copy", allow_module_level=True)
sys.path.insert(0, str(ROOT / "benchmarks"))

import charts  # noqa: E402


@pytest.mark.parametrize("name", charts.CHARTS)
def test_pictures_are_those_of_the_records(name: str):
    drawn = (charts.IMAGES / f"{name}.svg").read_text(encoding="utf-8")
    assert drawn == charts.CHARTS[name](), "python benchmarks/charts.py draws it again"
    assert len(drawn) < 12_000


def test_bars_are_as_long_as_their_numbers():
    widths = [
        float(width)
        for part in charts.draw_panel(charts.Panel("", {"slow": 400.0, "cnn_core": 100.0, "fast": 50.0}), 0, 0, 400)
        for width in re.findall(r'<rect .*width="([\d.]+)"', part)
    ]
    assert widths[0] / widths[2] == pytest.approx(0.25, abs=0.01)  # ours is first, then from short to long
    assert widths[1] / widths[2] == pytest.approx(0.125, abs=0.01)


def test_ratios_are_those_to_ours():
    drawn = "".join(charts.draw_panel(charts.Panel("", {"other": 150.0, "cnn_core": 100.0}), 0, 0, 400))
    assert ">150 · 1.5 ×<" in drawn
    assert ">100<" in drawn


def test_a_table_is_read_by_its_heading(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("# T\n\n## A\n\n| x | y |\n|---|---|\n| 1 | |\n\n## B\n\n| z | w |\n|---|---|\n| 2,000 | 3 |\n")
    assert charts.table(page, "A") == [{"x": "1", "y": ""}]
    assert charts.number(charts.table(page, "B")[0]["z"]) == 2000
    with pytest.raises(ValueError, match="unpack"):
        charts.table(page, "C")


def test_nobody_is_left_out():
    drawn = charts.speed()
    for library in charts.table(ROOT / "benchmarks" / "avx2.md", "Training, microseconds a step")[0]:
        if not library.startswith(("network", "best")):
            assert drawn.count(f">{library}<") == len(charts.NETWORKS)


def test_names_are_text():
    assert charts.text(0, 0, "<b>&", "name").endswith(">&lt;b&gt;&amp;</text>")
