"""What each of PyTorch's modules is here, and each layer there: one row for a kind.

A reader takes a module and the shape of its input and returns layers, which get the module's tensors by the table in
torch_weights.py. A writer takes a layer, the shape of its input and `torch`, and returns a module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import cnn_core.activations as activations
from cnn_core.activations import Activation
from cnn_core.activations.custom import FunctionActivation
from cnn_core.interop.calls import NUMPY, not_carried
from cnn_core.interop.torch_expressions import FORMULAS, LAYERS, Kept, expression
from cnn_core.interop.torch_functions import Functions, write_graph
from cnn_core.layers.activation import ActivationLayer as AnyActivation
from cnn_core.layers.activation import PReLU, Softmax
from cnn_core.layers.axes import sample_axes
from cnn_core.layers.base import Layer
from cnn_core.layers.dense import Dense
from cnn_core.layers.embedding import Embedding
from cnn_core.layers.function import Lambda
from cnn_core.layers.normalization import (
    BatchNormalization,
    LayerNormalization,
    RMSNormalization,
)
from cnn_core.layers.preprocessing import Rescaling
from cnn_core.layers.regularization import (
    ActivityRegularization,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
)
from cnn_core.layers.reshaping import Flatten, Identity, Reshape
from cnn_core.layers.tabular import ParametricActivation
from cnn_core.network.graph import Shape
from cnn_core.ops.operation import Operation
from cnn_core.ops.own_functions import graph_of_activation

if TYPE_CHECKING:
    from types import ModuleType


LEFT_OUT: dict[type[Layer], str] = {
    GaussianNoise: "PyTorch has no such module, and it acts in training only",
    GaussianDropout: "PyTorch has no such module, and it acts in training only",
    ActivityRegularization: "penalties are terms of the loss in PyTorch",
}
FAR = 40.0  # beyond, softplus(z) is z in float64, too; PyTorch's default is 20


def refused(module: object, reason: str) -> ValueError:
    return ValueError(f"{type(module).__name__} {reason}")


# Activations: the module's name, how it is read, and how ours are written.


def _softplus(m: Any) -> list[Any]:
    scaled = [Rescaling(m.beta), activations.softplus, Rescaling(1 / m.beta)]
    return [activations.softplus] if m.beta == 1 else scaled


def _hardtanh(m: Any) -> list[Any]:
    if (m.min_val, m.max_val) == (-1, 1):
        return [activations.hard_tanh]
    if m.min_val == 0:
        return [activations.ReLU(max_value=m.max_val)]
    half, middle = (m.max_val - m.min_val) / 2, (m.max_val + m.min_val) / 2
    return [Rescaling(1 / half, -middle / half), activations.hard_tanh, Rescaling(half, middle)]


ACTIVATIONS_IN: dict[str, Callable[[Any], list[Any]]] = {
    "ReLU": lambda m: [activations.relu],
    "ReLU6": lambda m: [activations.relu6],
    "LeakyReLU": lambda m: [activations.LeakyReLU(m.negative_slope)],
    "Sigmoid": lambda m: [activations.sigmoid],
    "Tanh": lambda m: [activations.tanh],
    "ELU": lambda m: [activations.ELU(m.alpha)],
    "SELU": lambda m: [activations.selu],
    "CELU": lambda m: [activations.CELU(m.alpha)],
    "Softplus": _softplus,
    "Softsign": lambda m: [activations.softsign],
    "SiLU": lambda m: [activations.silu],
    "GELU": lambda m: [activations.GELU(m.approximate == "tanh")],
    "Mish": lambda m: [activations.mish],
    "LogSigmoid": lambda m: [activations.log_sigmoid],
    "Hardsigmoid": lambda m: [activations.hard_sigmoid],
    "Hardswish": lambda m: [activations.hard_silu],
    "Hardtanh": _hardtanh,
    "Softshrink": lambda m: [activations.SoftShrink(m.lambd)],
    "Hardshrink": lambda m: [activations.HardShrink(m.lambd)],
    "Tanhshrink": lambda m: [activations.tanh_shrink],
    "Threshold": lambda m: [activations.Threshold(m.threshold, m.value)],
}

ACTIVATIONS_OUT: dict[type[Activation], Callable[[Any, Any], Any]] = {
    activations.Linear: lambda a, nn: nn.Identity(),
    activations.LeakyReLU: lambda a, nn: nn.LeakyReLU(a.negative_slope),
    activations.ReLU6: lambda a, nn: nn.ReLU6(),
    activations.Sigmoid: lambda a, nn: nn.Sigmoid(),
    activations.Tanh: lambda a, nn: nn.Tanh(),
    activations.ELU: lambda a, nn: nn.ELU(a.alpha),
    activations.SELU: lambda a, nn: nn.SELU(),
    activations.CELU: lambda a, nn: nn.CELU(a.alpha),
    activations.Softplus: lambda a, nn: nn.Softplus(1.0, FAR),
    activations.Softsign: lambda a, nn: nn.Softsign(),
    activations.SiLU: lambda a, nn: nn.SiLU(),
    activations.GELU: lambda a, nn: nn.GELU("tanh" if a.approximate else "none"),
    activations.LogSigmoid: lambda a, nn: nn.LogSigmoid(),
    activations.HardSigmoid: lambda a, nn: nn.Hardsigmoid(),
    activations.HardSiLU: lambda a, nn: nn.Hardswish(),
    activations.HardTanh: lambda a, nn: nn.Hardtanh(),
    activations.SoftShrink: lambda a, nn: nn.Softshrink(a.threshold),
    activations.HardShrink: lambda a, nn: nn.Hardshrink(a.threshold),
    activations.TanhShrink: lambda a, nn: nn.Tanhshrink(),
    activations.Threshold: lambda a, nn: nn.Threshold(a.threshold, a.default_value),
    activations.Softmax: lambda a, nn: nn.Softmax(-1) if a.axis == -1 else None,
    activations.LogSoftmax: lambda a, nn: nn.LogSoftmax(-1) if a.axis == -1 else None,
    activations.GLU: lambda a, nn: nn.GLU(-1) if a.axis == -1 else None,
}


def _relu_out(a: Any, nn: ModuleType) -> Any:
    if a.threshold == 0 and a.max_value is None:
        return nn.LeakyReLU(a.negative_slope) if a.negative_slope else nn.ReLU()
    if a.threshold == 0 and a.negative_slope == 0:
        return nn.Hardtanh(0.0, a.max_value)
    return None


ACTIVATIONS_OUT[activations.ReLU] = _relu_out


def activation_module(activation: Activation, part: Layer | Operation, shape: Shape, torch: Any) -> Any:
    """Return the module of an activation: PyTorch's own, or an expression of its functions.

    Parameters
    ----------
    activation : Activation
    part : Layer or Operation
        What applies it.
    shape : tuple
        Of what it is applied to.
    torch : module
    """
    if isinstance(activation, FunctionActivation):
        return _function_module(activation, part, shape, torch)
    write = ACTIVATIONS_OUT.get(type(activation))
    module = None if write is None else write(activation, torch.nn)
    if module is None and type(activation) in FORMULAS:
        formula = FORMULAS[type(activation)]
        module = expression(torch, lambda x: formula(torch, x, activation))
    if module is None:
        raise not_carried(part, "PyTorch", f"the activation {activation.name or activation!r} has no counterpart there")
    return module


def _function_module(activation: FunctionActivation, part: Layer | Operation, shape: Shape, torch: Any) -> Any:
    graph = graph_of_activation(activation, shape[1:])  # type: ignore[arg-type]  # sizes of a sample are known
    functions = Functions(Kept(torch), torch.fx.Graph(), part.dtype, activation_module)
    return functions.finished(write_graph(functions, graph, [functions.input("x")]), [shape])


# Modules in


def _row_activation(kind: type[Activation]) -> Callable[[Any, Shape], list[Any]]:
    def read(module: Any, shape: Shape) -> list[Any]:
        if module.dim is None:
            raise refused(module, "must have its `dim`. Received: dim=None")
        axis = sample_axes(module.dim, shape, type(module).__name__, "dim")[0] + 1
        if kind is activations.Softmax:
            return [Softmax(axis)]
        if axis != len(shape) - 1:
            raise refused(module, f"must work along the last axis. Received: dim={module.dim}")
        return [kind()]

    return read


def _batch_norm(m: Any, shape: Shape) -> list[Any]:
    if not m.track_running_stats or m.running_mean is None:
        raise refused(m, "must track running statistics. Received: track_running_stats=False")
    if m.momentum is None:
        raise refused(m, "must have a momentum: running averages over all batches are unknown here. Received: None")
    axis = -1 if len(shape) == 2 else 1
    return [BatchNormalization(axis, 1 - m.momentum, m.eps, center=m.affine, scale=m.affine)]


def _trailing(sizes: Any) -> int | tuple[int, ...]:
    return -1 if len(sizes) == 1 else tuple(range(-len(sizes), 0))


def _layer_norm(m: Any, shape: Shape) -> list[Any]:
    center = m.elementwise_affine and m.bias is not None
    return [LayerNormalization(_trailing(m.normalized_shape), m.eps, center, m.elementwise_affine)]


def _rms_norm(m: Any, shape: Shape) -> list[Any]:
    if m.eps is None:
        raise refused(m, "must have its `eps`: by default it is that of the dtype of the input. Received: eps=None")
    return [RMSNormalization(_trailing(m.normalized_shape), m.eps)]


def _embedding(m: Any, shape: Shape) -> list[Any]:
    for name in ("max_norm", "padding_idx"):
        if getattr(m, name) is not None:
            raise refused(m, f"must have `{name}`=None: all vectors are trained alike. Received: {getattr(m, name)}")
    return [Embedding(m.num_embeddings, m.embedding_dim)]


def _prelu(m: Any, shape: Shape) -> list[Any]:
    if m.num_parameters == 1:
        return [PReLU(shared_axes=tuple(range(1, len(shape))))]
    if len(shape) != 2:
        raise refused(m, f"must have one parameter for inputs of more than one axis. Received: {m.num_parameters}")
    return [PReLU()]


def _flatten(m: Any, shape: Shape) -> list[Any]:
    if m.start_dim % len(shape) != 1 or m.end_dim % len(shape) != len(shape) - 1:
        raise refused(m, f"must flatten all axes but the first. Received: {m.start_dim} to {m.end_dim}")
    return [Flatten()]


def _unflatten(m: Any, shape: Shape) -> list[Any]:
    at = sample_axes(m.dim, shape, "Unflatten", "dim")[0]
    sizes: list[Any] = list(shape[1:])
    return [Reshape((*sizes[:at], *m.unflattened_size, *sizes[at + 1 :]))]


MODULES_IN: dict[str, Callable[[Any, Shape], list[Any]]] = {
    "Linear": lambda m, shape: [Dense(m.out_features, use_bias=m.bias is not None)],
    "BatchNorm1d": _batch_norm,
    "LayerNorm": _layer_norm,
    "RMSNorm": _rms_norm,
    "Embedding": _embedding,
    "PReLU": _prelu,
    "Dropout": lambda m, shape: [Dropout(m.p)],
    "AlphaDropout": lambda m, shape: [AlphaDropout(m.p)],
    "Flatten": _flatten,
    "Unflatten": _unflatten,
    "Identity": lambda m, shape: [Identity()],
    "Softmax": _row_activation(activations.Softmax),
    "LogSoftmax": _row_activation(activations.LogSoftmax),
    "GLU": _row_activation(activations.GLU),
}


def layers_of(module: object, shape: Shape) -> list[Any] | None:
    """Return constructors' results for a module of PyTorch, activations among them; None for an unknown kind."""
    kind = type(module).__name__
    if kind in ACTIVATIONS_IN:
        return ACTIVATIONS_IN[kind](module)
    return MODULES_IN[kind](module, shape) if kind in MODULES_IN else None


# Layers out: what is built from the layer, its input's shape, and `torch`; tensors are set afterwards.


def _batch_norm_out(layer: BatchNormalization, shape: Shape, torch: ModuleType) -> Any:
    axes = sample_axes(layer.axis, shape, layer.name)
    if len(shape) > 3 or axes != (0,):
        raise not_carried(layer, "PyTorch", "there it normalizes axis 1 of two or three")
    affine = layer.center or layer.scale
    return torch.nn.BatchNorm1d(shape[1], layer.epsilon, 1 - layer.momentum, affine=affine)


def _normalized(layer: LayerNormalization | RMSNormalization, shape: Shape) -> list[Any]:
    axes = sample_axes(layer.axis, shape, layer.name)
    if axes != tuple(range(axes[0], len(shape) - 1)):
        raise not_carried(layer, "PyTorch", f"there it normalizes the last axes. Received: axis={layer.axis}")
    return [shape[axis + 1] for axis in axes]


def _layer_norm_out(layer: LayerNormalization, shape: Shape, torch: ModuleType) -> Any:
    affine = layer.center or layer.scale
    return torch.nn.LayerNorm(_normalized(layer, shape), layer.epsilon, affine, bias=layer.center)


def _prelu_out(layer: PReLU, shape: Shape, torch: ModuleType) -> Any:
    if layer.alpha.size != 1 and len(shape) != 2:
        raise not_carried(layer, "PyTorch", "there slopes belong to axis 1")
    return torch.nn.PReLU(layer.alpha.size)


def _softmax_out(layer: Softmax, shape: Shape, torch: ModuleType) -> Any:
    if isinstance(layer.axis, tuple) and len(layer.axis) > 1:
        raise not_carried(layer, "PyTorch", f"there it has one axis. Received: axis={layer.axis}")
    return torch.nn.Softmax(layer.axis[0] if isinstance(layer.axis, tuple) else layer.axis)


def _reshape_out(layer: Reshape, shape: Shape, torch: ModuleType) -> Any:
    target = tuple(layer.compute_output_shape(shape)[1:])
    if len(shape) == 2:
        return torch.nn.Unflatten(1, target)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Unflatten(1, target))


LAYERS_OUT: dict[type[Layer], Callable[[Any, Shape, Any], Any]] = {
    Dense: lambda layer, shape, torch: torch.nn.Linear(shape[-1], layer.units, layer.use_bias),
    BatchNormalization: _batch_norm_out,
    LayerNormalization: _layer_norm_out,
    RMSNormalization: lambda layer, shape, torch: torch.nn.RMSNorm(_normalized(layer, shape), layer.epsilon),
    Embedding: lambda layer, shape, torch: torch.nn.Embedding(layer.input_dim, layer.output_dim),
    PReLU: _prelu_out,
    Dropout: lambda layer, shape, torch: torch.nn.Dropout(layer.rate),
    AlphaDropout: lambda layer, shape, torch: torch.nn.AlphaDropout(layer.rate),
    Flatten: lambda layer, shape, torch: torch.nn.Flatten(),
    Reshape: _reshape_out,
    Identity: lambda layer, shape, torch: torch.nn.Identity(),
    Softmax: _softmax_out,
}


def module_of(layer: Layer, shape: Shape, torch: object) -> Any:
    """Return the module of a layer without its weights and without the activation of a Dense layer.

    Raises
    ------
    ValueError
        If PyTorch has no such module.
    """
    if isinstance(layer, AnyActivation):
        return activation_module(layer.activation, layer, shape, torch)
    if isinstance(layer, ParametricActivation):
        inner = activation_module(layer.activation, layer, shape, torch)
        return expression(torch, lambda x, alpha: x + alpha * (inner(x) - x), {"alpha": layer.alpha.numpy()}, True)
    if type(layer) in LAYERS:
        return LAYERS[type(layer)](layer, shape, torch)
    if isinstance(layer, Lambda):
        raise not_carried(layer, "PyTorch", NUMPY)
    if type(layer) not in LAYERS_OUT:
        raise not_carried(layer, "PyTorch")
    return LAYERS_OUT[type(layer)](layer, shape, torch)
