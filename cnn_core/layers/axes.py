"""Axes of a layer's input: which they are, and how operations that work on rows reach them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import cnn_core.foundation.validation as validation
from cnn_core.activations import Activation
from cnn_core.network.plan import NetworkPlan


def checked_axis(axis: object, several: bool = True, name: str = "axis") -> int | tuple[int, ...]:
    """Return an `axis` argument as an integer or, where several are allowed, a tuple of them.

    Where one is allowed, a list of one will do: before Keras 3, that is how it is written.

    Examples
    --------
    >>> checked_axis([1, 2]), checked_axis(-1), checked_axis([1], several=False)
    ((1, 2), -1, 1)
    """
    if not several and isinstance(axis, (list, tuple)) and len(axis) == 1:
        axis = axis[0]
    if several and isinstance(axis, (list, tuple)):
        if not axis:
            raise ValueError(f"`{name}` must name an axis. Received: {name}={axis}")
        return tuple(validation.integer(each, name) for each in axis)
    return validation.integer(axis, name)


def sample_axes(axis: object, shape: Sequence[object], layer: str, argument: str = "axis") -> tuple[int, ...]:
    """Return axes of a batch as axes of one sample, ascending.

    Parameters
    ----------
    axis : int or tuple of int
        Axis 0 is the batch, which is refused.
    shape : sequence
        Of a batch, the batch dimension included.
    layer, argument : str
        For messages.

    Raises
    ------
    ValueError
        If an axis does not exist, is the batch, or occurs twice.

    Examples
    --------
    >>> sample_axes(-1, (None, 4, 3), "softmax"), sample_axes((2, 1), (None, 4, 3), "softmax")
    ((1,), (0, 1))
    """
    given = axis if isinstance(axis, tuple) else (axis,)
    rank = len(shape)
    if rank < 2:
        raise ValueError(f"{layer!r} needs an input with an axis of features. Received: shape={tuple(shape)}")
    found = sorted({each % rank for each in given if -rank <= each < rank})
    if len(found) != len(given) or found[0] == 0:
        raise ValueError(
            f"`{argument}` of {layer!r} must name axes of its input from 1 to {rank - 1}, each once. "
            f"Received: {argument}={axis} for an input of shape {tuple(shape)}"
        )
    return tuple(each - 1 for each in found)


def activated(plan: NetworkPlan, source: int, activation: Activation, layer: str) -> int:
    """Add an activation, whose rows may lie along any axes, as an operation of its own; return its buffer."""
    axes = axes_of_rows(activation, (None, *plan.shapes[source]), layer)
    if axes is None:
        return plan.add_activation(source, on_rows(activation, (None, *plan.shapes[source])), layer)
    along = type(activation)()
    return over_axes(plan, source, axes, layer, lambda rows: plan.add_activation(rows, along, layer))


def on_rows(activation: Activation, shape: Sequence[object]) -> Activation:
    """Return the activation of the last axis that native code knows, where a row-wise one names just that by number."""
    names_last = activation.row_wise and activation.axis in (len(shape) - 1, (len(shape) - 1,), (-1,))
    return type(activation)() if names_last else activation


def axes_of_rows(activation: Activation, shape: Sequence[object], layer: str) -> tuple[int, ...] | None:
    """Return the axes of a sample along which a row-wise activation goes; None where it is the last, or elementwise.

    Examples
    --------
    >>> from cnn_core.activations import Softmax, relu
    >>> axes_of_rows(Softmax(axis=1), (None, 4, 3), "softmax"), axes_of_rows(Softmax(axis=2), (None, 4, 3), "softmax")
    ((0,), None)
    >>> axes_of_rows(relu, (None, 4, 3), "relu")
    """
    if activation.row_wise and len(shape) < 2:
        raise ValueError(
            f"{layer!r} needs an axis of features, along which {activation.name} goes. Received: shape={tuple(shape)}"
        )
    if not activation.row_wise or on_rows(activation, shape).native is not None:
        return None
    return sample_axes(activation.axis, shape, layer)


def over_axes(plan: NetworkPlan, source: int, axes: Sequence[int], layer: str, apply: Callable[[int], int]) -> int:
    """Let an operation that works on rows work on any axes of a sample.

    Parameters
    ----------
    plan : NetworkPlan
    source : int
        The buffer to work on.
    axes : sequence of int
        Axes of a sample, ascending; together, flattened, they are a row.
    layer : str
    apply : callable
        Takes a buffer, adds the operation and returns the output's buffer.

    Returns
    -------
    int
        A buffer of the source's shape; along a single axis it may be of another size.
    """
    shape = plan.shapes[source]
    order = _rows_first(axes, len(shape))
    rows = as_rows(plan, source, axes, layer)
    applied = apply(rows)
    moved = tuple(shape[axis] for axis in order)
    back = moved if plan.shapes[applied] == plan.shapes[rows] else plan.shapes[applied]
    result = plan.add_reshaping(applied, back, layer)
    return plan.add_permutation(result, [order.index(axis) for axis in range(len(shape))], layer)


def _rows_first(axes: Sequence[int], rank: int) -> list[int]:
    return [*(axis for axis in range(rank) if axis not in axes), *axes]


def as_rows(plan: NetworkPlan, source: int, axes: Sequence[int], layer: str) -> int:
    """Return a buffer of the source's elements whose last axis are those along some axes, flattened."""
    shape = plan.shapes[source]
    order = _rows_first(axes, len(shape))
    moved = plan.add_permutation(source, order, layer)
    others = order[: len(shape) - len(axes)]
    return plan.add_reshaping(moved, (*(shape[axis] for axis in others), math.prod(shape[a] for a in axes)), layer)
