"""Every check of an argument that comes from outside, and the words that reject it.

Floor 3. Knows NumPy and nothing else: neither layers nor the native core, and frames, tensors and sparse matrices
only by their methods. Each check returns the value in the form in which the rest of the package uses it.
"""

from __future__ import annotations

import math
import numbers
import operator
import os
import reprlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from types import FunctionType, MethodType
from typing import Any, NoReturn, TypeAlias

import numpy as np

import cnn_core._core as _core
from cnn_core.suggestions import alphabetical, did_you_mean

__all__ = [
    "as_array",
    "as_indices",
    "as_matrix",
    "boolean",
    "check_width",
    "choice",
    "column_names",
    "convert",
    "finite",
    "float_dtype",
    "fraction",
    "gives_batches",
    "integer",
    "integers",
    "is_frame",
    "is_sparse",
    "labels",
    "no_other_arguments",
    "non_negative_integer",
    "number",
    "one_of",
    "path",
    "positive_integer",
    "positive_number",
    "same_length",
    "seed",
    "shape",
    "show",
    "text",
]

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Shape: TypeAlias = tuple[int | None, ...]

# NumPy's letters for booleans, signed and unsigned integers and floating-point numbers.
NUMERIC_KINDS = "biuf"
_INT32 = np.iinfo(np.int32)
_NATIVE_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))

_brief = reprlib.Repr()
_brief.maxstring = _brief.maxother = 80
_brief.maxlong = 40


def show(value: object) -> str:
    """Show a received value in at most about 80 characters.

    >>> show(-3), show("adm"), show(list(range(100)))
    ('-3', "'adm'", '[0, 1, 2, 3, 4, 5, ...]')
    """
    if isinstance(value, np.generic):
        value = value.item()
    try:
        return " ".join(_brief.repr(value).split())
    except Exception:  # a message about a bad value must not fail on the value's own repr
        return f"<{type(value).__name__}>"


# Scalars


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
    return _integer(value, name, "an integer" + _limits(minimum, maximum), minimum, maximum)


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
    wanted = ("a number" if infinite else "a finite number") + _limits(minimum, maximum, above, below)
    if any(limit is not None for limit in (minimum, maximum, above, below)):
        wanted = wanted.replace("a finite number", "a number")
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(_must(name, wanted, value))
    try:
        result = float(value)
    except OverflowError:
        raise ValueError(_must(name, wanted, value)) from None
    outside = (
        math.isnan(result)
        or (math.isinf(result) and not infinite)
        or (minimum is not None and result < minimum)
        or (maximum is not None and result > maximum)
        or (above is not None and result <= above)
        or (below is not None and result >= below)
    )
    if outside:
        raise ValueError(_must(name, wanted, value))
    return result


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
    raise TypeError(_must(name, "True or False", value))


def text(value: object, name: str) -> str:
    """Check that a value is a string that is not empty.

    Examples
    --------
    >>> text("dense_1", "name")
    'dense_1'
    """
    if not isinstance(value, str):
        raise TypeError(_must(name, "a string", value))
    if not value:
        raise ValueError(_must(name, "a string that is not empty", value))
    return value


def path(value: object, name: str) -> str:
    """Check that a value names a file or directory, and return it as a string.

    Examples
    --------
    >>> path("models/best.keras", "filepath")
    'models/best.keras'
    """
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(_must(name, "a path", value))
    return text(os.fspath(value), name)


def integers(value: object, name: str) -> list[int]:
    """Check that a value is a sequence of integers.

    Examples
    --------
    >>> integers((0, 1), "input_axes")
    [0, 1]
    """
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(_must(name, "a sequence of integers", value))
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
    ValueError: `mode` must be 'auto', 'min' or 'max'. Received: mode='mni'. Did you mean 'min'?
    """
    known = list(choices)
    if isinstance(value, str) and value in known:
        return value
    message = _must(name, _listing([repr(one) for one in known]), value)
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
    raise ValueError(_must(name, _listing([repr(one) for one in known]), value))


def no_other_arguments(owner: type, given: Mapping[str, object]) -> None:
    """Refuse keyword arguments that a constructor does not have; name those that it has, and the nearest.

    Parameters
    ----------
    owner : type
        The class whose object is being made.
    given : mapping of str to object
        What is left over.

    Raises
    ------
    TypeError
        If there is anything left over.

    Examples
    --------
    >>> class Point:
    ...     def __init__(self, column=0, row=0, **others): no_other_arguments(type(self), others)
    >>> Point(colum=3)
    Traceback (most recent call last):
        ...
    TypeError: Point has the arguments `column` and `row`. Received: colum=3. Did you mean `column`?
    """
    if not given:
        return
    import inspect  # only a mistake needs it

    wrong, value = next(iter(given.items()))
    makers = [vars(parent)["__init__"] for parent in owner.__mro__ if "__init__" in vars(parent)]
    parameters = [each for maker in makers for each in inspect.signature(maker).parameters.values()]
    known = {each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)}

    names = alphabetical(known - {"self", "common"})
    raise TypeError(
        f"{owner.__name__} has the arguments {_listing([f'`{name}`' for name in names], 'and')}. "
        f"Received: {wrong}={show(value)}{did_you_mean(wrong, names, '`')}"
    )


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
    sizes: Iterable[object]
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping)):
        sizes = list(value)
    else:
        sizes = [value]
    result: list[int | None] = []
    for size in sizes:
        if size is None and unknown:
            result.append(None)
            continue
        whole = _whole(size)
        if whole is None:
            raise TypeError(_must(name, wanted, value))
        if whole < 1:
            raise ValueError(_must(name, wanted, value))
        result.append(whole)
    return tuple(result)


def float_dtype(value: object, name: str = "dtype") -> np.dtype[Any]:
    """Check a floating-point type: "float32" or "float64", by name, NumPy type or dtype, or as Keras writes a policy.

    Examples
    --------
    >>> float_dtype("float32")
    dtype('float32')
    """
    wanted = "'float32' or 'float64'"
    if isinstance(value, Mapping) and value.get("class_name") == "DTypePolicy":
        value = value["config"]["name"]
    for known in (np.dtype(np.float32), np.dtype(np.float64)):
        try:
            if value is not None and known == value:  # == reads names, scalar types and dtypes
                return known
        except TypeError:
            break
    raise ValueError(_must(name, wanted, value))


# What an object is


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


def is_sparse(x: object) -> bool:
    """Tell whether an object is a SciPy sparse matrix or array, without importing SciPy.

    >>> is_sparse(np.zeros((2, 2)))
    False
    """
    return hasattr(type(x), "tocsr") and hasattr(type(x), "nnz")  # of a damaged one, `nnz` itself may fail


def is_frame(x: object) -> bool:
    """Tell whether an object is a data frame (pandas, polars or alike), without importing one.

    >>> is_frame([[1.0, 2.0]])
    False
    """
    return hasattr(x, "columns") and hasattr(x, "to_numpy") and hasattr(x, "dtypes")


def column_names(x: object) -> list[str] | None:
    """Return the names of a frame's columns in their order, or None for anything else.

    >>> column_names([[1.0, 2.0]]) is None
    True
    """
    return [str(column) for column in x.columns] if is_frame(x) else None  # type: ignore[attr-defined]


# Arrays


def as_array(x: object, name: str) -> Array:
    """Read anything that resembles an array of numbers as a NumPy array of its own numeric type.

    Nothing is copied that NumPy can share: arrays, memory maps and CPU tensors come back as views.

    Parameters
    ----------
    x : array-like
        A NumPy array of any strides, byte order or numeric type; a nested list of numbers; a pandas or polars
        frame or series; a masked array without masked entries; an object with ``__array__`` or ``__dlpack__``.
        An array of objects passes if every object is a real number; it becomes float64.
    name : str
        The argument's name.

    Returns
    -------
    numpy.ndarray
        Of boolean, integer or floating type, any shape.

    Raises
    ------
    TypeError
        If it holds text, dates, complex numbers or other objects, is sparse, or is no array at all.
    ValueError
        If it is ragged, or has missing or masked entries.

    Examples
    --------
    >>> as_array([[1, 2], [3, 4]], "x").dtype.kind
    'i'
    >>> as_array([["1.5"]], "x")
    Traceback (most recent call last):
        ...
    TypeError: x must hold numbers, but has the text '1.5' at row 0, column 0. Convert or encode it first. \
Received: dtype=<U3
    """
    if type(x) is np.ndarray:
        array = x
    elif is_sparse(x):
        raise TypeError(
            f"{name} is a SciPy sparse matrix, which cannot be used here. Use {name}.toarray(). "
            f"Received: {name} of type {type(x).__name__}"
        )
    elif is_frame(x):
        return _frame_array(x, name)
    else:
        array = _unwrap(x, name)
    if array.dtype.kind in NUMERIC_KINDS:
        return array
    if array.dtype.kind == "O":
        return _object_array(array, name)
    _refuse_kind(array, x, name)


def as_matrix(
    x: object,
    name: str,
    dtype: object = np.float32,
    width: int | Shape | None = None,
    *,
    allow_empty: bool = False,
) -> Array:
    """Read array-like data as a matrix that native code can walk: one row per sample.

    Values are rounded to the nearest of the wanted type, as NumPy's ``astype`` does: float64 and large integers
    lose digits in float32. A finite value that would become infinite is an error. NaN and infinities pass;
    `finite` refuses them.

    Parameters
    ----------
    x : array-like of shape (n, ...) or (n,)
        Whatever `as_array` reads. A vector of length n becomes n rows of one feature.
    name : str
        The argument's name.
    dtype : {float32, float64}, default float32
        Type of the result.
    width : int or tuple of int or None, default None
        The features per row that the model expects: their number, or their shape, where None fits any size.
    allow_empty : bool, default False
        Whether zero rows are permitted. Zero features never are.

    Returns
    -------
    numpy.ndarray of shape (n, ...)
        C-contiguous, aligned, native byte order. `x` itself, or memory shared with it, if that is so already;
        possibly read-only.

    Raises
    ------
    TypeError, ValueError
        As `as_array`; and ValueError for a scalar, an empty array, a wrong width or an overflow.

    Examples
    --------
    >>> as_matrix([[1, 2], [3, 4]], "x", width=2)
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    >>> as_matrix(np.zeros((64, 12)), "x", width=10)
    Traceback (most recent call last):
        ...
    ValueError: x has 12 features; the model expects 10. Received: x.shape=(64, 12)
    """
    array = check_rows(as_array(x, name), name, width, allow_empty=allow_empty)
    return convert(array, name, np.dtype(dtype))  # type: ignore[call-overload]


def check_rows(array: Array, name: str, width: int | Shape | None = None, *, allow_empty: bool = False) -> Array:
    """Check that an array has rows, features and the expected width; give a vector its second dimension."""
    if array.ndim == 0:
        raise ValueError(
            f"{name} must have at least one dimension, (samples, features). "
            f"Use [[value]] for one sample of one feature. Received: {name}.shape=()"
        )
    if 0 in array.shape[1:] or (array.shape[0] == 0 and not allow_empty):
        missing = "rows" if array.shape[0] == 0 else "features"
        raise ValueError(f"{name} must not be empty, but has no {missing}. Received: {name}.shape={array.shape}")
    if width is not None:
        check_width(array, width, name)
    return array[:, None] if array.ndim == 1 else array


def check_width(x: Array, width: int | Shape, name: str) -> None:
    """Check that an array has the features per row that the model expects.

    Parameters
    ----------
    x : numpy.ndarray of shape (n, ...) or (n,)
        A vector counts as one feature per row.
    width : int or tuple
        Number of features, or their shape, in which None fits any size.
    name : str
        The argument's name.

    Raises
    ------
    ValueError
        If the shape differs.

    Examples
    --------
    >>> check_width(np.zeros((64, 10)), 10, "x")
    """
    wanted: Shape = (width,) if isinstance(width, int) else tuple(width)
    features = x.shape[1:] if x.ndim > 1 else (1,)
    if features == wanted:
        return
    fits = len(features) == len(wanted) and all(want in (None, got) for got, want in zip(features, wanted, strict=True))
    if fits:
        return
    if len(wanted) == 1 and x.ndim == 2:
        rule = f"{name} has {_count(features[0], 'feature')}; the model expects {wanted[0]}"
    elif len(wanted) == 1 and x.ndim == 1 and wanted[0] == x.shape[0]:
        rule = f"{name} has one dimension; the model expects (n, {wanted[0]}). Use {name}[None, :] for one sample"
    else:
        expected = ", ".join(["n", *("any" if size is None else str(size) for size in wanted)])
        rule = f"{name} has {_count(x.ndim, 'dimension')}; the model expects shape ({expected})"
        if x.ndim == len(wanted) + 1:
            rule = f"{name} has features of shape {features}; the model expects shape ({expected})"
    raise ValueError(f"{rule}. Received: {name}.shape={x.shape}")


def convert(array: Array, name: str, dtype: np.dtype[Any]) -> Array:
    """Convert a numeric array to a floating type, C order and native byte order; copy only if one of them differs.

    Rounds to nearest. A finite value beyond the range of `dtype` raises ValueError.
    """
    flags = array.flags
    if array.dtype == dtype and flags.c_contiguous and flags.aligned:
        return array
    try:
        # "raise" for overflow is the only sign NumPy gives of a finite number that became infinite.
        with np.errstate(over="raise", under="ignore", invalid="ignore"):
            return array.astype(dtype, order="C")
    except FloatingPointError:
        pass
    with np.errstate(all="ignore"):
        lost = np.isinf(array.astype(dtype)) & np.isfinite(array)
    where = tuple(int(i) for i in np.argwhere(lost)[0])
    raise ValueError(
        f"{name} has a number {_place(where)} that {dtype.name} cannot hold. Scale the data"
        f"{' or use float64' if dtype == np.float32 else ''}. Received: {show(array[where])}"
    )


def finite(x: Array, name: str, columns: Sequence[str] | None = None) -> Array:
    """Check that an array holds neither NaN nor infinities, and return it.

    Parameters
    ----------
    x : numpy.ndarray
        Any shape and numeric type.
    name : str
        The argument's name.
    columns : sequence of str, default None
        Names of the features, for the message.

    Raises
    ------
    ValueError
        With how many there are and where the first is.

    Examples
    --------
    >>> finite(np.array([[1.0, 2.0], [np.nan, 4.0]]), "x")
    Traceback (most recent call last):
        ...
    ValueError: x has 1 value that is NaN or infinite; the first is nan at row 1, column 0. \
Remove or impute such rows. Received: x.shape=(2, 2)
    """
    if x.dtype.kind != "f":
        return x
    flags = x.flags
    if flags.c_contiguous and flags.aligned and x.dtype in _NATIVE_FLOATS and _core.all_finite(x):
        return x
    first: tuple[int, ...] | None = None
    count = 0
    rows = max(1, (1 << 20) // max(1, x[:1].size)) if x.ndim else 1
    for start in range(0, x.shape[0] if x.ndim else 1, rows):
        block = x[start : start + rows] if x.ndim else x
        bad = ~np.isfinite(block)
        found = int(np.count_nonzero(bad))
        if found and first is None:
            inside = tuple(int(i) for i in np.argwhere(bad)[0])
            first = (inside[0] + start, *inside[1:]) if inside else ()
        count += found
    if first is None:
        return x
    are = "value that is" if count == 1 else "values that are"
    raise ValueError(
        f"{name} has {count} {are} NaN or infinite; the first is {show(x[first])} {_place(first, columns)}. "
        f"Remove or impute such rows. Received: {name}.shape={x.shape}"
    )


def as_indices(x: object, name: str, limit: int | None = None) -> Array:
    """Read array-like whole numbers as int32 rows, such as the input of an Embedding.

    Parameters
    ----------
    x : array-like of shape (n, ...) or (n,)
        Integers, booleans or floats without a fraction.
    name : str
        The argument's name.
    limit : int, default None
        Indices must be at least 0 and below this. None: any int32.

    Returns
    -------
    numpy.ndarray of int32, shape (n, ...)
        C-contiguous.

    Raises
    ------
    TypeError, ValueError
        As `as_array`; ValueError for a fraction or an index outside the limit.

    Examples
    --------
    >>> as_indices([[0, 2], [1, 1]], "x", limit=3)
    array([[0, 2],
           [1, 1]], dtype=int32)
    """
    array = _whole_numbers(check_rows(as_array(x, name), name), name)
    low, high = (_INT32.min, _INT32.max) if limit is None else (0, limit - 1)
    where = _first_outside(array, low, high)
    if where is not None:
        raise ValueError(
            f"{name} has index {int(array[where])} {_place(where)}; indices must be {low}..{high}. "
            f"Received: {name}.shape={array.shape}"
        )
    return np.require(array, dtype=np.int32, requirements=["C", "ALIGNED"])


def labels(
    y: object,
    n_classes: int | None,
    name: str = "y",
    *,
    ignore_class: int | None = None,
    places: tuple[int, ...] = (),
) -> Array:
    """Read class labels as int32.

    Parameters
    ----------
    y : array-like of shape (n, *places) or (n, *places, 1)
        Integers, booleans or floats without a fraction.
    n_classes : int or None
        Units of the output layer: labels must be 0..n_classes - 1. None: any label from 0.
    name : str, default "y"
        The argument's name.
    ignore_class : int, default None
        A label that passes whatever the number of classes.
    places : tuple of int, default ()
        Where a sample has labels: the output's shape without its last dimension. () for one label a sample.

    Returns
    -------
    numpy.ndarray of int32, shape (n,), or (n, number of places)
        C-contiguous.

    Raises
    ------
    TypeError, ValueError
        As `as_array`; ValueError for another shape, a fraction or a label out of range.

    Examples
    --------
    >>> labels([0.0, 2.0, 1.0], 3)
    array([0, 2, 1], dtype=int32)
    >>> labels([[[0], [2]], [[1], [1]]], 3, places=(2,))
    array([[0, 2],
           [1, 1]], dtype=int32)
    >>> labels([0, 1, 2, 10], 10)
    Traceback (most recent call last):
        ...
    ValueError: y has label 10 at row 3; the output layer has 10 units, so labels must be 0..9. Received: y.shape=(4,)
    """
    array = as_array(y, name)
    if array.ndim == 0 or array.shape[1:] not in (places, (*places, 1)):
        inner = "".join(f", {size}" for size in places)
        what, shapes = ("place", f"(n{inner}) or (n{inner}, 1)") if places else ("row", "(n,) or (n, 1)")
        raise ValueError(
            f"{name} must hold one label per {what}, shape {shapes}. Rows of class probabilities go with "
            f"a categorical loss instead. Received: {name}.shape={array.shape}"
        )
    check_rows(array, name)
    flat = _whole_numbers(array, name).reshape(len(array), -1) if places else _whole_numbers(array, name).reshape(-1)
    high = _INT32.max if n_classes is None else n_classes - 1
    where = _first_outside(flat, 0, high, ignore_class)
    if where is not None:
        units = "" if n_classes is None else f"the output layer has {_count(n_classes, 'unit')}, so "
        raise ValueError(
            f"{name} has label {int(flat[where])} {_place(where)}; {units}labels must be 0..{high}. "
            f"Received: {name}.shape={array.shape}"
        )
    return np.require(flat, dtype=np.int32, requirements=["C", "ALIGNED"])


def same_length(arrays: Mapping[str, Any]) -> int:
    """Check that named arrays have the same number of rows, and return it.

    Parameters
    ----------
    arrays : mapping of str to object with a shape
        At least one.

    Raises
    ------
    ValueError
        With every shape.

    Examples
    --------
    >>> same_length({"x": np.zeros((64, 10)), "y": np.zeros(63)})
    Traceback (most recent call last):
        ...
    ValueError: x and y must have the same number of rows. Received: x.shape=(64, 10), y.shape=(63,)
    """
    shapes = {name: tuple(array.shape) for name, array in arrays.items()}
    lengths = {each[0] for each in shapes.values()}
    if len(lengths) != 1:
        received = ", ".join(f"{name}.shape={each}" for name, each in shapes.items())
        raise ValueError(f"{_listing(list(shapes), 'and')} must have the same number of rows. Received: {received}")
    return int(lengths.pop())


# The parts of messages


def _must(name: str, wanted: str, value: object) -> str:
    return f"`{name}` must be {wanted}. Received: {name}={show(value)}"


def _listing(words: Sequence[str], conjunction: str = "or") -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _limits(
    minimum: float | None = None, maximum: float | None = None, above: float | None = None, below: float | None = None
) -> str:
    """Word the limits of a range, such as " of at least 0 and below 1"."""
    parts = [
        f"{words} {limit:g}" if isinstance(limit, float) else f"{words} {limit}"
        for words, limit in (("of at least", minimum), ("above", above), ("at most", maximum), ("below", below))
        if limit is not None
    ]
    return " " + " and ".join(parts) if parts else ""


def _place(where: Sequence[int], columns: Sequence[str] | None = None) -> str:
    """Word an index into an array, such as "at row 3, column 2"."""
    if not where:
        return "in it"
    if len(where) == 1:
        return f"at row {where[0]}"
    if len(where) == 2:
        column = where[1] if columns is None else repr(columns[where[1]])
        return f"at row {where[0]}, column {column}"
    return f"at row {where[0]}, feature {tuple(where[1:])}"


# The parts of checks


def _whole(value: object) -> int | None:
    """Return an integer as an int; None for anything else, booleans included."""
    if isinstance(value, (bool, np.bool_)) or not hasattr(value, "__index__"):
        return None
    try:
        return operator.index(value)
    except TypeError:  # an array with more than one element has __index__ too
        return None


def _integer(value: object, name: str, wanted: str, minimum: int | None, maximum: int | None) -> int:
    whole = _whole(value)
    if whole is None:
        raise TypeError(_must(name, wanted, value))
    if (minimum is not None and whole < minimum) or (maximum is not None and whole > maximum):
        raise ValueError(_must(name, wanted, value))
    if maximum is None and abs(whole) > sys.maxsize:  # neither native code nor range() counts so far
        raise ValueError(_must(name, f"an integer of at most {sys.maxsize}", value))
    return whole


def _unwrap(x: object, name: str) -> Array:
    """Turn an array-like that is neither frame nor sparse into an ndarray of any dtype."""
    if isinstance(x, np.ndarray):
        return _unmask(x, name)
    if x is None or isinstance(x, (str, bytes, Mapping, set, frozenset)):
        raise TypeError(f"{name} must be an array of numbers. Received: {name} of type {type(x).__name__}")
    if gives_batches(x) or (isinstance(x, Iterator) and not hasattr(x, "__array__")):
        raise TypeError(
            f"{name} must be an array of numbers; only the x of `fit`, `evaluate` and `predict` may yield batches. "
            f"Received: {name} of type {type(x).__name__}"
        )
    if isinstance(x, (FunctionType, MethodType, type)):
        raise TypeError(
            f"{name} must be an array of numbers. Received: the {'class' if isinstance(x, type) else 'function'} "
            f"{x.__name__}. Call it if it gives data: {name}={x.__name__}(...)"
        )
    try:
        if hasattr(x, "__dlpack__") and not hasattr(x, "__array__"):
            return np.from_dlpack(x)
        return np.asarray(_listed(x) if _has_only_items(x) else x)
    except Exception as error:
        if isinstance(x, Sequence):
            _refuse_ragged(x, name, error)
        raise TypeError(
            f"{name} cannot be read as an array: {str(error).rstrip('.')}. Received: {name} of type {type(x).__name__}"
        ) from error


def _has_only_items(x: object) -> bool:
    """Tell whether NumPy would read an object item by item until an IndexError, which may never come."""
    kind = type(x)
    if isinstance(x, Sequence) or not (hasattr(kind, "__getitem__") and hasattr(kind, "__len__")):
        return False
    if any(hasattr(kind, name) for name in ("__array__", "__array_interface__", "__array_struct__", "__iter__")):
        return False
    try:
        memoryview(x)  # type: ignore[arg-type]
    except TypeError:
        return True
    return False


def _listed(x: Any) -> list[Any]:
    return [x[place] for place in range(len(x))]


def _unmask(x: Array, name: str) -> Array:
    """Strip an ndarray subclass; refuse masked entries."""
    # A masked array can exist only if its module has been imported.
    masked = sys.modules.get("numpy.ma")
    if masked is not None and isinstance(x, masked.MaskedArray):
        mask = masked.getmaskarray(x)
        if mask.any():
            where = tuple(int(i) for i in np.argwhere(mask)[0])
            raise ValueError(
                f"{name} has {_count(int(mask.sum()), 'masked entry').replace('entrys', 'entries')}; the first is "
                f"{_place(where)}. Fill them first, as by {name}.filled(0). Received: {name}.shape={x.shape}"
            )
    return np.asarray(x)


def _refuse_ragged(x: Sequence[Any], name: str, error: Exception) -> NoReturn:
    sizes = [len(row) if isinstance(row, Sized) else 1 for row in x]
    other = next((i for i, size in enumerate(sizes) if size != sizes[0]), None)
    if other is None:
        raise ValueError(f"{name} cannot be read as an array: {error}. Received: {name}={show(x)}") from error
    raise ValueError(
        f"{name} must have rows of one length. "
        f"Received: row 0 of length {sizes[0]}, row {other} of length {sizes[other]}"
    ) from error


def _frame_array(frame: Any, name: str) -> Array:
    """Read a data frame; what is not numbers throughout goes column by column, so that a message can name one."""
    if not len(frame) or not len(frame.columns):
        return np.empty((len(frame), len(frame.columns)))
    whole = frame.to_numpy()
    if whole.dtype.kind in NUMERIC_KINDS:
        return np.asarray(whole)
    by_position = frame.iloc if hasattr(frame, "iloc") else frame
    columns = []
    for position, label in enumerate(column_names(frame) or ()):
        part = f"{name} column {label!r}"
        column = as_array(by_position[:, position], part)
        if column.ndim != 1:
            raise TypeError(f"{part} must have one number per row. Received: shape={column.shape}")
        columns.append(column)
    return np.stack(columns, axis=1)


def _object_array(array: Array, name: str) -> Array:
    """Convert an array of objects to float64 if each of them is a real number."""
    if array.ndim == 0:
        raise TypeError(f"{name} must be an array of numbers. Received: {name} of type {type(array.item()).__name__}")
    if all(_is_real(kind) for kind in {type(value) for value in array.flat}):
        try:
            return array.astype(np.float64)
        except (OverflowError, TypeError, ValueError):
            pass
    where, value = next((where, value) for where, value in np.ndenumerate(array) if not _fits_float64(value))
    if _is_missing(value):
        raise ValueError(
            f"{name} has a missing value {_place(where)}. Remove or impute such rows. Received: {show(value)}"
        )
    if isinstance(value, int):
        raise ValueError(f"{name} has a number {_place(where)} that float64 cannot hold. Received: {show(value)}")
    raise TypeError(
        f"{name} must hold numbers, but has {_describe(value)} {_place(where)}. Convert or encode it first. "
        f"Received: dtype=object"
    )


def _is_real(kind: type) -> bool:
    # Decimal is registered as a Number, but neither as Real nor as Complex; NumPy's boolean is not registered at all.
    if issubclass(kind, (numbers.Real, np.bool_)):
        return True
    return issubclass(kind, numbers.Number) and not issubclass(kind, numbers.Complex)


def _fits_float64(value: Any) -> bool:
    if not _is_real(type(value)):
        return False
    try:
        float(value)
    except (OverflowError, TypeError, ValueError):
        return False
    return True


def _is_missing(value: object) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def _describe(value: object) -> str:
    if isinstance(value, (str, bytes)):
        return f"the text {show(value)}"
    if isinstance(value, numbers.Complex):
        return f"the complex number {value}"
    return f"an object of type {type(value).__name__}"


def _refuse_kind(array: Array, x: object, name: str) -> NoReturn:
    """Refuse an array of text, complex numbers, dates or records, with the remedy for each."""
    kind, received = array.dtype.kind, f"Received: dtype={array.dtype}"
    if kind in "USTa":
        found = _first_text(array, x)
        if found is not None and _is_missing(found[1]):
            raise ValueError(f"{name} has a missing value {_place(found[0])}. Remove or impute such rows. {received}")
        what = f"the text {show(found[1])} {_place(found[0])}" if found else "text"
        raise TypeError(f"{name} must hold numbers, but has {what}. Convert or encode it first. {received}")
    remedy = {
        "c": f"complex numbers. Use {name}.real and {name}.imag as features of their own",
        "M": "dates. Convert them to numbers first, as by .astype('int64')",
        "m": "time differences. Convert them to numbers first, as by / np.timedelta64(1, 's')",
    }.get(kind, f"elements of another kind. Use {name}.astype('float32') if they are numbers")
    raise TypeError(f"{name} must hold numbers, but has {remedy}. {received}")


def _first_text(array: Array, x: object) -> tuple[tuple[int, ...], Any] | None:
    """Find the first text; in a list NumPy has turned the numbers beside it into text too, so look in the list."""
    if isinstance(x, Sequence):
        array = np.array(x, dtype=object)
    for where, value in np.ndenumerate(array):
        if isinstance(value, (str, bytes)) or _is_missing(value):
            return where, value
    return None


def _whole_numbers(array: Array, name: str) -> Array:
    """Refuse floats with a fraction, NaN and infinities."""
    if array.dtype.kind != "f":
        return array
    finite(array, name)
    broken = array != np.trunc(array)
    if broken.any():
        where = tuple(int(i) for i in np.argwhere(broken)[0])
        raise ValueError(
            f"{name} must hold whole numbers, but has {show(array[where])} {_place(where)}. "
            f"Received: {name}.shape={array.shape}, dtype={array.dtype}"
        )
    return array


def _first_outside(array: Array, low: int, high: int, ignored: int | None = None) -> tuple[int, ...] | None:
    """Return the index of the first element outside low..high that is not `ignored`, or None."""
    if not array.size or (array.min() >= low and array.max() <= high):
        return None
    outside = (array < low) | (array > high)
    if ignored is not None:
        outside &= array != ignored
    return tuple(int(i) for i in np.argwhere(outside)[0]) if outside.any() else None
