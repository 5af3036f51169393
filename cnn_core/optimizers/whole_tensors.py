"""Rules that look at a whole tensor, its norm, its rows and columns or the matrix itself: Lamb, Adafactor, Muon."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.exports import own_names
from cnn_core.optimizers.base import LearningRateLike, Optimizer, Rule, Slots, Tail, TailWithoutDecay, path_of, registry

if TYPE_CHECKING:
    from cnn_core.optimizers.stepped import SteppedVariable


@registry.register()
class Lamb(Optimizer):
    """Take Adam's direction, and in each tensor a step in proportion to the size of its weights.

    ::

        m = m + (1 - beta_1) * (g - m)                          # m = 0 at first
        v = v + (1 - beta_2) * (g**2 - v)                       # v = 0 at first
        u = m / (1 - beta_1**t) / (sqrt(v / (1 - beta_2**t)) + epsilon)
        w = w - lr * norm(w) / norm(u) * u                      # lr * u where either norm is 0

    For large batches.

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
    >>> Lamb().rule()
    ('lamb', (0.9, 0.999, 1e-07))

    References
    ----------
    Y. You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 Minutes", ICLR 2020.
    """

    native = "lamb"
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


@registry.register()
class Adafactor(Optimizer):
    """Divide the gradient by the root of its mean square, which is known by rows and columns only.

    ::

        beta_2 = 1 - t**beta_2_decay
        rows = beta_2 * rows + (1 - beta_2) * mean(g**2 + epsilon_1, axis=-1)           # 0 at first
        columns = beta_2 * columns + (1 - beta_2) * mean(g**2 + epsilon_1, axis=-2)     # 0 at first
        v = outer(rows / mean(rows), columns)
        u = g / sqrt(v)
        step = max(epsilon_2, rms(w)) * min(lr, 1 / sqrt(t))
        w = w - step * u / max(1, rms(u) / clip_threshold)

    Of tensors with more axes, the last two are those of matrices; a bias is a matrix of one row. rms(x) is the root of
    the mean of x**2. A learning rate above 1 / sqrt(t) counts as that.

    Parameters
    ----------
    learning_rate : float >= 0, LearningRateSchedule or callable, default 0.001
    beta_2_decay : float, default -0.8
        At most 0.
    epsilon_1 : float >= 0, default 1e-30
    epsilon_2 : float >= 0, default 1e-3
    clip_threshold : float > 0, default 1
    relative_step : bool, default True
        Changes nothing, in Keras either: the step is bounded by 1 / sqrt(t) in both cases.
    **tail
        The common arguments: see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type.

    Examples
    --------
    >>> Adafactor(clip_threshold=2).rule()
    ('adafactor', (-0.8, 1e-30, 0.001, 2.0))

    References
    ----------
    N. Shazeer, M. Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", ICML 2018.
    """

    native = "adafactor"
    _hyperparameters = ("beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold")

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **tail: Unpack[Tail],
    ) -> None:
        super().__init__(learning_rate, **tail)
        self.beta_2_decay = validation.number(beta_2_decay, "beta_2_decay", maximum=0)
        self.epsilon_1 = validation.number(epsilon_1, "epsilon_1", minimum=0)
        self.epsilon_2 = validation.number(epsilon_2, "epsilon_2", minimum=0)
        self.clip_threshold = validation.positive_number(clip_threshold, "clip_threshold")
        self.relative_step = validation.boolean(relative_step, "relative_step")

    def slots(self) -> Slots:
        """Return "rows" and "columns", of which each tensor fills as much as it has of them."""
        return (("rows", 0.0), ("columns", 0.0))

    def matrix_shape(self, variable: SteppedVariable) -> tuple[int, int]:
        """Return the last two sizes of the variable; a vector is one row."""
        shape = tuple(variable.shape)
        return (1, variable.size) if len(shape) < 2 else (shape[-2], shape[-1])

    def slots_of(self, variable: SteppedVariable) -> tuple[str, ...]:
        """Return what Keras keeps: of a matrix its mean squares too, of a vector first two numbers without use."""
        return ("rows", "columns", "velocity") if len(variable.shape) > 1 else ("unused", "unused", "columns")

    def slot_shape(self, name: str, variable: SteppedVariable) -> tuple[int, ...]:
        """Return the shape of what Keras keeps under one of these names."""
        shape = tuple(variable.shape)
        factors: dict[str, tuple[int, ...]] = {"unused": (), "rows": shape[:-1], "columns": (*shape[:-2], *shape[-1:])}
        return factors.get(name, shape)

    def slot_value(self, name: str, variable: SteppedVariable, parts: Mapping[str, Array]) -> Array:
        """Return what Keras keeps under a name; "velocity" is v of the rule."""
        if name == "unused":
            return np.zeros((), parts["rows"].dtype)
        if name != "velocity":
            return super().slot_value(name, variable, parts)
        rows, columns = (super(Adafactor, self).slot_value(each, variable, parts) for each in ("rows", "columns"))
        means = rows.mean(axis=-1, keepdims=True)
        shares = np.divide(rows, means, out=np.zeros_like(rows), where=means > 0)
        return np.asarray(shares[..., None] * columns[..., None, :])

    def _arguments(self) -> tuple[str, ...]:
        return (*self._hyperparameters, "relative_step")


@registry.register()
class Muon(Optimizer):
    """Step along the nearest orthogonal matrix to the momentum of each kernel; all else takes AdamW's step.

    ::

        m = momentum * m + g                                    # m = 0 at first
        x = g + momentum * m                                    # m without nesterov
        x = x / norm(x)
        a = x @ x.T                                             # ns_steps times, and the line below
        x = muon_a * x + (muon_b * a + muon_c * a @ a) @ x
        w = w - lr * rms_rate * sqrt(max(w.shape)) * x          # lr * x with rms_rate=None

    Which variables are matrices is decided by their shape and path: embeddings, and layers named in `exclude_layers`,
    such as the last one, are left to AdamW. A kernel costs 15 products with matrices of its smaller side at every step.

    Parameters
    ----------
    learning_rate : float >= 0, LearningRateSchedule or callable, default 0.001
    adam_beta_1 : float in [0, 1), default 0.9
    adam_beta_2 : float in [0, 1), default 0.999
    adam_weight_decay : float >= 0, default 0.004
        Of what takes AdamW's step. None for none.
    epsilon : float >= 0, default 1e-7
        AdamW's.
    weight_decay : float >= 0, default 0.004
        Of the matrices. None for none.
    exclude_layers : sequence of str, optional
        Regular expressions, searched for in the path of a variable.
    exclude_embeddings : bool, default True
        Whether variables with "embedding" in their path take AdamW's step.
    muon_a, muon_b, muon_c : float, default 3.4445, -4.775, 2.0315
        Of the iteration that makes a matrix orthogonal.
    adam_lr_ratio : float >= 0, default 1
        AdamW's learning rate as a multiple of the other.
    momentum : float in [0, 1], default 0.95
    ns_steps : int >= 0, default 5
    nesterov : bool, default True
    rms_rate : float > 0, optional, default 0.2
        How large the mean square root of a step is for a learning rate of 1, so that it suits AdamW's learning rates.
    **tail
        The common arguments: see `Optimizer`.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type.

    Examples
    --------
    >>> optimizer = Muon(0.01, exclude_layers=["output"])
    >>> optimizer.ns_steps, optimizer.exclude_layers
    (5, ['output'])

    References
    ----------
    K. Jordan et al., "Muon: An Optimizer for Hidden Layers in Neural Networks", 2024.
    J. Liu et al., "Muon is Scalable for LLM Training", arXiv:2502.16982, 2025 (rms_rate).
    """

    native = "muon"
    _hyperparameters = (
        *(
            "adam_beta_1",
            "adam_beta_2",
            "epsilon",
            "muon_a",
            "muon_b",
            "muon_c",
            "adam_lr_ratio",
            "momentum",
            "ns_steps",
        ),
        *("nesterov", "rms_rate"),
    )

    def __init__(
        self,
        learning_rate: LearningRateLike = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        *,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **tail: Unpack[TailWithoutDecay],
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **tail)
        self.adam_beta_1 = validation.fraction(adam_beta_1, "adam_beta_1", include_one=False)
        self.adam_beta_2 = validation.fraction(adam_beta_2, "adam_beta_2", include_one=False)
        self.adam_weight_decay = (
            None if adam_weight_decay is None else validation.number(adam_weight_decay, "adam_weight_decay", minimum=0)
        )
        self.epsilon = validation.number(epsilon, "epsilon", minimum=0)
        self.exclude_layers = validation.patterns(exclude_layers or (), "exclude_layers")
        self.exclude_embeddings = validation.boolean(exclude_embeddings, "exclude_embeddings")
        self.muon_a = validation.number(muon_a, "muon_a")
        self.muon_b = validation.number(muon_b, "muon_b")
        self.muon_c = validation.number(muon_c, "muon_c")
        self.adam_lr_ratio = validation.number(adam_lr_ratio, "adam_lr_ratio", minimum=0)
        self.momentum = validation.fraction(momentum, "momentum")
        self.ns_steps = validation.non_negative_integer(ns_steps, "ns_steps")
        self.nesterov = validation.boolean(nesterov, "nesterov")
        self.rms_rate = None if rms_rate is None else validation.positive_number(rms_rate, "rms_rate")

    def rule(self) -> Rule:
        """Return the native rule's name and its hyperparameters; a `rms_rate` of None is 0 there."""
        return self.native, tuple(float(getattr(self, name) or 0) for name in self._hyperparameters)

    def slots(self) -> Slots:
        """Return "momentum" and "velocity"; a matrix has no use for the latter."""
        return (("momentum", 0.0), ("velocity", 0.0))

    def matrix_shape(self, variable: SteppedVariable) -> tuple[int, int]:
        """Return the sizes of a matrix, (0, 0) for what takes AdamW's step."""
        shape, path = tuple(variable.shape), path_of(variable)
        excluded = self.exclude_embeddings and "embedding" in path.lower()
        excluded |= any(re.search(pattern, path) for pattern in self.exclude_layers)
        return (0, 0) if len(shape) != 2 or excluded else (shape[0], shape[1])

    def slots_of(self, variable: SteppedVariable) -> tuple[str, ...]:
        """Return "momentum", and "velocity" for what takes AdamW's step."""
        return ("momentum", "velocity") if self.matrix_shape(variable) == (0, 0) else ("momentum",)

    def decay_of(self, variable: Any) -> float:
        """Return `weight_decay` for a matrix, `adam_weight_decay` for other variables, 0 for one that is exempt."""
        decay = self.weight_decay if self.matrix_shape(variable) != (0, 0) else self.adam_weight_decay
        return decay if decay and self.decays(variable) else 0.0

    def _arguments(self) -> tuple[str, ...]:
        return (*self._hyperparameters, "adam_weight_decay", "exclude_layers", "exclude_embeddings")


if not TYPE_CHECKING:  # a checker finds them by itself
    __all__ = own_names(__name__)
