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
from cnn_core.foundation.validation.messages import must
from cnn_core.network.interface import Interface
from cnn_core.network.native import bound_network
from cnn_core.network.plan import NetworkPlan


class Predictor(_core.Predictor):
    """The native predictor, which says what it takes and gives.

    Attributes
    ----------
    error : float or None
        Of a predictor in int8: how far its outputs are from those in float32, over the rows of `calibration`; the root
        mean square difference, as a share of their standard deviation.
    """

    __slots__ = ("_described", "error")

    def __init__(
        self,
        network: _core.Network,
        in_shape: tuple[int, ...],
        out_shape: tuple[int, ...],
        read: object,
        index_limit: int,
    ) -> None:
        takes = f"indices below {index_limit}" if index_limit else network.dtype
        self._described = {"takes": f"{in_shape} of {takes}", "gives": f"{out_shape} of {network.dtype}"}
        self.error: float | None = None

    def __repr__(self) -> str:
        error = "" if self.error is None else f", in int8 with an error of {self.error:.2%}"
        return f"<Predictor: {self._described['takes']} -> {self._described['gives']}{error}>"

    def _repr_html_(self) -> str:
        import cnn_core.foundation.notebook as notebook

        return notebook.heading("Predictor") + notebook.definitions(self._described)


def compile_predictor(
    interface: Interface, plan: NetworkPlan, dtype: object = None, calibration: object = None
) -> Predictor:
    """See `Model.predictor`."""
    if interface.translation is not None:
        raise ValueError(
            "A predictor reads numbers, and this model looks at texts or large numbers while it reads: use `predict`"
        )
    if len(interface.inputs) != 1 or len(interface.output_shapes) != 1:
        raise ValueError(
            f"A predictor needs one input and one output. "
            f"Received: {len(interface.inputs)} and {len(interface.output_shapes)}"
        )
    wanted = None if dtype is None else _compute_dtype(dtype, interface.dtype)
    if (calibration is not None) != (wanted == "int8"):
        raise ValueError(
            "`calibration` goes with dtype='int8', and that with it: rows like those that will come. "
            f"Received: dtype={dtype!r}, calibration={validation.show(calibration)}"
        )
    if wanted == "int8":
        return _in_int8(interface, plan, calibration)
    if wanted is not None:
        compute_in(plan, wanted)
    network = bound_network(plan, interface.dtype, values=_copied_weights(interface, plan))
    network.keep_kernels()
    return _predictor(interface, plan, network)


def _copied_weights(interface: Interface, plan: NetworkPlan) -> list[Array]:
    return [aligned_copy(each.in_dtype(interface.dtype)) for each in plan.variables]


def _predictor(interface: Interface, plan: NetworkPlan, network: _core.Network) -> Predictor:
    spec = interface.inputs[0]
    read = partial(read_rows, spec=spec, dtype=interface.dtype)
    shapes = tuple(plan.shapes[plan.inputs[0]]), tuple(interface.output_shapes[0][1:])
    return Predictor(network, *shapes, read, spec.limit or 0)


def _in_int8(interface: Interface, plan: NetworkPlan, calibration: object) -> Predictor:
    import cnn_core.models.quantization as quantization

    rows, _ = read_rows(calibration, interface.inputs[0], interface.dtype)
    if len(rows) == 0 or not np.isfinite(rows).all():
        raise ValueError("`calibration` must have at least one row, and no NaN or infinity")
    rows = rows.astype(interface.dtype, copy=False)
    values = _copied_weights(interface, plan)
    compute_in(plan, "float32")
    expected = _predictor(interface, plan, bound_network(plan, interface.dtype, values=values))(rows)
    quantization.compute_in_int8(plan)
    network = bound_network(plan, interface.dtype, values=values)
    quantization.keep_quantized(network, plan, values, rows)
    predictor = _predictor(interface, plan, network)
    spread = float(np.std(expected, dtype=np.float64)) or 1.0
    predictor.error = float(np.sqrt(np.mean((predictor(rows) - expected.astype(np.float64)) ** 2))) / spread
    return predictor


def compute_in(plan: NetworkPlan, dtype: str) -> None:
    """Let all products of a plan's dense operations be computed in bfloat16, or none of them."""
    rounds = (_core.ROUNDINGS[dtype],)
    plan.operations = [
        operation._replace(integers=rounds) if operation.kind == "dense" else operation for operation in plan.operations
    ]


def _compute_dtype(dtype: object, own: np.dtype[Any]) -> str:
    if str(dtype) in ("bfloat16", "int8"):
        if own != np.float32:
            raise ValueError(f"`dtype` {str(dtype)!r} is for models of float32. Received: a model of {own}")
        return str(dtype)
    try:
        if validation.float_dtype(dtype) == own:
            return own.name
    except ValueError:
        pass
    raise ValueError(must("dtype", f"None, {own.name!r}, the model's own, 'bfloat16' or 'int8'", dtype))


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
