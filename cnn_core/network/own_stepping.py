"""One step of an optimizer that a user has written: what is done around `update_step`, variable by variable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.network.parameters import ParameterVector, laid_out, rule_of_one, variables_of
from cnn_core.network.variables import Variable, View
from cnn_core.optimizers import Optimizer


class SlotView(View):
    """State beside a variable: the part of an optimizer's vector that belongs to it, wherever that lies by now."""

    def __init__(self, optimizer: Optimizer, slot: str, variable: Variable) -> None:
        self._optimizer, self._slot, self._variable = optimizer, slot, variable
        name = f"{variable.path.replace('/', '_')}_{slot}"
        super().__init__(np.empty(variable.shape, variable.dtype), name, f"{optimizer.name}/{name}")

    @property
    def array(self) -> Array:
        """The part of the vector."""
        vector = self._optimizer.state[self._slot]
        known = variables_of(self._optimizer) or []
        place = next(place for place, each in enumerate(known) if each is self._variable)
        offset = laid_out([each.size for each in known], vector.itemsize)[0][place]
        part: Array = vector[offset : offset + self.size].reshape(self.shape)
        return part

    def write(self, array: Array) -> None:
        """Set the part of the vector."""
        self.array[...] = array


def step_by_method(
    optimizer: Optimizer, parameters: ParameterVector, gradients: Sequence[Array], variables: Sequence[Variable]
) -> None:
    """Move variables by the optimizer's `update_step`; if that fails, nothing has moved.

    Parameters
    ----------
    optimizer : Optimizer
        Built for the parameters.
    parameters : ParameterVector
    gradients : sequence of numpy.ndarray
        Divided by `loss_scale_factor`.
    variables : sequence of Variable
    """
    before = optimizer.batches_seen
    kept = parameters.values.copy(), {name: vector.copy() for name, vector in optimizer.state.items()}
    try:
        _step(optimizer, parameters, gradients, variables)
    except BaseException:
        parameters.values[...] = kept[0]
        for name, vector in kept[1].items():
            optimizer.state[name][...] = vector
        optimizer.batches_seen = before
        raise


def _step(
    optimizer: Optimizer, parameters: ParameterVector, gradients: Sequence[Array], variables: Sequence[Variable]
) -> None:
    before, period = optimizer.batches_seen, optimizer.gradient_accumulation_steps
    due = not period or (before + 1) % period == 0
    if period:
        gradients = _gathered(optimizer, parameters, gradients, variables, period, due)
    if due:
        rate = optimizer.learning_rate_at(before)
        for gradient, variable in zip(optimizer.clip_gradients(gradients), variables, strict=True):
            own_rate = rate * variable.learning_rate_multiplier
            if decay := variable.decay_multiplier * optimizer.decay_of(variable):
                variable.assign(variable.array * variable.dtype.type(1 - decay * own_rate))
            optimizer.update_step(gradient, variable, own_rate)
    optimizer.batches_seen = before + 1
    if optimizer.use_ema:
        _average(optimizer, parameters)
    for variable in variables:
        if variable.constraint is not None:
            variable.assign(variable.constraint(variable.array))


def _parts(parameters: ParameterVector, vector: Array, variables: Sequence[Variable]) -> list[Array]:
    places = {id(each): part for each, part in zip(parameters.variables, parameters.split(vector), strict=True)}
    return [places[id(variable)] for variable in variables]


def _gathered(
    optimizer: Optimizer,
    parameters: ParameterVector,
    gradients: Sequence[Array],
    variables: Sequence[Variable],
    period: int,
    due: bool,
) -> Sequence[Array]:
    """Add gradients to those of the batches before; at the end of a period, return their mean."""
    vector = optimizer.state["gradient_accumulator"]
    sums = _parts(parameters, vector, variables)
    for gathered, gradient in zip(sums, gradients, strict=True):
        gathered += gradient
    if not due:
        return gradients
    means = [gathered / gathered.dtype.type(period) for gathered in sums]
    vector[...] = 0
    return means


def _average(optimizer: Optimizer, parameters: ParameterVector) -> None:
    average, momentum = optimizer.state["average"], optimizer.ema_momentum
    if optimizer.iterations <= 1:
        average[...] = parameters.values
    else:
        average[...] = momentum * average + (1 - momentum) * parameters.values
    frequency = optimizer.ema_overwrite_frequency
    if frequency and optimizer.iterations % frequency == 0:
        parameters.values[...] = average


def step_by_rule(optimizer: Optimizer, gradient: Array, variable: Variable, learning_rate: float) -> None:
    """Move one variable by the native rule of an optimizer, and nothing around it."""
    parameters = variable.holder
    if not isinstance(parameters, ParameterVector):
        raise ValueError(f"`update_step` is called by `apply`. Received: {variable!r}, which no optimizer is moving")
    place = next(place for place, each in enumerate(parameters.variables) if each is variable)
    _parts(parameters, parameters.gradients, [variable])[0][...] = gradient
    native = rule_of_one(parameters, optimizer, place)
    if not native.step(learning_rate, int(optimizer.iterations)):
        raise ValueError("A step with this gradient would leave the finite numbers")
