"""Losses of margins: how far a score is on the right side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import cnn_core.foundation.domains as domains
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.exports import own_names
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.losses.base import Loss, function_form, registry


class _BinaryMargin(Loss):
    domain = domains.SIGNS

    def _fit_width(self, y_true: Array, width: int) -> Array:
        y_true = super()._fit_width(y_true, width)
        # As Keras: targets that are all 0 or 1 become -1 and 1, others are taken as they are.
        return 2 * y_true - 1 if np.isin(y_true, (0, 1)).all() else y_true


@registry.register()
class Hinge(_BinaryMargin):
    """Require a margin: `v = mean_j max(1 - y_j p_j, 0)` with targets -1 and 1 (0 and 1 are converted).

    Parameters
    ----------
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> Hinge()([[0.0, 1.0]], [[0.5, 2.0]])
    0.75
    """

    native = "hinge"

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "hinge", dtype: object = None
    ) -> None:
        super().__init__(name, reduction, dtype)


@function_form(Hinge)
@knows_its_arguments
def hinge(y_true: object, y_pred: object) -> Array:
    return Hinge().call(y_true, y_pred)


@registry.register()
class SquaredHinge(_BinaryMargin):
    """Require a margin and square what is missing: `v = mean_j max(1 - y_j p_j, 0)^2`; targets as for `Hinge`.

    Parameters
    ----------
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> SquaredHinge()([[-1.0, 1.0]], [[0.5, 2.0]])
    1.125
    """

    native = "squared_hinge"

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "squared_hinge", dtype: object = None
    ) -> None:
        super().__init__(name, reduction, dtype)


@function_form(SquaredHinge)
@knows_its_arguments
def squared_hinge(y_true: object, y_pred: object) -> Array:
    return SquaredHinge().call(y_true, y_pred)


@registry.register()
class CategoricalHinge(Loss):
    """Require a margin between the right class and the best wrong one.

    `v = max(neg - pos + 1, 0)`, `pos = sum_j y_j p_j`, `neg = max_j (1 - y_j) p_j`; targets are 0 and 1.

    Parameters
    ----------
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> CategoricalHinge()([[0.0, 1.0, 0.0]], [[0.5, 0.75, 0.25]])
    0.75
    """

    native = "categorical_hinge"
    domain = domains.ONE_HOT

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "categorical_hinge", dtype: object = None
    ) -> None:
        super().__init__(name, reduction, dtype)


@function_form(CategoricalHinge)
@knows_its_arguments
def categorical_hinge(y_true: object, y_pred: object) -> Array:
    return CategoricalHinge().call(y_true, y_pred)


if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
