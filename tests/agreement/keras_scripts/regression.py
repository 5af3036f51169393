"""Fit a curved surface: inputs scaled by Normalization, penalties and a constraint on weights, robust loss."""

import keras
import numpy as np
from keras import layers, regularizers


def surface(n: int = 800):
    random = np.random.default_rng(2)
    x = random.uniform([-3, 0, 10], [3, 100, 12], (n, 3))
    y = np.sin(x[:, 0]) + 0.02 * x[:, 1] + (x[:, 2] - 11) ** 2 + random.normal(0, 0.05, n)
    return x.astype("float32"), y.astype("float32")[:, None]


def build_model():
    x, _ = surface()
    normalizer = layers.Normalization()
    normalizer.adapt(x[:600])
    return keras.Sequential(
        [
            keras.Input(shape=(3,)),
            normalizer,
            layers.Dense(32, activation="tanh", kernel_regularizer=regularizers.l2(1e-4)),
            layers.Dense(16, kernel_regularizer=regularizers.L1L2(l1=1e-5, l2=1e-4)),
            layers.LeakyReLU(negative_slope=0.1),
            layers.Dense(1, kernel_constraint=keras.constraints.MaxNorm(3.0)),
        ]
    )


def train(model):
    x, y = surface()
    model.compile(
        loss=keras.losses.Huber(delta=0.5),
        optimizer=keras.optimizers.RMSprop(learning_rate=0.003, momentum=0.5),
        metrics=["mae", "mse", keras.metrics.RootMeanSquaredError(), keras.metrics.R2Score()],
    )
    history = model.fit(
        x[:600], y[:600], epochs=12, batch_size=25, validation_data=(x[600:], y[600:]), shuffle=False, verbose=0
    )
    return {name: values[-1] for name, values in history.history.items()}
