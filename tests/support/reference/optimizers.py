"""Optimizers, as Keras steps them. A rule changes one weight in place; the common tail stands in Optimizer.apply."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reference.activations import Array

# --------------------------------------------------------------------------------------------------------------------
# Optimizers, as Keras steps them. A rule changes one weight in place; the common tail stands in Optimizer.apply.
# --------------------------------------------------------------------------------------------------------------------

State = dict[str, Array]


@dataclass
class Optimizer:
    """The steps that all optimizers share: accumulate, clip, decay, step by the rule, average, constrain.

    With accumulation, the rule and the average count updates while a learning-rate schedule counts batches. What
    does not belong to Keras's common tail belongs to the rule and stands in `options`.
    """

    rule: str
    learning_rate: float | Callable[[int], float] = 0.001
    options: dict[str, Any] = field(default_factory=dict)
    weight_decay: float | None = None
    clipnorm: float | None = None
    clipvalue: float | None = None
    global_clipnorm: float | None = None
    use_ema: bool = False
    ema_momentum: float = 0.99
    ema_overwrite_frequency: int | None = None
    gradient_accumulation_steps: int | None = None
    iterations: int = 0
    states: list[State] = field(default_factory=list)
    averages: list[Array] = field(default_factory=list)
    accumulated: list[Array] = field(default_factory=list)

    @property
    def updates(self) -> int:
        """The number of updates so far, of which each takes `gradient_accumulation_steps` batches."""
        return self.iterations // (self.gradient_accumulation_steps or 1)

    def apply(
        self,
        weights: Sequence[Array],
        gradients: Sequence[Array],
        constraints: Sequence[Callable[[Array], Array] | None] | None = None,
        decayed: Sequence[bool] | None = None,
    ) -> None:
        """Make one step, changing `weights` in place."""
        if not self.states:
            self.states = [{"start": w.copy()} for w in weights]
            self.averages = [np.zeros_like(w) for w in weights]
            self.accumulated = [np.zeros_like(w) for w in weights]
        steps = self.gradient_accumulation_steps or 1
        for accumulated, gradient in zip(self.accumulated, gradients, strict=True):
            accumulated += gradient
        if (self.iterations + 1) % steps == 0:
            self._update(weights, [g / steps for g in self.accumulated], decayed)
            self.accumulated = [np.zeros_like(w) for w in weights]
        if self.use_ema:
            self._average(weights)
        for w, constraint in zip(weights, constraints or (), strict=bool(constraints)):
            if constraint is not None:
                w[...] = constraint(w)
        self.iterations += 1

    def _update(self, weights: Sequence[Array], gradients: list[Array], decayed: Sequence[bool] | None) -> None:
        rate = self.learning_rate(self.iterations) if callable(self.learning_rate) else self.learning_rate
        gradients = self._clip(gradients)
        if self.weight_decay is not None:
            for w, wanted in zip(weights, decayed or [True] * len(weights), strict=True):
                w -= w * self.weight_decay * rate if wanted else 0.0
        for w, gradient, state in zip(weights, gradients, self.states, strict=True):
            RULES[self.rule](w, gradient, state, rate, self.updates + 1, **self.options)

    def _clip(self, gradients: list[Array]) -> list[Array]:
        """Clip by at most one of the three measures, in Keras's order of precedence."""
        if self.clipnorm:
            return [g * self.clipnorm / max(float(np.linalg.norm(g)), self.clipnorm) for g in gradients]
        if self.global_clipnorm:
            norm = math.sqrt(sum(float((g**2).sum()) for g in gradients))
            return [g * self.global_clipnorm / max(norm, self.global_clipnorm) for g in gradients]
        if self.clipvalue:
            return [np.clip(g, -self.clipvalue, self.clipvalue) for g in gradients]
        return gradients

    def _average(self, weights: Sequence[Array]) -> None:
        """Average the weights; the first step starts from them, and every so often they are replaced."""
        momentum = self.ema_momentum if self.updates else 0.0
        for w, average in zip(weights, self.averages, strict=True):
            average[...] = momentum * average + (1 - momentum) * w
        frequency = self.ema_overwrite_frequency
        if frequency and (self.updates + 1) % frequency == 0:
            for w, average in zip(weights, self.averages, strict=True):
                w[...] = average


def _slot(state: State, name: str, w: Array, value: float = 0.0) -> Array:
    return state.setdefault(name, np.full_like(w, value))


def sgd_step(
    w: Array, g: Array, state: State, rate: float, t: int, momentum: float = 0.0, nesterov: bool = False
) -> None:
    m = _slot(state, "m", w)
    m[...] = momentum * m - rate * g
    w += momentum * m - rate * g if nesterov and momentum else m


def rmsprop_step(
    w: Array,
    g: Array,
    state: State,
    rate: float,
    t: int,
    rho: float = 0.9,
    momentum: float = 0.0,
    epsilon: float = 1e-7,
    centered: bool = False,
) -> None:
    v, average, m = _slot(state, "v", w), _slot(state, "average", w), _slot(state, "m", w)
    v[...] = rho * v + (1 - rho) * g**2
    average[...] = rho * average + (1 - rho) * g
    denominator = v + epsilon - (average**2 if centered else 0.0)
    m[...] = momentum * m + rate * g / np.sqrt(denominator)
    w -= m


def adam_step(
    w: Array,
    g: Array,
    state: State,
    rate: float,
    t: int,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    amsgrad: bool = False,
) -> None:
    m, v, largest = _slot(state, "m", w), _slot(state, "v", w), _slot(state, "largest", w)
    m[...] = beta_1 * m + (1 - beta_1) * g
    v[...] = beta_2 * v + (1 - beta_2) * g**2
    largest[...] = np.maximum(largest, v)
    alpha = rate * math.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    w -= alpha * m / (np.sqrt(largest if amsgrad else v) + epsilon)


def nadam_step(
    w: Array,
    g: Array,
    state: State,
    rate: float,
    t: int,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
) -> None:
    """Step with the momentum schedule u_t = beta_1 (1 - 0.96^t / 2), whose running product the state keeps."""
    m, v = _slot(state, "m", w), _slot(state, "v", w)
    now, following = beta_1 * (1 - 0.5 * 0.96**t), beta_1 * (1 - 0.5 * 0.96 ** (t + 1))
    m[...] = beta_1 * m + (1 - beta_1) * g
    v[...] = beta_2 * v + (1 - beta_2) * g**2
    product = _slot(state, "product", np.ones(()), 1.0)
    product *= now
    m_hat = following * m / (1 - product * following) + (1 - now) * g / (1 - product)
    w -= rate * m_hat / (np.sqrt(v / (1 - beta_2**t)) + epsilon)


def adamax_step(
    w: Array,
    g: Array,
    state: State,
    rate: float,
    t: int,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
) -> None:
    m, u = _slot(state, "m", w), _slot(state, "u", w)
    m[...] = beta_1 * m + (1 - beta_1) * g
    u[...] = np.maximum(beta_2 * u, np.abs(g))
    w -= rate * m / ((1 - beta_1**t) * (u + epsilon))


def adagrad_step(
    w: Array,
    g: Array,
    state: State,
    rate: float,
    t: int,
    initial_accumulator_value: float = 0.1,
    epsilon: float = 1e-7,
) -> None:
    v = _slot(state, "v", w, initial_accumulator_value)
    v += g**2
    w -= rate * g / np.sqrt(v + epsilon)


def adadelta_step(
    w: Array, g: Array, state: State, rate: float, t: int, rho: float = 0.95, epsilon: float = 1e-7
) -> None:
    v, moved = _slot(state, "v", w), _slot(state, "moved", w)
    v[...] = rho * v + (1 - rho) * g**2
    step = np.sqrt(moved + epsilon) / np.sqrt(v + epsilon) * g
    moved[...] = rho * moved + (1 - rho) * step**2
    w -= rate * step


def lion_step(w: Array, g: Array, state: State, rate: float, t: int, beta_1: float = 0.9, beta_2: float = 0.99) -> None:
    m = _slot(state, "m", w)
    w -= rate * np.sign(beta_1 * m + (1 - beta_1) * g)
    m[...] = beta_2 * m + (1 - beta_2) * g


def ftrl_step(
    w: Array,
    g: Array,
    state: State,
    rate: float,
    t: int,
    learning_rate_power: float = -0.5,
    initial_accumulator_value: float = 0.1,
    l1_regularization_strength: float = 0.0,
    l2_regularization_strength: float = 0.0,
    l2_shrinkage_regularization_strength: float = 0.0,
    beta: float = 0.0,
) -> None:
    n, z = _slot(state, "n", w, initial_accumulator_value), _slot(state, "z", w)
    before = n**-learning_rate_power
    n += g**2
    z += g + 2 * l2_shrinkage_regularization_strength * w - (n**-learning_rate_power - before) / rate * w
    limit = l1_regularization_strength
    curvature = n**-learning_rate_power / rate + 2 * (l2_regularization_strength + beta / (2 * rate))
    w[...] = (np.clip(z, -limit, limit) - z) / curvature


def schedule_free_adamw_step(
    w: Array,
    g: Array,
    state: State,
    rate: float,
    t: int,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-8,
    warmup_steps: int = 0,
) -> None:
    """Step with the mean x of all z kept beside them: the formula of the paper, in which x need not be recovered.

    Weight decay moves w, and so x = (w - (1 - beta_1) z) / beta_1, between two steps.
    """
    z, v = state.setdefault("z", state["start"].copy()), _slot(state, "v", w)
    x = (w - (1 - beta_1) * z) / beta_1
    v[...] = beta_2 * v + (1 - beta_2) * g**2
    z -= rate * min(t / max(warmup_steps, 1), 1) * g / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    x += (z - x) / t
    w[...] = (1 - beta_1) * z + beta_1 * x


def lamb_step(
    w: Array,
    g: Array,
    state: State,
    rate: float,
    t: int,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
) -> None:
    m, v = _slot(state, "m", w), _slot(state, "v", w)
    m[...] = beta_1 * m + (1 - beta_1) * g
    v[...] = beta_2 * v + (1 - beta_2) * g**2
    direction = m / (1 - beta_1**t) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    size, length = np.linalg.norm(w), np.linalg.norm(direction)
    w -= rate * (size / length if size and length else 1.0) * direction


def adafactor_step(
    w: Array,
    g: Array,
    state: State,
    rate: float,
    t: int,
    beta_2_decay: float = -0.8,
    epsilon_1: float = 1e-30,
    epsilon_2: float = 1e-3,
    clip_threshold: float = 1.0,
) -> None:
    beta_2 = 1 - t**beta_2_decay
    squares = g**2 + epsilon_1
    if w.ndim < 2:
        v = _slot(state, "v", w)
        v[...] = beta_2 * v + (1 - beta_2) * squares
    else:
        rows, columns = _slot(state, "rows", w[..., 0]), _slot(state, "columns", w[..., 0, :])
        rows[...] = beta_2 * rows + (1 - beta_2) * squares.mean(axis=-1)
        columns[...] = beta_2 * columns + (1 - beta_2) * squares.mean(axis=-2)
        v = (rows / rows.mean(axis=-1, keepdims=True))[..., None] * columns[..., None, :]
    direction = g / np.sqrt(v)
    direction /= max(1.0, math.sqrt((direction**2).mean()) / clip_threshold)
    w -= max(epsilon_2, math.sqrt((w**2).mean())) * min(rate, 1 / math.sqrt(t)) * direction


def muon_step(
    w: Array,
    g: Array,
    state: State,
    rate: float,
    t: int,
    momentum: float = 0.95,
    ns_steps: int = 5,
    nesterov: bool = True,
    rms_rate: float | None = 0.2,
    adam_lr_ratio: float = 1.0,
    adam_beta_1: float = 0.9,
    adam_beta_2: float = 0.999,
    epsilon: float = 1e-7,
    adam_weight_decay: float = 0.004,
    is_matrix: Callable[[Array], bool] = lambda w: w.ndim == 2,
) -> None:
    """Step by the singular vectors of the direction, whose singular values the polynomial takes near 1.

    What is no matrix decays here, and not with the rest.
    """
    if not is_matrix(w):
        w -= w * adam_weight_decay * rate
        adam_step(w, g, state, rate * adam_lr_ratio, t, adam_beta_1, adam_beta_2, epsilon)
        return
    m = _slot(state, "m", w)
    m[...] = momentum * m + g
    left, values, right = np.linalg.svd(g + momentum * m if nesterov else m, full_matrices=False)
    values = values / (np.linalg.norm(values) + 1e-7)
    for _ in range(ns_steps):
        values = 3.4445 * values - 4.775 * values**3 + 2.0315 * values**5
    w -= rate * (rms_rate * math.sqrt(max(w.shape)) if rms_rate else 1.0) * (left * values) @ right


RULES: dict[str, Callable[..., None]] = {
    "sgd": sgd_step,
    "rmsprop": rmsprop_step,
    "adam": adam_step,
    "adamw": adam_step,
    "nadam": nadam_step,
    "adamax": adamax_step,
    "adagrad": adagrad_step,
    "adadelta": adadelta_step,
    "lion": lion_step,
    "ftrl": ftrl_step,
    "schedulefreeadamw": schedule_free_adamw_step,
    "lamb": lamb_step,
    "adafactor": adafactor_step,
    "muon": muon_step,
}
