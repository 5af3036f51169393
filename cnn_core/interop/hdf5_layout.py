"""The layout of HDF5 in which h5py, and so Keras, writes by default, read without the HDF5 library.

The library crashes on some damaged files; this reader takes only what is there. It knows groups, arrays of numbers that
lie in one piece, and texts; everything else that HDF5 can do is refused by name. Every part is read once, so that what
reading costs is bounded by the file's size.

Source: The HDF Group, "HDF5 File Format Specification Version 3.0", superblock 0, object headers of version 1.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple

SIGNATURE = b"\x89HDF\r\n\x1a\n"
UNDEFINED = 2**64 - 1  # address of what has not been written
MAX_RANK = 32

# Kinds of messages in object headers.
DATASPACE, LINK_INFO, DATATYPE, LINK, EXTERNAL_FILES, LAYOUT, ATTRIBUTE, CONTINUATION, SYMBOL_TABLE = (
    1, 2, 3, 6, 7, 8, 12, 16, 17,
)  # fmt: skip
_SHARED = 2  # flag of a message that stands elsewhere
_EXPONENT_BITS = {2: 5, 4: 8, 8: 11}  # of IEEE's numbers, by their bytes
_NEWER = "its HDF5 part must have the classic layout, as h5py writes by default. Received: a newer one"


class Node(NamedTuple):
    """A group, or an array with its attributes.

    Attributes
    ----------
    members : mapping of str to int, or None
        Addresses of what is in a group; None of an array.
    array : array or None
        A view of the file.
    attributes : mapping of str to list of str, or None
        Texts; None for an attribute that holds something else.
    """

    members: Mapping[str, int] | None
    array: Array | None
    attributes: Mapping[str, list[str] | None]


class Layout:
    """The parts of a file.

    Parameters
    ----------
    data : bytes
        The whole file.

    Raises
    ------
    ValueError
        If it begins otherwise than such files do. All methods raise it for what they cannot read.
    """

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self.n_bytes = len(data)
        self._left = 2 * len(data) + 96  # bytes that may be read: everything once, and the texts
        self._nodes: dict[int, Node] = {}
        self._texts: dict[int, dict[int, bytes]] = {}
        head = bytes(self._take(0, 96))
        if head[:8] != SIGNATURE:
            raise ValueError(f"its HDF5 part must begin with {SIGNATURE!r}. Received: {head[:8]!r}")
        if head[8] > 1 or head[13:15] != b"\x08\x08":
            raise ValueError(_NEWER)
        skipped = 28 if head[8] else 24
        base, *_, self.root = struct.unpack_from("<6Q", head, skipped)
        if base:
            raise ValueError(f"its HDF5 part must begin at 0. Received: {base}")

    def _take(self, address: int, n_bytes: int) -> memoryview:
        """Return a part of the file, which must be in it."""
        self._spend(n_bytes)
        part = self._data[address : address + n_bytes]
        if len(part) != n_bytes:
            raise ValueError(f"its HDF5 part must have {n_bytes} bytes at {address}. Received: {len(part)}")
        return part

    def _spend(self, n_bytes: int) -> None:
        self._left -= n_bytes
        if self._left < 0:
            raise ValueError("its HDF5 part must name every place once. Received: one that is named again and again")

    def node(self, address: int) -> Node:
        """Return the group or array whose header is at an address."""
        if address not in self._nodes:
            self._nodes[address] = self._read(address)
        return self._nodes[address]

    def _read(self, address: int) -> Node:
        members: dict[str, int] | None = None
        attributes: dict[str, list[str] | None] = {}
        parts: dict[int, memoryview] = {}
        for kind, body in self._messages(address):
            if kind in (SYMBOL_TABLE, LINK, LINK_INFO):
                members = {} if members is None else members
                members.update(self._links(kind, body))
            elif kind == ATTRIBUTE:
                name, value = self._attribute(body)
                attributes[name] = value
            else:
                parts[kind] = body
        return Node(members, self._array(parts) if members is None else None, attributes)

    def _messages(self, address: int) -> Iterator[tuple[int, memoryview]]:
        head = self._take(address, 16)
        version, _, n_messages, _, size = struct.unpack_from("<BBHII", head)
        if version != 1:
            raise ValueError(_NEWER)
        blocks = [(address + 16, size)]
        for begin, length in blocks:
            block = self._take(begin, length)
            at = 0
            while n_messages and at + 8 <= length:
                kind, n_bytes, flags = struct.unpack_from("<HHB", block, at)
                body = block[at + 8 : at + 8 + n_bytes]
                if len(body) != n_bytes or flags & _SHARED:
                    raise ValueError("its HDF5 part must keep what describes an object in its header. Received: less")
                at += 8 + n_bytes
                n_messages -= 1
                if kind == CONTINUATION:
                    blocks.append(struct.unpack_from("<QQ", body))
                else:
                    yield kind, body

    # Groups

    def _links(self, kind: int, body: memoryview) -> Iterator[tuple[str, int]]:
        if kind == SYMBOL_TABLE:
            yield from self._symbols(*struct.unpack_from("<QQ", body))
        elif kind == LINK:
            yield _link(body)
        elif struct.unpack_from("<Q", body, 10 if body[1] & 1 else 2) != (UNDEFINED,):
            raise ValueError(_NEWER)

    def _symbols(self, tree: int, heap: int) -> Iterator[tuple[str, int]]:
        """Yield the members of a group from its tree of tables; names are in its heap."""
        _, size, _, begin = struct.unpack("<8sQQQ", self._signed(heap, b"HEAP", 32))
        names = bytes(self._take(begin, size))
        waiting = [tree]
        while waiting:
            address = waiting.pop()
            if bytes(self._data[address : address + 4]) == b"TREE":
                (n_children,) = struct.unpack_from("<H", self._signed(address, b"TREE", 24), 6)
                pairs = self._take(address + 24, 8 + 16 * n_children)
                waiting += struct.unpack_from(f"<{2 * n_children}Q", pairs)[1::2]
                continue
            (n_symbols,) = struct.unpack_from("<H", self._signed(address, b"SNOD", 8), 6)
            for name, header, cached, _ in struct.iter_unpack("<QQQ16s", self._take(address + 8, 40 * n_symbols)):
                end = max(names.find(b"\0", name), name)
                self._spend(end - name)
                text = names[name:end].decode()
                if cached & 0xFFFFFFFF == 2 or header == UNDEFINED:
                    raise ValueError(f"its HDF5 part must hold no links to elsewhere. Received: one named {text!r}")
                yield text, header

    def _signed(self, address: int, signature: bytes, n_bytes: int) -> memoryview:
        part = self._take(address, n_bytes)
        if part[:4] != signature:
            raise ValueError(f"its HDF5 part must have {signature!r} at {address}. Received: {bytes(part[:4])!r}")
        return part

    # Attributes

    def _attribute(self, body: memoryview) -> tuple[str, list[str] | None]:
        version, flags, *sizes = struct.unpack_from("<BBHHH", body)
        if version not in (1, 2, 3) or (version > 1 and flags):
            raise ValueError(_NEWER)
        at = 9 if version == 3 else 8
        parts = []
        for size in sizes:
            parts.append(body[at : at + size])
            at += size + (-size % 8 if version == 1 else 0)
        name = bytes(parts[0]).rstrip(b"\0").decode()
        return name, self._text_values(parts[1], _shape(parts[2]), body[at:])

    def _text_values(self, datatype: memoryview, shape: tuple[int, ...] | None, data: memoryview) -> list[str] | None:
        """Return the texts of an attribute, each of a fixed length or in a heap."""
        count = 0 if shape is None else math.prod(shape)
        if count == 0:
            return []
        kind, size = datatype[0] & 15, struct.unpack_from("<I", datatype, 4)[0]
        if size * count > len(data) or size == 0:
            raise ValueError(f"its HDF5 part must have {size * count} bytes of an attribute. Received: {len(data)}")
        values = [data[begin : begin + size] for begin in range(0, size * count, size)]
        if kind == 3:
            return [bytes(value).rstrip(b"\0 ").decode() for value in values]
        if kind != 9 or datatype[1] & 15 != 1 or size != 16:
            return None
        return [self._from_heap(*struct.unpack("<IQI", value)).decode() for value in values]

    def _from_heap(self, length: int, address: int, index: int) -> bytes:
        self._spend(length)
        if length == 0:
            return b""
        if address not in self._texts:
            self._texts[address] = self._heap(address)
        found = self._texts[address].get(index, b"")
        if len(found) < length:
            raise ValueError(f"its HDF5 part must have a text of {length} bytes. Received: {len(found)}")
        return found[:length]

    def _heap(self, address: int) -> dict[int, bytes]:
        size = struct.unpack_from("<Q", self._signed(address, b"GCOL", 16), 8)[0]
        data = bytes(self._take(address, size))
        found: dict[int, bytes] = {}
        at = 16
        while at + 16 <= size:
            index, length = struct.unpack_from("<H6xQ", data, at)
            if index == 0:
                break
            found[index] = data[at + 16 : at + 16 + length]
            at += 16 + length + -length % 8
        return found

    # Arrays

    def _array(self, parts: Mapping[int, memoryview]) -> Array:
        if not {DATASPACE, DATATYPE, LAYOUT} <= parts.keys():
            raise ValueError("its HDF5 part must hold groups and arrays. Received: something else")
        dtype, shape = _dtype(parts[DATATYPE]), _shape(parts[DATASPACE])
        if dtype is None or shape is None:
            raise ValueError("its arrays must hold numbers of at most 64 bits. Received: something else")
        layout = parts[LAYOUT]
        version, place = layout[0], layout[1]
        if EXTERNAL_FILES in parts or version not in (3, 4) or place not in (0, 1):
            raise ValueError("its arrays must lie in the file, in one piece, uncompressed. Received: otherwise")
        if place == 0:
            (size,) = struct.unpack_from("<H", layout, 2)
            data = layout[4 : 4 + size]
        else:
            address, size = struct.unpack_from("<QQ", layout, 2)
            data = self._data[0:0] if address == UNDEFINED else self._data[address : address + size]
        n_bytes = math.prod(shape) * dtype.itemsize
        if len(data) < n_bytes:
            raise ValueError(f"its arrays must lie in the file. Received: shape={shape} with {len(data)} bytes")
        return np.frombuffer(data[:n_bytes], dtype).reshape(shape)


def _link(body: memoryview) -> tuple[str, int]:
    """Return the name and the address in a message for one member of a group."""
    flags = body[1]
    at = 2
    kind = body[at] if flags & 8 else 0
    at += bool(flags & 8) + 8 * bool(flags & 4) + bool(flags & 16)
    width = 1 << (flags & 3)
    length = int.from_bytes(body[at : at + width], "little")
    at += width
    name = bytes(body[at : at + length]).decode()
    if kind:
        raise ValueError(f"its HDF5 part must hold no links to elsewhere. Received: one named {name!r}")
    return name, struct.unpack_from("<Q", body, at + length)[0]


def _shape(body: memoryview) -> tuple[int, ...] | None:
    """Return a shape; None of what has none."""
    version, rank, _, kind = struct.unpack_from("<BBBB", body)
    if version not in (1, 2) or rank > MAX_RANK:
        raise ValueError(_NEWER)
    if version == 2 and kind == 2:
        return None
    found: tuple[int, ...] = struct.unpack_from(f"<{rank}Q", body, 8 if version == 1 else 4)
    return found


def _dtype(body: memoryview) -> np.dtype[Any] | None:
    """Return a type of whole numbers or of IEEE's; None for all others."""
    kind, flags, size = struct.unpack_from("<BB2xI", body)
    order = "<>"[flags & 1]
    offset, precision = struct.unpack_from("<HH", body, 8) if len(body) >= 12 else (1, 0)
    if offset or precision != 8 * size or size > 8:
        return None
    if kind & 15 == 0 and size in (1, 2, 4, 8):
        return np.dtype(f"{order}{'i' if flags & 8 else 'u'}{size}")
    if kind & 15 == 1 and not flags & 64 and len(body) >= 20 and _EXPONENT_BITS.get(size) == body[13]:
        return np.dtype(f"{order}f{size}")
    return None
