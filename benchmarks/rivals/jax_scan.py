"""Train with JAX, the whole epoch one jitted scan over the batches; predict with one jitted function."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from cases import Network, Optimizer, Training, Weights
from rivals.base import ROWS_OF_A_BLOCK, Rival, Route, Values

Tree = Any

ACTIVATIONS = {
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "softmax": jax.nn.softmax,
    "linear": lambda z: z,
}


class Jax(Rival):
    """Keep parameters and optimizer state on the device; one call of a compiled program per epoch."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.generator = np.random.default_rng(0)

    def versions(self) -> dict[str, str]:
        return {"jax": jax.__version__}

    def build(self, network: Network, weights: Weights, case: Training | None, optimizer: Optimizer | None) -> None:
        self.case = case
        self.parameters: Tree = [jnp.asarray(w) for w in weights]
        self.inference = jax.jit(partial(outputs_of, network))
        if case is not None and optimizer is not None:
            self.state: Tree = start(self.parameters)
            self.epoch = jax.jit(partial(epoch, case, optimizer), donate_argnums=(0, 1))

    def set_data(self, x: NDArray[np.float32], y: Values) -> None:
        super().set_data(x, y)
        self.x_device, self.y_device = jnp.asarray(x), jnp.asarray(y)

    def train(self, epochs: int, shuffle: bool) -> None:
        assert self.case is not None
        natural = np.arange(len(self.x), dtype=np.int32)
        for _ in range(epochs):
            order = self.generator.permutation(natural) if shuffle else natural
            order = order.reshape(self.case.steps, self.case.batch)
            self.parameters, self.state, total = self.epoch(
                self.parameters, self.state, self.x_device, self.y_device, order
            )
            self.mean_loss = float(total) / self.case.steps
        jax.block_until_ready(self.parameters)

    def predict(self, x: NDArray[np.float32]) -> Values:
        return np.asarray(self.inference(self.parameters, x))

    def set_inputs(self, x: NDArray[np.float32]) -> None:
        super().set_inputs(x)
        self.x_device = jax.block_until_ready(jnp.asarray(x))

    def routes(self) -> dict[str, Route]:
        routes: dict[str, Route] = {"whole": self.predict_whole}
        if len(self.x) > 10_000:
            blocks = np.split(self.x, len(self.x) // ROWS_OF_A_BLOCK)
            self.blocks = [jax.block_until_ready(jnp.asarray(block)) for block in blocks]
            routes["blocks"] = self.predict_blocks
        return routes

    def predict_whole(self) -> object:
        return jax.block_until_ready(self.inference(self.parameters, self.x_device))

    def predict_blocks(self) -> object:
        outputs = [self.inference(self.parameters, block) for block in self.blocks]
        return np.concatenate([np.asarray(output) for output in outputs])


def logits_of(network: Network, parameters: Tree, x: jax.Array) -> jax.Array:
    """Run all layers but the output's activation."""
    last = len(network.layers) - 1
    for layer, (_, _, activation) in enumerate(network.layers):
        x = x @ parameters[2 * layer] + parameters[2 * layer + 1]
        if layer < last:
            x = ACTIVATIONS[activation](x)
    return x


def outputs_of(network: Network, parameters: Tree, x: jax.Array) -> jax.Array:
    """Run all layers."""
    return ACTIVATIONS[network.output](logits_of(network, parameters, x))


def loss_of(case: Training, parameters: Tree, x: jax.Array, y: jax.Array) -> jax.Array:
    """Compute the batch's mean loss."""
    outputs = logits_of(case.network, parameters, x)
    if case.loss == "mean_squared_error":
        return jnp.mean((outputs - y) ** 2)
    log_probabilities = jax.nn.log_softmax(outputs)
    return -jnp.mean(jnp.take_along_axis(log_probabilities, y[:, None], axis=1))


def start(parameters: Tree) -> Tree:
    """Make the optimizer's state: two moments and the number of steps done."""
    zeros = [jnp.zeros_like(p) for p in parameters]
    return zeros, [z.copy() for z in zeros], jnp.zeros((), jnp.float32)


def updated(rule: Optimizer, parameters: Tree, state: Tree, gradients: Tree) -> tuple[Tree, Tree]:
    """Apply the update rule."""
    first, second, step = state
    step = step + 1
    if rule.name == "sgd":
        first = [rule.momentum * v - rule.learning_rate * g for v, g in zip(first, gradients, strict=True)]
        return [p + v for p, v in zip(parameters, first, strict=True)], (first, second, step)
    rate = rule.learning_rate * jnp.sqrt(1 - rule.beta_2**step) / (1 - rule.beta_1**step)
    first = [rule.beta_1 * m + (1 - rule.beta_1) * g for m, g in zip(first, gradients, strict=True)]
    second = [rule.beta_2 * v + (1 - rule.beta_2) * g * g for v, g in zip(second, gradients, strict=True)]
    moments = zip(parameters, first, second, strict=True)
    return [p - rate * m / (jnp.sqrt(v) + rule.epsilon) for p, m, v in moments], (first, second, step)


def epoch(
    case: Training, rule: Optimizer, parameters: Tree, state: Tree, x: jax.Array, y: jax.Array, order: jax.Array
) -> tuple[Tree, Tree, jax.Array]:
    """Scan over the batches that `order` (steps, batch) lists; return parameters, state and the sum of losses."""

    def step(carry: Tree, chosen: jax.Array) -> tuple[Tree, None]:
        parameters, state, total = carry
        rows = x.at[chosen].get(mode="promise_in_bounds")
        targets = y.at[chosen].get(mode="promise_in_bounds")
        value, gradients = jax.value_and_grad(partial(loss_of, case))(parameters, rows, targets)
        parameters, state = updated(rule, parameters, state, gradients)
        return (parameters, state, total + value), None

    (parameters, state, total), _ = jax.lax.scan(step, (parameters, state, jnp.zeros(())), order)
    return parameters, state, total
