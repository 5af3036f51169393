"""Functions of the order of elements along an axis, running sums, and elements picked by what is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.network.plan import NetworkPlan
from cnn_core.ops.dtypes import as_array, as_value
from cnn_core.ops.operation import Function, Operation, Spec, is_symbolic, shape_of

if TYPE_CHECKING:
    from cnn_core.network.graph import Shape


def axis_of_sample(shape: Shape, axis: object, name: str) -> int:
    """Return an axis counted from 0 with the samples, which it must not be where they are apart."""
    rank = len(shape)
    if not isinstance(axis, (int, np.integer)) or not -rank <= axis < rank or shape[axis] is None:
        raise ValueError(
            f"`{name}` goes along an axis of the features: samples, axis 0, are apart. "
            f"Received: axis={axis}, shape={tuple(shape)}"
        )
    return int(axis) % rank


def _places(shape: Sequence[object], axis: int) -> int:
    """Return an axis as the plan counts it."""
    return axis - (tuple(shape[:1]) == (None,))


class _Scan(Function):
    """Running sums or products along an axis."""

    def __init__(self, name: str, class_name: str, compute: Callable[..., Array]) -> None:
        super().__init__(name, class_name)
        self._compute = compute

    def __call__(self, x: object, axis: int | None = None, dtype: object = None) -> Any:
        if not is_symbolic(x):
            return self._compute(as_array(x), axis=axis, dtype=dtype)
        return self.on([as_value(x)], axis=axis_of_sample(shape_of(x), axis, self.name))

    def infer(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> list[Spec]:
        return [Spec(shape_of(operands[0]), str(operands[0].dtype))]

    def enter(self, plan: NetworkPlan, operation: Operation, buffers: list[int]) -> list[int]:
        axis = _places(operation.shapes[0], operation.settings["axis"])
        return [plan.add_scan(self.name, buffers[0], axis, layer=operation.name)]


def check_count(k: int, size: int | None) -> None:
    """Refuse to pick more elements than an axis has, or none."""
    if size is None or not 1 <= k <= size:
        raise ValueError(f"`k` must lie between 1 and {size}. Received: k={k}")


class _Sorted(Function):
    """The elements along the last axis in order, all or the first k, and their numbers."""

    def infer(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> list[Spec]:
        shape, count = shape_of(operands[0]), settings["k"]
        axis_of_sample(shape, -1, "sort")
        if count is not None:
            check_count(count, shape[-1])
        found = (*shape[:-1], shape[-1] if count is None else count)
        return [Spec(found, str(operands[0].dtype)), Spec(found, "int32")]

    def enter(self, plan: NetworkPlan, operation: Operation, buffers: list[int]) -> list[int]:
        settings = operation.settings
        found = plan.add_sort(buffers[0], layer=operation.name, k=settings["k"], descending=settings["descending"])
        return list(found)


class _Gather(Function):
    """Elements along an axis, picked by numbers that are computed; the numbers have no derivative."""

    def infer(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> list[Spec]:
        source, numbers = map(shape_of, operands)
        axis, along = settings["axis"], settings["along"]
        apart = [tuple(shape[:1]) == (None,) for shape in (source, numbers)]
        others = (*source[:axis], *source[axis + 1 :]), (*numbers[:axis], *numbers[axis + 1 :])
        if apart != [True, True] or (along and others[0] != others[1]) or (not along and axis != 1):
            raise ValueError(
                "Numbers that are computed pick elements of their own sample: along the first axis of the features, or "
                "along any, one for each element of the result, by take_along_axis. "
                f"Received: shapes {source} and {numbers}, axis={axis}"
            )
        shape = numbers if along else (*source[:axis], *numbers[1:], *source[axis + 1 :])
        return [Spec(shape, str(operands[0].dtype))]

    def enter(self, plan: NetworkPlan, operation: Operation, buffers: list[int]) -> list[int]:
        axis, along = operation.settings["axis"] - 1, operation.settings["along"]
        source, numbers = buffers
        if not along and operation.shapes[1] == (None,):
            picked = plan.add_gather(source, numbers, axis, layer=operation.name)
            shape = plan.shapes[source]
            return [plan.add_reshaping(picked, (*shape[:axis], *shape[axis + 1 :]) or (1,), operation.name)]
        return [plan.add_gather(source, numbers, axis, layer=operation.name, along=along)]


cumprod_function = _Scan("cumprod", "Cumprod", np.cumprod)
cumsum_function = _Scan("cumsum", "Cumsum", np.cumsum)
gather_function = _Gather("gather", "Gather", "core")
sorted_function = _Sorted("sorted", "Sorted", "core")
