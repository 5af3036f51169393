"""Training of the networks for tables: against the recipes written out in NumPy, best epochs, divergence."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import reference

pytest.importorskip("sklearn")

import cnn_core._core as _core
import cnn_core.optimizers.schedules as schedules
import cnn_core.sklearn.tabular.training as tabular_training
from cnn_core import losses
from cnn_core.data.dataset import Dataset
from cnn_core.network.plan import NetworkPlan
from cnn_core.sklearn.tabular.layout import Layout
from cnn_core.sklearn.tabular.network import TabularNetwork
from cnn_core.sklearn.tabular.presets import Recipe
from cnn_core.sklearn.tabular.training import TabularTraining, TrainingPlan

RECIPE = Recipe((5, 4), "tanh", 0.05)
# All of the full variant but dropout, whose draws another program cannot repeat.
FULL = replace(RECIPE, parametric=True, weight_decay=0.3, n_waves=3, n_wave_outputs=2, wave_spread=0.4, most_one_hot=2)
LAYOUT = Layout(2, 2, (4, 3))
# float32 against float64 over a few dozen steps, each of which rounds; weights are of the order of 1
FLOAT32_AFTER_STEPS = 3e-5


class ByHand:
    """A recipe as its authors write it: x . W / sqrt(inputs) + b with Adam as PyTorch has it, in float64."""

    def __init__(self, network: TabularNetwork, member: int) -> None:
        self.recipe, self.layout = network.recipe, network.layout
        prefix = f"member_{member}/"
        weights = {
            name.removeprefix(prefix): array.astype(np.float64)
            for name, array in network.weights().items()
            if name.startswith(prefix)
        }
        for name, tensor in weights.items():
            if name.endswith("/kernel"):
                tensor *= math.sqrt(len(tensor))
        self.weights = weights
        self.n_layers = len(network.recipe.hidden) + 1
        self.first = {name: np.zeros_like(tensor) for name, tensor in weights.items()}
        self.second = {name: np.zeros_like(tensor) for name, tensor in weights.items()}

    def multiplier(self, name: str) -> float:
        """Of the learning rate."""
        if name == "scale":
            return 6.0
        return 0.1 if name.endswith(("/bias", "/alpha")) or name.startswith("waves/") else 1.0

    def waves(self) -> list[np.ndarray]:
        return [self.weights[f"waves/{name}"] for name in ("frequencies", "phases", "weights", "biases")]

    def table_rows(self, codes: np.ndarray) -> np.ndarray:
        return codes.astype(int) + np.cumsum([0, *self.layout.n_codes[:-1]])

    def joined(self, x: np.ndarray) -> np.ndarray:
        numbers, others, codes = self.layout.parts(x)
        parts = [numbers, others]
        if self.recipe.n_waves:
            parts = [reference.periodic_forward(numbers, *self.waves()), others]
        if self.layout.n_codes:
            parts.append(self.weights["embeddings"][self.table_rows(codes)].reshape(len(x), -1))
        return np.concatenate(parts, axis=1)

    def forward(self, x: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return the input of every layer and the output, and z of every layer."""
        values, sums = [self.joined(x) * self.weights["scale"]], []
        for number in range(self.n_layers):
            kernel = self.weights[f"dense_{number}/kernel"]
            sums.append(values[-1] @ kernel / math.sqrt(len(kernel)) + self.weights[f"dense_{number}/bias"])
            if number == self.n_layers - 1:
                values.append(sums[-1])
            elif self.recipe.parametric:
                alpha = self.weights[f"activation_{number}/alpha"]
                values.append(reference.parametric_activation_forward(sums[-1], alpha, self.recipe.activation))
            else:
                values.append(np.tanh(sums[-1]))
        return values, sums

    def gradients(self, x: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
        """Derivatives of the mean of -sum target log softmax(z)."""
        values, sums = self.forward(x)
        delta = (reference.softmax(sums[-1]) - target) / len(x)
        found: dict[str, np.ndarray] = {}
        for number in range(self.n_layers - 1, -1, -1):
            kernel = self.weights[f"dense_{number}/kernel"]
            root = math.sqrt(len(kernel))
            found[f"dense_{number}/kernel"] = values[number].T @ delta / root
            found[f"dense_{number}/bias"] = delta.sum(axis=0)
            delta = delta @ kernel.T / root
            if number and self.recipe.parametric:
                alpha = self.weights[f"activation_{number - 1}/alpha"]
                delta, found[f"activation_{number - 1}/alpha"] = reference.parametric_activation_backward(
                    delta, sums[number - 1], alpha, self.recipe.activation
                )
            elif number:
                delta = delta * (1 - values[number] ** 2)
        joined = self.joined(x)
        found["scale"] = (delta * joined).sum(axis=0)
        delta = delta * self.weights["scale"]
        numbers, _, codes = self.layout.parts(x)
        if self.recipe.n_waves:
            width = numbers.shape[1] * (self.recipe.n_wave_outputs + 1)
            _, *parts = reference.periodic_backward(delta[:, :width], numbers, *self.waves())
            found |= dict(
                zip(("waves/frequencies", "waves/phases", "waves/weights", "waves/biases"), parts, strict=True)
            )
        if self.layout.n_codes:
            table = found["embeddings"] = np.zeros_like(self.weights["embeddings"])
            embedded = delta[:, -len(self.layout.n_codes) * table.shape[1] :].reshape(-1, table.shape[1])
            np.add.at(table, self.table_rows(codes).ravel(), embedded)
        return found

    def step(self, x: np.ndarray, target: np.ndarray, rate: float, decay: float, count: int) -> None:
        for name, gradient in self.gradients(x, target).items():
            tensor, first, second = self.weights[name], self.first[name], self.second[name]
            first[...] = 0.9 * first + 0.1 * gradient
            second[...] = 0.95 * second + 0.05 * gradient**2
            corrected = np.sqrt(second / (1 - 0.95**count)) + 1e-8
            own = rate * self.multiplier(name)
            if not name.endswith("/bias"):
                tensor *= 1 - decay * own * self.multiplier(name)
            tensor -= own * first / (1 - 0.9**count) / corrected


def coslog(t: float) -> float:
    return 0.05 * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * t))) / 2


def flat_cosine(t: float) -> float:
    return 1.0 if t < 0.5 else (1 + math.cos(math.pi * (2 * t - 1))) / 2


def features(layout: Layout, n: int = 20) -> np.ndarray:
    generator = np.random.default_rng(1)
    plain = generator.normal(size=(n, layout.n_numbers + layout.n_others))
    codes = [generator.integers(0, count, n) for count in layout.n_codes]
    return np.column_stack([plain, *codes]).astype(np.float32)


def train(
    recipe: Recipe, layout: Layout, n_members: int = 1, epochs: int = 6
) -> tuple[TabularNetwork, list[ByHand], np.ndarray]:
    x = features(layout)
    y = np.eye(3, dtype=np.float32)[np.random.default_rng(2).integers(0, 3, 20)]
    network = TabularNetwork(recipe, layout, 3, "softmax", n_members, seed=3)
    by_hand = [ByHand(network, member) for member in range(n_members)]
    plan = TrainingPlan(losses.CategoricalCrossentropy(label_smoothing=0.1), None, epochs, 8, seed=5)
    TabularTraining(network, Dataset.of_one(x, y), None, plan).run()
    smooth = 0.9 * y.astype(np.float64) + 0.1 / 3
    n_batches, count = 20 // 8, 0
    for epoch in range(epochs):
        order = _core.shuffled(20, 5, epoch + 1)
        for batch in range(n_batches):
            rows = order[batch * 8 : (batch + 1) * 8]
            done = count / (epochs * n_batches)
            rate, decay = coslog(done), recipe.weight_decay * flat_cosine(done)
            count += 1
            for member in by_hand:
                member.step(x[rows].astype(np.float64), smooth[rows], rate, decay, count)
    return network, by_hand, x


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize(("recipe", "layout"), [(RECIPE, Layout(0, 3)), (FULL, LAYOUT)], ids=["simple", "full"])
def test_training_is_the_recipe(recipe: Recipe, layout: Layout, n_members: int):
    network, by_hand, x = train(recipe, layout, n_members)
    start = TabularNetwork(recipe, layout, 3, "softmax", n_members, seed=3)
    for name, array in network.weights().items():
        assert (array != start.weights()[name]).any(), f"{name} has not moved, and would agree whatever is done"
    for outputs, member in zip(network.predict(x), by_hand, strict=True):
        z = member.forward(x.astype(np.float64))[1][-1]
        np.testing.assert_allclose(outputs, reference.softmax(z), atol=FLOAT32_AFTER_STEPS)
        assert np.abs(z).max() > 0.1, "a network that has learnt nothing agrees with anything"


def test_dropout_and_weight_decay_fade_after_the_middle(monkeypatch: pytest.MonkeyPatch):
    shares: list[float] = []

    class Listening:
        def __init__(self, *arguments: object) -> None:
            self._pass = made(*arguments)

        def __call__(self, *arguments: object) -> object:
            return self._pass(*arguments)

        def __getattr__(self, name: str) -> object:
            return getattr(self._pass, name)

        def set_regularization(self, share: float) -> None:
            shares.append(share)
            self._pass.set_regularization(share)

    made = _core.Pass
    monkeypatch.setattr(_core, "Pass", Listening)
    train(replace(RECIPE, dropout=0.15), Layout(0, 3), epochs=8)
    assert shares == pytest.approx([flat_cosine(batch / 16) for batch in range(16)])
    shares.clear()
    train(replace(RECIPE, dropout=0.15), Layout(0, 3), epochs=512)
    assert shares == pytest.approx([flat_cosine(segment / 512) for segment in range(512)]), "once an epoch"
    shares.clear()
    train(RECIPE, Layout(0, 3), epochs=2)
    assert not shares


def dropped(rate: float, share: float | None) -> float:
    """Return the part of ones that a dropout operation turns to zeros in a pass of training."""
    plan = NetworkPlan()
    stream = [plan.stream(), 0]
    plan.outputs = [plan.add("dropout", [plan.add_input((50,))], (50,), layer="", reals=[rate], integers=stream)]
    network = _core.Network("float32", plan)
    network.bind([], [])
    x, kept = np.ones((200, 50), np.float32), np.empty((200, 50), np.float32)
    loss = losses.MeanSquaredError().describe(50, 0)
    run = _core.Pass(network, [x], [x], [None], 200, [loss], [], None, [kept], "training", 1)
    if share is not None:
        run.set_regularization(share)
    run(0, 1)
    np.testing.assert_allclose(kept[kept != 0], 1 / (1 - rate * (1 if share is None else share)), rtol=1e-6)
    return float((kept == 0).mean())


def test_the_share_of_regularization_scales_the_rate_of_dropout():
    assert dropped(0.4, None) == pytest.approx(0.4, abs=0.02)
    assert dropped(0.4, 0.5) == pytest.approx(0.2, abs=0.02)
    assert dropped(0.4, 0.0) == 0
    for share in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="`share` must lie between 0 and 1"):
            dropped(0.4, share)


def test_dropout_is_for_training_alone():
    recipe = replace(RECIPE, dropout=0.5)
    with_dropout, without = (TabularNetwork(each, Layout(0, 3), 3, "softmax", seed=3) for each in (recipe, RECIPE))
    x = features(Layout(0, 3))
    np.testing.assert_array_equal(with_dropout.predict(x), without.predict(x))


def test_each_member_keeps_its_own_best_epoch():
    network = TabularNetwork(RECIPE, Layout(0, 3), 3, "softmax", 2, seed=3)
    x = np.random.default_rng(1).normal(size=(20, 3)).astype(np.float32)
    y = np.eye(3, dtype=np.float32)[np.arange(20) % 3]
    # Scores by turns for member 0 and 1: the first is best in epoch 3, the other in epochs 1 and 2, so the later one.
    scores = iter([3.0, 1.0, 2.0, 1.0, 1.0, 2.0, 1.5, 3.0])
    seen: list[np.ndarray] = []

    def score(outputs: np.ndarray) -> float:
        seen.append(outputs.copy())
        return next(scores)

    training = TabularTraining(
        network, Dataset.of_one(x, y), x, TrainingPlan(losses.CategoricalCrossentropy(), score, 4, 8, seed=0)
    )
    training.run()
    assert training.best_epochs == [3, 2]
    np.testing.assert_array_equal(network.predict(x), np.stack([seen[4], seen[3]]))


def test_a_loss_that_diverges_keeps_the_best_epoch():
    network = TabularNetwork(Recipe((4,), "exponential", 1e30), Layout(0, 2), 1, "linear", seed=0)
    x = np.ones((8, 2), np.float32)
    plan = TrainingPlan(losses.MeanSquaredError(), None, 30, 8, seed=0)
    training = TabularTraining(network, Dataset.of_one(x, 1000 * x[:, :1]), None, plan)
    training.run()
    assert len(training.losses) < 30
    assert np.isfinite(network.values).all()


class Clock:
    """A clock that moves by one second whenever it is looked at: after every segment and every epoch."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 1
        return self.seconds


def timed(
    monkeypatch: pytest.MonkeyPatch, time_limit: float | None, epochs: int = 100
) -> tuple[TabularTraining, Clock, int]:
    """Train in epochs of 8 batches, each of three segments; return the last schedule's length as well."""
    clock, lengths = Clock(), []

    class Noting(schedules.Coslog):
        def __init__(self, rate: float, steps: float) -> None:
            lengths.append(steps)
            super().__init__(rate, steps)

    monkeypatch.setattr(tabular_training.time, "monotonic", clock)
    monkeypatch.setattr(tabular_training.schedules, "Coslog", Noting)
    x = features(Layout(0, 3), 16)
    y = np.eye(3, dtype=np.float32)[np.arange(16) % 3]
    network = TabularNetwork(RECIPE, Layout(0, 3), 3, "softmax", seed=3)
    plan = TrainingPlan(losses.CategoricalCrossentropy(), lambda outputs: 0.0, epochs, 2, seed=5, time_limit=time_limit)
    training = TabularTraining(network, Dataset.of_one(x, y), x, plan)
    training.run()
    return training, clock, int(lengths[-1])


@pytest.mark.parametrize("time_limit", [None, 1e6])
def test_a_training_that_has_time_enough_is_whole(monkeypatch: pytest.MonkeyPatch, time_limit: float | None):
    training, _, length = timed(monkeypatch, time_limit)
    assert len(training.losses) == 100
    assert length == 800


def test_a_time_limit_squeezes_the_schedule(monkeypatch: pytest.MonkeyPatch):
    training, clock, length = timed(monkeypatch, 120)
    assert 80 <= clock.seconds <= 122
    assert 20 <= len(training.losses) <= 32, "an epoch takes four seconds"
    # The schedule ends with the training, or the limit came a little before.
    assert 0 <= length - training._step <= 24


def test_a_time_limit_may_end_the_first_epoch(monkeypatch: pytest.MonkeyPatch):
    training, _, _ = timed(monkeypatch, 1)
    assert len(training.losses) == len(training.scores) == 1
    assert training._step == 3, "one segment of 800 // 256 batches"
    assert training.best_epochs == [1]
