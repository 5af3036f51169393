"""Callbacks as state machines, driven by a small stand-in for a model; the model's own tests drive real ones."""

from __future__ import annotations

import csv
import itertools
import math
import operator
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_core.model_file as model_file
from cnn_core import callbacks, metrics, optimizers
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
from cnn_core.schedules import FlatCosine

HOOKS = [
    "on_train_begin", "on_train_end", "on_test_begin", "on_test_end", "on_predict_begin", "on_predict_end",
]  # fmt: skip
NUMBERED_HOOKS = [
    "on_epoch_begin", "on_epoch_end", "on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end",
    "on_test_batch_begin", "on_test_batch_end", "on_predict_batch_begin", "on_predict_batch_end",
]  # fmt: skip


class FakeModel:
    """What callbacks use of a model. Its one weight counts the batches that it was trained with."""

    def __init__(self, optimizer: optimizers.Optimizer | None = None, measured: list[Any] | None = None):
        self.optimizer = optimizer if optimizer is not None else optimizers.SGD(0.1)
        self.metrics = measured or []
        self.weight = np.zeros(1)
        self.stop_training = False
        self.history: Any = None
        self.saved: list[tuple[str, str]] = []
        self.restored: dict[str, Any] = {}

    def get_weights(self) -> list[np.ndarray]:
        return [self.weight.copy()]

    def set_weights(self, weights: list[np.ndarray]) -> None:
        self.weight = weights[0].copy()

    def save(self, path: str) -> None:
        self.saved.append(("model", path))

    def save_weights(self, path: str) -> None:
        self.saved.append(("weights", path))
        Path(path).write_bytes(self.weight.tobytes())

    def load_weights(self, path: str) -> None:
        self.weight = np.frombuffer(Path(path).read_bytes()).copy()

    def training_state(self) -> dict[str, Any]:
        return {"optimizer": self.optimizer.training_state(), "random": {"key": 2**64 - 1, "position": [1, 2]}}

    def restore_training_state(self, state: dict[str, Any]) -> None:
        self.restored = state
        self.optimizer.restore_training_state(state["optimizer"])

    def swap_average_weights(self) -> None:
        average = self.optimizer.state["average"]
        self.weight, average[...] = average.copy(), self.weight


def train(model: FakeModel, called: Any, values: list[dict[str, Any]], n_batches: int = 1) -> CallbackList:
    """Train one epoch for each entry of `values`, its logs at the epoch's end, until a callback stops it."""
    together = CallbackList(called, add_history=True, model=model, epochs=len(values), steps=n_batches, verbose=0)
    model.stop_training = False
    together.on_train_begin()
    first = model.restored.get("epoch", 0)
    logs: dict[str, Any] = {}
    for epoch in range(first, len(values)):
        together.on_epoch_begin(epoch)
        for batch in range(model.restored.pop("batch", 0) if epoch == first else 0, n_batches):
            together.on_train_batch_begin(batch)
            model.weight += 1
            model.optimizer.batches_seen += 1
            together.on_train_batch_end(batch, {"loss": 1.0})
        logs = together.on_epoch_end(epoch, values[epoch])
        if model.stop_training:
            break
    together.on_train_end(logs)
    return together


def epochs_of(values: list[float], name: str = "val_loss") -> list[dict[str, float]]:
    return [{name: value} for value in values]


class Recorder(Callback):
    """Writes down which hooks were called with what."""

    def __init__(self):
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []


def _recording(hook: str) -> Any:
    def method(self, *arguments: Any) -> None:
        self.calls.append((hook, *arguments))

    return method


for _hook in HOOKS + NUMBERED_HOOKS:
    setattr(Recorder, _hook, _recording(_hook))


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
        logs = callbacks.plain_logs(
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


class TestHistory:
    def test_records_epochs_and_values(self):
        model = FakeModel()
        history = train(model, None, [{"loss": 0.5}, {"loss": 0.25, "val_loss": 1.0}]).history
        assert history.epoch == [0, 1]
        assert history.history == {"loss": [0.5, 0.25], "val_loss": [1.0]}
        assert model.history is history

    def test_reuse_continues_the_values(self):
        history = History()
        train(FakeModel(), history, epochs_of([1.0, 2.0]))
        train(FakeModel(), history, epochs_of([3.0]))
        assert history.epoch == [0]
        assert history.history == {"val_loss": [1.0, 2.0, 3.0]}

    def test_plot(self, tmp_path: Path):
        pytest.importorskip("matplotlib")
        values = [{"loss": 0.5, "accuracy": 0.6}, {"loss": 0.25, "accuracy": 0.7, "val_loss": 0.4}]
        history = train(FakeModel(), None, values).history
        figure = history.plot(path=tmp_path / "history.png")
        assert (tmp_path / "history.png").read_bytes().startswith(b"\x89PNG")
        titles = [axes.get_title() for axes in figure.axes]
        assert titles == ["accuracy", "loss"]
        drawn = {line.get_label(): line.get_xydata().tolist() for line in figure.axes[1].lines}
        assert drawn == {"training": [[0, 0.5], [1, 0.25]], "validation": [[1, 0.4]]}
        assert [axes.get_title() for axes in history.plot(["loss"]).axes] == ["loss"]

    def test_many_plots_stand_in_rows_of_four(self):
        pytest.importorskip("matplotlib")
        history = History()
        history.on_train_begin()
        history.on_epoch_end(0, {f"metric_{i}": 0.5 for i in range(6)})
        axes = history.plot().axes
        assert all(tick == round(tick) for each in axes for tick in each.get_xticks())
        assert [each.get_title() for each in axes] == [f"metric_{i}" for i in range(6)]
        assert {each.get_subplotspec().get_gridspec().get_geometry() for each in axes} == {(2, 4)}

    @pytest.mark.parametrize("n_epochs", [1, 2, 3, 7, 40])
    def test_epochs_are_whole(self, n_epochs: int):
        figures = pytest.importorskip("matplotlib.figure")
        history = train(FakeModel(), None, epochs_of([1.0] * n_epochs)).history
        own = figures.Figure().subplots()
        for axes in (history.plot().axes[0], history.plot(ax=own).axes[0]):
            ticks = axes.get_xticks()
            assert len(ticks)
            assert (ticks == ticks.round()).all()

    def test_plot_in_axes_of_ones_own(self):
        figures = pytest.importorskip("matplotlib.figure")
        history = train(FakeModel(), None, [{"loss": 0.5, "accuracy": 0.6}] * 2).history
        figure = figures.Figure()
        panels = figure.subplots(2, 2)
        assert history.plot(ax=panels[0]) is figure
        assert [axes.get_title() for axes in panels.flat] == ["accuracy", "loss", "", ""]
        history.plot(["loss"], ax=panels[1, 1])
        assert panels[1, 1].get_title() == "loss"
        with pytest.raises(
            ValueError, match=r"`ax` must hold as many axes as History\.plot has panels: 2\. Received: 1"
        ):
            history.plot(ax=panels[1, 0])

    def test_a_notebook_shows_the_plot_without_pyplot(self):
        pytest.importorskip("matplotlib")
        history = train(FakeModel(), None, epochs_of([1.0])).history
        assert history.plot()._repr_png_().startswith(b"\x89PNG")

    def test_plot_errors(self, monkeypatch: pytest.MonkeyPatch):
        pytest.importorskip("matplotlib")
        with pytest.raises(ValueError, match="at least one finished epoch"):
            History().plot()
        history = train(FakeModel(), None, epochs_of([1.0])).history
        with pytest.raises(ValueError, match=r"`names` must be .* Did you mean 'loss'"):
            history.plot(["los"])
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
        with pytest.raises(ImportError, match=r"pip install 'cnn_core\[plot\]'"):
            history.plot()


class TestMonitoring:
    @pytest.mark.parametrize(
        ("monitor", "measured", "up"),
        [
            ("loss", [], False),
            ("val_loss", [], False),
            ("val_out_loss", [], False),
            ("val_accuracy", [metrics.BinaryAccuracy(name="accuracy")], True),
            ("roc", [metrics.AUC(name="roc")], True),
            ("val_first_acc", [metrics.CategoricalAccuracy(name="acc")], True),
            ("val_mae", [metrics.MeanAbsoluteError(name="mae")], False),
            ("r2_score", [[metrics.Precision(), metrics.R2Score()]], True),
        ],
    )
    def test_auto_knows_directions(self, monitor: str, measured: list[Any], up: bool):
        callback = EarlyStopping(monitor)
        values = [1.0, 2.0, 0.5]
        train(FakeModel(measured=measured), callback, epochs_of(values[:2], monitor))
        assert callback.best == (2.0 if up else 1.0)

    @pytest.mark.parametrize("said", [{"_direction": "up"}, {"higher_is_better": True}])
    def test_metric_that_says_so_itself(self, said: dict[str, Any]):
        Own = type("Own", (metrics.Metric,), said)
        callback = EarlyStopping("own", patience=5)
        train(FakeModel(measured=[Own(name="own")]), callback, epochs_of([1.0, 2.0, 1.5], "own"))
        assert callback.best == 2.0

    def test_auto_that_cannot_know(self):
        with pytest.raises(ValueError, match="`mode` must be 'min' or 'max' here: EarlyStopping cannot tell"):
            train(
                FakeModel(measured=[metrics.Mean(name="thing")]), EarlyStopping("thing"), epochs_of([1.0, 2.0], "thing")
            )

    def test_unknown_mode_counts_as_auto_with_a_warning(self):
        with pytest.warns(UserWarning, match="'auto' is used. Received: mode='up'"):
            assert EarlyStopping(mode="up").mode == "auto"

    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (EarlyStopping, "EarlyStopping watches `val_loss`"),
            (ReduceLROnPlateau, "ReduceLROnPlateau watches `val_loss`"),
        ],
    )
    def test_missing_value_warns_and_counts_for_nothing(self, make: Any, words: str):
        callback = make(patience=1)
        with pytest.warns(UserWarning, match=f"{words}, which is not available. Available: .*loss"):
            train(FakeModel(), callback, epochs_of([1.0, 2.0, 3.0], "loss"))
        assert callback.best is None
        assert callback.wait == 0


def stopping_by_the_book(values: list[float], patience: int, min_delta: float) -> tuple[int, int]:
    """Return the last epoch run and the best one, for mode "min" without baseline."""
    best, best_epoch, waited = math.inf, 0, 0
    for epoch, value in enumerate(values):
        if epoch == 0 or value < best - min_delta:
            best, best_epoch, waited = value, epoch, 0
        else:
            waited += 1
            if waited >= patience:
                return epoch, best_epoch
    return len(values) - 1, best_epoch


class TestEarlyStopping:
    def run(self, values: list[float], **options: Any) -> tuple[EarlyStopping, FakeModel, int]:
        callback, model = EarlyStopping(**options), FakeModel()
        together = train(model, callback, epochs_of(values))
        return callback, model, len(together.history.epoch)

    def test_waits_for_the_patience(self):
        callback, model, n_epochs = self.run([1.0, 0.9, 1.0, 1.0, 1.0, 0.1], patience=3)
        assert n_epochs == 5
        assert callback.stopped_epoch == 4
        assert model.stop_training

    def test_no_patience_stops_at_the_first_epoch_without_improvement(self):
        assert self.run([1.0, 0.9, 0.9, 0.1])[2] == 3

    def test_never_stops_after_the_first_epoch(self):
        # With a baseline that the first epoch misses, the waiting begins at once.
        assert self.run([1.0, 1.0, 1.0], baseline=0.5, patience=1)[2] == 2

    @given(
        values=st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]), min_size=1, max_size=12),
        patience=st.integers(0, 4),
        min_delta=st.sampled_from([0.0, 0.2]),
    )
    def test_by_the_book(self, values: list[float], patience: int, min_delta: float):
        callback, model, n_epochs = self.run(values, patience=patience, min_delta=min_delta, restore_best_weights=True)
        last, best = stopping_by_the_book(values, max(patience, 1), min_delta)
        assert n_epochs - 1 == last
        assert callback.best_epoch == best
        assert model.weight[0] == best + 1, "weights of the best epoch"

    def test_maximum(self):
        callback, _, n_epochs = self.run([0.1, 0.5, 0.4], mode="max")
        assert (callback.best, n_epochs) == (0.5, 3)

    def test_sign_of_min_delta_does_not_matter(self):
        assert self.run([1.0, 0.95, 0.9], min_delta=-0.1)[2] == 2

    def test_change_of_exactly_min_delta_is_none(self):
        assert self.run([1.0, 0.5, 0.25], min_delta=0.5)[2] == 2

    def test_restores_at_the_end_without_having_stopped(self):
        callback, model, n_epochs = self.run([1.0, 0.5, 0.6], patience=10, restore_best_weights=True)
        assert n_epochs == 3
        assert callback.stopped_epoch == 0
        assert model.weight[0] == 2

    def test_without_restoring_the_last_weights_stay(self):
        assert self.run([1.0, 0.5, 0.6], patience=10)[1].weight[0] == 3

    def test_baseline_must_be_beaten_within_the_patience(self):
        callback, model, n_epochs = self.run([1.0, 0.9, 0.8, 0.7], baseline=0.5, patience=3, restore_best_weights=True)
        assert n_epochs == 4, "epoch 3 still improves, so it does not stop although the patience is over"
        callback, model, n_epochs = self.run([1.0, 0.9, 0.8, 0.85], baseline=0.5, patience=3, restore_best_weights=True)
        assert n_epochs == 4
        assert callback.stopped_epoch == 3
        assert model.weight[0] == 3, "the best epoch is restored although it misses the baseline"
        assert self.run([1.0, 0.4, 0.45, 0.45, 0.45], baseline=0.5, patience=3)[2] == 5

    def test_start_from_epoch(self):
        callback, _, n_epochs = self.run([0.1, 1.0, 1.0, 0.9, 0.95, 0.1], start_from_epoch=2)
        assert n_epochs == 5
        assert callback.best == 0.9

    def test_restoring_before_anything_was_monitored(self):
        callback, model, _ = self.run([1.0, 2.0], start_from_epoch=5, restore_best_weights=True)
        assert callback.best_weights is None
        assert model.weight[0] == 2

    def test_reuse_begins_afresh(self):
        callback = EarlyStopping(patience=1)
        train(FakeModel(), callback, epochs_of([0.1, 0.2]))
        together = train(FakeModel(), callback, epochs_of([5.0, 4.0, 3.0]))
        assert len(together.history.epoch) == 3
        assert callback.stopped_epoch == 0

    def test_nan_is_no_improvement(self):
        callback, _, n_epochs = self.run([1.0, math.nan, math.nan, 0.5], patience=2)
        assert (callback.best, n_epochs) == (1.0, 3)

    def test_messages(self, capsys: pytest.CaptureFixture[str]):
        self.run([1.0, 2.0], verbose=1, restore_best_weights=True)
        assert capsys.readouterr().out == (
            "Epoch 2: early stopping\nRestoring model weights from the end of the best epoch: 1.\n"
        )

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"patience": -1}, "`patience` must be"),
            ({"start_from_epoch": -1}, "`start_from_epoch` must be"),
            ({"min_delta": math.nan}, "`min_delta` must be"),
            ({"baseline": math.nan}, "`baseline` must be"),
            ({"monitor": ""}, "`monitor` must be"),
        ],
    )
    def test_errors(self, options: dict[str, Any], message: str):
        with pytest.raises(ValueError, match=message):
            EarlyStopping(**options)


class TestReduceLROnPlateau:
    def run(self, values: list[float], optimizer: Any = None, **options: Any) -> tuple[list[float], ReduceLROnPlateau]:
        """Return the learning rate of each epoch."""
        callback, model = ReduceLROnPlateau(**options), FakeModel(optimizer or optimizers.SGD(1.0))
        history = train(model, callback, epochs_of(values)).history.history
        return [*history["learning_rate"], model.optimizer.learning_rate], callback

    def test_reduces_after_the_patience(self):
        rates, _ = self.run([1.0, 1.0, 1.0, 1.0, 1.0], factor=0.5, patience=2)
        assert rates == [1.0, 1.0, 1.0, 0.5, 0.5, 0.25]

    def test_improvement_restarts_the_waiting(self):
        rates, _ = self.run([1.0, 1.0, 0.5, 0.5, 0.5], factor=0.5, patience=2)
        assert rates == [1.0] * 5 + [0.5]

    def test_improvement_must_pass_min_delta(self):
        assert self.run([1.0, 0.95, 0.91], patience=2, min_delta=0.1)[0][-1] == 0.1
        assert self.run([1.0, 0.85, 0.7], patience=2, min_delta=0.1)[0][-1] == 1.0

    def test_cooldown(self):
        rates, callback = self.run([1.0] * 6, factor=0.5, patience=1, cooldown=2)
        # Epoch 1 reduces; epoch 2 only cools down; after epoch 3 the cooldown is over and it counts again.
        assert rates == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.125]
        assert callback.in_cooldown()

    def test_lower_bound(self):
        rates, _ = self.run([1.0] * 5, factor=0.1, patience=1, min_lr=0.05)
        assert rates == [1.0, 1.0, 0.1, 0.05, 0.05, 0.05]

    def test_no_patience(self):
        assert self.run([1.0, 1.0, 1.0], patience=0, factor=0.5)[0] == [1.0, 1.0, 0.5, 0.25]

    def test_maximum(self):
        assert self.run([0.5, 0.6, 0.6], patience=1, mode="max", factor=0.5)[0] == [1.0, 1.0, 1.0, 0.5]

    def test_reuse_begins_afresh(self):
        callback = ReduceLROnPlateau(patience=2, factor=0.5)
        train(FakeModel(), callback, epochs_of([1.0, 1.0]))
        model = FakeModel(optimizers.SGD(1.0))
        train(model, callback, epochs_of([5.0, 5.0]))
        assert model.optimizer.learning_rate == 1.0

    def test_schedule_cannot_be_reduced(self):
        with pytest.raises(TypeError, match="is a schedule here"):
            self.run([1.0, 1.0], optimizers.SGD(FlatCosine(1.0, 10)), patience=1)

    def test_message(self, capsys: pytest.CaptureFixture[str]):
        self.run([1.0, 1.0], patience=1, verbose=1, factor=0.5)
        assert capsys.readouterr().out == "\nEpoch 2: ReduceLROnPlateau reducing learning rate to 0.5.\n"

    @pytest.mark.parametrize(
        ("options", "message"),
        [({"factor": 1.0}, "`factor` must be"), ({"cooldown": -1}, "`cooldown`"), ({"min_lr": -1}, "`min_lr`")],
    )
    def test_errors(self, options: dict[str, Any], message: str):
        with pytest.raises(ValueError, match=message):
            ReduceLROnPlateau(**options)


class TestModelCheckpoint:
    def run(self, values: list[dict[str, Any]], n_batches: int = 1, **options: Any) -> list[str]:
        model = FakeModel()
        train(model, ModelCheckpoint(**{"filepath": "a", **options}), values, n_batches)
        return [path for _, path in model.saved]

    def test_every_epoch(self, tmp_path: Path):
        paths = self.run(epochs_of([0.5, 0.25]), filepath=str(tmp_path / "new" / "{epoch:02d}-{val_loss:.2f}.keras"))
        assert [Path(path).name for path in paths] == ["01-0.50.keras", "02-0.25.keras"]
        assert (tmp_path / "new").is_dir()

    def test_model_or_weights(self, tmp_path: Path):
        for weights_only, kind in ((False, "model"), (True, "weights")):
            model = FakeModel()
            train(model, ModelCheckpoint(tmp_path / "a", save_weights_only=weights_only), epochs_of([1.0]))
            assert model.saved == [(kind, str(tmp_path / "a"))]

    def test_best_only(self, tmp_path: Path):
        values = epochs_of([0.5, 0.6, 0.4, 0.4])
        assert self.run(values, filepath=f"{tmp_path}/{{epoch}}", save_best_only=True) == [
            f"{tmp_path}/1",
            f"{tmp_path}/3",
        ]

    def test_first_value_must_beat_the_threshold(self, tmp_path: Path):
        values = epochs_of([0.5, 0.2])
        paths = self.run(values, filepath=f"{tmp_path}/{{epoch}}", save_best_only=True, initial_value_threshold=0.3)
        assert paths == [f"{tmp_path}/2"]

    @pytest.mark.parametrize(
        ("logs", "words"), [({"loss": 1.0}, "not available"), ({"val_loss": np.ones(2)}, "must be one number")]
    )
    def test_best_that_cannot_be_told_is_saved_with_a_warning(self, tmp_path: Path, logs: dict[str, Any], words: str):
        with pytest.warns(UserWarning, match=words):
            assert len(self.run([logs], filepath=str(tmp_path / "a"), save_best_only=True)) == 1

    def test_every_so_many_batches_over_the_borders_of_epochs(self, tmp_path: Path):
        paths = self.run(epochs_of([1.0] * 3), 3, filepath=f"{tmp_path}/{{epoch}}-{{batch}}", save_freq=2)
        assert [Path(path).name for path in paths] == ["1-2", "2-1", "2-3", "3-2"]

    def test_best_of_batches(self, tmp_path: Path):
        model = FakeModel()
        checkpoint = ModelCheckpoint(f"{tmp_path}/{{batch}}", "loss", save_best_only=True, save_freq=1)
        together = CallbackList([checkpoint], model=model)
        together.on_epoch_begin(0)
        for batch, loss in enumerate([1.0, 2.0, 0.5]):
            together.on_train_batch_end(batch, {"loss": loss})
        assert [Path(path).name for _, path in model.saved] == ["1", "3"]

    def test_skipped_batches_count(self):
        counter = callbacks._BatchCounter(5)
        assert [batch for batch in (3, 7, 9, 2, 4, 6) if counter.is_due(batch)] == [7, 2]

    @given(n_batches=st.integers(1, 7), every=st.integers(1, 9), n_epochs=st.integers(1, 5))
    def test_counter_counts_all_batches(self, n_batches: int, every: int, n_epochs: int):
        counter = callbacks._BatchCounter(every)
        due = [counter.is_due(batch) for _ in range(n_epochs) for batch in range(n_batches)]
        assert due == [(number + 1) % every == 0 for number in range(n_epochs * n_batches)]

    def test_messages(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
        path = tmp_path / "a"
        self.run(epochs_of([0.5, 0.6, 0.4]), filepath=path, save_best_only=True, verbose=1)
        assert [line for line in capsys.readouterr().out.splitlines() if line] == [
            f"Epoch 1: val_loss improved from None to 0.50000, saving model to {path}",
            f"Epoch 1: finished saving model to {path}",
            "Epoch 2: val_loss did not improve from 0.50000",
            f"Epoch 3: val_loss improved from 0.50000 to 0.40000, saving model to {path}",
            f"Epoch 3: finished saving model to {path}",
        ]

    def test_errors(self, tmp_path: Path):
        with pytest.raises(KeyError, match=r"`filepath` must name values in the logs.*'mape' missing from val_loss"):
            self.run(epochs_of([1.0]), filepath="{mape}")
        with pytest.raises((ValueError, TypeError), match="`save_freq` must be"):
            ModelCheckpoint("a", save_freq="batch")
        with pytest.raises(ValueError, match="`save_freq` must be"):
            ModelCheckpoint("a", save_freq=0)
        with pytest.raises(ValueError, match="`filepath` must be"):
            ModelCheckpoint("")
        with pytest.raises(IsADirectoryError, match="`filepath` must not be a directory"):
            self.run(epochs_of([1.0]), filepath=tmp_path, save_weights_only=True)


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


class TestCSVLogger:
    def read(self, path: Path, separator: str = ",") -> list[list[str]]:
        with path.open(newline="") as file:
            return list(csv.reader(file, delimiter=separator))

    def test_writes_a_line_per_epoch(self, tmp_path: Path):
        path = tmp_path / "log.csv"
        train(FakeModel(), CSVLogger(path), [{"loss": 0.5, "val_loss": 1.0}, {"loss": 0.25}])
        assert self.read(path) == [["epoch", "loss", "val_loss"], ["0", "0.5", "1.0"], ["1", "0.25", "NA"]]

    def test_keeps_room_for_validation(self, tmp_path: Path):
        path = tmp_path / "log.csv"
        train(FakeModel(), CSVLogger(path), [{"loss": 0.5}, {"loss": 0.25, "val_loss": 0.75}])
        assert self.read(path) == [["epoch", "loss", "val_loss"], ["0", "0.5", "NA"], ["1", "0.25", "0.75"]]

    def test_append_writes_one_header(self, tmp_path: Path):
        path = tmp_path / "log.csv"
        train(FakeModel(), CSVLogger(path, append=True), epochs_of([1.0]))
        train(FakeModel(), CSVLogger(path, append=True), epochs_of([2.0]))
        assert self.read(path) == [["epoch", "val_loss"], ["0", "1.0"], ["0", "2.0"]]
        train(FakeModel(), CSVLogger(path), epochs_of([3.0]))
        assert self.read(path) == [["epoch", "val_loss"], ["0", "3.0"]]

    def test_separator_and_sequences(self, tmp_path: Path):
        path = tmp_path / "log.csv"
        train(FakeModel(), CSVLogger(path, separator=";"), [{"val_f1": np.array([0.5, 1.0])}])
        assert self.read(path, ";") == [["epoch", "val_f1"], ["0", '"[0.5, 1.0]"']]

    def test_lines_are_there_before_the_end(self, tmp_path: Path):
        logger = CSVLogger(tmp_path / "log.csv")
        logger.on_train_begin()
        logger.on_epoch_end(0, {"val_loss": 1.0})
        assert len(self.read(tmp_path / "log.csv")) == 2
        logger.on_train_end()
        logger.on_train_end()

    def test_errors(self, tmp_path: Path):
        with pytest.raises(OSError, match="missing"):
            CSVLogger(tmp_path / "missing" / "log.csv").on_train_begin()
        with pytest.raises(RuntimeError, match="before on_train_begin"):
            CSVLogger("a").on_epoch_end(0, {})


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


class KilledError(Exception):
    pass


class KillAt(Callback):
    """Ends the training as a crash would: no further hook is called."""

    def __init__(self, epoch: int, batch: int | None = None):
        super().__init__()
        self.place = (epoch, batch)
        self.epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        if self.place == (epoch, None):
            raise KilledError

    def on_train_batch_end(self, batch, logs=None):
        if self.place == (self.epoch, batch):
            raise KilledError


class TestBackupAndRestore:
    def interrupt(
        self, directory: Path, place: tuple[int, int | None], n_batches: int = 3, **options: Any
    ) -> FakeModel:
        model = FakeModel(optimizers.Adam(0.1))
        model.optimizer.state = {"momentum": np.array([0.1, -0.0, math.pi]), "velocity": np.ones(3, np.float32)}
        with pytest.raises(KilledError):
            train(model, [BackupAndRestore(directory, **options), KillAt(*place)], epochs_of([1.0] * 5), n_batches)
        return model

    def resume(self, directory: Path, n_batches: int = 3, **options: Any) -> tuple[FakeModel, list[int]]:
        model = FakeModel(optimizers.Adam(0.9))
        together = train(model, BackupAndRestore(directory, **options), epochs_of([1.0] * 5), n_batches)
        return model, together.history.epoch

    def test_goes_on_with_the_next_epoch(self, tmp_path: Path):
        self.interrupt(tmp_path / "backup", (2, None))
        model, epochs = self.resume(tmp_path / "backup")
        assert epochs == [2, 3, 4]
        assert model.weight[0] == 15

    def test_goes_on_in_the_middle_of_an_epoch(self, tmp_path: Path):
        self.interrupt(tmp_path / "backup", (2, 1), save_freq=2)
        model, epochs = self.resume(tmp_path / "backup", save_freq=2)
        assert epochs == [2, 3, 4]
        assert model.weight[0] == 15, "no batch twice, none left out"

    def test_state_comes_back_with_the_same_bits(self, tmp_path: Path):
        before = self.interrupt(tmp_path, (1, None))
        model, _ = self.resume(tmp_path)
        assert model.optimizer.state.keys() == before.optimizer.state.keys()
        for name, vector in before.optimizer.state.items():
            assert model.optimizer.state[name].dtype == vector.dtype
            assert model.optimizer.state[name].tobytes() == vector.tobytes()
        assert model.optimizer.learning_rate == 0.1
        assert model.restored["random"] == {"key": 2**64 - 1, "position": [1, 2]}
        assert model.optimizer.batches_seen == 15

    def test_nothing_to_restore(self, tmp_path: Path):
        model, epochs = self.resume(tmp_path / "none")
        assert epochs == [0, 1, 2, 3, 4]
        assert model.restored == {}

    def test_deleted_at_the_end_but_nothing_else(self, tmp_path: Path):
        self.resume(tmp_path / "backup")
        assert not (tmp_path / "backup").exists()
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "notes.txt").write_text("mine")
        self.resume(tmp_path / "other")
        assert [path.name for path in (tmp_path / "other").iterdir()] == ["notes.txt"]

    def test_kept_at_the_end_on_request(self, tmp_path: Path):
        self.resume(tmp_path, delete_checkpoint=False)
        assert self.resume(tmp_path)[1] == []

    def test_one_backup_or_two_are_kept(self, tmp_path: Path):
        self.interrupt(tmp_path / "one", (3, None))
        self.interrupt(tmp_path / "two", (3, None), double_checkpoint=True)
        assert len(list((tmp_path / "one").iterdir())) == 2
        assert len(list((tmp_path / "two").iterdir())) == 4

    @pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"x"), Path.unlink], ids=["damaged", "missing"])
    @pytest.mark.parametrize("kind", ["state", "weights"])
    def test_falls_back_to_the_backup_before(self, tmp_path: Path, damage: Any, kind: str):
        self.interrupt(tmp_path, (3, None), double_checkpoint=True)
        damage(max(tmp_path.glob(f"backup-*.{kind}.safetensors")))
        model, epochs = self.resume(tmp_path)
        assert epochs == [2, 3, 4]
        assert model.weight[0] == 15

    def test_unreadable_backup_is_an_error(self, tmp_path: Path):
        self.interrupt(tmp_path, (1, None))
        for path in tmp_path.glob("*.state.safetensors"):
            path.write_bytes(b"x")
        with pytest.raises(OSError, match="cannot be restored"):
            self.resume(tmp_path)

    @pytest.mark.parametrize("step", range(8))
    def test_killed_while_saving(self, tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch):
        """Whatever file operation the crash comes after, a whole backup is found: the last one or the one before."""
        self.interrupt(tmp_path, (2, None))
        model = FakeModel(optimizers.Adam(0.1))
        together = CallbackList(BackupAndRestore(tmp_path), model=model)
        together.on_train_begin()
        remaining = itertools.count(step, -1)

        def crash_after(operation: Any) -> Any:
            def wrapped(*arguments: Any, **options: Any) -> Any:
                if next(remaining) <= 0:
                    raise KilledError
                return operation(*arguments, **options)

            return wrapped

        with monkeypatch.context() as patched:
            for owner, name in ((Path, "unlink"), (callbacks, "write_state"), (FakeModel, "save_weights")):
                patched.setattr(owner, name, crash_after(getattr(owner, name)))
            patched.setattr("os.replace", crash_after(__import__("os").replace))
            patched.setattr("os.fsync", crash_after(__import__("os").fsync))
            try:
                model.weight += 3
                model.optimizer.batches_seen += 3
                together.on_epoch_end(2, {})
            except KilledError:
                pass
        model, epochs = self.resume(tmp_path)
        assert epochs in ([2, 3, 4], [3, 4])
        assert model.weight[0] == 15

    def test_leftovers_of_a_killed_process_are_removed(self, tmp_path: Path):
        (tmp_path / ".cnn_core-1-abc.tmp").write_bytes(b"half")
        (tmp_path / "backup-7.weights.safetensors").write_bytes(b"no state belongs to it")
        self.interrupt(tmp_path, (1, None))
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "backup-1.state.safetensors",
            "backup-1.weights.safetensors",
        ]

    def test_errors(self):
        with pytest.raises(ValueError, match="`backup_dir` must be"):
            BackupAndRestore("")
        with pytest.raises((ValueError, TypeError), match="`save_freq` must be"):
            BackupAndRestore("a", save_freq="batch")


class TestStateFiles:
    def test_round_trip(self, tmp_path: Path):
        state = {
            "none": None, "true": True, "large": 2**127 + 1, "float": 0.1, "nan": math.nan, "text": "ä\n",
            "list": [1, [2.5, {"inner": np.arange(3, dtype=np.uint64)}]], "tuple": (1, 2), "empty": {},
            "arrays": {"strided": np.arange(6.0)[::2], "scalar": np.array(3.0), "none": np.zeros((0, 2), bool)},
            "number": np.float32(0.1),
        }  # fmt: skip
        path = tmp_path / "state"
        callbacks.write_state(path, state)
        again = callbacks.read_state(path)
        arrays, inner = again.pop("arrays"), again["list"][1][1]["inner"]
        for name, array in state["arrays"].items():
            np.testing.assert_array_equal(arrays[name], array, strict=True)
        np.testing.assert_array_equal(inner, np.arange(3, dtype=np.uint64), strict=True)
        assert math.isnan(again.pop("nan"))
        assert again.pop("tuple") == [1, 2]
        assert again.pop("number") == float(np.float32(0.1))
        assert operator.itemgetter("none", "true", "large", "float", "text", "empty")(again) == (
            None, True, 2**127 + 1, 0.1, "ä\n", {},
        )  # fmt: skip

    def test_errors(self, tmp_path: Path):
        with pytest.raises(TypeError, match=r"must hold numbers, strings and arrays\. Received: <object"):
            callbacks.write_state(tmp_path / "a", {"x": object()})
        assert not (tmp_path / "a").exists()
        with pytest.raises(OSError, match="missing"):
            callbacks.read_state(tmp_path / "missing")
        model_file.write(tmp_path / "b", {}, {})
        with pytest.raises(ValueError, match="must hold the state of a training"):
            callbacks.read_state(tmp_path / "b")


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
