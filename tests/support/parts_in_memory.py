"""Rows in parts, all of them in this process: what a cluster does, without one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cnn_core.sklearn.parts import GivenPart, Piece


class PartsInMemory:
    """See `cnn_core.sklearn.parts.Parts`.

    Parameters
    ----------
    parts : sequence of tuple
        X, y and, if there are any, weights.
    n_chains : int, default 1
    rereads : bool, default False
    """

    def __init__(self, parts: Sequence[tuple[Any, ...]], n_chains: int = 1, rereads: bool = False) -> None:
        self.n_chains, self.rereads = n_chains, rereads
        self.given = [GivenPart(*part) for part in parts]
        self.prepared: list[Any] = []
        self.n_rounds = 0

    def summarize(self, name: str, function: Callable[..., Any], shared: object) -> Any:
        return _merged([function(shared, *each) for each in enumerate(self.given)])

    def prepare(self, function: Callable[..., Any], shared: object) -> None:
        self.prepared = [function(shared, *each) for each in enumerate(self.given)]

    def measure(
        self,
        name: str,
        function: Callable[..., Any],
        shared: object,
        state: object,
        numbers: Sequence[int],
        finish: Callable[..., Any] | None = None,
    ) -> Any:
        found = _merged([function(shared, state, self.prepared[number]) for number in numbers])
        return found if finish is None else finish(shared, found)

    def train(self, function: Callable[..., Any], shared: object, state: Any, chains: Sequence[Sequence[Piece]]) -> Any:
        self.n_rounds += 1
        ends = []
        for chain in chains:
            end = state.begun()
            for piece in chain:
                end = function(shared, end, self.prepared[piece.part], piece)
            ends.append(end)
        return _merged(ends)


def _merged(parts: Sequence[Any]) -> Any:
    return type(parts[0]).merge(parts)
