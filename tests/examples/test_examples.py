"""Every script of the gallery runs without a warning and draws; one whose packages are missing is skipped."""

from __future__ import annotations

import ast
import importlib.util
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

import cnn_core

pyplot = pytest.importorskip("matplotlib.pyplot", reason="the gallery draws with matplotlib")
Figure = pytest.importorskip("matplotlib.figure").Figure
ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(ROOT.glob("examples/*/plot_*.py"))
MOST_LINES = 100


def imports(script: Path) -> set[str]:
    """Return the packages that a script imports."""
    tree = ast.walk(ast.parse(script.read_text(encoding="utf-8")))
    names = {
        name
        for node in tree
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
    }
    return {name.partition(".")[0] for name in names}


@pytest.fixture
def as_before() -> Iterator[None]:
    """Draw into memory, and take back what a script changes for all that comes after it."""
    backend = pyplot.get_backend()
    pyplot.switch_backend("agg")
    yield
    pyplot.close("all")
    pyplot.switch_backend(backend)
    cnn_core.config.set_floatx("float32")


def test_the_gallery_is_large_enough():
    assert len(SCRIPTS) >= 18


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script_runs_and_draws(script: Path, as_before: None):
    missing = sorted(name for name in imports(script) if importlib.util.find_spec(name) is None)
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
    left = runpy.run_path(str(script))
    returned = [each for each in left.values() if isinstance(each, Figure)]
    assert pyplot.get_fignums() or returned
    assert cnn_core.config.floatx() == "float32", "the script leaves another dtype to those after it"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script_is_a_short_page(script: Path):
    text = script.read_text(encoding="utf-8")
    title, line, *_ = (ast.get_docstring(ast.parse(text)) or "").splitlines()
    assert line == "=" * len(title)
    assert len(text.splitlines()) <= MOST_LINES
    assert "# %%" in text, "text and code take turns"
