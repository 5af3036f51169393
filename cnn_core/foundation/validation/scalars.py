"""Checks of single arguments: numbers, texts, choices, shapes."""

from __future__ import annotations

import math
import numbers
import operator
import os
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from cnn_core.foundation.suggestions import alphabetical, did_you_mean
from cnn_core.foundation.validation.messages import Shape, limits, listing, must

MOST_NUMBERS = 2**54  # below it, of an array: far beyond any memory, far below an overflow
_FLOATS: dict[str, np.dtype[Any]] = {"float32": np.dtype(np.float32), "float64": np.dtype(np.float64)}


def integer(value: object, name: str, minimum: int | None = None, maximum: int | None = None) -> int:
    """Check that a value is an integer, optionally within limits that both belong to the range.

    Parameters
    ----------
    value : int or NumPy integer
        Booleans and floats are refused, whole ones too.
    name : str
        The argument's name, as the caller wrote it.
    minimum, maximum : int, default None
        Smallest and largest permitted value.

    Returns
    -------
    int

    Raises
    ------
    TypeError
        If the value is no integer.
    ValueError
        If it lies outside the limits.

    Examples
    --------
    >>> integer(5, "patience", minimum=0)
    5
    """
    return _integer(value, name, "an integer" + limits(minimum, maximum), minimum, maximum)


def positive_integer(value: object, name: str) -> int:
    """Check that a value is an integer of at least 1.

    Examples
    --------
    >>> positive_integer(-3, "units")
    Traceback (most recent call last):
        ...
    ValueError: `units` must be a positive integer. Received: units=-3
    """
    return _integer(value, name, "a positive integer", 1, None)


def non_negative_integer(value: object, name: str) -> int:
    """Check that a value is an integer of at least 0.

    Examples
    --------
    >>> non_negative_integer(0, "cooldown")
    0
    """
    return _integer(value, name, "an integer of at least 0", 0, None)


def seed(value: object, name: str = "seed") -> int | None:
    """Check a seed: None for fresh entropy, or an integer from 0 to 2**64 - 1.

    Examples
    --------
    >>> seed(7), seed(None)
    (7, None)
    """
    if value is None:
        return None
    return _integer(value, name, "None or an integer from 0 to 2**64 - 1", 0, 2**64 - 1)


def number(
    value: object,
    name: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    infinite: bool = False,
) -> float:
    """Check that a value is a real number, optionally within limits.

    Parameters
    ----------
    value : int, float or NumPy number, an array of no dimensions included
        Booleans are refused. NaN is never permitted.
    name : str
        The argument's name.
    minimum, maximum : float, default None
        Limits that belong to the range.
    above, below : float, default None
        Limits that do not.
    infinite : bool, default False
        Whether an infinity may pass.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If the value is no real number.
    ValueError
        If it is NaN, infinite or outside the limits.

    Examples
    --------
    >>> number(1e-7, "epsilon", above=0)
    1e-07
    >>> number(-0.1, "momentum", minimum=0, below=1)
    Traceback (most recent call last):
        ...
    ValueError: `momentum` must be a number of at least 0 and below 1. Received: momentum=-0.1
    """
    result = _real(value)
    if (
        result is not None
        and (math.isfinite(result) or (infinite and not math.isnan(result)))
        and (minimum is None or result >= minimum)
        and (maximum is None or result <= maximum)
        and (above is None or result > above)
        and (below is None or result < below)
    ):
        return result
    range_of = limits(minimum, maximum, above, below)
    wanted = f"a number{range_of}" if infinite or range_of else "a finite number"
    raise (TypeError if result is None else ValueError)(must(name, wanted, value))


def positive_number(value: object, name: str) -> float:
    """Check that a value is a finite number above 0.

    Examples
    --------
    >>> positive_number(2, "delta")
    2.0
    """
    return number(value, name, above=0)


def fraction(value: object, name: str, *, include_zero: bool = True, include_one: bool = True) -> float:
    """Check that a value is a number from 0 to 1; each end may be excluded.

    Examples
    --------
    >>> fraction(0.5, "rate")
    0.5
    >>> fraction(1, "validation_split", include_one=False)
    Traceback (most recent call last):
        ...
    ValueError: `validation_split` must be a number of at least 0 and below 1. Received: validation_split=1
    """
    return number(
        value,
        name,
        minimum=0 if include_zero else None,
        above=None if include_zero else 0,
        maximum=1 if include_one else None,
        below=None if include_one else 1,
    )


def boolean(value: object, name: str) -> bool:
    """Check that a value is True or False (NumPy's included; 0 and 1 are not).

    Examples
    --------
    >>> boolean(True, "use_bias")
    True
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise TypeError(must(name, "True or False", value))


def text(value: object, name: str) -> str:
    """Check that a value is a string that is not empty.

    Examples
    --------
    >>> text("dense_1", "name")
    'dense_1'
    """
    if not isinstance(value, str):
        raise TypeError(must(name, "a string", value))
    if not value:
        raise ValueError(must(name, "a string that is not empty", value))
    return value


def path(value: object, name: str) -> str:
    """Check that a value names a file or directory, and return it as a string.

    Examples
    --------
    >>> path("models/best.keras", "filepath")
    'models/best.keras'
    """
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(must(name, "a path", value))
    return text(os.fspath(value), name)


def integers(value: object, name: str) -> list[int]:
    """Check that a value is a sequence of integers.

    Examples
    --------
    >>> integers((0, 1), "input_axes")
    [0, 1]
    """
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(must(name, "a sequence of integers", value))
    return [integer(each, name) for each in value]


def choice(value: object, name: str, choices: Iterable[str]) -> str:
    """Check that a value is one of some strings, and propose the nearest if it is not.

    Raises
    ------
    TypeError
        If the value is no string.
    ValueError
        If it is another string.

    Examples
    --------
    >>> choice("mni", "mode", ("auto", "min", "max"))
    Traceback (most recent call last):
        ...
    ValueError: `mode` must be 'auto', 'max' or 'min'. Received: mode='mni'. Did you mean 'min'?
    """
    known = list(choices)
    if isinstance(value, str) and value in known:
        return value
    message = must(name, listing([repr(one) for one in alphabetical(known)]), value)
    if not isinstance(value, str):
        raise TypeError(message)
    raise ValueError(message + did_you_mean(value, known))


def one_of(value: object, name: str, choices: Iterable[object]) -> Any:
    """Check that a value is one of some objects of any type, such as None, True and "auto".

    Examples
    --------
    >>> one_of("auto", "verbose", ("auto", 0, 1, 2))
    'auto'
    """
    known = list(choices)
    for candidate in known:
        if type(value) is type(candidate) and value == candidate:
            return candidate
    texts = alphabetical(one for one in known if isinstance(one, str))
    others = [one for one in known if not isinstance(one, str)]
    message = must(name, listing([repr(one) for one in (*texts, *others)]), value)
    raise ValueError(message + (did_you_mean(value, texts) if isinstance(value, str) else ""))


def shape(value: object, name: str = "shape", *, unknown: bool = False) -> Shape:
    """Check a shape: an integer or a sequence of positive integers.

    Parameters
    ----------
    value : int or sequence of int
        An integer counts as a shape of one dimension.
    name : str, default "shape"
        The argument's name.
    unknown : bool, default False
        Whether None may stand for a size that is not known yet.

    Examples
    --------
    >>> shape((28, 28)), shape(10), shape((None, 3), unknown=True)
    ((28, 28), (10,), (None, 3))
    """
    wanted = "a tuple of positive integers" + (" or None" if unknown else "")
    sizes: Iterable[object] = [value]
    if isinstance(value, (tuple, list)) or (
        isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))
    ):
        sizes = value
    result: list[int | None] = []
    n_numbers = 1
    for size in sizes:
        if size is None and unknown:
            result.append(None)
            continue
        whole = _whole(size)
        if whole is None:
            raise TypeError(must(name, wanted, value))
        if whole < 1:
            raise ValueError(must(name, wanted, value))
        result.append(whole)
        n_numbers *= whole
    if n_numbers >= MOST_NUMBERS:
        raise ValueError(must(name, f"{wanted} whose product is below 2**54", value))
    return tuple(result)


def name_in_policy(value: object) -> object:
    """Return the name in a policy as Keras writes it into configurations, and anything else as it is.

    Examples
    --------
    >>> name_in_policy({"class_name": "DTypePolicy", "config": {"name": "float64"}})
    'float64'
    """
    if not isinstance(value, Mapping) or value.get("class_name") not in ("DTypePolicy", "Policy"):
        return value
    config = value.get("config")
    return config["name"] if isinstance(config, Mapping) and "name" in config else value


def float_dtype(value: object, name: str = "dtype") -> np.dtype[Any]:
    """Check a floating-point type: "float32" or "float64", by name, NumPy type or dtype, or as Keras writes a policy.

    Examples
    --------
    >>> float_dtype("float32")
    dtype('float32')
    """
    if isinstance(value, str) and value in _FLOATS:
        return _FLOATS[value]
    value = name_in_policy(value)
    for known in _FLOATS.values():
        try:
            if value is not None and known == value:  # == reads names, scalar types and dtypes
                return known
        except TypeError:
            break
    raise ValueError(must(name, "'float32' or 'float64'", value))


# What an object is

_HOLDS_ARRAYS = ("shape", "__array__", "__array_interface__", "__dataframe__", "__arrow_c_stream__", "__dlpack__")


def gives_batches(x: object) -> bool:
    """Tell whether an object is a data set of batches by number, of whatever library, as Keras's PyDataset.

    Examples
    --------
    >>> gives_batches([[1.0]])
    False
    """
    # Asked without running properties, which may fail.
    has = ("__getitem__", "num_batches", "workers", "max_queue_size")
    return all(hasattr(type(x), name) or name in getattr(x, "__dict__", ()) for name in has)


def rows_at_once(value: object, name: str) -> None:
    """Refuse what gives rows one batch after the other, and what has none, such as the path of a file.

    Read as a sequence, a foreign data set would be read for ever.

    Raises
    ------
    TypeError
        If it is no array, sequence or table.

    Examples
    --------
    >>> rows_at_once([[1.0], [2.0]], "X")
    >>> rows_at_once(iter([[1.0], [2.0]]), "X")
    Traceback (most recent call last):
        ...
    TypeError: `X` must hold all rows at once: an array, a list of rows or a table. Received: X of type list_iterator
    """
    if isinstance(value, np.ndarray):
        return
    remedy = ""
    if isinstance(value, (str, bytes, os.PathLike)):
        remedy = ". Read the file first, such as by pandas.read_csv"
    elif not gives_batches(value) and any(hasattr(type(value), each) for each in _HOLDS_ARRAYS):
        return
    elif isinstance(value, Mapping):
        remedy = ". A dict of columns becomes a table by pandas.DataFrame"
    elif value is None or isinstance(value, numbers.Number):
        return  # the checks of dimensions say what is wrong
    elif hasattr(type(value), "__len__") and hasattr(type(value), "__getitem__") and not gives_batches(value):
        return
    raise TypeError(
        f"`{name}` must hold all rows at once: an array, a list of rows or a table. "
        f"Received: {name} of type {type(value).__name__}{remedy}"
    )


def patterns(value: Iterable[str], name: str) -> list[str]:
    """Check that a value is a list of regular expressions.

    Examples
    --------
    >>> patterns(["*"], "var_names")
    Traceback (most recent call last):
        ...
    ValueError: `var_names` must hold regular expressions. Received: '*' (nothing to repeat at position 0)
    """
    checked = None if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
    if checked is None or not all(isinstance(each, str) for each in checked):
        raise TypeError(f"`{name}` must be a list of strings. Received: {name}={value!r}")
    for pattern in checked:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"`{name}` must hold regular expressions. Received: {pattern!r} ({error})") from None
    return checked


# The parts of checks


def _real(value: object) -> float | None:
    """Return a real number as a float, NaN if it is none of those; None for anything else, booleans included."""
    if type(value) is float:
        return value
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.nan


def _whole(value: object) -> int | None:
    """Return an integer as an int; None for anything else, booleans included."""
    if type(value) is int:
        return value
    if isinstance(value, (bool, np.bool_)) or not hasattr(value, "__index__"):
        return None
    try:
        return operator.index(value)
    except TypeError:  # an array with more than one element has __index__ too
        return None


def _integer(value: object, name: str, wanted: str, minimum: int | None, maximum: int | None) -> int:
    whole = _whole(value)
    if whole is None:
        raise TypeError(must(name, wanted, value))
    if (minimum is not None and whole < minimum) or (maximum is not None and whole > maximum):
        raise ValueError(must(name, wanted, value))
    if maximum is None and abs(whole) > sys.maxsize:  # neither native code nor range() counts so far
        raise ValueError(must(name, f"an integer of at most {sys.maxsize}", value))
    return whole
