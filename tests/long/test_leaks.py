"""10,000 times built, trained, asked, saved and dropped, the process is no larger than after the first few."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import cnn_core
from cnn_core import layers

N_CYCLES = 10_000
WARM_UP = 500
LARGEST_GROWTH = 1 << 20  # bytes
X = np.linspace(-1, 1, 32, dtype="float32").reshape(8, 4)
Y = X[:, :1]


def resident_bytes() -> int:
    """Return the memory that the process has in RAM and is its own."""
    text = Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
    return 1024 * sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_"))


def made() -> cnn_core.Sequential:
    model = cnn_core.Sequential([cnn_core.Input((4,)), layers.Dense(3, "relu"), layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def life_of_a_model(path: Path) -> None:
    model = made()
    model.fit(X, Y, epochs=1, verbose=0)
    model.predict(X, verbose=0)
    model.predictor()(X)
    model.save(path)
    cnn_core.load_model(path)


def refusals(path: Path) -> None:
    model = made()
    for call in (lambda: model.predict(X[:, :2], verbose=0), lambda: model.fit(X, Y[:3], verbose=0)):
        with pytest.raises(ValueError, match="Received"):
            call()


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads Linux's account of memory")
@pytest.mark.parametrize("cycle", [life_of_a_model, refusals])
def test_cycles_leave_nothing(
    cycle: Callable[[Path], None], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    path = tmp_path / "model.safetensors"
    for _ in range(WARM_UP):
        cycle(path)
    gc.collect()
    before = resident_bytes()
    for _ in range(N_CYCLES):
        cycle(path)
    gc.collect()
    assert resident_bytes() - before < LARGEST_GROWTH
    record_property("inputs", N_CYCLES)
