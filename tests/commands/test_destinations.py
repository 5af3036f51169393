"""Commands say before their work that its result has no place."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import cnn_core.commands.main as cli
from cnn_core.commands.destinations import check_destination


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("folder", IsADirectoryError, "Is a directory: '.*folder'"),
        ("nowhere/model", FileNotFoundError, "No such directory: '.*nowhere'"),
        ("table.csv/model", FileNotFoundError, "No such directory: '.*table.csv'"),
        ("x" * 300, OSError, "File name too long: '.*xxx'"),
        ("table.csv", ValueError, "`--model` must be another file than those that are read. Received: .*table.csv"),
        ("link.csv", ValueError, "`--model` must be another file than those that are read. Received: .*link.csv"),
        ("model.onnx", ValueError, "`--model` must not end in '.onnx'"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path: Path, name: str, error: type[Exception], message: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "table.csv").write_text("x,t\n1,a\n")
    (tmp_path / "link.csv").symlink_to(tmp_path / "table.csv")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(error, match=message):
        check_destination("--model", str(tmp_path / name), str(tmp_path / "table.csv"), is_model=True)
    assert sorted(tmp_path.iterdir()) == before


def test_an_empty_name_and_a_device_are_refused() -> None:
    with pytest.raises(ValueError, match="`--model` must be"):
        check_destination("--model", "")
    if sys.platform != "win32":
        with pytest.raises(OSError, match="Not a regular file: '/dev/null'"):
            check_destination("--model", "/dev/null")


def test_what_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "old.safetensors").write_bytes(b"old")
    check_destination("--model", tmp_path / "old.safetensors", is_model=True)
    check_destination("--model", tmp_path / "new.safetensors", is_model=True)
    assert [path.name for path in tmp_path.iterdir()] == ["old.safetensors"]
    assert (tmp_path / "old.safetensors").read_bytes() == b"old"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a folder that may not be written to")
def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match=r"Permission denied: '.*model'"):
        check_destination("--model", tmp_path / "model")


@pytest.mark.parametrize("words", [["demo", "--epochs", "1", "--save"], ["demo", "--epochs", "1", "--plot"]])
def test_the_demo_does_not_train_for_nothing(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    assert cli.main([*words, str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert "Is a directory" in told.err
    assert "Epoch" not in told.out


def test_fit_does_not_train_for_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("sklearn")
    table = tmp_path / "table.csv"
    table.write_text("x,t\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(40)))
    for wrong, message in {str(tmp_path): "Is a directory", "": "`--model` must be", "m.h5": "must not end in"}.items():
        assert cli.main(["fit", str(table), "--target", "t", "--epochs", "1", "--model", wrong]) == 2
        told = capsys.readouterr()
        assert message in told.err
        assert told.out == ""
