"""Steps that a model overrides are called for every batch, and compute what the native loop does."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import cnn_core as keras
import tolerances
from cnn_core import layers, ops

RNG = np.random.default_rng(4)
X = RNG.normal(size=(50, 6)).astype("float32")
Y = np.sin(X[:, :1]) + 0.1 * X[:, 1:2]
W = RNG.uniform(0.5, 2, 50).astype("float32")


class Wrapped(keras.Sequential):
    """Steps that hand everything on."""

    def train_step(self, data: Any) -> Any:
        return super().train_step(data)

    def test_step(self, data: Any) -> Any:
        return super().test_step(data)

    def predict_step(self, data: Any) -> Any:
        return super().predict_step(data)


class Taped(keras.Sequential):
    """The guide's step: a tape, the optimizer, the metrics one by one."""

    def train_step(self, data: Any) -> Any:
        x, y, *weight = data
        with keras.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred, sample_weight=weight[0] if weight else None)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss, sample_weight=len(x))
            else:
                metric.update_state(y, y_pred)
        return {metric.name: metric.result() for metric in self.metrics}


class Differentiated(keras.Sequential):
    """Gradients by the model's own method."""

    def train_step(self, data: Any) -> Any:
        x, y, *weight = data
        gradients = self.gradients(x, y, *weight)
        logs = self.test_step(data)
        self.optimizer.apply(gradients, self.trainable_variables)
        return logs


class Loss(keras.Sequential):
    """Its own loss, without a word of `training`."""

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None) -> Any:
        weight = 1.0 if sample_weight is None else sample_weight[:, None]
        return ops.mean(ops.square(y - y_pred) * weight) + sum(self.losses)


class Metrics(keras.Sequential):
    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        return super().compute_metrics(x, y, y_pred, sample_weight)


OVERRIDING = [Wrapped, Taped, Differentiated, Loss, Metrics]


def made(cls: Any = keras.Sequential, optimizer: Any = "adam", **settings: Any) -> Any:
    keras.utils.set_random_seed(7)
    hidden = layers.Dense(8, "tanh", kernel_regularizer="l2", activity_regularizer="l1")
    model = cls([keras.Input((6,)), hidden, layers.Dense(1)])
    model.compile(optimizer, "mse", metrics=["mae"], **settings)
    return model


def fitted(model: Any, **settings: Any) -> Any:
    """Train with the same order of samples whenever it is called."""
    keras.utils.set_random_seed(5)
    return model.fit(X, Y, verbose=0, **settings).history


def assert_same_weights(first: Any, second: Any) -> None:
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-6)


@pytest.mark.parametrize("cls", OVERRIDING)
@pytest.mark.parametrize("weight", [None, W], ids=["alone", "weighted"])
def test_training_is_that_of_the_native_loop(cls: Any, weight: Any) -> None:
    native, own = made(), made(cls)
    histories = [
        fitted(model, sample_weight=weight, epochs=4, batch_size=16, validation_split=0.2) for model in (native, own)
    ]
    assert_same_weights(native, own)
    assert histories[0].keys() == histories[1].keys()
    for name, values in histories[0].items():
        assert histories[1][name] == pytest.approx(values, rel=tolerances.GOLDEN_FLOAT32, abs=1e-6), name


@pytest.mark.parametrize("cls", OVERRIDING)
def test_single_batches_evaluation_and_prediction(cls: Any) -> None:
    native, own = made(), made(cls)
    for _ in range(3):
        assert own.train_on_batch(X, Y) == pytest.approx(native.train_on_batch(X, Y), rel=1e-5)
    assert_same_weights(native, own)
    assert own.evaluate(X, Y, batch_size=8, verbose=0) == pytest.approx(
        native.evaluate(X, Y, batch_size=8, verbose=0), rel=1e-5
    )
    assert own.test_on_batch(X, Y, return_dict=True) == pytest.approx(
        native.test_on_batch(X, Y, return_dict=True), rel=1e-5
    )
    tolerances.close(own.predict(X, batch_size=7), native.predict(X), 1e-6)
    tolerances.close(own.predict_on_batch(X), native.predict_on_batch(X), 1e-6)


def test_what_is_overridden_is_what_runs() -> None:
    called: list[str] = []

    class Noted(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            called.append("train")
            return {**super().train_step(data), "extra": 3}

        def test_step(self, data: Any) -> Any:
            called.append("test")
            return super().test_step(data)

        def predict_step(self, data: Any) -> Any:
            called.append("predict")
            return -super().predict_step(data)

    model = made(Noted)
    history = model.fit(X, Y, batch_size=20, validation_data=(X, Y), validation_batch_size=50, verbose=0).history
    assert called == ["train"] * 3 + ["test"]
    assert history["extra"] == [3]
    assert "val_extra" not in history
    called.clear()
    tolerances.close(model.predict(X, batch_size=25), -model(X), 1e-6)
    model.test_on_batch(X, Y)
    assert called == ["predict", "predict", "test"]
    assert model.train_on_batch(X, Y)[-1] == 3


def test_the_compiled_loss_is_left_out_where_nobody_asks_for_it() -> None:
    class Absolute(keras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True) -> Any:
            return ops.mean(ops.abs(y - y_pred))

    keras.utils.set_random_seed(7)
    other = keras.Sequential([keras.Input((6,)), layers.Dense(8, "tanh"), layers.Dense(1)])
    other.compile("adam", "mae", metrics=["mae"])
    own = made(Absolute)
    assert own.evaluate(X, Y, verbose=0) == pytest.approx(other.evaluate(X, Y, verbose=0), rel=1e-5)
    for model in (own, other):
        fitted(model, epochs=3)
    assert_same_weights(own, other)


def test_a_loss_that_looks_at_the_inputs_and_at_several_outputs() -> None:
    class Two(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True) -> Any:
            assert isinstance(training, bool)
            first = super().compute_loss(x, y, y_pred, sample_weight)
            return first + ops.mean(ops.square(y_pred["a"] - x[:, :1]))

    inputs = keras.Input((6,))
    outputs = {"a": layers.Dense(1, name="a")(inputs), "b": layers.Dense(2, name="b")(inputs)}
    model = Two(inputs, outputs)
    y = {"a": Y, "b": X[:, :2]}
    model.compile("sgd", {"a": "mse", "b": "mae"}, loss_weights={"a": 0.5, "b": 2.0}, metrics={"b": ["mse"]})
    found = model.evaluate(X, y, verbose=0, return_dict=True)
    made_of = model.predict(X)
    a, b = np.mean((made_of["a"] - Y) ** 2), np.mean(np.abs(made_of["b"] - X[:, :2]))
    assert found["a_loss"] == pytest.approx(a, rel=1e-5)
    assert found["b_loss"] == pytest.approx(b, rel=1e-5)
    assert found["b_mse"] == pytest.approx(np.mean((made_of["b"] - X[:, :2]) ** 2), rel=1e-5)
    total = 0.5 * a + 2 * b + np.mean((made_of["a"] - X[:, :1]) ** 2)
    assert found["loss"] == pytest.approx(total, rel=1e-5)
    history = model.fit(X, y, epochs=30, verbose=0).history
    assert history["loss"][-1] < 0.7 * history["loss"][0]


def test_metrics_that_are_attributes_are_reset_and_reported() -> None:
    class Counting(keras.Sequential):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self.counters = {"rows": keras.metrics.Sum("rows")}

        def train_step(self, data: Any) -> Any:
            self.counters["rows"].update_state(len(data[0]))
            return super().train_step(data)

    model = made(Counting)
    assert [metric.name for metric in model.metrics] == ["loss", "mae", "rows"]
    assert model.fit(X, Y, epochs=2, verbose=0).history["rows"] == [50, 50]


def test_metrics_of_a_property_and_no_compiled_loss() -> None:
    """Keras's guide on going lower: the step keeps its own metrics."""

    class Lower(keras.Model):
        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            super().__init__(*arguments, **keywords)
            self.loss_tracker = keras.metrics.Mean(name="loss")
            self.mae_metric = keras.metrics.MeanAbsoluteError(name="mae")
            self.loss_fn = keras.losses.MeanSquaredError()

        def train_step(self, data: Any) -> Any:
            x, y = data
            with keras.GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.loss_fn(y, y_pred)
            self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
            self.loss_tracker.update_state(loss)
            self.mae_metric.update_state(y, y_pred)
            return {"loss": self.loss_tracker.result(), "mae": self.mae_metric.result()}

        @property
        def metrics(self) -> Any:
            return [self.loss_tracker, self.mae_metric]

    inputs = keras.Input((6,))
    model = Lower(inputs, layers.Dense(1)(inputs))
    model.compile(optimizer="adam")
    history = model.fit(X, Y, epochs=2, batch_size=50, verbose=0).history
    first = model.loss_fn(Y, model(X))
    assert history["loss"][1] < history["loss"][0]
    assert history["loss"][1] > first
    with pytest.raises(ValueError, match="needs a loss"):
        model.evaluate(X, Y)


def test_a_model_without_a_call_trains_by_its_step() -> None:
    class Pair(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.first = keras.Sequential([keras.Input((6,)), layers.Dense(4, "tanh")])
            self.second = keras.Sequential([keras.Input((4,)), layers.Dense(6)])
            self.built = True

        def train_step(self, data: Any) -> Any:
            with keras.GradientTape() as tape:
                loss = ops.mean(ops.square(self.second(self.first(data, training=True)) - data))
            self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
            return {"loss": loss}

    model = Pair()
    model.compile("adam")
    losses = model.fit(X, epochs=40, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0]
    assert len(model.trainable_variables) == 4
    with pytest.raises(NotImplementedError, match=r"Pair must define call\(self, x\)"):
        model(X)


def test_two_optimizers_as_of_adversaries() -> None:
    class Adversaries(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.generator = keras.Sequential([keras.Input((2,)), layers.Dense(6)])
            self.discriminator = keras.Sequential([keras.Input((6,)), layers.Dense(4, "relu"), layers.Dense(1)])
            self.tracker = keras.metrics.Mean("d_loss")

        def compile(self, d_optimizer: Any, g_optimizer: Any, loss_fn: Any) -> None:
            super().compile()
            self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

        def train_step(self, real: Any) -> Any:
            n = ops.shape(real)[0]
            noise = keras.random.normal(shape=(n, 2))
            both = ops.concatenate([self.generator(noise), real], axis=0)
            labels = ops.concatenate([ops.ones((n, 1)), ops.zeros((n, 1))], axis=0)
            with keras.GradientTape() as tape:
                d_loss = self.loss_fn(labels, self.discriminator(both))
            weights = self.discriminator.trainable_weights
            self.d_optimizer.apply(tape.gradient(d_loss, weights), weights)
            with keras.GradientTape() as tape:
                g_loss = self.loss_fn(ops.zeros((n, 1)), self.discriminator(self.generator(noise)))
            weights = self.generator.trainable_weights
            self.g_optimizer.apply(tape.gradient(g_loss, weights), weights)
            self.tracker.update_state(d_loss)
            return {"d_loss": self.tracker.result(), "g_loss": g_loss}

    model = Adversaries()
    adams = [keras.optimizers.Adam(0.01) for _ in range(2)]
    model.compile(*adams, keras.losses.BinaryCrossentropy(from_logits=True))
    before = model.get_weights()
    history = model.fit(X, epochs=5, batch_size=10, verbose=0).history
    assert list(history) == ["d_loss", "g_loss"]
    assert [int(adam.iterations) for adam in adams] == [25, 25]
    assert all(not np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))


def test_a_custom_model_with_added_losses() -> None:
    class Custom(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.hidden, self.top = layers.Dense(5, "relu"), layers.Dense(1)

        def call(self, x: Any, training: bool = False) -> Any:
            h = self.hidden(x)
            self.add_loss(0.1 * ops.mean(ops.square(h)))
            return self.top(h)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True) -> Any:
            return super().compute_loss(x, y, y_pred, sample_weight, training)

    class Plain(Custom):
        compute_loss = keras.Model.compute_loss

    found = []
    for cls in (Custom, Plain):
        keras.utils.set_random_seed(3)
        model = cls()
        model.build((None, 6))
        model.compile("sgd", "mse")
        found.append((fitted(model, epochs=3)["loss"], model.get_weights()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    for one, other in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    unbuilt = Custom()
    unbuilt.compile("sgd", "mse", metrics=["accuracy"])
    assert list(unbuilt.fit(X, Y, verbose=0).history) == ["accuracy", "loss"]


def test_copies_and_pickles_go_on(tmp_path: Any) -> None:
    model = made(Loss)
    model.fit(X, Y, verbose=0)
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert again.train_on_batch(X, Y) == pytest.approx(made_again(model).train_on_batch(X, Y), rel=1e-6)
    model.save(tmp_path / "model.safetensors")
    loaded = keras.models.load_model(tmp_path / "model.safetensors", custom_objects={"Loss": Loss})
    assert loaded.evaluate(X, Y, verbose=0) == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-6)


def made_again(model: Any) -> Any:
    return copy.deepcopy(model)


def test_what_a_step_must_return_and_what_must_be_there() -> None:
    class Nothing(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            return None

    class Several(keras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True) -> Any:
            return ops.square(y - y_pred)

    class Infinite(keras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True) -> Any:
            return ops.mean(y_pred) / 0.0

    class Forgotten(keras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True) -> Any:
            return np.mean(np.asarray(y_pred))

    with pytest.raises(TypeError, match="`train_step` must return a dict of metrics by name"):
        made(Nothing).fit(X, Y, verbose=0)
    with pytest.raises(ValueError, match=r"`compute_loss` must return a single number. Received: shape \(50, 1\)"):
        made(Several).train_on_batch(X, Y)
    model = made(Infinite)
    before = model.get_weights()
    with pytest.raises(keras.NonFiniteLossError, match="The loss of this batch is"):
        model.fit(X, Y, verbose=0)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(TypeError, match=r"`compute_loss` of Forgotten must be differentiable: .* cnn_core\.ops"):
        made(Forgotten).train_on_batch(X, Y)
    unfinished = keras.Sequential([keras.Input((6,)), layers.Dense(1)])
    with pytest.raises(ValueError, match="There is no loss to compute"):
        unfinished.compute_loss(X, Y, unfinished(X))
