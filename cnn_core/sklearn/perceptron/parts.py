"""Fitting a perceptron to rows that lie in parts: the epochs are rounds, everything around them is that of any fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.utils import check_random_state

from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple
from cnn_core.sklearn.inputs import sample_weights, with_class_weight
from cnn_core.sklearn.metric_names import chosen
from cnn_core.sklearn.parts import (
    Dealing,
    GivenPart,
    Parts,
    Piece,
    RowsSummary,
    TrainingState,
    for_workers,
    held_out,
    is_empty,
    merged_if_any,
    naming_the_part,
    seed_of,
)
from cnn_core.sklearn.perceptron.callbacks import FitCallbacks
from cnn_core.sklearn.perceptron.network import DenseNetwork
from cnn_core.sklearn.perceptron.parameter_rules import checks_parameters
from cnn_core.sklearn.perceptron.training import EpochRunner, Evaluator, Patience, Rows, SolverState
from cnn_core.sklearn.row_statistics import ClassCounts

if TYPE_CHECKING:
    from cnn_core.sklearn.perceptron.base import Perceptron


# What adds up over parts: the score of each kind of estimator, by scikit-learn's names and ours.
SCORES = {"classifier": ("accuracy", "error"), "regressor": ("r2",)}
_TRAINED = ("_network", "_optimizer", "_random_state")  # attributes that a training leaves


@dataclass(frozen=True)
class PartSummary(RowsSummary):
    """What a perceptron must know of all rows before any is trained on.

    Attributes
    ----------
    dtype : numpy.dtype or None
        Of the features.
    """

    dtype: Any = None

    @classmethod
    def merge(cls, parts: Sequence[Self]) -> Self:
        """Return the same of several parts."""
        known = [part.dtype for part in parts if part.sizes]
        return replace(super().merge(parts), dtype=np.result_type(*known) if known else None)


class PreparedPart(NamedTuple):
    """Rows as the network reads them: those to train on, and those held out; None where there are none."""

    rows: Rows | None
    held_out: Rows | None


@dataclass
class PartSettings:
    """What functions of parts share: the estimator without what belongs to its caller, and how rows are split.

    Attributes
    ----------
    estimator : Perceptron
        With initial weights, once all parts are summarized.
    share : float
        Of the rows to hold out.
    seed : int
    factors : dict or None
        Those of the classes.
    widths : list of int
    batch_size : int
    """

    estimator: Any
    share: float
    seed: int
    factors: dict[Any, float] | None = None
    widths: list[int] = field(default_factory=list)
    batch_size: int = 0

    def split(self, number: int, y: Array) -> Array:
        """Return which rows of a part are held out."""
        classes = y if is_classifier(self.estimator) and y.ndim == 1 else None
        return held_out(len(y), self.share, seed_of(self.seed, number), classes)

    def network(self, state: TrainingState) -> DenseNetwork:
        """Return a network with the parameters of a state."""
        estimator = self.estimator
        network = DenseNetwork(estimator._stack(self.widths), estimator._weights(), estimator.coefs_[0].dtype)
        network.values[...] = state.vectors[0]
        return network


# What is done with a part, where it lies


@naming_the_part
def summarize(settings: PartSettings, number: int, part: GivenPart) -> PartSummary:
    """Check a part as `fit` does, and say what must be known of it."""
    if is_empty(part):
        return PartSummary()
    reader = clone(settings.estimator)
    X, y = reader._read(part.X, part.y, True)
    reader._learn_labels(y, False)
    if part.weights is not None:
        sample_weights(part.weights, len(y))
    n_held_out = int(settings.split(number, y).sum())
    labels = ClassCounts.of(y) if is_classifier(reader) and y.ndim == 1 else None
    names = tuple(getattr(reader, "feature_names_in_", ()))
    return PartSummary({number: (len(y) - n_held_out, n_held_out)}, X.shape[1], names, y.shape[1:], labels, X.dtype)


@naming_the_part
def prepare(settings: PartSettings, number: int, part: GivenPart) -> PreparedPart | None:
    """Return a part as the network reads it; None of one without rows."""
    if is_empty(part):
        return None
    estimator = settings.estimator
    X, y = estimator._read(part.X, part.y, False)
    estimator._learn_labels(y, True)
    weights = None if part.weights is None else sample_weights(part.weights, len(y))
    if settings.factors is not None:
        weights = with_class_weight(settings.factors, y, weights)
    out = settings.split(number, y)

    def rows(chosen: Array) -> Rows | None:
        of_chosen = None if weights is None else weights[chosen]
        return estimator._rows(X[chosen], y[chosen], of_chosen) if chosen.any() else None

    trained = rows(~out)
    return PreparedPart(None if trained is None else replace(trained, x=None, original=None), rows(out))


def train(settings: PartSettings, state: TrainingState, part: PreparedPart, piece: Piece) -> TrainingState:
    """Return the state after some batches of a part."""
    if state.diverged:
        return state
    estimator, rows = settings.estimator, part.rows
    assert rows is not None
    network = settings.network(state)
    solver = estimator._solver_state(network, False)
    solver.slots, solver.step = [slot.copy() for slot in state.vectors[1:]], state.step
    solver.learning_rate = state.learning_rate
    native = network.optimizer(solver.rule, solver.numbers, solver.slots, estimator.alpha, estimator.clipnorm or 0.0)
    generator = np.random.RandomState(piece.seed) if estimator.shuffle else None
    size = min(settings.batch_size, rows.n)
    objective = estimator._objective(network.dtype)
    runner = EpochRunner(network, rows, objective, size, native, solver, generator, piece.seed, by_batch=True)
    runner.begin_epoch()
    outcome = runner.train_batches(piece.first, piece.last)
    return TrainingState(
        (network.values, *solver.slots),
        solver.step,
        state.learning_rate,
        state.rows + min(piece.last * size, rows.n) - piece.first * size,
        state.loss + outcome.loss + outcome.penalty,
        outcome.diverged,
    )


@dataclass(frozen=True)
class HeldOutTotals:
    """What the loss and the score of held-out rows are computed from.

    Attributes
    ----------
    weight, loss : float
        The sum of the weights, and that of the loss.
    score : Hits or SquaredErrors, or None
        None where the network has left the finite numbers, or the rows have no weight.
    """

    weight: float
    loss: float
    score: Any = None

    @classmethod
    def merge(cls, parts: Sequence[Self]) -> Self:
        """Return the totals of all the parts."""
        weight, loss = (sum(getattr(part, name) for part in parts) for name in ("weight", "loss"))
        return cls(weight, loss, merged_if_any(part.score for part in parts))


def measure(settings: PartSettings, state: TrainingState, part: PreparedPart) -> HeldOutTotals:
    """Return what loss and score of the held-out rows of a part are computed from."""
    estimator, rows = settings.estimator, part.held_out
    assert rows is not None
    evaluator = Evaluator(settings.network(state), rows, estimator._objective(estimator.coefs_[0].dtype))
    weight = float(rows.n if rows.weights is None else rows.weights.sum(dtype=np.float64))
    loss = evaluator.run() * weight
    if not weight or not np.isfinite(evaluator.predictions).all():
        return HeldOutTotals(weight, math.nan if weight else 0.0)
    return HeldOutTotals(weight, loss, estimator._held_out_totals(evaluator.predictions, rows))


# What is done by the caller


class RoundsRunner:
    """Epochs in rounds, as `Perceptron` asks an `EpochRunner` for them.

    Parameters
    ----------
    parts : Parts
        Prepared.
    settings : PartSettings
    network : DenseNetwork
        Follows the state.
    solver : SolverState
    rows : object with x, original, weights and n
        All that is trained on, for callbacks.
    n_batches : sequence of int
        Of every part.
    sync_every : int
    """

    by_batch = False

    def __init__(
        self,
        parts: Parts,
        settings: PartSettings,
        network: DenseNetwork,
        solver: SolverState,
        rows: object,
        n_batches: Sequence[int],
        sync_every: int,
    ) -> None:
        self.parts, self.settings, self.network, self.state, self.rows = parts, settings, network, solver, rows
        self.n_batches = sum(n_batches)
        shuffle = settings.estimator.shuffle
        self._dealing = Dealing(n_batches, parts.n_chains, sync_every, settings.seed, shuffle, parts.rereads)
        self._epoch = 0
        self._losses: list[float] = []

    @property
    def training_state(self) -> TrainingState:
        """The state of now, as a round begins with it."""
        vectors = (self.network.values.copy(), *(slot.copy() for slot in self.state.slots))
        return TrainingState(vectors, self.state.step, self.state.learning_rate)

    def run(self, most: int, progress: Patience) -> None:
        """Train for an epoch."""
        loss, rows = 0.0, 0
        for chains in self._dealing.rounds(self._epoch):
            state = self.parts.train(train, self.settings, self.training_state, chains)
            self.network.values[...] = math.nan if state.diverged else state.vectors[0]
            for slot, value in zip(self.state.slots, state.vectors[1:], strict=True):
                slot[...] = value
            self.state.step = state.step
            loss, rows = loss + state.loss, rows + state.rows
            if state.diverged:
                loss = math.nan
                break
        self._epoch += 1
        self._losses.append(loss / rows)

    def take_losses(self) -> list[float]:
        """Return the mean losses of the epochs since the last call."""
        losses, self._losses = self._losses, []
        return losses


class PartScores:
    """Loss and score of all held-out rows, as `Perceptron` asks `HeldOutScores` for them.

    Parameters
    ----------
    runner : RoundsRunner
    numbers : sequence of int
        Of the parts that have held-out rows.
    """

    def __init__(self, runner: RoundsRunner, numbers: Sequence[int]) -> None:
        self.runner, self.numbers = runner, numbers

    def measure(self) -> tuple[float, float]:
        """Return loss and score; both are NaN where the network has left the finite numbers."""
        runner = self.runner
        totals = runner.parts.measure("measure", measure, runner.settings, runner.training_state, self.numbers)
        loss = totals.loss / totals.weight if totals.weight else math.nan
        if runner.settings.estimator.metric == "loss":
            return loss, -loss
        return loss, math.nan if math.isnan(loss) else runner.settings.estimator._score_of_totals(totals.score)

    def warn_of_undefined(self) -> None:
        """Say nothing: the score of rows that are there is defined."""


@dataclass
class _AllRows:
    """What callbacks are told of the rows."""

    x: Any
    original: Any
    weights: Any
    n: int


@checks_parameters
def fit_parts(estimator: Perceptron, parts: Parts, X: object, y: object, weights: object, sync_every: int) -> None:
    """Fit an estimator to rows in parts.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Not fitted; it is afterwards.
    parts : Parts
    X, y, weights : object
        What the parts are parts of, for callbacks.
    sync_every : int
        How many batches a chain is trained on between two averages.

    Raises
    ------
    ValueError
        If data or parameters do not fit, or cannot be used for parts.
    """
    _check_settings(estimator)
    share = estimator.validation_fraction if estimator.early_stopping else 0.0
    seed = int(check_random_state(estimator.random_state).randint(2**31))
    settings = PartSettings(for_workers(estimator, _TRAINED), share, seed)
    summary = parts.summarize("summarize", summarize, settings)
    summary.check()
    if share and summary.n_held_out < 2:
        raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your dataset.")
    summary.tell_columns(estimator)
    estimator._learn_targets(summary.shape, summary.labels)
    widths = estimator._prepare_layers(summary.n_features, summary.dtype, True)
    factors = None if summary.labels is None else summary.labels.factors(estimator.class_weight)
    settings = PartSettings(
        for_workers(estimator, _TRAINED), share, seed, factors, widths, estimator._batch_size(summary.n_rows)
    )
    parts.prepare(prepare, settings)
    network = estimator._bound_network(settings.widths, estimator.coefs_[0].dtype)
    solver, rows = estimator._solver_state(network, False), _AllRows(X, y, weights, summary.n_rows)
    n_batches = summary.n_batches(lambda n: math.ceil(n / settings.batch_size))
    runner = RoundsRunner(parts, settings, network, solver, rows, n_batches, sync_every)
    scores = PartScores(runner, summary.held_out_parts) if share else None
    estimator._run(runner, scores, False)
    estimator._check_weights()


def _check_settings(estimator: Perceptron) -> None:
    """Refuse what needs all rows in one place."""
    kind = "classifier" if is_classifier(estimator) else "regressor"
    metric = chosen(estimator.metric, SCORES[kind][0], SCORES[kind][0])
    rules = {
        "solver": (estimator.solver != "lbfgs", "'adam' or 'sgd'"),
        "warm_start": (not estimator.warm_start, "False"),
        "metric": (metric in SCORES[kind], f"None, 'loss' or {SCORES[kind][0]!r}, which add up over parts"),
        "callbacks": (not FitCallbacks.need_batches(estimator), "content with hooks around epochs"),
        "class_weight": (not isinstance(getattr(estimator, "class_weight", None), list), "a dict, 'balanced' or None"),
    }
    for name, (is_usable, rule) in rules.items():
        if not is_usable:
            received = getattr(estimator, name)
            raise ValueError(f"`{name}` must be {rule} where rows lie in parts. Received: {name}={received!r}")
