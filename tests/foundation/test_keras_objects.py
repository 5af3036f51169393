from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import activations, constraints, initializers, layers, losses, metrics, optimizers, regularizers, utils
from cnn_core.foundation.keras_objects import (
    deserialize_keras_object,
    get_registered_name,
    get_registered_object,
    serialize_keras_object,
)

# As keras.saving.serialize_keras_object writes them.
KERAS: list[tuple[Any, Any]] = [
    (None, None),
    ((1, [2.5, "a"]), [1, [2.5, "a"]]),
    ({"a": (True,)}, {"a": [True]}),
    (np.arange(3), {"class_name": "__numpy__", "config": {"value": [0, 1, 2], "dtype": "int64"}}),
    (np.float32(2), 2.0),
    (slice(1, 2), {"class_name": "__slice__", "config": {"start": 1, "stop": 2, "step": None}}),
    (..., {"class_name": "__ellipsis__", "config": {}}),
    (b"x", {"class_name": "__bytes__", "config": {"value": "x"}}),
    (
        activations.relu,
        {"module": "builtins", "class_name": "function", "config": "relu", "registered_name": "function"},
    ),
    (
        regularizers.L2(0.1),
        {"module": "keras.regularizers", "class_name": "L2", "config": {"l2": 0.1}, "registered_name": None},
    ),
]
OBJECTS = [
    layers.Dense(2, activation="relu", kernel_initializer="he_normal"),
    losses.Huber(0.5),
    losses.MeanSquaredError(),
    metrics.MeanSquaredError(),
    optimizers.Adam(optimizers.schedules.CosineDecay(0.1, 5)),
    optimizers.schedules.ExponentialDecay(0.1, 2, 0.5),
    initializers.HeNormal(seed=3),
    constraints.MaxNorm(3),
    activations.LeakyReLU(0.3) if hasattr(activations, "LeakyReLU") else activations.relu,
]


@pytest.mark.parametrize(("value", "data"), KERAS)
def test_data_is_written_as_keras_writes_it(value: Any, data: Any) -> None:
    assert serialize_keras_object(value) == data
    assert serialize_keras_object(deserialize_keras_object(data)) == data


@pytest.mark.parametrize("value", OBJECTS, ids=lambda value: type(value).__name__)
def test_objects_of_every_kind_come_back(value: Any) -> None:
    again = deserialize_keras_object(json.loads(json.dumps(serialize_keras_object({"of": [value]}))))["of"][0]
    assert type(again) is type(value)
    assert again.get_config() == value.get_config()


def test_the_module_tells_losses_from_metrics() -> None:
    for value, module in ((losses.Poisson(), "keras.losses"), (metrics.Poisson(), "keras.metrics")):
        data = serialize_keras_object(value)
        assert data["module"] == module
        assert type(deserialize_keras_object(data)) is type(value)
    without = {"class_name": "Huber", "config": {"delta": 2.0}}
    assert deserialize_keras_object(without).delta == 2.0


def test_models_come_back() -> None:
    model = cnn_core.Sequential([cnn_core.Input((2,)), layers.Dense(3, "tanh"), layers.Dense(1)])
    data = json.loads(json.dumps(serialize_keras_object(model)))
    assert (data["module"], data["class_name"]) == ("keras", "Sequential")
    assert [layer.name for layer in deserialize_keras_object(data).layers] == [layer.name for layer in model.layers]


def test_what_keras_itself_writes_is_read() -> None:
    data = {
        "module": "keras.src.backend.torch.optimizers.torch_adam",
        "class_name": "Adam",
        "config": {"learning_rate": 0.5, "beta_1": 0.8},
        "registered_name": "Adam",
    }
    assert isinstance(deserialize_keras_object({**data, "registered_name": None}), optimizers.Adam)
    assert deserialize_keras_object({"class_name": "__tensor__", "config": {"value": [1.0], "dtype": "float32"}}) == 1.0


def test_custom_objects_are_found_by_their_names() -> None:
    class Doubled(layers.Layer):
        def call(self, x: Any) -> Any:
            return 2 * x

    def double(x: Any) -> Any:
        return 2 * x

    data = serialize_keras_object({"layer": Doubled(name="own"), "function": double})
    again = deserialize_keras_object(data, {"Doubled": Doubled, "double": double})
    assert isinstance(again["layer"], Doubled)
    assert again["function"] is double
    with pytest.raises(ValueError, match="double"):
        deserialize_keras_object(data["function"])
    with utils.custom_object_scope({"double": double}):
        assert get_registered_object("double") is double
    try:
        utils.register_keras_serializable("mine")(double)
        assert get_registered_name(double) == "mine>double"
        assert get_registered_object("mine>double") is double
        assert deserialize_keras_object(serialize_keras_object(double)) is double
    finally:
        utils.get_custom_objects().clear()
    assert get_registered_name(double) == "double"
    assert get_registered_object("double") is None
    assert get_registered_object("double", None, {"double": double}) is double


def test_what_has_no_data_is_refused() -> None:
    with pytest.raises(ValueError, match="has no name"):
        serialize_keras_object(lambda x: x)
    with pytest.raises(TypeError, match="must be plain data or have a `get_config`"):
        serialize_keras_object({1, 2})
    with pytest.raises(TypeError, match="`obj` must be a class or a function"):
        get_registered_name(3)
    with pytest.raises(ValueError, match="named function"):
        deserialize_keras_object({"class_name": "__lambda__", "config": {"value": "..."}})
    with pytest.raises(ValueError, match=r"`config` must be one of .* Received: 'Unknown'"):
        deserialize_keras_object({"class_name": "Unknown", "config": {}})
