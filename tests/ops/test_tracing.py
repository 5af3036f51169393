"""Layers and models whose `call` is a user's: traced once, run natively, saved, copied, refused where it cannot be."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
import tolerances
from cnn_core import Input, Model, Sequential, layers, ops
from cnn_core.inspection import gradient_check

X = np.random.default_rng(3).normal(size=(12, 6)).astype(np.float32)
Y = (X[:, :1] * X[:, 1:2]).astype(np.float32)


@pytest.fixture
def double() -> Iterator[None]:
    """Let everything be float64."""
    cnn_core.config.set_floatx("float64")
    yield
    cnn_core.config.set_floatx("float32")


class Affine(layers.Layer):
    """``activation(x @ kernel + bias)``, written out."""

    def __init__(self, units: int, activation: str = "gelu", **common: Any) -> None:
        super().__init__(**common)
        self.units = units
        self.activation = activation

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight((input_shape[-1], self.units), name="kernel")
        self.bias = self.add_weight((self.units,), "zeros", name="bias")

    def call(self, x: Any) -> Any:
        return cnn_core.activations.get(self.activation)(x @ self.kernel + self.bias)


class Residual(layers.Layer):
    """Layers in a list and in a dict, a variable, another value in training, and a share of the loss."""

    def __init__(self, units: int = 6, rate: float = 0.25, **common: Any) -> None:
        super().__init__(**common)
        self.units, self.rate = units, rate
        self.hidden = [layers.Dense(units, "tanh") for _ in range(2)]
        self.after = {"norm": layers.LayerNormalization(), "drop": layers.Dropout(rate)}

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight((self.units,), "ones", name="scale")

    def call(self, x: Any, training: bool | None = None) -> Any:
        h = x
        for layer in self.hidden:
            h = layer(h)
        h = self.after["drop"](self.after["norm"](h), training=training)
        self.add_loss(0.01 * ops.mean(ops.square(h)))
        return (1.5 if training else 1.0) * h * self.scale + x


class Net(Model):
    def __init__(self, blocks: int = 2, **common: Any) -> None:
        super().__init__(**common)
        self.blocks = blocks
        self.parts = [Residual() for _ in range(blocks)]
        self.head = layers.Dense(1)

    def call(self, x: Any, training: bool = False) -> Any:
        for part in self.parts:
            x = part(x, training=training)
        return self.head(x)


OWN = {"Affine": Affine, "Residual": Residual, "Net": Net}


def test_a_layer_written_out_is_the_built_in_one() -> None:
    ours, theirs = Affine(4), layers.Dense(4, "gelu")
    value = ours(X)
    theirs(X)
    theirs.set_weights(ours.get_weights())
    np.testing.assert_array_equal(value, theirs(X))
    model = Sequential([Input((6,)), ours])
    assert [(each.kind, each.activation) for each in model.plan().operations] == [("dense", "gelu")]


def test_a_chain_of_elementwise_functions_is_one_expression() -> None:
    x = Input((6,))
    model = Model(x, ops.exp(-ops.square(x - 1) / 2) * ops.sigmoid(x) + ops.where(x > 0, x, 0.1 * x))
    assert [each.kind for each in model.plan().operations] == ["expression"]
    expected = np.exp(-((X - 1) ** 2) / 2) / (1 + np.exp(-X)) + np.where(X > 0, X, 0.1 * X)
    tolerances.close(model.predict(X), expected, tolerances.GOLDEN_FLOAT32)


def test_a_long_chain_is_cut() -> None:
    x = Input((6,))
    value = x
    for _ in range(300):
        value = ops.sin(value) + x
    model = Model(x, value)
    expected = X
    for _ in range(300):
        expected = np.sin(expected) + X
    tolerances.close(model.predict(X), expected, tolerances.script("float32"))


@pytest.mark.usefixtures("double")
def test_derivatives_of_everything_by_differences() -> None:
    model = Sequential([Input((6,)), Residual(rate=0.0), Affine(3), layers.Dense(1)])
    model.compile("sgd", "mse")
    check = gradient_check(model, X, Y)
    assert check, str(check)
    assert len(check.relative_errors) == 11


def test_training_is_told_both_ways() -> None:
    layer = Residual(rate=0.0)
    inner = layer(X) - X
    tolerances.close(layer(X, training=True) - X, 1.5 * inner, tolerances.GOLDEN_FLOAT32)
    x = Input((6,))
    in_training = Model(x, layer(x, training=True))
    np.testing.assert_array_equal(in_training.predict(X), layer(X, training=True))
    assert "choice" not in [each.kind for each in in_training.plan().operations]
    assert "choice" in [each.kind for each in Model(x, layer(x)).plan().operations]


def test_call_runs_once_for_each_kind_of_inputs() -> None:
    calls = []

    class Counted(layers.Layer):
        def call(self, x: Any, training: bool | None = None) -> Any:
            calls.append((x.shape, training))
            return x * 2

    layer = Counted()
    model = Sequential([Input((6,)), layer])
    model.compile("sgd", "mse")
    model.fit(X, X, epochs=3, verbose=0)
    model.predict(X)
    assert calls == [((None, 6), True), ((None, 6), False)]
    layer(X[:, :2])
    assert calls[2:] == [((None, 2), True), ((None, 2), False)]


def test_a_model_of_ones_own_is_built_by_data() -> None:
    cnn_core.utils.set_random_seed(0)
    model = Net()
    assert not model.built
    model.compile(cnn_core.optimizers.Adam(0.01), "mse")
    history = model.fit(X, Y, epochs=40, verbose=0).history["loss"]
    assert history[-1] < history[0] / 2
    assert [layer.name for layer in model.layers] == [part.name for part in (*model.parts, model.head)]
    assert len(model.trainable_variables) == 16 == len(model.gradients(X, Y))
    assert model.evaluate(X, Y, verbose=0) > np.mean((model.predict(X) - Y) ** 2)  # with what is added to it
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    assert "residual" in lines[0]


def test_a_model_of_ones_own_is_built_by_shape() -> None:
    model = Net()
    model.build((None, 6))
    assert model.built
    assert model(X).shape == (12, 1)
    assert model.count_params() == sum(array.size for array in model.get_weights())


@pytest.mark.parametrize("way", ["file", "copy", "pickle", "clone", "json"])
@pytest.mark.parametrize("kind", ["model", "layer"])
def test_copies_compute_the_same(way: str, kind: str, tmp_path: Path) -> None:
    model = Net() if kind == "model" else Sequential([Input((6,)), Residual(), Affine(3), layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    if way == "file":
        model.save(tmp_path / "model.safetensors")
        again = cnn_core.load_model(tmp_path / "model.safetensors", custom_objects=OWN)
    elif way == "json":
        again = cnn_core.model_from_json(model.to_json(), custom_objects=OWN)
    else:
        again = {"copy": copy.copy, "pickle": lambda m: pickle.loads(pickle.dumps(m)), "clone": cnn_core.clone_model}[
            way
        ](model)
    if way in ("clone", "json"):
        again.set_weights(model.get_weights())
        again.compile("adam", "mse")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    again.fit(X, Y, verbose=0)
    assert not np.array_equal(again.predict(X), model.predict(X))


class Merged(layers.Layer):
    """Two inputs, and a number besides."""

    def call(self, a: Any, b: Any, factor: float = 1.0) -> Any:
        return {"sum": a + factor * b, "product": a * b}


def test_calls_with_several_arguments(tmp_path: Path) -> None:
    a, b = Input((6,), name="a"), Input((6,), name="b")
    found = Merged()(a, b, factor=3.0)
    model = Model([a, b], [found["sum"], found["product"]])
    for each in (model, cnn_core.model_from_json(model.to_json(), custom_objects={"Merged": Merged})):
        total, product = each.predict([X, 2 * X])
        np.testing.assert_allclose(total, 7 * X, rtol=1e-6)
        np.testing.assert_allclose(product, 2 * X * X, rtol=1e-6)
    np.testing.assert_allclose(Merged()(X, X, factor=2.0)["sum"], 3 * X, rtol=1e-6)


class Pair(Model):
    """A model with inputs in a dict, one inner model that both go through, and outputs in a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.tower = Sequential([layers.Dense(4, "relu"), layers.Dense(2)])

    def call(self, inputs: Any) -> Any:
        left, right = self.tower(inputs["left"]), self.tower(inputs["right"])
        return {"distance": ops.sum(ops.square(left - right), axis=1, keepdims=True), "left": left}


def test_weights_are_shared_and_structures_kept() -> None:
    model = Pair()
    found = model.predict({"left": X, "right": 2 * X})
    assert sorted(found) == ["distance", "left"]
    assert len(model.weights) == 4
    tower = model.tower.predict
    expected = np.sum((tower(X) - tower(2 * X)) ** 2, axis=1, keepdims=True)
    tolerances.close(found["distance"], expected, tolerances.GOLDEN_FLOAT32)
    model.compile("sgd", {"distance": "mse", "left": "mse"})
    model.fit({"left": X, "right": 2 * X}, {"distance": Y, "left": X[:, :2]}, verbose=0)


def test_freezing_reaches_inner_layers() -> None:
    layer = Residual()
    layer(X)
    layer.hidden[0].trainable = False
    assert len(layer.trainable_variables) == 5
    layer.trainable = False
    assert layer.trainable_variables == []
    assert not layer.hidden[1].trainable


def own(**methods: Any) -> layers.Layer:
    made: layers.Layer = type("Own", (layers.Layer,), methods)()
    return made


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda self, x: x if x > 0 else -x, TypeError, r"no truth value.*ops\.where"),
        (lambda self, x: list(x), TypeError, r"cannot be iterated over.*ops\.split"),
        (lambda self, x: x * float(x[0, 0]), ValueError, "must leave the samples"),
        (lambda self, x: np.tanh(x), TypeError, r"NumPy cannot compute with it\. Use functions of cnn_core\.ops"),
        (lambda self, x: layers.Dense(2)(x), ValueError, "no attribute of it: make layers and variables in `__init__`"),
        (lambda self, x: 3.0, TypeError, "must return what it computes"),
        (lambda self, x: ops.reshape(x, (-1,)), ValueError, "must keep the samples apart"),
        (lambda self, x: ops.concatenate([x, x], axis=0), ValueError, "must not be that of the samples"),
        (lambda self, x: x + ops.ones((5,)), ValueError, "shapes that fit"),
        (lambda self, x: ops.zeros(2 * ops.shape(x)[0]), TypeError, "a shape may begin with it"),
    ],
)
def test_what_cannot_be_traced_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        own(call=call)(X)


def test_a_variable_is_no_constant() -> None:
    class Wrong(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.scale = self.add_weight((6,), "ones")

        def call(self, x: Any) -> Any:
            return x * np.exp(self.scale)

    with pytest.raises(TypeError, match="must not compute with its present value"):
        Wrong()(X)


def test_operators_of_symbols_and_variables_outside_of_call() -> None:
    x = Input((6,))
    variable = cnn_core.Variable(np.arange(6.0, dtype=np.float32), name="scale")
    np.testing.assert_array_equal(variable + 1, np.arange(1.0, 7.0))
    model = Model(x, np.ones((6,), np.float32) - x * variable)
    np.testing.assert_allclose(model.predict(X), 1 - X * np.arange(6.0), rtol=1e-6)
    assert model.trainable_variables == [variable]
    with pytest.raises(ValueError, match="belongs to no layer"):
        model.to_json()


def test_a_model_has_inputs_or_a_call() -> None:
    x = Input((2,))
    with pytest.raises(TypeError, match="must have inputs and outputs, or define `call`"):
        Net.__base__()  # type: ignore[misc]
    with pytest.raises(TypeError, match="not both"):
        type("Both", (Model,), {"call": lambda self, x: x})(x, x)


def test_add_variable_is_add_weight() -> None:
    class Own(layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_variable((2,), "ones", None, False, True, "l2", "non_neg", "scale")

        def call(self, x):
            return x * self.scale

    layer = Own()
    layer.build((None, 2))
    assert (layer.scale.shape, layer.scale.trainable, layer.scale.name) == ((2,), False, "scale")
    assert layer.scale.regularizer is not None
    assert layer.scale.constraint is not None
    assert layer.variables == [layer.scale]


def test_add_weight_takes_what_keras_takes() -> None:
    class Scaled(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.scale = self.add_weight((input_shape[-1],), None, "float32", True, name="scale", autocast=True)
            self.shift = self.add_weight(name="shift")

        def call(self, x: Any) -> Any:
            return x * self.scale + self.shift

    layer = Scaled()
    assert layer(X).shape == X.shape
    assert [weight.shape for weight in layer.weights] == [(6,), ()]
    with pytest.raises(ValueError, match="`dtype` must be that of the layer"):
        Scaled().add_weight((), dtype="int32")


class HoldsItself(cnn_core.Model):
    def __init__(self, **common: Any) -> None:
        super().__init__(**common)
        self.parts: list[Any] = [layers.Dense(2)]
        self.parts.append(self.parts)

    def call(self, x: Any) -> Any:
        return self.parts[0](x)


def test_a_list_may_hold_itself() -> None:
    model = HoldsItself()
    assert model(np.ones((3, 4))).shape == (3, 2)
    assert len(model.weights) == 2
