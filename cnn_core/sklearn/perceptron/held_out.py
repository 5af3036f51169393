"""Held-out rows during `fit`: their scores, and which epoch is the best by them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import get_scorer, log_loss, top_k_accuracy_score

import cnn_core._core as _core
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.caller import warn_caller
from cnn_core.foundation.records import NamedTuple
from cnn_core.sklearn.metric_names import chosen, scorer_of
from cnn_core.sklearn.perceptron.training import Evaluator

# Of these, scikit-learn's scorers fail where the held-out rows lack a class; told all classes, the metrics do not.
_OF_PROBABILITIES: dict[str, Callable[..., float]] = {
    "neg_log_loss": lambda y, p, **more: -log_loss(y, p, **more),
    "top_k_accuracy": top_k_accuracy_score,
}


class Standing(NamedTuple):
    """How an epoch stands: by its score, and behind all that have one by its validation loss.

    Examples
    --------
    >>> Standing.of(0.9, 0.3) > Standing.of(0.8, 0.2) > Standing.of(float("nan"), 0.1) > Standing.of(float("nan"), 0.2)
    True
    """

    is_scored: bool
    value: float

    @classmethod
    def of(cls, score: float, loss: float) -> Standing:
        """Return the standing of an epoch with this score, NaN if it has none, and this validation loss."""
        if not math.isnan(score):
            return cls(True, score)
        return cls(False, -math.inf if math.isnan(loss) else -loss)

    def better_by(self, tolerance: float) -> Standing:
        """Return the standing of an epoch that is better by so much."""
        return Standing(self.is_scored, self.value + tolerance)


UNKNOWN = Standing(False, -math.inf)


class HeldOutScores:
    """Measure the held-out rows after each epoch.

    Parameters
    ----------
    estimator : Perceptron
    evaluator : Evaluator
    """

    def __init__(self, estimator: Any, evaluator: Evaluator) -> None:
        self.estimator, self.evaluator = estimator, evaluator
        self._n_measured = self._n_undefined = 0
        self._reason = ""

    def measure(self) -> tuple[float, float]:
        """Return loss and score: NaN where the network has left the finite numbers, or the metric is undefined."""
        loss = self.evaluator.run()
        if self.estimator.metric == "loss":
            return loss, -loss
        if not _core.all_finite(self.evaluator.predictions):
            return loss, math.nan
        with warnings.catch_warnings():
            # The rows went through validation, where they lost their names; what is undefined is reported once.
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            score = self._score()
        self._n_measured += 1
        self._n_undefined += math.isnan(score)
        return loss, score

    def warn_of_undefined(self) -> None:
        """Warn, once `fit` is over, if there was no score to go by."""
        if not self._n_undefined:
            return
        metric, missing = self.estimator.metric, self._missing_classes()
        lacks = f" They lack the classes {missing.tolist()}." if len(missing) else ""
        reason = f" ({self._reason})" if self._reason else ""
        warn_caller(
            f"`metric`={metric!r} is undefined on the held-out rows in {self._n_undefined} of {self._n_measured} "
            f"epochs{reason}, which were compared by their validation loss.{lacks} Hold out more rows with "
            "`validation_fraction`, pass `X_val` and `y_val` of your own, or choose another `metric`"
        )

    def _score(self) -> float:
        estimator, rows = self.estimator, self.evaluator.rows
        if rows.weights is not None and rows.weights.sum() == 0:
            self._reason = "their weights add up to 0"
            return math.nan
        if chosen(estimator.metric, None, "loss") is None:
            return float(estimator._score_predictions(self.evaluator.predictions, rows))
        try:
            return float(self._by_metric())
        except ValueError as error:
            named_regression = isinstance(estimator.metric, str) and not is_classifier(estimator)
            if not named_regression and not len(self._missing_classes()):
                raise
            self._reason = str(error)
            return math.nan

    def _by_metric(self) -> float:
        estimator, rows = self.estimator, self.evaluator.rows
        metric = scorer_of(estimator.metric, len(getattr(estimator, "classes_", ())))
        scorer = get_scorer(metric) if isinstance(metric, str) else metric
        weights = {"sample_weight": rows.weights} if rows.weights is not None and _takes_weights(scorer) else {}
        if isinstance(metric, str) and metric in _OF_PROBABILITIES and len(self._missing_classes()):
            probabilities = estimator.predict_proba(rows.x)
            if probabilities.shape[1] == 2 and metric == "top_k_accuracy":
                probabilities = probabilities[:, 1]
            return _OF_PROBABILITIES[metric](rows.original, probabilities, labels=estimator.classes_, **weights)
        return float(scorer(estimator, rows.x, rows.original, **weights))

    def _missing_classes(self) -> Array:
        """The classes that the held-out rows lack; none of a regressor, or of several labels a row."""
        y = self.evaluator.rows.original
        if not is_classifier(self.estimator) or np.ndim(y) != 1:
            return np.empty(0)
        return np.setdiff1d(self.estimator.classes_, y)


def _takes_weights(scorer: Any) -> bool:
    """Whether a scorer, or the metric behind it, knows what sample weights are."""
    return "sample_weight" in signature(getattr(scorer, "_score_func", scorer)).parameters
