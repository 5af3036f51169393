"""Predict a number and a class from shared layers: losses, weights and metrics by the output's name."""

import keras
import numpy as np
from keras import layers


def samples(n: int = 600):
    random = np.random.default_rng(4)
    x = random.normal(size=(n, 6)).astype("float32")
    price = x @ np.array([1.0, -2.0, 0.5, 0.0, 0.3, 0.0]) + 0.1 * random.normal(size=n)
    kind = np.argmax(x @ random.normal(size=(6, 3)) + 0.3 * random.normal(size=(n, 3)), axis=1)
    return x, {"price": price.astype("float32"), "kind": kind}


def build_model():
    features = keras.Input(shape=(6,), name="features")
    shared = layers.Dense(20, activation="elu")(features)
    price = layers.Dense(1, name="price")(shared)
    side = layers.Dense(10, activation="relu")(shared)
    kind = layers.Dense(3, name="kind")(side)
    return keras.Model(inputs=features, outputs=[price, kind])


def train(model):
    x, y = samples()
    model.compile(
        optimizer=keras.optimizers.Nadam(learning_rate=0.005),
        loss={"price": "mse", "kind": keras.losses.SparseCategoricalCrossentropy(from_logits=True)},
        loss_weights={"price": 0.3, "kind": 1.0},
        metrics={"price": ["mae"], "kind": ["accuracy"]},
    )
    history = model.fit(
        x[:450],
        {name: values[:450] for name, values in y.items()},
        validation_data=(x[450:], {name: values[450:] for name, values in y.items()}),
        epochs=10,
        batch_size=30,
        shuffle=False,
        verbose=0,
    )
    scores = model.evaluate(x[450:], [y["price"][450:], y["kind"][450:]], verbose=0, return_dict=True)
    price, kind = model.predict(x[450:], verbose=0)
    assert price.shape == (150, 1)
    assert kind.shape == (150, 3)
    return {
        **{name: values[-1] for name, values in history.history.items()},
        **{f"test_{name}": value for name, value in scores.items()},
    }
