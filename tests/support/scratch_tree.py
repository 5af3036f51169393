"""Copies of the project's tree that are built in other ways, so that the tree itself stays as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# src/_core.c stays, with its time: what made it has not changed.
LEFT_OUT = ("build", "dist", "wheelhouse", ".git", ".venv", "__pycache__", "*.egg-info", "*.so", "*.o", ".*_cache")


def copy_tree(folder: Path) -> Path:
    """Copy what is in the tree but what was built from it."""
    return Path(shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_OUT)))


def build(tree: Path, environment: Mapping[str, str] = {}, python: str = sys.executable) -> None:
    """Compile the core into a tree, by its own setup.py."""
    done = run_in(tree, [python, "setup.py", "--quiet", "build_ext", "--inplace"], environment)
    assert done.returncode == 0, done.stdout


def run_in(
    tree: Path, command: list[str], environment: Mapping[str, str] = {}, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in a tree whose package is what it imports, and return what it printed."""
    return subprocess.run(
        command,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
