"""Blocks with batch normalisation and skip connections; sample weights; decoupled weight decay and clipping."""

import keras
import numpy as np
from digits import load_digits
from keras import layers


def residual_block(x, units: int):
    shortcut = x
    x = layers.Dense(units, use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Activation("relu")(x)
    x = layers.Dense(units)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.ReLU()(layers.add([x, shortcut]))


def build_model():
    inputs = keras.Input(shape=(64,))
    x = layers.Dense(32)(inputs)
    x = layers.LayerNormalization()(x)
    for _ in range(2):
        x = residual_block(x, 32)
    return keras.Model(inputs, layers.Dense(10)(x), name="residual_mlp")


def train(model):
    images, labels = load_digits()
    x = images.reshape(-1, 64) / 8 - 1
    weight = np.where(labels == 8, 2.0, 1.0)
    optimizer = keras.optimizers.AdamW(learning_rate=2e-3, weight_decay=0.01, clipnorm=1.0)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(
        x[:900],
        labels[:900],
        sample_weight=weight[:900],
        batch_size=60,
        epochs=5,
        validation_data=(x[900:], labels[900:]),
        shuffle=False,
        verbose=0,
    )
    return {name: values[-1] for name, values in history.history.items()}
