"""Callbacks that save: the best model, and a backup from which training resumes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

import cnn_core.foundation.foreign_files as foreign_files
import cnn_core.foundation.model_header as model_header
import cnn_core.foundation.validation as validation
from cnn_core.callbacks.base import ARRANGED_OTHERWISE, Callback, Logs, Phase, path_of
from cnn_core.callbacks.monitors import MonitorCallback
from cnn_core.callbacks.state_file import read_state, write_state
from cnn_core.foundation.caller import warn_caller
from cnn_core.foundation.display import show
from cnn_core.foundation.suggestions import alphabetical

if TYPE_CHECKING:
    from pathlib import Path


class _BatchCounter:
    """Says after which batches something is due every `every` batches, over the borders of epochs."""

    def __init__(self, save_freq: object) -> None:
        self.every: int | None = None if save_freq == "epoch" else validation.positive_integer(save_freq, "save_freq")
        self._last: int | None = None
        self._waiting = 0

    def is_due(self, batch: int) -> bool:
        if self.every is None:
            return False
        # Batch numbers that do not grow belong to a new epoch; several batches may have passed since the last call.
        new_epoch = self._last is None or batch <= self._last
        self._waiting += batch + 1 if new_epoch else batch - (self._last or 0)
        self._last = batch
        if self._waiting < self.every:
            return False
        self._waiting = 0
        return True


class ModelCheckpoint(MonitorCallback):
    """Save the model, or its weights, every epoch or every so many batches, or when it is the best so far.

    Parameters
    ----------
    filepath : path
        May hold "{epoch}", "{batch}" (both counted from 1 here) and the names in the logs, with formats:
        "model-{epoch:02d}-{val_loss:.2f}.keras". Missing directories are made. ".keras", for weights ".weights.h5",
        gives files of Keras: see `saving.save_model`.
    monitor : str, default "val_loss"
    verbose : int, default 0
        1 tells about every saving.
    save_best_only : bool, default False
        Whether to save only when the monitored value has improved. If it is missing or no single number, a warning
        says so and the model is saved.
    save_weights_only : bool, default False
        Whether to call `model.save_weights` instead of `model.save`.
    mode : {"auto", "min", "max"}, default "auto"
        Which direction is better; "auto" knows it for losses and for the metrics of the model.
    save_freq : "epoch" or int, default "epoch"
        An integer counts batches, over the borders of epochs.
    initial_value_threshold : float, optional
        What the first value must beat to be the best.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type; in training, if "auto" cannot know the direction.
    KeyError
        If `filepath` names a value that is not in the logs.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> ModelCheckpoint("best.keras", save_best_only=True).needs_batch_hooks("train")
    False
    """

    writes_files = True
    passed_over: ClassVar[Mapping[str, str]] = dict.fromkeys(
        (
            *("_set_monitor_op", "_should_save_model", "_save_model", "_should_save_on_batch", "_get_file_path"),
            *("_checkpoint_exists", "_get_most_recently_modified_file_matching_pattern"),
        ),
        ARRANGED_OTHERWISE,
    )

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, best=initial_value_threshold)
        self.filepath = validation.path(filepath, "filepath")
        self.verbose = validation.one_of(verbose, "verbose", (0, 1, 2, False, True))
        self.save_best_only = validation.boolean(save_best_only, "save_best_only")
        self.save_weights_only = validation.boolean(save_weights_only, "save_weights_only")
        keras_ending = foreign_files.KERAS_WEIGHTS if self.save_weights_only else foreign_files.KERAS_MODEL
        foreign_files.check_name(self.filepath, but=keras_ending)
        self.save_freq = save_freq
        self._counter = _BatchCounter(save_freq)
        self._current_epoch = 0

    def follows_batches(self, phase: Phase) -> bool:
        """Return whether batches of training are counted."""
        return phase == "train" and self.save_freq != "epoch"

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Note the epoch."""
        self._current_epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Save if enough batches have passed."""
        super().on_train_batch_end(batch, logs)
        if self._counter.is_due(batch):
            self._save(self._current_epoch, {"batch": batch + 1, **(logs or {})})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save if epochs count."""
        if self.save_freq == "epoch":
            self._save(epoch, logs or {})

    def _save(self, epoch: int, logs: Logs) -> None:
        try:
            path = self.filepath.format(epoch=epoch + 1, **logs)
        except KeyError as error:
            raise KeyError(
                f"`filepath` must name values in the logs. Received: {self.filepath!r} with {error} missing from "
                f"{', '.join(alphabetical(logs))}"
            ) from None
        if not self._is_wanted(epoch, logs, path):
            return
        path_of(path).parent.mkdir(parents=True, exist_ok=True)
        save = self.model.save_weights if self.save_weights_only else self.model.save
        try:
            save(path)
        except IsADirectoryError as error:
            raise IsADirectoryError(f"`filepath` must not be a directory. Received: filepath={path!r}") from error
        self._tell(epoch, f"finished saving model to {path}")

    def _is_wanted(self, epoch: int, logs: Logs, path: str) -> bool:
        if not self.save_best_only:
            self._tell(epoch, f"saving model to {path}")
            return True
        current = self._monitored(logs, "ModelCheckpoint saves every time, for it watches")
        if current is None:
            return True
        if np.ndim(current) > 0:
            warn_caller(
                f"ModelCheckpoint saves every time, for `{self.monitor}` must be one number. Received: {current}"
            )
            return True
        best = "None" if self.best is None else f"{self.best:.5f}"
        if not self._is_improvement(current, self.best):
            self._tell(epoch, f"{self.monitor} did not improve from {best}")
            return False
        self._tell(epoch, f"{self.monitor} improved from {best} to {current:.5f}, saving model to {path}")
        self.best = current
        return True

    def _tell(self, epoch: int, message: str) -> None:
        if self.verbose > 0:
            show(f"\nEpoch {epoch + 1}: {message}")


class BackupAndRestore(Callback):
    """Save the whole state of the training now and then, and go on from there after an interruption.

    When `fit` begins and `backup_dir` holds a backup, the model gets back its weights, the optimizer's state, the
    random state and the epoch, and training continues to the same bits as if it had not been interrupted. The states
    of other callbacks are not saved. At every moment the last backup is whole: the next is written
    and synced under new names, and only then the last deleted.

    Parameters
    ----------
    backup_dir : path
        A directory for this training alone; made if missing.
    save_freq : "epoch" or int, default "epoch"
        An integer counts batches, over the borders of epochs.
    double_checkpoint : bool, default False
        Whether to keep the backup before the last as well, for the case that the last cannot be read.
    delete_checkpoint : bool, default True
        Whether to delete the backup when training ends. Other files in the directory stay.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range or of a wrong type.
    OSError
        In training, if a backup cannot be written or read.

    Examples
    --------
    >>> BackupAndRestore("backup", save_freq=100).needs_batch_hooks("train")
    True
    """

    writes_files = True
    passed_over: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("_should_save_on_batch", "_save_model", "_restore_training"), ARRANGED_OTHERWISE
    )

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        self.backup_dir = path_of(validation.path(backup_dir, "backup_dir"))
        self.save_freq = save_freq
        self.double_checkpoint = validation.boolean(double_checkpoint, "double_checkpoint")
        self.delete_checkpoint = validation.boolean(delete_checkpoint, "delete_checkpoint")
        self._counter = _BatchCounter(save_freq)
        self._epoch = 0

    def follows_batches(self, phase: Phase) -> bool:
        """Return whether batches of training are counted."""
        return phase == "train" and self.save_freq != "epoch"

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Restore the newest backup that can be read, if there is any."""
        self._counter = _BatchCounter(self.save_freq)
        failure: Exception | None = None
        for number in self._numbers():
            try:
                self._restore(number)
                return
            except (OSError, ValueError) as error:
                failure = error
        if failure is not None:
            raise OSError(f"The backup in {str(self.backup_dir)!r} cannot be restored: {failure}") from failure

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Note the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Save if enough batches have passed."""
        super().on_train_batch_end(batch, logs)
        if self._counter.is_due(batch):
            self._save(self._epoch, batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Save if epochs count."""
        if self.save_freq == "epoch":
            self._save(epoch + 1, 0)

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Delete the backup, if asked."""
        if self.delete_checkpoint and self.backup_dir.exists():
            self._delete_all_but([])
            if not any(self.backup_dir.iterdir()):
                self.backup_dir.rmdir()

    def _save(self, epoch: int, batch: int) -> None:
        """Save as of the moment when `epoch` epochs and `batch` batches of the next one are done."""
        self.backup_dir.mkdir(parents=True, exist_ok=True)
        older = self._numbers()
        number = max(older, default=0) + 1
        self.model.save_weights(str(self._weights(number)))
        # Written last: a backup counts from the moment when its state exists.
        write_state(self._state(number), {**self.model.training_state(), "epoch": epoch, "batch": batch})
        self._delete_all_but([number, *older[:1]] if self.double_checkpoint else [number])

    def _restore(self, number: int) -> None:
        path = self._state(number)
        with model_header.refused_by_name(f"The file {str(path)!r}"):
            state = read_state(path)
            self.model.load_weights(str(self._weights(number)))
            self.model.restore_training_state(state)

    def _state(self, number: int) -> Path:
        return self.backup_dir / f"backup-{number}.state.safetensors"

    def _weights(self, number: int) -> Path:
        return self.backup_dir / f"backup-{number}.weights.safetensors"

    def _numbers(self) -> list[int]:
        """Return the numbers of the whole backups, newest first."""
        matches = (re.fullmatch(r"backup-(\d+)\.state\.safetensors", path.name) for path in self._files())
        return sorted((int(match[1]) for match in matches if match), reverse=True)

    def _files(self) -> list[Path]:
        # State before weights, so that deleting never leaves a state without weights; then what a killed process left.
        return [*sorted(self.backup_dir.glob("backup-*.safetensors")), *self.backup_dir.glob(".cnn_core-*.tmp")]

    def _delete_all_but(self, kept: list[int]) -> None:
        names = {path.name for number in kept for path in (self._state(number), self._weights(number))}
        for path in self._files():
            if path.name not in names:
                path.unlink(missing_ok=True)
