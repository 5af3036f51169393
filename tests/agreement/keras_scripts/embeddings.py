"""Categories through embeddings, numbers beside them, trained batch by batch in a custom loop."""

import keras
import numpy as np
from keras import layers


def samples(n: int = 480):
    random = np.random.default_rng(8)
    colour, shop = random.integers(0, 7, n), random.integers(0, 12, n)
    numbers = random.normal(size=(n, 3)).astype("float32")
    effect = np.linspace(-1, 1, 7)[colour] + np.sin(shop) + numbers @ np.array([0.5, -0.5, 0.2])
    return [colour[:, None], shop[:, None], numbers], effect.astype("float32")[:, None]


def build_model():
    colour = keras.Input(shape=(1,), dtype="int32", name="colour")
    shop = keras.Input(shape=(1,), dtype="int32", name="shop")
    numbers = keras.Input(shape=(3,), name="numbers")
    parts = [
        layers.Flatten()(layers.Embedding(7, 3)(colour)),
        layers.Flatten()(layers.Embedding(input_dim=12, output_dim=4)(shop)),
        numbers,
    ]
    x = layers.Concatenate()(parts)
    x = layers.Dense(16, activation="relu")(x)
    return keras.Model([colour, shop, numbers], layers.Dense(1)(x))


def train(model):
    x, y = samples()
    model.compile(keras.optimizers.Adam(0.01, gradient_accumulation_steps=2), loss="mae", metrics=["mse"])
    for _ in range(8):
        for start in range(0, 400, 40):
            rows = slice(start, start + 40)
            loss, squared = model.train_on_batch([part[rows] for part in x], y[rows])
    held_out = model.test_on_batch([part[400:] for part in x], y[400:], return_dict=True)
    output = model.predict_on_batch([part[400:] for part in x])
    return {
        "loss": float(loss),
        "mse": float(squared),
        "test_loss": float(held_out["loss"]),
        "mean_output": float(np.mean(output)),
    }
