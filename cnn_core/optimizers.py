"""Optimizers: descriptions of update rules that the native core carries out. Floor 3.

Holds hyperparameters and, between trainings, the state vectors; the arithmetic is in src/training/optimizers.pxd. The
docstring of each class is its update rule as code: w weights, g gradient, t = 1, 2, ... the update's number, lr the
learning rate. Knows nothing of layers or models.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

import cnn_core.left_out as left_out
import cnn_core.schedules as schedules
import cnn_core.validation as validation
from cnn_core.schedules import LearningRateSchedule
from cnn_core.serialization import Registry, snake_case

__all__ = [
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]

LearningRate: TypeAlias = float | LearningRateSchedule | Callable[[], float] | Mapping[str, Any]
Slots: TypeAlias = tuple[tuple[str, float], ...]
Rule: TypeAlias = tuple[str, tuple[float, ...]]

_registry = Registry("optimizer")


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


class Optimizer:
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
    batches_seen : int
        Gradients received so far; what a schedule is asked with.
    state : dict of str to numpy.ndarray
        The vectors that training keeps, by name: those of `slots()` and of `tail_slots()`, each laid out like the
        model's parameter vector. Empty before the first training.
    """

    native: ClassVar[str]
    _hyperparameters: ClassVar[tuple[str, ...]] = ()

    __signature__ = _Signature()

    def __init__(
        self,
        learning_rate: LearningRate,
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
        **others: Any,
    ) -> None:
        validation.no_other_arguments(type(self), others)
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
        self.state: dict[str, npt.NDArray[Any]] = {}
        self._undecayed_paths: tuple[str, ...] = ()
        self._undecayed_patterns: tuple[str, ...] = ()

    # The learning rate and the count of steps

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next batch; assign a number or a schedule to change it.

        As in Keras, the number of an optimizer that has a schedule cannot be set: TypeError.
        """
        if isinstance(self._learning_rate, LearningRateSchedule):
            return float(self._learning_rate.rates(self.batches_seen, 1)[0])
        return self._learning_rate if isinstance(self._learning_rate, float) else _called_rate(self._learning_rate)

    @learning_rate.setter
    def learning_rate(self, learning_rate: LearningRate) -> None:
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

    def learning_rates(self, first: int, n: int) -> npt.NDArray[np.float64]:
        """Return the learning rates of the batches first, first + 1, ..., first + n - 1, counted as `batches_seen`.

        Raises
        ------
        ValueError
            If a schedule or callable gives a negative or non-finite rate.

        Examples
        --------
        >>> SGD(schedules.FlatCosine(0.5, 4)).learning_rates(0, 5).round(12)
        array([0.5 , 0.5 , 0.5 , 0.25, 0.  ])
        """
        if isinstance(self._learning_rate, LearningRateSchedule):
            return self._learning_rate.rates(first, n)
        if isinstance(self._learning_rate, float):
            return np.full(n, self._learning_rate)
        return np.array([_called_rate(self._learning_rate) for _ in range(n)], dtype=np.float64)

    @property
    def iterations(self) -> int:
        """The number of updates made: `batches_seen`, divided by `gradient_accumulation_steps` and rounded down.

        Assigning it sets `batches_seen` to match, so that the next update has the number iterations + 1.
        """
        return self.batches_seen // (self.gradient_accumulation_steps or 1)

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
        return accumulator + average

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
        >>> optimizer = AdamW()
        >>> optimizer.exclude_from_weight_decay(var_names=["bias", "gamma"])
        >>> optimizer.decays("dense/kernel"), optimizer.decays("dense/bias")
        (True, False)
        """
        if isinstance(var_names, str):
            raise TypeError(f"`var_names` must be a list of strings. Received: var_names={var_names!r}")
        patterns = tuple(var_names or ())
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(
                    f"`var_names` must hold regular expressions. Received: {pattern!r} ({error})"
                ) from None
        self._undecayed_paths = tuple(_path(variable) for variable in var_list or ())
        self._undecayed_patterns = patterns

    def decays(self, variable: Any) -> bool:
        """Return whether weight decay applies to a variable, given itself or its path such as "dense/bias"."""
        path = _path(variable)
        if path in self._undecayed_paths:
            return False
        last = path.rpartition("/")[2]
        return not any(re.search(pattern, path if "/" in pattern else last) for pattern in self._undecayed_patterns)

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
            else self.learning_rate,
        }
        tail = (name for name in Tail.__annotations__ if name != "name")
        config.update((name, getattr(self, name)) for name in (*tail, *self._arguments()))
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


@_registry.register()
class SGD(Optimizer):
    """Follow the negative gradient, with momentum if asked.

    ::

        w = w - lr * g                      # momentum = 0
        m = momentum * m - lr * g           # momentum > 0; m = 0 at first
        w = w + m
        w = w + momentum * m - lr * g       # with nesterov, instead of the line above

    Parameters
    ----------
    learning_rate : float >= 0, LearningRateSchedule or callable, default 0.01
    momentum : float in [0, 1], default 0
    nesterov : bool, default False
    **tail
        The common arguments: see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type.

    Examples
    --------
    >>> SGD(0.1, momentum=0.9, nesterov=True).rule()
    ('sgd', (0.9, 1.0))
    """

    native = "sgd"
    _hyperparameters = ("momentum", "nesterov")

    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **tail: Unpack[Tail],
    ) -> None:
        super().__init__(learning_rate, **tail)
        self.momentum = validation.fraction(momentum, "momentum")
        self.nesterov = validation.boolean(nesterov, "nesterov")

    def slots(self) -> Slots:
        """Return ("momentum", 0) if there is momentum."""
        return (("momentum", 0.0),) if self.momentum else ()


@_registry.register()
class RMSprop(Optimizer):
    """Divide the gradient by the root of the running mean of its square.

    ::

        v = rho * v + (1 - rho) * g**2                          # v = 0 at first
        mean = rho * mean + (1 - rho) * g                       # centered; mean = 0 at first
        step = lr * g / sqrt(v - mean**2 + epsilon)             # mean = 0 if not centered
        m = momentum * m + step                                 # momentum > 0; m = 0 at first
        w = w - m                                               # w - step if momentum = 0

    Parameters
    ----------
    learning_rate : float >= 0, LearningRateSchedule or callable, default 0.001
    rho : float in [0, 1], default 0.9
    momentum : float in [0, 1], default 0
    epsilon : float >= 0, default 1e-7
        Inside the root.
    centered : bool, default False
        Whether to divide by the running variance instead, which costs another vector of state.
    **tail
        The common arguments: see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type.

    Examples
    --------
    >>> RMSprop(centered=True).slots()
    (('velocity', 0.0), ('average_gradient', 0.0))

    References
    ----------
    G. Hinton, "Neural Networks for Machine Learning", lecture 6e, 2012.
    """

    native = "rmsprop"
    _hyperparameters = ("rho", "momentum", "epsilon", "centered")

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **tail: Unpack[Tail],
    ) -> None:
        super().__init__(learning_rate, **tail)
        self.rho = validation.fraction(rho, "rho")
        self.momentum = validation.fraction(momentum, "momentum")
        self.epsilon = validation.number(epsilon, "epsilon", minimum=0)
        self.centered = validation.boolean(centered, "centered")

    def slots(self) -> Slots:
        """Return "velocity", then "momentum" if there is momentum, then "average_gradient" if centered."""
        momentum = (("momentum", 0.0),) if self.momentum else ()
        average = (("average_gradient", 0.0),) if self.centered else ()
        return (("velocity", 0.0), *momentum, *average)


@_registry.register()
class Adam(Optimizer):
    """Divide the running mean of the gradient by the root of the running mean of its square.

    ::

        m = m + (1 - beta_1) * (g - m)                          # m = 0 at first
        v = v + (1 - beta_2) * (g**2 - v)                       # v = 0 at first
        v_hat = max(v_hat, v)                                   # amsgrad; v_hat = v otherwise
        alpha = lr * sqrt(1 - beta_2**t) / (1 - beta_1**t)
        w = w - alpha * m / (sqrt(v_hat) + epsilon)

    Epsilon is added to the root before the bias of v is corrected, as in Keras and in section 2 of the paper: PyTorch's
    epsilon is this one times 1 / sqrt(1 - beta_2**t).

    Parameters
    ----------
    learning_rate : float >= 0, LearningRateSchedule or callable, default 0.001
    beta_1 : float in [0, 1), default 0.9
    beta_2 : float in [0, 1), default 0.999
    epsilon : float >= 0, default 1e-7
    amsgrad : bool, default False
        Whether the denominator may only grow, which costs another vector of state.
    **tail
        The common arguments: see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type.

    Examples
    --------
    >>> Adam(0.01, amsgrad=True).rule()
    ('adam', (0.9, 0.999, 1e-07, 1.0))
    >>> Adam(beta_1=1.0)
    Traceback (most recent call last):
        ...
    ValueError: `beta_1` must be a number of at least 0 and below 1. Received: beta_1=1.0

    References
    ----------
    D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.
    S. J. Reddi, S. Kale, S. Kumar, "On the Convergence of Adam and Beyond", ICLR 2018 (amsgrad).
    """

    native = "adam"
    _hyperparameters = ("beta_1", "beta_2", "epsilon", "amsgrad")

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **tail: Unpack[Tail],
    ) -> None:
        super().__init__(learning_rate, **tail)
        self.beta_1 = validation.fraction(beta_1, "beta_1", include_one=False)
        self.beta_2 = validation.fraction(beta_2, "beta_2", include_one=False)
        self.epsilon = validation.number(epsilon, "epsilon", minimum=0)
        self.amsgrad = validation.boolean(amsgrad, "amsgrad")

    def slots(self) -> Slots:
        """Return "momentum" and "velocity", then "velocity_hat" with amsgrad."""
        largest = (("velocity_hat", 0.0),) if self.amsgrad else ()
        return (("momentum", 0.0), ("velocity", 0.0), *largest)


@_registry.register()
class AdamW(Adam):
    """Take Adam's step after shrinking the weights a little.

    ::

        w = w - w * weight_decay * lr
        w = Adam's step

    Parameters
    ----------
    learning_rate : float >= 0, LearningRateSchedule or callable, default 0.001
    weight_decay : float >= 0, default 0.004
        Biases decay too, unless excluded: see `exclude_from_weight_decay`.
    beta_1, beta_2, epsilon, amsgrad
        See `Adam`.
    **tail
        The common arguments: see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type, or `weight_decay` is None.

    Examples
    --------
    >>> AdamW(weight_decay=0.01).rule() == Adam().rule()
    True

    References
    ----------
    I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **tail: Unpack[TailWithoutDecay],
    ) -> None:
        decay = validation.number(weight_decay, "weight_decay", minimum=0)
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=decay, **tail)


@_registry.register()
class Nadam(Optimizer):
    """Take Adam's step with Nesterov's momentum.

    ::

        u = beta_1 * (1 - 0.96**t / 2)
        u_next = beta_1 * (1 - 0.96 ** (t + 1) / 2)
        product = product * u                                   # product = 1 at first
        m = m + (1 - beta_1) * (g - m)                          # m = 0 at first
        v = v + (1 - beta_2) * (g**2 - v)                       # v = 0 at first
        m_hat = u_next * m / (1 - product * u_next) + (1 - u) * g / (1 - product)
        v_hat = v / (1 - beta_2**t)
        w = w - lr * m_hat / (sqrt(v_hat) + epsilon)

    Parameters
    ----------
    learning_rate : float >= 0, LearningRateSchedule or callable, default 0.001
    beta_1 : float in [0, 1), default 0.9
    beta_2 : float in [0, 1), default 0.999
    epsilon : float >= 0, default 1e-7
    **tail
        The common arguments: see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type.

    Examples
    --------
    >>> Nadam().slots()
    (('momentum', 0.0), ('velocity', 0.0))

    References
    ----------
    T. Dozat, "Incorporating Nesterov Momentum into Adam", ICLR workshop, 2016.
    """

    native = "nadam"
    _hyperparameters = ("beta_1", "beta_2", "epsilon")

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **tail: Unpack[Tail],
    ) -> None:
        super().__init__(learning_rate, **tail)
        self.beta_1 = validation.fraction(beta_1, "beta_1", include_one=False)
        self.beta_2 = validation.fraction(beta_2, "beta_2", include_one=False)
        self.epsilon = validation.number(epsilon, "epsilon", minimum=0)

    def slots(self) -> Slots:
        """Return "momentum" and "velocity"."""
        return (("momentum", 0.0), ("velocity", 0.0))

    def momentum_product(self, t: int) -> float:
        """Return `product` of the update rule after t updates: what native code needs to go on from there.

        Examples
        --------
        >>> round(Nadam(beta_1=0.5).momentum_product(2), 12)
        0.070096
        """
        factors = self.beta_1 * (1 - 0.5 * 0.96 ** np.arange(1, t + 1, dtype=np.float64))
        return float(np.prod(factors))


@_registry.register()
class Adamax(Optimizer):
    """Divide the running mean of the gradient by a running maximum of its size.

    ::

        m = m + (1 - beta_1) * (g - m)                          # m = 0 at first
        u = max(beta_2 * u, abs(g))                             # u = 0 at first
        w = w - lr * m / ((1 - beta_1**t) * (u + epsilon))

    Parameters
    ----------
    learning_rate : float >= 0, LearningRateSchedule or callable, default 0.001
    beta_1 : float in [0, 1), default 0.9
    beta_2 : float in [0, 1), default 0.999
    epsilon : float >= 0, default 1e-7
    **tail
        The common arguments: see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type.

    Examples
    --------
    >>> Adamax().slots()
    (('momentum', 0.0), ('norm', 0.0))

    References
    ----------
    D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, section 7.1.
    """

    native = "adamax"
    _hyperparameters = ("beta_1", "beta_2", "epsilon")

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **tail: Unpack[Tail],
    ) -> None:
        super().__init__(learning_rate, **tail)
        self.beta_1 = validation.fraction(beta_1, "beta_1", include_one=False)
        self.beta_2 = validation.fraction(beta_2, "beta_2", include_one=False)
        self.epsilon = validation.number(epsilon, "epsilon", minimum=0)

    def slots(self) -> Slots:
        """Return "momentum" and "norm"."""
        return (("momentum", 0.0), ("norm", 0.0))


@_registry.register()
class Adagrad(Optimizer):
    """Divide the gradient by the root of the sum of all its squares.

    ::

        v = v + g**2                                            # v = initial_accumulator_value at first
        w = w - lr * g / sqrt(v + epsilon)

    Parameters
    ----------
    learning_rate : float >= 0, LearningRateSchedule or callable, default 0.001
    initial_accumulator_value : float >= 0, default 0.1
    epsilon : float >= 0, default 1e-7
        Inside the root.
    **tail
        The common arguments: see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type.

    Examples
    --------
    >>> Adagrad(initial_accumulator_value=0.5).slots()
    (('accumulator', 0.5),)

    References
    ----------
    J. Duchi, E. Hazan, Y. Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization",
    Journal of Machine Learning Research 12, 2011.
    """

    native = "adagrad"
    _hyperparameters = ("epsilon",)

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **tail: Unpack[Tail],
    ) -> None:
        super().__init__(learning_rate, **tail)
        self.initial_accumulator_value = validation.number(
            initial_accumulator_value, "initial_accumulator_value", minimum=0
        )
        self.epsilon = validation.number(epsilon, "epsilon", minimum=0)

    def slots(self) -> Slots:
        """Return "accumulator", which begins at `initial_accumulator_value`."""
        return (("accumulator", self.initial_accumulator_value),)

    def _arguments(self) -> tuple[str, ...]:
        return ("initial_accumulator_value", "epsilon")


@_registry.register()
class Adadelta(Optimizer):
    """Scale the gradient so that steps have the size of earlier steps.

    ::

        v = rho * v + (1 - rho) * g**2                          # v = 0 at first
        step = g * sqrt(u + epsilon) / sqrt(v + epsilon)
        u = rho * u + (1 - rho) * step**2                       # u = 0 at first
        w = w - lr * step

    Parameters
    ----------
    learning_rate : float >= 0, LearningRateSchedule or callable, default 0.001
        The paper's method has the learning rate 1.
    rho : float in [0, 1], default 0.95
    epsilon : float >= 0, default 1e-7
    **tail
        The common arguments: see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type.

    Examples
    --------
    >>> Adadelta(1.0).rule()
    ('adadelta', (0.95, 1e-07))

    References
    ----------
    M. D. Zeiler, "ADADELTA: An Adaptive Learning Rate Method", arXiv:1212.5701, 2012.
    """

    native = "adadelta"
    _hyperparameters = ("rho", "epsilon")

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        **tail: Unpack[Tail],
    ) -> None:
        super().__init__(learning_rate, **tail)
        self.rho = validation.fraction(rho, "rho")
        self.epsilon = validation.number(epsilon, "epsilon", minimum=0)

    def slots(self) -> Slots:
        """Return "accumulated_grad" and "accumulated_delta_var"."""
        return (("accumulated_grad", 0.0), ("accumulated_delta_var", 0.0))


@_registry.register()
class Lion(Optimizer):
    """Step by the sign of a running mean of the gradient: every weight moves by lr.

    ::

        w = w - lr * sign(beta_1 * m + (1 - beta_1) * g)
        m = beta_2 * m + (1 - beta_2) * g                       # m = 0 at first

    Parameters
    ----------
    learning_rate : float >= 0, LearningRateSchedule or callable, default 0.001
        A third to a tenth of what suits Adam.
    beta_1 : float in (0, 1], default 0.9
    beta_2 : float in [0, 1], default 0.99
    **tail
        The common arguments: see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type.

    Examples
    --------
    >>> Lion().rule()
    ('lion', (0.9, 0.99))

    References
    ----------
    X. Chen et al., "Symbolic Discovery of Optimization Algorithms", NeurIPS 2023.
    """

    native = "lion"
    _hyperparameters = ("beta_1", "beta_2")

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        **tail: Unpack[Tail],
    ) -> None:
        super().__init__(learning_rate, **tail)
        self.beta_1 = validation.fraction(beta_1, "beta_1", include_zero=False)
        self.beta_2 = validation.fraction(beta_2, "beta_2")

    def slots(self) -> Slots:
        """Return "momentum"."""
        return (("momentum", 0.0),)


@_registry.register()
class LBFGS(Optimizer):
    """Minimise the loss over all rows at once, by the limited-memory BFGS method with a strong-Wolfe line search.

    ::

        d = -H * g                          # H: the inverse Hessian as the last history_size steps show it
        w = w + step * d                    # step: where the loss is low enough and its slope flat enough

    For small data: each evaluation of the loss reads every row. `fit` takes all rows as one batch. Dropout and noise
    make the loss a different function at each evaluation and do not go with it. See `cnn_core.lbfgs.minimize`.

    Parameters
    ----------
    max_iter : int >= 1, default 200
        Steps at most.
    max_fun : int >= 1, default 15000
        Stop after the step in which the loss was evaluated more often than this.
    history_size : int >= 1, default 10
        Steps remembered.
    gradient_tolerance : float >= 0, default 1e-5
        Stop when no element of the gradient is larger.
    function_tolerance : float >= 0, default 2.220446049250313e-09
        Stop when a step lowers the loss by no more than this share of it (or of 1, if that is more).
    name : str, optional

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type.

    Examples
    --------
    >>> LBFGS(max_iter=50).rule()
    ('lbfgs', (50.0, 15000.0, 10.0, 1e-05, 2.220446049250313e-09))

    References
    ----------
    D. C. Liu, J. Nocedal, "On the Limited Memory BFGS Method for Large Scale Optimization", Mathematical Programming
    45, 1989.
    """

    native = "lbfgs"
    _hyperparameters = ("max_iter", "max_fun", "history_size", "gradient_tolerance", "function_tolerance")

    def __init__(
        self,
        max_iter: int = 200,
        max_fun: int = 15000,
        history_size: int = 10,
        gradient_tolerance: float = 1e-5,
        function_tolerance: float = 2.220446049250313e-09,
        name: str | None = None,
    ) -> None:
        super().__init__(1.0, name=name)
        self.max_iter = validation.positive_integer(max_iter, "max_iter")
        self.max_fun = validation.positive_integer(max_fun, "max_fun")
        self.history_size = validation.positive_integer(history_size, "history_size")
        self.gradient_tolerance = validation.number(gradient_tolerance, "gradient_tolerance", minimum=0)
        self.function_tolerance = validation.number(function_tolerance, "function_tolerance", minimum=0)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {"name": self.name, **{name: getattr(self, name) for name in self._hyperparameters}}


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """Return an optimizer as plain data, without its state.

    Examples
    --------
    >>> serialize(Adam(0.01))["class_name"]
    'Adam'
    """
    data: dict[str, Any] = _registry.serialize(optimizer)
    return data


def deserialize(config: str | Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Optimizer:
    """Return the optimizer that `serialize` wrote, without state.

    Parameters
    ----------
    config : dict
        `{"class_name": ..., "config": {...}}`.
    custom_objects : dict, optional
        Classes of your own by name: data alone cannot name code.

    Raises
    ------
    ValueError
        If the class is unknown or the configuration does not fit it.
    TypeError
        If what is named is no optimizer.

    Examples
    --------
    >>> deserialize({"class_name": "Adam", "config": {"learning_rate": 0.01}}).learning_rate
    0.01
    """
    return _checked_optimizer(_registry.deserialize(config, custom_objects), config)


def get(identifier: str | Mapping[str, Any] | Optimizer | type[Optimizer]) -> Optimizer:
    """Return the optimizer that a name, a configuration, a class or an optimizer stands for.

    Parameters
    ----------
    identifier : str, dict, class or Optimizer
        Names count without regard to capitals: "adam", "sgd", "rmsprop", ... give the defaults.

    Raises
    ------
    ValueError
        If a name is unknown: the message lists the known ones, nearest first.
    TypeError
        If it stands for no optimizer.

    Examples
    --------
    >>> get("adam").learning_rate
    0.001
    """
    return _checked_optimizer(_registry.get(identifier), identifier)


def _checked_optimizer(optimizer: Any, identifier: Any) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            "`optimizer` must be an Optimizer, the name of one or its configuration. "
            f"Received: optimizer={validation.show(identifier)}"
        )
    return optimizer


def _checked_rate(learning_rate: Any) -> float | LearningRateSchedule | Callable[[], float]:
    if isinstance(learning_rate, Mapping):
        return schedules.deserialize(learning_rate)
    if isinstance(learning_rate, LearningRateSchedule):
        return learning_rate
    if callable(learning_rate) and not isinstance(learning_rate, type):
        rate: Callable[[], float] = learning_rate
        return rate
    return validation.number(learning_rate, "learning_rate", minimum=0)


def _called_rate(learning_rate: Callable[[], float]) -> float:
    return validation.number(learning_rate(), "learning_rate", minimum=0)


def _optional(value: float | None, name: str) -> float | None:
    return None if value is None else validation.number(value, name, minimum=0)


def _path(variable: Any) -> str:
    if isinstance(variable, str):
        return variable
    path = getattr(variable, "path", None) or getattr(variable, "name", None)
    if not isinstance(path, str):
        raise TypeError(f"A variable must have a `path` or be one. Received: {validation.show(variable)}")
    return path


if not TYPE_CHECKING:  # a checker must not take every name for known
    __getattr__ = left_out.answer_for(__name__)
