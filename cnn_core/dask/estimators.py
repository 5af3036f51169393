"""MLPClassifier and MLPRegressor over dask collections."""

from __future__ import annotations

from typing import Any

from sklearn.base import ClassifierMixin, RegressorMixin

import cnn_core.sklearn.perceptron.parts as perceptron_parts
from cnn_core.dask.estimator import DaskEstimator
from cnn_core.sklearn.perceptron import classifier, regressor


class MLPRegressor(RegressorMixin, DaskEstimator):  # type: ignore[misc]
    """Predict numbers."""

    local = regressor.MLPRegressor
    fit_parts = staticmethod(perceptron_parts.fit_parts)


class MLPClassifier(ClassifierMixin, DaskEstimator):  # type: ignore[misc]
    """Classify."""

    local = classifier.MLPClassifier
    fit_parts = staticmethod(perceptron_parts.fit_parts)

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class."""
        return self._predicted("predict_proba", X)
