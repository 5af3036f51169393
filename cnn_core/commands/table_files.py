"""Tables in files: CSV and Parquet, read by pandas, or by polars where pandas is not installed.

What is wrong with a file is said with its name, and the line or the column where one is to blame.
"""

from __future__ import annotations

import base64
import bz2
import codecs
import csv
import errno
import gzip
import importlib
import importlib.util
import itertools
import lzma
import os
import re
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from cnn_core.commands.table_notation import MISSING, Notation
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.suggestions import alphabetical, did_you_mean

_PARQUET = (".parquet", ".pq")
_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
# What an estimator advises, and what that is on the command line.
_REMEDIES = {
    "Write missing values as NaN or None": "Name what stands for a missing value in --na",
    "Convert them, or make the column one of categories": (
        "Say how numbers are written with --decimal and --thousands, or name the column in --categorical"
    ),
}
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

    Attributes
    ----------
    notation : Notation
        Of the numbers and gaps in a CSV file.
    """

    def __init__(self, path: str, separator: str = ",", encoding: str = "utf-8") -> None:
        self.path, self.separator, self.encoding = path, separator.replace("\\t", "\t"), encoding
        self.notation = Notation()
        if len(self.separator) != 1:
            raise ValueError(f"`separator` must be a single character. Received: separator={separator!r}")
        try:
            codecs.lookup(encoding)
            "".encode(encoding)  # refuses codecs of something else than text
        except (LookupError, UnicodeError):
            raise ValueError(f"`encoding` must be one that Python knows. Received: encoding={encoding!r}") from None
        self.is_parquet = Path(path).suffix.lower() in _PARQUET

    def check(self) -> None:
        """Raise OSError, in the system's words, if the file cannot be opened."""
        if not self.path:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.path)
        Path(self.path).open("rb").close()

    def read(self, texts: Collection[str] = (), numbers: Sequence[str] = (), categories: Sequence[str] = ()) -> Any:
        """Return the table as a data frame.

        Parameters
        ----------
        texts : collection of str, default ()
            Columns of a CSV file whose fields are kept as they are written.
        numbers : sequence of str, default ()
            Columns that must hold numbers.
        categories : sequence of str, default ()
            Columns that become categories, by their texts.

        Raises
        ------
        ImportError
            If neither pandas nor polars is installed.
        ValueError, OSError
            If the file cannot be read, if two of its columns have the same name, or if a column is missing.
        """
        reader = next((name for name in ("pandas", "polars") if importlib.util.find_spec(name)), None)
        if reader is None:
            raise ImportError("tables are read by pandas or polars: pip install 'cnn_core[tables]'")
        self.check()
        frames = importlib.import_module(reader)
        if not self.is_parquet:
            self._refuse_repeated(self._header())
        try:
            kept = {*texts, *categories}
            table = frames.read_parquet(self.path) if self.is_parquet else self._read_csv(frames, reader, kept)
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
        if self.is_parquet:
            table.columns = list(map(str, table.columns))  # numbers, or tuples of several levels
            self._refuse_repeated(list(table.columns))
        else:
            self._refuse_ragged(table)
            if not self.notation.is_plain:
                table = self._with_numbers(table, frames, kept, numbers)
        for name in dict.fromkeys([*categories, *(self._dictionaries() if self.is_parquet else ())]):
            table = _with_category(table, name, self.series(table, name))
        return table

    def column(self, table: object, name: str) -> Array:
        """Return a column of the table as an array; see `series`."""
        return np.asarray(self.series(table, name).to_numpy())

    def series(self, table: Any, name: str) -> Any:
        """Return a column of the table as its reader has it.

        Raises
        ------
        ValueError
            If there is none of that name.
        """
        names = list(table.columns)
        if name in names:
            return table[name]
        hint = did_you_mean(name, map(str, names))
        if len(names) == 1 and not self.is_parquet:
            likely = next((each for each in _SEPARATORS if each in names[0]), None)
            hint = hint if likely is None else f". Is it separated otherwise? Try --separator {_SEPARATORS[likely]}"
        known = ", ".join(map(repr, alphabetical(map(str, names))[:20]))
        raise ValueError(f"{self.path} has no column {name!r}; it has {known}{hint}")

    def error(self, error: Exception) -> ValueError:
        """Return the same error with the file's name, and lines of a CSV file for rows."""
        text = str(error)
        for advice, remedy in _REMEDIES.items():
            text = re.sub(re.escape(advice) + "[^.]*", remedy, text)
        if not self.is_parquet:
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

    def _read_csv(self, frames: Any, reader: str, texts: Collection[str]) -> Any:
        missing = [*MISSING, *self.notation.na]
        form: dict[str, Any]
        if reader == "pandas":
            types = dict.fromkeys(texts, str) if self.notation.is_plain else str
            form = {"sep": self.separator, "encoding": self.encoding, "low_memory": False, "index_col": False}
            form |= {"dtype": types, "na_values": missing, "keep_default_na": False}
        else:
            encoding = "utf8" if self.encoding.lower() in ("utf-8", "utf8") else self.encoding
            form = {"separator": self.separator, "encoding": encoding, "null_values": missing}
            if self.notation.is_plain:
                header = self._header() or texts
                types = {name: frames.String for name in texts if name in header}
                form |= {"schema_overrides": types, "infer_schema_length": None}
            else:
                form |= {"infer_schema": False}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a first line that is too long, which `_refuse_ragged` finds
            return frames.read_csv(self.path, **form)

    def _with_numbers(self, table: Any, frames: Any, texts: Collection[str], numbers: Sequence[str]) -> Any:
        """The same table of texts, with numbers in the columns that hold nothing else."""
        columns = {}
        for name in table.columns:
            column = table[name]
            values = None if name in texts else self._numbers(name, column, name in numbers)
            columns[name] = column if values is None else values
        return frames.DataFrame(columns)

    def _numbers(self, name: str, column: Any, known: bool) -> Array | None:
        parsed = np.full(len(column), np.nan)
        for row, text in enumerate(column.to_list()):
            if not isinstance(text, str):
                continue
            number = self.notation.number_of(text)
            if number is not None:
                parsed[row] = number
            elif known:
                raise self.error(ValueError(f"{name!r} held numbers in training. Received: {text!r} in row {row}"))
            else:
                return None
        return parsed

    def _header(self) -> list[str]:
        try:
            return next(self._records())[1]
        except (OSError, UnicodeDecodeError, csv.Error, StopIteration, EOFError, lzma.LZMAError):
            return []  # in a form that only the reader knows

    def _refuse_repeated(self, names: list[str]) -> None:
        """Readers rename the second of two columns: a second target would then be known to the model."""
        bare = [name.strip() for name in names]
        repeated = next((name for number, name in enumerate(bare) if name and name in bare[:number]), None)
        if repeated is not None:
            raise ValueError(
                f"{self.path}: columns must have names of their own. Received: {repeated!r} more than once"
            )

    def _dictionaries(self) -> list[str]:
        """Columns of Parquet that were written as dictionaries, which readers forget unless they are of texts."""
        try:
            arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
        except ImportError:  # polars reads without it
            return []
        written = (parquet.read_metadata(self.path).metadata or {}).get(b"ARROW:schema")
        fields = [] if written is None else arrow.ipc.read_schema(arrow.py_buffer(base64.b64decode(written)))
        return [field.name for field in fields if str(field.type).startswith("dictionary")]

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
        ragged = None if self.is_parquet else self._ragged()
        return ragged or ValueError(f"{self.path}: {reason}")


def _with_category(table: Any, name: str, column: Any) -> Any:
    """The same table with a column of a categorical type."""
    if hasattr(column, "iloc"):
        return table.assign(**{name: column.astype("category")})
    import polars

    return table.with_columns(column.cast(polars.String).cast(polars.Categorical))


def is_same_file(first: str, second: str) -> bool:
    """Whether two paths lead to the same file, also by links, and also where it does not exist yet."""
    try:
        return os.path.samefile(first, second)  # noqa: PTH121 - as for paths that are none of pathlib's
    except OSError:
        return os.path.realpath(first) == os.path.realpath(second)
