"""Train with NumPy alone, as one would write it by hand; in float64 it is the reference of every comparison."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cases import Network, Optimizer, Training, Weights
from rivals.base import Rival, Route, Values, in_blocks

Floats = NDArray[Any]


class NumPyByHand(Rival):
    """Run a dense network and its backpropagation with NumPy's matrix products."""

    def __init__(self, threads: int, dtype: type[np.floating[Any]] = np.float32) -> None:
        super().__init__(threads)
        self.dtype = dtype
        self.generator = np.random.default_rng(0)

    def versions(self) -> dict[str, str]:
        return {"numpy": np.__version__}

    def build(self, network: Network, weights: Weights, case: Training | None, optimizer: Optimizer | None) -> None:
        self.case = case
        self.optimizer = optimizer
        self.activations = [activation for _, _, activation in network.layers]
        self.parameters: list[Floats] = [w.astype(self.dtype) for w in weights]
        self.first = [np.zeros_like(p) for p in self.parameters]
        self.second = [np.zeros_like(p) for p in self.parameters]
        self.step_number = 0

    def set_data(self, x: NDArray[np.float32], y: Values) -> None:
        super().set_data(x.astype(self.dtype, copy=False), y)

    def train(self, epochs: int, shuffle: bool) -> None:
        assert self.case is not None
        n, batch = len(self.x), self.case.batch
        for _ in range(epochs):
            order = self.generator.permutation(n) if shuffle else np.arange(n)
            total = 0.0
            for start in range(0, n, batch):
                chosen = order[start : start + batch]
                total += self.step(self.x[chosen], self.y[chosen])
            self.mean_loss = total / self.case.steps

    def step(self, x: Floats, y: Values) -> float:
        """Do one step of training; return the batch's loss."""
        outputs = self.forward(x)
        value, delta = self.loss_and_delta(outputs[-1], y)
        gradients: list[Floats] = [np.empty(0)] * len(self.parameters)
        for layer in reversed(range(len(self.activations))):
            gradients[2 * layer] = outputs[layer].T @ delta
            gradients[2 * layer + 1] = delta.sum(axis=0)
            if layer:
                delta = delta @ self.parameters[2 * layer].T
                self.multiply_by_derivative(delta, outputs[layer])
        self.update(gradients)
        return value

    def forward(self, x: Floats) -> list[Floats]:
        """Return x and every layer's output."""
        outputs = [x]
        for layer, activation in enumerate(self.activations):
            z = outputs[-1] @ self.parameters[2 * layer]
            z += self.parameters[2 * layer + 1]
            outputs.append(apply(activation, z))
        return outputs

    def loss_and_delta(self, outputs: Floats, y: Values) -> tuple[float, Floats]:
        """Return the batch's mean loss and dJ/dz of the last layer."""
        assert self.case is not None
        n = len(outputs)
        if self.case.loss == "mean_squared_error":
            difference = outputs - y
            return float(np.mean(difference * difference)), difference * self.dtype(2.0 / difference.size)
        rows = np.arange(n)
        value = -float(np.mean(np.log(np.maximum(outputs[rows, y], 1e-30))))
        delta = outputs
        delta[rows, y] -= 1.0
        delta *= self.dtype(1.0 / n)
        return value, delta

    def multiply_by_derivative(self, delta: Floats, output: Floats) -> None:
        assert self.case is not None
        if self.case.network.hidden == "relu":
            delta *= output > 0
        else:
            delta *= 1.0 - output * output

    def update(self, gradients: list[Floats]) -> None:
        assert self.optimizer is not None
        self.step_number += 1
        update = self.momentum_update if self.optimizer.name == "sgd" else self.adam_update
        for parameter, gradient, first, second in zip(self.parameters, gradients, self.first, self.second, strict=True):
            update(self.optimizer, parameter, gradient, first, second)

    def momentum_update(self, rule: Optimizer, w: Floats, gradient: Floats, velocity: Floats, _: Floats) -> None:
        velocity *= rule.momentum
        gradient *= rule.learning_rate
        velocity -= gradient
        w += velocity

    def adam_update(self, rule: Optimizer, w: Floats, gradient: Floats, first: Floats, second: Floats) -> None:
        t = self.step_number
        rate = rule.learning_rate * (1 - rule.beta_2**t) ** 0.5 / (1 - rule.beta_1**t)
        first *= rule.beta_1
        first += (1 - rule.beta_1) * gradient
        second *= rule.beta_2
        gradient *= gradient
        gradient *= 1 - rule.beta_2
        second += gradient
        root = np.sqrt(second)
        root += rule.epsilon
        np.divide(first, root, out=root)
        root *= rate
        w -= root

    def predict(self, x: NDArray[np.float32]) -> Values:
        return self.forward(x)[-1]

    def routes(self) -> dict[str, Route]:
        routes: dict[str, Route] = {"whole": lambda: self.predict(self.x)}
        if len(self.x) > 10_000:
            routes["blocks"] = lambda: in_blocks(self.predict, self.x)
        return routes


def apply(activation: str, z: Floats) -> Floats:
    """Apply an activation in place where NumPy can, and return the result."""
    if activation == "relu":
        return np.maximum(z, 0, out=z)
    if activation == "tanh":
        return np.tanh(z, out=z)
    if activation == "sigmoid":
        np.negative(z, out=z)
        np.exp(z, out=z)
        z += 1
        return np.reciprocal(z, out=z)
    if activation == "softmax":
        z -= z.max(axis=1, keepdims=True)
        np.exp(z, out=z)
        z /= z.sum(axis=1, keepdims=True)
    return z
