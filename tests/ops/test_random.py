"""Random numbers drawn at once, and those that every run of a network draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import Input, Model, layers, ops, random

X = np.random.default_rng(1).normal(size=(4000, 3)).astype(np.float32)


class Noise(layers.Layer):
    """What a distribution gives for every element, beside the inputs."""

    def __init__(self, draw: Any) -> None:
        super().__init__()
        self.draw = draw
        self.seeds = random.SeedGenerator(5)

    def call(self, x: Any) -> Any:
        return self.draw(ops.shape(x), self.seeds) + 0 * x


DRAWS = {
    "normal": (lambda shape, seed: random.normal(shape, 1.0, 2.0, seed=seed), 1.0, 2.0),
    "uniform": (lambda shape, seed: random.uniform(shape, -1.0, 2.0, seed=seed), 0.5, np.sqrt(9 / 12)),
    "truncated_normal": (lambda shape, seed: random.truncated_normal(shape, 1.0, 2.0, seed=seed), 1.0, 2 * 0.87962566),
    "randint": (lambda shape, seed: random.randint(shape, 0, 3, seed=seed), 1.0, np.sqrt(2 / 3)),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("way", ["arrays", "symbols"])
def test_moments(name: str, way: str) -> None:
    draw, mean, deviation = DRAWS[name]
    found = draw(X.shape, 3) if way == "arrays" else Noise(draw)(X)
    assert found.shape == X.shape
    # Five standard errors of a mean over 12000 numbers.
    assert abs(float(np.mean(found)) - mean) < 5 * deviation / np.sqrt(found.size)
    assert abs(float(np.std(found)) - deviation) < 0.05 * deviation


def test_every_run_draws_again() -> None:
    cnn_core.utils.set_random_seed(3)
    x = Input((3,))
    model = Model(x, x + random.normal(ops.shape(x)))
    first, second = model.predict(X), model.predict(X)
    assert np.mean(first != second) > 0.99
    assert abs(np.corrcoef(first[:, 0] - X[:, 0], second[:, 0] - X[:, 0])[0, 1]) < 0.1


def test_a_seed_gives_the_same_arrays() -> None:
    np.testing.assert_array_equal(random.normal((3,), seed=4), random.normal((3,), seed=4))
    seeds = random.SeedGenerator(4)
    first = random.normal((3,), seed=seeds)
    assert not np.array_equal(first, random.normal((3,), seed=seeds))
    np.testing.assert_array_equal(first, random.normal((3,), seed=random.SeedGenerator.from_config(seeds.get_config())))


def test_a_fixed_shape_in_call_is_refused() -> None:
    own = type("Own", (layers.Layer,), {"call": lambda self, x: x + random.normal((3,))})()
    with pytest.raises(ValueError, match="must begin with the number of samples"):
        own(X)


def test_dropout_categorical_and_shuffle() -> None:
    own = type("Own", (layers.Layer,), {"call": lambda self, x: random.dropout(x, 0.25)})()
    kept = own(X)
    assert 0.23 < np.mean(kept == 0) < 0.27
    np.testing.assert_allclose(kept[kept != 0], X[kept != 0] / 0.75, rtol=1e-6)
    logits = np.log(np.tile([[0.2, 0.8]], (5000, 1)).astype(np.float32))
    assert 0.78 < np.mean(random.categorical(logits, 1, seed=1)) < 0.82
    assert sorted(random.shuffle(np.arange(9), seed=2)) == list(range(9))
    for found in (random.gamma((2, 3), 2.0), random.beta((2, 3), 1.0, 2.0), random.binomial((2, 3), 5, 0.5)):
        assert found.shape == (2, 3)
