"""What each operator of ONNX is as a function of `cnn_core.ops`: one row for an operator that no layer stands for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.ops as ops
from cnn_core.foundation.arrays import Array
from cnn_core.interop.onnx_arrays import FUNCTIONS_OF_ANGLES, dtype_of, need_plain
from cnn_core.network.graph import Symbol
from cnn_core.ops.dtypes import is_float

if TYPE_CHECKING:
    from cnn_core.ops.operation import Value


Attributes = Mapping[str, Any]
LARGEST = 1 << 22  # numbers in a constant by which something is repeated


def _plain(function: Callable[..., object]) -> Callable[..., Any]:
    return lambda a, *x: function(*x)


def _many(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def combine(a: Attributes, first: object, *others: object) -> Any:
        for other in others:
            first = function(first, other)
        return first

    return combine


def _integers(value: object, name: str) -> list[int]:
    if not isinstance(value, np.ndarray):
        raise ValueError(f"its `{name}` must be a constant")
    return [int(each) for each in value.reshape(-1)]


def _inner(axes: Any, rank: int) -> list[int]:
    """Axes of a sample, counted from the front; None for all is the batch's, too."""
    listed = range(rank) if axes is None else axes
    if any(not -rank <= axis < rank or axis % rank == 0 for axis in listed):
        raise ValueError(f"its axes must be of a sample, 1 to {rank - 1}. Received: {list(listed)}")
    return [axis % rank for axis in listed]


def _reduction(function: Callable[..., object]) -> Callable[..., Any]:
    def reduce(a: Attributes, x: Value, axes: object = None) -> Any:
        chosen = a.get("axes") if axes is None else _integers(axes, "axes")
        return function(x, axis=_inner(chosen or None, x.ndim), keepdims=bool(a.get("keepdims", 1)))

    return reduce


def _sliced(a: Attributes, x: Any, starts: object, ends: object, axes: object = None, steps: object = None) -> Any:
    first, last = _integers(starts, "starts"), _integers(ends, "ends")
    chosen = list(range(len(first))) if axes is None else _integers(axes, "axes")
    strides = [1] * len(first) if steps is None else _integers(steps, "steps")
    cuts: list[slice] = [slice(None)] * x.ndim
    for axis, start, end, step in zip(_inner(chosen, x.ndim), first, last, strides, strict=True):
        cuts[axis] = slice(start, None if step < 0 and end < -x.shape[axis] else end, step)
    return x[tuple(cuts)]


def _split(a: Attributes, x: Any, sizes: object = None, *, n_outputs: int) -> Any:
    (axis,) = _inner([a.get("axis", 0)], x.ndim)
    size = -(-x.shape[axis] // n_outputs)
    parts = [size] * (n_outputs - 1) if sizes is None else _integers(sizes, "split")[:-1]
    return ops.split(x, np.cumsum(parts).tolist(), axis=axis)


def _gathered(a: Attributes, x: object, places: object) -> Any:
    if not isinstance(x, Symbol):
        raise ValueError("it must pick from what depends on the inputs")
    (axis,) = _inner([a.get("axis", 0)], x.ndim)
    if not isinstance(places, np.ndarray):
        raise ValueError("what it picks must be a constant")
    return ops.take(x, np.where(places < 0, places + x.shape[axis], places).astype(np.int64), axis=axis)


def _transposed(a: Attributes, x: Value) -> Any:
    order = a.get("perm", list(range(x.ndim))[::-1])
    if order[0] != 0:
        raise ValueError(f"the first axis must stay that of the batch. Received: perm={order}")
    return ops.transpose(x, axes=order)


def _joined(a: Attributes, *x: object) -> Any:
    rank = next(each.ndim for each in x if isinstance(each, Symbol))
    (axis,) = _inner([a["axis"]], rank)
    return ops.concatenate(list(x), axis=axis)


def _clipped(a: Attributes, x: object, low: object = None, high: object = None) -> Any:
    x = x if low is None else ops.maximum(x, low)
    return x if high is None else ops.minimum(x, high)


def _softmax(a: Attributes, x: Value) -> Any:
    return ops.softmax(x, axis=_inner([a.get("axis", -1)], x.ndim)[0])


def _product(a: Attributes, x: object, y: object, offset: object = None) -> Any:
    if a.get("transA", 0) or a.get("transB", 0):
        raise ValueError("`transA` and `transB` must be 0 of what is computed")
    made = ops.matmul(x, y)
    made = made if a.get("alpha", 1.0) == 1 else made * a["alpha"]
    return made if offset is None else made + offset * a.get("beta", 1.0)


def _following(a: Attributes, x: Any) -> list[int]:
    """The axes from a given one on."""
    return list(range(_inner([a.get("axis", -1)], x.ndim)[0], x.ndim))


def _normalized(a: Attributes, x: object, scale: object, bias: object = None) -> Any:
    axes = _following(a, x)
    centred = x - ops.mean(x, axis=axes, keepdims=True)
    variance = ops.mean(centred * centred, axis=axes, keepdims=True)
    made = centred / ops.sqrt(variance + a.get("epsilon", 1e-5)) * scale
    return made if bias is None else made + bias


def _rooted(a: Attributes, x: Value, scale: object) -> Any:
    axes = _following(a, x)
    return x / ops.sqrt(ops.mean(x * x, axis=axes, keepdims=True) + a.get("epsilon", 1e-5)) * scale


def _expanded(a: Attributes, x: Value, shape: object) -> Any:
    sizes = np.broadcast_shapes((1, *x.shape[1:]), tuple(_integers(shape, "shape")))
    if sizes[0] != 1 or math.prod(sizes) > LARGEST:
        raise ValueError(f"what it makes must be of the samples, and of at most {LARGEST} numbers. Received: {sizes}")
    return x * np.ones(sizes, x.dtype)


def _running_sum(a: Attributes, x: Value, axis: object) -> Any:
    need_plain(a, "exclusive", "reverse")
    return ops.cumsum(x, axis=_inner(_integers(axis, "axis"), x.ndim)[0])


def _place(function: Callable[..., object]) -> Callable[..., Any]:
    def place(a: Attributes, x: Value) -> Any:
        need_plain(a, "select_last_index")
        return function(x, axis=_inner([a.get("axis", 0)], x.ndim)[0], keepdims=bool(a.get("keepdims", 1)))

    return place


def _largest(a: Attributes, x: Value, count: object) -> list[Any]:
    (axis,) = _inner([a.get("axis", -1)], x.ndim)
    places = ops.argsort(ops.negative(x) if a.get("largest", 1) else x, axis=axis)
    places = ops.take(places, np.arange(*_integers(count, "K")), axis=axis)
    return [ops.take_along_axis(x, places, axis=axis), places]


def _remainder(a: Attributes, x: Value, y: object) -> Any:
    """The remainder with the sign of the divisor, or with `fmod` that of the dividend."""
    return ops.sign(x) * ops.mod(ops.absolute(x), ops.absolute(y)) if a.get("fmod", 0) else ops.mod(x, y)


def _cast(a: Attributes, x: Value, dtype: str) -> Any:
    kind = np.dtype(dtype_of(a)).kind
    if kind == "b":
        return ops.cast(x, "bool")
    if kind in "iu":
        return ops.cast(x, "int32")
    return x if is_float(x.dtype) else ops.cast(x, dtype)


def _length(x: Value, **how: Any) -> Any:
    return ops.sqrt(ops.sum(x * x, **how))


OPERATIONS: dict[str, Callable[..., Any]] = {
    "Abs": _plain(ops.absolute),
    "Neg": _plain(ops.negative),
    "Exp": _plain(ops.exp),
    "Log": _plain(ops.log),
    "Sqrt": _plain(ops.sqrt),
    "Reciprocal": _plain(ops.reciprocal),
    "Erf": _plain(ops.erf),
    **{name: _plain(getattr(ops, function.__name__)) for name, function in FUNCTIONS_OF_ANGLES.items()},
    "Sign": _plain(ops.sign),
    "Floor": _plain(ops.floor),
    "Ceil": _plain(ops.ceil),
    "Round": _plain(ops.round),
    "Relu": _plain(ops.relu),
    "Sigmoid": _plain(ops.sigmoid),
    "Tanh": _plain(ops.tanh),
    "Not": _plain(ops.logical_not),
    "IsNaN": _plain(ops.isnan),
    "IsInf": _plain(ops.isinf),
    "Mod": _remainder,
    "Add": _plain(ops.add),
    "Sub": _plain(ops.subtract),
    "Mul": _plain(ops.multiply),
    "Div": _plain(ops.divide),
    "Pow": _plain(ops.power),
    "Sum": _many(ops.add),
    "Mean": lambda a, *x: _many(ops.add)(a, *x) / len(x),
    "Max": _many(ops.maximum),
    "Min": _many(ops.minimum),
    "And": _plain(ops.logical_and),
    "Or": _plain(ops.logical_or),
    "Xor": _plain(ops.logical_xor),
    "Equal": _plain(ops.equal),
    "Greater": _plain(ops.greater),
    "GreaterOrEqual": _plain(ops.greater_equal),
    "Less": _plain(ops.less),
    "LessOrEqual": _plain(ops.less_equal),
    "Where": _plain(ops.where),
    "Clip": _clipped,
    "PRelu": lambda a, x, slope: ops.where(x < 0, x * slope, x),
    "ReduceSum": _reduction(ops.sum),
    "ReduceMean": _reduction(ops.mean),
    "ReduceMax": _reduction(ops.max),
    "ReduceMin": _reduction(ops.min),
    "ReduceProd": _reduction(ops.prod),
    "ReduceSumSquare": _reduction(lambda x, **how: ops.sum(x * x, **how)),
    "ReduceL1": _reduction(lambda x, **how: ops.sum(ops.absolute(x), **how)),
    "ReduceL2": _reduction(_length),
    "ReduceLogSum": _reduction(lambda x, **how: ops.log(ops.sum(x, **how))),
    "ReduceLogSumExp": _reduction(ops.logsumexp),
    "ArgMax": _place(ops.argmax),
    "ArgMin": _place(ops.argmin),
    "CumSum": _running_sum,
    "TopK": _largest,
    "GatherElements": lambda a, x, places: ops.take_along_axis(x, places, axis=_inner([a.get("axis", 0)], x.ndim)[0]),
    "Cast": _cast,
    "Softmax": _softmax,
    "LogSoftmax": lambda a, x: ops.log_softmax(x, axis=_inner([a.get("axis", -1)], x.ndim)[0]),
    "MatMul": _product,
    "Gemm": _product,
    "LayerNormalization": _normalized,
    "RMSNormalization": _rooted,
    "Transpose": _transposed,
    "Slice": _sliced,
    "Split": _split,
    "Gather": _gathered,
    "Concat": _joined,
    "Expand": _expanded,
}


def operation(operator: str, attributes: Attributes, values: list[Any], n_outputs: int, dtype: str) -> list[Any]:
    """Return what an operator makes of symbols and constants, as symbols: one for each output.

    Parameters
    ----------
    operator : str
        A key of `OPERATIONS`.
    attributes : mapping
    values : list of Symbol, numpy.ndarray or None
    n_outputs : int
    dtype : str
        Of the model: constants are of no other.

    Raises
    ------
    ValueError
        If it looks from one sample to another, or cannot be expressed.

    Examples
    --------
    >>> from cnn_core import Input
    >>> (made,) = operation("Sqrt", {}, [Input((3,))], 1, "float32")
    >>> made.shape
    (None, 3)
    """
    known = [_in(each, dtype) for each in values]
    if operator == "Split":
        return list(_split(attributes, *known, n_outputs=n_outputs))
    made = OPERATIONS[operator](attributes, *known, *([dtype] if operator == "Cast" else []))
    if isinstance(made, list):
        return made
    if not isinstance(made, Symbol) or made.shape[:1] != (None,):
        raise ValueError("what it makes must be of the samples")
    return [made]


def _in(value: Any, dtype: str) -> Any:
    """A constant of floats in the dtype of the model."""
    is_float = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return _constant(value, dtype) if is_float else value


def _constant(value: Array, dtype: str) -> Any:
    return value.astype(dtype) if value.ndim else float(value)
