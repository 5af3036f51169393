"""Metrics: what is reported but not trained on. Floor 3.

A metric adds up over batches, in float64, and gives its result at any time. Those that are a weighted mean of a value
per row can be added up natively: `native` and `native_parameters` are what a plan hands to the core, whose totals
`Mean.accumulate` takes in. The others are NumPy on the predictions.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

import cnn_core.domains as domains
import cnn_core.left_out as left_out
import cnn_core.losses as losses
import cnn_core.validation as validation
from cnn_core.activations import sigmoid
from cnn_core.arrays import EPSILON, Array, as_float, divide, same_rank
from cnn_core.serialization import CustomObjects, Registry, snake_case
from cnn_core.serialization import serialize as _as_data

_registry = Registry("metric")


class Accumulator(NDArrayOperatorsMixin):
    """Hold a number or an array that a metric adds up, in float64. NumPy's functions and operators accept it.

    Examples
    --------
    >>> total = Accumulator("total")
    >>> total.assign_add(2.5)
    >>> float(total), float(total / 2)
    (2.5, 1.25)
    """

    def __init__(self, name: str = "variable", shape: int | Sequence[int] = (), value: float = 0.0) -> None:
        self.name = name
        self._initial = value
        self.value: Array = np.full(tuple(shape) if isinstance(shape, (tuple, list)) else shape, value, np.float64)

    def assign(self, value: Any) -> None:
        """Replace the value by one that can be broadcast to its shape."""
        given = np.array(value, np.float64)
        self.value = given if given.shape == self.value.shape else np.broadcast_to(given, self.value.shape).copy()

    def assign_add(self, value: Any) -> None:
        """Add to the value."""
        self.assign(self.value + np.asarray(value))

    def assign_sub(self, value: Any) -> None:
        """Subtract from the value."""
        self.assign(self.value - np.asarray(value))

    def reset(self) -> None:
        """Go back to the value of the beginning."""
        self.value = np.full(self.value.shape, self._initial, np.float64)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return tuple(self.value.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the value, float64."""
        return self.value.dtype

    def numpy(self) -> Array:
        """Return a copy of the value."""
        return self.value.copy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.value, dtype=dtype)

    def __array_ufunc__(self, function: np.ufunc, method: str, *inputs: Any, **keywords: Any) -> Any:
        plain = [each.value if isinstance(each, Accumulator) else each for each in inputs]
        return getattr(function, method)(*plain, **keywords)

    def __float__(self) -> float:
        return float(self.value)

    def __getitem__(self, index: Any) -> Any:
        return self.value[index]

    def __len__(self) -> int:
        return len(self.value)

    def __repr__(self) -> str:
        return f"Accumulator({self.name!r}, {self.value!r})"


class Metric:
    """Measure predictions over any number of batches.

    A subclass makes its totals with `add_variable` in `__init__`, changes them in `update_state` and defines `result`.

    Parameters
    ----------
    dtype : str, default None
        "float32" or "float64", the type in which predictions are compared; None is their own. Totals are float64
        always (Keras: float32).
    name : str, default None
        None: the class's name in snake case.

    Attributes
    ----------
    native : str or None
        The name under which the core adds it up; None for one that needs the predictions.
    native_parameters : tuple of float
        What the core needs besides targets and predictions.
    expects_labels : bool
        Whether a target is a class label per row. The core adds a metric up only over targets of its loss's form.
    domain : Domain or None
        The targets that it can mean; a model that is compiled with it refuses others.
    higher_is_better : bool or None
        What callbacks with ``mode="auto"`` take for an improvement; None if that cannot be said.

    Examples
    --------
    >>> class Largest(Metric):
    ...     def __init__(self, name=None):
    ...         super().__init__(name=name)
    ...         self.largest = self.add_variable(name="largest")
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.largest.assign(np.maximum(self.largest, np.max(y_pred)))
    ...     def result(self):
    ...         return float(self.largest)
    >>> metric = Largest()
    >>> metric([[0.0]], [[3.0]]), metric([[0.0]], [[2.0]]), metric.name
    (3.0, 3.0, 'largest')
    """

    native: str | None = None
    expects_labels: bool = False
    domain: domains.Domain | None = None
    higher_is_better: ClassVar[bool | None] = None
    _options: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        # A subclass of a built-in metric that counts otherwise must not be added up as the built-in one.
        if "update_state" in vars(cls) and "native" not in vars(cls):
            cls.native = None
            cls.domain = vars(cls).get("domain")

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = snake_case(type(self).__name__) if name is None else validation.text(name, "name")
        self.dtype = None if dtype is None else validation.float_dtype(dtype).name

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """What the core needs besides targets and predictions."""
        return ()

    def add_variable(
        self,
        shape: int | Sequence[int] = (),
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: Any = None,
        name: str = "variable",
    ) -> Accumulator:
        """Make a total that `reset_state` sets back.

        Parameters
        ----------
        shape : tuple of int, default ()
        initializer : "zeros" or "ones", default "zeros"
        dtype, aggregation
            Accepted because Keras has them; totals are float64.
        name : str, default "variable"

        Returns
        -------
        Accumulator
        """
        start = "zeros" if initializer is None else initializer
        if not isinstance(start, str):
            start = snake_case(type(start).__name__)
        value = validation.choice(start.lower(), "initializer", ("zeros", "ones")) == "ones"
        return Accumulator(name, shape, float(value))

    def add_weight(
        self, shape: int | Sequence[int] = (), initializer: Any = None, dtype: Any = None, name: str = "variable"
    ) -> Accumulator:
        """Make a total that `reset_state` sets back: see `add_variable`."""
        return self.add_variable(shape, initializer, dtype, name=name)

    @property
    def variables(self) -> list[Accumulator]:
        """The totals: those among the attributes, in lists and dicts there, and in metrics among them."""
        return list({id(each): each for each in _totals_in(vars(self))}.values())

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch.

        Parameters
        ----------
        y_true : array-like of shape (n, ...)
        y_pred : array-like of shape (n, ...)
        sample_weight : array-like of shape (n,), default None
        """
        raise NotImplementedError(f"{type(self).__name__} must define update_state(y_true, y_pred, sample_weight)")

    def result(self) -> Any:
        """Return the value over all batches since the last reset, a float or an array."""
        raise NotImplementedError(f"{type(self).__name__} must define result()")

    def reset_state(self) -> None:
        """Forget all batches."""
        for each in self.variables:
            each.reset()

    def __call__(self, *batch: Any, **keywords: Any) -> Any:
        """Add a batch, and return the value over all batches so far."""
        self.update_state(*batch, **keywords)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` builds an equal metric; totals are not among them."""
        return {"name": self.name, "dtype": self.dtype, **{each: getattr(self, each) for each in self._options}}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Metric:
        """Build the metric whose `get_config` returned `config`."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"

    def _pair(self, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
        """Read targets and predictions in one type and rank."""
        y_pred = as_float(y_pred, "y_pred", self.dtype)
        return same_rank(as_float(y_true, "y_true", y_pred.dtype), y_pred)


def _totals_in(value: Any) -> Iterator[Accumulator]:
    """Find the totals in a value, however deep."""
    if isinstance(value, Accumulator):
        yield value
    elif isinstance(value, Metric):
        yield from value.variables
    elif isinstance(value, Mapping):
        yield from _totals_in(list(value.values()))
    elif isinstance(value, (list, tuple, set)):
        for each in value:
            yield from _totals_in(each)


def _check_same_shape(y_true: Array, y_pred: Array) -> None:
    if y_true.shape != y_pred.shape:
        raise ValueError(
            "y_true and y_pred must have the same shape. "
            f"Received: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}"
        )


# Means and sums


def _per_sample(values: Array, sample_weight: Any, reduce: Callable[..., Any]) -> tuple[Array, Array | None]:
    """Reduce weighted values to one per sample, and weights likewise: a weight may count for a sample or for less."""
    if sample_weight is None:
        return _reduce_from(values, 1, reduce), None
    weights = as_float(sample_weight, "sample_weight", np.float64)
    given = weights.shape
    values, weights = same_rank(values, weights)
    values = _reduce_from(values, weights.ndim, reduce)
    try:
        weights = np.broadcast_to(weights, values.shape)
    except ValueError:
        raise ValueError(
            f"sample_weight must have one weight per value. Received: sample_weight.shape={given} "
            f"for values of shape {values.shape}"
        ) from None
    return _reduce_from(values * weights, 1, reduce), _reduce_from(weights, 1, reduce)


def _reduce_from(values: Array, first: int, reduce: Callable[..., Any]) -> Array:
    return np.asarray(reduce(values, axis=tuple(range(first, values.ndim)))) if values.ndim > first else values


@_registry.register()
class Sum(Metric):
    """Add up values: `sum(w_i v_i)`.

    Parameters
    ----------
    name : str, default "sum"
    dtype : str, default None

    Examples
    --------
    >>> Sum()([1.0, 2.0], sample_weight=[1.0, 0.5])
    2.0
    """

    def __init__(self, name: str | None = "sum", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable(name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add values of any shape; weights may lack trailing axes."""
        self.total.assign_add(_per_sample(as_float(values, "values", np.float64), sample_weight, np.sum)[0].sum())

    def result(self) -> float:
        """Return the sum."""
        return float(self.total)


@_registry.register()
class Mean(Metric):
    """Average values: `sum(w_i v_i) / sum(w_i)`; 0 before the first batch.

    Parameters
    ----------
    name : str, default "mean"
    dtype : str, default None

    Examples
    --------
    >>> Mean()([1.0, 3.0]), Mean()([1.0, 3.0], sample_weight=[3.0, 1.0])
    (2.0, 1.5)
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable(name="total")
        self.count = self.add_variable(name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add values; those of shape (n, ...) are averaged per sample, one number counts as one sample."""
        values, weights = _per_sample(as_float(values, "values", np.float64), sample_weight, np.mean)
        self.accumulate(values.sum(), values.size if weights is None else weights.sum())

    def describe(self, target_width: int, output: int = 0, target: int = 0, weighted: bool = False) -> dict[str, Any]:
        """Return a metric with a `native` name as a plan hands it to the core.

        Parameters
        ----------
        target_width : int
            Columns of the targets.
        output : int, default 0
            Which of the model's outputs it compares.
        target : int, default 0
            Which of the model's losses has its targets.
        weighted : bool, default False
            Whether sample weights count.

        Returns
        -------
        dict
        """
        loss = getattr(self, "_loss", None)
        return {
            "kind": self.native if loss is None else "loss",
            "target": target,
            "weighted": weighted,
            "threshold": getattr(self, "threshold", 0.5),
            "loss": (loss or losses.MeanSquaredError()).describe(target_width, output),
        }

    def accumulate(self, total: Any, count: Any) -> None:
        """Add a weighted sum and the sum of the weights, as the core has counted them."""
        self.total.assign_add(total)
        self.count.assign_add(count)

    def result(self) -> float:
        """Return the mean."""
        count = float(self.count)
        return float(self.total) / count if count else 0.0


class MeanMetricWrapper(Mean):
    """Average what a function of targets and predictions returns.

    Parameters
    ----------
    fn : callable
        `fn(y_true, y_pred, **kwargs)` returns one value per row, or one number for the batch, which then counts as
        one sample. It receives NumPy arrays.
    name : str, default None
        None: the function's name.
    dtype : str, default None
    **kwargs
        Further arguments of the function.

    Examples
    --------
    >>> def error(y_true, y_pred):
    ...     return abs(y_true - y_pred).max(axis=-1)
    >>> metric = MeanMetricWrapper(error)
    >>> metric([[0.0], [0.0]], [[1.0], [2.0]]), metric.name
    (1.5, 'error')
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        if not callable(fn):
            raise TypeError(f"`fn` must be a function of (y_true, y_pred). Received: fn={validation.show(fn)}")
        super().__init__(name or getattr(fn, "__name__", None) or snake_case(type(fn).__name__), dtype)
        self._function = fn
        self._keywords = kwargs

    @property
    def registered_name(self) -> str:
        """The name under which `custom_objects` must hold a function of one's own."""
        if type(self) is not MeanMetricWrapper:
            return type(self).__name__
        return str(getattr(self._function, "__name__", type(self._function).__name__))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a batch."""
        y_pred = as_float(y_pred, "y_pred", self.dtype)
        values = self._function(validation.as_array(y_true, "y_true"), y_pred, **self._keywords)
        super().update_state(values, sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `deserialize` builds an equal metric; a function goes by its name."""
        if type(self) is not MeanMetricWrapper:
            return super().get_config()
        if hasattr(self._function, "get_config"):
            return dict(self._function.get_config())
        return {**super().get_config(), **self._keywords}


class _MeanOf(MeanMetricWrapper):
    """A mean whose function the class fixes."""

    higher_is_better = True
    _of: ClassVar[Any]

    def __init__(self, name: str | None, dtype: Any = None, **keywords: Any) -> None:
        super().__init__(type(self)._of[0], name, dtype, **keywords)


# Accuracy


def accuracy(y_true: Any, y_pred: Any) -> Array:
    """Tell element by element whether prediction and target are equal.

    Examples
    --------
    >>> accuracy([1, 2], [1.0, 3.0])
    array([1., 0.])
    """
    y_true, y_pred = same_rank(validation.as_array(y_true, "y_true"), validation.as_array(y_pred, "y_pred"))
    return np.asarray(y_true == y_pred, np.float64)


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Array:
    """Tell element by element whether `y_pred > threshold` where the target is 1, and not where it is 0.

    Examples
    --------
    >>> binary_accuracy([1, 1, 0], [0.6, 0.5, 0.2])
    array([1., 0., 1.])
    """
    y_true, y_pred = same_rank(validation.as_array(y_true, "y_true"), validation.as_array(y_pred, "y_pred"))
    return np.asarray(y_true == (y_pred > threshold), np.float64)


def categorical_accuracy(y_true: Any, y_pred: Any) -> Array:
    """Tell row by row whether target and prediction have their largest element at the same place.

    Examples
    --------
    >>> categorical_accuracy([[0, 1], [1, 0]], [[0.1, 0.9], [0.2, 0.8]])
    array([1., 0.])
    """
    y_true, y_pred = validation.as_array(y_true, "y_true"), validation.as_array(y_pred, "y_pred")
    _check_same_shape(y_true, y_pred)
    return np.asarray(y_true.argmax(axis=-1) == y_pred.argmax(axis=-1), np.float64)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Array:
    """Tell row by row whether the largest element of the prediction is at the label's place.

    Examples
    --------
    >>> sparse_categorical_accuracy([1, 0], [[0.1, 0.9], [0.2, 0.8]])
    array([1., 0.])
    """
    y_pred = validation.as_array(y_pred, "y_pred")
    return np.asarray(_labels_for(y_true, y_pred) == y_pred.argmax(axis=-1), np.float64)


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Array:
    """Tell row by row whether the target's largest element is at one of the k largest places of the prediction.

    Examples
    --------
    >>> top_k_categorical_accuracy([[0, 0, 1], [0, 1, 0]], [[0.1, 0.7, 0.2], [0.5, 0.1, 0.4]], k=2)
    array([1., 0.])
    """
    y_true, y_pred = validation.as_array(y_true, "y_true"), validation.as_array(y_pred, "y_pred")
    _check_same_shape(y_true, y_pred)
    return _in_top_k(y_true.argmax(axis=-1), y_pred, k)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Array:
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


def _labels_for(y_true: Any, y_pred: Array) -> Array:
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


@_registry.register()
class Accuracy(_MeanOf):
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

    def __init__(self, name: str | None = "accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)


@_registry.register()
class BinaryAccuracy(_MeanOf):
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

    def __init__(self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5) -> None:
        self.threshold = validation.number(threshold, "threshold")
        super().__init__(name, dtype, threshold=self.threshold)

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """The threshold."""
        return (self.threshold,)


@_registry.register()
class CategoricalAccuracy(_MeanOf):
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

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)


@_registry.register()
class SparseCategoricalAccuracy(_MeanOf):
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

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)


@_registry.register()
class TopKCategoricalAccuracy(_MeanOf):
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

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None) -> None:
        self.k = validation.positive_integer(k, "k")
        super().__init__(name, dtype, k=self.k)


@_registry.register()
class SparseTopKCategoricalAccuracy(_MeanOf):
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
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ) -> None:
        self.k = validation.positive_integer(k, "k")
        self.from_sorted_ids = validation.boolean(from_sorted_ids, "from_sorted_ids")
        super().__init__(name, dtype, k=self.k, from_sorted_ids=self.from_sorted_ids)


# Losses as metrics


class _MeanLoss(Mean):
    """The mean of a loss's values, whatever the batches' sizes."""

    higher_is_better = False
    _loss: losses.Loss

    def __init__(self, loss: losses.Loss, name: str | None, dtype: Any) -> None:
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

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a batch."""
        super().update_state(self._loss.call(y_true, as_float(y_pred, "y_pred", self.dtype)), sample_weight)


@_registry.register("mse", "MSE")
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

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(losses.MeanSquaredError(), name, dtype)


@_registry.register("rmse", "RMSE")
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

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(losses.MeanSquaredError(), name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a batch; weights may be as many as targets."""
        y_true, y_pred = self._pair(y_true, y_pred)
        _check_same_shape(y_true, y_pred)
        Mean.update_state(self, np.square(y_pred - y_true), sample_weight)

    def result(self) -> float:
        """Return the root of the mean."""
        return float(np.sqrt(super().result()))


@_registry.register("mae", "MAE")
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

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(losses.MeanAbsoluteError(), name, dtype)


@_registry.register("mape", "MAPE")
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

    def __init__(self, name: str | None = "mean_absolute_percentage_error", dtype: Any = None) -> None:
        super().__init__(losses.MeanAbsolutePercentageError(), name, dtype)


@_registry.register("msle", "MSLE")
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

    def __init__(self, name: str | None = "mean_squared_logarithmic_error", dtype: Any = None) -> None:
        super().__init__(losses.MeanSquaredLogarithmicError(), name, dtype)


@_registry.register("logcosh", "log_cosh")
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

    def __init__(self, name: str | None = "logcosh", dtype: Any = None) -> None:
        super().__init__(losses.LogCosh(), name, dtype)


@_registry.register()
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

    def __init__(self, name: str | None = "poisson", dtype: Any = None) -> None:
        super().__init__(losses.Poisson(), name, dtype)


@_registry.register("kld", "KLD", "kullback_leibler_divergence")
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

    def __init__(self, name: str | None = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(losses.KLDivergence(), name, dtype)


@_registry.register()
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

    def __init__(self, name: str | None = "hinge", dtype: Any = None) -> None:
        super().__init__(losses.Hinge(), name, dtype)


@_registry.register()
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

    def __init__(self, name: str | None = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(losses.SquaredHinge(), name, dtype)


@_registry.register()
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

    def __init__(self, name: str | None = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(losses.CategoricalHinge(), name, dtype)


@_registry.register("bce", "BCE")
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
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        loss = losses.BinaryCrossentropy(from_logits, label_smoothing)
        super().__init__(loss, name, dtype)
        self.from_logits, self.label_smoothing = loss.from_logits, loss.label_smoothing
        self._only_from_probabilities()


@_registry.register()
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
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ) -> None:
        loss = losses.CategoricalCrossentropy(from_logits, label_smoothing, axis)
        super().__init__(loss, name, dtype)
        self.from_logits, self.label_smoothing, self.axis = loss.from_logits, loss.label_smoothing, loss.axis
        self._only_from_probabilities()


@_registry.register()
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
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        loss = losses.SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis)
        super().__init__(loss, name, dtype)
        self.from_logits, self.ignore_class, self.axis = loss.from_logits, loss.ignore_class, loss.axis
        self._only_from_probabilities()

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Add a batch."""
        if sample_weight is not None and self.ignore_class is not None:
            weights, labels = same_rank(
                as_float(sample_weight, "sample_weight", np.float64), validation.as_array(y_true, "y_true")
            )
            sample_weight = weights * (labels != self.ignore_class)
        super().update_state(y_true, y_pred, sample_weight)


# Scores of regression


def _cosine(y_true: Any, y_pred: Any, axis: int) -> Array:
    return -losses.cosine_similarity(y_true, y_pred, axis)


@_registry.register()
class CosineSimilarity(_MeanOf):
    """Average the cosine between targets and predictions, from -1 to 1 (alike); the loss has the other sign.

    Parameters
    ----------
    name : str, default "cosine_similarity"
    dtype : str, default None
    axis : int, default -1

    Examples
    --------
    >>> CosineSimilarity()([[3.0, 4.0]], [[0.0, 2.0]])
    0.8
    """

    _of = (_cosine,)
    _options = ("axis",)

    def __init__(self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1) -> None:
        self.axis = validation.integer(axis, "axis")
        super().__init__(name, dtype, axis=self.axis)


def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Array:
    """Correlate targets and predictions along an axis: the mean product of their standard scores; NaN if one is flat.

    Examples
    --------
    >>> pearson_correlation([[1.0, 2.0, 3.0]], [[3.0, 2.0, 1.0]]).round(6)
    array([-1.])
    """
    true, pred = _aligned(y_true, y_pred)
    true = true - true.mean(axis=axis, keepdims=True)
    pred = pred - pred.mean(axis=axis, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        true = true / true.std(axis=axis, keepdims=True)
        pred = pred / pred.std(axis=axis, keepdims=True)
        return np.asarray((true * pred).mean(axis=axis))


def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Array:
    """Compare targets and predictions along an axis by correlation, mean and spread, with Keras's numbers.

    `mean(2 (y - m_p) (p - m_p)) / (var(y) + var(p) + (m_y - m_p)^2 + 1e-7)`, m_p the mean of the predictions.

    Examples
    --------
    >>> concordance_correlation([[1.0, 2.0, 3.0]], [[1.0, 2.0, 3.0]]).round(6)
    array([1.])
    """
    true, pred = _aligned(y_true, y_pred)
    true_mean, pred_mean = true.mean(axis=axis, keepdims=True), pred.mean(axis=axis, keepdims=True)
    spread = true.var(axis=axis, keepdims=True) + pred.var(axis=axis, keepdims=True)
    spread = spread + np.square(true_mean - pred_mean)
    return np.asarray((2 * (true - pred_mean) * (pred - pred_mean) / (spread + EPSILON)).mean(axis=axis))


def _aligned(y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    true, pred = same_rank(as_float(y_true, "y_true", np.float64), as_float(y_pred, "y_pred", np.float64))
    _check_same_shape(true, pred)
    return true, pred


@_registry.register()
class PearsonCorrelation(_MeanOf):
    """Average the correlation of targets and predictions along an axis, over the other axis.

    Parameters
    ----------
    name : str, default "pearson_correlation"
    dtype : str, default None
    axis : int, default -1
        -1 correlates the outputs of each row, 0 the rows of the batch for each output.

    Examples
    --------
    >>> round(PearsonCorrelation(axis=0)([[1.0], [2.0], [3.0]], [[2.0], [4.0], [6.0]]), 6)
    1.0
    """

    _of = (pearson_correlation,)
    _options = ("axis",)

    def __init__(self, name: str | None = "pearson_correlation", dtype: Any = None, axis: int = -1) -> None:
        self.axis = validation.integer(axis, "axis")
        super().__init__(name, dtype, axis=self.axis)


@_registry.register()
class ConcordanceCorrelation(_MeanOf):
    """Average the concordance of targets and predictions along an axis: see `concordance_correlation`.

    Parameters
    ----------
    name : str, default "concordance_correlation"
    dtype : str, default None
    axis : int, default -1

    Examples
    --------
    >>> round(ConcordanceCorrelation()([[1.0, 2.0]], [[1.0, 2.0]]), 6)
    1.0
    """

    _of = (concordance_correlation,)
    _options = ("axis",)

    def __init__(self, name: str | None = "concordance_correlation", dtype: Any = None, axis: int = -1) -> None:
        self.axis = validation.integer(axis, "axis")
        super().__init__(name, dtype, axis=self.axis)


@_registry.register("r2")
class R2Score(Metric):
    """Measure the share of the variance that predictions explain: `1 - sum (y - p)^2 / sum (y - mean(y))^2`.

    An output whose targets do not vary scores 0 (NaN if it is predicted exactly), as in Keras.

    Parameters
    ----------
    class_aggregation : "uniform_average", "variance_weighted_average" or None, default "uniform_average"
        How the scores of the outputs become one; None returns them all.
    num_regressors : int, default 0
        Above 0, the score adjusted for so many features p: `1 - (1 - score) (n - 1) / (n - p - 1)`. As in Keras 3.15, n
        counts the targets, of all outputs; with one output that is the number of samples.
    name : str, default "r2_score"
    dtype : str, default None

    Examples
    --------
    >>> R2Score()([[1.0], [2.0], [3.0]], [[1.0], [2.0], [2.0]])
    0.5
    """

    higher_is_better = True
    _options = ("class_aggregation", "num_regressors")

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        self.class_aggregation = validation.one_of(
            class_aggregation, "class_aggregation", (None, "uniform_average", "variance_weighted_average")
        )
        self.num_regressors = validation.integer(num_regressors, "num_regressors", minimum=0)
        self.num_samples = self.add_variable(name="num_samples")
        self.squared_sum: Accumulator | None = None

    def _build(self, width: int) -> None:
        self.squared_sum = self.add_variable(width, name="squared_sum")
        self.sum = self.add_variable(width, name="sum")
        self.residual = self.add_variable(width, name="residual")
        self.count = self.add_variable(width, name="count")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of shape (n, outputs)."""
        true, pred = _aligned(y_true, y_pred)
        if true.ndim != 2:
            raise ValueError(f"R2Score needs targets of shape (n, outputs). Received: y_true.shape={true.shape}")
        if self.squared_sum is None:
            self._build(true.shape[1])
        weights = np.ones(()) if sample_weight is None else as_float(sample_weight, "sample_weight", np.float64)
        weights = np.broadcast_to(weights[:, None] if weights.ndim == 1 else weights, true.shape)
        self.sum.assign_add((true * weights).sum(axis=0))
        assert self.squared_sum is not None
        self.squared_sum.assign_add((true * true * weights).sum(axis=0))
        self.residual.assign_add((np.square(true - pred) * weights).sum(axis=0))
        self.count.assign_add(weights.sum(axis=0))
        self.num_samples.assign_add(true.size)

    def result(self) -> Any:
        """Return the score, or one for each output."""
        if self.squared_sum is None:
            return 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            total = self.squared_sum.value - self.sum.value * (self.sum.value / self.count.value)
            scores = 1 - self.residual.value / total
        scores = np.where(np.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            score: Any = float(scores.mean())
        elif self.class_aggregation == "variance_weighted_average":
            score = float((total * scores).sum() / total.sum())
        else:
            score = scores
        n = float(self.num_samples)
        if 0 < self.num_regressors < n - 1:
            score = 1 - (1 - score) * (n - 1) / (n - self.num_regressors - 1)
        return score


# Counts of right and wrong answers at thresholds

# Below every score: what a top-k filter leaves of the others.
_NEVER = -1e10


class _ConfusionMetric(Metric):
    """A metric of true and false positives and negatives at one or more thresholds."""

    domain = domains.BINARY
    true_positives: Accumulator
    false_positives: Accumulator
    true_negatives: Accumulator
    false_negatives: Accumulator
    top_k: int | None = None
    class_id: int | None = None

    def _set_thresholds(self, thresholds: Any, default: float = 0.5) -> None:
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

    def _make_totals(self, shape: int | tuple[int, ...]) -> None:
        for name in ("true_positives", "false_positives", "true_negatives", "false_negatives"):
            setattr(self, name, self.add_variable(shape, name=name))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets 0 and 1 and of predictions from 0 to 1."""
        self._count(y_true, y_pred, sample_weight)

    def _count(
        self, y_true: Any, y_pred: Any, sample_weight: Any, by_label: bool = False, label_weights: Array | None = None
    ) -> None:
        y_pred, y_true = self._prepare(y_true, y_pred)
        weights = _weights_for(sample_weight, y_true)
        if self.class_id is not None:
            y_true, y_pred = _one_class(y_true, self.class_id), _one_class(y_pred, self.class_id)
        _check_same_shape(y_true, y_pred)
        weights = np.broadcast_to(weights if label_weights is None else weights * label_weights, y_pred.shape)
        n_labels = y_pred.shape[-1] if by_label else 1
        positive = (y_true != 0).reshape(-1, n_labels)
        exceeded = self._n_exceeded(y_pred).reshape(-1, n_labels)
        weights = weights.reshape(-1, n_labels)
        shape = self.true_positives.shape
        tp, p = self._at_thresholds(exceeded, weights * positive)
        fp, n = self._at_thresholds(exceeded, weights * ~positive)
        self.true_positives.assign_add(tp.reshape(shape))
        self.false_positives.assign_add(fp.reshape(shape))
        self.true_negatives.assign_add((n - fp).reshape(shape))
        self.false_negatives.assign_add((p - tp).reshape(shape))

    def _prepare(self, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
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

    def _only(self, values: Array) -> Any:
        return float(values[0]) if len(values) == 1 else values


def _weights_for(sample_weight: Any, y_true: Array) -> Array:
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


class _ConditionCount(_ConfusionMetric):
    """The number of one kind of answer at the thresholds."""

    _counts: ClassVar[str]
    _options = ("thresholds",)

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self._set_thresholds(thresholds)
        self._make_totals(len(self._thresholds))

    def result(self) -> Any:
        """Return the count, or one for each threshold."""
        return self._only(getattr(self, self._counts).value.copy())

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` builds an equal metric."""
        return {**super().get_config(), "thresholds": self.thresholds_given}


@_registry.register()
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


@_registry.register()
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


@_registry.register()
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


@_registry.register()
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


class _Ratio(_ConfusionMetric):
    """True positives as a share of what the class says."""

    higher_is_better = True
    _options = ("thresholds", "top_k", "class_id")

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        self.top_k = None if top_k is None else validation.positive_integer(top_k, "top_k")
        self.class_id = None if class_id is None else validation.integer(class_id, "class_id", minimum=0)
        self._set_thresholds(thresholds, 0.5 if top_k is None else _NEVER)
        self._make_totals(len(self._thresholds))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` builds an equal metric."""
        return {**super().get_config(), "thresholds": self.thresholds_given}


@_registry.register()
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

    def result(self) -> Any:
        """Return the precision, or one for each threshold."""
        tp = self.true_positives.value
        return self._only(divide(tp, tp + self.false_positives.value))


@_registry.register()
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

    def result(self) -> Any:
        """Return the recall, or one for each threshold."""
        tp = self.true_positives.value
        return self._only(divide(tp, tp + self.false_negatives.value))


def _grid(n: int) -> list[float]:
    """Place thresholds evenly between 0 and 1, both left out."""
    return [(i + 1) / (n - 1) for i in range(n - 2)]


class _BestUnderConstraint(_ConfusionMetric):
    """The largest value of one rate over the thresholds at which another reaches a bound."""

    higher_is_better = True
    _bound: ClassVar[str]

    def __init__(
        self,
        bound: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        setattr(self, self._bound, validation.fraction(bound, self._bound))
        self.num_thresholds = validation.positive_integer(num_thresholds, "num_thresholds")
        self.class_id = None if class_id is None else validation.integer(class_id, "class_id", minimum=0)
        self._use_thresholds([0.5] if num_thresholds == 1 else [0.0, *_grid(num_thresholds), 1.0])
        self._make_totals(len(self._thresholds))

    def _sensitivity(self) -> Array:
        return divide(self.true_positives.value, self.true_positives.value + self.false_negatives.value)

    def _specificity(self) -> Array:
        return divide(self.true_negatives.value, self.true_negatives.value + self.false_positives.value)

    def _precision(self) -> Array:
        return divide(self.true_positives.value, self.true_positives.value + self.false_positives.value)

    def _best(self, values: Array, bounded: Array) -> float:
        return float(np.where(bounded >= getattr(self, self._bound), values, 0).max())

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` builds an equal metric."""
        own = {
            self._bound: getattr(self, self._bound),
            "num_thresholds": self.num_thresholds,
            "class_id": self.class_id,
        }
        return {**super().get_config(), **own}


@_registry.register()
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
        dtype: Any = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)

    def result(self) -> float:
        """Return the best sensitivity."""
        return self._best(self._sensitivity(), self._specificity())


@_registry.register()
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
        dtype: Any = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)

    def result(self) -> float:
        """Return the best specificity."""
        return self._best(self._specificity(), self._sensitivity())


@_registry.register()
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
        dtype: Any = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)

    def result(self) -> float:
        """Return the best precision."""
        return self._best(self._precision(), self._sensitivity())


@_registry.register()
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
        dtype: Any = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)

    def result(self) -> float:
        """Return the best recall."""
        return self._best(self._sensitivity(), self._precision())


@_registry.register()
class AUC(_ConfusionMetric):
    """Approximate the area under a curve by its points at some thresholds.

    The ROC curve has the true positive rate over the false positive rate, the PR curve precision over recall, the
    PRGAIN curve both as gains over the share of positives. "interpolation" takes the mean of neighbouring heights (for
    PR, it interpolates the counts instead: Davis and Goadrich 2006, "The relationship between precision-recall and ROC
    curves"), "minoring" the lower, "majoring" the higher.

    Parameters
    ----------
    num_thresholds : int, default 200
        At least 2.
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
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(dtype, name)
        self.num_thresholds = validation.integer(num_thresholds, "num_thresholds", minimum=2)
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
            inner = _grid(self.num_thresholds)
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

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets 0 and 1 and of predictions from 0 to 1, or logits."""
        y_pred = as_float(y_pred, "y_pred", self.dtype)
        if self.from_logits:
            y_pred = sigmoid(y_pred)
        if self.multi_label and y_pred.ndim != 2:
            raise ValueError(f"AUC of several labels needs shape (n, labels). Received: y_pred.shape={y_pred.shape}")
        if not self._built:
            self._build(y_pred.shape[1])
        self._count(y_true, y_pred, sample_weight, self.multi_label, None if self.multi_label else self.label_weights)

    def result(self) -> float:
        """Return the area."""
        if not self._built:
            return 0.0
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

    def _mean_over_labels(self, terms: Array) -> float:
        areas = terms.sum(axis=0)
        if self.multi_label and self.label_weights is not None:
            return float(divide((areas * self.label_weights).sum(), self.label_weights.sum()))
        return float(areas.mean())

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` builds an equal metric."""
        config = {**super().get_config(), "from_logits": self.from_logits}
        if self.label_weights is not None:
            config["label_weights"] = self.label_weights.tolist()
        if self.thresholds_given is not None:
            config["thresholds"] = self.thresholds[1:-1]
        return config


@_registry.register("f_beta_score")
class FBetaScore(Metric):
    """Combine precision P and recall R of every class: `(1 + beta^2) P R / (beta^2 P + R)`, 1e-7 in the divisors.

    Parameters
    ----------
    average : None, "micro", "macro" or "weighted", default None
        None returns one score per class; "macro" their mean; "weighted" their mean by the classes' shares of the
        targets; "micro" counts all classes together.
    beta : float, default 1.0
        How much recall weighs against precision; above 0.
    threshold : float, default None
        Predictions above it are positive; None: those equal to the largest of their row.
    name : str, default "fbeta_score"
    dtype : str, default None

    Examples
    --------
    >>> metric = FBetaScore(beta=2.0, threshold=0.5)
    >>> metric([[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]]).round(4)
    array([0.3846, 0.9091, 0.8333])
    """

    domain = domains.UNIT
    higher_is_better = True
    _options: ClassVar[tuple[str, ...]] = ("average", "beta", "threshold")

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        self.average = validation.one_of(average, "average", (None, "micro", "macro", "weighted"))
        self.beta = validation.number(beta, "beta", above=0)
        self.threshold = None if threshold is None else validation.number(threshold, "threshold", above=0, maximum=1)
        self.true_positives: Accumulator | None = None

    def _build(self, n_classes: int) -> None:
        shape = () if self.average == "micro" else (n_classes,)
        self.true_positives = self.add_variable(shape, name="true_positives")
        self.false_positives = self.add_variable(shape, name="false_positives")
        self.false_negatives = self.add_variable(shape, name="false_negatives")
        self.intermediate_weights = self.add_variable(shape, name="intermediate_weights")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets 0 and 1 and of predictions, both of shape (n, classes)."""
        y_pred = as_float(y_pred, "y_pred", self.dtype)
        y_true = as_float(y_true, "y_true", np.float64)
        if y_pred.ndim != 2:
            raise ValueError(
                f"{type(self).__name__} needs predictions of shape (n, classes). Received: y_pred.shape={y_pred.shape}"
            )
        _check_same_shape(y_true, y_pred)
        if self.true_positives is None:
            self._build(y_pred.shape[1])
        assert self.true_positives is not None
        positive = self._positive(y_pred)
        weights = _weights_for(sample_weight, y_true)
        axis = None if self.average == "micro" else 0
        self.true_positives.assign_add((positive * y_true * weights).sum(axis=axis))
        self.false_positives.assign_add((positive * (1 - y_true) * weights).sum(axis=axis))
        self.false_negatives.assign_add(((1 - positive) * y_true * weights).sum(axis=axis))
        self.intermediate_weights.assign_add((y_true * weights).sum(axis=axis))

    def _positive(self, y_pred: Array) -> Array:
        if self.threshold is not None:
            return (y_pred > self.threshold).astype(np.float64)
        largest = y_pred.max(axis=-1, keepdims=True)
        return np.asarray((y_pred >= largest) & (np.abs(y_pred) > 1e-9), np.float64)

    def result(self) -> Any:
        """Return the score, or one for each class."""
        if self.true_positives is None:
            return 0.0
        tp = self.true_positives.value
        precision = tp / (tp + self.false_positives.value + EPSILON)
        recall = tp / (tp + self.false_negatives.value + EPSILON)
        square = self.beta**2
        scores = (1 + square) * (precision * recall / (square * precision + recall + EPSILON))
        if self.average is None:
            return scores
        if self.average == "weighted":
            shares = self.intermediate_weights.value
            return float((scores * (shares / (shares.sum() + EPSILON))).sum())
        return float(np.mean(scores))


@_registry.register()
class F1Score(FBetaScore):
    """Take the harmonic mean of precision and recall of every class: `FBetaScore` with beta = 1.

    Parameters
    ----------
    average, threshold, dtype
        See `FBetaScore`.
    name : str, default "f1_score"

    Examples
    --------
    >>> metric = F1Score(threshold=0.5)
    >>> metric([[1, 1, 1], [1, 0, 0], [1, 1, 0]], [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]]).round(4)
    array([0.5   , 0.8   , 0.6667])
    """

    _options = ("average", "threshold")

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)


# From names, data and objects to metrics


def get(identifier: Any) -> Any:
    """Return the metric or function that an argument stands for, as in Keras.

    Parameters
    ----------
    identifier : None, str, dict, Metric or callable
        A name or alias, what `serialize` returned, a metric or its class gives a metric; a function of
        (y_true, y_pred) comes back as it is.

    Returns
    -------
    Metric, callable or None

    Raises
    ------
    ValueError
        If a name is unknown.
    TypeError
        If the object is none of these.

    Examples
    --------
    >>> get("mae"), get("AUC")
    (<MeanAbsoluteError name=mean_absolute_error>, <AUC name=auc>)
    """
    return identifier if inspect.isroutine(identifier) else deserialize(identifier)


def as_metric(identifier: Any) -> Metric | None:
    """Return the metric that an argument stands for: as `get`, but a function is averaged, and so is a loss.

    Examples
    --------
    >>> as_metric(losses.mean_squared_error)([[0.0], [0.0]], [[1.0], [3.0]])
    5.0
    """
    return deserialize(identifier)


def deserialize(config: Any, custom_objects: CustomObjects | None = None) -> Metric | None:
    """Return the metric that a configuration describes; `custom_objects` maps further names to classes or functions.

    Examples
    --------
    >>> deserialize({"class_name": "Precision", "config": {"top_k": 2}}).top_k
    2
    """
    found = _registry.get(config, custom_objects)
    if found is None or isinstance(found, Metric):
        return found
    if isinstance(found, losses.Loss):
        return MeanMetricWrapper(found.call, found.name)
    if not callable(found):
        raise TypeError(f"`metric` must be a name, a metric or a function. Received: {validation.show(found)}")
    keywords = config.get("config") if isinstance(config, Mapping) and not hasattr(found, "get_config") else None
    return MeanMetricWrapper(found, **(keywords or {}))


def serialize(metric: Metric) -> dict[str, Any]:
    """Return a metric as data, without its totals.

    Examples
    --------
    >>> serialize(Recall(class_id=1))["class_name"]
    'Recall'
    """
    data: dict[str, Any] = _as_data(metric)
    return data


def resolve(
    identifier: Any, y_true_shape: tuple[int | None, ...], y_pred_shape: tuple[int | None, ...]
) -> Metric | None:
    """Return the metric that an argument of `compile` stands for, given what it will compare.

    Parameters
    ----------
    identifier
        As for `as_metric`; a string also becomes the metric's name. "accuracy" and "acc", "crossentropy" and "ce" are
        binary for one output, sparse categorical for labels, else categorical.
    y_true_shape, y_pred_shape : tuple of int
        Shapes with the axis of samples.

    Returns
    -------
    Metric or None

    Examples
    --------
    >>> [type(resolve("accuracy", shape, (64, 3))).__name__ for shape in ((64,), (64, 3))]
    ['SparseCategoricalAccuracy', 'CategoricalAccuracy']
    >>> resolve("acc", (64, 1), (64, 1))
    <BinaryAccuracy name=acc>
    """
    forms = _FORMS.get(identifier.lower()) if isinstance(identifier, str) else None
    if forms is None:
        metric = as_metric(identifier)
    elif y_pred_shape[-1] == 1:
        metric = forms[0]()
    elif len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1:
        metric = forms[1]()
    else:
        metric = forms[2]()
    if metric is not None and isinstance(identifier, str):
        metric.name = identifier
    return metric


_ACCURACIES: tuple[type[Any], ...] = (BinaryAccuracy, SparseCategoricalAccuracy, CategoricalAccuracy)
_CROSSENTROPIES: tuple[type[Any], ...] = (BinaryCrossentropy, SparseCategoricalCrossentropy, CategoricalCrossentropy)
_FORMS = {"accuracy": _ACCURACIES, "acc": _ACCURACIES, "crossentropy": _CROSSENTROPIES, "ce": _CROSSENTROPIES}

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


if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__)
