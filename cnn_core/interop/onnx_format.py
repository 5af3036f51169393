"""The messages of ONNX files as dictionaries: a reader and a writer of protobuf's wire format for these alone.

What a file declares is checked against the bytes that are there before memory is taken for it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from cnn_core.foundation.arrays import Array
from cnn_core.foundation.records import NamedTuple

DEEPEST = 24  # messages inside messages
MOST = 1 << 18  # messages in a file


class Field(NamedTuple):
    name: str
    kind: str  # int, float, double, text, bytes, or the name of a message
    repeated: bool = False


# By message and number, as onnx.proto has them; other fields are skipped.
SCHEMA: dict[str, dict[int, Field]] = {
    "Model": {
        1: Field("ir_version", "int"),
        2: Field("producer_name", "text"),
        3: Field("producer_version", "text"),
        7: Field("graph", "Graph"),
        8: Field("opset_import", "Opset", True),
        14: Field("metadata_props", "Entry", True),
        25: Field("functions", "Graph", True),
    },
    "Opset": {1: Field("domain", "text"), 2: Field("version", "int")},
    "Entry": {1: Field("key", "text"), 2: Field("value", "text")},
    "Graph": {
        1: Field("node", "Node", True),
        2: Field("name", "text"),
        5: Field("initializer", "Tensor", True),
        11: Field("input", "Value", True),
        12: Field("output", "Value", True),
        15: Field("sparse_initializer", "bytes", True),
    },
    "Node": {
        1: Field("input", "text", True),
        2: Field("output", "text", True),
        3: Field("name", "text"),
        4: Field("op_type", "text"),
        5: Field("attribute", "Attribute", True),
        7: Field("domain", "text"),
    },
    "Attribute": {
        1: Field("name", "text"),
        2: Field("f", "float"),
        3: Field("i", "int"),
        4: Field("s", "bytes"),
        5: Field("t", "Tensor"),
        7: Field("floats", "float", True),
        8: Field("ints", "int", True),
        9: Field("strings", "bytes", True),
        20: Field("type", "int"),
    },
    "Tensor": {
        1: Field("dims", "int", True),
        2: Field("data_type", "int"),
        4: Field("float_data", "float", True),
        5: Field("int32_data", "int", True),
        6: Field("string_data", "bytes", True),
        7: Field("int64_data", "int", True),
        8: Field("name", "text"),
        9: Field("raw_data", "bytes"),
        10: Field("double_data", "double", True),
        13: Field("external_data", "Entry", True),
        14: Field("data_location", "int"),
    },
    "Value": {1: Field("name", "text"), 2: Field("type", "Type"), 3: Field("doc_string", "text")},
    "Type": {1: Field("tensor_type", "TensorType")},
    "TensorType": {1: Field("elem_type", "int"), 2: Field("shape", "Shape")},
    "Shape": {1: Field("dim", "Dimension", True)},
    "Dimension": {1: Field("dim_value", "int"), 2: Field("dim_param", "text")},
}
_WIRE = {"int": 0, "float": 5, "double": 1}
_FIXED = {"float": ("<f", 4), "double": ("<d", 8)}

TEXT = 8
TYPES: dict[int, Any] = {  # data types of tensors
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    10: np.float16,
    11: np.float64,
}
NUMBERS = {np.dtype(kind): number for number, kind in TYPES.items()}


def decode(data: memoryview, message: str = "Model") -> dict[str, Any]:
    """Read a message: fields that may be repeated are always there, as lists.

    Raises
    ------
    ValueError
        If the bytes are no such message, or hold more messages than any model has.

    Examples
    --------
    >>> decode(memoryview(encode({"domain": "", "version": 17}, "Opset")), "Opset")
    {'domain': '', 'version': 17}
    """
    return _Decoder().message(data, message, 0)


class _Decoder:
    """Reads one file: an empty message takes two bytes there and hundreds here, so that they are counted."""

    def __init__(self) -> None:
        self._left = MOST

    def message(self, data: memoryview, message: str, depth: int) -> dict[str, Any]:
        self._left -= 1
        if depth > DEEPEST or self._left < 0:
            raise ValueError(f"it must hold at most {MOST} messages, nested at most {DEEPEST} deep")
        fields = SCHEMA[message]
        found: dict[str, Any] = {field.name: [] for field in fields.values() if field.repeated}
        at = 0
        while at < len(data):
            key, at = _varint(data, at)
            value, at = _payload(data, at, key & 7)
            if (field := fields.get(key >> 3)) is None:
                continue
            if field.kind in SCHEMA and key & 7 == 2:
                values = [self.message(value, field.kind, depth + 1)]
            else:
                values = _values(value, field, key & 7, message)
            if field.repeated:
                found[field.name].extend(values)
            else:
                found[field.name] = values[-1]
        return found


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for place in range(10):
        if at + place >= len(data):
            break
        byte = data[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value & (2**64 - 1), at + place + 1
    raise ValueError("it ends in the middle of a number, or holds one that is too long")


def _payload(data: memoryview, at: int, wire: int) -> tuple[Any, int]:
    if wire == 0:
        return _varint(data, at)
    if wire == 2:
        size, at = _varint(data, at)
    elif wire in (1, 5):
        size = 8 if wire == 1 else 4
    else:
        raise ValueError(f"it must be a file of protobuf. Received: wire type {wire}")
    if size > len(data) - at:
        raise ValueError(f"it must hold {size} bytes more. Received: {len(data) - at}")
    return data[at : at + size], at + size


def _values(value: Any, field: Field, wire: int, message: str) -> list[Any]:
    expected = _WIRE.get(field.kind, 2)
    packed = wire == 2 and field.repeated and expected != 2
    if wire != expected and not packed:
        raise ValueError(f"its field {message}.{field.name} must be of another wire type. Received: {wire}")
    if field.kind == "int":
        return [_signed(each) for each in (_varints(value) if packed else [value])]
    if field.kind in _FIXED:
        code, size = _FIXED[field.kind]
        if len(value) % size:
            raise ValueError(f"its field {message}.{field.name} must hold whole numbers of {size} bytes")
        return [each for (each,) in struct.iter_unpack(code, value)]
    if field.kind == "bytes":
        return [bytes(value)]
    return [bytes(value).decode("utf-8")]


def _varints(data: memoryview) -> list[int]:
    found, at = [], 0
    while at < len(data):
        value, at = _varint(data, at)
        found.append(value)
    return found


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def encode(value: Mapping[str, Any], message: str = "Model") -> bytes:
    """Write a message.

    Examples
    --------
    >>> encode({"version": 17}, "Opset").hex()
    '1011'
    """
    parts: list[bytes] = []
    for number, field in SCHEMA[message].items():
        if field.name in value:
            for each in value[field.name] if field.repeated else [value[field.name]]:
                parts.append(_written(number, field, each))
    return b"".join(parts)


def _written(number: int, field: Field, value: Any) -> bytes:
    wire = _WIRE.get(field.kind, 2)
    key = _varint_bytes(number << 3 | wire)
    if field.kind == "int":
        return key + _varint_bytes(int(value) & (2**64 - 1))
    if field.kind in _FIXED:
        return key + struct.pack(_FIXED[field.kind][0], value)
    if field.kind == "text":
        value = value.encode("utf-8")
    elif field.kind != "bytes":
        value = encode(value, field.kind)
    return bytes(key + _varint_bytes(len(value)) + value)


def _varint_bytes(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def tensor(array: Array, name: str) -> dict[str, Any]:
    """Return an array of numbers or texts as a tensor of ONNX."""
    if array.dtype.kind in "UO":
        texts = [str(each).encode("utf-8") for each in array.reshape(-1)]
        return {"dims": array.shape, "data_type": TEXT, "string_data": texts, "name": name}
    raw = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    return {"dims": array.shape, "data_type": NUMBERS[array.dtype], "raw_data": raw, "name": name}


def array_of(found: Mapping[str, Any]) -> Array:
    """Return a tensor of ONNX as an array.

    Raises
    ------
    ValueError
        If its data lies in another file, is of a dtype that NumPy lacks, or does not fill its shape.
    """
    name, dims = found.get("name", ""), found["dims"]
    if found["external_data"] or found.get("data_location", 0):
        raise ValueError(f"its tensor {name!r} must lie in the file itself. Received: external data")
    if any(size < 0 for size in dims):
        raise ValueError(f"its tensor {name!r} must have sizes of at least 0. Received: {dims}")
    count, kind = math.prod(dims), found.get("data_type", 0)
    if kind == TEXT:
        flat = np.array([each.decode("utf-8") for each in found["string_data"]], object)
    elif kind not in TYPES:
        raise ValueError(f"its tensor {name!r} must be of a dtype that NumPy has. Received: data type {kind}")
    elif "raw_data" in found:
        dtype = np.dtype(TYPES[kind])
        if len(found["raw_data"]) != count * dtype.itemsize:
            raise ValueError(
                f"its tensor {name!r} must hold {count} numbers. Received: {len(found['raw_data'])} bytes of {dtype}"
            )
        flat = np.frombuffer(found["raw_data"], dtype.newbyteorder("<")).astype(dtype)
    else:
        flat = _listed(found, kind)
    if flat.size != count:
        raise ValueError(f"its tensor {name!r} must hold {count} numbers. Received: {flat.size}")
    return flat.reshape(dims)


def _listed(found: Mapping[str, object], kind: int) -> Array:
    field = {1: "float_data", 7: "int64_data", 11: "double_data"}.get(kind, "int32_data")
    if kind == 10:
        return np.array(found[field], np.uint16).view(np.float16)
    try:
        return np.array(found[field], TYPES[kind])
    except OverflowError:
        raise ValueError(f"its tensor {found.get('name', '')!r} must hold numbers of its dtype") from None
