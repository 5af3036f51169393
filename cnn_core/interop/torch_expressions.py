"""What PyTorch has no module for, as expressions of its functions: modules of torch.fx, which need nothing of ours."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from string import ascii_letters
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.activations as activations
from cnn_core.activations import Activation
from cnn_core.foundation.arrays import Array
from cnn_core.layers.axes import sample_axes
from cnn_core.layers.base import Layer
from cnn_core.layers.einsum_dense import EinsumDense
from cnn_core.layers.ensemble import EnsembleDense
from cnn_core.layers.normalization import SHORTEST, GroupNormalization, UnitNormalization
from cnn_core.layers.pooling import (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
)
from cnn_core.layers.preprocessing import Discretization, Normalization, Rescaling
from cnn_core.layers.reshaping import Permute, RepeatVector
from cnn_core.layers.tabular import PeriodicEmbedding
from cnn_core.network.graph import Shape
from cnn_core.network.variables import Variable

if TYPE_CHECKING:
    from types import ModuleType


SMALLEST_DEVIATION = 1e-7  # what a Normalization divides by at least


class Kept:
    """Modules, parameters and buffers of a graph to come, by names of their own."""

    def __init__(self, torch: ModuleType) -> None:
        self.torch = torch
        self.made: dict[str, Any] = {}
        self._variables: dict[int, str] = {}

    def keep(self, name: str, value: object) -> str:
        """Keep a module, a parameter or a tensor; return the name that it gets."""
        plain = "".join(sign if sign.isalnum() else "_" for sign in name)
        plain = f"layer_{plain}" if not plain[:1].isalpha() else plain
        number, chosen = 1, plain
        while chosen in self.made or hasattr(self.torch.nn.Module, chosen):
            number, chosen = number + 1, f"{plain}_{number}"
        self.made[chosen] = value
        return chosen

    def keep_variable(self, variable: Variable) -> str:
        """Keep a variable as a parameter, once however often it is read; return its name."""
        if id(variable) not in self._variables:
            value = self.torch.from_numpy(variable.numpy())
            parameter = self.torch.nn.Parameter(value, requires_grad=variable.trainable)
            self._variables[id(variable)] = self.keep(variable.path, parameter)
        return self._variables[id(variable)]

    def around(self, graph: object) -> Any:
        """Return the module of a graph that reads what is kept."""
        root = self.torch.nn.Module()
        for name, value in self.made.items():
            if isinstance(value, (self.torch.nn.Module, self.torch.nn.Parameter)):
                setattr(root, name, value)
            else:
                root.register_buffer(name, value)
        return self.torch.fx.GraphModule(root, graph)


def expression(
    torch: Any, function: Callable[..., Any], tensors: Mapping[str, Array] | None = None, trained: bool = False
) -> Any:
    """Return a module that computes ``function(x, **tensors)``.

    Parameters
    ----------
    torch : module
    function : callable
        Of functions of PyTorch, which are called once, on symbols.
    tensors : mapping of str to array, default None
    trained : bool, default False
        Whether the tensors are parameters rather than buffers.
    """
    kept, graph = Kept(torch), torch.fx.Graph()
    tracer = torch.fx.proxy.GraphAppendingTracer(graph)
    x = torch.fx.Proxy(graph.placeholder("x"), tracer)
    given = {}
    for name, value in (tensors or {}).items():
        tensor = torch.from_numpy(np.array(value))
        own = kept.keep(name, torch.nn.Parameter(tensor) if trained else tensor)
        given[name] = torch.fx.Proxy(graph.get_attr(own), tracer)
    graph.output(function(x, **given).node)
    return kept.around(graph)


def _relu(t: Any, x: object, a: Any) -> Any:
    kept = x if a.max_value is None else t.clamp(x, max=a.max_value)
    return t.where(x > a.threshold, kept, a.negative_slope * (x - a.threshold))


def _sparsemax(t: Any, x: object, a: Any) -> Any:
    ordered = t.sort(x, a.axis, descending=True)[0]
    sums = t.cumsum(ordered, a.axis) - 1
    counts = t.cumsum(t.ones_like(x), a.axis)
    size = t.sum(t.gt(ordered * counts, sums), a.axis, keepdim=True)
    return t.relu(x - t.gather(sums, a.axis, size - 1) / size)


# By torch, x, and the activation with its settings.
FORMULAS: dict[type[Activation], Callable[[Any, Any, Any], Any]] = {
    activations.ReLU: _relu,
    # PyTorch's own takes softplus for z above 20, which is not exact in float64.
    activations.Mish: lambda t, x, a: x * t.tanh(t.logaddexp(x, t.zeros_like(x))),
    activations.Exponential: lambda t, x, a: t.exp(x),
    activations.Squareplus: lambda t, x, a: (x + t.sqrt(x * x + a.b)) / 2,
    activations.SparsePlus: lambda t, x, a: t.where(x >= 1, x, t.square(t.relu(x + 1)) / 4),
    activations.SparseSigmoid: lambda t, x, a: t.clamp((x + 1) / 2, 0, 1),
    activations.Sparsemax: _sparsemax,
}


def _along(value: Array, axes: tuple[int, ...], shape: Shape) -> Array:
    """Give an array that belongs to some axes of a sample the axes of a batch."""
    return np.reshape(value, [1, *(size if at in axes else 1 for at, size in enumerate(shape[1:]))])


def _normalization(layer: Normalization, shape: Shape, torch: ModuleType) -> Any:
    axes = () if layer.axis is None else sample_axes(layer.axis, shape, layer.name)
    mean, deviation = layer.mean.numpy(), np.maximum(np.sqrt(layer.variance.numpy()), SMALLEST_DEVIATION)
    tensors = {"mean": _along(mean, axes, shape), "deviation": _along(deviation.astype(mean.dtype), axes, shape)}
    if layer.invert:
        return expression(torch, lambda x, mean, deviation: x * deviation + mean, tensors)
    return expression(torch, lambda x, mean, deviation: (x - mean) / deviation, tensors)


def _rescaling(layer: Rescaling, shape: Shape, torch: ModuleType) -> Any:
    tensors = {name: np.asarray(getattr(layer, name), layer.dtype) for name in ("scale", "offset")}
    return expression(torch, lambda x, scale, offset: x * scale + offset, tensors)


def _unit_normalization(layer: UnitNormalization, shape: Shape, torch: ModuleType) -> Any:
    axes = [axis + 1 for axis in sample_axes(layer.axis, shape, layer.name)]

    def scaled(x: object) -> Any:
        return x / torch.clamp(torch.linalg.vector_norm(x, dim=axes, keepdim=True), min=SHORTEST)

    return expression(torch, scaled)


def _periodic(layer: PeriodicEmbedding, shape: Shape, torch: ModuleType) -> Any:
    tensors = {name: getattr(layer, name).numpy() for name in ("frequencies", "phases", "coefficients", "offsets")}

    def embedded(x: object, frequencies: object, phases: object, coefficients: object, offsets: object) -> Any:
        column = torch.unsqueeze(x, -1)
        waves = torch.cos(2 * math.pi * column * frequencies + phases)
        sums = torch.einsum("nfw,fwo->nfo", waves, coefficients) + offsets
        return torch.flatten(torch.cat([sums, column], -1), 1)

    return expression(torch, embedded, tensors, trained=True)


def _discretization(layer: Discretization, shape: Shape, torch: ModuleType) -> Any:
    if layer.output_mode != "int":
        return None
    tensors = {"boundaries": np.asarray(layer.bin_boundaries, layer.dtype)}
    return expression(torch, lambda x, boundaries: torch.bucketize(x, boundaries, right=True).to(x.dtype), tensors)


def _einsum_dense(layer: EinsumDense, shape: Shape, torch: ModuleType) -> Any:
    sized = layer.sized(shape)
    letter = next(each for each in ascii_letters if each not in sized.sizes)
    equation = f"{letter}{sized.source},{sized.kernel}->{letter}{sized.output}"
    tensors = {"kernel": layer.kernel.numpy(), **({} if layer.bias is None else {"bias": layer.bias.numpy()})}

    def computed(x: object, kernel: object, bias: object = None) -> Any:
        sums = torch.einsum(equation, x, kernel)
        return sums if bias is None else sums + bias

    return expression(torch, computed, tensors, trained=True)


def _ensemble_dense(layer: EnsembleDense, shape: Shape, torch: ModuleType) -> Any:
    named = {name: getattr(layer, name) for name in ("kernel", "bias", "input_factor", "output_factor")}
    tensors = {name: variable.numpy() for name, variable in named.items() if variable is not None}
    sizes = [-1, layer.n_members, layer.units]

    def computed(
        x: Any, kernel: object, bias: object = None, input_factor: object = None, output_factor: object = None
    ) -> Any:
        x = torch.unsqueeze(x, 1) if len(shape) == 2 else x
        x = x if input_factor is None else x * input_factor
        rows = x if layer.shared_kernel else torch.unsqueeze(x, 2)
        sums = torch.matmul(rows, kernel)
        sums = sums if layer.shared_kernel else torch.squeeze(sums, 2)
        sums = sums if output_factor is None else sums * output_factor
        return (sums if bias is None else sums + bias).expand(sizes)

    return expression(torch, computed, tensors, trained=True)


def _group_normalization(layer: GroupNormalization, shape: Shape, torch: ModuleType) -> Any:
    (axis,) = sample_axes(layer.axis, shape, layer.name)
    features = shape[axis + 1]
    n_groups = features if layer.groups == -1 else layer.groups
    cut = [-1, *shape[1 : axis + 1], n_groups, features // n_groups, *shape[axis + 2 :]]  # type: ignore[operator]
    axes = [each for each in range(1, len(cut)) if each != axis + 1]
    given = {"gamma": layer.gamma, "beta": layer.beta}
    tensors = {
        name: _along(variable.numpy(), (axis,), shape) for name, variable in given.items() if variable is not None
    }

    def normalized(x: object, gamma: object = None, beta: object = None) -> Any:
        groups = torch.reshape(x, cut)
        centred = groups - torch.mean(groups, axes, keepdim=True)
        variance = torch.mean(centred * centred, axes, keepdim=True)
        result = torch.reshape(centred / torch.sqrt(variance + layer.epsilon), [-1, *shape[1:]])
        result = result if gamma is None else result * gamma
        return result if beta is None else result + beta

    return expression(torch, normalized, tensors, trained=True)


def _pooled(function: str) -> Callable[[Any, Shape, Any], Any]:
    def pooled(layer: Any, shape: Shape, torch: ModuleType) -> Any:
        axes = [axis + 1 for axis in layer.pooled_axes]
        return expression(torch, lambda x: getattr(torch, function)(x, axes, keepdim=layer.keepdims))

    return pooled


def masked_average(layer: GlobalAveragePooling1D, x: object, mask: object, torch: ModuleType) -> Any:
    """Average the steps of x that count, of which `mask` is True."""
    axis = layer.pooled_axes[0] + 1
    counts = torch.unsqueeze(mask, 3 - axis)
    total = torch.sum(torch.where(counts, x, 0.0), axis, keepdim=layer.keepdims)
    return total / torch.clamp(torch.sum(counts, axis, keepdim=layer.keepdims), min=1)


# By the layer, the shape of its input, and torch.
LAYERS: dict[type[Layer], Callable[[Any, Shape, Any], Any]] = {
    Normalization: _normalization,
    Rescaling: _rescaling,
    UnitNormalization: _unit_normalization,
    PeriodicEmbedding: _periodic,
    Discretization: _discretization,
    EinsumDense: _einsum_dense,
    EnsembleDense: _ensemble_dense,
    GroupNormalization: _group_normalization,
    **dict.fromkeys((GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D), _pooled("mean")),
    **dict.fromkeys((GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D), _pooled("amax")),
    Permute: lambda layer, shape, torch: expression(torch, lambda x: torch.permute(x, [0, *layer.dims])),
    RepeatVector: lambda layer, shape, torch: expression(
        torch, lambda x: torch.tile(torch.unsqueeze(x, 1), [1, layer.n, 1])
    ),
}
