"""The classifier of tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import column_or_1d

import cnn_core.foundation.validation as validation
import cnn_core.losses as losses
import cnn_core.sklearn.tabular.scores as scores
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.sklearn.inputs import with_class_weight
from cnn_core.sklearn.metric_names import chosen
from cnn_core.sklearn.row_statistics import ClassCounts, Moments
from cnn_core.sklearn.tabular.answers import ClassAnswers
from cnn_core.sklearn.tabular.encoders import TablePreprocessor
from cnn_core.sklearn.tabular.estimator import TabularEstimator
from cnn_core.sklearn.tabular.loading import Loadable
from cnn_core.sklearn.tabular.network import TabularNetwork
from cnn_core.sklearn.tabular.predictor import ClassPredictor
from cnn_core.sklearn.tabular.presets import AUTO, VALIDATION_FRACTION, Recipe
from cnn_core.sklearn.tabular.targets import class_targets, plain_target, refuse_missing
from cnn_core.sklearn.tabular.training_rows import TrainingTable


class TabularClassifier(ClassifierMixin, Loadable, TabularEstimator):  # type: ignore[misc]
    """Classify the rows of a table with networks that need no tuning.

    Numbers, categories, texts, booleans, dates and missing values are taken as they are. The default is a blend of
    small networks and linear models, each trained on five folds of the rows and weighed by what it predicts of the rows
    that it has not seen. A single network is RealMLP's simple variant: a learnable scale for every feature, three
    hidden layers of 256, Adam with a schedule of four swings, label smoothing, and the epoch that is best on a held-out
    fifth of the rows.

    Parameters
    ----------
    preset : {"auto", "fast", "balanced", "best", "td_s", "td", "periodic", "piecewise_linear", "tabm"}, default "auto"
        What is trained. "fast", "balanced" and "best" train several recipes on folds, within `time_limit`, and blend
        them; "auto" is "fast", or "td_s" where something is asked for that a single network alone has:
        `hidden_layer_sizes`, `activation`, `learning_rate`, `n_members`, `callbacks`, another `validation_fraction` or
        rows of validation for `fit`. "td_s" is RealMLP's simple variant, tuned once for all tables by its authors, and
        "td" their full one: each number x becomes [cos(2 pi w x + b) . v + c, x] with 16 learnt waves and three
        outputs, categories of more than eight values are embedded, an activation g is x + alpha (g(x) - x) with a
        learnt alpha, dropout of 0.15 and weight decay of 0.02 fade out, and the initial weights are fitted to the
        table. "periodic" is "td_s" with those waves alone. "piecewise_linear" is "td_s" with 24 more features for every
        number, which say how far it has come through each of 24 bins of equal frequency. "tabm" is TabM: 32 networks of
        three layers of 512, ReLU and dropout of 0.1, which share their kernels and scale them by factors of their own;
        Adam with a constant learning rate of 0.002, no smoothing, and an end after 16 epochs without progress.
    hidden_layer_sizes : tuple of int, default None
        None: the preset's, (256, 256, 256).
    activation : str, default None
        None: the preset's, "selu".
    learning_rate : float, default None
        Of the schedule's crests. None: the preset's, 0.04.
    epochs : int, default None
        None: the preset's, 80, or 256 of "tabm". A blend takes a share of them for each of its recipes, and more of
        tables of less than four batches.
    batch_size : int, default 256
        A last incomplete batch is left out; rows are shuffled, so that it is another one in every epoch.
    validation_fraction : float, default 0.2
        The share of rows held out from a single network, of every class the same. Of fewer than 64 rows none is, and
        the last epoch is kept.
    eval_metric : {"auto", "error", "log_loss", "brier", "auc"}, a scorer's name or callable, default "auto"
        What the best epoch is chosen by; "auto" is "error", "loss" is "log_loss". A scorer's name is one of
        scikit-learn's, such as "f1_macro". A callable takes (class numbers, probabilities, weights) and returns a
        number, lower is better. An epoch in which it is undefined, NaN, counts as the worst; the last one is kept if
        all are.
    label_smoothing : float or "auto", default "auto"
        "auto": 0.1 if `eval_metric` is "error", else 0, because smoothing spoils probabilities.
    n_members : int, default None
        Networks trained side by side from different initial weights; their probabilities are averaged. At most 16;
        of "tabm", whose members share their kernels, 1024. None: 1, of "tabm" 32.
    class_weight : dict, "balanced" or None, default None
    categorical_features : "from_dtype" or list of column names, numbers or booleans, default "from_dtype"
    time_limit : float, default None
        Seconds after which `fit` ends; the schedule is squeezed beforehand to fit, if need be into part of an epoch.
    patience : int, default None
        `fit` ends after so many epochs in which `eval_metric` on the held-out rows, or the loss where none are held
        out, has not become better. None: the preset's, which "tabm" alone has, 16. The schedule
        is that of all `epochs`: its last swing often is the best.
    callbacks : list of cnn_core.callbacks.Callback, default None
        With hooks around epochs. Their `model` has `stop_training`, `optimizer.learning_rate` (of the schedule's
        crests), `get_weights()`, `set_weights(...)` and `estimator`; their logs have "loss" and, with held-out rows,
        `val_` with the metric's name, such as "val_error", lower is better. scikit-learn's own callbacks, from 1.9 on,
        are set with `set_callbacks`.
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
        Epochs trained, of a blend in all its networks.
    best_epochs_ : list of int
        The epoch kept, of each member; of a blend empty.
    loss_curve_, validation_curve_ : list of float
        After each epoch; the latter in terms of `eval_metric`, lower is better: of a scorer its negative. Of a blend
        both are empty; see `leaderboard`.
    preprocessor_ : TablePreprocessor or JoinedPreprocessor
    network_ : TabularNetwork or Blend
    predictor_ : ClassPredictor
        All that predicts, as `cnn_core.load_predictor` returns it.

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
        preset: str = AUTO,
        *,
        hidden_layer_sizes: object = None,
        activation: object = None,
        learning_rate: object = None,
        epochs: int | None = None,
        batch_size: int = 256,
        validation_fraction: float = VALIDATION_FRACTION,
        eval_metric: object = "auto",
        label_smoothing: object = "auto",
        n_members: int | None = None,
        class_weight: object = None,
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
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight

    @knows_its_arguments
    def fit(
        self, X: object, y: object, sample_weight: object = None, X_val: object = None, y_val: object = None
    ) -> Self:
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
        return self._fit_again(X, y, sample_weight, X_val, y_val)

    def _check_arguments(self) -> None:
        super()._check_arguments()
        scores.plain_name(self._chosen_metric(), scores.CLASSIFICATION)

    def _for_training(self, y: Array, weights: Array | None) -> tuple[Array, Array | None]:
        self.classes_, numbered = np.unique(y, return_inverse=True)
        return numbered.astype(np.int64), with_class_weight(self.class_weight, y, weights)

    def _train_on(self, table: TrainingTable) -> None:
        if len(self.classes_) == 1:
            self._learn_single(TablePreprocessor(self.categorical_features).fit(table.X))
        else:
            super()._train_on(table)

    def _checked_targets(self, y: object) -> Array:
        return class_targets(y)

    def _learn_targets(self, shape: tuple[int, ...], labels: ClassCounts | None, moments: Moments | None) -> None:
        assert labels is not None
        self.classes_ = labels.classes

    def _learn_single(self, preprocessor: TablePreprocessor) -> None:
        """One class alone: there is nothing to learn but the columns."""
        self.n_iter_, self.best_epochs_, self.loss_curve_, self.validation_curve_ = 1, [1], [0.0], []
        self._take(self._new_predictor(preprocessor, None))

    def _new_predictor(self, preprocessor: TablePreprocessor, network: TabularNetwork | None) -> ClassPredictor:
        return ClassPredictor(preprocessor, network, hasattr(self, "feature_names_in_"), self.classes_)

    def _take(self, predictor: ClassPredictor) -> None:
        self.classes_ = predictor.classes
        super()._take(predictor)

    def _chosen_metric(self) -> Any:
        return chosen(self.eval_metric, "error", "log_loss")

    def _metric_name(self) -> str:
        metric = scores.plain_name(self._chosen_metric(), scores.CLASSIFICATION)
        return metric if isinstance(metric, str) else "score"

    def _loss(self, recipe: Recipe) -> losses.Loss:
        smoothing = self.label_smoothing
        if isinstance(smoothing, str) and smoothing == "auto":
            smoothing = 0.1 if self._metric_name() == "error" and recipe.smooths else 0.0
        return losses.CategoricalCrossentropy(label_smoothing=validation.fraction(smoothing, "label_smoothing"))

    def _network_targets(self, y: Array) -> Array:
        targets = np.zeros((len(y), len(self.classes_)), np.float32)
        targets[np.arange(len(y)), y] = 1
        return targets

    def _held_out_targets(self, y: Any) -> Array:
        y = column_or_1d(plain_target(y, "y_val"))
        refuse_missing(y, "y_val")
        found = np.searchsorted(self.classes_, y).clip(0, len(self.classes_) - 1)
        unknown = self.classes_[found] != y
        if unknown.any():
            raise ValueError(f"y_val holds the class {y.tolist()[int(np.argmax(unknown))]!r}, which y does not have")
        return np.asarray(found)

    def _score_function(self, predictor: ClassPredictor, y: Array, weights: Array | None) -> Callable[[Array], float]:
        metric = scores.plain_name(self._chosen_metric(), scores.CLASSIFICATION)
        if callable(metric) or metric in scores.CLASSIFICATION:
            own = metric if callable(metric) else scores.CLASSIFICATION[metric]
            return lambda outputs: own(y, outputs, weights)
        labels = self.classes_[y]
        lacks_some = len(np.unique(y)) < len(self.classes_)

        def score(outputs: Array) -> float:
            answers = ClassAnswers(self.classes_, outputs)
            return scores.negative_of_scorer(metric, answers, labels, weights, may_be_undefined=lacks_some)

        return score

    def _blend_score(self, y: Array, weights: Array | None) -> Callable[[Array], float] | None:
        if self._metric_name() in ("error", "auc"):  # by which many blends are equal, or by chance better
            return lambda outputs: scores.log_loss(y, outputs, weights)
        return None

    def predict_proba(self, X: object) -> Array:
        """Return the probability of each class: (n, classes), in the order of `classes_`."""
        return self._answers(X, lambda x: self.predictor_.probabilities(x))

    def predict(self, X: object) -> Array:
        """Return the most probable class of each row."""
        return self._answers(X, lambda x: self.predictor_.likeliest(x))

    def _score_of_features(self, x: Array, y: Any, weights: Array | None, scoring: Any, X: Any) -> float:
        y = column_or_1d(plain_target(y))
        if scoring is not None:
            return scores.by_scorer(
                scoring, ClassAnswers(self.classes_, self.predictor_.probabilities(x)), y, weights, X
            )
        return float(np.average(self.predictor_.likeliest(x) == y, weights=weights))
