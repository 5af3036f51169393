"""Inputs, targets and weights of every form, checked and laid out."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from cnn_core.data.adapt import Reader, adapt, feature_shape
from cnn_core.data.dataset import InputSpec, Meaning, TargetSpec
from cnn_core.data.form import Form
from cnn_core.data.rows import DensifiedRows, SparseRows
from cnn_core.foundation.domains import BINARY
from data_cases import LABELS, ONE, ONE_HOT, VALUES, X, Y


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
        ({"a": X, "c": X}, "x must have the keys 'a', 'b'. Received: keys 'a', 'c'"),
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
    assert feature_shape([X]) == (2,)
    assert feature_shape(np.zeros((3, 4, 5))) == (4, 5)
    assert feature_shape(pytest.importorskip("scipy.sparse").csr_matrix(X)) == (2,)


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


# A model's reader


def test_a_reader_knows_the_models_forms_and_what_is_compared():
    form = Form({"a": "a", "b": "b"})
    reader = Reader(ONE, [TargetSpec("b", (1,))], np.dtype("float32"), output_form=form)
    for y in ([X[:, :1], X[:, 1:]], {"a": X[:, :1], "b": X[:, 1:]}, X[:, 1:]):
        np.testing.assert_array_equal(reader.read(X, y).targets[0], X[:, 1:])


def test_a_reader_without_targets_leaves_y_alone():
    data = Reader(ONE, (), np.dtype("float32")).read(X, "anything")
    assert (data.inputs[0] is X, data.targets, data.weights) == (True, [], [])


@pytest.mark.parametrize("weight", [None, np.r_[np.ones(8), 0.0, 1.0]])
def test_targets_must_mean_something_where_they_count(weight):
    specs = [TargetSpec("y", (1,), meanings=(Meaning(BINARY, "the loss 'any'"),))]
    y = np.zeros(10)
    y[8] = 3
    reader = Reader(ONE, specs, np.dtype("float32"))
    if weight is None:
        with pytest.raises(ValueError, match=r"y must be 0 or 1 for the loss 'any'.* Received: 3.0 at row 8"):
            reader.read(X, y)
    else:
        assert reader.read(X, y, weight).n == 10
        y[9] = -2
        with pytest.raises(ValueError, match=r"-2\.0 at row 9"):
            reader.read(X, y, weight)


@pytest.mark.parametrize(("allowed", "kind"), [(True, SparseRows), (False, DensifiedRows)])
def test_sparse_rows_stay_where_native_code_takes_them(allowed, kind):
    sparse = pytest.importorskip("scipy.sparse").csr_matrix(X)
    specs = [InputSpec("x", (2,), sparse=True)]
    data = Reader(specs, (), np.dtype("float32"), takes_sparse=[allowed]).read(sparse)
    assert type(data.inputs[0]) is kind
