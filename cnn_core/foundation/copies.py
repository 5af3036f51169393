"""Copies of what owns arrays, and of what gathers results."""

from __future__ import annotations

from typing import Self

import numpy as np


class CopiedWhole:
    """Let `copy.copy` give what `copy.deepcopy` gives, as in Keras: shared arrays would change in both."""

    def __copy__(self) -> Self:
        import copy  # the caller has it

        return copy.deepcopy(self)


class CopiedWithItsState:
    """Let `copy.copy` give lists, dicts and arrays of its own; what else there is, such as a model, is shared.

    For what gathers results as it goes: a copy stays what it was when it was made.
    """

    def __copy__(self) -> Self:
        import copy  # the caller has it

        twin = type(self).__new__(type(self))
        owned = {
            name: value
            for name, value in vars(self).items()
            if isinstance(value, (dict, list, set, np.ndarray, CopiedWithItsState))
        }
        shared = {id(value): value for name, value in vars(self).items() if name not in owned}
        twin.__dict__.update({**vars(self), **copy.deepcopy(owned, shared)})
        return twin
