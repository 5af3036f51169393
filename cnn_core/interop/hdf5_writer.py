"""Files of HDF5 with groups, arrays and texts, written without the HDF5 library, for every version of it since 1.8.

Source: The HDF Group, "HDF5 File Format Specification Version 3.0": superblock 0, object headers of version 1, links as
messages in the headers of groups.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import IO

import numpy as np

import cnn_core.interop.hdf5_layout as hdf5_layout
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple

_SUPERBLOCK = 96  # bytes
_GROUP_INFO = 10  # kind of a message that only those need who go on writing
_EXPONENTS = {2: (10, 5, 10, 15), 4: (23, 8, 23, 127), 8: (52, 11, 52, 1023)}  # place, bits, bits of mantissa, bias


class Branch(NamedTuple):
    """A group to be written.

    Attributes
    ----------
    members : mapping of str to Branch or array
    attributes : mapping of str to str
    """

    members: Mapping[str, Branch | Array]
    attributes: Mapping[str, str] = {}


def write(file: IO[bytes], root: Branch) -> None:
    """Write a file.

    Parameters
    ----------
    file : binary file
        Empty, and one that can be sought in.
    root : Branch

    Examples
    --------
    >>> import io
    >>> from cnn_core.interop.hdf5 import root_of
    >>> file = io.BytesIO()
    >>> write(file, Branch({"layers": Branch({"0": np.eye(2)}, {"name": "dense"})}))
    >>> layers = root_of(file.getvalue()).group("layers")
    >>> layers.text("name"), layers.array("0").tolist()
    ('dense', [[1.0, 0.0], [0.0, 1.0]])
    """
    file.write(bytes(_SUPERBLOCK))
    header = _written(file, root)
    end = file.tell()
    file.seek(0)
    sizes = struct.pack("<5x2Bx2H4x", 8, 8, 4, 16)
    places = struct.pack("<4Q", 0, hdf5_layout.UNDEFINED, end, hdf5_layout.UNDEFINED)
    file.write(hdf5_layout.SIGNATURE + sizes + places + struct.pack("<QQ24x", 0, header))
    file.seek(end)


def _written(file: IO[bytes], part: Branch | Array) -> int:
    """Write a group after what is in it, or an array; return where its header is."""
    if isinstance(part, Branch):
        messages = [
            (hdf5_layout.LINK_INFO, struct.pack("<BBQQ", 0, 0, *[hdf5_layout.UNDEFINED] * 2)),
            (_GROUP_INFO, bytes(2)),
        ]
        messages += [(hdf5_layout.LINK, _link(name, _written(file, member))) for name, member in part.members.items()]
        messages += [(hdf5_layout.ATTRIBUTE, _attribute(name, text)) for name, text in part.attributes.items()]
    else:
        array = np.asarray(part)
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)
        address = _appended(file, array.data) if array.size else hdf5_layout.UNDEFINED
        messages = [
            (hdf5_layout.DATASPACE, _dataspace(array.shape)),
            (hdf5_layout.DATATYPE, _datatype(array.dtype)),
            (hdf5_layout.LAYOUT, struct.pack("<BBQQ", 3, 1, address, array.nbytes)),
        ]
    body = b"".join(
        struct.pack("<HHB3x", kind, len(data) + -len(data) % 8, 0) + data + bytes(-len(data) % 8)
        for kind, data in messages
    )
    return _appended(file, struct.pack("<BBHII4x", 1, 0, len(messages), 1, len(body)) + body)


def _appended(file: IO[bytes], data: bytes | memoryview) -> int:
    address = file.tell()
    file.write(data)
    file.write(bytes(-memoryview(data).nbytes % 8))
    return address


def _link(name: str, address: int) -> bytes:
    encoded = name.encode()
    return struct.pack("<BBBI", 1, 16 + 2, 1, len(encoded)) + encoded + struct.pack("<Q", address)


def _attribute(name: str, text: str) -> bytes:
    value = text.encode() or b"\0"
    parts = (name.encode() + b"\0", _text_type(len(value)), _dataspace(()))
    sizes = struct.pack("<BxHHH", 1, *map(len, parts))
    return sizes + b"".join(part + bytes(-len(part) % 8) for part in parts) + value


def _dataspace(shape: tuple[int, ...]) -> bytes:
    return struct.pack(f"<BBB5x{len(shape)}Q", 1, len(shape), 0, *shape)


def _text_type(n_bytes: int) -> bytes:
    """Return the type of a UTF-8 text of a length, filled up with zeros."""
    return struct.pack("<BBBBI", 0x13, 0x11, 0, 0, n_bytes)


def _datatype(dtype: np.dtype[np.generic]) -> bytes:
    size = dtype.itemsize
    if dtype.kind == "f":
        place, exponent, mantissa, bias = _EXPONENTS[size]
        signs = struct.pack("<BBBBI", 0x11, 0x20, 8 * size - 1, 0, size)
        return signs + struct.pack("<HHBBBBI", 0, 8 * size, place, exponent, 0, mantissa, bias)
    return struct.pack("<BBBBIHH", 0x10, 8 if dtype.kind == "i" else 0, 0, 0, size, 0, 8 * size)
