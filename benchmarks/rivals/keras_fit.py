"""Train and predict with Keras; the backend is chosen by KERAS_BACKEND before the process starts."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from cases import Network, Optimizer, Training, Weights
from rivals.base import Rival, Route, Values


class Keras(Rival):
    """Run keras.Sequential through `fit`; the loss takes logits, which is its faster spelling."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        if keras.backend.backend() == "torch":
            import torch

            torch.set_num_threads(threads)

    def versions(self) -> dict[str, str]:
        backend = keras.backend.backend()
        module = __import__(backend)
        return {"keras": keras.__version__, backend: module.__version__}

    def build(self, network: Network, weights: Weights, case: Training | None, optimizer: Optimizer | None) -> None:
        keras.backend.clear_session()
        self.case = case
        layers = [keras.layers.Dense(units, activation=activation) for _, units, activation in network.layers]
        inputs = keras.Input((network.sizes[0],))
        self.predicting = keras.Sequential([inputs, *layers])
        self.predicting.set_weights(weights)
        if case is not None and optimizer is not None:
            logits = keras.layers.Dense(network.sizes[-1])
            self.training = keras.Sequential([inputs, *layers[:-1], logits])
            logits.set_weights(weights[-2:])
            self.training.compile(optimizer=optimizer_of(optimizer), loss=loss_of(case))

    def train(self, epochs: int, shuffle: bool) -> None:
        assert self.case is not None
        self.training.fit(self.x, self.y, batch_size=self.case.batch, epochs=epochs, verbose=0, shuffle=shuffle)

    def predict(self, x: NDArray[np.float32]) -> Values:
        if self.case is not None:
            self.predicting.set_weights(self.training.get_weights())
        outputs: Values = self.predicting.predict(x, batch_size=1024, verbose=0)
        return outputs

    def routes(self) -> dict[str, Route]:
        x = keras.ops.convert_to_tensor(self.x)
        return {
            "predict": lambda: self.predicting.predict(self.x, batch_size=1024, verbose=0),
            "predict_on_batch": lambda: self.predicting.predict_on_batch(self.x),
            "call": lambda: np.asarray(keras.ops.convert_to_numpy(self.predicting(x))),
        }


def loss_of(case: Training) -> keras.losses.Loss:
    """Return Keras's loss on logits or values."""
    if case.loss == "mean_squared_error":
        return keras.losses.MeanSquaredError()
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def optimizer_of(rule: Optimizer) -> keras.optimizers.Optimizer:
    """Return Keras's optimizer for a description."""
    if rule.name == "sgd":
        return keras.optimizers.SGD(rule.learning_rate, momentum=rule.momentum)
    return keras.optimizers.Adam(rule.learning_rate, rule.beta_1, rule.beta_2, epsilon=rule.epsilon)
