"""Tests of what native code takes as it stands: arrays read in place, and labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cnn_core._core as _core

ROWS = np.arange(12.0).reshape(4, 3)
FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


class Subclass(np.ndarray[Any, Any]):
    pass


def with_value(value: float) -> np.ndarray:
    rows = ROWS.copy()
    rows[-1, -1] = value
    return rows


@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64])
def test_plain_rows_are_read_in_place(dtype: np.dtype) -> None:
    rows = ROWS.astype(dtype)
    read_only = rows.copy()
    read_only.flags.writeable = False
    assert all(_core.reads_in_place(each, dtype, 3) for each in (rows, rows[1:3], rows[:1], read_only))


@pytest.mark.parametrize(
    "x",
    [
        ROWS.astype("float32"),
        ROWS.astype(">f8"),
        np.asfortranarray(ROWS),
        ROWS[:, ::2],
        ROWS[:, :2],
        ROWS[:0],
        ROWS[0],
        ROWS.reshape(2, 2, 3),
        ROWS.view(Subclass),
        np.ma.masked_array(ROWS, ROWS > 100),
        np.frombuffer(b"x" + ROWS.tobytes(), np.float64, 12, 1).reshape(4, 3),
        with_value(np.nan),
        with_value(np.inf),
        with_value(-np.inf),
        ROWS.tolist(),
        None,
    ],
)
def test_nothing_else_is(x: Any) -> None:
    assert _core.reads_in_place(x, FLOAT64, 3) is False


def test_rows_are_read_as_real_numbers_only() -> None:
    with pytest.raises(TypeError, match="expected float32 or float64"):
        _core.reads_in_place(ROWS.astype(int), np.dtype(int), 3)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("size", [1, 7, 16, 33])
def test_labels_come_as_a_new_vector(size: int, dtype: str) -> None:
    labels = (np.arange(size) % 5).astype(dtype)
    for given in (labels, labels[:, None]):
        read = _core.labels_as_they_are(given, 5)
        assert read is not None
        assert read.dtype == np.int32
        np.testing.assert_array_equal(read, labels)
        assert not np.shares_memory(read, labels)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("bad", [-1, 5, 2**31 - 1, -(2**31)])
def test_a_label_out_of_range_is_found_wherever_it_stands(bad: int, dtype: str) -> None:
    for place in range(20):
        labels = np.zeros(20, dtype)
        labels[place] = bad
        assert _core.labels_as_they_are(labels, 5) is None, place


@pytest.mark.parametrize("bad", [2**32, 2**32 + 1, -(2**63), 2**63 - 1])
def test_labels_of_64_bits_are_not_cut_to_32(bad: int) -> None:
    assert _core.labels_as_they_are(np.array([0, bad]), 5) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda y: y.astype(float),
        lambda y: y.astype("uint8"),
        lambda y: y.astype(">i8"),
        lambda y: y[::2],
        lambda y: y.reshape(2, 5),
        lambda y: y[:0],
        lambda y: y[0],
        lambda y: y.view(Subclass),
        lambda y: y.tolist(),
    ],
)
def test_labels_of_another_kind_are_left_to_python(change: Callable[[np.ndarray], Any]) -> None:
    assert _core.labels_as_they_are(change(np.zeros(10, "int64")), 5) is None
