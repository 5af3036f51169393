"""Logs as lines of a file."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from callback_cases import FakeModel, epochs_of, train
from cnn_core.callbacks import CSVLogger


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
