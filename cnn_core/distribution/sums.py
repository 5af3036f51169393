"""Gradients of several ranks added up: as fast as it goes, in a fixed tree, or in half the bytes."""

from __future__ import annotations

from itertools import pairwise
from typing import Protocol

import numpy as np

from cnn_core.distribution.communicator import Communicator
from cnn_core.foundation.arrays import Array

QUIET_NAN = 0x7FC0  # of bfloat16
ALIGNED = 16  # elements: where a rank's part of a vector may begin


class Sum(Protocol):
    """Adds up the gradients of all shards of a batch, of which some are computed here."""

    @property
    def part(self) -> slice | None:
        """The part of the vector for which this rank may make the step alone; None: there is no such way."""

    def add_part(self) -> bool:
        """Add up that part of the gradients, where they stand; tell whether those of all ranks are finite."""

    def share_parts(self, vector: Array) -> None:
        """Complete a vector, of which each rank has its part, by those of all others."""

    def place(self, vector: Array) -> Array:
        """Return where gradients like `vector` shall be computed: a vector of zeros like it, or itself."""

    def put(self, gradient: Array) -> None:
        """Take the gradient of the next shard of this rank, which the caller may overwrite from then on."""

    def take(self, gradient: Array) -> None:
        """Overwrite `gradient` by the sum over all shards of all ranks; it may be what was put last."""


class _WholeSum:
    """What is the same for sums that have no parts."""

    part = None

    def place(self, vector: Array) -> Array:
        """Compute gradients where they are."""
        return vector

    def add_part(self) -> bool:
        """Refuse: there are no parts."""
        raise NotImplementedError

    def share_parts(self, vector: Array) -> None:
        """Refuse: there are no parts."""
        raise NotImplementedError


class PlainSum(_WholeSum):
    """One shard for each rank, added up in whatever order is fastest."""

    def __init__(self, communicator: Communicator) -> None:
        self._communicator = communicator

    def put(self, gradient: Array) -> None:
        """Leave it where it is: see `Sum.put`. There is only one."""

    def take(self, gradient: Array) -> None:
        """See `Sum.take`."""
        self._communicator.add_up(gradient)


class TreeSum(_WholeSum):
    """Any number of shards, added up in a tree that depends on their number alone.

    The sum of shards [a, b) is that of [a, m) plus that of [m, b), m halfway. A rank adds up the subtrees that it has
    whole. Then every rank does the rest for one part of the vector, and gives it to all.
    """

    def __init__(self, communicator: Communicator, n_shards: int) -> None:
        self._communicator = communicator
        self._n_shards = n_shards
        self._first = shards_of(communicator.rank, communicator.size, n_shards).start
        self._leaves: list[Array] = []

    def put(self, gradient: Array) -> None:
        """See `Sum.put`."""
        self._leaves.append(gradient.copy())

    def take(self, gradient: Array) -> None:
        """See `Sum.take`."""
        mine = {(self._first + i, self._first + i + 1): leaf for i, leaf in enumerate(self._leaves)}
        self._leaves = []
        blocks = [_sum(mine, *block) for block in self._blocks(self._communicator.rank)]
        if self._communicator.size == 1:
            gradient[...] = blocks[0]
            return
        sizes = part_sizes(gradient.size, self._communicator.size)
        cuts = np.cumsum(sizes)[:-1]
        parts = [np.concatenate(pieces) for pieces in zip(*(np.split(block, cuts) for block in blocks), strict=True)]
        own = sizes[self._communicator.rank]
        found: dict[tuple[int, int], Array] = {}
        lengths = [own * len(self._blocks(rank)) for rank in range(self._communicator.size)]
        for rank, received in enumerate(self._communicator.exchange(parts, lengths)):
            names = self._blocks(rank)
            found.update(zip(names, received.reshape(len(names), own), strict=True))
        gradient[...] = self._communicator.collect(_sum(found, 0, self._n_shards), sizes)

    def _blocks(self, rank: int) -> list[tuple[int, int]]:
        shards = shards_of(rank, self._communicator.size, self._n_shards)
        return subtrees(shards.start, shards.stop, 0, self._n_shards)


def _sum(known: dict[tuple[int, int], Array], first: int, end: int) -> Array:
    """Add up a subtree from the parts of it that are known."""
    if (first, end) in known:
        return known[first, end]
    middle = (first + end) // 2
    return _sum(known, first, middle) + _sum(known, middle, end)


def subtrees(first: int, end: int, root: int, root_end: int) -> list[tuple[int, int]]:
    """Return the largest subtrees of that of [root, root_end) that make up [first, end).

    Examples
    --------
    >>> subtrees(1, 4, 0, 4)
    [(1, 2), (2, 4)]
    """
    if first >= root_end or end <= root:
        return []
    if first <= root and root_end <= end:
        return [(root, root_end)]
    middle = (root + root_end) // 2
    return subtrees(first, end, root, middle) + subtrees(first, end, middle, root_end)


def shards_of(rank: int, size: int, n_shards: int) -> range:
    """Return which of so many shards a rank computes.

    Examples
    --------
    >>> [list(shards_of(rank, 3, 4)) for rank in range(3)]
    [[0], [1], [2, 3]]
    """
    return range(n_shards * rank // size, n_shards * (rank + 1) // size)


def part_sizes(length: int, n_parts: int) -> list[int]:
    """Cut a vector in nearly equal parts, at places where cache lines begin.

    Examples
    --------
    >>> part_sizes(100, 3)
    [32, 32, 36]
    """
    borders = [length * i // n_parts // ALIGNED * ALIGNED for i in range(n_parts)] + [length]
    return [end - begin for begin, end in pairwise(borders)]


class RoundedSum(_WholeSum):
    """One shard for each rank, sent in 16 bits a number; what rounding takes away is added to the next gradient.

    So nothing is lost, it only arrives later ("error feedback": Seide et al., 1-bit stochastic gradient descent,
    Interspeech 2014). A rank adds up one part of the vector in float32, rounds the sum, and gives it to all.
    """

    def __init__(self, communicator: Communicator, form: str) -> None:
        self._communicator = communicator
        self._round = {"bfloat16": _to_bfloat16, "float16": _to_float16}[form]
        self._restore = {"bfloat16": _from_bfloat16, "float16": _from_float16}[form]
        self._lost = np.zeros(0)
        self._lost_of_sum = np.zeros(0)

    def put(self, gradient: Array) -> None:
        """Leave it where it is: see `Sum.put`. There is only one."""

    def take(self, gradient: Array) -> None:
        """See `Sum.take`."""
        size, rank = self._communicator.size, self._communicator.rank
        sizes = part_sizes(gradient.size, size)
        if self._lost.size != gradient.size:
            self._lost, self._lost_of_sum = np.zeros_like(gradient), np.zeros(sizes[rank], gradient.dtype)
        sent = self._rounded(gradient, self._lost)
        received = self._communicator.exchange(np.split(sent, np.cumsum(sizes)[:-1]), [sizes[rank]] * size)
        with np.errstate(invalid="ignore"):  # as in `_rounded`
            total = np.sum([self._restore(part, gradient.dtype) for part in received], axis=0)
        collected = self._communicator.collect(self._rounded(total, self._lost_of_sum), sizes)
        gradient[...] = self._restore(collected, gradient.dtype)

    def _rounded(self, values: Array, lost: Array) -> Array:
        """Round values plus what was lost before, and note what is lost now."""
        with np.errstate(invalid="ignore"):  # infinity less itself: the check of all gradients will find it
            lost += values
            rounded = self._round(lost)
            lost -= self._restore(rounded, values.dtype)
        return rounded


def _to_bfloat16(values: Array) -> Array:
    """Return the upper halves of float32, rounded to even; what is not finite stays so."""
    single = np.ascontiguousarray(values, np.float32)
    bits = single.view(np.uint32)
    rounded = (bits + (0x7FFF + (bits >> 16 & 1))) >> 16
    return np.where(np.isnan(single), QUIET_NAN, np.where(np.isinf(single), bits >> 16, rounded)).astype(np.uint16)


def _from_bfloat16(halves: Array, dtype: np.dtype) -> Array:
    return (halves.astype(np.uint32) << 16).view(np.float32).astype(dtype, copy=False)


def _to_float16(values: Array) -> Array:
    with np.errstate(over="ignore"):
        return values.astype(np.float16).view(np.uint16)


def _from_float16(halves: Array, dtype: np.dtype) -> Array:
    return halves.view(np.float16).astype(dtype)
