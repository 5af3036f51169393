"""What each operation of a plan is in C: one row for a kind, of calls of `c_functions`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.interop.c_arrays import ARRAY_OPERATIONS
from cnn_core.interop.c_statements import Row, Statements, literal, refuse
from cnn_core.interop.calls import DRAWS
from cnn_core.network.plan import Operation

_SMALLEST_DEVIATION = 1e-7  # of standardizing; src/operations/preprocessing.pxd has it, too


def _dense(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    (n_rows, n_in), (_, n_out) = s.rows(o.inputs[0]), s.rows(o.output)
    if len(o.tensors) > 2 and o.tensors[2] is not None:
        scaled = s.values(o, 0).reshape(n_in, n_out).astype(s.dtype) * s.values(o, 2).astype(s.dtype)[:, None]
        kernel = s.store(scaled, f"{o.layer}/scaled_kernel")
    else:
        kernel = s.parameter(o, 0)
    s.call("dense", y, x[0], kernel, s.parameter(o, 1), n_rows, n_in, n_out)
    s.activate(o, y, y)


def _members(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    (rows, n_in), (members, n_out) = s.rows(o.inputs[0]), s.rows(o.output)
    steps = n_in if rows > 1 else 0, n_in * n_out if o.integers[0] else 0
    s.call("members", y, x[0], *(s.parameter(o, which) for which in range(4)), members, n_in, n_out, *steps)
    s.activate(o, y, y)


def _activation(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    s.activate(o, y, x[0])


def _prelu(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    n_rows, width = s.rows(o.output)
    slope_rows, slope_cols = o.integers
    row_step = slope_cols if slope_rows > 1 else 0
    s.call("prelu", y, x[0], s.parameter(o, 0), n_rows, width, row_step, int(slope_cols > 1))


def _permute(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    rank = o.integers[0]
    sizes = np.array(o.integers[1:], np.int64)
    s.call("permute", y, x[0], rank, s.table(sizes[:rank], "shape"), s.table(sizes[rank:], "order"))


def _batch_normalization(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    n_rows, width = s.rows(o.output)
    factor = 1 / np.sqrt(s.values(o, 3) + o.reals[0])
    if o.tensors[0] is not None:
        factor = factor * s.values(o, 0)
    after = np.zeros(width) if o.tensors[1] is None else s.values(o, 1)
    _scale(s, y, x[0], n_rows, width, s.values(o, 2), factor, after)


def _scale(s: Statements, y: str, x: str, n_rows: int, width: int, before: Array, factor: Array, after: Array) -> None:
    tables = [s.table(each, name) for each, name in ((before, "before"), (factor, "factor"), (after, "after"))]
    steps = [int(each.size > 1) for each in (before, factor, after)]
    s.call("scale_columns", y, x, *tables, n_rows, width, *steps)


def _row_normalization(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    n_rows, width = s.rows(o.output)
    has_mean = int(o.kind == "layer_normalization")
    gamma, beta = s.parameter(o, 0), s.parameter(o, 1)
    s.call("normalize_rows", y, x[0], gamma, beta, n_rows, width, has_mean, literal(np.float64(o.reals[0])))


def _unit_normalization(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    s.call("unit_rows", y, x[0], *s.rows(o.output), literal(np.float64(o.reals[0])))


def _merge(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    n_rows, width = s.rows(o.output)
    for number, (buffer, place) in enumerate(zip(o.inputs, x, strict=True)):
        rows, cols = s.rows(buffer)
        steps = cols if rows > 1 else 0, int(cols > 1)
        s.call("copy_into" if number == 0 else f"{o.kind}_into", y, place, n_rows, width, *steps)
    if o.kind == "average":
        s.call("divide_each", y, s.size(o.output), s.number(len(o.inputs)))


def _concatenate(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    segments = o.integers[0] or s.rows(o.output)[0]  # joined columns are segments of single rows
    total, first = s.size(o.output) // max(segments, 1), 0
    for buffer, place in zip(o.inputs, x, strict=True):
        part = s.size(buffer) // max(segments, 1)
        s.call("place_rows", f"{y} + {first}" if first else y, place, segments, part, total)
        first += part


def _dot(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    (n_u, width), (n_v, _) = map(s.rows, o.inputs)
    s.call("row_products", y, *x, n_u, n_v, width)


def _parametric_activation(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    s.activate(o, y, x[0])
    s.call("blend", y, x[0], s.parameter(o, 0), *s.rows(o.output))


def _periodic(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    n_rows, n_features = s.rows(o.inputs[0])
    n_out = s.rows(o.output)[1] // n_features - 1
    s.call("periodic", y, x[0], *(s.parameter(o, n) for n in range(4)), n_rows, n_features, o.integers[0], n_out)


def _nearness(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    n_rows, n_features = s.rows(o.inputs[0])
    s.call("nearness", y, x[0], s.parameter(o, 0), s.parameter(o, 1), n_rows, n_features, s.rows(o.output)[1])


def _embedding(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    arguments = y, x[0], s.parameter(o, 0), s.size(o.inputs[0]), o.integers[0], s.rows(o.output)[1]
    s.call("outside += embedding", *arguments)


def _standardize(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    mean, zero = s.values(o, 0), np.zeros(1)
    deviation = np.maximum(np.sqrt(s.values(o, 1)), _SMALLEST_DEVIATION)
    if o.integers[2]:
        _scale(s, y, x[0], *s.rows(o.output), zero, deviation, mean)
    else:
        _scale(s, y, x[0], *s.rows(o.output), mean, 1 / deviation, zero)


def _rescale(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    _scale(s, y, x[0], *s.rows(o.output), np.zeros(1), s.values(o, 0), s.values(o, 1))


def _encode(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    counts, together = o.integers
    s.call("outside += encode", y, x[0], s.size(o.inputs[0]), together, s.rows(o.output)[1], counts)


def _discretize(s: Statements, o: Operation, x: Sequence[str], y: str) -> None:
    s.call("discretize", y, x[0], s.parameter(o, 0), s.size(o.output), o.integers[0])


_OPERATIONS: dict[str, Row] = {
    "dense": _dense,
    "members": _members,
    "activation": _activation,
    "prelu": _prelu,
    "permute": _permute,
    "batch_normalization": _batch_normalization,
    "layer_normalization": _row_normalization,
    "rms_normalization": _row_normalization,
    "unit_normalization": _unit_normalization,
    **dict.fromkeys(("add", "subtract", "multiply", "average", "maximum", "minimum"), _merge),
    "concatenate": _concatenate,
    "dot": _dot,
    "parametric_activation": _parametric_activation,
    "periodic": _periodic,
    "nearness": _nearness,
    "embedding": _embedding,
    "standardize": _standardize,
    "rescale": _rescale,
    "encode": _encode,
    "discretize": _discretize,
    **ARRAY_OPERATIONS,
}
_DRAWS_NOTHING = ("reshape", "spectral_normalization")
_PASSES = frozenset((*_DRAWS_NOTHING, "dropout", "alpha_dropout", "gaussian_dropout", "gaussian_noise"))
_REFUSED = {
    "batch_reduction": "it looks across the samples of a batch",
    "random": DRAWS,
}
_DRAWS_ALWAYS = 2  # the integer of a noise's operation that says so


def passed_on(operation: Operation) -> int | None:
    """Return the buffer whose numbers the output holds as they are; None if it has others.

    Raises
    ------
    ValueError
        If the operation draws random numbers in prediction, too.
    """
    if operation.kind == "choice":
        return operation.inputs[1]
    if operation.kind not in _PASSES:
        return None
    if operation.kind not in _DRAWS_NOTHING and operation.integers[_DRAWS_ALWAYS : _DRAWS_ALWAYS + 1] == (1,):
        raise refuse(operation, DRAWS)
    return operation.inputs[0]


def write_operation(s: Statements, operation: Operation) -> None:
    """Add the statements of an operation.

    Raises
    ------
    ValueError
        If it calls a Python function, draws random numbers or looks across samples.
    """
    if operation.kind in _REFUSED:
        raise refuse(operation, _REFUSED[operation.kind])
    if operation.custom is not None or operation.kind not in _OPERATIONS:
        raise refuse(operation, "it calls a function of Python")
    inputs = [s.places[buffer] for buffer in operation.inputs]
    _OPERATIONS[operation.kind](s, operation, inputs, s.places[operation.output])
