"""Every row has a fault that can be sown today, and sowing tells whether tests found it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reliability import ROWS
from sown_faults import FAULTS, Fault

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ROWS)
def test_a_row_has_a_fault_for_the_code_of_today(name: str) -> None:
    """If the code has changed, the fault in tests/support/sown_faults.py changes with it."""
    fault = FAULTS[name]
    assert (ROOT / fault.path).read_text(encoding="utf-8").count(fault.text) == 1
    assert fault.text != fault.instead


def test_a_text_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a a", encoding="utf-8")
    with pytest.raises(ValueError, match="Received: 2 times"):
        Fault("file", "a", "b").sow(tmp_path)


def test_a_sown_fault_is_found() -> None:
    command = [sys.executable, "tests/matrix", "--sow", "--row", "wheels"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[:2]) == (0, ["wheels", "found"]), done.stderr
