"""Keras's functions with arguments of their own, and those that are made of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.config as config
import cnn_core.ops.elementwise as elementwise
import cnn_core.ops.reductions as reductions
import cnn_core.ops.shapes as shapes
from cnn_core.foundation.arrays import EPSILON
from cnn_core.foundation.eager import returns_arrays
from cnn_core.ops.dtypes import as_array, as_floats, as_value, dtype_of, promoted, standardized, together
from cnn_core.ops.elementwise import absolute, add, divide, equal, multiply, sqrt, square, subtract
from cnn_core.ops.operation import is_symbolic, shape_of
from cnn_core.ops.products import matrix_product
from cnn_core.ops.reductions import max_function, mean_function, sum_function

if TYPE_CHECKING:
    from cnn_core.foundation.arrays import Array


@returns_arrays
def cast(x: object, dtype: object) -> Any:
    """Return `x` in another dtype: to integers by cutting off what follows the point, to bool by ``x != 0``."""
    wanted = standardized(dtype)
    if is_symbolic(x):
        return elementwise.cast_function.on([as_value(x)], dtype=wanted)
    return as_array(x).astype(wanted)


@returns_arrays
def convert_to_tensor(x: object, dtype: object = None, sparse: object = None, ragged: object = None) -> Any:
    """Return `x` as an array, or the symbol that it is, in a dtype if one is given."""
    if dtype is None:
        return x if is_symbolic(x) else as_array(x)
    return cast(x, dtype)


def convert_to_numpy(x: object) -> Array:
    """Return `x` as an array; a symbol has none."""
    return np.asarray(x)


def where(condition: object, x1: object = None, x2: object = None) -> Any:
    """Return `x1` where the condition holds, else `x2`."""
    if x1 is None or x2 is None:
        raise ValueError("`where` must have x1 and x2: how many elements fit a condition depends on the data")
    return elementwise.where_function(condition, x1, x2)


def clip(x: object, x_min: object, x_max: object) -> Any:
    """Return ``min(max(x, x_min), x_max)``; the derivative is 1 within the bounds and on them, else 0."""
    numbers = all(isinstance(bound, (int, float)) for bound in (x_min, x_max))
    if not numbers:
        return elementwise.minimum(elementwise.maximum(x, x_min), x_max)
    return elementwise.clip_function(x, x_min=x_min, x_max=x_max)


def round(x: object, decimals: int = 0) -> Any:
    """Return `x` rounded, halves to the even neighbour."""
    return elementwise.round_function(x, decimals=decimals)


def nan_to_num(x: object, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """Return `x` with numbers in the place of NaN and infinities: by default 0 and the largest floats."""
    dtype = as_floats(promoted([as_value(x)]))
    largest = float(np.finfo(dtype).max)
    return elementwise.nan_to_num_function(
        x, nan=nan, posinf=largest if posinf is None else posinf, neginf=-largest if neginf is None else neginf
    )


def divide_no_nan(x1: object, x2: object) -> Any:
    """Return ``x1 / x2``, and 0 where `x2` is 0."""
    x1, x2 = together(x1, x2)
    zero = equal(x2, 0)
    return where(zero, 0.0, divide(x1, where(zero, 1, x2)))


def isclose(x1: object, x2: object, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Tell where ``|x1 - x2| <= atol + rtol |x2|``."""
    x1, x2 = together(x1, x2)
    close = elementwise.less_equal(absolute(subtract(x1, x2)), add(atol, multiply(rtol, absolute(x2))))
    close = elementwise.logical_or(close, equal(x1, x2))
    if not equal_nan:
        return close
    return elementwise.logical_or(close, elementwise.logical_and(elementwise.isnan(x1), elementwise.isnan(x2)))


def logaddexp2(x1: object, x2: object) -> Any:
    """Return ``log2(2^x1 + 2^x2)``."""
    factor = math.log(2)
    x1, x2 = together(x1, x2)
    return divide(elementwise.logaddexp(multiply(x1, factor), multiply(x2, factor)), factor)


def deg2rad(x: object) -> Any:
    """Return degrees as radians."""
    return multiply(x, math.pi / 180)


def average(x: object, axis: object = None, weights: object = None) -> Any:
    """Return the mean along an axis, weighted: ``sum(w x) / sum(w)``."""
    if weights is None:
        return mean_function(x, axis)
    weights = convert_to_tensor(weights)
    if isinstance(axis, int) and len(shape_of(weights)) == 1 < len(shape_of(x)):
        rank = len(shape_of(x))
        weights = reshape(weights, [-1 if each == axis % rank else 1 for each in range(rank)])
    weights = multiply(weights, ones_like(x))
    return divide(sum_function(multiply(x, weights), axis), sum_function(weights, axis))


def var(x: object, axis: object = None, keepdims: bool = False) -> Any:
    """Return the variance along axes: ``mean((x - mean(x))^2)``."""
    return mean_function(square(subtract(x, mean_function(x, axis, True))), axis, keepdims)


def std(x: object, axis: object = None, keepdims: bool = False) -> Any:
    """Return the standard deviation along axes."""
    return sqrt(var(x, axis, keepdims))


def moments(x: object, axes: object, keepdims: bool = False, synchronized: bool = False) -> tuple[Any, Any]:
    """Return mean and variance along axes."""
    return mean_function(x, axes, keepdims), var(x, axes, keepdims)


def count_nonzero(x: object, axis: object = None) -> Any:
    """Return how many elements are not 0."""
    return sum_function(cast(elementwise.not_equal(x, 0), "int32"), axis)


def norm(x: object, ord: Any = None, axis: object = None, keepdims: bool = False) -> Any:
    """Return the length of vectors: the root of the sum of squares, or ``sum(|x|^ord)^(1 / ord)``.

    Parameters
    ----------
    x : array-like or symbol
    ord : {None, 1, 2, float, inf, -inf, "euclidean"}, default None
        None and "euclidean": 2. Norms of matrices other than the root of the sum of squares are not there.
    axis : int or sequence of int, default None
        None: all.
    keepdims : bool, default False
    """
    x = convert_to_tensor(x)
    if ord not in (None, "euclidean", "fro", 2) and not isinstance(axis, int) and len(shape_of(x)) != 1:
        raise ValueError(f"`ord` must be None or 2 where `axis` is not a single one. Received: ord={ord}, axis={axis}")
    if ord in (None, "euclidean", "fro", 2):
        return sqrt(sum_function(square(x), axis, keepdims))
    if ord in (math.inf, -math.inf):
        return (max_function if ord > 0 else reductions.min_function)(absolute(x), axis, keepdims)
    if ord == 1:
        return sum_function(absolute(x), axis, keepdims)
    return elementwise.power(sum_function(elementwise.power(absolute(x), ord), axis, keepdims), 1 / ord)


def normalize(x: object, axis: int = -1, order: float = 2, epsilon: float | None = None) -> Any:
    """Return `x` scaled to length 1 along an axis; lengths count at least `epsilon`."""
    least = EPSILON if epsilon is None else epsilon
    if order == 2:
        squares = sum_function(square(x), axis, True)
        return multiply(x, elementwise.rsqrt(elementwise.maximum(squares, least**2)))
    return divide(x, elementwise.maximum(norm(x, order, axis, True), least))


def reshape(x: object, newshape: Any) -> Any:
    """Return the elements in another shape, which for symbols begins with -1: the samples."""
    return shapes.reshape_function(x, newshape)


def expand_dims(x: object, axis: object) -> Any:
    """Return `x` with new axes of size 1."""
    return shapes.expand_function(x, axis=axis)


def squeeze(x: object, axis: object = None) -> Any:
    """Return `x` without axes of size 1."""
    return shapes.squeeze_function(x, axis=axis)


def transpose(x: object, axes: Sequence[int] | None = None) -> Any:
    """Return `x` with its axes in another order, by default the reverse."""
    return shapes.transpose_function(x, axes=None if axes is None else list(axes))


def moveaxis(x: object, source: object, destination: object) -> Any:
    """Return `x` with axes moved to other places."""
    return shapes.move_function(x, source=source, destination=destination)


def swapaxes(x: object, axis1: int, axis2: int) -> Any:
    """Return `x` with two axes exchanged."""
    return shapes.swap_function(x, axis1=axis1, axis2=axis2)


def concatenate(xs: object, axis: int = 0) -> Any:
    """Return values side by side along an axis."""
    return shapes.concatenate_function(xs, axis)


def stack(x: Any, axis: int = 0) -> Any:
    """Return values side by side along a new axis."""
    return concatenate([expand_dims(each, axis) for each in x], axis)


def hstack(xs: Any) -> Any:
    """Return values side by side along the second axis, vectors along the first."""
    return concatenate(xs, 0 if len(shape_of(xs[0])) == 1 else 1)


def split(x: object, indices_or_sections: object, axis: int = 0) -> list[Any]:
    """Return parts along an axis: so many equal ones, or those between the indices."""
    parts = list(indices_or_sections) if isinstance(indices_or_sections, tuple) else indices_or_sections
    found = shapes.split_function(x, indices_or_sections=parts, axis=axis)
    return found if isinstance(found, list) else [found]


def unstack(x: object, num: int | None = None, axis: int = 0) -> list[Any]:
    """Return the slices along an axis, without it."""
    size = shape_of(x)[axis]
    if size is None or num not in (None, size):
        raise ValueError(f"`unstack` takes an axis of the features, of size `num`. Received: axis={axis}, num={num}")
    return [squeeze(part, axis) for part in split(x, size, axis)]


def get_item(x: object, key: object) -> Any:
    """Return ``x[key]``: slices, integers and lists of them along the features."""
    return shapes.get_item_function(x, key=key)


def take(x: object, indices: object, axis: int | None = None) -> Any:
    """Return the elements at indices along an axis."""
    return shapes.take_function(x, indices=np.asarray(indices, int).tolist(), axis=axis)


def flip(x: object, axis: object = None) -> Any:
    """Return `x` in reverse order along axes."""
    return shapes.flip_function(x, axis=axis)


def roll(x: object, shift: object, axis: object = None) -> Any:
    """Return `x` shifted along an axis; what falls out at the end comes in at the beginning."""
    return shapes.roll_function(x, shift=shift, axis=axis)


def repeat(x: object, repeats: object, axis: int | None = None) -> Any:
    """Return `x` with every element repeated along an axis."""
    return shapes.repeat_function(x, repeats=repeats, axis=axis)


def tile(x: object, repeats: object) -> Any:
    """Return `x` repeated as a whole so many times along each axis."""
    return shapes.tile_function(x, repeats=list(repeats) if isinstance(repeats, tuple) else repeats)


def diagonal(x: object, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return the diagonal of two axes."""
    return shapes.diagonal_function(x, offset=offset, axis1=axis1, axis2=axis2)


def shape(x: object) -> tuple[Any, ...]:
    """Return the shape; of a symbol with a stand-in for the number of samples, with which other shapes may begin."""
    found: tuple[Any, ...] = shapes.batch_of(x)
    return found


def ndim(x: object) -> int:
    """Return the number of axes."""
    return len(shape_of(x))


def size(x: object) -> int:
    """Return the number of elements, which for a symbol is not known."""
    return math.prod(shapes.batch_of(x))


def zeros_like(x: object, dtype: object = None) -> Any:
    """Return zeros of the shape of `x`."""
    return full_like(x, 0, dtype)


def ones_like(x: object, dtype: object = None) -> Any:
    """Return ones of the shape of `x`."""
    return full_like(x, 1, dtype)


def full_like(x: object, fill_value: object, dtype: object = None) -> Any:
    """Return a value in the shape of `x`."""
    wanted = promoted([as_value(x)]) if dtype is None else standardized(dtype)
    return full(shape(x), fill_value, wanted)


def zeros(shape: object, dtype: object = None) -> Any:
    """Return zeros."""
    return full(shape, 0, config.floatx() if dtype is None else dtype)


def ones(shape: object, dtype: object = None) -> Any:
    """Return ones."""
    return full(shape, 1, config.floatx() if dtype is None else dtype)


@returns_arrays
def full(shape: Any, fill_value: Any, dtype: object = None) -> Any:
    """Return a value in every place of a shape, which may begin with the number of samples."""
    batched, sizes = shapes.of_samples(shape)
    wanted = dtype_of(fill_value) or config.floatx() if dtype is None else standardized(dtype)
    if not batched:
        return np.full(sizes, fill_value, wanted)
    return shapes.filled_function.on([], shape=list(sizes), value=float(fill_value), dtype=wanted)


@returns_arrays
def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Any:
    """Return numbers at equal distances, without the last."""
    given = [value for value in (start, stop, step) if value is not None]
    wanted = promoted(list(map(as_value, given))) if dtype is None else standardized(dtype)
    return np.arange(*given, dtype=wanted)


@returns_arrays
def linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: object = None, axis: int = 0) -> Array:
    """Return `num` numbers at equal distances."""
    wanted = config.floatx() if dtype is None else standardized(dtype)
    return np.linspace(start, stop, num, endpoint, axis=axis).astype(wanted)


@returns_arrays
def eye(N: int, M: int | None = None, k: int = 0, dtype: object = None) -> Array:
    """Return a matrix with ones on a diagonal."""
    return np.eye(N, M, k, dtype=config.floatx() if dtype is None else standardized(dtype))


def identity(n: int, dtype: object = None) -> Any:
    """Return the identity matrix."""
    return eye(n, dtype=dtype)


def one_hot(x: object, num_classes: int, axis: int = -1, dtype: object = None, sparse: bool = False) -> Any:
    """Return ones at the places that `x` names along a new last axis; other numbers give zeros."""
    if sparse or axis not in (-1, len(shape_of(x))):
        raise ValueError(f"`one_hot` must have axis=-1 and sparse=False. Received: axis={axis}, sparse={sparse}")
    wanted = config.floatx() if dtype is None else standardized(dtype)
    return cast(equal(expand_dims(x, -1), np.arange(num_classes, dtype="int32")), wanted)


def matmul(x1: object, x2: object) -> Any:
    """Return the product of matrices; a vector on either side is a row, or a column, that loses its axis again."""
    first, second = convert_to_tensor(x1), convert_to_tensor(x2)
    if not is_symbolic(first, second):
        return matrix_product(first, second)
    if len(shape_of(first)) == 1 and shape_of(first) != (None,):
        return squeeze(matmul(expand_dims(first, 0), second), -2)
    if len(shape_of(second)) == 1 and shape_of(second) != (None,):
        return squeeze(matmul(first, expand_dims(second, 1)), -1)
    return matrix_product(first, second)


@returns_arrays
def dot(x1: object, x2: object) -> Any:
    """Return ``x1 @ x2`` for matrices and vectors, and the product with a number."""
    if not shape_of(x1) or not shape_of(x2):
        return multiply(x1, x2)
    if is_symbolic(x1, x2) and len(shape_of(x2)) > 2:
        raise ValueError(f"`dot` takes a second operand of two axes at most; use matmul. Received: {shape_of(x2)}")
    return matmul(x1, x2) if is_symbolic(x1, x2) else np.dot(convert_to_tensor(x1), convert_to_tensor(x2))


def outer(x1: object, x2: object) -> Any:
    """Return all products of the elements of two vectors."""
    return multiply(expand_dims(x1, -1), expand_dims(x2, 0))
