"""Functions along axes: sums, means, extremes and the like, over features or over the samples of a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.network.plan import NetworkPlan
from cnn_core.ops.dtypes import as_array, as_floats, as_value, promoted
from cnn_core.ops.operation import Function, Operation, Spec, is_symbolic, shape_of

Kind = Literal["float", "same", "bool", "int"]


class Reduction(Function):
    """A function along axes.

    Parameters
    ----------
    compute : callable
        What NumPy computes of an array, an axis and `keepdims`.
    kind : {"float", "same", "bool", "int"}
        The result's dtype.
    """

    def __init__(
        self, name: str, class_name: str, compute: Callable[..., Any], kind: Kind, *, module: str = "numpy"
    ) -> None:
        super().__init__(name, class_name, module)
        self._compute = compute
        self._kind = kind

    def __call__(self, x: object, axis: object = None, keepdims: bool = False) -> Any:
        axis = list(axis) if isinstance(axis, (tuple, list)) else axis
        if is_symbolic(x):
            return self.on([as_value(x)], axis=axis, keepdims=bool(keepdims))
        array = as_array(x)
        array = array.astype(as_floats(str(array.dtype))) if self._kind == "float" else array
        with np.errstate(all="ignore"):
            found = self._compute(array, tuple(axis) if isinstance(axis, list) else axis, keepdims)
        return np.asarray(found, self._result(str(array.dtype)))

    def _result(self, dtype: str) -> str:
        if self._kind in ("bool", "int"):
            return "bool" if self._kind == "bool" else "int32"
        if dtype == "bool":
            return "int32"
        return as_floats(dtype) if self._kind == "float" else dtype

    def infer(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> list[Spec]:
        shape = shape_of(operands[0])
        axes = self.axes_of(shape, settings["axis"])
        kept = 1 if settings["keepdims"] else None
        sizes = [kept if axis in axes else size for axis, size in enumerate(shape)]
        result = tuple(size for axis, size in enumerate(sizes) if axis not in axes or settings["keepdims"])
        return [Spec(result, self._result(promoted(operands)))]

    def axes_of(self, shape: Sequence[Any], axis: Any) -> list[int]:
        """Return the axes, that of the samples included, counted from 0."""
        rank = len(shape)
        given = list(range(rank)) if axis is None else (axis if isinstance(axis, list) else [axis])
        if any(not isinstance(each, (int, np.integer)) or not -rank <= each < rank for each in given):
            raise ValueError(f"`axis` of `{self.name}` must be among those of shape {tuple(shape)}. Received: {axis}")
        return sorted({int(each) % rank for each in given})

    def enter(self, plan: NetworkPlan, operation: Operation, buffers: list[int]) -> list[int]:
        shape, settings = operation.shapes[0], operation.settings
        batched = shape[:1] == (None,)
        axes = [axis - batched for axis in self.axes_of(shape, settings["axis"])]
        kind, name = self.name, operation.name
        return [plan.add_reduction(kind, buffers[0], axes, layer=name, keepdims=settings["keepdims"])]


def _arg(function: Callable[..., object]) -> Callable[..., Any]:
    return lambda x, axis, keepdims: function(x, axis=axis, keepdims=keepdims)


def _log_sum_exp(x: Array, axis: Any, keepdims: bool) -> Any:
    highest = np.max(x, axis=axis, keepdims=True, initial=-np.inf)  # also of nothing
    highest = np.where(np.isfinite(highest), highest, 0)
    found = np.log(np.sum(np.exp(x - highest), axis=axis, keepdims=True)) + highest
    return found if keepdims else np.squeeze(found, axis)


all_function = Reduction("all", "All", _arg(np.all), "bool")
any_function = Reduction("any", "Any", _arg(np.any), "bool")
argmax_function = Reduction("argmax", "Argmax", _arg(np.argmax), "int")
argmin_function = Reduction("argmin", "Argmin", _arg(np.argmin), "int")
logsumexp_function = Reduction("logsumexp", "Logsumexp", _log_sum_exp, "float", module="math")
max_function = Reduction("max", "Max", _arg(np.max), "same")
mean_function = Reduction("mean", "Mean", _arg(np.mean), "float")
min_function = Reduction("min", "Min", _arg(np.min), "same")
prod_function = Reduction("prod", "Prod", _arg(np.prod), "same")
sum_function = Reduction("sum", "Sum", _arg(np.sum), "same")
