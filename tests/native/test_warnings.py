"""The C sources compile without a warning."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for path in sorted(ROOT.glob("src/*/*.c")) if not path.name.endswith(".template.c")]


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_no_warning(source: Path):
    command = ["cc", "-Wall", "-Wextra", "-Werror", "-std=c11", "-O1", "-fsyntax-only", str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
