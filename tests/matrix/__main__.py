"""Run the tests behind every promise of docs/reliability.md, and print a table: `python tests/matrix`.

`--long` adds what takes hours: other builds of the core, thousands of cycles, faults that are injected into system
calls. A row runs in a process of its own. The exit status is 1 if one fails, or passes no test.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from reliability import ROWS, document  # noqa: E402


def run(name: str, tests: Sequence[str]) -> bool:
    """Run the tests of a row, print its line, and return whether they passed."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "-q", "--long", *tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    passed = re.search(r"(\d+) passed", done.stdout)
    holds = done.returncode == 0 and passed is not None
    count, seconds = passed[1] if passed else 0, time.perf_counter() - start
    print(f"{name:18}{count:>8}  {'passed' if holds else 'FAILED':10}{seconds:8.1f}", flush=True)
    if not holds:
        print(done.stdout + done.stderr, file=sys.stderr)
    return holds


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python tests/matrix", description=__doc__)
    parser.add_argument("--row", choices=ROWS, action="append", help="this row alone; may be given again")
    parser.add_argument("--long", action="store_true", help="run the long tests of the rows, too")
    parser.add_argument("--document", action="store_true", help="print the table of docs/reliability.md instead")
    options = parser.parse_args(arguments)
    if options.document:
        print(document())
        return 0
    chosen = options.row or list(ROWS)
    print(f"{'row':18}{'tests':>8}  {'result':10}{'seconds':>8}")
    tests = {name: (*ROWS[name].tests, *(ROWS[name].long if options.long else ())) for name in chosen}
    results = [run(name, tests[name]) for name in chosen if tests[name]]
    for name in chosen:
        if not tests[name]:
            print(f"{name:18}{0:>8}  {'--long shows it' if ROWS[name].long else 'not shown'}")
    return 0 if all(results) and results else 1


if __name__ == "__main__":
    sys.exit(main())
