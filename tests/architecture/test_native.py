"""The floors of native code: files cimport down only, Python objects stay at the door, C knows only C."""

from __future__ import annotations

import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src"
# Folders of src/, from the ground up: a file cimports from its own folder and from those before it.
NATIVE_FOLDERS = ("numbers", "plan", "operations", "training", "door")


def cimports(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the modules that a Cython file cimports, with the line."""
    statement = re.compile(r"\s*(?:from\s+([\w.]+)\s+cimport|cimport\s+([\w., ]+))")
    for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if match := statement.match(text):
            names = match[1] or match[2]
            yield from ((name.split(" as ")[0].strip(), line) for name in names.split(","))


NATIVE = {path.stem: path for path in sorted(SOURCES.rglob("*.pxd"))}
DOOR = [SOURCES / "_core.pyx", *sorted(SOURCES.glob("door/*.pxi"))]


@pytest.mark.parametrize("path", [*NATIVE.values(), *DOOR], ids=lambda path: path.name)
def test_every_cython_file_lies_on_a_floor(path: Path):
    assert path.name == "_core.pyx" or path.parent.name in NATIVE_FOLDERS


@pytest.mark.parametrize("path", NATIVE.values(), ids=lambda path: path.name)
def test_cimports_go_down(path: Path):
    own = NATIVE_FOLDERS.index(path.parent.name)
    upward = [
        f"{path.relative_to(ROOT)}:{line} cimports {name}"
        for name, line in cimports(path)
        if name in NATIVE and NATIVE_FOLDERS.index(NATIVE[name].parent.name) > own
    ]
    assert not upward


def test_the_door_is_every_room_once():
    included = re.findall(r'^include "(.*)"$', DOOR[0].read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(included) == [path.relative_to(SOURCES).as_posix() for path in DOOR[1:]]


def test_no_ring_of_cimports():
    graph = {module: {name for name, _ in cimports(path) if name in NATIVE} for module, path in NATIVE.items()}
    TopologicalSorter(graph).prepare()


def test_only_the_door_knows_python_objects():
    knowing = [
        module for module, path in NATIVE.items() if any("numpy" in n or "cpython" in n for n, _ in cimports(path))
    ]
    assert knowing == ["custom"], "arrays and objects of Python stop at floor 2"


@pytest.mark.parametrize("path", sorted(SOURCES.glob("*/*.[ch]")), ids=lambda path: path.name)
def test_c_files_know_only_c(path: Path):
    includes = re.findall(r'^\s*#\s*include\s+([<"][^>"]+)', path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    beyond = [name for name in includes if "Python.h" in name or "numpy" in name or "_core" in name]
    elsewhere = [name for name in includes if name.startswith('"') and not (path.parent / name[1:]).exists()]
    assert not beyond
    assert not elsewhere, "floor 0's folders do not know each other"
