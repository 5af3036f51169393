"""What the tabular estimators share: arguments, tables, splitting, training and files.

`fit` works on a copy that knows the parameters only; its attributes are taken over when all of them are there.
"""

from __future__ import annotations

import copy
import json
import numbers
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted

import cnn_core.activations as activations
import cnn_core.foundation.model_file as model_file
import cnn_core.foundation.validation as validation
import cnn_core.losses as losses
from cnn_core.data.dataset import Dataset
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.caller import warn_caller
from cnn_core.foundation.keywords import KnowsItsArguments, knows_its_arguments
from cnn_core.sklearn.fit_tasks import CallbackSupportMixin, with_callbacks
from cnn_core.sklearn.row_statistics import ClassCounts, Moments
from cnn_core.sklearn.tabular.blended_fit import FitsBlends
from cnn_core.sklearn.tabular.callbacks import EpochCallbacks
from cnn_core.sklearn.tabular.columns import Column, columns_of
from cnn_core.sklearn.tabular.cross_fitting import CrossFittedMembers
from cnn_core.sklearn.tabular.encoders import TablePreprocessor
from cnn_core.sklearn.tabular.fitted_start import start_from_data
from cnn_core.sklearn.tabular.importances import Importances, shuffled_losses
from cnn_core.sklearn.tabular.layout import Layout
from cnn_core.sklearn.tabular.network import MAX_MEMBERS, MOST_SHARING, TabularNetwork
from cnn_core.sklearn.tabular.onnx_state import METADATA_KEY
from cnn_core.sklearn.tabular.portfolios import PORTFOLIOS
from cnn_core.sklearn.tabular.predictor import TablePredictor
from cnn_core.sklearn.tabular.presets import AUTO, AUTO_SINGLE, PRESETS, VALIDATION_FRACTION, Recipe
from cnn_core.sklearn.tabular.reading import read_table
from cnn_core.sklearn.tabular.table_rows import are_named_rows
from cnn_core.sklearn.tabular.training import ProgressLine, TabularTraining, TrainingLoop, TrainingPlan
from cnn_core.sklearn.tabular.training_rows import TrainingTable, checked_weights, relative, rows_and_weights, split

if TYPE_CHECKING:
    from cnn_core.foundation.model_file import FileLike
    from cnn_core.foundation.replacement import PathLike
    from cnn_core.models import Model


class TabularEstimator(FitsBlends, KnowsItsArguments, CallbackSupportMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """What both estimators share."""

    _task: str
    _head: str

    def __init__(
        self,
        preset: str = AUTO,
        *,
        hidden_layer_sizes: Any = None,
        activation: Any = None,
        learning_rate: object = None,
        epochs: int | None = None,
        batch_size: int = 256,
        validation_fraction: float = VALIDATION_FRACTION,
        eval_metric: object = "auto",
        n_members: int | None = None,
        categorical_features: object = "from_dtype",
        time_limit: float | None = None,
        patience: int | None = None,
        callbacks: object = None,
        verbose: int = 0,
        random_state: object = None,
    ) -> None:
        self.preset = preset
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.eval_metric = eval_metric
        self.n_members = n_members
        self.categorical_features = categorical_features
        self.time_limit = time_limit
        self.patience = patience
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    # Arguments

    def _recipe(self) -> Recipe:
        """The preset's recipe with what the arguments change."""
        preset = PRESETS[AUTO_SINGLE if self.preset == AUTO else validation.choice(self.preset, "preset", PRESETS)]
        changes: dict[str, Any] = {}
        if self.hidden_layer_sizes is not None:
            sizes = self.hidden_layer_sizes
            sizes = (sizes,) if isinstance(sizes, numbers.Integral) else sizes
            changes["hidden"] = tuple(validation.positive_integer(size, "hidden_layer_sizes") for size in sizes)
        if self.activation is not None:
            changes["activation"] = activations.get(self.activation)
        if self.learning_rate is not None:
            changes["learning_rate"] = validation.positive_number(self.learning_rate, "learning_rate")
        if self.n_members is not None and preset[self._task].n_sharing:
            changes["n_sharing"] = self.n_members
        recipe = replace(preset[self._task], **changes)
        activation = activations.get(recipe.activation)
        if recipe.parametric and (activation.native is None or activation.row_wise):
            raise ValueError(
                f"`activation` must be a built-in, elementwise one with preset={self.preset!r}. "
                f"Received: activation={self.activation!r}"
            )
        return recipe

    def _check_arguments(self) -> None:
        if self.epochs is not None:
            validation.positive_integer(self.epochs, "epochs")
        validation.positive_integer(self.batch_size, "batch_size")
        validation.fraction(self.validation_fraction, "validation_fraction", include_one=False)
        if self.n_members is not None:
            most = MOST_SHARING if self.preset == "tabm" else MAX_MEMBERS
            if validation.positive_integer(self.n_members, "n_members") > most:
                raise ValueError(f"`n_members` must be at most {most}. Received: n_members={self.n_members}")
        if self.time_limit is not None:
            validation.positive_number(self.time_limit, "time_limit")
        if self.patience is not None:
            validation.positive_integer(self.patience, "patience")

    def _features(self, X: object) -> Array:
        """What the network reads of a table, or of rows by name."""
        return self._answers(X, np.array)

    def _answers(self, X: object, answer: Callable[[Array], Array]) -> Array:
        """What `answer` makes of the features of a table, or of rows by name, row by row."""
        if "predictor_" not in vars(self):
            check_is_fitted(self)
        predictor: TablePredictor = self.predictor_
        features = predictor.features_of_few(X)
        if features is not None:
            return answer(features)
        if are_named_rows(X):
            return predictor.answers(X, answer)
        table = X if predictor.is_in_order(X) else read_table(self, X, reset=False)
        return predictor.preprocessor.answers(columns_of(table, predictor.preprocessor.kinds), answer)

    # Fitting

    def _fit_again(self, *arguments: object) -> Self:
        """Let a copy without anything fitted learn, and take its attributes over all at once.

        Where it is interrupted, what was fitted before stays; where nothing was, the best epoch so far is kept.
        """
        fresh = object.__new__(type(self))
        fresh.__dict__.update({name: value for name, value in vars(self).items() if not _is_fitted_name(name)})
        try:
            _learn(fresh, *arguments)
        except KeyboardInterrupt:
            if hasattr(fresh, "predictor_") and not hasattr(self, "predictor_"):
                self.__dict__ = fresh.__dict__
            raise
        self.__dict__ = fresh.__dict__
        return self

    def _learn(self, X: object, y: object, sample_weight: object, X_val: object, y_val: object) -> None:
        """Read the table and set every fitted attribute; the last of them is `predictor_`."""
        self._check_arguments()
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        X = read_table(self, X, reset=True)
        targets = self._checked_targets(y)
        check_consistent_length(X, targets)
        targets, weights = self._for_training(targets, checked_weights(sample_weight, X))
        self._train_on(TrainingTable(X, targets, weights, X_val, y_val))

    def _train_on(self, table: TrainingTable) -> None:
        """Split, preprocess and train."""
        preset = self._preset_for(table)
        if preset in PORTFOLIOS:
            self._fit_blend(table, PORTFOLIOS[preset])
            return
        began, recipe = time.monotonic(), self._recipe()
        if (table.X_val is None) != (table.y_val is None):
            given, missing = ("y_val", "X_val") if table.X_val is None else ("X_val", "y_val")
            raise ValueError(f"`X_val` and `y_val` must be passed together. Received: {given} without {missing}")
        seeds = self._seeds()
        y = table.y
        rows, weights = rows_and_weights(table.X, y, table.weights)
        train, held_out = rows, np.empty(0, np.int64)
        if table.X_val is None:
            train, held_out = split(y, rows, self.validation_fraction, seeds[0], self._task == "classification")
        preprocessor = TablePreprocessor(self.categorical_features, recipe.n_bins, recipe.most_one_hot)
        columns = preprocessor.learn_kinds(table.X)
        preprocessor.fit(columns, train)
        plain = partial(self._plain_features, columns, train)
        targets = self._fit_targets(y[train], None if weights is None else weights[train], plain, seeds[0])
        features = preprocessor.transform(columns, train)
        data = Dataset.of_one(features, targets, relative(weights, train))
        network = self._new_network(recipe, preprocessor.layout, targets.shape[1], seeds[1])
        predictor = self._new_predictor(preprocessor, network)
        x_val, y_val, weights_val = None, None, None
        if table.X_val is not None:
            x_val = self._held_out_features(predictor, table.X_val)
            y_val = self._held_out_targets(table.y_val)
            if len(x_val) != len(y_val):
                raise ValueError(f"X_val has {len(x_val)} rows, y_val {len(y_val)}")
        elif len(held_out):
            x_val, y_val = preprocessor.transform(columns, held_out), y[held_out]
            weights_val = None if weights is None else weights[held_out]
        score = None if y_val is None else self._held_out_score(predictor, y_val, weights_val, network.n_members)
        if recipe.fitted_start:
            start_from_data(network, features, seeds[1] + 1)
        plan = self._plan(recipe, score, seeds[2], predictor, table.X, table.y)
        plan.time_limit = None if self.time_limit is None else self.time_limit - (time.monotonic() - began)
        self._train(predictor, TabularTraining(network, data, x_val, plan))
        if isinstance(score, CrossFittedMembers):
            self._learn_from_held_out(predictor, score.outputs, y_val)

    def _plain_features(self, columns: list[Column], rows: Array) -> Array:
        """The features of some rows, as the simple variant has them."""
        return TablePreprocessor(self.categorical_features).fit(columns, rows).transform(columns, rows)

    def _seeds(self) -> list[int]:
        """Draw the seeds of the split, of the network and of the training."""
        generator = check_random_state(self.random_state)
        return [int(seed) for seed in generator.randint(np.iinfo(np.int32).max, size=3)]

    def _new_network(self, recipe: Recipe, layout: Layout, n_targets: int, seed: int) -> TabularNetwork:
        n_branches = 1 if recipe.n_sharing else self.n_members or 1
        return TabularNetwork(recipe, layout, self._n_outputs(n_targets), self._head, n_branches, seed)

    def _held_out_features(self, predictor: TablePredictor, X: object) -> Array:
        if are_named_rows(X):
            return predictor.features(X)
        return predictor.preprocessor.transform(read_table(self, X, reset=False))

    def _plan(self, recipe: Recipe, score: Any, seed: int, predictor: object, X: object, y: object) -> TrainingPlan:
        metric = self._metric_name() if score is not None else ""
        plan = TrainingPlan(
            self._loss(recipe),
            score,
            recipe.epochs if self.epochs is None else self.epochs,
            self.batch_size,
            seed,
            report=ProgressLine(metric) if self.verbose else None,
            patience=self.patience,
            metric=metric,
        )
        if EpochCallbacks.are_wanted(self):
            plan.callbacks = EpochCallbacks(self, lambda: self._fitted_now(predictor), X, y)
        return plan

    def _fitted_now(self, predictor: Any) -> dict[str, Any]:
        """What would be fitted if training ended now, by name, for scikit-learn's callbacks."""
        copied = copy.copy(self)
        copied._take(predictor.with_network(copy.copy(predictor.network)))
        return {name: value for name, value in vars(copied).items() if _is_fitted_name(name)}

    def _train(self, predictor: object, training: TrainingLoop) -> None:
        try:
            training.run()
        finally:
            if training.losses:  # Ctrl-C leaves the best epoch
                self.n_iter_ = len(training.losses)
                self.loss_curve_ = training.losses
                self.validation_curve_ = [float(np.mean(each)) for each in training.scores]
                self.best_epochs_ = training.best_epochs
                self._take(predictor)
        undefined = sum(score != score for each in training.scores for score in each)
        if undefined:
            warn_caller(
                f"`eval_metric`={self.eval_metric!r} is undefined on the held-out rows in {undefined} of "
                f"{sum(map(len, training.scores))} epochs, which count as the worst. Hold out more rows with "
                "`validation_fraction`, pass `X_val` and `y_val` of your own, or choose another metric"
            )

    def _take(self, predictor: Any) -> None:
        """Set what was learnt as attributes."""
        self.preprocessor_ = predictor.preprocessor
        if predictor.network is not None:
            self.network_ = predictor.network
        self.predictor_ = predictor

    # What the tasks add

    def _loss(self, recipe: Recipe) -> losses.Loss:
        raise NotImplementedError

    def _new_predictor(self, preprocessor: TablePreprocessor, network: TabularNetwork) -> Any:
        raise NotImplementedError

    def _checked_targets(self, y: object) -> Array:
        """Refuse targets that are none; return them as an array."""
        raise NotImplementedError

    def _for_training(self, y: Array, weights: Array | None) -> tuple[Array, Array | None]:
        """Return class numbers, or rows of targets, and the weights of the rows, learning what is told of them."""
        raise NotImplementedError

    def _fit_targets(self, y: Array, weights: Array | None, features: Callable[[], Array], seed: int) -> Array:
        """Learn what targets are like, and return them as the network is trained on them.

        `features` returns those of the same rows, for what a look at them decides; `seed` is that of the look.
        """
        return self._network_targets(y)

    def _network_targets(self, y: Array) -> Array:
        """Return class numbers, or rows of targets, as the network is trained on them."""
        raise NotImplementedError

    def _learn_targets(self, shape: tuple[int, ...], labels: ClassCounts | None, moments: Moments | None) -> None:
        """Take over what parts of the rows say of their targets: the shape of a row's, the classes or the numbers."""
        raise NotImplementedError

    def _n_outputs(self, n_targets: int) -> int:
        return n_targets

    def _held_out_targets(self, y: object) -> Array:
        raise NotImplementedError

    def _score_function(self, predictor: Any, y: Array, weights: Array | None) -> Any:
        raise NotImplementedError

    def _blend_score(self, y: Array, weights: Array | None) -> Any:
        """What a blend is chosen by; None: what epochs are."""

    def _held_out_score(self, predictor: Any, y: Any, weights: Array | None, n_members: int) -> Any:
        """What epochs are chosen by, of members in turn."""
        return self._score_function(predictor, y, weights)

    def _learn_from_held_out(self, predictor: Any, members: Array, y: Any, factor: Array | None = None) -> None:
        """Learn how far predictions are from the truth, from members' outputs for rows not trained on.

        `factor` says for each output by what these errors are larger than the predictor's, None: by nothing.
        """

    def _metric_name(self) -> str:
        raise NotImplementedError

    def _score_of_features(self, x: Array, y: object, weights: Array | None, scoring: object, X: object) -> float:
        raise NotImplementedError

    # Importance

    @knows_its_arguments
    def feature_importances(
        self,
        X: object,
        y: object,
        sample_weight: Any = None,
        *,
        scoring: object = None,
        n_repeats: int = 5,
        random_state: object = None,
    ) -> Importances:
        """Measure how much worse the score becomes when a column is shuffled.

        Parameters
        ----------
        X : data frame or array of shape (n, columns)
            Best rows that were not trained on.
        y : array-like of shape (n,) or (n, targets)
        sample_weight : array-like of shape (n,), default None
        scoring : str or callable, default None
            A scorer of scikit-learn's, or a callable of (estimator, X, y), for which higher is better. None is what
            `score` measures: the accuracy of a classifier, R^2 of a regressor.
        n_repeats : int, default 5
        random_state : int or RandomState, default None

        Returns
        -------
        Importances
            An array of shape (columns,) with the mean losses of score, and `names`; its `plot` draws bars.
        """
        x = self._features(X)
        check_consistent_length(x, y, sample_weight)
        repeats = validation.positive_integer(n_repeats, "n_repeats")

        def score(features: Array) -> float:
            return self._score_of_features(features, y, sample_weight, scoring, X)

        generator = check_random_state(random_state)
        preprocessor = self.predictor_.preprocessor
        return Importances(shuffled_losses(score, x, preprocessor.places, repeats, generator), preprocessor.names)

    # The network

    def to_model(self) -> Model:
        """Return the network or blend as a model of cnn_core with weights of its own: to trace, draw, save and export.

        Its inputs are what ``network_.inputs(preprocessor_.transform(X))`` returns, a list of arrays; its output is
        what `predict_proba`, or `predict`, returns as (n, targets), up to rounding: the factors of features and the
        scale of targets are part of its kernels. With `quantiles` it is those and the median, ascending by level, as
        the network gives them, not sorted. Dropout is left out.

        Raises
        ------
        ValueError
            If the estimator was fitted to a single class.
        """
        from cnn_core.sklearn.tabular.model import model_of

        check_is_fitted(self)
        return model_of(self.predictor_)

    @knows_its_arguments
    def to_onnx(self, path: PathLike | None = None) -> bytes:
        """Return the fitted estimator, its preprocessing included, as an ONNX file, and write it if a path is given.

        `load` and `cnn_core.load_predictor` read the file back: weights and preprocessing are the same to the last bit.

        Every column is an input of its own name and of shape (n, 1): numbers, dates (in seconds since 1970, UTC) and
        booleans (1 and 0) as float64 with NaN for missing ones; categories as float64 if they were numbers in training,
        else as texts, dates as 2026-01-31, of which unknown ones count as missing. Columns that held nothing in
        training are no inputs. Where columns had no names and none holds texts, "X" of shape (n, columns) is the only
        input.

        A classifier's outputs are "label" and "probabilities", a regressor's "variable", with `quantiles` also
        "quantiles": the names of skl2onnx.

        Parameters
        ----------
        path : str or path-like, default None

        Returns
        -------
        bytes

        Raises
        ------
        ValueError
            If a column, or the network, cannot be expressed, by its name.

        Notes
        -----
        What the network computes is float32, its scaled features and a regressor's numbers come of float64, as in the
        estimator. Infinite numbers count as very large ones.
        """
        check_is_fitted(self)
        predictor: TablePredictor = self.predictor_
        return predictor.to_onnx(path, self._state())

    # Files

    def save(self, path: FileLike) -> None:
        """Write the fitted estimator, its preprocessing included, to a file of data only.

        Parameters
        ----------
        path : str or path-like
            By custom ending in ".safetensors".

        Raises
        ------
        ValueError
            If the activation is not a built-in one.
        """
        model_file.write(path, *self.contents())

    def contents(self) -> tuple[dict[str, Array], dict[str, str]]:
        """Return what `save` writes: the tensors and the metadata of the file."""
        check_is_fitted(self)
        return self.predictor_.weights(), {METADATA_KEY: json.dumps(self._state())}

    def _state(self) -> dict[str, Any]:
        """All that was fitted but the weights, as plain data."""
        parameters = self.get_params(deep=False)
        if self.activation is not None:
            activation = activations.get(self.activation)
            if activation.native is None:
                raise ValueError(
                    "A file holds data only, and no code: `activation` must be a built-in one. "
                    f"Received: activation={self.activation!r}"
                )
            parameters["activation"] = activations.serialize(activation)
        parameters = {name: value for name, value in parameters.items() if _is_plain(value)}
        return {
            "task": self._task,
            "parameters": parameters,
            "n_features_in": self.n_features_in_,
            "feature_names_in": [str(name) for name in getattr(self, "feature_names_in_", [])],
            "n_iter": self.n_iter_,
            "best_epochs": [int(epoch) for epoch in self.best_epochs_],
            "loss_curve": self.loss_curve_,
            "validation_curve": self.validation_curve_,
            **self.predictor_.state(),
        }

    def _restore(self, state: Mapping[str, Any], predictor: object) -> None:
        self.n_features_in_ = int(state["n_features_in"])
        if state["feature_names_in"]:
            self.feature_names_in_ = np.array(state["feature_names_in"], dtype=object)
        self.n_iter_ = int(state["n_iter"])
        self.best_epochs_ = list(state["best_epochs"])
        self.loss_curve_, self.validation_curve_ = list(state["loss_curve"]), list(state["validation_curve"])
        self._take(predictor)


@with_callbacks  # type: ignore[untyped-decorator]
def _learn(estimator: TabularEstimator, *arguments: object) -> None:
    """Fit an estimator, and let go of scikit-learn's callbacks whatever happens."""
    estimator._learn(*arguments)


def _is_fitted_name(name: str) -> bool:
    return name.endswith("_") and not name.startswith("_")


def _is_plain(value: object) -> bool:
    try:
        json.dumps(value)
    except TypeError:
        return False
    return True
