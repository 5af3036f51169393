"""Custom losses, written with `cnn_core.ops`: traced once into a plan, which native code differentiates."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from cnn_core.losses import Loss
from cnn_core.network.custom import CustomLossCalls
from cnn_core.network.graph import Symbol, enter_graph
from cnn_core.network.plan import NetworkPlan

if TYPE_CHECKING:
    from cnn_core.foundation.descriptions import LossDescription, TracedLossDescription

Shape = tuple[int, ...]
_plans: WeakKeyDictionary[Loss, dict[Any, NetworkPlan]] = WeakKeyDictionary()


def describe_custom(
    described: LossDescription, loss: Loss, shape: Shape, columns: int, dtype: np.dtype[Any], keeps_axis: bool = False
) -> LossDescription | TracedLossDescription:
    """Return what native code is told of a loss that it does not know itself: its plan, or what to call in Python.

    Parameters
    ----------
    described : LossDescription
        What `Loss.describe` says.
    loss, shape, columns, dtype, keeps_axis
        See `traced_plan`.
    """
    if not loss.is_traced:
        return {**described, "custom": CustomLossCalls(loss, shape)}
    plan = traced_plan(loss, shape, columns, dtype, keeps_axis)
    return {**described, "kind": "traced", "custom": None, "plan": plan}


class AddedLosses(Loss):
    """The sum of several losses of one output.

    Parameters
    ----------
    parts : sequence of Loss
    factors : sequence of float
        What each is multiplied by.
    """

    def __init__(self, parts: Sequence[Loss], factors: Sequence[float]) -> None:
        super().__init__()
        self.parts, self.factors = list(parts), list(factors)
        self.domain = next((part.domain for part in parts if part.domain is not None), None)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Add up the rows of all."""
        pairs = zip(self.parts, self.factors, strict=True)
        return functools.reduce(operator.add, (factor * part.call(y_true, y_pred) for part, factor in pairs))


def traced_plan(loss: Loss, shape: Shape, columns: int, dtype: np.dtype[Any], keeps_axis: bool = False) -> NetworkPlan:
    """Return the plan of a loss: from targets and predictions to its values; traced once for shapes like these.

    Parameters
    ----------
    loss : Loss
    shape : tuple of int
        Of a sample's predictions.
    columns : int
        Of a sample's targets. As many as the predictions are of their shape; a single one is a number.
    dtype : dtype
    keeps_axis : bool, default False
        Whether a single one has an axis of its own, as targets of shape (n, 1) have.

    Raises
    ------
    TypeError
        If the loss computes with NumPy, or returns something else than a symbol.

    Examples
    --------
    >>> from cnn_core import losses, ops
    >>> error = losses.deserialize(lambda y_true, y_pred: ops.mean(ops.square(y_true - y_pred), axis=-1))
    >>> [operation.kind for operation in traced_plan(error, (3,), 3, np.dtype("float32")).operations]
    ['expression', 'reduction']
    """
    known = _plans.setdefault(loss, {})
    key = (shape, columns, dtype.name, keeps_axis)
    if key not in known:
        known[key] = _traced(loss, shape, _target_shape(shape, columns, keeps_axis), dtype.name)
    return known[key]


def _target_shape(shape: Shape, columns: int, keeps_axis: bool) -> Shape:
    if columns == math.prod(shape):
        return shape
    rows = math.prod(shape[:-1])
    return (*shape[:-1], *([] if columns == rows and not keeps_axis else [columns // rows]))


def _traced(loss: Loss, shape: Shape, target_shape: Shape, dtype: str) -> NetworkPlan:
    from cnn_core.ops.tracing import trace  # which built-in losses never need

    y_true, y_pred = Symbol((None, *target_shape), "y_true", dtype), Symbol((None, *shape), "y_pred", dtype)
    try:
        graph = trace(lambda _: loss.value(y_true, y_pred), [y_true, y_pred], asks_for_training=False, name=loss.name)
    except (TypeError, AttributeError) as error:
        raise TypeError(
            f"The loss {loss.name!r} needs its gradient: write it with functions of cnn_core.ops instead of NumPy's, "
            f"or pass an object with the methods value(y_true, y_pred) and gradient(y_true, y_pred). {error}"
        ) from error
    if len(graph.outputs) != 1:
        raise TypeError(f"The loss {loss.name!r} must return one symbol. Received: {len(graph.outputs)}")
    plan = NetworkPlan()
    inputs = [plan.add_input(target_shape), plan.add_input(shape)]
    outputs = enter_graph(plan, graph, inputs)
    plan.outputs = [
        plan.add("activation", [each], plan.shapes[each], layer=loss.name) if each in inputs else each
        for each in outputs
    ]
    return plan
