"""Train the variants of a portfolio on folds, within a time limit, and blend what they predict of held-out rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import cnn_core.losses as losses
from cnn_core.data.dataset import Dataset
from cnn_core.foundation.arrays import Array
from cnn_core.sklearn.tabular.averaging import averaging_factor
from cnn_core.sklearn.tabular.blend import Blend, BlendPart, JoinedPreprocessor, bounded
from cnn_core.sklearn.tabular.blending import greedy_weights
from cnn_core.sklearn.tabular.calibration import best_temperature, tempered
from cnn_core.sklearn.tabular.columns import Column
from cnn_core.sklearn.tabular.cross_fitting import CrossFitted
from cnn_core.sklearn.tabular.encoders import TablePreprocessor
from cnn_core.sklearn.tabular.fitted_start import start_from_data
from cnn_core.sklearn.tabular.folds import folds
from cnn_core.sklearn.tabular.linear_network import is_solvable, solve
from cnn_core.sklearn.tabular.network import TabularNetwork
from cnn_core.sklearn.tabular.portfolios import Portfolio, Variant
from cnn_core.sklearn.tabular.presets import Recipe
from cnn_core.sklearn.tabular.radial_network import is_radial_solvable, solve_radial
from cnn_core.sklearn.tabular.training import TabularTraining, TrainingPlan
from cnn_core.sklearn.tabular.training_rows import relative

LEAST_SHARE = 0.25  # of a variant's epochs: of which less would be left, the least important variants are left out
FEWEST_VARIANTS = 2
FEWEST_BATCHES = 4  # in which the epochs of a variant are counted; of fewer, each is worth the less
ROWS_OF_ERRORS = 2000  # about so many are looked at to find out how far the networks of different folds agree
RESERVED_SHARE = 0.04  # of the time limit, for predictions and the blend


@dataclass
class BlendTask:
    """What a blend is trained for: what `fit` of an estimator has decided.

    Attributes
    ----------
    task, head : str
    rows : numpy.ndarray of int
        Of the table; `targets` and the others below belong to them.
    targets : numpy.ndarray of shape (n, n_targets)
        As the networks learn them.
    labels : numpy.ndarray of int of shape (n,), or None
        Class numbers.
    weights : numpy.ndarray of shape (n,), or None
    n_out : int
    loss_of : callable of a recipe
    score_of : callable of places of rows
        Returns a score of outputs for these rows, lower is better, by which epochs are chosen.
    blend_score_of : callable of places of rows
        The same, by which the blend is chosen.
    bounds : pair of numpy.ndarray, or None
        Of standardised targets.
    epochs, batch_size, seed, patience, time_limit
        As those of the estimator; the time counts from `began`.
    report : callable of a text, or None
    """

    task: str
    head: str
    rows: Array
    targets: Array
    labels: Array | None
    weights: Array | None
    n_out: int
    loss_of: Callable[[Recipe], losses.Loss]
    score_of: Callable[[Array], Callable[[Array], float]]
    blend_score_of: Callable[[Array], Callable[[Array], float]]
    bounds: tuple[Array, Array] | None
    epochs: int
    batch_size: int
    seed: int
    patience: int | None
    time_limit: float | None
    began: float
    report: Callable[[str], None] | None = None


@dataclass
class _Trained:
    """A variant with a network for every fold, and what they predict of the rows that each has not seen."""

    variant: Variant
    outputs: Array
    networks: list[TabularNetwork] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)
    seconds: float = 0.0


class BlendTraining:
    """Train all variants on the same folds and blend them.

    Parameters
    ----------
    portfolio : Portfolio
    task : BlendTask
    columns : list of Column
        Of the table.
    categorical_features
        As the estimator has it.

    Attributes
    ----------
    n_epochs : int
        Trained in all.
    out_of_fold : numpy.ndarray of shape (n, n_out)
        What the blend predicts of rows by the networks that have not seen them.
    error_factor : numpy.ndarray of shape (n_out,)
        By what these predictions' errors are to be multiplied to be those of the whole blend; see `averaging_factor`.
    known : numpy.ndarray of int
        The places of the rows of which there is such a prediction: all, unless the time was over.
    """

    def __init__(
        self, portfolio: Portfolio, task: BlendTask, columns: list[Column], categorical_features: object
    ) -> None:
        self.portfolio, self.task, self._columns = portfolio, task, columns
        self._folds = folds(task.labels, len(task.rows), portfolio.n_folds, task.seed)
        self._kinds: dict[tuple[int, int | None], int] = {}  # which of the preprocessors makes the features of each
        self._preprocessors: list[TablePreprocessor] = []
        self._matrices: list[Array] = []
        self._categorical_features = categorical_features
        self._variants = [each for each in portfolio.variants if self._is_possible(each)]
        self._cost_known = False
        self.n_epochs = 0
        self.out_of_fold, self.known = np.zeros((0, 0)), np.empty(0, np.int64)
        self.error_factor = np.ones(task.n_out)

    def run(self) -> tuple[JoinedPreprocessor, Blend]:
        """Train, and return what makes the features and what predicts from them."""
        trained: list[_Trained] = []
        while len(trained) < len(self._variants):
            found = self._train(self._variants[len(trained)], is_first=not trained)
            if found is None:
                break
            trained.append(found)
        return self._blended(trained)

    # Training

    def _left(self) -> float | None:
        task = self.task
        if task.time_limit is None:
            return None
        return (1 - RESERVED_SHARE) * task.time_limit - (time.monotonic() - task.began)

    def _train(self, variant: Variant, is_first: bool) -> _Trained | None:
        """Train a variant on every fold; None where the time is over before the last, unless it is the first."""
        task, recipe = self.task, variant.recipe(self.task.task)
        features = self._features_of(recipe)
        trained = _Trained(variant, np.zeros((len(task.rows), task.n_out)))
        began = time.monotonic()
        for number, (train, held_out) in enumerate(self._folds):
            left = self._left()
            if left is not None and left <= 0 and not (is_first and number == 0):
                if not is_first:
                    return None
                self._folds = self._folds[:number]  # what the first variant was not trained on is held out by none
                break
            self._train_fold(trained, recipe, features, train, held_out)
            trained.networks[-1].release_kept()
        trained.seconds = time.monotonic() - began
        if task.report is not None:
            task.report(f"{variant.name}: {sum(trained.epochs)} epochs in {trained.seconds:.1f} s")
        return trained

    def _train_fold(self, trained: _Trained, recipe: Recipe, features: int, train: Array, held_out: Array) -> None:
        task, variant, number = self.task, trained.variant, len(trained.networks)
        x, seed = self._matrices[features], task.seed + 1000 * self._variants.index(variant) + number
        recipe = self._fitting(recipe)
        network = TabularNetwork(recipe, self._preprocessors[features].layout, task.n_out, task.head, seed=seed)
        x_train, targets = x[train], np.ascontiguousarray(task.targets[train])
        data = Dataset.of_one(x_train, targets, relative(task.weights, train))
        loss, epochs, began = task.loss_of(recipe), self._epochs(variant, len(train)), time.monotonic()
        solvable = recipe.radial or is_solvable(network, loss, len(train))
        scores = CrossFitted(task.blend_score_of if solvable else task.score_of, held_out)
        if recipe.radial:
            solve_radial(network, data, x[held_out], scores, seed)
            done = epochs = 1
        elif solvable:
            solve(network, loss, data, x[held_out], scores)
            done = epochs = 1
        else:
            if recipe.fitted_start:
                start_from_data(network, x_train, seed + 1)
            limit = self._share(variant, number)
            plan = TrainingPlan(loss, scores, epochs, task.batch_size, seed, time_limit=limit, patience=task.patience)
            training = TabularTraining(network, data, x[held_out], plan)
            training.run()
            done = len(training.losses)
        trained.networks.append(network)
        trained.epochs.append(done)
        trained.outputs[held_out] = bounded(scores.outputs, recipe, task.bounds)
        self.n_epochs += done
        self._leave_out(variant, (time.monotonic() - began) * epochs / max(1, done))

    def _is_possible(self, variant: Variant) -> bool:
        """Whether a variant can learn the table: a radial network by its solution alone, of not too many numbers."""
        recipe = variant.recipe(self.task.task)
        if not recipe.radial:
            return True
        n_features = self._matrices[self._features_of(recipe)].shape[1]
        (n_units,) = self._fitting(recipe).hidden
        return is_radial_solvable(self.task.loss_of(recipe), len(self.task.rows), n_units, n_features)

    def _fitting(self, recipe: Recipe) -> Recipe:
        """The recipe with no more units than there are rows for them, if rows they are."""
        fewest = min(len(train) for train, _ in self._folds)
        return replace(recipe, hidden=tuple(min(width, fewest) for width in recipe.hidden)) if recipe.radial else recipe

    def _epochs(self, variant: Variant, n: int) -> int:
        """How often a variant goes over n rows: the oftener, the fewer batches they are."""
        n_batches = max(1, n // self.task.batch_size)
        return max(1, round(variant.epochs * self.task.epochs * max(1.0, FEWEST_BATCHES / n_batches)))

    def _share(self, variant: Variant, fold: int) -> float | None:
        """The seconds that one training may take of those that are left, by what all others will cost."""
        left = self._left()
        if left is None:
            return None
        place = self._variants.index(variant)
        others = sum(each.cost for each in self._variants[place + 1 :]) * len(self._folds)
        return max(1e-3, left * variant.cost / (others + variant.cost * (len(self._folds) - fold)))

    def _leave_out(self, variant: Variant, seconds: float) -> None:
        """After the first training, leave the last variants out where too little time would be left for all."""
        left = self._left()
        if self._cost_known or left is None:
            return
        self._cost_known, unit = True, seconds / variant.cost
        while len(self._variants) > FEWEST_VARIANTS:
            wanted = LEAST_SHARE * unit * len(self._folds) * sum(each.cost for each in self._variants)
            if wanted <= left:
                return
            self._variants.pop()

    def _features_of(self, recipe: Recipe) -> int:
        """Which of the preprocessors makes a recipe's features; it is fitted where it is the first of its kind."""
        kind = recipe.n_bins, recipe.most_one_hot
        if kind not in self._kinds:
            fitted = TablePreprocessor(self._categorical_features, *kind).fit(self._columns, self.task.rows)
            self._kinds[kind] = self._place_of(fitted)
        return self._kinds[kind]

    def _place_of(self, preprocessor: TablePreprocessor) -> int:
        """The place of a preprocessor, or of an equal one: kinds differ by what a table may not have."""
        state = preprocessor.state()
        for place, known in enumerate(self._preprocessors):
            if known.state() == state:
                return place
        self._preprocessors.append(preprocessor)
        self._matrices.append(preprocessor.transform(self._columns, self.task.rows))
        return len(self._preprocessors) - 1

    # Blending

    def _blended(self, trained: list[_Trained]) -> tuple[JoinedPreprocessor, Blend]:
        task = self.task
        known = np.sort(np.concatenate([held_out for _, held_out in self._folds]))
        weights = greedy_weights([each.outputs[known] for each in trained], task.blend_score_of(known))
        total = sum(weight * each.outputs for weight, each in zip(weights, trained, strict=True))
        temperature = 1.0
        if task.labels is not None and task.head == "softmax":
            chosen = None if task.weights is None else task.weights[known]
            temperature = best_temperature(total[known], task.labels[known], chosen)
            total = tempered(total, temperature)
        else:
            self.error_factor = self._error_factor(trained, weights)
        self.out_of_fold, self.known = total, known
        used = [
            (weight, each, self._kinds[_kind(each, task.task)])
            for weight, each in zip(weights, trained, strict=True)
            if weight > 0
        ]
        features = sorted({kind for *_, kind in used})
        parts = [
            BlendPart(each.variant.name, features.index(kind), network, float(weight) / len(each.networks))
            for weight, each, kind in used
            for network in each.networks
        ]
        joined = JoinedPreprocessor([self._preprocessors[number] for number in features])
        return joined, Blend(parts, joined.layout, task.bounds, temperature, self._leaderboard(trained, weights))

    def _error_factor(self, trained: list[_Trained], weights: Array) -> Array:
        task, own, others = self.task, [], []
        used = [(each, weight) for each, weight in zip(trained, weights, strict=True) if weight > 0]
        for number, (_, held_out) in enumerate(self._folds):
            rows = held_out[:: max(1, len(held_out) * len(self._folds) // ROWS_OF_ERRORS)]
            errors = []
            for fold in range(len(self._folds)):
                total = np.zeros((len(rows), task.n_out))
                for each, weight in used:
                    recipe = each.variant.recipe(task.task)
                    members = each.networks[fold].predict(self._matrices[self._features_of(recipe)][rows])
                    total += weight * bounded(members, recipe, task.bounds).mean(axis=0, dtype=np.float64)
                errors.append(task.targets[rows] - total)
            own.append(errors.pop(number))
            others.append(np.array(errors).reshape(len(errors), *total.shape))
        return averaging_factor(np.concatenate(own), np.concatenate(others, axis=1))

    def _leaderboard(self, trained: list[_Trained], weights: Array) -> list[dict[str, Any]]:
        known, score = self.known, self.task.score_of(self.known)
        rows = [
            {
                "model": each.variant.name,
                "score": float(score(each.outputs[known])),
                "weight": float(weight),
                "folds": len(each.networks),
                "epochs": sum(each.epochs),
                "seconds": round(each.seconds, 3),
            }
            for weight, each in zip(weights, trained, strict=True)
        ]
        blend = {
            "model": "blend",
            "score": float(score(self.out_of_fold[known])),
            "weight": 1.0,
            "folds": len(self._folds),
            "epochs": self.n_epochs,
            "seconds": round(time.monotonic() - self.task.began, 3),
        }
        return sorted([blend, *rows], key=lambda row: row["score"])


def _kind(trained: _Trained, task: str) -> tuple[int, int | None]:
    recipe = trained.variant.recipe(task)
    return recipe.n_bins, recipe.most_one_hot
