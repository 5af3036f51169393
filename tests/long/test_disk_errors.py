"""The kernel refuses a write, sync or rename, or kills the process there, at every such call of every way to save.

strace injects into system calls themselves, so that nothing of Python's is replaced.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cnn_core
from cnn_core import layers

CALLS = ("write", "writev", "pwrite64", "fsync", "fdatasync", "rename", "renameat", "renameat2")
FAULTS = {"EIO": "error=EIO", "ENOSPC": "error=ENOSPC", "kill": "signal=KILL"}
START = """
import sys
import numpy as np
import cnn_core
from cnn_core import callbacks, layers
path = sys.argv[1]
x, y = np.zeros((4, 3), "float32"), np.zeros((4, 2), "float32")
model = cnn_core.load_model("old.safetensors")
model.compile(cnn_core.optimizers.SGD(1e-9), "mse")
model.set_weights([np.ones_like(each) for each in model.get_weights()])
"""
WAYS = {
    "save": "model.save(path)",
    "save_weights": "model.save_weights(path)",
    "ModelCheckpoint": "model.fit(x, y, verbose=0, callbacks=[callbacks.ModelCheckpoint(path)])",
    "BackupAndRestore": (
        "model.fit(x, y, verbose=0, callbacks=[callbacks.BackupAndRestore(path, delete_checkpoint=False)])"
    ),
    "estimator": (
        "from cnn_core.sklearn import MLPRegressor\n"
        "MLPRegressor((2,), max_iter=1, tol=0, random_state=0).fit(x + np.eye(4, 3), y[:, 0] + 1).save(path)"
    ),
}

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def traced(way: str, path: str, folder: Path, *options: str) -> int:
    """Run one way to save under strace, and return the exit status, which is not 0 where the fault was told."""
    command = ["strace", "-f", "-qq", "-o", "log", *options, sys.executable, "-B", "-c", f"{START}{WAYS[way]}\n", path]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode


def state(way: str, path: Path) -> str:
    """Return which file is there, whole: the old one or the new one."""
    if way == "estimator":
        from cnn_core.sklearn import MLPRegressor

        return "new" if MLPRegressor.load(path).hidden_layer_sizes == (2,) else "old"
    model = cnn_core.load_model("old.safetensors")
    if way == "BackupAndRestore":
        backups = sorted(path.glob("*.safetensors"))
        assert len(backups) <= 1
        if not backups:
            return "old"
        path = backups[0]
    model.load_weights(path)
    (kernel, _) = model.get_weights()
    assert (kernel == kernel[0, 0]).all() or np.ptp(kernel) < 1e-6
    return "new" if abs(kernel[0, 0] - 1) < 1e-3 else "old"


def prepare(way: str, folder: Path) -> Path:
    """Write the old file, and return where the new one goes."""
    path = folder / ("backup" if way == "BackupAndRestore" else "model.weights.safetensors")
    if way == "BackupAndRestore":
        shutil.rmtree(path, ignore_errors=True)
    elif way == "estimator":
        from cnn_core.sklearn import MLPRegressor

        MLPRegressor((1,), max_iter=2, tol=0, random_state=0).fit(np.eye(4), np.arange(4)).save(path)
    else:
        shutil.copy(folder / "old.safetensors", path)
    return path


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("way", WAYS)
def test_a_file_is_old_or_new_whichever_call_fails(
    way: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(2, kernel_initializer="zeros")])
    model.save("old.safetensors")
    path = prepare(way, tmp_path)
    assert traced(way, str(path), tmp_path, "-e", f"trace={','.join(CALLS)}") == 0
    assert state(way, path) == "new"
    made = re.findall(r"^\d+ +(\w+)\(", Path("log").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert {"write", "fsync"} < set(made), "nothing was saved"
    for call in sorted(set(made)):
        for n in range(1, made.count(call) + 1):
            path = prepare(way, tmp_path)
            status = traced(
                way, str(path), tmp_path, "-e", f"trace={call}", "-e", f"inject={call}:{FAULTS[fault]}:when={n}"
            )
            assert status != 0, f"{call} number {n} failed and nobody was told"
            assert state(way, path) in ("old", "new")
            left = [each.name for each in tmp_path.rglob(".cnn_core*")]
            assert len(left) <= (fault == "kill"), left
            for name in left:
                (tmp_path / name).unlink(missing_ok=True)
