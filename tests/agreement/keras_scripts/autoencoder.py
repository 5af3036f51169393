"""Squeeze digits through a bottleneck; encoder and decoder are models that share the autoencoder's layers."""

import keras
import numpy as np
from digits import load_digits
from keras import layers


def build_model():
    encoder_input = keras.Input(shape=(64,), name="pixels")
    hidden = layers.Dense(32, activation="relu", name="encoder_hidden")(encoder_input)
    code = layers.Dense(6, name="bottleneck", activity_regularizer=keras.regularizers.L1(1e-4))(hidden)
    hidden = layers.Dense(32, activation="relu", name="decoder_hidden")(code)
    decoded = layers.Dense(64, activation="sigmoid", name="reconstruction")(hidden)
    return keras.Model(encoder_input, decoded, name="autoencoder")


def train(model):
    images, _ = load_digits()
    x = images.reshape(len(images), 64) / 16
    model.compile(optimizer="adam", loss="mse")
    history = model.fit(x[:1200], x[:1200], epochs=6, batch_size=50, shuffle=False, verbose=0)

    encoder = keras.Model(model.input, model.get_layer("bottleneck").output)
    code_input = keras.Input(shape=(6,))
    decoder = keras.Model(code_input, model.layers[-1](model.layers[-2](code_input)))

    codes = encoder.predict(x[1200:], verbose=0)
    decoded = decoder.predict(codes, verbose=0)
    np.testing.assert_allclose(decoded, model.predict(x[1200:], verbose=0), atol=1e-5)
    return {
        "loss": history.history["loss"][-1],
        "test_loss": model.evaluate(x[1200:], x[1200:], verbose=0),
        "spread_of_codes": float(np.std(codes)),
        "error": float(np.mean((decoded - x[1200:]) ** 2)),
    }
