"""Files that other packages write: PyTorch's two exporters, skl2onnx, and the cases of the onnx package."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnn_core.interop import from_onnx
from random_modules import random_module

pytestmark = [pytest.mark.doors, pytest.mark.filterwarnings("ignore")]  # what the exporters warn of is theirs


def exported(torch: Any, module: Any, opset: int, **how: Any) -> bytes:
    file = io.BytesIO()
    torch.onnx.export(module, (torch.randn(5, 6),), file, opset_version=opset, input_names=["x"], **how)
    return file.getvalue()


def check(torch: Any, module: Any, data: bytes) -> None:
    x = 2 * torch.randn(9, 6)
    theirs = module(x).detach().numpy()
    scale = max(1.0, float(np.abs(theirs).max()))
    np.testing.assert_allclose(from_onnx(data)(x.numpy()), theirs, rtol=0, atol=1e-4 * scale)


def test_the_older_exporter_of_pytorch(n_architectures: int):
    torch = pytest.importorskip("torch")
    tried, refused = 0, []
    for seed in range(n_architectures * 6 // 5):
        module = random_module(torch, seed)
        try:
            data = exported(torch, module, (17, 18, 20)[seed % 3], dynamo=False, dynamic_axes={"x": {0: "n"}})
        except Exception as error:
            refused.append(str(error))
            continue
        check(torch, module, data)
        tried += 1
    assert all("nsupported" in each or "is not supported" in each for each in refused)  # by that exporter
    assert tried >= n_architectures


def test_the_newer_exporter_of_pytorch(n_architectures: int):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    for seed in range(n_architectures):
        module = random_module(torch, seed)
        shapes = ({0: torch.export.Dim("n")},)
        opset = (18, 20, 22)[seed % 3]
        check(torch, module, exported(torch, module, opset, dynamo=True, dynamic_shapes=shapes, verbose=False))


@pytest.mark.parametrize("seed", range(12))
def test_pipelines_of_scikit_learn(seed: int):
    """skl2onnx: scalers before perceptrons, of both tasks."""
    skl2onnx = pytest.importorskip("skl2onnx")
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, StandardScaler

    draw = np.random.default_rng(seed)
    x = draw.normal(3.0, 2.0, size=(80, 4)).astype("float32")
    scaler = (StandardScaler(), MinMaxScaler(), MaxAbsScaler(), Normalizer())[seed % 4]
    settings: dict[str, Any] = {"activation": ("relu", "tanh", "logistic")[seed % 3], "max_iter": 40, "random_state": 0}
    if seed % 2:
        fitted = make_pipeline(scaler, MLPRegressor(hidden_layer_sizes=(5, 4), **settings)).fit(x, x[:, 0] + x[:, 1])
        expected = fitted.predict(x)[:, None]
    else:
        y = np.digitize(x[:, 0], [3.0] if seed % 4 else [2.0, 4.0])
        fitted = make_pipeline(scaler, MLPClassifier((5,), **settings)).fit(x, y)
        expected = fitted.predict_proba(x)
    for opset in (17, 21):
        model = from_onnx(
            skl2onnx.to_onnx(fitted, x[:1], target_opset=opset, options={"zipmap": False} if seed % 4 == 0 else None)
        )
        np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-5)


def cases() -> Iterator[tuple[str, bytes, list[Any], list[Any]]]:
    """Yield name, file, inputs and outputs of every case of the onnx package that has one data set at least."""
    onnx = pytest.importorskip("onnx")
    nodes = pytest.importorskip("onnx.backend.test.case.node")
    for case in nodes.collect_testcases(None):
        if case.data_sets and all(isinstance(each, np.ndarray) for part in case.data_sets[0] for each in part):
            yield f"node/{case.name}", case.model.SerializeToString(), *case.data_sets[0]
    for folder in sorted(Path(onnx.__file__).parent.joinpath("backend/test/data").glob("*/*")):
        found = [sorted(folder.glob(f"test_data_set_0/{kind}_*.pb")) for kind in ("input", "output")]
        if folder.parent.name.startswith("pytorch") and all(found):
            data = folder.joinpath("model.onnx").read_bytes()
            yield f"{folder.parent.name}/{folder.name}", data, *([array(onnx, each) for each in part] for part in found)


def array(onnx: Any, path: Path) -> Any:
    return onnx.numpy_helper.to_array(onnx.load_tensor(path))


def test_cases_of_the_onnx_package():
    """What is read gives what is written there; everything else is refused by name. No case gives something else."""
    same = 0
    for name, data, inputs, outputs in cases():
        with warnings.catch_warnings(record=True) as left_out:
            warnings.simplefilter("always")
            try:
                model = from_onnx(data)
                made = model(list(inputs) if len(model.inputs) > 1 else inputs[0])
            except ValueError:
                continue
        if any("is left out because" in str(each.message) for each in left_out):
            continue
        for one, other in zip(made if isinstance(made, list) else [made], outputs, strict=True):
            assert one.shape == other.shape, name
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5, err_msg=name)
        same += 1
    assert same > 150


def test_names_of_classes_come_along():
    skl2onnx = pytest.importorskip("skl2onnx")
    from sklearn.neural_network import MLPClassifier

    x = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
    fitted = MLPClassifier((5,), max_iter=40).fit(x, np.where(x[:, 0] > 0, "high", "low"))
    model = from_onnx(skl2onnx.to_onnx(fitted, x[:1]))
    assert json.loads(model.metadata["classes"]) == ["high", "low"]
