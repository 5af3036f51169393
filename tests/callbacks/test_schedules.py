"""Learning rates from a function, and averaged weights while validating."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from callback_cases import FakeModel, epochs_of, train
from cnn_core import optimizers
from cnn_core.callbacks import CallbackList, LearningRateScheduler, SwapEMAWeights


class TestLearningRateScheduler:
    def run(self, schedule: Any, n_epochs: int = 3, **options: Any) -> list[float]:
        model = FakeModel(optimizers.SGD(1.0))
        together = train(model, LearningRateScheduler(schedule, **options), epochs_of([1.0] * n_epochs))
        return together.history.history["learning_rate"]

    def test_with_epoch_and_rate(self):
        assert self.run(lambda epoch, rate: rate / 2) == [0.5, 0.25, 0.125]

    def test_with_epoch_alone(self):
        assert self.run(lambda epoch: 0.5 + epoch) == [0.5, 1.5, 2.5]

    def test_second_argument_with_a_default_gets_the_rate(self):
        assert self.run(lambda epoch, rate=7.0: rate) == [1.0, 1.0, 1.0]

    def test_error_inside_the_schedule_is_its_own(self):
        def schedule(epoch, rate):
            return rate + "1"

        with pytest.raises(TypeError, match="unsupported operand"):
            self.run(schedule)

    @pytest.mark.parametrize("value", [1, None, "0.1", np.ones(1)])
    def test_result_must_be_a_float(self, value: Any):
        with pytest.raises(TypeError, match=r"`schedule` must return a float\. Received: .* for epoch 0"):
            self.run(lambda epoch: value)

    def test_floats_of_numpy(self):
        assert self.run(lambda epoch: np.float32(0.5), 1) == [0.5]

    def test_negative_rate_is_refused(self):
        with pytest.raises(ValueError, match="`learning_rate` must be"):
            self.run(lambda epoch: -0.1)

    def test_message(self, capsys: pytest.CaptureFixture[str]):
        self.run(lambda epoch: 0.5, 1, verbose=1)
        assert capsys.readouterr().out == "\nEpoch 1: LearningRateScheduler setting learning rate to 0.5.\n"

    def test_not_callable(self):
        with pytest.raises(TypeError, match=r"`schedule` must be callable\. Received: schedule=0.1"):
            LearningRateScheduler(0.1)


class TestSwapEMAWeights:
    def make(self) -> FakeModel:
        model = FakeModel(optimizers.SGD(use_ema=True))
        model.weight = np.array([10.0])
        model.optimizer.state["average"] = np.array([1.0])
        return model

    @pytest.mark.parametrize("phase", ["test", "predict"])
    def test_average_during_evaluation_and_prediction(self, phase: str):
        model = self.make()
        together = CallbackList(SwapEMAWeights(), model=model)
        for _ in range(2):
            getattr(together, f"on_{phase}_begin")()
            assert model.weight[0] == 1
            getattr(together, f"on_{phase}_end")()
            assert model.weight[0] == 10
            assert model.optimizer.state["average"][0] == 1

    def test_epochs_do_not_matter_by_default(self):
        model = self.make()
        train(model, SwapEMAWeights(), epochs_of([1.0, 1.0]))
        assert model.weight[0] == 12

    def test_between_epochs(self):
        model = self.make()
        together = CallbackList(SwapEMAWeights(swap_on_epoch=True), model=model, epochs=2)
        together.on_epoch_begin(0)
        assert model.weight[0] == 10
        together.on_epoch_end(0)
        assert (model.weight[0], model.optimizer.state["average"][0]) == (1, 10)
        together.on_epoch_begin(1)
        assert (model.weight[0], model.optimizer.state["average"][0]) == (10, 1)
        together.on_epoch_end(1)
        assert (model.weight[0], model.optimizer.state["average"][0]) == (1, 1), "fit copies the average at its end"

    def test_between_epochs_when_stopped(self):
        model = self.make()
        together = CallbackList(SwapEMAWeights(swap_on_epoch=True), model=model, epochs=9)
        together.on_epoch_begin(0)
        model.stop_training = True
        together.on_epoch_end(0)
        assert (model.weight[0], model.optimizer.state["average"][0]) == (1, 1)

    def test_optimizer_without_average(self):
        with pytest.raises(ValueError, match=r"`use_ema=True`\. Received: SGD"):
            CallbackList(SwapEMAWeights(), model=FakeModel()).on_test_begin()
