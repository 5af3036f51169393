"""Callbacks that write what happens to a file."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.callbacks.base import Callback, Logs, path_of

if TYPE_CHECKING:
    import csv


class CSVLogger(Callback):
    """Write the results of every epoch as a line of a CSV file.

    The columns are "epoch" and the names of the first epoch's logs in alphabetical order; without validation in the
    first epoch a `val_` column is kept free for each. A missing value is "NA".

    Parameters
    ----------
    filename : path
    separator : str, default ","
    append : bool, default False
        Whether to continue an existing file instead of replacing it.

    Raises
    ------
    OSError
        When training begins, if the file cannot be opened.

    Examples
    --------
    >>> CSVLogger("training.csv").append
    False
    """

    writes_files = True

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename = validation.path(filename, "filename")
        self.separator = validation.text(separator, "separator")
        self.append = validation.boolean(append, "append")
        self._file: IO[str] | None = None
        self._writer: csv.DictWriter[str] | None = None
        self._keys: list[str] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Open the file."""
        self._close()
        self._file = path_of(self.filename).open("a" if self.append else "w", newline="", encoding="utf-8")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write a line."""
        logs = logs or {}
        if self._writer is None:
            self._begin(logs)
        assert self._writer is not None
        assert self._file is not None
        self._writer.writerow({"epoch": epoch, **{key: _cell(logs.get(key, "NA")) for key in self._keys}})
        self._file.flush()

    def _begin(self, logs: Logs) -> None:
        import csv  # here and not above, like pathlib: importing the package should not wait for what few use

        if self._file is None:
            raise RuntimeError("CSVLogger.on_epoch_end was called before on_train_begin")
        self._keys = sorted(logs)
        if not any(key.startswith("val_") for key in self._keys):
            self._keys += [f"val_{key}" for key in self._keys]
        self._writer = csv.DictWriter(self._file, ["epoch", *self._keys], delimiter=self.separator)
        if self._file.tell() == 0:
            self._writer.writeheader()

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Close the file."""
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = self._writer = None


def _cell(value: Any) -> Any:
    """Write a sequence in one cell."""
    if isinstance(value, str) or np.ndim(value) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'
