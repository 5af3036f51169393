"""An optimizer beside the variables that it steps: steps from given gradients, and its state as variables.

What `cnn_core.optimizers.applying` offers to custom loops and cannot know: where parameters lie in memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.network.own_stepping import SlotView, step_by_method, step_by_rule
from cnn_core.network.parameters import (
    ParameterVector,
    adopt_state,
    keep_layout,
    laid_out,
    native_optimizer,
    optimizer_of_some,
    variables_of,
)
from cnn_core.network.variables import Variable, View
from cnn_core.optimizers import Optimizer
from cnn_core.optimizers.applying import AppliesGradients, state_order


class _Setting(View):
    """A number that an optimizer keeps, as a variable."""

    def __init__(self, optimizer: Optimizer, name: str, read: Callable[[], Any], write: Callable[[Any], None]) -> None:
        super().__init__(np.array(read()), name, f"{optimizer.name}/{name}")
        self._read, self._write = read, write

    @property
    def array(self) -> Array:
        """The number as it is now."""
        return np.array(self._read(), self.dtype)

    def write(self, array: Array) -> None:
        """Set the optimizer's number."""
        self._write(array.item())


def recognise(optimizer: Optimizer, variables: Sequence[Variable]) -> None:
    """Let an optimizer that has been copied or loaded know whose state it has, if that fits."""
    if variables_of(optimizer) is None and optimizer.state:
        sizes = [variable.size for variable in variables]
        if all(vector.size == laid_out(sizes, vector.itemsize)[1] for vector in optimizer.state.values()):
            keep_layout(optimizer, variables)


class _Stepping:
    """See `cnn_core.optimizers.applying.Stepping`."""

    def known(self, optimizer: Optimizer) -> list[Variable] | None:
        return variables_of(optimizer)

    def build(self, optimizer: Optimizer, variables: Sequence[Variable]) -> None:
        adopt_state(optimizer, _vector(optimizer, _checked_variables(variables)))

    def step(
        self, optimizer: Optimizer, known: Sequence[Variable], gradients: Sequence[Any], variables: Sequence[Variable]
    ) -> None:
        arrays = [_checked_gradient(*pair) for pair in zip(gradients, _each_once(variables), strict=True)]
        parameters = _vector(optimizer, known)
        if optimizer.steps_itself:
            scale = optimizer.loss_scale_factor or 1.0
            step_by_method(optimizer, parameters, [array / array.dtype.type(scale) for array in arrays], variables)
            return
        if len(variables) == len(known):
            native = native_optimizer(parameters, optimizer)
        else:
            ids = set(map(id, variables))
            chosen = {place for place, variable in enumerate(known) if id(variable) in ids}
            native = optimizer_of_some(parameters, optimizer, chosen)
            parameters.gradients[...] = 0
            _forget_gathered(optimizer, parameters, chosen)
        scale = optimizer.loss_scale_factor or 1.0
        for array, variable in zip(arrays, variables, strict=True):
            np.divide(array, scale, out=parameters.gradient_of(variable))
        before = optimizer.batches_seen
        rate = optimizer.learning_rate_at(before)
        moved = True  # also where a constraint written in Python raises
        try:
            moved = native.step(rate, before)
        finally:
            if moved:
                optimizer.batches_seen = before + 1
        if not moved:
            raise ValueError(
                "A step with these gradients would leave the finite numbers: a smaller learning rate, or `clipnorm`, "
                f"helps. Received: learning_rate={rate}"
            )

    def finalize(self, optimizer: Optimizer, known: Sequence[Variable], variables: Sequence[Variable]) -> None:
        averages = _vector(optimizer, known).split(optimizer.state["average"])
        by_variable = {id(variable): average for variable, average in zip(known, averages, strict=True)}
        for variable in variables:
            variable.assign(by_variable[id(variable)])

    def rule(self, optimizer: Optimizer, gradient: Array, variable: Variable, learning_rate: float) -> None:
        step_by_rule(optimizer, gradient, variable, learning_rate)

    def slot(self, optimizer: Optimizer, slot: str, variable: Variable) -> Variable:
        return SlotView(optimizer, slot, variable)

    def state(self, optimizer: Optimizer) -> list[Variable]:
        found: list[Variable] = [
            _Setting(
                optimizer,
                "iteration",
                lambda: optimizer.batches_seen,
                lambda count: setattr(optimizer, "batches_seen", validation.non_negative_integer(count, "iteration")),
            )
        ]
        if optimizer.schedule is None and not optimizer.asks_every_batch:
            found.append(
                _Setting(
                    optimizer,
                    "learning_rate",
                    lambda: optimizer.learning_rate,
                    lambda rate: setattr(optimizer, "learning_rate", rate),
                )
            )
        return found + _state_views(optimizer, variables_of(optimizer) or ())


def _state_views(optimizer: Optimizer, variables: Sequence[Variable]) -> list[Variable]:
    """Return the state vectors, cut into one view for each variable."""
    views: list[Variable] = []
    places = {id(variable): place for place, variable in enumerate(variables)}
    for slot, variable in state_order(optimizer, variables):
        vector = optimizer.state.get(slot)
        if vector is None:  # what Keras keeps besides can be computed
            continue
        offset = laid_out([each.size for each in variables], vector.itemsize)[0][places[id(variable)]]
        name = f"{variable.path.replace('/', '_')}_{slot}"
        shape = optimizer.slot_shape(slot, variable)
        part = vector[offset : offset + math.prod(shape)].reshape(shape)
        views.append(View(part, name, f"{optimizer.name}/{name}"))
    return views


def _forget_gathered(optimizer: Optimizer, parameters: ParameterVector, chosen: Collection[int]) -> None:
    """At the end of a period, drop what was gathered for variables that do not move: in Keras it counts for nothing."""
    period = optimizer.gradient_accumulation_steps or 0
    if period and (optimizer.batches_seen + 1) % period == 0:
        for place, part in enumerate(parameters.split(optimizer.state["gradient_accumulator"])):
            if place not in chosen:
                part[...] = 0


def _vector(optimizer: Optimizer, variables: Sequence[Variable]) -> ParameterVector:
    """Return the vector of these variables: that of a model that trains just them, or one that the optimizer keeps."""
    holder = variables[0].holder
    own = vars(optimizer).get("_vector")
    for vector in (holder, own):
        if isinstance(vector, ParameterVector) and vector.is_of(variables):
            vector.reclaim()
            return vector
    vector = ParameterVector(variables, variables[0].dtype)
    vars(optimizer)["_vector"] = vector
    return vector


def _checked_variables(variables: Sequence[Any]) -> Sequence[Variable]:
    """Refuse what no vector of parameters can be made of."""
    for variable in variables:
        if not isinstance(variable, Variable) or variable.dtype.kind != "f" or variable.dtype != variables[0].dtype:
            raise TypeError(
                f"`trainable_variables` must be variables of one floating dtype. Received: {validation.show(variable)}"
            )
    return _each_once(variables)


def _each_once(variables: Sequence[Variable]) -> Sequence[Variable]:
    if len(set(map(id, variables))) < len(variables):
        raise ValueError("`trainable_variables` must have every variable once. Received: one of them twice")
    return variables


def _checked_gradient(gradient: object, variable: Variable) -> Array:
    name = f"The gradient of {variable.path}"
    array = validation.as_array(gradient, name)
    if array.shape != variable.shape:
        raise ValueError(f"{name} must have the shape {variable.shape}. Received: shape={array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must hold finite numbers. Received: {validation.show(array)}")
    return validation.convert(array, name, variable.dtype)


AppliesGradients.stepping = _Stepping()
