"""What each layer is in ONNX: one row for a kind, of operators that opset 17 has."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import cnn_core.layers.merging as merging
from cnn_core.activations.custom import FunctionActivation
from cnn_core.interop.calls import NUMPY, not_carried
from cnn_core.interop.onnx_activations import write_activation
from cnn_core.interop.onnx_functions import write_functions
from cnn_core.interop.onnx_graph import INT64, Nodes
from cnn_core.layers.activation import ActivationLayer, PReLU, Softmax
from cnn_core.layers.axes import sample_axes
from cnn_core.layers.base import Layer
from cnn_core.layers.dense import Dense
from cnn_core.layers.einsum_dense import EinsumDense
from cnn_core.layers.embedding import Embedding
from cnn_core.layers.ensemble import EnsembleDense
from cnn_core.layers.function import Lambda
from cnn_core.layers.masking import Masking
from cnn_core.layers.normalization import (
    SHORTEST,
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    UnitNormalization,
)
from cnn_core.layers.pooling import (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
)
from cnn_core.layers.preprocessing import Discretization, Normalization, Rescaling
from cnn_core.layers.regularization import (
    ActivityRegularization,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
)
from cnn_core.layers.reshaping import Flatten, Identity, Permute, RepeatVector, Reshape
from cnn_core.layers.tabular import ParametricActivation, PeriodicEmbedding
from cnn_core.layers.wrapper import SpectralNormalization
from cnn_core.network.graph import Shape
from cnn_core.ops.own_functions import graph_of_activation

# By the nodes, the layer, the names of its inputs, and their shapes.
Row = Callable[[Nodes, Any, list[str], list[Shape]], str]


def _activated(g: Nodes, x: str, layer: Any, shape: Shape) -> str:
    activation = layer.activation
    if isinstance(activation, FunctionActivation):
        return write_functions(g, graph_of_activation(activation, shape[1:]), [x])  # type: ignore[arg-type]
    made = write_activation(g, x, activation)
    if made is None:
        raise not_carried(layer, "ONNX", f"the activation {activation.name or activation!r} has no counterpart there")
    return made


def _dense(g: Nodes, layer: Dense, x: list[str], shapes: list[Shape]) -> str:
    kernel = g.of(layer, "kernel")
    bias = [] if layer.bias is None else [g.of(layer, "bias")]
    if len(shapes[0]) == 2:
        z = g.add("Gemm", x[0], kernel, *bias)
    else:
        z = g.add("MatMul", x[0], kernel)
        z = g.add("Add", z, *bias) if bias else z
    return _activated(g, z, layer, (*shapes[0][:-1], layer.units))


def _batch_normalization(g: Nodes, layer: BatchNormalization, x: list[str], shapes: list[Shape]) -> str:
    gamma = 1.0 if layer.gamma is None else layer.gamma.numpy().astype(np.float64)
    beta = 0.0 if layer.beta is None else layer.beta.numpy().astype(np.float64)
    factor = gamma / np.sqrt(layer.moving_variance.numpy().astype(np.float64) + layer.epsilon)
    shift = beta - layer.moving_mean.numpy() * factor
    return _scaled(g, x[0], factor, shift, sample_axes(layer.axis, shapes[0], layer.name), shapes[0], layer.name)


def _scaled(g: Nodes, x: str, factor: object, shift: object, axes: tuple[int, ...], shape: Shape, name: str) -> str:
    sizes: list[Any] = [size if at in axes else 1 for at, size in enumerate(shape[1:])]
    parts = [np.asarray(each, g.dtype).reshape(sizes) for each in (factor, shift)]
    product = g.add("Mul", x, g.constant(parts[0], f"{name}.scale"))
    return g.add("Add", product, g.constant(parts[1], f"{name}.offset"))


def _trailing(layer: LayerNormalization | RMSNormalization, shape: Shape) -> tuple[int, ...]:
    axes = sample_axes(layer.axis, shape, layer.name)
    if axes != tuple(range(axes[0], len(shape) - 1)):
        raise not_carried(layer, "ONNX", f"there it normalizes the last axes. Received: axis={layer.axis}")
    return axes


def _layer_normalization(g: Nodes, layer: LayerNormalization, x: list[str], shapes: list[Shape]) -> str:
    axes = _trailing(layer, shapes[0])
    sizes = [shapes[0][axis + 1] for axis in axes]
    if g.dtype == np.float64:  # the operator's epsilon is a float32
        result = _normalized_exactly(g, x[0], [axis + 1 for axis in axes], layer.epsilon)
        result = result if layer.gamma is None else g.add("Mul", result, g.of(layer, "gamma"))
        return result if layer.beta is None else g.add("Add", result, g.of(layer, "beta"))
    ones = np.ones(sizes, g.dtype)  # type: ignore[arg-type]  # sizes of normalized axes are known
    gamma = g.of(layer, "gamma") if layer.gamma is not None else g.constant(ones, f"{layer.name}.gamma")
    beta = [g.of(layer, "beta")] if layer.beta is not None else []
    return g.add("LayerNormalization", x[0], gamma, *beta, axis=axes[0] + 1, epsilon=float(layer.epsilon))


def _normalized_exactly(g: Nodes, x: str, axes: list[int], epsilon: float) -> str:
    centred = g.add("Sub", x, g.add("ReduceMean", x, axes=axes, keepdims=1))
    variance = g.add("ReduceMean", g.add("Mul", centred, centred), axes=axes, keepdims=1)
    return g.add("Div", centred, g.add("Sqrt", g.add("Add", variance, float(epsilon))))


def _rms_normalization(g: Nodes, layer: RMSNormalization, x: list[str], shapes: list[Shape]) -> str:
    axes = [axis + 1 for axis in _trailing(layer, shapes[0])]
    mean = g.add("ReduceMean", g.add("Mul", x[0], x[0]), axes=axes, keepdims=1)
    rows = g.add("Div", x[0], g.add("Sqrt", g.add("Add", mean, float(layer.epsilon))))
    return g.add("Mul", rows, g.of(layer, "scale"))


def _unit(g: Nodes, x: str, axes: list[int]) -> str:
    length = g.add("Sqrt", g.add("ReduceSum", g.add("Mul", x, x), g.sizes(*axes), keepdims=1))
    return g.add("Div", x, g.add("Max", length, SHORTEST))


def _normalization(g: Nodes, layer: Normalization, x: list[str], shapes: list[Shape]) -> str:
    axes = () if layer.axis is None else sample_axes(layer.axis, shapes[0], layer.name)
    sizes: list[Any] = [size if at in axes else 1 for at, size in enumerate(shapes[0][1:])]
    deviation = np.maximum(np.sqrt(layer.variance.numpy()), 1e-7).astype(g.dtype).reshape(sizes)
    mean, divisor = g.of(layer, "mean", sizes), g.constant(deviation, f"{layer.name}.deviation")
    if layer.invert:
        return g.add("Add", g.add("Mul", x[0], divisor), mean)
    return g.add("Div", g.add("Sub", x[0], mean), divisor)


def _rescaling(g: Nodes, layer: Rescaling, x: list[str], shapes: list[Shape]) -> str:
    scale, offset = (
        g.constant(np.asarray(getattr(layer, name), g.dtype), f"{layer.name}.{name}") for name in ("scale", "offset")
    )
    return g.add("Add", g.add("Mul", x[0], scale), offset)


def _softmax(g: Nodes, layer: Softmax, x: list[str], shapes: list[Shape]) -> str:
    axes = sample_axes(layer.axis, shapes[0], layer.name)
    if len(axes) > 1:
        raise not_carried(layer, "ONNX", f"there it has one axis. Received: axis={layer.axis}")
    return g.add("Softmax", x[0], axis=axes[0] + 1)


def _embedding(g: Nodes, layer: Embedding, x: list[str], shapes: list[Shape]) -> str:
    return g.add("Gather", g.of(layer, "embeddings"), g.cast(x[0], INT64))


def _prelu(g: Nodes, layer: PReLU, x: list[str], shapes: list[Shape]) -> str:
    return g.add("PRelu", x[0], g.of(layer, "alpha"))


def _reshape(g: Nodes, layer: Reshape, x: list[str], shapes: list[Shape]) -> str:
    return g.add("Reshape", x[0], g.sizes(0, *layer.compute_output_shape(shapes[0])[1:]))


def _parametric(g: Nodes, layer: ParametricActivation, x: list[str], shapes: list[Shape]) -> str:
    change = g.add("Sub", _activated(g, x[0], layer, shapes[0]), x[0])
    return g.add("Add", x[0], g.add("Mul", change, g.of(layer, "alpha")))


def _periodic(g: Nodes, layer: PeriodicEmbedding, x: list[str], shapes: list[Shape]) -> str:
    n, waves = layer.frequencies.shape
    numbers = g.add("Reshape", x[0], g.sizes(0, n, 1, 1))
    angles = g.add("Mul", g.add("Mul", numbers, 2 * math.pi), g.of(layer, "frequencies", (n, 1, waves)))
    cosines = g.add("Cos", g.add("Add", angles, g.of(layer, "phases", (n, 1, waves))))
    sums = g.add("Add", g.add("MatMul", cosines, g.of(layer, "coefficients")), g.of(layer, "offsets", (n, 1, -1)))
    return g.add("Flatten", g.add("Concat", sums, numbers, axis=3), axis=1)


def _discretization(g: Nodes, layer: Discretization, x: list[str], shapes: list[Shape]) -> str:
    if layer.output_mode != "int":
        raise not_carried(layer, "ONNX", f"only the numbers of bins are. Received: output_mode={layer.output_mode!r}")
    bounds = g.constant(np.asarray(layer.bin_boundaries, g.dtype), f"{layer.name}.boundaries")
    reached = g.add("GreaterOrEqual", g.add("Unsqueeze", x[0], g.sizes(-1)), bounds)
    one = g.add("Where", reached, 1.0, 0.0)
    return g.add("ReduceSum", one, g.sizes(-1), keepdims=0)


def _same(g: Nodes, layer: Layer, x: list[str], shapes: list[Shape]) -> str:
    return x[0]


def _merged(operator: str) -> Row:
    def write(g: Nodes, layer: Layer, x: list[str], shapes: list[Shape]) -> str:
        rank, result = max(map(len, shapes)), ""
        for name, shape in zip(x, shapes, strict=True):
            if len(shape) < rank:  # a missing axis counts as one of size 1 after the batch's
                name = g.add("Unsqueeze", name, g.sizes(*range(1, rank - len(shape) + 1)))
            result = name if not result else g.add(operator, result, name)
        return g.add("Div", result, float(len(x))) if isinstance(layer, merging.Average) else result

    return write


def _concatenate(g: Nodes, layer: merging.Concatenate, x: list[str], shapes: list[Shape]) -> str:
    return g.add("Concat", *x, axis=sample_axes(layer.axis, shapes[0], layer.name)[0] + 1)


def _dot(g: Nodes, layer: merging.Dot, x: list[str], shapes: list[Shape]) -> str:
    if [len(shape) for shape in shapes] != [2, 2]:
        raise not_carried(layer, "ONNX", "only products of vectors are")
    first, second = (_unit(g, each, [1]) for each in x) if layer.normalize else x
    return g.add("ReduceSum", g.add("Mul", first, second), g.sizes(1), keepdims=1)


def _group_normalization(g: Nodes, layer: GroupNormalization, x: list[str], shapes: list[Shape]) -> str:
    (axis,) = sample_axes(layer.axis, shapes[0], layer.name)
    sizes: list[Any] = list(shapes[0][1:])
    n_groups = sizes[axis] if layer.groups == -1 else layer.groups
    order = [axis, *(other for other in range(len(sizes)) if other != axis)]
    moved = _permuted(g, x[0], order)
    rows = g.add("Reshape", moved, g.sizes(0, n_groups, math.prod(sizes) // n_groups))
    rows = _normalized_exactly(g, rows, [2], layer.epsilon)
    back = g.add("Reshape", rows, g.sizes(0, *(sizes[each] for each in order)))
    result = _permuted(g, back, [order.index(place) for place in range(len(sizes))])
    features = (sizes[axis], *(1,) * (len(sizes) - 1 - axis))
    result = result if layer.gamma is None else g.add("Mul", result, g.of(layer, "gamma", features))
    return result if layer.beta is None else g.add("Add", result, g.of(layer, "beta", features))


def _permuted(g: Nodes, x: str, order: list[int]) -> str:
    """Put the axes of a sample in another order."""
    return x if order == sorted(order) else g.add("Transpose", x, perm=[0, *(axis + 1 for axis in order)])


def _einsum_dense(g: Nodes, layer: EinsumDense, x: list[str], shapes: list[Shape]) -> str:
    sized = layer.sized(shapes[0])
    alone = [place + 1 for place in sized.alone]
    source = g.add("ReduceSum", x[0], g.sizes(*alone), keepdims=0) if alone else x[0]
    along = sized.shape(sized.along)
    rows, inner, columns = (math.prod(sized.shape(each)) for each in (sized.rows, sized.summed, sized.columns))
    source = g.add("Reshape", _permuted(g, source, sized.source_order), g.sizes(0, *along, rows, inner))
    kernel = layer.kernel.numpy().transpose(sized.kernel_order).reshape(*along, inner, columns)
    z = g.add("MatMul", source, g.constant(kernel, f"{layer.name}.kernel"))
    z = _permuted(g, g.add("Reshape", z, g.sizes(0, *sized.shape(sized.product))), sized.output_order)
    z = z if layer.bias is None else g.add("Add", z, g.of(layer, "bias"))
    return _activated(g, z, layer, sized.batch_shape)


def _ensemble_dense(g: Nodes, layer: EnsembleDense, x: list[str], shapes: list[Shape]) -> str:
    source = g.add("Unsqueeze", x[0], g.sizes(1)) if len(shapes[0]) == 2 else x[0]
    if layer.input_factor is not None:
        source = g.add("Mul", source, g.of(layer, "input_factor"))
    if layer.shared_kernel:
        z = g.add("MatMul", source, g.of(layer, "kernel"))
    else:
        rows = g.add("MatMul", g.add("Unsqueeze", source, g.sizes(2)), g.of(layer, "kernel"))
        z = g.add("Squeeze", rows, g.sizes(2))
    if layer.output_factor is not None:
        z = g.add("Mul", z, g.of(layer, "output_factor"))
    if layer.bias is not None:
        z = g.add("Add", z, g.of(layer, "bias"))
    shape = (None, layer.n_members, layer.units)
    if layer.shared_kernel and layer.bias is layer.input_factor is layer.output_factor is None:
        z = g.add("Expand", z, g.sizes(1, *shape[1:]))
    return _activated(g, z, layer, shape)


def _average(g: Nodes, layer: GlobalAveragePooling1D, x: list[str], shapes: list[Shape]) -> str:
    if len(x) == 1:
        return _pooled("ReduceMean")(g, layer, x, shapes)
    axis, kept = layer.pooled_axes[0] + 1, int(layer.keepdims)
    counts = g.add("Unsqueeze", x[1], g.sizes(3 - axis))
    total = g.add("ReduceSum", g.add("Where", g.as_truth(counts), x[0], 0.0), g.sizes(axis), keepdims=kept)
    count = g.add("ReduceSum", g.as_number(counts), g.sizes(axis), keepdims=kept)
    return g.add("Div", total, g.add("Max", count, 1.0))


def _masking(g: Nodes, layer: Masking, x: list[str], shapes: list[Shape]) -> str:
    differs = g.as_number(g.add("Not", g.add("Equal", x[0], float(layer.mask_value))))
    counts = g.add("Greater", g.add("ReduceMax", differs, axes=[-1], keepdims=1), 0.0)
    return g.add("Where", counts, x[0], 0.0)


def _pooled(operator: str) -> Callable[[Nodes, Any, list[str], list[Shape]], str]:
    return lambda g, layer, x, shapes: g.add(
        operator, x[0], axes=[axis + 1 for axis in layer.pooled_axes], keepdims=int(layer.keepdims)
    )


LAYERS: dict[type[Layer], Row] = {
    Dense: _dense,
    BatchNormalization: _batch_normalization,
    LayerNormalization: _layer_normalization,
    RMSNormalization: _rms_normalization,
    UnitNormalization: lambda g, layer, x, s: _unit(
        g, x[0], [axis + 1 for axis in sample_axes(layer.axis, s[0], layer.name)]
    ),
    Normalization: _normalization,
    Rescaling: _rescaling,
    Softmax: _softmax,
    Embedding: _embedding,
    PReLU: _prelu,
    Flatten: lambda g, layer, x, shapes: g.add("Flatten", x[0], axis=1),
    Reshape: _reshape,
    Permute: lambda g, layer, x, shapes: _permuted(g, x[0], [axis - 1 for axis in layer.dims]),
    RepeatVector: lambda g, layer, x, shapes: g.add(
        "Tile", g.add("Unsqueeze", x[0], g.sizes(1)), g.sizes(1, layer.n, 1)
    ),
    GlobalAveragePooling1D: _average,
    Masking: _masking,
    **dict.fromkeys((GlobalAveragePooling2D, GlobalAveragePooling3D), _pooled("ReduceMean")),
    **dict.fromkeys((GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D), _pooled("ReduceMax")),
    EinsumDense: _einsum_dense,
    EnsembleDense: _ensemble_dense,
    GroupNormalization: _group_normalization,
    ParametricActivation: _parametric,
    PeriodicEmbedding: _periodic,
    Discretization: _discretization,
    merging.Add: _merged("Add"),
    merging.Subtract: _merged("Sub"),
    merging.Multiply: _merged("Mul"),
    merging.Average: _merged("Add"),
    merging.Maximum: _merged("Max"),
    merging.Minimum: _merged("Min"),
    merging.Concatenate: _concatenate,
    merging.Dot: _dot,
    SpectralNormalization: lambda g, layer, x, shapes: write_layer(g, layer.layer, x, shapes),
    # What follows acts in training only.
    Identity: _same,
    Dropout: _same,
    AlphaDropout: _same,
    GaussianDropout: _same,
    GaussianNoise: _same,
    ActivityRegularization: _same,
}


def write_layer(g: Nodes, layer: Layer, x: list[str], shapes: list[Shape]) -> str:
    """Add the nodes of a layer; return the name of its output.

    Raises
    ------
    ValueError
        If ONNX cannot express it.
    """
    if isinstance(layer, ActivationLayer):
        return _activated(g, x[0], layer, shapes[0])
    if isinstance(layer, Lambda):
        raise not_carried(layer, "ONNX", NUMPY)
    if type(layer) not in LAYERS:
        raise not_carried(layer, "ONNX")
    return LAYERS[type(layer)](g, layer, x, shapes)
