"""What every optimizer is: a rule for native code, a learning rate, and the common tail of arguments."""

from __future__ import annotations

import inspect
import itertools
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias, TypedDict

import numpy as np

import cnn_core.foundation.validation as validation
import cnn_core.optimizers.schedules as schedules
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.caller import warn_caller
from cnn_core.foundation.copies import CopiedWhole
from cnn_core.foundation.given_arguments import RemembersArguments, fitting
from cnn_core.foundation.keywords import KnowsItsArguments, no_other_arguments
from cnn_core.foundation.left_out import RefusesPassedOver
from cnn_core.foundation.serialization import Registry, snake_case
from cnn_core.optimizers.assignable import Iterations, LearningRate
from cnn_core.optimizers.own_steps import StepsItself
from cnn_core.optimizers.schedules import LearningRateSchedule
from cnn_core.optimizers.schedules.base import FloatArray

if TYPE_CHECKING:
    from cnn_core.optimizers.stepped import SteppedVariable

LearningRateLike: TypeAlias = float | LearningRateSchedule | Callable[[], float] | Mapping[str, Any]
# None: the weights as they are then.
Slots: TypeAlias = tuple[tuple[str, float | None], ...]
Rule: TypeAlias = tuple[str, tuple[float, ...]]
registry = Registry("optimizer")
# What `changes` is set to, and the attributes whose changes it leaves alone: native code is given them with every run.
_numbers = itertools.count(1)
_GIVEN_TO_EVERY_RUN = frozenset({"batches_seen", "_learning_rate"})
# Makes `import cnn_core.optimizers.schedules` and `from cnn_core.optimizers.schedules import ...` work as in Keras,
# although optimizers is a module and no package.
sys.modules[f"{__name__}.schedules"] = schedules


class TailWithoutDecay(TypedDict, total=False):
    """The arguments that every optimizer takes after its own, less `weight_decay`: see `Optimizer`."""

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    name: str | None


class Tail(TailWithoutDecay, total=False):
    """The arguments that every optimizer takes after its own: see `Optimizer`."""

    weight_decay: float | None


class _Signature:
    """What `inspect.signature` and `help` find on a class: each argument of the tail by name, instead of `**tail`."""

    def __get__(self, instance: object, owner: type[Optimizer]) -> inspect.Signature:
        signature = inspect.signature(owner.__init__)
        own = [parameter for name, parameter in signature.parameters.items() if name not in ("self", "tail")]
        if "tail" in signature.parameters:
            common = inspect.signature(Optimizer.__init__).parameters
            absent = [name for name in common if name in Tail.__annotations__ and name not in signature.parameters]
            own += [common[name].replace(kind=inspect.Parameter.KEYWORD_ONLY) for name in absent]
        return signature.replace(parameters=own, return_annotation=inspect.Signature.empty)


class Optimizer(StepsItself, RemembersArguments, CopiedWhole, KnowsItsArguments, RefusesPassedOver):
    """Base class of optimizers: the arguments that all of them take, and the count of steps.

    One step does, in this order, natively::

        g = g / loss_scale_factor                  # the loss was multiplied by it
        g = mean of the last gradient_accumulation_steps gradients; go on only when there are that many
        g = g * clipnorm / max(norm(g), clipnorm)  # per tensor; or
        g = g * min(global_clipnorm / norm(all g), 1)
        g = clip(g, -clipvalue, clipvalue)         # at most one of the three
        w = w - w * weight_decay * lr              # every tensor, biases too, that is not excluded
        w = the rule's step, with lr               # see the subclass
        average = ema_momentum * average + (1 - ema_momentum) * w    # average = w at first
        w = average                                # every ema_overwrite_frequency updates, and when fit ends
        w = constraint(w)

    With gradient_accumulation_steps the last three lines are done after every batch all the same, as Keras does.

    Parameters
    ----------
    learning_rate : float >= 0, LearningRateSchedule, or callable without arguments
        A schedule is asked with the number of batches seen; a callable at every batch.
    weight_decay : float >= 0, optional
    clipnorm, clipvalue, global_clipnorm : float >= 0, optional
        At most one of them; 0 clips nothing.
    use_ema : bool, default False
        Whether to keep the exponential moving average of the weights.
    ema_momentum : float in [0, 1], default 0.99
    ema_overwrite_frequency : int >= 1, optional
    loss_scale_factor : float > 0, optional
    gradient_accumulation_steps : int >= 2, optional
    name : str, optional
        The class's name in snake case by default.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type, or more than one way of clipping is asked for.

    Attributes
    ----------
    changes : int
        Another number whenever a setting has been set.
    batches_seen : int
        Gradients received so far; what a schedule is asked with.
    state : dict of str to numpy.ndarray
        The vectors that training keeps, by name: those of `slots()` and of `tail_slots()`, each laid out like the
        model's parameter vector. Empty before the first training.
    """

    native: ClassVar[str]
    owner = "optimizers.Optimizer"
    instead = "A learning rate of your own is a function or a schedule; a callback may change weights between batches"
    passed_over: ClassVar[Mapping[str, str]] = dict.fromkeys(
        (
            *("_apply_weight_decay", "_clip_gradients", "_filter_empty_gradients", "_get_current_learning_rate"),
            *("_backend_apply_gradients", "_backend_update_step", "_update_model_variables_moving_average"),
            *("_overwrite_model_variables_with_average_value", "_use_weight_decay"),
            *("apply", "apply_gradients", "build", "finalize_variable_values", "scale_loss"),
            *("assign", "assign_add", "assign_sub"),
        ),
        "steps are made by native code",
    )
    _hyperparameters: ClassVar[tuple[str, ...]] = ()
    changes: int

    __signature__ = _Signature()

    def __init__(
        self,
        learning_rate: LearningRateLike,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **others: object,
    ) -> None:
        _warn_of_decay(others.pop("decay", None))
        no_other_arguments(type(self), others)
        self.name = snake_case(type(self).__name__) if name is None else validation.text(name, "name")
        self._learning_rate = _checked_rate(learning_rate)
        self.weight_decay = _optional(weight_decay, "weight_decay")
        self.clipnorm = _optional(clipnorm, "clipnorm")
        self.clipvalue = _optional(clipvalue, "clipvalue")
        self.global_clipnorm = _optional(global_clipnorm, "global_clipnorm")
        if sum(limit is not None for limit in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ValueError(
                "At most one of `clipnorm`, `clipvalue` and `global_clipnorm` may be given. "
                f"Received: clipnorm={clipnorm}, clipvalue={clipvalue}, global_clipnorm={global_clipnorm}"
            )
        self.use_ema = validation.boolean(use_ema, "use_ema")
        self.ema_momentum = validation.fraction(ema_momentum, "ema_momentum")
        self.ema_overwrite_frequency = (
            None
            if ema_overwrite_frequency is None
            else validation.positive_integer(ema_overwrite_frequency, "ema_overwrite_frequency")
        )
        self.loss_scale_factor = (
            None if loss_scale_factor is None else validation.positive_number(loss_scale_factor, "loss_scale_factor")
        )
        self.gradient_accumulation_steps = (
            None
            if gradient_accumulation_steps is None
            else validation.integer(gradient_accumulation_steps, "gradient_accumulation_steps", minimum=2)
        )
        self.batches_seen = 0
        self.state: dict[str, Array] = {}
        self._undecayed_paths: tuple[str, ...] = ()
        self._undecayed_patterns: tuple[str, ...] = ()

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute; a native optimizer is kept as long as nothing but the step and the rate has changed."""
        super().__setattr__(name, value)
        if name not in _GIVEN_TO_EVERY_RUN:
            vars(self)["changes"] = next(_numbers)

    # The learning rate and the count of steps

    @property
    def learning_rate(self) -> LearningRate:
        """The learning rate of the next batch; assign a number or a schedule to change it, or call its `assign`.

        As in Keras, the number of an optimizer that has a schedule cannot be set: TypeError.
        """
        return LearningRate.of(self, self.learning_rate_at(self.batches_seen))

    @learning_rate.setter
    def learning_rate(self, learning_rate: LearningRateLike) -> None:
        rate = _checked_rate(learning_rate)
        if isinstance(rate, float) and isinstance(self._learning_rate, LearningRateSchedule):
            raise TypeError(
                "`learning_rate` is a schedule here and cannot be set to a number. Create the optimizer with a number, "
                f"or assign another schedule. Received: learning_rate={rate}"
            )
        self._learning_rate = rate

    @property
    def schedule(self) -> LearningRateSchedule | None:
        """The schedule of the learning rate, or None if it is a number or a callable."""
        return self._learning_rate if isinstance(self._learning_rate, LearningRateSchedule) else None

    @property
    def asks_every_batch(self) -> bool:
        """Whether the learning rate is a callable without arguments, which is called before every batch."""
        return not isinstance(self._learning_rate, (float, LearningRateSchedule))

    def learning_rates(self, first: int, n: int) -> FloatArray:
        """Return the learning rates of the batches first, first + 1, ..., first + n - 1, counted as `batches_seen`.

        Raises
        ------
        ValueError
            If a schedule or callable gives a negative or non-finite rate.

        Examples
        --------
        >>> from cnn_core.optimizers import SGD
        >>> SGD(schedules.FlatCosine(0.5, 4)).learning_rates(0, 5).round(12)
        array([0.5 , 0.5 , 0.5 , 0.25, 0.  ])
        """
        if isinstance(self._learning_rate, LearningRateSchedule):
            return self._learning_rate.rates(first, n)
        if isinstance(self._learning_rate, float):
            return np.full(n, self._learning_rate)
        return np.array([_called_rate(self._learning_rate) for _ in range(n)], dtype=np.float64)

    def learning_rate_at(self, batch: int) -> float:
        """Return the learning rate of one batch, counted as `batches_seen`.

        Examples
        --------
        >>> from cnn_core.optimizers import SGD
        >>> round(SGD(schedules.FlatCosine(0.5, 4)).learning_rate_at(3), 12)
        0.25
        """
        rate = self._learning_rate
        return rate if isinstance(rate, float) else float(self.learning_rates(batch, 1)[0])

    @property
    def iterations(self) -> Iterations:
        """The number of updates made: `batches_seen`, divided by `gradient_accumulation_steps` and rounded down.

        Assigning it sets `batches_seen` to match, so that the next update has the number iterations + 1.
        """
        return Iterations.of(self, self.batches_seen // (self.gradient_accumulation_steps or 1))

    @iterations.setter
    def iterations(self, iterations: int) -> None:
        count = validation.non_negative_integer(iterations, "iterations")
        self.batches_seen = count * (self.gradient_accumulation_steps or 1)

    # What the native core asks

    def rule(self) -> Rule:
        """Return the native rule's name and its hyperparameters as floats, in native order."""
        return self.native, tuple(float(getattr(self, name)) for name in self._hyperparameters)

    def slots(self) -> Slots:
        """Return (name, initial value) of every state vector of the rule, in native order."""
        return ()

    def tail_slots(self) -> Slots:
        """Return (name, initial value) of the state vectors that the common arguments ask for.

        "gradient_accumulator" with `gradient_accumulation_steps`; "average" with `use_ema`, whose value before the
        first update counts for nothing.
        """
        accumulator = (("gradient_accumulator", 0.0),) if self.gradient_accumulation_steps else ()
        average = (("average", 0.0),) if self.use_ema else ()
        return accumulator + average + self.own_slots()

    # What Keras keeps for each variable

    def slots_of(self, variable: SteppedVariable) -> tuple[str, ...]:
        """Return the names of what Keras keeps for a variable, in its order: mostly those of `slots`."""
        return tuple(name for name, _ in self.slots())

    def slot_shape(self, name: str, variable: SteppedVariable) -> tuple[int, ...]:
        """Return the shape of what Keras keeps under one of these names, or one of `tail_slots`."""
        return tuple(variable.shape)

    def slot_value(self, name: str, variable: SteppedVariable, parts: Mapping[str, Array]) -> Array:
        """Return what Keras keeps under a name, given what the state vectors hold for the variable."""
        shape = self.slot_shape(name, variable)
        return parts[name].reshape(-1)[: math.prod(shape)].reshape(shape)

    def matrix_shape(self, variable: SteppedVariable) -> tuple[int, int]:
        """Return the rows and columns of the matrix that the rule sees in a variable, or of each of several.

        (0, 0), which is the default, where it sees none: most rules step every number by itself.
        """
        return (0, 0)

    # Weight decay

    def exclude_from_weight_decay(
        self, var_list: Iterable[Any] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Exempt variables from `weight_decay`, from the next training on; another call replaces this one.

        Parameters
        ----------
        var_list : iterable of variables, optional
            Each is remembered by its `path`, such as "dense/bias", so that the choice survives saving.
        var_names : iterable of str, optional
            Regular expressions, searched for in the last part of a variable's path ("bias" of "dense/bias") as in
            Keras; those that hold a "/", in the whole path.

        Raises
        ------
        ValueError
            If a regular expression is malformed.

        Examples
        --------
        >>> from cnn_core.optimizers import AdamW
        >>> optimizer = AdamW()
        >>> optimizer.exclude_from_weight_decay(var_names=["bias", "gamma"])
        >>> optimizer.decays("dense/kernel"), optimizer.decays("dense/bias")
        (True, False)
        """
        patterns = validation.patterns(var_names or (), "var_names")
        self._undecayed_paths = tuple(path_of(variable) for variable in var_list or ())
        self._undecayed_patterns = tuple(patterns)

    def decays(self, variable: SteppedVariable | str) -> bool:
        """Return whether weight decay applies to a variable, given itself or its path such as "dense/bias"."""
        path = path_of(variable)
        if path in self._undecayed_paths:
            return False
        last = path.rpartition("/")[2]
        return not any(re.search(pattern, path if "/" in pattern else last) for pattern in self._undecayed_patterns)

    def decay_of(self, variable: SteppedVariable | str) -> float:
        """Return the weight decay of a variable: `weight_decay`, 0 for one that is exempt.

        Examples
        --------
        >>> from cnn_core.optimizers import AdamW
        >>> AdamW(weight_decay=0.1).decay_of("dense/kernel")
        0.1
        """
        return self.weight_decay if self.weight_decay and self.decays(variable) else 0.0

    # State and configuration

    def training_state(self) -> dict[str, Any]:
        """Return all that training changes: the count of batches, the learning rate unless scheduled, the vectors."""
        rate = self._learning_rate
        return {
            "batches_seen": self.batches_seen,
            "learning_rate": rate if isinstance(rate, float) else None,
            "slots": {name: vector.copy() for name, vector in self.state.items()},
        }

    def restore_training_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `training_state` returned."""
        self.batches_seen = validation.non_negative_integer(state["batches_seen"], "batches_seen")
        if state["learning_rate"] is not None:
            self.learning_rate = state["learning_rate"]
        self.state = {name: np.array(vector) for name, vector in state["slots"].items()}

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data, and what is excluded from weight decay.

        A schedule becomes a nested configuration. A callable learning rate is stored as the number that it gives now,
        for a configuration holds no code.
        """
        rate = self._learning_rate
        config: dict[str, Any] = {
            "name": self.name,
            "learning_rate": schedules.serialize(rate)
            if isinstance(rate, LearningRateSchedule)
            else float(self.learning_rate),
        }
        tail = (name for name in Tail.__annotations__ if name != "name")
        config.update((name, getattr(self, name)) for name in (*tail, *self._arguments()))
        config = fitting(self, config)
        if self._undecayed_paths or self._undecayed_patterns:
            config["excluded_from_weight_decay"] = {
                "paths": list(self._undecayed_paths),
                "patterns": list(self._undecayed_patterns),
            }
        return config

    def _arguments(self) -> tuple[str, ...]:
        return self._hyperparameters

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        """Return the optimizer that `get_config` described, without state."""
        arguments = dict(config)
        excluded = arguments.pop("excluded_from_weight_decay", None)
        if isinstance(arguments.get("learning_rate"), Mapping):
            arguments["learning_rate"] = schedules.deserialize(arguments["learning_rate"], custom_objects)
        optimizer = cls(**arguments)
        if excluded is not None:
            optimizer.exclude_from_weight_decay(excluded["paths"], excluded["patterns"])
        return optimizer

    def __repr__(self) -> str:
        rate = self.schedule or self.learning_rate
        arguments = "".join(f", {name}={getattr(self, name)!r}" for name in self._arguments())
        return f"{type(self).__name__}(learning_rate={rate!r}{arguments})"


def first_state(initial: float | None, weights: Array) -> float | Array:
    """Return the first values of a state vector, given what `Optimizer.slots` says of it and the weights."""
    return weights if initial is None else initial


def _checked_rate(learning_rate: object) -> float | LearningRateSchedule | Callable[[], float]:
    if isinstance(learning_rate, Mapping):
        return schedules.deserialize(learning_rate)
    if isinstance(learning_rate, LearningRateSchedule):
        return learning_rate
    if callable(learning_rate) and not isinstance(learning_rate, type):
        rate: Callable[[], float] = learning_rate
        return rate
    return validation.number(learning_rate, "learning_rate", minimum=0)


def _warn_of_decay(decay: object) -> None:
    if decay is not None:
        warn_caller(
            "`decay` has no effect, as in Keras 3: give a schedule, such as "
            f"learning_rate=schedules.InverseTimeDecay(0.1, 1, decay). Received: decay={validation.show(decay)}"
        )


def _called_rate(learning_rate: Callable[[], float]) -> float:
    return validation.number(learning_rate(), "learning_rate", minimum=0)


def _optional(value: float | None, name: str) -> float | None:
    return None if value is None else validation.number(value, name, minimum=0)


def path_of(variable: object) -> str:
    """Return the path of a variable, given itself or its path."""
    if isinstance(variable, str):
        return variable
    path = getattr(variable, "path", None) or getattr(variable, "name", None)
    if not isinstance(path, str):
        raise TypeError(f"A variable must have a `path` or be one. Received: {validation.show(variable)}")
    return path
