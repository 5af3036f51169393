"""A fitted perceptron as a model of cnn_core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cnn_core.losses as losses
import cnn_core.optimizers as optimizers
from cnn_core.layers.activation import Activation as ActivationLayer
from cnn_core.layers.base import Layer
from cnn_core.layers.dense import Dense
from cnn_core.layers.input import Input
from cnn_core.layers.normalization import BatchNormalization
from cnn_core.layers.regularization import Dropout
from cnn_core.models import Sequential
from cnn_core.sklearn.perceptron.estimator_losses import NAMED_LOSSES
from cnn_core.sklearn.perceptron.network import EPSILON, MOMENTUM, Stack, Weights

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


_LOG_LOSSES = {"softmax": "sparse_categorical_crossentropy", "logistic": "binary_crossentropy"}


def model_of(estimator: object, stack: Stack, weights: Weights) -> Sequential:
    """Return the network of a fitted estimator as a compiled model, with copies of its weights."""
    dtype = weights.coefs[0].dtype.name
    model = Sequential([Input((stack.widths[0],), dtype=dtype)])
    for number in range(len(weights.coefs)):
        for layer, arrays in _layers(stack, weights, number, dtype):
            model.add(layer)
            if arrays:
                layer.set_weights(arrays)
    model.compile(_optimizer(estimator), _loss(estimator))
    return model


def _layers(stack: Stack, weights: Weights, number: int, dtype: str) -> list[tuple[Layer, list[Any]]]:
    """What a layer of the perceptron consists of, with the weights of each."""
    pair = [weights.coefs[number], weights.intercepts[number]]
    activation, normalization = stack.activations[number], weights.normalization(number)

    def common(kind: str) -> dict[str, Any]:
        return {"dtype": dtype, "name": f"{kind}_{number}"}

    found: list[tuple[Layer, list[Any]]]
    if normalization:
        found = [
            (Dense(len(pair[1]), **common("dense")), pair),
            (BatchNormalization(-1, MOMENTUM, EPSILON, **common("normalization")), normalization),
            (ActivationLayer(activation, **common("activation")), []),
        ]
    else:
        found = [(Dense(len(pair[1]), activation, **common("dense")), pair)]
    if number < len(stack.dropout) and stack.dropout[number]:
        found.append((Dropout(stack.dropout[number], **common("dropout")), []))
    return found


def _loss(estimator: BaseEstimator) -> Any:
    loss = estimator.loss
    if not isinstance(loss, str):
        return loss
    if loss == "log_loss":
        return _LOG_LOSSES[estimator.out_activation_]
    if loss == "poisson":
        return losses.Poisson()  # half the deviance but for what does not depend on the prediction
    return losses.HalfSquaredError() if loss == "squared_error" else NAMED_LOSSES[loss]


def _optimizer(estimator: BaseEstimator) -> optimizers.Optimizer:
    if estimator.solver == "lbfgs":
        return optimizers.LBFGS()
    clip, rate = {"clipnorm": estimator.clipnorm}, estimator.learning_rate_init
    if estimator.solver == "sgd":
        return optimizers.SGD(rate, estimator.momentum, estimator.nesterovs_momentum, **clip)
    return optimizers.Adam(rate, estimator.beta_1, estimator.beta_2, estimator.epsilon, **clip)
