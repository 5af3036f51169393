"""TabularClassifier and TabularRegressor: networks that take a table as it is. Floor 5."""

from __future__ import annotations

import json
import numbers
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    _check_sample_weight,
    _num_samples,
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

import cnn_core.activations as activations
import cnn_core.losses as losses
import cnn_core.model_file as model_file
import cnn_core.sklearn.scores as scores
import cnn_core.validation as validation
from cnn_core.arrays import Array
from cnn_core.sklearn.columns import is_missing
from cnn_core.sklearn.fitted_start import start_from_data
from cnn_core.sklearn.preprocessing import TablePreprocessor
from cnn_core.sklearn.recipes import PRESETS, Recipe
from cnn_core.sklearn.table_arrays import is_frame
from cnn_core.sklearn.tabular_network import MAX_MEMBERS, TabularNetwork
from cnn_core.sklearn.tabular_training import Part, ProgressLine, Training, TrainingPlan

_FILE = "cnn_core.tabular"
LEAST_ROWS_TO_HOLD_OUT = 64  # of fewer, a held-out part says nothing: all are trained on, and the last epoch is kept


class _TabularEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """What both estimators share."""

    _task: str

    def __init__(
        self,
        preset: str = "td_s",
        *,
        hidden_layer_sizes: Any = None,
        activation: Any = None,
        learning_rate: Any = None,
        epochs: int = 256,
        batch_size: int = 256,
        validation_fraction: float = 0.2,
        eval_metric: Any = "auto",
        n_members: int = 1,
        categorical_features: Any = "from_dtype",
        time_limit: float | None = None,
        verbose: int = 0,
        random_state: Any = None,
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
        if not isinstance(self.preset, str) or self.preset not in PRESETS:
            raise ValueError(f"`preset` must be one of {', '.join(PRESETS)}. Received: preset={self.preset!r}")
        changes: dict[str, Any] = {}
        if self.hidden_layer_sizes is not None:
            sizes = self.hidden_layer_sizes
            sizes = (sizes,) if isinstance(sizes, numbers.Integral) else sizes
            changes["hidden"] = tuple(validation.positive_integer(size, "hidden_layer_sizes") for size in sizes)
        if self.activation is not None:
            changes["activation"] = activations.get(self.activation)
        if self.learning_rate is not None:
            changes["learning_rate"] = validation.positive_number(self.learning_rate, "learning_rate")
        recipe = replace(PRESETS[self.preset][self._task], **changes)
        activation = activations.get(recipe.activation)
        if recipe.parametric and (activation.native is None or activation.row_wise):
            raise ValueError(
                f"`activation` must be a built-in, elementwise one with preset={self.preset!r}. "
                f"Received: activation={self.activation!r}"
            )
        return recipe

    def _check_arguments(self) -> None:
        validation.positive_integer(self.epochs, "epochs")
        validation.positive_integer(self.batch_size, "batch_size")
        validation.fraction(self.validation_fraction, "validation_fraction", include_one=False)
        if validation.positive_integer(self.n_members, "n_members") > MAX_MEMBERS:
            raise ValueError(f"`n_members` must be at most {MAX_MEMBERS}. Received: n_members={self.n_members}")
        if self.time_limit is not None:
            validation.positive_number(self.time_limit, "time_limit")

    # Tables

    def _table(self, X: Any, reset: bool) -> Any:
        """Check a table: a frame as it is, anything else as an array; keep or compare its columns."""
        if hasattr(X, "collect"):
            raise TypeError(f"X must be a data frame: call its `collect()`. Received: {type(X).__name__}")
        if is_frame(X):
            rows, width = X.shape
            _refuse_repeated(X)
            if not rows or not width:
                what = f"{rows} sample(s)" if not rows else f"{width} feature(s)"
                raise ValueError(f"Found array with {what} (shape=({rows}, {width})) while a minimum of 1 is required.")
            _check_feature_names(self, X, reset=reset)
            _check_n_features(self, X, reset=reset)
            return X
        if isinstance(X, (list, tuple)):
            array = np.asarray(X)
            X = np.asarray(X, dtype=object) if array.dtype.kind in "US" else array
        return validate_data(self, X, reset=reset, dtype=None, ensure_all_finite=False)

    def _features(self, X: Any) -> Array:
        check_is_fitted(self)
        return self.preprocessor_.transform(self._table(X, reset=False))

    # Fitting

    def _fit(self, X: Any, y: Array, weights: Array | None, X_val: Any, y_val: Any, weights_val: Any) -> Self:
        """Split, preprocess and train; y holds class numbers or rows of targets."""
        began, recipe = time.monotonic(), self._recipe()
        if (X_val is None) != (y_val is None):
            given, missing = ("y_val", "X_val") if X_val is None else ("X_val", "y_val")
            raise ValueError(f"`X_val` and `y_val` must be passed together. Received: {given} without {missing}")
        generator = check_random_state(self.random_state)
        seeds = generator.randint(np.iinfo(np.int32).max, size=3)
        rows, weights = _rows_and_weights(X, y, weights)
        if X_val is None:
            train, held_out = self._split(y, rows, int(seeds[0]))
        else:
            train, held_out = rows, np.empty(0, np.int64)
        self.preprocessor_ = TablePreprocessor(self.categorical_features, recipe.n_bins, recipe.most_one_hot)
        columns = self.preprocessor_.learn_kinds(X)
        self.preprocessor_.fit(columns, train)
        x = self.preprocessor_.transform(columns, train)
        targets = self._fit_targets(y[train], None if weights is None else weights[train])
        part = Part(x, targets, _relative(weights, train))
        x_val, measure_y, measure_weights = None, None, None
        if X_val is not None:
            x_val, measure_y, measure_weights = self._features(X_val), self._held_out_targets(y_val), weights_val
            if len(x_val) != len(measure_y):
                raise ValueError(f"X_val has {len(x_val)} rows, y_val {len(measure_y)}")
        elif len(held_out):
            x_val = self.preprocessor_.transform(columns, held_out)
            measure_y, measure_weights = y[held_out], None if weights is None else weights[held_out]
        score = None if measure_y is None else self._score_function(measure_y, measure_weights)
        limit = None if self.time_limit is None else self.time_limit - (time.monotonic() - began)
        self._train(recipe, part, x_val, score, limit, int(seeds[1]), int(seeds[2]))
        return self

    def _split(self, y: Array, rows: Array, seed: int) -> tuple[Array, Array]:
        """Hold out a share of the rows; of each class the same share, if y holds classes."""
        n_held_out = round(self.validation_fraction * len(rows))
        if len(rows) < LEAST_ROWS_TO_HOLD_OUT or n_held_out < 1:
            return rows, np.empty(0, np.int64)
        shuffled = np.random.default_rng(seed).permutation(rows)
        if self._task == "classification":
            # Sorted by class, every so-manieth row is held out.
            by_class = shuffled[np.argsort(y[shuffled], kind="stable")]
            chosen = np.zeros(len(rows), bool)
            chosen[np.floor((np.arange(n_held_out) + 0.5) * len(rows) / n_held_out).astype(np.int64)] = True
            return by_class[~chosen], by_class[chosen]
        return shuffled[n_held_out:], shuffled[:n_held_out]

    def _train(
        self,
        recipe: Recipe,
        part: Part,
        x_val: Array | None,
        score: Any,
        time_limit: float | None,
        seed: int,
        order_seed: int,
    ) -> None:
        layout = self.preprocessor_.layout
        self.network_ = TabularNetwork(recipe, layout, self._n_outputs, self._head, self.n_members, seed)
        if recipe.fitted_start:
            start_from_data(self.network_, part.x, seed + 1)
        plan = TrainingPlan(
            self._loss(),
            score,
            self.epochs,
            self.batch_size,
            order_seed,
            time_limit,
            ProgressLine(self._metric_name() if score is not None else "") if self.verbose else None,
        )
        training = Training(self.network_, part, x_val, plan)
        try:
            training.run()
        finally:  # Ctrl-C leaves a fitted estimator
            self.n_iter_ = len(training.losses)
            self.loss_curve_ = training.losses
            self.validation_curve_ = [float(np.mean(each)) for each in training.scores]
            self.best_epochs_ = training.best_epochs

    # What the tasks add

    _n_outputs: int
    _head: str

    def _loss(self) -> losses.Loss:
        raise NotImplementedError

    def _fit_targets(self, y: Array, weights: Array | None) -> Array:
        raise NotImplementedError

    def _held_out_targets(self, y: Any) -> Array:
        raise NotImplementedError

    def _score_function(self, y: Array, weights: Array | None) -> Any:
        raise NotImplementedError

    def _metric_name(self) -> str:
        raise NotImplementedError

    def _score_of_features(self, x: Array, y: Any, weights: Array | None) -> float:
        raise NotImplementedError

    # Importance

    def feature_importances(
        self, X: Any, y: Any, sample_weight: Any = None, *, n_repeats: int = 5, random_state: Any = None
    ) -> Array:
        """Measure how much worse the score becomes when a column is shuffled.

        Parameters
        ----------
        X : data frame or array of shape (n, columns)
            Best rows that were not trained on.
        y : array-like of shape (n,) or (n, targets)
        sample_weight : array-like of shape (n,), default None
        n_repeats : int, default 5
        random_state : int or RandomState, default None

        Returns
        -------
        numpy.ndarray of shape (columns,)
            The mean loss of score: of accuracy for a classifier, of R^2 for a regressor.
        """
        x = self._features(X)
        check_consistent_length(x, y, sample_weight)
        generator = check_random_state(random_state)
        whole = self._score_of_features(x, y, sample_weight)
        importances = np.zeros(len(self.preprocessor_.names))
        for column, place in enumerate(self.preprocessor_.places):
            if not len(place):
                continue
            kept = x[:, place].copy()
            shuffled = []
            for _ in range(validation.positive_integer(n_repeats, "n_repeats")):
                x[:, place] = kept[generator.permutation(len(x))]
                shuffled.append(self._score_of_features(x, y, sample_weight))
            x[:, place] = kept
            importances[column] = whole - float(np.mean(shuffled))
        return importances

    # Files

    def save(self, path: Any) -> None:
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
        model_file.write(path, *contents(self))

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
            "preprocessor": self.preprocessor_.state(),
            "network": self.network_.state() if hasattr(self, "network_") else None,
            "n_iter": self.n_iter_,
            "best_epochs": [int(epoch) for epoch in self.best_epochs_],
            "loss_curve": self.loss_curve_,
            "validation_curve": self.validation_curve_,
            "target": self._target_state(),
        }

    def _target_state(self) -> dict[str, Any]:
        raise NotImplementedError

    def _restore_target(self, state: Mapping[str, Any]) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, path: Any) -> Self:
        """Read an estimator that `save` wrote; nothing in the file is executed.

        Raises
        ------
        ValueError
            If the file holds something else, or is damaged.
        """
        estimator = load(path)
        if not isinstance(estimator, cls):
            raise ValueError(f"{os.fspath(path)} holds a {type(estimator).__name__}, not a {cls.__name__}")
        return estimator

    def _restore(self, state: Mapping[str, Any], weights: Mapping[str, Array]) -> None:
        self.n_features_in_ = int(state["n_features_in"])
        if state["feature_names_in"]:
            self.feature_names_in_ = np.array(state["feature_names_in"], dtype=object)
        self.preprocessor_ = TablePreprocessor.from_state(state["preprocessor"])
        self._restore_target(state["target"])
        if state["network"] is not None:
            self.network_ = TabularNetwork.from_state(state["network"], weights)
        self.n_iter_ = int(state["n_iter"])
        self.best_epochs_ = list(state["best_epochs"])
        self.loss_curve_, self.validation_curve_ = list(state["loss_curve"]), list(state["validation_curve"])


class TabularClassifier(ClassifierMixin, _TabularEstimator):  # type: ignore[misc]
    """Classify the rows of a table with a network that needs no tuning.

    Numbers, categories, texts, booleans, dates and missing values are taken as they are. The defaults are those of
    RealMLP's simple variant: a learnable scale for every feature, three hidden layers of 256, Adam with a schedule of
    four swings, label smoothing, and the epoch that is best on a held-out fifth of the rows.

    Parameters
    ----------
    preset : {"td_s", "td", "periodic", "piecewise_linear"}, default "td_s"
        The recipe. "td_s" is RealMLP's simple variant, tuned once for all tables by its authors, and "td" their full
        one: each number x becomes [cos(2 pi w x + b) . v + c, x] with 16 learnt waves and three outputs, categories of
        more than eight values are embedded, an activation g is x + alpha (g(x) - x) with a learnt alpha, dropout of
        0.15 and weight decay of 0.02 fade out, and the initial weights are fitted to the table. "periodic" is "td_s"
        with those waves alone. "piecewise_linear" is "td_s" with 24 more features for every number, which say how far
        it has come through each of 24 bins of equal frequency.
    hidden_layer_sizes : tuple of int, default None
        None: the preset's, (256, 256, 256).
    activation : str, default None
        None: the preset's, "selu".
    learning_rate : float, default None
        Of the schedule's crests. None: the preset's, 0.04.
    epochs : int, default 256
    batch_size : int, default 256
        A last incomplete batch is left out; rows are shuffled, so that it is another one in every epoch.
    validation_fraction : float, default 0.2
        The share of rows held out, of every class the same. Of fewer than 64 rows none is, and the last epoch is kept.
    eval_metric : {"auto", "error", "log_loss", "brier", "auc"} or callable, default "auto"
        What the best epoch is chosen by; "auto" is "error". A callable takes (class numbers, probabilities, weights)
        and returns a number, the less the better.
    label_smoothing : float or "auto", default "auto"
        "auto": 0.1 if `eval_metric` is "error", else 0, because smoothing spoils probabilities.
    n_members : int, default 1
        Networks trained side by side from different initial weights; their probabilities are averaged. At most 16.
    class_weight : dict, "balanced" or None, default None
    categorical_features : "from_dtype" or list of column names, numbers or booleans, default "from_dtype"
    time_limit : float, default None
        Seconds after which `fit` ends; the schedule is squeezed beforehand to fit, if need be into part of an epoch.
    verbose : int, default 0
        1: show progress.
    random_state : int, RandomState or None, default None
        Decides the split, the weights and the order of rows.

    Attributes
    ----------
    classes_ : numpy.ndarray
    n_features_in_ : int
    feature_names_in_ : numpy.ndarray of str
        Where the table names its columns.
    n_iter_ : int
        Epochs trained.
    best_epochs_ : list of int
        The epoch kept, of each member.
    loss_curve_, validation_curve_ : list of float
        After each epoch; the latter in terms of `eval_metric`, the less the better.
    preprocessor_ : TablePreprocessor
    network_ : TabularNetwork

    References
    ----------
    D. Holzmüller, L. Grinsztajn, I. Steinwart, "Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular
    Data", NeurIPS 2024.
    Y. Gorishniy, I. Rubachev, A. Babenko, "On Embeddings for Numerical Features in Tabular Deep Learning", NeurIPS
    2022, for the waves and the pieces.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> X, y = load_wine(return_X_y=True)
    >>> classifier = TabularClassifier(random_state=0).fit(X[::2], y[::2])
    >>> bool(classifier.score(X[1::2], y[1::2]) > 0.9)
    True
    """

    _task = "classification"
    _head = "softmax"

    def __init__(
        self,
        preset: str = "td_s",
        *,
        hidden_layer_sizes: Any = None,
        activation: Any = None,
        learning_rate: Any = None,
        epochs: int = 256,
        batch_size: int = 256,
        validation_fraction: float = 0.2,
        eval_metric: Any = "auto",
        label_smoothing: Any = "auto",
        n_members: int = 1,
        class_weight: Any = None,
        categorical_features: Any = "from_dtype",
        time_limit: float | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            preset,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            learning_rate=learning_rate,
            epochs=epochs,
            batch_size=batch_size,
            validation_fraction=validation_fraction,
            eval_metric=eval_metric,
            n_members=n_members,
            categorical_features=categorical_features,
            time_limit=time_limit,
            verbose=verbose,
            random_state=random_state,
        )
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None) -> Self:
        """Train on a table.

        Parameters
        ----------
        X : pandas.DataFrame, polars.DataFrame or array-like of shape (n, columns)
        y : array-like of shape (n,)
            Classes: numbers, texts or booleans.
        sample_weight : array-like of shape (n,), default None
        X_val, y_val : a table and its classes, default None
            A validation part of your own; then no rows of X are held out.

        Returns
        -------
        TabularClassifier
            Itself.

        Raises
        ------
        ValueError
            If the table or the arguments are not as they should be; the message names the column.
        """
        self._check_arguments()
        if y is None:
            raise ValueError("TabularClassifier requires y to be passed, but the target y is None")
        X = self._table(X, reset=True)
        y = column_or_1d(_plain_target(y), warn=True)
        check_consistent_length(X, y)
        _refuse_missing(y)
        check_classification_targets(y)
        self.classes_, numbered = np.unique(y, return_inverse=True)
        weights = _weights(sample_weight, X)
        if self.class_weight is not None:
            by_class = compute_sample_weight(self.class_weight, y)
            weights = by_class if weights is None else weights * by_class
        if len(self.classes_) == 1:
            return self._fit_single(X)
        return self._fit(X, numbered.astype(np.int64), weights, X_val, y_val, None)

    def _fit_single(self, X: Any) -> Self:
        """One class alone: there is nothing to learn but the columns."""
        self.__dict__.pop("network_", None)
        self.preprocessor_ = TablePreprocessor(self.categorical_features).fit(X)
        self.n_iter_, self.best_epochs_, self.loss_curve_, self.validation_curve_ = 1, [1], [0.0], []
        return self

    @property
    def _n_outputs(self) -> int:  # type: ignore[override]
        return len(self.classes_)

    def _metric_name(self) -> str:
        if callable(self.eval_metric):
            return "score"
        return "error" if self.eval_metric == "auto" else str(self.eval_metric)

    def _loss(self) -> losses.Loss:
        smoothing = self.label_smoothing
        if isinstance(smoothing, str) and smoothing == "auto":
            smoothing = 0.1 if self._metric_name() == "error" else 0.0
        return losses.CategoricalCrossentropy(label_smoothing=validation.fraction(smoothing, "label_smoothing"))

    def _fit_targets(self, y: Array, weights: Array | None) -> Array:
        scores.named(self.eval_metric if self.eval_metric != "auto" else "error", scores.CLASSIFICATION)
        targets = np.zeros((len(y), len(self.classes_)), np.float32)
        targets[np.arange(len(y)), y] = 1
        return targets

    def _held_out_targets(self, y: Any) -> Array:
        y = column_or_1d(_plain_target(y))
        found = np.searchsorted(self.classes_, y).clip(0, len(self.classes_) - 1)
        unknown = self.classes_[found] != y
        if unknown.any():
            raise ValueError(f"y_val holds the class {y.tolist()[int(np.argmax(unknown))]!r}, which y does not have")
        return np.asarray(found)

    def _score_function(self, y: Array, weights: Array | None) -> Any:
        metric = self.eval_metric if callable(self.eval_metric) else self._metric_name()
        score = scores.named(metric, scores.CLASSIFICATION)
        return lambda outputs: score(y, outputs, weights)

    def _probabilities(self, x: Array) -> Array:
        if not hasattr(self, "network_"):
            return np.ones((len(x), 1))
        probabilities = self.network_.predict(x).mean(axis=0, dtype=np.float64)
        return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class: (n, classes), in the order of `classes_`."""
        return self._probabilities(self._features(X))

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each row."""
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])

    def _score_of_features(self, x: Array, y: Any, weights: Array | None) -> float:
        predicted = self.classes_[self._probabilities(x).argmax(axis=1)]
        return float(np.average(predicted == column_or_1d(_plain_target(y)), weights=weights))

    def _target_state(self) -> dict[str, Any]:
        dates = self.classes_.dtype.kind in "mM"
        return {
            "classes": self.classes_.astype(np.int64 if dates else self.classes_.dtype).tolist(),
            "dtype": self.classes_.dtype.str,
        }

    def _restore_target(self, state: Mapping[str, Any]) -> None:
        dtype = np.dtype(object) if "O" in state["dtype"] else np.dtype(state["dtype"])
        self.classes_ = np.array(state["classes"], dtype=dtype)


class TabularRegressor(RegressorMixin, _TabularEstimator):  # type: ignore[misc]
    """Predict numbers from the rows of a table with a network that needs no tuning.

    As `TabularClassifier`, with Mish, a learning rate of 0.07 and targets that are standardised for training.

    Parameters
    ----------
    preset : {"td_s", "td", "periodic", "piecewise_linear"}, default "td_s"
        "td" also keeps predictions within the range of the targets in training.
    hidden_layer_sizes : tuple of int, default None
        None: the preset's, (256, 256, 256).
    activation : str, default None
        None: the preset's, "mish".
    learning_rate : float, default None
        None: the preset's, 0.07, or 0.2 of "td".
    epochs : int, default 256
    batch_size : int, default 256
    validation_fraction : float, default 0.2
    eval_metric : {"auto", "rmse", "mae", "pinball"} or callable, default "auto"
        What the best epoch is chosen by; "auto" is "rmse", or "pinball" with `quantiles`. A callable takes
        (standardised targets, predictions, weights), both of shape (n, targets).
    quantiles : sequence of float, default None
        Levels such as (0.05, 0.5, 0.95): the network then predicts these quantiles, with the pinball loss, instead of
        the mean. `predict` returns the median, between the levels by interpolation.
    n_members : int, default 1
    categorical_features : "from_dtype" or list of column names, numbers or booleans, default "from_dtype"
    time_limit : float, default None
    verbose : int, default 0
    random_state : int, RandomState or None, default None

    Attributes
    ----------
    n_features_in_, feature_names_in_, n_iter_, best_epochs_, loss_curve_, validation_curve_, preprocessor_, network_
        As those of `TabularClassifier`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> regressor = TabularRegressor(epochs=32, random_state=0).fit(X[::2], y[::2])
    >>> bool(regressor.score(X[1::2], y[1::2]) > 0.3)
    True
    """

    _task = "regression"
    _head = "linear"

    def __init__(
        self,
        preset: str = "td_s",
        *,
        hidden_layer_sizes: Any = None,
        activation: Any = None,
        learning_rate: Any = None,
        epochs: int = 256,
        batch_size: int = 256,
        validation_fraction: float = 0.2,
        eval_metric: Any = "auto",
        quantiles: Any = None,
        n_members: int = 1,
        categorical_features: Any = "from_dtype",
        time_limit: float | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            preset,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            learning_rate=learning_rate,
            epochs=epochs,
            batch_size=batch_size,
            validation_fraction=validation_fraction,
            eval_metric=eval_metric,
            n_members=n_members,
            categorical_features=categorical_features,
            time_limit=time_limit,
            verbose=verbose,
            random_state=random_state,
        )
        self.quantiles = quantiles

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None) -> Self:
        """Train on a table.

        Parameters
        ----------
        X : pandas.DataFrame, polars.DataFrame or array-like of shape (n, columns)
        y : array-like of shape (n,) or (n, targets)
        sample_weight : array-like of shape (n,), default None
        X_val, y_val : a table and its targets, default None
            A validation part of your own; then no rows of X are held out.

        Returns
        -------
        TabularRegressor
            Itself.

        Raises
        ------
        ValueError
            If the table or the arguments are not as they should be; the message names the column.
        """
        self._check_arguments()
        if y is None:
            raise ValueError("TabularRegressor requires y to be passed, but the target y is None")
        X = self._table(X, reset=True)
        y = _numeric_targets(y)
        check_consistent_length(X, y)
        self._one_target = y.ndim == 1
        targets = y.reshape(len(y), -1)
        self.quantiles_ = self._checked_quantiles(targets.shape[1])
        return self._fit(X, targets, _weights(sample_weight, X), X_val, y_val, None)

    def _checked_quantiles(self, n_targets: int) -> Array | None:
        if self.quantiles is None:
            return None
        levels = np.atleast_1d(np.asarray(self.quantiles, np.float64))
        if not len(levels) or (levels <= 0).any() or (levels >= 1).any() or (np.diff(levels) <= 0).any():
            raise ValueError(f"`quantiles` must ascend between 0 and 1. Received: quantiles={self.quantiles!r}")
        if n_targets > 1:
            raise ValueError(f"`quantiles` needs a single target. Received: y with {n_targets} columns")
        return levels

    @property
    def _n_outputs(self) -> int:  # type: ignore[override]
        return len(self._mean) if self.quantiles_ is None else len(self.quantiles_)

    def _metric_name(self) -> str:
        if callable(self.eval_metric):
            return "score"
        if self.eval_metric == "auto":
            return "rmse" if self.quantiles_ is None else "pinball"
        return str(self.eval_metric)

    def _loss(self) -> losses.Loss:
        if self.quantiles_ is None:
            return losses.MeanSquaredError()
        return losses.Quantile(self.quantiles_.tolist())

    def _fit_targets(self, y: Array, weights: Array | None) -> Array:
        self._known_score()
        largest = np.abs(y).max(axis=0)
        unit = np.where(largest > 0, largest, 1.0)  # no square of a number leaves the range of float64
        self._mean = unit * np.average(y / unit, axis=0, weights=weights)
        spread = unit * np.sqrt(np.average(((y - self._mean) / unit) ** 2, axis=0, weights=weights))
        # A constant target needs no scale; what rounding leaves of one is no spread either.
        tiny = spread <= 1e-12 * np.abs(self._mean)
        self._spread = np.where(tiny, 1.0, spread)
        standardised = self._standardised(y)
        self._lowest, self._highest = standardised.min(axis=0), standardised.max(axis=0)
        return standardised

    def _standardised(self, y: Array) -> Array:
        return np.ascontiguousarray((y - self._mean) / self._spread, np.float32)

    def _known_score(self) -> Any:
        known = dict(scores.REGRESSION)
        if self.quantiles_ is not None:
            known = {"pinball": scores.pinball(self.quantiles_)}
        return scores.named(self.eval_metric if callable(self.eval_metric) else self._metric_name(), known)

    def _held_out_targets(self, y: Any) -> Array:
        return _numeric_targets(y).reshape(-1, len(self._mean))

    def _score_function(self, y: Array, weights: Array | None) -> Any:
        score, targets = self._known_score(), self._standardised(y)
        return lambda outputs: score(targets, self._clamped(outputs), weights)

    def _clamped(self, outputs: Array) -> Array:
        """Standardised predictions, kept within the range of the targets in training if the recipe says so."""
        return outputs.clip(self._lowest, self._highest) if self.network_.recipe.clamps else outputs

    def _outputs(self, x: Array) -> Array:
        outputs = self._clamped(self.network_.predict(x)).mean(axis=0, dtype=np.float64)
        return np.asarray(outputs * self._spread + self._mean)

    def _predictions(self, x: Array) -> Array:
        outputs = self._outputs(x)
        if self.quantiles_ is not None:
            outputs.sort(axis=1)
            outputs = np.array([np.interp(0.5, self.quantiles_, row) for row in outputs]).reshape(-1, 1)
        return outputs[:, 0] if self._one_target else outputs

    def predict(self, X: Any) -> Array:
        """Return the predicted mean of each row, or the median with `quantiles`: (n,) or (n, targets)."""
        return self._predictions(self._features(X))

    def predict_quantiles(self, X: Any) -> Array:
        """Return the quantiles that the estimator was fitted for, ascending: (n, levels).

        Raises
        ------
        ValueError
            If it was fitted without `quantiles`.
        """
        x = self._features(X)
        if self.quantiles_ is None:
            raise ValueError("`predict_quantiles` needs TabularRegressor(quantiles=...), such as (0.05, 0.5, 0.95)")
        return np.sort(self._outputs(x), axis=1)

    def _score_of_features(self, x: Array, y: Any, weights: Array | None) -> float:
        from sklearn.metrics import r2_score

        return float(r2_score(_numeric_targets(y), self._predictions(x), sample_weight=weights))

    def _target_state(self) -> dict[str, Any]:
        return {
            "mean": self._mean.tolist(),
            "spread": self._spread.tolist(),
            "lowest": self._lowest.tolist(),
            "highest": self._highest.tolist(),
            "one_target": self._one_target,
            "quantiles": None if self.quantiles_ is None else self.quantiles_.tolist(),
        }

    def _restore_target(self, state: Mapping[str, Any]) -> None:
        self._mean, self._spread = np.array(state["mean"]), np.array(state["spread"])
        self._lowest, self._highest = (np.array(state[name], np.float32) for name in ("lowest", "highest"))
        self._one_target = bool(state["one_target"])
        self.quantiles_ = None if state["quantiles"] is None else np.array(state["quantiles"])


def contents(estimator: TabularClassifier | TabularRegressor) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the tensors and the metadata of a fitted estimator's file."""
    check_is_fitted(estimator)
    weights = estimator.network_.weights() if hasattr(estimator, "network_") else {}
    return weights, {_FILE: json.dumps(estimator._state())}


def load(path: Any) -> TabularClassifier | TabularRegressor:
    """Read a tabular estimator from a file; nothing in it is executed.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    TabularClassifier or TabularRegressor

    Raises
    ------
    ValueError
        If the file holds something else, or is damaged.
    """
    tensors, metadata = model_file.read(path)
    if _FILE not in metadata:
        raise ValueError(f"{os.fspath(path)} holds no tabular estimator")
    try:
        state = json.loads(metadata[_FILE])
        kind = {"classification": TabularClassifier, "regression": TabularRegressor}[state["task"]]
        known = {name: value for name, value in state["parameters"].items() if name in kind().get_params()}
        for name in ("hidden_layer_sizes", "quantiles"):  # JSON knows lists only
            if isinstance(known.get(name), list):
                known[name] = tuple(known[name])
        estimator: TabularClassifier | TabularRegressor = kind(**known)
        estimator._restore(state, tensors)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{os.fspath(path)} is damaged: {error}") from None
    return estimator


def _rows_and_weights(X: Any, y: Array, weights: Array | None) -> tuple[Array, Array | None]:
    """The rows to use, and weights by row number.

    In a table too small to hold rows out, a whole number as weight is so many copies of its row, and arrays of numbers
    are brought in an order of their own: the same rows, in whatever order or multiplicity, give the same bits.
    """
    n = _num_samples(X)
    rows = np.arange(n)
    whole = weights is not None and bool((weights == np.floor(weights)).all())
    if weights is not None:
        rows = rows[weights > 0]
        if whole and weights.sum() < LEAST_ROWS_TO_HOLD_OUT:
            rows, weights = np.repeat(np.arange(n), weights.astype(np.int64)), None
    if len(rows) < LEAST_ROWS_TO_HOLD_OUT and isinstance(X, np.ndarray) and X.dtype.kind in "iufb":
        keys = np.column_stack([X[rows], y[rows]]).T[::-1]
        rows = rows[np.lexsort(keys)]
    return rows, weights


def _weights(sample_weight: Any, X: Any) -> Array | None:
    if sample_weight is None:
        return None
    table = X if isinstance(X, np.ndarray) else np.empty((_num_samples(X), 1))
    weights = np.asarray(_check_sample_weight(sample_weight, table, dtype=np.float64, ensure_non_negative=True))
    if not weights.any():
        raise ValueError("`sample_weight` must hold a number above zero: sample weights are all zero")
    return weights


def _relative(weights: Array | None, rows: Array) -> Array | None:
    """Weights of these rows with a mean of 1, as the loss divides by the number of rows."""
    if weights is None:
        return None
    chosen = weights[rows]
    return np.ascontiguousarray(chosen / chosen.mean(), np.float32)


def _refuse_repeated(frame: Any) -> None:
    names = list(frame.columns)
    repeated = [name for number, name in enumerate(names) if name in names[:number]]
    if repeated:
        raise ValueError(f"Columns must have names of their own. Received: {repeated[0]!r} more than once")


def _plain_target(y: Any) -> Any:
    """A series of pandas or polars as an array."""
    return y.to_numpy() if hasattr(y, "to_numpy") else y


def _refuse_missing(y: Array) -> None:
    """Missing classes and infinity, which scikit-learn would turn into classes or warnings."""
    if y.dtype.kind in "iub" or (y.dtype.kind == "f" and np.isfinite(y).all()):
        return
    for row, value in enumerate(y.tolist()):
        if is_missing(value) or (isinstance(value, float) and np.isinf(value)):
            raise ValueError(f"y must have a class for every row. Input y contains {value!r} in row {row}")


def _numeric_targets(y: Any) -> Array:
    """Targets as float64 of one or two dimensions; a single column as a vector, with scikit-learn's warning."""
    y = check_array(_plain_target(y), ensure_2d=False, dtype=np.float64, input_name="y")
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    if y.ndim > 2:
        raise ValueError(f"y must have the shape (n,) or (n, targets). Received: y.shape={y.shape}")
    return np.asarray(y)


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(value)
    except TypeError:
        return False
    return True
