"""Tables in files: CSV and Parquet, read by pandas, or by polars where pandas is not installed. Floor 6.

What is wrong with a file is said with its name, and the line or the column where one is to blame.
"""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import importlib
import importlib.util
import itertools
import lzma
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from cnn_core.arrays import Array

_PARQUET = (".parquet", ".pq")
_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_SEPARATORS = {";": "';'", "\t": "'\\t'", "|": "'|'"}  # likely ones, as a shell is told


class TableFile:
    """A table in a file.

    Parameters
    ----------
    path : str
        ".parquet" and ".pq" are Parquet; everything else is taken for CSV, compressed or not.
    separator : str, default ","
        Between the fields of a CSV file.
    encoding : str, default "utf-8"
        Of a CSV file.
    """

    def __init__(self, path: str, separator: str = ",", encoding: str = "utf-8") -> None:
        self.path, self.separator, self.encoding = path, separator.replace("\\t", "\t"), encoding
        if len(self.separator) != 1:
            raise ValueError(f"`separator` must be a single character. Received: separator={separator!r}")
        try:
            codecs.lookup(encoding)
        except LookupError:
            raise ValueError(f"`encoding` must be one that Python knows. Received: encoding={encoding!r}") from None
        self._is_parquet = Path(path).suffix.lower() in _PARQUET

    def read(self) -> Any:
        """Return the table as a data frame.

        Raises
        ------
        ImportError
            If neither pandas nor polars is installed.
        ValueError, OSError
            If the file cannot be read.
        """
        reader = next((name for name in ("pandas", "polars") if importlib.util.find_spec(name)), None)
        if reader is None:
            raise ImportError("tables are read by pandas or polars: pip install 'cnn_core[tables]'")
        Path(self.path).open("rb").close()  # says what is wrong with a path in the system's words
        frames = importlib.import_module(reader)
        try:
            table = frames.read_parquet(self.path) if self._is_parquet else self._read_csv(frames, reader)
        except ImportError:  # pandas without pyarrow
            raise ImportError(f"{self.path}: Parquet needs pyarrow: pip install 'cnn_core[tables]'") from None
        except (OSError, MemoryError):
            raise
        except UnicodeDecodeError:
            raise self._not_decoded() from None
        except Exception as error:  # both packages have exceptions of their own
            raise self._unreadable(error) from None
        if not table.shape[0]:
            raise ValueError(f"{self.path} has a header and no rows")
        if not self._is_parquet:
            self._refuse_ragged(table)
        return table

    def column(self, table: Any, name: str) -> Array:
        """Return a column of the table as an array.

        Raises
        ------
        ValueError
            If there is none of that name.
        """
        names = list(map(str, table.columns))
        if name in names:
            return np.asarray(table[name].to_numpy())
        hint = ""
        if len(names) == 1 and not self._is_parquet:
            likely = next((each for each in _SEPARATORS if each in names[0]), None)
            hint = "" if likely is None else f". Is it separated otherwise? Try --separator {_SEPARATORS[likely]}"
        raise ValueError(f"{self.path} has no column {name!r}; it has {', '.join(map(repr, names[:20]))}{hint}")

    def error(self, error: Exception) -> ValueError:
        """Return the same error with the file's name, and lines of a CSV file for rows."""
        text = str(error)
        if not self._is_parquet:
            text = re.sub(r"\bin row (\d+)", lambda found: f"in line {self.line_of(int(found[1]))}", text)
        return ValueError(f"{self.path}: {text}")

    def line_of(self, row: int) -> int:
        """Return the line in which a row of the table begins, blank lines and fields of several lines counted."""
        try:
            for number, (line, _) in enumerate(self._records()):
                if number == row + 1:  # the header is the first record
                    return line
        except (OSError, UnicodeDecodeError, csv.Error):
            pass
        return row + 2

    def _read_csv(self, frames: Any, reader: str) -> Any:
        if reader == "pandas":
            options = {"sep": self.separator, "encoding": self.encoding, "low_memory": False, "index_col": False}
        else:
            encoding = "utf8" if self.encoding.lower() in ("utf-8", "utf8") else self.encoding
            options = {"separator": self.separator, "encoding": encoding, "infer_schema_length": None}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a first line that is too long, which `_refuse_ragged` finds
            return frames.read_csv(self.path, **options)

    def _open(self) -> IO[bytes]:
        opened: IO[bytes] = _OPENERS.get(Path(self.path).suffix.lower(), open)(self.path, "rb")
        return opened

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """The line in which each record begins, and its fields; blank lines are no records."""
        encoding = "utf-8-sig" if self.encoding.lower() in ("utf-8", "utf8") else self.encoding
        with self._open() as binary:
            lines = (line.decode(encoding) for line in binary)
            records = csv.reader(lines, delimiter=self.separator)
            line = 1
            for fields in records:
                if fields:
                    yield line, fields
                line = records.line_num + 1

    def _refuse_ragged(self, table: Any) -> None:
        """Look for lines with too few fields, or a first one with too many, which readers fill up or cut in silence.

        Too few leave a gap in the last column: without one there is nothing to look for beyond the first line.
        """
        last = table[table.columns[-1]]
        gaps = bool(last.isna().any()) if hasattr(last, "isna") else bool(last.null_count())
        error = self._ragged(None if gaps else 2)
        if error is not None:
            raise error

    def _ragged(self, most: int | None = None) -> ValueError | None:
        """What is wrong with the first record, of all or of `most`, that has not as many fields as the header."""
        try:
            records = itertools.islice(self._records(), most)
            _, header = next(records)
            for line, fields in records:
                if len(fields) != len(header):
                    return ValueError(
                        f"{self.path}, line {line}: expected {len(header)} fields, as the header has. "
                        f"Received: {len(fields)}"
                    )
        except (OSError, UnicodeDecodeError, csv.Error, StopIteration):
            pass  # in a form that only the reader knows
        return None

    def _not_decoded(self) -> ValueError:
        text = f"is not written in {self.encoding}. Convert it, or say its encoding with --encoding, such as latin-1"
        if "16" in self.encoding or "32" in self.encoding:
            return ValueError(f"{self.path} {text}")
        with self._open() as lines:
            for number, line in enumerate(lines, 1):
                try:
                    line.decode(self.encoding)
                except UnicodeDecodeError as error:
                    place = f"{self.path}, line {number}"
                    return ValueError(f"{place}: the file {text}. Received: the byte 0x{line[error.start]:02x}")
        return ValueError(f"{self.path} {text}")

    def _unreadable(self, error: Exception) -> ValueError:
        """What a reader says, in our words where they help."""
        reason = str(error).replace("Error tokenizing data. C error: ", "").strip()
        if "No columns to parse" in reason or type(error).__name__ == "NoDataError":
            return ValueError(f"{self.path} is empty")
        if "invalid utf-8" in reason.lower() or "utf8" in reason.lower():
            return self._not_decoded()
        opened = re.search(r"EOF inside string starting at row (\d+)", reason)
        if opened:
            return ValueError(f"{self.path}, line {int(opened[1]) + 1}: a quotation mark opens and never closes")
        ragged = None if self._is_parquet else self._ragged()
        return ragged or ValueError(f"{self.path}: {reason}")
