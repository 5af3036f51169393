"""Losses as metrics, and Keras's function forms of the losses, which stand here too."""

from __future__ import annotations

import numpy as np

import cnn_core.foundation.domains as domains
import cnn_core.foundation.validation as validation
import cnn_core.losses as losses
from cnn_core.foundation.arrays import as_float, same_rank
from cnn_core.foundation.eager import EagerFloat
from cnn_core.metrics.base import check_same_shape, registry
from cnn_core.metrics.means import Mean


class _MeanLoss(Mean):
    """The mean of a loss's values, whatever the batches' sizes."""

    higher_is_better = False
    _loss: losses.Loss

    def __init__(self, loss: losses.Loss, name: str | None, dtype: object) -> None:
        super().__init__(name, dtype)
        self._loss = loss

    def _only_from_probabilities(self) -> None:
        # The core adds up values of probabilities on the last axis, of every row.
        if self._loss.axis != -1 or self._loss.ignore_class is not None or getattr(self._loss, "from_logits", False):
            self.native = None

    @property
    def domain(self) -> domains.Domain | None:  # type: ignore[override]
        """That of the loss."""
        return self._loss.domain

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """Those of the loss."""
        return self._loss.native_parameters

    def update_state(self, y_true: object, y_pred: object, sample_weight: object = None) -> None:  # type: ignore[override]
        """Add a batch."""
        super().update_state(self._loss.call(y_true, as_float(y_pred, "y_pred", self.dtype)), sample_weight)


@registry.register("mse", "MSE")
class MeanSquaredError(_MeanLoss):
    """Average the squared error: see `losses.MeanSquaredError`.

    Parameters
    ----------
    name : str, default "mean_squared_error"
    dtype : str, default None

    Examples
    --------
    >>> MeanSquaredError()([[0.0], [0.0]], [[1.0], [3.0]])
    5.0
    """

    native = "mean_squared_error"

    def __init__(self, name: str | None = "mean_squared_error", dtype: object = None) -> None:
        super().__init__(losses.MeanSquaredError(), name, dtype)


@registry.register("rmse", "RMSE")
class RootMeanSquaredError(_MeanLoss):
    """Take the root of the mean squared error over all batches.

    Parameters
    ----------
    name : str, default "root_mean_squared_error"
    dtype : str, default None

    Examples
    --------
    >>> RootMeanSquaredError()([[0.0], [0.0]], [[1.0], [7.0]])
    5.0
    """

    native = "mean_squared_error"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: object = None) -> None:
        super().__init__(losses.MeanSquaredError(), name, dtype)

    def update_state(self, y_true: object, y_pred: object, sample_weight: object = None) -> None:  # type: ignore[override]
        """Add a batch; weights may be as many as targets."""
        y_true, y_pred = self._pair(y_true, y_pred)
        check_same_shape(y_true, y_pred)
        Mean.update_state(self, np.square(y_pred - y_true), sample_weight)

    def result(self) -> EagerFloat:
        """Return the root of the mean."""
        return EagerFloat(np.sqrt(super().result()))


@registry.register("mae", "MAE")
class MeanAbsoluteError(_MeanLoss):
    """Average the absolute error: see `losses.MeanAbsoluteError`.

    Parameters
    ----------
    name : str, default "mean_absolute_error"
    dtype : str, default None

    Examples
    --------
    >>> MeanAbsoluteError()([[0.0], [0.0]], [[1.0], [3.0]])
    2.0
    """

    native = "mean_absolute_error"

    def __init__(self, name: str | None = "mean_absolute_error", dtype: object = None) -> None:
        super().__init__(losses.MeanAbsoluteError(), name, dtype)


@registry.register("mape", "MAPE")
class MeanAbsolutePercentageError(_MeanLoss):
    """Average the error in per cent of the target: see `losses.MeanAbsolutePercentageError`.

    Parameters
    ----------
    name : str, default "mean_absolute_percentage_error"
    dtype : str, default None

    Examples
    --------
    >>> MeanAbsolutePercentageError()([[2.0]], [[1.0]])
    50.0
    """

    native = "mean_absolute_percentage_error"

    def __init__(self, name: str | None = "mean_absolute_percentage_error", dtype: object = None) -> None:
        super().__init__(losses.MeanAbsolutePercentageError(), name, dtype)


@registry.register("msle", "MSLE")
class MeanSquaredLogarithmicError(_MeanLoss):
    """Average the squared error of logarithms: see `losses.MeanSquaredLogarithmicError`.

    Parameters
    ----------
    name : str, default "mean_squared_logarithmic_error"
    dtype : str, default None

    Examples
    --------
    >>> round(MeanSquaredLogarithmicError()([[0.0]], [[np.e - 1]]), 6)
    1.0
    """

    native = "mean_squared_logarithmic_error"

    def __init__(self, name: str | None = "mean_squared_logarithmic_error", dtype: object = None) -> None:
        super().__init__(losses.MeanSquaredLogarithmicError(), name, dtype)


@registry.register("logcosh", "log_cosh")
class LogCoshError(_MeanLoss):
    """Average the logarithm of cosh of the error: see `losses.LogCosh`.

    Parameters
    ----------
    name : str, default "logcosh"
    dtype : str, default None

    Examples
    --------
    >>> round(LogCoshError()([[0.0]], [[1.0]]), 6)
    0.433781
    """

    native = "log_cosh"

    def __init__(self, name: str | None = "logcosh", dtype: object = None) -> None:
        super().__init__(losses.LogCosh(), name, dtype)


@registry.register()
class Poisson(_MeanLoss):
    """Average the Poisson loss: see `losses.Poisson`.

    Parameters
    ----------
    name : str, default "poisson"
    dtype : str, default None

    Examples
    --------
    >>> Poisson()([[0.0]], [[1.5]])
    1.5
    """

    native = "poisson"

    def __init__(self, name: str | None = "poisson", dtype: object = None) -> None:
        super().__init__(losses.Poisson(), name, dtype)


@registry.register("kld", "KLD", "kullback_leibler_divergence")
class KLDivergence(_MeanLoss):
    """Average the divergence of distributions: see `losses.KLDivergence`.

    Parameters
    ----------
    name : str, default "kl_divergence"
    dtype : str, default None

    Examples
    --------
    >>> round(KLDivergence()([[0.5, 0.5]], [[0.25, 0.75]]), 6)
    0.143841
    """

    native = "kl_divergence"

    def __init__(self, name: str | None = "kl_divergence", dtype: object = None) -> None:
        super().__init__(losses.KLDivergence(), name, dtype)


@registry.register()
class Hinge(_MeanLoss):
    """Average the hinge loss: see `losses.Hinge`.

    Parameters
    ----------
    name : str, default "hinge"
    dtype : str, default None

    Examples
    --------
    >>> Hinge()([[0.0, 1.0]], [[0.5, 2.0]])
    0.75
    """

    def __init__(self, name: str | None = "hinge", dtype: object = None) -> None:
        super().__init__(losses.Hinge(), name, dtype)


@registry.register()
class SquaredHinge(_MeanLoss):
    """Average the squared hinge loss: see `losses.SquaredHinge`.

    Parameters
    ----------
    name : str, default "squared_hinge"
    dtype : str, default None

    Examples
    --------
    >>> SquaredHinge()([[0.0, 1.0]], [[0.5, 2.0]])
    1.125
    """

    def __init__(self, name: str | None = "squared_hinge", dtype: object = None) -> None:
        super().__init__(losses.SquaredHinge(), name, dtype)


@registry.register()
class CategoricalHinge(_MeanLoss):
    """Average the categorical hinge loss: see `losses.CategoricalHinge`.

    Parameters
    ----------
    name : str, default "categorical_hinge"
    dtype : str, default None

    Examples
    --------
    >>> CategoricalHinge()([[0.0, 1.0, 0.0]], [[0.5, 0.75, 0.25]])
    0.75
    """

    native = "categorical_hinge"

    def __init__(self, name: str | None = "categorical_hinge", dtype: object = None) -> None:
        super().__init__(losses.CategoricalHinge(), name, dtype)


@registry.register("bce", "BCE")
class BinaryCrossentropy(_MeanLoss):
    """Average the binary cross-entropy: see `losses.BinaryCrossentropy`.

    Parameters
    ----------
    name : str, default "binary_crossentropy"
    dtype : str, default None
    from_logits : bool, default False
    label_smoothing : float, default 0.0

    Examples
    --------
    >>> round(BinaryCrossentropy()([[1.0], [0.0]], [[0.75], [0.5]]), 6)
    0.490415
    """

    native = "binary_crossentropy"
    _options = ("from_logits", "label_smoothing")

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: object = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        loss = losses.BinaryCrossentropy(from_logits, label_smoothing)
        super().__init__(loss, name, dtype)
        self.from_logits, self.label_smoothing = loss.from_logits, loss.label_smoothing
        self._only_from_probabilities()


@registry.register()
class CategoricalCrossentropy(_MeanLoss):
    """Average the categorical cross-entropy: see `losses.CategoricalCrossentropy`.

    Parameters
    ----------
    name : str, default "categorical_crossentropy"
    dtype : str, default None
    from_logits : bool, default False
    label_smoothing : float, default 0.0
    axis : int, default -1

    Examples
    --------
    >>> round(CategoricalCrossentropy()([[0.0, 1.0]], [[0.75, 0.25]]), 6)
    1.386294
    """

    native = "categorical_crossentropy"
    _options = ("from_logits", "label_smoothing", "axis")

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: object = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ) -> None:
        loss = losses.CategoricalCrossentropy(from_logits, label_smoothing, axis)
        super().__init__(loss, name, dtype)
        self.from_logits, self.label_smoothing, self.axis = loss.from_logits, loss.label_smoothing, loss.axis
        self._only_from_probabilities()


@registry.register()
class SparseCategoricalCrossentropy(_MeanLoss):
    """Average the cross-entropy with labels: see `losses.SparseCategoricalCrossentropy`.

    Parameters
    ----------
    name : str, default "sparse_categorical_crossentropy"
    dtype : str, default None
    from_logits : bool, default False
    ignore_class : int or None, default None
        A label whose rows have the value 0. As in Keras they count in the mean, unless there are sample weights.
    axis : int, default -1

    Examples
    --------
    >>> round(SparseCategoricalCrossentropy()([1], [[0.75, 0.25]]), 6)
    1.386294
    """

    native = "sparse_categorical_crossentropy"
    expects_labels = True
    _options = ("from_logits", "ignore_class", "axis")

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: object = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        loss = losses.SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis)
        super().__init__(loss, name, dtype)
        self.from_logits, self.ignore_class, self.axis = loss.from_logits, loss.ignore_class, loss.axis
        self._only_from_probabilities()

    def update_state(self, y_true: object, y_pred: object, sample_weight: object = None) -> None:  # type: ignore[override]
        """Add a batch."""
        if sample_weight is not None and self.ignore_class is not None:
            weights, labels = same_rank(
                as_float(sample_weight, "sample_weight", np.float64), validation.as_array(y_true, "y_true")
            )
            sample_weight = weights * (labels != self.ignore_class)
        super().update_state(y_true, y_pred, sample_weight)


# Keras's function forms of the losses stand here too.
mean_squared_error = losses.mean_squared_error
mean_absolute_error = losses.mean_absolute_error
mean_absolute_percentage_error = losses.mean_absolute_percentage_error
mean_squared_logarithmic_error = losses.mean_squared_logarithmic_error
huber = losses.huber
log_cosh = losses.log_cosh
hinge = losses.hinge
squared_hinge = losses.squared_hinge
categorical_hinge = losses.categorical_hinge
kl_divergence = losses.kl_divergence
poisson = losses.poisson
binary_crossentropy = losses.binary_crossentropy
binary_focal_crossentropy = losses.binary_focal_crossentropy
categorical_crossentropy = losses.categorical_crossentropy
categorical_focal_crossentropy = losses.categorical_focal_crossentropy
sparse_categorical_crossentropy = losses.sparse_categorical_crossentropy
