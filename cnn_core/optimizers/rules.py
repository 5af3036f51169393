"""The rules of a few lines: SGD, RMSprop, Adagrad, Adadelta, Lion, FTRL, and L-BFGS for whole data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import cnn_core.foundation.validation as validation
from cnn_core.foundation.exports import own_names
from cnn_core.optimizers.base import LearningRateLike, Optimizer, Slots, Tail, registry


@registry.register()
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
        learning_rate: LearningRateLike = 0.01,
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


@registry.register()
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
        learning_rate: LearningRateLike = 0.001,
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


@registry.register()
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
        learning_rate: LearningRateLike = 0.001,
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


@registry.register()
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
        learning_rate: LearningRateLike = 0.001,
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


@registry.register()
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
        learning_rate: LearningRateLike = 0.001,
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


@registry.register()
class Ftrl(Optimizer):
    """Follow the regularized leader: the weights that would have been best for all gradients so far, mostly zeros.

    ::

        pull = g + 2 * l2_shrinkage_regularization_strength * w
        n_new = n + g**2                                        # n = initial_accumulator_value at first
        z = z + pull - (n_new**p - n**p) / lr * w               # z = 0 at first; p = -learning_rate_power
        l2 = l2_regularization_strength + beta / (2 * lr)
        excess = z - clip(z, -l1_regularization_strength, l1_regularization_strength)
        w = -excess / (n_new**p / lr + 2 * l2)
        n = n_new

    For shallow models with many sparse features. The weights that a model begins with count in the first step only. A
    batch whose learning rate is 0, and a weight that has had no gradient while n is 0, leave everything as it is.

    Parameters
    ----------
    learning_rate : float >= 0, LearningRateSchedule or callable, default 0.001
    learning_rate_power : float <= 0, default -0.5
        0 for a rate that the gradients do not lower.
    initial_accumulator_value : float >= 0, default 0.1
    l1_regularization_strength : float >= 0, default 0
        Weights whose z lies within it are 0.
    l2_regularization_strength : float >= 0, default 0
        Stabilizes the step.
    l2_shrinkage_regularization_strength : float >= 0, default 0
        A penalty on the size of the weights.
    beta : float >= 0, default 0
        The paper's beta.
    **tail
        The common arguments: see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type.

    Examples
    --------
    >>> Ftrl(l1_regularization_strength=0.01).rule()
    ('ftrl', (-0.5, 0.01, 0.0, 0.0, 0.0))

    References
    ----------
    H. B. McMahan et al., "Ad Click Prediction: a View from the Trenches", KDD 2013.
    """

    native = "ftrl"
    _hyperparameters = (
        "learning_rate_power",
        "l1_regularization_strength",
        "l2_regularization_strength",
        "l2_shrinkage_regularization_strength",
        "beta",
    )

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **tail: Unpack[Tail],
    ) -> None:
        super().__init__(learning_rate, **tail)
        self.learning_rate_power = validation.number(learning_rate_power, "learning_rate_power", maximum=0)
        self.initial_accumulator_value = validation.number(
            initial_accumulator_value, "initial_accumulator_value", minimum=0
        )
        self.l1_regularization_strength = validation.number(
            l1_regularization_strength, "l1_regularization_strength", minimum=0
        )
        self.l2_regularization_strength = validation.number(
            l2_regularization_strength, "l2_regularization_strength", minimum=0
        )
        self.l2_shrinkage_regularization_strength = validation.number(
            l2_shrinkage_regularization_strength, "l2_shrinkage_regularization_strength", minimum=0
        )
        self.beta = validation.number(beta, "beta", minimum=0)

    def slots(self) -> Slots:
        """Return "accumulator", which begins at `initial_accumulator_value`, and "linear"."""
        return (("accumulator", self.initial_accumulator_value), ("linear", 0.0))

    def _arguments(self) -> tuple[str, ...]:
        return ("initial_accumulator_value", *self._hyperparameters)


@registry.register()
class LBFGS(Optimizer):
    """Minimise the loss over all rows at once, by the limited-memory BFGS method with a strong-Wolfe line search.

    ::

        d = -H * g                          # H: the inverse Hessian as the last history_size steps show it
        w = w + step * d                    # step: where the loss is low enough and its slope flat enough

    For small data: each evaluation of the loss reads every row. `fit` takes all rows as one batch. Dropout and noise
    make the loss a different function at each evaluation and do not go with it. See `optimizers.lbfgs.minimize`.

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

    steps_by_batches = False
    passed_over = {**Optimizer.passed_over, "update_step": "an epoch is one minimisation"}  # noqa: RUF012
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

    def _built_for(self, variables: list[Any] | None) -> list[Any]:
        raise TypeError("LBFGS needs the loss of all rows at once: use fit. Received: variables for single steps")

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as plain data."""
        return {"name": self.name, **{name: getattr(self, name) for name in self._hyperparameters}}


if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
