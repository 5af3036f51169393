"""Run a script on several ranks by a real mpiexec, or a function on ranks that are threads."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("shared_trainings.py")
SECONDS = 120  # far beyond what any script takes: a hang must not hang the tests


def mpiexec() -> str | None:
    beside = Path(sys.executable).parent / "mpiexec"
    return str(beside) if beside.exists() else shutil.which("mpiexec")


needs_mpi = pytest.mark.skipif(
    mpiexec() is None or importlib.util.find_spec("mpi4py") is None,
    reason="needs mpi4py and mpiexec: pip install 'cnn_core[mpi]'",
)


def run(n: int, script: Path, *arguments: object, seconds: int = SECONDS) -> subprocess.CompletedProcess[str]:
    """Run a script on n ranks to its end."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    command = [mpiexec() or "mpiexec", "-n", str(n), sys.executable, str(script), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds)


def run_well(n: int, script: Path, *arguments: object) -> str:
    """Run a script that must end well; return what it has printed."""
    done = run(n, script, *arguments)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def trained(
    tmp_path_factory: pytest.TempPathFactory, n: int, cases: str, *settings: str
) -> list[dict[str, np.ndarray]]:
    """Train on n ranks (0: without any distribution); return what each rank has stored."""
    path = tmp_path_factory.mktemp("trained") / "results"
    if n == 0:
        subprocess.run([sys.executable, SCRIPT, path, cases], check=True)
        return [dict(np.load(f"{path}.npz"))]
    run_well(n, SCRIPT, path, cases, *(settings or ["auto_shard_dataset=True"]))
    return [dict(np.load(f"{path}-{rank}.npz")) for rank in range(n)]


def of_case(results: dict[str, np.ndarray], case: str) -> dict[str, np.ndarray]:
    return {key: value for key, value in results.items() if key.startswith(f"{case}/")}


def assert_close(found: dict[str, np.ndarray], expected: dict[str, np.ndarray], tolerance: float) -> None:
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=tolerance, atol=tolerance, err_msg=key)


class ThreadRank:
    """A communicator whose ranks are threads of this process."""

    def __init__(self, rank: int, size: int, board: list[Any], barrier: threading.Barrier) -> None:
        self.rank, self.size = rank, size
        self._board, self._barrier = board, barrier

    def _all(self, mine: Any) -> list[Any]:
        self._board[self.rank] = mine
        self._barrier.wait()
        everybody = list(self._board)
        self._barrier.wait()
        return everybody

    shares_memory = True

    def meet(self) -> None:
        self._barrier.wait()

    def gather(self, numbers: Any) -> Any:
        return np.array(self._all(np.array(numbers, np.float64)))

    def add_up(self, vector: Any) -> None:
        vector[...] = np.sum(self._all(vector.copy()), axis=0)

    def exchange(self, parts: Sequence[Any], sizes: Sequence[int]) -> list[Any]:
        received = [each[self.rank].copy() for each in self._all([part.copy() for part in parts])]
        assert [len(each) for each in received] == list(sizes)
        return received

    def collect(self, part: Any, sizes: Sequence[int]) -> Any:
        everybody = self._all(part.copy())
        assert [len(each) for each in everybody] == list(sizes)
        return np.concatenate(everybody)


def on_threads(size: int, work: Callable[[ThreadRank], Any]) -> list[Any]:
    """Call a function on so many ranks at once; return what each has returned."""
    board, barrier, results = [None] * size, threading.Barrier(size), [None] * size

    def call(rank: int) -> None:
        try:
            results[rank] = work(ThreadRank(rank, size, board, barrier))
        except BaseException:
            barrier.abort()
            raise

    threads = [threading.Thread(target=call, args=[rank]) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
