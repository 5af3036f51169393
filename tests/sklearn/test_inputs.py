"""Targets and weights that the estimators refuse, and what they say."""

from __future__ import annotations

import datetime
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone

from cnn_core.sklearn import MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor
from cnn_core.sklearn.inputs import check_features, check_numbers, sample_weights, with_class_weight

pd = pytest.importorskip("pandas")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).normal(size=(12, 2))
NUMBERS = X[:, 0]
DAYS = np.datetime64("2020-01-01") + np.arange(12)
SETTINGS = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}


@pytest.mark.parametrize(
    "values",
    [
        NUMBERS.astype(str),
        NUMBERS.astype("S"),
        NUMBERS.astype(str).astype(object),
        list(NUMBERS.astype(str)),
        [1.0] * 11 + ["2"],
    ],
    ids=["texts", "bytes", "objects", "list", "one text"],
)
def test_texts_are_no_numbers(values):
    with pytest.raises(ValueError, match=r"`y` must hold numbers\. Received: b?'"):
        MLPRegressor(**SETTINGS).fit(X, values)
    with pytest.raises(ValueError, match="`y_val` must hold numbers"):
        MLPRegressor(**SETTINGS).fit(X, NUMBERS, X_val=X, y_val=values)
    with pytest.raises(ValueError, match="`y` must hold numbers"):
        MLPRegressor(**SETTINGS).partial_fit(X, values)


@pytest.mark.parametrize(
    "values",
    [
        DAYS,
        DAYS - DAYS[0],
        np.where(np.arange(12) == 0, np.datetime64("NaT", "D"), DAYS),
        DAYS.astype(object),
        [date(2020, 1, 1)] * 12,
        [timedelta(hours=1)] * 12,
    ],
    ids=["dates", "spans", "a gap", "objects", "list", "spans in a list"],
)
def test_times_are_no_numbers(values):
    with pytest.raises(ValueError, match=r"`y` must hold numbers. .*timedelta64\(1, 'D'\)"):
        MLPRegressor(**SETTINGS).fit(X, values)
    with pytest.raises(ValueError, match="`sample_weight` must hold numbers"):
        MLPRegressor(**SETTINGS).fit(X, NUMBERS, values)


def test_columns_of_times_are_no_features():
    with pytest.raises(ValueError, match=r"`X` must hold numbers\. Received: dtype datetime64"):
        MLPRegressor(**SETTINGS).fit(DAYS[:, None], NUMBERS)
    fitted = MLPRegressor(**SETTINGS).fit(X[:, :1], NUMBERS)
    with pytest.raises(ValueError, match=r"`X` must hold numbers\. Received: dtype timedelta64"):
        fitted.predict((DAYS - DAYS[0])[:, None])
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match="`X` must hold numbers"):
        check_features(pandas.DataFrame({"day": DAYS, "x": NUMBERS}))


@pytest.mark.parametrize("values", [[1, 2], np.array([True]), np.array([1, None], object), [], np.float32(3)])
def test_numbers_pass(values):
    check_numbers(values, "y")


def test_bytes_are_no_labels_however_many():
    for n_classes in (2, 7):
        labels = np.array([b"%d" % (row % n_classes) for row in range(12)])
        with pytest.raises(TypeError, match="labels represented as bytes is not supported"):
            MLPClassifier(**SETTINGS).fit(X, labels)


def test_weights_by_the_row():
    np.testing.assert_array_equal(sample_weights(np.float32(2), 3), [2, 2, 2])
    assert sample_weights(np.array([1, 2], np.float32), 2).dtype == np.float32
    for wrong, message in [
        (np.ones((2, 1)), "Sample weights must be 1D array or scalar, got 2D array"),
        (np.ones(3), r"sample_weight_val.shape == \(3,\), expected \(2,\)!"),
        ([1.0, np.nan], "sample_weight_val contains NaN"),
        ([0.0, 0.0], "must contain at least one non-zero number"),
        (["1", "2"], "`sample_weight_val` must hold numbers"),
    ]:
        with pytest.raises(ValueError, match=message):
            sample_weights(wrong, 2, "sample_weight_val")


def test_class_weights_are_factors_of_at_least_zero():
    y = np.array([0, 1, 1])
    np.testing.assert_array_equal(with_class_weight({0: 2, 1: 0.5}, y, np.array([1.0, 2.0, 0.0])), [2, 1, 0])
    assert with_class_weight(None, y, None) is None
    for wrong in ({0: -1, 1: 1}, {0: np.nan, 1: 1}, {0: np.inf, 1: 1}, {0: "2", 1: 1}):
        with pytest.raises(ValueError, match="`class_weight` must hold finite numbers of at least 0"):
            MLPClassifier(**SETTINGS, class_weight=wrong).fit(X, [0, 1] * 6)
    with pytest.raises(ValueError, match="at least one non-zero number"):
        with_class_weight({0: 0, 1: 0}, y, None)


def test_targets_keep_their_layout():
    with pytest.raises(ValueError, match=r"`y_val` must have as many columns as `y`: 1. Received: shape \(12, 2\)"):
        MLPRegressor(**SETTINGS).fit(X, NUMBERS, X_val=X, y_val=X)
    labels, several = np.arange(12) % 3, np.c_[X > 0, X[:, :1] > 1].astype(int)
    with pytest.raises(ValueError, match="`y_val` must hold one label a row"):
        MLPClassifier(**SETTINGS).fit(X, np.arange(12) % 2, X_val=X, y_val=several)
    learning = MLPClassifier(**SETTINGS).partial_fit(X, several, classes=[0, 1, 2])
    for wrong in (labels, several[:, :2]):
        with pytest.raises(ValueError, match="`y` must be an indicator matrix with 3 columns, as in the first call"):
            learning.partial_fit(X, wrong)
    with pytest.raises(ValueError, match="`y` must hold one label a row"):
        MLPClassifier(**SETTINGS).partial_fit(X, labels, classes=[0, 1, 2]).partial_fit(X, several)


@pytest.mark.parametrize("make", [MLPClassifier, TabularClassifier])
@pytest.mark.parametrize(
    ("label", "kind"),
    [
        (Decimal("1.5"), "Decimal"),
        (datetime.date(2020, 1, 1), "date"),
        (datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), "datetime"),
        (pd.Timestamp("2020-01-01", tz="UTC"), "Timestamp"),
        (1, "int"),
        ((1, 2), "tuple"),
    ],
)
def test_objects_that_are_no_texts_are_no_labels(make, label, kind):
    labels = np.empty(6, object)
    labels[:] = ["a", "b", "a", "b", "a", "b"]
    labels[3] = label
    with pytest.raises(
        TypeError, match=rf"^Unknown label type: `y` must hold texts, .* of type {kind} among objects\."
    ):
        make().fit(np.arange(12.0).reshape(6, 2), labels)


@pytest.mark.parametrize(("dtype", "kind"), [("Int64", "i"), ("boolean", "b"), ("UInt8", "u")])
def test_nullable_labels_come_back_as_they_were_written(dtype, kind):
    y = pd.Series([0, 1, 0, 1, 1, 0], dtype=dtype)
    classifier = MLPClassifier(max_iter=2).fit(np.arange(12.0).reshape(6, 2), y)
    assert classifier.classes_.dtype.kind == kind
    assert classifier.predict([[0.0, 1.0]]).dtype.kind == kind


class OfAnotherLibrary:
    """A data set of batches, as Keras has them: it can be indexed for ever."""

    workers, max_queue_size, num_batches = 1, 10, 3

    def __len__(self):
        return 3

    def __getitem__(self, number):
        return X[:4], NUMBERS[:4]


class Loader:
    def __len__(self):
        return 3

    def __iter__(self):
        return iter([(X[:4], NUMBERS[:4])] * 3)


def batches():
    while True:
        yield X[:4], NUMBERS[:4]


NO_ROWS = {
    "OfAnotherLibrary": OfAnotherLibrary(),
    "Loader": Loader(),
    "generator": batches(),
    "function": batches,
    "list_iterator": iter([X]),
    "object": object(),
    "set": {1.0, 2.0},
    "dict": {"a": [1.0] * 12},
    "str": "table.csv",
    "PosixPath": Path("table.csv"),
}
FITTED = [
    MLPClassifier(**SETTINGS),
    MLPRegressor(**SETTINGS),
    TabularClassifier(epochs=1, random_state=0),
    TabularRegressor(epochs=1, random_state=0),
]


@pytest.mark.parametrize("estimator", FITTED, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("kind", NO_ROWS)
def test_what_is_no_table_is_refused_by_its_type(estimator, kind):
    given, labels = NO_ROWS[kind], (NUMBERS > 0).astype(int)
    told = rf"^`{{}}` must hold all rows at once: .* of type {kind}(\. |$)"
    with pytest.raises(TypeError, match=told.format("X")):
        clone(estimator).fit(given, labels)
    with pytest.raises(TypeError, match=told.format("y")):
        clone(estimator).fit(X, given)
    with pytest.raises(TypeError, match=told.format("sample_weight")):
        clone(estimator).fit(X, labels, sample_weight=given)
    if kind != "dict":  # rows by name
        with pytest.raises(TypeError, match=told.format("X")):
            clone(estimator).fit(X, labels).predict(given)
