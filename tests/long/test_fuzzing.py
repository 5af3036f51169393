"""A minute of search for a file that is neither loaded nor refused, for every kind of file.

atheris searches, led by the code that each file reaches. Where it is not installed, many more files than in
`tests/whole/test_fuzzing.py` are drawn instead, led by nothing.
"""

from __future__ import annotations

import importlib.util
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import fuzzing

SECONDS = 60
N_FILES = 5000  # without atheris
LIMITS = ("-timeout=30", "-rss_limit_mb=2000", "-max_len=20000")


@pytest.mark.parametrize("name", fuzzing.TARGETS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_no_file_is_found(name: str, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    if importlib.util.find_spec("atheris") is None:
        target, draw = fuzzing.TARGETS[name], random.Random(name)
        sound = target.make()
        for _ in range(N_FILES):
            fuzzing.refuses(target, fuzzing.mutate(sound, draw))
        record_property("inputs", N_FILES)
        return
    script = str(Path(fuzzing.__file__).with_name("coverage_search.py"))
    command = [sys.executable, "-W", "ignore", script, name, *LIMITS, f"-max_total_time={SECONDS}"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", cwd=tmp_path, env=environment, check=False
    )
    finished = re.search(r"Done (\d+) runs", done.stderr)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert finished is not None
    assert int(finished[1]) > 10
    record_property("inputs", int(finished[1]))
