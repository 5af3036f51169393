"""Counts of right and wrong answers at thresholds: precision, recall and their parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

import cnn_core.foundation.domains as domains
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import EPSILON, Array, as_float, divide
from cnn_core.metrics.base import Accumulator, Metric, check_same_shape, registry

MOST_THRESHOLDS = 1_000_000  # each is compared with every score
_ANSWERS = ("true_positives", "false_positives", "true_negatives", "false_negatives")
# Below every score: what a top-k filter leaves of the others.
_NEVER = -1e10


class ConfusionMetric(Metric):
    """A metric of true and false positives and negatives at one or more thresholds."""

    domain = domains.BINARY
    true_positives: Accumulator
    false_positives: Accumulator
    true_negatives: Accumulator
    false_negatives: Accumulator
    top_k: int | None = None
    class_id: int | None = None

    def _set_thresholds(self, thresholds: object, default: float = 0.5) -> None:
        """Keep the argument for the configuration, and read it as a list."""
        self.thresholds_given = thresholds
        if thresholds is None:
            self._use_thresholds([default])
            return
        each = list(thresholds) if isinstance(thresholds, Iterable) else [thresholds]
        self._use_thresholds([validation.number(t, "thresholds", minimum=0, maximum=1) for t in each])

    def _use_thresholds(self, thresholds: list[float]) -> None:
        self._thresholds = np.array(thresholds)
        self._evenly = len(thresholds) > 2 and bool(
            np.allclose(thresholds, np.linspace(0, 1, len(thresholds)), atol=EPSILON)
        )

    @property
    def thresholds(self) -> list[float]:
        """What a prediction must exceed to count as positive."""
        return [float(each) for each in self._thresholds]

    def _make_totals(self, shape: int | tuple[int, ...], names: Sequence[str] = _ANSWERS) -> None:
        """Make the totals that the result needs."""
        for name in names:
            setattr(self, name, self.add_variable(shape, name=name))

    def update_state(self, y_true: object, y_pred: object, sample_weight: object = None) -> None:
        """Add a batch of targets 0 and 1 and of predictions from 0 to 1."""
        self._count(y_true, y_pred, sample_weight)

    def _count(
        self,
        y_true: object,
        y_pred: object,
        sample_weight: object,
        by_label: bool = False,
        label_weights: Array | None = None,
    ) -> None:
        y_pred, y_true = self._prepare(y_true, y_pred)
        weights = weights_for(sample_weight, y_true)
        if self.class_id is not None:
            y_true, y_pred = _one_class(y_true, self.class_id), _one_class(y_pred, self.class_id)
        check_same_shape(y_true, y_pred)
        weights = np.broadcast_to(weights if label_weights is None else weights * label_weights, y_pred.shape)
        n_labels = y_pred.shape[-1] if by_label else 1
        positive = (y_true != 0).reshape(-1, n_labels)
        exceeded = self._n_exceeded(y_pred).reshape(-1, n_labels)
        weights = weights.reshape(-1, n_labels)
        tp, p = self._at_thresholds(exceeded, weights * positive)
        fp, n = self._at_thresholds(exceeded, weights * ~positive)
        for name, seen in zip(_ANSWERS, (tp, fp, n - fp, p - tp), strict=True):
            total = getattr(self, name, None)
            if total is not None:
                total.assign_add(seen.reshape(total.shape))

    def _prepare(self, y_true: object, y_pred: object) -> tuple[Array, Array]:
        y_true, y_pred = self._pair(y_true, y_pred)
        y_pred = np.where(np.isnan(y_pred), y_pred.dtype.type(-np.inf), y_pred)
        if self.top_k is not None:
            best = np.argsort(-y_pred, axis=-1, kind="stable")[..., : self.top_k]
            kept = np.zeros(y_pred.shape, bool)
            np.put_along_axis(kept, best, True, axis=-1)
            y_pred = np.where(kept, y_pred, y_pred.dtype.type(_NEVER))
        return y_pred, y_true

    def _n_exceeded(self, y_pred: Array) -> Array:
        """Count for every prediction how many thresholds, from the lowest, it exceeds."""
        if not self._evenly:
            return np.searchsorted(np.sort(self._thresholds.astype(y_pred.dtype)), y_pred, side="left")
        # As Keras, in the type of the predictions: a prediction on a threshold falls to the same side of it.
        n = np.ceil(np.clip(y_pred, 0, 1) * y_pred.dtype.type(len(self._thresholds) - 1)).astype(np.intp)
        return np.asarray(np.maximum(n, 1) if self._thresholds[0] < 0 else n)

    def _at_thresholds(self, exceeded: Array, weights: Array) -> tuple[Array, Array]:
        """Sum weights of predictions above each threshold, (thresholds, labels), and of all, (labels)."""
        n_thresholds, n_labels = len(self._thresholds), exceeded.shape[1]
        cells = exceeded * n_labels + np.arange(n_labels)
        sums = np.bincount(cells.ravel(), weights.ravel(), (n_thresholds + 1) * n_labels).reshape(-1, n_labels)
        above = np.empty((n_thresholds, n_labels))
        order = np.argsort(self._thresholds, kind="stable")
        above[order] = sums[:0:-1].cumsum(axis=0)[::-1]
        return above, sums.sum(axis=0)

    def _only(self, values: Array) -> float | Array:
        return float(values[0]) if len(values) == 1 else values


def weights_for(sample_weight: object, y_true: Array) -> Array:
    """Read weights such that they broadcast against targets: one per sample, or one per target."""
    if sample_weight is None:
        return np.ones(())
    weights = as_float(sample_weight, "sample_weight", np.float64)
    if weights.ndim == y_true.ndim - 1:
        weights = weights[..., None]
    elif weights.ndim == y_true.ndim + 1 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    try:
        np.broadcast_to(weights, y_true.shape)
    except ValueError:
        raise ValueError(
            "sample_weight must have one weight per sample. "
            f"Received: sample_weight.shape={weights.shape}, y_true.shape={y_true.shape}"
        ) from None
    return weights


def _one_class(values: Array, class_id: int) -> Array:
    if values.ndim < 2 or class_id >= values.shape[-1]:
        raise ValueError(
            f"`class_id` must be a column of targets of shape (n, classes). "
            f"Received: class_id={class_id}, shape {values.shape}"
        )
    return values[..., class_id, None]


class _ConditionCount(ConfusionMetric):
    """The number of one kind of answer at the thresholds."""

    _counts: ClassVar[str]
    _options = ("thresholds",)

    def __init__(self, thresholds: object = None, name: str | None = None, dtype: object = None) -> None:
        super().__init__(dtype, name)
        self._set_thresholds(thresholds)
        self._make_totals(len(self._thresholds), [self._counts])

    def result(self) -> Any:
        """Return the count, or one for each threshold."""
        return self._only(getattr(self, self._counts).value.copy())

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` builds an equal metric."""
        return {**super().get_config(), "thresholds": self.thresholds_given}


@registry.register()
class TruePositives(_ConditionCount):
    """Count the weight of targets 1 that are predicted above the threshold.

    Parameters
    ----------
    thresholds : float or sequence of float, default None
        From 0 to 1; None is 0.5.
    name : str, default None
    dtype : str, default None

    Examples
    --------
    >>> TruePositives()([0, 1, 1, 1], [1, 0, 1, 1])
    2.0
    """

    _counts = "true_positives"


@registry.register()
class TrueNegatives(_ConditionCount):
    """Count the weight of targets 0 that are not predicted above the threshold.

    Parameters
    ----------
    thresholds, name, dtype
        See `TruePositives`.

    Examples
    --------
    >>> TrueNegatives()([0, 0, 1, 1], [1, 0, 1, 1])
    1.0
    """

    _counts = "true_negatives"


@registry.register()
class FalsePositives(_ConditionCount):
    """Count the weight of targets 0 that are predicted above the threshold.

    Parameters
    ----------
    thresholds, name, dtype
        See `TruePositives`.

    Examples
    --------
    >>> FalsePositives()([0, 0, 1, 1], [1, 0, 1, 1])
    1.0
    """

    _counts = "false_positives"


@registry.register()
class FalseNegatives(_ConditionCount):
    """Count the weight of targets 1 that are not predicted above the threshold.

    Parameters
    ----------
    thresholds, name, dtype
        See `TruePositives`.

    Examples
    --------
    >>> FalseNegatives(thresholds=[0.2, 0.8])([1, 1, 1], [0.1, 0.5, 0.9])
    array([1., 2.])
    """

    _counts = "false_negatives"


class _Ratio(ConfusionMetric):
    """True positives as a share of what the class says."""

    higher_is_better = True
    _options = ("thresholds", "top_k", "class_id")
    _wrong: ClassVar[str]  # what stands beside the true positives below the line

    def __init__(
        self,
        thresholds: object = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: object = None,
    ) -> None:
        super().__init__(dtype, name)
        self.top_k = None if top_k is None else validation.positive_integer(top_k, "top_k")
        self.class_id = None if class_id is None else validation.integer(class_id, "class_id", minimum=0)
        self._set_thresholds(thresholds, 0.5 if top_k is None else _NEVER)
        self._make_totals(len(self._thresholds), ["true_positives", self._wrong])

    def result(self) -> Any:
        """Return the share, or one for each threshold."""
        tp = self.true_positives.value
        return self._only(divide(tp, tp + getattr(self, self._wrong).value))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` builds an equal metric."""
        return {**super().get_config(), "thresholds": self.thresholds_given}


@registry.register()
class Precision(_Ratio):
    """Measure how many of the positive predictions are right: `tp / (tp + fp)`; 0 if there are none.

    Parameters
    ----------
    thresholds : float or sequence of float, default None
        From 0 to 1; None is 0.5, or with `top_k` none at all.
    top_k : int, default None
        Only the k largest predictions of a row may be positive.
    class_id : int, default None
        Only this class counts.
    name : str, default None
    dtype : str, default None

    Examples
    --------
    >>> round(Precision()([0, 1, 1, 1], [1, 0, 1, 1]), 6)
    0.666667
    """

    _wrong = "false_positives"


@registry.register()
class Recall(_Ratio):
    """Measure how many of the targets 1 are found: `tp / (tp + fn)`; 0 if there are none.

    Parameters
    ----------
    thresholds, top_k, class_id, name, dtype
        See `Precision`.

    Examples
    --------
    >>> round(Recall()([0, 1, 1, 1], [1, 0, 1, 1]), 6)
    0.666667
    """

    _wrong = "false_negatives"
