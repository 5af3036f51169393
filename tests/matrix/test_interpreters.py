"""The script that asks interpreters says plainly which of them are not here, and pins what `oldest` means."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

MATRIX = Path(__file__).resolve().parent


specification = importlib.util.spec_from_file_location("interpreters", MATRIX / "interpreters.py")
assert specification is not None
assert specification.loader is not None
interpreters = importlib.util.module_from_spec(specification)
specification.loader.exec_module(interpreters)


def test_an_interpreter_is_found_in_a_folder_of_prefixes(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "3.99t" / "bin").mkdir(parents=True)
    (tmp_path / "3.99t" / "bin" / "python3.99t").symlink_to(sys.executable)
    assert interpreters.find("3.99t", tmp_path).python == str(tmp_path / "3.99t" / "bin" / "python3.99t")
    assert interpreters.find("3.98", tmp_path) is None


def test_one_that_does_not_start_is_none(tmp_path: Path):
    """As pyenv's stand-ins for versions that are not chosen."""
    (tmp_path / "a" / "bin").mkdir(parents=True)
    (tmp_path / "a" / "bin" / "python3.99").symlink_to("/bin/false")
    assert interpreters.find("3.99", tmp_path) is None


def test_a_row_that_is_not_here_says_so(tmp_path: Path):
    command = [sys.executable, MATRIX / "interpreters.py", "3.15t", "--pythons", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": "", "HOME": str(tmp_path)}, check=False)
    assert (done.stdout, done.returncode) == ("3.15t   not tried: no python3.15t is here\n", 0)


def test_the_oldest_are_the_lower_bounds():
    wanted = interpreters.requirements_of("oldest")
    assert [name for name in wanted if ">=" in name] == []
    assert any(name.startswith("numpy==") for name in wanted)
    assert len(wanted) == len(interpreters.requirements_of("3.11"))


def test_a_command_of_an_unpacked_system_changes_the_root():
    command = interpreters.Interpreter("/usr/bin/python3.14", Path("/a b")).command("python", "-c", "x y")
    assert command[0] == "unshare"
    assert command[-4:] == ["/a b", "python", "-c", "x y"]
    assert "mount --rbind /proc '/a b/proc'" in command[4]
