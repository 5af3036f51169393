"""The loop that trains the networks of the tabular estimators.

Of rows in memory an epoch is one native call, the validation part one native prediction; every member keeps its own
best epoch.
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
from cnn_core.data.dataset import Dataset
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.display import is_terminal, show
from cnn_core.network.native import Status, native_pass, run_slices
from cnn_core.network.parameters import native_optimizer
from cnn_core.sklearn.tabular.network import TabularNetwork
from cnn_core.sklearn.tabular.presets import Recipe

SEGMENTS = 256  # of a training, after each of which dropout and weight decay are set again
MEASURED_SHARE = 0.1  # of the time limit, in which it is found out how many steps fit into it


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


class TrainingLoop:
    """Epochs by a network's recipe, after which each member has its best epoch's parameters.

    Parameters
    ----------
    network : TabularNetwork
    plan : TrainingPlan
    n_batches : int
        Of an epoch.

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
    """

    def __init__(self, network: TabularNetwork, plan: TrainingPlan, n_batches: int) -> None:
        self.network, self.plan, self.n_batches = network, plan, n_batches
        self.losses: list[float] = []
        self.scores: list[list[float]] = []
        self.best_epochs = [0] * network.n_members
        self._best = network.values.copy()
        self._best_scores = [math.inf] * network.n_members
        self._step = 0
        self._n_steps = plan.epochs * n_batches  # of the whole training; fewer if the time limit asks for it
        self.learning_rate = network.recipe.learning_rate
        self._last_progress = 0  # the last epoch in which a member became better
        self._patience = network.recipe.patience if plan.patience is None else plan.patience
        self._began = self._first_step_began = 0.0

    def _train_epoch(self, epoch: int) -> bool:
        """Train for an epoch, counted from 0; tell whether the loss has stayed finite."""
        raise NotImplementedError

    def _measured(self) -> list[float] | None:
        """Return the score of every member on rows that are held out; None without such rows."""
        raise NotImplementedError

    def run(self) -> None:
        """Train; Ctrl-C ends the training with the best epoch so far."""
        epoch, self._began = 0, time.monotonic()
        callbacks = self.plan.callbacks
        try:
            if callbacks is not None:
                callbacks.begin(self)
            while self._step < self._n_steps:
                if epoch == 0:
                    self._first_step_began = time.monotonic()
                if callbacks is not None:
                    callbacks.begin_epoch(epoch)
                if not self._train_epoch(epoch):
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

    def _keep_best(self, epoch: int) -> None:
        """Copy the parameters of members that are as good as ever, or of all where nothing is held out."""
        scores = [-float(epoch)] * self.network.n_members
        measured = self._measured()
        if measured is not None:
            scores = measured
            self.scores.append(measured)
        for member, score in enumerate(scores):
            score = math.inf if math.isnan(score) else score
            if score <= self._best_scores[member]:
                if score < self._best_scores[member] and measured is not None:
                    self._last_progress = epoch
                self._best_scores[member], self.best_epochs[member] = score, epoch
                place = self.network.member_slices[member]
                self._best[place] = self.network.values[place]
        if measured is None and self.losses[-1] <= min(self.losses):
            self._last_progress = epoch

    def _steps_of_a_validation(self) -> float:
        """How many steps of training cost as much as what `_measured` does."""
        return 0.0


class TabularTraining(TrainingLoop):
    """Train a network on rows in memory.

    Parameters
    ----------
    network : TabularNetwork
    data : Dataset
        To train on: one input, the features, and one target, class numbers or standardised numbers.
    x_validation : numpy.ndarray or None
    plan : TrainingPlan
    """

    def __init__(self, network: TabularNetwork, data: Dataset, x_validation: Array | None, plan: TrainingPlan) -> None:
        self._n_rows = data.n
        self._batch_size = min(plan.batch_size, data.n)
        super().__init__(network, plan, data.n // self._batch_size)  # a last incomplete batch is left out
        self._validation = None if x_validation is None else network.inputs(x_validation)
        self._optimizer = optimizer_of(network.recipe)
        self._pass = training_pass(network, data, plan.loss, self._optimizer, self._batch_size, plan.seed)

    def _train_epoch(self, epoch: int) -> bool:
        start = np.arange(self._n_rows, dtype=np.int64)
        return self._epoch(_core.shuffled(len(start), self.plan.seed, epoch + 1, start))

    def _measured(self) -> list[float] | None:
        if self._validation is None or self.plan.score is None:
            return None
        return [self.plan.score(outputs) for outputs in self.network.outputs(self._validation)]

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
        share = regularization(self.network.recipe, self._step, self._n_steps)
        if share is not None:
            self._pass.set_regularization(share)
        status, first, _ = run_slices(self._pass, first, last, self._step, order, self._rates, self._is_over)
        return status, first

    def _is_over(self, step: int) -> bool:
        """Note how far training has come, and tell whether it has made all its steps."""
        self._step = step
        self._look_at_the_clock()
        return self._step >= self._n_steps

    def _rates(self, n: int) -> Array:
        """The learning rates of the next n steps."""
        steps = np.arange(self._step, self._step + n)
        return learning_rates(self.network.recipe, self.learning_rate, steps, self._n_steps)

    def _steps_of_a_validation(self) -> float:
        # Three products a row and layer against one.
        return 0.0 if self._validation is None else len(self._validation[0]) / (3 * self._batch_size)


def learning_rates(recipe: Recipe, crest: float, steps: Array, n_steps: float) -> Array:
    """Return the learning rates of some steps of a training.

    Examples
    --------
    >>> from cnn_core.sklearn.tabular.presets import PRESETS
    >>> learning_rates(PRESETS["td_s"]["regression"], 0.1, np.array([0.0, 2**0.5 - 1]), 15).round(9)
    array([0. , 0.1])
    """
    if not recipe.swings:
        return np.full(len(steps), crest)
    return np.ascontiguousarray(schedules.Coslog(crest, n_steps)(steps), np.float64)


def regularization(recipe: Recipe, step: float, n_steps: float) -> float | None:
    """Return the share of dropout and weight decay that is left at a step; None if it never changes."""
    if recipe.swings and (recipe.dropout or recipe.weight_decay):
        return float(schedules.FlatCosine(1, n_steps)(step))
    return None


def optimizer_of(recipe: Recipe) -> optimizers.Adam:
    """Return the optimizer of a recipe."""
    settings = (recipe.learning_rate, recipe.beta_1, recipe.beta_2, recipe.epsilon)
    return optimizers.Adam(*settings, weight_decay=recipe.weight_decay or None)


def training_pass(
    network: TabularNetwork, data: Dataset, loss: losses.Loss, optimizer: optimizers.Adam, batch_size: int, seed: int
) -> _core.Pass:
    """Return the native pass over rows that trains a network."""
    members = network.for_members(data)
    shape = members.targets[0].shape
    width = 1 if len(shape) == 1 else shape[-1]
    return native_pass(
        network.trained,
        members,
        batch_size=batch_size,
        losses=[loss.describe(width, output) for output in range(network.n_members)],
        optimizer=native_optimizer(network.parameters, optimizer),
        mode="training",
        seed=seed,
    )


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
