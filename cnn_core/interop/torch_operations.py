"""What each function of PyTorch is as a function of `cnn_core.ops`: one row for a name that no layer stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.ops as ops
from cnn_core.network.graph import Symbol
from cnn_core.ops.dtypes import is_float
from cnn_core.ops.shapes import BATCH

if TYPE_CHECKING:
    from cnn_core.ops.operation import Value


# Functions of tensors alone, by their names there.
_SAME = {
    **{name: getattr(ops, name) for name in (
        "abs", "absolute", "add", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "ceil",
        "cos", "cosh", "erf", "exp", "exp2", "expm1", "floor", "floor_divide", "hypot", "isfinite", "isinf", "isnan",
        "log", "log10", "log1p", "log2", "logaddexp", "logical_and", "logical_not", "logical_or", "logical_xor",
        "matmul", "maximum", "minimum", "multiply", "negative", "not_equal", "reciprocal", "rsqrt", "sigmoid", "sign",
        "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc", "where",
    )},
    "acos": ops.arccos, "acosh": ops.arccosh, "and": ops.logical_and, "asin": ops.arcsin, "asinh": ops.arcsinh,
    "atan": ops.arctan, "atan2": ops.arctan2, "atanh": ops.arctanh, "bmm": ops.matmul, "eq": ops.equal,
    "floordiv": ops.floor_divide, "ge": ops.greater_equal, "gt": ops.greater, "invert": ops.logical_not,
    "le": ops.less_equal, "lt": ops.less, "mod": ops.mod, "mul": ops.multiply, "ne": ops.not_equal,
    "neg": ops.negative, "or": ops.logical_or, "pow": ops.power, "remainder": ops.mod,
    "rsub": lambda x, y: ops.subtract(y, x), "truediv": ops.divide, "xor": ops.logical_xor,
}  # fmt: skip


def _axes(dim: object) -> Any:
    return list(dim) if isinstance(dim, (tuple, list)) else dim


def _reduction(function: Callable[..., object]) -> Callable[..., Any]:
    return lambda x, dim=None, keepdim=False: function(x, axis=_axes(dim), keepdims=keepdim)


def _spread(function: Callable[..., object]) -> Callable[..., Any]:
    """A variance, which there divides by one less than the number unless told otherwise."""

    def read(x: Value, dim: object = None, unbiased: bool | None = None, keepdim: bool = False, **more: object) -> Any:
        correction = more.get("correction", 1 if unbiased is None else int(unbiased))
        if correction:
            raise ValueError(f"it must have correction=0. Received: correction={correction}")
        return function(x, axis=_axes(dim), keepdims=keepdim)

    return read


def _extreme(function: Callable[..., object], place: Callable[..., object]) -> Callable[..., Any]:
    def read(x: Value, dim: object = None, keepdim: bool = False) -> Any:
        if isinstance(dim, (Symbol, np.ndarray)):
            return ops.maximum(x, dim) if function is ops.max else ops.minimum(x, dim)
        if dim is None:
            return function(x)
        return function(x, axis=dim, keepdims=keepdim), place(x, axis=dim, keepdims=keepdim)

    return read


def _added(x: object, y: object, alpha: float = 1) -> Any:
    return ops.add(x, y if alpha == 1 else ops.multiply(y, alpha))


def _less(x: object, y: object, alpha: float = 1) -> Any:
    return ops.subtract(x, y if alpha == 1 else ops.multiply(y, alpha))


def _divided(x: object, y: object, rounding_mode: str | None = None) -> Any:
    if rounding_mode == "floor":
        return ops.floor_divide(x, y)
    quotient = ops.divide(x, y)
    return ops.trunc(quotient) if rounding_mode == "trunc" else quotient


def _clamped(x: object, min: object = None, max: object = None) -> Any:
    x = x if min is None else ops.maximum(x, min)
    return x if max is None else ops.minimum(x, max)


def _rounded(x: object, decimals: int = 0) -> Any:
    return ops.round(x, decimals)


def _listed(first: object, others: Sequence[object]) -> list[Any]:
    """Sizes or axes, which methods take one by one, too."""
    return list(first) if isinstance(first, (tuple, list)) else [first, *others]


def _permuted(x: object, *dims: object) -> Any:
    return ops.transpose(x, _listed(dims[0], dims[1:]))


def _reshaped(x: object, *shape: object) -> Any:
    return ops.reshape(x, _listed(shape[0], shape[1:]))


def _expanded(x: Any, *shape: Any) -> Any:
    sizes = _listed(shape[0], shape[1:])
    own: Any = [None] * (len(sizes) - x.ndim) + list(ops.shape(x))
    wanted = [known if size == -1 else size for size, known in zip(sizes, own, strict=True)]
    return ops.broadcast_to(x, [BATCH if place == 0 else size for place, size in enumerate(wanted)])


def _tiled(x: object, *repeats: object) -> Any:
    return ops.tile(x, tuple(_listed(repeats[0], repeats[1:])))


def _flattened(x: Value, start_dim: int = 0, end_dim: int = -1) -> Any:
    first, last = start_dim % x.ndim, end_dim % x.ndim
    if first == 0:
        raise ValueError(f"axis 0, the samples, must stay. Received: start_dim={start_dim}")
    sizes = list(x.shape[1:])
    return ops.reshape(x, [-1, *sizes[: first - 1], int(np.prod(sizes[first - 1 : last])), *sizes[last:]])


def _parts(x: Any, size: Any, dim: int = 0) -> tuple[Any, ...]:
    ends = np.cumsum(size)[:-1].tolist() if isinstance(size, (tuple, list)) else range(size, x.shape[dim], size)
    return tuple(ops.split(x, list(ends), axis=dim))


def _chunks(x: Any, chunks: int, dim: int = 0) -> Any:
    return _parts(x, -(-x.shape[dim] // chunks), dim)


def _picked(x: object, dim: int, index: object) -> Any:
    if isinstance(index, Symbol):
        raise ValueError("what it picks must be a constant")
    return ops.take(x, np.asarray(index), axis=dim)


def _gathered(x: object, dim: int, index: object) -> Any:
    return ops.take_along_axis(x, index, axis=dim)


def _sorted(x: Any, dim: int = -1, descending: bool = False, stable: bool = True) -> Any:
    if descending and dim % x.ndim == x.ndim - 1:
        return ops.top_k(x, x.shape[-1])
    places = ops.argsort(ops.negative(x) if descending else x, axis=dim)
    return ops.take_along_axis(x, places, axis=dim), places


def _largest(x: Value, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    if not largest or dim % x.ndim != x.ndim - 1:
        raise ValueError(f"it must take the largest along the last axis. Received: dim={dim}, largest={largest}")
    return ops.top_k(x, k)


def _converted(dtype: str, x: Value, *kinds: object, **more: object) -> Any:
    """A conversion: to integers cut, to truth values whether it is not 0, to floats those of the model."""
    kind = next((str(each) for each in (*kinds, *more.values()) if str(each).startswith("torch.")), "")
    if kind == "torch.bool":
        return ops.cast(x, "bool")
    if "int" in kind:
        return ops.cast(x, "int32")
    return x if is_float(x.dtype) else ops.cast(x, dtype)


def _as(kind: str) -> Callable[..., Any]:
    return lambda dtype, x: _converted(dtype, x, kind)


def _item(x: Any, index: object) -> Any:
    return x[index]


def _filled(dtype: str, x: object, size: Any, fill_value: float) -> Any:
    sizes = list(size)
    return float(fill_value) if not sizes else ops.full([BATCH, *sizes[1:]], fill_value, dtype)


def _normalized(x: object, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Any:
    return ops.normalize(x, axis=dim, order=p, epsilon=eps)


def _length(x: object, ord: object = 2, dim: object = None, keepdim: bool = False, p: object = None) -> Any:
    return ops.norm(x, ord if p is None else p, axis=_axes(dim), keepdims=keepdim)


OPERATIONS: dict[str, Callable[..., Any]] = {
    **_SAME,
    **{name: _reduction(function) for name, function in (
        ("sum", ops.sum), ("mean", ops.mean), ("amax", ops.max), ("amin", ops.min), ("prod", ops.prod),
        ("logsumexp", ops.logsumexp), ("all", ops.all), ("any", ops.any), ("argmax", ops.argmax),
        ("argmin", ops.argmin),
    )},
    "max": _extreme(ops.max, ops.argmax),
    "min": _extreme(ops.min, ops.argmin),
    "var": _spread(ops.var),
    "std": _spread(ops.std),
    "norm": _length,
    "linalg_vector_norm": _length,
    "normalize": _normalized,
    "add": _added,
    "sub": _less,
    "subtract": _less,
    "div": _divided,
    "divide": _divided,
    "clamp": _clamped,
    "clip": _clamped,
    "round": _rounded,
    "nan_to_num": ops.nan_to_num,
    "detach": ops.stop_gradient,
    "permute": _permuted,
    "transpose": ops.swapaxes,
    "swapaxes": ops.swapaxes,
    "reshape": _reshaped,
    "view": _reshaped,
    "flatten": _flattened,
    "expand": _expanded,
    "squeeze": ops.squeeze,
    "unsqueeze": ops.expand_dims,
    "flip": lambda x, *dims: ops.flip(x, axis=_listed(dims[0], dims[1:])),
    "roll": lambda x, shifts, dims=None: ops.roll(x, shifts, axis=dims),
    "repeat": _tiled,
    "tile": _tiled,
    "repeat_interleave": lambda x, repeats, dim=None: ops.repeat(x, repeats, axis=dim),
    "cat": lambda x, dim=0: ops.concatenate(list(x), axis=dim),
    "concat": lambda x, dim=0: ops.concatenate(list(x), axis=dim),
    "stack": lambda x, dim=0: ops.stack(list(x), axis=dim),
    "chunk": _chunks,
    "split": _parts,
    "unbind": lambda x, dim=0: tuple(ops.unstack(x, axis=dim)),
    "index_select": _picked,
    "gather": _gathered,
    "take_along_dim": lambda x, index, dim: _gathered(x, dim, index),
    "getitem": _item,
    "tril": ops.tril,
    "triu": ops.triu,
    "cumsum": lambda x, dim: ops.cumsum(x, axis=dim),
    "cumprod": lambda x, dim: ops.cumprod(x, axis=dim),
    "sort": _sorted,
    "argsort": lambda x, *how, **more: _sorted(x, *how, **more)[1],
    "topk": _largest,
    "einsum": ops.einsum,
    "type_as": lambda x, other: x,
    "zeros_like": ops.zeros_like,
    "ones_like": ops.ones_like,
    "full_like": lambda x, fill_value: ops.full_like(x, fill_value),
    "softmax": lambda x, dim: ops.softmax(x, axis=dim),
    "log_softmax": lambda x, dim: ops.log_softmax(x, axis=dim),
}  # fmt: skip

# Those that need to know the dtype of the model, which comes first.
OF_DTYPE: dict[str, Callable[..., Any]] = {
    "to": _converted,
    "float": _as("torch.float32"),
    "double": _as("torch.float64"),
    "bool": _as("torch.bool"),
    "long": _as("torch.int64"),
    "int": _as("torch.int32"),
    "new_full": _filled,
}


def operation(name: str, arguments: Sequence[object], keywords: dict[str, Any], dtype: str) -> Any:
    """Return what a function makes of symbols and constants.

    Parameters
    ----------
    name : str
        A key of `OPERATIONS` or `OF_DTYPE`.
    arguments : sequence
    keywords : dict
    dtype : str
        Of the model: constants of floats are of no other.

    Raises
    ------
    ValueError or TypeError
        If it looks from one sample to another, or cannot be expressed.

    Examples
    --------
    >>> from cnn_core import Input
    >>> operation("amax", [Input((3,)), 1], {"keepdim": True}, "float32").shape
    (None, 1)
    """
    given = [_in(each, dtype) for each in arguments]
    named = {key: _in(each, dtype) for key, each in keywords.items()}
    return OF_DTYPE[name](dtype, *given, **named) if name in OF_DTYPE else OPERATIONS[name](*given, **named)


def _in(value: Any, dtype: str) -> Any:
    is_float = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return value.astype(dtype) if is_float else value
