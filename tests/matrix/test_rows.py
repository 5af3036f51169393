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
    assert re.search(r"^no code in files +\d+  passed", done.stdout, flags=re.MULTILINE)


def test_a_row_without_tests_does_not_pass():
    done = command("--row", "sanitizers")
    assert done.returncode == 1
    assert "--long shows it" in done.stdout


def test_a_failing_test_makes_its_row_fail(tmp_path: Path):
    (tmp_path / "test_sown.py").write_text("def test_sown(): assert False\n", encoding="utf-8")
    script = "import runpy; m = runpy.run_path('tests/matrix')"
    code = f"{script}; print(m['run']('sown', [{str(tmp_path)!r}]))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "FAILED" in done.stdout
    assert done.stdout.splitlines()[-1] == "False"
