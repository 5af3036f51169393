"""src/simd/pairs.h and its tables: what is rounded to bfloat16, and the bits of products of pairs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

import cnn_core._core as _core

ml_dtypes = pytest.importorskip("ml_dtypes")
BFLOAT16 = ml_dtypes.bfloat16
# Powers of two and their neighbours, ties both ways, the largest number, one that rounds to infinity.
EDGES = np.array(
    [0.0, -0.0, 1.0, 1.00390625, 1.01171875, 1.0039064, 3.3895314e38, 3.4028235e38, 1.1754944e-38, np.inf, -np.inf],
    dtype="float32",
)


@contextmanager
def chosen(instruction_set: str, bfloat16: str) -> Iterator[None]:
    """Compute with this instruction set, and with this way to multiply in bfloat16 beside it."""
    before = _core.instruction_set(), _core.bfloat16()
    _core.select_instruction_set(instruction_set)
    _core.select_bfloat16(bfloat16)
    try:
        yield
    finally:
        _core.select_instruction_set(before[0])
        _core.select_bfloat16(before[1])


def every_way() -> list[tuple[str, str]]:
    """Return each instruction set with each way that can run beside it."""
    found = []
    for name in _core.instruction_sets():
        with chosen(name, "floats"):
            found += [(name, way) for way in _core.bfloat16_ways()]
    return found


WAYS = pytest.mark.parametrize("way", every_way(), ids="-".join)


def rounded_by(way: tuple[str, str], x: np.ndarray) -> np.ndarray:
    """Return x as a product by one has rounded it."""
    with chosen(*way):
        return _core.product(x.reshape(-1, 1), np.ones((1, 1), "float32"), in_bfloat16=True).reshape(-1)


def test_pairs_can_be_multiplied_on_every_machine():
    assert {("portable", "plain"), ("portable", "floats")} <= set(every_way())
    assert {(name, "tiles") for name in _core.instruction_sets()} <= set(every_way())


@WAYS
def test_numbers_are_rounded_to_nearest_and_ties_to_even(way: tuple[str, str]):
    drawn = np.random.default_rng(0).integers(0, 1 << 32, 20_000, dtype=np.uint64).astype("uint32").view("float32")
    x = np.concatenate([EDGES, drawn[np.isfinite(drawn) & (np.abs(drawn) >= 1.2e-38)]])
    with np.errstate(over="ignore"):
        expected = x.astype(BFLOAT16).astype("float32")
    np.testing.assert_array_equal(rounded_by(way, x), expected)


@WAYS
def test_a_nan_stays_one_and_a_denormal_counts_as_zero(way: tuple[str, str]):
    x = np.array([np.nan, 1e-39, -1e-45, np.array(0x7F800001, "uint32").view("float32")], dtype="float32")
    np.testing.assert_array_equal(rounded_by(way, x), np.array([np.nan, 0, 0, np.nan], "float32"))


@pytest.mark.skipif(("avx512", "avx512_bf16") not in every_way(), reason="needs AVX512_BF16")
@pytest.mark.parametrize("sizes", [(1, 7, 33), (5, 784, 40), (37, 1100, 129), (130, 65, 300)])
def test_the_instruction_gives_the_bits_of_plain_c(sizes: tuple[int, int, int]):
    rng = np.random.default_rng(sizes)
    x, w = (rng.normal(size=shape).astype("float32") for shape in (sizes[:2], sizes[1:]))
    x[rng.random(x.shape) < 0.02] *= 1e-38
    with chosen("avx512", "avx512_bf16"):
        here = _core.product(x, w, in_bfloat16=True)
    with chosen("portable", "plain"):
        np.testing.assert_array_equal(_core.product(x, w, in_bfloat16=True), here)


def test_tiles_sum_even_and_odd_elements_apart():
    """Of every 16 pairs: c += E + O, chains of fused multiply-adds over even and over odd elements, each from zero."""
    rng = np.random.default_rng(3)
    x, w = (rng.normal(size=shape).astype(BFLOAT16).astype("float32") for shape in ((3, 72), (72, 5)))
    with chosen("portable", "tiles"):
        found = _core.product(x, w, in_bfloat16=True)
    expected = np.zeros((3, 5), "float32")
    for start in range(0, 72, 32):
        parts = []
        for first in (start, start + 1):
            chain = np.zeros((3, 5), "float32")
            for k in range(first, min(start + 32, 72), 2):
                chain = (np.longdouble(1) * x[:, k, None] * w[k] + chain).astype("float32")
            parts.append(chain)
        expected += parts[0] + parts[1]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("sizes", [(1, 7, 33), (16, 70, 32), (33, 784, 31), (37, 1100, 129)])
def test_tiles_give_the_same_bits_in_panels_of_any_width(sizes: tuple[int, int, int]):
    rng = np.random.default_rng(sizes)
    x, w = (rng.normal(size=shape).astype("float32") for shape in (sizes[:2], sizes[1:]))
    found = []
    for name in _core.instruction_sets():
        with chosen(name, "tiles"):
            found.append(_core.product(x, w, in_bfloat16=True))
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


@pytest.mark.skipif(("avx512", "amx") not in every_way(), reason="needs AMX")
@pytest.mark.parametrize("sizes", [(1, 7, 33), (5, 784, 40), (37, 1100, 129), (130, 65, 300)])
def test_amx_gives_the_bits_of_tiles_in_plain_c(sizes: tuple[int, int, int]):
    rng = np.random.default_rng(sizes)
    x, w = (rng.normal(size=shape).astype("float32") for shape in (sizes[:2], sizes[1:]))
    with chosen("avx512", "amx"):
        here = _core.product(x, w, in_bfloat16=True)
    with chosen("portable", "tiles"):
        np.testing.assert_array_equal(_core.product(x, w, in_bfloat16=True), here)


def test_an_unknown_way_is_named():
    with pytest.raises(ValueError, match=r"CNN_CORE_BFLOAT16 must be one of .*\. Received: 'amx2'"):
        _core.select_bfloat16("amx2")
