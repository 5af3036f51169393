"""Uses of `ops`, each written once: for `cnn_core.ops` on arrays and on symbols, and for Keras's own.

A case takes the module of functions and one array, or symbol, for each of its shapes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

N = 4  # samples
Floats = NDArray[np.float64]


class Case(NamedTuple):
    """A use of `ops`.

    Attributes
    ----------
    function : callable
        Takes the module and one operand for each shape.
    shapes : tuple of tuple
        Of a sample.
    low, high : float
        Between which operands are drawn.
    """

    function: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...] = ((5,),)
    low: float = -2.0
    high: float = 2.0

    def operands(self, n: int = N) -> list[Floats]:
        """Draw the operands of n samples: no two of their elements are equal, and none is a whole number."""
        generator = np.random.default_rng(7)
        return [generator.uniform(self.low, self.high, (n, *shape)) for shape in self.shapes]


def _of(name: str, **settings: Any) -> Callable[..., Any]:
    return lambda ops, *operands: getattr(ops, name)(*operands, **settings)


def _with_gaps(name: str, **settings: Any) -> Callable[..., Any]:
    """Return a use on operands of which some elements are NaN, which have no derivative."""
    return lambda ops, *operands: getattr(ops, name)(*(ops.where(x > 0.8, np.nan, x) for x in operands), **settings)


def _rows(n_rows: int, n_columns: int) -> Floats:
    return np.arange(1.0, n_rows * n_columns + 1).reshape(n_rows, n_columns)


PAIR = ((3, 4), (3, 4))
POSITIVE = {"low": 0.2, "high": 3.0}
INSIDE = {"low": -0.9, "high": 0.9}
SHARES = {"low": 0.05, "high": 0.95}
CUBE = ((3, 2, 4),)
SQUARE = ((3, 3),)
# Functions of one operand, whose result has its shape.
OF_ONE = (
    "absolute", "abs", "arctan", "arcsinh", "ceil", "cos", "cosh", "erf", "exp", "exp2", "expm1", "floor",
    "isfinite", "isnan", "isinf", "logical_not", "negative", "round", "sign", "sin", "sinh", "square", "tanh",
    "trunc", "deg2rad", "copy", "nan_to_num", "ones_like", "zeros_like", "stop_gradient",
    "celu", "elu", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "log_sigmoid",
    "log_softmax", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus",
    "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "tanh_shrink", "isneginf", "isposinf",
    "cbrt", "erfc", "sinc",
)  # fmt: skip
# Functions of two operands, element by element.
OF_TWO = (
    "add", "arctan2", "divide", "divide_no_nan", "equal", "floor_divide", "fmax", "fmin", "greater", "greater_equal",
    "fmod", "heaviside", "hypot", "isclose", "less", "less_equal",
    "logaddexp", "logaddexp2", "logical_and", "logical_or", "logical_xor",
    "maximum", "minimum", "mod", "multiply", "not_equal", "power", "subtract", "true_divide",
)  # fmt: skip

REDUCTIONS = ("sum", "mean", "max", "min", "prod", "logsumexp", "var", "std")

CASES: dict[str, Case] = {
    **{name: Case(_of(name)) for name in OF_ONE},
    **{name: Case(_of(name), **POSITIVE) for name in (
        "log", "log10", "log1p", "log2", "reciprocal", "rsqrt", "sqrt",
    )},
    **{name: Case(_of(name), **INSIDE) for name in ("arccos", "arcsin", "arctanh", "tan")},
    "arccosh": Case(_of("arccosh"), low=1.2, high=3.0),
    **{name: Case(_of(name), PAIR, **POSITIVE if name == "power" else {}) for name in OF_TWO},
    "power of a number": Case(lambda ops, x: ops.power(x, 3) + ops.power(x, 2)),
    "number in front": Case(lambda ops, x: ops.subtract(1.0, x) * 2 + 3 / ops.exp(x)),
    "broadcast": Case(lambda ops, x, y: ops.multiply(x, y), ((3, 1), (1, 4))),
    "broadcast a row": Case(lambda ops, x: x * ops.convert_to_tensor(np.arange(1.0, 6.0))),
    "clip": Case(_of("clip", x_min=-0.5, x_max=1.0)),
    "clip by others": Case(lambda ops, x, low: ops.clip(x, low, 1.5), PAIR),
    "where": Case(lambda ops, x, y: ops.where(x > y, x, ops.exp(y)), PAIR),
    "cast": Case(lambda ops, x: ops.cast(ops.cast(x * 3, "int32"), x.dtype) + x),
    "gelu exact": Case(_of("gelu", approximate=False)),
    "elu alpha": Case(_of("elu", alpha=0.7)),
    "leaky_relu slope": Case(_of("leaky_relu", negative_slope=0.05)),
    "threshold": Case(_of("threshold", threshold=0.3, default_value=-1.0)),
    "glu": Case(_of("glu"), ((6,),)),
    "softmax axis": Case(_of("softmax", axis=1), CUBE),
    "log_softmax axis": Case(_of("log_softmax", axis=2), CUBE),
    **{f"{name} all": Case(_of(name), ((3, 2),)) for name in ("sum", "mean", "max", "min", "prod", "logsumexp")},
    **{f"{name} axis": Case(_of(name, axis=2), CUBE) for name in (*REDUCTIONS, "argmax", "argmin")},
    **{f"{name} axes": Case(_of(name, axis=(1, 3), keepdims=True), CUBE) for name in REDUCTIONS},
    "mean of samples": Case(_of("mean", axis=0), ((3,),)),
    "standardized": Case(lambda ops, x: (x - ops.mean(x, axis=0)) / ops.std(x, axis=0, keepdims=True), ((3,),)),
    "any": Case(lambda ops, x: ops.any(x > 1, axis=1)),
    "all": Case(lambda ops, x: ops.all(x > -1, axis=1)),
    "count_nonzero": Case(lambda ops, x: ops.count_nonzero(x > 0, axis=1)),
    "norm": Case(_of("norm", axis=-1)),
    "norm 1": Case(_of("norm", ord=1, axis=1, keepdims=True)),
    "norm 3": Case(_of("norm", ord=3, axis=1)),
    "norm inf": Case(_of("norm", ord=np.inf, axis=1)),
    "normalize": Case(_of("normalize", axis=1)),
    "average": Case(lambda ops, x: ops.average(x, axis=1, weights=ops.convert_to_tensor(np.arange(1.0, 6.0)))),
    "moments": Case(lambda ops, x: ops.moments(x, axes=[1])[1]),
    "reshape": Case(_of("reshape", newshape=(-1, 4, 6)), CUBE),
    "expand_dims": Case(_of("expand_dims", axis=-1)),
    "squeeze": Case(_of("squeeze", axis=2), ((3, 1),)),
    "transpose": Case(_of("transpose", axes=(0, 3, 1, 2)), CUBE),
    "moveaxis": Case(_of("moveaxis", source=1, destination=-1), CUBE),
    "swapaxes": Case(_of("swapaxes", axis1=1, axis2=2), CUBE),
    "concatenate": Case(lambda ops, x, y: ops.concatenate([x, y, x], axis=1), PAIR),
    "concatenate last": Case(lambda ops, x, y: ops.concatenate([x, y], axis=-1), PAIR),
    "stack": Case(lambda ops, x, y: ops.stack([x, y], axis=1), PAIR),
    "split": Case(lambda ops, x: ops.split(x, 2, axis=1)[1] * 2, ((6,),)),
    "split at": Case(lambda ops, x: ops.split(x, [1, 4], axis=1)[1], ((6,),)),
    "unstack": Case(lambda ops, x: ops.unstack(x, axis=1)[2]),
    "take": Case(_of("take", indices=[3, 0, 0], axis=1)),
    "slices": Case(lambda ops, x: x[:, 1:3] * x[:, ::2][:, :2] + x[:, -1:]),
    "slice of axes": Case(lambda ops, x: x[:, 0, :, None, ::2], CUBE),
    "flip": Case(_of("flip", axis=1)),
    "roll": Case(_of("roll", shift=2, axis=1)),
    "repeat": Case(_of("repeat", repeats=2, axis=1)),
    "tile": Case(_of("tile", repeats=(1, 3))),
    "diagonal": Case(_of("diagonal", axis1=1, axis2=2), ((3, 3),)),
    "trace": Case(_of("trace", axis1=1, axis2=2), ((3, 3),)),
    "rad2deg": Case(_of("rad2deg")),
    "one_hot": Case(lambda ops, x: ops.one_hot(ops.cast(x + 2, "int32"), 4, dtype=x.dtype)),
    "matmul": Case(_of("matmul"), ((3, 4), (4, 2))),
    "matmul shared": Case(lambda ops, x: ops.matmul(x, ops.convert_to_tensor(np.arange(10.0).reshape(5, 2)))),
    "matmul of more axes": Case(_of("matmul"), ((2, 3, 4), (2, 4, 5))),
    "outer of rows": Case(lambda ops, x, y: ops.expand_dims(x, 2) * ops.expand_dims(y, 1), ((3,), (4,))),
    "cumsum": Case(_of("cumsum", axis=1)),
    "cumprod": Case(_of("cumprod", axis=1)),
    "sort": Case(_of("sort", axis=1)),
    "argsort": Case(_of("argsort", axis=1)),
    "top_k": Case(lambda ops, x: ops.top_k(x, 2)[0]),
    "top_k indices": Case(lambda ops, x: ops.top_k(x, 2)[1]),
    "take_along_axis": Case(lambda ops, x: ops.take_along_axis(x, ops.argsort(x, axis=1)[:, :2], axis=1)),
    "einsum": Case(lambda ops, x, y: ops.einsum("bij,bjk->bik", x, y), ((3, 4), (4, 2))),
    "append": Case(lambda ops, x, y: ops.append(x, y, axis=1), PAIR),
    "arange": Case(lambda ops, x: x * ops.arange(1, 6, dtype=x.dtype)),
    "binary_crossentropy": Case(_of("binary_crossentropy"), PAIR, **SHARES),
    "binary_crossentropy logits": Case(_of("binary_crossentropy", from_logits=True), PAIR),
    "broadcast_to": Case(lambda ops, x: ops.broadcast_to(x, (ops.shape(x)[0], 3, 5)), ((1, 5),)),
    "categorical_crossentropy": Case(_of("categorical_crossentropy"), PAIR, **SHARES),
    "categorical_crossentropy axis": Case(_of("categorical_crossentropy", axis=1), PAIR, **SHARES),
    "categorical_crossentropy logits": Case(_of("categorical_crossentropy", from_logits=True), PAIR),
    "sparse_categorical_crossentropy": Case(
        lambda ops, x: ops.sparse_categorical_crossentropy(ops.argmin(x, axis=1), x), **SHARES
    ),
    "sparse_categorical_crossentropy logits": Case(
        lambda ops, x: ops.sparse_categorical_crossentropy(ops.argmin(x, axis=1), x, from_logits=True)
    ),
    "cond": Case(lambda ops, x: ops.cond(np.bool_(True), lambda: ops.exp(x), lambda: ops.negative(x))),
    "convert_to_numpy": Case(lambda ops, x: x * ops.convert_to_tensor(ops.convert_to_numpy(np.arange(1.0, 6.0)))),
    "diff": Case(_of("diff", axis=1)),
    "diff twice": Case(_of("diff", n=2, axis=1), CUBE),
    "dot": Case(lambda ops, x: ops.dot(x, ops.convert_to_tensor(_rows(5, 2)))),
    "eye": Case(lambda ops, x: ops.matmul(x, ops.eye(5, 3, k=-1, dtype=x.dtype))),
    "fmax gaps": Case(_with_gaps("fmax"), PAIR),
    "fmin gaps": Case(_with_gaps("fmin"), PAIR),
    "full": Case(lambda ops, x: x * ops.full((5,), 2.5, dtype=x.dtype)),
    "full_like": Case(lambda ops, x: x * ops.full_like(x, 2.5)),
    "get_item": Case(_of("get_item", key=np.s_[:, 1:3])),
    "hstack": Case(lambda ops, x, y: ops.hstack([x, y]), PAIR),
    "identity": Case(lambda ops, x: ops.matmul(x, ops.identity(5, dtype=x.dtype))),
    "in_top_k": Case(lambda ops, x, y: ops.in_top_k(ops.argmax(x, axis=1), y, 2), ((5,), (5,))),
    "inner": Case(lambda ops, x: ops.inner(x, ops.convert_to_tensor(_rows(2, 5)))),
    "isin": Case(lambda ops, x: ops.isin(ops.round(x), ops.convert_to_tensor(np.array([0.0, 2.0])))),
    "isin inverted": Case(lambda ops, x: ops.isin(ops.round(x), ops.convert_to_tensor(np.array([0.0])), invert=True)),
    "linspace": Case(lambda ops, x: x * ops.linspace(1, 2, 5, dtype=x.dtype)),
    "multi_hot": Case(lambda ops, x: ops.multi_hot(ops.cast(x + 2, "int32"), 4)),
    "multi_hot of grids": Case(lambda ops, x: ops.multi_hot(ops.cast(x + 2, "int32"), 4), ((3, 2),)),
    **{f"{name} gaps": Case(_with_gaps(name, axis=1)) for name in (
        "nancumprod", "nancumsum", "nanmax", "nanmean", "nanmin", "nanprod", "nanstd", "nansum", "nanvar",
    )},
    "nanmean gaps axes": Case(_with_gaps("nanmean", axis=(1, 3), keepdims=True), CUBE),
    "ndim": Case(lambda ops, x: x * ops.ndim(x), CUBE),
    "ones": Case(lambda ops, x: x + ops.ones((5,), dtype=x.dtype)),
    "outer": Case(lambda ops, x: ops.outer(x, ops.convert_to_tensor(np.arange(1.0, 4.0))), ((),)),
    "pad": Case(_of("pad", pad_width=((0, 0), (1, 2), (0, 1)), constant_values=0.5), ((3, 2),)),
    "ptp": Case(_of("ptp", axis=2), CUBE),
    "ravel": Case(_of("ravel"), ((),)),
    "select": Case(lambda ops, x, y: ops.select([x > 1, y > 1], [ops.exp(x), y * y], 0.5), PAIR),
    "shape": Case(lambda ops, x: x * ops.shape(x)[1]),
    "size": Case(lambda ops, x: x * ops.size(np.ones((2, 3)))),
    "slice": Case(lambda ops, x: ops.slice(x, (0, 1), (ops.shape(x)[0], 3))),
    "tensordot": Case(lambda ops, x: ops.tensordot(x, ops.cast(_rows(8, 2).reshape(2, 4, 2), x.dtype)), CUBE),
    "tensordot axes": Case(
        lambda ops, x: ops.tensordot(x, ops.cast(_rows(5, 3), x.dtype), axes=[[1], [1]]), ((3, 2),)
    ),
    **{f"{name} {k}": Case(_of(name, k=k), SQUARE) for name in ("tril", "triu") for k in (-1, 0, 1)},
    "vdot all": Case(_of("vdot"), ((), ())),
    "vstack": Case(lambda ops, x: x * ops.vstack([np.arange(1.0, 6.0), np.ones(5)])[0]),
    "zeros": Case(lambda ops, x: x + ops.zeros((5,), dtype=x.dtype)),
    "allclose": Case(lambda ops, x: x * float(ops.allclose(np.ones(2), np.ones(2) + 1e-7))),
    "array_split": Case(lambda ops, x: ops.array_split(x, 3, axis=1)[1]),
    "batch_normalization": Case(
        lambda ops, x: ops.batch_normalization(
            x, *ops.cast(_rows(2, 2), x.dtype), 2, *ops.cast(_rows(2, 2), x.dtype), epsilon=0.1
        ), CUBE
    ),
    "digitize": Case(lambda ops, x: ops.digitize(x, np.array([-1.0, 0.0, 1.5]))),
    "dstack": Case(lambda ops, x, y: ops.dstack([x, y]), ((3,), (3,))),
    "empty": Case(lambda ops, x: x * (ops.shape(ops.empty((3, 2)))[0])),
    "empty_like": Case(lambda ops, x: x * ops.shape(ops.empty_like(x))[1]),
    "fliplr": Case(_of("fliplr"), CUBE),
    "flipud": Case(lambda ops, x: x * ops.cast(ops.flipud(np.arange(1.0, 6.0)), x.dtype)),
    "geomspace": Case(lambda ops, x: x * ops.geomspace(1, 16, 5, dtype=x.dtype)),
    "hsplit": Case(lambda ops, x: ops.hsplit(x, 2)[1], ((6,),)),
    "is_tensor": Case(lambda ops, x: x * float(ops.is_tensor(x)) + float(ops.is_tensor([1.0]))),
    "layer_normalization": Case(
        lambda ops, x: ops.layer_normalization(x, *ops.cast(_rows(2, 4), x.dtype), epsilon=0.1), CUBE
    ),
    "layer_normalization axes": Case(_of("layer_normalization", axis=(2, 3)), CUBE),
    "logspace": Case(lambda ops, x: x * ops.logspace(0, 1, 5, dtype=x.dtype)),
    "median axis": Case(_of("median", axis=1), CUBE),
    "median axes": Case(_of("median", axis=(1, 3), keepdims=True), CUBE),
    "meshgrid": Case(lambda ops, x: x * ops.cast(ops.meshgrid(np.arange(1.0, 6.0), np.ones(2))[0][1], x.dtype)),
    "percentile": Case(_of("percentile", q=30, axis=1)),
    **{f"quantile {method}": Case(_of("quantile", q=0.3, axis=1, method=method)) for method in (
        "linear", "lower", "higher", "midpoint", "nearest",
    )},
    "quantile axes": Case(_of("quantile", q=0.85, axis=(1, 2)), CUBE),
    "rms_normalization": Case(lambda ops, x: ops.rms_normalization(x, ops.cast(np.arange(1.0, 6.0), x.dtype))),
    **{f"rot90 {k}": Case(_of("rot90", k=k, axes=(1, 2)), ((3, 4),)) for k in (0, 1, 2, 3)},
    "saturate_cast": Case(lambda ops, x: ops.saturate_cast(x * 1e3, "int8")),
    "searchsorted": Case(lambda ops, x: ops.searchsorted(np.array([-1.0, 0.0, 1.5]), ops.round(x), side="left")),
    "searchsorted right": Case(
        lambda ops, x: ops.searchsorted(np.array([-1.0, 0.0, 1.5]), ops.round(x), side="right")
    ),
    "trapezoid": Case(_of("trapezoid", dx=0.5, axis=1), CUBE),
    "trapezoid x": Case(lambda ops, y: ops.trapezoid(y, x=ops.cast(np.array([0.0, 1.0, 3.0]), y.dtype), axis=1), CUBE),
    "tri": Case(lambda ops, x: ops.matmul(x, ops.tri(5, 3, k=-1, dtype=x.dtype))),
    "vsplit": Case(lambda ops, x: x * ops.cast(ops.vsplit(_rows(4, 5), 2)[1][0], x.dtype)),
    "a value thrice": Case(lambda ops, x: ops.tanh(ops.exp(x)) * ops.exp(x) + ops.sum(ops.exp(x), axis=-1)[:, None]),
}  # fmt: skip
WRONG_IN_KERAS = {"sparsemax"}  # its results do not add up to 1
