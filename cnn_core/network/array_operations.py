"""What a plan computes besides layers: operations on arrays, by NumPy's rules, sample by sample.

A buffer holds an array of its shape for every sample. What has no axis of samples (a parameter, a constant, what a
batch is reduced to) is held once for every sample, all of them equal; its delta is the sum of theirs.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

import cnn_core._core as _core
import cnn_core.foundation.random_state as random_state
from cnn_core.foundation.arrays import Array
from cnn_core.network.expression import Expression, Instruction, Operand, encode
from cnn_core.network.variables import Variable

BATCH = -1  # the axis of the samples
_MOST_PERMUTED = 6  # axes
Shape = tuple[int, ...]


class ArrayOperations(ABC):
    """Operations that a plan, which has `shapes` of its buffers and can `add`, offers for custom expressions.

    Every method adds what it says and returns the buffer of its output.
    """

    shapes: list[Shape]
    next_seed: Callable[[], int] | None

    @abstractmethod
    def add(
        self,
        kind: str,
        inputs: Sequence[int],
        shape: Sequence[int],
        *,
        layer: str,
        variables: Sequence[Variable | None] = (),
        reals: Sequence[float] = (),
        integers: Sequence[int] = (),
        numbers: Sequence[int] | Array = (),
        constants: Sequence[float] | Array = (),
    ) -> int:
        """Add an operation."""

    @abstractmethod
    def add_dense(self, source: int, shape: Sequence[int], variables: Sequence[Variable | None], *, layer: str) -> int:
        """Add a product with a kernel, plus a bias where there is one."""

    @abstractmethod
    def add_reshaping(self, source: int, shape: Sequence[int], layer: str) -> int:
        """Cut the elements of a sample into another shape."""

    @abstractmethod
    def add_permutation(self, source: int, order: Sequence[int], layer: str) -> int:
        """Put the axes of a sample, none of them empty, in another order."""

    @abstractmethod
    def stream(self, seed: int | None = None) -> int:
        """Return the stream of random numbers for the operation that is added next."""

    def add_expression(self, expression: Expression, shape: Sequence[int], *, layer: str) -> int:
        """Add elementwise functions of buffers and parameters, run in one pass; operands broadcast to `shape`."""
        inputs, variables, numbers, constants = encode(expression, self.shapes, tuple(shape) or (1,))
        return self.add(
            "expression", inputs, shape, layer=layer, variables=variables, numbers=numbers, constants=constants
        )

    def add_parameter(self, variable: Variable, *, layer: str) -> int:
        """Add the values of a parameter; its gradient is the sum over samples."""
        shape = variable.array.shape
        expression = Expression((Operand(variable, shape),), (), (Instruction("identity", (0,)),))
        return self.add_expression(expression, shape, layer=layer)

    def add_constant(self, array: Array, *, layer: str) -> int:
        """Add an array that never changes."""
        return self.add("constant", [], array.shape, layer=layer, constants=array.astype(np.float64).reshape(-1))

    def add_product(self, source: int, variable: Variable, *, layer: str) -> int:
        """Add the product of the last axis, k, with a parameter (k, n)."""
        shape = (*self.shapes[source][:-1], variable.array.shape[1])
        return self.add_dense(source, shape, [variable, None], layer=layer)

    def add_matmul(self, first: int, second: int, *, layer: str) -> int:
        """Add products of matrices, (..., m, k) @ (..., k, n); the axes before the last two broadcast.

        A vector (k,) as the first factor is a matrix (1, k), whose output is (n,).
        """
        left, right = self.shapes[first], self.shapes[second]
        if len(right) < 2 or left[-1] != right[-2]:
            raise ValueError(f"Matrices of shapes {left} and {right} cannot be multiplied")
        rows, inner = left[-2] if len(left) > 1 else 1, left[-1]
        leading = np.broadcast_shapes(left[:-2], right[:-2])
        shape = (*leading, *([rows] if len(left) > 1 else []), right[-1])
        if min(rows, inner, math.prod(shape)) == 0:
            return self.add_constant(np.zeros(shape), layer=layer)
        pairs = np.stack([_numbered(left[:-2], leading), _numbered(right[:-2], leading)], axis=1)
        return self.add(
            "matrices", [first, second], shape, layer=layer, integers=[rows, inner], numbers=pairs.reshape(-1)
        )

    def add_selection(self, source: int, indices: Array, shape: Sequence[int], *, layer: str) -> int:
        """Add elements picked by their numbers in a sample: element i of the output is element `indices[i]`."""
        size, width = math.prod(self.shapes[source]), max(self.shapes[source][-1], 1)
        places = np.asarray(indices, np.int64).reshape(-1)
        if places.size and not 0 <= places.min() <= places.max() < size:
            raise ValueError(f"Indices must lie between 0 and {size - 1}. Received: {places.min()} to {places.max()}")
        begins = np.ones(places.size, bool)
        begins[1:] = np.diff(places) != 1
        begins |= (places % width == 0) | (np.arange(places.size) % max((tuple(shape) or (1,))[-1], 1) == 0)
        starts = np.flatnonzero(begins)
        runs = np.stack([starts, places[starts], np.diff(starts, append=places.size)], axis=1)
        return self.add("selection", [source], shape, layer=layer, numbers=runs.reshape(-1))

    def add_transposition(self, source: int, order: Sequence[int], *, layer: str) -> int:
        """Add the axes of a sample in another order; some may be empty, and there may be many."""
        shape = self.shapes[source]
        if math.prod(shape) and len(shape) <= _MOST_PERMUTED:
            return self.add_permutation(source, order, layer)
        numbers = np.arange(math.prod(shape)).reshape(shape).transpose(order)
        return self.add_selection(source, numbers, numbers.shape, layer=layer)

    def add_reduction(self, kind: str, source: int, axes: Sequence[int], *, layer: str, keepdims: bool = False) -> int:
        """Add the sum, or whatever `kind` of `_core.AGGREGATES`, over some axes; `BATCH` is that of the samples."""
        of_sample = sorted(axis for axis in axes if axis != BATCH)
        if of_sample and BATCH in axes and kind in ("argmax", "argmin"):
            raise ValueError(f"`{kind}` goes along samples or along a sample's axes. Received: both")
        if of_sample:
            source = self._reduced_samples(kind, source, of_sample, layer, keepdims)
        if BATCH in axes:
            source = self.add(
                "batch_reduction", [source], self.shapes[source], layer=layer, integers=[_core.AGGREGATES[kind], 0]
            )
        return source

    def _reduced_samples(self, kind: str, source: int, axes: list[int], layer: str, keepdims: bool) -> int:
        shape = self.shapes[source]
        kept = [axis for axis in range(len(shape)) if axis not in axes]
        reduced = math.prod(shape[axis] for axis in axes)
        if kind in ("max", "min", "argmax", "argmin") and reduced == 0:
            raise ValueError(f"`{kind}` needs one number at least. Received: axes {axes} of shape {shape}")
        target = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
        if not keepdims:
            target = tuple(shape[axis] for axis in kept)
        if 0 in shape:
            constant = np.full(target, {"prod": 1, "all": 1, "mean": np.nan, "logsumexp": -np.inf}.get(kind, 0))
            return self.add_constant(constant, layer=layer)
        if axes != list(range(len(kept), len(shape))):
            source = self.add_transposition(source, kept + axes, layer=layer)
        group = math.prod(shape[axis] for axis in axes[:-1])
        return self.add("reduction", [source], target, layer=layer, integers=[_core.AGGREGATES[kind], group])

    def add_gather(self, source: int, indices: int, axis: int, *, layer: str, along: bool = False) -> int:
        """Add elements along an axis, picked by a buffer of whole numbers; negative ones count from the end.

        Parameters
        ----------
        source, indices : int
            Buffers.
        axis : int
            Of a sample of the source.
        along : bool, default False
            Whether every element of the output has a number of its own, as in `numpy.take_along_axis`; else the
            numbers' axes stand in the place of the axis, as in `numpy.take`.
        """
        shape, numbers = self.shapes[source], self.shapes[indices]
        outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
        target = numbers if along else (*shape[:axis], *numbers, *shape[axis + 1 :])
        if along and (*shape[:axis], *shape[axis + 1 :]) != (*numbers[:axis], *numbers[axis + 1 :]):
            raise ValueError(f"Numbers of shape {numbers} do not go along axis {axis} of shape {shape}")
        count = numbers[axis] if along else math.prod(numbers)
        integers = [outer, shape[axis], inner, count, along]
        return self.add("gathering", [source, indices], target, layer=layer, integers=integers)

    def add_choice(self, in_training: int, otherwise: int, *, layer: str) -> int:
        """Add one of two buffers: the first in training, the second in everything else."""
        if self.shapes[in_training] != self.shapes[otherwise]:
            shapes = f"{self.shapes[in_training]} in training, {self.shapes[otherwise]} otherwise"
            raise ValueError(f"Both must have one shape. Received: {shapes}")
        return self.add("choice", [in_training, otherwise], self.shapes[in_training], layer=layer)

    def add_scan(self, kind: str, source: int, axis: int, *, layer: str) -> int:
        """Add the running sums ("cumsum") or products ("cumprod") along an axis."""
        rank = len(self.shapes[source])
        order = [*(other for other in range(rank) if other != axis), axis]
        turned = self.add_transposition(source, order, layer=layer)
        scanned = self.add("scan", [turned], self.shapes[turned], layer=layer, integers=[kind == "cumprod"])
        return self.add_transposition(scanned, [int(place) for place in np.argsort(order)], layer=layer)

    def add_sort(self, source: int, *, layer: str, k: int | None = None, descending: bool = False) -> tuple[int, int]:
        """Add the elements of the last axis in order, all or the first k, and their numbers; equals keep theirs."""
        shape = self.shapes[source]
        target = (*shape[:-1], shape[-1] if k is None else k)
        numbers = self.add("sort", [source], target, layer=layer, integers=[descending])
        return self.add_gather(source, numbers, len(shape) - 1, layer=layer, along=True), numbers

    def add_random(
        self, kind: str, shape: Sequence[int], reals: Sequence[float], *, layer: str, seed: int | None = None
    ) -> int:
        """Add random numbers, which every run draws again, training or not.

        `kind` is "normal" or "truncated_normal" (within two deviations) with mean and standard deviation, "uniform" or
        "integers" with the lowest and the first that is too high, or "bernoulli" with the probability of 1.
        """
        self.next_seed = random_state.next_seed
        integers = [self.stream(seed), seed is not None, _core.DISTRIBUTIONS[kind]]
        return self.add("random", [], shape, layer=layer, reals=reals, integers=integers)


def _numbered(shape: Shape, target: Shape) -> Array:
    """Return the number of the element of an array of `shape` for each element of what it is broadcast to."""
    numbers: Array = np.broadcast_to(np.arange(math.prod(shape)).reshape(shape), target).reshape(-1)
    return numbers
