"""What the tests of training share: data, small networks, comparisons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import cnn_core
from cnn_core import layers

N = 50
GENERATOR = np.random.default_rng(11)
X = GENERATOR.normal(size=(N, 4)).astype("float32")
Y = (X[:, :1] - X[:, 1:2] > 0).astype("float32")
LABELS = GENERATOR.integers(0, 3, N)


def network(dropout: float = 0.0, units: int = 1, activation: str = "sigmoid", seed: int = 5) -> Any:
    """Make a network whose initial weights and random draws the seed fixes."""
    cnn_core.utils.set_random_seed(seed)
    middle = [layers.Dropout(dropout), layers.BatchNormalization()] if dropout else []
    return cnn_core.Sequential(
        [cnn_core.Input((4,)), layers.Dense(6, "tanh"), *middle, layers.Dense(units, activation)]
    )


def compiled(optimizer: Any = "adam", loss: Any = "binary_crossentropy", **arguments: Any) -> Any:
    given = {name: arguments.pop(name) for name in ("dropout", "units", "activation", "seed") if name in arguments}
    model = network(**given)
    model.compile(optimizer, loss, **arguments)
    model.training_state()  # draws the model's seed, which the first fit would draw otherwise
    return model


def same_weights(first: Any, second: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


def batches(size: int, *arrays: Any) -> Iterator[Any]:
    for start in range(0, N, size):
        yield tuple(array[start : start + size] for array in arrays)


# Kinds of data


class Numbered(cnn_core.utils.PyDataset):
    """The data set by the number of a batch."""

    def __len__(self) -> int:
        return -(-N // 8)

    def __getitem__(self, index: int) -> Any:
        rows = slice(index * 8, (index + 1) * 8)
        return X[rows], Y[rows]


def endless(*arrays: Any) -> Iterator[Any]:
    while True:
        yield from batches(8, *arrays)


RARE = X * (X > 0.7)


# Labels at several places of a sample


PLACED = GENERATOR.normal(size=(N, 4, 3)).astype("float32")
PLACED_LABELS = GENERATOR.integers(0, 5, (N, 4))
CLASSES = GENERATOR.integers(0, 2, N)
