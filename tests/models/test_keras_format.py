"""Models that Keras wrote as JSON: read, they compute what they computed under Keras."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
import tolerances

RECORDED = json.loads(
    (Path(__file__).parents[1] / "agreement" / "golden" / "keras_models.json").read_text(encoding="utf-8")
)["models"]


def read(name: str) -> Any:
    return cnn_core.model_from_json(json.dumps(RECORDED[name]["json"]))


@pytest.mark.parametrize("name", RECORDED)
def test_a_model_of_keras_computes_what_it_computed_there(name: str) -> None:
    case, model = RECORDED[name], read(name)
    model.set_weights([np.asarray(weight) for weight in case["weights"]])
    inputs = [np.asarray(x, symbol.dtype) for x, symbol in zip(case["inputs"], model.inputs, strict=True)]
    predicted = model.predict(inputs if len(inputs) > 1 else inputs[0])
    predicted = predicted if isinstance(predicted, list) else [predicted]
    for found, expected in zip(predicted, case["outputs"], strict=True):
        tolerances.close(found, np.asarray(expected), 1e-5)


@pytest.mark.parametrize("name", RECORDED)
def test_names_shapes_and_settings_are_those_of_keras(name: str) -> None:
    model, written = read(name), RECORDED[name]["json"]["config"]
    assert model.name == written["name"]
    layers = {layer.name: layer for layer in model.operations}
    for each in written["layers"]:
        if each["class_name"] == "InputLayer":
            continue
        ours = layers[each["name"] if "name" in each else each["config"]["name"]].get_config()
        for key, value in each["config"].items():
            if isinstance(value, (bool, int, float, str)) and key in ours:
                assert ours[key] == value, (each["class_name"], key)
    again = cnn_core.model_from_json(model.to_json())
    assert again.to_json() == model.to_json()


def test_what_a_model_was_compiled_with_is_read() -> None:
    model = read("stack_of_dense")
    assert model.optimizer.get_config()["clipnorm"] == 1.0
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
    x, y = np.ones((8, 4)), np.zeros(8)
    assert set(model.fit(x, y, verbose=0).history) == {"loss", "accuracy"}
    assert not read("many_layers").compiled
