"""Several callbacks as one: order, logs, and what needs single batches or epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from callback_cases import HOOKS, NUMBERED_HOOKS, FakeModel, Recorder
from cnn_core.callbacks import (
    BackupAndRestore,
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    SwapEMAWeights,
    TerminateOnNaN,
)
from cnn_core.callbacks.base import plain_logs


class TestCallbackList:
    def test_calls_all_in_order_with_the_same_logs(self):
        first, second = Recorder(), Recorder()
        together = CallbackList([first, second])
        for hook in HOOKS:
            getattr(together, hook)({"loss": 1.0})
            assert first.calls[-1] == second.calls[-1] == (hook, {"loss": 1.0})
            assert first.calls[-1][1] is second.calls[-1][1]
        for hook in NUMBERED_HOOKS:
            getattr(together, hook)(3, {"loss": 1.0})
            assert first.calls[-1] == second.calls[-1] == (hook, 3, {"loss": 1.0})

    def test_later_callbacks_see_what_earlier_ones_add(self):
        seen = []
        together = CallbackList(
            [
                LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(extra=7.0)),
                LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs["extra"])),
            ],
            add_history=True,
        )
        logs = {"loss": 1.0}
        assert together.on_epoch_end(0, logs) == {"loss": 1.0, "extra": 7.0}
        assert seen == [7.0]
        assert together.history.history["extra"] == [7.0]
        assert logs == {"loss": 1.0}, "the caller's dict stays as it was"

    def test_logs_become_sorted_floats(self):
        logs = plain_logs(
            {
                "loss": np.float32(0.5),
                "count": 3,
                "accuracy": np.array(1.0),
                "nested": {"f1": np.float64(0.25)},
                "text": "a",
            }
        )
        assert list(logs.items()) == [("accuracy", 1.0), ("count", 3.0), ("loss", 0.5), ("f1", 0.25), ("text", "a")]
        assert all(type(value) is float for name, value in logs.items() if name != "text")

    def test_model_and_parameters_arrive(self):
        model, callback = FakeModel(), Callback()
        together = CallbackList([callback], add_history=True, model=model, epochs=3, steps=5)
        assert callback.model is together.model is model
        assert callback.params == {"epochs": 3, "steps": 5}
        assert model.history is together.history

    def test_nested_lists_single_callbacks_and_none(self):
        first, second = Callback(), Callback()
        assert list(CallbackList([[first], (second,)])) == [first, second]
        assert list(CallbackList(first)) == [first]
        assert list(CallbackList(None)) == []
        together = CallbackList([first])
        together.append(second)
        assert list(together) == [first, second]

    def test_history_is_added_once(self):
        history = History()
        assert CallbackList([history], add_history=True).callbacks == [history]
        assert CallbackList([], add_history=True).history is not None
        assert CallbackList([]).history is None

    @pytest.mark.parametrize("wrong", [3, "EarlyStopping", EarlyStopping, [Callback(), None, print], {"a": 1}])
    def test_things_that_are_no_callbacks(self, wrong: Any):
        with pytest.raises(TypeError, match="`callbacks` must hold Callback objects"):
            CallbackList(wrong)

    def test_batch_hooks_are_needed_when_overridden(self):
        class Trains(Callback):
            def on_train_batch_end(self, batch, logs=None):
                pass

        class TrainsOld(Callback):
            def on_batch_begin(self, batch, logs=None):
                pass

        class Tests(Callback):
            def on_test_batch_begin(self, batch, logs=None):
                pass

        class Predicts(Callback):
            def on_predict_batch_end(self, batch, logs=None):
                pass

        class Below(Tests):
            pass

        def needs_of(callback):
            together = CallbackList([Callback(), callback()])
            return [together.needs_batch_hooks(phase) for phase in ("train", "test", "predict")]

        needs = {callback: needs_of(callback) for callback in (Callback, Trains, TrainsOld, Tests, Below, Predicts)}
        assert needs == {
            Callback: [False, False, False],
            Trains: [True, False, False],
            TrainsOld: [True, False, False],
            Tests: [False, True, False],
            Below: [False, True, False],
            Predicts: [False, False, True],
        }

    def test_no_callback_of_ours_slows_training_by_default(self, tmp_path: Path):
        ours = [
            History(), EarlyStopping(), ModelCheckpoint("a"), ReduceLROnPlateau(), LearningRateScheduler(lambda e: 0.1),
            CSVLogger("a"), TerminateOnNaN(), SwapEMAWeights(), BackupAndRestore("a"),
            LambdaCallback(on_epoch_end=print, on_train_begin=print),
        ]  # fmt: skip
        for phase in ("train", "test", "predict"):
            assert not CallbackList(ours).needs_batch_hooks(phase)

    def test_what_counts_batches_needs_them(self):
        for callback in (
            ModelCheckpoint("a", save_freq=2),
            BackupAndRestore("a", save_freq=2),
            LambdaCallback(on_train_batch_end=lambda batch, logs: None),
        ):
            assert CallbackList(callback).needs_batch_hooks("train")
            assert not CallbackList(callback).needs_batch_hooks("test")

    def test_hooks_of_batches_below_ours_are_called(self):
        class Below(ModelCheckpoint):
            def on_train_batch_begin(self, batch, logs=None): ...

        class Quiet(TerminateOnNaN):
            def on_test_batch_end(self, batch, logs=None): ...

        def needs_of(callback):
            return [CallbackList(callback).needs_batch_hooks(phase) for phase in ("train", "test", "predict")]

        assert needs_of(Below("a")) == [True, False, False]
        assert needs_of(Quiet()) == [False, True, False]

        class Several(CallbackList):
            def on_train_batch_end(self, batch, logs=None): ...

        assert needs_of(Several([])) == [True, False, False]
        later = BackupAndRestore("a")
        later.on_batch_end = lambda batch, logs: None
        assert needs_of(later) == [True, False, False]

    def test_callbacks_of_other_libraries(self):
        def default(method):
            method._is_default = True
            return method

        class Foreign:
            """Marks its empty hooks as Keras does."""

            def set_model(self, model):
                self.seen = model

            def set_params(self, params): ...

            def on_epoch_end(self, epoch, logs=None): ...

            @default
            def on_train_batch_end(self, batch, logs=None): ...

        class Busy(Foreign):
            def on_train_batch_end(self, batch, logs=None): ...

        assert not CallbackList(Foreign()).needs_batch_hooks("train")
        assert CallbackList(Busy()).needs_batch_hooks("train")

    @pytest.mark.parametrize(
        ("slip", "hook"),
        [
            ("on_epoch_ends", "on_epoch_end"),
            ("on_epoch_begins", "on_epoch_begin"),
            ("on_train_batch_ended", "on_train_batch_end"),
            ("on_trian_end", "on_train_end"),
        ],
    )
    def test_a_misspelt_hook_is_told(self, slip: str, hook: str):
        with pytest.warns(UserWarning, match=f"^Own defines `{slip}`, which is no hook .* Did you mean `{hook}`"):
            type("Own", (Callback,), {slip: lambda self, *arguments: None})

    def test_methods_of_ones_own_are_not(self):
        own = {name: lambda self: None for name in ("on_improvement", "on_plateau", "on_nonfinite_loss", "one")}
        assert issubclass(type("Own", (Callback,), own), Callback)
