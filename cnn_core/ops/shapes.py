"""Functions that put the elements of a sample elsewhere: slices, axes, repetitions, joins."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.network.graph import Symbol
from cnn_core.network.plan import NetworkPlan
from cnn_core.ops.broadcasting import Shape
from cnn_core.ops.dtypes import as_array, as_value, promoted
from cnn_core.ops.operation import Function, Operation, Spec, is_symbolic, shape_of

_SAMPLES = 3  # with so many NumPy is asked what a function does, to see that it leaves them apart


class BatchSize:
    """Stand for the number of samples, which a graph does not know: only a shape may begin with it."""

    def __repr__(self) -> str:
        return "<the number of samples>"

    def _refuse(self, *others: object) -> Any:
        raise TypeError(
            "The number of samples is not known before the model computes: a shape may begin with it, such as in "
            "random.normal((batch, 4)), but nothing can be computed of it. A mean over the samples is ops.mean"
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __floordiv__ = __rfloordiv__ = __lt__ = __le__ = __gt__ = __ge__ = __int__ = __index__ = __float__ = _refuse
    __bool__ = _refuse


BATCH = BatchSize()


def of_samples(shape: Sequence[object]) -> tuple[bool, tuple[int, ...]]:
    """Split a shape that may begin with the number of samples: whether it does, and what a sample has."""
    given: list[Any] = list(shape) if isinstance(shape, (tuple, list)) else [shape]
    batched = bool(given) and (given[0] is None or isinstance(given[0], BatchSize))
    sizes = given[1:] if batched else given
    for size in sizes:
        if not isinstance(size, (int, np.integer)):
            raise ValueError(f"A shape must hold integers after the number of samples. Received: shape={shape}")
    return batched, tuple(int(size) for size in sizes)


class Selection(Function):
    """A function each of whose elements is an element of what it reads, the same in every sample.

    Parameters
    ----------
    select : callable
        The function of NumPy, with the settings; it may give a list.
    """

    def __init__(self, name: str, class_name: str, select: Callable[..., Any], static: Sequence[str] = ()) -> None:
        super().__init__(name, class_name, static=static)
        self._select = select

    def __call__(self, x: object, **settings: object) -> Any:
        if is_symbolic(x):
            return self.on([as_value(x)], **settings)
        return self._select(as_array(x), **settings)

    def elements(self, shape: Shape, settings: Mapping[str, Any]) -> list[Array]:
        """Return the numbers of the elements of a sample that each result holds."""
        batched = bool(shape) and shape[0] is None
        sizes = shape[1:] if batched else shape
        size = math.prod(sizes)  # type: ignore[arg-type]
        if not batched:
            return self._selected(np.arange(size).reshape(sizes), settings, shape)
        numbers = np.arange(_SAMPLES * size).reshape(_SAMPLES, *sizes)
        results = self._selected(numbers, settings, shape)
        for result in results:
            apart = result.ndim > 0 and len(result) == _SAMPLES
            if (
                not apart
                or any(not np.array_equal(result[i], result[0] + i * size) for i in range(_SAMPLES))
                or (result[0].size and result[0].max() >= size)
            ):
                raise ValueError(
                    f"`{self.name}` must leave the samples, axis 0, as they are: each is computed by itself. "
                    f"Received: shape={shape}, {_told(settings)}"
                )
        return [result[0] for result in results]

    def _selected(self, numbers: Array, settings: Mapping[str, object], shape: Shape) -> list[Array]:
        try:
            found = self._select(numbers, **settings)
        except (IndexError, ValueError, TypeError) as error:
            raise ValueError(f"`{self.name}` of shape {shape} with {_told(settings)}: {error}") from error
        return list(found) if isinstance(found, (list, tuple)) else [found]

    def infer(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> list[Spec]:
        shape = shape_of(operands[0])
        leading: Shape = (None,) if shape and shape[0] is None else ()
        dtype = str(operands[0].dtype)
        return [Spec((*leading, *found.shape), dtype) for found in self.elements(shape, settings)]

    def moved(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> list[Any]:
        return self._selected(operands[0], settings, operands[0].shape)

    def enter(self, plan: NetworkPlan, operation: Operation, buffers: list[int]) -> list[int]:
        results = self.elements(operation.shapes[0], operation.settings)
        return [_select(plan, buffers[0], found, operation.name) for found in results]


def _select(plan: NetworkPlan, source: int, numbers: Array, layer: str) -> int:
    """Enter what picks elements of a sample by their numbers into a plan."""
    flat = numbers.reshape(-1)
    size = math.prod(plan.shapes[source])
    if flat.size == size and np.array_equal(flat, np.arange(size)):
        return plan.add_reshaping(source, numbers.shape or (1,), layer)
    return plan.add_selection(source, flat, numbers.shape or (1,), layer=layer)


def _told(settings: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in settings.items())


class _Transpose(Selection):
    """A permutation of axes, for which the plan has an operation."""

    def enter(self, plan: NetworkPlan, operation: Operation, buffers: list[int]) -> list[int]:
        shape = operation.shapes[0]
        if not shape or shape[0] is not None:
            return super().enter(plan, operation, buffers)
        axes = operation.settings.get("axes")
        order = [axis % len(shape) for axis in (range(len(shape))[::-1] if axes is None else axes)]
        return [plan.add_permutation(buffers[0], [axis - 1 for axis in order[1:]], operation.name)]


def _known(shape: Shape) -> tuple[int, ...]:
    return tuple(size for size in shape if size is not None)


class _Reshape(Function):
    """The elements of a sample cut into another shape."""

    def __call__(self, x: object, newshape: object) -> Any:
        if not is_symbolic(x):
            return np.reshape(as_array(x), newshape)
        shape = list(newshape) if isinstance(newshape, (tuple, list)) else [newshape]
        return self.on(
            [as_value(x)], newshape=[-1 if isinstance(size, (BatchSize, type(None))) else size for size in shape]
        )

    def infer(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> list[Spec]:
        shape, wanted = shape_of(operands[0]), list(settings["newshape"])
        dtype = str(operands[0].dtype)
        if not shape or shape[0] is not None:
            return [Spec(np.empty(_known(shape), np.bool_).reshape(wanted).shape, dtype)]
        size, sizes = math.prod(shape[1:]), wanted[1:]  # type: ignore[arg-type]
        known = math.prod(part for part in sizes if part != -1)
        fits = wanted[:1] == [-1] and sizes.count(-1) < 2 and known > 0 and size % known == 0
        if not fits or (-1 not in sizes and known != size):
            raise ValueError(
                f"`reshape` of shape {shape} must keep the samples apart: `newshape` must begin with -1, and the rest "
                f"hold {size} elements. Received: newshape={tuple(wanted)}"
            )
        return [Spec((None, *(size // known if part == -1 else part for part in sizes)), dtype)]

    def moved(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> list[Any]:
        return [np.reshape(operands[0], settings["newshape"])]

    def enter(self, plan: NetworkPlan, operation: Operation, buffers: list[int]) -> list[int]:
        (spec,) = self.infer([_Shaped(operation.shapes[0])], operation.settings)
        shape = spec.shape[1:] if spec.shape[:1] == (None,) else spec.shape
        return [plan.add_reshaping(buffers[0], shape or (1,), operation.name)]  # type: ignore[arg-type]


class _Concatenate(Function):
    """Operands side by side along an axis of the features."""

    def __call__(self, xs: Any, axis: int = 0) -> Any:
        values = [as_value(x) for x in xs]
        if is_symbolic(*values):
            return self.on(values, axis=axis)
        dtype = promoted(values)
        return np.concatenate([as_array(value, dtype) for value in values], axis=axis)

    def infer(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> list[Spec]:
        shapes, axis = list(map(shape_of, operands)), settings["axis"]
        rank = len(shapes[0])
        joined = axis % rank if -rank <= axis < rank else -1
        others = {shape[:joined] + shape[joined + 1 :] for shape in shapes}
        if joined < 0 or shapes[0][joined] is None or len(others) > 1 or any(len(shape) != rank for shape in shapes):
            raise ValueError(
                "`concatenate` joins operands of equal sizes but for the axis, which must not be that of the samples. "
                f"Received: axis={axis}, shapes {', '.join(map(str, shapes))}"
            )
        total = sum(shape[joined] for shape in shapes)  # type: ignore[misc]
        return [Spec((*shapes[0][:joined], total, *shapes[0][joined + 1 :]), promoted(operands))]

    def moved(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> list[Any]:
        return [np.concatenate(operands, axis=settings["axis"])]

    def enter(self, plan: NetworkPlan, operation: Operation, buffers: list[int]) -> list[int]:
        shapes = operation.shapes
        batched = shapes[0][:1] == (None,)
        joined = operation.settings["axis"] % len(shapes[0]) - batched
        own = [shape[1:] if batched else shape for shape in shapes]
        segments = 0 if joined == len(own[0]) - 1 else math.prod(own[0][:joined])  # type: ignore[arg-type]
        total = sum(shape[joined] for shape in own)
        shape = (*own[0][:joined], total, *own[0][joined + 1 :])
        return [plan.add("concatenate", buffers, shape, layer=operation.name, integers=[segments])]


class _Filled(Function):
    """A number in every place of a shape for every sample."""

    def infer(self, operands: Sequence[Any], settings: Mapping[str, Any]) -> list[Spec]:
        return [Spec((None, *settings["shape"]), settings["dtype"])]

    def add_to(self, plan: NetworkPlan, operation: Operation, inputs: list[int]) -> list[int]:
        settings, name = operation.settings, operation.name
        shape = tuple(settings["shape"]) or (1,)
        return [plan.add_constant(np.full(shape, settings["value"]), layer=name)]


class _Shaped:
    """An operand of which the shape alone counts."""

    dtype = "float32"

    def __init__(self, shape: Shape) -> None:
        self.shape = shape


def _get_item(x: Array, key: Any) -> Any:
    return x[tuple(key) if isinstance(key, list) else key]


def _take(x: Array, indices: object, axis: int | None) -> Array:
    return np.take(x, np.asarray(indices, int), axis)


def _repeat(x: Array, repeats: Any, axis: int | None) -> Array:
    return np.repeat(x, repeats, axis)


def _split(x: Array, indices_or_sections: Any, axis: int) -> list[Array]:
    return np.split(x, indices_or_sections, axis)


concatenate_function = _Concatenate("concatenate", "Concatenate")
diagonal_function = Selection("diagonal", "Diagonal", np.diagonal)
expand_function = Selection("expand_dims", "ExpandDims", lambda x, axis: np.expand_dims(x, _tuple(axis)))
filled_function = _Filled("full", "Full")
flip_function = Selection("flip", "Flip", np.flip)
get_item_function = Selection("get_item", "GetItem", _get_item, static=("key",))
move_function = Selection("moveaxis", "Moveaxis", np.moveaxis)
repeat_function = Selection("repeat", "Repeat", _repeat)
reshape_function = _Reshape("reshape", "Reshape")
roll_function = Selection("roll", "Roll", np.roll)
split_function = Selection("split", "Split", _split)
squeeze_function = Selection(
    "squeeze", "Squeeze", lambda x, axis: np.squeeze(x, None if axis is None else _tuple(axis))
)
swap_function = Selection("swapaxes", "Swapaxes", np.swapaxes)
take_function = Selection("take", "Take", _take, static=("indices",))
tile_function = Selection("tile", "Tile", lambda x, repeats: np.tile(x, repeats))
transpose_function = _Transpose("transpose", "Transpose", lambda x, axes=None: np.transpose(x, axes))


def _tuple(axis: object) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


def batch_of(x: object) -> Any:
    """Return the shape of a value, with a stand-in for the number of samples."""
    shape = shape_of(x)
    return tuple(BATCH if size is None else size for size in shape) if isinstance(x, Symbol) else tuple(shape)
