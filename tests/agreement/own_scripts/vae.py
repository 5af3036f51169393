"""A variational autoencoder whose noise is an input, so that two libraries can be compared."""

import keras
import numpy as np
from data import features
from keras import layers, ops


class Sampling(layers.Layer):
    def call(self, inputs):
        mean, log_variance, noise = inputs
        return mean + ops.exp(0.5 * log_variance) * noise


class VAE(keras.Model):
    def __init__(self, latent=2, **kwargs):
        super().__init__(**kwargs)
        self.latent = latent
        self.hidden = layers.Dense(10, activation="relu")
        self.mean = layers.Dense(latent)
        self.log_variance = layers.Dense(latent)
        self.sampling = Sampling()
        self.decoder = keras.Sequential([layers.Dense(10, activation="relu"), layers.Dense(8)])

    def call(self, inputs):
        x, noise = inputs
        h = self.hidden(x)
        mean, log_variance = self.mean(h), self.log_variance(h)
        divergence = -0.5 * (1 + log_variance - ops.square(mean) - ops.exp(log_variance))
        self.add_loss(0.1 * ops.mean(ops.sum(divergence, axis=1)))
        return self.decoder(self.sampling([mean, log_variance, noise]))


def build_model():
    model = VAE()
    model([np.zeros((1, 8), keras.config.floatx()), np.zeros((1, 2), keras.config.floatx())])
    return model


def train(model):
    x, _ = features()
    noise = np.random.default_rng(5).normal(size=(len(x), 2))
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
    history = model.fit([x, noise], x, batch_size=len(x), epochs=50, shuffle=False, verbose=0).history["loss"]
    return {"first": history[0], "tenth": history[9], "last": history[-1]}
