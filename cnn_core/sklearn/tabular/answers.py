"""Answers that are known already, with the face of the estimator that would give them."""

from __future__ import annotations

from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from cnn_core.foundation.arrays import Array


class ClassAnswers(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """What a classifier would answer, whatever it is asked: scorers of scikit-learn's ask it.

    Parameters
    ----------
    classes : numpy.ndarray of shape (classes,)
    probabilities : numpy.ndarray of shape (n, classes)

    Examples
    --------
    >>> import numpy as np
    >>> ClassAnswers(np.array(["no", "yes"]), np.array([[0.2, 0.8]])).predict(None)
    array(['yes'], dtype='<U3')
    """

    def __init__(self, classes: Array, probabilities: Array) -> None:
        self.classes, self.probabilities = classes, probabilities
        self.classes_ = classes

    def predict_proba(self, X: object) -> Array:
        """Return the probabilities."""
        return self.probabilities

    def predict(self, X: object) -> Array:
        """Return the most probable classes."""
        best: Array = self.classes[self.probabilities.argmax(axis=1)]
        return best


class NumberAnswers(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """What a regressor would answer, whatever it is asked.

    Parameters
    ----------
    predictions : numpy.ndarray of shape (n,) or (n, targets)
    """

    def __init__(self, predictions: Array) -> None:
        self.predictions = predictions

    def predict(self, X: object) -> Array:
        """Return the predictions."""
        return self.predictions
