"""Read handwritten digits: one-hot targets, label smoothing, momentum; save the model, load it and predict."""

import tempfile
from pathlib import Path

import keras
import numpy as np
from digits import load_digits
from keras.layers import Dense, Flatten, Rescaling
from keras.models import Sequential
from keras.utils import to_categorical


def build_model():
    return Sequential(
        [
            keras.Input(shape=(8, 8)),
            Flatten(),
            Rescaling(1.0 / 16),
            Dense(48, activation="gelu"),
            Dense(32, activation="silu", kernel_regularizer="l2"),
            Dense(10, activation="softmax"),
        ]
    )


def train(model):
    images, labels = load_digits()
    targets = to_categorical(labels, num_classes=10)
    model.compile(
        optimizer=keras.optimizers.SGD(learning_rate=0.1, momentum=0.9, nesterov=True),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
        metrics=["accuracy", keras.metrics.TopKCategoricalAccuracy(k=3, name="top3")],
    )
    history = model.fit(images[:1400], targets[:1400], batch_size=64, epochs=8, shuffle=False, verbose=0)
    loss, accuracy, top3 = model.evaluate(images[1400:], targets[1400:], batch_size=128, verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digits.keras"
        model.save(path)
        again = keras.models.load_model(path)
    predicted = np.argmax(again.predict(images[1400:], verbose=0), axis=1)
    return {
        "loss": history.history["loss"][-1],
        "test_loss": loss,
        "test_accuracy": accuracy,
        "test_top3": top3,
        "reloaded_accuracy": float(np.mean(predicted == labels[1400:])),
    }
