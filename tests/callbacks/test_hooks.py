"""Functions as hooks, and the end of a training at a NaN."""

from __future__ import annotations

import math
from typing import Any

import pytest

from callback_cases import HOOKS, NUMBERED_HOOKS, FakeModel
from cnn_core.callbacks import Callback, CallbackList, History, LambdaCallback, TerminateOnNaN


class TestTerminateOnNaN:
    @pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
    def test_stops(self, loss: float, capsys: pytest.CaptureFixture[str]):
        model = FakeModel()
        together = CallbackList([Callback(), TerminateOnNaN()], model=model)
        together.on_train_batch_end(3, {"loss": 0.5})
        assert not model.stop_training
        together.on_train_batch_end(4, {"loss": loss})
        assert model.stop_training
        assert capsys.readouterr().out == "Batch 4: Invalid loss, terminating training\n"

    def test_native_loop_tells_it(self):
        model = FakeModel()
        assert CallbackList([TerminateOnNaN()], model=model).on_nonfinite_loss(4, math.nan)
        assert model.stop_training

    def test_nobody_takes_care_without_it(self):
        assert not CallbackList([Callback(), History()], model=FakeModel()).on_nonfinite_loss(4, math.nan)

    def test_error(self):
        with pytest.raises(RuntimeError, match=r"The loss must stay finite\. Received: loss=nan at batch 4"):
            CallbackList([TerminateOnNaN(raise_error=True)], model=FakeModel()).on_nonfinite_loss(4, math.nan)


class TestLambdaCallback:
    def test_every_hook(self):
        called: list[Any] = []
        hooks = {
            hook: lambda *arguments, hook=hook: called.append((hook, *arguments)) for hook in HOOKS + NUMBERED_HOOKS
        }
        together = CallbackList(LambdaCallback(**hooks))
        for hook in HOOKS:
            getattr(together, hook)({})
        for hook in NUMBERED_HOOKS:
            getattr(together, hook)(2, {})
        assert called == [(hook, {}) for hook in HOOKS] + [(hook, 2, {}) for hook in NUMBERED_HOOKS]

    def test_none_leaves_a_hook_empty(self):
        LambdaCallback(on_test_begin=None, on_epoch_end=None).on_test_begin()

    def test_other_names_become_attributes(self):
        assert LambdaCallback(note="x").note == "x"

    def test_not_callable(self):
        with pytest.raises(TypeError, match=r"`on_epoch_end` must be callable\. Received: on_epoch_end=3"):
            LambdaCallback(on_epoch_end=3)
