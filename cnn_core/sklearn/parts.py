"""Training on rows that lie in parts, of which nobody holds all: on the workers of a cluster.

It runs in rounds. The parts are dealt into chains; in a round a state goes along every chain, from part to part, and is
trained where the rows are; the mean of the chains' last states, weighted by rows, begins the next round. What lies here
is plain data and plain functions: a state depends on the state before and on the rows alone, no matter who computes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce, wraps
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import numpy as np

from cnn_core.foundation.arrays import Array


class GivenPart(NamedTuple):
    """Some rows as `fit` was given them; none of them may be there."""

    X: Any
    y: Any
    weights: Any = None


class Mergeable(Protocol):
    """What is known of some rows, and what is known of several parts together."""

    @classmethod
    def merge(cls, parts: Sequence[Any]) -> Any:
        """Return what is known of all the parts."""


class Piece(NamedTuple):
    """Some batches of a part: those from `first` to before `last`, in an order that `seed` draws.

    Before them a chain has come through the share `begin` of its epoch, behind them through `end`.
    """

    part: int
    first: int
    last: int
    seed: int
    begin: float
    end: float


class Parts(Protocol):
    """Who holds the parts and runs functions where they lie.

    What is shared by all calls of a function comes first among its arguments; it is sent once. Results are merged in a
    tree of a fixed shape, so that they do not depend on who is the first to have finished.
    """

    n_chains: int
    rereads: bool  # whether a part is read and prepared again for every piece of it

    def summarize(self, name: str, function: Callable[..., Mergeable], shared: object) -> Any:
        """Return the merged ``function(shared, number, part)`` of all parts."""

    def prepare(self, function: Callable[..., Any], shared: object) -> None:
        """Make ``function(shared, number, part)`` the parts."""

    def measure(
        self, name: str, function: Callable[..., Mergeable], shared: object, state: object, numbers: Sequence[int]
    ) -> Any:
        """Return the merged ``function(shared, state, part)`` of the prepared parts of these numbers."""

    def train(self, function: Callable[..., Any], shared: object, state: Any, chains: Sequence[Sequence[Piece]]) -> Any:
        """Return the merged last states, each of which ``function(shared, state, part, piece)`` has gone through."""


@dataclass(frozen=True)
class TrainingState:
    """The parameters in training and all else that steps depend on, and what this round has added up.

    Attributes
    ----------
    vectors : tuple of numpy.ndarray of shape (size,)
        The parameters, then the optimizer's memory of them.
    step : int
        Batches seen.
    learning_rate : float
    rows : int
        Trained on in this round.
    loss : float
        Summed over these rows, penalties included.
    diverged : bool
        Whether a loss or a gradient has left the finite numbers.
    """

    vectors: tuple[Array, ...]
    step: int = 0
    learning_rate: float = 0.0
    rows: int = 0
    loss: float = 0.0
    diverged: bool = False

    @classmethod
    def merge(cls, parts: Sequence[Self]) -> Self:
        """Return the mean over the rows that each has been trained on.

        Examples
        --------
        >>> states = [TrainingState((np.array([1.0]),), rows=30), TrainingState((np.array([5.0]),), rows=10)]
        >>> TrainingState.merge(states).vectors, TrainingState.merge(states).rows
        ((array([2.]),), 40)
        """
        return reduce(lambda one, other: one._with(other), parts)

    def _with(self, other: Self) -> Self:
        rows = self.rows + other.rows
        share = other.rows / rows if rows else 0.0
        vectors = tuple(ours + share * (their - ours) for ours, their in zip(self.vectors, other.vectors, strict=True))
        return replace(
            self,
            vectors=vectors,
            step=max(self.step, other.step),
            rows=rows,
            loss=self.loss + other.loss,
            diverged=self.diverged or other.diverged,
        )

    def begun(self) -> Self:
        """Return the state as a round begins, with nothing added up."""
        return replace(self, rows=0, loss=0.0)


class Dealing:
    """Which chain has which parts, and the rounds of an epoch.

    Parameters
    ----------
    n_batches : sequence of int
        Of every part; a part without any is left out.
    n_chains : int
        As many chains at most, of about as many batches each.
    sync_every : int
        A round has about so many batches in every chain.
    seed : int
    shuffle : bool
        Whether the parts of a chain have another order in every epoch.
    whole : bool
        Whether a round ends where a part ends.

    Examples
    --------
    >>> dealing = Dealing([4, 0, 2, 2], 2, sync_every=2, seed=0, shuffle=False, whole=False)
    >>> [[[piece[:3] for piece in chain] for chain in chains] for chains in dealing.rounds(0)]
    [[[(0, 0, 2)], [(2, 0, 2)]], [[(0, 2, 4)], [(3, 0, 2)]]]
    """

    def __init__(
        self, n_batches: Sequence[int], n_chains: int, sync_every: int, seed: int, shuffle: bool, whole: bool
    ) -> None:
        self.n_batches, self.seed, self.shuffle, self.whole = n_batches, seed, shuffle, whole
        loads = [0] * n_chains
        chains: list[list[int]] = [[] for _ in loads]
        for part in sorted(range(len(n_batches)), key=lambda part: (-n_batches[part], part)):
            if n_batches[part]:
                least = loads.index(min(loads))
                loads[least] += n_batches[part]
                chains[least].append(part)
        self.chains = [sorted(chain) for chain in chains if chain]
        self.longest = max(loads)
        self.n_rounds = math.ceil(self.longest / sync_every)

    def rounds(self, epoch: int) -> Iterator[list[list[Piece]]]:
        """Yield the pieces of every chain, round by round."""
        orders = [self._order(chain, epoch, number) for number, chain in enumerate(self.chains)]
        for number in range(self.n_rounds):
            chains = [self._pieces(order, epoch, number) for order in orders]
            if any(chains):
                yield [chain for chain in chains if chain]

    def _order(self, chain: list[int], epoch: int, number: int) -> list[int]:
        if not self.shuffle:
            return chain
        order: list[int] = np.random.default_rng((self.seed, epoch, number)).permutation(chain).tolist()
        return order

    def _pieces(self, order: list[int], epoch: int, number: int) -> list[Piece]:
        """The batches of a chain that one round has: an equal share of it."""
        ends = np.cumsum([self.n_batches[part] for part in order]).tolist()
        bounds = [ends[-1] * each // self.n_rounds for each in (number, number + 1)]
        if self.whole:
            bounds = [min((0, *ends), key=lambda end: abs(end - bound)) for bound in bounds]
        pieces = []
        for part, end in zip(order, ends, strict=True):
            start = end - self.n_batches[part]
            first, last = max(bounds[0], start), min(bounds[1], end)
            if first < last:
                seed = seed_of(self.seed, epoch, part)
                pieces.append(Piece(part, first - start, last - start, seed, first / ends[-1], last / ends[-1]))
        return pieces


_Function = TypeVar("_Function", bound=Callable[..., Any])


def naming_the_part(function: _Function) -> _Function:
    """Let a function of (shared, number, part) say in which part something is not as it should be."""

    @wraps(function)
    def named(shared: object, number: int, part: object) -> Any:
        try:
            return function(shared, number, part)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) and not isinstance(error, ValueError) else ValueError
            raise kind(f"In part {number} of the rows: {error}") from error

    return named  # type: ignore[return-value]


def is_empty(part: GivenPart) -> bool:
    """Whether a part has no row that counts."""
    return not len(part.X) or (part.weights is not None and not np.any(np.asarray(part.weights)))


def seed_of(*numbers: int) -> int:
    """Return a seed below 2**31 that depends on all these numbers.

    Examples
    --------
    >>> seed_of(0, 1) == seed_of(0, 1), seed_of(0, 1) == seed_of(1, 0)
    (True, False)
    """
    return int(np.random.SeedSequence(numbers).generate_state(1)[0] >> 1)


def held_out(n: int, share: float, seed: int, classes: Array | None = None) -> Array:
    """Return which of n rows are held out: bool of shape (n,).

    The rows are shuffled, and of classes, if there are any, those of a class brought together; then every so-manieth is
    taken, from a random start. So however few rows a part has, as many are held out of all parts as there should be.

    Examples
    --------
    >>> held_out(1000, 0.1, seed=0).sum(), held_out(2, 0.0, seed=0)
    (np.int64(100), array([False, False]))
    """
    generator = np.random.default_rng(seed)
    order = generator.permutation(n)
    if classes is not None:
        order = order[np.argsort(classes[order], kind="stable")]
    steps = np.floor(share * np.arange(n + 1) + generator.random())
    chosen = np.zeros(n, bool)
    chosen[order] = np.diff(steps) > 0
    return chosen
