from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import numpy as np
import pytest

import cnn_core._core as _core
from cnn_core import Input, Sequential, callbacks, layers, optimizers
from cnn_core.optimizers.assignable import Iterations, LearningRate
from cnn_core.optimizers.schedules import ExponentialDecay


class TestLearningRate:
    def test_it_is_read_as_a_number_and_as_a_variable(self) -> None:
        rate = optimizers.Adam(0.1).learning_rate
        assert isinstance(rate, float)
        assert (rate, float(rate), rate.value, rate.numpy()) == (0.1, 0.1, 0.1, 0.1)
        assert (rate.name, rate.path, rate.shape, rate.trainable) == ("learning_rate", "adam/learning_rate", (), False)
        assert (f"{rate:.2e}", json.dumps(rate), np.asarray(rate).tolist(), rate * 2) == ("1.00e-01", "0.1", 0.1, 0.2)

    def test_assigning_changes_the_optimizer_and_what_was_read(self) -> None:
        optimizer = optimizers.SGD(0.1)
        rate = optimizer.learning_rate
        assert rate.assign(rate / 2) is rate
        assert (rate, optimizer.learning_rate, np.sqrt(rate)) == (0.05, 0.05, np.sqrt(0.05))
        assert rate.assign_add(0.2) == pytest.approx(0.25)
        assert optimizer.learning_rate.assign_sub(0.05) == pytest.approx(0.2)
        optimizer.learning_rate *= 0.5
        assert optimizer.learning_rate == pytest.approx(0.1)

    def test_what_was_read_stays_when_the_optimizer_changes(self) -> None:
        optimizer, rates = optimizers.SGD(0.1), []
        for _ in range(3):
            rates.append(optimizer.learning_rate)
            optimizer.learning_rate /= 2
        assert rates == [0.1, 0.05, 0.025]

    def test_training_follows(self) -> None:
        x = np.ones((4, 2), "float32")
        moved = []
        for halve in (False, True):
            model = Sequential([Input((2,)), layers.Dense(1, kernel_initializer="zeros")])
            model.compile(optimizers.SGD(0.5), "mse")
            if halve:
                model.optimizer.learning_rate.assign(0.25)
            model.train_on_batch(x, x[:, :1])
            moved.append(model.layers[0].kernel.numpy())
        np.testing.assert_allclose(moved[0], 2 * moved[1])

    def test_in_a_callback(self) -> None:
        class Halve(callbacks.Callback):
            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                rate = self.model.optimizer.learning_rate
                rate.assign(rate * 0.5)
                rates.append(float(rate))

        rates: list[float] = []
        model = Sequential([Input((2,)), layers.Dense(1)])
        model.compile(optimizers.SGD(0.4), "mse")
        model.fit(np.ones((4, 2)), np.ones(4), epochs=2, verbose=0, callbacks=[Halve()])
        assert rates == [0.2, 0.1]

    def test_a_schedule_gives_the_present_rate_and_is_not_assigned_to(self) -> None:
        optimizer = optimizers.SGD(ExponentialDecay(0.8, 1, 0.5))
        optimizer.iterations = 2
        rate = optimizer.learning_rate
        assert rate.numpy() == pytest.approx(0.2)
        with pytest.raises(
            TypeError, match=r"is a schedule here and cannot be set to a number. Create the optimizer with"
        ):
            rate.assign(0.1)
        assert (rate, optimizer.learning_rate) == (pytest.approx(0.2), pytest.approx(0.2))

    @pytest.mark.parametrize(("value", "kind"), [(-0.1, ValueError), (np.nan, ValueError), ("fast", TypeError)])
    def test_what_is_no_rate_changes_nothing(self, value: Any, kind: type[Exception]) -> None:
        optimizer = optimizers.SGD(0.1)
        rate = optimizer.learning_rate
        with pytest.raises(kind, match="`learning_rate` must be"):
            rate.assign(value)
        assert (rate, optimizer.learning_rate) == (0.1, 0.1)

    @pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda rate: pickle.loads(pickle.dumps(rate))])
    def test_a_copy_is_a_plain_number(self, again: Any) -> None:
        assert type(again(optimizers.SGD(0.1).learning_rate)) is float

    def test_other_optimizers_take_it(self) -> None:
        config = optimizers.Adam(optimizers.SGD(0.1).learning_rate).get_config()
        assert type(config["learning_rate"]) is float


class TestIterations:
    def test_they_are_read_as_a_number_and_as_a_variable(self) -> None:
        optimizer = optimizers.SGD(0.1)
        optimizer.iterations = 3
        count = optimizer.iterations
        assert isinstance(count, int)
        assert (count, count.numpy(), count.value, list(range(count))) == (3, 3, 3, [0, 1, 2])
        assert (count.name, count.path) == ("iteration", "sgd/iteration")
        assert (type(optimizer.iterations), type(optimizer.learning_rate)) == (Iterations, LearningRate)

    def test_assigning_changes_the_optimizer(self) -> None:
        optimizer = optimizers.SGD(0.1, gradient_accumulation_steps=4)
        assert optimizer.iterations.assign(5) == optimizer.iterations == 5
        assert optimizer.batches_seen == 20
        assert optimizer.iterations.assign_add(1) == 6
        assert optimizer.iterations.assign_sub(2) == 4
        with pytest.raises(ValueError, match="`iterations` must be"):
            optimizer.iterations.assign(-1)


def test_plain_floats_never_change() -> None:
    number = 0.5
    for given in (number, 1, "a"):
        with pytest.raises(TypeError, match="expected a float of a subclass"):
            _core.set_float(given, 2.0)  # type: ignore[arg-type]
    assert number == 0.5
