"""Files of other formats are named with the remedy, and no model file takes one of their names."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
import cnn_core.foundation.foreign_files as foreign_files
from cnn_core import callbacks, layers


def model() -> Any:
    return cnn_core.Sequential([cnn_core.Input((2,)), layers.Dense(1)])


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "content " * 100)
    return file.getvalue()


def saved(save: Any, *arguments: Any) -> bytes:
    file = io.BytesIO()
    save(file, *arguments)
    return file.getvalue()


# An ONNX model's head: the format's version, then the producer's name.
ONNX = b"\x08\x08\x12\x07pytorch\x1a\x052.5.1:" + bytes(100)
FILES = {
    "PyTorch": (zipped("archive/data.pkl", "archive/version"), "file of PyTorch", "load_torch_state_dict"),
    "old PyTorch": (
        pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2) + bytes(100),
        "a file of PyTorch",
        "Load it with PyTorch",
    ),
    "NumPy": (saved(np.save, np.ones(3)), "a NumPy array (.npy)", "numpy.load"),
    "NumPy archive": (saved(np.savez, np.ones(3)), "an archive of NumPy arrays (.npz)", "numpy.load"),
    "zip": (zipped("readme.txt"), "a zip archive", "Unpack it first"),
    **{
        f"pickle {protocol}": (pickle.dumps(list(range(1000)), protocol=protocol), "a pickle", "could run code")
        for protocol in range(2, 6)
    },
    "ONNX": (ONNX, "an ONNX model", "interop.from_onnx"),
    "gzip": (gzip.compress(bytes(1000)), "compressed by gzip", "Uncompress it first"),
    "bzip2": (bz2.compress(bytes(1000)), "compressed by bzip2", "Uncompress it first"),
    "xz": (lzma.compress(bytes(1000)), "compressed by xz", "Uncompress it first"),
    "JSON": (json.dumps({"class_name": "Sequential"}).encode(), "JSON", "model_from_json"),
    "Parquet": (b"PAR1" + bytes(100), "a Parquet table", "data, not a model"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_foreign_file_is_named_with_the_remedy(kind: str, tmp_path: Path) -> None:
    raw, what, remedy = FILES[kind]
    path = tmp_path / "model"
    path.write_bytes(raw)
    for load in (cnn_core.load_model, model().load_weights, cnn_core.saving.load_metadata):
        with pytest.raises(ValueError, match=r"model' is no sound model file: it is ") as caught:
            load(path)
        assert what in str(caught.value)
        assert remedy in str(caught.value)


KERAS = {
    "a Keras archive (.keras)": zipped("metadata.json", "config.json", "model.weights.h5"),
    "an HDF5 file, as Keras writes .h5": b"\x89HDF\r\n\x1a\n" + bytes(100),
}


@pytest.mark.parametrize("kind", KERAS)
def test_files_of_keras_are_left_to_who_reads_them(kind: str) -> None:
    assert foreign_files.is_of_keras(KERAS[kind])
    with pytest.raises(ValueError, match=r"is no sound model file: it is ") as caught:
        cnn_core.saving.load_metadata(io.BytesIO(KERAS[kind]))
    assert f"{kind}. load_model and load_weights read it" in str(caught.value)
    for load in (cnn_core.load_model, model().load_weights):
        with pytest.raises(ValueError, match=r"The file cannot be loaded: its HDF5 part"):
            load(io.BytesIO(KERAS[kind]))


def test_no_sound_file_is_taken_for_another(tmp_path: Path) -> None:
    """A header may be as long as any first bytes say, as long as the file holds it."""
    file = io.BytesIO()
    cnn_core.Sequential([cnn_core.Input((2,)), layers.Dense(1, name="d" * 500)]).save(file)
    for beginning in (b"\x80\x04", b"\x1f\x8b", b"{", b"\x08\x08\x12"):
        raw = file.getvalue()
        size = int.from_bytes(raw[:8], "little")
        wanted = int.from_bytes(beginning.ljust(8, b"\0"), "little")
        while wanted < size:
            wanted += 1 << 8 * len(beginning)
        padded = wanted.to_bytes(8, "little") + raw[8 : 8 + size] + b" " * (wanted - size) + raw[8 + size :]
        assert cnn_core.load_model(io.BytesIO(padded)).count_params() == 3


def test_what_is_nobodys_stays_unnamed(tmp_path: Path) -> None:
    assert foreign_files.recognised(b"\x00" * 100) is None
    (tmp_path / "model").write_bytes(b"\xff" * 100)
    with pytest.raises(ValueError, match="its header would end behind the file"):
        cnn_core.load_model(tmp_path / "model")


FOREIGN_NAMES = (
    "m.onnx",
    "m.h5",
    "M.HDF5",
    "m.pkl",
    "m.pt",
    "m.npz",
    "m.zip",
    "m.json",
    "m.v1.joblib",
    "m.pb",
    "m.npy",
)


@pytest.mark.parametrize("name", FOREIGN_NAMES)
def test_no_model_takes_a_name_of_another_format(name: str, tmp_path: Path) -> None:
    made = model()
    for save in (made.save, made.save_weights, callbacks.ModelCheckpoint):
        with pytest.raises(ValueError, match=r"`filepath` must not end in .* use the ending '\.safetensors'"):
            save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_names_of_ours_and_of_scripts_for_keras_pass(tmp_path: Path) -> None:
    made = model()
    for name in ("m", "m.safetensors", "m.keras", "m.model", "m.0.5", "onnx", "h5"):
        made.save(tmp_path / name)
        assert cnn_core.load_model(tmp_path / name).count_params() == 3
    made.save_weights(tmp_path / "m.weights.h5")
    made.load_weights(tmp_path / "m.weights.h5")


def test_estimators_lead_to_their_own_load(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    from cnn_core.sklearn import TabularRegressor

    path = tmp_path / "houses.safetensors"
    TabularRegressor(epochs=1, hidden_layer_sizes=(2,)).fit(np.arange(40.0)[:, None], np.arange(40.0)).save(path)
    with pytest.raises(ValueError, match=r"it holds an estimator for tables: use load of .*load_predictor"):
        cnn_core.load_model(path)
    assert cnn_core.saving.load_metadata(path) == {"cnn_core.version": cnn_core.__version__}
