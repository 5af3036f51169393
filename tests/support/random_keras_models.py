"""Random models of Keras, for the tests of the doors."""

from __future__ import annotations

from typing import Any

import numpy as np

BLOCKS = (
    lambda keras, draw: keras.layers.Dense(
        int(draw.integers(2, 6)), str(draw.choice(["relu", "tanh", "gelu", "swish", "elu"]))
    ),
    lambda keras, draw: keras.layers.BatchNormalization(momentum=0.8, center=bool(draw.integers(2))),
    lambda keras, draw: keras.layers.LayerNormalization(scale=bool(draw.integers(2))),
    lambda keras, draw: keras.layers.PReLU(),
    lambda keras, draw: keras.layers.LeakyReLU(0.1),
    lambda keras, draw: keras.layers.Activation(str(draw.choice(["softplus", "selu", "mish", "hard_sigmoid"]))),
    lambda keras, draw: keras.layers.UnitNormalization(),
    lambda keras, draw: keras.layers.Rescaling(0.5, 0.1),
    lambda keras, draw: keras.layers.Dropout(0.2),
)


def random_keras_model(keras: Any, seed: int) -> tuple[Any, Any]:
    """Return a model with random weights, a chain or a graph with a model inside and a sum, and rows for it."""
    draw = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    n_inputs = int(draw.integers(1, 6))
    blocks = [BLOCKS[draw.integers(len(BLOCKS))](keras, draw) for _ in range(draw.integers(1, 5))]
    last = keras.layers.Dense(2)
    if seed % 2:
        model = keras.Sequential([keras.Input((n_inputs,)), *blocks, last])
    else:
        inputs = keras.Input((n_inputs,))
        value = keras.Sequential([*blocks, keras.layers.Dense(3)])(inputs)
        shared = keras.layers.Dense(3, "tanh")
        model = keras.Model(inputs, last(keras.layers.Add()([shared(value), shared(shared(value))])))
    for weight in model.weights:
        if "seed" not in weight.path:
            value = draw.normal(scale=0.5, size=weight.shape)
            weight.assign(np.abs(value) + 0.5 if "variance" in weight.path else value)
    return model, draw.normal(size=(7, n_inputs)).astype("float32")
