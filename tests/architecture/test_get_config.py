"""Every configuration is plain data, equal for equal objects, and enough to build the object again."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import layers
from constructors import NEEDED, constructors

# All but those that wrap a function, which only custom_objects hold.
DESCRIBED = [
    case
    for case in constructors()
    if hasattr(case.values[0], "get_config") and case.values[0].__name__ not in ("Lambda", "MeanMetricWrapper")
]
RICH: list[tuple[Any, dict[str, Any]]] = [
    (
        layers.Dense,
        {
            "units": np.int64(3),
            "activation": cnn_core.activations.ELU(0.5),
            "kernel_initializer": np.ones((2, 3)),
            "bias_initializer": cnn_core.initializers.Constant([1.0, 2.0, 3.0]),
            "kernel_regularizer": "l1",
            "activity_regularizer": cnn_core.regularizers.L1L2(0.1, 0.2),
            "kernel_constraint": cnn_core.constraints.MinMaxNorm(0.5, 1.0, axis=(0, 1)),
        },
    ),
    (layers.BatchNormalization, {"beta_constraint": "non_neg", "gamma_regularizer": "l2"}),
    (layers.Reshape, {"target_shape": np.array([3, -1])}),
    (layers.Rescaling, {"scale": np.array([1.0, 2.0]), "offset": [0.5, 0.5]}),
    (layers.Normalization, {"mean": np.ones(3), "variance": np.float32(2.0)}),
    (layers.Lambda, {"function": np.abs, "arguments": {"where": np.True_}}),
    (cnn_core.optimizers.SGD, {"learning_rate": cnn_core.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)}),
    (cnn_core.metrics.AUC, {"thresholds": np.array([0.25, 0.75])}),
    (cnn_core.metrics.Precision, {"thresholds": [0.25, 0.75], "class_id": np.int32(1)}),
]


def is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(type(key) is str for key in value) and all(map(is_plain, value.values()))
    if isinstance(value, list):
        return all(map(is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


def make(cls: Any, arguments: dict[str, Any]) -> Any:
    named = {"name": "same"} if issubclass(cls, layers.Layer) else {}
    return cls(**copy.deepcopy(arguments), **named)


@pytest.mark.parametrize("cls", DESCRIBED)
def test_configurations_of_defaults_are_plain_data(cls: Any) -> None:
    arguments = NEEDED.get(cls.__name__, {})
    config = make(cls, arguments).get_config()
    assert is_plain(config), config
    assert make(cls, arguments).get_config() == config
    assert cls.from_config(json.loads(json.dumps(config))).get_config() == config


@pytest.mark.parametrize(("cls", "arguments"), RICH, ids=lambda value: getattr(value, "__name__", ""))
def test_configurations_of_rich_objects_are_plain_data(cls: Any, arguments: dict[str, Any]) -> None:
    config = make(cls, arguments).get_config()
    assert is_plain(config), config
    assert make(cls, arguments).get_config() == config
    if cls is not layers.Lambda:  # data names a function that only custom_objects hold
        assert cls.from_config(json.loads(json.dumps(config))).get_config() == config


def test_configurations_of_models_are_plain_data() -> None:
    def network() -> Any:
        x = cnn_core.Input((4,), name="x")
        h = layers.Dense(3, "relu", kernel_regularizer="l2", name="h")(x)
        inner = cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(2, name="i")], name="inner")
        return cnn_core.Model({"x": x}, {"y": inner(h), "h": layers.Dropout(0.5, name="d")(h, training=True)}, name="m")

    config = network().get_config()
    assert is_plain(config), config
    assert network().get_config() == config
    assert cnn_core.Model.from_config(json.loads(json.dumps(config))).get_config() == config


def test_a_default_activation_goes_by_its_name() -> None:
    assert layers.Dense(1, "relu").get_config()["activation"] == "relu"
    assert layers.Activation("tanh").get_config()["activation"] == "tanh"
    elu = {"class_name": "elu", "config": {"alpha": 0.5}}
    assert layers.Dense(1, cnn_core.activations.ELU(0.5)).get_config()["activation"] == elu


def test_a_layer_of_ones_own_may_tell_its_configuration_as_in_keras() -> None:
    class Wide(layers.Dense):
        def __init__(self, factor: int, **common: Any) -> None:
            super().__init__(4 * factor, **common)
            self.factor = factor

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "factor": self.factor}

    model = cnn_core.Sequential([cnn_core.Input((2,)), Wide(2)])
    assert cnn_core.clone_model(model).count_params() == model.count_params() == 24
    again = cnn_core.model_from_json(model.to_json(), {"Wide": Wide})
    assert again.layers[0].factor == 2


def test_a_clone_keeps_objects_that_have_no_name() -> None:
    model = cnn_core.Sequential([cnn_core.Input((2,)), layers.Lambda(lambda x: 2 * x)])
    np.testing.assert_array_equal(cnn_core.clone_model(model).predict(np.ones((1, 2))), [[2, 2]])
    with pytest.raises(ValueError, match="its function has no name"):
        model.to_json()
