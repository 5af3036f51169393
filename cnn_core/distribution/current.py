"""The distribution in use, and what training asks of it. Only who sets one loads the rest of the package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cnn_core.distribution.communicator import Communicator
    from cnn_core.distribution.sums import Sum


class Distribution(Protocol):
    """How a training is shared among ranks; `DataParallel` is one, and says what the settings mean."""

    auto_shard_dataset: bool
    deterministic: bool
    batch_normalization: str
    sync_every: int
    communicator: Communicator

    @property
    def rank(self) -> int:
        """The number of this rank."""

    @property
    def size(self) -> int:
        """How many ranks there are."""

    @property
    def changes_nothing(self) -> bool:
        """Whether training is what it is without."""

    @property
    def n_shards(self) -> int:
        """In how many shards a batch is cut."""

    @property
    def own_shards(self) -> range:
        """Which of them this rank computes."""

    def shards_of(self, rank: int) -> range:
        """Return which of them a rank computes."""

    def rows_of(self, rank: int, n: int) -> slice:
        """Return which of n rows are a rank's."""

    def gradient_sum(self) -> Sum:
        """Return what adds up the gradients of a training."""


_current: Distribution | None = None


def distribution() -> Distribution | None:
    """Return the distribution in use, or None.

    Examples
    --------
    >>> distribution() is None
    True
    """
    return _current


def use(value: Distribution | None) -> None:
    """Let a distribution be the one in use."""
    global _current
    _current = value
