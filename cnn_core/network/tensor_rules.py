"""What native code is told of a variable's penalty and constraint."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from cnn_core.constraints import Constraint
from cnn_core.network.custom import TensorCalls
from cnn_core.network.variables import Variable

if TYPE_CHECKING:
    from cnn_core.foundation.descriptions import Penalty, Projection, TensorRule


def tensor_rule(variable: Variable, offset: int) -> TensorRule:
    """Describe a variable's penalty and constraint for `_core.Optimizer`.

    Parameters
    ----------
    variable : Variable
    offset : int
        Where the variable begins in the flat vector.

    Raises
    ------
    ValueError
        If the penalty does not fit the variable's shape.
    """
    rows, columns = variable.shape if len(variable.shape) == 2 else (math.prod(variable.shape), 1)
    return {"offset": offset, "n_rows": rows, "n_cols": columns, **_penalty(variable), **_constraint(variable)}


def _penalty(variable: Variable) -> Penalty:
    """What native code computes, or the object to call back where only Python knows the penalty."""
    regularizer: Any = variable.regularizer
    native = getattr(regularizer, "native", None)
    if regularizer is None:
        return {}
    if native == "l1_l2":
        return {"penalty": native, "l1": regularizer.l1, "l2": regularizer.l2}
    if native == "orthogonal":
        if len(variable.shape) != 2:
            raise ValueError(
                f"OrthogonalRegularizer needs a matrix. Received: {variable.path} of shape {variable.shape}"
            )
        return {"penalty": f"orthogonal_{regularizer.mode}", "l1": regularizer.factor}
    return {"penalty": "custom", "custom_penalty": TensorCalls(regularizer, variable.shape)}


def _constraint(variable: Variable) -> Projection:
    constraint: Any = variable.constraint
    if constraint is None or type(constraint) is Constraint:
        return {}
    native = getattr(constraint, "native", None)
    axis = None if native is None else _native_axis(constraint, len(variable.shape))
    if axis is None:
        return {"constraint": "custom", "custom_constraint": TensorCalls(constraint, variable.shape)}
    return {"constraint": native, "axis": axis, "parameters": constraint.native_parameters}


def _native_axis(constraint: Any, rank: int) -> int | None:
    """Along which axis native code takes norms: 0 or 1 of a matrix, -1 for all; None if it cannot."""
    if constraint.native == "non_negative":
        return 0
    given = constraint.axis if isinstance(constraint.axis, tuple) else (constraint.axis,)
    if rank not in (1, 2) or any(not -rank <= axis < rank for axis in given):
        return None  # NumPy does it, or says what is wrong
    axes = {axis % rank for axis in given}
    return axes.pop() if len(axes) == 1 else -1 if axes else None
