"""The settings of DataParallel: parts of the rows, local statistics, rounded sums, steps between averages."""

from __future__ import annotations

import numpy as np
import pytest

import cnn_core.distribution.launch as launch
from cnn_core.distribution import DataParallel, distribution
from cnn_core.distribution.communicator import OneProcess
from ranks import assert_close, needs_mpi, of_case, trained
from shared_trainings import data


@pytest.fixture
def on_one(monkeypatch):
    """Let this process be the only rank, whether or not mpi4py is there."""
    monkeypatch.setattr(launch, "_communicator", OneProcess())


@needs_mpi
def test_ranks_may_have_parts_of_the_rows(tmp_path_factory):
    alone = trained(tmp_path_factory, 0, "of_parts")[0]
    for n in (2, 3):
        ranks = trained(tmp_path_factory, n, "of_parts,of_small_batches_of_parts", "auto_shard_dataset=False")
        for results in ranks:
            assert_close(of_case(results, "of_parts"), alone, 1e-5)
            small, first = (of_case(each, "of_small_batches_of_parts") for each in (results, ranks[0]))
            assert all(np.array_equal(small[key], value) for key, value in first.items())
            loss = small["of_small_batches_of_parts/loss"]
            assert loss[-1] < loss[0]


@needs_mpi
@pytest.mark.parametrize("form", ["bfloat16", "float16"])
def test_rounded_sums_are_close(tmp_path_factory, form):
    alone = trained(tmp_path_factory, 0, "adam")[0]
    first, second = trained(tmp_path_factory, 2, "adam", f"compression={form!r}")
    assert all(np.array_equal(second[key], value) for key, value in first.items())
    difference = np.abs(first["adam/weights"] - alone["adam/weights"]).max()
    assert 1e-7 < difference < 0.03


@needs_mpi
def test_ranks_average_their_weights_every_two_steps_and_statistics_every_epoch(tmp_path_factory):
    averaged = trained(tmp_path_factory, 2, "linear", "sync_every=2")
    local = trained(tmp_path_factory, 2, "normalized", "batch_normalization='local'")
    x, y = data(64)
    assert_close(averaged[0], {"linear/weights": averaged_steps(x.astype(float), y.astype(float))}, 1e-6)
    halves = [x[:32].astype(float), x[32:].astype(float)]
    expected = {
        "normalized/mean": 0.5 * np.mean([half.mean(axis=0) for half in halves], axis=0),
        "normalized/variance": 0.5 + 0.5 * np.mean([half.var(axis=0) for half in halves], axis=0),
    }
    for first, second in (averaged, local):
        assert all(np.array_equal(second[key], value) for key, value in first.items())
    assert_close(local[0], expected, 1e-6)


def averaged_steps(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Four batches of 16: each of two ranks takes half of every batch, and after two steps they average."""
    w = np.zeros(10)
    for pair in range(2):
        ends = []
        for rank in range(2):
            own = w.copy()
            for batch in (2 * pair, 2 * pair + 1):
                rows = slice(16 * batch + 8 * rank, 16 * batch + 8 * rank + 8)
                own -= 0.05 * 2 / 8 * x[rows].T @ (x[rows] @ own - y[rows])
            ends.append(own)
        w = np.mean(ends, axis=0)
    return w


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device_mesh": 3}, "`device_mesh` must be None: the ranks are those of the run. Received: device_mesh=3"),
        ({"devices": ["gpu:0"]}, r"`devices` must be None or all of \['cpu:0'\]. Received: devices=\['gpu:0'\]"),
        ({"shards": 0}, "`shards` must be a positive integer. Received: shards=0"),
        ({"sync_every": -1}, "`sync_every` must be a positive integer. Received: sync_every=-1"),
        ({"compression": "int8"}, "`compression` must be .bfloat16., .float16. or None. Received"),
        ({"batch_normalization": "global"}, "`batch_normalization` must be .local. or .synchronized."),
        ({"deterministic": True, "sync_every": 2}, "`sync_every` must be 1 with deterministic=True"),
        ({"deterministic": True, "compression": "float16"}, "`compression` must be None with deterministic=True"),
        ({"deterministic": True, "auto_shard_dataset": False}, "`auto_shard_dataset` must be True with"),
    ],
)
def test_wrong_settings_are_refused(on_one, arguments, message):
    with pytest.raises(ValueError, match=message):
        DataParallel(**arguments)


def test_one_rank_changes_nothing_unless_sums_have_another_order(on_one):
    assert DataParallel().changes_nothing
    assert not DataParallel(deterministic=True).changes_nothing


def test_rows_and_files_of_a_rank(on_one):
    chosen = DataParallel()
    assert chosen.local_rows(10) == slice(0, 10)
    assert chosen.local_files(["b", "a"]) == ["a", "b"]
    chosen.communicator = type("Second", (OneProcess,), {"rank": 1, "size": 3})()
    assert [chosen.rows_of(rank, 10) for rank in range(3)] == [slice(0, 3), slice(3, 6), slice(6, 10)]
    assert chosen.local_rows(10) == slice(3, 6)
    assert chosen.local_files(["d", "b", "a", "c", "e"]) == ["b", "e"]


def test_a_scope_ends(on_one):
    with DataParallel().scope():
        assert distribution() is not None
    assert distribution() is None
