"""Monitored values: directions, early stopping by the book, plateaus."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callback_cases import FakeModel, epochs_of, train
from cnn_core import metrics, optimizers
from cnn_core.callbacks import EarlyStopping, ReduceLROnPlateau
from cnn_core.optimizers.schedules import FlatCosine


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

    def test_a_subclass_may_take_another_value(self):
        class Smoothed(EarlyStopping):
            def get_monitor_value(self, logs):
                return round(logs["val_loss"])

        callback = Smoothed(patience=1)
        together = train(FakeModel(), callback, epochs_of([1.4, 1.2, 0.6]))
        assert (callback.best, len(together.history.epoch)) == (1, 2)

    def test_restoring_before_anything_was_monitored(self):
        callback, model, _ = self.run([1.0, 2.0], start_from_epoch=5, restore_best_weights=True)
        assert callback.best_weights is None
        assert model.weight[0] == 2

    def test_reuse_begins_again(self):
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

    def test_reuse_begins_again(self):
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
