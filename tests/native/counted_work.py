"""Do fixed pieces of work between two marks each; run under callgrind by test_instruction_counts.py.

Usage: python counted_work.py LIBRARY, the library being the compiled markers.c.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

import numpy as np

import cnn_core
import cnn_core._core as _core

TRAINING_STEPS = {"xs": 64, "s": 32, "m": 2}


def main() -> None:
    cnn_core.set_num_threads(1)
    markers = ctypes.CDLL(sys.argv[1])
    for name, work in all_work().items():
        work()  # what is done once only is not counted
        markers.begin_counting()
        work()
        markers.end_counting(name.encode())


def all_work() -> dict[str, Callable[[], object]]:
    """Name every piece of work."""
    generator = np.random.default_rng(0)
    z = generator.standard_normal((512, 64), dtype=np.float32)
    return {
        "fit xs, sgd": training(generator, (4, 10, 3), 32, TRAINING_STEPS["xs"], "sgd"),
        "fit s, adam": training(generator, (64, 32, 10), 32, TRAINING_STEPS["s"], "adam"),
        "fit m, sgd": training(generator, (784, 128, 10), 128, TRAINING_STEPS["m"], "sgd"),
        "fit m, adam": training(generator, (784, 128, 10), 128, TRAINING_STEPS["m"], "adam"),
        "call on one row, 64-32-10": prediction(generator, (64, 32, 10), 1),
        "call on 1024 rows, 64-32-10": prediction(generator, (64, 32, 10), 1024),
        "predictor on one row, 784-128-10": prediction(generator, (784, 128, 10), 1, compiled=True),
        "tanh": lambda: _core.activation_forward("tanh", z, ()),
        "sigmoid": lambda: _core.activation_forward("sigmoid", z, ()),
        "softmax": lambda: _core.softmax(z),
    }


def network(sizes: tuple[int, ...]) -> cnn_core.Sequential:
    cnn_core.utils.set_random_seed(1)
    layers = [cnn_core.layers.Dense(units, activation="relu") for units in sizes[1:-1]]
    output = cnn_core.layers.Dense(sizes[-1], activation="softmax")
    return cnn_core.Sequential([cnn_core.Input((sizes[0],)), *layers, output])


def training(
    generator: np.random.Generator, sizes: tuple[int, ...], batch: int, n_steps: int, rule: str
) -> Callable[[], object]:
    """Return the fit of one epoch on random rows."""
    model = network(sizes)
    optimizer = cnn_core.optimizers.SGD(0.01, momentum=0.9) if rule == "sgd" else cnn_core.optimizers.Adam()
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy")
    x = generator.standard_normal((batch * n_steps, sizes[0]), dtype=np.float32)
    y = generator.integers(0, sizes[-1], batch * n_steps)
    return lambda: model.fit(x, y, batch_size=batch, epochs=1, verbose=0)


def prediction(
    generator: np.random.Generator, sizes: tuple[int, ...], n_rows: int, compiled: bool = False
) -> Callable[[], object]:
    """Return the call of a model, or of its compiled predictor, on random rows."""
    model = network(sizes).predictor() if compiled else network(sizes)
    x = generator.standard_normal((n_rows, sizes[0]), dtype=np.float32)
    return lambda: model(x)


if __name__ == "__main__":
    main()
