"""The partitions on a cluster: functions run where they lie, as Dask's own tasks.

Every task depends on its arguments alone, and what the caller keeps is small: the scheduler computes again whatever a
worker takes with it that dies. Between two rounds the state is at the caller, so that no more than a round is computed
again. Tasks bear the names of what they do, which the dashboard shows.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import dask
from dask import delayed
from distributed import Client, Future, wait

from cnn_core.sklearn.parts import GivenPart, Mergeable, Piece

FAN_IN = 8  # of the tree in which results are merged
AHEAD = 2  # partitions of each chain that are read before the one in training is done with, itself included
NO_WARNING = {"distributed.admin.large-graph-warning-threshold": "1 PiB"}


class Partitions:
    """The rows of a `fit` on a cluster; see `cnn_core.sklearn.parts.Parts` for what it is asked for.

    Parameters
    ----------
    client : distributed.Client
    partitions : list of Delayed
        See `partitions_of`.
    n_chains : int
    persist : bool
        Whether prepared partitions stay on the workers; else they are read and prepared again for every piece.
    """

    def __init__(self, client: Client, partitions: Sequence[Any], n_chains: int, persist: bool) -> None:
        self.client, self.n_chains, self.rereads = client, n_chains, not persist
        self._run = uuid.uuid4().hex
        self._numbers = itertools.count()
        self._given = partitions
        self._prepare: tuple[Callable[..., Any], object] | None = None
        self._kept: list[Future] = []
        self._shared: tuple[object, Future] | None = None

    def summarize(self, name: str, function: Callable[..., Mergeable], shared: object) -> Any:
        """Return the merged ``function(shared, number, part)`` of all partitions."""
        settings = self._share(shared)
        calls = [self._call(name, _given, function, settings, *each) for each in enumerate(self._given)]
        return self._merged(name, calls)

    def prepare(self, function: Callable[..., Any], shared: object) -> None:
        """Make ``function(shared, number, part)`` the partitions, on the workers or whenever they are asked for."""
        self._prepare = function, self._share(shared)
        if not self.rereads:
            self._kept = self.client.compute([self._read(number) for number in range(len(self._given))])

    def measure(
        self,
        name: str,
        function: Callable[..., Mergeable],
        shared: object,
        state: object,
        numbers: Sequence[int],
        finish: Callable[..., Any] | None = None,
    ) -> Any:
        """Return the merged ``function(shared, state, part)`` of the prepared partitions of these numbers.

        Or what ``finish(shared, merged)`` makes of it, on the worker where it has been merged.
        """
        settings, held = self._share(shared), self._hold("state", state)
        calls = [self._call(name, function, settings, held, self._part(each)) for each in numbers]
        if finish is None:
            return self._merged(name, calls)
        return self._result(self._call(name, finish, settings, self._root(name, calls)))

    def train(self, function: Callable[..., Any], shared: object, state: Any, chains: Sequence[Sequence[Piece]]) -> Any:
        """Return the merged last states of the chains."""
        settings = self._share(shared)
        ends: list[Future] = [self._hold("state", state.begun())] * len(chains)
        steps: list[list[Future]] = []
        for pieces in itertools.zip_longest(*chains):
            if self.rereads and len(steps) >= AHEAD:
                wait(steps[-AHEAD])
            going = [(chain, piece) for chain, piece in enumerate(pieces) if piece is not None]
            steps.append(
                self.client.compute(
                    [
                        self._call("train", function, settings, ends[chain], self._part(piece.part), piece)
                        for chain, piece in going
                    ]
                )
            )
            for (chain, _), end in zip(going, steps[-1], strict=True):
                ends[chain] = end
        return self._merged("average", ends)

    def _part(self, number: int) -> Any:
        return self._read(number) if self.rereads else self._kept[number]

    def _read(self, number: int) -> Any:
        assert self._prepare is not None
        function, settings = self._prepare
        return self._call("prepare", _given, function, settings, number, self._given[number])

    def _merged(self, name: str, results: Sequence[Any]) -> Any:
        return self._result(self._root(name, results))

    def _result(self, task: object) -> Any:
        return (task if isinstance(task, Future) else self.client.compute(task)).result()

    def _root(self, name: str, results: Sequence[Any]) -> Any:
        """Return the root of the tree in which results are merged."""
        while len(results) > 1:
            groups = [list(results[start : start + FAN_IN]) for start in range(0, len(results), FAN_IN)]
            results = [self._call(f"merge-{name}", _merge, group) for group in groups]
        return results[0]

    def _call(self, name: str, function: Callable[..., Any], *arguments: object) -> Any:
        return delayed(function, pure=False)(*arguments, dask_key_name=self._key(name))

    def _share(self, shared: object) -> Future:
        """Send what calls share, once as long as it is the same."""
        if self._shared is None or self._shared[0] is not shared:
            self._shared = shared, self._hold("settings", shared)
        return self._shared[1]

    def _hold(self, name: str, value: object) -> Future:
        """Return a task whose result is a value; unlike what is scattered, it outlives the worker that has it."""
        with dask.config.set(NO_WARNING):
            return self.client.submit(_same, value, key=self._key(name))

    def _key(self, name: str) -> str:
        return f"{name}-{next(self._numbers)}-{self._run}"


def _same(value: object) -> object:
    return value


def _given(function: Callable[..., Any], shared: object, number: int, part: GivenPart) -> Any:
    for column, name in ((part.y, "y"), (part.weights, "sample_weight")):
        if hasattr(part.X, "iloc") and hasattr(column, "iloc") and not column.index.equals(part.X.index):
            raise ValueError(f"In part {number} of the rows: `{name}` must have the index of X, in the same order")
    return function(shared, number, part)


def _merge(parts: Sequence[Any]) -> Any:
    return type(parts[0]).merge(parts)
