"""Intersection over union: how far the places predicted to be of a class are those that are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import EPSILON, Array
from cnn_core.foundation.exports import own_names
from cnn_core.metrics.base import Metric, check_same_shape, registry
from cnn_core.metrics.thresholds import weights_for


@registry.register()
class IoU(Metric):
    """Average the intersection over union of some classes, `tp / (tp + fp + fn)`, 1e-7 in the divisors.

    The mean is over those of the classes that occur in targets or predictions. Pairs of which one is none of the
    classes, 0 to `num_classes - 1`, do not count.

    Parameters
    ----------
    num_classes : int
    target_class_ids : sequence of int
        The classes to average.
    name : str, default None
    dtype : str, default None
        Weights are added up in float64 always (Keras: as whole numbers, unless a float type is asked for).
    ignore_class : int, default None
        A target that does not count, such as 255 for "unknown".
    sparse_y_true, sparse_y_pred : bool, default True
        Whether targets and predictions are labels; else the label is the place of the largest along `axis`.
    axis : int, default -1

    Examples
    --------
    >>> metric = IoU(num_classes=2, target_class_ids=[0])
    >>> round(metric([0, 0, 1, 1], [0, 1, 0, 1]), 6)
    0.333333
    >>> metric.total_cm.numpy()
    array([[1., 1.],
           [1., 1.]])
    """

    higher_is_better = True
    _options: ClassVar[tuple[str, ...]] = (
        "num_classes",
        "target_class_ids",
        "ignore_class",
        "sparse_y_true",
        "sparse_y_pred",
        "axis",
    )

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Iterable[int],
        name: str | None = None,
        dtype: object = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(dtype, name)
        self.num_classes = validation.positive_integer(num_classes, "num_classes")
        self.target_class_ids = [
            validation.integer(each, "target_class_ids", 0, self.num_classes - 1)
            for each in validation.integers(target_class_ids, "target_class_ids")
        ]
        self.ignore_class = None if ignore_class is None else validation.integer(ignore_class, "ignore_class")
        self.sparse_y_true = validation.boolean(sparse_y_true, "sparse_y_true")
        self.sparse_y_pred = validation.boolean(sparse_y_pred, "sparse_y_pred")
        self.axis = validation.integer(axis, "axis")
        self.total_cm = self.add_variable((self.num_classes, self.num_classes), name="total_confusion_matrix")

    def update_state(self, y_true: object, y_pred: object, sample_weight: object = None) -> None:
        """Add a batch of targets and predictions, with a weight for each sample or each label."""
        true = self._labels(y_true, "y_true", self.sparse_y_true)
        predicted = self._labels(y_pred, "y_pred", self.sparse_y_pred)
        if true.size == predicted.size:  # a column of labels is as good as a row
            predicted = predicted.reshape(true.shape)
        check_same_shape(true, predicted)
        n = self.num_classes
        counts = (true >= 0) & (true < n) & (predicted >= 0) & (predicted < n)
        if self.ignore_class is not None:
            counts &= true != self.ignore_class
        weights = np.broadcast_to(weights_for(sample_weight, true), true.shape)
        pairs = true[counts] * n + predicted[counts]
        self.total_cm.assign_add(np.bincount(pairs, weights[counts], n * n).reshape(n, n))

    def _labels(self, y: object, name: str, sparse: bool) -> Array:
        if sparse:
            return validation.as_whole_numbers(y, name)
        return np.asarray(validation.as_array(y, name).argmax(axis=self.axis))

    def result(self) -> float:
        """Return the mean over those of the target classes that occur, and 0 if none does."""
        pairs = self.total_cm.value
        intersections = np.diag(pairs)[self.target_class_ids]
        unions = (pairs.sum(axis=0) + pairs.sum(axis=1))[self.target_class_ids] - intersections
        occurs = unions > 0
        return float((intersections / (unions + EPSILON)).sum() / (occurs.sum() + EPSILON))


@registry.register()
class BinaryIoU(IoU):
    """Average the intersection over union of the classes 0 and 1, of scores: see `IoU`.

    Parameters
    ----------
    target_class_ids : sequence of int, default (0, 1)
    threshold : float, default 0.5
        Predictions of at least this size are of class 1.
    name : str, default None
    dtype : str, default None

    Examples
    --------
    >>> round(BinaryIoU(threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7]), 6)
    0.333333
    """

    _options = ("target_class_ids", "threshold")

    def __init__(
        self,
        target_class_ids: Iterable[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: object = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = validation.number(threshold, "threshold")

    def update_state(self, y_true: object, y_pred: object, sample_weight: object = None) -> None:
        """Add a batch of targets 0 and 1 and of scores."""
        super().update_state(y_true, validation.as_array(y_pred, "y_pred") >= self.threshold, sample_weight)


@registry.register()
class MeanIoU(IoU):
    """Average the intersection over union of all classes: see `IoU`.

    Parameters
    ----------
    num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis
        See `IoU`.

    Examples
    --------
    >>> round(MeanIoU(num_classes=3)([0, 0, 1, 1], [0, 1, 0, 1]), 6)
    0.333333
    """

    _options: ClassVar[tuple[str, ...]] = ("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: object = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        every = range(validation.positive_integer(num_classes, "num_classes"))
        super().__init__(num_classes, every, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)


@registry.register()
class OneHotIoU(IoU):
    """Average the intersection over union of some classes, of one-hot targets: see `IoU`.

    Parameters
    ----------
    num_classes, target_class_ids, name, dtype, ignore_class, axis
        See `IoU`.
    sparse_y_pred : bool, default False

    Examples
    --------
    >>> y = [[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]]
    >>> p = [[0.2, 0.3, 0.5], [0.1, 0.2, 0.7], [0.5, 0.3, 0.1], [0.1, 0.4, 0.5]]
    >>> round(OneHotIoU(num_classes=3, target_class_ids=[0, 2])(y, p), 6)
    0.166667
    """

    _options = ("num_classes", "target_class_ids", "ignore_class", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Iterable[int],
        name: str | None = None,
        dtype: object = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)


@registry.register()
class OneHotMeanIoU(MeanIoU):
    """Average the intersection over union of all classes, of one-hot targets: see `IoU`.

    Parameters
    ----------
    num_classes, name, dtype, ignore_class, axis
        See `IoU`.
    sparse_y_pred : bool, default False

    Examples
    --------
    >>> round(OneHotMeanIoU(num_classes=2)([[0, 1], [1, 0]], [[0.4, 0.6], [0.2, 0.8]]), 6)
    0.25
    """

    _options = ("num_classes", "ignore_class", "sparse_y_pred", "axis")

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: object = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)


if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
