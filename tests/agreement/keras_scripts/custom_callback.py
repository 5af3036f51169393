"""Custom callbacks: a class with hooks, functions, a schedule by batch, and stopping from within."""

import keras
import numpy as np
from keras.callbacks import Callback, LambdaCallback


class Watch(Callback):
    """Remember losses batch by batch, halve the learning rate in the fourth epoch and stop when the loss is low."""

    def __init__(self, low: float) -> None:
        super().__init__()
        self.low = low
        self.batch_losses: list[float] = []
        self.hooks: list[str] = []

    def on_train_begin(self, logs=None):
        self.hooks.append("train begins")
        self.steps = self.params["steps"]

    def on_train_batch_end(self, batch, logs=None):
        self.batch_losses.append(logs["loss"])

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 3:
            rate = float(self.model.optimizer.learning_rate)
            self.model.optimizer.learning_rate = rate / 2

    def on_epoch_end(self, epoch, logs=None):
        if logs.get("val_loss") < self.low:
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        self.hooks.append("train ends")


def build_model():
    return keras.Sequential(
        [
            keras.layers.Input((4,)),
            keras.layers.Dense(12, activation=keras.activations.softplus),
            keras.layers.Dense(1, activation=None),
        ]
    )


def train(model):
    random = np.random.default_rng(5)
    x = random.normal(size=(400, 4)).astype("float32")
    y = (x[:, :1] * x[:, 1:2] + x[:, 2:3]).astype("float32")
    epochs: list[int] = []
    watch = Watch(low=0.55)
    model.compile(optimizer=keras.optimizers.Adamax(0.02), loss=keras.losses.MeanSquaredError())
    history = model.fit(
        x[:300],
        y[:300],
        batch_size=50,
        epochs=40,
        validation_data=(x[300:], y[300:]),
        callbacks=[watch, LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch))],
        shuffle=False,
        verbose=0,
    )
    assert watch.hooks == ["train begins", "train ends"]
    assert epochs == history.epoch
    return {
        "loss": history.history["loss"][-1],
        "val_loss": history.history["val_loss"][-1],
        "epochs": len(epochs),
        "steps": watch.steps,
        "batches": len(watch.batch_losses),
        "last_running_loss": watch.batch_losses[-1],
        "learning_rate": float(model.optimizer.learning_rate),
        "iterations": int(model.optimizer.iterations),
    }
