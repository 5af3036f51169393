"""Looking inside: every z, a, delta, dW and db of a batch, gradients, and a check of them by differences. Floor 4."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnn_core import _core
from cnn_core.arrays import Array
from cnn_core.parameters import native_optimizer


@dataclass(frozen=True)
class LayerTrace:
    """What one layer computed for a batch of n samples.

    Attributes
    ----------
    name : str
        Of the layer.
    kind : str
        Of the operation: "dense", "activation", ...
    z : numpy.ndarray of shape (n, units) or None
        The weighted sums, before the activation; equal to `a` without one. None where the layer has no such thing.
    a : numpy.ndarray of shape (n, units)
        The output.
    delta : numpy.ndarray of shape (n, units) or None
        dJ/dz, the mean over the batch already divided out. None without targets, or where no parameter depends on it.
    dW, db : numpy.ndarray or None
        dJ/dkernel and dJ/dbias, penalties left out.
    inputs : tuple of str
        The layers or inputs it reads.
    """

    name: str
    kind: str
    z: Array | None
    a: Array
    delta: Array | None = None
    dW: Array | None = None
    db: Array | None = None
    inputs: tuple[str, ...] = ()

    @property
    def dw(self) -> Array | None:
        """The same as `dW`."""
        return self.dW


@dataclass(frozen=True)
class Trace:
    """A batch seen through a network.

    Attributes
    ----------
    layers : list of LayerTrace
        In the order of the forward pass.
    inputs : dict of str to numpy.ndarray
    loss : float or None
        J, penalties included; None without targets.
    """

    layers: list[LayerTrace]
    inputs: dict[str, Array] = field(default_factory=dict)
    loss: float | None = None

    def __getitem__(self, name: str | int) -> LayerTrace:
        """Return a layer's trace by its name or number."""
        if isinstance(name, int):
            return self.layers[name]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(f"{name!r}; layers: {', '.join(layer.name for layer in self.layers)}")

    def __iter__(self) -> Any:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def graph(self) -> Graph:
        """Return the traced network as a computation graph: values on nodes, gradients on edges."""
        return build_graph(self)

    def __str__(self) -> str:
        return str(self.graph())


@dataclass(frozen=True)
class Edge:
    """An edge of a computation graph.

    Attributes
    ----------
    source, target : str
        Names of nodes.
    gradient : numpy.ndarray or None
        dJ/d(value of the source) along this edge, shaped like the source's value.
    """

    source: str
    target: str
    gradient: Array | None


@dataclass(frozen=True)
class Graph:
    """A computation graph.

    Attributes
    ----------
    nodes : dict of str to numpy.ndarray
        Inputs, each layer's z and a, and J, with their values.
    edges : list of Edge
    """

    nodes: dict[str, Array]
    edges: list[Edge]

    def __str__(self) -> str:
        lines = []
        for name, value in self.nodes.items():
            lines.append(f"{name} {value.shape} = {_short(value)}")
            for edge in self.edges:
                if edge.target == name:
                    lines.append(f"  <- {edge.source}" + ("" if edge.gradient is None else f", dJ = {_short(edge.gradient)}"))
        return "\n".join(lines)


def _short(value: Array) -> str:
    flat = value.reshape(-1)
    numbers = ", ".join(f"{number:.4g}" for number in flat[:4])
    return f"[{numbers}{', ...' if flat.size > 4 else ''}]"


def build_graph(trace: Trace) -> Graph:
    """Turn a trace into nodes and edges."""
    nodes: dict[str, Array] = dict(trace.inputs)
    edges: list[Edge] = []
    values = {name: name for name in trace.inputs}
    for layer in trace.layers:
        sources = [values[name] for name in layer.inputs if name in values]
        target = f"{layer.name}.a"
        if layer.z is not None and layer.z is not layer.a:
            nodes[f"{layer.name}.z"] = layer.z
            edges += [Edge(source, f"{layer.name}.z", None) for source in sources]
            edges.append(Edge(f"{layer.name}.z", target, layer.delta))
        else:
            edges += [Edge(source, target, layer.delta if len(sources) == 1 and layer.z is None else None) for source in sources]
        nodes[target] = layer.a
        values[layer.name] = target
    if trace.loss is not None:
        nodes["J"] = np.asarray(trace.loss)
        read = {name for layer in trace.layers for name in layer.inputs}
        edges += [Edge(values[layer.name], "J", None) for layer in trace.layers if layer.name not in read]
    return Graph(nodes, edges)


def _run(model: Any, x: Any, y: Any, sample_weight: Any, mode: str, with_inputs: bool = False) -> tuple[Any, Any, Any]:
    """One batch forward and backward, without a step; returns the pass, the parameters and the data."""
    model._require_compiled("trace" if mode == "tracing" else "gradients")
    with model._exclusive("trace" if mode == "tracing" else "gradients"):
        model._build_for(x)
        objectives = model._objectives_for(y)
        data = model._dataset(x, y, sample_weight, None, objectives)
        parameters = model._bind()
        targets = objectives.prepare_targets(data.targets, model.compute_dtype)
        native = _core.Pass(
            model._network(), data.inputs, targets, data.weights, max(data.n, 1), objectives.native_losses(targets), [],
            native_optimizer(parameters, None), None, mode, 0, with_inputs,
        )
        status, _, _ = native(0, 1, None, 0, None, False)
        if status == "diverged":
            from cnn_core.passes import NonFiniteLossError

            raise NonFiniteLossError(f"The loss of this batch is {native.last_loss}: there is no gradient")
        return native, parameters, data


def trace(model: Any, x: Any, y: Any = None, sample_weight: Any = None) -> Trace:
    """Show what every layer computes for a batch, and every derivative of the delta recursion.

    Layers behave as in training, but nothing is dropped and no statistics move.

    Parameters
    ----------
    model : Model
        Compiled, unless `y` is None.
    x : array-like
    y : array-like, default None
        None: forward only.
    sample_weight : array-like, default None

    Returns
    -------
    Trace

    Examples
    --------
    >>> from cnn_core import Input, Sequential, layers
    >>> model = Sequential([Input((2,)), layers.Dense(3, "tanh", name="hidden"), layers.Dense(1, name="output")])
    >>> model.compile("sgd", "half_squared_error")
    >>> seen = trace(model, [[0.5, 1.0]], [[2.0]])
    >>> [layer.name for layer in seen], seen["hidden"].delta.shape, seen["hidden"].dW.shape
    (['hidden', 'output'], (1, 3), (2, 3))
    """
    if y is None:
        return _forward_trace(model, x)
    native, parameters, data = _run(model, x, y, sample_weight, "tracing")
    plan = model._plan
    by_variable = {
        id(variable): part.copy()
        for variable, part in zip(parameters.variables, parameters.split(parameters.gradients), strict=True)
    }
    penalties = _penalty_gradients(parameters)
    names = _writers(model, plan)
    layers = []
    for number, operation in enumerate(plan.operations):
        shape = (data.n, *plan.shapes[operation.output])
        a = native.value(operation.output).reshape(shape)
        z = native.pre_activation(number)
        z = z.reshape(shape) if z is not None else a if operation.activation == "linear" and operation.tensors else None
        delta = native.delta(operation.output)
        dW, db = None, None
        if operation.kind == "dense":
            found = [
                None if tensor is None or id(plan.variables[tensor]) not in by_variable
                else by_variable[id(plan.variables[tensor])] - penalties[id(plan.variables[tensor])]
                for tensor in operation.tensors
            ]
            dW, db = (*found, None, None)[:2]
        layers.append(
            LayerTrace(
                operation.layer, operation.kind, z, a, None if delta is None else delta.reshape(shape), dW, db,
                tuple(names[buffer] for buffer in operation.inputs),
            )
        )
    inputs = {
        name: native.value(buffer).reshape(data.n, *plan.shapes[buffer])
        for name, buffer in zip(model.input_names, plan.inputs, strict=True)
    }
    return Trace(layers, inputs, float(native.last_loss))


def _forward_trace(model: Any, x: Any) -> Trace:
    model._build_for(x)
    data = model._dataset(x, None, None, None, None)
    network, plan = model._ready_network(), model._plan
    block = _core.Block(network, data.n, False)
    block.forward(data.inputs)
    names = _writers(model, plan)
    layers = []
    for number, operation in enumerate(plan.operations):
        shape = (data.n, *plan.shapes[operation.output])
        a = block.value(operation.output).reshape(shape)
        z = block.pre_activation(number)
        z = z.reshape(shape) if z is not None else a if operation.activation == "linear" and operation.tensors else None
        read = tuple(names[buffer] for buffer in operation.inputs)
        layers.append(LayerTrace(operation.layer, operation.kind, z, a, inputs=read))
    inputs = {
        name: block.value(buffer).reshape(data.n, *plan.shapes[buffer])
        for name, buffer in zip(model.input_names, plan.inputs, strict=True)
    }
    return Trace(layers, inputs)


def _writers(model: Any, plan: Any) -> dict[int, str]:
    """The name of the layer or input that writes each buffer."""
    names = dict(zip(plan.inputs, model.input_names, strict=True))
    return names | {operation.output: operation.layer for operation in plan.operations}


def _penalty_gradients(parameters: Any) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for variable in parameters.variables:
        found[id(variable)] = 0 if variable.regularizer is None else variable.regularizer.gradient(variable.array)
    return found


def gradients(
    model: Any, x: Any, y: Any, sample_weight: Any = None, *, with_inputs: bool = False
) -> list[Array] | tuple[list[Array], Any]:
    """Compute dJ/dw for every trainable weight: the loss's and the penalties' share.

    Parameters
    ----------
    model : Model
        Compiled.
    x, y, sample_weight
        A batch.
    with_inputs : bool, default False
        Whether to return dJ/dx too.

    Returns
    -------
    list of numpy.ndarray
        In the order of `model.trainable_weights`. With `with_inputs` a tuple of it and dJ/dx, an array or a list.
    """
    native, parameters, data = _run(model, x, y, sample_weight, "tracing", with_inputs)
    weights = [part.copy() for part in parameters.split(parameters.gradients)]
    if not with_inputs:
        return weights
    plan = model._plan
    dx = [native.delta(buffer).reshape(data.n, *plan.shapes[buffer]) for buffer in plan.inputs]
    return weights, dx[0] if len(dx) == 1 else dx


@dataclass(frozen=True)
class GradientCheck:
    """How backpropagation compares with central differences.

    Attributes
    ----------
    relative_errors : dict of str to float
        For each weight: the largest |backpropagated - difference| over the larger of their sizes and 1e-8... of the
        whole tensor.
    max_relative_error : float
    tolerance : float
    """

    relative_errors: dict[str, float]
    tolerance: float

    @property
    def max_relative_error(self) -> float:
        return max(self.relative_errors.values(), default=0.0)

    @property
    def passed(self) -> bool:
        return self.max_relative_error <= self.tolerance

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        lines = [f"{name}: {error:.2e}" for name, error in self.relative_errors.items()]
        return "\n".join([*lines, f"{'passed' if self.passed else 'FAILED'} (tolerance {self.tolerance:g})"])


def gradient_check(
    model: Any,
    x: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    step: float = 1e-6,
    tolerance: float = 1e-5,
    max_elements: int = 200,
    seed: int = 0,
) -> GradientCheck:
    """Compare the gradients of backpropagation with central differences ``(J(w + h) - J(w - h)) / 2h``.

    Parameters
    ----------
    model : Model
        Compiled, of dtype float64: float32 is too coarse for differences. Its weights are the same afterwards.
    x, y, sample_weight
        A small batch.
    step : float, default 1e-6
        h.
    tolerance : float, default 1e-5
    max_elements : int, default 200
        Elements of each weight to check, drawn at random where it has more.
    seed : int, default 0

    Returns
    -------
    GradientCheck
        True if all are within the tolerance. The error of a tensor is max |g - d| / max(max |g|, max |d|, 1e-6).

    Raises
    ------
    ValueError
        If the model is not float64.
    """
    model._build_for(x)
    if model.compute_dtype != np.float64:
        raise ValueError(
            'gradient_check needs a model of float64: build its layers with dtype="float64", or after '
            f'config.set_floatx("float64"). Received: {model.compute_dtype}'
        )
    computed = gradients(model, x, y, sample_weight)
    generator = np.random.default_rng(seed)
    errors: dict[str, float] = {}
    for variable, gradient in zip(model.trainable_variables, computed, strict=True):
        flat = variable.array.reshape(-1)
        chosen = np.arange(flat.size)
        if flat.size > max_elements:
            chosen = np.sort(generator.choice(flat.size, max_elements, replace=False))
        differences = np.empty(len(chosen))
        for position, element in enumerate(chosen):
            kept = flat[element]
            try:
                flat[element] = kept + step
                above = _run(model, x, y, sample_weight, "tracing")[0].last_loss
                flat[element] = kept - step
                below = _run(model, x, y, sample_weight, "tracing")[0].last_loss
            finally:
                flat[element] = kept
            differences[position] = (above - below) / (2 * step)
        found = np.asarray(gradient).reshape(-1)[chosen]
        size = max(np.abs(found).max(initial=0), np.abs(differences).max(initial=0), 1e-6)
        name = variable.path if variable.path not in errors else f"{variable.path}#{len(errors)}"
        errors[name] = float(np.abs(found - differences).max(initial=0) / size)
    return GradientCheck(errors, tolerance)
