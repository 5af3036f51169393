"""Copies of what owns arrays."""

from __future__ import annotations

from typing import Self


class CopiedWhole:
    """Let `copy.copy` give what `copy.deepcopy` gives, as in Keras: shared arrays would change in both."""

    def __copy__(self) -> Self:
        import copy  # the caller has it

        return copy.deepcopy(self)
