"""src/numbers/shares.pxd: that work is cut evenly for any number of threads, and nothing of it lost."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_core._core as _core
from thread_counts import on_threads

WIDTHS = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128]
LINE_BYTES = 64
WORK_PER_TASK = 1 << 20
# Products of a training step (rows, columns, k): x . w, delta . w^T and x^T . delta of layers that are worth threads.
LARGE = [
    (512, 2048, 1024),
    (512, 2048, 2048),
    (512, 1024, 2048),
    (1024, 2048, 512),
    (2048, 2048, 512),
    (2048, 1024, 512),
]
MIDDLING = [(128, 512, 784), (128, 512, 512), (784, 512, 128), (512, 512, 128), (128, 128, 784), (784, 128, 128)]


def tasks_of(n_rows: int, n_cols: int, n_k: int, n_threads: int, in_float64: bool = False) -> list[int]:
    """Return how many elements of the result each task computes, in their order."""
    height, width = _core.block_of(n_rows, n_cols, n_k, n_threads, in_float64)
    return [
        min(height, n_rows - row) * min(width, n_cols - col)
        for col in range(0, n_cols, width)
        for row in range(0, n_rows, height)
    ]


def chunks_of(kind: str, n: int, n_threads: int) -> list[int]:
    chunk = _core.chunk_of(kind, n, n_threads)
    return [min(chunk, n - first) for first in range(0, n, chunk)]


def shares_of(tasks: list[int], n_threads: int) -> list[int]:
    """Return how much of the work is in each thread's own tasks."""
    n = min(n_threads, len(tasks))
    ends = [0, *(_core.end_of_share(len(tasks), n, i) for i in range(n))]
    assert ends[-1] == len(tasks)
    return [sum(tasks[first:last]) for first, last in itertools.pairwise(ends)]


def imbalance(tasks: list[int], n_threads: int) -> float:
    """Return the largest share as a multiple of an even one."""
    return max(shares_of(tasks, n_threads)) * n_threads / sum(tasks)


@pytest.mark.parametrize("n_threads", WIDTHS)
@pytest.mark.parametrize("product", LARGE, ids=str)
def test_large_products_are_shared_out_evenly(product: tuple[int, int, int], n_threads: int):
    assert imbalance(tasks_of(*product, n_threads), n_threads) < 1.13


@pytest.mark.parametrize(
    ("product", "n_threads"), [(p, n) for p in MIDDLING for n in WIDTHS if n <= math.prod(p) // WORK_PER_TASK]
)
def test_smaller_ones_are_so_among_as_many_threads_as_they_have_work_for(product: tuple[int, int, int], n_threads: int):
    assert imbalance(tasks_of(*product, n_threads), n_threads) < 1.13


@pytest.mark.parametrize("n_threads", WIDTHS)
@pytest.mark.parametrize("n", [101_770, 669_706, 8_394_752])
def test_parameters_are_shared_out_evenly(n: int, n_threads: int):
    n_threads = min(n_threads, n >> 15)
    assert imbalance(chunks_of("parameters", n, n_threads), n_threads) < 1.01


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 256), st.booleans())
def test_tasks_are_worth_a_thread_and_nothing_is_lost(
    n_rows: int, n_cols: int, n_k: int, n_threads: int, in_float64: bool
):
    tasks = tasks_of(n_rows, n_cols, n_k, n_threads, in_float64)
    assert sum(tasks) == n_rows * n_cols
    assert len(tasks) <= max(1, min(n_rows * n_cols * n_k // WORK_PER_TASK, 4 * n_threads))
    assert sum(shares_of(tasks, n_threads)) == n_rows * n_cols


@given(st.integers(1, 10_000_000), st.integers(1, 256))
def test_all_parameters_are_in_one_chunk(n: int, n_threads: int):
    chunks = chunks_of("parameters", n, n_threads)
    assert sum(chunks) == n
    assert len(chunks) == 1 or min(chunks[:-1]) >= 1 << 15


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 3000), st.integers(2, 256), st.booleans())
def test_threads_write_to_lines_of_their_own_where_rows_begin_on_one(
    n_rows: int, n_cols: int, n_k: int, n_threads: int, in_float64: bool
):
    """So it is with the values of every layer: their rows are padded, by 8 elements at least."""
    height, width = _core.block_of(n_rows, n_cols, n_k, n_threads, in_float64)
    size = 8 if in_float64 else 4
    assert width >= n_cols or width * size % LINE_BYTES == 0
    assert height >= n_rows or height * 8 * size % LINE_BYTES == 0


@given(st.integers(1, 10_000_000), st.integers(1, 256))
def test_chunks_of_parameters_begin_on_lines_of_their_own(n: int, n_threads: int):
    assert _core.chunk_of("parameters", n, n_threads) * 4 % LINE_BYTES == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [(300, 500, 130), (37, 1300, 129), (1000, 10, 700), (25, 3000, 65)], ids=str)
def test_any_number_of_threads_gives_the_same_bits(sizes: tuple[int, int, int], dtype: str):
    n_rows, n_cols, n_k = sizes
    rng = np.random.default_rng(sizes)
    x, w = (rng.normal(size=shape).astype(dtype) for shape in ((n_rows, n_k), (n_k, n_cols)))
    with on_threads(1):
        expected = _core.product(x, w)
    for n in (2, 3, 5, 6, 7):
        with on_threads(n):
            np.testing.assert_array_equal(_core.product(x, w), expected)
