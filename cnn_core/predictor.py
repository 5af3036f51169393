"""Predictions for few rows with the least delay: a native object over a copy of a model's weights. Floor 4.

Plain arrays of the model's dtype never come here: the native object checks those by itself, in some nanoseconds.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core._core as _core
import cnn_core.validation as validation
from cnn_core.arrays import Array, aligned_copy
from cnn_core.data import InputSpec

if TYPE_CHECKING:
    from cnn_core.models import Model


def compile_predictor(model: Model) -> _core.Predictor:
    """See `Model.predictor`."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            f"A predictor needs one input and one output. Received: {len(model.inputs)} and {len(model.outputs)}"
        )
    plan = model.plan()
    network = _core.Network(model.compute_dtype.name, plan)
    network.bind([aligned_copy(variable.array) for variable in plan.variables], [None] * len(plan.variables))
    spec = model.interface.inputs[0]
    read = partial(read_rows, spec=spec, dtype=model.compute_dtype)
    shapes = tuple(plan.shapes[plan.inputs[0]]), tuple(model.output_shapes[0][1:])
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
