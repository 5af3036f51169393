"""Memory maps and sparse matrices on their way into the loop over batches."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_core.data.adapt import adapt
from cnn_core.data.dataset import InputSpec, TargetSpec
from cnn_core.data.rows import LazyRows, SparseRows


@pytest.fixture
def mapped(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(200_000, dtype=np.float64).reshape(20_000, 10))
    return np.load(tmp_path / "x.npy", mmap_mode="r")


def test_only_what_is_asked_for_is_converted(mapped):
    tracemalloc.start()
    try:
        whole = adapt(mapped, mapped, input_specs=[InputSpec("x", (10,))], target_specs=[TargetSpec("y", (10,))])
        batch = whole.take(np.array([19_999, 0]))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000
    assert isinstance(whole.inputs[0], LazyRows)
    assert not whole.in_memory
    assert batch.in_memory
    for rows in (batch.inputs[0], batch.targets[0]):
        assert rows.dtype == np.float32
        np.testing.assert_array_equal(rows, mapped[[19_999, 0]])


def test_lazy_rows_of_a_split_are_the_right_ones(mapped):
    _, last = adapt(mapped, input_specs=[InputSpec("x", (10,))]).split(0.25)
    assert last.inputs[0].shape == (5_000, 10)
    np.testing.assert_array_equal(last.take(slice(0, 2)).inputs[0], mapped[15_000:15_002])


def test_lazy_rows_are_checked_when_they_are_read():
    x = np.ones((10, 2))
    x[7, 1] = np.nan
    lazy = LazyRows(x, np.float32).slice(4, 10)
    assert lazy.rows(slice(0, 3)).shape == (3, 2)
    with pytest.raises(ValueError, match=r"^x has 1 value .* at row 1, column 1.* of which row 0 is row 6 of x$"):
        lazy.rows(np.array([2, 3]))


def test_class_weights_of_a_lazy_target(mapped):
    specs = [TargetSpec("y", (10,), "one_hot")]
    result = adapt(mapped, mapped, None, {9: 3.0}, input_specs=[InputSpec("x", (10,))], target_specs=specs)
    assert set(result.weights[0]) == {3.0}  # the last column is the largest of each row


# Sparse


@pytest.fixture
def sparse():
    return pytest.importorskip("scipy.sparse")


SPARSE_INPUT = [InputSpec("x", (7,), sparse=True)]


@pytest.mark.parametrize("layout", ["csr", "csc", "coo", "lil", "dok", "bsr"])
def test_sparse_of_every_layout(sparse, layout):
    dense = np.zeros((9, 7))
    dense[[0, 0, 3, 8], [1, 6, 0, 6]] = [1.5, 2, 3, 4]
    for kind in (sparse.csr_matrix, sparse.csr_array):
        rows = adapt(kind(dense).asformat(layout), input_specs=SPARSE_INPUT).inputs[0]
        assert isinstance(rows, SparseRows)
        assert (rows.data.dtype, rows.indices.dtype, rows.indptr.dtype) == (np.float32, np.int32, np.int64)
        np.testing.assert_array_equal(rows.dense(), dense)


@given(st.data(), st.integers(1, 8), st.integers(1, 6))
def test_rows_of_sparse_are_rows_of_dense(draw, n, width):
    sparse = pytest.importorskip("scipy.sparse")
    dense = np.array(
        draw.draw(
            st.lists(
                st.lists(st.sampled_from([0.0, 0.0, 1.0, 2.0]), min_size=width, max_size=width), min_size=n, max_size=n
            )
        )
    )
    rows = SparseRows.read(sparse.csr_array(dense), "x", "float64")
    indices = np.array(draw.draw(st.lists(st.integers(0, n - 1), max_size=10)), int)
    start, stop = sorted((draw.draw(st.integers(0, n)), draw.draw(st.integers(0, n))))
    np.testing.assert_array_equal(rows.rows(indices).dense(), dense[indices])
    np.testing.assert_array_equal(rows.rows(slice(start, stop)).dense(), dense[start:stop])
    np.testing.assert_array_equal(rows.rows(slice(start, stop, 2)).dense(), dense[start:stop:2])
    inner = rows.slice(start, stop)
    chosen = indices[indices < len(inner)]
    np.testing.assert_array_equal(inner.rows(chosen).dense(), dense[start:stop][chosen])


def test_sparse_that_fits_is_not_copied(sparse):
    x = sparse.csr_matrix(np.eye(7, dtype=np.float32))
    rows = adapt(x, input_specs=SPARSE_INPUT).inputs[0]
    assert np.shares_memory(rows.data, x.data)
    assert np.shares_memory(rows.slice(2, 4).data, x.data)


def test_duplicates_in_sparse_add_up(sparse):
    x = sparse.csr_matrix((np.array([1.0, 2.0]), np.array([3, 3]), np.array([0, 2])), shape=(1, 7))
    assert adapt(x, input_specs=SPARSE_INPUT).inputs[0].dense()[0, 3] == 3


def broken(sparse, **parts):
    x = sparse.csr_matrix(np.eye(7))
    for name, value in parts.items():
        setattr(x, name, np.array(value))
    return x


@pytest.mark.parametrize(
    "parts",
    [
        {"indices": [0, 1, 2, 3, 4, 5, 7]},
        {"indices": [-1, 1, 2, 3, 4, 5, 6]},
        {"indptr": [0, 1, 2, 3, 4, 5, 6, 8]},
        {"indptr": [0, 2, 1, 3, 4, 5, 6, 7]},
        {"indptr": [1, 1, 2, 3, 4, 5, 6, 7]},
        {"indptr": [0, 7]},
        {"data": [1.0]},
    ],
)
def test_inconsistent_sparse_never_reaches_native_code(sparse, parts):
    with pytest.raises(ValueError, match=r"^x is an inconsistent sparse matrix"):
        adapt(broken(sparse, **parts), input_specs=SPARSE_INPUT)


def test_sparse_that_does_not_fit(sparse):
    with pytest.raises(ValueError, match=r"^x has 6 features; the model expects 7\. Received: x\.shape=\(7, 6\)"):
        adapt(sparse.csr_matrix(np.ones((7, 6))), input_specs=SPARSE_INPUT)
    with pytest.raises(ValueError, match=r"^x\.data has 7 values that are NaN"):
        adapt(sparse.csr_matrix(np.eye(7)) * np.inf, input_specs=SPARSE_INPUT)
    with pytest.raises(TypeError, match=r"^x\.data must hold numbers, but has complex numbers"):
        adapt(sparse.csr_matrix(np.eye(7) * 1j), input_specs=SPARSE_INPUT)
    with pytest.raises(ValueError, match=r"^x must be a matrix with rows and columns"):
        adapt(sparse.csr_matrix((0, 7)), input_specs=SPARSE_INPUT)


def test_rows_of_a_source_of_one_axis_have_none_either() -> None:
    lazy = LazyRows(np.arange(4), np.float32)
    assert lazy.rows(np.array([3, 1])).tolist() == [3, 1]
    assert lazy.slice(1, 3).rows(slice(None)).tolist() == [1, 2]
