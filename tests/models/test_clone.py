"""Clones of models whose layers are shared, among themselves and with models inside."""

from __future__ import annotations

import re
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


def test_a_clone_stands_on_the_tensors_that_it_is_given() -> None:
    x, y = Input((3,), name="x"), Input((3,), name="y")
    model = Model({"x": x, "y": y}, layers.Dense(1)(layers.Add()([x, y])))
    given = {"x": Input((3,)), "y": Input((3,))}
    clone = cnn_core.clone_model(model, given)
    assert clone.input == given
    stack = Sequential([Input((2,)), layers.Dense(1)])
    tensor = Input((2,))
    assert cnn_core.clone_model(stack, [tensor]).inputs == [tensor]
    unbuilt = cnn_core.clone_model(Sequential([layers.Dense(1)]), tensor)
    assert unbuilt.inputs == [tensor]
    assert cnn_core.clone_model(stack, None, lambda layer: layer).layers[0] is stack.layers[0]


@pytest.mark.parametrize("wrong", [[Input((2,)), Input((2,))], Input((3,)), [np.ones((1, 2))], {"x": Input((2,))}, "x"])
def test_tensors_of_another_structure_are_refused(wrong: Any) -> None:
    model = Sequential([Input((2,)), layers.Dense(1)])
    with pytest.raises(ValueError, match="`input_tensors` must be symbols in the structure of"):
        cnn_core.clone_model(model, wrong)


def dropped(layer: Any, *arguments: Any, **keywords: Any) -> Any:
    """Call a layer, with dropout behind every Dense."""
    out = layer(*arguments, **keywords)
    return layers.Dropout(0.5)(out) if isinstance(layer, layers.Dense) else out


def test_a_call_function_makes_the_calls() -> None:
    x = Input((3,))
    model = Model(x, layers.Dense(1)(2 * layers.Dense(4)(x, training=True)))
    reused = cnn_core.clone_model(model, clone_function=lambda layer: layer, call_function=dropped)
    kinds = [type(layer).__name__ for layer in reused.layers]
    assert kinds == ["InputLayer", "Dense", "Dropout", "Dense", "Dropout"]
    np.testing.assert_array_equal(reused.predict(X), model.predict(X))


def marked(layer: Any) -> Any:
    clone = type(layer).from_config(layer.get_config())
    clone.mark = True
    return clone


@pytest.mark.parametrize("recursive", [False, True])
def test_functions_go_into_models_inside_if_they_are_told_to(recursive: bool) -> None:
    inner = Sequential([Input((3,)), layers.Dense(3)])
    x = Input((3,))
    middle = Model(x, layers.Dense(2)(inner(x)))
    y = Input((3,))
    model = Model(y, layers.Dense(1)(middle(y)))
    clone = cnn_core.clone_model(model, None, marked, dropped, recursive)
    outer = clone.layers[1]
    assert hasattr(outer, "mark") != recursive
    assert hasattr(outer.layers[2], "mark") == recursive
    assert hasattr(outer.layers[1].layers[0], "mark") == recursive
    assert any(isinstance(layer, layers.Dropout) for layer in outer.layers) == recursive
    assert not any(isinstance(layer, layers.Dropout) for layer in outer.layers[1].layers)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone.predict(X), model.predict(X))


def test_a_call_function_has_nothing_to_call_in_a_sequential_or_a_custom_model() -> None:
    with pytest.raises(ValueError, match="`call_function` must be None for a Sequential"):
        cnn_core.clone_model(Sequential([Input((2,)), layers.Dense(1)]), call_function=dropped)

    class Own(Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    for given in ({"call_function": dropped}, {"clone_function": marked}, {"input_tensors": Input((2,))}):
        with pytest.raises(ValueError, match="must be None: Own makes its layers itself"):
            cnn_core.clone_model(Own(), **given)
    with pytest.raises(TypeError, match="`recursive` must be True or False"):
        cnn_core.clone_model(Own(), recursive=1)


def test_a_clone_is_compiled_as_the_model_and_has_learned_nothing() -> None:
    model = Sequential([Input((3,)), layers.Dense(1)])
    model.compile(cnn_core.optimizers.Adam(0.25), "mse", metrics=[cnn_core.metrics.AUC(), "mae"], steps_per_execution=3)
    model.fit(X, (Y > 0).astype("float32"), epochs=2, verbose=0)
    clone = cnn_core.clone_model(model)
    assert (clone.optimizer.learning_rate, clone.steps_per_execution) == (0.25, 3)
    assert (clone.optimizer.iterations, model.optimizer.iterations) == (0, 2)
    assert clone.metrics_names == model.metrics_names
    assert not set(map(id, clone.metrics)) & set(map(id, model.metrics))
    clone.fit(X, (Y > 0).astype("float32"), verbose=0)
    assert not cnn_core.clone_model(Sequential([Input((3,)), layers.Dense(1)])).compiled


def test_functions_that_do_not_clone_or_call_are_named() -> None:
    x = Input((2,))
    model = Model(x, layers.Dense(1, name="top")(x))
    for given, message in (
        ({"clone_function": "x"}, "`clone_function` must be callable. Received: clone_function='x'"),
        ({"call_function": 3}, "`call_function` must be callable. Received: call_function=3"),
        ({"clone_function": lambda layer: None}, "`clone_function` must return a layer. Received: None for 'top'"),
        ({"call_function": lambda layer, x: None}, "`call_function` must return 1 symbols for 'top'"),
    ):
        with pytest.raises(TypeError, match=re.escape(message)):
            cnn_core.clone_model(model, **given)
    with pytest.raises(TypeError, match="`model` must be a model"):
        cnn_core.clone_model(3)  # type: ignore[type-var]
