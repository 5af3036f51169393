"""Scores of regression: cosine similarity, correlations, R squared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.foundation.validation as validation
import cnn_core.losses as losses
from cnn_core.foundation.arrays import EPSILON, Array, as_float, same_rank
from cnn_core.foundation.exports import own_names
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.metrics.base import Accumulator, Metric, check_same_shape, registry
from cnn_core.metrics.means import MeanOf


def _cosine(y_true: object, y_pred: object, axis: int) -> Array:
    return -losses.CosineSimilarity(axis).call(y_true, y_pred)


@registry.register()
class CosineSimilarity(MeanOf):
    """Average the cosine between targets and predictions, from -1 to 1 (alike); the loss has the other sign.

    Parameters
    ----------
    name : str, default "cosine_similarity"
    dtype : str, default None
    axis : int, default -1

    Examples
    --------
    >>> CosineSimilarity()([[3.0, 4.0]], [[0.0, 2.0]])
    0.8
    """

    _of = (_cosine,)
    _options = ("axis",)

    def __init__(self, name: str | None = "cosine_similarity", dtype: object = None, axis: int = -1) -> None:
        self.axis = validation.integer(axis, "axis")
        super().__init__(name, dtype, axis=self.axis)


@knows_its_arguments
def pearson_correlation(y_true: object, y_pred: object, axis: int = -1) -> Array:
    """Correlate targets and predictions along an axis: the mean product of their standard scores; NaN if one is flat.

    Examples
    --------
    >>> pearson_correlation([[1.0, 2.0, 3.0]], [[3.0, 2.0, 1.0]]).round(6)
    array([-1.])
    """
    true, pred = _aligned(y_true, y_pred)
    true = true - true.mean(axis=axis, keepdims=True)
    pred = pred - pred.mean(axis=axis, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        true = true / true.std(axis=axis, keepdims=True)
        pred = pred / pred.std(axis=axis, keepdims=True)
        return np.asarray((true * pred).mean(axis=axis))


@knows_its_arguments
def concordance_correlation(y_true: object, y_pred: object, axis: int = -1) -> Array:
    """Compare targets and predictions along an axis by correlation, mean and spread, with Keras's numbers.

    `mean(2 (y - m_p) (p - m_p)) / (var(y) + var(p) + (m_y - m_p)^2 + 1e-7)`, m_p the mean of the predictions.

    Examples
    --------
    >>> concordance_correlation([[1.0, 2.0, 3.0]], [[1.0, 2.0, 3.0]]).round(6)
    array([1.])
    """
    true, pred = _aligned(y_true, y_pred)
    true_mean, pred_mean = true.mean(axis=axis, keepdims=True), pred.mean(axis=axis, keepdims=True)
    spread = true.var(axis=axis, keepdims=True) + pred.var(axis=axis, keepdims=True)
    spread = spread + np.square(true_mean - pred_mean)
    return np.asarray((2 * (true - pred_mean) * (pred - pred_mean) / (spread + EPSILON)).mean(axis=axis))


def _aligned(y_true: object, y_pred: object) -> tuple[Array, Array]:
    true, pred = same_rank(as_float(y_true, "y_true", np.float64), as_float(y_pred, "y_pred", np.float64))
    check_same_shape(true, pred)
    return true, pred


@registry.register()
class PearsonCorrelation(MeanOf):
    """Average the correlation of targets and predictions along an axis, over the other axis.

    Parameters
    ----------
    name : str, default "pearson_correlation"
    dtype : str, default None
    axis : int, default -1
        -1 correlates the outputs of each row, 0 the rows of the batch for each output.

    Examples
    --------
    >>> round(PearsonCorrelation(axis=0)([[1.0], [2.0], [3.0]], [[2.0], [4.0], [6.0]]), 6)
    1.0
    """

    _of = (pearson_correlation,)
    _options = ("axis",)

    def __init__(self, name: str | None = "pearson_correlation", dtype: object = None, axis: int = -1) -> None:
        self.axis = validation.integer(axis, "axis")
        super().__init__(name, dtype, axis=self.axis)


@registry.register()
class ConcordanceCorrelation(MeanOf):
    """Average the concordance of targets and predictions along an axis: see `concordance_correlation`.

    Parameters
    ----------
    name : str, default "concordance_correlation"
    dtype : str, default None
    axis : int, default -1

    Examples
    --------
    >>> round(ConcordanceCorrelation()([[1.0, 2.0]], [[1.0, 2.0]]), 6)
    1.0
    """

    _of = (concordance_correlation,)
    _options = ("axis",)

    def __init__(self, name: str | None = "concordance_correlation", dtype: object = None, axis: int = -1) -> None:
        self.axis = validation.integer(axis, "axis")
        super().__init__(name, dtype, axis=self.axis)


@registry.register("r2")
class R2Score(Metric):
    """Measure the share of the variance that predictions explain: `1 - sum (y - p)^2 / sum (y - mean(y))^2`.

    An output whose targets do not vary scores 0 (NaN if it is predicted exactly), as in Keras.

    Parameters
    ----------
    class_aggregation : "uniform_average", "variance_weighted_average" or None, default "uniform_average"
        How the scores of the outputs become one; None returns them all.
    num_regressors : int, default 0
        Above 0, the score adjusted for so many features p: `1 - (1 - score) (n - 1) / (n - p - 1)`. As in Keras 3.15, n
        counts the targets, of all outputs; with one output that is the number of samples.
    name : str, default "r2_score"
    dtype : str, default None

    Examples
    --------
    >>> R2Score()([[1.0], [2.0], [3.0]], [[1.0], [2.0], [2.0]])
    0.5
    """

    higher_is_better = True
    _options = ("class_aggregation", "num_regressors")

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: object = None,
    ) -> None:
        super().__init__(dtype, name)
        self.class_aggregation = validation.one_of(
            class_aggregation, "class_aggregation", (None, "uniform_average", "variance_weighted_average")
        )
        self.num_regressors = validation.integer(num_regressors, "num_regressors", minimum=0)
        self.num_samples = self.add_variable(name="num_samples")
        self.squared_sum: Accumulator | None = None

    def _build(self, width: int) -> None:
        self.squared_sum = self.add_variable(width, name="squared_sum")
        self.sum = self.add_variable(width, name="sum")
        self.residual = self.add_variable(width, name="residual")
        self.count = self.add_variable(width, name="count")

    def update_state(self, y_true: object, y_pred: object, sample_weight: object = None) -> None:
        """Add a batch of shape (n, outputs)."""
        true, pred = _aligned(y_true, y_pred)
        if true.ndim != 2:
            raise ValueError(f"R2Score needs targets of shape (n, outputs). Received: y_true.shape={true.shape}")
        if self.squared_sum is None:
            self._build(true.shape[1])
        weights = np.ones(()) if sample_weight is None else as_float(sample_weight, "sample_weight", np.float64)
        weights = np.broadcast_to(weights[:, None] if weights.ndim == 1 else weights, true.shape)
        self.sum.assign_add((true * weights).sum(axis=0))
        assert self.squared_sum is not None
        self.squared_sum.assign_add((true * true * weights).sum(axis=0))
        self.residual.assign_add((np.square(true - pred) * weights).sum(axis=0))
        self.count.assign_add(weights.sum(axis=0))
        self.num_samples.assign_add(true.size)

    def result(self) -> Any:
        """Return the score, or one for each output."""
        if self.squared_sum is None:
            return 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            total = self.squared_sum.value - self.sum.value * (self.sum.value / self.count.value)
            scores = 1 - self.residual.value / total
        scores = np.where(np.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            score: Any = float(scores.mean())
        elif self.class_aggregation == "variance_weighted_average":
            score = float((total * scores).sum() / total.sum())
        else:
            score = scores
        n = float(self.num_samples)
        if 0 < self.num_regressors < n - 1:
            score = 1 - (1 - score) * (n - 1) / (n - self.num_regressors - 1)
        return score


if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
