"""A residual network written with operators, slices and a custom block."""

import keras
from data import features
from keras import layers, ops


class ResidualBlock(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.hidden = layers.Dense(units, activation="relu")
        self.out = layers.Dense(units)
        self.norm = layers.BatchNormalization(momentum=0.9)

    def call(self, x, training=None):
        h = self.norm(self.out(self.hidden(x)), training=training)
        return ops.relu(h + x)


def build_model():
    inputs = keras.Input(shape=(8,))
    h = layers.Dense(16)(inputs)
    h = ResidualBlock(16)(h)
    h = ResidualBlock(16)(h)
    h = 0.5 * h + ops.tanh(h) * (1 - ops.sigmoid(h))
    left, right = h[:, :8], h[:, 8:]
    h = ops.concatenate([left * right, left - right, inputs**2], axis=-1)
    return keras.Model(inputs, layers.Dense(1)(h), name="own_residual")


def train(model):
    x, y = features()
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
    history = model.fit(x, y, batch_size=len(x), epochs=50, shuffle=False, verbose=0).history["loss"]
    return {"first": history[0], "tenth": history[9], "last": history[-1], "evaluated": model.evaluate(x, y, verbose=0)}
