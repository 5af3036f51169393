from __future__ import annotations

from typing import Any

import pytest

import cnn_core
from cnn_core import Input, Model, Sequential, activations, layers, losses, optimizers
from cnn_core.interop.keras_description import compile_config_of, description_of


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (layers.PeriodicEmbedding(2), "it has no counterpart there"),
        (layers.ParametricActivation("silu"), "it has no counterpart there"),
        (layers.EnsembleDense(2, 3), "it has no counterpart there"),
        (layers.Lambda(lambda x: x), "it has no counterpart there"),
        (layers.Dense(2, kernel_learning_rate_multiplier=2.0), "it has no `kernel_learning_rate_multiplier`"),
        (layers.Dense(4, "glu"), "Keras takes its output for as wide as its input"),
        (layers.Activation("sparsemax"), "Keras computes another function under this name"),
    ],
)
def test_what_keras_lacks_is_refused_by_name(layer: Any, reason: str):
    with pytest.raises(ValueError, match=rf"layer '{layer.name}' \(\w+\) cannot be carried to Keras: .*{reason}"):
        description_of(layer)


def test_activations_with_parameters_are_layers_or_operations_in_keras():
    found = description_of(layers.Activation(activations.GELU(approximate=True)))["config"]["activation"]
    assert (found["module"], found["class_name"]) == ("keras.src.ops.nn", "Gelu")
    assert found["config"] == {"approximate": True}
    found = description_of(layers.Dense(4, activations.LeakyReLU(0.3)))["config"]["activation"]
    assert (found["module"], found["class_name"]) == ("keras.layers", "LeakyReLU")
    assert found["config"] == {"negative_slope": 0.3, "trainable": True, "dtype": "float32"}
    assert description_of(layers.Dense(4, "relu"))["config"]["activation"] == "relu"


def test_ones_own_registered_objects_keep_their_names():
    @cnn_core.saving.register_keras_serializable(package="mine")
    class Half(cnn_core.regularizers.L2):
        pass

    try:
        found = description_of(layers.Dense(2, kernel_regularizer=Half(0.5)))["config"]["kernel_regularizer"]
    finally:
        cnn_core.utils.get_custom_objects().clear()
    assert (found["module"], found["registered_name"]) == (None, "mine>Half")
    assert found["config"] == {"l2": 0.5}


def test_calls_name_their_sources_as_keras_does():
    x = Input((3,), name="x")
    shared = layers.Dense(3, name="shared")
    inner = Sequential([Input((3,)), layers.Dense(3)], name="inner")
    twice = shared(shared(x), training=True)
    found = description_of(Model(x, [inner(twice), twice], name="whole"))
    assert (found["class_name"], found["config"]["name"]) == ("Functional", "whole")
    nodes = {layer["name"]: layer["inbound_nodes"] for layer in found["config"]["layers"]}
    history = {name: [node["args"][0]["config"]["keras_history"] for node in made] for name, made in nodes.items()}
    assert history == {"x": [], "shared": [["x", 0, 0], ["shared", 0, 0]], "inner": [["shared", 1, 0]]}
    assert [node["kwargs"] for node in nodes["shared"]] == [{}, {"training": True}]
    assert found["config"]["output_layers"] == [["inner", 0, 0], ["shared", 1, 0]]


@pytest.mark.parametrize(
    "arguments",
    [
        {"optimizer": optimizers.LBFGS(), "loss": "mse"},
        {"optimizer": optimizers.SGD(optimizers.schedules.FlatCosine(0.1, 10)), "loss": "mse"},
        {"optimizer": "sgd", "loss": losses.Quantile([0.5])},
        {"optimizer": "sgd", "loss": "half_squared_error"},
    ],
)
def test_what_keras_cannot_compile_with_is_refused(arguments: dict[str, Any]):
    model = Sequential([Input((3,)), layers.Dense(1)])
    model.compile(**arguments)
    with pytest.raises(ValueError, match=r"must be known to Keras: compile=False leaves it out\. Received: "):
        compile_config_of(model)


def test_what_is_left_out_of_an_optimizer_is_said():
    model = Sequential([Input((3,)), layers.Dense(1)])
    model.compile(optimizers.AdamW(weight_decay=0.1), "mse")
    model.optimizer.exclude_from_weight_decay(var_names=["bias"])
    with pytest.warns(UserWarning, match="excluded from weight decay is left out because files of Keras have no place"):
        found = compile_config_of(model)
    assert found["optimizer"]["module"] == "keras.optimizers"
    assert found["optimizer"]["config"]["weight_decay"] == 0.1
    assert "excluded_from_weight_decay" not in found["optimizer"]["config"]
