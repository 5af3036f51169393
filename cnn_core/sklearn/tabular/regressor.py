"""The regressor of tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin

import cnn_core.foundation.validation as validation
import cnn_core.losses as losses
import cnn_core.sklearn.tabular.scores as scores
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.sklearn.metric_names import chosen
from cnn_core.sklearn.row_statistics import ClassCounts, Moments
from cnn_core.sklearn.tabular.answers import NumberAnswers
from cnn_core.sklearn.tabular.cross_fitting import CrossFittedMembers
from cnn_core.sklearn.tabular.encoders import TablePreprocessor
from cnn_core.sklearn.tabular.estimator import TabularEstimator
from cnn_core.sklearn.tabular.loading import Loadable
from cnn_core.sklearn.tabular.network import TabularNetwork
from cnn_core.sklearn.tabular.predictor import NumberPredictor, checked_levels, trained_levels
from cnn_core.sklearn.tabular.presets import AUTO, VALIDATION_FRACTION, Recipe
from cnn_core.sklearn.tabular.target_choice import chosen_logarithm
from cnn_core.sklearn.tabular.target_scale import TargetLogarithm, TargetScale
from cnn_core.sklearn.tabular.targets import numeric_targets

TRANSFORMS = ("auto", "log")


class TabularRegressor(RegressorMixin, Loadable, TabularEstimator):  # type: ignore[misc]
    """Predict numbers from the rows of a table with networks that need no tuning.

    As `TabularClassifier`, with targets that are standardised for training. A single network has Mish and a learning
    rate of 0.07.

    Parameters
    ----------
    preset : {"auto", "fast", "balanced", "best", "td_s", "td", "periodic", "piecewise_linear", "tabm"}, default "auto"
        "td" also keeps predictions within the range of the targets in training.
    hidden_layer_sizes : tuple of int, default None
        None: the preset's, (256, 256, 256), of "tabm" (512, 512, 512).
    activation : str, default None
        None: the preset's, "mish", of "tabm" "relu".
    learning_rate : float, default None
        None: the preset's, 0.07, 0.2 of "td" or 0.002 of "tabm".
    epochs : int, default None
    batch_size : int, default 256
    validation_fraction : float, default 0.2
    eval_metric : {"auto", "rmse", "mae", "pinball"}, a scorer's name or callable, default "auto"
        What the best epoch is chosen by; "auto" and "loss" are "rmse", or "pinball" with `quantiles`, with which "rmse"
        and "mae" are those of the median. A scorer's name is one of scikit-learn's, such as "r2". A callable takes
        (standardised targets, predictions, weights), both of shape (n, targets), the predictions of shape (n, levels)
        with `quantiles`, whose median is always among them; it returns a number, lower is better.
    quantiles : sequence of float, default None
        Levels such as (0.05, 0.5, 0.95): the network then predicts these quantiles, with the pinball loss, instead of
        the mean. `predict` returns the median, which is learnt also where it is not among the levels.
    target_transform : {"log", "auto"} or None, default None
        "log": of a single target the network learns the logarithm of the distance from the end of its range that has no
        long tail (see `cnn_core.sklearn.tabular.target_scale.TargetLogarithm`). Predictions, intervals and quantiles
        are in the target's own units; predictions are the mean again, and within the range seen in training; intervals
        are the wider the farther out they lie. "auto": where the target's skewness is above 1, and a linear model of
        the logarithm predicts held-out rows better than one of the target. With "auto" and "loss" as `eval_metric` the
        best epoch is chosen by the logarithm, else by the target.
    n_members : int, default None
    categorical_features : "from_dtype" or list of column names, numbers or booleans, default "from_dtype"
    time_limit : float, default None
    patience : int, default None
    callbacks : list of cnn_core.callbacks.Callback, default None
    verbose : int, default 0
    random_state : int, RandomState or None, default None

    Attributes
    ----------
    n_features_in_, feature_names_in_, n_iter_, best_epochs_, loss_curve_, validation_curve_, preprocessor_, network_,
    predictor_
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
        preset: str = AUTO,
        *,
        hidden_layer_sizes: object = None,
        activation: object = None,
        learning_rate: object = None,
        epochs: int | None = None,
        batch_size: int = 256,
        validation_fraction: float = VALIDATION_FRACTION,
        eval_metric: object = "auto",
        quantiles: Any = None,
        target_transform: str | None = None,
        n_members: int | None = None,
        categorical_features: object = "from_dtype",
        time_limit: float | None = None,
        patience: int | None = None,
        callbacks: object = None,
        verbose: int = 0,
        random_state: object = None,
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
            patience=patience,
            callbacks=callbacks,
            verbose=verbose,
            random_state=random_state,
        )
        self.quantiles = quantiles
        self.target_transform = target_transform

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @knows_its_arguments
    def fit(
        self, X: object, y: object, sample_weight: object = None, X_val: object = None, y_val: object = None
    ) -> Self:
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
        return self._fit_again(X, y, sample_weight, X_val, y_val)

    def _for_training(self, y: Array, weights: Array | None) -> tuple[Array, Array | None]:
        self._learn_shape(y.shape[1:])
        return y.reshape(len(y), -1), weights

    def _checked_targets(self, y: object) -> Array:
        return numeric_targets(y)

    def _learn_shape(self, shape: tuple[int, ...]) -> None:
        """Take over the shape of a row's target, and check what depends on it."""
        self._is_vector = not shape
        n_targets = shape[0] if shape else 1
        self.quantiles_ = self._checked_quantiles(n_targets)
        if self.target_transform is not None:
            validation.choice(self.target_transform, "target_transform", TRANSFORMS)
        if self.target_transform == "log" and n_targets > 1:
            raise ValueError(f"`target_transform='log'` needs a single target. Received: y with {n_targets} columns")
        scores.plain_name(self._chosen_metric(), self._own_scores())

    def _learn_targets(self, shape: tuple[int, ...], labels: ClassCounts | None, moments: Moments | None) -> None:
        assert moments is not None
        self._learn_shape(shape)
        if self.target_transform is not None:
            raise ValueError(
                f"`target_transform` must be None where rows lie in parts. Received: {self.target_transform!r}"
            )
        self._scale = TargetScale.fit(moments)

    def _checked_quantiles(self, n_targets: int) -> Array | None:
        if self.quantiles is None:
            return None
        levels = checked_levels(self.quantiles, "quantiles")
        if n_targets > 1:
            raise ValueError(f"`quantiles` needs a single target. Received: y with {n_targets} columns")
        return levels

    def _new_predictor(self, preprocessor: TablePreprocessor, network: TabularNetwork) -> NumberPredictor:
        named = hasattr(self, "feature_names_in_")
        return NumberPredictor(preprocessor, network, named, self._scale, self._is_vector, self.quantiles_)

    def _take(self, predictor: NumberPredictor) -> None:
        self.quantiles_ = predictor.levels
        super()._take(predictor)

    def _chosen_metric(self) -> Any:
        of_loss = "rmse" if self.quantiles_ is None else "pinball"
        return chosen(self.eval_metric, of_loss, of_loss)

    @property
    def _follows_loss(self) -> bool:
        """Whether what epochs are chosen by is what the network is trained for."""
        return self.eval_metric is None or (isinstance(self.eval_metric, str) and self.eval_metric in ("auto", "loss"))

    def _own_scores(self) -> dict[str, scores.Score]:
        if self.quantiles_ is None:
            return scores.REGRESSION
        levels = trained_levels(self.quantiles_)
        median = [levels.tolist().index(0.5)]
        of_median = {name: _of_columns(score, median) for name, score in scores.REGRESSION.items()}
        return {"pinball": scores.pinball(levels), **of_median}

    def _metric_name(self) -> str:
        metric = scores.plain_name(self._chosen_metric(), self._own_scores())
        return metric if isinstance(metric, str) else "score"

    def _loss(self, recipe: Recipe) -> losses.Loss:
        if self.quantiles_ is None:
            return losses.MeanSquaredError()
        return losses.Quantile(trained_levels(self.quantiles_).tolist())

    def _fit_targets(self, y: Array, weights: Array | None, features: Callable[[], Array], seed: int) -> Array:
        logarithm = self._logarithm(y, features, seed)
        moments = Moments.of(y if logarithm is None else logarithm.logarithm(y), weights)
        self._scale = TargetScale.fit(moments, logarithm)
        return self._network_targets(y)

    def _logarithm(self, y: Array, features: Callable[[], Array], seed: int) -> TargetLogarithm | None:
        """The logarithm of a single target that the network is to learn, if any."""
        if self.target_transform is None or y.shape[1] > 1:
            return None
        if self.target_transform == "log":
            return TargetLogarithm.of(y[:, 0])
        return chosen_logarithm(y[:, 0], features, seed)

    def _network_targets(self, y: Array) -> Array:
        return self._scale.standardised(y)

    def _n_outputs(self, n_targets: int) -> int:
        return n_targets if self.quantiles_ is None else len(trained_levels(self.quantiles_))

    def _held_out_targets(self, y: object) -> Array:
        n_targets = len(self._scale.mean)
        y = numeric_targets(y, "y_val")
        found = 1 if y.ndim == 1 else y.shape[1]
        if found != n_targets:
            raise ValueError(f"y_val must have as many columns as y, {n_targets}. Received: {found}")
        return np.asarray(y.reshape(len(y), -1))

    def _held_out_score(self, predictor: NumberPredictor, y: Array, weights: Array | None, n_members: int) -> Any:
        def score_of(places: Array) -> Any:
            return self._score_function(predictor, y[places], None if weights is None else weights[places])

        return CrossFittedMembers(score_of, np.arange(len(y)), n_members)

    def _learn_from_held_out(
        self, predictor: NumberPredictor, members: Array, y: Array, factor: Array | None = None
    ) -> None:
        predictor.learn_errors(members, y, factor)

    def _score_function(self, predictor: NumberPredictor, y: Array, weights: Array | None) -> Callable[[Array], float]:
        own, targets, logarithm = self._own_scores(), self._scale.standardised(y), self._scale.logarithm
        metric = scores.plain_name(self._chosen_metric(), own)
        if callable(metric) or metric in own:
            known = metric if callable(metric) else own[metric]
            if logarithm is None or self._follows_loss:
                return lambda outputs: known(targets, predictor.clamped(outputs), weights)
            truth, numbers = logarithm.standardised(y), self._scale.numbers
            return lambda outputs: known(truth, logarithm.standardised(numbers(predictor.clamped(outputs))), weights)
        truth = y[:, 0] if self._is_vector else y
        return lambda outputs: scores.negative_of_scorer(
            metric, NumberAnswers(predictor.numbers_of(outputs[None])), truth, weights, may_be_undefined=True
        )

    def predict(self, X: object) -> Array:
        """Return the predicted mean of each row, or the median with `quantiles`: (n,) or (n, targets)."""
        return self._answers(X, lambda x: self.predictor_.numbers(x))

    def predict_quantiles(self, X: object, levels: object = None) -> Array:
        """Return quantiles, ascending: (n, levels).

        With `quantiles` they are those that the estimator was fitted for. Without, they are the prediction of a single
        target and what the truth was beyond it in held-out rows, at `levels` (None: 0.05, 0.5 and 0.95).
        """
        return self._answers(X, lambda x: self.predictor_.quantiles(x, levels))

    def predict_interval(self, X: object, coverage: float = 0.9) -> Array:
        """Return intervals that hold the truth of so large a share of rows like those of training.

        Their shape is (n, 2), or (n, targets, 2). Between the ends lie as many errors of held-out rows as `coverage`
        says (split conformal prediction); all are equally wide. ValueError if too few rows were held out for that.
        """
        return self._answers(X, lambda x: self.predictor_.interval(x, coverage))

    def _score_of_features(self, x: Array, y: Any, weights: Array | None, scoring: object, X: object) -> float:
        y, predicted = numeric_targets(y), self.predictor_.numbers(x)
        return scores.by_scorer("r2" if scoring is None else scoring, NumberAnswers(predicted), y, weights, X)


def _of_columns(score: scores.Score, columns: list[int]) -> scores.Score:
    return lambda y, predictions, weights: score(y, predictions[:, columns], weights)
