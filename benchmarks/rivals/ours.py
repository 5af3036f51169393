"""Train and predict with cnn_core."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import cnn_core
from cases import Network, Optimizer, Training, Weights
from rivals.base import Rival, Route, Values


class CnnCore(Rival):
    """Run cnn_core through its public names only."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        cnn_core.set_num_threads(threads)

    def versions(self) -> dict[str, str]:
        return {"cnn_core": getattr(cnn_core, "__version__", "unknown"), "numpy": np.__version__}

    def build(self, network: Network, weights: Weights, case: Training | None, optimizer: Optimizer | None) -> None:
        self.case = case
        dtype = "mixed_bfloat16" if self.mixed else "float32"
        layers = [
            cnn_core.layers.Dense(units, activation=activation, dtype=dtype) for _, units, activation in network.layers
        ]
        self.model = cnn_core.Sequential([cnn_core.Input((network.sizes[0],)), *layers])
        self.model.set_weights(weights)
        if case is not None and optimizer is not None:
            self.model.compile(optimizer=optimizer_of(optimizer), loss=case.loss)

    def train(self, epochs: int, shuffle: bool) -> None:
        assert self.case is not None
        self.model.fit(self.x, self.y, batch_size=self.case.batch, epochs=epochs, verbose=0, shuffle=shuffle)

    def predict(self, x: NDArray[np.float32]) -> Values:
        outputs: Values = self.model.predict(x, verbose=0)
        return outputs

    def routes(self) -> dict[str, Route]:
        routes: dict[str, Route] = {
            "predict": lambda: self.model.predict(self.x, verbose=0),
            "call": lambda: self.model(self.x),
        }
        if hasattr(self.model, "predictor"):
            predictor = self.model.predictor()
            out = np.array(self.predict(self.x))
            routes["predictor"] = lambda: predictor(self.x, out=out)
        return routes


def optimizer_of(rule: Optimizer) -> object:
    """Return cnn_core's optimizer for a description."""
    if rule.name == "sgd":
        return cnn_core.optimizers.SGD(learning_rate=rule.learning_rate, momentum=rule.momentum)
    return cnn_core.optimizers.Adam(
        learning_rate=rule.learning_rate, beta_1=rule.beta_1, beta_2=rule.beta_2, epsilon=rule.epsilon
    )
