"""A generator and a discriminator with an optimizer each; the noise comes with the data, so that it is the same."""

import keras
import numpy as np
from data import features
from keras import layers, ops
from stepping import step


class Adversaries(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.generator = keras.Sequential([keras.Input((3,)), layers.Dense(8, "tanh"), layers.Dense(8)])
        self.discriminator = keras.Sequential([keras.Input((8,)), layers.Dense(6), layers.LeakyReLU(), layers.Dense(1)])
        self.d_tracker = keras.metrics.Mean(name="d_loss")
        self.g_tracker = keras.metrics.Mean(name="g_loss")
        self.built = True

    @property
    def metrics(self):
        return [self.d_tracker, self.g_tracker]

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer = d_optimizer
        self.g_optimizer = g_optimizer
        self.loss_fn = loss_fn

    def train_step(self, data):
        real, noise = data
        n = ops.shape(real)[0]
        made = ops.stop_gradient(self.generator(noise))
        both = ops.concatenate([made, real], axis=0)
        labels = ops.concatenate([ops.ones((n, 1)), ops.zeros((n, 1))], axis=0)
        d_loss = step(
            keras,
            self.d_optimizer,
            lambda: self.loss_fn(labels, self.discriminator(both)),
            self.discriminator.trainable_weights,
        )
        g_loss = step(
            keras,
            self.g_optimizer,
            lambda: self.loss_fn(ops.zeros((n, 1)), self.discriminator(self.generator(noise))),
            self.generator.trainable_weights,
        )
        self.d_tracker.update_state(d_loss)
        self.g_tracker.update_state(g_loss)
        return {"d_loss": self.d_tracker.result(), "g_loss": self.g_tracker.result()}


def build_model():
    return Adversaries()


def train(model):
    x, _ = features()
    noise = np.random.default_rng(6).normal(size=(len(x), 3))
    optimizers = [keras.optimizers.Adam(0.003) for _ in range(2)]
    model.compile(*optimizers, keras.losses.BinaryCrossentropy(from_logits=True))
    history = model.fit(x, noise, batch_size=16, epochs=17, shuffle=False, verbose=0).history
    return {"first": history["d_loss"][0], "d_last": history["d_loss"][-1], "g_last": history["g_loss"][-1]}
