"""MLPRegressor, with the names of scikit-learn's and more choices."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

import cnn_core.sklearn.perceptron.estimator_losses as estimator_losses
from cnn_core.foundation.arrays import Array, readable
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.sklearn.fit_tasks import with_callbacks
from cnn_core.sklearn.inputs import check_numbers
from cnn_core.sklearn.perceptron.arguments import own_set
from cnn_core.sklearn.perceptron.base import Perceptron
from cnn_core.sklearn.perceptron.parameter_rules import FUNCTION, Rule, checks_parameters, having, one_of
from cnn_core.sklearn.perceptron.training import Objective, Rows
from cnn_core.sklearn.row_statistics import SquaredErrors, r2_of_sums


def _r2(y: Array, predictions: Array, weights: Array | None) -> float:
    """R^2 averaged over the outputs, as sklearn.metrics.r2_score computes it without its checks."""
    y = y.reshape(len(y), -1)
    predictions = predictions.reshape(len(y), -1)
    factor = 1.0 if weights is None else weights[:, None]
    residual = (factor * (y - predictions) ** 2).sum(axis=0, dtype=np.float64)
    spread = (factor * (y - np.average(y, axis=0, weights=weights)) ** 2).sum(axis=0, dtype=np.float64)
    return r2_of_sums(residual, spread)


class MLPRegressor(RegressorMixin, Perceptron):  # type: ignore[misc]
    """Predict numbers with a multi-layer perceptron: `sklearn.neural_network.MLPRegressor`, faster, with more choices.

    Parameters have scikit-learn's names, defaults and meaning; so have attributes, warnings and messages. From the same
    `random_state` come the same initial weights and batches, so that `loss_curve_` is scikit-learn's up to rounding.
    What scikit-learn does not have stands last and defaults to its behaviour.

    Parameters
    ----------
    loss : str or a loss, default "squared_error"
        "squared_error" (half of it) and "poisson" (half the deviance, with an exponential output) are scikit-learn's;
        "huber", "absolute_error", "quantile" (the median) and objects of `cnn_core.losses`, such as
        ``cnn_core.losses.Quantile(0.9)``, or with ``value(y_true, y_pred)`` and ``gradient(y_true, y_pred)``, are not,
        nor are functions of (y_true, y_pred) written with `cnn_core.ops`.
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
        estimators, such as "rmse" and "mae", stand for scikit-learn's. Epochs for which it is NaN are compared by their
        validation loss. None and "auto" are R^2. A scorer that takes `sample_weight` gets it.
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
    >>> import numpy as np
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> regressor = MLPRegressor("huber", hidden_layer_sizes=(20,), activation="tanh", solver="lbfgs", random_state=0)
    >>> regressor.fit(X, X.ravel() ** 2).score(X, X.ravel() ** 2) > 0.98
    True
    """

    _parameter_rules: ClassVar[dict[str, tuple[Rule, ...]]] = {
        **Perceptron._parameter_rules,
        "loss": (one_of(estimator_losses.REGRESSION_LOSSES), having("gradient"), FUNCTION),
    }

    def __init__(
        self,
        loss: object = "squared_error",
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
        check_numbers(y, name)
        return y

    def _out_activation(self) -> str:
        return "exp" if isinstance(self.loss, str) and self.loss == "poisson" else "identity"

    def _objective(self, dtype: np.dtype[Any]) -> Objective:
        return estimator_losses.regression_loss(self.loss, self.n_outputs_)

    def _targets(self, y: Any, dtype: np.dtype[Any], name: str = "y") -> Array:
        targets = readable(y.reshape(len(y), -1), dtype)
        estimator_losses.check_targets(self._objective(dtype), targets, name)
        return targets

    def _score_outputs(self, outputs: Array, rows: Rows) -> float:
        return _r2(rows.original, outputs, rows.weights)

    def _held_out_totals(self, outputs: Array, rows: Rows) -> SquaredErrors:
        predictions = np.exp(outputs) if self.out_activation_ == "exp" else outputs
        return SquaredErrors.of(rows.original, predictions, rows.weights)

    def _score_of_totals(self, totals: SquaredErrors) -> float:
        return totals.r2

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
    ) -> MLPRegressor:
        """Fit the network to the data.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, features)
        y : array-like of shape (n,) or (n, outputs)
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
    def partial_fit(self, X: object, y: object, sample_weight: object = None) -> MLPRegressor:
        """Train for one epoch on the data, from where the last call ended.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, features)
        y : array-like of shape (n,) or (n, outputs)
        sample_weight : array-like of shape (n,), default None

        Returns
        -------
        self
        """
        self._fit(X, y, sample_weight, True)
        return self

    def predict(self, X: object) -> Array:
        """Return the predicted numbers.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, features)

        Returns
        -------
        numpy.ndarray of shape (n,) or (n, outputs)
        """
        check_is_fitted(self)
        outputs = self._outputs(X)
        return outputs.ravel() if outputs.shape[1] == 1 else outputs
