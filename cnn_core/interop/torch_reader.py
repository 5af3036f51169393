"""Modules of PyTorch as models, traced by torch.fx."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import cnn_core.foundation.validation as validation
import cnn_core.layers.merging as merging
from cnn_core.activations import Activation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.extras import need
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.interop.calls import in_dtype, model_between
from cnn_core.interop.torch_layers import layers_of
from cnn_core.interop.torch_operations import OF_DTYPE, OPERATIONS, operation
from cnn_core.interop.torch_weights import as_numpy, from_tensor, named_variables
from cnn_core.layers.activation import Activation as ActivationLayer
from cnn_core.layers.base import Layer
from cnn_core.layers.dense import Dense
from cnn_core.layers.input import Input
from cnn_core.layers.preprocessing import Rescaling
from cnn_core.layers.regularization import Dropout
from cnn_core.layers.reshaping import Flatten, Reshape
from cnn_core.network.graph import Symbol
from cnn_core.ops.shapes import BATCH

if TYPE_CHECKING:
    from types import ModuleType

    from cnn_core.ops.operation import Value


@knows_its_arguments
def from_torch(module: object, input_shape: object = None) -> Any:
    """Return a module of PyTorch as a model with copies of its weights.

    Parameters
    ----------
    module : torch.nn.Module
        `Sequential`, or any module that `torch.fx` can trace: of modules that this package has layers for, of their
        functions, and of what becomes functions of `ops`: slices, comparisons, reductions, products and the like.
        Parameters that such functions read are constants here.
    input_shape : tuple of int, or list of them for several inputs, default None
        Of one sample. None: taken from the module that reads the input, if that tells it.

    Returns
    -------
    Sequential or Model
        Of the module's dtype, float32 or float64.

    Raises
    ------
    ValueError
        If `torch.fx` cannot trace the module, or something in it has no counterpart, which is named.
    ImportError
        Without the extra ``torch``.

    Notes
    -----
    BatchNormalization's momentum is 1 minus PyTorch's. PyTorch computes softplus as z above 20, where this package
    remains exact.
    """
    torch = need("torch", "torch", "from_torch")
    fx = need("torch.fx", "torch", "from_torch")
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"`module` must be a torch.nn.Module. Received: module={validation.show(module)}")
    whole = module if _is_composed(module) else torch.nn.Sequential(module)
    try:
        traced = fx.symbolic_trace(whole)
    except Exception as error:
        raise ValueError(f"`module` must be one that torch.fx can trace: {error}") from error
    return _Reader(torch, traced, _dtype(module)).model(input_shape)


def _is_composed(module: object) -> bool:
    return not type(module).__module__.startswith("torch.nn.") or type(module).__name__ == "Sequential"


def _dtype(module: Any) -> str:
    names = {str(tensor.dtype).removeprefix("torch.") for tensor in module.state_dict().values()} - {"int64"}
    if len(names) > 1 or not names <= {"float32", "float64"}:
        raise ValueError(
            "`module` must have one dtype, float32 or float64: use module.float() or module.double(). "
            f"Received: {', '.join(sorted(names))}"
        )
    return names.pop() if names else "float32"


class _Reader:
    def __init__(self, torch: ModuleType, traced: Any, dtype: str) -> None:
        self.torch, self.traced, self.dtype = torch, traced, dtype
        self.values: dict[Any, Any] = {}
        self.known: dict[str, list[Layer]] = {}
        self.names: set[str] = set()

    def model(self, input_shape: Any) -> Any:
        nodes = list(self.traced.graph.nodes)
        places = [node for node in nodes if node.op == "placeholder"]
        inputs = [
            Input(shape, dtype=self.dtype, name=str(node.name))
            for node, shape in zip(places, self._shapes(places, input_shape), strict=True)
        ]
        self.values.update(zip(places, inputs, strict=True))
        outputs: list[Symbol] = []
        for node in nodes:
            if node.op == "output":
                outputs = self._outputs(node.args[0])
            elif node.op != "placeholder":
                self.values[node] = self._value(node)
        return model_between(inputs, outputs)

    def _shapes(self, places: Sequence[object], given: Any) -> list[Any]:
        if given is None:
            return [self._shape_read_by(place) for place in places]
        each = given if given and isinstance(given[0], (list, tuple)) else [given]
        if len(each) != len(places):
            raise ValueError(f"`input_shape` must have {len(places)} shapes, one for each input. Received: {given}")
        return [validation.shape(shape, "input_shape") for shape in each]

    def _shape_read_by(self, place: Any) -> tuple[int, ...]:
        """Look for a module that tells how many features its input has."""
        node = place
        while len(node.users) >= 1:
            (node, *_) = node.users
            module = self.traced.get_submodule(node.target) if node.op == "call_module" else None
            for name in ("in_features", "num_features", "normalized_shape"):
                size = getattr(module, name, None)
                if size is not None:
                    return (int(size),) if isinstance(size, int) else tuple(size)
            if module is None or type(module).__name__ in ("Flatten", "Unflatten", "Embedding", "GLU"):
                break
        raise ValueError(
            f"`input_shape` must be given: the module does not tell that of {place.name!r}. Received: None"
        )

    def _outputs(self, result: object) -> list[Symbol]:
        parts = list(result) if isinstance(result, (list, tuple)) else [result]
        values = [self.values.get(part) if not isinstance(part, dict) else None for part in parts]
        if not all(isinstance(value, Symbol) for value in values):
            raise ValueError(f"`module` must return a tensor or a tuple of tensors. Received: {result}")
        return [value for value in values if isinstance(value, Symbol)]

    def _value(self, node: Any) -> Any:
        if node.op == "get_attr":
            return self._constant(node.target)
        if node.op == "call_module":
            return self._call_module(node)
        name = node.target if node.op == "call_method" else getattr(node.target, "__name__", str(node.target))
        arguments, keywords = (self.torch.fx.map_arg(each, self._known) for each in (node.args, node.kwargs))
        return self._call_function(node, name.strip("_"), list(arguments), dict(keywords))

    def _known(self, node: object) -> Any:
        return self.values[node]

    def _constant(self, target: str) -> Array:
        value: Any = self.traced
        for part in target.split("."):
            value = getattr(value, part)
        return as_numpy(value, target)

    # Modules

    def _call_module(self, node: Any) -> Symbol:
        source = self.values[node.args[0]]
        if len(node.args) != 1 or node.kwargs or not isinstance(source, Symbol):
            raise ValueError(f"module {node.target!r} must be called on one tensor. Received: {node.format_node()}")
        module = self.traced.get_submodule(node.target)
        if node.target not in self.known:
            self.known[node.target] = self._made(module, source, node.target)
            return self._through(self.known[node.target], source, self._tensors(module, node.target))
        return self._through(self.known[node.target], source, {})

    def _made(self, module: object, source: Symbol, target: str) -> list[Layer]:
        try:
            found = layers_of(module, source.shape)
        except ValueError as error:
            raise ValueError(f"module {target!r}: {error}") from None
        if found is None:
            raise ValueError(f"module {target!r} ({type(module).__name__}) has no counterpart here")
        layers = [ActivationLayer(each) if isinstance(each, Activation) else each for each in found]
        for layer in layers:
            self._name(layer, target)
        return layers

    def _name(self, layer: Layer, target: str) -> None:
        kind = type(layer).__name__.lower()
        stem = target.replace(".", "_")
        stem = f"{kind}_{stem}" if stem[:1].isdigit() else stem
        number, name = 1, stem
        while name in self.names:
            number, name = number + 1, f"{stem}_{number}"
        self.names.add(name)
        layer.name = name
        in_dtype(layer, self.dtype)

    def _tensors(self, module: Any, target: str) -> dict[str, Any]:
        found = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        if found and all(not parameter.requires_grad for parameter in module.parameters()) and [*module.parameters()]:
            self.known[target][0].trainable = False
        return found

    def _through(self, layers: Sequence[Layer], source: Symbol, tensors: dict[str, Any]) -> Symbol:
        value = source
        for layer in layers:
            value = layer(value)
        for name, variable in named_variables(layers[0]).items() if tensors else ():
            variable.array[...] = from_tensor(variable, tensors[name], f"{layers[0].name}.{name}")
        return value

    # Functions and methods, by name

    def _call_function(self, node: Any, name: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        keywords = {
            key: value for key, value in keywords.items() if key not in ("inplace", "_stacklevel") and value is not None
        }
        error: Exception | None = None
        for known, read in (
            (name in _OPERATIONS, self._by_layer),
            (name in _MODULES and isinstance(arguments[0], Symbol), self._by_module),
            (name in OPERATIONS or name in OF_DTYPE, self._by_operation),
        ):
            try:
                if known:
                    return read(node, name, arguments, keywords)
            except (TypeError, ValueError, AttributeError, IndexError) as found:
                error = error or found
        if error is None:
            raise ValueError(f"{node.name!r} ({name}) has no counterpart here")
        raise ValueError(f"{node.name!r} ({name}) cannot be carried over: {error}") from error

    def _by_layer(self, node: object, name: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        return _OPERATIONS[name](self, *arguments, **keywords)

    def _by_operation(self, node: object, name: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        return operation(name, arguments, keywords, self.dtype)

    def _by_module(self, node: Any, name: str, arguments: list[Any], keywords: dict[str, Any]) -> Symbol:
        """Read a function as the module of the same settings."""
        kind = _MODULES[name]
        cls = getattr(self.torch.nn, kind)
        allowed = inspect.signature(cls.__init__).parameters
        settings = {key: value for key, value in keywords.items() if key not in ("input", "training")}
        positional = [each for each in arguments[1:] if not isinstance(each, bool) or kind == "GELU"]
        if not set(settings) <= set(allowed):
            raise ValueError(f"`{', '.join(set(settings) - set(allowed))}` is not known here")
        module = cls(*positional, **settings)
        return self._through(self._made(module, arguments[0], node.name), arguments[0], {})

    def layer(self, layer: Layer, *sources: Symbol) -> Any:
        """Call a new layer of the module's dtype."""
        self.names.add(layer.name)
        return in_dtype(layer, self.dtype)(list(sources) if layer.n_inputs is None else sources[0])

    def scaled(self, source: Symbol, scale: object, offset: object) -> Any:
        """Apply constants: of one number, or of one for each feature of the last axis."""
        values = []
        for value in (scale, offset):
            array = np.asarray(value, np.float64)
            if array.size not in (1, source.shape[-1]) or math.prod(array.shape[:-1]) != 1 or array.ndim > source.ndim:
                raise ValueError(
                    "a constant must be a number or one for each feature. "
                    f"Received: shape={array.shape} for {source.shape}"
                )
            values.append(float(array.reshape(-1)[0]) if array.size == 1 else array.reshape(-1).tolist())
        return self.layer(Rescaling(*values), source)


def _binary(
    merge: type[Layer], right: Callable[[Any], tuple[Any, Any]], left: Callable[[Any], tuple[Any, Any]] | None
) -> Callable[..., Any]:
    """Read an operation of two tensors, or of a tensor and constants given as scale and offset by `right`, `left`."""

    def read(reader: _Reader, x: Value, y: object, alpha: float = 1) -> Any:
        if alpha != 1:
            raise ValueError(f"`alpha` must be 1. Received: alpha={alpha}")
        if isinstance(x, Symbol) and isinstance(y, Symbol):
            if x.ndim != y.ndim:
                raise ValueError(f"both must have the same number of axes. Received: {x.shape}, {y.shape}")
            return reader.layer(merge(), x, y)
        if isinstance(x, Symbol):
            return reader.scaled(x, *right(np.asarray(y)))
        if left is None or not isinstance(y, Symbol):
            raise ValueError("it must have a tensor of the batch on its left side")
        return reader.scaled(y, *left(np.asarray(x)))

    return read


def _divide(reader: _Reader, x: object, y: object) -> Any:
    if isinstance(y, Symbol) or not isinstance(x, Symbol):
        raise ValueError("only constants can divide")
    return reader.scaled(x, 1 / np.asarray(y), 0.0)


def _two(merge: type[Layer]) -> Callable[..., Any]:
    def read(reader: _Reader, x: Value, y: object) -> Any:
        if not (isinstance(x, Symbol) and isinstance(y, Symbol)):
            raise ValueError("both must be tensors of the batch")
        return reader.layer(merge(), x, y)

    return read


def _concatenated(reader: _Reader, tensors: Any, dim: int = 0) -> Any:
    return reader.layer(merging.Concatenate(dim), *tensors)


def _matmul(reader: _Reader, x: Value, kernel: Value, bias: object = None) -> Any:
    if not isinstance(x, Symbol) or isinstance(kernel, Symbol) or kernel.ndim != 2:
        raise ValueError("a tensor must be multiplied by a constant matrix on its right")
    layer = Dense(kernel.shape[1], use_bias=bias is not None)
    made = reader.layer(layer, x)
    layer.set_weights([kernel] if bias is None else [kernel, bias])
    return made


def _linear(reader: _Reader, x: Value, weight: Any, bias: object = None) -> Any:
    return _matmul(reader, x, weight.T, bias)


def _dropout(reader: _Reader, x: Any, p: float = 0.5, training: bool = True) -> Any:
    return reader.layer(Dropout(p), x) if training else x


def _flatten(reader: _Reader, x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    if start_dim != 1 or end_dim % x.ndim != x.ndim - 1:
        raise ValueError(f"all axes but the first must be flattened. Received: {start_dim} to {end_dim}")
    return reader.layer(Flatten(), x)


def _reshape(reader: _Reader, x: Any, *shape: Any) -> Any:
    batch, *sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], (list, tuple)) else shape
    if not (batch is BATCH or (batch == -1 and math.prod(sizes) == math.prod(x.shape[1:]))):
        raise ValueError(f"the first axis must stay that of the batch. Received: shape={tuple(shape)}")
    return reader.layer(Flatten() if len(sizes) == 1 else Reshape(sizes), x)


def _size(reader: _Reader, x: Any, dim: int | None = None) -> Any:
    sizes = (BATCH, *x.shape[1:])
    return sizes if dim is None else sizes[dim]


def _attribute(reader: _Reader, x: Any, name: str) -> Any:
    if name == "T" and not isinstance(x, Symbol):
        return x.T
    known = {"shape": _size(reader, x), "ndim": x.ndim, "dtype": f"torch.{reader.dtype}", "device": "cpu"}
    if name not in known:
        raise ValueError(f"of a tensor {', '.join(known)} are known. Received: {name!r}")
    return known[name]


def _item(reader: _Reader, value: Any, index: object) -> Any:
    if isinstance(value, Symbol):
        raise ValueError("parts of a tensor cannot be taken")
    return value[index]


def _unchanged(reader: _Reader, x: object, *others: object, **more: object) -> Any:
    return x


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": _binary(merging.Add, lambda c: (1.0, c), lambda c: (1.0, c)),
    "iadd": _binary(merging.Add, lambda c: (1.0, c), lambda c: (1.0, c)),
    "sub": _binary(merging.Subtract, lambda c: (1.0, -c), lambda c: (-1.0, c)),
    "mul": _binary(merging.Multiply, lambda c: (c, 0.0), lambda c: (c, 0.0)),
    "truediv": _divide,
    "div": _divide,
    "neg": lambda reader, x: reader.scaled(x, -1.0, 0.0),
    "maximum": _two(merging.Maximum),
    "minimum": _two(merging.Minimum),
    "cat": _concatenated,
    "concat": _concatenated,
    "matmul": _matmul,
    "linear": _linear,
    "dropout": _dropout,
    "flatten": _flatten,
    "view": _reshape,
    "reshape": _reshape,
    "size": _size,
    "getattr": _attribute,
    "getitem": _item,
    "exp": lambda reader, x: reader.layer(ActivationLayer("exponential"), x),
    "contiguous": _unchanged,
    "clone": _unchanged,
}

# Functions that have a module of the same settings.
_MODULES = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "leaky_relu": "LeakyReLU",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "elu": "ELU",
    "selu": "SELU",
    "celu": "CELU",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "silu": "SiLU",
    "gelu": "GELU",
    "mish": "Mish",
    "logsigmoid": "LogSigmoid",
    "hardsigmoid": "Hardsigmoid",
    "hardswish": "Hardswish",
    "hardtanh": "Hardtanh",
    "softshrink": "Softshrink",
    "hardshrink": "Hardshrink",
    "tanhshrink": "Tanhshrink",
    "threshold": "Threshold",
    "softmax": "Softmax",
    "log_softmax": "LogSoftmax",
    "glu": "GLU",
}
