"""A hundred rounds of every way to start processes after a threaded fit: none hangs, all compute the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROUNDS = {"fork": 100, "forkserver": 100, "spawn": 100, "loky": 100}
PROCESSES = """
import hashlib, multiprocessing, sys
import numpy as np
import cnn_core
from cnn_core import layers

def train(seed):
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((300, 96), dtype="float32")
    y = generator.integers(0, 5, 300)
    cnn_core.set_num_threads(3)
    cnn_core.utils.set_random_seed(seed)
    model = cnn_core.Sequential(
        [cnn_core.Input((96,)), layers.Dense(256, activation="relu"), layers.Dense(5, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, y, batch_size=128, epochs=1, verbose=0)
    assert cnn_core._core.threads_started() > 0
    return hashlib.sha256(b"".join(one.tobytes() for one in model.get_weights())).hexdigest()

def answers(method):
    if method == "loky":
        from joblib import Parallel, delayed
        return Parallel(n_jobs=2, backend="loky")(delayed(train)(1) for _ in range(2))
    with multiprocessing.get_context(method).Pool(2) as pool:
        return pool.map(train, [1] * 2)

if __name__ == "__main__":
    method, rounds = sys.argv[1], int(sys.argv[2])
    for _ in range(rounds):
        expected = train(1)
        assert answers(method) == [expected] * 2
    print("trained")
"""


@pytest.mark.parametrize("method", ROUNDS)
def test_no_round_hangs(method: str, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    if method == "loky":
        pytest.importorskip("joblib")
    script = tmp_path / "processes.py"
    script.write_text(PROCESSES, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), method, str(ROUNDS[method])],
        env=environment,
        capture_output=True,
        text=True,
        timeout=1800,  # a guard against hanging
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "trained"), done.stderr
    record_property("inputs", ROUNDS[method])
