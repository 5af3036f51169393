"""Looking inside: every z, a, delta, dW and db of a batch, gradients, and a check of them by differences.

The values come from the same native pass that trains; what a layer passes back along each edge is asked of the layer's
operation by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import cnn_core._core as _core
import cnn_core.ops.derivation as derivation
from cnn_core.data.dataset import Dataset
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.foundation.structures import filled
from cnn_core.network.native import bound_network, native_pass, run_whole
from cnn_core.network.parameters import ParameterVector, native_optimizer
from cnn_core.network.plan import NetworkPlan, Operation
from cnn_core.training.epochs import NonFiniteLossError
from cnn_core.training.objectives import Objectives, OutputLoss
from cnn_core.training.trainer import Trainer


@dataclass(frozen=True)
class LayerTrace:
    """What one layer computed for a batch of n samples, in one of its uses.

    Attributes
    ----------
    name : str
        Of the layer; from the second use on followed by "#2", "#3", ...
    kind : str
        Of its operation: "dense", "activation", ...
    inputs : tuple of str
        What it reads: names of inputs and of other traces.
    z : numpy.ndarray of shape (n, units) or None
        What the activation was applied to: a Dense layer's weighted sums. The same array as `a` where the activation is
        linear, None in a layer that has no such thing.
    a : numpy.ndarray of shape (n, units)
        The output.
    delta : numpy.ndarray of shape (n, units) or None
        dJ/dz, or dJ/da in a layer without z; the mean over the batch is in it already. None without targets, and where
        no trained parameter lies below.
    dW, db : numpy.ndarray or None
        dJ/dkernel and dJ/dbias of a Dense layer, penalties left out. They are the sums over all uses of the layer.
    gradients : dict of str to numpy.ndarray
        The same for every trained variable of the layer, by its name.
    d_inputs : tuple of numpy.ndarray or None
        What the layer passes back to each of its inputs: delta . kernel^T in a Dense layer. It is that input's
        dJ/da if no other layer reads it.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    z: Array | None
    a: Array
    delta: Array | None = None
    dW: Array | None = None  # noqa: N815 - its name in the derivation
    db: Array | None = None
    gradients: dict[str, Array] = field(default_factory=dict)
    d_inputs: tuple[Array | None, ...] = ()

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
    outputs : dict of str to numpy.ndarray or None
        For the trace or input that each loss compares with its targets: dJ/da of that loss alone.
    """

    layers: list[LayerTrace]
    inputs: dict[str, Array]
    loss: float | None = None
    outputs: dict[str, Array] = field(default_factory=dict)

    def __getitem__(self, name: str | int) -> LayerTrace:
        """Return a layer's trace by its name or number."""
        if isinstance(name, int):
            return self.layers[name]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(f"{name!r}; layers: {', '.join(layer.name for layer in self.layers)}")

    def __iter__(self) -> Iterator[LayerTrace]:
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
        What comes back along the edge: the target's share of dJ/d(source), of the shape of the source's value.
    """

    source: str
    target: str
    gradient: Array | None


@dataclass(frozen=True)
class Graph:
    """A computation graph, printable as text.

    Attributes
    ----------
    nodes : dict of str to numpy.ndarray
        The inputs, each layer's z and a, and J, with their values; without z where the activation is linear.
    edges : list of Edge
    """

    nodes: dict[str, Array]
    edges: list[Edge]

    def __str__(self) -> str:
        """Write a line for each node, and below it one for each value that it is computed from."""
        lines = []
        for name, value in self.nodes.items():
            lines.append(f"{name} {value.shape} = {_short(value)}")
            for edge in self.edges:
                if edge.target == name:
                    back = "" if edge.gradient is None else f"   gradient back: {_short(edge.gradient)}"
                    lines.append(f"    <- {edge.source}{back}")
        return "\n".join(lines)


def _short(value: Array) -> str:
    rows = value.reshape(-1)
    numbers = ", ".join(f"{number:.4g}" for number in rows[:4])
    return f"[{numbers}{', ...' if rows.size > 4 else ''}]"


@dataclass(frozen=True)
class ExpressionGraph(Graph):
    """The computation graph of an expression.

    Attributes
    ----------
    gradients : dict of str to numpy.ndarray
        For every node the derivative of the result by it; of a result of several elements, of their sum.
    """

    gradients: dict[str, Array]


def expression(function: Callable[..., Any], *values: Any, **named: Any) -> ExpressionGraph:
    """Draw any expression as a graph: values forward, derivatives back, node by node.

    Parameters
    ----------
    function : callable
        Computes with operators and functions of `cnn_core.ops`, such as ``lambda a, b, c: (a + b) * c``.
    *values, **named : array-like
        Its arguments.

    Returns
    -------
    ExpressionGraph

    Examples
    --------
    >>> print(expression(lambda a, b, c: (a + b) * c, 5, 3, 2))
    a () = [5]
    b () = [3]
    c () = [2]
    add () = [8]
        <- a   gradient back: [2]
        <- b   gradient back: [2]
    multiply () = [16]
        <- add   gradient back: [2]
        <- c   gradient back: [8]
    """
    given = derivation.arguments_of(function, values, named)
    steps, gradients = derivation.derive(function, given)
    edges = [
        Edge(source, step.name, back)
        for step in steps
        for source, back in zip(step.sources, step.passed_back, strict=True)
    ]
    nodes = given | {step.name: step.value for step in steps}
    return ExpressionGraph(nodes, edges, gradients | {step.name: step.delta for step in steps})


@knows_its_arguments
def build_graph(trace: Trace) -> Graph:
    """Turn a trace into nodes and edges."""
    nodes: dict[str, Array] = dict(trace.inputs)
    edges: list[Edge] = []
    output_of = {name: name for name in trace.inputs}
    for layer in trace.layers:
        output = output_of[layer.name] = f"{layer.name}.a"
        first = output
        if layer.z is not None and layer.z is not layer.a:
            first = f"{layer.name}.z"
            nodes[first] = layer.z
        backward = layer.d_inputs or (None,) * len(layer.inputs)
        edges += [Edge(output_of[name], first, back) for name, back in zip(layer.inputs, backward, strict=True)]
        edges += [] if first == output else [Edge(first, output, layer.delta)]
        nodes[output] = layer.a
    if trace.loss is not None:
        nodes["J"] = np.asarray(trace.loss)
        edges += [Edge(output_of[name], "J", gradient) for name, gradient in trace.outputs.items()]
    return Graph(nodes, edges)


@dataclass(frozen=True)
class _Run:
    """One batch forward and backward, without a step."""

    native: _core.Pass
    plan: NetworkPlan
    parameters: ParameterVector
    objectives: Objectives
    data: Dataset

    def rows(self, buffer: int, values: Array | None) -> Array | None:
        """Give a buffer's rows the shape that the layer has."""
        return None if values is None else values.reshape(self.data.n, *self.plan.shapes[buffer])


def _run(model: Trainer, x: Any, y: Any, sample_weight: Any, purpose: str, *, inputs: bool, penalties: bool) -> _Run:
    """Run a batch; `inputs` asks for dJ/dx, `penalties` for the regularizers' share of J and of the gradients."""
    with model._exclusive(purpose):
        model._build_for(x)
        objectives = model._objectives_for(y, purpose)
        data = model._reader(objectives).read(x, y, sample_weight).dense()
        parameters = model._bind()
        targets = objectives.lay_out(data.targets, model.compute_dtype)  # type: ignore[arg-type]
        native = native_pass(
            model._network(),
            inputs=data.inputs,
            targets=targets,
            weights=data.weights,
            batch_size=max(data.n, 1),
            losses=objectives.describe_losses(targets),
            optimizer=native_optimizer(parameters, None, penalties=penalties),
            mode="tracing",
            input_gradients=inputs,
        )
        if not run_whole(native):
            raise NonFiniteLossError(f"The loss of this batch is {native.last_loss}: it has no gradient")
        assert model._plan is not None
        return _Run(native, model._plan, parameters, objectives, data)


@knows_its_arguments
def trace(model: Trainer, x: Any, y: Any = None, sample_weight: Any = None) -> Trace:
    """Show what every layer computes for a batch, and every derivative of the delta recursion.

    Parameters
    ----------
    model : Model
        Compiled, unless `y` is None.
    x : array-like
    y : array-like, default None
        With targets layers behave as in training, but no weight and no statistic moves. None: forward only, as in
        `predict`.
    sample_weight : array-like, default None

    Returns
    -------
    Trace

    Raises
    ------
    ValueError, TypeError
        If the data are not as they should be, or the model is not compiled.
    NonFiniteLossError
        If the loss is not finite.

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
    run = _run(model, x, y, sample_weight, "trace", inputs=True, penalties=False)
    names, traced = _layer_traces(model, run.plan, run.native, run.data.n)
    gradients = {
        id(variable): part.copy()
        for variable, part in zip(run.parameters.variables, run.parameters.split(run.parameters.gradients), strict=True)
    }
    layers = [_with_gradients(layer, operation, run, gradients) for layer, operation in traced]
    penalty = sum(
        float(variable.regularizer(variable.array))
        for variable in run.parameters.variables
        if variable.regularizer is not None
    )
    outputs: dict[str, Array] = {}
    for position, each in enumerate(run.objectives.losses):
        buffer = run.plan.outputs[each.output]
        back = _loss_gradient(run, position, each)
        outputs[names[buffer]] = outputs.get(names[buffer], 0) + back
    inputs = _input_values(model, run.plan, run.native, run.data.n)
    return Trace(layers, inputs, run.native.last_loss + penalty, outputs)


def _layer_traces(
    model: Trainer, plan: NetworkPlan, native: _core.Workbench, n: int
) -> tuple[dict[int, str], list[tuple[LayerTrace, Operation]]]:
    """Read z, a and delta of every layer; return also the name of what writes each buffer."""
    names = dict(zip(plan.inputs, [each.name for each in model.interface.inputs], strict=True))
    uses: dict[str, int] = {}
    found: list[tuple[LayerTrace, Operation]] = []
    for number, operation in enumerate(plan.operations):
        if operation.adds_to_loss:
            continue  # it computes nothing; its share of the delta is there already
        shape = (n, *plan.shapes[operation.output])
        a = native.value(operation.output).reshape(shape)
        if found and _continues(found[-1][1], operation):
            # An activation that changes the width, such as glu, stands apart from the sums that it is applied to.
            names[operation.output] = found[-1][0].name
            found[-1] = replace(found[-1][0], z=found[-1][0].a, a=a), found[-1][1]
            continue
        use = uses[operation.layer] = uses.get(operation.layer, 0) + 1
        name = operation.layer if use == 1 else f"{operation.layer}#{use}"
        z, delta = native.pre_activation(number), native.delta(operation.output)
        if z is not None:
            z = z.reshape(shape)
        elif operation.kind == "dense":
            z = a
        elif operation.kind == "activation":
            z = native.value(operation.inputs[0]).reshape(n, *plan.shapes[operation.inputs[0]])
        read = tuple(names[buffer] for buffer in operation.inputs)
        delta = None if delta is None else delta.reshape(shape)
        found.append((LayerTrace(name, operation.kind, read, z, a, delta), operation))
        names[operation.output] = name
    return names, found


def _continues(before: Operation, operation: Operation) -> bool:
    return (
        operation.kind == "activation"
        and before.kind != "activation"
        and operation.layer == before.layer
        and operation.inputs == (before.output,)
    )


def _input_values(model: Trainer, plan: NetworkPlan, native: _core.Workbench, n: int) -> dict[str, Array]:
    return {
        name: native.value(buffer).reshape(n, *plan.shapes[buffer])
        for name, buffer in zip([each.name for each in model.interface.inputs], plan.inputs, strict=True)
    }


def _with_gradients(layer: LayerTrace, operation: Operation, run: _Run, gradients: dict[int, Array]) -> LayerTrace:
    variables = [run.plan.variables[tensor] for tensor in operation.tensors if tensor is not None]
    own = {variable.name: gradients[id(variable)] for variable in variables if id(variable) in gradients}
    dW, db = (own.get("kernel"), own.get("bias")) if operation.kind == "dense" else (None, None)
    return replace(layer, dW=dW, db=db, gradients=own, d_inputs=_passed_back(operation, run))


def _passed_back(operation: Operation, run: _Run) -> tuple[Array | None, ...]:
    """What one operation, given its delta, passes back to each of its inputs."""
    delta = run.native.delta(operation.output)
    if delta is None:
        return (None,) * len(operation.inputs)
    plan = NetworkPlan()
    plan.variables = run.plan.variables
    buffers = [plan.add_input(run.plan.shapes[buffer]) for buffer in operation.inputs]
    output = plan.add_buffer(run.plan.shapes[operation.output])
    if operation.kind == "activation":  # its delta has g' in it already
        return (delta.reshape(run.data.n, *run.plan.shapes[operation.inputs[0]]),)
    # delta = dJ/dz has the activation behind it; what is left is linear in z.
    plan.operations.append(
        operation._replace(inputs=tuple(buffers), output=output, activation="linear", activation_parameters=())
    )
    plan.outputs = [output]
    block = _core.Block(bound_network(plan, run.native.network.dtype), run.data.n, True, live=False)
    block.forward([run.native.value(buffer) for buffer in operation.inputs])
    back = block.backward([delta])
    return tuple(run.rows(buffer, part) for buffer, part in zip(operation.inputs, back, strict=True))


def _loss_gradient(run: _Run, position: int, each: OutputLoss) -> Array:
    """dJ/da of one loss: its factor, the reduction's, and the loss's own derivative."""
    buffer = run.plan.outputs[each.output]
    prediction = run.rows(buffer, run.native.value(buffer))
    target = run.objectives.target_specs[position].in_shape(run.data.targets[position])  # type: ignore[arg-type]
    values = np.asarray(each.loss.call(target, prediction))
    factors = each.loss.coefficients(values.shape, target, run.data.weights[position])
    return np.asarray(each.weight * factors[..., None] * each.loss.gradient(target, prediction))


def _forward_trace(model: Trainer, x: Any) -> Trace:
    model._build_for(x)
    data = model._reader().read(x).dense()
    plan = model.plan()  # of its own: another thread may be using the model's
    block = _core.Block(bound_network(plan, model.compute_dtype), data.n, False)
    block.forward(data.inputs)
    _, found = _layer_traces(model, plan, block, data.n)
    return Trace([replace(layer, delta=None) for layer, _ in found], _input_values(model, plan, block, data.n))


@knows_its_arguments
def gradients(
    model: Trainer, x: Any, y: Any, sample_weight: Any = None, *, with_inputs: bool = False
) -> list[Array] | tuple[list[Array], Any]:
    """Compute dJ/dw for every trainable weight: the loss's and the penalties' share.

    Parameters
    ----------
    model : Model
        Compiled.
    x, y, sample_weight
        A batch. Layers behave as in training, but nothing moves.
    with_inputs : bool, default False
        Whether to return dJ/dx too.

    Returns
    -------
    list of numpy.ndarray
        In the order of `model.trainable_weights`. With `with_inputs` a tuple of it and dJ/dx, an array or, as the
        model's inputs are given, a list or dict.

    Raises
    ------
    ValueError, TypeError
        If the data are not as they should be, or the model is not compiled.
    NonFiniteLossError
        If the loss is not finite.

    Examples
    --------
    >>> from cnn_core import Input, Sequential, layers
    >>> model = Sequential([Input((2,)), layers.Dense(1, kernel_initializer="ones")])
    >>> model.compile("sgd", "half_squared_error")
    >>> gradients(model, [[1.0, 2.0]], [[4.0]])
    [array([[-1.],
           [-2.]], dtype=float32), array([-1.], dtype=float32)]
    """
    run = _run(model, x, y, sample_weight, "gradients", inputs=with_inputs, penalties=True)
    weights = [part.copy() for part in run.parameters.split(run.parameters.gradients)]
    if not with_inputs:
        return weights
    parts = [run.rows(buffer, run.native.delta(buffer)) for buffer in run.plan.inputs]
    structure = model.interface.input_form.names
    return weights, parts[0] if isinstance(structure, str) else filled(structure, parts)


@dataclass(frozen=True)
class GradientCheck:
    """How backpropagation compares with central differences. True if every weight's error is within the tolerance.

    Attributes
    ----------
    relative_errors : dict of str to float
        For each weight, by its path: ``max |g - d| / max(max |g|, max |d|, 1e-4 |J|, 1e-6)``, where g is the gradient
        by backpropagation, d the one by differences, J the loss, and the maxima are over the weight's elements. The
        floor is there for gradients of zero, such as that of a bias before a BatchNormalization: rounding of J alone
        makes d some 1e-10 |J|.
    tolerance : float
    """

    relative_errors: dict[str, float]
    tolerance: float

    @property
    def max_relative_error(self) -> float:
        """The largest of the errors, 0 for a model without weights."""
        return max(self.relative_errors.values(), default=0.0)

    @property
    def passed(self) -> bool:
        """Whether it is within the tolerance."""
        return self.max_relative_error <= self.tolerance

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        lines = [f"{name}: {error:.2e}" for name, error in self.relative_errors.items()]
        return "\n".join([*lines, f"{'passed' if self.passed else 'FAILED'} (tolerance {self.tolerance:g})"])


@knows_its_arguments
def gradient_check(
    model: Trainer,
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
        Of that drawing.

    Returns
    -------
    GradientCheck

    Raises
    ------
    ValueError
        If the model is not float64.

    Examples
    --------
    >>> from cnn_core import Input, Sequential, layers
    >>> model = Sequential([Input((2,)), layers.Dense(3, "tanh", dtype="float64"), layers.Dense(1, dtype="float64")])
    >>> model.compile("sgd", "mse")
    >>> bool(gradient_check(model, [[0.5, 1.0]], [[2.0]]))
    True
    """
    model._build_for(x)
    if model.compute_dtype != np.float64:
        raise ValueError(
            'gradient_check needs a model of float64: build its layers with dtype="float64", or after '
            f'config.set_floatx("float64"). Received: {model.compute_dtype}'
        )

    def loss() -> float:
        return float(_run(model, x, y, sample_weight, "gradient_check", inputs=False, penalties=True).native.last_loss)

    computed = gradients(model, x, y, sample_weight)
    floor = max(1e-4 * abs(loss()), 1e-6)
    generator = np.random.default_rng(seed)
    errors: dict[str, float] = {}
    for variable, gradient in zip(model.trainable_variables, computed, strict=True):
        chosen = np.arange(variable.size)
        if variable.size > max_elements:
            chosen = np.sort(generator.choice(variable.size, max_elements, replace=False))
        differences = [_difference(loss, variable.array.reshape(-1), int(element), step) for element in chosen]
        name = variable.path if variable.path not in errors else f"{variable.path}#{len(errors)}"
        errors[name] = _relative_error(np.asarray(gradient).reshape(-1)[chosen], differences, floor)
    return GradientCheck(errors, tolerance)


def _difference(loss: Callable[[], float], flat: Array, element: int, step: float) -> float:
    kept = flat[element]
    try:
        flat[element] = kept + step
        above = loss()
        flat[element] = kept - step
        return float((above - loss()) / (2 * step))
    finally:
        flat[element] = kept


def _relative_error(gradient: Array, differences: Sequence[float], floor: float) -> float:
    found = np.asarray(differences)
    size = max(np.abs(gradient).max(initial=0), np.abs(found).max(initial=0), floor)
    return float(np.abs(gradient - found).max(initial=0) / size)
