"""Decay by the step inside the optimizer, then by the epoch in a callback; training goes on where it stopped."""

import math

import keras
import numpy as np
from keras import layers, optimizers


def build_model():
    return keras.Sequential(
        [
            keras.Input(shape=(10,)),
            layers.Dense(20, activation="mish"),
            layers.Dense(20, activation="selu", kernel_initializer="lecun_normal"),
            layers.Dense(4, activation="softmax"),
        ]
    )


def train(model):
    random = np.random.default_rng(7)
    x = random.normal(size=(500, 10)).astype("float32")
    y = keras.utils.to_categorical(np.argmax(np.sin(x[:, :4]) + x[:, 4:8], axis=1), 4)
    schedule = optimizers.schedules.CosineDecay(
        initial_learning_rate=1e-4, decay_steps=120, alpha=0.1, warmup_target=0.2, warmup_steps=20
    )
    model.compile(optimizers.SGD(schedule, momentum=0.8), loss="categorical_crossentropy", metrics=["acc"])
    first = model.fit(x, y, batch_size=40, epochs=8, shuffle=False, verbose=0)

    model.compile(optimizers.Adam(optimizers.schedules.ExponentialDecay(0.01, 50, 0.7, staircase=True)), "kld")
    second = model.fit(x, y, batch_size=40, epochs=12, initial_epoch=8, shuffle=False, verbose=0)

    rates = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * math.exp(-0.1) if epoch > 1 else rate)
    model.compile(optimizers.Lion(learning_rate=0.002), loss=keras.losses.CategoricalFocalCrossentropy())
    third = model.fit(x, y, batch_size=40, epochs=6, callbacks=[rates], shuffle=False, verbose=0)
    return {
        "first": first.history["loss"][-1],
        "accuracy": first.history["acc"][-1],
        "second": second.history["loss"][-1],
        "epochs_of_second": len(second.epoch),
        "third": third.history["loss"][-1],
        "learning_rate": third.history["learning_rate"][-1],
    }
