"""Tests of where the batches of an epoch come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import layers
from cnn_core.data.adapt import adapt
from cnn_core.data.batches import Batches
from cnn_core.data.dataset import InputSpec, TargetSpec
from cnn_core.training.sources import BatchSource, Epoch, GivenBatches, RowSource, source_of

X = np.arange(20, dtype="float32").reshape(10, 2)
Y = X[:, :1].copy()


@pytest.fixture
def model() -> cnn_core.Sequential:
    made = cnn_core.Sequential([cnn_core.Input((2,)), layers.Dense(1)])
    made.compile("sgd", "mse")
    made.test_on_batch(X, Y)
    return made


def rows_of(x: Any = X) -> Any:
    return adapt(x, Y, input_specs=[InputSpec("x", (2,))], target_specs=[TargetSpec("y", (1,))])


def source(model: Any, data: Any, *arguments: Any) -> BatchSource:
    return source_of(model, model._objectives, data, *arguments)


def batches(epoch: Iterator[tuple[Any, int, int]]) -> list[tuple[int, int]]:
    return [(first, end) for _, first, end in epoch]


def test_rows_in_memory_are_one_segment(model: Any) -> None:
    rows = source(model, rows_of(), 4, False)
    assert isinstance(rows, RowSource)
    assert rows.n_batches == 3
    assert batches(rows.segments(Epoch())) == [(0, 3)]
    assert batches(rows.segments(Epoch(first_batch=2))) == [(2, 3)]
    assert rows.whole().n == 10
    assert not rows.has_ended(1)


def test_an_epoch_of_some_steps_goes_on_where_the_last_one_ended(model: Any) -> None:
    rows = source(model, rows_of(), 2, False, 3)
    assert rows.n_batches == 3
    places = [batches(rows.segments(Epoch(place=place))) for place in range(4)]
    assert places == [[(0, 3)], [(3, 5)], [(0, 3)], [(3, 5)]]
    with pytest.raises(ValueError, match=r"LBFGS needs all rows at once\. Received: steps_per_epoch=3"):
        rows.whole()


def test_rows_that_are_converted_are_a_segment_each(model: Any, tmp_path: Any) -> None:
    mapped = np.memmap(tmp_path / "rows", "float64", "w+", shape=X.shape)
    mapped[:] = X
    rows = source(model, rows_of(mapped), 4, False)
    assert rows.sole_segment() is None
    sizes = [segment.n_batches for segment, first, end in rows.segments(Epoch()) if (first, end) == (0, 1)]
    assert sizes == [1, 1, 1]


def test_given_batches_are_a_segment_each(model: Any) -> None:
    given = source(model, Batches((X[i : i + 3], Y[i : i + 3]) for i in (0, 3, 6)), 32, True)
    assert isinstance(given, GivenBatches)
    assert (given.n_batches, given.sole_segment()) == (None, None)
    assert batches(given.segments(Epoch(first_batch=1))) == [(0, 1), (0, 1)]
    with pytest.warns(UserWarning, match="x ran out of batches: training ends after epoch 1"):
        assert given.has_ended(1)
    with pytest.raises(ValueError, match=r"pass arrays\. Received: a generator or PyDataset"):
        given.whole()


def test_one_order_for_each_stream(model: Any) -> None:
    rows = source(model, rows_of(), 4, True)
    orders = [next(rows.segments(Epoch(stream=stream)))[0].order.copy() for stream in (1, 2, 1)]
    np.testing.assert_array_equal(np.sort(orders[0]), np.arange(10))
    np.testing.assert_array_equal(orders[0], orders[2])
    assert not np.array_equal(orders[0], orders[1])
