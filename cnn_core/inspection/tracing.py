"""Every z, a, delta, dW and db of a batch, and gradients.

The values come from the same native pass that trains; what a layer passes back along each edge is asked of the layer's
operation by itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import cnn_core._core as _core
from cnn_core.activations.base import defaults
from cnn_core.data.dataset import Dataset
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.foundation.structures import filled
from cnn_core.inspection.records import LayerTrace, LossTrace
from cnn_core.inspection.traces import Trace
from cnn_core.network.native import bound_network, native_pass, run_whole
from cnn_core.network.parameters import ParameterVector, native_optimizer
from cnn_core.network.plan import NetworkPlan, Operation
from cnn_core.training.epochs import NonFiniteLossError
from cnn_core.training.objectives import Objectives, OutputLoss
from cnn_core.training.traced_losses import traced_plan
from cnn_core.training.trainer import Trainer

__all__ = ["BatchRun", "gradients", "run_batch", "trace"]

BUILT_IN = list(defaults.values())
ROW_WISE = {each.native for each in BUILT_IN if each.row_wise}


@dataclass(frozen=True)
class BatchRun:
    """One batch forward and backward, without a step."""

    native: _core.Pass
    plan: NetworkPlan
    parameters: ParameterVector
    objectives: Objectives
    data: Dataset

    def rows(self, buffer: int, values: Array | None) -> Array | None:
        """Give a buffer's rows the shape that the layer has."""
        return None if values is None else values.reshape(self.data.n, *self.plan.shapes[buffer])


def run_batch(
    model: Trainer, x: object, y: object, sample_weight: object, purpose: str, *, inputs: bool, penalties: bool
) -> BatchRun:
    """Run a batch; `inputs` asks for dJ/dx, `penalties` for the regularizers' share of J and of the gradients."""
    with model._exclusive(purpose):
        model._build_for(x)
        objectives = model._objectives_for(y, purpose)
        data = model._reader(objectives).read(x, y, sample_weight).dense()
        parameters = model._bind()
        targets = objectives.lay_out(data.targets, model.array_dtype)  # type: ignore[arg-type]
        native = native_pass(
            model._network(),
            Dataset(data.inputs, list(targets), data.weights, data.n, data.dtype),
            batch_size=max(data.n, 1),
            losses=objectives.describe_losses(targets, data.targets),
            optimizer=native_optimizer(parameters, None, penalties=penalties),
            mode="tracing",
            input_gradients=inputs,
        )
        if not run_whole(native):
            raise NonFiniteLossError(f"The loss of this batch is {native.last_loss}: it has no gradient")
        assert model._plan is not None
        return BatchRun(native, model._plan, parameters, objectives, data)


@knows_its_arguments
def trace(model: Trainer, x: object, y: object = None, sample_weight: object = None) -> Trace:
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
    run = run_batch(model, x, y, sample_weight, "trace", inputs=True, penalties=False)
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
    losses = []
    for position, each in enumerate(run.objectives.losses):
        name = names[run.plan.outputs[each.output]]
        loss, back = _loss_trace(run, position, each, name)
        losses.append(loss)
        outputs[name] = outputs.get(name, 0) + back
    penalties = _activity_penalties(run, names)
    layers = _with_da(layers, outputs, penalties)
    inputs = _input_values(model, run.plan, run.native, run.data.n)
    return Trace(layers, inputs, run.native.last_loss + penalty, outputs, losses, penalties)


def _layer_traces(
    model: Trainer, plan: NetworkPlan, native: _core.Workbench, n: int
) -> tuple[dict[int, str], list[tuple[LayerTrace, Operation]]]:
    """Read z, a and delta of every layer; return also the name of what writes each buffer."""
    names = dict(zip(plan.inputs, [each.name for each in model.interface.rows], strict=True))
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
            activation, slope = _activation_of(operation, found[-1][0].a)
            found[-1] = replace(found[-1][0], z=found[-1][0].a, a=a, activation=activation, slope=slope), found[-1][1]
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
        activation, slope = _activation_of(operation, z)
        variables = [plan.variables[tensor] for tensor in operation.tensors if tensor is not None]
        parameters = {variable.name: variable.array.copy() for variable in variables}
        layer = LayerTrace(
            name, operation.kind, read, z, a, delta, activation=activation, parameters=parameters, slope=slope
        )
        found.append((layer, operation))
        names[operation.output] = name
    return names, found


def _activation_of(operation: Operation, z: Array | None) -> tuple[str, Array | None]:
    """Return what an operation's activation is called, and g'(z) where it has one that stands for an element alone."""
    if operation.activation == "linear" or z is None:
        return "linear", None
    name, parameters = operation.activation, operation.activation_parameters
    if name == "custom":
        custom = operation.custom
        slope = None if custom.row_wise else np.asarray(custom.backward(np.ones_like(z), z))
        return custom.name or "custom", slope
    usual = [each.name for each in BUILT_IN if (each.native, each.parameters) == (name, parameters)]
    label = usual[0] if usual else f"{name}({', '.join(f'{each:g}' for each in parameters if math.isfinite(each))})"
    if name in ROW_WISE:
        return label, None
    return label, _core.activation_backward(name, np.ones_like(z), np.ascontiguousarray(z), parameters)


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
        for name, buffer in zip([each.name for each in model.interface.rows], plan.inputs, strict=True)
    }


def _with_gradients(layer: LayerTrace, operation: Operation, run: BatchRun, gradients: dict[int, Array]) -> LayerTrace:
    variables = [run.plan.variables[tensor] for tensor in operation.tensors if tensor is not None]
    own = {variable.name: gradients[id(variable)] for variable in variables if id(variable) in gradients}
    kernel_and_bias = [variable.name for variable in variables] if operation.kind == "dense" else []
    dW, db, *_ = (*map(own.get, kernel_and_bias), None, None)
    return replace(layer, dW=dW, db=db, gradients=own, d_inputs=_passed_back(operation, run))


def _passed_back(operation: Operation, run: BatchRun) -> tuple[Array | None, ...]:
    """What one operation, given its delta, passes back to each of its inputs."""
    delta = run.native.delta(operation.output)
    if delta is None or not operation.inputs:
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


def _loss_trace(run: BatchRun, position: int, each: OutputLoss, name: str) -> tuple[LossTrace, Array]:
    """Return a loss's share of J, and dJ/da of it: its factor, the reduction's, and the loss's own derivative."""
    buffer = run.plan.outputs[each.output]
    prediction = run.native.value(buffer).reshape(run.data.n, *run.plan.shapes[buffer])
    target = run.objectives.target_specs[position].in_shape(run.data.targets[position])  # type: ignore[arg-type]
    values = np.asarray(each.loss.call(target, prediction))
    factors = each.loss.coefficients(values.shape, target, run.data.weights[position])
    gradient = np.asarray(each.weight * factors[..., None] * _loss_derivative(each, target, prediction))
    return LossTrace(each.loss.name, name, each.weight * float((factors * values).sum()), target), gradient


def _loss_derivative(each: OutputLoss, target: Array, prediction: Array) -> Array:
    """The derivative of every row's value; one that is traced is asked of its plan."""
    if not each.loss.is_traced:
        return each.loss.gradient(target, prediction)
    n, dtype = len(prediction), prediction.dtype
    plan = traced_plan(each.loss, each.shape, target.size // n, dtype)
    block = _core.Block(bound_network(plan, dtype), n, True, live=False)
    (values,) = block.forward([np.ascontiguousarray(rows.reshape(n, -1), dtype) for rows in (target, prediction)])
    _, back = block.backward([np.ones_like(values)])
    return np.asarray(back).reshape(prediction.shape)


def _activity_penalties(run: BatchRun, names: dict[int, str]) -> dict[str, Array]:
    """For each trace with a penalty on its activities, or that is added to the loss: dJ/da of that alone."""
    found: dict[str, Array] = {}
    for operation in run.plan.operations:
        if not operation.adds_to_loss:
            continue
        rows = run.native.value(operation.output)
        if operation.kind == "added_loss":
            share = np.full_like(rows, operation.reals[0])
        elif operation.custom is not None:
            share = operation.custom.gradient(rows)
        else:
            l1, l2 = operation.reals
            share = l1 * np.sign(rows) + 2 * l2 * rows
        name, shape = names[operation.output], run.plan.shapes[operation.output]
        found[name] = found.get(name, 0) + np.reshape(share / run.data.n, (run.data.n, *shape))
    return found


def _with_da(layers: list[LayerTrace], outputs: dict[str, Array], penalties: dict[str, Array]) -> list[LayerTrace]:
    """Add up what comes back to every layer along its edges."""
    back: dict[str, list[Array]] = {layer.name: [] for layer in layers}
    shares: list[tuple[str, Array | None]] = [*outputs.items(), *penalties.items()]
    shares += [each for layer in layers for each in zip(layer.inputs, layer.d_inputs, strict=True)]
    for name, share in shares:
        if share is not None and name in back:
            back[name].append(share)
    return [
        layer
        if layer.delta is None
        else replace(layer, da=sum(back[layer.name], np.zeros_like(layer.a)).astype(layer.a.dtype))
        for layer in layers
    ]


def _forward_trace(model: Trainer, x: object) -> Trace:
    model._build_for(x)
    data = model._reader().read(x).dense()
    plan = model.plan()  # of its own: another thread may be using the model's
    block = _core.Block(bound_network(plan, model.array_dtype), data.n, False)
    block.forward(data.inputs)
    _, found = _layer_traces(model, plan, block, data.n)
    return Trace([replace(layer, delta=None) for layer, _ in found], _input_values(model, plan, block, data.n))


@knows_its_arguments
def gradients(
    model: Trainer, x: object, y: object, sample_weight: object = None, *, with_inputs: bool = False
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
        model's inputs are given, a list or dict; None for an input of which others are made while data is read, such as
        texts.

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
    run = run_batch(model, x, y, sample_weight, "gradients", inputs=with_inputs, penalties=True)
    weights = [part.copy() for part in run.parameters.split(run.parameters.gradients)]
    if not with_inputs:
        return weights
    parts = [run.rows(buffer, run.native.delta(buffer)) for buffer in run.plan.inputs]
    if model.interface.translation is not None:
        native = dict(zip(model.interface.translation.sources, parts, strict=True))
        parts = [native.get(place) for place in range(len(model.interface.inputs))]
    structure = model.interface.input_form.names
    return weights, parts[0] if isinstance(structure, str) else filled(structure, parts)
