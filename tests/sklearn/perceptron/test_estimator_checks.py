"""scikit-learn's own checks of an estimator, all of them."""

from __future__ import annotations

import pytest

pytest.importorskip("sklearn")

from sklearn.utils.estimator_checks import parametrize_with_checks

from cnn_core.sklearn import MLPClassifier, MLPRegressor


@pytest.mark.filterwarnings("ignore")  # the checks warn of what they make happen
@parametrize_with_checks([MLPClassifier(max_iter=100), MLPRegressor(max_iter=100)])
def test_estimator_follows_every_convention(estimator, check):
    check(estimator)
