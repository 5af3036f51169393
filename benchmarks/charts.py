"""Draw the recorded figures as pictures: `python benchmarks/charts.py` writes docs/images/*.svg.

The figures are read from the tables of speed.md and avx512.md and from tables.json, so that a picture says what the
record says. Bars begin at zero and have one scale in each panel. The pictures need no library, follow the reader's
light or dark colours, and are the same bytes on every machine.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

HERE = Path(__file__).resolve().parent
IMAGES = HERE.parent / "docs" / "images"
OURS = "cnn_core"

WIDTH = 860
MARGIN = 20
ROW = 19  # height of a bar with the space around it
LABEL = 122  # width for the names
VALUE = 108  # width for the numbers

# As a picture the file takes the system's colours; within a page those of the page's theme.
STYLE = """
.chart text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: var(--ink); }
.chart .title { font-size: 15px; font-weight: 600; }
.chart .panel { font-weight: 600; }
.chart .note, .chart .value { fill: var(--pale-ink); }
.chart .bold { font-weight: 700; }
.chart .paper { fill: var(--paper); }
.chart .ours { fill: #d55e00; }
.chart .other { fill: #8aa4b3; }
.chart .worse { fill: #56b4e9; }
.chart .level { fill: #c9d1d9; }
.chart .inside { font-weight: 700; fill: #000000; }
.chart {
  --ink: var(--pst-color-text-base, #1f2328);
  --pale-ink: var(--pst-color-text-muted, #57606a);
  --paper: var(--pst-color-background, #ffffff);
}
@media (prefers-color-scheme: dark) {
  .chart {
    --ink: var(--pst-color-text-base, #e6edf3);
    --pale-ink: var(--pst-color-text-muted, #9ea7b3);
    --paper: var(--pst-color-background, #0d1117);
  }
}
"""


class Panel(NamedTuple):
    """Bars that share a scale."""

    title: str
    bars: Mapping[str, float]


def table(path: Path, heading: str) -> list[dict[str, str]]:
    """Return the rows of the first table below a heading, each by the names of its columns."""
    section = path.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line.strip() for line in section.splitlines() if line.startswith("|")]
    names, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    return [dict(zip(names, row, strict=True)) for row in rows]


def number(text: str) -> float:
    """Return a number as the tables write it."""
    return float(text.replace(",", ""))


def text(x: float, y: float, said: str, kind: str, anchor: str = "start") -> str:
    """Return a line of text."""
    return f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(said)}</text>'


def bar(x: float, y: float, width: float, kind: str) -> str:
    """Return a bar; the thinnest can still be seen."""
    return f'<rect x="{x:g}" y="{y:g}" width="{max(width, 1):.1f}" height="{ROW - 5}" class="{kind}"/>'


def picture(title: str, note: str, height: float, parts: Sequence[str]) -> str:
    """Return a picture with its title above."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {WIDTH} {height:g}" role="img" '
        f'aria-label="{escape(title)}" style="max-width: 100%; height: auto">',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{height:g}" rx="8"/>',
        text(MARGIN, 30, title, "title"),
        text(MARGIN, 50, note, "note"),
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def draw_panel(panel: Panel, x: float, y: float, width: float) -> list[str]:
    """Return a panel's bars, ours first and then from the shortest to the longest."""
    ours, longest = panel.bars[OURS], max(panel.bars.values())
    scale = (width - LABEL - VALUE) / longest
    parts = [text(x, y, panel.title, "panel")]
    for place, (name, value) in enumerate(sorted(panel.bars.items(), key=lambda each: (each[0] != OURS, each[1]))):
        top = y + 10 + place * ROW
        mine = name == OURS
        said = shown(value) if mine else f"{shown(value)} · {shown(value / ours)} ×"
        parts += [
            text(x + LABEL - 8, top + 11, name, "bold" if mine else "name", "end"),
            bar(x + LABEL, top, value * scale, "ours" if mine else "other"),
            text(x + LABEL + value * scale + 6, top + 11, said, "bold" if mine else "value"),
        ]
    return parts


def shown(value: float) -> str:
    """Return a number with the digits that are worth reading."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def bar_chart(title: str, note: str, panels: Sequence[Panel]) -> str:
    """Return panels side by side in two columns."""
    width = (WIDTH - 3 * MARGIN) / 2
    parts: list[str] = []
    y = 80.0
    for left in range(0, len(panels), 2):
        pair = panels[left : left + 2]
        for column, panel in enumerate(pair):
            parts += draw_panel(panel, MARGIN + column * (width + MARGIN), y, width)
        y += 10 + ROW * max(len(panel.bars) for panel in pair) + 32
    return picture(title, note, y - 22, parts)


def training(path: Path, labels: Mapping[str, str]) -> list[Panel]:
    """Return a panel for each network of a record's table of training steps."""
    rows = {next(iter(row.values())): row for row in table(path, "Training, microseconds a step")}
    panels = []
    for name, title in labels.items():
        cells = {key: value for key, value in rows[name].items() if re.fullmatch(r"[\d,.]+", value)}
        panels.append(Panel(title, {key: number(value) for key, value in cells.items() if not key.startswith("best")}))
    return panels


NETWORKS = {
    "XS 4-10-3, 32, SGD": "4-10-3, batches of 32",
    "S 64-32-10, 32, SGD": "64-32-10, batches of 32",
    "M 784-128-10, 128, SGD": "784-128-10, batches of 128",
    "L 784-512-512-10, 128, SGD": "784-512-512-10, batches of 128",
}
TITLE = "Microseconds per training step, lower is better"


def speed() -> str:
    """Draw training steps on a core with AVX2."""
    note = "One core with AVX2, float32, SGD with momentum; × is how many times as long as cnn_core's step"
    return bar_chart(TITLE, note, training(HERE / "speed.md", NETWORKS))


def speed_avx512() -> str:
    """Draw training steps on a core with AVX-512."""
    note = "One core with AVX-512 (Zen 5), float32, SGD with momentum; × is how many times as long as cnn_core's step"
    return bar_chart(TITLE, note, training(HERE / "avx512.md", NETWORKS))


def prediction() -> str:
    """Draw calls that predict few rows."""
    rows = {next(iter(row.values())): row for row in table(HERE / "speed.md", "Prediction, microseconds a call")}
    panels = []
    for name in ("64-32-10, 1", "64-32-10, 1,024", "784-128-10, 1", "784-512-512-10, 32"):
        cells = {key: number(value) for key, value in list(rows[name].items())[1:] if not key.startswith("best")}
        cells = {OURS: cells.pop("predictor"), "cnn_core's predict": cells.pop("predict"), **cells}
        network, _, count = name.partition(", ")
        panels.append(Panel(f"{network}, {count} row{'' if count == '1' else 's'}", cells))
    note = "One core with AVX2, float32; cnn_core is model.predictor(), × how many times as long as its call"
    return bar_chart("Microseconds per prediction, lower is better", note, panels)


def tables() -> str:
    """Draw on how many tables the default of TabularClassifier and TabularRegressor does better or worse."""
    results = json.loads((HERE / "tables.json").read_text(encoding="utf-8"))["results"]
    means = {pair: _means(results, *pair) for pair in {(each["table"], each["rival"]) for each in results}}
    names = sorted({table for table, _ in means})
    rivals = ["HistGradientBoosting", "LightGBM", "pytabkit RealMLP TD-S", "pytabkit RealMLP TD"]
    rivals += ["scikit-learn MLP", "logistic or ridge"]
    unit = (WIDTH - 2 * MARGIN - 180 - 150) / len(names)
    parts = []
    for place, rival in enumerate(rivals):
        gains = [means[name, OURS][0] - means[name, rival][0] for name in names if (name, rival) in means]
        ratios = [means[name, rival][1] / means[name, OURS][1] for name in names if (name, rival) in means]
        better, worse = sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)
        top, x = 84 + place * (ROW + 8), MARGIN + 180
        widths = (better * unit, (len(gains) - better - worse) * unit, worse * unit)
        parts.append(text(x - 8, top + 11, rival, "name", "end"))
        for width, kind, count in zip(widths, ("ours", "level", "worse"), (better, "", worse), strict=True):
            if width:
                parts += [bar(x, top, width - 1, kind), text(x + 6, top + 11, str(count), "inside")]
            x += width
        parts.append(text(x + 8, top + 11, _time(statistics.median(ratios)), "value"))
    title = f"On how many of {len(names)} tables cnn_core's default scores better (orange) or worse (blue)"
    note = "Accuracy or R² on unseen rows; at the right the time of fit, the middle of all tables"
    return picture(title, note, 84 + len(rivals) * (ROW + 8) + 8, parts)


def _means(results: Sequence[Mapping[str, object]], table: str, rival: str) -> tuple[float, float]:
    chosen = [each for each in results if each["table"] == table and each["rival"] == rival]
    score = statistics.mean(float(str(each["score"])) for each in chosen)
    return score, statistics.median(float(str(each["seconds"])) for each in chosen)


def _time(ratio: float) -> str:
    return f"takes {shown(ratio)} × our time" if ratio >= 1 else f"takes 1/{shown(1 / ratio)} of our time"


CHARTS: Mapping[str, Callable[[], str]] = {
    "speed": speed,
    "speed_avx512": speed_avx512,
    "prediction_speed": prediction,
    "scores_on_tables": tables,
}

if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for name, draw in CHARTS.items():
        (IMAGES / f"{name}.svg").write_text(draw(), encoding="utf-8")
