"""F scores: the weighted harmonic mean of precision and recall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import cnn_core.foundation.domains as domains
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import EPSILON, Array, as_float
from cnn_core.foundation.exports import own_names
from cnn_core.metrics.base import Accumulator, Metric, check_same_shape, registry
from cnn_core.metrics.thresholds import weights_for


@registry.register("f_beta_score")
class FBetaScore(Metric):
    """Combine precision P and recall R of every class: `(1 + beta^2) P R / (beta^2 P + R)`, 1e-7 in the divisors.

    Parameters
    ----------
    average : None, "micro", "macro" or "weighted", default None
        None returns one score per class; "macro" their mean; "weighted" their mean by the classes' shares of the
        targets; "micro" counts all classes together.
    beta : float, default 1.0
        How much recall weighs against precision; above 0.
    threshold : float, default None
        Predictions above it are positive; None: those equal to the largest of their row.
    name : str, default "fbeta_score"
    dtype : str, default None

    Examples
    --------
    >>> metric = FBetaScore(beta=2.0, threshold=0.5)
    >>> metric([[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]]).round(4)
    array([0.3846, 0.9091, 0.8333])
    """

    domain = domains.UNIT
    higher_is_better = True
    _options: ClassVar[tuple[str, ...]] = ("average", "beta", "threshold")

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: object = None,
    ) -> None:
        super().__init__(dtype, name)
        self.average = validation.one_of(average, "average", (None, "micro", "macro", "weighted"))
        self.beta = validation.number(beta, "beta", above=0)
        self.threshold = None if threshold is None else validation.number(threshold, "threshold", above=0, maximum=1)
        self.true_positives: Accumulator | None = None

    def _build(self, n_classes: int) -> None:
        shape = () if self.average == "micro" else (n_classes,)
        self.true_positives = self.add_variable(shape, name="true_positives")
        self.false_positives = self.add_variable(shape, name="false_positives")
        self.false_negatives = self.add_variable(shape, name="false_negatives")
        self.intermediate_weights = self.add_variable(shape, name="intermediate_weights")

    def update_state(self, y_true: object, y_pred: object, sample_weight: object = None) -> None:
        """Add a batch of targets 0 and 1 and of predictions, both of shape (n, classes)."""
        y_pred = as_float(y_pred, "y_pred", self.dtype)
        y_true = as_float(y_true, "y_true", np.float64)
        if y_pred.ndim != 2:
            raise ValueError(
                f"{type(self).__name__} needs predictions of shape (n, classes). Received: y_pred.shape={y_pred.shape}"
            )
        check_same_shape(y_true, y_pred)
        if self.true_positives is None:
            self._build(y_pred.shape[1])
        assert self.true_positives is not None
        positive = self._positive(y_pred)
        weights = weights_for(sample_weight, y_true)
        axis = None if self.average == "micro" else 0
        self.true_positives.assign_add((positive * y_true * weights).sum(axis=axis))
        self.false_positives.assign_add((positive * (1 - y_true) * weights).sum(axis=axis))
        self.false_negatives.assign_add(((1 - positive) * y_true * weights).sum(axis=axis))
        self.intermediate_weights.assign_add((y_true * weights).sum(axis=axis))

    def _positive(self, y_pred: Array) -> Array:
        if self.threshold is not None:
            return (y_pred > self.threshold).astype(np.float64)
        largest = y_pred.max(axis=-1, keepdims=True)
        return np.asarray((y_pred >= largest) & (np.abs(y_pred) > 1e-9), np.float64)

    def result(self) -> Any:
        """Return the score, or one for each class."""
        if self.true_positives is None:
            return 0.0
        tp = self.true_positives.value
        precision = tp / (tp + self.false_positives.value + EPSILON)
        recall = tp / (tp + self.false_negatives.value + EPSILON)
        square = self.beta**2
        scores = (1 + square) * (precision * recall / (square * precision + recall + EPSILON))
        if self.average is None:
            return scores
        if self.average == "weighted":
            shares = self.intermediate_weights.value
            return float((scores * (shares / (shares.sum() + EPSILON))).sum())
        return float(np.mean(scores))


@registry.register()
class F1Score(FBetaScore):
    """Take the harmonic mean of precision and recall of every class: `FBetaScore` with beta = 1.

    Parameters
    ----------
    average, threshold, dtype
        See `FBetaScore`.
    name : str, default "f1_score"

    Examples
    --------
    >>> metric = F1Score(threshold=0.5)
    >>> metric([[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]]).round(4)
    array([0.5   , 0.8   , 0.6667])
    """

    _options = ("average", "threshold")

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: object = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)


if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
