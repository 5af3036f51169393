"""Custom layers and models that keep their constructor's arguments nowhere are made again all the same."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import Input, Model, Sequential, layers

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)


class Stack(layers.Layer):
    """Keeps layers under the name of the argument that they are made of, and nothing of the others."""

    def __init__(self, widths: list[int], activation: str = "relu", *, scale: float = 1.0, **common: Any) -> None:
        super().__init__(**common)
        self.widths = [layers.Dense(width, activation) for width in widths]
        self.times = scale

    def call(self, x: Any) -> Any:
        for layer in self.widths:
            x = layer(x)
        return x * self.times


class Net(Model):
    def __init__(self, units: int, rate: float = 0.0) -> None:
        super().__init__()
        self.units = layers.Dense(units)
        self.dropout = layers.Dropout(rate)

    def call(self, x: Any) -> Any:
        return self.dropout(self.units(x))


def test_what_was_given_is_the_configuration() -> None:
    assert Stack([3, 2], scale=2.0, name="stack").get_config() == {
        "name": "stack",
        "dtype": "float32",
        "trainable": True,
        "widths": [3, 2],
        "activation": "relu",
        "scale": 2.0,
    }
    config = Stack([3], "tanh").get_config()
    assert (config["widths"], config["activation"]) == ([3], "tanh")
    assert Net(2, rate=0.25).get_config() == {"units": 2, "rate": 0.25}


def test_an_attribute_is_newer_than_what_was_remembered() -> None:
    class Scale(layers.Layer):
        def __init__(self, by: float) -> None:
            super().__init__()
            self.by = by

        def call(self, x: Any) -> Any:
            return x * self.by

    layer = Scale(2.0)
    layer.by = 3.0
    assert layer.get_config()["by"] == 3.0


@pytest.mark.parametrize("make", [lambda: Net(2), lambda: Sequential([Input((4,)), Stack([3, 2], "tanh", scale=3.0)])])
def test_such_models_come_back(make: Any, tmp_path: Path) -> None:
    model = make()
    expected = model.predict(X)
    model.save(tmp_path / "model.safetensors")
    found = {"Stack": Stack, "Net": Net}
    assert np.array_equal(cnn_core.load_model(tmp_path / "model.safetensors", found).predict(X), expected)
    clone = cnn_core.clone_model(model)
    clone.set_weights(model.get_weights())
    assert np.array_equal(clone.predict(X), expected)
    for twin in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(twin.predict(X), expected)
        assert cnn_core.clone_model(twin).count_params() == model.count_params()


def test_objects_and_arrays_are_not_remembered() -> None:
    class Fixed(layers.Layer):
        def __init__(self, table: Any, function: Any) -> None:
            super().__init__()
            self.table_ = table

        def call(self, x: Any) -> Any:
            return x

    assert not Fixed(np.ones(3), abs)._remembered
    assert "table" not in Fixed(np.ones(3), abs).get_config()
    with pytest.raises(ValueError, match="The configuration of `layer` 'Fixed' does not fit it"):
        layers.deserialize(layers.serialize(Fixed(np.ones(3), abs)), {"Fixed": Fixed})


def test_a_model_that_is_not_plain_data_still_asks_for_attributes() -> None:
    class Wrapped(Net):
        def __init__(self, layer: Any) -> None:
            super().__init__(2)
            self.inner = layer

    with pytest.raises(ValueError, match="Wrapped does not keep `layer`"):
        Wrapped(layers.Dense(2)).get_config()
