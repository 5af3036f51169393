"""Overfit on purpose, stop early and keep the best weights; a checkpoint, a log file and a slower rate on the way."""

import csv
import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import layers
from keras.callbacks import CSVLogger, EarlyStopping, ModelCheckpoint, ReduceLROnPlateau, TerminateOnNaN


def build_model():
    return keras.models.Sequential(
        [
            layers.Input(shape=(8,)),
            layers.Dense(64, activation="relu"),
            layers.Dense(32, activation="relu"),
            layers.Dense(3, activation="softmax"),
        ]
    )


def train(model):
    random = np.random.default_rng(6)
    x = random.normal(size=(240, 8)).astype("float32")
    y = np.argmax(x[:, :3] + 0.8 * random.normal(size=(240, 3)), axis=1)
    model.compile(optimizer=keras.optimizers.Adam(0.003), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    with tempfile.TemporaryDirectory() as folder:
        best, log = Path(folder) / "best.weights.h5", Path(folder) / "log.csv"
        callbacks = [
            EarlyStopping(monitor="val_loss", patience=6, restore_best_weights=True),
            ModelCheckpoint(str(best), monitor="val_loss", save_best_only=True, save_weights_only=True),
            ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=3, min_lr=1e-4),
            CSVLogger(str(log)),
            TerminateOnNaN(),
        ]
        history = model.fit(
            x[:160],
            y[:160],
            epochs=60,
            batch_size=16,
            validation_data=(x[160:], y[160:]),
            callbacks=callbacks,
            shuffle=False,
            verbose=0,
        )
        restored = model.evaluate(x[160:], y[160:], verbose=0)
        model.load_weights(best)
        with log.open() as file:
            rows = list(csv.DictReader(file))
    reloaded = model.evaluate(x[160:], y[160:], verbose=0)
    return {
        "epochs": len(history.epoch),
        "best_epoch": int(np.argmin(history.history["val_loss"])),
        "restored_loss": restored[0],
        "restored_accuracy": restored[1],
        "reloaded_loss": reloaded[0],
        "logged_loss": float(rows[-1]["loss"]),
        "learning_rate": history.history["learning_rate"][-1],
    }
