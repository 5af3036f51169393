"""Draw the recorded figures as pictures: `python benchmarks/charts.py` writes docs/images/*.svg.

The figures are read from the tables of avx2.md and avx512.md and from tables/ranks.json, so that a picture says what
the record says. Bars begin at zero and have one scale in each panel. The pictures need no library, follow the reader's
light or dark colours, and are the same bytes on every machine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
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
.chart .level { fill: #c9d1d9; }
.chart .axis { fill: var(--pale-ink); }
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


def line(x: float, y: float, width: float, height: float, kind: str) -> str:
    """Return a line that runs right from x and down from y."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:g}" class="{kind}"/>'


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
    return bar_chart(TITLE, note, training(HERE / "avx2.md", NETWORKS))


def speed_avx512() -> str:
    """Draw training steps on a core with AVX-512."""
    note = "One core with AVX-512 (Zen 5), float32, SGD with momentum; × is how many times as long as cnn_core's step"
    return bar_chart(TITLE, note, training(HERE / "avx512.md", NETWORKS))


def prediction() -> str:
    """Draw calls that predict few rows."""
    rows = {next(iter(row.values())): row for row in table(HERE / "avx2.md", "Prediction, microseconds a call")}
    panels = []
    for name in ("64-32-10, 1", "64-32-10, 1,024", "784-128-10, 1", "784-512-512-10, 32"):
        cells = {key: number(value) for key, value in list(rows[name].items())[1:] if not key.startswith("best")}
        cells = {OURS: cells.pop("predictor"), "cnn_core's predict": cells.pop("predict"), **cells}
        network, _, count = name.partition(", ")
        panels.append(Panel(f"{network}, {count} row{'' if count == '1' else 's'}", cells))
    note = "One core with AVX2, float32; cnn_core is model.predictor(), × how many times as long as its call"
    return bar_chart("Microseconds per prediction, lower is better", note, panels)


def ranks(group: str) -> str:
    """Draw mean ranks on a group of tables; a bar joins methods whose ranks differ by less than chance may."""
    found = json.loads((HERE / "tables" / "ranks.json").read_text(encoding="utf-8"))[group]
    mean_ranks, difference = found["ranks"], found["critical_difference"]
    names, side, top = list(mean_ranks), 210, 96
    half, worst = (len(names) + 1) // 2, max(mean_ranks.values())
    joined = cliques(list(mean_ranks.values()), difference)
    below = top + 14 + 9 * len(joined)

    def x_of(rank: float) -> float:
        return MARGIN + side + (rank - 1) / (worst - 1) * (WIDTH - 2 * (MARGIN + side))

    parts = [line(x_of(1), top, x_of(worst) - x_of(1), 1.5, "axis")]
    for tick in range(1, int(worst) + 1):
        parts += [line(x_of(tick), top - 5, 1, 5, "axis"), text(x_of(tick), top - 9, str(tick), "note", "middle")]
    places = [x_of(rank) for rank in mean_ranks.values()]
    for height, (first, last) in enumerate(joined):
        parts.append(line(places[first] - 3, top + 9 + 9 * height, places[last] - places[first] + 6, 4, "level"))
    for place, (name, rank) in enumerate(mean_ranks.items()):
        on_left = place < half
        y = below + ROW * (1 + (place if on_left else len(names) - 1 - place))
        mine, end = name.startswith(OURS), MARGIN + side - 12 if on_left else WIDTH - MARGIN - side + 12
        left = min(end, x_of(rank))
        parts += [
            line(x_of(rank), top, 1.5, y - top, "ours" if mine else "other"),
            line(left, y, abs(end - x_of(rank)), 1.5, "ours" if mine else "other"),
            text(
                end - 6 if on_left else end + 6,
                y + 4,
                f"{name}  {rank:.1f}" if on_left else f"{rank:.1f}  {name}",
                "bold" if mine else "name",
                "end" if on_left else "start",
            ),
        ]
    title = f"Mean ranks on the {found['tables']} tables {group}, lower is better"
    note = f"Grey bars join methods that Nemenyi's test cannot tell apart: less than {difference:.1f} from end to end"
    return picture(title, note, below + ROW * (half + 1), parts)


def cliques(sorted_ranks: Sequence[float], difference: float) -> list[tuple[int, int]]:
    """Return the first and last places of the longest runs of ranks that differ by less than `difference`."""
    found: list[tuple[int, int]] = []
    for first, rank in enumerate(sorted_ranks):
        last = max(place for place, other in enumerate(sorted_ranks) if other - rank < difference)
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found


CHARTS: Mapping[str, Callable[[], str]] = {
    "speed": speed,
    "speed_avx512": speed_avx512,
    "prediction_speed": prediction,
    "ranks_kept_apart": partial(ranks, "kept apart"),
    "ranks_for_development": partial(ranks, "for development"),
}

if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for name, draw in CHARTS.items():
        (IMAGES / f"{name}.svg").write_text(draw(), encoding="utf-8")
