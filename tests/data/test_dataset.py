"""Parts of data sets."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_core.data.adapt import adapt
from cnn_core.data.dataset import Dataset, InputSpec
from cnn_core.data.rows import SparseRows
from data_cases import LABELS, ONE, VALUES, X, Y


@given(st.integers(2, 200), st.floats(0.001, 0.999))
def test_split_keeps_order_and_loses_nothing(n, share):
    x = np.arange(n, dtype=np.float32)
    whole = adapt(x, x, x, input_specs=[InputSpec("x", (1,))], target_specs=VALUES)
    kept = int(np.floor(n * (1 - share)))
    if kept in (0, n):
        with pytest.raises(ValueError, match="`validation_split` leaves no row"):
            whole.split(share)
        return
    first, last = whole.split(share)
    assert (first.n, last.n) == (kept, n - kept)
    for part, expected in ((first, x[:kept]), (last, x[kept:])):
        for each in (part.inputs[0], part.targets[0], part.weights[0]):
            np.testing.assert_array_equal(each.reshape(-1), expected)


def test_take_gathers_every_part():
    whole = adapt(X, Y, np.arange(10.0), input_specs=ONE, target_specs=LABELS)
    order = np.array([3, 3, 0])
    part = whole.take(order)
    np.testing.assert_array_equal(part.inputs[0], X[order])
    np.testing.assert_array_equal(part.targets[0], Y[order])
    np.testing.assert_array_equal(part.weights[0], order)
    assert (part.n, whole.take(slice(2, 8, 3)).n) == (3, 2)


def test_arrays_that_another_process_sends_at_odd_bytes_are_read():
    """As dask does: it hands pickle the memory of its message, and an array of it begins where the one before ends."""
    sparse = SparseRows(np.array([5.0, 7.0]), np.array([1, 0], np.int32), np.array([0, 1, 1, 2]), 2)
    sent = [Dataset.of_one(x, np.ones((3, 1)), np.ones(3)) for x in (np.arange(6.0).reshape(3, 2), sparse)]
    buffers: list[pickle.PickleBuffer] = []
    message = pickle.dumps(sent, protocol=5, buffer_callback=buffers.append)
    odd = [memoryview(b"." + buffer.raw().tobytes())[1:] for buffer in buffers]
    dense, compressed = pickle.loads(message, buffers=odd)
    np.testing.assert_array_equal(dense.inputs[0], np.arange(6.0).reshape(3, 2))
    np.testing.assert_array_equal(compressed.inputs[0].dense(), sparse.dense())
    rows = compressed.inputs[0]
    arrays = [dense.inputs[0], dense.targets[0], dense.weights[0], rows.data, rows.indices, rows.indptr]
    assert [array.flags.aligned for array in arrays] == [True] * 6
