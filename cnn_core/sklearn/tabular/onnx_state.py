"""What a tabular estimator has learnt inside its ONNX file: its state as metadata, its weights as constants."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from cnn_core.foundation.arrays import Array
from cnn_core.interop.onnx_format import array_of, decode, encode
from cnn_core.interop.onnx_graph import TABLES
from cnn_core.sklearn.tabular.blend import PART

METADATA_KEY = TABLES
GRAPH_KEY = "cnn_core.graph"
_WEIGHTS = ("member_", PART)  # what the names of weights begin with


def digest(graph: Mapping[str, Any]) -> str:
    """Return a text that differs where graphs differ in anything but their weights."""
    others = [each for each in graph["initializer"] if not each.get("name", "").startswith(_WEIGHTS)]
    parts = {"node": graph["node"], "initializer": others, "input": graph["input"], "output": graph["output"]}
    return hashlib.sha256(encode(parts, "Graph")).hexdigest()


def contents_of(data: bytes) -> tuple[dict[str, Array], dict[str, str]]:
    """Return weights and metadata of an ONNX file that a tabular estimator wrote.

    Raises
    ------
    ValueError
        If it is no ONNX file, or one whose graph was changed after it had been written.
    """
    found = decode(memoryview(data))
    metadata = {each.get("key", ""): each.get("value", "") for each in found["metadata_props"]}
    if METADATA_KEY in metadata and metadata.get(GRAPH_KEY) != digest(found["graph"]):
        raise ValueError("its graph was changed after it had been written, so that it no longer says what was learnt")
    stored = found["graph"]["initializer"] if "graph" in found else []
    return {each["name"]: array_of(each) for each in stored if each.get("name", "").startswith(_WEIGHTS)}, metadata
