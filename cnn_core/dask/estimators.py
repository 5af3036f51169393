"""MLPClassifier, MLPRegressor, TabularClassifier and TabularRegressor over dask collections."""

from __future__ import annotations

from typing import Any

from sklearn.base import ClassifierMixin, RegressorMixin

import cnn_core.sklearn.perceptron.parts as perceptron_parts
import cnn_core.sklearn.tabular.parts as tabular_parts
from cnn_core.dask.estimator import DaskEstimator, Scored
from cnn_core.sklearn.parts import GivenPart, naming_the_part
from cnn_core.sklearn.perceptron import classifier, regressor
from cnn_core.sklearn.row_statistics import Hits, SquaredErrors
from cnn_core.sklearn.tabular import estimators


class _Classifier(ClassifierMixin, DaskEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """What both classifiers share."""

    def predict_proba(self, X: Any) -> Any:
        """Return the probabilities of the classes for every row, when they are asked for.

        Parameters
        ----------
        X : dask.array.Array of shape (n, features), or dask.dataframe.DataFrame

        Returns
        -------
        dask.array.Array of shape (n, classes), or a dask DataFrame with the classes as columns
        """
        return self._predicted("predict_proba", X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy of the predictions, computed where the rows lie.

        Parameters
        ----------
        X, y, sample_weight : dask collections
            As those of `fit`.
        """
        return float(self._scored(_hits, X, y, sample_weight).accuracy)


class _Regressor(RegressorMixin, DaskEstimator):  # type: ignore[misc]
    """What both regressors share."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R^2 of the predictions, averaged over the outputs, computed where the rows lie.

        Parameters
        ----------
        X, y, sample_weight : dask collections
            As those of `fit`.
        """
        return float(self._scored(_squared_errors, X, y, sample_weight).r2)


@naming_the_part
def _hits(estimator: Any, number: int, part: GivenPart) -> Scored:
    return Scored.of(Hits, estimator, part)


@naming_the_part
def _squared_errors(estimator: Any, number: int, part: GivenPart) -> Scored:
    return Scored.of(SquaredErrors, estimator, part)


class MLPRegressor(_Regressor):
    """Predict numbers."""

    local = regressor.MLPRegressor
    fit_parts = staticmethod(perceptron_parts.fit_parts)


class MLPClassifier(_Classifier):
    """Classify."""

    local = classifier.MLPClassifier
    fit_parts = staticmethod(perceptron_parts.fit_parts)


class TabularRegressor(_Regressor):
    """Predict numbers from tables."""

    local = estimators.TabularRegressor
    fit_parts = staticmethod(tabular_parts.fit_parts)

    def predict_quantiles(self, X: Any) -> Any:
        """Return the quantiles that the estimator was fitted for."""
        return self._predicted("predict_quantiles", X)


class TabularClassifier(_Classifier):
    """Classify the rows of tables."""

    local = estimators.TabularClassifier
    fit_parts = staticmethod(tabular_parts.fit_parts)
