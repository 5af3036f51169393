"""The random numbers of src/numbers/random.pxd once more, plainly, in Python integers: the oracle of their tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

BLOCKS_PER_GROUP = 16
SHUFFLE, DROPOUT, NORMAL = 0, 2, 3
FIRST_GROUP_BITS = 52
LOW = np.uint64(0xFFFFFFFF)

# The largest normal number is 6.7 and its four operations round a few units of 1e-16 relative to it, on both sides.
NORMAL_NUMBERS = 1e-14
# Quantiles that a right generator exceeds once in some thousand draws; seeds are fixed, so a test passes or not.
CHI_SQUARED_23 = 49.7  # 0.999 of 23 degrees of freedom
KOLMOGOROV = 1.95  # 0.999 of sqrt(n) * the largest distance between two distribution functions
STANDARD_DEVIATIONS = 4.0


def philox(counter: Words, key: int) -> Words:
    """Philox4x32-10: (n, 4) words of counters to (n, 4) words of output, least significant first."""
    c0, c1, c2, c3 = (counter[:, i].astype(np.uint64) for i in range(4))
    k0, k1 = key & 0xFFFFFFFF, key >> 32
    for _ in range(10):
        first, second = c0 * np.uint64(0xD2511F53), c2 * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = (
            (second >> 32) ^ c1 ^ np.uint64(k0),
            second & LOW,
            (first >> 32) ^ c3 ^ np.uint64(k1),
            first & LOW,
        )
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=1)


def words(n: int, use: int, seed: int, stream: int) -> Words:
    """The first n words of a stream: groups of 16 blocks, in each the blocks' first words, then the second, ..."""
    n_groups = -(-n // (4 * BLOCKS_PER_GROUP))
    blocks = np.arange(n_groups * BLOCKS_PER_GROUP, dtype=np.uint64)
    blocks += np.uint64((use << FIRST_GROUP_BITS) * BLOCKS_PER_GROUP)
    counter = np.empty((len(blocks), 4), np.uint64)
    counter[:, 0], counter[:, 1] = blocks & LOW, blocks >> 32
    counter[:, 2], counter[:, 3] = stream & 0xFFFFFFFF, stream >> 32
    drawn = philox(counter, seed)
    return drawn.reshape(n_groups, BLOCKS_PER_GROUP, 4).transpose(0, 2, 1).ravel()[:n]


def shuffled(n: int, seed: int, stream: int) -> tuple[NDArray[np.int64], int]:
    """A permutation of 0 .. n - 1 and how many words were refused on the way."""
    order, refused = list(range(n)), 0
    supply = iter(words(n + 1000, SHUFFLE, seed, stream).tolist())
    for i in range(n - 1, 0, -1):
        while True:
            high, low = divmod(next(supply) * (i + 1), 2**32)
            if low >= 2**32 % (i + 1):
                break
            refused += 1
        order[i], order[high] = order[high], order[i]
    return np.array(order, np.int64), refused


def dropout_mask(n: int, rate: float, seed: int, stream: int, dtype: Any) -> NDArray[Any]:
    kept = words(n, DROPOUT, seed, stream) >= min(round(rate * 2**32), 2**32 - 1)
    return np.where(kept, np.dtype(dtype).type(1 / (1 - rate)), 0).astype(dtype)


def normal(n: int, seed: int, stream: int) -> NDArray[np.float64]:
    drawn = words(n + n % 2, NORMAL, seed, stream).reshape(-1, 2).astype(np.float64) / 2**32
    radius, angle = np.sqrt(-2 * np.log(drawn[:, 0] + 2.0**-32)), 2 * np.pi * drawn[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()[:n]
