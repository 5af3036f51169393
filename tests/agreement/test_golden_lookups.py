"""Lookups, hashes and crosses of texts and whole numbers, against Keras with TensorFlow."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from cnn_core import layers
from golden import FOLDER

CASES: list[dict[str, Any]] = json.loads((FOLDER / "lookups.json").read_text(encoding="utf-8"))["cases"]


def called(case: dict[str, Any]) -> str:
    told = ",".join(
        f"{key}={value}" for key, value in case["arguments"].items() if key not in ("vocabulary", "idf_weights")
    )
    return f"{case['layer']}({told})"[:80]


def made(case: dict[str, Any]) -> Any:
    layer = getattr(layers, case["layer"])(**case["arguments"])
    if "adapt" in case:
        layer.adapt(case["adapt"])
    return layer


@pytest.mark.parametrize("case", CASES, ids=called)
def test_output_is_that_of_keras(case: dict[str, Any]) -> None:
    layer = made(case)
    y = np.asarray(layer(case["x"]))
    assert y.ravel().tolist() == pytest.approx(case["y"], rel=1e-6) if y.dtype.kind == "f" else case["y"]
    assert list(y.shape) == case["shape"]
    if case["arguments"].get("output_mode", "int") == "int":
        assert y.dtype.kind == case["kind"]


@pytest.mark.parametrize("case", [case for case in CASES if "adapt" in case], ids=called)
def test_vocabulary_is_that_of_keras(case: dict[str, Any]) -> None:
    assert made(case).get_vocabulary() == case["vocabulary"]


@pytest.mark.parametrize("case", CASES, ids=called)
def test_a_layer_of_its_configuration_gives_the_same(case: dict[str, Any]) -> None:
    layer = made(case)
    again = type(layer).from_config(json.loads(json.dumps(layer.get_config())))
    np.testing.assert_array_equal(again(case["x"]), layer(case["x"]))
    assert again.get_config() == layer.get_config()
