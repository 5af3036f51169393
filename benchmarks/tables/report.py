"""Write what was measured into tables.md, below its heading "Results", and the mean ranks for the pictures."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tables import methods, ranking, runs, sources

HERE = Path(__file__).parent
PAGE = HERE.parent / "tables.md"
RANKS = HERE / "ranks.json"
HEADING = "\n## Results\n"
GROUPS = {"kept apart": sources.APART, "for development": sources.DEVELOPMENT}
AGAINST = ("cnn_core best", "cnn_core balanced", "cnn_core")
SHOWN = {"binary": "AUC", "multiclass": "log-loss", "regression": "R²"}

Result = dict[str, Any]


def row(cells: Sequence[object]) -> str:
    """Return a row of a Markdown table."""
    return "| " + " | ".join(map(str, cells)) + " |"


def table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return a Markdown table."""
    return [row(names), "|" + "---|" * len(names), *map(row, rows), ""]


class Group:
    """The results of some tables: methods that have done all of these, in the splits that all methods have done."""

    def __init__(self, results: list[Result], tables: Sequence[str]):
        self.tables = list(tables)
        self.methods = [
            name for name in methods.METHODS if all(ranking.complete_splits(results, each, [name]) for each in tables)
        ]
        self.splits = {name: ranking.complete_splits(results, name, self.methods) for name in tables}
        self.results = [each for each in results if each["split"] in self.splits.get(each["table"], ())]
        self.error = ranking.errors(self.results, tables, self.methods)
        self.mean_ranks = ranking.ranks(self.error).mean(axis=0)

    def column(self, method: str) -> Any:
        """Return a method's errors."""
        return self.error[:, self.methods.index(method)]

    def of(self, method: str, name: str | None = None) -> list[Result]:
        """Return the results of a method, on one table or all."""
        return [each for each in self.results if each["method"] == method and name in (None, each["table"])]


def ranking_table(group: Group) -> list[str]:
    """Rank, normalised score, wins over tuned LightGBM, and time, the best method first."""
    normal = ranking.normalised(group.error).mean(axis=0)
    rows = []
    for place in np.argsort(group.mean_ranks):
        method = group.methods[place]
        ahead = "" if method == "LightGBM tuned" else share(group.column(method), group.column("LightGBM tuned"))
        seconds = [each["seconds"] for each in group.of(method)]
        name = f"**{method}**" if method in methods.OURS else method
        time = f"{statistics.median(seconds):.2g} ({max(seconds):.2g})"
        rows.append((name, f"{group.mean_ranks[place]:.2f}", f"{normal[place]:.3f}", ahead, time))
    names = ("method", "mean rank", "normalised score", "ahead of tuned LightGBM", "seconds of `fit`, median (most)")
    return table(names, rows)


def share(ours: Any, theirs: Any) -> str:
    """Return on how many tables an error is lower, and the interval of that share."""
    rate, low, high = ranking.win_rate(ours, theirs)
    return f"{(ours < theirs).sum()} of {len(ours)}: {rate:.0%} ({low:.0%} to {high:.0%})"


def against_table(group: Group, own: str) -> list[str]:
    """One of ours against each other method: wins, and whether they may be chance."""
    p = ranking.wilcoxon_holm(group.error, group.methods.index(own))
    rows = []
    for place, method in enumerate(group.methods):
        if method != own:
            mine, other = group.column(own), group.column(method)
            counts = f"{(mine < other).sum()} / {(mine == other).sum()} / {(mine > other).sum()}"
            change = float(np.median(mine / np.where(other > 0, other, np.nan) - 1)) if (other > 0).all() else np.nan
            rows.append((method, counts, share(mine, other).partition(": ")[2], f"{change:+.1%}", f"{p[place]:.2g}"))
    names = (f"{own} against", "better / equal / worse", "share", "error, in the middle", "p")
    return table(names, rows)


def alone_table(group: Group) -> list[str]:
    """Each of ours ranked among the rivals alone, and the best of these rivals beside it."""
    rivals = [place for place, method in enumerate(group.methods) if method not in methods.OURS]
    rows = []
    for place, method in enumerate(group.methods):
        if method in methods.OURS:
            mean_ranks = ranking.ranks(group.error[:, [place, *rivals]]).mean(axis=0)
            best = 1 + int(np.argmin(mean_ranks[1:]))
            first = f"{group.methods[rivals[best - 1]]}: {mean_ranks[best]:.2f}"
            rows.append((method, f"{mean_ranks[0]:.2f}", first))
    return table(("among the rivals alone", "mean rank", "best of the rivals"), rows)


def shown(results: list[Result]) -> str:
    """Return the mean score of some splits, with its standard deviation if there are several."""
    key = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "r2"}[results[0]["kind"]]
    values = [each[key] for each in results]
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{spread}"


def scores_table(group: Group) -> list[str]:
    """Return every table's scores, the best in bold."""
    rows = []
    for place, name in enumerate(group.tables):
        best = group.error[place].min()
        cells = []
        for column, method in enumerate(group.methods):
            cell = shown(group.of(method, name))
            cells.append(f"**{cell}**" if group.error[place, column] == best else cell)
        first = group.of(group.methods[0], name)[0]
        rows.append((name, SHOWN[first["kind"]], first["rows"], first["columns"], len(group.splits[name]), *cells))
    return table(("table", "score", "rows", "columns", "splits", *group.methods), rows)


def coverage_table(results: list[Result]) -> list[str]:
    """Return the share of unseen rows within intervals of 0.9, by table and preset."""
    measured = [each for each in results if "coverage" in each]
    own = [method for method in methods.OURS if any(each["method"] == method for each in measured)]
    names = [name for name in sources.TABLES if any(each["table"] == name for each in measured)]
    rows = []
    for name in names:
        cells = []
        for method in own:
            found = [each["coverage"] for each in measured if (each["table"], each["method"]) == (name, method)]
            cells.append(f"{statistics.mean(found):.3f}" if found else "")
        rows.append((name, "apart" if name in sources.APART else "development", *cells))
    return table(("table", "group", *own), rows)


def few_rows_table(results: list[Result]) -> list[str]:
    """Return both implementations of TabM on small tables: scores and seconds."""
    ours, theirs = methods.FEW_ROWS_ONLY
    known = {(each["table"], each["split"], each["method"]): each for each in results}
    rows = []
    for name in sources.TABLES:
        pairs = [
            (known[name, split, ours], known[name, split, theirs])
            for split in sorted({each["split"] for each in results})
            if (name, split, ours) in known and (name, split, theirs) in known
        ]
        if pairs:
            sides = list(zip(*pairs, strict=True))
            seconds = [statistics.mean(each["seconds"] for each in side) for side in sides]
            kind = SHOWN[sides[0][0]["kind"]]
            cells = [shown(list(side)) for side in sides]
            rows.append((name, kind, len(pairs), *cells, *(f"{each:.1f}" for each in seconds)))
    return table(("table", "score", "splits", "cnn_core", "pytabkit", "its seconds", "pytabkit's"), rows)


def trials_table(results: list[Result]) -> list[str]:
    """Return how many settings the tuned rivals could try."""
    rows = []
    for method in methods.METHODS:
        found = [each["trials"] for each in results if each["method"] == method and "trials" in each]
        if found:
            rows.append((method, f"{statistics.median(found):g}", f"{min(found)} to {max(found)}"))
    return table(("method", "trials, median", "range"), rows)


def numbers_of_splits(group: Group) -> str:
    """Return how many splits the tables of a group have: one number, or the least and the most."""
    numbers = sorted({len(splits) for splits in group.splits.values()})
    return f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


def limit_of(group: Group) -> float:
    """Return the seconds that every method with a limit had; others have none, whatever their lines say."""
    limits = {each["limit"] for each in group.results if each["method"] in methods.LIMITED}
    if len(limits) != 1:
        raise ValueError(f"one limit must have held for all methods that have one. Received: {sorted(limits)}")
    return float(limits.pop())


def write(path: Path) -> None:
    """Write the page's results and the ranks."""
    results = runs.read(path)
    lines, ranks, reported = [], {}, []
    for title, tables in GROUPS.items():
        group = Group(results, tables)
        reported += group.results
        difference = ranking.critical_difference(len(group.methods), len(tables))
        splits, limit = numbers_of_splits(group), limit_of(group)
        lines += [f"### Tables {title}: {len(tables)}, splits: {splits}, limit: {limit:g} s"]
        lines += ["", *ranking_table(group)]
        lines += [f"Friedman's test: p = {ranking.friedman(group.error):.1g}. "]
        lines[-1] += f"Nemenyi's critical difference of mean ranks: {difference:.2f}."
        lines += ["", *alone_table(group)]
        for own in AGAINST:
            lines += against_table(group, own) if own in group.methods else []
        lines += scores_table(group)
        order = np.argsort(group.mean_ranks)
        ranks[title] = {
            "tables": len(tables),
            "critical_difference": round(difference, 3),
            "ranks": {group.methods[place]: round(float(group.mean_ranks[place]), 3) for place in order},
        }
    lines += ["### Intervals of 0.9", "", *coverage_table(reported)]
    lines += ["### TabM on tables of few rows", "", *few_rows_table(results)]
    lines += ["### Trials within the limit", "", *trials_table(reported)]
    page = PAGE.read_text(encoding="utf-8").partition(HEADING)[0]
    PAGE.write_text(page + HEADING + "\n" + "\n".join(lines).rstrip() + "\n", encoding="utf-8")
    RANKS.write_text(json.dumps(ranks, indent=1) + "\n")
