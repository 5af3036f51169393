"""The flat vector of a model's trained parameters, and the native optimizer over it.

Every tensor starts on a 64-byte boundary; the gaps hold zeros and stay zero. Gradients and optimizer state are vectors
of the same layout.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import ref

import numpy as np

import cnn_core._core as _core
from cnn_core.foundation.arrays import ALIGNMENT, Array, aligned_copy, aligned_zeros
from cnn_core.network.native import ParameterGroup, TensorRange, optimizer_over
from cnn_core.network.tensor_rules import tensor_rule
from cnn_core.network.variables import Variable
from cnn_core.optimizers import Optimizer
from cnn_core.optimizers.base import first_state

if TYPE_CHECKING:
    from cnn_core.foundation.descriptions import OptimizerTail, TensorRule


def laid_out(sizes: Sequence[int], itemsize: int) -> tuple[list[int], int]:
    """Return where each of some tensors starts in a flat vector, and how long the vector is."""
    unit = ALIGNMENT // itemsize
    ends = list(itertools.accumulate((-(-size // unit) * unit for size in sizes), initial=0))
    return ends[:-1], ends[-1]


class ParameterVector:
    """Collect variables in one flat vector; each becomes a view of it.

    Parameters
    ----------
    variables : sequence of Variable
        Of one dtype, each once.
    dtype : numpy.dtype

    Attributes
    ----------
    values, gradients : numpy.ndarray of shape (size,)
    """

    def __init__(self, variables: Sequence[Variable], dtype: np.dtype[Any]) -> None:
        self.variables = list(variables)
        self.offsets, size = laid_out([variable.size for variable in variables], dtype.itemsize)
        self.values = aligned_zeros(size, dtype)
        self.gradients = aligned_zeros(size, dtype)
        self._views = self.split(self.values)
        self._nadam_reached = (0, 1.0)
        # By `native_optimizer`: native objects, each with what it depends on; those that add penalties at most, by
        # whether they do. As long as what was seen is as it was, nothing else need be looked at.
        self.kept_penalties: dict[bool, tuple[int, object, _core.Optimizer]] = {}
        self.kept_native: tuple[object, _core.Optimizer] | None = None
        self.seen_by_native: tuple[object, ...] | None = None
        self.move_gradients(self.gradients)
        self.reclaim()

    def move_gradients(self, vector: Array) -> None:
        """Have gradients computed elsewhere from now on; what is bound to the old place must be bound again."""
        self.gradients = vector
        self._gradient_of = {
            id(variable): view for variable, view in zip(self.variables, self.split(vector), strict=True)
        }
        self.kept_penalties.clear()
        self.kept_native = self.seen_by_native = None

    def reclaim(self) -> None:
        """Take back, with their values, the variables that another model's vector has taken over meanwhile."""
        for variable, view in zip(self.variables, self._views, strict=True):
            if variable.array is not view:
                variable.move_to(view, ref(self))

    def is_of(self, variables: Sequence[Variable | None]) -> bool:
        """Whether these are the variables that it collects, in this order."""
        return len(variables) == len(self.variables) and all(map(operator.is_, self.variables, variables))

    def split(self, vector: Array) -> list[Array]:
        """Return a vector of this layout as one view for each variable, in its shape."""
        return [
            vector[offset : offset + variable.size].reshape(variable.shape)
            for variable, offset in zip(self.variables, self.offsets, strict=True)
        ]

    def gradient_of(self, variable: Variable) -> Array | None:
        """Return the view of the gradient that belongs to a variable, None if it is not trained."""
        return self._gradient_of.get(id(variable))

    # What the native optimizer is told

    def ranges(self, optimizer: Optimizer) -> list[TensorRange]:
        """Return where every variable stands, and as what the optimizer's rule sees it."""
        return [
            TensorRange(offset, variable.size, *optimizer.matrix_shape(variable))
            for variable, offset in zip(self.variables, self.offsets, strict=True)
        ]

    def nadam_product(self, beta_1: float, iterations: int) -> float:
        """Return Nadam's product of the momenta of all updates so far; mostly few have come since it was asked last."""
        first, product = self._nadam_reached
        if first > iterations:
            first, product = 0, 1.0
        for t in range(first + 1, iterations + 1):
            product *= beta_1 * (1 - 0.5 * 0.96**t)
        self._nadam_reached = iterations, product
        return product

    def groups(self, optimizer: Optimizer, chosen: Collection[int] | None = None) -> list[ParameterGroup]:
        """Return (offset, size, multipliers of learning rate and epsilon, decay); equal neighbours are one.

        `chosen` are the places of the variables that are wanted; None: all.
        """
        groups: list[ParameterGroup] = []
        before = -1
        for place, (variable, offset) in enumerate(zip(self.variables, self.offsets, strict=True)):
            if chosen is not None and place not in chosen:
                continue
            decay = variable.decay_multiplier * optimizer.decay_of(variable)
            settings = (variable.learning_rate_multiplier, variable.epsilon_multiplier, decay)
            if groups and before == place - 1 and groups[-1][2:] == settings:
                first = groups[-1][0]
                groups[-1] = ParameterGroup(first, offset + variable.size - first, *settings)
            else:
                groups.append(ParameterGroup(offset, variable.size, *settings))
            before = place
        return groups

    def regulated(self) -> list[tuple[object, object]]:
        """Return the penalty and the constraint of every variable."""
        return [(variable.regularizer, variable.constraint) for variable in self.variables]

    def rules(self, chosen: Collection[int] | None = None) -> list[TensorRule]:
        """Return what only some variables have: penalties and constraints. For `chosen` see `groups`."""
        return [
            tensor_rule(variable, offset)
            for place, (variable, offset) in enumerate(zip(self.variables, self.offsets, strict=True))
            if (variable.regularizer is not None or variable.constraint is not None)
            and (chosen is None or place in chosen)
        ]


# For which variables an optimizer's state is laid out, with their sizes. Weak on both sides: an optimizer may outlive
# its model, and neither keeps the other's memory. A copied or loaded optimizer has no entry: its state fits or it does
# not. By the optimizer's id, and no WeakKeyDictionary: that runs Python code while garbage is collected, where
# an interrupt would be swallowed.
_Layout: TypeAlias = "list[tuple[ref[Variable], int]]"
_LAYOUTS: dict[int, tuple[ref[Optimizer], _Layout]] = {}


def _layout_of(optimizer: Optimizer) -> _Layout | None:
    owner, layout = _LAYOUTS.get(id(optimizer), (None, None))
    return layout if owner is not None and owner() is optimizer else None


def keep_layout(optimizer: Optimizer, variables: Sequence[Variable]) -> None:
    """Remember for which variables an optimizer's state is laid out."""
    for number, (owner, _) in list(_LAYOUTS.items()):
        if owner() is None:
            _LAYOUTS.pop(number, None)
    _LAYOUTS[id(optimizer)] = ref(optimizer), [(ref(variable), variable.size) for variable in variables]


def variables_of(optimizer: Optimizer) -> list[Variable] | None:
    """Return the variables for which an optimizer's state is laid out, if they are there."""
    variables = [owner() for owner, _ in _layout_of(optimizer) or ()]
    there = [variable for variable in variables if variable is not None]
    return there if there and len(there) == len(variables) else None


def adopt_state(optimizer: Optimizer, parameters: ParameterVector) -> None:
    """Make an optimizer's state vectors fit the parameters; what belongs to a variable stays with it.

    Raises
    ------
    ValueError
        If the state belongs to other variables altogether.
    """
    layout = _layout_of(optimizer)
    owners = None if layout is None else [owner() for owner, _ in layout]
    stays = owners is not None and parameters.is_of(owners)
    if layout is not None and owners is not None and not stays:
        _move_state(optimizer, parameters, owners, [size for _, size in layout])
    for slot, initial in (*optimizer.slots(), *optimizer.tail_slots()):
        vector = optimizer.state.get(slot)
        if vector is None:
            vector = optimizer.state[slot] = aligned_zeros(parameters.values.size, parameters.values.dtype)
            vector[...] = first_state(initial, parameters.values)
        elif vector.size != parameters.values.size or vector.dtype != parameters.values.dtype:
            raise ValueError(
                f"The optimizer's state {slot!r} belongs to another model or to other trainable layers: this model has "
                f"{parameters.values.size} numbers of {parameters.values.dtype} to train. Received: {vector.size} of "
                f"{vector.dtype}"
            )
        elif _core.address_of(vector) % ALIGNMENT:
            optimizer.state[slot] = aligned_copy(vector)
    if not stays:
        keep_layout(optimizer, parameters.variables)


def _move_state(
    optimizer: Optimizer, parameters: ParameterVector, owners: Sequence[Variable | None], sizes: Sequence[int]
) -> None:
    """Lay the state out again, for other variables than before: layers were frozen, unfrozen, added or removed."""
    known = {id(variable) for variable in parameters.variables}
    if optimizer.state and owners and not any(id(owner) in known for owner in owners):
        raise ValueError(
            f"The optimizer {optimizer.name!r} has trained another model, whose state it keeps: give every model an "
            "optimizer of its own"
        )
    initial = dict((*optimizer.slots(), *optimizer.tail_slots()))
    for slot, old in optimizer.state.items():
        offsets, length = laid_out(sizes, old.itemsize)
        if length != old.size:
            continue  # restored from elsewhere; it fits the parameters, or `adopt_state` says so
        parts = {
            id(owner): old[offset : offset + size]
            for owner, offset, size in zip(owners, offsets, sizes, strict=True)
            if owner is not None
        }
        new = aligned_zeros(parameters.values.size, parameters.values.dtype)
        new[...] = first_state(initial.get(slot, 0.0), parameters.values)
        for variable, view in zip(parameters.variables, parameters.split(new), strict=True):
            if id(variable) in parts:
                view.reshape(-1)[...] = parts[id(variable)]
        optimizer.state[slot] = new


def native_optimizer(
    parameters: ParameterVector, optimizer: Optimizer | None, *, penalties: bool = True
) -> _core.Optimizer:
    """Return the native optimizer, with the state vectors that `optimizer` keeps.

    Without an optimizer its penalties still count, unless they are not wanted either: that is what evaluation and
    gradients need.

    Raises
    ------
    ValueError
        If the optimizer's state belongs to other parameters.
    """
    if optimizer is None:
        kept = parameters.kept_penalties.get(penalties)
        if kept is None or kept[0] != Variable.changes:
            kept = parameters.kept_penalties[penalties] = Variable.changes, *_resting(parameters, kept, penalties)
        return kept[2]
    state = optimizer.state
    # The native object keeps the vectors of its state alive, so an identity among them means the same vector.
    seen = (optimizer, optimizer.changes, Variable.changes, *map(id, state.values()))
    if seen != parameters.seen_by_native:
        parameters.kept_native = _stepping(parameters, optimizer)
        parameters.seen_by_native = (*seen[:3], *map(id, state.values()))
    assert parameters.kept_native is not None
    native = parameters.kept_native[1]
    _prepare(native, parameters, optimizer)
    return native


def _resting(
    parameters: ParameterVector, kept: tuple[int, object, _core.Optimizer] | None, penalties: bool
) -> tuple[object, _core.Optimizer]:
    """Return what a native optimizer that moves nothing depends on, and itself: the one that is kept, if it serves."""
    regulated = parameters.regulated() if penalties else None
    if kept is not None and kept[1] == regulated:
        return kept[1:]
    rules = parameters.rules() if penalties else []
    return regulated, optimizer_over(parameters.values, parameters.gradients, rules=rules)


def _stepping(parameters: ParameterVector, optimizer: Optimizer) -> tuple[object, _core.Optimizer]:
    """Return what a native optimizer depends on, and itself: the one that is kept, if that is all the same."""
    adopt_state(optimizer, parameters)
    groups, state = parameters.groups(optimizer), optimizer.state
    depends_on = (
        *(optimizer, *optimizer.rule(), _tail(optimizer), groups, parameters.regulated()),
        list(map(id, state.values())),
    )
    if parameters.kept_native is not None and parameters.kept_native[0] == depends_on:
        return parameters.kept_native
    return depends_on, _made(parameters, optimizer, groups, parameters.rules())


def optimizer_of_some(parameters: ParameterVector, optimizer: Optimizer, chosen: Collection[int]) -> _core.Optimizer:
    """Return a native optimizer that moves some of the variables, given by their places, and leaves the others."""
    adopt_state(optimizer, parameters)
    native = _made(parameters, optimizer, parameters.groups(optimizer, chosen), parameters.rules(chosen))
    _prepare(native, parameters, optimizer)
    return native


def optimizer_of_part(parameters: ParameterVector, optimizer: Optimizer, part: slice) -> _core.Optimizer:
    """Return a native optimizer of neighbours in the vector, for a rule that steps every number by itself.

    What looks at whole tensors or at the whole vector is left out: clipping by norms, constraints, averages.
    """
    name, hyperparameters = optimizer.rule()
    within = [
        group._replace(offset=max(group.offset, part.start), size=min(group.offset + group.size, part.stop))
        for group in parameters.groups(optimizer)
    ]
    return optimizer_over(
        parameters.values[part],
        parameters.gradients[part],
        rule=name,
        numbers=hyperparameters,
        slots=[optimizer.state[slot][part] for slot, _ in optimizer.slots()],
        groups=[
            each._replace(offset=each.offset - part.start, size=each.size - each.offset)
            for each in within
            if each.size > each.offset
        ],
        weight_decay=1,  # each group has its own
    )


def rule_of_one(parameters: ParameterVector, optimizer: Optimizer, place: int) -> _core.Optimizer:
    """Return a native optimizer of one variable, given by its place, that has the rule and nothing around it."""
    name, hyperparameters = optimizer.rule()
    variable, offset = parameters.variables[place], parameters.offsets[place]
    native = optimizer_over(
        parameters.values,
        parameters.gradients,
        rule=name,
        numbers=hyperparameters,
        slots=[optimizer.state[slot] for slot, _ in optimizer.slots()],
        groups=[ParameterGroup(offset, variable.size, epsilon_multiplier=variable.epsilon_multiplier)],
        tensors=parameters.ranges(optimizer),
    )
    _prepare(native, parameters, optimizer)
    return native


def _made(
    parameters: ParameterVector, optimizer: Optimizer, groups: list[ParameterGroup], rules: list[TensorRule]
) -> _core.Optimizer:
    name, hyperparameters = optimizer.rule()
    state = optimizer.state
    return optimizer_over(
        parameters.values,
        parameters.gradients,
        rule=name,
        numbers=hyperparameters,
        slots=[state[slot] for slot, _ in optimizer.slots()],
        groups=groups,
        rules=rules,
        tensors=parameters.ranges(optimizer),
        average=state["average"] if optimizer.use_ema else None,
        accumulator=state["gradient_accumulator"] if optimizer.gradient_accumulation_steps else None,
        **_tail(optimizer),
    )


def _prepare(native: _core.Optimizer, parameters: ParameterVector, optimizer: Optimizer) -> None:
    """Tell a native optimizer what it goes on from besides its vectors."""
    if optimizer.native == "nadam":
        native.nadam_product = parameters.nadam_product(optimizer.rule()[1][0], int(optimizer.iterations))


def _tail(optimizer: Optimizer) -> OptimizerTail:
    """The common arguments in native terms: see `cnn_core.network.native.TAIL`."""
    return {
        "weight_decay": 1,  # each group has its own
        "clip_value": optimizer.clipvalue or 0,
        "clip_norm": optimizer.clipnorm or 0,
        "global_clip_norm": optimizer.global_clipnorm or 0,
        "average_momentum": optimizer.ema_momentum or 0,
        "average_period": optimizer.ema_overwrite_frequency or 0,
        "accumulation": optimizer.gradient_accumulation_steps or 1,
    }
