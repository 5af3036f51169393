"""Networks of Keras's guides and examples, built with Keras: in by both formats, and out again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core.interop import to_keras

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")
pytestmark = [
    pytest.mark.doors,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*HDF5 file.*"),
]
layers = keras.layers


def chain(*parts: Any, shape: tuple[int, ...], dtype: str = "float32") -> Any:
    return keras.Sequential([keras.Input(shape, dtype=dtype), *parts])


def relu(units: int) -> Any:
    return layers.Dense(units, "relu")


def mnist_perceptron() -> Any:
    inner = [relu(512), layers.Dropout(0.2), relu(512), layers.Dropout(0.2), layers.Dense(10, "softmax")]
    return chain(*inner, shape=(784,))


def first_steps() -> Any:
    return chain(layers.Flatten(), relu(128), layers.Dropout(0.2), layers.Dense(10), shape=(28, 28))


def reuters_topics() -> Any:
    inner = [layers.Dense(512), layers.Activation("relu"), layers.Dropout(0.5), layers.Dense(46)]
    return chain(*inner, layers.Activation("softmax"), shape=(1000,))


def card_fraud() -> Any:
    inner = [relu(256), relu(256), layers.Dropout(0.3), relu(256), layers.Dropout(0.3), layers.Dense(1, "sigmoid")]
    return chain(*inner, shape=(30,))


def fuel_efficiency() -> Any:
    normalization = layers.Normalization(axis=-1)
    normalization.adapt(np.random.default_rng(0).normal(2.0, 3.0, size=(50, 9)).astype("float32"))
    return chain(normalization, relu(64), relu(64), layers.Dense(1), shape=(9,))


def sparse_autoencoder() -> Any:
    x = keras.Input((784,))
    code = layers.Dense(32, "relu", activity_regularizer=keras.regularizers.L1(1e-5))(x)
    return keras.Model(x, layers.Dense(784, "sigmoid")(code))


def self_normalizing() -> Any:
    inner = [layers.Dense(16, "selu", kernel_initializer="lecun_normal") for _ in range(4)]
    return chain(*(each for dense in inner for each in (dense, layers.AlphaDropout(0.1))), layers.Dense(2), shape=(8,))


def review_sentiment() -> Any:
    return chain(layers.Embedding(100, 8), layers.Flatten(), layers.Dense(1, "sigmoid"), shape=(20,), dtype="int32")


def recommendations() -> Any:
    user, film = keras.Input((1,), dtype="int32"), keras.Input((1,), dtype="int32")
    vectors = [layers.Flatten()(layers.Embedding(100, 8)(each)) for each in (user, film)]
    return keras.Model([user, film], layers.Dense(1, "sigmoid")(layers.Dot(axes=1)(vectors)))


def support_tickets() -> Any:
    title, body = keras.Input((12,), name="title"), keras.Input((15,), name="body")
    joined = layers.concatenate([relu(8)(title), relu(8)(body)])
    return keras.Model([title, body], {"priority": layers.Dense(1)(joined), "department": layers.Dense(4)(joined)})


def siamese() -> Any:
    tower = chain(relu(16), layers.Dense(8), shape=(10,))
    left, right = keras.Input((10,)), keras.Input((10,))
    return keras.Model([left, right], layers.Dense(1, "sigmoid")(layers.Multiply()([tower(left), tower(right)])))


def wide_and_deep() -> Any:
    x = keras.Input((20,))
    wide, deep = layers.BatchNormalization()(x), x
    for _ in range(2):
        deep = layers.Dropout(0.1)(layers.ReLU()(layers.BatchNormalization()(layers.Dense(32)(deep))))
    return keras.Model(x, layers.Dense(2, "softmax")(layers.concatenate([wide, deep])))


def residual_blocks() -> Any:
    x = keras.Input((16,))
    value = layers.Dense(32)(x)
    for _ in range(3):
        inner = layers.Dense(64, "gelu")(layers.LayerNormalization()(value))
        value = value + layers.Dense(32)(layers.Dropout(0.1)(inner))
    return keras.Model(x, layers.Dense(3)(value))


def actor_and_critic() -> Any:
    x = keras.Input((4,))
    common = relu(128)(x)
    return keras.Model(x, [layers.Dense(2, "softmax")(common), layers.Dense(1)(common)])


def policy_of_ddpg() -> Any:
    x = keras.Input((3,))
    last = layers.Dense(1, "tanh", kernel_initializer=keras.initializers.RandomUniform(-0.003, 0.003))
    return keras.Model(x, last(relu(256)(relu(256)(x))) * 2.0)


def critic_of_ddpg() -> Any:
    state, action = keras.Input((3,)), keras.Input((1,))
    joined = layers.Concatenate()([relu(32)(relu(16)(state)), relu(32)(action)])
    return keras.Model([state, action], layers.Dense(1)(relu(256)(joined)))


def decoder() -> Any:
    return chain(relu(64), layers.Dense(784, "sigmoid"), layers.Reshape((28, 28)), shape=(2,))


def binned_numbers() -> Any:
    bins = [layers.Discretization(bin_boundaries=[-1.0, 0.0, 1.0]), layers.CategoryEncoding(4, output_mode="one_hot")]
    return chain(*bins, layers.Dense(2), shape=(1,))


EXAMPLES: list[Callable[[], Any]] = [
    mnist_perceptron,
    first_steps,
    reuters_topics,
    card_fraud,
    fuel_efficiency,
    sparse_autoencoder,
    self_normalizing,
    review_sentiment,
    recommendations,
    support_tickets,
    siamese,
    wide_and_deep,
    residual_blocks,
    actor_and_critic,
    policy_of_ddpg,
    critic_of_ddpg,
    decoder,
    binned_numbers,
]


def rows_for(model: Any) -> Any:
    draw = np.random.default_rng(0)
    given = [
        draw.integers(0, 100, size=(5, *tensor.shape[1:])).astype("int32")
        if "int" in tensor.dtype
        else draw.normal(size=(5, *tensor.shape[1:])).astype("float32")
        for tensor in model.inputs
    ]
    return given if len(given) > 1 else given[0]


def arrays(outputs: Any) -> list[Any]:
    found = outputs.values() if isinstance(outputs, dict) else outputs if isinstance(outputs, list) else [outputs]
    return [np.asarray(each.detach() if hasattr(each, "detach") else each) for each in found]


@pytest.mark.parametrize("make", EXAMPLES)
def test_an_example_of_keras_comes_in_and_goes_out(make: Callable[[], Any], tmp_path: Path):
    keras.utils.set_random_seed(0)
    theirs = make()
    x = rows_for(theirs)
    expected = arrays(theirs(x))
    endings = (
        [".keras"] if make is policy_of_ddpg else [".keras", ".h5"]
    )  # Keras cannot read its product in .h5, either
    for ending in endings:
        theirs.save(tmp_path / f"m{ending}")
        model = cnn_core.load_model(tmp_path / f"m{ending}")
        for found in (model(x), to_keras(model)(x)):
            for one, other in zip(arrays(found), expected, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Conv2D(4, 3), (8, 8, 1)),
        (layers.LSTM(4), (5, 3)),
        (layers.MaxPooling1D(), (5, 3)),
        (layers.Lambda(lambda x: x * 2), (3,)),
    ],
)
def test_layers_that_are_left_out_are_refused_by_name(layer: Any, shape: tuple[int, ...], tmp_path: Path):
    chain(layer, shape=shape).save(tmp_path / "m.keras")
    name = "__lambda__" if isinstance(layer, layers.Lambda) else type(layer).__name__
    with pytest.raises(ValueError, match=rf"cannot be loaded: .*Received: '{name}'"):
        cnn_core.load_model(tmp_path / "m.keras")
