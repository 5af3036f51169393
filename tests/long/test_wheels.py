"""The steps of wheels.yml that this system can take, from the sdist to the tests of the installed wheel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_every_step_passes() -> None:
    for tool in ("auditwheel", "ziglang", "twine", "build"):
        pytest.importorskip(tool, reason="pip install -r .ci/wheel_tools.txt")
    done = subprocess.run(
        [sys.executable, "tests/matrix/wheels.py", "--suite"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
