"""What each operator of ONNX does to arrays of NumPy: one row for an operator.

Constants are folded by these rows, and by what they make of sample rows a function is recognized.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import cnn_core.activations as activations
from cnn_core.foundation.arrays import Array
from cnn_core.interop.onnx_format import TYPES

Attributes = Mapping[str, Any]
Row = Callable[..., Any]


def _unary(function: Callable[[Array], Array]) -> Row:
    return lambda a, x: function(x)


def _many(function: Callable[[Array, Array], Array]) -> Row:
    def combine(a: Attributes, first: Array, *others: Array) -> Array:
        for other in others:
            first = function(first, other)
        return first

    return combine


def _activation(make: Callable[[Attributes], Any]) -> Row:
    return lambda a, x: make(a)(x)


_error_function = np.frompyfunc(math.erf, 1, 1)


def erf(x: Array) -> Array:
    """Return the error function.

    Examples
    --------
    >>> erf(np.array([0.0, 1.0])).round(4)
    array([0.    , 0.8427])
    """
    return np.asarray(_error_function(x), x.dtype)


def _divided(x: Array, y: Array) -> Array:
    if x.dtype.kind in "iu" and y.dtype.kind in "iu":  # there, integers are cut towards zero
        return np.asarray(np.trunc(np.divide(x, y)), x.dtype)
    return np.asarray(np.divide(x, y))


def _softplus(x: Array) -> Array:
    return np.logaddexp(x, 0)


def _clipped(a: Attributes, x: Array, low: Any = None, high: Any = None) -> Array:
    x = x if low is None else np.maximum(x, low)
    return x if high is None else np.minimum(x, high)


def _axes(a: Attributes, axes: Any, x: Array) -> tuple[int, ...] | None:
    """The axes of a reduction: an attribute, or from opset 18 an input; None for all."""
    found = a.get("axes") if axes is None else axes.tolist()
    if not found:
        return () if a.get("noop_with_empty_axes", 0) else None
    return tuple(found)


def _reduction(function: Callable[..., Array]) -> Row:
    def reduce(a: Attributes, x: Array, axes: object = None) -> Array:
        chosen = _axes(a, axes, x)
        return x if chosen == () else function(x, axis=chosen, keepdims=bool(a.get("keepdims", 1)))

    return reduce


def _squares(x: Array, **how: Any) -> Array:
    return np.asarray(np.sum(x * x, **how))


def _log_of_exponentials(x: Array, **how: Any) -> Array:
    return np.asarray(np.log(np.sum(np.exp(x), **how)))


def _softmax(a: Attributes, x: Array) -> Array:
    grown = np.exp(x - x.max(axis=a.get("axis", -1), keepdims=True))
    return np.asarray(grown / grown.sum(axis=a.get("axis", -1), keepdims=True))


def _flattened(a: Attributes, x: Array) -> Array:
    axis = a.get("axis", 1)
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


def _reshaped(a: Attributes, x: Array, shape: Array) -> Array:
    keeps = not a.get("allowzero", 0)
    return x.reshape([x.shape[n] if size == 0 and keeps else size for n, size in enumerate(shape.tolist())])


def _without(a: Attributes, x: Array, axes: Any = None) -> Array:
    return np.squeeze(x, None if axes is None else tuple(axes.tolist()))


def _split(a: Attributes, x: Array, sizes: Any = None, *, n_outputs: int = 1) -> tuple[Array, ...]:
    axis = a.get("axis", 0)
    if sizes is not None:
        return tuple(np.split(x, np.cumsum(sizes.tolist())[:-1], axis))
    size = -(-x.shape[axis] // n_outputs)  # of each but the last
    return tuple(np.split(x, [size * n for n in range(1, n_outputs)], axis))


def _sliced(a: Attributes, x: Array, starts: Array, ends: Array, axes: Any = None, steps: Any = None) -> Array:
    listed = range(len(starts)) if axes is None else axes.tolist()
    strides = [1] * len(starts) if steps is None else steps.tolist()
    cuts = [slice(None)] * x.ndim
    for axis, start, end, step in zip(listed, starts.tolist(), ends.tolist(), strides, strict=True):
        end = None if step < 0 and end < -x.shape[axis] else end  # beyond the first one
        cuts[axis] = slice(start, end, step)
    return np.asarray(x[tuple(cuts)])


def _shape(a: Attributes, x: Array) -> Array:
    return np.array(x.shape[slice(a.get("start", 0), a.get("end"))], np.int64)


def _filled(a: Attributes, shape: Array) -> Array:
    value = a.get("value", np.zeros(1, np.float32))
    return np.full(shape.tolist(), value.reshape(-1)[0], value.dtype)


def _range(a: Attributes, start: Array, limit: Array, delta: Array) -> Array:
    return np.asarray(np.arange(start.item(), limit.item(), delta.item()), start.dtype)


def _product(a: Attributes, x: Array, kernel: Array, offset: object = None) -> Array:
    x = x.T if a.get("transA", 0) else x
    kernel = kernel.T if a.get("transB", 0) else kernel
    result = a.get("alpha", 1.0) * (x @ kernel)
    return np.asarray(result if offset is None else result + a.get("beta", 1.0) * offset)


def _gathered(a: Attributes, x: Array, indices: Array) -> Array:
    return np.take(x, indices.astype(np.int64), axis=a.get("axis", 0))


def _running_sum(a: Attributes, x: Array, axis: Array) -> Array:
    need_plain(a, "exclusive", "reverse")
    return np.cumsum(x, axis.item(), dtype=x.dtype)


def _place(function: Callable[..., Array]) -> Row:
    def place(a: Attributes, x: Array) -> Array:
        need_plain(a, "select_last_index")
        axis = a.get("axis", 0)
        found = function(x, axis=axis)
        return np.expand_dims(found, axis) if a.get("keepdims", 1) else found

    return place


def _largest(a: Attributes, x: Array, count: Array) -> tuple[Array, Array]:
    axis = a.get("axis", -1)
    if a.get("largest", 1):  # of equals the first one comes first, from behind the last one last
        backwards = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
        places = x.shape[axis] - 1 - np.flip(backwards, axis)
    else:
        places = np.argsort(x, axis=axis, kind="stable")
    places = places.take(range(count.item()), axis)
    return np.take_along_axis(x, places, axis), places


def need_plain(a: Attributes, *names: str) -> None:
    """Refuse attributes that ask for another way than the usual one."""
    for name in names:
        if a.get(name, 0):
            raise ValueError(f"`{name}` must be 0. Received: {name}={a[name]}")


def _is_infinite(a: Attributes, x: Array) -> Array:
    if not (a.get("detect_positive", 1) and a.get("detect_negative", 1)):
        raise ValueError("it must detect infinities of both signs")
    return np.isinf(x)


def _constant(a: Attributes) -> Array:
    return np.asarray(next(iter(a.values())))


def dtype_of(a: Attributes) -> Any:
    """Return the dtype that a Cast names."""
    if a["to"] not in TYPES:
        raise ValueError(f"its attribute `to` must be a type of numbers. Received: to={a['to']}")
    return TYPES[a["to"]]


def _kept(a: Attributes, x: Array, ratio: object = None, training: Any = None) -> Array:
    if training is not None and training.any():
        raise ValueError("`training_mode` must be False: the file is one for training")
    return x


def _scaled(a: Attributes, x: Array) -> Array:
    return np.asarray((x - np.asarray(a["offset"])) * np.asarray(a["scale"]))


def _unit(a: Attributes, x: Array) -> Array:
    lengths = {
        "MAX": np.max(x, axis=-1, keepdims=True),
        "L1": np.sum(np.abs(x), axis=-1, keepdims=True),
        "L2": np.sqrt(_squares(x, axis=-1, keepdims=True)),
    }
    length = lengths[a.get("norm", "MAX")]
    return np.asarray(x / np.where(length == 0, 1, length))


SELU = (1.6732632423543772, 1.0507009873554805)

FUNCTIONS_OF_ANGLES: dict[str, Callable[[Array], Array]] = {
    "Sin": np.sin,
    "Cos": np.cos,
    "Tan": np.tan,
    "Sinh": np.sinh,
    "Cosh": np.cosh,
    "Asin": np.arcsin,
    "Acos": np.arccos,
    "Atan": np.arctan,
    "Asinh": np.arcsinh,
    "Acosh": np.arccosh,
    "Atanh": np.arctanh,
}

ARRAYS: dict[str, Row] = {
    # Element by element.
    "Abs": _unary(np.abs),
    "Neg": _unary(np.negative),
    "Exp": _unary(np.exp),
    "Log": _unary(np.log),
    "Sqrt": _unary(np.sqrt),
    "Reciprocal": _unary(np.reciprocal),
    "Erf": _unary(erf),
    **{name: _unary(function) for name, function in FUNCTIONS_OF_ANGLES.items()},
    "Sign": _unary(np.sign),
    "Floor": _unary(np.floor),
    "Ceil": _unary(np.ceil),
    "Round": _unary(np.round),
    "Not": _unary(np.logical_not),
    "IsNaN": _unary(np.isnan),
    "IsInf": _is_infinite,
    "Identity": _unary(lambda x: x),
    "Sigmoid": _activation(lambda a: activations.sigmoid),
    "Tanh": _unary(np.tanh),
    "Relu": _unary(lambda x: np.maximum(x, 0)),
    "LeakyRelu": lambda a, x: np.where(x < 0, a.get("alpha", 0.01) * x, x),
    "ThresholdedRelu": lambda a, x: np.where(x > a.get("alpha", 1.0), x, 0),
    "Elu": lambda a, x: np.where(x < 0, a.get("alpha", 1.0) * np.expm1(np.minimum(x, 0)), x),
    "Selu": lambda a, x: (
        a.get("gamma", SELU[1]) * np.where(x < 0, a.get("alpha", SELU[0]) * np.expm1(np.minimum(x, 0)), x)
    ),
    "Celu": lambda a, x: (
        np.maximum(x, 0) + np.minimum(0, a.get("alpha", 1.0) * np.expm1(np.minimum(x, 0) / a.get("alpha", 1.0)))
    ),
    "Softplus": _unary(_softplus),
    "Softsign": _unary(lambda x: x / (1 + np.abs(x))),
    "HardSigmoid": lambda a, x: np.clip(a.get("alpha", 0.2) * x + a.get("beta", 0.5), 0, 1),
    "HardSwish": _unary(lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    "Mish": _unary(lambda x: x * np.tanh(_softplus(x))),
    "Swish": lambda a, x: x * activations.sigmoid(a.get("alpha", 1.0) * x),
    "Gelu": _activation(lambda a: activations.GELU(a.get("approximate", "none") == "tanh")),
    "Shrink": lambda a, x: np.where(
        np.abs(x) > a.get("lambd", 0.5), x - np.sign(x) * a.get("bias", 0.0), np.zeros_like(x)
    ),
    "PRelu": lambda a, x, slope: np.where(x < 0, slope * x, x),
    "Clip": _clipped,
    "Add": _many(np.add),
    "Sub": _many(np.subtract),
    "Mul": _many(np.multiply),
    "Div": _many(_divided),
    "Pow": _many(lambda x, y: np.power(x, y).astype(x.dtype)),
    "Mod": lambda a, x, y: np.fmod(x, y) if a.get("fmod", 0) else np.mod(x, y),
    "Max": _many(np.maximum),
    "Min": _many(np.minimum),
    "Sum": _many(np.add),
    "Mean": lambda a, *x: _many(np.add)(a, *x) / len(x),
    "And": _many(np.logical_and),
    "Or": _many(np.logical_or),
    "Xor": _many(np.logical_xor),
    "Equal": _many(np.equal),
    "Greater": _many(np.greater),
    "GreaterOrEqual": _many(np.greater_equal),
    "Less": _many(np.less),
    "LessOrEqual": _many(np.less_equal),
    "Where": lambda a, condition, x, y: np.where(condition, x, y),
    "Cast": lambda a, x: x.astype(dtype_of(a)),
    "CastLike": lambda a, x, like: x.astype(like.dtype),
    "Dropout": _kept,
    "Scaler": _scaled,
    "Normalizer": _unit,
    # Along axes.
    "ReduceSum": _reduction(np.sum),
    "ReduceMean": _reduction(np.mean),
    "ReduceMax": _reduction(np.max),
    "ReduceMin": _reduction(np.min),
    "ReduceProd": _reduction(np.prod),
    "ReduceSumSquare": _reduction(_squares),
    "ReduceL1": _reduction(lambda x, **how: np.sum(np.abs(x), **how)),
    "ReduceL2": _reduction(lambda x, **how: np.sqrt(_squares(x, **how))),
    "ReduceLogSum": _reduction(lambda x, **how: np.log(np.sum(x, **how))),
    "ReduceLogSumExp": _reduction(_log_of_exponentials),
    "ArgMax": _place(np.argmax),
    "ArgMin": _place(np.argmin),
    "CumSum": _running_sum,
    "TopK": _largest,
    "GatherElements": lambda a, x, places: np.take_along_axis(x, places.astype(np.int64), a.get("axis", 0)),
    "Softmax": _softmax,
    "LogSoftmax": lambda a, x: np.log(_softmax(a, x)),
    "MatMul": lambda a, x, y: x @ y,
    "Gemm": _product,
    # Of places.
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Range": _range,
    "Shape": _shape,
    "Size": lambda a, x: np.array(x.size, np.int64),
    "Flatten": _flattened,
    "Reshape": _reshaped,
    "Transpose": lambda a, x: x.transpose(a.get("perm")),
    "Squeeze": _without,
    "Unsqueeze": lambda a, x, axes: np.expand_dims(x, tuple(axes.tolist())),
    "Concat": lambda a, *x: np.concatenate(x, a["axis"]),
    "FeatureVectorizer": lambda a, *x: np.concatenate(x, 1),
    "Split": _split,
    "Slice": _sliced,
    "Gather": _gathered,
    "ArrayFeatureExtractor": lambda a, x, places: x[..., places.reshape(-1).astype(np.int64)],
    "Expand": lambda a, x, shape: x * np.ones(shape.tolist(), x.dtype),
    "Tile": lambda a, x, repeats: np.tile(x, repeats.tolist()),
}


def compute(operator: str, attributes: Attributes, arrays: Sequence[Any], n_outputs: int, most: int) -> Any:
    """Return what an operator makes of arrays: one, or a tuple.

    Parameters
    ----------
    operator : str
        A key of `ARRAYS`.
    attributes : mapping
    arrays : sequence of numpy.ndarray, or None for what is left out
    n_outputs : int
    most : int
        How many numbers the result may have.

    Raises
    ------
    ValueError
        If it would have more, or the arrays do not fit.

    Examples
    --------
    >>> compute("Add", {}, [np.ones(2), np.array(2.0)], 1, 100)
    array([3., 3.])
    """
    size = _size(operator, attributes, arrays)
    if size > most:
        raise ValueError(f"what it computes must have at most {most} numbers. Received: {size}")
    with np.errstate(all="ignore"):
        if operator == "Split":
            return _split(attributes, *arrays, n_outputs=n_outputs)
        return ARRAYS[operator](attributes, *arrays)


def _size(operator: str, attributes: Attributes, arrays: Sequence[Any]) -> int:
    """How many numbers a result has, before memory is taken for it; at least as many as the largest operand."""
    known = [array for array in arrays if array is not None]
    if operator == "ConstantOfShape":
        return int(math.prod(known[0].tolist()))
    if operator == "Expand":
        return math.prod(np.broadcast_shapes(known[0].shape, tuple(known[1].tolist())))
    if operator == "Tile":
        return int(known[0].size * math.prod(known[1].tolist()))
    if operator == "Range":
        return int(abs((known[1].item() - known[0].item()) / known[2].item())) + 1
    if operator in ("Gather", "ArrayFeatureExtractor"):
        return int(known[0].size // max(1, min(known[0].shape or (1,))) * known[1].size)
    if operator in ("MatMul", "Gemm"):
        shared = max(1, known[0].shape[0 if attributes.get("transA", 0) else -1])
        return int((known[0].size // shared) * (known[1].size // shared))
    if operator in ("Concat", "FeatureVectorizer"):
        return sum(array.size for array in known)
    if operator in _RESHAPING:
        return int(known[0].size) if known else 0
    return math.prod(np.broadcast_shapes(*(array.shape for array in known))) if known else 0


_RESHAPING = (
    *("ArgMax", "ArgMin", "CumSum", "TopK"),
    *("Constant", "Shape", "Size", "Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Split", "Slice"),
    *(name for name in ARRAYS if name.startswith("Reduce")),
)
