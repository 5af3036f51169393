"""Hold the instructions that fixed pieces of work take against committed figures: a slowdown shows without a clock.

The figures belong to one instruction set, one compiler and one Python; elsewhere the test is skipped. After a change
that is meant to cost or save instructions, record them again: python tests/native/test_instruction_counts.py
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import cnn_core._core as _core

FOLDER = Path(__file__).parent
FIGURES = FOLDER / "instruction_counts.json"
INSTRUCTION_SET = "avx2"  # the best that valgrind knows
MOST_ALLOWED = 1.10


def circumstances() -> str:
    """Name what the figures depend on besides our own text."""
    comment = re.search(rb"GCC: \([^)]*\) (\d+)|clang version (\d+)", Path(_core.__file__).read_bytes())
    compiler = comment.group(0).decode().split()[-1] if comment else "unknown"
    python = ".".join(platform.python_version_tuple()[:2])
    return f"{platform.machine()} {INSTRUCTION_SET}, compiler {compiler}, Python {python}"


def can_count() -> bool:
    """Return whether callgrind, its header and a compiler are there."""
    found = shutil.which("valgrind") and shutil.which("cc")
    return bool(found) and Path("/usr/include/valgrind/callgrind.h").exists()


def counts(folder: Path) -> dict[str, int]:
    """Run the work under callgrind; return the instructions that each piece took."""
    library = folder / "markers.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", str(FOLDER / "markers.c"), "-o", str(library)], check=True)
    environment = {**os.environ, "CNN_CORE_ISA": INSTRUCTION_SET, "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
    command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/counts"]
    done = subprocess.run(
        [*command, sys.executable, str(FOLDER / "counted_work.py"), str(library)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(map(read, folder.glob("counts.*")))


def read(file: Path) -> tuple[str, int]:
    """Return name and total of one dump of callgrind."""
    text = file.read_text()
    name = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.MULTILINE)
    total = re.search(r"^totals: (\d+)$", text, re.MULTILINE)
    assert name is not None
    assert total is not None
    return name.group(1), int(total.group(1))


def test_no_piece_of_work_takes_a_tenth_more_instructions(tmp_path):
    known = json.loads(FIGURES.read_text())
    if known["circumstances"] != circumstances():
        pytest.skip(f"the figures are for {known['circumstances']}, this is {circumstances()}")
    if not can_count():
        pytest.skip("needs valgrind with its headers and a C compiler")
    measured = counts(tmp_path)
    assert measured.keys() == known["instructions"].keys()
    grown = {
        name: f"{known['instructions'][name]:,} -> {count:,}"
        for name, count in measured.items()
        if count > MOST_ALLOWED * known["instructions"][name]
    }
    assert not grown


def record() -> None:
    """Write the figures of the core as it is built now."""
    with tempfile.TemporaryDirectory() as name:
        figures = {"circumstances": circumstances(), "instructions": dict(sorted(counts(Path(name)).items()))}
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    print(FIGURES.read_text())


if __name__ == "__main__":
    record()
