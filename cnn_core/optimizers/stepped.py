"""What an optimizer asks of the variables that it steps."""

from __future__ import annotations

from typing import Protocol


class SteppedVariable(Protocol):
    """A variable; `cnn_core.Variable` is one."""

    @property
    def path(self) -> str:
        """Its name behind that of its layer, such as "dense/kernel"."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of its axes."""

    @property
    def size(self) -> int:
        """How many numbers it holds."""
