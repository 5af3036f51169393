"""Losses of probabilities: divergence and the crossentropies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.foundation.domains as domains
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.exports import own_names
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.losses.base import Loss, function_form, registry


@registry.register("kld", "KLD", "kullback_leibler_divergence")
class KLDivergence(Loss):
    """Compare distributions: `v = sum_j y_j log(y_j / p_j)`, both clipped to the range from 1e-7 to 1.

    Parameters
    ----------
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> round(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]]), 6)
    0.143841
    """

    native = "kl_divergence"
    domain = domains.DISTRIBUTION

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "kl_divergence", dtype: object = None
    ) -> None:
        super().__init__(name, reduction, dtype)


@function_form(KLDivergence)
@knows_its_arguments
def kl_divergence(y_true: object, y_pred: object) -> Array:
    return KLDivergence().call(y_true, y_pred)


kld = kl_divergence


@registry.register("bce", "BCE")
class BinaryCrossentropy(Loss):
    """Average the cross-entropy of independent yes-or-no answers: `v = mean_j -(t_j log p_j + (1 - t_j) log(1 - p_j))`.

    `t = y (1 - e) + e / 2` with e the label smoothing. Probabilities are clipped to the range from 1e-7 to 1 - 1e-7;
    logits z stand for `p = sigmoid(z)` and need no clipping: `v = mean_j max(z, 0) - z t + log(1 + exp(-|z|))`,
    `dv/dz_j = (p_j - t_j) / k`. A model whose last activation is sigmoid is trained from its logits either way.

    Parameters
    ----------
    from_logits : bool, default False
        Whether predictions are logits rather than probabilities.
    label_smoothing : float, default 0.0
        From 0 to 1.
    axis : int, default -1
        The axis of the outputs.
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> round(BinaryCrossentropy()([[1.0], [0.0]], [[0.75], [0.5]]), 6)
    0.490415
    >>> BinaryCrossentropy(from_logits=True)([[1.0]], [[-1e4]])
    10000.0
    """

    native = "binary_crossentropy"
    domain = domains.UNIT
    _options = ("from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "binary_crossentropy",
        dtype: object = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = validation.boolean(from_logits, "from_logits")
        self.label_smoothing = validation.fraction(label_smoothing, "label_smoothing")
        self._set_axis(axis)

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """from_logits, label_smoothing."""
        return float(self.from_logits), self.label_smoothing


@function_form(BinaryCrossentropy)
@knows_its_arguments
def binary_crossentropy(
    y_true: object, y_pred: object, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    return BinaryCrossentropy(from_logits, label_smoothing, axis).call(y_true, y_pred)


bce = binary_crossentropy


@registry.register()
class CategoricalCrossentropy(Loss):
    """Take the cross-entropy of one choice among k classes, targets one-hot or probabilities: `v = -sum_j t_j log p_j`.

    `t = y (1 - e) + e / k` with e the label smoothing. Predicted probabilities are divided by their sum, then clipped
    to the range from 1e-7 to 1 - 1e-7; logits z stand for `p = softmax(z)` and need neither, `dv/dz = p sum_j t_j - t`.
    A model whose last activation is softmax is trained from its logits either way.

    Parameters
    ----------
    from_logits : bool, default False
        Whether predictions are logits rather than probabilities.
    label_smoothing : float, default 0.0
        From 0 to 1.
    axis : int, default -1
        The axis of the classes.
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> round(CategoricalCrossentropy()([[0.0, 1.0]], [[0.75, 0.25]]), 6)
    1.386294
    >>> CategoricalCrossentropy(from_logits=True)([[0.0, 1.0]], [[1e4, 0.0]])
    10000.0
    """

    native = "categorical_crossentropy"
    domain = domains.DISTRIBUTION
    _options = ("from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_crossentropy",
        dtype: object = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = validation.boolean(from_logits, "from_logits")
        self.label_smoothing = validation.fraction(label_smoothing, "label_smoothing")
        self._set_axis(axis)

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """from_logits, label_smoothing."""
        return float(self.from_logits), self.label_smoothing


@function_form(CategoricalCrossentropy)
@knows_its_arguments
def categorical_crossentropy(
    y_true: object, y_pred: object, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Array:
    return CategoricalCrossentropy(from_logits, label_smoothing, axis).call(y_true, y_pred)


@registry.register()
class SparseCategoricalCrossentropy(Loss):
    """Take the cross-entropy of one choice among k classes, targets as labels 0..k - 1: `v = -log p_y`.

    Probabilities and logits are treated as by `CategoricalCrossentropy`.

    Parameters
    ----------
    from_logits : bool, default False
        Whether predictions are logits rather than probabilities.
    ignore_class : int or None, default None
        A label whose rows have the value 0 and do not count in a mean.
    reduction : str, default "sum_over_batch_size"
    axis : int, default -1
        The axis of the classes.
    name, dtype
        See `Loss`.

    Examples
    --------
    >>> round(SparseCategoricalCrossentropy()([1], [[0.75, 0.25]]), 6)
    1.386294
    >>> round(SparseCategoricalCrossentropy(ignore_class=-1)([1, -1], [[0.75, 0.25], [0.5, 0.5]]), 6)
    1.386294
    """

    native = "sparse_categorical_crossentropy"
    expects_labels = True
    _options = ("from_logits", "ignore_class", "axis")

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str = "sparse_categorical_crossentropy",
        dtype: object = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = validation.boolean(from_logits, "from_logits")
        self.ignore_class = None if ignore_class is None else validation.integer(ignore_class, "ignore_class")
        self._set_axis(axis)

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """from_logits, ignore_class (NaN: none)."""
        return float(self.from_logits), np.nan if self.ignore_class is None else float(self.ignore_class)


@function_form(SparseCategoricalCrossentropy)
@knows_its_arguments
def sparse_categorical_crossentropy(
    y_true: object, y_pred: object, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Array:
    return SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis).call(y_true, y_pred)


@registry.register()
class BinaryFocalCrossentropy(Loss):
    """Weigh down the yes-or-no answers that are right already: `v = mean_j a_j (1 - q_j)^gamma bce_j`.

    `q_j = t_j p_j + (1 - t_j) (1 - p_j)` is the probability of the truth, `bce_j` the binary cross-entropy and
    `a_j = t_j alpha + (1 - t_j) (1 - alpha)` with class balancing, else 1. (Lin et al. 2017, "Focal Loss for Dense
    Object Detection".)

    Parameters
    ----------
    apply_class_balancing : bool, default False
    alpha : float, default 0.25
        The weight of class 1; from 0 to 1.
    gamma : float, default 2.0
        At least 0; 0 gives the binary cross-entropy.
    from_logits : bool, default False
    label_smoothing : float, default 0.0
    axis : int, default -1
        The axis of the outputs.
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> round(BinaryFocalCrossentropy()([[1.0]], [[0.75]]), 6)  # 0.0625 times -log(0.75)
    0.01798
    """

    native = "binary_focal_crossentropy"
    domain = domains.UNIT
    _options = ("apply_class_balancing", "alpha", "gamma", "from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "binary_focal_crossentropy",
        dtype: object = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.apply_class_balancing = validation.boolean(apply_class_balancing, "apply_class_balancing")
        self.alpha = validation.fraction(alpha, "alpha")
        self.gamma = validation.number(gamma, "gamma", minimum=0)
        self.from_logits = validation.boolean(from_logits, "from_logits")
        self.label_smoothing = validation.fraction(label_smoothing, "label_smoothing")
        self._set_axis(axis)

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """from_logits, label_smoothing, apply_class_balancing, alpha, gamma."""
        return (
            float(self.from_logits),
            self.label_smoothing,
            float(self.apply_class_balancing),
            self.alpha,
            self.gamma,
        )


@function_form(BinaryFocalCrossentropy)
@knows_its_arguments
def binary_focal_crossentropy(
    y_true: object,
    y_pred: object,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    loss = BinaryFocalCrossentropy(apply_class_balancing, alpha, gamma, from_logits, label_smoothing, axis)
    return loss.call(y_true, y_pred)


@registry.register()
class CategoricalFocalCrossentropy(Loss):
    """Weigh down the choices that are right already: `v = -sum_j alpha (1 - p_j)^gamma t_j log p_j`.

    Targets and predictions are treated as by `CategoricalCrossentropy`, logits through softmax.

    Parameters
    ----------
    alpha : float, default 0.25
        At least 0.
    gamma : float, default 2.0
        At least 0.
    from_logits : bool, default False
    label_smoothing : float, default 0.0
    axis : int, default -1
        The axis of the classes.
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> round(CategoricalFocalCrossentropy()([[1.0, 0.0]], [[0.75, 0.25]]), 6)  # 0.25 / 16 times -log(0.75)
    0.004495
    """

    native = "categorical_focal_crossentropy"
    domain = domains.DISTRIBUTION
    _options = ("alpha", "gamma", "from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_focal_crossentropy",
        dtype: object = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.alpha = validation.number(alpha, "alpha", minimum=0)
        self.gamma = validation.number(gamma, "gamma", minimum=0)
        self.from_logits = validation.boolean(from_logits, "from_logits")
        self.label_smoothing = validation.fraction(label_smoothing, "label_smoothing")
        self._set_axis(axis)

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """from_logits, label_smoothing, alpha, gamma."""
        return float(self.from_logits), self.label_smoothing, self.alpha, self.gamma


@function_form(CategoricalFocalCrossentropy)
@knows_its_arguments
def categorical_focal_crossentropy(
    y_true: object,
    y_pred: object,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    return CategoricalFocalCrossentropy(alpha, gamma, from_logits, label_smoothing, axis).call(y_true, y_pred)


@registry.register("ce", "crossentropy")
class CrossentropyByTarget(Loss):
    """Stand for the cross-entropy that fits the target; `resolve` puts the right one in its place.

    One output: binary; labels: sparse categorical; rows as wide as the output: categorical.

    Parameters
    ----------
    from_logits : bool, default False
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> round(CrossentropyByTarget()([1], [[0.75, 0.25]]), 6)
    1.386294
    """

    _options = ("from_logits",)

    def __init__(
        self,
        from_logits: bool = False,
        reduction: str | None = "sum_over_batch_size",
        name: str = "crossentropy",
        dtype: object = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.from_logits = validation.boolean(from_logits, "from_logits")

    def for_shapes(self, width: int, y_true_shape: tuple[int | None, ...]) -> Loss:
        """Return the loss for `width` outputs and targets of a shape."""
        if width == 1:
            kind: type[Any] = BinaryCrossentropy
        elif len(y_true_shape) < 2 or y_true_shape[-1] == 1:
            kind = SparseCategoricalCrossentropy
        else:
            kind = CategoricalCrossentropy
        loss: Loss = kind(from_logits=self.from_logits, reduction=self.reduction, name=self.name, dtype=self.dtype)
        return loss

    def __call__(self, y_true: object, y_pred: object, sample_weight: object = None) -> Any:
        """Reduce the values of all rows of the loss that fits."""
        return self._fitting(y_true, y_pred)(y_true, y_pred, sample_weight)

    def call(self, y_true: object, y_pred: object) -> Array:
        """Compute the value of every row."""
        return self._fitting(y_true, y_pred).call(y_true, y_pred)

    def gradient(self, y_true: object, y_pred: object) -> Array:
        """Compute the derivative of every row's value with respect to the row's predictions."""
        return self._fitting(y_true, y_pred).gradient(y_true, y_pred)

    def _fitting(self, y_true: Any, y_pred: Any) -> Loss:
        shape = np.shape(y_pred)
        if not shape:
            raise ValueError("y_pred must have at least one axis, shape (n, outputs). Received: y_pred.shape=()")
        return self.for_shapes(shape[-1], np.shape(y_true))


@registry.register()
class CategoricalGeneralizedCrossEntropy(Loss):
    """Let wrong labels count for less than crossentropy does: `v = (1 - p_y^q) / q`, p_y the label's probability.

    Near q = 0 it is the crossentropy, near 1 the absolute error. A probability below 0 counts as 0; at 0 the slope,
    which would be infinite, is that at 1e-7.

    Parameters
    ----------
    q : float, default 0.5
        Above 0 and below 1.
    reduction, name, dtype
        See `Loss`.

    Examples
    --------
    >>> CategoricalGeneralizedCrossEntropy()([1], [[0.75, 0.25]])
    1.0

    References
    ----------
    Z. Zhang, M. Sabuncu, "Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels", NeurIPS
    2018.
    """

    native = "categorical_generalized_cross_entropy"
    expects_labels = True
    _options = ("q",)

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_generalized_cross_entropy",
        dtype: object = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.q = validation.fraction(q, "q", include_zero=False, include_one=False)

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """No logits, no class that is ignored, q."""
        return 0.0, np.nan, self.q


@function_form(CategoricalGeneralizedCrossEntropy)
@knows_its_arguments
def categorical_generalized_cross_entropy(y_true: object, y_pred: object, q: float) -> Array:
    return CategoricalGeneralizedCrossEntropy(q).call(y_true, y_pred)


if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
