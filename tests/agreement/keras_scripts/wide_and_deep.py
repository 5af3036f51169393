"""A linear path for crossed features beside a deep one for dense features: two inputs, given by name."""

import keras
import numpy as np
from keras import layers


def samples(n: int = 700):
    random = np.random.default_rng(3)
    wide = (random.random((n, 12)) < 0.2).astype("float32")
    deep = random.normal(size=(n, 5)).astype("float32")
    score = wide @ np.linspace(-1.5, 1.5, 12) + np.tanh(deep[:, 0] * deep[:, 1]) + 0.5 * deep[:, 2]
    return {"wide": wide, "deep": deep}, (score + 0.3 * random.normal(size=n) > 0).astype("float32")


def build_model():
    wide = keras.Input(shape=(12,), name="wide")
    deep = keras.Input(shape=(5,), name="deep")
    x = layers.Dense(24, activation="relu")(deep)
    x = layers.Dense(12, activation="relu")(x)
    both = layers.concatenate([wide, x])
    output = layers.Dense(1, activation="sigmoid", name="click")(both)
    return keras.Model(inputs=[wide, deep], outputs=[output])


def train(model):
    x, y = samples()
    model.compile(
        optimizer=keras.optimizers.Adagrad(learning_rate=0.05),
        loss=keras.losses.BinaryCrossentropy(),
        metrics=[keras.metrics.BinaryAccuracy(name="accuracy")],
    )
    rows = slice(0, 500)
    history = model.fit(
        {"wide": x["wide"][rows], "deep": x["deep"][rows]},
        y[rows],
        epochs=10,
        batch_size=20,
        validation_data=([x["wide"][500:], x["deep"][500:]], y[500:]),
        shuffle=False,
        verbose=0,
    )
    probability = model.predict({"deep": x["deep"][500:], "wide": x["wide"][500:]}, verbose=0)
    return {
        **{name: values[-1] for name, values in history.history.items()},
        "mean_probability": float(np.mean(probability)),
    }
