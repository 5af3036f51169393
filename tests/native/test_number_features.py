"""Tests of the features that columns of numbers become, by hand, and of what is refused before it is read.

tests/sklearn/tabular/test_table_features.py compares those of whole tables with NumPy's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

import cnn_core._core as _core
from cnn_core.sklearn.tabular.table_features import NumberColumn


def test_features_by_hand() -> None:
    """The number itself, a step that says in which of two pieces it lies, how far it is through the second."""
    column = described(steps=np.float32([[5], [6], [7]]), center=1.0, places=np.array([-1, 2]), centers=np.zeros(2))
    x = np.array([[-9.0], [0.5], [1.0], [1.5], [8.0], [np.nan]])
    y = np.full((6, 4), 9, np.float32)
    _core.NumberFeatures(1, 4, [column])(x, y)
    z = x[:, 0] - 1
    np.testing.assert_allclose(y[:5, 0], (z / np.sqrt(1 + z**2 / 9))[:5], rtol=1e-6)
    half, whole = 0.5 / np.sqrt(1 + 0.25 / 9), 1 / np.sqrt(1 + 1 / 9)
    np.testing.assert_allclose(y[:, 2], [9, 9, 0, half, whole, 9], rtol=1e-6)  # elsewhere it is left as it was
    assert y[:, 1].tolist() == [5, 5, 6, 6, 6, 7]
    assert y[5, 0] == 0
    assert (y[:, 3] == 9).all()


def described(**changes: Any) -> NumberColumn:
    whole = NumberColumn(
        0, 0, 0.0, 1.0, 1, np.zeros((3, 2), np.float32), np.arange(3.0), np.array([1, 2]), *np.ones((2, 2))
    )
    return whole._replace(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"source": 1},
        {"source": -1},
        {"place": 3},
        {"first": 2},
        {"first": -1},
        {"places": np.array([1, 3])},
        {"edges": np.arange(2.0)},
        {"centers": np.ones(3)},
        {"steps": np.zeros((2, 2), np.float32)},
    ],
    ids=str,
)
def test_columns_outside_of_the_matrices_are_refused(changes: dict[str, Any]) -> None:
    _core.NumberFeatures(1, 3, [described()])
    with pytest.raises(ValueError, match=r"must lie in the matri|expected"):
        _core.NumberFeatures(1, 3, [described(**changes)])


def test_a_column_has_a_piece() -> None:
    nothing = {"places": np.zeros(0, np.intp), "edges": np.zeros(1), "steps": np.zeros((1, 2), np.float32)}
    with pytest.raises(ValueError, match="must lie in the matrices"):
        _core.NumberFeatures(1, 3, [described(**nothing, centers=np.zeros(0), factors=np.zeros(0))])


def test_matrices_of_other_sizes_are_refused() -> None:
    made, x, y = _core.NumberFeatures(1, 3, [described()]), np.zeros((4, 1)), np.zeros((4, 3), np.float32)
    made(x, y)
    for numbers, features in ((x, y[:3]), (np.zeros((4, 2)), y)):
        with pytest.raises(ValueError, match="expected"):
            made(numbers, features)
    with pytest.raises(TypeError, match="array of float64"):
        made(x.astype(np.float32), y)
