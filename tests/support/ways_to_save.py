"""Every way to save, of something that tells its number back: `python ways_to_save.py WAY PATH NUMBER` takes one."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import cnn_core
from cnn_core import callbacks, layers

X, Y = np.zeros((4, 3), "float32"), np.zeros((4, 2), "float32")
ROWS = np.arange(60.0).reshape(30, 2)


class Way(NamedTuple):
    """What writes a number, what reads it back, if the file is whole, and what the file is called."""

    write: Callable[[Path, int], object]
    read: Callable[[Path], int]
    name: str = "model.safetensors"


def model(number: int = 0) -> cnn_core.Sequential:
    """Return a model whose weights are all a number; with inputs that are zero no training moves them."""
    made = cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(2, use_bias=False)])
    made.compile("sgd", "mse")
    made.set_weights([np.full((3, 2), number, "float32")])
    return made


def number_of(model: Any) -> int:
    (kernel,) = model.get_weights()
    assert (kernel == kernel[0, 0]).all()
    return int(kernel[0, 0])


def read_weights(path: Path) -> int:
    found = model()
    found.load_weights(path)
    return number_of(found)


def fit(number: int, *several: callbacks.Callback, epochs: int = 1) -> Any:
    made = model(number)
    made.fit(X, Y, verbose=0, epochs=epochs, callbacks=list(several))
    return made


def back_up(path: Path, number: int) -> None:
    """Train the last epoch of `number` with weights that are it; those before are in the backup, if there is one."""
    backup = callbacks.BackupAndRestore(path, delete_checkpoint=False)
    step = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: backup.model.set_weights(model(number).weights))
    fit(number, backup, step, epochs=number)


def read_backup(path: Path) -> int:
    found = fit(0, callbacks.BackupAndRestore(path, delete_checkpoint=False), epochs=1)
    assert found.optimizer.batches_seen == number_of(found)
    return number_of(found)


@functools.cache
def perceptron(number: int, *several: callbacks.Callback) -> Any:
    from cnn_core.sklearn import MLPRegressor

    made = MLPRegressor(hidden_layer_sizes=(2,), max_iter=1, tol=0, random_state=number, callbacks=list(several))
    return made.fit(ROWS, ROWS[:, 0])


@functools.cache
def table_estimator(number: int) -> Any:
    from cnn_core.sklearn import TabularRegressor

    return TabularRegressor(hidden_layer_sizes=(2,), epochs=1, random_state=number).fit(ROWS, ROWS[:, 0])


def read_estimator(fitted: Callable[[int], Any]) -> Callable[[Path], int]:
    """Return what finds the seed of a saved estimator, whose answers must be those of its seed."""

    def read(path: Path) -> int:
        found = type(fitted(1)).load(path)
        np.testing.assert_array_equal(found.predict(ROWS), fitted(found.random_state).predict(ROWS))
        return int(found.random_state)

    return read


WAYS = {
    "save": Way(lambda path, number: model(number).save(path), lambda path: number_of(cnn_core.load_model(path))),
    "save as Keras does": Way(
        lambda path, number: model(number).save(path),
        lambda path: number_of(cnn_core.load_model(path)),
        "model.keras",
    ),
    "save_weights": Way(lambda path, number: model(number).save_weights(path), read_weights),
    "save_weights as Keras does": Way(
        lambda path, number: model(number).save_weights(path), read_weights, "model.weights.h5"
    ),
    "ModelCheckpoint": Way(lambda path, number: fit(number, callbacks.ModelCheckpoint(path)), read_weights),
    "BackupAndRestore": Way(back_up, read_backup, "backup"),
    "perceptron": Way(lambda path, number: perceptron(number).save(path), read_estimator(perceptron)),
    "ModelCheckpoint of a perceptron": Way(
        lambda path, number: perceptron(number, callbacks.ModelCheckpoint(path)), read_estimator(perceptron)
    ),
    "table estimator": Way(lambda path, number: table_estimator(number).save(path), read_estimator(table_estimator)),
}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    way, path, number = sys.argv[1:]
    WAYS[way].write(Path(path), int(number))
