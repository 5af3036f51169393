"""Features of all columns at once, against those of one column after the other in NumPy."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sklearn")

import cnn_core.sklearn.tabular.table_features as table_features
from cnn_core.foundation.arrays import Array
from cnn_core.sklearn.tabular.blend import JoinedPreprocessor
from cnn_core.sklearn.tabular.columns import columns_of
from cnn_core.sklearn.tabular.encoders import TablePreprocessor
from cnn_core.sklearn.tabular.table_features import TableFeatures


def by_columns(part: TablePreprocessor, table: Any) -> Array:
    """What each encoder makes of its column, scaled as the formula of `TablePreprocessor` says."""
    out = np.zeros((len(table), part.n_features))
    for column, (encoder, centers, factors), places in zip(
        columns_of(table, part.kinds), part.fitted(), part.places, strict=True
    ):
        if encoder is None:
            continue
        kept = np.flatnonzero(factors)
        block = np.asarray(encoder.encode(encoder.read(column).values), np.float64)[:, kept]
        z = (block - centers[kept]) * factors[kept]
        bent = np.where(np.isnan(z), 0, z / np.sqrt(1 + (z / 3) ** 2))
        out[:, places] = block if encoder.kind == "code" else bent
    return out


def mixed(n: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    table = np.empty((n, 6), object)
    table[:, 0] = generator.normal(size=n)
    table[:, 1] = generator.choice(["a", "b", "c"], n)
    table[:, 2] = np.where(generator.random(n) < 0.2, np.nan, generator.lognormal(size=n))
    table[:, 3] = [
        np.datetime64("2024-01-01") + np.timedelta64(int(each), "h") for each in generator.integers(9999, size=n)
    ]
    table[:, 4] = [f"street {each}" for each in generator.integers(20, size=n)]
    table[:, 5] = 7.0
    return table


@pytest.mark.parametrize("n_bins", [0, 5])
@pytest.mark.parametrize("most_one_hot", [None, 4])
@pytest.mark.parametrize("n", [1, 3, 500])
def test_all_columns_at_once_are_one_after_the_other(n: int, most_one_hot: int | None, n_bins: int) -> None:
    fitted = TablePreprocessor(n_bins=n_bins, most_one_hot=most_one_hot).fit(mixed(300))
    table = mixed(n)
    table[0, 1], table[0, 4], table[0, 0] = "never seen", None, None
    np.testing.assert_allclose(fitted.transform(table), by_columns(fitted, table), rtol=1e-6, atol=1e-7)


def test_joined_preprocessors_stand_side_by_side() -> None:
    parts = [TablePreprocessor(n_bins=n, most_one_hot=most).fit(mixed(300)) for n, most in ((5, 4), (0, 4), (5, None))]
    table = mixed(40)
    expected = np.concatenate([by_columns(part, table) for part in parts], axis=1)
    np.testing.assert_allclose(JoinedPreprocessor(parts).transform(table), expected, rtol=1e-6, atol=1e-7)


def test_rows_are_chosen_and_made_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted, table = TablePreprocessor(n_bins=4, most_one_hot=4).fit(mixed(300)), mixed(50)
    whole = fitted.transform(table)
    monkeypatch.setattr(table_features, "_CHUNK", 7)
    np.testing.assert_array_equal(fitted.transform(table), whole)
    rows = np.array([3, 3, 40, 0])
    np.testing.assert_array_equal(fitted.transform(table, rows), whole[rows])
    assert fitted.transform(table[:0]).shape == (0, fitted.n_features)


def unaligned(array: Array) -> Array:
    """A copy that begins at an odd byte, as what is read from a file or another process may."""
    return np.frombuffer(b" " + array.tobytes(), array.dtype, offset=1).reshape(array.shape)


def test_arrays_may_begin_at_any_byte() -> None:
    numbers = np.random.default_rng(0).normal(size=(50, 2))
    fitted = TablePreprocessor(n_bins=4).fit(numbers)
    expected = fitted.transform_numbers(numbers)
    again: TablePreprocessor = pickle.loads(pickle.dumps(fitted))
    for encoder, *_ in again.fitted():
        encoder.edges = unaligned(encoder.edges)
    np.testing.assert_array_equal(again.transform_numbers(unaligned(numbers)), expected)
    np.testing.assert_array_equal(again.transform(unaligned(numbers)), expected)


def test_answers_are_the_same_slice_by_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = JoinedPreprocessor(
        [TablePreprocessor(n_bins=4, most_one_hot=4).fit(mixed(300)), TablePreprocessor().fit(mixed(300))]
    )
    table = mixed(50)
    columns, whole, seen = columns_of(table, fitted.kinds), fitted.transform(table), []

    def answer(x: Array) -> Array:
        seen.append(len(x))
        return x.sum(axis=1)

    np.testing.assert_array_equal(fitted.answers(columns, answer), whole.sum(axis=1))
    monkeypatch.setattr(table_features, "_CACHED_BYTES", 0)
    monkeypatch.setattr(table_features, "_FEWEST_ROWS", 20)
    np.testing.assert_array_equal(fitted.answers(columns, answer), whole.sum(axis=1))
    assert seen == [50, 20, 20, 10]
    assert fitted.answers([column.take(slice(0)) for column in columns], answer).shape == (0,)


FINITE = st.floats(-1e9, 1e9)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(FINITE, min_size=3, max_size=40),
    st.lists(FINITE | st.just(np.nan), min_size=1, max_size=20),
    st.booleans(),
)
def test_any_number_lies_in_its_piece(known: list[float], numbers: list[float], has_gaps: bool) -> None:
    training = np.array([*known, *([np.nan] if has_gaps else [])])[:, None]
    table = np.array([*numbers, *known, *np.nextafter(known, np.inf)])[:, None]
    with np.errstate(over="ignore", invalid="ignore"):  # of pieces shorter than the least normal number
        fitted = TablePreprocessor(n_bins=6).fit(training)
        np.testing.assert_allclose(fitted.transform_numbers(table), by_columns(fitted, table), rtol=1e-6, atol=1e-7)


def test_constant_pieces_are_left_out() -> None:
    """Of three values two thirds are the largest: the first piece is 1 in most rows."""
    numbers = np.repeat([0.0, 1.0, 2.0], [1, 1, 8])[:, None]
    fitted = TablePreprocessor(n_bins=3).fit(numbers)
    table = np.array([[-1.0], [0.0], [0.25], [1.0], [1.5], [2.0], [3.0], [np.nan]])
    np.testing.assert_allclose(fitted.transform(table), by_columns(fitted, table), rtol=1e-6, atol=1e-7)


def test_pickles_leave_native_memory_behind() -> None:
    joined, table = JoinedPreprocessor([TablePreprocessor(n_bins=3).fit(mixed(50))]), mixed(9)
    before = joined.transform(table)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(joined)).transform(table), before)
    with pytest.raises(TypeError, match="memory of this process"):
        pickle.dumps(TableFeatures(joined.parts))
