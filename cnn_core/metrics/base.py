"""What every metric is: what is reported but not trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

import cnn_core.foundation.domains as domains
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array, as_float, same_rank
from cnn_core.foundation.copies import CopiedWhole
from cnn_core.foundation.eager import eager
from cnn_core.foundation.given_arguments import RemembersArguments, fitting
from cnn_core.foundation.keywords import KnowsItsArguments
from cnn_core.foundation.serialization import Registry, snake_case

registry = Registry("metric", takes=("loss",))


class Accumulator(NDArrayOperatorsMixin):
    """Hold a number or an array that a metric adds up, in float64. NumPy's functions and operators accept it.

    Examples
    --------
    >>> total = Accumulator("total")
    >>> total.assign_add(2.5)
    array(2.5)
    >>> float(total), float(total / 2)
    (2.5, 1.25)
    """

    trainable: ClassVar[bool] = False

    def __init__(
        self, name: str = "variable", shape: int | Sequence[int] = (), value: float = 0.0, path: str | None = None
    ) -> None:
        self.name = name
        self.path = path or name
        self._initial = value
        self.value: Array = np.full(tuple(shape) if isinstance(shape, (tuple, list)) else shape, value, np.float64)

    def assign(self, value: Any) -> Array:
        """Replace the value by one that can be broadcast to its shape, and return it."""
        given = np.array(value, np.float64)
        self.value = given if given.shape == self.value.shape else np.broadcast_to(given, self.value.shape).copy()
        return self.value

    def assign_add(self, value: Any) -> Array:
        """Add to the value, and return it."""
        return self.assign(self.value + np.asarray(value))

    def assign_sub(self, value: Any) -> Array:
        """Subtract from the value, and return it."""
        return self.assign(self.value - np.asarray(value))

    def reset(self) -> None:
        """Go back to the value of the beginning."""
        self.value = np.full(self.value.shape, self._initial, np.float64)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return tuple(self.value.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.value.ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the value, float64."""
        return self.value.dtype

    def numpy(self) -> Array:
        """Return a copy of the value."""
        return self.value.copy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.value, dtype=dtype)

    def __array_ufunc__(self, function: np.ufunc, method: str, *inputs: object, **keywords: object) -> Any:
        plain = [each.value if isinstance(each, Accumulator) else each for each in inputs]
        return getattr(function, method)(*plain, **keywords)

    def __float__(self) -> float:
        return float(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __getitem__(self, index: Any) -> Any:
        return self.value[index]

    def __len__(self) -> int:
        return len(self.value)

    def __repr__(self) -> str:
        return f"Accumulator({self.name!r}, {self.value!r})"


@runtime_checkable
class VariableLike(Protocol):
    """What a metric needs of a `Variable`, which lives a floor above."""

    shape: tuple[int, ...]
    dtype: Any
    path: str

    def assign(self, value: Any) -> Any:
        """Replace the value."""


class Metric(RemembersArguments, CopiedWhole, KnowsItsArguments):
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

    def __init_subclass__(cls, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        # A subclass of a built-in metric that counts otherwise must not be added up as the built-in one.
        if "update_state" in vars(cls) and "native" not in vars(cls):
            cls.native = None
            cls.domain = vars(cls).get("domain")
        if "result" in vars(cls):
            setattr(cls, "result", _eager(cls.result))  # noqa: B010  (mypy takes an assignment for a redefinition)

    def __init__(self, dtype: object = None, name: str | None = None) -> None:
        self.name = snake_case(type(self).__name__) if name is None else validation.text(name, "name")
        self._dtype = None if dtype is None else validation.float_dtype(dtype).name

    @property
    def dtype(self) -> str | None:
        """The type in which predictions are compared; None: their own."""
        return self._dtype

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """What the core needs besides targets and predictions."""
        return ()

    def add_variable(
        self,
        shape: int | Sequence[int] = (),
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: Any = "sum",
        name: str | None = None,
    ) -> Accumulator:
        """Make a total that `reset_state` sets back.

        Parameters
        ----------
        shape : tuple of int, default ()
        initializer : "zeros" or "ones", default "zeros"
        dtype, aggregation
            Accepted because Keras has them; totals are float64.
        name : str, default None
            None: "variable".

        Returns
        -------
        Accumulator
        """
        start = "zeros" if initializer is None else initializer
        if not isinstance(start, str):
            start = snake_case(type(start).__name__)
        value = validation.choice(start.lower(), "initializer", ("zeros", "ones")) == "ones"
        name = name or "variable"
        return Accumulator(name, shape, float(value), f"{self.name}/{name}")

    def add_weight(
        self, shape: int | Sequence[int] = (), initializer: Any = None, dtype: Any = None, name: str | None = None
    ) -> Accumulator:
        """Make a total that `reset_state` sets back: see `add_variable`."""
        return self.add_variable(shape, initializer, dtype, name=name)

    @property
    def variables(self) -> list[Any]:
        """The totals and variables among the attributes, in lists and dicts there, and in metrics among them."""
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
        """Return the value over all batches since the last reset, a float or an array with Keras's `numpy()`."""
        raise NotImplementedError(f"{type(self).__name__} must define result()")

    def reset_state(self) -> None:
        """Forget all batches."""
        for each in self.variables:
            if isinstance(each, Accumulator):
                each.reset()
            else:
                each.assign(np.zeros(each.shape, each.dtype))

    def __call__(self, *batch: Any, **keywords: Any) -> Any:
        """Add a batch, and return the value over all batches so far."""
        self.update_state(*batch, **keywords)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` builds an equal metric; totals are not among them."""
        options = {each: getattr(self, each) for each in self._options}
        return fitting(self, {"name": self.name, "dtype": self.dtype, **options})

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Metric:
        """Build the metric whose `get_config` returned `config`."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"

    def _pair(self, y_true: object, y_pred: object) -> tuple[Array, Array]:
        """Read targets and predictions in one type and rank."""
        y_pred = as_float(y_pred, "y_pred", self.dtype)
        return same_rank(as_float(y_true, "y_true", y_pred.dtype), y_pred)


def _eager(result: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Let what a metric's `result` returns be as Keras has it."""

    @wraps(result)
    def eager_result(self: object) -> Any:
        return eager(result(self))

    return eager_result


def _totals_in(value: object) -> Iterator[Any]:
    """Find the totals and variables in a value, however deep."""
    # First a plain question: a protocol takes 20 us to say no, and an epoch asks of every attribute of its metrics.
    if hasattr(value, "assign") and isinstance(value, (Accumulator, VariableLike)):
        yield value
    elif isinstance(value, Metric):
        yield from value.variables
    elif isinstance(value, Mapping):
        yield from _totals_in(list(value.values()))
    elif isinstance(value, (list, tuple, set)):
        for each in value:
            yield from _totals_in(each)


def check_same_shape(y_true: Array, y_pred: Array) -> None:
    if y_true.shape != y_pred.shape:
        raise ValueError(
            "y_true and y_pred must have the same shape. "
            f"Received: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}"
        )
