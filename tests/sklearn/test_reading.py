"""How estimators read X and y: plain arrays at once, all else by scikit-learn's checks, with the same outcome."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import BaseEstimator

from cnn_core.sklearn.reading import is_plain_matrix, is_plain_target, read_features, read_pair

X = np.random.default_rng(0).normal(size=(6, 3))
Y = np.arange(6)


class Knows(BaseEstimator):
    """What an estimator knows of its features."""


@pytest.mark.parametrize("x", [X, X.astype(np.float32)], ids=["float64", "float32"])
@pytest.mark.parametrize("kind", ["plain", "columns first", "list"])
def test_a_plain_array_and_another_of_the_same_numbers_are_read_alike(x: np.ndarray, kind: str):
    given: Any = {"plain": x, "columns first": np.asfortranarray(x), "list": x.tolist()}[kind]
    estimator = Knows()
    read, y = read_pair(estimator, given, Y, True)
    assert (read is given) == (kind != "list")
    np.testing.assert_array_equal(read, x)
    np.testing.assert_array_equal(y, Y)
    assert estimator.n_features_in_ == 3
    np.testing.assert_array_equal(read_features(estimator, given), x)


def test_features_of_a_plain_array_have_no_names():
    pd = pytest.importorskip("pandas")
    estimator = Knows()
    read_pair(estimator, pd.DataFrame(X, columns=list("abc")), Y, True)
    assert list(estimator.feature_names_in_) == ["a", "b", "c"]
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        read_features(estimator, X)
    read_pair(estimator, X, Y, True)
    assert not hasattr(estimator, "feature_names_in_")


def test_other_features_and_other_rows_are_refused():
    estimator = Knows()
    read_pair(estimator, X, Y, True)
    with pytest.raises(ValueError, match="X has 2 features, but Knows is expecting 3 features as input"):
        read_features(estimator, np.ascontiguousarray(X[:, :2]))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        read_pair(estimator, X, Y[:4], False)


def test_a_single_column_of_targets_becomes_a_vector():
    with pytest.warns(UserWarning, match="A column-vector y was passed when a 1d array was expected"):
        _, y = read_pair(Knows(), X, Y[:, None], True)
    assert y.shape == (6,)


def damaged(place: str) -> np.ndarray:
    array = X.copy()
    array[2, 1] = {"nan": np.nan, "infinity": np.inf}[place]
    return array


@pytest.mark.parametrize(
    "x",
    [
        damaged("nan"),
        damaged("infinity"),
        X[:0],
        X[0],
        X.astype(">f8"),
        X.astype("f2"),
        X[:, ::-1],
        np.ma.array(X),
    ],
    ids=["nan", "infinity", "empty", "vector", "big-endian", "float16", "strided", "masked"],
)
def test_what_is_not_plainly_in_order_is_not_plain(x: np.ndarray):
    assert not is_plain_matrix(x)


@pytest.mark.parametrize("y", [Y[:5], Y[:, None], np.full(6, np.nan), Y.astype(str), Y.tolist(), Y > 2])
def test_what_is_not_plainly_a_target_is_not_plain(y: Any):
    assert not is_plain_target(y, 6)
