"""The demo learns, reports truthfully, saves what it trained and draws it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import cnn_core
import cnn_core.commands.demo as demo
import cnn_core.commands.main as cli


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)


def test_demo_reaches_its_accuracy(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    accuracy = demo.run()
    printed = capsys.readouterr().out
    assert accuracy >= 0.97
    assert f"{accuracy:.2%}" in printed
    assert "to the last bit" in printed
    assert (tmp_path / "cnn_core_demo.safetensors").exists()


@pytest.mark.parametrize("seed", range(2, 6))
def test_demo_owes_its_accuracy_to_no_seed(seed: int):
    assert demo.run(seed=seed) >= 0.97


def test_same_seed_same_model_on_any_number_of_threads(tmp_path: Path):
    width = cnn_core.get_num_threads()
    try:
        for threads in (1, 3):
            demo.run(epochs=2, seed=7, threads=threads, save_path=tmp_path / f"{threads}.safetensors")
            assert cnn_core.get_num_threads() == threads
    finally:
        cnn_core.set_num_threads(width)
    one, three = (cnn_core.load_model(tmp_path / f"{threads}.safetensors").get_weights() for threads in (1, 3))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one, three, strict=True))


def test_command_passes_its_options_on(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert cli.main(["demo", "--epochs", "1", "--seed", "3", "--save", "other.safetensors"]) == 0
    assert "other.safetensors" in capsys.readouterr().out
    assert (tmp_path / "other.safetensors").exists()


def test_unwritable_path_is_an_error_of_one_line(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["demo", "--epochs", "1", "--save", "no/such/folder/model.safetensors"]) == 2
    assert "no/such/folder" in capsys.readouterr().err


def test_a_model_that_loads_differently_is_noticed(monkeypatch: pytest.MonkeyPatch):
    load = cnn_core.load_model

    def load_something_else(path: Path) -> cnn_core.Sequential:
        model = load(path)
        kernel, *others = model.get_weights()
        model.set_weights([np.nextafter(kernel, np.inf, dtype=kernel.dtype), *others])
        return model

    monkeypatch.setattr(cnn_core, "load_model", load_something_else)
    with pytest.raises(RuntimeError, match="predicts something else"):
        demo.run(epochs=1)


def test_report_by_hand():
    # Class 0: both found, three called so. Class 1: one of two found. Class 2: nothing called so. Class 3: no members.
    table = demo.report(np.array([0, 0, 1, 1, 2]), np.array([0, 0, 1, 0, 3])).splitlines()
    assert [line.split() for line in table] == [
        ["digit", "precision", "recall", "count"],
        ["0", "66.7", "%", "100.0", "%", "2"],
        ["1", "100.0", "%", "50.0", "%", "2"],
        ["2", "-", "0.0", "%", "1"],
        ["3", "0.0", "%", "-", "0"],
        ["Commonest", "mistake:", "1", "read", "as", "0", "(1", "time)"],
    ]


def test_report_without_mistakes():
    assert "mistake" not in demo.report(np.array([0, 1]), np.array([0, 1]))


def test_picture(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    pytest.importorskip("matplotlib")
    demo.run(epochs=2, plot_path=tmp_path / "digits.png")
    assert "digits.png" in capsys.readouterr().out
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    demo.run(epochs=1)
    assert "No picture" in capsys.readouterr().out
    assert not (tmp_path / "cnn_core_demo.png").exists()
    assert cli.main(["demo", "--plot", "digits.png"]) == 2
    assert "pip install matplotlib" in capsys.readouterr().err
