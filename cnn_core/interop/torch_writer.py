"""Models as modules of PyTorch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import cnn_core.activations as activations
import cnn_core.layers.merging as merging
from cnn_core.foundation.caller import warn_caller
from cnn_core.foundation.extras import need
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.interop.calls import Call, Calls, calls_of, left_out, not_carried
from cnn_core.interop.torch_expressions import Kept, masked_average
from cnn_core.interop.torch_functions import Functions
from cnn_core.interop.torch_layers import LEFT_OUT, activation_module, module_of
from cnn_core.interop.torch_weights import as_tensor, named_variables
from cnn_core.layers.axes import sample_axes
from cnn_core.layers.base import Layer
from cnn_core.layers.dense import Dense
from cnn_core.layers.einsum_dense import EinsumDense
from cnn_core.layers.ensemble import EnsembleDense
from cnn_core.layers.pooling import GlobalAveragePooling1D
from cnn_core.layers.wrapper import SpectralNormalization
from cnn_core.network.graph import Shape
from cnn_core.ops.operation import Operation

if TYPE_CHECKING:
    from types import ModuleType


@knows_its_arguments
def to_torch(model: Any) -> Any:
    """Return a model as a module of PyTorch with copies of the weights.

    Parameters
    ----------
    model : Model
        Built.

    Returns
    -------
    torch.nn.Module
        A `Sequential` for a chain of layers, else a `torch.fx.GraphModule`, which needs nothing of this package: its
        arguments are the inputs, and several outputs come as a tuple. In evaluation mode, of the model's dtype; what is
        not trainable here has ``requires_grad=False``.

    Raises
    ------
    ValueError
        If PyTorch cannot express a layer, by its name. Layers that it lacks and that act in training only are left out
        with a warning.
    ImportError
        Without the extra ``torch``.

    Notes
    -----
    BatchNorm1d's momentum is 1 minus ours. In training, PyTorch follows the variance divided by one less than the
    number of samples, so that statistics differ a little from ours as training goes on.
    """
    found = calls_of(model)
    torch = need("torch", "torch", "to_torch")
    need("torch.fx", "torch", "to_torch")
    modules = _Modules(torch, found)
    module = modules.chain() if found.is_chain and modules.each_once() else modules.graph(model.dtype)
    return module.eval()


class _Modules:
    """The modules of all layers, each made once."""

    def __init__(self, torch: ModuleType, found: Calls) -> None:
        self.torch, self.found = torch, found
        self.kept = Kept(torch)
        self.names: dict[int, list[str]] = {}

    def each_once(self) -> bool:
        parts = [call.layer for call in self.found.calls]
        no_modules = any(isinstance(part, (merging.Merge, Operation)) for part in parts)
        return len(set(map(id, parts))) == len(parts) and not no_modules

    def of(self, layer: Layer, shape: Shape) -> list[str]:
        """Return the names of the modules that do what a layer does, one after the other."""
        layer = layer.layer if isinstance(layer, SpectralNormalization) else layer
        if id(layer) in self.names:
            return self.names[id(layer)]
        names = self.names[id(layer)] = []
        if type(layer) in LEFT_OUT:
            warn_caller(left_out(layer, LEFT_OUT[type(layer)]))
            return names
        module = module_of(layer, shape, self.torch)
        if module is None:
            raise not_carried(layer, "PyTorch", "its settings have no counterpart there")
        names.append(self.kept.keep(layer.name, self._filled(module, layer)))
        if isinstance(layer, (Dense, EinsumDense, EnsembleDense)) and layer.activation != activations.linear:
            made = _shape_before_activation(layer, shape)
            inner = activation_module(layer.activation, layer, made, self.torch)
            names.append(self.kept.keep(f"{layer.name}_activation", inner))
        return names

    def _filled(self, module: Any, layer: Layer) -> Any:
        module = module.to(getattr(self.torch, layer.dtype))
        tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        with self.torch.no_grad():
            for name, variable in named_variables(layer).items():
                value = self.torch.from_numpy(as_tensor(variable))
                tensors[name].copy_(value.reshape(tensors[name].shape))
        for parameter in module.parameters():
            parameter.requires_grad_(layer.trainable)
        return module

    def chain(self) -> Any:
        for call in self.found.calls:
            assert isinstance(call.layer, Layer)
            self.of(call.layer, self.found.shapes[call.inputs[0]])
        return self.torch.nn.Sequential(OrderedDict(self.kept.made))

    def graph(self, dtype: str) -> Any:
        functions = Functions(self.kept, self.torch.fx.Graph(), dtype, activation_module)
        values = {number: functions.input(f"x_{number}" if number else "x") for number in self.found.inputs}
        shapes = self.found.shapes
        for call in self.found.calls:
            read = [values[number] for number in call.inputs]
            if isinstance(call.layer, Operation):
                made = functions.write(call.layer, read, [shapes[number] for number in call.outputs])
            elif isinstance(call.layer, merging.Merge):
                made = [self._merged(call, list(map(functions.as_number, read)))]
            elif len(read) > 1:
                made = [self._masked(call, read[0], functions.as_truth(read[1]))]
            else:
                made = read
                for name in self.of(call.layer, shapes[call.inputs[0]]):
                    made = [functions.through(name, made[0])]
            values.update(zip(call.outputs, made, strict=True))
        outputs = self.found.outputs
        return functions.finished([values[number] for number in outputs], [shapes[number] for number in outputs])

    def _masked(self, call: Call, x: object, mask: object) -> Any:
        if not isinstance(call.layer, GlobalAveragePooling1D):
            raise not_carried(call.layer, "PyTorch", "it reads a mask")
        return masked_average(call.layer, x, mask, self.torch)

    def _merged(self, call: Call, x: list[Any]) -> Any:
        merge: Any = _MERGED.get(type(call.layer))  # type: ignore[arg-type]
        if merge is None:
            raise not_carried(call.layer, "PyTorch")
        shapes = [self.found.shapes[number] for number in call.inputs]
        rank = max(map(len, shapes))
        for place, shape in enumerate(shapes):
            for _ in range(rank - len(shape)):
                x[place] = self.torch.unsqueeze(x[place], 1)  # a missing axis counts as one of size 1 after the batch's
        return merge(self.torch, call.layer, x, shapes)


def _in_turn(function: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, list[Any], list[Shape]], Any]:
    def merged(torch: ModuleType, layer: Layer, x: list[Any], shapes: list[Shape]) -> Any:
        result = x[0]
        for other in x[1:]:
            result = function(torch, result, other)
        return result

    return merged


_add = _in_turn(lambda t, a, b: a + b)


def _dot(torch: ModuleType, layer: merging.Dot, x: list[Any], shapes: list[Shape]) -> Any:
    if [len(shape) for shape in shapes] != [2, 2]:
        raise not_carried(layer, "PyTorch", "only vectors are multiplied there")
    if layer.normalize:
        x = [each / torch.clamp(torch.linalg.vector_norm(each, dim=1, keepdim=True), min=1e-12) for each in x]
    return torch.sum(x[0] * x[1], 1, keepdim=True)


# By torch, the layer, its inputs of equal rank, and their shapes.
_MERGED: dict[type[Layer], Callable[[Any, Any, list[Any], list[Shape]], Any]] = {
    merging.Add: _add,
    merging.Subtract: _in_turn(lambda t, a, b: a - b),
    merging.Multiply: _in_turn(lambda t, a, b: a * b),
    merging.Average: lambda t, layer, x, shapes: _add(t, layer, x, shapes) / len(x),
    merging.Maximum: _in_turn(lambda t, a, b: t.maximum(a, b)),
    merging.Minimum: _in_turn(lambda t, a, b: t.minimum(a, b)),
    merging.Concatenate: lambda t, layer, x, s: t.cat(x, sample_axes(layer.axis, s[0], layer.name)[0] + 1),
    merging.Dot: _dot,
}


def _shape_before_activation(layer: Dense | EinsumDense | EnsembleDense, shape: Shape) -> Shape:
    if isinstance(layer, EinsumDense):
        return layer.sized(shape).batch_shape
    if isinstance(layer, EnsembleDense):
        return (shape[0], layer.n_members, layer.units)
    return (*shape[:-1], layer.units)
