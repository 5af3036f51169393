"""The list of promises: its tests exist, the document has it, and a test that fails makes its command fail."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from reliability import ROWS, document

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("test", sorted({test for row in ROWS.values() for test in (*row.tests, *row.long)}))
def test_what_shows_a_promise_exists(test: str):
    path, _, name = test.partition("::")
    assert (ROOT / path).exists()
    assert not name or re.search(rf"^\s*def {name}\(", (ROOT / path).read_text(encoding="utf-8"), flags=re.MULTILINE)


@pytest.mark.parametrize("name", ROWS)
def test_a_promise_is_shown_or_says_what_is_missing(name: str):
    assert ROWS[name].tests or ROWS[name].long or ROWS[name].not_tried


def test_the_document_has_the_table():
    assert document() in (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8"), (
        "python tests/matrix --document"
    )


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "tests/matrix", *arguments], cwd=ROOT, capture_output=True, text=True)


def test_a_row_that_holds_ends_well():
    done = command("--row", "no code in files")
    assert done.returncode == 0
    assert re.search(r"^no code in files +\d+ +\d+  yes +\d", done.stdout, flags=re.MULTILINE)


def test_a_row_without_tests_does_not_pass():
    done = command("--row", "sanitizers")
    assert done.returncode == 1
    assert "only --long runs it" in done.stdout


def sown(folder: Path, tests: str, more: str = "") -> list[str]:
    """Write tests and run them as a row beside one of the project's, whose conftest.py knows --long."""
    (folder / "test_sown.py").write_text(tests, encoding="utf-8")
    row = [str(folder), "tests/matrix/test_rows.py::test_the_document_has_the_table"]
    code = f"import runpy; print(runpy.run_path('tests/matrix')['run']('sown', {row!r}, {more!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.splitlines()


def test_a_failing_test_makes_its_row_fail(tmp_path: Path):
    line, holds = sown(tmp_path, "def test_sown(): assert False\n")
    assert re.match(r"sown +1 +1  NO ", line)
    assert holds == "False"


def test_a_row_counts_the_inputs_that_its_tests_tell(tmp_path: Path):
    tests = "def test_one(): pass\ndef test_many(record_property): record_property('inputs', 41)\n"
    line, holds = sown(tmp_path, tests, ", --long tries more")
    assert re.match(r"sown +3 +43  yes, --long tries more +\d", line)
    assert holds == "True"
