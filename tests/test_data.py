"""Arrays, frames, sparse matrices, memory maps and generators on their way into the loop over batches."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_core.data as data
from cnn_core.data import Batches, InputSpec, LazyRows, PyDataset, SparseRows, TargetSpec, adapt

X = np.arange(20, dtype=np.float32).reshape(10, 2)
Y = np.arange(10) % 3
ONE = [InputSpec("x", (2,))]
VALUES = [TargetSpec("y", (1,))]
LABELS = [TargetSpec("y", (3,), "labels")]
ONE_HOT = [TargetSpec("y", (3,), "one_hot")]

# Inputs and targets


def test_arrays_that_fit_are_used_in_place():
    y = Y.astype(np.float32)
    result = adapt(X, y, np.ones(10, np.float32), input_specs=ONE, target_specs=VALUES)
    assert result.inputs[0] is X
    assert np.shares_memory(result.targets[0], y)
    assert result.targets[0].shape == (10, 1)
    assert (len(result), result.n, result.in_memory) == (10, 10, True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_everything_has_the_models_dtype(dtype):
    result = adapt(X, Y, np.ones(10), input_specs=ONE, target_specs=VALUES, dtype=dtype)
    assert {each.dtype for each in (*result.inputs, *result.targets, *result.weights)} == {np.dtype(dtype)}


def test_labels_and_indices_are_int32():
    specs = [InputSpec("x", (2,), "int", limit=20)]
    result = adapt(X, Y.astype(float), input_specs=specs, target_specs=LABELS)
    assert result.inputs[0].dtype == result.targets[0].dtype == np.int32
    assert result.targets[0].shape == (10,)
    np.testing.assert_array_equal(result.inputs[0], X)
    with pytest.raises(ValueError, match=r"^x has index 18 at row 9, column 0; indices must be 0\.\.17"):
        adapt(X, input_specs=[InputSpec("x", (2,), "int", limit=18)])
    with pytest.raises(ValueError, match=r"^x has 2 features; the model expects 3"):
        adapt(X, input_specs=[InputSpec("x", (3,), "int")])


def test_samples_of_several_dimensions_become_rows():
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    result = adapt(x, x, input_specs=[InputSpec("x", (3, 4))], target_specs=[TargetSpec("y", (3, 4))])
    assert result.inputs[0].shape == result.targets[0].shape == (2, 12)
    np.testing.assert_array_equal(result.inputs[0].reshape(-1), np.arange(24))


@pytest.mark.parametrize("structure", [list, tuple, lambda pair: {"b": pair[1], "a": pair[0]}])
def test_several_inputs_and_targets_in_order_or_by_name(structure):
    specs = [InputSpec("a", (2,)), InputSpec("b", (1,))]
    targets = [TargetSpec("a", (1,)), TargetSpec("b", (3,), "labels")]
    result = adapt(structure([X, Y]), structure([Y, Y]), input_specs=specs, target_specs=targets)
    assert [each.shape for each in result.inputs] == [(10, 2), (10, 1)]
    assert [each.shape for each in result.targets] == [(10, 1), (10,)]


@pytest.mark.parametrize("wrap", [lambda each: [each], lambda each: (each,), lambda each: {"x": each, "y": each}])
def test_one_array_may_be_wrapped(wrap):
    x, y = (wrap(X), wrap(Y)) if not isinstance(wrap(X), dict) else ({"x": X}, {"y": Y})
    for specs in (VALUES, LABELS):
        result = adapt(x, y, [np.ones(10)], input_specs=ONE, target_specs=specs)
        np.testing.assert_array_equal(result.inputs[0], X)
        np.testing.assert_array_equal(result.targets[0].reshape(-1), Y)


def test_a_list_of_one_sample_is_no_wrapping():
    assert adapt([np.array([1.0, 2.0])], input_specs=ONE).inputs[0].shape == (1, 2)
    assert adapt([[1.0, 2.0]], input_specs=ONE).inputs[0].shape == (1, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": X[:, :1]}, "x has 1 feature; the model expects 2. Received: x.shape=(10, 1)"),
        ({"y": Y[:9]}, "x and y must have the same number of rows. Received: x.shape=(10, 2), y.shape=(9, 1)"),
        (
            {"sample_weight": np.ones(9)},
            "x, y and sample_weight must have the same number of rows. Received: x.shape=(10, 2)",
        ),
        ({"y": None}, "y must be given: the model's loss compares its output with it. Received: y=None"),
        ({"y": np.ones((10, 2))}, "y must have the shape of the model's output, (n, 1). Received: y.shape=(10, 2)"),
        ({"x": {"a": X}}, "x must have the keys 'x'. Received: keys 'a'"),
        ({"sample_weight": {"z": np.ones(10)}}, "sample_weight has a key that is no output. Received: key 'z'"),
        (
            {"sample_weight": np.ones((10, 2))},
            "sample_weight must have the shape (n,) or (n, 1). Received: sample_weight.shape=(10, 2)",
        ),
    ],
)
def test_what_does_not_fit_is_worded(arguments, message):
    with pytest.raises(ValueError, match="Received") as caught:
        adapt(**{"x": X, "y": Y, **arguments}, input_specs=ONE, target_specs=VALUES)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (X, "x must be a list of 2 arrays or a dict with the keys 'a', 'b'. Received: x of type ndarray"),
        ([X], "x must be a list of 2 arrays or a dict with the keys 'a', 'b'. Received: 1 arrays"),
        ({"a": X, "b": X, "c": X}, "x must have the keys 'a', 'b'. Received: keys 'a', 'b', 'c'"),
        ([X, X[:, :1]], "x[1] has 1 feature; the model expects 2. Received: x[1].shape=(10, 1)"),
        ({"a": X, "b": X[:3]}, "x['a'] and x['b'] must have the same number of rows."),
    ],
)
def test_structures_that_do_not_fit_are_worded(x, message):
    with pytest.raises(ValueError, match="Received") as caught:
        adapt(x, input_specs=[InputSpec("a", (2,)), InputSpec("b", (2,))])
    assert str(caught.value).startswith(message)


def test_labels_where_probabilities_are_expected():
    for y in (Y, Y[:, None]):
        with pytest.raises(ValueError, match=r"^y has one label per row; .* or utils\.to_categorical\(y, 3\)"):
            adapt(X, y, input_specs=ONE, target_specs=ONE_HOT)
    np.testing.assert_array_equal(
        adapt(X, np.eye(3)[Y], input_specs=ONE, target_specs=ONE_HOT).targets[0], np.eye(3)[Y]
    )


def test_a_custom_loss_takes_any_width():
    assert adapt(X, np.ones((10, 5)), input_specs=ONE, target_specs=[TargetSpec("y", None)]).targets[0].shape == (10, 5)


def test_feature_shape_of_what_is_not_read_yet():
    assert data.feature_shape([X]) == (2,)
    assert data.feature_shape(np.zeros((3, 4, 5))) == (4, 5)
    assert data.feature_shape(pytest.importorskip("scipy.sparse").csr_matrix(X)) == (2,)


def test_columns_of_a_frame_keep_their_order_and_name_errors():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"z": X[:, 0], "a": X[:, 1]})
    np.testing.assert_array_equal(adapt(frame, input_specs=ONE).inputs[0], X)
    frame.loc[4, "a"] = np.nan
    with pytest.raises(ValueError, match="the first is nan at row 4, column 'a'"):
        adapt(frame, input_specs=ONE)


# Weights


def test_weights_as_column_or_vector():
    weight = np.linspace(0, 1, 10)
    for given_weight in (weight, weight[:, None], list(weight), [weight]):
        result = adapt(X, Y, given_weight, input_specs=ONE, target_specs=VALUES).weights[0]
        np.testing.assert_array_equal(result, weight.astype(np.float32))
        assert result.flags.c_contiguous


def test_weights_in_two_dimensions_for_an_output_of_two():
    specs = [TargetSpec("y", (4, 3))]
    y, weight = np.zeros((10, 4, 3)), np.arange(40.0).reshape(10, 4)
    np.testing.assert_array_equal(adapt(X, y, weight, input_specs=ONE, target_specs=specs).weights[0], weight)
    with pytest.raises(ValueError, match=r"sample_weight must have the shape \(n,\) or \(n, 1\) or \(n, 4\)"):
        adapt(X, y, weight[:, :3], input_specs=ONE, target_specs=specs)


def test_weights_of_several_targets():
    targets = [TargetSpec("a", (1,)), TargetSpec("b", (1,))]
    ones, twos = np.ones(10), np.full(10, 2.0)
    read = functools.partial(adapt, X, [Y, Y], input_specs=ONE, target_specs=targets)
    for weight, expected in (
        (None, [None, None]),
        (twos, [2, 2]),
        ([twos], [2, 2]),
        ([ones, twos], [1, 2]),
        ([None, twos], [None, 2]),
        ({"b": twos}, [None, 2]),
    ):
        result = [None if each is None else each[0] for each in read(sample_weight=weight).weights]
        assert result == expected


@pytest.mark.parametrize(
    ("y", "specs"),
    [
        (Y, LABELS),
        (np.eye(3)[Y], ONE_HOT),
        (Y, VALUES),
        (Y + 0.25, VALUES),
        (Y[:, None], VALUES),
    ],
)
def test_class_weights_by_whatever_states_the_class(y, specs):
    expected = np.where(Y == 0, 5.0, np.where(Y == 2, 0.5, 1.0))
    result = adapt(X, y, None, {0: 5, 2: 0.5}, input_specs=ONE, target_specs=specs)
    np.testing.assert_array_equal(result.weights[0], expected)
    weight = np.linspace(1, 2, 10)
    result = adapt(X, y, weight, {0: 5, 2: 0.5}, input_specs=ONE, target_specs=specs, dtype="float64")
    np.testing.assert_allclose(result.weights[0], expected * weight, rtol=1e-15)


def test_class_weights_have_the_models_dtype_even_beside_labels_and_indices():
    specs = [InputSpec("x", (2,), "int")]
    for dtype in ("float32", "float64"):
        result = adapt(X, Y, None, {1: 2}, input_specs=specs, target_specs=LABELS, dtype=dtype)
        assert result.weights[0].dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    ("class_weight", "error", "message"),
    [
        ([1, 2], TypeError, "`class_weight` must be a dict from class indices"),
        ({"a": 1}, ValueError, "Received: key 'a'"),
        ({0: np.nan}, ValueError, "`class_weight[0]` must be a finite number"),
        ({0: "1"}, TypeError, "`class_weight[0]` must be a finite number"),
    ],
)
def test_class_weights_that_are_none(class_weight, error, message):
    with pytest.raises(error) as caught:
        adapt(X, Y, None, class_weight, input_specs=ONE, target_specs=LABELS)
    assert message in str(caught.value)


def test_class_weights_need_one_output():
    with pytest.raises(ValueError, match="`class_weight` can be used with one output only"):
        adapt(X, [Y, Y], None, {0: 1}, input_specs=ONE, target_specs=[*VALUES, TargetSpec("z", (1,))])


# Parts of data sets


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


# Memory maps


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


# Generators and data sets by number


def batch(i: int) -> tuple:
    return np.full((4, 2), i, np.float32), np.full(4, i % 3)


def numbers(triples) -> list[int]:
    """Say which batches came, by their content."""
    return [int(x[0, 0]) for x, _, _ in triples]


class Numbered(PyDataset):
    """Ten batches that know their number; `log` notes the hooks."""

    def __init__(self, n=10, **options):
        super().__init__(**options)
        self.n = n
        self.log = []

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        return batch(index)

    def on_epoch_begin(self):
        self.log.append("begin")

    def on_epoch_end(self):
        self.log.append("end")


class Loader:
    """An iterable that can be walked again, with or without a length."""

    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return (batch(i) for i in range(self.n))


class SizedLoader(Loader):
    def __len__(self):
        return self.n


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        ((batch(i) for i in range(3)), True),
        (iter([batch(0)]), True),
        (Numbered(), True),
        (Loader(3), True),
        (X, False),
        ([X, X], False),
        ((X, X), False),
        ({"a": X}, False),
        (range(3), False),
        (memoryview(X), False),
        (None, False),
        ("abc", False),
    ],
)
def test_is_batches(x, expected):
    assert data.is_batches(x) is expected


def test_frames_sparse_and_tensors_are_no_batches():
    assert not data.is_batches(pytest.importorskip("pandas").DataFrame(X))
    assert not data.is_batches(pytest.importorskip("polars").DataFrame(X))
    assert not data.is_batches(pytest.importorskip("scipy.sparse").csr_matrix(X))


def test_unpack_every_form_of_batch():
    assert data.unpack(X) == (X, None, None)
    assert data.unpack((X,)) == (X, None, None)
    assert data.unpack([X, Y]) == (X, Y, None)
    assert data.unpack((X, Y, None)) == (X, Y, None)
    with pytest.raises(ValueError, match=r"A batch must be \(x,\), .* Received: a tuple of 4"):
        data.unpack((X, Y, None, None))


def test_a_batch_is_adapted_and_its_number_reported():
    adapter = functools.partial(adapt, input_specs=ONE, target_specs=LABELS)
    batches = Batches(iter([batch(0), batch(1), (X[:, :1], Y)]))
    epoch = batches.epoch(adapter)
    assert [next(epoch).n, next(epoch).n] == [4, 4]
    with pytest.raises(ValueError, match=r"^Batch 2: x has 1 feature; the model expects 2"):
        next(epoch)


def test_a_pass_over_each_kind_of_source():
    for source, length in (
        (iter([batch(i) for i in range(10)]), None),
        (Loader(10), None),
        (SizedLoader(10), 10),
        (Numbered(), 10),
        (Numbered(workers=3, max_queue_size=2), 10),
    ):
        batches = Batches(source)
        assert batches.num_batches == length
        assert numbers(batches.triples()) == list(range(10))
        if not batches.exhausted:
            assert numbers(batches.triples()) == list(range(10))


def test_a_generator_goes_on_where_the_epoch_ended():
    batches = Batches(batch(i) for i in range(6))
    assert numbers(batches.triples(steps=3)) == [0, 1, 2]
    assert numbers(batches.triples(steps=3)) == [3, 4, 5]
    assert not batches.exhausted
    with pytest.warns(UserWarning, match="x ran out of batches after 0 of this epoch"):
        assert numbers(batches.triples(steps=3)) == []
    assert batches.exhausted


def test_running_out_within_an_epoch_warns():
    batches = Batches(batch(i) for i in range(4))
    with pytest.warns(UserWarning, match="x ran out of batches after 4 of this epoch"):
        assert numbers(batches.triples(steps=5)) == [0, 1, 2, 3]
    assert batches.exhausted


@pytest.mark.parametrize("source", [SizedLoader(4), Numbered(4)])
def test_what_can_be_walked_again_starts_anew_after_a_whole_pass(source):
    batches = Batches(source)
    assert [numbers(batches.triples(steps=2)) for _ in range(3)] == [[0, 1], [2, 3], [0, 1]]
    assert numbers(batches.triples()) == [0, 1, 2, 3]  # an epoch without steps is a whole pass
    with pytest.warns(UserWarning, match="ran out of batches after 4"):
        assert numbers(batches.triples(steps=5)) == [0, 1, 2, 3]
    assert not batches.exhausted
    assert numbers(batches.triples(steps=2)) == [0, 1]


def test_an_endless_source_needs_steps():
    class Endless(Numbered):
        num_batches = None

    batches = Batches(Endless(workers=2))
    with pytest.raises(ValueError, match="`steps_per_epoch` must be given for an endless PyDataset"):
        next(batches.triples())
    assert [numbers(batches.triples(steps=7)), numbers(batches.triples(steps=2))] == [list(range(7)), [7, 8]]
    batches.close()


def test_a_source_without_batches_is_an_error():
    for source in (iter([]), Loader(0)):
        with pytest.raises(ValueError, match="x must yield at least one batch"):
            list(Batches(source).triples())
        with pytest.raises(ValueError, match="x must yield at least one batch"):
            Batches(source).peek()
    with pytest.raises(ValueError, match="`num_batches` must be a positive integer"):
        Batches(Numbered(0))


@pytest.mark.parametrize("source", [lambda: iter([batch(0), batch(1)]), lambda: Loader(2), lambda: Numbered(2)])
def test_peeking_loses_no_batch(source):
    batches = Batches(source())
    assert numbers([batches.peek(), batches.peek()]) == [0, 0]
    assert numbers(batches.triples()) == [0, 1]


def test_shuffling_is_of_whole_batches_and_repeatable():
    orders = [
        [numbers(batches.triples(shuffle=chance)) for _ in range(2)]
        for batches, chance in (
            (Batches(Numbered()), np.random.default_rng(3)),
            (Batches(Numbered(workers=4)), np.random.default_rng(3)),
        )
    ]
    assert orders[0] == orders[1]
    assert sorted(orders[0][0]) == list(range(10))
    assert orders[0][0] != orders[0][1]


def test_hooks_are_called_around_epochs():
    source = Numbered(2)
    batches = Batches(source)
    for _ in range(2):
        list(batches.triples())
    assert source.log == ["begin", "end"] * 2


def test_workers_keep_order_and_the_queue_its_bound():
    started, others = [], threading.Event()

    class Slow(Numbered):
        def __getitem__(self, index):
            started.append(index)
            if index == 3:
                others.set()
            if index == 0:
                assert others.wait(60)  # the first batch is ready last
            return batch(index)

    walk = Batches(Slow(workers=4, max_queue_size=5)).triples()
    assert numbers([next(walk)]) == [0]
    assert max(started) <= 5
    assert numbers(walk) == list(range(1, 10))


def test_processes_may_prepare_batches(tmp_path):
    # A program of its own: worker processes may have to import the class from it.
    program = tmp_path / "program.py"
    program.write_text("""
import numpy as np
from cnn_core.data import Batches, PyDataset

class Squares(PyDataset):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        return np.full(2, index), np.full(2, index**2)

if __name__ == "__main__":
    batches = Batches(Squares(workers=2, use_multiprocessing=True, max_queue_size=2))
    print([int(y[0]) for x, y, weight in batches.triples()])
""")
    root = str(Path(data.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root}
    result = subprocess.run([sys.executable, program], check=True, capture_output=True, text=True, env=environment)
    assert result.stdout == "[0, 1, 4, 9]\n"


class TroubleError(Exception):
    """Of a kind that only the source knows."""


@pytest.mark.parametrize("workers", [1, 3])
def test_what_the_source_raises_passes_unchanged(workers):
    trouble = TroubleError("of the user's own")

    class Failing(Numbered):
        def __getitem__(self, index):
            if index == 2:
                raise trouble
            return batch(index)

    seen = []
    with pytest.raises(TroubleError) as caught:
        seen.extend(Batches(Failing(workers=workers)).triples())
    assert caught.value is trouble


def test_what_a_generator_raises_passes_unchanged():
    def failing():
        yield batch(0)
        raise TroubleError("of the user's own")

    walk = Batches(failing()).triples()
    next(walk)
    with pytest.raises(TroubleError, match=r"^of the user's own$"):
        next(walk)


def test_workers_stop_when_the_batches_are_closed():
    def workers() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name.startswith("cnn_core-batches")]

    # Threads of other tests may end meanwhile: only those of this name count.
    before = set(workers())
    batches = Batches(Numbered(workers=3))
    next(batches.triples())
    started = set(workers()) - before
    assert started
    batches.close()
    for thread in started:
        thread.join(10)
    assert not any(thread.is_alive() for thread in started)


def test_a_data_set_is_walked_once_and_is_no_array():
    source = Numbered(3)
    assert [int(x[0, 0]) for x, *_ in source] == [0, 1, 2]
    for read in (np.asarray, np.shape, lambda x: data.validation.as_array(x, "x")):
        with pytest.raises(TypeError, match="`fit`, `evaluate` and `predict`"):
            read(source)


def test_what_has_only_items_is_read_by_its_length():
    class Items:
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return [float(index), 1.0]

    np.testing.assert_array_equal(data.validation.as_array(Items(), "x"), [[0, 1], [1, 1], [2, 1]])


def test_a_subclass_may_forget_its_base():
    class Forgetful(PyDataset):
        def __init__(self):
            pass

        def __len__(self):
            return 2

        def __getitem__(self, index):
            return batch(index)

    assert numbers(Batches(Forgetful()).triples()) == [0, 1]


def test_a_subclass_without_its_methods_is_told():
    class Empty(PyDataset):
        pass

    with pytest.raises(NotImplementedError, match=r"^Empty must define __len__\(\) or the property num_batches"):
        Batches(Empty())
    with pytest.raises(NotImplementedError, match=r"^Empty must define __getitem__"):
        Empty()[0]
    with pytest.raises(ValueError, match="`max_queue_size` must be a positive integer"):
        Empty(max_queue_size=0)


def test_a_data_set_of_another_library_is_recognised():
    class Foreign:
        workers, use_multiprocessing, max_queue_size, num_batches = 2, False, 3, 4

        def __getitem__(self, index):
            return batch(index)

    assert data.is_batches(Foreign())
    assert numbers(Batches(Foreign()).triples()) == [0, 1, 2, 3]
