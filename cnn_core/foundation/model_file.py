"""The native file: named arrays and text, in the layout of safetensors. Data only; knows nothing of models.

The format is a length, a header and bytes; the safetensors package neither refuses all bad headers before it allocates
nor syncs before it renames. Files pass between the two, and a test says so.
Layout: u64 little-endian size of the header; the header, JSON, padded by spaces to a multiple of 8; the arrays.
"""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import json
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np

import cnn_core.foundation.foreign_files as foreign_files
from cnn_core.foundation.records import NamedTuple
from cnn_core.foundation.replacement import PathLike, replacing
from cnn_core.foundation.version import __version__

if TYPE_CHECKING:
    pass

__all__ = ["FORMAT", "name_of", "read", "read_metadata", "write"]

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
FileLike: TypeAlias = PathLike | IO[bytes]  # a name, or a binary file that is open

# Version of what the arrays and the texts mean, which the file carries. A reader refuses a later one.
FORMAT = 1
FORMAT_KEY = "cnn_core.format"
VERSION_KEY = "cnn_core.version"
_OURS = frozenset((FORMAT_KEY, VERSION_KEY))

# Limits that no sound model comes near; they bound what a hostile header can cost.
MAX_HEADER = 16 << 20
MAX_TENSORS = 1 << 16
MAX_DIMENSIONS = 32

_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
_CODES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}
_METADATA = "__metadata__"
_SURROGATE = re.compile("[\ud800-\udfff]")
_CHUNK = 1 << 20


class _Entry(NamedTuple):
    """What the header says of one array; bytes begin..end are counted from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


# Writing


def write(path: FileLike, tensors: Mapping[str, Array], metadata: Mapping[str, str] | None = None) -> None:
    """Write arrays and texts to a file, so that a crash leaves the old file or the new one, never half.

    A temporary file in the same directory is written, synced and renamed over the old one; then the directory is
    synced. The new file keeps the old one's permissions. A symbolic link stays and what it points to is replaced.

    Parameters
    ----------
    path : str, path-like or binary file
        To a file object the bytes are written as they are, without syncing.
    tensors : mapping of str to numpy.ndarray
        Booleans, integers and floats of 16 to 64 bits; any shape, strides and byte order.
    metadata : mapping of str to str, default None
        Texts, such as a configuration in JSON. The versions of the format and of this package are added.

    Raises
    ------
    TypeError
        If a name or text is no string, or an array has another dtype.
    ValueError
        If the header would pass the limits that `read` sets, or the path ends as files of other formats do.
    OSError
        If the file cannot be written. The temporary file is removed.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> write(file, {"kernel": np.ones((2, 3), np.float32)}, {"note": "hello"})
    >>> _ = file.seek(0)
    >>> tensors, metadata = read(file)
    >>> tensors["kernel"].shape, metadata
    ((2, 3), {'note': 'hello'})
    """
    if isinstance(path, (str, os.PathLike)):
        foreign_files.check_name(path)
    header, arrays = _plan(tensors, metadata or {})
    parts = itertools.chain([memoryview(header)], map(_bytes_of, arrays))
    if isinstance(path, (str, os.PathLike)):
        with replacing(path) as descriptor:
            for part in parts:
                _write_all(functools.partial(os.write, descriptor), part)
    else:
        for part in parts:
            _write_all(path.write, part)


def write_bytes(path: PathLike, data: bytes) -> None:
    """Write a file of any format as `write` does: the old file or the new one, never half."""
    with replacing(path) as descriptor:
        _write_all(functools.partial(os.write, descriptor), memoryview(data))


def _plan(tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> tuple[bytes, list[Array]]:
    """Return the header, and the arrays in the order of their bytes: widest elements first, so that all are aligned."""
    _check_texts(tensors, metadata)
    codes = {name: _code(array, name) for name, array in tensors.items()}
    ordered = sorted(tensors, key=lambda name: -tensors[name].itemsize)
    offsets = itertools.accumulate((tensors[name].nbytes for name in ordered), initial=0)
    spans = dict(zip(ordered, itertools.pairwise(offsets), strict=True))
    entries: dict[str, Any] = {_METADATA: {FORMAT_KEY: str(FORMAT), VERSION_KEY: __version__, **metadata}}
    for name, array in tensors.items():
        entries[name] = {"dtype": codes[name], "shape": list(array.shape), "data_offsets": list(spans[name])}
    text = json.dumps(entries, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER or len(tensors) > MAX_TENSORS:
        raise ValueError(
            f"A model file holds at most {MAX_TENSORS} tensors and a header of {MAX_HEADER} bytes. "
            f"Received: {len(tensors)} tensors and a header of {len(text)} bytes"
        )
    return len(text).to_bytes(8, "little") + text, [tensors[name] for name in ordered]


def _check_texts(tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    for key, value in itertools.chain(metadata.items(), ((name, "") for name in tensors)):
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(
                f"Names, keys and texts of a model file must be strings. Received: {_brief(key)}: {_brief(value)}"
            )
        if not _is_unicode(key + value):
            raise ValueError(
                f"Names, keys and texts of a model file must be Unicode. Received: {_brief(key)}: {_brief(value)}"
            )
    for reserved in ({_METADATA} & set(tensors)) | (_OURS & set(metadata)):
        raise ValueError(f"{reserved!r} is a reserved name in a model file. Use another. Received: {reserved!r}")


def _is_unicode(text: str) -> bool:
    """Tell whether a string can be encoded: half a surrogate pair, which JSON can spell, cannot."""
    return _SURROGATE.search(text) is None


def _brief(value: object) -> str:
    """Show the beginning of a value, without a copy of the rest."""
    return repr(value[:60]) if isinstance(value, str) else f"{value!r:.60}"


def _code(array: Array, name: str) -> str:
    code = _CODES.get(array.dtype.newbyteorder("<")) if isinstance(array, np.ndarray) else None
    if code is None or array.ndim > MAX_DIMENSIONS:
        received = (
            f"{array.dtype} of {array.ndim} dimensions" if isinstance(array, np.ndarray) else type(array).__name__
        )
        raise TypeError(
            f"tensor {name!r} must be an array of booleans, integers or floats of at most 64 bits. Received: {received}"
        )
    return code


def _bytes_of(array: Array) -> memoryview:
    """View an array's elements as little-endian bytes in C order, copying it only if they are not that already."""
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return plain.reshape(-1).view(np.uint8).data


def _write_all(write_some: Callable[[memoryview], int | None], part: memoryview) -> None:
    """Write all of a buffer with a function that may write less than it was given."""
    while part:
        written = write_some(part[:_CHUNK])
        part = part[min(_CHUNK, len(part)) if written is None else written :]


# Reading


def read(path: FileLike, *, any_safetensors: bool = False) -> tuple[dict[str, Array], dict[str, str]]:
    """Read what `write` wrote.

    The header is checked in every respect before memory is taken for the arrays: it names no code, and nothing in the
    file is executed. Memory stays below twice the size of the file (and some megabytes for the header's names).

    Parameters
    ----------
    path : str, path-like or binary file
        A file object is read from where it stands to its end.
    any_safetensors : bool, default False
        Accept files that cnn_core has not written.

    Returns
    -------
    tensors : dict of str to numpy.ndarray
        In the header's order; writable, in native byte order.
    metadata : dict of str to str
        Without the versions: see `read_metadata`.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is truncated, damaged or of another format; the message names the file and what is wrong.

    Examples
    --------
    >>> read(io.BytesIO(b"PK"))
    Traceback (most recent call last):
        ...
    ValueError: The file is no sound model file: it ends within the size of its header. Received: 2 bytes
    """
    if isinstance(path, (str, os.PathLike)):
        with open(path, "rb") as file:  # noqa: PTH123 - the first load of a process imports nothing
            return _read_file(file, name_of(path), any_safetensors)
    return _read_file(path, name_of(path), any_safetensors)


def name_of(path: FileLike) -> str:
    """Return what messages call a file: "The file 'model.safetensors'"."""
    name = os.fspath(path) if isinstance(path, (str, os.PathLike)) else getattr(path, "name", None)
    return f"The file {name!r}" if isinstance(name, str) else "The file"


def _read_file(file: IO[bytes], name: str, any_safetensors: bool) -> tuple[dict[str, Array], dict[str, str]]:
    try:
        file, size = _measured(file)
        header, size = _read_header(file, size, any_safetensors)
        buffer = _read_exactly(file, size)
    except _UnsoundError as error:
        raise error.kind(f"{name} is no sound model file: {error}") from None
    metadata = {key: value for key, value in header.metadata.items() if key not in _OURS}
    return {key: _array(buffer, entry) for key, entry in header.entries.items()}, metadata


def _read_header(file: IO[bytes], size: int, any_safetensors: bool) -> tuple[_Header, int]:
    """Return the header of a file of `size` bytes, and how many bytes follow it."""
    prefix = _read_exactly(file, min(size, 8))
    try:
        header_size = _header_size(prefix, size)
    except _UnsoundError:
        head = prefix.tobytes() + file.read(512)
        foreign = foreign_files.recognised(head)
        if foreign is None:
            raise
        raise (_OfKerasError if foreign_files.is_of_keras(head) else _UnsoundError)(foreign) from None
    header = _Header(_decoded(_read_exactly(file, header_size)))
    if not any_safetensors:
        _check_format(header.metadata)
    _check_spans(header.entries, size - 8 - header_size)
    return header, size - 8 - header_size


def read_metadata(path: FileLike) -> dict[str, str]:
    """Read the texts of a file alone, the versions that `write` adds included; the arrays stay where they are.

    Raises
    ------
    OSError, ValueError
        As `read`.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> write(file, {}, {"note": "hello"})
    >>> _ = file.seek(0)
    >>> sorted(read_metadata(file))
    ['cnn_core.format', 'cnn_core.version', 'note']
    """
    with open(path, "rb") if isinstance(path, (str, os.PathLike)) else contextlib.nullcontext(path) as file:  # noqa: PTH123
        try:
            file, size = _measured(file)
            return _read_header(file, size, any_safetensors=False)[0].metadata
        except _UnsoundError as error:
            raise ValueError(f"{name_of(path)} is no sound model file: {error}") from None


class KerasFileError(ValueError):
    """A file that Keras wrote: `cnn_core.interop` reads it."""


class _UnsoundError(Exception):
    """What is wrong with a file, to be completed by its name."""

    kind: type[ValueError] = ValueError


class _OfKerasError(_UnsoundError):
    """That Keras wrote it."""

    kind = KerasFileError


def _measured(file: IO[bytes]) -> tuple[IO[bytes], int]:
    """Return a file and the number of bytes from where it stands to its end."""
    if not file.seekable():
        file = io.BytesIO(file.read())
    start = file.tell()
    size = file.seek(0, os.SEEK_END) - start
    file.seek(start)
    return file, size


def _read_exactly(file: IO[bytes], size: int) -> Array:
    """Read so many bytes into a buffer of their own."""
    buffer = np.empty(size, dtype=np.uint8)
    at = 0
    while at < size:
        chunk = file.read(min(_CHUNK, size - at))
        if not chunk:
            raise _UnsoundError(f"it became shorter while it was read. Received: {at} of {size} bytes")
        buffer[at : at + len(chunk)] = np.frombuffer(chunk, dtype=np.uint8)
        at += len(chunk)
    return buffer


def _header_size(prefix: Array, size: int) -> int:
    if len(prefix) < 8:
        raise _UnsoundError(f"it ends within the size of its header. Received: {size} bytes")
    header_size = int.from_bytes(prefix.tobytes(), "little")
    if header_size > size - 8:
        raise _UnsoundError(
            f"its header would end behind the file. Received: header of {header_size}, file of {size} bytes"
        )
    if header_size > MAX_HEADER:
        raise _UnsoundError(f"its header must be at most {MAX_HEADER} bytes. Received: {header_size} bytes")
    return header_size


def _decoded(raw: Array) -> str:
    try:
        return str(raw.data, "utf-8")
    except UnicodeDecodeError as error:
        raise _UnsoundError(f"its header must be UTF-8. Received: byte {error.start} of the header") from None


def _check_format(metadata: Mapping[str, str]) -> None:
    version = metadata.get(FORMAT_KEY)
    if version is None:
        raise _UnsoundError(
            f"it is a safetensors file that cnn_core did not write. Received: no {FORMAT_KEY!r} in its metadata"
        )
    if not version.isascii() or not version.isdigit() or len(version) > 9 or int(version) < 1:
        raise _UnsoundError(f"its format must be a positive integer. Received: {FORMAT_KEY}={_brief(version)}")
    if int(version) > FORMAT:
        raise _UnsoundError(
            f"its format is newer than this cnn_core. Update cnn_core. Received: {FORMAT_KEY}={version!r}"
        )


def _check_spans(entries: Mapping[str, _Entry], size: int) -> None:
    """Check that the arrays fit their shapes and fill the rest of the file without hole or overlap."""
    at = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        wanted = math.prod(entry.shape) * np.dtype(_DTYPES[entry.dtype]).itemsize
        received = f"Received: data_offsets=[{entry.begin}, {entry.end}]"
        if entry.end - entry.begin != wanted:
            raise _UnsoundError(f"tensor {_brief(name)} of shape {entry.shape} takes {wanted} bytes. {received}")
        if entry.begin != at:
            raise _UnsoundError(
                f"tensor {_brief(name)} must begin at byte {at}, where the one before it ends. {received}"
            )
        at = entry.end
    if at != size:
        what = "misses the end of its arrays" if at > size else "has bytes behind its arrays"
        raise _UnsoundError(f"it {what}. Received: {size} bytes instead of {at}")


def _array(buffer: Array, entry: _Entry) -> Array:
    """View part of the buffer as an array, in the machine's byte order; copy it only if its place demands it."""
    stored = buffer[entry.begin : entry.end].view(_DTYPES[entry.dtype]).reshape(entry.shape)
    if not stored.dtype.isnative:  # the buffer has no other reader
        stored = stored.byteswap(inplace=True).view(stored.dtype.newbyteorder("="))
    return np.require(stored, requirements=["ALIGNED"])


class _Header:
    """Parse a header by its own narrow grammar.

    A general JSON parser would build whatever the text says, many times its size, before anyone could object. Here
    nothing is built but names, texts and `_Entry`.

    Attributes
    ----------
    entries : dict of str to _Entry
    metadata : dict of str to str
    """

    _space = re.compile(r"[ \t\n\r]*")
    _whole = re.compile(r"(?:0|[1-9][0-9]{0,18})(?![0-9.eE])")
    _decode = json.JSONDecoder().raw_decode

    def __init__(self, text: str) -> None:
        self.entries: dict[str, _Entry] = {}
        self.metadata: dict[str, str] = {}
        self._text = text
        self._at = 0
        if not self._text.startswith("{"):
            self._fail("'{'")
        seen: set[str] = set()
        for name in self._keys():
            if name in seen:
                raise _UnsoundError(f"its header names {_brief(name)} twice")
            seen.add(name)
            if name == _METADATA:
                self._read_metadata()
            elif len(self.entries) == MAX_TENSORS:
                raise _UnsoundError(f"it must hold at most {MAX_TENSORS} tensors. Received: more")
            else:
                self.entries[name] = self._entry(name)
        if self._at != len(self._text):
            self._fail("the end")
        self._text = ""

    def _read_metadata(self) -> None:
        for key in self._keys():
            if key in self.metadata:
                raise _UnsoundError(f"its metadata name {_brief(key)} twice")
            self.metadata[key] = self._string()

    def _entry(self, name: str) -> _Entry:
        fields: dict[str, Any] = {}
        for key in self._keys():
            if key in fields or key not in ("dtype", "shape", "data_offsets"):
                raise _UnsoundError(
                    f"tensor {_brief(name)} must have dtype, shape and data_offsets. Received: {_brief(key)}"
                )
            fields[key] = self._string() if key == "dtype" else self._whole_numbers()
        if len(fields) != 3 or len(fields["data_offsets"]) != 2:
            raise _UnsoundError(
                f"tensor {_brief(name)} must have dtype, shape and two data_offsets. Received: {_brief(fields)}"
            )
        if fields["dtype"] not in _DTYPES:
            known = ", ".join(_DTYPES)
            raise _UnsoundError(
                f"tensor {_brief(name)} must have a dtype of {known}. Received: {_brief(fields['dtype'])}"
            )
        return _Entry(fields["dtype"], fields["shape"], *fields["data_offsets"])

    def _keys(self) -> Iterator[str]:
        """Yield the keys of an object, each time standing before the value, which the caller consumes."""
        self._expect("{")
        if self._accept("}"):
            return
        while True:
            key = self._string()
            self._expect(":")
            yield key
            if self._accept("}"):
                return
            self._expect(",")

    def _whole_numbers(self) -> tuple[int, ...]:
        numbers: list[int] = []
        self._expect("[")
        if self._accept("]"):
            return ()
        while len(numbers) < MAX_DIMENSIONS:
            found = self._whole.match(self._text, self._at)
            if found is None:
                self._fail("a whole number")
            self._skip_space(found.end())
            numbers.append(int(found.group()))
            if self._accept("]"):
                return tuple(numbers)
            self._expect(",")
        raise _UnsoundError(f"its tensors must have at most {MAX_DIMENSIONS} dimensions. Received: more")

    def _string(self) -> str:
        if self._text[self._at : self._at + 1] != '"':
            self._fail("a string")
        try:
            value, end = self._decode(self._text, self._at)
        except ValueError:
            self._fail("a string")
        self._skip_space(end)
        if not _is_unicode(value):
            self._fail("Unicode text before this")
        return str(value)

    def _accept(self, token: str) -> bool:
        """Step over a token and the space behind it, if it stands here."""
        if not self._text.startswith(token, self._at):
            return False
        self._skip_space(self._at + len(token))
        return True

    def _expect(self, token: str) -> None:
        if not self._accept(token):
            self._fail(repr(token))

    def _skip_space(self, at: int) -> None:
        found = self._space.match(self._text, at)
        assert found is not None  # none at all is found, too
        self._at = found.end()

    def _fail(self, wanted: str) -> NoReturn:
        here = self._text[self._at : self._at + 20]
        raise _UnsoundError(f"its header must have {wanted} at character {self._at}. Received: {here!r}")
