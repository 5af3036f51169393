"""Kernels in 8 bits, for predictors: what native code multiplies with instead of a dense layer's kernel.

A layer's product becomes

    y = x . w + b = (x f) . (w / f) + b        q = round(x f / unit), -127 to 127

Columns of w / f are quantized here, rows of x f when they come; each has a unit of its own, by which its largest number
is 127. Sums of products of whole numbers are exact. The factors f share out what is hard to quantize: an input far
larger than the others would leave those few steps, so it is made smaller, and the weights that it meets larger.

    f[j] = sqrt(max |w[j]| / max |x[j]|)

Source of the factors: G. Xiao and others, "SmoothQuant", ICML 2023, with alpha = 1/2.
"""

from __future__ import annotations

import copy

import numpy as np

import cnn_core._core as _core
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple
from cnn_core.network.native import bound_network
from cnn_core.network.plan import NetworkPlan, Operation


class QuantizedKernel(NamedTuple):
    """A kernel (n_in, n_out) in 8 bits.

    Attributes
    ----------
    quads : numpy.ndarray of int32, (ceil(n_in / 4), n_out)
        Four numbers in each, those of successive inputs, in the order of memory.
    factors : numpy.ndarray of float32, (n_in,)
        Of the inputs.
    sums : numpy.ndarray of int32, (n_out,)
        Of the columns' numbers.
    units : numpy.ndarray of float32, (n_out,)
        What 1 means in each column.
    """

    quads: Array
    factors: Array
    sums: Array
    units: Array


def quantize_kernel(kernel: Array, reach: Array) -> QuantizedKernel:
    """Return a kernel in 8 bits.

    Parameters
    ----------
    kernel : numpy.ndarray, (n_in, n_out)
    reach : numpy.ndarray, (n_in,)
        The largest magnitude to be expected of each input.

    Examples
    --------
    >>> quantized = quantize_kernel(np.array([[1.27, 0.0], [-0.64, 0.02]]), np.array([1.27, 0.64]))
    >>> quantized.factors
    array([1., 1.], dtype=float32)
    >>> quantized.quads.view("int8").reshape(1, 2, 4)[:, :, :2].tolist(), quantized.sums.tolist()
    ([[[127, -64], [0, 127]]], [63, 127])
    """
    n_in, n_out = kernel.shape
    weights = np.abs(kernel).max(axis=1)
    both = (weights > 0) & (reach > 0)
    factors = np.ones(n_in)
    factors[both] = np.sqrt(weights[both] / reach[both].astype("float64"))
    scaled = kernel / factors[:, np.newaxis]
    largest = np.abs(scaled).max(axis=0)
    units = np.where(largest > 0, largest, 127) / 127
    numbers = np.zeros((-(-n_in // 4) * 4, n_out), np.int8)
    numbers[:n_in] = np.rint(scaled / units)
    quads = np.ascontiguousarray(numbers.reshape(-1, 4, n_out).transpose(0, 2, 1)).view(np.int32)
    return QuantizedKernel(
        quads.reshape(-1, n_out),
        factors.astype(np.float32),
        numbers.sum(axis=0, dtype=np.int32),
        units.astype(np.float32),
    )


def can_be_quantized(operation: Operation, plan: NetworkPlan) -> bool:
    """Whether an operation is a dense one of which native code takes the kernel in 8 bits."""
    if operation.kind != "dense" or any(tensor is not None for tensor in operation.tensors[2:]):
        return False
    return plan.shapes[operation.inputs[0]][-1] <= _core.MOST_QUANTIZED


def compute_in_int8(plan: NetworkPlan) -> None:
    """Let what can be quantized of a plan wait for its kernels in 8 bits."""
    plan.operations = [
        operation._replace(integers=(_core.ROUNDINGS["int8"],)) if can_be_quantized(operation, plan) else operation
        for operation in plan.operations
    ]


def keep_quantized(network: _core.Network, plan: NetworkPlan, values: list[Array], rows: Array) -> None:
    """Let a network of which the dense operations compute in int8 multiply with quantized kernels.

    Parameters
    ----------
    network : Network
        Of `plan`.
    values : list of numpy.ndarray
        Of the plan's variables.
    rows : numpy.ndarray
        Samples like those that will come.
    """
    chosen = [number for number, each in enumerate(plan.operations) if can_be_quantized(each, plan)]
    inputs = _values_of({plan.operations[number].inputs[0] for number in chosen}, plan, values, rows)
    for number in chosen:
        operation = plan.operations[number]
        kernel, bias = (None if tensor is None else values[tensor] for tensor in (*operation.tensors, None)[:2])
        n_in, n_out = plan.shapes[operation.inputs[0]][-1], plan.shapes[operation.output][-1]
        reach = np.abs(inputs[operation.inputs[0]].reshape(-1, n_in)).max(axis=0)
        quantized = quantize_kernel(np.asarray(kernel, np.float64).reshape(n_in, n_out), reach)
        own_bias = np.zeros(n_out, np.float32) if bias is None else np.ascontiguousarray(bias, np.float32).reshape(-1)
        network.keep_quantized(number, *quantized, own_bias)


def _values_of(buffers: set[int], plan: NetworkPlan, values: list[Array], rows: Array) -> dict[int, Array]:
    """Return what stands in some of a plan's buffers when it reads rows, computed in floats."""
    watched = copy.copy(plan)
    watched.outputs = sorted(buffers - set(plan.inputs))
    found = {plan.inputs[0]: rows} if plan.inputs[0] in buffers else {}
    if watched.outputs:
        arrays = [np.empty((len(rows), *plan.shapes[buffer]), np.float32) for buffer in watched.outputs]
        bound_network(watched, "float32", values=values).predict([rows], arrays)
        found.update(zip(watched.outputs, arrays, strict=True))
    return found
