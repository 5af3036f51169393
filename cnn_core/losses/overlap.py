"""Losses of overlap: how much two sets of answers have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cnn_core.foundation.domains as domains
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.exports import own_names
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.losses.base import Loss, function_form, registry

if TYPE_CHECKING:
    from cnn_core.foundation.descriptions import LossDescription

_EPSILON = 1e-7  # Keras's


class _Overlap(Loss):
    """Sum over axes: by default over all of them, so that a batch has one value, which its mean weight multiplies."""

    axis: int | tuple[int, ...] | None  # type: ignore[assignment]

    def __init__(self, axis: int | Sequence[int] | None, name: str, reduction: str | None, dtype: object) -> None:
        super().__init__(name, reduction, dtype)
        listed = tuple(validation.integers(axis, "axis")) if isinstance(axis, (tuple, list)) else None
        self.axis = listed if listed is not None or axis is None else validation.integer(axis, "axis")
        if 0 in (listed or [self.axis]):
            raise ValueError(
                f"`axis` must be None, for whole batches, or axes of a sample, without 0. Received: {axis=}"
            )

    def describe(self, target_width: int, output: int = 0, weight: float = 1.0) -> LossDescription:
        """Return the loss as a plan hands it to the core; one value has no sum but itself."""
        described = super().describe(target_width, output, weight)
        if self.axis is None and described["reduction"] == "sum":
            described["reduction"] = "sum_over_batch_size"
        return described


@registry.register()
class Tversky(_Overlap):
    """Weigh false answers against right ones: `v = 1 - s / (s + alpha u + beta f + 1e-7)`.

    `s = sum y p` is what both have, `u = sum y (1 - p)` what the prediction lacks, `f = sum (1 - y) p` what it has too
    much; the sums run over `axis`. With one half for both weights it is `Dice`.

    Parameters
    ----------
    alpha : float >= 0, default 0.5
    beta : float >= 0, default 0.5
    reduction : str, default "sum_over_batch_size"
        See `Loss`.
    name : str, default "tversky"
    axis : int or tuple of int, default None
        None: all axes, so that there is one value for a whole batch. -1, for two-dimensional predictions: one a row.
    dtype
        See `Loss`.

    Examples
    --------
    >>> round(Tversky(0.3, 0.7, axis=-1)([[1.0, 0.0]], [[0.5, 0.5]]), 6)
    0.5
    >>> round(Tversky(0.0, 1.0)([[1.0], [0.0]], [[0.5], [0.25]]), 6)
    0.333333

    References
    ----------
    S. S. M. Salehi, D. Erdogmus, A. Gholipour, "Tversky Loss Function for Image Segmentation Using 3D Fully
    Convolutional Deep Networks", arXiv:1706.05721, 2017.
    """

    domain = domains.UNIT
    _options = ("alpha", "beta", "axis")

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str = "tversky",
        axis: int | Sequence[int] | None = None,
        dtype: object = None,
    ) -> None:
        super().__init__(axis, name, reduction, dtype)
        self.alpha = validation.number(alpha, "alpha", minimum=0)
        self.beta = validation.number(beta, "beta", minimum=0)

    def call(self, y_true: Any, y_pred: Any) -> Array:
        """Compute the values; of symbols, too."""
        shared = (y_true * y_pred).sum(axis=self.axis)
        lacking = (y_true * (1 - y_pred)).sum(axis=self.axis)
        false = ((1 - y_true) * y_pred).sum(axis=self.axis)
        values: Array = 1 - shared / (shared + self.alpha * lacking + self.beta * false + _EPSILON)
        return values


@registry.register()
class Dice(_Overlap):
    """Compare what two sets of answers share with their sizes: `v = 1 - 2 sum y p / (sum y + sum p + 1e-7)`.

    Parameters
    ----------
    reduction : str, default "sum_over_batch_size"
        See `Loss`.
    name : str, default "dice"
    axis : int or tuple of int, default None
        The axes of the sums. None: all, so that there is one value for a whole batch. -1, for two-dimensional
        predictions: one a row.
    dtype
        See `Loss`.

    Examples
    --------
    >>> round(Dice(axis=-1)([[1.0, 1.0], [0.0, 1.0]], [[0.5, 0.5], [0.0, 1.0]]), 6)
    0.166667
    >>> round(Dice()([[1.0, 1.0], [0.0, 1.0]], [[0.5, 0.5], [0.0, 1.0]]), 6)
    0.2
    """

    domain = domains.UNIT
    _options = ("axis",)

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "dice",
        axis: int | Sequence[int] | None = None,
        dtype: object = None,
    ) -> None:
        super().__init__(axis, name, reduction, dtype)

    def call(self, y_true: Any, y_pred: Any) -> Array:
        """Compute the values; of symbols, too."""
        sizes = y_true.sum(axis=self.axis) + y_pred.sum(axis=self.axis)
        values: Array = 1 - 2 * (y_true * y_pred).sum(axis=self.axis) / (sizes + _EPSILON)
        return values


@function_form(Dice)
@knows_its_arguments
def dice(y_true: object, y_pred: object, axis: int | Sequence[int] | None = None) -> Array:
    values: Array = Dice(reduction=None, axis=axis)(y_true, y_pred)
    return values


@function_form(Tversky)
@knows_its_arguments
def tversky(
    y_true: object, y_pred: object, alpha: float = 0.5, beta: float = 0.5, axis: int | Sequence[int] | None = None
) -> Array:
    values: Array = Tversky(alpha, beta, reduction=None, axis=axis)(y_true, y_pred)
    return values


if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
