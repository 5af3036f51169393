"""The settings of an estimator, its layers, and the first values of its weights."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from functools import cache
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer_names

import cnn_core._core as _core
import cnn_core.activations as activations
import cnn_core.sklearn.perceptron.estimator_losses as estimator_losses
from cnn_core.activations import Activation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.keywords import KnowsItsArguments
from cnn_core.sklearn.fit_tasks import CallbackSupportMixin
from cnn_core.sklearn.metric_names import SCORERS
from cnn_core.sklearn.perceptron.held_out import UNKNOWN
from cnn_core.sklearn.perceptron.network import Stack, Weights
from cnn_core.sklearn.perceptron.parameter_rules import (
    ARRAY_LIKE,
    BOOLEAN,
    CALLABLE,
    INFINITE,
    NONE,
    RANDOM_STATE,
    Rule,
    having,
    one_of,
    real,
    whole,
)
from cnn_core.sklearn.perceptron.portable import Portable
from cnn_core.sklearn.perceptron.training import Objective, Rows

STOCHASTIC_SOLVERS = ("sgd", "adam")
RECORDS = (
    "loss_curve_",
    "best_loss_",
    "validation_scores_",
    "best_validation_score_",
    "validation_loss_curve_",
)
NORMALIZATION = ("scales_", "shifts_", "moving_means_", "moving_variances_")  # attributes, in the order of `Weights`
OWN_NAMES = {"identity": "linear", "logistic": "sigmoid"}
ACTIVATION_NAMES = {*OWN_NAMES} | {
    name for name, each in vars(activations).items() if isinstance(each, Activation) and not each.row_wise
}


def _activation(activation: Any) -> Activation:
    return _named_activation(activation) if isinstance(activation, str) else activations.get(activation)


@cache
def _named_activation(name: str) -> Activation:
    return activations.get(OWN_NAMES.get(name, name))


class Layered(KnowsItsArguments, CallbackSupportMixin, Portable, BaseEstimator, ABC):  # type: ignore[misc]  # untyped
    """Settings, layers and weights of both estimators."""

    _parameter_rules: ClassVar[dict[str, tuple[Rule, ...]]] = {
        "hidden_layer_sizes": (ARRAY_LIKE, whole(1)),
        "activation": (one_of(ACTIVATION_NAMES), ARRAY_LIKE, having("derivative")),
        "solver": (one_of(["lbfgs", *STOCHASTIC_SOLVERS]),),
        "alpha": (real("[)", 0),),
        "batch_size": (one_of(["auto"]), whole(1)),
        "learning_rate": (one_of(["constant", "invscaling", "adaptive"]),),
        "learning_rate_init": (real("()", 0),),
        "power_t": (real("[)", 0),),
        "max_iter": (whole(1),),
        "shuffle": BOOLEAN,
        "random_state": RANDOM_STATE,
        "tol": (real("[)", 0),),
        "verbose": (whole(0), *BOOLEAN),
        "warm_start": BOOLEAN,
        "momentum": (real("[]", 0, 1),),
        "nesterovs_momentum": BOOLEAN,
        "early_stopping": BOOLEAN,
        "validation_fraction": (real("[)", 0, 1),),
        "beta_1": (real("[)", 0, 1),),
        "beta_2": (real("[)", 0, 1),),
        "epsilon": (real("()", 0),),
        "n_iter_no_change": (whole(1), INFINITE),
        "max_fun": (whole(1),),
        "dropout": (ARRAY_LIKE, real("[)", 0, 1)),
        "batch_normalization": BOOLEAN,
        "metric": (NONE, one_of(["auto", "loss", *SCORERS, *get_scorer_names()]), CALLABLE),
        "clipnorm": (NONE, real("()", 0)),
        "n_threads": (NONE, whole(1, _core.max_threads())),
        "keep_optimizer": BOOLEAN,
    }

    coefs_: list[Array]
    intercepts_: list[Array]
    # None where the solver or early stopping does not measure it.
    loss_curve_: Any
    validation_scores_: Any
    validation_loss_curve_: Any
    best_loss_: Any
    best_validation_score_: Any

    def __init__(self, **parameters: object) -> None:
        for name, value in parameters.items():
            setattr(self, name, value)

    @abstractmethod
    def _targets(self, y: object, dtype: np.dtype[Any], name: str = "y") -> Array:
        """Return the targets as the loss reads them; the name of the argument is for messages."""

    @abstractmethod
    def _objective(self, dtype: np.dtype[Any]) -> Objective:
        """Return the loss."""

    @abstractmethod
    def _score_outputs(self, outputs: Array, rows: Rows) -> float:
        """Return the accuracy or R^2 of outputs of the network."""

    @classmethod
    @cache
    def _get_param_names(cls) -> list[str]:
        """Return the parameters' names; scikit-learn reads them from the signature at every call."""
        names: list[str] = super()._get_param_names()
        return names

    # Layers and weights

    def _hidden_layer_sizes(self) -> list[int]:
        sizes = self.hidden_layer_sizes
        sizes = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
        if any(size <= 0 for size in sizes):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
        return [operator.index(size) for size in sizes]

    def _per_layer(self, value: object, name: str, n_hidden: int) -> list[Any]:
        """One entry for each hidden layer, from one value or a list."""
        if not isinstance(value, (list, tuple, np.ndarray)):
            return [value] * n_hidden
        if len(value) != n_hidden:
            raise ValueError(f"`{name}` must have one entry for each of {n_hidden} hidden layers. Received: {value!r}")
        return list(value)

    def _stack(self, widths: list[int], reading: bool = False) -> Stack:
        """Describe the layers; `reading` leaves out what acts in training only."""
        n_hidden = len(widths) - 2
        hidden = [_activation(each) for each in self._per_layer(self.activation, "activation", n_hidden)]
        out = estimator_losses.output(self.out_activation_)
        if reading:
            return Stack(widths, [*hidden, out.prediction])
        return Stack(widths, [*hidden, out.training], self._dropout_rates(n_hidden), list(range(n_hidden)))

    def _dropout_rates(self, n_hidden: int) -> list[float]:
        rates = [float(rate) for rate in self._per_layer(self.dropout, "dropout", n_hidden)]
        if not all(0 <= rate < 1 for rate in rates):
            raise ValueError(f"`dropout` must be at least 0 and less than 1. Received: dropout={self.dropout!r}")
        return rates

    def _initialize(self, widths: list[int], dtype: np.dtype[Any]) -> None:
        self.n_iter_ = 0
        self.t_ = 0
        self.n_layers_ = len(widths)
        self.coefs_ = []
        self.intercepts_ = []
        names = self._per_layer(self.activation, "activation", len(widths) - 2)
        names.append(names[-1] if names else self.activation)
        for n_in, n_out, name in zip(widths[:-1], widths[1:], names, strict=True):
            # Glorot and Bengio's interval, with scikit-learn's factor; one draw for the kernel, one for the intercept.
            logistic = isinstance(name, str) and name in ("logistic", "sigmoid")
            bound = np.sqrt((2.0 if logistic else 6.0) / (n_in + n_out))
            self.coefs_.append(self._random_state.uniform(-bound, bound, (n_in, n_out)).astype(dtype, copy=False))
            self.intercepts_.append(self._random_state.uniform(-bound, bound, n_out).astype(dtype, copy=False))
        self._initialize_normalization(widths[1:-1], dtype)

    def _prepare_records(self, first_pass: bool) -> None:
        """Begin what epochs are recorded in; go on with it where it means the same as in the last call."""
        measure = (self.loss, self.metric, self.early_stopping)
        before = None if first_pass else self.__dict__.get("_measure")
        self._measure = measure
        if self.solver not in STOCHASTIC_SOLVERS:
            for name in RECORDS:
                self.__dict__.pop(name, None)
            return
        if before is None or not hasattr(self, "loss_curve_"):
            self.loss_curve_ = []
            self.validation_loss_curve_ = None
            self.validation_scores_ = [] if self.early_stopping else None
        elif all(ours is theirs or ours == theirs for ours, theirs in zip(measure, before, strict=True)):
            return
        if self.early_stopping and self.validation_scores_ is None:
            self.validation_scores_ = []
        self._no_improvement_count = 0
        self._best_standing = UNKNOWN
        self.best_validation_score_ = -np.inf if self.early_stopping else None
        self.best_loss_ = None if self.early_stopping else np.inf

    def _initialize_normalization(self, widths: list[int], dtype: np.dtype[Any]) -> None:
        for name, start in zip(NORMALIZATION, (1, 0, 0, 1), strict=True):
            self.__dict__.pop(name, None)
            if self.batch_normalization:
                setattr(self, name, [np.full(width, start, dtype) for width in widths])

    def _weights(self) -> Weights:
        """Return the arrays of the attributes."""
        normalization = [getattr(self, name, ()) for name in NORMALIZATION]
        return Weights(self.coefs_, self.intercepts_, *normalization)

    @abstractmethod
    def _out_activation(self) -> str:
        """Return scikit-learn's name of the output activation."""
