"""Training on rows that lie in parts, of which nobody holds all: on the workers of a cluster.

It runs in rounds. The parts are dealt into chains; in a round a state goes along every chain, from part to part, and is
trained where the rows are; the mean of the chains' last states, weighted by rows, begins the next round. What lies here
is plain data and plain functions: a state depends on the state before and on the rows alone, no matter who computes it.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce, wraps
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple
from cnn_core.sklearn.row_statistics import ClassCounts

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


PIECES = 8  # of a chain in a round, or more where parts end


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

    Before them a chain has come through `begin` epochs, behind them through `end`.
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
        self,
        name: str,
        function: Callable[..., Mergeable],
        shared: object,
        state: object,
        numbers: Sequence[int],
        finish: Callable[..., Any] | None = None,
    ) -> Any:
        """Return the merged ``function(shared, state, part)`` of the prepared parts of these numbers.

        Or what ``finish(shared, merged)`` makes of it, there where it has been merged.
        """

    def train(
        self, function: Callable[..., Any], shared: object, state: object, chains: Sequence[Sequence[Piece]]
    ) -> Any:
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


@dataclass(frozen=True)
class RowsSummary:
    """What every estimator must know of all rows before any is trained on.

    Attributes
    ----------
    sizes : dict
        By the numbers of the parts that have rows: how many to train on, and how many are held out.
    n_features : int
    names : tuple of str
        Of the features; empty where they have none.
    shape : tuple of int
        That of a row's target.
    labels : ClassCounts or None
        Of one label a row.
    """

    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    n_features: int = 0
    names: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    labels: ClassCounts | None = None

    @classmethod
    def merge(cls, parts: Sequence[Self]) -> Self:
        """Return the same of several parts.

        Raises
        ------
        ValueError
            If they have different columns.
        """
        first, *others = every = [part for part in parts if part.sizes] or [cls()]
        for other in others:
            first._check_alike(other)
        return replace(
            first,
            sizes={number: size for part in every for number, size in part.sizes.items()},
            labels=merged_if_any(part.labels for part in every),
        )

    def _check_alike(self, other: Self) -> None:
        for what in ("n_features", "names", "shape"):
            ours, theirs = getattr(self, what), getattr(other, what)
            if ours != theirs:
                raise ValueError(
                    f"All parts of the rows must have the same columns. Received: {what}={ours} in part "
                    f"{min(self.sizes)}, {what}={theirs} in part {min(other.sizes)}"
                )

    @property
    def n_rows(self) -> int:
        """How many rows are trained on."""
        return sum(n for n, _ in self.sizes.values())

    @property
    def n_held_out(self) -> int:
        return sum(n for _, n in self.sizes.values())

    @property
    def held_out_parts(self) -> list[int]:
        """The numbers of the parts that have held-out rows."""
        return [number for number, (_, n) in self.sizes.items() if n]

    def n_batches(self, batches_of: Callable[[int], int]) -> list[int]:
        """Return the number of batches of every part, from that of its rows to train on."""
        return [batches_of(self.sizes.get(number, (0, 0))[0]) for number in range(max(self.sizes) + 1)]

    def tell_columns(self, estimator: BaseEstimator) -> None:
        """Set what an estimator knows of its columns after a check of scikit-learn's."""
        estimator.n_features_in_ = self.n_features
        estimator.__dict__.pop("feature_names_in_", None)
        if self.names:
            estimator.feature_names_in_ = np.array(self.names, object)

    def check(self) -> None:
        """Refuse to train on nothing.

        Raises
        ------
        ValueError
            If there is no row to train on.
        """
        if not self.n_rows:
            raise ValueError(
                "Found array with 0 sample(s) while a minimum of 1 is required: no part has a row with weight"
            )


def merged_if_any(parts: Iterable[Any]) -> Any:
    """Return what is known of all parts together, of which some may be None; None where all are."""
    known = [part for part in parts if part is not None]
    return type(known[0]).merge(known) if known else None


class Dealing:
    """Which chain has which parts, and the rounds of an epoch.

    A chain does not go through one part after another, but through pieces of all of them in random order: so a round
    sees rows of several parts, which matters where each part has rows of its own kind.

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
        Whether the pieces of a chain have another order in every epoch, else that of the rows.
    whole : bool
        Whether a piece is a whole part.

    Examples
    --------
    >>> dealing = Dealing([4, 0, 2, 2], 2, sync_every=2, seed=0, shuffle=False, whole=False)
    >>> [[[piece[:3] for piece in chain] for chain in chains] for chains in dealing.rounds(0)]
    [[[(0, 0, 1), (0, 1, 2)], [(2, 0, 1), (2, 1, 2)]], [[(0, 2, 3), (0, 3, 4)], [(3, 0, 1), (3, 1, 2)]]]
    """

    def __init__(
        self, n_batches: Sequence[int], n_chains: int, sync_every: int, seed: int, shuffle: bool, whole: bool
    ) -> None:
        self.n_batches, self.seed, self.shuffle, self.whole = n_batches, seed, shuffle, whole
        self._grain = max(n_batches) if whole else max(1, sync_every // PIECES)
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
        every = (self._rounds_of(chain, epoch, number) for number, chain in enumerate(self.chains))
        for chains in zip(*every, strict=True):
            if any(chains):
                yield [chain for chain in chains if chain]

    def _rounds_of(self, chain: list[int], epoch: int, number: int) -> Iterator[list[Piece]]:
        """Yield the pieces of a chain, an equal share of its batches in every round."""
        cuts = self._cuts(chain, epoch, number)
        total, done = sum(self.n_batches[part] for part in chain), 0
        for end in range(1, self.n_rounds + 1):
            until, pieces = total * end // self.n_rounds, list[Piece]()
            while cuts and done < until:
                part, first, last = cuts.pop()
                if self.whole and 2 * (until - done) < last - first:  # the next round has more of it
                    cuts.append((part, first, last))
                    break
                if not self.whole and last - first > until - done:
                    cuts.append((part, first + until - done, last))
                    last = first + until - done
                begin, done = done, done + last - first
                seed = seed_of(self.seed, epoch, part)
                pieces.append(Piece(part, first, last, seed, epoch + begin / total, epoch + done / total))
            yield pieces

    def _cuts(self, chain: list[int], epoch: int, number: int) -> list[tuple[int, int, int]]:
        """The pieces that a chain goes through, the first one last."""
        cuts = [
            (part, first, min(first + self._grain, self.n_batches[part]))
            for part in chain
            for first in range(0, self.n_batches[part], self._grain)
        ]
        if not self.shuffle:
            return cuts[::-1]
        order = np.random.default_rng((self.seed, epoch, number)).permutation(len(cuts))
        return [cuts[place] for place in order.tolist()]


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


def for_workers(estimator: BaseEstimator, trained: Sequence[str] = ()) -> Any:
    """Return a copy without what belongs to the caller, nor what a training has left: the attributes `trained`.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> mine = SimpleNamespace(alpha=1.0, callbacks=[print], random_state=7, verbose=1, _network=object())
    >>> for_workers(mine, ["_network"])
    namespace(alpha=1.0, callbacks=None, random_state=0, verbose=False)
    """
    own = copy.copy(estimator)
    own.callbacks, own.random_state, own.verbose = None, 0, False
    for name in trained:
        own.__dict__.pop(name, None)
    return own


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
