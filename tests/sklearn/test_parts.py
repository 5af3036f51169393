"""How rows in parts are dealt into chains, rounds and held-out rows."""

from __future__ import annotations

import numpy as np
import pytest

from cnn_core.sklearn.parts import Dealing, GivenPart, Piece, TrainingState, held_out, is_empty, naming_the_part


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("sync_every", [1, 3, 1000])
def test_every_batch_is_trained_on_once_an_epoch(sync_every: int, shuffle: bool, whole: bool):
    n_batches = [5, 0, 1, 12, 7, 2]
    dealing = Dealing(n_batches, 3, sync_every, 0, shuffle, whole)
    for epoch in range(3):
        pieces = [piece for chains in dealing.rounds(epoch) for chain in chains for piece in chain]
        batches = sorted((piece.part, batch) for piece in pieces for batch in range(piece.first, piece.last))
        assert batches == [(part, batch) for part, count in enumerate(n_batches) for batch in range(count)]
        if whole:
            assert all((piece.first, piece.last) == (0, n_batches[piece.part]) for piece in pieces)


def test_orders_differ_from_epoch_to_epoch_but_not_from_run_to_run():
    def order(seed: int, epoch: int) -> list[Piece]:
        dealing = Dealing([1] * 20, 1, 1000, seed, True, False)
        return [piece for chains in dealing.rounds(epoch) for chain in chains for piece in chain]

    assert order(0, 0) == order(0, 0)
    assert order(0, 0) != order(0, 1)
    assert order(0, 0) != order(1, 0)


def test_chains_are_of_about_equal_length():
    dealing = Dealing([9, 1, 1, 1, 5, 3], 2, 1000, 0, False, False)
    assert sorted(sum(dealing.n_batches[part] for part in chain) for chain in dealing.chains) == [10, 10]


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_the_held_out_share_is_met_over_parts_of_any_size(share: float):
    rng = np.random.default_rng(0)
    sizes = [*rng.integers(0, 4, 3000), 500]
    counts = [held_out(int(size), share, seed).sum() for seed, size in enumerate(sizes)]
    assert abs(sum(counts) - share * sum(sizes)) < 4 * np.sqrt(share * (1 - share) * len(sizes))
    assert abs(counts[-1] - share * 500) < 1


def test_of_every_class_the_same_share_is_held_out():
    classes = np.repeat(["a", "b", "c"], [700, 290, 10])
    chosen = held_out(1000, 0.2, 0, classes)
    _, counts = np.unique(classes[chosen], return_counts=True)
    assert np.abs(counts - [140, 58, 2]).max() <= 1


def test_the_mean_of_states_is_weighted_by_rows():
    states = [
        TrainingState((np.array([1.0, 0.0]), np.array([4.0])), 10, 0.1, 100, 5.0),
        TrainingState((np.array([3.0, 0.0]), np.array([0.0])), 12, 0.1, 300, 7.0),
        TrainingState((np.array([9.0, 9.0]), np.array([9.0])), 0, 0.1, 0, 0.0),
    ]
    mean = TrainingState.merge(states)
    assert [vector.tolist() for vector in mean.vectors] == [[2.5, 0.0], [1.0]]
    assert (mean.step, mean.rows, mean.loss, mean.diverged) == (12, 400, 12.0, False)
    assert TrainingState.merge([states[0], TrainingState(states[1].vectors, diverged=True)]).diverged


def test_parts_without_rows_or_weight_are_empty():
    rows = np.ones((2, 1))
    assert is_empty(GivenPart(rows[:0], rows[:0]))
    assert is_empty(GivenPart(rows, rows, np.zeros(2)))
    assert not is_empty(GivenPart(rows, rows, np.array([0.0, 1.0])))


def test_errors_tell_the_part():
    @naming_the_part
    def failing(shared: object, number: int, part: object) -> None:
        raise TypeError("no")

    with pytest.raises(TypeError, match=r"^In part 7 of the rows: no$"):
        failing(None, 7, None)
