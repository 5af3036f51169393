"""A training or evaluation that several ranks share: what they agree on, and which samples each of them computes.

Without a distribution nothing here is used: a source of batches then has no `Sharing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core._core as _core
from cnn_core.callbacks import CallbackList
from cnn_core.distribution.current import distribution
from cnn_core.foundation.arrays import Array
from cnn_core.network.variables import Variable
from cnn_core.training.trained_model import TrainedModel

if TYPE_CHECKING:
    from cnn_core.distribution.current import Distribution

# The columns of a table of shares, before the denominators of the losses: see `_core.Pass.share_batches`.
FIRST, COUNT, PLACE, WHOLE, PENALIZES, N_COLUMNS = range(6)
# What may look across the samples of a batch: its sums are exchanged, or it does not look at samples at all.
SHAREABLE = {"batch_normalization", "spectral_normalization"}


class Sharing:
    """How the batches of one call of `fit` or `evaluate` are shared.

    Parameters
    ----------
    model : Model
    chosen : DataParallel
        The distribution.

    Attributes
    ----------
    single_batches : bool
        Whether some rank has callbacks that ask for every batch of the epoch under way.
    stride : int
        How many batches are run until the ranks talk to each other about more than gradients.
    """

    def __init__(self, model: TrainedModel, chosen: Distribution) -> None:
        self.model = model
        self.distribution = chosen
        self.communicator = chosen.communicator
        self.gradient_sum = chosen.gradient_sum()
        self._private_gradients: Array | None = None
        self.stride = 1
        self.single_batches = False

    @property
    def own_parts(self) -> bool:
        """Whether every rank has been given other rows."""
        return not self.distribution.auto_shard_dataset

    @property
    def steps_alone(self) -> bool:
        """Whether ranks make steps of their own between averages of the weights."""
        return self.distribution.sync_every > 1

    @property
    def in_order(self) -> bool:
        """Whether everything is added up in an order that does not depend on the number of ranks."""
        return self.distribution.deterministic

    def any(self, flag: bool) -> bool:
        """Tell whether a flag is set on some rank."""
        return bool(self.communicator.gather(np.array([flag])).any())

    def total(self, numbers: Sequence[float] | Array) -> Array:
        """Return numbers added up over the ranks."""
        total: Array = self.communicator.gather(np.asarray(numbers, np.float64)).sum(axis=0)
        return total

    # The beginning

    def callbacks(self, listed: CallbackList) -> CallbackList:
        """Return the callbacks of this rank: those that write files are left to the first."""
        if self.distribution.rank == 0:
            return listed
        return CallbackList([each for each in listed if not getattr(each, "writes_files", False)])

    def _share_state(self) -> None:
        """Take over the weights of rank 0, the optimizer's state, the seeds and where a resumed training goes on."""
        model, first = self.model, self.distribution.rank == 0
        parameters = model._bind()
        mine = (model.training_state(), model._take_resumption()) if first else None
        state, resumption = self.communicator.broadcast_object(mine)
        if not first:
            model.restore_training_state(state)
        model._resumption = resumption
        self.communicator.broadcast(parameters.values)
        for variable in self.other_variables():
            value = np.array(variable.array, order="C")
            self.communicator.broadcast(value)
            variable.array[...] = value
        self.give_waiting_gradients_to_first(are_shared=True)

    def begin(self) -> None:
        """Begin a training: all ranks from the same state, with gradients where their sum wants them."""
        self._share_state()
        private = self.model._bind().gradients
        placed = self.gradient_sum.place(private)
        if placed is not private:
            self._private_gradients = private
            self._move_gradients(placed)

    def end(self) -> None:
        """Give the model its own gradients back."""
        if self._private_gradients is not None:
            self._move_gradients(self._private_gradients)

    def _move_gradients(self, vector: Array) -> None:
        self.model._bind().move_gradients(vector)
        self.model._on_batch.clear()
        self.model._bound_moves = -1

    def give_waiting_gradients_to_first(self, are_shared: bool = False) -> None:
        """Let rank 0 have the gradients that wait for those of more batches; `are_shared` if all have the same.

        So what it stores is what one process would have, and the next sum over ranks counts them once.
        """
        waiting = self.model.optimizer.state.get("gradient_accumulator")
        if waiting is None or self.in_order or self.steps_alone:
            return
        if not are_shared:
            self.communicator.add_up(waiting)
        if self.distribution.rank > 0:
            waiting.fill(0)

    def other_variables(self) -> list[Variable]:
        """Return the variables that no optimizer moves."""
        trained = set(map(id, self.model._bind().variables))
        return [each for each in self.model.variables if id(each) not in trained and each.array.dtype.kind in "fiu"]

    # The data

    def joined_rows(self, rows: Array, shares: Sequence[slice]) -> Array:
        """Return the rows of all ranks, of which each has computed its share."""
        width = int(np.prod(rows.shape[1:]))
        whole = self.communicator.collect(rows.ravel(), [(share.stop - share.start) * width for share in shares])
        return whole.reshape(-1, *rows.shape[1:])

    def cut(self, n: int, batch_size: int) -> tuple[int, int]:
        """Return how many of the n rows of this rank's part go into each batch, and how many batches there are."""
        total = int(self.total([n])[0])
        n_batches = max(1, -(-total // batch_size))
        return max(1, -(-n // n_batches)), n_batches

    def go_on(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Yield the batches of a rank's own part, and None while others still have some."""
        while True:
            batch = next(batches, None)
            if not self.any(batch is not None):
                return
            yield batch

    def table(self, native: _core.Pass, n_batches: int, batch_size: int, n: int, order: Array | None) -> Array:
        """Return which of n samples this rank computes of so many batches.

        A row for every shard of this rank of every batch: see `_core.Pass.share_batches`.
        """
        begins = [min(batch * batch_size, n) for batch in range(n_batches)]
        batches = [(begin, min(batch_size, n - begin)) for begin in begins]
        if self.own_parts:
            return self._table_of_parts(native, batches, order)
        own, n_shards = self.distribution.own_shards, self.distribution.n_shards
        rows = []
        for begin, whole in batches:
            denominators = [each or 1.0 for each in native.denominators(begin, whole, order)]
            for shard in own:
                low, high = whole * shard // n_shards, whole * (shard + 1) // n_shards
                if self.steps_alone:
                    rows.append(_alone(native, begin + low, high - low, low, order))
                else:
                    rows.append([begin + low, high - low, low, whole, shard == 0, *denominators])
        return np.array(rows, np.float64)

    def _table_of_parts(self, native: _core.Pass, batches: list[tuple[int, int]], order: Array | None) -> Array:
        """The same where each rank has other rows: a batch has those of rank 0 first."""
        mine = np.array([[count, *native.denominators(begin, count, order)] for begin, count in batches], np.float64)
        everybody = self.communicator.gather(mine.ravel()).reshape(self.distribution.size, *mine.shape)
        places, wholes = everybody[: self.distribution.rank, :, 0].sum(axis=0), everybody.sum(axis=0)
        if self.steps_alone:
            return np.array(
                [
                    _alone(native, begin, count, place, order)
                    for (begin, count), place in zip(batches, places, strict=True)
                ]
            )
        penalizes = self.distribution.rank == 0
        return np.array(
            [
                [begin, count, place, whole, penalizes, *(each or 1.0 for each in denominators)]
                for (begin, count), place, (whole, *denominators) in zip(batches, places, wholes, strict=True)
            ]
        )

    def refuse_joined_samples(self, native: _core.Pass) -> None:
        """Refuse what cannot be computed of a part of a batch."""
        joined = native.looks_across - ({"batch_normalization"} if self.in_order else SHAREABLE)
        if joined:
            raise ValueError(
                f"Batches cannot be shared among ranks where something looks at all their samples at once: train with "
                f"set_distribution(None). Received: {', '.join(sorted(joined))}"
            )


def _alone(native: _core.Pass, begin: int, count: int, place: float, order: Array | None) -> list[float]:
    """Return the share of a rank that makes a step of its own: a whole batch, but for the place of its samples."""
    return [begin, count, place, count, True, *(each or 1.0 for each in native.denominators(begin, count, order))]


@contextmanager
def shared_call(model: TrainedModel, purpose: str) -> Iterator[Sharing | None]:
    """Yield how a call for this model is shared, None for not at all; an exception on one rank ends it on all.

    What a callback calls while `fit` or `evaluate` is under way is not shared: another rank may call something else.
    """
    chosen = distribution()
    if chosen is None or chosen.changes_nothing or model._depth > (purpose != "predict"):
        yield None
        return
    with chosen.communicator.session(purpose):
        yield Sharing(model, chosen)


def refuse_steps(sharing: Sharing | None) -> None:
    """Refuse to share a model whose class overrides a step, for what it does with a batch is its own affair."""
    if sharing is not None:
        raise TypeError(
            "A model that overrides a step, or whose optimizer defines `update_step`, cannot be shared among ranks: "
            "train it with set_distribution(None)"
        )


class RankExchange:
    """Adds up, for native code, sums over the samples of a batch over all ranks.

    Attributes
    ----------
    error : BaseException or None
        What has happened meanwhile, for native code to raise.
    """

    error: BaseException | None = None

    def __init__(self, total: Callable[[Array], Array]) -> None:
        self._total = total

    def __call__(self, sums: Array) -> None:
        sums[...] = self._total(sums)
