from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnn_core.interop.onnx_format import TYPES, array_of, decode, encode, tensor


@pytest.mark.parametrize("kind", TYPES.values())
def test_arrays_come_back(kind: Any):
    array = np.arange(6).reshape(2, 3).astype(kind)
    back = array_of(decode(memoryview(encode(tensor(array, "a"), "Tensor")), "Tensor"))
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)


def test_texts_and_negative_numbers_come_back():
    texts = np.array(["a", "ü"])
    assert array_of(decode(memoryview(encode(tensor(texts, "t"), "Tensor")), "Tensor")).tolist() == ["a", "ü"]
    assert decode(memoryview(encode({"ints": [-1, 2**62]}, "Attribute")), "Attribute")["ints"] == [-1, 2**62]


def test_packed_numbers_are_read():
    """As protobuf itself writes repeated numbers: field 1, wire type 2, three varints."""
    assert decode(memoryview(bytes([0x0A, 3, 1, 2, 3])), "Tensor")["dims"] == [1, 2, 3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dims": [2**40, 2**40]}, "'a' must hold 1208925819614629174706176 numbers"),
        ({"dims": [-1]}, "sizes of at least 0"),
        ({"data_type": 99}, "Received: data type 99"),
        ({"data_location": 1}, "must lie in the file itself"),
        ({"external_data": [{"key": "location", "value": "../../etc/passwd"}]}, "must lie in the file itself"),
    ],
)
def test_what_a_tensor_declares_is_checked(change: dict[str, Any], message: str):
    data = encode(tensor(np.zeros(3, "float32"), "a") | change, "Tensor")
    with pytest.raises(ValueError, match=message):
        array_of(decode(memoryview(data), "Tensor"))


def test_damaged_messages_are_refused():
    data = encode({"graph": {"name": "g", "initializer": [tensor(np.arange(9.0), "a")]}})
    for end in range(1, len(data) - 1):
        with pytest.raises(ValueError, match=r"must|ends"):
            decode(memoryview(data[:end]))
    with pytest.raises(ValueError, match="wire type"):
        decode(memoryview(b"\x0b\x01"))


def test_more_messages_than_any_model_has_are_refused(monkeypatch: pytest.MonkeyPatch):
    """An empty node takes two bytes in a file and hundreds here."""
    monkeypatch.setattr("cnn_core.interop.onnx_format.MOST", 1000)
    nodes = encode({"node": [{}] * 1200}, "Graph")
    with pytest.raises(ValueError, match="at most 1000 messages"):
        decode(memoryview(nodes), "Graph")
    assert len(decode(memoryview(encode({"node": [{}] * 900}, "Graph")), "Graph")["node"]) == 900
