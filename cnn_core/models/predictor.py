"""Predictions for few rows with the least delay: a native object over a copy of a model's weights.

Plain arrays of the model's dtype never come here: the native object checks those by itself, in some nanoseconds.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

import cnn_core._core as _core
import cnn_core.foundation.validation as validation
from cnn_core.data.dataset import InputSpec
from cnn_core.foundation.arrays import Array, aligned_copy
from cnn_core.network.interface import Interface
from cnn_core.network.native import bound_network
from cnn_core.network.plan import NetworkPlan


def compile_predictor(interface: Interface, plan: NetworkPlan) -> _core.Predictor:
    """See `Model.predictor`."""
    if len(interface.inputs) != 1 or len(interface.output_shapes) != 1:
        raise ValueError(
            f"A predictor needs one input and one output. "
            f"Received: {len(interface.inputs)} and {len(interface.output_shapes)}"
        )
    network = bound_network(plan, interface.dtype, values=[aligned_copy(each.array) for each in plan.variables])
    spec = interface.inputs[0]
    read = partial(read_rows, spec=spec, dtype=interface.dtype)
    shapes = tuple(plan.shapes[plan.inputs[0]]), tuple(interface.output_shapes[0][1:])
    return _core.Predictor(network, *shapes, read, spec.limit or 0)


def read_rows(x: object, spec: InputSpec, dtype: np.dtype[Any]) -> tuple[Array, bool]:
    """Read one sample, or samples one a row, as `predict` would, but for NaN and infinities, which pass.

    Returns
    -------
    rows : numpy.ndarray of shape (n, features)
        C-contiguous, of `dtype`, or int32 if the input is indices.
    single : bool
        Whether `x` is one sample, without the dimension of the batch.

    Raises
    ------
    TypeError, ValueError
        As `validation.as_matrix` and `validation.as_indices`.

    Examples
    --------
    >>> spec = InputSpec("x", (2,))
    >>> read_rows([1, 2], spec, np.dtype("float32")), read_rows([[1, 2]], spec, np.dtype("float32"))
    ((array([[1., 2.]], dtype=float32), True), (array([[1., 2.]], dtype=float32), False))
    """
    array = validation.as_array(x, "x")
    shape = spec.shape or (1,)
    single = array.shape in (spec.shape, shape)
    if single:
        array = array.reshape(1, *shape)
    if spec.kind == "int":
        rows = validation.as_indices(array, "x", spec.limit)
        validation.check_width(rows, shape, "x")
    else:
        rows = validation.as_matrix(array, "x", dtype, shape, allow_empty=True)
    return rows.reshape(len(rows), math.prod(rows.shape[1:])), single
