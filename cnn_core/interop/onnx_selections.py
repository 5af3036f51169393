"""Elements of a sample that are picked by their numbers, as the plainest operators of ONNX that do so."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.interop.onnx_graph import Nodes
from cnn_core.ops.broadcasting import Shape, is_batched


def write_selection(g: Nodes, x: str, shape: Shape, numbers: Array) -> str:
    """Add the nodes of a selection; return the name of its result.

    Parameters
    ----------
    g : Nodes
    x : str
        What is picked from.
    shape : tuple
        Its own, the batch dimension, if there is one, first.
    numbers : numpy.ndarray
        Of the elements of a sample, where they go.

    Examples
    --------
    >>> g = Nodes("float32", ["x"])
    >>> _ = write_selection(g, "x", (None, 4), np.array([1, 3]))
    >>> [node["op_type"] for node in g.nodes]
    ['Slice']
    """
    first = int(is_batched(shape))
    sizes: list[int] = [int(size or 0) for size in shape[first:]]
    result = (*shape[:first], *numbers.shape)
    flat, size = numbers.reshape(-1), math.prod(sizes)
    if flat.size == size and np.array_equal(flat, np.arange(size)):
        return x if result == shape else g.reshape(x, result)
    order = _order(sizes, numbers)
    if order is not None:
        return g.add("Transpose", x, perm=[*range(first), *(axis + first for axis in order)])
    for axis in range(len(sizes)):
        places = _places_along(sizes, axis, flat)
        if places is not None:
            made = _picked(g, x, axis + first, places)
            picked = (*shape[: axis + first], len(places), *shape[axis + first + 1 :])
            return made if picked == result else g.reshape(made, result)
    rows = x if len(sizes) == 1 else g.reshape(x, (*shape[:first], size))
    made = g.add("Gather", rows, g.sizes(*flat.tolist()), axis=first)
    return made if numbers.ndim == 1 else g.reshape(made, result)


def _order(sizes: Sequence[int], numbers: Array) -> list[int] | None:
    """Return the order of axes, if the numbers are all those of a sample with its axes in another order."""
    if numbers.ndim != len(sizes) or sorted(numbers.shape) != sorted(sizes) or 1 in sizes or not numbers.size:
        return None
    steps = [int(np.take(numbers, 1, axis).flat[0] - numbers.flat[0]) for axis in range(len(sizes))]
    own = [math.prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
    if sorted(steps) != sorted(own):
        return None
    order = [own.index(step) for step in steps]
    every = np.arange(numbers.size).reshape(sizes)
    return order if np.array_equal(every.transpose(order), numbers) else None


def _places_along(sizes: Sequence[int], axis: int, flat: Array) -> Array | None:
    """Return which places along an axis are picked, if all that lies beside the axis stays whole and in order."""
    outer, inner = math.prod(sizes[:axis]), math.prod(sizes[axis + 1 :])
    if not flat.size or flat.size % (outer * inner):
        return None
    cube = flat.reshape(outer, -1, inner)
    places: Array = cube[0, :, 0] // inner
    every = np.arange(math.prod(sizes)).reshape(outer, sizes[axis], inner)
    return places if np.array_equal(every[:, places % sizes[axis]], cube) else None


def _picked(g: Nodes, x: str, axis: int, places: Array) -> str:
    """Pick places along an axis: by a slice if they lie at equal distances."""
    steps = set(np.diff(places).tolist())
    step = steps.pop() if len(steps) == 1 else 1
    if steps or step == 0:
        return g.add("Gather", x, g.sizes(*places.tolist()), axis=axis)
    return g.cut(x, axis, int(places[0]), int(places[-1]) + (1 if step > 0 else -1), step)
