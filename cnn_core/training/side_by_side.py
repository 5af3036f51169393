"""Several shards of a batch on one rank, each in a thread of its own, because they wait for each other in the middle.

Batch normalization needs the statistics of all shards before any of them can go on. Each shard has its own pass and its
own gradients, and native code computes without the GIL.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import cnn_core._core as _core
from cnn_core.foundation.arrays import Array
from cnn_core.network.native import bound_network, optimizer_over
from cnn_core.training.segments import Segment
from cnn_core.training.sharing import RankExchange
from cnn_core.training.trained_model import TrainedModel


class SideBySide:
    """The shards of a rank.

    Parameters
    ----------
    model : Model
    n_shards : int
    total : callable
        Adds up rows, one for each shard of this rank, over the shards of all ranks.
    """

    def __init__(self, model: TrainedModel, n_shards: int, total: Callable[[Array], Array]) -> None:
        self._model = model
        self._parameters = model._bind()
        self._total = total
        self._barrier = threading.Barrier(n_shards, self._add_up)
        self._rows: list[Array] = [np.empty(0)] * n_shards
        self._sum = np.empty(0)
        self._exchanges = [RankExchange(self._meeting(shard)) for shard in range(n_shards)]
        self._gradients = [self._parameters.gradients.copy() for _ in range(n_shards)]
        self._twins: list[Segment] = []
        self._of: Segment | None = None
        self._statuses: list[str] = []
        self._threads = ThreadPoolExecutor(n_shards - 1)

    def open(self, segment: Segment, table: Array) -> None:
        """Go on with a segment, of which each shard gets a twin; they share a table, of a row for each shard."""
        if segment is not self._of or not all(twin.feed(segment.data) for twin in self._twins):
            self._twins = [self._twin(segment, gradients) for gradients in self._gradients[1:]]
        self._of = segment
        for each, exchange in zip([segment, *self._twins], self._exchanges, strict=True):
            each.native.share_batches(table, exchange)

    def run(self, first_row: int, step: int, order: Array | None) -> None:
        """Run the rows of the table that belong to one batch."""
        self._barrier.reset()
        arguments = [(shard, first_row + shard, step, order) for shard in range(len(self._rows))]
        others = [self._threads.submit(self._run_one, *each) for each in arguments[1:]]
        statuses = [self._run_one(*arguments[0])]
        self._statuses = statuses + [each.result() for each in others]
        self._gradients[0][...] = self._parameters.gradients

    def outcome(self, shard: int, gradients: Array) -> tuple[_core.Pass, str]:
        """Overwrite gradients by those of a shard, and return the pass that it ran in and how that has ended."""
        gradients[...] = self._gradients[shard]
        return self._passes[shard], self._statuses[shard]

    @property
    def _passes(self) -> list[_core.Pass]:
        assert self._of is not None
        return [self._of.native, *(twin.native for twin in self._twins)]

    def _run_one(self, shard: int, row: int, step: int, order: Array | None) -> str:
        try:
            return self._passes[shard](row, row + 1, None, step, order, False)[0]
        except threading.BrokenBarrierError:
            return "failed"  # with another shard, which says why
        except BaseException:
            self._barrier.abort()
            raise

    def _twin(self, segment: Segment, gradients: Array) -> Segment:
        model, parameters = self._model, self._parameters
        views = dict(zip(map(id, parameters.variables), parameters.split(gradients), strict=True))
        plan = model.plan()
        network = bound_network(
            plan, parameters.values.dtype, gradients=[views.get(id(variable)) for variable in plan.variables]
        )
        optimizer = optimizer_over(parameters.values, gradients, rules=parameters.rules())
        return Segment(model, segment.objectives, segment.data, segment.batch_size, True, optimizer, network)

    def _meeting(self, shard: int) -> Callable[[Array], Array]:
        def meet(sums: Array) -> Array:
            self._rows[shard] = sums.copy()
            self._barrier.wait()
            return self._sum

        return meet

    def _add_up(self) -> None:
        self._sum = self._total(np.array(self._rows))
