"""Turn results into a Markdown table, a JSON file and a picture. Measures nothing."""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cases import TRAININGS
from measure import Result
from rivals import BEFORE, ENTRIES, OURS
from startup import Startup

LABELS = {entry.name: entry.label for entry in (*ENTRIES, BEFORE)}
TARGETS = {case.name: case.targets for case in TRAININGS}
Group = list[Result]


@dataclass
class Run:
    """Hold all that one run of the benchmark found."""

    machine: dict[str, Any]
    settings: dict[str, Any]
    versions: dict[str, str] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    startups: list[Startup] = field(default_factory=list)

    def save(self, folder: Path) -> None:
        """Write results.json, results.md and, with matplotlib, results.png."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "results.json").write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n")
        (folder / "results.md").write_text(markdown(self))
        if self.results:
            draw(self, folder / "results.png")

    @classmethod
    def load(cls, file: Path) -> Run:
        """Read results.json back."""
        content = json.loads(file.read_text())
        content["results"] = [Result(**result) for result in content["results"]]
        content["startups"] = [Startup(**startup) for startup in content["startups"]]
        return cls(**content)


def groups_of(results: Iterable[Result], kind: str, cores: int) -> dict[tuple[str, str], Group]:
    """Group results of one kind on a number of cores by (case, optimizer)."""
    groups: dict[tuple[str, str], Group] = {}
    for result in results:
        if result.kind == kind and result.cores == cores:
            groups.setdefault((result.case, result.optimizer), []).append(result)
    return groups


def is_ours(result: Result) -> bool:
    """Tell our results, those of an earlier revision and of another precision too, from the rivals'."""
    return result.rival.startswith(OURS)


def is_current(result: Result) -> bool:
    return result.rival.split()[0] == OURS


def best(group: Iterable[Result]) -> Result | None:
    """Return the result with the least median time, or None if all were refused."""
    timed = [result for result in group if result.rounds]
    return min(timed, key=lambda result: result.median, default=None)


def ratio(result: Result | None, ours: Result | None) -> float:
    """Return the median over rounds of the rival's time divided by ours; not a number if either is missing."""
    if result is None or ours is None or not result.rounds or not ours.rounds:
        return math.nan
    return statistics.median(a / b for a, b in zip(result.rounds, ours.rounds, strict=True))


def share_of_peak(result: Result | None) -> float:
    """Return the median over rounds of the reached share of the peak that was measured in the same round."""
    if result is None:
        return math.nan
    pairs = zip(result.rounds, result.peak_rounds, strict=True)
    return statistics.median([result.flops / seconds / peak for seconds, peak in pairs if peak] or [math.nan])


def label_of(name: str) -> str:
    first, _, rest = name.partition(" ")
    return f"{LABELS.get(first, first)} {rest}".strip()


def number(value: float, suffix: str = "") -> str:
    """Write a number with three significant digits, a dash for none."""
    if math.isnan(value):
        return "-"
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:,.{min(digits, 3)}f}{suffix}"


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in [header, ["---"] + ["---:"] * (len(header) - 1), *rows]]
    return "\n".join(lines)


def markdown(run: Run) -> str:
    """Write the whole report."""
    parts = ["# Benchmark", machine_section(run)]
    for cores in sorted({result.cores for result in run.results}):
        where = "one core" if cores == 1 else f"{cores} cores"
        training = groups_of(run.results, "training", cores)
        if training:
            parts += [f"## Training, {where}", training_times(training), training_ratios(training, cores)]
            parts += [training_shares(training)]
        prediction = groups_of(run.results, "prediction", cores)
        if prediction:
            parts += [f"## Prediction, {where}", prediction_times(prediction)]
    parts += [scaling_section(run), startup_section(run), refusals_section(run)]
    return "\n\n".join(part for part in parts if part) + "\n"


def machine_section(run: Run) -> str:
    machine, versions = run.machine, ", ".join(f"{name} {version}" for name, version in sorted(run.versions.items()))
    sets = " ".join(machine["instruction_sets"])
    caches = ", ".join(f"{name} {size}" for name, size in machine["caches"].items())
    settings = ", ".join(f"{name} {value}" for name, value in run.settings.items())
    return "\n".join(
        [
            f"- {machine['processor']}, {machine['cores_available']} cores, {sets}; {caches}",
            f"- {machine['system']}, {machine['compiler']}, load at the start {machine['load_average']}",
            f"- {versions}",
            f"- settings: {settings}",
            "- All sides start from the same weights, use float32 in memory and shuffle in every epoch. Each was first "
            "shown to reach the loss and the outputs of a float64 reference; then all took turns. Figures are medians "
            "over the rounds.",
        ]
    )


def names_in(groups: dict[tuple[str, str], Group]) -> list[str]:
    """List the rivals in their usual order, ours first."""
    present = dict.fromkeys(result.rival for group in groups.values() for result in group)
    order = list(LABELS)
    return sorted(present, key=lambda name: order.index(name.split()[0]))


def find(group: Group, name: str) -> Result | None:
    return next((result for result in group if result.rival == name), None)


def time_of(result: Result | None) -> float:
    return result.median * 1e6 if result is not None else math.nan


def training_times(groups: dict[tuple[str, str], Group]) -> str:
    names = names_in(groups)
    rows = [
        [f"{case} {optimizer}", *(number(time_of(find(group, name))) for name in names)]
        for (case, optimizer), group in groups.items()
    ]
    return "Microseconds per step:\n\n" + table(["case", *map(label_of, names)], rows)


def training_ratios(groups: dict[tuple[str, str], Group], cores: int) -> str:
    """Write how many times as long the others take, and what was aimed at on one core."""
    names = [name for name in names_in(groups) if name != OURS]
    rows = []
    for (case, optimizer), group in groups.items():
        ours = find(group, OURS)
        ratios = {name: ratio(find(group, name), ours) for name in names}
        least = ratio(best(result for result in group if not is_ours(result)), ours)
        row = [f"{case} {optimizer}", *(number(value) for value in ratios.values()), number(least)]
        rows.append([*row, target_of(case) if cores == 1 else ""])
    header = ["case", *map(label_of, names), "best of them", "aim: best / PyTorch / scikit-learn"]
    return "How many times as long as cnn_core the others take:\n\n" + table(header, rows)


def target_of(case: str) -> str:
    targets = TARGETS.get(case, {})
    return " / ".join(number(targets[name]) for name in ("best", "pytorch", "scikit_learn")) if targets else ""


def training_shares(groups: dict[tuple[str, str], Group]) -> str:
    rows = []
    for (case, optimizer), group in groups.items():
        ours, rival = find(group, OURS), best(result for result in group if not is_ours(result))
        reference = ours if ours is not None and ours.rounds else rival
        if reference is None or not any(reference.peak_rounds):
            continue
        peak = statistics.median(reference.peak_rounds)
        rows.append(
            [
                f"{case} {optimizer}",
                number(peak / 1e9),
                number(ours.flops / ours.median / 1e9 if ours is not None and ours.rounds else math.nan),
                number(100 * share_of_peak(ours), " %"),
                label_of(rival.rival) if rival else "-",
                number(100 * share_of_peak(rival), " %"),
            ]
        )
    header = ["case", "measured peak, GFLOP/s", "cnn_core, GFLOP/s", "cnn_core, share", "best rival", "its share"]
    return "Share of the measured peak of multiply-adds, whole step:\n\n" + table(header, rows) if rows else ""


def prediction_times(groups: dict[tuple[str, str], Group]) -> str:
    names = names_in(groups)
    rows = []
    for (case, _), group in groups.items():
        ours, rival = best(filter(is_current, group)), best(result for result in group if not is_ours(result))
        rows.append(
            [
                case,
                *(number(time_of(find(group, name))) for name in names),
                label_of(rival.rival) if rival else "-",
                number(ratio(rival, ours)),
                number(100 * share_of_peak(ours), " %"),
            ]
        )
    header = ["network x rows", *map(label_of, names), "best rival", "its time / ours", "our share of the peak"]
    return "Microseconds per call:\n\n" + table(header, rows)


def scaling_section(run: Run) -> str:
    """Compare our own times with each other: several cores with one, Adam with SGD."""
    mine = [r for r in run.results if r.rival == OURS and r.kind == "training" and r.rounds]
    ours = {(r.case, r.optimizer, r.cores): r for r in mine}
    several = max((cores for _, _, cores in ours), default=1)
    rows = []
    for case, optimizer in dict.fromkeys((case, optimizer) for case, optimizer, _ in ours):
        one, many = ours.get((case, optimizer, 1)), ours.get((case, optimizer, several))
        sgd = ours.get((case, "sgd", 1))
        gain = one.median / many.median if one and many and several > 1 else math.nan
        cost = one.median / sgd.median if one and sgd and optimizer != "sgd" else math.nan
        rows.append([f"{case} {optimizer}", number(gain), number(cost)])
    if not rows:
        return ""
    header = ["case", "one core's time / all cores'", "time / SGD's, one core"]
    return "## cnn_core against itself\n\n" + table(header, rows)


def startup_section(run: Run) -> str:
    if not run.startups:
        return ""
    bare = next(s.import_seconds for s in run.startups if s.rival == "python")
    rows = []
    for startup in run.startups:
        if startup.status == "ok" and startup.rival != "python":
            rows.append(
                [
                    label_of(startup.rival),
                    number(1e3 * (startup.import_seconds - bare)),
                    number(1e3 * startup.job_seconds),
                    number(startup.own_size / 1e6),
                    number(startup.size_with_dependencies / 1e6),
                ]
            )
    header = [
        "",
        "import, ms over bare Python",
        "process that imports and trains a small job, ms",
        "own files, MB",
        "with dependencies, MB",
    ]
    return f"## Start and size\n\nBare Python takes {number(1e3 * bare)} ms.\n\n" + table(header, rows)


def refusals_section(run: Run) -> str:
    """List what was not timed and why, so that a missing figure is no riddle."""
    lines = [
        f"- {r.case} {r.optimizer}, {r.cores} cores, {label_of(r.rival)}: {r.status}"
        for r in run.results
        if r.status != "ok"
    ]
    lines += [f"- start, {label_of(s.rival)}: {s.status}" for s in run.startups if s.status != "ok"]
    return "## Not timed\n\n" + "\n".join(lines) if lines else ""


def draw(run: Run, file: Path) -> None:
    """Draw each rival's time divided by ours, one panel per kind and number of cores, if matplotlib is there."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        print("matplotlib is not installed: no picture")
        return
    panels = [
        (kind, cores, groups)
        for cores in sorted({r.cores for r in run.results})
        for kind in ("training", "prediction")
        if (groups := groups_of(run.results, kind, cores))
    ]
    heights = [len(groups) + 2 for _, _, groups in panels]
    figure, axes = pyplot.subplots(
        len(panels),
        1,
        figsize=(10, 0.34 * sum(heights) + 1),
        squeeze=False,
        layout="constrained",
        height_ratios=heights,
    )
    markers: dict[str, Any] = {}
    for axis, (kind, cores, groups) in zip(axes[:, 0], panels, strict=True):
        markers.update(draw_panel(axis, groups))
        axis.set_title(f"{kind}, {'one core' if cores == 1 else f'{cores} cores'}", loc="left", fontsize=10)
    axes[-1, 0].set_xlabel("time / cnn_core's time (to the right of the line: cnn_core is faster)")
    figure.legend(markers.values(), markers.keys(), loc="outside upper center", ncols=5, fontsize=8)
    figure.savefig(file, dpi=130)
    pyplot.close(figure)


def draw_panel(axis: Any, groups: dict[tuple[str, str], Group]) -> dict[str, Any]:
    """Draw one dot per case and rival; return the dots by label."""
    colours = {name: f"C{index}" for index, name in enumerate(LABELS)}
    markers = {}
    for row, group in enumerate(groups.values()):
        ours = best(filter(is_ours, group))
        for result in group:
            if not is_ours(result) and result.rounds and ours is not None:
                dots = axis.plot(ratio(result, ours), row, "o", color=colours[result.rival], markersize=6)
                markers[label_of(result.rival)] = dots[0]
    axis.axvline(1.0, color="black", linewidth=1)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set_yticks(range(len(groups)), [" ".join(filter(None, key)) for key in groups], fontsize=8)
    axis.invert_yaxis()
    axis.grid(axis="x", which="both", alpha=0.25)
    return markers
