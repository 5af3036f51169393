"""Parts of data sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_core.data.adapt import adapt
from cnn_core.data.dataset import InputSpec
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
