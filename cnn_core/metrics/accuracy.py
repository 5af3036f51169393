"""Accuracy in all its forms: how often a prediction is the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import cnn_core.foundation.domains as domains
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array, same_rank
from cnn_core.foundation.exports import own_names
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.metrics.base import check_same_shape, registry
from cnn_core.metrics.means import MeanOf


@knows_its_arguments
def accuracy(y_true: object, y_pred: object) -> Array:
    """Tell element by element whether prediction and target are equal.

    Examples
    --------
    >>> accuracy([1, 2], [1.0, 3.0])
    array([1., 0.])
    """
    y_true, y_pred = same_rank(validation.as_array(y_true, "y_true"), validation.as_array(y_pred, "y_pred"))
    return np.asarray(y_true == y_pred, np.float64)


@knows_its_arguments
def binary_accuracy(y_true: object, y_pred: object, threshold: float = 0.5) -> Array:
    """Tell element by element whether `y_pred > threshold` where the target is 1, and not where it is 0.

    Examples
    --------
    >>> binary_accuracy([1, 1, 0], [0.6, 0.5, 0.2])
    array([1., 0., 1.])
    """
    y_true, y_pred = same_rank(validation.as_array(y_true, "y_true"), validation.as_array(y_pred, "y_pred"))
    return np.asarray(y_true == (y_pred > threshold), np.float64)


@knows_its_arguments
def categorical_accuracy(y_true: object, y_pred: object) -> Array:
    """Tell row by row whether target and prediction have their largest element at the same place.

    Examples
    --------
    >>> categorical_accuracy([[0, 1], [1, 0]], [[0.1, 0.9], [0.2, 0.8]])
    array([1., 0.])
    """
    y_true, y_pred = validation.as_array(y_true, "y_true"), validation.as_array(y_pred, "y_pred")
    check_same_shape(y_true, y_pred)
    return np.asarray(y_true.argmax(axis=-1) == y_pred.argmax(axis=-1), np.float64)


@knows_its_arguments
def sparse_categorical_accuracy(y_true: object, y_pred: object) -> Array:
    """Tell row by row whether the largest element of the prediction is at the label's place.

    Examples
    --------
    >>> sparse_categorical_accuracy([1, 0], [[0.1, 0.9], [0.2, 0.8]])
    array([1., 0.])
    """
    y_pred = validation.as_array(y_pred, "y_pred")
    return np.asarray(_labels_for(y_true, y_pred) == y_pred.argmax(axis=-1), np.float64)


@knows_its_arguments
def top_k_categorical_accuracy(y_true: object, y_pred: object, k: int = 5) -> Array:
    """Tell row by row whether the target's largest element is at one of the k largest places of the prediction.

    Examples
    --------
    >>> top_k_categorical_accuracy([[0, 0, 1], [0, 1, 0]], [[0.1, 0.7, 0.2], [0.5, 0.1, 0.4]], k=2)
    array([1., 0.])
    """
    y_true, y_pred = validation.as_array(y_true, "y_true"), validation.as_array(y_pred, "y_pred")
    check_same_shape(y_true, y_pred)
    return _in_top_k(y_true.argmax(axis=-1), y_pred, k)


@knows_its_arguments
def sparse_top_k_categorical_accuracy(
    y_true: object, y_pred: object, k: int = 5, from_sorted_ids: bool = False
) -> Array:
    """Tell row by row whether the label is at one of the k largest places of the prediction.

    With `from_sorted_ids`, predictions are labels themselves, the best first.

    Examples
    --------
    >>> sparse_top_k_categorical_accuracy([2, 1], [[0.1, 0.7, 0.2], [0.5, 0.1, 0.4]], k=2)
    array([1., 0.])
    """
    y_pred = validation.as_array(y_pred, "y_pred")
    labels = _labels_for(y_true, y_pred)
    if from_sorted_ids:
        return np.asarray((labels[..., None] == y_pred[..., :k]).any(axis=-1), np.float64)
    return _in_top_k(labels.astype(np.intp), y_pred, k)


def _labels_for(y_true: object, y_pred: Array) -> Array:
    y_true = validation.as_array(y_true, "y_true")
    labels: Array = y_true[..., 0] if y_true.ndim == y_pred.ndim and y_true.shape[-1:] == (1,) else y_true
    if labels.shape != y_pred.shape[:-1]:
        raise ValueError(
            "y_true must have one label per row of y_pred. "
            f"Received: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}"
        )
    return labels


def _in_top_k(labels: Array, y_pred: Array, k: int) -> Array:
    width = y_pred.shape[-1]
    if labels.size and not 0 <= labels.min() <= labels.max() < width:
        raise ValueError(f"y_true must have labels from 0 to {width - 1}. Received: {labels.min()} to {labels.max()}")
    k = min(validation.integer(k, "k", minimum=1), width)
    smallest = np.partition(y_pred, width - k, axis=-1)[..., width - k]
    return (np.take_along_axis(y_pred, labels[..., None], axis=-1)[..., 0] >= smallest).astype(np.float64)


@registry.register()
class Accuracy(MeanOf):
    """Average how often predictions equal targets.

    The string "accuracy" in `compile` does not mean this class but the one of the next three that fits the targets.

    Parameters
    ----------
    name : str, default "accuracy"
    dtype : str, default None

    Examples
    --------
    >>> Accuracy()([[1], [2], [3]], [[1], [2], [4]]).__round__(4)
    0.6667
    """

    _of = (accuracy,)

    def __init__(self, name: str | None = "accuracy", dtype: object = None) -> None:
        super().__init__(name, dtype)


@registry.register()
class BinaryAccuracy(MeanOf):
    """Average how often `y_pred > threshold` says what the target, 0 or 1, says.

    Parameters
    ----------
    name : str, default "binary_accuracy"
    dtype : str, default None
    threshold : float, default 0.5

    Examples
    --------
    >>> BinaryAccuracy()([1, 1, 0, 0], [0.98, 1.0, 0.0, 0.6])
    0.75
    """

    native = "binary_accuracy"
    domain = domains.UNIT
    _of = (binary_accuracy,)
    _options = ("threshold",)

    def __init__(self, name: str | None = "binary_accuracy", dtype: object = None, threshold: float = 0.5) -> None:
        self.threshold = validation.number(threshold, "threshold")
        super().__init__(name, dtype, threshold=self.threshold)

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """The threshold."""
        return (self.threshold,)


@registry.register()
class CategoricalAccuracy(MeanOf):
    """Average how often the largest element of the prediction is at the place of the target's, one-hot.

    Parameters
    ----------
    name : str, default "categorical_accuracy"
    dtype : str, default None

    Examples
    --------
    >>> CategoricalAccuracy()([[0, 1], [1, 0]], [[0.1, 0.9], [0.2, 0.8]])
    0.5
    """

    native = "categorical_accuracy"
    _of = (categorical_accuracy,)

    def __init__(self, name: str | None = "categorical_accuracy", dtype: object = None) -> None:
        super().__init__(name, dtype)


@registry.register()
class SparseCategoricalAccuracy(MeanOf):
    """Average how often the largest element of the prediction is at the label's place.

    Parameters
    ----------
    name : str, default "sparse_categorical_accuracy"
    dtype : str, default None

    Examples
    --------
    >>> SparseCategoricalAccuracy()([1, 0], [[0.1, 0.9], [0.2, 0.8]])
    0.5
    """

    native = "sparse_categorical_accuracy"
    expects_labels = True
    _of = (sparse_categorical_accuracy,)

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: object = None) -> None:
        super().__init__(name, dtype)


@registry.register()
class TopKCategoricalAccuracy(MeanOf):
    """Average how often the target's class, one-hot, is among the k most likely predictions.

    Parameters
    ----------
    k : int, default 5
    name : str, default "top_k_categorical_accuracy"
    dtype : str, default None

    Examples
    --------
    >>> TopKCategoricalAccuracy(k=2)([[0, 0, 1], [0, 1, 0]], [[0.1, 0.7, 0.2], [0.5, 0.1, 0.4]])
    0.5
    """

    _of = (top_k_categorical_accuracy,)
    _options = ("k",)

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: object = None) -> None:
        self.k = validation.positive_integer(k, "k")
        super().__init__(name, dtype, k=self.k)


@registry.register()
class SparseTopKCategoricalAccuracy(MeanOf):
    """Average how often the label is among the k most likely predictions.

    Parameters
    ----------
    k : int, default 5
    name : str, default "sparse_top_k_categorical_accuracy"
    dtype : str, default None
    from_sorted_ids : bool, default False
        Whether predictions are labels, the best first, rather than scores.

    Examples
    --------
    >>> SparseTopKCategoricalAccuracy(k=2)([2, 1], [[0.1, 0.7, 0.2], [0.5, 0.1, 0.4]])
    0.5
    """

    _of = (sparse_top_k_categorical_accuracy,)
    _options = ("k", "from_sorted_ids")

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: object = None,
        from_sorted_ids: bool = False,
    ) -> None:
        self.k = validation.positive_integer(k, "k")
        self.from_sorted_ids = validation.boolean(from_sorted_ids, "from_sorted_ids")
        super().__init__(name, dtype, k=self.k, from_sorted_ids=self.from_sorted_ids)


if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
