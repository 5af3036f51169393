"""Epochs: bit for bit the same whatever their number, their kind of call and their seed."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import cnn_core
import cnn_core.optimizers.schedules as schedules
import tolerances
from cnn_core import callbacks, layers, losses, metrics, optimizers
from training_cases import LABELS, N, Numbered, X, Y, batches, compiled, same_weights


def test_history_has_every_epoch_under_sorted_names() -> None:
    model = compiled(metrics=["accuracy", "mae"])
    history = model.fit(X, Y, epochs=3, validation_data=(X[:9], Y[:9]), verbose=0)
    assert history is model.history
    assert history.epoch == [0, 1, 2]
    assert list(history.history) == ["accuracy", "loss", "mae", "val_accuracy", "val_loss", "val_mae"]
    assert all(len(values) == 3 for values in history.history.values())
    assert history.history["loss"][2] < history.history["loss"][0]


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_fit_twice_continues(dropout: float) -> None:
    once, twice = compiled(dropout=dropout), compiled(dropout=dropout)
    once.fit(X, Y, epochs=4, batch_size=8, verbose=0)
    twice.fit(X, Y, epochs=1, batch_size=8, verbose=0)
    twice.fit(X, Y, epochs=4, initial_epoch=1, batch_size=8, verbose=0)
    assert same_weights(once, twice)
    assert twice.history.epoch == [1, 2, 3]


def test_no_epochs_train_nothing() -> None:
    model, untouched = compiled(), compiled()
    history = model.fit(X, Y, epochs=0, verbose=0)
    assert history.epoch == []
    assert history.history == {}
    assert same_weights(model, untouched)


@pytest.mark.parametrize("options", [{}, {"callbacks": [callbacks.LambdaCallback()]}])
def test_steps_say_how_many_batches_are_predicted(options: dict[str, Any]) -> None:
    model = compiled()
    whole = model.predict(X)
    np.testing.assert_array_equal(model.predict(X, batch_size=8, steps=3, **options), whole[:24])
    np.testing.assert_array_equal(model.predict(X, batch_size=8, steps=99, **options), whole)
    np.testing.assert_array_equal(model.predict(iter([X[:8], X[8:16], X[16:]]), steps=2), whole[:16])


def test_epochs_is_the_number_of_the_last() -> None:
    model = compiled()
    assert model.fit(X, Y, initial_epoch=3, epochs=5, verbose=0).epoch == [3, 4]
    before = model.get_weights()
    assert model.fit(X, Y, initial_epoch=5, epochs=5, verbose=0).epoch == []
    assert all(map(np.array_equal, before, model.get_weights()))


def test_the_seed_fixes_everything_and_shuffling_matters() -> None:
    one, same, other, ordered = compiled(dropout=0.3), compiled(dropout=0.3), compiled(dropout=0.3, seed=6), compiled()
    for model in (one, same, other):
        model.fit(X, Y, epochs=2, batch_size=8, verbose=0)
    assert same_weights(one, same)
    assert not same_weights(one, other)
    shuffled = compiled()
    shuffled.fit(X, Y, batch_size=8, verbose=0)
    ordered.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    assert not same_weights(shuffled, ordered)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "nadam", "rmsprop"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_loop_over_train_on_batch_is_fit_without_shuffling(optimizer: str, dropout: float) -> None:
    fitted, looped = (compiled(optimizer, metrics=["accuracy"], dropout=dropout) for _ in range(2))
    weights = np.linspace(0.5, 2, N)
    fitted.fit(X, Y, epochs=2, batch_size=8, shuffle=False, sample_weight=weights, verbose=0)
    for _ in range(2):
        for x, y, w in batches(8, X, Y, weights):
            looped.train_on_batch(x, y, sample_weight=w)
    assert same_weights(fitted, looped)
    assert fitted.optimizer.iterations == looped.optimizer.iterations == 14


def test_train_on_batch_returns_what_the_batch_gave_before_its_step() -> None:
    model = compiled(optimizers.SGD(0.5), metrics=["mae"])
    for rows in (slice(0, 8), slice(8, 40), slice(40, 41)):
        expected = model.evaluate(X[rows], Y[rows], verbose=0, batch_size=N)
        tested = model.test_on_batch(X[rows], Y[rows])
        trained = model.train_on_batch(X[rows], Y[rows])
        np.testing.assert_allclose(tested, expected, rtol=tolerances.GOLDEN_FLOAT32)
        assert trained == tested
    named = model.test_on_batch(X, Y, return_dict=True)
    assert list(named) == ["loss", "mae"]


def test_a_callable_learning_rate_is_asked_for_every_batch() -> None:
    rates = iter(np.linspace(0.01, 0.1, 14))
    asked, looped = compiled(optimizers.SGD(lambda: float(next(rates)))), compiled(optimizers.SGD(0.0))
    asked.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    for step, rate in enumerate(np.linspace(0.01, 0.1, 14)):
        looped.optimizer.learning_rate = float(rate)
        looped.train_on_batch(X[step % 7 * 8 : step % 7 * 8 + 8], Y[step % 7 * 8 : step % 7 * 8 + 8])
    assert same_weights(asked, looped)
    assert list(rates) == []


# Epochs that nobody watches run many at a time, without Python between them


def assert_same_training(
    first: Any, second: Any, x: Any = X, y: Any = Y, epochs: int = 5, batch_size: int = 8, **arguments: Any
) -> None:
    """Fit one alone, the other with a callback that could look at every epoch, and compare all they leave."""
    arguments |= {"epochs": epochs, "batch_size": batch_size, "verbose": 0}
    alone = first.fit(x, y, **arguments)
    watched = second.fit(x, y, callbacks=[callbacks.Callback()], **arguments)
    assert same_weights(first, second)
    assert alone.history == watched.history
    assert alone.epoch == watched.epoch == list(range(epochs))
    assert first.optimizer.state.keys() == second.optimizer.state.keys()
    assert all(np.array_equal(vector, second.optimizer.state[name]) for name, vector in first.optimizer.state.items())
    ours, theirs = first.training_state(), second.training_state()
    assert ours["epochs_begun"] == theirs["epochs_begun"]
    assert first.optimizer.batches_seen == second.optimizer.batches_seen


@pytest.mark.parametrize(
    "options",
    [
        {"dropout": 0.4, "metrics": ["accuracy", "mse"], "weighted_metrics": ["mae"]},
        {"optimizer": optimizers.SGD(schedules.ExponentialDecay(0.1, 9, 0.7), momentum=0.9)},
        {"optimizer": optimizers.Adam(use_ema=True, ema_overwrite_frequency=5, clipnorm=0.1)},
        {"optimizer": optimizers.Nadam(gradient_accumulation_steps=3)},
    ],
)
@pytest.mark.parametrize(
    "arguments", [{}, {"shuffle": False}, {"class_weight": {0: 1.0, 1: 3.0}, "sample_weight": np.arange(N)}]
)
def test_unwatched_epochs_are_like_others(options: dict[str, Any], arguments: dict[str, Any]) -> None:
    first, second = (compiled(**copy.deepcopy(options)) for _ in range(2))
    for _ in range(2):
        assert_same_training(first, second, **arguments)


@pytest.mark.parametrize(("batch_size", "epochs"), [(N, 600), (8, 700), (1, 90)])
def test_unwatched_epochs_of_several_native_calls(batch_size: int, epochs: int) -> None:
    first, second = compiled(metrics=["accuracy"]), compiled(metrics=["accuracy"])
    assert_same_training(first, second, epochs=epochs, batch_size=batch_size)


def test_unwatched_epochs_with_several_losses() -> None:
    def model() -> Any:
        cnn_core.utils.set_random_seed(3)
        x = cnn_core.Input((4,))
        hidden = layers.Dense(5, "relu", kernel_regularizer="l2")(x)
        model = cnn_core.Model(x, [layers.Dense(1, name="a")(hidden), layers.Dense(3, name="b")(hidden)])
        model.compile("rmsprop", ["mse", losses.SparseCategoricalCrossentropy(from_logits=True)], loss_weights=[1, 0.3])
        model.training_state()
        return model

    assert_same_training(model(), model(), y=[Y, LABELS])


def test_an_unwatched_epoch_longer_than_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    """In no time native code runs a single batch; every call goes on with the epoch of the one before."""
    reached = []

    class Interrupted(cnn_core._core.Epochs):
        def __call__(self, *arguments: Any) -> Any:
            status = super().__call__(*arguments, seconds=0.0)
            reached.append(self.next_batch)
            return status

    def model() -> Any:
        cnn_core.utils.set_random_seed(3)
        model = cnn_core.Sequential([cnn_core.Input((4,)), *(layers.Dense(400, "tanh") for _ in range(2))])
        model.compile(optimizers.SGD(schedules.ExponentialDecay(0.1, 9, 0.7)), "mse")
        model.training_state()
        return model

    monkeypatch.setattr(cnn_core._core, "Epochs", Interrupted)
    assert_same_training(model(), model(), y=np.ones((N, 400)), epochs=3)
    assert reached == [1, 2, 3, 4, 5, 6, 0] * 3


class StoppingLoss:
    """The mean squared error, which ends the training when it is asked for the hundredth time."""

    def __init__(self) -> None:
        self.model: Any = None
        self.asked = 0

    def value(self, y: Any, prediction: Any) -> Any:
        self.asked += 1
        if self.asked == 100:
            self.model.stop_training = True
        return ((prediction - y) ** 2).mean(-1)

    def gradient(self, y: Any, prediction: Any) -> Any:
        return 2 * (prediction - y) / y.shape[-1]


class Observed(metrics.MeanAbsoluteError):
    """The mean absolute error, which notes the optimizer's steps when it is asked for."""

    def __init__(self) -> None:
        super().__init__(name="observed")
        self.model: Any = None
        self.seen: list[int] = []

    def result(self) -> Any:
        if self.model is not None:
            self.seen.append(self.model.optimizer.batches_seen)
        return super().result()


class Slower(schedules.LearningRateSchedule):
    """Halves the rate every seven batches and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, step: int) -> float:
        self.asked.append(step)
        return float(0.1 * 0.5 ** (step // 7))


def test_python_of_others_runs_when_it_would_in_watched_epochs() -> None:
    def trained(**arguments: Any) -> Any:
        loss, metric, schedule = StoppingLoss(), Observed(), Slower()
        stopping, slowed = compiled("adam", loss), compiled(optimizers.SGD(schedule))
        observed = compiled("adam", "mse", metrics=[metric])
        loss.model, metric.model = stopping, observed
        for model in (stopping, observed, slowed):
            model.fit(X, Y, epochs=40, batch_size=8, verbose=0, **arguments)
        return stopping.history.epoch, stopping.get_weights()[0].tolist(), metric.seen, schedule.asked

    alone, watched = trained(), trained(callbacks=[callbacks.Callback()])
    assert alone == watched
    assert alone[0] == list(range(15))  # 7 batches an epoch, so that it ends after the 105th
    assert alone[2] == list(range(7, 7 * 41, 7))
    assert alone[3] == list(range(7 * 40))


def test_no_epochs_leave_everything_as_it_was() -> None:
    model = compiled(optimizers.Adam(use_ema=True))
    model.optimizer.iterations = 10
    before, state = model.get_weights(), model.training_state()
    model.fit(X, Y, epochs=3, initial_epoch=3, verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))
    assert model.training_state() == state


def test_an_unwatched_epoch_that_diverges() -> None:
    def outcome(**arguments: Any) -> tuple[Any, ...]:
        model = compiled(optimizers.SGD(1e18), "mse", activation="linear")
        with pytest.raises(cnn_core.NonFiniteLossError) as caught:
            model.fit(X, Y, epochs=50, batch_size=8, verbose=0, **arguments)
        history = model.history
        state = model.training_state()["epochs_begun"], model.optimizer.batches_seen
        return str(caught.value), history.history, history.epoch, state, [each.tolist() for each in model.get_weights()]

    assert outcome() == outcome(callbacks=[callbacks.Callback()])


# All rows at once


def test_lbfgs_finds_the_least_squares() -> None:
    model = compiled(optimizers.LBFGS(gradient_tolerance=1e-9), "mse", activation="linear")
    model.pop()
    model.pop()
    model.add(layers.Dense(1, dtype="float64"))
    target = X.astype("float64") @ np.array([[1.0], [-2.0], [0.5], [0.0]]) + 0.25
    history = model.fit(X, target, verbose=0)
    tolerances.close(model.get_weights()[0][:, 0], [1, -2, 0.5, 0], tolerances.GOLDEN_METRIC)
    assert history.history["loss"][0] == pytest.approx(0, abs=1e-10)
    assert 0 < model.optimizer.iterations < 50


def test_what_lbfgs_cannot_do_is_said() -> None:
    model = compiled("lbfgs")
    with pytest.raises(ValueError, match="LBFGS needs all rows at once: use fit"):
        model.train_on_batch(X, Y)
    with pytest.raises(ValueError, match="LBFGS needs all rows at once: pass arrays"):
        model.fit(Numbered(), verbose=0)
    bound = cnn_core.Sequential([cnn_core.Input((4,)), layers.Dense(1, kernel_constraint="non_neg")])
    bound.compile("lbfgs", "mse")
    with pytest.raises(ValueError, match="LBFGS cannot keep constraints"):
        bound.fit(X, Y, verbose=0)
