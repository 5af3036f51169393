from __future__ import annotations

import math
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_core._core as _core
import reference_random

WORD64 = st.integers(0, 2**64 - 1)
# One group of words is 64, one draw at most 256.
SIZES = [0, 1, 2, 3, 4, 15, 16, 17, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 513, 1000]
SEEDS = [(0, 0), (1, 2), (2**64 - 1, 2**64 - 1), (0x243F6A8885A308D3, 0x13198A2E03707344)]


def as_integer(text: str) -> int:
    """Read words in hexadecimal, the least significant first."""
    return sum(int(word, 16) << 32 * i for i, word in enumerate(text.split()))


# Published with the generator: kat_vectors of Random123.
@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_gives_the_published_words(counter, key, expected):
    wanted = [int(word, 16) for word in expected.split()]
    assert _core.philox(as_integer(counter), as_integer(key)) == wanted
    row = np.array([[int(word, 16) for word in counter.split()]], np.uint64)
    assert reference_random.philox(row, as_integer(key)).tolist() == [wanted]


@given(st.integers(0, 2**128 - 1), WORD64)
def test_philox_agrees_with_the_reference(counter, key):
    row = np.array([[counter >> 32 * i & 0xFFFFFFFF for i in range(4)]], np.uint64)
    assert [_core.philox(counter, key)] == reference_random.philox(row, key).tolist()


# Shuffling


@pytest.mark.parametrize(("seed", "stream"), SEEDS)
def test_shuffled_agrees_with_the_reference(instruction_set, seed, stream):
    for n in SIZES:
        np.testing.assert_array_equal(_core.shuffled(n, seed, stream), reference_random.shuffled(n, seed, stream)[0])


def test_shuffled_refuses_words_that_would_favour_small_indices():
    expected, refused = reference_random.shuffled(200_000, 5, 6)
    assert refused > 0
    np.testing.assert_array_equal(_core.shuffled(200_000, 5, 6), expected)


@given(st.integers(0, 2000), WORD64, WORD64)
def test_shuffled_is_a_permutation(n, seed, stream):
    np.testing.assert_array_equal(np.sort(_core.shuffled(n, seed, stream)), np.arange(n))


def test_shuffled_permutes_the_indices_that_it_is_given():
    indices = np.arange(100, dtype=np.int64) * 7
    _core.shuffled(100, 3, 4, out=indices)
    np.testing.assert_array_equal(indices, _core.shuffled(100, 3, 4) * 7)


def test_seed_and_stream_both_count():
    orders = {tuple(_core.shuffled(20, seed, stream)) for seed in (0, 1, 2**32) for stream in (0, 1, 2**32)}
    assert len(orders) == 9


def chi_squared(counts) -> float:
    expected = sum(counts) / len(counts)
    return sum((count - expected) ** 2 for count in counts) / expected


def test_every_permutation_is_equally_likely():
    drawn = [tuple(_core.shuffled(4, 11, stream)) for stream in range(24_000)]
    counts = [drawn.count(order) for order in set(drawn)]
    assert len(counts) == 24
    assert chi_squared(counts) < reference_random.CHI_SQUARED_23


# Dropout


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_dropout_mask_agrees_with_the_reference(instruction_set, dtype, rate):
    for seed, stream in SEEDS:
        for n in SIZES:
            mask = _core.dropout_mask(n, rate, seed, stream, dtype)
            assert mask.dtype == dtype
            np.testing.assert_array_equal(mask, reference_random.dropout_mask(n, rate, seed, stream, dtype))


def test_dropout_mask_by_hand():
    # The first words of the blocks are the first sixteen; the first block's first word is drawn from its counter.
    word = _core.philox(reference_random.DROPOUT << 56 | 9 << 64, 7)[0]
    below, above = (word + 1) / 2**32, word / 2**32
    assert _core.dropout_mask(1, below, 7, 9, "float64")[0] == 0
    assert _core.dropout_mask(1, above, 7, 9, "float64")[0] == 1 / (1 - above)


@given(st.integers(0, 400), st.integers(0, 400), st.sampled_from(["float32", "float64"]))
def test_dropout_mask_can_be_drawn_in_parts(first, n, dtype):
    whole = _core.dropout_mask(first + n, 0.3, 1, 2, dtype)
    np.testing.assert_array_equal(_core.dropout_mask(n, 0.3, 1, 2, dtype, first), whole[first:])


def test_dropout_rate_zero_keeps_all_and_a_rate_near_one_almost_none():
    assert np.all(_core.dropout_mask(10_000, 0.0, 1, 2) == 1)
    assert not np.any(_core.dropout_mask(10_000, np.nextafter(1, 0), 1, 2))


@pytest.mark.parametrize("rate", [0.001, 0.25, 0.5, 0.8])
def test_dropout_drops_at_its_rate(rate):
    n = 400_000
    dropped = np.count_nonzero(_core.dropout_mask(n, rate, 3, 4) == 0)
    assert abs(dropped - n * rate) < reference_random.STANDARD_DEVIATIONS * math.sqrt(n * rate * (1 - rate))


# Normal numbers


@pytest.mark.parametrize(("seed", "stream"), SEEDS)
def test_normal_agrees_with_the_reference(instruction_set, seed, stream):
    for n in SIZES:
        expected = reference_random.normal(n, seed, stream)
        numbers = _core.normal(n, seed, stream)
        np.testing.assert_allclose(numbers, expected, rtol=0, atol=reference_random.NORMAL_NUMBERS)
        np.testing.assert_array_equal(_core.normal(n, seed, stream, "float32"), numbers.astype("float32"))


@given(st.integers(0, 300), st.integers(0, 300))
def test_normal_can_be_drawn_in_parts(first, n):
    whole = _core.normal(first + n, 1, 2)
    np.testing.assert_array_equal(_core.normal(n, 1, 2, "float64", first), whole[first:])


def test_normal_has_the_normal_distribution():
    n = 200_000
    numbers = np.sort(_core.normal(n, 5, 6))
    distribution = np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in numbers])
    empirical = np.arange(1, n + 1) / n
    assert np.max(np.abs(distribution - empirical)) < reference_random.KOLMOGOROV / math.sqrt(n)


def test_neighbours_are_uncorrelated():
    numbers = _core.normal(200_000, 7, 8)
    for lag in (1, 2, 16, 32, 64):
        correlation = np.mean(numbers[lag:] * numbers[:-lag])
        assert abs(correlation) < reference_random.STANDARD_DEVIATIONS / math.sqrt(len(numbers) - lag)


# Together


def test_uses_share_no_words():
    n = 4096
    drawn = [reference_random.words(n, use, 1, 2) for use in (0, reference_random.DROPOUT, reference_random.NORMAL)]
    assert len(set(np.concatenate(drawn).tolist())) > 3 * n - 10


def test_threads_draw_the_same(instruction_set):
    expected = _core.shuffled(5000, 1, 2).tobytes()
    drawn = []
    threads = [threading.Thread(target=lambda: drawn.append(_core.shuffled(5000, 1, 2).tobytes())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drawn == [expected] * 4
