"""Arrays that remember how they were computed, and the derivatives that come back along the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.network.operators import Operators

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


# From the derivatives by each result, in the results' shapes, to those by each source; None where nobody knows one.
Backward: TypeAlias = Callable[[list[Array]], Sequence[Array | None]]


class Step:
    """One computation: what it read, and how derivatives go back through it.

    Parameters
    ----------
    sources : sequence
        Tensors and variables; of anything else no derivative is asked.
    values : sequence of numpy.ndarray
        The results.
    backward : callable
        See `Backward`.

    """

    def __init__(self, sources: Sequence[Any], values: Sequence[Array], backward: Backward) -> None:
        self.sources = list(sources)
        self.backward = backward
        self.shapes = [(value.shape, value.dtype) for value in values]

    @classmethod
    def results(cls, sources: Sequence[Any], values: Sequence[Array], backward: Backward) -> list[Tensor]:
        """Return the results of a computation as tensors that remember it."""
        step = cls(sources, values, backward)
        return [Tensor(value, step, place) for place, value in enumerate(values)]

    def places(self) -> list[tuple[int, int]]:
        """Return what tells the results from those of other steps."""
        return [(id(self), place) for place in range(len(self.shapes))]

    def deltas(self, known: dict[Any, Array]) -> list[Array]:
        """Return the derivatives by all results; those that nothing depends on are 0."""
        return [
            known[place] if place in known else np.zeros(*shape)
            for place, shape in zip(self.places(), self.shapes, strict=True)
        ]


class Tensor(Operators):
    """Hold an array that remembers how it was computed, so that a `GradientTape` can differentiate it.

    Tensors come out of layers, models, losses and functions of `cnn_core.ops` while a tape records. They take Python's
    operators and slices. NumPy's functions would forget; `numpy()`, `numpy.asarray` and `float` read the value alone.

    Attributes
    ----------
    value : numpy.ndarray
    """

    def __init__(self, value: Array, step: Step | None = None, place: int = 0) -> None:
        self.value = value
        self.step = step
        self.place = place

    def derived(self, value: Array, backward: Callable[[Array], Array | None], beside: Sequence[Any] = ()) -> Tensor:
        """Return a tensor that was computed of this one.

        Parameters
        ----------
        value : numpy.ndarray
        backward : callable
            Takes the derivative by it to that by this tensor; to None if that is not known.
        beside : sequence, default ()
            What else it was computed of, by which no derivative is known.
        """
        return Step.results([self, *beside], [value], lambda deltas: [backward(deltas[0]), *(None for _ in beside)])[0]

    @property
    def shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self.value.shape
        return shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.value.dtype

    @property
    def ndim(self) -> int:
        return int(self.value.ndim)

    @property
    def size(self) -> int:
        return int(self.value.size)

    def numpy(self) -> Array:
        """Return a copy of the value."""
        return self.value.copy()

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.value, dtype=dtype)

    def __array_function__(self, function: Any, types: object, arguments: Any, keywords: Any) -> Any:
        if function in (np.shape, np.ndim, np.size):
            return function(arguments[0].value, *arguments[1:], **keywords)
        return self._refuse_ufunc(function, "__call__", arguments, keywords)

    def _refuse_ufunc(self, ufunc: Any, method: str, inputs: object, keywords: object) -> Any:
        name = ufunc.__name__
        meant = f"ops.{name}" if name in self.functions else "a function of cnn_core.ops"
        raise TypeError(
            f"numpy.{name} would forget how its argument was computed: use {meant}, or numpy.asarray(tensor) first if "
            f"no derivative is needed. Received: a tensor of shape {self.shape}"
        )

    def __float__(self) -> float:
        return float(self.value.item())

    def __int__(self) -> int:
        return int(self.value.item())

    def __bool__(self) -> bool:
        return bool(self.value)

    def __format__(self, form: str) -> str:
        return format(self.value.item() if self.value.ndim == 0 else self.value, form)

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return (self[place] for place in range(len(self)))

    def __repr__(self) -> str:
        return f"<Tensor shape={self.shape}, dtype={self.dtype}, value={np.array2string(self.value, threshold=8)}>"


def gradients(target: Tensor, sources: Iterable[object]) -> list[Array | None]:
    """Return the derivatives of the sum of a tensor's elements.

    Parameters
    ----------
    target : Tensor
    sources : iterable of Variable or Tensor

    Returns
    -------
    list of numpy.ndarray or None
        None for a source that the target does not depend on.

    Raises
    ------
    TypeError
        If a way from the target to a source leads through something whose derivative is not known.
    """
    wanted = list(map(_place_of, sources))
    found: dict[Any, Array] = {_place_of(target): np.ones_like(target.value)}
    steps = _steps(target)
    leading = set(wanted)  # to what is wanted: only there derivatives are needed
    for step in steps:
        if any(_place_of(source) in leading for source in step.sources):
            leading.update(step.places())
    for step in reversed(steps):
        if leading.isdisjoint(step.places()):
            continue
        for source, delta in zip(step.sources, step.backward(step.deltas(found)), strict=True):
            place = _place_of(source)
            if place not in leading:
                continue
            if delta is None:
                raise TypeError(
                    "A loss has no derivative by its targets: compute them before the tape records, turn them into an "
                    f"array by numpy.asarray, or write the loss with functions of cnn_core.ops. Received: {source!r}"
                )
            found[place] = found[place] + delta if place in found else delta
    return [found.get(place) for place in wanted]


def _place_of(value: Any) -> int | tuple[int, Any]:
    """Return what tells a tensor from others, however often it is made: its place among a step's results."""
    step = getattr(value, "step", None)
    return id(value) if step is None else (id(step), value.place)


def _steps(target: Tensor) -> list[Step]:
    """Return the steps that lead to a tensor, each after those it depends on."""
    order: list[Step] = []
    visited: set[int] = set()
    stack: list[tuple[Step | None, bool]] = [(target.step, False)]
    while stack:
        step, expanded = stack.pop()
        if step is None or (id(step) in visited and not expanded):
            continue
        if expanded:
            order.append(step)
            continue
        visited.add(id(step))
        stack.append((step, True))
        stack.extend((source.step, False) for source in step.sources if isinstance(source, Tensor))
    return order
