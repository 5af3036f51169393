"""The networks of the tabular estimators, and the loop that trains them. Floor 5.

Members of an ensemble are branches of one plan: each batch is gathered once and goes through all of them, and every
member keeps its own best epoch. An epoch is one native call, the validation part one native prediction.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cnn_core import _core, activations, losses, optimizers, random_state, schedules
from cnn_core.arrays import Array
from cnn_core.parameters import ParameterVector, native_optimizer
from cnn_core.plan import NetworkPlan
from cnn_core.variables import Variable

MAX_MEMBERS = 16  # losses that one native pass takes
_TYPE = np.dtype(np.float32)


@dataclass(frozen=True)
class Recipe:
    """What a preset fixes: the network's form and how it is trained.

    Attributes
    ----------
    hidden : tuple of int
    activation : str
    learning_rate : float
    scale_multiplier, bias_multiplier : float
        Of the learning rate, for the front scale and the biases.
    beta_1, beta_2, epsilon : float
        Of Adam.
    """

    hidden: tuple[int, ...]
    activation: str
    learning_rate: float
    scale_multiplier: float = 6.0
    bias_multiplier: float = 0.1
    beta_1: float = 0.9
    beta_2: float = 0.95
    epsilon: float = 1e-8

    def state(self) -> dict[str, Any]:
        """Return the recipe as plain data."""
        return asdict(self) | {"hidden": list(self.hidden)}


class TabularNetwork:
    """One network for each member, side by side: ``x * scale``, hidden dense layers, a dense output.

    Kernels are drawn from N(0, 1 / inputs), biases from N(0, 1), the output layer starts at 0. The learning rate of a
    kernel is multiplied by 1 / sqrt(inputs) and Adam's epsilon by sqrt(inputs): that is the parametrisation
    ``x . W / sqrt(inputs)`` with standard normal W, written with ordinary dense layers.

    Parameters
    ----------
    recipe : Recipe
    n_in, n_out : int
    head : {"softmax", "linear"}
    n_members : int
    seed : int, default 0

    Attributes
    ----------
    values : numpy.ndarray of shape (size,)
        All parameters, one member's after another's.
    """

    def __init__(self, recipe: Recipe, n_in: int, n_out: int, head: str, n_members: int = 1, seed: int = 0) -> None:
        self.recipe, self.n_in, self.n_out, self.head, self.n_members = recipe, n_in, n_out, head, n_members
        generator = random_state.generator(seed)
        members = [self._variables(f"member_{number}", generator) for number in range(n_members)]
        self.plan = self._plan(members)
        self.parameters = ParameterVector(self.plan.variables, _TYPE)
        self.native = _core.Network(_TYPE.name, self.plan)
        self.native.bind(
            [variable.array for variable in self.plan.variables],
            [self.parameters.gradient_of(variable) for variable in self.plan.variables],
        )
        per_member = len(members[0])
        starts = [self.parameters.offsets[per_member * number] for number in range(n_members)]
        self.member_slices = [
            slice(start, end) for start, end in zip(starts, [*starts[1:], self.values.size], strict=True)
        ]

    @property
    def values(self) -> Array:
        return self.parameters.values

    @property
    def widths(self) -> list[int]:
        return [self.n_in, *self.recipe.hidden, self.n_out]

    def _variables(self, member: str, generator: np.random.Generator) -> list[Variable]:
        """The scale, then kernel and bias of every layer."""
        recipe = self.recipe
        made = [
            Variable(
                np.ones(self.n_in, _TYPE), "scale", f"{member}/scale", learning_rate_multiplier=recipe.scale_multiplier
            )
        ]
        last = len(self.widths) - 2
        for number, (n_in, n_out) in enumerate(zip(self.widths[:-1], self.widths[1:], strict=True)):
            factor = 0.0 if number == last else 1.0
            kernel = factor / math.sqrt(n_in) * generator.standard_normal((n_in, n_out))
            bias = factor * generator.standard_normal(n_out)
            path = f"{member}/dense_{number}"
            made.append(
                Variable(
                    kernel.astype(_TYPE),
                    "kernel",
                    f"{path}/kernel",
                    learning_rate_multiplier=1 / math.sqrt(n_in),
                    epsilon_multiplier=math.sqrt(n_in),
                )
            )
            made.append(
                Variable(bias.astype(_TYPE), "bias", f"{path}/bias", learning_rate_multiplier=recipe.bias_multiplier)
            )
        return made

    def _plan(self, members: Sequence[Sequence[Variable]]) -> NetworkPlan:
        plan = NetworkPlan()
        x = plan.add_input((self.n_in,))
        hidden, head = activations.get(self.recipe.activation), activations.get(self.head)
        for number, (scale, *layers) in enumerate(members):
            buffer = plan.add("scale", [x], (self.n_in,), layer=f"member_{number}", variables=[scale])
            pairs = list(zip(layers[::2], layers[1::2], strict=True))
            for depth, (kernel, bias) in enumerate(pairs):
                activation = head if depth == len(pairs) - 1 else hidden
                shape = (kernel.shape[1],)
                buffer = plan.add(
                    "dense", [buffer], shape, layer=f"member_{number}", variables=[kernel, bias], activation=activation
                )
            plan.outputs.append(buffer)
        return plan

    def state(self) -> dict[str, Any]:
        """Return what the network is, without its weights, as plain data."""
        return {
            "recipe": self.recipe.state(),
            "n_in": self.n_in,
            "n_out": self.n_out,
            "head": self.head,
            "n_members": self.n_members,
        }

    def weights(self) -> dict[str, Array]:
        """Return every parameter by its path; writing to an array changes the network."""
        return {variable.path: variable.array for variable in self.plan.variables}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], weights: Mapping[str, Array]) -> TabularNetwork:
        """Return the network whose `state` and `weights` were saved.

        Raises
        ------
        ValueError
            If a weight is missing or has another shape.
        """
        recipe = dict(state["recipe"])
        recipe["hidden"] = tuple(recipe["hidden"])
        sizes = (state["n_in"], state["n_out"], state["head"], state["n_members"])
        network = cls(Recipe(**recipe), *sizes)
        for variable in network.plan.variables:
            if variable.path not in weights:
                raise ValueError(f"The weight {variable.path!r} is missing")
            variable.assign(weights[variable.path])
        return network

    def __getstate__(self) -> dict[str, Any]:
        return {"state": self.state(), "weights": {path: array.copy() for path, array in self.weights().items()}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(self.from_state(state["state"], state["weights"]).__dict__)

    def predict(self, x: Array) -> Array:
        """Return every member's outputs: (n_members, n, n_out)."""
        out = np.empty((self.n_members, len(x), self.n_out), _TYPE)
        self.native.predict([np.ascontiguousarray(x, _TYPE)], list(out))
        return out


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
    score : callable from one member's outputs on the validation part to a number, the less the better; None without it
    epochs, batch_size : int
    seed : int
    time_limit : float or None
        Seconds.
    report : callable of (epoch, epochs, loss, best score) or None
    """

    loss: losses.Loss
    score: Callable[[Array], float] | None
    epochs: int
    batch_size: int
    seed: int
    time_limit: float | None = None
    report: Callable[[int, int, float, float], None] | None = None


class Training:
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
    """

    def __init__(self, network: TabularNetwork, part: Part, x_validation: Array | None, plan: TrainingPlan) -> None:
        self.network, self.part, self.x_validation, self.plan = network, part, x_validation, plan
        self.losses: list[float] = []
        self.scores: list[list[float]] = []
        self.best_epochs = [0] * network.n_members
        self._best = network.values.copy()
        self._best_scores = [math.inf] * network.n_members
        recipe = network.recipe
        self._optimizer = optimizers.Adam(recipe.learning_rate, recipe.beta_1, recipe.beta_2, recipe.epsilon)
        self._batch_size = min(plan.batch_size, len(part.x))
        self._n_batches = len(part.x) // self._batch_size  # a last incomplete batch is left out
        self._pass = self._native_pass()
        self._step = 0

    def _native_pass(self) -> Any:
        network, part = self.network, self.part
        width = 1 if part.y.ndim == 1 else part.y.shape[1]
        outputs = range(network.n_members)
        return _core.Pass(
            network.native,
            [part.x],
            [part.y] * network.n_members,
            [part.weights] * network.n_members,
            self._batch_size,
            [self.plan.loss.describe(width, output) for output in outputs],
            [],
            native_optimizer(network.parameters, self._optimizer),
            [None] * network.n_members,
            "training",
            self.plan.seed,
        )

    def run(self) -> None:
        """Train; Ctrl-C ends the training with the best epoch so far."""
        epochs, epoch, began = self.plan.epochs, 0, time.monotonic()
        start = np.arange(len(self.part.x), dtype=np.int64)
        try:
            while epoch < epochs:
                order = _core.shuffled(len(start), self.plan.seed, epoch + 1, start.copy())
                finished = self._epoch(order, epochs)
                epoch += 1
                if not finished:
                    break
                self._keep_best(epoch)
                if self.plan.report is not None:
                    self.plan.report(epoch, epochs, self.losses[-1], float(np.mean(self._best_scores)))
                epochs = self._affordable(epoch, epochs, time.monotonic() - began)
        finally:
            self.network.values[...] = self._best

    def _affordable(self, epoch: int, epochs: int, seconds: float) -> int:
        """Fewer epochs if the time limit asks for it; the schedule is squeezed while its first swing is on."""
        limit = self.plan.time_limit
        if limit is None:
            return epochs
        if seconds >= limit:
            return epoch
        return min(epochs, max(epoch, int(limit / (seconds / epoch)))) if epoch <= 3 else epochs

    def _epoch(self, order: Array, epochs: int) -> bool:
        """One epoch; False if the loss left the finite numbers."""
        schedule = schedules.Coslog(self.network.recipe.learning_rate, max(1, epochs * self._n_batches))
        rates = np.ascontiguousarray(schedule(np.arange(self._step, self._step + self._n_batches)), np.float64)
        first, status = 0, ""
        while first < self._n_batches and status != "diverged":
            status, first, self._step = self._pass(first, self._n_batches, rates[first:].copy(), self._step, order)
        samples, _, totals, _ = self._pass.take_totals()
        if status == "diverged":
            return False
        self.losses.append(sum(totals) / len(totals) / samples)
        return True

    def _keep_best(self, epoch: int) -> None:
        """Copy the parameters of members that are as good as ever, or of all where nothing is held out."""
        scores = [-float(epoch)] * self.network.n_members
        if self.x_validation is not None and self.plan.score is not None:
            scores = [self.plan.score(outputs) for outputs in self.network.predict(self.x_validation)]
            self.scores.append(scores)
        for member, score in enumerate(scores):
            if score <= self._best_scores[member]:
                self._best_scores[member], self.best_epochs[member] = score, epoch
                place = self.network.member_slices[member]
                self._best[place] = self.network.values[place]


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
        terminal = sys.stdout.isatty()
        now = time.monotonic()
        done = epoch >= epochs
        due = now - self._last > 0.1 if terminal else epoch % max(1, epochs // 8) == 0
        if not (due or done):
            return
        self._last = now
        shown = f" - best {self.name} {score:.4f}" if abs(score) < math.inf and self.name else ""
        text = f"epoch {epoch}/{epochs} - loss {loss:.4f}{shown}"
        print(f"\r{text}" if terminal else text, end="" if terminal and not done else "\n", flush=True)
