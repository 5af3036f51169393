"""Results as Keras has them: arrays and numbers that are NumPy's and Python's, and have `numpy()` besides.

What scripts for Keras do with an eager tensor (`numpy()`, `item()`, `shape`, arithmetic) they can do with these.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import numpy as np

from cnn_core.foundation.arrays import Array

_Arguments = ParamSpec("_Arguments")


class EagerArray(np.ndarray[Any, np.dtype[Any]]):
    """An array with `numpy()`, which arrays computed from it have, too; its elements and sums are NumPy's numbers.

    What a layer has given may have a mask beside it, which other layers read: see `mask_of`.

    Examples
    --------
    >>> array = np.array([1.0, 2.0]).view(EagerArray)
    >>> (2 * array).numpy(), array.sum()
    (array([2., 4.]), np.float64(3.0))
    """

    __slots__ = ("_keras_mask",)
    _keras_mask: Any

    def numpy(self) -> Array:
        """Return the same numbers as an ordinary array, which shares their memory."""
        return self.view(np.ndarray)

    def __array_wrap__(self, array: Any, context: object = None, return_scalar: bool = False) -> Any:
        if array.ndim == 0:
            return array[()]
        return array if type(array) is EagerArray else array.view(EagerArray)

    def __reduce__(self) -> str | tuple[Any, ...]:
        return self.numpy().__reduce__()  # what is kept needs no class of ours

    def __reduce_ex__(self, protocol: Any) -> str | tuple[Any, ...]:
        return self.numpy().__reduce_ex__(protocol)

    def __repr__(self) -> str:
        return repr(self.numpy())


class _Number:
    """What a number has of an array without axes."""

    __slots__ = ()
    shape: tuple[()] = ()
    ndim = 0

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: object, **keywords: object) -> Any:
        """Compute as Python's numbers do: beside an array they take its dtype."""
        plain = [each.item() if isinstance(each, _Number) else each for each in inputs]
        return getattr(ufunc, method)(*plain, **keywords)

    def item(self) -> Any:
        raise NotImplementedError


class EagerFloat(_Number, float):
    """A float with `numpy()`; so is what is computed of it and other numbers.

    Examples
    --------
    >>> loss = EagerFloat(0.5)
    >>> loss, loss.numpy(), (0.1 * loss + 1).numpy()
    (0.5, np.float64(0.5), np.float64(1.05))
    """

    __slots__ = ()
    dtype = np.dtype(np.float64)

    def numpy(self) -> np.float64:
        """Return NumPy's number."""
        return np.float64(self)

    def item(self) -> float:
        """Return Python's number."""
        return float(self)

    def __reduce__(self) -> tuple[type[float], tuple[float]]:
        return float, (float(self),)


class EagerInteger(_Number, int):
    """A whole number with `numpy()`."""

    __slots__ = ()
    dtype = np.dtype(np.int64)

    def numpy(self) -> np.int64:
        """Return NumPy's number."""
        return np.int64(self)

    def item(self) -> int:
        """Return Python's number."""
        return int(self)

    def __reduce__(self) -> tuple[type[int], tuple[int]]:
        return int, (int(self),)


def _closed(name: str) -> Any:
    """Return an operator of floats whose results are of our kind."""
    operator = getattr(float, name)

    def computed(self: EagerFloat, *others: object) -> Any:
        result = operator(self, *others)
        return EagerFloat(result) if type(result) is float else result

    computed.__name__ = name
    return computed


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "pow", "rpow", "neg", "pos", "abs"):
    setattr(EagerFloat, f"__{_name}__", _closed(f"__{_name}__"))


def eager(value: Any) -> Any:
    """Return a result as Keras has it; what is no array or float stays as it is.

    Examples
    --------
    >>> eager(1.5).numpy(), eager(np.ones(1)).numpy(), eager({"precision": 0.5})
    (np.float64(1.5), array([1.]), {'precision': 0.5})
    """
    kind = type(value)
    if kind is EagerFloat:
        return value
    if kind is float:
        return EagerFloat(value)
    if kind is np.ndarray and value.ndim:
        return value.view(EagerArray)
    return EagerFloat(value) if isinstance(value, (np.floating, np.ndarray)) and not np.ndim(value) else value


def mask_of(value: object) -> Any:
    """Return the mask beside a symbol or an array that a layer has given: which steps of each sample count.

    It has the name that Keras gives it. None: all count.

    Examples
    --------
    >>> array = eager(np.ones((1, 2)))
    >>> set_mask(array, np.array([[True, False]]))
    >>> mask_of(array), mask_of(array + 1)
    (array([[ True, False]]), None)
    """
    return getattr(value, "_keras_mask", None)


def set_mask(value: object, mask: object) -> None:
    """Put a mask beside a symbol or an array that a layer has given."""
    setattr(value, "_keras_mask", mask)  # noqa: B010  (the name is Keras's)


def returns_arrays(function: Callable[_Arguments, Any]) -> Callable[_Arguments, Any]:
    """Let a function that computes arrays, or lists of them, return them as Keras has them."""

    @wraps(function)
    def computed(*arguments: _Arguments.args, **keywords: _Arguments.kwargs) -> Any:
        return _viewed(function(*arguments, **keywords))

    return computed


def _viewed(result: Any) -> Any:
    kind = type(result)
    if kind is np.ndarray or isinstance(result, np.generic):
        return np.asarray(result).view(EagerArray)
    return kind(map(_viewed, result)) if kind in (list, tuple) else result
