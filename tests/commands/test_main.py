"""The command line: what it prints, where, and the exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import cnn_core
import cnn_core.commands.main as cli

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cnn_core.__file__).parents[1])}
COMMAND = [sys.executable, "-m", "cnn_core"]


def run_module(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**ENVIRONMENT, **variables}
    return subprocess.run([*COMMAND, *arguments], env=environment, capture_output=True, text=True, check=False)


def save_small_model(path: Path) -> None:
    cnn_core.Sequential([cnn_core.Input((3,)), cnn_core.layers.Dense(2, name="the_only_layer")]).save(path)


def test_version(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"cnn-core {cnn_core.__version__}\n"


def test_python_dash_m_is_the_same_command():
    finished = run_module("--version")
    assert (finished.returncode, finished.stdout) == (0, f"cnn-core {cnn_core.__version__}\n")
    assert run_module("info", "no such file").returncode == 2


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    assert "demo" in printed
    assert "info" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "--epochs", "0"], "`epochs` must be an integer of at least 1. Received: epochs=0"),
        (["demo", "--epochs", "many"], "`epochs` must be an integer of at least 1. Received: epochs=many"),
        (["demo", "--seed", "-1"], "`seed` must be an integer of at least 0. Received: seed=-1"),
        (["demo", "--threads", "1.5"], "`threads` must be an integer of at least 1. Received: threads=1.5"),
        ([], "COMMAND"),
        (["train"], "train"),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.out == ""


def test_info_shows_the_machine(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["info"]) == 0
    assert cnn_core.__version__ in capsys.readouterr().out


def test_info_shows_a_saved_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    save_small_model(tmp_path / "model.safetensors")
    assert cli.main(["info", str(tmp_path / "model.safetensors")]) == 0
    assert "the_only_layer" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, b"", b"no model at all"])
def test_a_file_that_is_no_model(content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "model.safetensors"
    if content is not None:
        path.write_bytes(content)
    assert cli.main(["info", str(path)]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("cnn-core: ")
    assert str(path) in printed.err
    assert printed.err.count("\n") == 1


def test_ctrl_c_is_no_crash(monkeypatch: pytest.MonkeyPatch):
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cnn_core, "show_config", interrupt)
    assert cli.main(["info"]) == 130


def test_where_only_ascii_is_spoken(tmp_path: Path):
    save_small_model(tmp_path / "model.safetensors")
    finished = run_module("info", str(tmp_path / "model.safetensors"), PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert finished.returncode == 0, finished.stderr
    assert "the_only_layer" in finished.stdout


@pytest.mark.skipif(os.name != "posix", reason="Windows has no signal for a closed pipe")
def test_a_reader_that_goes_away_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    finished = subprocess.run([*COMMAND, "info"], env=ENVIRONMENT, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (finished.returncode, finished.stderr) == (141, b"")


def run_in_shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    whole = f"{sys.executable} -m cnn_core {command}"
    return subprocess.run(
        ["sh", "-c", whole], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, check=False, cwd=folder
    )


CLOSED, FULL = ">&-", "> /dev/full"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (f"demo --epochs 1 {CLOSED}", 0, ""),
        (f"demo --epochs 1 {CLOSED} 2>&-", 0, ""),
        (f"demo --epochs 1 {FULL}", 0, "the display cannot be written and is left out: [Errno 28] No space left"),
        (f"--version {CLOSED}", 0, ""),
        (f"--version {FULL}", 2, "cnn-core: [Errno 28] No space left"),
        (f"info {CLOSED}", 2, "cnn-core: standard output is closed"),
        (f"info {FULL}", 2, "cnn-core: [Errno 28] No space left"),
        (f"info small.safetensors {FULL}", 2, "cnn-core: [Errno 28] No space left"),
        (f"info missing.safetensors {CLOSED}", 2, "cnn-core: [Errno 2] No such file"),
        ("info missing.safetensors 2>&-", 2, ""),
        (f"fit small.csv --target a --epochs 1 {CLOSED}", 0, ""),
        (f"fit small.csv --target a --epochs 1 {FULL}", 0, "the display cannot be written and is left out"),
    ],
)
def test_an_output_that_takes_nothing_costs_no_work(tmp_path: Path, command: str, code: int, said: str):
    if command.startswith("fit"):
        pytest.importorskip("pandas")
        pytest.importorskip("sklearn")
    save_small_model(tmp_path / "small.safetensors")
    rows = "".join(f"{place % 7},{place % 3}\n" for place in range(40))
    (tmp_path / "small.csv").write_text(f"a,b\n{rows}")
    finished = run_in_shell(command, tmp_path)
    assert (finished.returncode, finished.stderr.count("\n")) == (code, 1 if said else 0), finished.stderr
    assert finished.stderr.startswith(said)
    assert (tmp_path / "cnn_core_demo.safetensors").exists() == command.startswith("demo")


def test_nothing_is_imported_before_it_is_needed():
    unneeded = "{'cnn_core.commands.demo', 'matplotlib', 'importlib.metadata'}"
    code = f"import sys, cnn_core.commands.main; print({unneeded} & {{*sys.modules}})"
    printed = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert printed.stdout == "set()\n"
