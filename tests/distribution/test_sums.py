"""Sums of gradients over ranks: the tree's order, parts of a vector, rounding with error feedback, shared memory."""

from __future__ import annotations

import numpy as np
import pytest

from cnn_core.distribution.communicator import OneProcess
from cnn_core.distribution.shared_memory import SharedMemorySum, is_possible
from cnn_core.distribution.sums import PlainSum, RoundedSum, TreeSum, part_sizes, shards_of, subtrees
from ranks import on_threads

SIZE = 100


def gradients(n: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return list((rng.normal(size=(n, SIZE)) * 10.0 ** rng.integers(-6, 6, size=(n, SIZE))).astype(np.float32))


def summed_in_tree(size: int, n_shards: int) -> list[np.ndarray]:
    shards = gradients(n_shards)

    def work(communicator):
        total, answer = TreeSum(communicator, n_shards), np.empty(SIZE, np.float32)
        for shard in shards_of(communicator.rank, size, n_shards):
            total.put(shards[shard])
        total.take(answer)
        return answer

    return on_threads(size, work)


def test_the_tree_of_four_is_the_sum_of_two_sums():
    a, b, c, d = gradients(4)
    assert summed_in_tree(1, 4)[0].tobytes() == ((a + b) + (c + d)).tobytes()


@pytest.mark.parametrize("n_shards", [4, 5, 7, 8])
def test_a_tree_gives_the_same_bits_on_any_number_of_ranks(n_shards):
    alone = summed_in_tree(1, n_shards)[0].tobytes()
    for size in range(2, n_shards + 1):
        assert {each.tobytes() for each in summed_in_tree(size, n_shards)} == {alone}


def test_shards_in_a_plain_row_would_not_give_the_same_bits():
    """What the tree is good for: the gradients here are such that the order of a sum shows."""
    a, b, c, d = gradients(4)
    assert (((a + b) + c) + d).tobytes() != ((a + b) + (c + d)).tobytes()


def test_a_tree_may_overwrite_what_was_put():
    def work(communicator):
        total, gradient = TreeSum(communicator, 2), np.ones(SIZE, np.float32)
        total.put(gradient)
        total.take(gradient)
        total.put(gradient)
        total.take(gradient)
        return gradient

    assert all((each == 4).all() for each in on_threads(2, work))


def test_plain_sums_add_all_ranks():
    def work(communicator):
        total, gradient = PlainSum(communicator), np.full(SIZE, communicator.rank + 1.0)
        total.put(gradient)
        total.take(gradient)
        return gradient

    assert all((each == 6).all() for each in on_threads(3, work))


@pytest.mark.parametrize(("form", "digits"), [("bfloat16", 2.0**-8), ("float16", 2.0**-11)])
@pytest.mark.parametrize("size", [2, 3])
def test_what_rounding_takes_away_comes_with_the_next_sum(form, digits, size):
    steps = 40
    rng = np.random.default_rng(1)
    given = rng.normal(size=(steps, size, SIZE)).astype(np.float32)

    def work(communicator):
        total, answers = RoundedSum(communicator, form), []
        for step in range(steps):
            gradient = given[step, communicator.rank].copy()
            total.put(gradient)
            total.take(gradient)
            answers.append(gradient)
        return np.array(answers)

    answers = on_threads(size, work)
    assert all((each == answers[0]).all() for each in answers)
    exact = given.sum(axis=1, dtype=np.float64)
    first = np.abs(answers[0][0] - exact[0]).max()
    assert 0 < first < 4 * size * digits * np.abs(given).max() * 2
    # Of forty steps no more is missing than of one.
    assert np.abs(answers[0].sum(axis=0, dtype=np.float64) - exact.sum(axis=0)).max() < 8 * size * digits * 5


@pytest.mark.parametrize("form", ["bfloat16", "float16"])
def test_a_gradient_that_is_not_finite_stays_so(form):
    def work(communicator):
        total, gradient = RoundedSum(communicator, form), np.ones(SIZE, np.float32)
        if communicator.rank:
            gradient[3:6] = np.nan, np.inf, -np.inf
        total.put(gradient)
        total.take(gradient)
        return gradient

    assert all(not np.isfinite(each[3:6]).any() for each in on_threads(2, work))


def test_one_process_sums_nothing():
    gradient = np.arange(3.0)
    PlainSum(OneProcess()).take(gradient)
    assert gradient.tolist() == [0, 1, 2]


@pytest.mark.parametrize("length", [0, 5, 16, 1000])
@pytest.mark.parametrize("n_parts", [1, 3, 8])
def test_parts_make_up_the_vector(length, n_parts):
    sizes = part_sizes(length, n_parts)
    assert len(sizes) == n_parts
    assert sum(sizes) == length


def test_subtrees_make_up_the_shards_of_a_rank():
    for n_shards in range(1, 12):
        for size in range(1, n_shards + 1):
            blocks = [
                block
                for rank in range(size)
                for block in subtrees(*(lambda s: (s.start, s.stop))(shards_of(rank, size, n_shards)), 0, n_shards)
            ]
            assert [shard for first, end in blocks for shard in range(first, end)] == list(range(n_shards))


@pytest.mark.skipif(not is_possible(), reason="needs /dev/shm")
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("length", [5, 300_000])
def test_sums_in_shared_memory_add_all_ranks(size, length):
    given = np.random.default_rng(0).normal(size=(3, size, length)).astype(np.float32)

    def work(communicator):
        total, answers = SharedMemorySum(communicator), []
        gradient = total.place(np.zeros(length, np.float32))
        for step in range(3):
            gradient[...] = given[step, communicator.rank]
            total.put(gradient)
            total.take(gradient)
            answers.append(gradient.copy())
        return answers

    for answers in on_threads(size, work):
        for step, answer in enumerate(answers):
            assert answer.tobytes() == np.add.accumulate(given[step])[-1].tobytes()


@pytest.mark.skipif(not is_possible(), reason="needs /dev/shm")
@pytest.mark.parametrize("spoilt", [np.nan, -np.inf, 1e30, 1.0])
def test_each_rank_may_step_its_part(spoilt):
    """A gradient of 1e30 is finite, although its square is not."""
    given = np.random.default_rng(0).normal(size=(2, SIZE)).astype(np.float32)
    given[1, 3] = spoilt

    def work(communicator):
        total, values = SharedMemorySum(communicator), np.zeros(SIZE, np.float32)
        gradient = total.place(values)
        gradient[...] = given[communicator.rank]
        is_finite = total.add_part()
        values[total.part] = gradient[total.part]
        total.share_parts(values)
        return is_finite, values

    for is_finite, values in on_threads(2, work):
        assert is_finite == np.isfinite(spoilt)
        assert values.tobytes() == (given[0] + given[1]).tobytes()


@pytest.mark.skipif(not is_possible(), reason="needs /dev/shm")
def test_ranks_send_messages_where_one_has_no_memory_left(monkeypatch):
    def work(communicator):
        if communicator.rank == 1:
            monkeypatch.setattr("os.posix_fallocate", lambda *_: (_ for _ in ()).throw(OSError("no space")))
        communicator.meet()
        total, private = SharedMemorySum(communicator), np.ones(5, np.float32)
        gradient = total.place(private)
        total.take(gradient)
        return gradient is private, gradient.tolist()

    assert on_threads(2, work) == [(True, [2.0] * 5)] * 2
