"""Fitting a tabular estimator to rows that lie in parts: the epochs are rounds, the rest is that of any fit."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_consistent_length

import cnn_core._core as _core
import cnn_core.sklearn.tabular.scores as scores
from cnn_core.data.dataset import Dataset
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple
from cnn_core.network.native import Status, run_slices
from cnn_core.sklearn.inputs import with_class_weight
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
from cnn_core.sklearn.row_statistics import ClassCounts, Moments
from cnn_core.sklearn.tabular.columns import Column, columns_of, read_column
from cnn_core.sklearn.tabular.encoders import TablePreprocessor
from cnn_core.sklearn.tabular.fitted_start import MOST_ROWS, start_from_data
from cnn_core.sklearn.tabular.network import TabularNetwork
from cnn_core.sklearn.tabular.reading import read_table
from cnn_core.sklearn.tabular.summaries import merged, must_be_read_again, summary_of
from cnn_core.sklearn.tabular.table_arrays import named_series
from cnn_core.sklearn.tabular.training import (
    SEGMENTS,
    TrainingLoop,
    TrainingPlan,
    learning_rates,
    optimizer_of,
    regularization,
    training_pass,
)
from cnn_core.sklearn.tabular.training_rows import LEAST_ROWS_TO_HOLD_OUT, checked_weights

if TYPE_CHECKING:
    from cnn_core.sklearn.tabular.estimator import TabularEstimator


SLOTS = ("momentum", "velocity")  # of Adam, in the order in which states have them behind the parameters
# Scores that add up over parts, each by the power with which it does.
POWERS = {"error": 1, "log_loss": 1, "brier": 1, "rmse": 2, "mae": 1, "pinball": 1}


@dataclass(frozen=True)
class TableSummary(RowsSummary):
    """What a tabular estimator must know of all rows before any is trained on.

    Attributes
    ----------
    columns : sequence of Column
        Summaries of the rows to train on.
    targets : Moments or None
        Of the rows to train on, of a regression.
    weights : ClassCounts or None
        The weights of these rows, class by class; of a regression there is one class.
    """

    columns: Sequence[Column] = ()
    targets: Moments | None = None
    weights: ClassCounts | None = None

    @classmethod
    def merge(cls, parts: Sequence[Self]) -> Self:
        """Return the same of several parts."""
        whole = super().merge(parts)
        trained = [part.columns for part in parts if part.columns]
        return replace(
            whole,
            columns=[merged(same) for same in zip(*trained, strict=True)],
            targets=merged_if_any(part.targets for part in parts),
            weights=merged_if_any(part.weights for part in parts),
        )

    @property
    def torn(self) -> frozenset[str]:
        """The columns that are dates in some parts and texts in others."""
        return frozenset(column.name for column in self.columns if must_be_read_again(column))

    def mean_weight(self, factors: dict[Any, float] | None) -> float:
        """Return the mean weight of the rows to train on, with the factors of their classes."""
        if self.weights is None:
            return 1.0
        classes, sums = self.weights.classes.tolist(), self.weights.counts
        total = sum(weight * (factors or {}).get(label, 1.0) for label, weight in zip(classes, sums, strict=True))
        return float(total / self.n_rows)


class PreparedPart(NamedTuple):
    """Rows as the network reads them, and those held out with their class numbers or targets; None for none."""

    rows: Dataset | None
    held_out: Dataset | None


@dataclass(frozen=True)
class TableSettings:
    """What functions of parts share.

    Attributes
    ----------
    estimator : TabularEstimator
        A copy without what belongs to its caller.
    share : float
        Of the rows to hold out.
    seed : int
        Of the split.
    torn : frozenset of str
        See `TableSummary`.
    factors : dict or None
        Those of the classes.
    mean_weight : float
    predictor : TablePredictor or None
        Once all parts are summarized, with initial weights.
    plan : TrainingPlan or None
    longest : int
        The number of batches of the longest chain.
    """

    estimator: Any
    share: float
    seed: int
    torn: frozenset[str] = frozenset()
    factors: dict[Any, float] | None = None
    mean_weight: float = 1.0
    predictor: Any = None
    plan: Any = None
    longest: int = 0

    def read(self, X: Any) -> list[Column]:
        """Return the columns of a part, each as what it is."""
        columns = TablePreprocessor(self.estimator.categorical_features).learn_kinds(X)
        if not self.torn:
            return columns
        series = dict(named_series(X))
        return [
            read_column(column.name, series[column.name], "category") if column.name in self.torn else column
            for column in columns
        ]

    def rows(self, number: int, y: Array, weights: Array | None) -> tuple[Array, Array]:
        """Return the rows of a part to train on and those to hold out, without those that have no weight."""
        kept = np.arange(len(y)) if weights is None else np.flatnonzero(weights > 0)
        out = held_out(len(kept), self.share, seed_of(self.seed, number), y[kept] if self.is_classification else None)
        return kept[~out], kept[out]

    @property
    def is_classification(self) -> bool:
        return bool(self.estimator._task == "classification")

    def network(self, state: TrainingState) -> TabularNetwork:
        """Return a network with the parameters of a state."""
        network: TabularNetwork = copy.copy(self.predictor.network)
        network.values[...] = state.vectors[0]
        return network


# What is done with a part, where it lies


@naming_the_part
def summarize(settings: TableSettings, number: int, part: GivenPart) -> TableSummary:
    """Check a part as `fit` does, and say what must be known of it."""
    if is_empty(part):
        return TableSummary()
    reader = clone(settings.estimator)
    X, y = read_table(reader, part.X, True), reader._checked_targets(part.y)
    weights = checked_weights(part.weights, part.X)
    check_consistent_length(X, y)
    train, rest = settings.rows(number, y, weights)
    of_train = None if weights is None else weights[train]
    labels, targets, groups = None, None, np.zeros(len(train), np.int64)
    if settings.is_classification:
        labels, groups = ClassCounts.of(y), y[train]
    elif len(train):
        targets = Moments.of(y[train].reshape(len(train), -1), of_train)
    return TableSummary(
        {number: (len(train), len(rest))},
        X.shape[1],
        tuple(getattr(reader, "feature_names_in_", ())),
        y.shape[1:],
        labels,
        [summary_of(column.take(train)) for column in settings.read(X)] if len(train) else [],
        targets,
        ClassCounts.of(groups, of_train) if len(train) else None,
    )


@naming_the_part
def prepare(settings: TableSettings, number: int, part: GivenPart) -> PreparedPart | None:
    """Return a part as the network reads it; None of one without rows."""
    if is_empty(part):
        return None
    estimator, preprocessor = settings.estimator, settings.predictor.preprocessor
    X = read_table(estimator, part.X, False)
    weights = checked_weights(part.weights, X)
    targets = estimator._held_out_targets(part.y)
    train, rest = settings.rows(number, estimator._checked_targets(part.y), weights)
    if settings.factors is not None:
        weights = with_class_weight(settings.factors, estimator.classes_[targets], weights)
    x = preprocessor.transform(columns_of(X, preprocessor.kinds))

    def chosen(rows: Array, y: Array) -> Dataset | None:
        of_rows = None if weights is None else np.asarray(weights[rows] / settings.mean_weight, np.float32)
        return Dataset.of_one(x[rows], y, of_rows) if len(rows) else None

    return PreparedPart(chosen(train, estimator._network_targets(targets[train])), chosen(rest, targets[rest]))


def sample(settings: TableSettings, share: float, part: PreparedPart) -> SampledRows:
    """Return a share of the rows of a part that are trained on."""
    assert part.rows is not None
    x = _features(part.rows)
    return SampledRows(x[held_out(len(x), share, seed_of(settings.plan.seed, len(x)))])


def _features(rows: Dataset) -> Array:
    (x,) = rows.inputs
    assert isinstance(x, np.ndarray)
    return x


@dataclass(frozen=True)
class SampledRows:
    """Some rows as the network reads them."""

    x: Array

    @classmethod
    def merge(cls, parts: Sequence[Self]) -> Self:
        """Return the rows of all parts."""
        return cls(np.concatenate([part.x for part in parts]))


def started(settings: TableSettings, rows: SampledRows) -> Array:
    """Return the parameters that are fitted to some rows."""
    network: TabularNetwork = copy.copy(settings.predictor.network)
    start_from_data(network, rows.x, seed_of(settings.seed, settings.plan.seed))
    return network.values


def train(settings: TableSettings, state: TrainingState, part: PreparedPart, piece: Piece) -> TrainingState:
    """Return the state after some batches of a part."""
    if state.diverged:
        return state
    plan, network, rows = settings.plan, settings.network(state), part.rows
    assert rows is not None
    recipe, size = network.recipe, min(plan.batch_size, rows.n)
    optimizer = optimizer_of(recipe)
    native = training_pass(network, rows, plan.loss, optimizer, size, piece.seed)
    slots = [np.asarray(optimizer.state[name]) for name in SLOTS]
    for slot, value in zip(slots, state.vectors[1:], strict=True):
        slot[...] = value
    order = _core.shuffled(rows.n, piece.seed, 1, np.arange(rows.n, dtype=np.int64))
    n_batches = piece.last - piece.first
    epochs = piece.begin + (piece.end - piece.begin) * np.arange(n_batches) / n_batches
    rates = learning_rates(recipe, state.learning_rate, epochs, plan.epochs)
    segment = max(1, plan.epochs * settings.longest // SEGMENTS)
    step, status, done = state.step, "", 0
    while done < n_batches and status != Status.DIVERGED:
        share, last = regularization(recipe, epochs[done], plan.epochs), min(done + segment, n_batches)
        if share is not None:
            native.set_regularization(share)
        bounds = piece.first + done, piece.first + last
        status, _, step = run_slices(native, *bounds, step, order, partial(_last, rates[:last]))
        done = last
    samples, _, totals, _ = native.take_totals()
    return TrainingState(
        (network.values, *slots),
        step,
        state.learning_rate,
        state.rows + int(samples),
        state.loss + sum(totals) / len(totals),
        status == Status.DIVERGED,
    )


def _last(rates: Array, n: int) -> Array:
    return rates[len(rates) - n :]


@dataclass(frozen=True)
class ScoreTotals:
    """What the score of every member on held-out rows is computed from: its sum over the rows, and their weight."""

    sums: Array
    weight: float

    @classmethod
    def merge(cls, parts: Sequence[Self]) -> Self:
        """Return the totals of all parts."""
        return cls(np.sum([part.sums for part in parts], axis=0), math.fsum(part.weight for part in parts))


def measure(settings: TableSettings, state: TrainingState, part: PreparedPart) -> ScoreTotals:
    """Return the scores of the held-out rows of a part, as sums."""
    rows, estimator = part.held_out, settings.estimator
    assert rows is not None
    predictor = settings.predictor.with_network(settings.network(state))
    (y,), (weights,) = rows.targets, rows.weights
    score = estimator._score_function(predictor, y, weights)
    found = np.array([score(outputs) for outputs in predictor.network.predict(_features(rows))], np.float64)
    weight = float(rows.n if weights is None else weights.sum(dtype=np.float64))
    return ScoreTotals(weight * found ** POWERS[estimator._metric_name()], weight)


# What is done by the caller


class RoundsTraining(TrainingLoop):
    """Train a network in rounds.

    Parameters
    ----------
    network : TabularNetwork
    plan : TrainingPlan
    parts : Parts
        Prepared.
    settings : TableSettings
    dealing : Dealing
    held_out_parts : sequence of int
        The numbers of the parts that have held-out rows.
    """

    def __init__(
        self,
        network: TabularNetwork,
        plan: TrainingPlan,
        parts: Parts,
        settings: TableSettings,
        dealing: Dealing,
        held_out_parts: Sequence[int],
    ) -> None:
        super().__init__(network, plan, dealing.longest)
        self.parts, self.settings, self.dealing, self.held_out_parts = parts, settings, dealing, held_out_parts
        zeros = np.zeros_like(self.network.values)
        self._state = TrainingState((self.network.values.copy(), zeros, zeros))

    def _train_epoch(self, epoch: int) -> bool:
        loss, rows = 0.0, 0
        for chains in self.dealing.rounds(epoch):
            # A callback may have set them.
            begun = replace(
                self._state,
                vectors=(self.network.values.copy(), *self._state.vectors[1:]),
                learning_rate=self.learning_rate,
            )
            self._state = self.parts.train(train, self.settings, begun, chains)
            if self._state.diverged:
                return False
            self.network.values[...] = self._state.vectors[0]
            loss, rows = loss + self._state.loss, rows + self._state.rows
        self._step = (epoch + 1) * self.n_batches
        self.losses.append(loss / rows)
        return True

    def _measured(self) -> list[float] | None:
        if not self.held_out_parts:
            return None
        totals = self.parts.measure("measure", measure, self.settings, self._state, self.held_out_parts)
        power = POWERS[self.plan.metric]
        return [float((total / totals.weight) ** (1 / power)) for total in totals.sums]


def fit_parts(
    estimator: TabularEstimator, parts: Parts, X: object, y: object, weights: object, sync_every: int
) -> None:
    """Fit an estimator to rows in parts.

    Parameters
    ----------
    estimator : TabularClassifier or TabularRegressor
        Not fitted; it is afterwards.
    parts : Parts
    X, y, weights : object
        What the parts are parts of, for callbacks.
    sync_every : int
        How many batches a chain is trained on between two averages.

    Raises
    ------
    ValueError
        If tables or arguments are not as they should be, or cannot be used for parts.
    """
    estimator._check_arguments()
    recipe, seeds = estimator._recipe(), estimator._seeds()
    if estimator.time_limit is not None:
        raise ValueError(
            f"`time_limit` must be None where rows lie in parts. Received: time_limit={estimator.time_limit!r}"
        )
    settings = TableSettings(for_workers(estimator), estimator.validation_fraction, seeds[0])
    settings, summary = _summarized(parts, settings)
    summary.tell_columns(estimator)
    estimator._learn_targets(summary.shape, summary.labels, summary.targets)
    _check_metric(estimator)
    preprocessor = TablePreprocessor(estimator.categorical_features, recipe.n_bins, recipe.most_one_hot)
    preprocessor.fit(list(summary.columns))
    if summary.labels is not None and len(summary.labels.classes) == 1:
        estimator._learn_single(preprocessor)
        return
    factors = None if summary.labels is None else summary.labels.factors(estimator.class_weight)
    n_targets = (summary.shape or (1,))[0] if summary.labels is None else len(summary.labels.classes)
    network = estimator._new_network(recipe, preprocessor.layout, n_targets, seeds[1])
    predictor = estimator._new_predictor(preprocessor, network)
    plan = estimator._plan(recipe, True if summary.n_held_out else None, seeds[2], predictor, X, y)
    n_batches = summary.n_batches(lambda n: n // min(plan.batch_size, n) if n else 0)
    dealing = Dealing(n_batches, parts.n_chains, sync_every, seeds[2], True, parts.rereads)
    settings = replace(
        settings,
        estimator=for_workers(estimator),
        factors=factors,
        mean_weight=summary.mean_weight(factors),
        predictor=predictor.with_network(copy.copy(network)),
        plan=replace(plan, score=None, report=None, callbacks=None),
        longest=dealing.longest,
    )
    parts.prepare(prepare, settings)
    if recipe.fitted_start:
        share = min(1.0, MOST_ROWS / summary.n_rows)
        trained = [number for number, (n, _) in summary.sizes.items() if n]
        network.values[...] = parts.measure("sample", sample, settings, share, trained, started)
    training = RoundsTraining(network, plan, parts, settings, dealing, summary.held_out_parts)
    estimator._train(predictor, training)


def _summarized(parts: Parts, settings: TableSettings) -> tuple[TableSettings, TableSummary]:
    """Return what must be known of all rows; in another way where a first look shows that it must be another."""
    summary: TableSummary = parts.summarize("summarize", summarize, settings)
    is_small = summary.n_rows + summary.n_held_out < LEAST_ROWS_TO_HOLD_OUT
    if (is_small and summary.n_held_out) or summary.torn:
        settings = replace(settings, share=0.0 if is_small else settings.share, torn=summary.torn)
        summary = parts.summarize("summarize", summarize, settings)
    summary.check()
    return settings, summary


def _check_metric(estimator: TabularEstimator) -> None:
    metric = estimator._metric_name()
    own = scores.CLASSIFICATION if estimator._task == "classification" else estimator._own_scores()
    if metric not in POWERS:
        known = sorted(own.keys() & POWERS)
        raise ValueError(
            f"`eval_metric` must be 'auto', 'loss', {', '.join(map(repr, known))} where rows lie in parts, over which "
            f"these add up. Received: eval_metric={estimator.eval_metric!r}"
        )
