"""The networks for tables: the native factor per feature, and training against the recipe written out in NumPy."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from cnn_core import _core, losses
from cnn_core.plan import NetworkPlan
from cnn_core.sklearn.tabular_network import Part, Recipe, TabularNetwork, Training, TrainingPlan
from cnn_core.variables import Variable

RECIPE = Recipe((5, 4), "tanh", 0.05)
# float32 against float64 over some dozen steps, each of which rounds; weights are of the order of 1
FLOAT32_AFTER_STEPS = 2e-5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [1, 7, 8, 17])
@pytest.mark.parametrize("n", [1, 3, 40])
def test_scale_forward_and_backward(dtype: str, width: int, n: int):
    generator = np.random.default_rng(0)
    factor = Variable(generator.normal(size=width).astype(dtype), "scale", "scale")
    plan = NetworkPlan()
    plan.outputs = [plan.add("scale", [plan.add_input((width,))], (width,), layer="", variables=[factor])]
    gradient = np.full(width, np.nan, dtype)
    network = _core.Network(dtype, plan)
    network.bind([factor.array], [gradient])
    x, dy = (generator.normal(size=(n, width)).astype(dtype) for _ in range(2))
    block = _core.Block(network, n)
    np.testing.assert_array_equal(block.forward([x])[0], x * factor.array)
    (dx,) = block.backward([dy])
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(dx, dy * factor.array, rtol=tolerance)
    np.testing.assert_allclose(gradient, (dy * x).sum(axis=0), rtol=tolerance, atol=tolerance)


def test_scale_refuses_another_width():
    factor = Variable(np.ones(3, np.float32), "scale", "scale")
    plan = NetworkPlan()
    plan.outputs = [plan.add("scale", [plan.add_input((4,))], (4,), layer="", variables=[factor])]
    with pytest.raises(ValueError, match="do not fit"):
        _core.Network("float32", plan)


class ByHand:
    """The recipe as its authors write it: x . W / sqrt(inputs) + b with Adam as PyTorch has it, in float64."""

    def __init__(self, network: TabularNetwork, member: int) -> None:
        weights = network.weights()
        self.scale = weights[f"member_{member}/scale"].astype(np.float64)
        self.layers = []
        for number, n_in in enumerate(network.widths[:-1]):
            kernel = weights[f"member_{member}/dense_{number}/kernel"].astype(np.float64)
            bias = weights[f"member_{member}/dense_{number}/bias"].astype(np.float64)
            self.layers.append([kernel * math.sqrt(n_in), bias])
        self.parameters = [self.scale, *(tensor for layer in self.layers for tensor in layer)]
        self.multipliers = [6.0, *(1.0 if tensor.ndim == 2 else 0.1 for tensor in self.parameters[1:])]
        self.first = [np.zeros_like(tensor) for tensor in self.parameters]
        self.second = [np.zeros_like(tensor) for tensor in self.parameters]

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        values = [x * self.scale]
        for number, (kernel, bias) in enumerate(self.layers):
            z = values[-1] @ kernel / math.sqrt(len(kernel)) + bias
            values.append(z if number == len(self.layers) - 1 else np.tanh(z))
        return values

    def step(self, x: np.ndarray, target: np.ndarray, rate: float, count: int) -> None:
        """One step on the mean of -sum target log softmax(z)."""
        values = self.forward(x)
        e = np.exp(values[-1] - values[-1].max(axis=1, keepdims=True))
        delta = (e / e.sum(axis=1, keepdims=True) - target) / len(x)
        gradients: list[np.ndarray] = []
        for number in range(len(self.layers) - 1, -1, -1):
            kernel, _ = self.layers[number]
            root = math.sqrt(len(kernel))
            gradients[:0] = [values[number].T @ delta / root, delta.sum(axis=0)]
            delta = delta @ kernel.T / root
            if number:
                delta *= 1 - values[number] ** 2
        gradients.insert(0, (delta * x).sum(axis=0))
        state = zip(self.parameters, gradients, self.multipliers, self.first, self.second, strict=True)
        for tensor, gradient, multiplier, first, second in state:
            first[...] = 0.9 * first + 0.1 * gradient
            second[...] = 0.95 * second + 0.05 * gradient**2
            corrected = np.sqrt(second / (1 - 0.95**count)) + 1e-8
            tensor -= rate * multiplier * first / (1 - 0.9**count) / corrected


def coslog(t: float) -> float:
    return 0.05 * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * t))) / 2


def train(n_members: int = 1, epochs: int = 3) -> tuple[TabularNetwork, list[ByHand], np.ndarray]:
    generator = np.random.default_rng(1)
    x = generator.normal(size=(20, 3)).astype(np.float32)
    y = np.eye(3, dtype=np.float32)[generator.integers(0, 3, 20)]
    network = TabularNetwork(RECIPE, 3, 3, "softmax", n_members, seed=3)
    by_hand = [ByHand(network, member) for member in range(n_members)]
    plan = TrainingPlan(losses.CategoricalCrossentropy(label_smoothing=0.1), None, epochs, 8, seed=5)
    Training(network, Part(x, y), None, plan).run()
    smooth = 0.9 * y.astype(np.float64) + 0.1 / 3
    n_batches, count = 20 // 8, 0
    for epoch in range(epochs):
        order = _core.shuffled(20, 5, epoch + 1)
        for batch in range(n_batches):
            rows = order[batch * 8 : (batch + 1) * 8]
            rate = coslog(count / (epochs * n_batches))
            count += 1
            for member in by_hand:
                member.step(x[rows].astype(np.float64), smooth[rows], rate, count)
    return network, by_hand, x


@pytest.mark.parametrize("n_members", [1, 3])
def test_training_is_the_recipe(n_members: int):
    network, by_hand, x = train(n_members, epochs=6)
    for outputs, member in zip(network.predict(x), by_hand, strict=True):
        z = member.forward(x.astype(np.float64))[-1]
        e = np.exp(z - z.max(axis=1, keepdims=True))
        np.testing.assert_allclose(outputs, e / e.sum(axis=1, keepdims=True), atol=FLOAT32_AFTER_STEPS)
        assert np.abs(z).max() > 0.1, "a network that has learnt nothing agrees with anything"


def test_initial_weights_have_the_recipes_spread():
    network = TabularNetwork(Recipe((400,), "selu", 0.04), 300, 2, "softmax", seed=0)
    weights = network.weights()
    assert weights["member_0/dense_0/kernel"].std() == pytest.approx(1 / math.sqrt(300), rel=0.02)
    assert weights["member_0/dense_0/bias"].std() == pytest.approx(1, rel=0.15)
    assert not weights["member_0/dense_1/kernel"].any()
    assert (weights["member_0/scale"] == 1).all()


def test_each_member_keeps_its_own_best_epoch():
    network = TabularNetwork(RECIPE, 3, 3, "softmax", 2, seed=3)
    x = np.random.default_rng(1).normal(size=(20, 3)).astype(np.float32)
    y = np.eye(3, dtype=np.float32)[np.arange(20) % 3]
    # Scores by turns for member 0 and 1: the first is best in epoch 3, the other in epochs 1 and 2, so the later one.
    scores = iter([3.0, 1.0, 2.0, 1.0, 1.0, 2.0, 1.5, 3.0])
    seen: list[np.ndarray] = []

    def score(outputs: np.ndarray) -> float:
        seen.append(outputs.copy())
        return next(scores)

    training = Training(network, Part(x, y), x, TrainingPlan(losses.CategoricalCrossentropy(), score, 4, 8, seed=0))
    training.run()
    assert training.best_epochs == [3, 2]
    np.testing.assert_array_equal(network.predict(x), np.stack([seen[4], seen[3]]))


def test_a_loss_that_diverges_keeps_the_best_epoch():
    network = TabularNetwork(Recipe((4,), "exponential", 1e30), 2, 1, "linear", seed=0)
    x = np.ones((8, 2), np.float32)
    plan = TrainingPlan(losses.MeanSquaredError(), None, 30, 8, seed=0)
    training = Training(network, Part(x, 1000 * x[:, :1]), None, plan)
    training.run()
    assert len(training.losses) < 30
    assert np.isfinite(network.values).all()


def test_pickles_and_state_keep_every_bit():
    network, _, x = train(2)
    for copy in (pickle.loads(pickle.dumps(network)), TabularNetwork.from_state(network.state(), network.weights())):
        np.testing.assert_array_equal(copy.predict(x), network.predict(x))


def test_a_missing_weight_is_named():
    network = TabularNetwork(RECIPE, 3, 3, "softmax")
    weights = network.weights()
    del weights["member_0/scale"]
    with pytest.raises(ValueError, match="member_0/scale"):
        TabularNetwork.from_state(network.state(), weights)
