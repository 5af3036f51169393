"""Small files that PyTorch's exporters and skl2onnx wrote, read without these packages."""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path

import numpy as np
import pytest

from cnn_core.interop import from_onnx

with np.load(Path(__file__).with_name("golden") / "onnx.npz", allow_pickle=False) as archive:
    ARRAYS = {key: archive[key] for key in archive.files}
CASES = sorted({key.removesuffix("/file") for key in ARRAYS if key.endswith("/file")})
LABELS = "ignore:output 'output_label' is left out because"


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings(LABELS)
def test_recorded_outputs(case: str):
    model = from_onnx(ARRAYS[f"{case}/file"].tobytes())
    expected = ARRAYS[f"{case}/y"]
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(model(ARRAYS[f"{case}/x"]), expected, rtol=0, atol=1e-4 * scale)


def test_how_much_is_recorded():
    assert len(CASES) == 24


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore")
def test_cut_and_flipped_files(case: str):
    """Truncated at every 64th byte, and with flipped bits: read, or refused with a ValueError, never anything else."""
    data = ARRAYS[f"{case}/file"].tobytes()
    draw = np.random.default_rng(0)
    damaged = [data[:end] for end in range(0, len(data), 64)]
    for _ in range(40):
        flipped = bytearray(data)
        for place in draw.integers(len(data), size=draw.integers(1, 4)):
            flipped[place] ^= 1 << int(draw.integers(8))
        damaged.append(bytes(flipped))
    for each in damaged:
        with contextlib.suppress(ValueError), warnings.catch_warnings():
            from_onnx(each)
