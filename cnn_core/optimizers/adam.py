"""Adam and those derived from it: AdamW, Nadam, Adamax, schedule-free AdamW."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.exports import own_names
from cnn_core.optimizers.base import LearningRateLike, Optimizer, Slots, Tail, TailWithoutDecay, registry


@registry.register()
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
        learning_rate: LearningRateLike = 0.001,
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


@registry.register()
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
        learning_rate: LearningRateLike = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **tail: Unpack[TailWithoutDecay],
    ) -> None:
        decay = validation.number(weight_decay, "weight_decay", minimum=0)
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=decay, **tail)


@registry.register()
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
        learning_rate: LearningRateLike = 0.001,
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


@registry.register()
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
        learning_rate: LearningRateLike = 0.001,
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


@registry.register()
class ScheduleFreeAdamW(Optimizer):
    """Take Adam's step without momentum, and the mean of all steps instead of a schedule.

    ::

        x = (w - (1 - beta_1) * z) / beta_1                     # z = w at first, so that x = w
        v = v + (1 - beta_2) * (g**2 - v)                       # v = 0 at first
        z = z - lr * min(t / warmup_steps, 1) * g / (sqrt(v / (1 - beta_2**t)) + epsilon)
        x = x + (z - x) / t
        w = (1 - beta_1) * z + beta_1 * x

    The gradient is taken at w, which lies between the newest z and the mean x. As in Keras, w is what the model
    predicts with after training, too, where the paper takes x. Weight decay shrinks w. Keras 3.15 with PyTorch computes
    x from the new z instead of the old one, and is not followed there; with JAX and TensorFlow it does as here.

    Parameters
    ----------
    learning_rate : float >= 0, LearningRateSchedule or callable, default 0.0025
    beta_1 : float in (0, 1], default 0.9
    beta_2 : float in [0, 1), default 0.999
    epsilon : float >= 0, default 1e-8
    warmup_steps : int >= 0, default 0
        Updates in which the learning rate rises from 0.
    **tail
        The common arguments: see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type.

    Examples
    --------
    >>> ScheduleFreeAdamW(warmup_steps=100).rule()
    ('schedule_free_adamw', (0.9, 0.999, 1e-08, 100.0))

    References
    ----------
    A. Defazio et al., "The Road Less Scheduled", NeurIPS 2024.
    """

    native = "schedule_free_adamw"
    _hyperparameters = ("beta_1", "beta_2", "epsilon", "warmup_steps")

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        **tail: Unpack[Tail],
    ) -> None:
        super().__init__(learning_rate, **tail)
        self.beta_1 = validation.fraction(beta_1, "beta_1", include_zero=False)
        self.beta_2 = validation.fraction(beta_2, "beta_2", include_one=False)
        self.epsilon = validation.number(epsilon, "epsilon", minimum=0)
        self.warmup_steps = validation.non_negative_integer(warmup_steps, "warmup_steps")

    def slots(self) -> Slots:
        """Return "momentum", which is z and begins at the weights, and "velocity"."""
        return (("momentum", None), ("velocity", 0.0))


if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
