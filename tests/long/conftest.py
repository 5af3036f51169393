"""Checks that take minutes, or more than this machine's interpreter: `python tests/matrix --long` asks for them."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave them out of every other run."""
    return None if config.getoption("--long") else True
