"""Clones of models whose layers are shared, among themselves and with models inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import Input, Model, Sequential, layers

X = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
Y = X[:, :1] - X[:, 1:2]


def sharing(inside: int) -> Any:
    """Make a model that calls a layer which models inside it call, too, so many levels deep."""
    shared = layers.Dense(3, "tanh", name="shared")
    inner: Any = Sequential([Input((3,)), shared, layers.Dense(3, name="own")], name="inner")
    for level in range(inside):
        x = Input((3,))
        inner = Model(x, layers.Add(name=f"add_{level}")([inner(x), shared(x)]), name=f"around_{level}")
    x = Input((3,))
    return Model(x, layers.Dense(1, name="top")(inner(shared(x))))


@pytest.mark.parametrize("inside", [0, 1, 2])
def test_a_layer_shared_with_a_model_inside_stays_shared(inside: int) -> None:
    model = sharing(inside)
    clone = cnn_core.clone_model(model)
    assert [variable.shape for variable in clone.variables] == [variable.shape for variable in model.variables]
    assert not set(map(id, clone.variables)) & set(map(id, model.variables))
    clone.set_weights(model.get_weights())
    for each in (model, clone):
        each.compile("adam", "mse")
        each.fit(X, Y, epochs=3, shuffle=False, verbose=0)
    np.testing.assert_array_equal(clone.predict(X), model.predict(X))


def test_a_layer_shared_with_a_custom_model_is_refused() -> None:
    shared = layers.Dense(3)

    class Own(Model):
        def __init__(self, layer: Any = shared) -> None:
            super().__init__()
            self.layer = layer

        def call(self, x: Any) -> Any:
            return self.layer(x)

    class Fresh(Own):
        def get_config(self) -> dict[str, Any]:
            return {"layer": layers.Dense(3)}

    x = Input((3,))
    model = Model(x, Fresh()(shared(x)))
    with pytest.raises(
        ValueError, match=r"cannot be cloned: it shares a layer with a model inside that.* Received: 2 var"
    ):
        cnn_core.clone_model(model)


def test_a_clone_function_makes_each_layer_once() -> None:
    shared = layers.Dense(3)
    x = Input((3,))
    model = Model(x, shared(shared(x)))
    made: list[Any] = []

    def wider(layer: Any) -> Any:
        made.append(layers.Dense.from_config({**layer.get_config(), "activation": "relu"}))
        return made[-1]

    clone = cnn_core.clone_model(model, clone_function=wider)
    assert len(made) == 1
    assert len(clone.variables) == 2


def test_tensors_are_no_argument_of_a_clone() -> None:
    model = cnn_core.Sequential([cnn_core.Input((2,)), cnn_core.layers.Dense(1)])
    with pytest.raises(ValueError, match="`input_tensors` must be None: call the clone on them instead"):
        cnn_core.clone_model(model, [cnn_core.Input((2,))])
    assert cnn_core.clone_model(model, None, lambda layer: layer).layers[0].units == 1
