"""The command line: `python -m benchmarks tables run` and `python -m benchmarks tables report`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
HERE = Path(__file__).parent


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    from tables import methods, sources

    made = argparse.ArgumentParser(prog="benchmarks tables", description=__doc__)
    commands = made.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure what the results do not hold yet")
    run.add_argument("--output", type=Path, default=HERE / "results.jsonl", metavar="PATH")
    run.add_argument("--tables", nargs="+", default=list(sources.TABLES), choices=list(sources.TABLES), metavar="NAME")
    run.add_argument("--methods", nargs="+", default=None, choices=list(methods.METHODS), metavar="NAME")
    run.add_argument("--who", choices=("all", "ours", "rivals"), default="all")
    run.add_argument("--splits", nargs="+", type=int, default=[0, 1, 2], metavar="NUMBER")
    run.add_argument("--seconds", type=float, default=methods.SECONDS, help="the limit, of processor time")
    run.add_argument("--most-rows", type=int, default=sources.MOST_ROWS, metavar="N", help="larger ones are sampled")
    report = commands.add_parser("report", help="write the tables and draw the pictures")
    report.add_argument("--results", type=Path, default=HERE / "results.jsonl", metavar="PATH")
    return made


def main(arguments: Sequence[str]) -> None:
    """Run or report."""
    os.environ.update(ONE_THREAD)  # before the libraries are imported, which read it once
    from tables import methods, runs

    options = parser().parse_args(arguments)
    if options.command == "run":
        groups = {"all": methods.METHODS, "ours": methods.OURS, "rivals": methods.RIVALS}
        chosen = options.methods or list(groups[options.who])
        runs.run(options.output, options.tables, chosen, options.splits, options.seconds, options.most_rows)
    else:
        from tables import report

        report.write(options.results)
