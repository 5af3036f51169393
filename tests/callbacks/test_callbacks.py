"""Callbacks by themselves, and that none of them prints unasked."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from callback_cases import HOOKS, NUMBERED_HOOKS, FakeModel, epochs_of, train
from cnn_core.callbacks import (
    Callback,
    CallbackList,
    EarlyStopping,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
)


class TestCallback:
    def test_every_hook_does_nothing(self):
        callback = Callback()
        for hook in HOOKS:
            assert getattr(callback, hook)() is None
            assert getattr(callback, hook)({"loss": 1.0}) is None
        for hook in NUMBERED_HOOKS:
            assert getattr(callback, hook)(3) is None
            assert getattr(callback, hook)(3, {"loss": 1.0}) is None

    def test_older_names_of_the_batch_hooks(self):
        class Old(Callback):
            called: tuple[Any, ...] = ()

            def on_batch_begin(self, batch, logs=None):
                self.called += ("begin", batch)

            def on_batch_end(self, batch, logs=None):
                self.called += ("end", batch, logs)

        old = Old()
        old.on_train_batch_begin(1)
        old.on_train_batch_end(1, {"loss": 0.5})
        assert old.called == ("begin", 1, "end", 1, {"loss": 0.5})

    def test_forgotten_super_init(self):
        class Forgetful(Callback):
            def __init__(self):
                pass

        together = CallbackList(Forgetful(), model=FakeModel(), epochs=1)
        assert isinstance(together.callbacks[0].model, FakeModel)
        assert Forgetful().model is None


def test_quiet_by_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(
            FakeModel(),
            [
                EarlyStopping(),
                ReduceLROnPlateau(),
                ModelCheckpoint(tmp_path / "a"),
                LearningRateScheduler(lambda e: 0.1),
            ],
            epochs_of([1.0, 2.0]),
        )
    assert capsys.readouterr().out == ""
