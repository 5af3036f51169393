"""Checkpoints and backups: what is written when, and that a crash at any moment loses nothing."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnn_core.callbacks.checkpoints as checkpoints
from callback_cases import FakeModel, epochs_of, train
from cnn_core import optimizers
from cnn_core.callbacks import BackupAndRestore, Callback, CallbackList, ModelCheckpoint
from cnn_core.callbacks.checkpoints import _BatchCounter


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
        counter = _BatchCounter(5)
        assert [batch for batch in (3, 7, 9, 2, 4, 6) if counter.is_due(batch)] == [7, 2]

    @given(n_batches=st.integers(1, 7), every=st.integers(1, 9), n_epochs=st.integers(1, 5))
    def test_counter_counts_all_batches(self, n_batches: int, every: int, n_epochs: int):
        counter = _BatchCounter(every)
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
            for owner, name in ((Path, "unlink"), (checkpoints, "write_state"), (FakeModel, "save_weights")):
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
