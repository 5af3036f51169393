"""Which of PyTorch's tensors is which of our variables, and weights alone; PyTorch itself is not needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.interop.calls import calls_of, described
from cnn_core.layers.activation import PReLU
from cnn_core.layers.base import Layer
from cnn_core.layers.dense import Dense
from cnn_core.layers.embedding import Embedding
from cnn_core.layers.normalization import BatchNormalization, LayerNormalization, RMSNormalization
from cnn_core.network.variables import Variable
from cnn_core.ops.operation import Operation

# Of each kind of layer: the attribute that holds a variable, and the name of the tensor.
TENSORS: dict[type[Layer], dict[str, str]] = {
    Dense: {"kernel": "weight", "bias": "bias"},  # a kernel is the transpose of a weight
    BatchNormalization: {
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    },
    LayerNormalization: {"gamma": "weight", "beta": "bias"},
    RMSNormalization: {"scale": "weight"},
    Embedding: {"embeddings": "weight"},
    PReLU: {"alpha": "weight"},
}
_NO_WEIGHT = "num_batches_tracked"


def named_variables(layer: Layer) -> dict[str, Variable]:
    """Return the variables of a layer by the names that PyTorch gives the tensors.

    Examples
    --------
    >>> from cnn_core import layers
    >>> layer = layers.Dense(2, use_bias=False)
    >>> layer.build((None, 3))
    >>> list(named_variables(layer))
    ['weight']
    """
    names = TENSORS.get(type(layer), {})
    found = {theirs: getattr(layer, ours, None) for ours, theirs in names.items()}
    return {name: variable for name, variable in found.items() if variable is not None}


def as_tensor(variable: Variable) -> Array:
    """Return a variable's value in the layout of PyTorch.

    Examples
    --------
    >>> from cnn_core import layers
    >>> layer = layers.Dense(2)
    >>> layer.build((None, 3))
    >>> as_tensor(layer.kernel).shape
    (2, 3)
    """
    value = variable.numpy()
    return np.ascontiguousarray(value.T) if variable.name == "kernel" else value


def from_tensor(variable: Variable, tensor: object, name: str) -> Array:
    """Return a tensor in the layout and dtype of a variable; PReLU's may lack axes of size 1.

    Raises
    ------
    ValueError
        If the shape is another one, or a number is not finite.
    """
    value = as_numpy(tensor, name)
    if variable.name == "kernel" and value.ndim == 2:
        value = value.T
    if variable.name == "alpha" and value.size == variable.size:
        value = value.reshape(variable.shape)
    if value.shape != variable.shape:
        expected = variable.shape[::-1] if variable.name == "kernel" else variable.shape
        raise ValueError(
            f"{name!r} must have the shape {expected}. Received: shape={tuple(as_numpy(tensor, name).shape)}"
        )
    return variable.check(value)


def as_numpy(tensor: Any, name: str) -> Array:
    """Return a tensor of PyTorch, or an array, as an array.

    Raises
    ------
    TypeError
        If NumPy has no such dtype.
    """
    if hasattr(tensor, "detach"):
        try:
            array: Array = tensor.detach().cpu().numpy()
        except TypeError:
            raise TypeError(
                f"{name!r} must have a dtype that NumPy has: convert by .float(). Received: dtype={tensor.dtype}"
            ) from None
        return array
    return np.asarray(tensor)


@knows_its_arguments
def load_torch_state_dict(model: object, state_dict: Mapping[str, object]) -> None:
    """Set the weights of a model from a state_dict of PyTorch whose modules stand in the order of the layers.

    Parameters
    ----------
    model : Model
        Built, with the layers that the module has.
    state_dict : mapping of str to tensor or array
        As ``module.state_dict()`` gives it, `torch.load` reads it, or a safetensors or npz file holds it. Names need
        not be those of the layers; where they all are, they decide.

    Raises
    ------
    ValueError
        If there are other tensors, or of other shapes; then no weight is changed.

    Examples
    --------
    >>> import numpy as np
    >>> from cnn_core import Input, Sequential, layers
    >>> model = Sequential([Input((2,)), layers.Dense(1)])
    >>> load_torch_state_dict(model, {"0.weight": np.array([[1.0, 2.0]]), "0.bias": np.array([0.5])})
    >>> model(np.array([[1.0, 1.0]]))
    array([[3.5]], dtype=float32)
    """
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"`state_dict` must map names to tensors. Received: state_dict={validation.show(state_dict)}")
    layers: dict[int, Layer] = {}
    for part in (call.layer for call in calls_of(model).calls if call.layer.variables):
        if isinstance(part, Operation) or type(part) not in TENSORS:
            raise ValueError(f"{described(part)} has weights that no module of PyTorch has")
        layers[id(part)] = part
    groups = _by_module(state_dict)
    if len(groups) != len(layers):
        raise ValueError(
            f"`state_dict` must hold the weights of {len(layers)} modules: "
            f"{', '.join(layer.name for layer in layers.values())}. Received: {len(groups)}: {', '.join(groups)}"
        )
    by_name = all(layer.name in groups for layer in layers.values())
    pairs = [(layer, layer.name if by_name else name) for layer, name in zip(layers.values(), groups, strict=True)]
    changes = [change for layer, name in pairs for change in _changes(layer, name, groups[name])]
    for variable, value in changes:
        variable.write(value)


def _by_module(state_dict: Mapping[str, object]) -> dict[str, dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {}
    for key, tensor in state_dict.items():
        module, _, name = validation.text(key, "state_dict").rpartition(".")
        if name != _NO_WEIGHT:
            groups.setdefault(module, {})[name] = tensor
    return groups


def _changes(layer: Layer, module: str, tensors: Mapping[str, object]) -> list[tuple[Variable, Array]]:
    variables = named_variables(layer)
    if set(variables) != set(tensors):
        raise ValueError(
            f"`state_dict` must hold {', '.join(variables)} for layer {layer.name!r} ({type(layer).__name__}). "
            f"Received: {', '.join(tensors)} of {module!r}"
        )
    return [
        (variable, from_tensor(variable, tensors[name], f"{module}.{name}")) for name, variable in variables.items()
    ]
