"""The best of one rate where another one is at least so high."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array, divide
from cnn_core.foundation.eager import EagerFloat
from cnn_core.metrics.base import registry
from cnn_core.metrics.thresholds import MOST_THRESHOLDS, ConfusionMetric


def grid(n: int) -> list[float]:
    """Place thresholds evenly between 0 and 1, both left out."""
    return [(i + 1) / (n - 1) for i in range(n - 2)]


class _BestUnderConstraint(ConfusionMetric):
    """The largest value of one rate over the thresholds at which another reaches a bound."""

    higher_is_better = True
    _bound: ClassVar[str]

    def __init__(
        self,
        bound: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: object = None,
    ) -> None:
        super().__init__(dtype, name)
        setattr(self, self._bound, validation.fraction(bound, self._bound))
        self.num_thresholds = validation.integer(num_thresholds, "num_thresholds", 1, MOST_THRESHOLDS)
        self.class_id = None if class_id is None else validation.integer(class_id, "class_id", minimum=0)
        self._use_thresholds([0.5] if num_thresholds == 1 else [0.0, *grid(num_thresholds), 1.0])
        self._make_totals(len(self._thresholds))

    def _sensitivity(self) -> Array:
        return divide(self.true_positives.value, self.true_positives.value + self.false_negatives.value)

    def _specificity(self) -> Array:
        return divide(self.true_negatives.value, self.true_negatives.value + self.false_positives.value)

    def _precision(self) -> Array:
        return divide(self.true_positives.value, self.true_positives.value + self.false_positives.value)

    def _best(self, values: Array, bounded: Array) -> EagerFloat:
        return EagerFloat(np.where(bounded >= getattr(self, self._bound), values, 0).max())

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` builds an equal metric."""
        own = {
            self._bound: getattr(self, self._bound),
            "num_thresholds": self.num_thresholds,
            "class_id": self.class_id,
        }
        return {**super().get_config(), **own}


@registry.register()
class SensitivityAtSpecificity(_BestUnderConstraint):
    """Find the best sensitivity `tp / (tp + fn)` with a specificity `tn / (tn + fp)` of at least a bound.

    Parameters
    ----------
    specificity : float
        From 0 to 1.
    num_thresholds : int, default 200
    class_id : int, default None
    name : str, default None
    dtype : str, default None

    Examples
    --------
    >>> SensitivityAtSpecificity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
    0.5
    """

    _bound = "specificity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: object = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)

    def result(self) -> EagerFloat:
        """Return the best sensitivity."""
        return self._best(self._sensitivity(), self._specificity())


@registry.register()
class SpecificityAtSensitivity(_BestUnderConstraint):
    """Find the best specificity `tn / (tn + fp)` with a sensitivity `tp / (tp + fn)` of at least a bound.

    Parameters
    ----------
    sensitivity : float
        From 0 to 1.
    num_thresholds, class_id, name, dtype
        See `SensitivityAtSpecificity`.

    Examples
    --------
    >>> round(SpecificityAtSensitivity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]), 6)
    0.666667
    """

    _bound = "sensitivity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: object = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)

    def result(self) -> EagerFloat:
        """Return the best specificity."""
        return self._best(self._specificity(), self._sensitivity())


@registry.register()
class PrecisionAtRecall(_BestUnderConstraint):
    """Find the best precision `tp / (tp + fp)` with a recall `tp / (tp + fn)` of at least a bound.

    Parameters
    ----------
    recall : float
        From 0 to 1.
    num_thresholds, class_id, name, dtype
        See `SensitivityAtSpecificity`.

    Examples
    --------
    >>> PrecisionAtRecall(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])
    0.5
    """

    _bound = "recall"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: object = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)

    def result(self) -> EagerFloat:
        """Return the best precision."""
        return self._best(self._precision(), self._sensitivity())


@registry.register()
class RecallAtPrecision(_BestUnderConstraint):
    """Find the best recall `tp / (tp + fn)` with a precision `tp / (tp + fp)` of at least a bound.

    Parameters
    ----------
    precision : float
        From 0 to 1.
    num_thresholds, class_id, name, dtype
        See `SensitivityAtSpecificity`.

    Examples
    --------
    >>> RecallAtPrecision(0.8)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
    0.5
    """

    _bound = "precision"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: object = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)

    def result(self) -> EagerFloat:
        """Return the best recall."""
        return self._best(self._sensitivity(), self._precision())
