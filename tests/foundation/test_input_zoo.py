"""Every kind of thing that people pass as an array: either it is read right, or an error says why not."""

from __future__ import annotations

import array

import numpy as np
import pytest

import cnn_core.foundation.validation as validation
from cnn_core.data.adapt import adapt
from cnn_core.data.dataset import InputSpec, TargetSpec
from cnn_core.data.rows import LazyRows
from input_zoo import EXPECTED, READABLE


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", READABLE)
def test_readable(kind, dtype):
    spec = InputSpec("x", (2,))
    result = adapt(READABLE[kind](), input_specs=[spec], dtype=dtype).inputs[0]
    assert isinstance(result, np.ndarray)
    assert result.dtype == np.dtype(dtype)
    assert result.flags.c_contiguous
    assert result.flags.aligned
    np.testing.assert_array_equal(result, EXPECTED)


@pytest.mark.parametrize(
    "vector", [[1, 2, 3], (1.0, 2.0, 3.0), range(1, 4), array.array("h", [1, 2, 3]), np.array([1, 2, 3], "u1")]
)
def test_a_vector_is_one_feature_per_sample(vector):
    np.testing.assert_array_equal(validation.as_matrix(vector, "x"), [[1], [2], [3]])


def test_booleans_are_numbers():
    np.testing.assert_array_equal(validation.as_matrix([[True, False]], "x"), [[1, 0]])


RAGGED = np.empty(2, object)
RAGGED[:] = [[1, 2], [3]]
REFUSED = {
    "none": (None, TypeError, "x must be an array of numbers. Received: x of type NoneType"),
    "string": ("abc", TypeError, "x must be an array of numbers. Received: x of type str"),
    "bytes": (b"abc", TypeError, "x must be an array of numbers. Received: x of type bytes"),
    "set": ({1, 2}, TypeError, "x must be an array of numbers. Received: x of type set"),
    "object": (object(), TypeError, "x must be an array of numbers. Received: x of type object"),
    "0-d": (5, ValueError, "x must have at least one dimension"),
    "0-d array": (np.array(5.0), ValueError, "x must have at least one dimension"),
    "empty list": ([], ValueError, "x must not be empty, but has no rows"),
    "no rows": (np.zeros((0, 2)), ValueError, "x must not be empty, but has no rows"),
    "no features": (np.zeros((3, 0)), ValueError, "x must not be empty, but has no features"),
    "3-d": (np.zeros((3, 2, 1)), ValueError, "x has 3 dimensions; the model expects shape (n, 2)"),
    "ragged list": ([[1, 2], [3]], ValueError, "x must have rows of one length. Received: row 0 of length 2, row 1 of"),
    "ragged arrays": ([np.zeros(2), np.zeros(3)], ValueError, "x must have rows of one length"),
    "ragged and flat": ([1, [2, 3]], ValueError, "x must have rows of one length"),
    "list of objects": (RAGGED, TypeError, "x must hold numbers, but has an object of type list at row 0"),
    "strings": (np.array([["a", "b"]]), TypeError, "x must hold numbers, but has the text 'a' at row 0, column 0"),
    "bytes array": (
        np.array([[b"a", b"b"]]),
        TypeError,
        "x must hold numbers, but has the text b'a' at row 0, column 0",
    ),
    "numbers as text": (
        [["1", "2"]],
        TypeError,
        "x must hold numbers, but has the text '1' at row 0, column 0. Convert",
    ),
    "one text in a list": (
        [[1, 2], [3, "a"]],
        TypeError,
        "x must hold numbers, but has the text 'a' at row 1, column 1",
    ),
    "one text in objects": (
        np.array([[1, 2], [3, "a"]], object),
        TypeError,
        "x must hold numbers, but has the text 'a' at row 1, column 1",
    ),
    "missing in a list": ([[1, 2], [3, None]], ValueError, "x has a missing value at row 1, column 1"),
    "missing in objects": (np.array([[1, None]], object), ValueError, "x has a missing value at row 0, column 1"),
    "huge integer": ([[10**400, 1]], ValueError, "x has a number at row 0, column 0 that float64 cannot hold"),
    "complex": (np.array([[1j, 2]]), TypeError, "x must hold numbers, but has complex numbers. Use x.real and x.imag"),
    "complex object": (
        np.array([[1, 2j]], object),
        TypeError,
        "x must hold numbers, but has the complex number 2j at row 0",
    ),
    "dates": (
        np.array(["2020-01-01", "2020-01-02"], "M8[D]"),
        TypeError,
        "x must hold numbers, but has dates. Convert",
    ),
    "durations": (np.array([1, 2], "m8[s]"), TypeError, "x must hold numbers, but has time differences. Convert"),
    "records": (np.zeros(2, [("a", "f4")]), TypeError, "x must hold numbers, but has elements of another kind"),
    "nan": ([[1, np.nan]], ValueError, "x has 1 value that is NaN or infinite; the first is nan at row 0, column 1"),
    "infinity": (
        [[np.inf, 1]],
        ValueError,
        "x has 1 value that is NaN or infinite; the first is inf at row 0, column 0",
    ),
    "nan object": (np.array([[1, np.nan]], object), ValueError, "x has 1 value that is NaN or infinite"),
    "too large": ([[1e39, 1]], ValueError, "x has a number at row 0, column 0 that float32 cannot hold"),
    "masked": (
        np.ma.masked_array([[1.0, 2.0]], [[False, True]]),
        ValueError,
        "x has 1 masked entry; the first is at row 0, column 1. Fill them first, as by x.filled(0)",
    ),
    "list with dict": ([[1, {}]], TypeError, "x must hold numbers, but has an object of type dict at row 0, column 1"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(kind):
    x, error, message = REFUSED[kind]
    with pytest.raises(error) as caught:
        adapt(x, input_specs=[InputSpec("x", (2,))])
    assert str(caught.value).startswith(message)
    assert "Received: " in str(caught.value)


class Unreadable:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("the tensor lies on another device")


def test_what_an_object_says_of_itself_is_passed_on():
    with pytest.raises(
        TypeError, match=r"^x cannot be read as an array: the tensor lies .* Received: x of type Unreadable"
    ):
        validation.as_matrix(Unreadable(), "x")


def test_memory_map_in_place_or_lazily(tmp_path):
    path = tmp_path / "x.npy"
    for dtype, in_place in (("float32", True), ("float64", False), (">f4", False)):
        np.save(path, EXPECTED.astype(dtype))
        for mode in ("r", "c"):
            mapped = np.load(path, mmap_mode=mode)
            result = adapt(mapped, input_specs=[InputSpec("x", (2,))]).inputs[0]
            if in_place:
                assert np.shares_memory(result, mapped)
            else:
                assert isinstance(result, LazyRows)
                result = result.rows(slice(None))
            np.testing.assert_array_equal(result, EXPECTED)


# Frames


@pytest.fixture
def pandas():
    return pytest.importorskip("pandas")


@pytest.fixture
def polars():
    return pytest.importorskip("polars")


def test_pandas(pandas):
    columns = {"b": [1, 3, 0], "a": [2.0, 4.0, 1.0]}
    frame = pandas.DataFrame(columns)
    readable = {
        "mixed": frame,
        "reordered": frame[["a", "b"]][["b", "a"]],
        "every second row": pandas.concat([frame, frame]).iloc[3:],
        "nullable": frame.astype({"b": "Int64"}),
        "nullable boolean": pandas.DataFrame({"b": frame["b"], "a": frame["a"]}).astype({"a": "Float32"}),
        "same names": frame.set_axis(["c", "c"], axis=1),
        "objects": frame.astype(object),
        "categories of numbers": frame.astype({"b": "category"}),
    }
    for kind, each in readable.items():
        np.testing.assert_array_equal(validation.as_matrix(each, "x"), EXPECTED, err_msg=kind)
    np.testing.assert_array_equal(validation.as_matrix(frame["a"], "x"), EXPECTED[:, 1:])
    np.testing.assert_array_equal(validation.labels(frame["b"], 4), [1, 3, 0])


def test_pandas_refused(pandas):
    good = pandas.Series([1.0, 2.0])
    read = [InputSpec("x", (2,))]
    for column, error, message in (
        (["u", "v"], TypeError, "x column 'bad' must hold numbers, but has the text 'u' at row 0"),
        (pandas.Categorical(["u", "v"]), TypeError, "x column 'bad' must hold numbers, but has the text 'u' at row 0"),
        (
            pandas.array([1, None], "Int64"),
            ValueError,
            # pandas before 3 has objects there, as below.
            (
                "x has 1 value that is NaN or infinite; the first is nan at row 1, column 'bad'",
                "x column 'bad' has a missing",
            ),
        ),
        ([1.0, np.nan], ValueError, "x has 1 value that is NaN or infinite; the first is nan at row 1, column 'bad'"),
        (pandas.array([True, None], "boolean"), ValueError, "x"),
        (
            pandas.to_datetime(["2020-01-01", "2020-01-02"]),
            TypeError,
            "x column 'bad' must hold numbers, but has dates",
        ),
        ([1, pandas.NA], ValueError, "x"),
    ):
        with pytest.raises(error) as caught:
            adapt(pandas.DataFrame({"good": good, "bad": column}), input_specs=read)
        assert str(caught.value).startswith(message)
        assert "'bad'" in str(caught.value)
    with pytest.raises(ValueError, match="x must not be empty, but has no rows"):
        adapt(pandas.DataFrame({"a": [], "b": []}), input_specs=read)


def test_polars(polars):
    frame = polars.DataFrame({"b": [1, 3, 0], "a": [2.0, 4.0, 1.0]})
    np.testing.assert_array_equal(validation.as_matrix(frame, "x"), EXPECTED)
    np.testing.assert_array_equal(
        validation.as_matrix(frame.with_columns(polars.col("b").cast(polars.Int8)), "x"), EXPECTED
    )
    np.testing.assert_array_equal(validation.as_matrix(frame["a"], "x"), EXPECTED[:, 1:])
    read = [InputSpec("x", (2,))]
    for column, error, message in (
        (["u", "v"], TypeError, "x column 'bad' must hold numbers, but has the text 'u' at row 0"),
        ([None, "v"], (TypeError, ValueError), "x column 'bad'"),
        ([1, None], ValueError, "x has 1 value that is NaN or infinite; the first is nan at row 1, column 'bad'"),
        ([[1, 2], [3]], TypeError, "x column 'bad' must hold numbers, but has an object of type ndarray at row 0"),
        ([{"u": 1, "v": 2}, {"u": 3, "v": 4}], TypeError, "x column 'bad' must have one number per row"),
    ):
        with pytest.raises(error) as caught:
            adapt(polars.DataFrame({"good": [1, 2], "bad": column}), input_specs=read)
        assert str(caught.value).startswith(message)


# Sparse


def test_sparse_where_it_is_not_expected():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match=r"^x is a SciPy sparse matrix, .* Use x\.toarray\(\)"):
        adapt(sparse.csr_matrix(EXPECTED), input_specs=[InputSpec("x", (2,))])


# Weights and targets go through the same door


TARGET = [TargetSpec("y", (1,))]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("argument", ["x", "y", "sample_weight"])
def test_what_is_not_finite_is_named(argument, bad):
    arguments = {"x": np.ones((3, 2)), "y": np.ones(3), "sample_weight": np.ones(3)}
    arguments[argument][1] = bad
    with pytest.raises(ValueError, match=rf"^{argument} has \d values? that (is|are) NaN or infinite; .* at row 1"):
        adapt(**arguments, input_specs=[InputSpec("x", (2,))], target_specs=TARGET)


# The same kinds through a model: fit, evaluate and predict read them right, or refuse them and stay as they are


@pytest.fixture
def model():
    import cnn_core

    cnn_core.utils.set_random_seed(3)
    model = cnn_core.Sequential([cnn_core.Input((2,)), cnn_core.layers.Dense(4, "tanh"), cnn_core.layers.Dense(2)])
    model.compile("adam", "mse", metrics=["mae"])
    model.training_state()
    return model


def twin_of(model):
    import copy

    return copy.deepcopy(model)


@pytest.mark.parametrize("kind", READABLE)
def test_models_read_every_kind(kind, model):
    twin = twin_of(model)
    np.testing.assert_array_equal(model.predict(READABLE[kind]()), twin.predict(EXPECTED))
    np.testing.assert_array_equal(model(READABLE[kind]()), twin(EXPECTED))
    assert model.evaluate(READABLE[kind](), READABLE[kind](), verbose=0) == twin.evaluate(EXPECTED, EXPECTED, verbose=0)
    model.fit(READABLE[kind](), READABLE[kind](), batch_size=2, epochs=2, verbose=0)
    twin.fit(EXPECTED, EXPECTED, batch_size=2, epochs=2, verbose=0)
    assert model.train_on_batch(READABLE[kind](), READABLE[kind]()) == twin.train_on_batch(EXPECTED, EXPECTED)
    for ours, theirs in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", REFUSED)
def test_models_refuse_every_kind_and_stay_as_they_are(kind, model):
    x, error, message = REFUSED[kind]
    before = model.get_weights()
    calls = [
        lambda: model.predict(x),
        lambda: model(x),
        lambda: model.fit(x, EXPECTED, verbose=0),
        lambda: model.train_on_batch(x, EXPECTED),
        lambda: model.evaluate(x, EXPECTED, verbose=0),
        lambda: model.trace(x),
    ]
    for call in calls:
        with pytest.raises(error) as caught:
            call()
        assert str(caught.value).startswith(message)
    if kind != "none":
        with pytest.raises((ValueError, TypeError), match=r"^y"):
            model.fit(EXPECTED, x, verbose=0)
    assert all(map(np.array_equal, before, model.get_weights()))
    assert model.fit(EXPECTED, EXPECTED, verbose=0).history["loss"][0] > 0


@pytest.mark.parametrize("mode", ["r", "c"])
@pytest.mark.parametrize("dtype", ["float32", "float64", ">f4", "int16"])
def test_models_read_memory_maps(tmp_path, model, mode, dtype):
    whole = np.arange(40).reshape(20, 2) % 7
    np.save(tmp_path / "x.npy", whole.astype(dtype))
    mapped = np.load(tmp_path / "x.npy", mmap_mode=mode)
    twin = twin_of(model)
    model.fit(mapped, mapped, batch_size=8, epochs=2, validation_split=0.25, verbose=0)
    twin.fit(whole, whole, batch_size=8, epochs=2, validation_split=0.25, verbose=0)
    assert all(map(np.array_equal, model.get_weights(), twin.get_weights()))
    np.testing.assert_array_equal(model.predict(mapped), twin.predict(whole))
    np.testing.assert_array_equal(mapped, whole)


def test_models_read_frames(pandas, model):
    twin, frame = twin_of(model), pandas.DataFrame(EXPECTED, columns=["b", "a"])
    model.fit(frame, frame[["b", "a"]], verbose=0, epochs=2)
    twin.fit(EXPECTED, EXPECTED, verbose=0, epochs=2)
    assert all(map(np.array_equal, model.get_weights(), twin.get_weights()))
    np.testing.assert_array_equal(model.predict(frame), twin.predict(EXPECTED))
    polars = pytest.importorskip("polars")
    np.testing.assert_array_equal(model.predict(polars.from_pandas(frame)), twin.predict(EXPECTED))


def test_models_leave_what_they_are_given_alone(model):
    x, y, weights = EXPECTED.copy(), EXPECTED.copy(), np.ones(3, np.float32)
    for given in (x, y, weights):
        given.flags.writeable = False
    model.fit(x, y, sample_weight=weights, class_weight={0: 2.0}, epochs=2, batch_size=2, verbose=0)
    model.predict(x)
    np.testing.assert_array_equal(x, EXPECTED)
    np.testing.assert_array_equal(y, EXPECTED)
    np.testing.assert_array_equal(weights, 1)
