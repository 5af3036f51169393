"""Tell two rings of points apart: validation split, class weights, several metrics."""

import keras
import numpy as np
from keras import layers


def rings(n: int = 600):
    random = np.random.default_rng(1)
    label = random.integers(0, 2, n)
    angle = random.uniform(0, 2 * np.pi, n)
    radius = 1.0 + 1.2 * label + random.normal(0, 0.25, n)
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return x.astype("float32"), label.astype("float32")


def build_model():
    model = keras.Sequential(name="rings")
    model.add(layers.Input(shape=(2,)))
    model.add(layers.Dense(16, activation="relu", kernel_initializer="he_normal"))
    model.add(layers.Dense(8, activation="relu"))
    model.add(layers.Dense(1, activation="sigmoid"))
    return model


def train(model):
    x, y = rings()
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=0.01),
        loss="binary_crossentropy",
        metrics=["accuracy", keras.metrics.AUC(name="auc"), keras.metrics.Precision(), keras.metrics.Recall()],
    )
    history = model.fit(
        x[:500],
        y[:500],
        batch_size=32,
        epochs=15,
        validation_split=0.2,
        class_weight={0: 1.0, 1: 1.5},
        shuffle=False,
        verbose=0,
    )
    scores = model.evaluate(x[500:], y[500:], verbose=0, return_dict=True)
    probability = model.predict(x[500:], verbose=0)
    assert probability.shape == (100, 1)
    return {
        **{name: values[-1] for name, values in history.history.items()},
        **{f"test_{name}": value for name, value in scores.items()},
    }
