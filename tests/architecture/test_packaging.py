"""What is shipped, and what importing it does to the process."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

import cnn_core

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SHIPPED = (".py", ".pyi", "py.typed", ".npz", ".txt", ".css", ".html", ".js")
LEFTOVERS = {"__pycache__", "build", "dist", ".git", ".venv", "_build", "api", "gallery"}


def in_tree(root: Path, folder: str, *suffixes: str) -> set[str]:
    """Return the files below a folder of a tree with one of the suffixes, relative to the tree's root."""
    paths = (path.relative_to(root) for suffix in suffixes for path in (root / folder).rglob(f"*{suffix}"))
    return {path.as_posix() for path in paths if not LEFTOVERS & set(path.parts) and (root / path).is_file()}


def run_python(code: str) -> str:
    """Run code in a fresh interpreter that finds the same cnn_core, and return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(Path(cnn_core.__file__).parents[1])}
    finished = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_workflow_is_the_same_file_twice():
    assert (ROOT / "wheels.yml").read_bytes() == (ROOT / ".github/workflows/wheels.yml").read_bytes()


def test_workflow_pins_actions_by_commit():
    used = re.findall(r"uses: (\S+)", (ROOT / "wheels.yml").read_text(encoding="utf-8"))
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)] == []


def test_package_list_is_the_tree():
    packages = {Path(path).parent.as_posix().replace("/", ".") for path in in_tree(ROOT, "cnn_core", "__init__.py")}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == packages


def test_numpy_is_the_only_dependency():
    assert {re.match(r"\w+", text)[0] for text in PROJECT["project"]["dependencies"]} == {"numpy"}


def test_console_script_names_a_function():
    module, _, function = PROJECT["project"]["scripts"]["cnn-core"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_readme_has_the_two_commands():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert lines.count("pip install . && cnn-core demo") == 1
    assert lines.count('pip install -e ".[test]" && pytest') == 1


@pytest.fixture(scope="module")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the repository in which an sdist and the Python part of a wheel have been made."""
    copy = tmp_path_factory.mktemp("distribution") / "repository"
    shutil.copytree(
        ROOT, copy, ignore=shutil.ignore_patterns(*LEFTOVERS, "*.egg-info", "*.so", ".*_cache", ".hypothesis")
    )
    commands = ["sdist", "--formats", "gztar", "build_py", "--build-lib", "wheel"]
    finished = subprocess.run(
        [sys.executable, "setup.py", "--quiet", *commands], cwd=copy, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return copy


def test_sdist_holds_everything_to_build_and_test(distribution: Path):
    archive = distribution / "dist" / f"cnn_core-{cnn_core.__version__}.tar.gz"
    with tarfile.open(archive) as file:
        held = {member.name.partition("/")[2] for member in file.getmembers() if member.isfile()}
    needed = {
        *(in_tree(distribution, "src", ".pyx", ".pxd", ".pxi", ".c", ".h") - {"src/_core.c"}),
        *in_tree(distribution, "cnn_core", *SHIPPED),
        *(name for folder in ("tests", "docs", "benchmarks", "examples") for name in in_tree(distribution, folder, "")),
        *("setup.py", "pyproject.toml", "MANIFEST.in", "wheels.yml", ".github/workflows/wheels.yml", ".ci/run"),
        *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE"),
    }
    assert needed - held == set()
    assert [name for name in held if name.endswith((".so", ".pyd", ".pyc", "src/_core.c"))] == []


def test_wheel_holds_no_sources_and_no_tests(distribution: Path):
    built = distribution / "wheel"
    held = {path.relative_to(built).as_posix() for path in built.rglob("*") if path.is_file()}
    assert held == in_tree(distribution, "cnn_core", *SHIPPED)


def test_import_brings_nothing_heavy_and_changes_nothing():
    printed = run_python(
        """
import json, os, sys, threading
import numpy
def state():
    threads = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else threading.active_count()
    return [threads, dict(os.environ), numpy.geterr(), float(numpy.float32(1e-40) * numpy.float32(1.0))]
before = state()
import cnn_core
print(json.dumps([before == state(), sorted({name.partition(".")[0] for name in sys.modules})]))
"""
    )
    unchanged, modules = json.loads(printed)
    assert unchanged
    heavy = {"scipy", "pandas", "polars", "sklearn", "matplotlib", "torch", "jax", "keras", "tensorflow", "onnx"}
    assert heavy & set(modules) == set()


def test_import_leaves_late_what_a_plain_script_does_not_use():
    late = {
        "difflib", "string", "cnn_core.models.keras_format", "cnn_core.foundation.descriptions",
        "pathlib", "copy", "numpy.typing", "cnn_core.utils",
        "cnn_core.models.clone", "cnn_core.models.predictor", "cnn_core.models.summary",
        "cnn_core.optimizers.lbfgs", "cnn_core.network.model_plot",
        "cnn_core.ops", "cnn_core.random",
    }  # fmt: skip
    printed = run_python("import numpy, sys; before = {*sys.modules}; import cnn_core; print({*sys.modules} - before)")
    assert "cnn_core.training.trainer" in printed
    assert {name for name in late if f"'{name}'" in printed} == set()


def test_a_plain_script_needs_no_functions_of_symbols():
    printed = run_python(
        """
import sys
import numpy as np
import cnn_core
x = cnn_core.Input((3,))
hidden = cnn_core.layers.Dense(2, activation="gelu")(x)
model = cnn_core.Model(x, cnn_core.layers.add([hidden, cnn_core.layers.Dense(2)(x)]))
model.compile("adam", "mse", metrics=["mae"])
model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
print("cnn_core.ops" in sys.modules, (x * 2).shape, "cnn_core.ops" in sys.modules)
"""
    )
    assert printed.strip() == "False (None, 3) True"


def test_late_names_are_found_and_listed():
    printed = run_python(
        """
import cnn_core
assert {*cnn_core.__all__} <= {*dir(cnn_core)}
print([type(getattr(cnn_core, name)).__name__ for name in ("saving", "utils", "clone_model", "load_model")])
"""
    )
    assert printed.strip() == "['module', 'module', 'function', 'function']"
