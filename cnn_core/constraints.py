"""Projections that an optimizer applies to a parameter after each step.

`native`, `native_parameters` and `axis` are what a plan hands to the core; the NumPy forms here serve anyone who calls
a constraint on an array.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

import cnn_core.foundation.left_out as left_out
import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import EPSILON, Array, as_float
from cnn_core.foundation.keywords import KnowsItsArguments, knows_its_arguments
from cnn_core.foundation.serialization import CustomObjects, Registry
from cnn_core.foundation.serialization import serialize as _as_data

if TYPE_CHECKING:
    from cnn_core.foundation.names import ConstraintName

    ConstraintLike: TypeAlias = (
        "ConstraintName | Constraint | type[Constraint] | Callable[[Any], Any] | Mapping[str, Any] | None"
    )

_registry = Registry("constraint")


class Constraint(KnowsItsArguments):
    """Map a parameter to an allowed one near it. This one allows everything.

    A subclass defines `__call__(w)`, which returns an array of the shape of w.

    Attributes
    ----------
    native : str or None
        The name under which the core computes it; None for one that only Python knows.
    native_parameters : tuple of float
        What the core needs besides the parameter and the axis.
    axis : int or tuple of int
        The axis along which vectors are measured.

    Examples
    --------
    >>> class Rounded(Constraint):
    ...     def __call__(self, w):
    ...         return np.round(w)
    >>> get(Rounded())(np.array([1.25]))
    array([1.])
    """

    native: str | None = None
    axis: int | tuple[int, ...] = 0
    _options: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        # A subclass of a built-in constraint with another formula must not be trained with the built-in one.
        if "__call__" in vars(cls) and "native" not in vars(cls):
            cls.native = None

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """What the core needs besides the parameter and the axis."""
        return ()

    def __call__(self, w: Any) -> Array:
        """Return the allowed parameter.

        Parameters
        ----------
        w : array-like

        Returns
        -------
        numpy.ndarray of the shape of `w`
        """
        return as_float(w, "w")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments from which `from_config` builds an equal constraint."""
        return {each: getattr(self, each) for each in self._options}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Constraint:
        """Build the constraint whose `get_config` returned `config`."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.get_config().items())})"


class _Norm(Constraint):
    """Scale vectors along an axis to a wanted length: `w * wanted(|w|) / (1e-7 + |w|)`."""

    def __call__(self, w: Any) -> Array:
        """Return `w` with the vectors along the axis scaled to their wanted lengths."""
        w = as_float(w, "w")
        norms = np.sqrt(np.square(w, dtype=np.float64).sum(axis=self.axis, keepdims=True))
        return np.asarray(w * (self._wanted(norms) / (EPSILON + norms)), w.dtype)

    def _wanted(self, norms: Array) -> Array:
        raise NotImplementedError

    def _set_axis(self, axis: int | tuple[int, ...] | list[int]) -> None:
        if isinstance(axis, (tuple, list)):
            self.axis = tuple(validation.integer(each, "axis") for each in axis)
        else:
            self.axis = validation.integer(axis, "axis")


@_registry.register()
class NonNeg(Constraint):
    """Replace negative weights by 0: `max(w, 0)`.

    Examples
    --------
    >>> NonNeg()([-1.0, 2.0])
    array([0., 2.])
    """

    native = "non_negative"

    def __call__(self, w: Any) -> Array:
        """Return `max(w, 0)`."""
        w = as_float(w, "w")
        return np.asarray(np.where(w > 0, w, w.dtype.type(0)))


@_registry.register()
class MaxNorm(_Norm):
    """Shorten vectors that are longer than `max_value`: `w * clip(|w|, 0, max_value) / (1e-7 + |w|)`.

    Parameters
    ----------
    max_value : float, default 2
        At least 0.
    axis : int or tuple of int, default 0
        For a kernel (inputs, units), 0 measures what goes into each unit.

    Examples
    --------
    >>> MaxNorm(1.0)([[3.0], [4.0]]).round(6)
    array([[0.6],
           [0.8]])
    """

    native = "max_norm"
    _options = ("max_value", "axis")

    def __init__(self, max_value: float = 2, axis: int | tuple[int, ...] = 0) -> None:
        self.max_value = validation.number(max_value, "max_value", minimum=0)
        self._set_axis(axis)

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """The maximum."""
        return (self.max_value,)

    def _wanted(self, norms: Array) -> Array:
        return np.minimum(norms, self.max_value)


@_registry.register()
class UnitNorm(_Norm):
    """Scale vectors to length 1: `w / (1e-7 + |w|)`.

    Parameters
    ----------
    axis : int or tuple of int, default 0

    Examples
    --------
    >>> UnitNorm()([[3.0], [4.0]]).round(6)
    array([[0.6],
           [0.8]])
    """

    native = "unit_norm"
    _options = ("axis",)

    def __init__(self, axis: int | tuple[int, ...] = 0) -> None:
        self._set_axis(axis)

    def _wanted(self, norms: Array) -> Array:
        return np.ones_like(norms)


@_registry.register()
class MinMaxNorm(_Norm):
    """Move the lengths of vectors into a range, at a rate: `w * wanted / (1e-7 + |w|)`.

    `wanted = rate clip(|w|, min_value, max_value) + (1 - rate) |w|`.

    Parameters
    ----------
    min_value : float, default 0.0
        At least 0.
    max_value : float, default 1.0
        At least `min_value`.
    rate : float, default 1.0
        From 0 (not at all) to 1 (at once).
    axis : int or tuple of int, default 0

    Examples
    --------
    >>> MinMaxNorm(max_value=3.0, rate=0.5)([[3.0], [4.0]]).round(6)
    array([[2.4],
           [3.2]])
    """

    native = "min_max_norm"
    _options = ("min_value", "max_value", "rate", "axis")

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: int | tuple[int, ...] = 0
    ) -> None:
        self.min_value = validation.number(min_value, "min_value", minimum=0)
        self.max_value = validation.number(max_value, "max_value", minimum=self.min_value)
        self.rate = validation.fraction(rate, "rate")
        self._set_axis(axis)

    @property
    def native_parameters(self) -> tuple[float, ...]:
        """Minimum, maximum, rate."""
        return self.min_value, self.max_value, self.rate

    def _wanted(self, norms: Array) -> Array:
        return np.asarray(self.rate * np.clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms)


_registry.register()(Constraint)

max_norm = MaxNorm
non_neg = NonNeg
unit_norm = UnitNorm
min_max_norm = MinMaxNorm


def get(identifier: ConstraintLike | str) -> Any:
    """Return the constraint that an argument stands for.

    Parameters
    ----------
    identifier : None, str, dict, Constraint or callable
        A name; what `serialize` returned; a constraint or its class; or a function of one array.

    Returns
    -------
    Constraint, callable or None

    Raises
    ------
    ValueError
        If a name is unknown.
    TypeError
        If the object is none of these.

    Examples
    --------
    >>> get("max_norm"), get(None)
    (MaxNorm(max_value=2.0, axis=0), None)
    """
    return None if identifier is None else deserialize(identifier)


@knows_its_arguments
def deserialize(config: ConstraintLike | str, custom_objects: CustomObjects | None = None) -> Any:
    """Return the constraint that a configuration describes; `custom_objects` maps further names to classes.

    Examples
    --------
    >>> deserialize({"class_name": "UnitNorm", "config": {"axis": 1}})
    UnitNorm(axis=1)
    """
    found = _registry.get(config, custom_objects)
    if found is None or callable(found):
        return found
    raise TypeError(
        f"`constraint` must be a name, a constraint or a function. Received: constraint={validation.show(found)}"
    )


def serialize(constraint: object) -> dict[str, Any]:
    """Return a constraint as data.

    Examples
    --------
    >>> serialize(MaxNorm(3.0))
    {'class_name': 'MaxNorm', 'config': {'max_value': 3.0, 'axis': 0}}
    """
    data: dict[str, Any] = _as_data(constraint)
    return data


if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__)
