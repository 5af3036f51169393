"""Models in and out of other formats, from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cnn_core
import cnn_core.commands.main as cli
import cnn_core.foundation.model_file as model_file
from cnn_core import Input, Sequential, interop, layers
from cnn_core.commands.doors import read
from cnn_core.sklearn import TabularClassifier

X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")


@pytest.fixture
def model(tmp_path: Path) -> cnn_core.Sequential:
    made = Sequential([Input((3,)), layers.Dense(4, "tanh", name="hidden"), layers.Dense(2, "softmax")])
    made.save(tmp_path / "net.safetensors")
    return made


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    code = cli.main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def test_onnx_and_back(model, tmp_path, capsys):
    onnx, again = tmp_path / "net.onnx", tmp_path / "again.safetensors"
    assert run(capsys, "export", tmp_path / "net.safetensors", onnx) == (0, f"Written: {onnx}\n")
    assert run(capsys, "import", onnx, again) == (0, f"Written: {again}\n")
    np.testing.assert_allclose(cnn_core.load_model(again)(X), model(X), rtol=1e-6)
    code, printed = run(capsys, "info", onnx)
    assert code == 0
    assert "Dense" in printed


def test_c_with_its_options(model, tmp_path, capsys):
    source = tmp_path / "net.c"
    code, printed = run(capsys, "export", tmp_path / "net.safetensors", source, "--name", "mine", "--weights", "extern")
    assert code == 0
    assert [Path(name).name for name in printed.strip().split(" ", 1)[1].split(", ")] == [
        "net.c",
        "net.h",
        "net_weights.c",
    ]
    assert "mine_predict" in source.read_text()


def test_tabular_estimators(tmp_path, capsys):
    TabularClassifier(epochs=2, random_state=0).fit(X, X[:, 0] > 0).save(tmp_path / "table.safetensors")
    for name in ("table.c", "table.onnx"):
        assert run(capsys, "export", tmp_path / "table.safetensors", tmp_path / name)[0] == 0
        assert (tmp_path / name).exists()
    code, printed = run(capsys, "import", tmp_path / "table.safetensors", tmp_path / "other.safetensors")
    assert (code, "has this format already" in printed) == (2, True)
    for name in ("table.safetensors", "table.onnx"):
        assert run(capsys, "info", tmp_path / name)[1].count("TabularClassifier") == 1
    assert run(capsys, "export", tmp_path / "table.onnx", tmp_path / "again.c")[0] == 0


def test_info_reads_a_tabular_file_once(tmp_path, capsys, monkeypatch):
    TabularClassifier(epochs=2, random_state=0).fit(X, X[:, 0] > 0).save(tmp_path / "table.safetensors")
    reads, read_all = [], model_file.read
    monkeypatch.setattr(model_file, "read", lambda path, **how: reads.append(path) or read_all(path, **how))
    assert run(capsys, "info", tmp_path / "table.safetensors")[0] == 0
    assert len(reads) == 1


def test_files_of_keras(model, tmp_path, capsys):
    keras, again = tmp_path / "net.keras", tmp_path / "again.safetensors"
    assert run(capsys, "export", tmp_path / "net.safetensors", keras) == (0, f"Written: {keras}\n")
    assert run(capsys, "info", keras)[0] == 0
    assert run(capsys, "import", keras, again)[0] == 0
    np.testing.assert_allclose(cnn_core.load_model(again)(X), model(X), rtol=1e-6)
    assert read(str(keras)).count_params() == model.count_params()


def test_what_is_refused(model, tmp_path, capsys):
    own = tmp_path / "net.safetensors"
    onnx = tmp_path / "net.onnx"
    interop.to_onnx(model, onnx)
    (tmp_path / "text.csv").write_text("a,b\n1,2\n")
    for arguments, message in [
        (("export", own, tmp_path / "net.pdf"), "OUTPUT must end in .c or .keras or .onnx or .safetensors"),
        (("export", own, onnx, "--name", "x"), "`--name` is for C only"),
        (("export", own, own), "OUTPUT must be another file than the one that is read"),
        (("import", onnx, tmp_path / "net.onnx2"), "OUTPUT must end in .safetensors"),
        (("import", tmp_path / "missing.onnx", tmp_path / "a.safetensors"), "No such file"),
        (("import", tmp_path / "text.csv", tmp_path / "a.safetensors"), "text.csv"),
        (("export", own, tmp_path / "2nd.c", "--name", "2nd"), "`name` must be an identifier of C"),
    ]:
        code, printed = run(capsys, *arguments)
        assert (code, message in printed) == (2, True), printed
        assert printed.count("\n") == 1
    assert not (tmp_path / "a.safetensors").exists()
