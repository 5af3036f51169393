"""What ONNX Runtime computes from files of `to_onnx` is what their models compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnn_core.interop import to_onnx
from cnn_core.interop.onnx_format import decode

TOLERANCES = {"float32": 1e-4, "float64": 1e-11}  # float32: random networks that normalize amplify rounding


def run(data: bytes, feeds: dict[str, Any]) -> Any:
    """Return what ONNX Runtime makes of a file that onnx's checker finds right."""
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    return onnxruntime.InferenceSession(data).run(None, feeds)


def check(model: Any, *arrays: Any) -> None:
    """Compare a model with what ONNX Runtime makes of its file."""
    ours = model(list(arrays) if len(arrays) > 1 else arrays[0])
    theirs = run(to_onnx(model), dict(zip(model.input_names, arrays, strict=True)))
    tolerance = TOLERANCES[model.dtype]
    for one, other in zip(ours if isinstance(ours, list) else [ours], theirs, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(other, one, rtol=tolerance, atol=tolerance)


def operators(model: Any) -> list[str]:
    """Return the operators of a model's file, in their order, but for the last one, which names the output."""
    return [node["op_type"] for node in decode(memoryview(to_onnx(model)))["graph"]["node"]][:-1]
