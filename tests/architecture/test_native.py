"""The floors of native code: files cimport down only, Python objects stay at the door, C knows only C."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src"
# Folders of src/, from the ground up: a file cimports from its own folder and from those before it.
NATIVE_FOLDERS = ("numbers", "plan", "operations", "training", "door")
# The floor that a file's first lines name.
FLOOR_OF = {".c": 0, ".h": 0, ".pxd": 1, ".pxi": 2, ".pyx": 2}
# Where a file's test may lie, below tests/: beside that of the Python module that describes the same.
HOMES = ("native", "network", "layers", "training", "losses", "metrics", "optimizers", ".")
# Files without a test of their own name, and the tests in which they are worked hardest.
TESTED_IN = {
    "amx.h": "native/test_pairs.py",
    "avx2.h": "native/test_kernels.py",
    "avx512.h": "native/test_kernels.py",
    "avx512_bf16.h": "native/test_pairs.py",
    "by_sign.h": "native/test_parametric_activation.py",
    "columns_x86.h": "activations/test_activations.py",
    "constants.h": "activations/test_activations.py",
    "kernels.template.h": "native/test_kernels.py",
    "kinds.h": "activations/test_activations.py",
    "portable.h": "native/test_kernels.py",
    "portable.template.h": "activations/test_activations.py",
    "quotients.h": "network/test_expression.py",
    "random_x86.h": "native/test_random.py",
    "rows.h": "native/test_matmul.py",
    "rules.h": "optimizers/test_optimizers.py",
    "transpose_x86.h": "native/test_matmul.py",
    "vectors.h": "activations/test_activations.py",
    "vectors.template.h": "activations/test_activations.py",
    "memory.h": "whole/test_robustness.py",
    "monotonic.h": "training/test_epochs.py",
    "pool.h": "whole/test_threads.py",
    "scratch.h": "whole/test_threads.py",
    "blocks.pxd": "native/test_matmul.py",
    "int8.pxd": "native/test_quads.py",
    "kinds.pxd": "activations/test_activations.py",
    "rules.pxd": "optimizers/test_optimizers.py",
    "simd.pxd": "native/test_kernels.py",
    "target.h": "native/test_quads.py",
    "tiles.h": "native/test_quads.py",
    "threads.pxd": "whole/test_threads.py",
    "compile.pxd": "models/test_functional.py",
    "plan.pxd": "models/test_functional.py",
    "workspace.pxd": "models/test_functional.py",
    "activation.pxd": "activations/test_activations.py",
    "activity.pxd": "training/test_penalties_in_training.py",
    "custom.pxd": "layers/test_function.py",
    "dense.pxd": "models/test_backpropagation.py",
    "matrices.pxd": "network/test_array_operations.py",
    "noise.pxd": "layers/test_regularization.py",
    "operations.pxd": "layers/test_layers.py",
    "ordering.pxd": "network/test_array_operations.py",
    "origins.pxd": "network/test_array_operations.py",
    "prelu.pxd": "layers/test_layers.py",
    "spectral.pxd": "layers/test_wrapper.py",
    "reductions.pxd": "network/test_array_operations.py",
    "row_activations.pxd": "activations/test_activations.py",
    "rows.pxd": "layers/test_merging.py",
    "selection.pxd": "network/test_array_operations.py",
    "step.pxd": "layers/test_layers.py",
    "gathering.pxd": "training/test_kinds_of_data.py",
    "loss.pxd": "losses/test_losses.py",
    "loss_rows.pxd": "losses/test_losses.py",
    "optimizer.pxd": "optimizers/test_optimizers.py",
    "prediction.pxd": "models/test_predictor.py",
    "run.pxd": "training/test_epochs.py",
}


def cimports(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the modules that a Cython file cimports, with the line."""
    statement = re.compile(r"\s*(?:from\s+([\w.]+)\s+cimport|cimport\s+([\w., ]+))")
    for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if match := statement.match(text):
            names = match[1] or match[2]
            yield from ((name.split(" as ")[0].strip(), line) for name in names.split(","))


NATIVE = {path.stem: path for path in sorted(SOURCES.rglob("*.pxd"))}
FILES = sorted(path for path in SOURCES.rglob("*.*") if path.suffix in FLOOR_OF and path.name != "_core.c")
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


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_first_lines_name_the_floor(path: Path):
    opening = path.read_text(encoding="utf-8").partition("\n\n")[0]
    assert re.findall(r"\bFloor (\d)\.", opening) == [str(FLOOR_OF[path.suffix])]


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix in (".pxd", ".h")], ids=lambda path: path.name)
def test_every_native_file_has_its_test(path: Path):
    own = [home for home in HOMES if (ROOT / "tests" / home / f"test_{path.stem}.py").exists()]
    if path.name in TESTED_IN:
        assert (ROOT / "tests" / TESTED_IN[path.name]).exists()
        assert not own, "it has a test of its own now"
    else:
        assert own, f"tests/native/test_{path.stem}.py"


def test_only_files_that_exist_are_tested_elsewhere():
    assert TESTED_IN.keys() <= {path.name for path in FILES}


@pytest.mark.skipif(importlib.util.find_spec("cython_lint") is None, reason="needs cython-lint")
def test_cython_files_are_laid_out():
    command = [sys.executable, "-m", "cython_lint.cython_lint", str(SOURCES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


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


def test_headers_include_down():
    """C files include headers and the templates of their folder; headers include headers only, and in no ring."""
    graph = {
        path.name: set(re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(encoding="utf-8"), flags=re.MULTILINE))
        for path in FILES
        if path.suffix in (".c", ".h")
    }
    assert [
        name for name in graph if name.endswith(".h") and not all(each.endswith(".h") for each in graph[name])
    ] == []
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("path", DOOR, ids=lambda path: path.name)
def test_what_runs_in_a_call_fills_lists_in_place(path: Path):
    """Cython 3.3.1 gives an object up twice where a list comprehension of computed objects finds no memory to grow."""
    computes = re.compile(r"^\s.*\[[^\[\]]*\(.*\) for \w+ in range\(")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if computes.match(line) and "simd_available" not in line] == []
