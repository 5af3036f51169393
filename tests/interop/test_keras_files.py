from __future__ import annotations

import contextlib
import io
import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
import cnn_core.optimizers as optimizers
from cnn_core import Input, Sequential, layers
from cnn_core.interop import from_keras
from keras_files import MAJORS, STEPS, cases, file_of, recorded

WEIGHTS = ".weights.h5"
MODELS = [(major, name) for major, name in cases() if not name.endswith(WEIGHTS)]


def inputs_of(model: Any, major: int) -> Any:
    x, codes = recorded(major)["x"], recorded(major)["codes"]
    return [x, codes] if len(model.inputs) == 2 else x


def loaded(major: int, name: str, **more: Any) -> Any:
    return cnn_core.load_model(io.BytesIO(file_of(major, name)), **more)


@pytest.mark.parametrize(("major", "name"), MODELS)
def test_a_model_predicts_and_trains_on_as_in_keras(major: int, name: str):
    model = loaded(major, name)
    x = inputs_of(model, major)
    np.testing.assert_allclose(model.predict(x, verbose=0), recorded(major)[f"{name}/before"], rtol=1e-5, atol=1e-6)
    model.fit(x, recorded(major)["y"], batch_size=16, epochs=STEPS, shuffle=False, verbose=0)
    np.testing.assert_allclose(model.predict(x, verbose=0), recorded(major)[f"{name}/after"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("major", "name"), cases("chain.keras", "chain.h5", "branches.keras", "branches.h5", WEIGHTS))
def test_weights_alone_are_read_from_every_format(major: int, name: str):
    model = loaded(major, f"{name.partition('.')[0]}.keras", compile=False)
    for variable in model.variables:
        variable.assign(np.full(variable.shape, 7.0))
    model.load_weights(io.BytesIO(file_of(major, name)))
    computed = model.predict(inputs_of(model, major), verbose=0)
    np.testing.assert_allclose(computed, recorded(major)[f"{name}/before"], rtol=1e-5, atol=1e-6)


def test_what_was_compiled_comes_along():
    for major in MAJORS:
        model = loaded(major, "branches.keras")
        assert isinstance(model.optimizer, optimizers.Adam)
        assert model.optimizer.iterations == 3
        assert model.loss.label_smoothing == pytest.approx(0.1)
        model.evaluate(inputs_of(model, major), recorded(major)["y"], verbose=0)
        assert [metric.name for metric in model.metrics] == ["accuracy", "area"]
        assert not loaded(major, "branches.keras", compile=False).compiled


def test_what_is_unknown_among_the_compile_arguments_may_be_left_out():
    with zipfile.ZipFile(io.BytesIO(file_of(3, "chain.keras"))) as given:
        found = json.loads(given.read("config.json"))
    for change in ({"loss": "loss_of_mine"}, {"optimizer": {"class_name": "Ftrl", "config": {}}}):
        found["compile_config"] |= change
        data = archive(config=json.dumps(found).encode()).getvalue()
        with pytest.raises(ValueError, match=r"compile=False loads the model without what it was compiled with"):
            cnn_core.load_model(io.BytesIO(data))
        assert not cnn_core.load_model(io.BytesIO(data), compile=False).compiled


def test_what_keras_computes_otherwise_is_said():
    changed = archive(config=config(activation="sparsemax"))
    with pytest.warns(
        UserWarning, match=r"layer 'first' predicts otherwise than in Keras, whose sparsemax does not sum"
    ):
        cnn_core.load_model(changed)


def test_paths_and_from_keras(tmp_path: Path):
    (tmp_path / "m.keras").write_bytes(file_of(3, "chain.keras"))
    x = recorded(3)["x"]
    expected = loaded(3, "chain.keras")(x)
    for model in (from_keras(tmp_path / "m.keras"), cnn_core.load_model(str(tmp_path / "m.keras"))):
        np.testing.assert_array_equal(model(x), expected)
        assert isinstance(model, Sequential)
        assert model.name == "chain"
    with pytest.raises(TypeError, match="`model` must be a model of Keras or the path of its file"):
        from_keras(5)


def test_a_file_that_begins_later_in_a_stream():
    stream = io.BytesIO(b"before" + file_of(3, "chain.keras"))
    stream.seek(6)
    np.testing.assert_array_equal(
        cnn_core.load_model(stream)(recorded(3)["x"]), loaded(3, "chain.keras")(recorded(3)["x"])
    )


def test_files_of_the_other_kind_are_named():
    with pytest.raises(ValueError, match="it holds weights, not a model: use load_weights"):
        loaded(3, f"chain{WEIGHTS}")
    with pytest.raises(ValueError, match=r"holds weights, not a model"):
        loaded(2, f"chain{WEIGHTS}")


def test_skip_mismatch_leaves_what_does_not_fit():
    for major in MAJORS:
        model = Sequential([Input((3,)), layers.Dense(4), layers.BatchNormalization(), layers.Dense(5)])
        before = [np.array(variable) for variable in model.variables]
        file = io.BytesIO(file_of(major, f"chain{WEIGHTS}"))
        with pytest.raises(ValueError, match=r"dense\w*/kernel' of shape \(4, 5\)\. Received: shape=\(4, 2\)\. skip"):
            model.load_weights(file)
        file.seek(0)
        assert all(np.array_equal(one, other) for one, other in zip(before, model.variables, strict=True))
        model.load_weights(file, skip_mismatch=True)
        np.testing.assert_array_equal(model.layers[-1].kernel, before[-2])
        assert not np.array_equal(model.layers[0].kernel, before[0])


# What hostile files may not do


MEMBERS = {"config": "config.json", "weights": "model.weights.h5"}


def archive(major: int = 3, **changed: Any) -> io.BytesIO:
    """Return the recorded archive with members exchanged; None takes one out."""
    with zipfile.ZipFile(io.BytesIO(file_of(major, "chain.keras"))) as given:
        members: dict[str, Any] = {name: given.read(name) for name in given.namelist()}
    members |= {MEMBERS[name]: data for name, data in changed.items()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            if data is not None:
                made.writestr(name, data)
    return io.BytesIO(file.getvalue())


def config(major: int = 3, **changed: Any) -> bytes:
    with zipfile.ZipFile(io.BytesIO(file_of(major, "chain.keras"))) as given:
        found = json.loads(given.read("config.json"))
    found["config"]["layers"][1]["config"] |= changed
    return json.dumps(found).encode()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": None}, "its archive must hold 'model.weights.h5'. Received: none"),
        ({"config": b"[]"}, "its configuration must be an object"),
        ({"config": b" " * (1 << 26)}, "its 'config.json' must be at most"),
        ({"weights": b"\0" * (1 << 26)}, "its 'model.weights.h5' must be at most"),
        ({"weights": b"\x89HDF"}, "its HDF5 part must have 96 bytes"),
        ({"config": config(units=1 << 40)}, "it holds fewer weights than its layers need"),
        ({"config": config(activation="os.system")}, "os.system"),
        ({"config": b'{"class_name": "Lambda", "config": {"function": "x"}}'}, "Lambda"),
    ],
)
def test_archives_that_are_no_models_are_refused(changes: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        cnn_core.load_model(archive(**changes))


def test_names_that_leave_the_archive_are_neither_read_nor_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    file = archive()
    with zipfile.ZipFile(file, "a") as made:
        for name in ("../outside.txt", "/tmp/outside.txt", "..\\outside.txt", "assets/../../outside.txt"):
            made.writestr(name, "x")
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16  # a symbolic link
        made.writestr(link, "/etc/passwd")
    file.seek(0)
    x = recorded(3)["x"]
    np.testing.assert_array_equal(cnn_core.load_model(file)(x), loaded(3, "chain.keras")(x))
    assert [path.name for path in tmp_path.rglob("*")] == ["inside"]


def answers_cleanly(data: bytes) -> bool:
    """Whether damaged bytes are read or refused, and nothing else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as: the optimizer begins again from nothing
        with contextlib.suppress(ValueError):
            cnn_core.load_model(io.BytesIO(data))
            return True
    return False


@pytest.mark.parametrize("name", ["chain.keras", "chain.h5"])
@pytest.mark.parametrize("major", MAJORS)
def test_damaged_files_are_refused_cleanly(major: int, name: str):
    data = file_of(major, name)
    assert not any(answers_cleanly(data[:end]) for end in range(0, len(data) - 64, 64))
    draw = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(data)
        damaged[draw.integers(len(data))] ^= 1 << int(draw.integers(8))
        answers_cleanly(bytes(damaged))
