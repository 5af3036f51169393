from __future__ import annotations

import numpy as np
import pytest

from cnn_core import Input, Model, Sequential, layers
from cnn_core.interop.calls import calls_of, in_dtype, model_between


def test_models_inside_models_are_walked_with_what_they_share():
    inner = Sequential([Input((3,)), layers.Dense(3, name="shared"), layers.ReLU()])
    x = Input((3,))
    model = Model(x, layers.Add()([inner(inner(x)), x]))
    found = calls_of(model)
    kinds = [type(call.layer).__name__ for call in found.calls]
    assert kinds == ["Dense", "ReLU", "Dense", "ReLU", "Add"]
    assert found.calls[0].layer is found.calls[2].layer
    assert found.calls[-1].inputs == (found.calls[3].outputs[0], found.inputs[0])
    assert not found.is_chain


def test_only_models_have_calls():
    with pytest.raises(TypeError, match="`model` must be a model of cnn_core"):
        calls_of(layers.Dense(2))
    with pytest.raises(ValueError, match="has no input yet"):
        calls_of(Sequential([layers.Dense(2)]))
    x = Input((2,))
    noisy = Model(x, layers.Dropout(0.5, name="always")(x, training=True))
    with pytest.raises(ValueError, match="layer 'always' is called with training=True"):
        calls_of(noisy)


@pytest.mark.parametrize("twice", [False, True])
def test_a_chain_becomes_a_sequential_unless_a_layer_is_used_twice(twice: bool):
    x, dense = Input((2,)), layers.Dense(2)
    outputs = [dense(dense(x)) if twice else layers.ReLU()(dense(x))]
    model = model_between([x], outputs)
    assert isinstance(model, Sequential) is not twice
    row = np.array([[1.0, -2.0]], "float32")
    assert np.array_equal(model(row), Model(x, outputs[0])(row))


def test_several_outputs_stay_in_order():
    x = Input((2,))
    outputs = [layers.Dense(3)(x), layers.Dense(1)(x)]
    assert model_between([x], outputs).output_shape == [(None, 3), (None, 1)]


def test_a_layer_of_another_dtype_says_so_in_its_configuration():
    layer = in_dtype(layers.Dense(2), "float64")
    assert (layer.dtype, layer.get_config()["dtype"], layers.Dense.from_config(layer.get_config()).dtype) == (
        "float64", "float64", "float64",
    )  # fmt: skip
