"""Models and layers of Keras with a `call` of a user's own come in as what they are made of."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from cnn_core.interop import from_keras

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")
pytestmark = [
    pytest.mark.doors,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*(structure of `inputs`|trainable weights).*"),
]
layers, ops = keras.layers, keras.ops


class Linear(layers.Layer):
    """The layer of Keras's guide."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units = units

    def build(self, shape: Any) -> None:
        """Make the weights."""
        self.w = self.add_weight(shape=(shape[-1], self.units), initializer="random_normal", name="w")
        self.b = self.add_weight(shape=(self.units,), initializer="random_normal", name="b")

    def call(self, x: Any) -> Any:
        return ops.matmul(x, self.w) + self.b


class Gate(layers.Layer):
    """A layer that reads a weight as it is, and holds layers."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Linear(4)
        self.scale = self.add_weight(shape=(4,), initializer="random_normal", name="scale")

    def call(self, x: Any, training: bool = False) -> Any:
        return x * ops.sigmoid(self.inner(x)) * (1.0 + self.scale) if not training else x


class Net(keras.Model):  # type: ignore[misc, name-defined]
    """A model of layers, functions, and another model."""

    def __init__(self, gated: bool = True) -> None:
        super().__init__()
        self.first, self.last = layers.Dense(4, "tanh", name="same"), layers.Dense(2, "softmax")
        self.gate = Gate() if gated else Linear(4)
        self.chain = keras.Sequential([layers.Dense(4, name="same"), layers.BatchNormalization(), layers.Dropout(0.5)])

    def call(self, x: Any, training: bool = False) -> Any:
        h = self.first(x)
        h = self.gate(h) + 0.5 * self.chain(h, training=training)
        h = h * 2.0 if training else h
        return self.last(ops.flip(h, axis=1) - ops.mean(x, axis=-1, keepdims=True))


class Two(keras.Model):  # type: ignore[misc, name-defined]
    """A model of a list and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, inputs: Any) -> Any:
        a, b = inputs
        return {"sum": self.dense(a) + self.dense(b), "product": ops.sum(a * b, axis=-1)}


class Nested(keras.Model):  # type: ignore[misc, name-defined]
    """A model of a dict, with models of a user's inside."""

    def __init__(self) -> None:
        super().__init__()
        self.nets = [Net(), Net()]

    def call(self, inputs: Any) -> Any:
        return self.nets[0](inputs["a"]) + self.nets[1](ops.concatenate([inputs["a"], inputs["b"]], axis=-1))


def rows(n: int, width: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(n, width)).astype("float32")


def randomized(model: Any) -> Any:
    for weight in model.weights:
        if "seed" not in weight.path:
            value = np.random.default_rng(1).normal(scale=0.5, size=weight.shape)
            weight.assign(np.abs(value) + 0.5 if "variance" in weight.path else value)
    return model


def as_array(tensor: Any) -> Any:
    return np.asarray(tensor.detach() if hasattr(tensor, "detach") else tensor)


def test_a_model_of_layers_and_functions():
    x = rows(6, 5)
    theirs = Net(gated=False)
    theirs(x)
    randomized(theirs)
    model = from_keras(theirs)
    np.testing.assert_allclose(model(x), as_array(theirs(x)), rtol=1e-5, atol=1e-6)
    assert model.count_params() == theirs.count_params() - sum("seed" in each.path for each in theirs.weights) * 2
    names = [layer.name for layer in model.layers if layer.count_params()]
    assert len(names) == len(set(names))
    model.compile("sgd", "mse")
    model.fit(x, np.ones((6, 2)), epochs=1, verbose=0)


def test_weights_that_no_layer_reads_are_constants():
    x = rows(6, 4)
    theirs = keras.Sequential([keras.Input((4,)), layers.Dense(4), Gate(), layers.Dense(1)])
    randomized(theirs)
    with pytest.warns(UserWarning, match="weight '.*scale' is a constant from now on"):
        model = from_keras(theirs)
    np.testing.assert_allclose(model(x), as_array(theirs(x)), rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:weight .* is a constant")
def test_several_inputs_and_nested_models():
    a, b = rows(6, 3), rows(6, 3, 1)
    two = Two()
    theirs = two([a, b])
    ours = from_keras(two)([a, b])
    for name in ("sum", "product"):
        np.testing.assert_allclose(ours[name], as_array(theirs[name]), rtol=1e-5, atol=1e-6)
    nested = Nested()
    nested({"a": a, "b": b})
    np.testing.assert_allclose(
        from_keras(randomized(nested))({"a": a, "b": b}), as_array(nested({"a": a, "b": b})), rtol=1e-5, atol=1e-6
    )


def test_what_it_was_compiled_with_comes_along_and_nothing_is_changed():
    x = rows(8, 5)
    theirs = Net(gated=False)
    theirs.compile("adam", "mse", metrics=["mae"])
    theirs.fit(x, np.ones((8, 2)), epochs=1, verbose=0)
    before = [layer.name for layer in theirs._flatten_layers()], Linear.__call__, as_array(theirs(x))
    model = from_keras(theirs)
    assert (type(model.optimizer).__name__, type(model.loss).__name__) in {
        ("Adam", "str"),
        ("Adam", "MeanSquaredError"),
    }
    assert [layer.name for layer in theirs._flatten_layers()] == before[0]
    assert Linear.__call__ is before[1]
    np.testing.assert_array_equal(as_array(theirs(x)), before[2])


class Apart(keras.Model):  # type: ignore[misc, name-defined]
    """A model of two arguments, of which Keras keeps the first one's shape."""

    def call(self, a: Any, b: Any) -> Any:
        return a + b


class Branching(keras.Model):  # type: ignore[misc, name-defined]
    """A model whose `call` looks at numbers."""

    def call(self, x: Any) -> Any:
        return x if float(ops.sum(x)) > 0 else -x


def test_what_cannot_come_in_says_why():
    with pytest.raises(ValueError, match="`model` must be built, so that the shapes of its inputs are known"):
        from_keras(Net())
    apart = Apart()
    apart(rows(2, 3), rows(2, 3))
    with pytest.raises(ValueError, match=r"`call` of 'Apart' must take one argument, .* Received: call\(a"):
        from_keras(apart)
    theirs = Branching()
    theirs(rows(2, 3))
    with pytest.raises(ValueError, match="`call` of 'Branching' must compute with layers and functions"):
        from_keras(theirs)
