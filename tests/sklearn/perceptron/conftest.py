"""The tables on which the estimators are tested."""

from __future__ import annotations

import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.preprocessing import scale

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    return scale(X), y


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return scale(X), scale(y)
