"""How the features of a table stand side by side in a matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnn_core.foundation.arrays import Array

NUMBER, OTHER, CODE = range(3)  # what a feature is; in a matrix they stand in this order


@dataclass(frozen=True)
class Layout:
    """Numbers first, then other features, then the codes of categories that are to be embedded.

    Attributes
    ----------
    n_numbers, n_others : int
    n_codes : tuple of int
        How many codes there are of each embedded category, code 0 for "none of the known" included.

    Examples
    --------
    >>> Layout(2, 1, (10,)).width
    4
    """

    n_numbers: int
    n_others: int
    n_codes: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        return self.n_numbers + self.n_others + len(self.n_codes)

    def parts(self, x: Array) -> tuple[Array, Array, Array]:
        """Return views of a matrix: numbers, others and codes."""
        first, second = self.n_numbers, self.n_numbers + self.n_others
        return x[:, :first], x[:, first:second], x[:, second:]

    def table_rows(self, codes: Array) -> Array:
        """Return rows of one table in which the categories' embeddings stand one below another."""
        firsts = np.cumsum([0, *self.n_codes[:-1]])
        return np.asarray(codes + firsts.astype(codes.dtype))

    def state(self) -> dict[str, Any]:
        """Return the layout as plain data."""
        return {"n_numbers": self.n_numbers, "n_others": self.n_others, "n_codes": list(self.n_codes)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Layout:
        """Return the layout whose `state` was saved."""
        return cls(int(state["n_numbers"]), int(state["n_others"]), tuple(map(int, state["n_codes"])))
