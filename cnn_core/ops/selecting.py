"""Keras's functions of order and of picked elements, and of triangles, edges and products along chosen axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cnn_core.foundation.eager import returns_arrays
from cnn_core.ops.dtypes import as_array, together
from cnn_core.ops.elementwise import add, equal, less, multiply, sqrt, square, subtract
from cnn_core.ops.functions import (
    cast,
    concatenate,
    convert_to_tensor,
    diagonal,
    expand_dims,
    full,
    matmul,
    reshape,
    shape,
    swapaxes,
    take,
    transpose,
    where,
)
from cnn_core.ops.operation import is_symbolic, shape_of
from cnn_core.ops.ordering import axis_of_sample, check_count, gather_function, sorted_function
from cnn_core.ops.reductions import any_function, max_function, min_function, sum_function
from cnn_core.ops.shapes import BatchSize


def _in_order(x: object, axis: int, k: int | None = None, descending: bool = False) -> list[Any]:
    """Return elements and numbers along an axis in order."""
    last = axis_of_sample(shape_of(x), axis, "sort") == len(shape_of(x)) - 1
    turned = x if last else swapaxes(x, axis, -1)
    found: list[Any] = sorted_function.on([turned], k=k, descending=descending)
    return found if last else [swapaxes(each, axis, -1) for each in found]


@returns_arrays
def sort(x: object, axis: int = -1) -> Any:
    """Return the elements along an axis in rising order."""
    return _in_order(x, axis)[0] if is_symbolic(x) else np.sort(as_array(x), axis)


@returns_arrays
def argsort(x: object, axis: int = -1) -> Any:
    """Return the numbers that put the elements along an axis in rising order."""
    return _in_order(x, axis)[1] if is_symbolic(x) else np.argsort(as_array(x), axis, kind="stable").astype("int32")


@returns_arrays
def top_k(x: object, k: int, sorted: bool = True) -> tuple[Any, Any]:
    """Return the k largest elements along the last axis, largest first, and their numbers."""
    if is_symbolic(x):
        values, numbers = _in_order(x, -1, k, descending=True)
        return values, numbers
    array = as_array(x)
    size = array.shape[-1]
    check_count(k, size)
    # From behind, so that the first of equal ones stays the first; of unsigned numbers there are no negative ones.
    places = size - 1 - np.argsort(array[..., ::-1], axis=-1, kind="stable")[..., ::-1][..., :k]
    return np.take_along_axis(array, places, -1), places.astype("int32")


def in_top_k(targets: object, predictions: object, k: int) -> Any:
    """Tell whether the prediction for each target is among its row's k largest."""
    own = take_along_axis(predictions, expand_dims(targets, -1), -1)
    return less(sum_function(cast(less(own, predictions), "int32"), -1), k)


@returns_arrays
def take_along_axis(x: object, indices: object, axis: int | None = None) -> Any:
    """Return elements along an axis, each picked by a number of its own."""
    if is_symbolic(x, indices):
        return gather_function.on([x, indices], axis=axis_of_sample(shape_of(x), axis, "take_along_axis"), along=True)
    return np.take_along_axis(as_array(x), as_array(indices), axis)


def broadcast_to(x: Any, shape: Any) -> Any:
    """Return `x` repeated to a shape."""
    x = convert_to_tensor(x)
    return multiply(x, full(shape, 1, x.dtype)) if is_symbolic(x) else np.broadcast_to(x, shape)


def ravel(x: object) -> Any:
    """Return all elements in a row."""
    return reshape(x, (-1,))


def vstack(xs: Any) -> Any:
    """Return values one below the other."""
    return concatenate([convert_to_tensor(x) if len(shape_of(x)) > 1 else reshape(x, (1, -1)) for x in xs], 0)


def append(x1: object, x2: object, axis: int | None = None) -> Any:
    """Return the second value behind the first along an axis."""
    return concatenate([x1, x2] if axis is not None else [ravel(x1), ravel(x2)], axis or 0)


@returns_arrays
def pad(x: object, pad_width: object, mode: str = "constant", constant_values: float | None = None) -> Any:
    """Return `x` with so many elements before and behind along each axis; symbols with a constant.

    Parameters
    ----------
    x : array-like or symbol
    pad_width : int, pair of int, or a pair for each axis
    mode : str, default "constant"
        One of NumPy's for arrays.
    constant_values : float, default None
        None: 0.
    """
    if not is_symbolic(x):
        extra = {} if constant_values is None else {"constant_values": constant_values}
        return np.pad(as_array(x), pad_width, mode, **extra)  # type: ignore[call-overload]
    if mode != "constant":
        raise ValueError(f'`mode` must be "constant" for symbols. Received: mode={mode!r}')
    widths = np.broadcast_to(np.asarray(pad_width), (len(shape_of(x)), 2))
    for axis, (before, behind) in enumerate(widths.tolist()):
        parts = [_edge(x, axis, width, constant_values or 0) for width in (before, behind)]
        kept = [part for part in (parts[0], x, parts[1]) if part is not None]
        x = concatenate(kept, axis) if len(kept) > 1 else x
    return x


def _edge(x: Any, axis: int, width: int, value: float) -> Any:
    if not width:
        return None
    sizes = list(shape(x))
    sizes[axis] = width
    return full(sizes, value, x.dtype)


def slice(inputs: object, start_indices: Sequence[int], shape: Sequence[Any]) -> Any:
    """Return a part that begins at indices and has a shape.

    Along the samples of a symbol it is all of them: from 0, as many as `ops.shape` gives, or None.
    """
    bounds = list(zip(start_indices, shape, strict=True))
    keys: list[Any] = []
    if is_symbolic(inputs) and shape_of(inputs)[:1] == (None,):
        begin, size = bounds.pop(0)
        if begin != 0 or not (size is None or isinstance(size, BatchSize)):
            raise ValueError(
                "Samples are apart: a part of a symbol must begin with sample 0 and have None of them, or as many as "
                f"`ops.shape` gives. Received: start_indices={tuple(start_indices)}, shape={tuple(shape)}"
            )
        keys = [np.s_[:]]
    return convert_to_tensor(inputs)[(*keys, *(np.s_[begin : begin + size] for begin, size in bounds))]


def diff(a: object, n: int = 1, axis: int = -1) -> Any:
    """Return the differences of neighbours along an axis, n times over."""
    for _ in range(n):
        size = int(shape_of(a)[axis] or 0)
        a = take(a, np.arange(1, size), axis) - take(a, np.arange(size - 1), axis)
    return a


def _triangle(x: object, k: int) -> Any:
    rows, columns = shape_of(x)[-2:]
    return np.tri(int(rows or 0), int(columns or 0), k).astype(bool)


def tril(x: object, k: int = 0) -> Any:
    """Return matrices with zeros above a diagonal."""
    return where(_triangle(x, k), x, 0)


def triu(x: object, k: int = 0) -> Any:
    """Return matrices with zeros below a diagonal."""
    return where(_triangle(x, k - 1), 0, x)


def multi_hot(inputs: object, num_classes: int, axis: int = -1, dtype: object = None) -> Any:
    """Return ones at the places that elements name, those along axis 1 together, as in Keras."""
    if axis != -1:
        raise ValueError(f"`axis` must be -1. Received: axis={axis}")
    named = equal(expand_dims(inputs, -1), np.arange(num_classes, dtype="int32"))
    return cast(any_function(named, min(len(shape_of(inputs)) - 1, 1)), dtype or "float32")


def isin(x1: object, x2: object, assume_unique: bool = False, invert: bool = False) -> Any:
    """Tell which elements of the first are among the second, an array."""
    found = any_function(equal(expand_dims(x1, -1), np.asarray(x2).reshape(-1)), -1)
    return equal(found, 0) if invert else found


def inner(x1: object, x2: object) -> Any:
    """Return the sum of products along the last axes."""
    return matmul(x1, swapaxes(x2, -1, -2) if len(shape_of(x2)) > 1 else x2)


def vdot(x1: object, x2: object) -> Any:
    """Return the sum of the products of all elements."""
    return sum_function(multiply(x1, x2))


@returns_arrays
def tensordot(x1: object, x2: object, axes: Any = 2) -> Any:
    """Return the sum of products along axes of both; the second has no samples, unless all axes are summed over."""
    if not is_symbolic(x1, x2):
        return np.tensordot(as_array(x1), as_array(x2), axes)
    first, second = shape_of(x1), shape_of(x2)
    if axes == len(first) == len(second):
        return vdot(x1, x2)
    ones, twos = (range(-axes, 0), range(axes)) if isinstance(axes, int) else map(_listed, axes)
    ones, twos = [a % len(first) for a in ones], [a % len(second) for a in twos]
    kept = [a for a in range(len(first)) if a not in ones]
    free = [a for a in range(len(second)) if a not in twos]
    size = math.prod(second[a] for a in twos)  # type: ignore[misc]
    turned = reshape(transpose(x1, [*kept, *ones]), [*(-1 if first[a] is None else first[a] for a in kept), size])
    matrix = reshape(transpose(x2, [*twos, *free]), [size, math.prod(second[a] for a in free)])
    sizes = [*(-1 if first[a] is None else first[a] for a in kept), *(second[a] for a in free)]
    return reshape(matmul(turned, matrix), sizes)


def _listed(axes: Any) -> list[int]:
    return [axes] if isinstance(axes, int) else list(axes)


@returns_arrays
def einsum(subscripts: str, *operands: object) -> Any:
    """Return sums of products by Einstein's notation, of one or two operands.

    Parameters
    ----------
    subscripts : str
        Such as "bij,bjk->bik". With symbols no letter may stand twice in one operand.
    *operands : array-like or symbol
    """
    if not is_symbolic(*operands):
        return np.einsum(subscripts, *map(as_array, operands), optimize=True)
    inputs, _, output = subscripts.replace(" ", "").partition("->")
    letters = inputs.split(",")
    doubled = any(len(set(each)) < len(each) for each in letters)
    if "." in subscripts or "->" not in subscripts or len(letters) != len(operands) or len(operands) > 2 or doubled:
        raise ValueError(
            "`einsum` of symbols must have one or two operands, each letter once in each, and an output. "
            f"Received: {subscripts!r}"
        )
    around = output + "".join(letter for letter in dict.fromkeys("".join(letters)) if letter not in output)
    if len(operands) == 2 and _is_product(letters, output):
        batch = len(set(letters[0]) & set(letters[1]) & set(output))
        first = transpose(operands[0], [letters[0].index(letter) for letter in _order(letters[0], letters[1], output)])
        summed = [letter for letter in letters[0] if letter in letters[1] and letter not in output]
        second_order = [*output[:batch], *summed, *[each for each in letters[1] if each not in letters[0]]]
        second = transpose(operands[1], [letters[1].index(letter) for letter in second_order])
        return matmul(first, second)
    laid = [_laid_out(operand, own, around) for operand, own in zip(operands, letters, strict=True)]
    product = laid[0] if len(laid) == 1 else multiply(*laid)
    summed_axes = list(range(len(output), len(around)))
    return sum_function(product, summed_axes) if summed_axes else product


def _order(first: str, second: str, output: str) -> list[str]:
    shared = [letter for letter in first if letter in second]
    return [
        *[letter for letter in shared if letter in output],
        *[letter for letter in first if letter not in second],
        *[letter for letter in shared if letter not in output],
    ]


def _is_product(letters: list[str], output: str) -> bool:
    """Whether it is a product of matrices, one letter summed, beside letters that go along."""
    first, second = letters
    shared = [letter for letter in first if letter in second]
    along = [letter for letter in shared if letter in output]
    summed = [letter for letter in shared if letter not in output]
    rows = [letter for letter in first if letter not in second]
    columns = [letter for letter in second if letter not in first]
    return (
        len(summed) == 1 == len(columns)
        and len(rows) >= 1
        and output == "".join([*along, *rows, *columns])
        and (not along or len(rows) == 1)
    )


def _laid_out(operand: object, own: str, around: str) -> Any:
    order = [letter for letter in around if letter in own]
    turned = transpose(operand, [own.index(letter) for letter in order])
    for place, letter in enumerate(around):
        if letter not in own:
            turned = expand_dims(turned, place)
    return turned


def trace(x: object, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return the sum of the diagonal of two axes."""
    return sum_function(diagonal(x, offset, axis1, axis2), -1)


def hypot(x1: object, x2: object) -> Any:
    """Return ``sqrt(x1^2 + x2^2)``."""
    x1, x2 = together(x1, x2)
    return sqrt(add(square(x1), square(x2)))


def rad2deg(x: object) -> Any:
    """Return radians as degrees."""
    return multiply(x, 180 / math.pi)


def ptp(x: object, axis: object = None, keepdims: bool = False) -> Any:
    """Return how far the largest and the smallest element along axes lie apart."""
    return subtract(max_function(x, axis, keepdims), min_function(x, axis, keepdims))


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: object = 0) -> Any:
    """Return for each element the choice whose condition is the first that holds, or the default."""
    if len(condlist) != len(choicelist) or not condlist:
        raise ValueError(
            "`condlist` and `choicelist` must have as many elements, one at least. "
            f"Received: {len(condlist)} and {len(choicelist)}"
        )
    chosen = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        chosen = where(condition, choice, chosen)
    return chosen


def cond(pred: object, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """Call the first function if `pred` holds, else the second, and return its result.

    Only one is called, so `pred` must be known then: of a symbol `where` chooses, element by element.
    """
    return true_fn() if pred else false_fn()
