"""Losses of pairs: how far the samples of a batch are from each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array, as_float
from cnn_core.foundation.exports import own_names
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.losses.base import Loss, function_form, registry

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


class _Pairs:
    """Distances `d_ij = max(1 - e_i . r_j, 0)` of embeddings to references, and the terms P and N that they give."""

    def __init__(self, loss: Circle, labels: Array, embeddings: Array, ref_labels: Array, references: Array) -> None:
        self._embeddings, self._references = embeddings, references
        gamma, margin = loss.gamma, loss.margin
        self._raw = 1 - embeddings @ references.T
        d = np.maximum(self._raw, 0)
        alike = labels.reshape(-1, 1) == ref_labels.reshape(1, -1)
        others = ~alike
        if loss.remove_diagonal:
            np.fill_diagonal(alike, False)
        near, far = np.maximum(margin + d, 0), np.maximum(1 + margin - d, 0)
        log_p, self._p = _soft_maximum(-gamma * near * (margin - d), alike)
        log_n, self._n = _soft_maximum(gamma * far * (1 - margin - d), others)
        exponent = log_p + log_n
        self.values = np.logaddexp(exponent, np.zeros_like(exponent))
        self._slope = np.exp(exponent - self.values)  # the sigmoid of the exponent
        self._slope_p = gamma * (near - (margin - d))
        self._slope_n = -gamma * ((1 - margin - d) * (far > 0) + far)

    def pullback(self, delta: Array) -> Array:
        """Return the derivative of sum(delta * values) by the embeddings, which are their own references."""
        by_distance = (delta * self._slope)[:, None] * (self._p * self._slope_p + self._n * self._slope_n)
        by_product = -by_distance * (self._raw > 0)
        return np.asarray(by_product @ self._references + by_product.T @ self._embeddings)


def _soft_maximum(terms: Array, counted: Array) -> tuple[Array, Array]:
    """Return log sum exp of the terms of each row that count, -inf without any, and the softmax of its terms."""
    kept = np.where(counted, terms, -np.inf)
    most = np.max(kept, axis=1, keepdims=True, initial=-np.inf)
    shifted = np.exp(kept - np.where(np.isfinite(most), most, 0))
    sums = shifted.sum(axis=1, keepdims=True)
    found = sums > 0
    logs = np.log(sums, out=np.full_like(sums, -np.inf), where=found) + np.where(found, most, 0)
    return logs[:, 0], np.divide(shifted, sums, out=np.zeros_like(shifted), where=found)


@registry.register()
class Circle(Loss):
    """Bring embeddings of equal labels together and drive others apart, the more the worse they stand.

    With the distances `d_ij = max(1 - e_i . e_j, 0)` of embeddings of length 1:

    `v_i = log(1 + sum_j exp(gamma (m + d_ij) (d_ij - m)) sum_k exp(gamma (1 + m - d_ik)_+ (1 - m - d_ik)))`,

    m the margin, j over the other samples with i's label, k over those with other labels. A sample without either has
    the value 0. Samples whose value is 0 do not count in means, as in Keras. Put `layers.UnitNormalization` before it.

    Parameters
    ----------
    gamma : float > 0, default 80
    margin : float, default 0.4
    remove_diagonal : bool, default True
        Whether a sample is no pair with itself.
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> loss = Circle(gamma=1.0)
    >>> round(loss([0, 0, 1], [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]), 6)
    0.789009

    References
    ----------
    Y. Sun et al., "Circle Loss: A Unified Perspective of Pair Similarity Optimization", CVPR 2020.
    """

    couples_rows = True
    _options = ("gamma", "margin", "remove_diagonal")

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str = "circle",
        dtype: object = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.gamma = validation.positive_number(gamma, "gamma")
        self.margin = validation.number(margin, "margin")
        self.remove_diagonal = validation.boolean(remove_diagonal, "remove_diagonal")

    def call(self, y_true: object, y_pred: object) -> Array:
        """Compute the value of every row."""
        values: Array = self._recorded(self._pairs(y_true, y_pred).values, y_true, y_pred)
        return values

    def pullback(self, y_true: object, y_pred: object, delta: Array) -> Array:
        """Compute the derivative of `sum(delta * values)` with respect to the embeddings."""
        return self._pairs(y_true, y_pred).pullback(np.asarray(delta))

    def gradient(self, y_true: object, y_pred: Any) -> Array:
        """Compute the derivative of the sum of all values with respect to the embeddings."""
        return self.pullback(y_true, y_pred, np.ones(len(y_pred)))

    def coefficients(
        self, shape: tuple[int, ...], y_true: object = None, sample_weight: object = None, values: Array | None = None
    ) -> Array:
        """Return the factors of the reduction: see `Loss`; given the values, rows of value 0 do not count."""
        weights = super().coefficients(shape, None, sample_weight)
        if values is None or self.reduction in ("sum", "none", None):
            return weights
        counts = values > 0
        if self.reduction == "mean_with_sample_weight" and sample_weight is not None:
            share = weights[counts].sum()
        else:
            share = counts.mean()
        return np.asarray(weights * counts / share) if share else np.zeros(shape)

    def _pairs(self, y_true: object, y_pred: object) -> _Pairs:
        embeddings = as_float(y_pred, "y_pred", self.dtype)
        labels = validation.as_array(y_true, "y_true")
        if embeddings.ndim != 2 or labels.size != len(embeddings):
            raise ValueError(
                "y_pred must have one embedding a row, and y_true one label for each. "
                f"Received: y_true.shape={labels.shape}, y_pred.shape={embeddings.shape}"
            )
        return _Pairs(self, labels, embeddings, labels, embeddings)

    def prepare_target(self, y_true: Array, width: int, dtype: DTypeLike) -> Array:
        """Lay labels out in one column, whatever their number."""
        return np.ascontiguousarray(y_true.reshape(len(y_true), -1), dtype=dtype)


@function_form(Circle)
@knows_its_arguments
def circle(
    y_true: object,
    y_pred: object,
    ref_labels: object = None,
    ref_embeddings: object = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Array:
    loss = Circle(gamma, margin, remove_diagonal)
    if ref_embeddings is None and ref_labels is None:
        return loss.call(y_true, y_pred)
    labels, embeddings = validation.as_array(y_true, "y_true"), as_float(y_pred, "y_pred")
    others = labels if ref_labels is None else validation.as_array(ref_labels, "ref_labels")
    references = embeddings if ref_embeddings is None else as_float(ref_embeddings, "ref_embeddings", embeddings.dtype)
    values: Array = _Pairs(loss, labels, embeddings, others, references).values
    return values


if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
