"""Record small ONNX files of other packages, with inputs and outputs: PyTorch's two exporters, and skl2onnx.

Run by hand, in an environment of its own; the tests only read what it writes:

    pip install torch==2.13.0 onnxscript==0.7.2 skl2onnx==1.20.0 scikit-learn numpy
    python tests/agreement/golden/record_onnx.py
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import skl2onnx
import torch
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))

from random_modules import random_module

FILE = Path(__file__).with_name("onnx.npz")
SOURCE = {"torch": torch.__version__, "skl2onnx": skl2onnx.__version__, "numpy": np.__version__}
SEEDS = {False: range(20), True: range(20, 24)}  # by whether the newer exporter writes the module


def modules() -> Iterator[tuple[str, bytes, Any, Any]]:
    for newer, seeds in SEEDS.items():
        for seed in seeds:
            module, x = random_module(torch, seed), 2 * torch.randn(9, 6)
            with contextlib.suppress(torch.onnx.OnnxExporterError):  # the older one does not know all
                data = exported(module, newer, 18 if newer else (17, 18, 20)[seed % 3])
                yield f"torch_{'newer' if newer else 'older'}_{seed}", data, x.numpy(), module(x).detach().numpy()


def exported(module: Any, newer: bool, opset: int) -> bytes:
    file = io.BytesIO()
    how = {"dynamic_shapes": ({0: torch.export.Dim("n")},)} if newer else {"dynamic_axes": {"x": {0: "n"}}}
    torch.onnx.export(module, (torch.randn(5, 6),), file, opset_version=opset, input_names=["x"], dynamo=newer, **how)
    return file.getvalue()


def pipelines() -> Iterator[tuple[str, bytes, Any, Any]]:
    x = np.random.default_rng(0).normal(3.0, 2.0, size=(60, 4)).astype("float32")
    classes = np.array(["high", "low", "middle"])[np.digitize(x[:, 0], [2.0, 4.0])]
    targets = {"classes": classes, "two_classes": x[:, 1] > 3, "numbers": x[:, 0] + x[:, 1]}
    for name, y in targets.items():
        kind = MLPRegressor if name == "numbers" else MLPClassifier
        fitted = make_pipeline(StandardScaler(), kind(hidden_layer_sizes=(5, 3), max_iter=60, random_state=0)).fit(x, y)
        answers = fitted.predict(x)[:, None] if name == "numbers" else fitted.predict_proba(x)
        yield (
            f"skl2onnx_{name}",
            skl2onnx.to_onnx(fitted, x[:1], target_opset=17).SerializeToString(),
            x[:9],
            answers[:9],
        )


def main() -> None:
    arrays: dict[str, Any] = {"source": np.array(json.dumps(SOURCE))}
    for name, data, x, y in (*modules(), *pipelines()):
        arrays |= {f"{name}/file": np.frombuffer(data, np.uint8), f"{name}/x": x, f"{name}/y": y}
    np.savez_compressed(FILE, **arrays)


if __name__ == "__main__":
    main()
