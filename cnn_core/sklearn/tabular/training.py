"""The loop that trains the networks of the tabular estimators.

An epoch is one native call, the validation part one native prediction; every member keeps its own best epoch.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import cnn_core._core as _core
import cnn_core.losses as losses
import cnn_core.optimizers as optimizers
import cnn_core.optimizers.schedules as schedules
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.display import is_terminal, show
from cnn_core.network.native import Status, native_pass, run_slices
from cnn_core.network.parameters import native_optimizer
from cnn_core.sklearn.tabular.network import TabularNetwork
from cnn_core.sklearn.tabular.presets import Recipe

SEGMENTS = 256  # of a training, after each of which dropout and weight decay are set again
MEASURED_SHARE = 0.1  # of the time limit, in which it is found out how many steps fit into it


@dataclass
class Part:
    """Rows of features, prepared targets and weights."""

    x: Array
    y: Array
    weights: Array | None = None


@dataclass
class TrainingPlan:
    """How to train: what `fit` of an estimator has decided.

    Attributes
    ----------
    loss : cnn_core.losses.Loss
    score : callable from one member's outputs on the validation part to a number, lower is better; None without it
    epochs, batch_size : int
    seed : int
    time_limit : float or None
        Seconds.
    report : callable of (epoch, epochs, loss, best score) or None
    patience : int or None
        Training ends after so many epochs in which no member has become better.
    metric : str
        The score's name, for callbacks.
    callbacks : object with `begin`, `begin_epoch`, `end_epoch` and `end`, or None
    """

    loss: losses.Loss
    score: Callable[[Array], float] | None
    epochs: int
    batch_size: int
    seed: int
    time_limit: float | None = None
    report: Callable[[int, int, float, float], None] | None = None
    patience: int | None = None
    metric: str = "score"
    callbacks: Any = None


class TabularTraining:
    """Train a network by its recipe and leave each member with its best epoch's parameters.

    Parameters
    ----------
    network : TabularNetwork
    part : Part
        To train on.
    x_validation : numpy.ndarray or None
    plan : TrainingPlan

    Attributes
    ----------
    losses : list of float
        The training loss after each epoch, mean over members.
    scores : list of list of float
        Of each epoch, for each member.
    best_epochs : list of int
        Counted from 1.
    learning_rate : float
        At the crests of the schedule.
    n_batches : int
        Of an epoch.
    """

    def __init__(self, network: TabularNetwork, part: Part, x_validation: Array | None, plan: TrainingPlan) -> None:
        self.network, self.part, self.plan = network, part, plan
        self.losses: list[float] = []
        self.scores: list[list[float]] = []
        self.best_epochs = [0] * network.n_members
        self._best = network.values.copy()
        self._best_scores = [math.inf] * network.n_members
        self._validation = None if x_validation is None else network.inputs(x_validation)
        self._optimizer = _optimizer(network.recipe)
        self._batch_size = min(plan.batch_size, len(part.x))
        self.n_batches = len(part.x) // self._batch_size  # a last incomplete batch is left out
        self._pass = self._native_pass()
        self._step = 0
        self._n_steps = plan.epochs * self.n_batches  # of the whole training; fewer if the time limit asks for it
        self.learning_rate = network.recipe.learning_rate
        self._last_progress = 0  # the last epoch in which a member became better
        self._schedule = schedules.Coslog(self.learning_rate, max(1, self._n_steps))
        self._patience = network.recipe.patience if plan.patience is None else plan.patience
        self._began = self._first_step_began = 0.0

    def _native_pass(self) -> Any:
        network, part = self.network, self.part
        width = 1 if part.y.ndim == 1 else part.y.shape[1]
        outputs = range(network.n_members)
        sharing = network.recipe.n_sharing
        targets = np.repeat(part.y.reshape(-1, 1, width), sharing, axis=1) if sharing else part.y
        return native_pass(
            network.trained,
            inputs=network.inputs(part.x),
            targets=[targets] * network.n_members,
            weights=[part.weights] * network.n_members,
            batch_size=self._batch_size,
            losses=[self.plan.loss.describe(width, output) for output in outputs],
            optimizer=native_optimizer(network.parameters, self._optimizer),
            mode="training",
            seed=self.plan.seed,
        )

    def run(self) -> None:
        """Train; Ctrl-C ends the training with the best epoch so far."""
        epoch, self._began = 0, time.monotonic()
        start = np.arange(len(self.part.x), dtype=np.int64)
        callbacks = self.plan.callbacks
        try:
            if callbacks is not None:
                callbacks.begin(self)
            while self._step < self._n_steps:
                order = _core.shuffled(len(start), self.plan.seed, epoch + 1, start.copy())
                if epoch == 0:
                    self._first_step_began = time.monotonic()
                if callbacks is not None:
                    callbacks.begin_epoch(epoch)
                if not self._epoch(order):
                    break
                epoch += 1
                self._keep_best(epoch)
                if self._ends(epoch):
                    break
        finally:
            self.network.values[...] = self._best
        if callbacks is not None:
            callbacks.end()

    def _ends(self, epoch: int) -> bool:
        """Look at the clock, report, and say whether training ends after this epoch."""
        plan = self.plan
        self._look_at_the_clock()
        if plan.report is not None:
            epochs = max(epoch, math.ceil(self._n_steps / self.n_batches))
            plan.report(epoch, epochs, self.losses[-1], float(np.mean(self._best_scores)))
        stops = self._patience is not None and epoch - self._last_progress >= self._patience
        if plan.callbacks is not None:
            logs = {"loss": self.losses[-1]}
            if self.scores:
                logs[f"val_{plan.metric}"] = float(np.mean(self.scores[-1]))
            stops |= plan.callbacks.end_epoch(epoch - 1, logs)
        return stops

    def _epoch(self, order: Array) -> bool:
        """One epoch, or its beginning where the training ends during it; False if the loss left the finite numbers."""
        first, status = 0, ""
        while first < self.n_batches and self._step < self._n_steps and status != Status.DIVERGED:
            # One segment of a regular training is one epoch.
            size = max(1, min(self.n_batches, self.plan.epochs * self.n_batches // SEGMENTS))
            last = min(first + size, self.n_batches, first + self._n_steps - self._step)
            status, first = self._segment(first, last, order)
        samples, _, totals, _ = self._pass.take_totals()
        if status == Status.DIVERGED:
            return False
        self.losses.append(sum(totals) / len(totals) / samples)
        return True

    def _segment(self, first: int, last: int, order: Array) -> tuple[str, int]:
        """The batches from `first` to `last`, or to where the time is over; return the status and the next batch."""
        recipe = self.network.recipe
        if recipe.swings and (recipe.dropout or recipe.weight_decay):
            self._pass.set_regularization(float(schedules.FlatCosine(1, self._n_steps)(self._step)))
        status, first, _ = run_slices(self._pass, first, last, self._step, order, self._rates, self._is_over)
        return status, first

    def _is_over(self, step: int) -> bool:
        """Note how far training has come, and tell whether it has made all its steps."""
        self._step = step
        self._look_at_the_clock()
        return self._step >= self._n_steps

    def _rates(self, n: int) -> Array:
        """The learning rates of the next n steps."""
        if not self.network.recipe.swings:
            return np.full(n, self.learning_rate)
        if (self._schedule.initial_learning_rate, self._schedule.decay_steps) != (self.learning_rate, self._n_steps):
            self._schedule = schedules.Coslog(self.learning_rate, self._n_steps)
        return np.ascontiguousarray(self._schedule(np.arange(self._step, self._step + n)), np.float64)

    def _look_at_the_clock(self) -> None:
        """Plan fewer steps if the time limit asks for it; the schedule is squeezed while its first swings are on."""
        limit, now = self.plan.time_limit, time.monotonic()
        if limit is None:
            return
        left, measured = limit - (now - self._began), now - self._first_step_began
        if left <= 0:
            self._n_steps = self._step
        elif measured < MEASURED_SHARE * limit and self._step > 0:
            affordable = int(self._step * (1 + left / measured) - self._steps_of_a_validation())
            self._n_steps = min(self.plan.epochs * self.n_batches, max(self._step + 1, affordable))

    def _steps_of_a_validation(self) -> float:
        """How many steps of training cost as much: three products a row and layer against one."""
        return 0.0 if self._validation is None else len(self._validation[0]) / (3 * self._batch_size)

    def _keep_best(self, epoch: int) -> None:
        """Copy the parameters of members that are as good as ever, or of all where nothing is held out."""
        scores = [-float(epoch)] * self.network.n_members
        is_measured = False
        if self._validation is not None and self.plan.score is not None:
            is_measured = True
            scores = [self.plan.score(outputs) for outputs in self.network.outputs(self._validation)]
            self.scores.append(scores)
        for member, score in enumerate(scores):
            score = math.inf if math.isnan(score) else score
            if score <= self._best_scores[member]:
                if score < self._best_scores[member] and is_measured:
                    self._last_progress = epoch
                self._best_scores[member], self.best_epochs[member] = score, epoch
                place = self.network.member_slices[member]
                self._best[place] = self.network.values[place]
        if not is_measured and self.losses[-1] <= min(self.losses):
            self._last_progress = epoch


def _optimizer(recipe: Recipe) -> optimizers.Adam:
    settings = (recipe.learning_rate, recipe.beta_1, recipe.beta_2, recipe.epsilon)
    return optimizers.Adam(*settings, weight_decay=recipe.weight_decay or None)


class ProgressLine:
    """Show how far training has come: one line that is written over in a terminal, else a few lines.

    Parameters
    ----------
    name : str
        Of the score.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._last = 0.0

    def __call__(self, epoch: int, epochs: int, loss: float, score: float) -> None:
        terminal = is_terminal(sys.stdout)
        now = time.monotonic()
        done = epoch >= epochs
        due = now - self._last > 0.1 if terminal else epoch % max(1, epochs // 8) == 0
        if not (due or done):
            return
        self._last = now
        shown = f" - best {self.name} {score:.4f}" if abs(score) < math.inf and self.name else ""
        text = f"epoch {epoch}/{epochs} - loss {loss:.4f}{shown}"
        show(f"\r{text}" if terminal else text, end="" if terminal and not done else "\n")
