"""Run the tests behind every promise of docs/reliability.md, and print a table: `python tests/matrix`.

`--long` adds what takes hours: other builds of the core, thousands of cycles, faults that are injected into system
calls. `--sow` asks the tests themselves: a fault that is put into a copy of the tree must make its row fail. A row runs
in a process of its own. The exit status is 1 if one fails, or passes no test.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from reliability import ROWS, document  # noqa: E402
from scratch_tree import build, copy_tree, run_in  # noqa: E402
from sown_faults import FAULTS  # noqa: E402

HANGS = 3600  # seconds after which a sown fault is found because nothing ends


class Count(NamedTuple):
    """How many tests passed, and with how many inputs: a test that says none of its own has one."""

    tests: int
    inputs: int


def count(report: Path) -> Count:
    """Read what a run of pytest has written down."""
    if not report.exists():
        return Count(0, 0)
    cases = [case for case in ElementTree.parse(report).iter("testcase") if not case.findall("*[@message]")]
    inputs = [case.find("properties/property[@name='inputs']") for case in cases]
    return Count(len(cases), sum(1 if each is None else int(each.get("value", 0)) for each in inputs))


def line(name: str, tests: object, inputs: object, held: str, seconds: object = "") -> str:
    return f"{name:16}{tests:>7}{inputs:>10}  {held:24}{seconds:>8}"


def run(name: str, tests: Sequence[str], more: str = "") -> bool:
    """Run the tests of a row, print its line, and return whether they passed."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "--long", f"--junit-xml={report}", *tests]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        passed = count(report)
    holds = done.returncode == 0 and passed.tests > 0
    seconds = f"{time.perf_counter() - start:.1f}"
    print(line(name, *passed, f"yes{more}" if holds else "NO", seconds), flush=True)
    if not holds:
        print(done.stdout + done.stderr, file=sys.stderr)
    return holds


def sow(name: str) -> bool:
    """Put a row's fault into a copy of the tree, print the row's line, and return whether its tests found it."""
    start, fault, row = time.perf_counter(), FAULTS[name], ROWS[name]
    with tempfile.TemporaryDirectory() as folder:
        tree = copy_tree(Path(folder) / "tree")
        fault.sow(tree)
        if fault.is_native:
            build(tree)
        else:
            for core in (ROOT / "cnn_core").glob("_core.*.so"):
                shutil.copy(core, tree / "cnn_core")
        command = [sys.executable, "-m", "pytest", "-q", "-x", "--long", *(fault.tests or row.tests or row.long)]
        try:
            printed = run_in(tree, command, timeout=HANGS).stdout
        except subprocess.TimeoutExpired:
            printed = "1 failed"
    # A fault that kills the process is found, too; one that lets no test begin is not.
    found = re.search(r"\d+ failed|Fatal Python error", printed) is not None
    print(f"{name:18}{'found' if found else 'MISSED':10}{time.perf_counter() - start:8.1f}", flush=True)
    if not found:
        print(printed[-5000:], file=sys.stderr)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python tests/matrix", description=__doc__)
    parser.add_argument("--row", choices=ROWS, action="append", help="this row alone; may be given again")
    parser.add_argument("--long", action="store_true", help="run the long tests of the rows, too")
    parser.add_argument("--sow", action="store_true", help="put a fault into a copy for each row, which it must find")
    parser.add_argument("--document", action="store_true", help="print the table of docs/reliability.md instead")
    options = parser.parse_args(arguments)
    if options.document:
        print(document())
        return 0
    chosen = options.row or list(ROWS)
    if options.sow:
        results = [sow(name) for name in chosen]
        return 0 if all(results) else 1
    print(line("row", "tests", "inputs", "held", "seconds"))
    results = []
    for name in chosen:
        row = ROWS[name]
        tests = (*row.tests, *(row.long if options.long else ()))
        more = ", --long tries more" if row.long and not options.long else ""
        if tests:
            results.append(run(name, tests, more))
        else:
            print(line(name, 0, 0, "only --long runs it"), flush=True)
    return 0 if all(results) and results else 1


if __name__ == "__main__":
    sys.exit(main())
