"""The area under the ROC or the precision-recall curve."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.foundation.domains as domains
import cnn_core.foundation.validation as validation
from cnn_core.activations import sigmoid
from cnn_core.foundation.arrays import EPSILON, Array, as_float, divide
from cnn_core.foundation.eager import EagerFloat
from cnn_core.foundation.exports import own_names
from cnn_core.metrics.base import registry
from cnn_core.metrics.constrained import grid
from cnn_core.metrics.thresholds import MOST_THRESHOLDS, ConfusionMetric


@registry.register()
class AUC(ConfusionMetric):
    """Approximate the area under a curve by its points at some thresholds.

    The ROC curve has the true positive rate over the false positive rate, the PR curve precision over recall, the
    PRGAIN curve both as gains over the share of positives. "interpolation" takes the mean of neighbouring heights (for
    PR, it interpolates the counts instead: Davis and Goadrich 2006, "The relationship between precision-recall and ROC
    curves"), "minoring" the lower, "majoring" the higher.

    Parameters
    ----------
    num_thresholds : int or None, default 200
        At least 2; not used, and None if you like, where `thresholds` are given.
    curve : "ROC", "PR" or "PRGAIN", default "ROC"
    summation_method : "interpolation", "minoring" or "majoring", default "interpolation"
    name : str, default None
    dtype : str, default None
    thresholds : sequence of float, default None
        Between 0 and 1, instead of evenly placed ones; the two ends are added.
    multi_label : bool, default False
        Whether the columns are labels, each with an area of its own, of which the mean is returned.
    num_labels : int, default None
        Their number, which the first batch tells as well.
    label_weights : sequence of float, default None
        The labels' weights in the mean, or in the counts if they are not taken apart.
    from_logits : bool, default False

    Examples
    --------
    >>> AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    0.75
    """

    domain = domains.BINARY
    higher_is_better = True
    _options = ("num_thresholds", "curve", "summation_method", "multi_label", "num_labels", "label_weights")

    def __init__(
        self,
        num_thresholds: int | None = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: object = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(dtype, name)
        if num_thresholds is not None or thresholds is None:
            self.num_thresholds = validation.integer(num_thresholds, "num_thresholds", 2, MOST_THRESHOLDS)
        self.curve = validation.choice(
            curve.upper() if isinstance(curve, str) else curve, "curve", ("ROC", "PR", "PRGAIN")
        )
        self.summation_method = validation.choice(
            summation_method.lower() if isinstance(summation_method, str) else summation_method,
            "summation_method",
            ("interpolation", "minoring", "majoring"),
        )
        self.multi_label = validation.boolean(multi_label, "multi_label")
        self.num_labels = None if num_labels is None else validation.positive_integer(num_labels, "num_labels")
        if self.num_labels and not self.multi_label:
            raise ValueError(f"`num_labels` goes with multi_label=True only. Received: num_labels={num_labels}")
        self.label_weights = None if label_weights is None else as_float(label_weights, "label_weights", np.float64)
        self.from_logits = validation.boolean(from_logits, "from_logits")
        self.thresholds_given = thresholds
        self._place(thresholds)
        self._built = False
        if self.num_labels or not self.multi_label:
            self._build(self.num_labels)

    def _place(self, thresholds: Sequence[float] | None) -> None:
        if thresholds is None:
            inner = grid(self.num_thresholds)
        else:
            each_of = thresholds if isinstance(thresholds, Iterable) else [thresholds]
            inner = sorted(validation.number(each, "thresholds", minimum=0, maximum=1) for each in each_of)
            self.num_thresholds = len(inner) + 2
        self._use_thresholds([0.0, *inner, 1.0])
        # Beyond the ends, so that the first threshold takes all predictions and the last takes none.
        self._thresholds[0], self._thresholds[-1] = -EPSILON, 1 + EPSILON
        self._evenly = self._evenly or thresholds is None

    def _build(self, n_labels: int | None) -> None:
        self._make_totals(self.num_thresholds if n_labels is None else (self.num_thresholds, n_labels))
        self._built = True

    def update_state(self, y_true: object, y_pred: object, sample_weight: object = None) -> None:
        """Add a batch of targets 0 and 1 and of predictions from 0 to 1, or logits."""
        y_pred = as_float(y_pred, "y_pred", self.dtype)
        if self.from_logits:
            y_pred = sigmoid(y_pred)
        if self.multi_label and y_pred.ndim != 2:
            raise ValueError(f"AUC of several labels needs shape (n, labels). Received: y_pred.shape={y_pred.shape}")
        if not self._built:
            self._build(y_pred.shape[1])
        self._count(y_true, y_pred, sample_weight, self.multi_label, None if self.multi_label else self.label_weights)

    def result(self) -> EagerFloat:
        """Return the area."""
        if not self._built:
            return EagerFloat(0.0)
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._mean_over_labels(self._interpolated_pr())
        x, y = self._points()
        heights = {
            "interpolation": (y[:-1] + y[1:]) / 2,
            "minoring": np.minimum(y[:-1], y[1:]),
            "majoring": np.maximum(y[:-1], y[1:]),
        }[self.summation_method]
        return self._mean_over_labels((x[:-1] - x[1:]) * heights)

    def _points(self) -> tuple[Array, Array]:
        tp, fp = self.true_positives.value, self.false_positives.value
        tn, fn = self.true_negatives.value, self.false_negatives.value
        if self.curve == "ROC":
            return divide(fp, fp + tn), divide(tp, tp + fn)
        if self.curve == "PR":
            return divide(tp, tp + fn), divide(tp, tp + fp)
        scale = divide(tp + fn, tn + fp)
        recall_gain = np.where(tp == 0, 0.0, 1 - scale * divide(fn, tp))
        return np.maximum(recall_gain, 0), np.where(tp == 0, 1.0, 1 - scale * divide(fp, tp))

    def _interpolated_pr(self) -> Array:
        """Integrate precision between neighbouring thresholds, with tp growing linearly in tp + fp."""
        tp, fn = self.true_positives.value, self.false_negatives.value
        p = tp + self.false_positives.value
        d_tp, d_p = tp[:-1] - tp[1:], p[:-1] - p[1:]
        slope = divide(d_tp, np.maximum(d_p, 0))
        intercept = tp[1:] - slope * p[1:]
        ratio = np.where((p[:-1] > 0) & (p[1:] > 0), divide(p[:-1], np.maximum(p[1:], 0)), 1.0)
        return divide(slope * (d_tp + intercept * np.log(ratio)), np.maximum(tp[1:] + fn[1:], 0))

    def _mean_over_labels(self, terms: Array) -> EagerFloat:
        areas = terms.sum(axis=0)
        if self.multi_label and self.label_weights is not None:
            return EagerFloat(divide((areas * self.label_weights).sum(), self.label_weights.sum()))
        return EagerFloat(areas.mean())

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` builds an equal metric."""
        config = {**super().get_config(), "from_logits": self.from_logits}
        if self.label_weights is not None:
            config["label_weights"] = self.label_weights.tolist()
        if self.thresholds_given is not None:
            config["thresholds"] = self.thresholds[1:-1]
        return config


if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
