"""The kernel refuses a write, sync or rename, or kills the process there, at every such call of every way to save.

strace injects into system calls themselves, so that nothing of Python's is replaced.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import ways_to_save
from ways_to_save import WAYS

CALLS = "write,writev,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat"
FAULTS = {"EIO": "error=EIO", "ENOSPC": "error=ENOSPC", "kill": "signal=KILL"}

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def traced(way: str, path: Path, log: Path, *options: str) -> int:
    """Save number 2 under strace, and return the exit status, which is not 0 where a fault was told."""
    command = [sys.executable, "-B", ways_to_save.__file__, way, str(path), "2"]
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = os.environ | {"PYTHONPATH": paths, "JOBLIB_MULTIPROCESSING": "0"}  # joblib writes semaphores, too
    strace = ["strace", "-f", "-qq", "-o", str(log), *options]
    return subprocess.run([*strace, *command], capture_output=True, check=False, env=environment).returncode


def prepared(way: str, folder: Path) -> Path:
    """Return the path where number 1 lies, and nothing beside it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    WAYS[way].write(folder / WAYS[way].name, 1)
    return folder / WAYS[way].name


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("way", WAYS)
def test_a_file_is_old_or_new_whichever_call_fails(
    way: str, fault: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    folder, log = tmp_path / "files", tmp_path / "log"
    path = prepared(way, folder)
    assert traced(way, path, log, "-e", f"trace={CALLS}") == 0
    assert WAYS[way].read(path) == 2
    calls = re.findall(r"^\d+ +(\w+)\(", log.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert {"write", "fsync", "rename"} <= set(calls), "nothing was saved"
    for call in sorted(set(calls)):
        for n in range(1, calls.count(call) + 1):
            path = prepared(way, folder)
            inject = f"inject={call}:{FAULTS[fault]}:when={n}"
            assert traced(way, path, log, "-e", f"trace={call}", "-e", inject) != 0, f"nobody was told of {call} {n}"
            assert WAYS[way].read(path) in (1, 2)
            left = [each.name for each in folder.rglob(".cnn_core*")]
            assert len(left) <= (fault == "kill"), left
    record_property("inputs", len(calls))
