"""MLPClassifier, with the names of scikit-learn's and more choices."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target, unique_labels
from sklearn.utils.validation import check_is_fitted

import cnn_core.sklearn.perceptron.estimator_losses as estimator_losses
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.foundation.sparse import check_sparse
from cnn_core.sklearn.fit_tasks import with_callbacks
from cnn_core.sklearn.inputs import as_written, check_labels, with_class_weight
from cnn_core.sklearn.perceptron.arguments import dense, own_set
from cnn_core.sklearn.perceptron.base import Perceptron
from cnn_core.sklearn.perceptron.labels import Labels, classes_of
from cnn_core.sklearn.perceptron.parameter_rules import (
    FUNCTION,
    NONE,
    Rule,
    checks_parameters,
    having,
    instance,
    one_of,
)
from cnn_core.sklearn.perceptron.training import Objective, Rows
from cnn_core.sklearn.row_statistics import ClassCounts, Hits


class MLPClassifier(ClassifierMixin, Perceptron):  # type: ignore[misc]
    """Classify with a multi-layer perceptron: `sklearn.neural_network.MLPClassifier`, faster and with more choices.

    Parameters have scikit-learn's names, defaults and meaning; so have attributes, warnings and messages. From the same
    `random_state` come the same initial weights and batches, so that `loss_curve_` is scikit-learn's up to rounding.
    What scikit-learn does not have stands last and defaults to its behaviour.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default (100,)
        Units of each hidden layer.
    activation : str, activation or list of them, default "relu"
        Of the hidden layers: "identity", "logistic", "tanh", "relu", or any elementwise activation of
        `cnn_core.activations` by name or as an object; a list has one for each hidden layer.
    solver : {"adam", "sgd", "lbfgs"}, default "adam"
    alpha : float, default 1e-4
        Each batch's loss gets ``alpha / 2 sum w^2`` over the kernels, divided by the batch's number (or weight) of
        samples.
    batch_size : int or "auto", default "auto"
        "auto" is ``min(200, n)``. L-BFGS takes all samples at once.
    learning_rate : {"constant", "invscaling", "adaptive"}, default "constant"
        Of "sgd": constant; ``learning_rate_init / (t_ + 1)**power_t``, set after each epoch; or divided by 5 whenever
        progress stops.
    learning_rate_init : float, default 0.001
    power_t : float, default 0.5
    max_iter : int, default 200
        Epochs; iterations of L-BFGS.
    shuffle : bool, default True
        Whether each epoch has an order of its own.
    random_state : int, numpy.random.RandomState or None, default None
        Draws initial weights, the validation part, the order of samples, and the seed of dropout.
    tol : float, default 1e-4
        Less progress than this is none.
    verbose : bool, default False
        Whether to print the loss of each epoch.
    warm_start : bool, default False
        Whether `fit` continues from the weights of the last call.
    momentum : float, default 0.9
        Of "sgd".
    nesterovs_momentum : bool, default True
    early_stopping : bool, default False
        Whether to stop when the score on held-out rows makes no progress, and to keep the best weights.
    validation_fraction : float, default 0.1
        The part held out, unless `fit` is given `X_val` and `y_val`.
    beta_1, beta_2, epsilon : float, default 0.9, 0.999 and 1e-8
        Of "adam": ``w -= learning_rate_init sqrt(1 - beta_2**t) / (1 - beta_1**t) m / (sqrt(v) + epsilon)``.
    n_iter_no_change : int, default 10
        Epochs without progress before training stops.
    max_fun : int, default 15000
        Evaluations of L-BFGS.
    loss : "log_loss" or a loss, default "log_loss"
        An object of `cnn_core.losses`, one with ``value(y_true, y_pred)`` and ``gradient(y_true, y_pred)``, or a
        function of (y_true, y_pred) written with `cnn_core.ops`, of targets with one column for each output.
    class_weight : dict, "balanced", list of dict or None, default None
        Factors of the sample weights, at least 0, as in scikit-learn's other classifiers.
    dropout : float or list of float, default 0.0
        Rate behind each hidden layer; 0 <= rate < 1.
    batch_normalization : bool, default False
        Whether hidden layers normalize ``z = x . w + b`` before their activation (Ioffe and Szegedy, 2015): in training
        by mean and variance of the batch, in prediction by those of the batches before, which move a tenth of the way
        with each; ``scale (z - mean) / sqrt(variance + 1e-5) + shift``. `alpha` does not count scales and shifts. Not
        with "lbfgs".
    metric : str, callable or None, default None
        What held-out rows are scored with: a scorer's name such as "roc_auc", a callable ``(estimator, X, y) -> float``
        for which higher is better, or "loss" for the negative validation loss; the short names of the tabular
        estimators, such as "log_loss" and "auc", stand for scikit-learn's. Epochs for which it is NaN are compared by
        their validation loss. None and "auto" are the accuracy. A scorer that takes `sample_weight` gets it.
    callbacks : list of cnn_core.callbacks.Callback, default None
        Their `model` has `stop_training`, `optimizer.learning_rate`, `get_weights()`, `set_weights(...)`, `save(path)`
        and `estimator`; their logs have "loss", and with held-out rows "val_loss" and "val_score". Iterations of
        "lbfgs" are epochs, without a learning rate.
    clipnorm : float or None, default None
        Each kernel's and intercept's gradient is scaled down to this norm.
    n_threads : int or None, default None
        Threads of `fit` and `predict`; it holds for the whole process while they run. None leaves
        `cnn_core.get_num_threads()` as it is, which in workers of joblib is their share of the CPUs.
    keep_optimizer : bool, default True
        Whether pickles and copies hold the optimizer's state, with which `partial_fit` goes on exactly as it would
        have, in another process too. Without it they hold the weights only: as little as a third.

    Attributes
    ----------
    classes_ : numpy.ndarray
    coefs_, intercepts_ : lists of numpy.ndarray
        Kernels of shape (inputs, units), and intercepts of shape (units,), in the type of the data, float32 or float64.
    scales_, shifts_, moving_means_, moving_variances_ : lists of numpy.ndarray of shape (units,)
        Of each hidden layer, with `batch_normalization` only.
    loss_ : float
        Of the last epoch, penalties included.
    loss_curve_ : list of float
        Of every epoch; with `partial_fit` and `warm_start`, of all calls. "sgd" and "adam" only, as the next five.
    best_loss_ : float or None
        The least of it; None with early stopping.
    validation_scores_ : list of float or None
    best_validation_score_ : float or None
        Of the weights that were kept; NaN if no epoch had a score.
    validation_loss_curve_ : list of float or None
        The loss on held-out rows, without penalties.
    t_ : int
        Samples seen.
    n_iter_, n_layers_, n_outputs_, n_features_in_ : int
        Epochs of the last call; layers with input and output; columns of output and input.
    feature_names_in_ : numpy.ndarray
        If `X` has names.
    out_activation_ : str

    Notes
    -----
    Of a sparse matrix, only what it stores is multiplied, unless that is a fifth or more of a small matrix.
    L-BFGS is SciPy's, as in scikit-learn; the loss and its gradient are computed in the type of the data.
    If the loss leaves the finite numbers, the weights become NaN, and `fit` raises ValueError at its end, unless early
    stopping has kept better ones.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = MLPClassifier((20,), activation="gelu", learning_rate_init=0.05, random_state=0).fit(X, y)
    >>> classifier.score(X, y) > 0.9, classifier.predict_proba(X[:2]).shape
    (True, (2, 3))
    """

    _parameter_rules: ClassVar[dict[str, tuple[Rule, ...]]] = {
        **Perceptron._parameter_rules,
        "loss": (one_of(["log_loss"]), having("gradient"), FUNCTION),
        "class_weight": (NONE, *instance(dict, list), one_of(["balanced"])),
    }

    def __init__(
        self,
        hidden_layer_sizes: object = (100,),
        activation: object = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: object = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: object = None,
        tol: float = 1e-4,
        verbose: object = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        loss: object = "log_loss",
        class_weight: object = None,
        dropout: object = 0.0,
        batch_normalization: bool = False,
        metric: object = None,
        callbacks: object = None,
        clipnorm: float | None = None,
        n_threads: int | None = None,
        keep_optimizer: bool = True,
    ) -> None:
        super().__init__(**{name: value for name, value in locals().items() if name not in ("self", "__class__")})

    def _given_targets(self, y: object, name: str) -> object:
        return as_written(y)

    def _learn_labels(self, y: Array, incremental: bool) -> None:
        check_labels(y)
        if not hasattr(self, "classes_") or (not self.warm_start and not incremental):
            self._labels = Labels(y)
            self.classes_ = self._labels.classes
        else:
            self._check_layout(y, "y")
            self._check_classes(y)

    def _check_layout(self, y: Array, name: str) -> None:
        """Refuse one label a row where the network has learnt several, and the other way round."""
        n_labels = len(self.classes_)
        if self._labels.kind == "multilabel-indicator":
            if y.ndim == 1 or y.shape[1] != n_labels:
                raise ValueError(
                    f"`{name}` must be an indicator matrix with {n_labels} columns, as in the first call. "
                    f"Received: shape {y.shape}"
                )
        elif y.ndim > 1:
            raise ValueError(f"`{name}` must hold one label a row, as in the first call. Received: shape {y.shape}")

    def _check_classes(self, y: object) -> None:
        """Refuse classes that the network has no outputs for."""
        classes = classes_of(y)
        if self.warm_start:
            if set(classes) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                    f"Previously got {self.classes_}, `y` has {classes}"
                )
        elif len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {classes}."
            )

    def _check_held_out_targets(self, y: Array) -> None:
        check_labels(y, "y_val")
        self._check_layout(y, "y_val")
        unknown = np.setdiff1d(classes_of(y), self.classes_)
        if len(unknown):
            raise ValueError(f"`y_val` has classes that `y` lacks. Received: {unknown}")

    def _with_class_weight(self, y: object, sample_weight: Array | None) -> Array | None:
        return with_class_weight(self.class_weight, y, sample_weight)

    def _count_outputs(self, y: object) -> int:
        return self._labels.n_outputs

    def _out_activation(self) -> str:
        return self._labels.out_activation

    def _objective(self, dtype: np.dtype[Any]) -> Objective:
        if isinstance(self.loss, str):
            return estimator_losses.log_loss(self.out_activation_, self.n_outputs_, dtype)
        return estimator_losses.custom_loss(self.loss, self.n_outputs_, self.out_activation_)

    def _targets(self, y: Any, dtype: np.dtype[Any], name: str = "y") -> Array:
        objective = self._objective(dtype)
        if not objective.takes_labels:
            return self._labels.encode(y, dtype)
        numbers = self._labels.numbers(y)
        # A loss in Python reads them as it would under `compile`: from a column of the network's own type.
        return numbers if objective.description["has_labels"] else numbers[:, None].astype(dtype)

    def _score_outputs(self, outputs: Array, rows: Rows) -> float:
        decoded = self._labels.decode(outputs)
        if decoded.ndim == 1:
            right = decoded == rows.original
        else:
            right = np.asarray((decoded == dense(rows.original)).all(axis=1)).ravel()
        if rows.weights is None:
            return np.count_nonzero(right) / len(right)
        return float(np.average(right, weights=rows.weights))

    def _held_out_totals(self, outputs: Array, rows: Rows) -> Hits:
        return Hits.of(dense(rows.original), dense(self._labels.decode(outputs)), rows.weights)

    def _score_of_totals(self, totals: Hits) -> float:
        return totals.accuracy

    def _learn_targets(self, shape: tuple[int, ...], labels: ClassCounts | None) -> None:
        if labels is None:
            self._labels = Labels.restored("multilabel-indicator", np.arange(*shape), False)
        else:
            kind = "binary" if len(labels.classes) <= 2 else "multiclass"
            self._labels = Labels.restored(kind, labels.classes, False)
        self.classes_, self.n_outputs_ = self._labels.classes, self._labels.n_outputs

    def _decode(self, outputs: Array) -> Any:
        return self._labels.decode(outputs)

    @checks_parameters
    @with_callbacks  # type: ignore[untyped-decorator]
    @knows_its_arguments
    def fit(
        self,
        X: object,
        y: object,
        sample_weight: object = None,
        *,
        X_val: object = None,
        y_val: object = None,
        sample_weight_val: object = None,
    ) -> MLPClassifier:
        """Fit the network to the data.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, features)
        y : array-like of shape (n,) or (n, labels)
        sample_weight : array-like of shape (n,), default None
        X_val, y_val, sample_weight_val : array-like, default None
            Held-out rows. Their loss and score are recorded after every epoch; with early stopping they take the place
            of `validation_fraction`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If data or parameters do not fit, or the weights have left the finite numbers.
        """
        self._fit(X, y, sample_weight, False, own_set(X_val, y_val, sample_weight_val))
        return self

    @available_if(lambda estimator: estimator._check_solver())  # type: ignore[untyped-decorator]
    @checks_parameters
    @with_callbacks  # type: ignore[untyped-decorator]
    @knows_its_arguments
    def partial_fit(self, X: object, y: object, sample_weight: object = None, classes: object = None) -> MLPClassifier:
        """Train for one epoch on the data, from where the last call ended.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, features)
        y : array-like of shape (n,) or (n, labels)
        sample_weight : array-like of shape (n,), default None
        classes : array-like, default None
            All classes that may come; the first call needs them.

        Returns
        -------
        self
        """
        check_sparse(y, "y")
        if self._is_first_call(classes):
            self._labels = Labels(y if type_of_target(y).startswith("multilabel") else np.asarray(classes))
        self._fit(X, y, sample_weight, True)
        return self

    @knows_its_arguments
    def score(self, X: object, y: object, sample_weight: object = None) -> float:
        """Return the accuracy of `predict(X)`; of several labels, the share of rows in which all are right.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, features)
        y : array-like or sparse matrix of shape (n,) or (n, labels)
        sample_weight : array-like of shape (n,), default None

        Returns
        -------
        float
        """
        check_sparse(y, "y")
        return float(super().score(X, y, sample_weight))

    def _is_first_call(self, classes: object) -> bool:
        """Whether a `partial_fit` begins; takes over its classes, and refuses others later on."""
        known = getattr(self, "classes_", None)
        if known is None and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if classes is None:
            return False
        given = unique_labels(classes)
        if known is None:
            self.classes_ = given
        elif not np.array_equal(known, given):
            raise ValueError(f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {known!r}")
        return known is None

    def predict(self, X: object) -> Any:
        """Return the likeliest class of each row, or an indicator matrix of the labels likelier than not.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, features)

        Returns
        -------
        numpy.ndarray of shape (n,) or (n, labels)
        """
        check_is_fitted(self)
        return self._decode(self._outputs(X))

    def predict_proba(self, X: object) -> Array:
        """Return the probability of each class, in the order of `classes_`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, features)

        Returns
        -------
        numpy.ndarray of shape (n, classes)
        """
        check_is_fitted(self)
        outputs = self._outputs(X)
        if self.n_outputs_ == 1:
            outputs = outputs.ravel()
            return np.vstack([1 - outputs, outputs]).T
        return outputs

    def predict_log_proba(self, X: object) -> Array:
        """Return the logarithm of `predict_proba`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, features)

        Returns
        -------
        numpy.ndarray of shape (n, classes)
        """
        probabilities = self.predict_proba(X)
        return np.log(probabilities, out=probabilities)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
