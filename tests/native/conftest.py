"""What the tests of native code share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import cnn_core._core as _core


@pytest.fixture(params=_core.instruction_sets())
def instruction_set(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run the test under every instruction set of this machine."""
    before = _core.instruction_set()
    _core.select_instruction_set(request.param)
    yield
    _core.select_instruction_set(before)
