"""Array-likes of every kind, read as NumPy arrays of numbers, or refused with the remedy."""

from __future__ import annotations

import numbers
import sys
from collections.abc import Iterator, Mapping, Sequence, Sized
from types import FunctionType, MethodType
from typing import Any, NoReturn

import numpy as np

from cnn_core.foundation.validation.messages import Array, count, place, show
from cnn_core.foundation.validation.scalars import gives_batches

# NumPy's letters for booleans, signed and unsigned integers and floating-point numbers.
NUMERIC_KINDS = "biuf"


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


def as_array(x: object, name: str) -> Array:
    """Read anything that resembles an array of numbers as a NumPy array of its own numeric type.

    Nothing is copied that NumPy can share: arrays, memory maps and CPU tensors come back as views.

    Parameters
    ----------
    x : array-like
        A NumPy array of any strides, byte order or numeric type; a nested list of numbers; a pandas or polars
        frame or series; a masked array without masked entries; an object with ``__array__`` or ``__dlpack__``.
        An array of objects passes if every object is a real number; it becomes float64. bfloat16, of PyTorch or of
        ml_dtypes, becomes float32, which holds all its numbers. A tensor that records gradients is detached.
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
    elif isinstance(x, np.ndarray):
        array = _unmask(x, name)
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
    if array.dtype.type.__module__ == "ml_dtypes":  # bfloat16 and smaller types: float32 holds all their numbers
        return array.astype(np.float32)
    if array.dtype.kind == "O":
        return _object_array(array, name)
    _refuse_kind(array, x, name)


def _as_numpy_can_read(tensor: Any) -> Any:
    """A tensor of PyTorch without its gradients, which this library does not continue, and not in bfloat16."""
    tensor = tensor.detach()
    return tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor


def _unwrap(x: object, name: str) -> Array:
    """Turn an array-like that is neither array, frame nor sparse into an ndarray of any dtype."""
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
        if hasattr(x, "detach"):
            x = _as_numpy_can_read(x)
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
                f"{name} has {count(int(mask.sum()), 'masked entry').replace('entrys', 'entries')}; the first is "
                f"{place(where)}. Fill them first, as by {name}.filled(0). Received: {name}.shape={x.shape}"
            )
    return np.asarray(x)


def _refuse_ragged(x: Sequence[object], name: str, error: Exception) -> NoReturn:
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
            f"{name} has a missing value {place(where)}. Remove or impute such rows. Received: {show(value)}"
        )
    if isinstance(value, int):
        raise ValueError(f"{name} has a number {place(where)} that float64 cannot hold. Received: {show(value)}")
    raise TypeError(
        f"{name} must hold numbers, but has {_describe(value)} {place(where)}. Convert or encode it first. "
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
            raise ValueError(f"{name} has a missing value {place(found[0])}. Remove or impute such rows. {received}")
        what = f"the text {show(found[1])} {place(found[0])}" if found else "text"
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
