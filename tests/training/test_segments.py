"""Tests of what a model keeps from one batch to the next, and of batches that go straight to native code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import layers, optimizers, regularizers

GENERATOR = np.random.default_rng(8)
X = GENERATOR.normal(size=(24, 4)).astype("float32")
LABELS = GENERATOR.integers(0, 3, 24)
TARGETS: dict[str, tuple[int, str, np.ndarray]] = {
    "mse": (3, "linear", GENERATOR.normal(size=(24, 3)).astype("float32")),
    "sparse_categorical_crossentropy": (3, "softmax", LABELS),
    "categorical_crossentropy": (3, "softmax", np.eye(3, dtype="float32")[LABELS]),
    "binary_crossentropy": (1, "sigmoid", (LABELS[:, None] > 0).astype("float32")),
    "hinge": (1, "tanh", np.where(LABELS[:, None] > 0, 1, -1).astype("float32")),
}


def compiled(loss: str, optimizer: Any = None, **named: Any) -> cnn_core.Sequential:
    cnn_core.utils.set_random_seed(3)
    units, activation, _ = TARGETS[loss]
    model = cnn_core.Sequential(
        [cnn_core.Input((4,)), layers.Dense(5, "tanh"), layers.Dense(units, activation, name="top")]
    )
    model.compile(optimizers.SGD(0.1, momentum=0.9) if optimizer is None else optimizer, loss, **named)
    model.training_state()  # draws the seed of its orders, so that equal models shuffle equally
    return model


def same(first: cnn_core.Model, second: cnn_core.Model) -> bool:
    return all(map(np.array_equal, first.get_weights(), second.get_weights()))


@pytest.mark.parametrize("loss", TARGETS)
def test_plain_batches_give_the_bits_of_batches_that_are_read(loss: str) -> None:
    metrics = ["accuracy" if loss.startswith("sparse") else "mae"]
    plain, read = compiled(loss, metrics=metrics), compiled(loss, metrics=metrics)
    y = TARGETS[loss][2]
    for rows in (slice(0, 16), slice(3, 19), slice(16, 24), slice(0, 24), slice(5, 6)):
        given = X[rows], y[rows]
        ours = plain.train_on_batch(*given), plain.test_on_batch(*given)
        assert ours == (read.train_on_batch(*map(np.ndarray.tolist, given)), read.test_on_batch(*map(list, given)))
    assert same(plain, read)


@pytest.mark.parametrize(
    ("loss", "x", "y", "message"),
    [
        ("mse", X * np.float32("nan"), TARGETS["mse"][2], "NaN"),
        ("mse", X[:, :3], TARGETS["mse"][2], "x has 3 features; the model expects 4"),
        ("mse", X, TARGETS["mse"][2] * np.float32("inf"), "y has .* NaN or infinite"),
        ("mse", X, TARGETS["mse"][2][:, :2].copy(), "the shape of the model's output"),
        ("mse", X[:0], TARGETS["mse"][2][:0], "must not be empty"),
        ("mse", X, TARGETS["mse"][2][:7], "the same number of rows"),
        ("sparse_categorical_crossentropy", X, LABELS + 1, "labels must be 0..2"),
        ("sparse_categorical_crossentropy", X, LABELS[:7], "the same number of rows"),
        ("categorical_crossentropy", X, np.ones((24, 3), "float32"), "add up to 1"),
        ("binary_crossentropy", X, np.full((24, 1), 2, "float32"), "from 0 to 1"),
    ],
)
def test_a_bad_batch_after_a_good_one_is_refused_and_loses_nothing(
    loss: str, x: np.ndarray, y: np.ndarray, message: str
) -> None:
    model, other = compiled(loss), compiled(loss)
    good = X, TARGETS[loss][2]
    model.train_on_batch(*good)
    model.test_on_batch(*good)
    for call in (model.train_on_batch, model.test_on_batch):
        with pytest.raises(ValueError, match=message):
            call(x, y)
    model.train_on_batch(*good)
    for _ in range(2):
        other.train_on_batch(*good)
    assert same(model, other)


def test_weights_and_class_weights_count_after_plain_batches() -> None:
    model, other = compiled("sparse_categorical_crossentropy"), compiled("sparse_categorical_crossentropy")
    weight = GENERATOR.random(24)
    model.train_on_batch(X, LABELS)
    other.train_on_batch(X.tolist(), LABELS)
    for named in ({"sample_weight": weight}, {"class_weight": {1: 5.0}}, {}):
        assert model.train_on_batch(X, LABELS, **named) == other.train_on_batch(X.tolist(), LABELS, **named)
    assert same(model, other)


def test_a_batch_that_the_caller_changes_counts_as_it_is_then() -> None:
    model, x = compiled("mse"), X.copy()
    before = model.test_on_batch(x, TARGETS["mse"][2])
    x *= 2
    assert model.test_on_batch(x, TARGETS["mse"][2]) == model.test_on_batch(2 * X, TARGETS["mse"][2]) != before


def halve_the_rate(model: cnn_core.Sequential) -> None:
    model.optimizer.learning_rate = 0.05


def train_the_top_at_half_the_rate(model: cnn_core.Sequential) -> None:
    for variable in model.layers[1].variables:
        variable.learning_rate_multiplier = 0.5


def set_other_weights(model: cnn_core.Sequential) -> None:
    model.set_weights([2 * each for each in model.get_weights()])


def compile_again(model: cnn_core.Sequential) -> None:
    model.compile(optimizers.SGD(0.025), "mse")


def freeze_the_top(model: cnn_core.Sequential) -> None:
    model.layers[1].trainable = False


@pytest.mark.parametrize(
    ("change", "rates"),
    [
        (halve_the_rate, (0.05, 0.05)),
        (train_the_top_at_half_the_rate, (0.1, 0.05)),
        (set_other_weights, (0.1, 0.1)),
        (compile_again, (0.025, 0.025)),
        (freeze_the_top, (0.1, 0.0)),
    ],
)
def test_the_next_batch_sees_every_change(change: Callable[[Any], None], rates: tuple[float, float]) -> None:
    y = TARGETS["mse"][2]
    model = compiled("mse", optimizers.SGD(0.1))
    for _ in range(2):
        model.train_on_batch(X, y)
    change(model)
    before = model.get_weights()
    gradients = model.gradients(X, y)
    model.train_on_batch(X, y)
    gradients += [0.0] * (4 - len(gradients))
    for old, new, gradient, rate in zip(before, model.get_weights(), gradients, np.repeat(rates, 2), strict=True):
        np.testing.assert_allclose(new, old - rate * gradient, atol=1e-6)


def test_the_next_batch_sees_a_setting_of_the_optimizer() -> None:
    y = TARGETS["mse"][2]
    model = compiled("mse", optimizers.SGD(0.1, momentum=0.9))
    model.train_on_batch(X, y)
    model.optimizer.momentum = 0.0
    before, gradients = model.get_weights(), model.gradients(X, y)
    model.train_on_batch(X, y)
    for old, new, gradient in zip(before, model.get_weights(), gradients, strict=True):
        np.testing.assert_allclose(new, old - 0.1 * gradient, atol=1e-6)


def test_the_next_batch_sees_a_penalty() -> None:
    y = TARGETS["mse"][2]
    model = compiled("mse", optimizers.SGD(0.1))
    model.train_on_batch(X, y)
    loss = model.test_on_batch(X, y)
    kernel = model.layers[0].kernel
    kernel.regularizer = regularizers.L2(0.5)
    penalty = 0.5 * np.square(kernel.numpy().astype("float64")).sum()
    assert model.test_on_batch(X, y) == pytest.approx(loss + penalty, rel=1e-5)
    assert model.train_on_batch(X, y) == pytest.approx(loss + penalty, rel=1e-5)


# A whole `evaluate` and `fit` of few rows


class Watching(cnn_core.callbacks.Callback):
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None: ...

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None: ...


@pytest.mark.parametrize("loss", TARGETS)
@pytest.mark.parametrize("weight", [None, GENERATOR.random(24)])
def test_an_evaluation_of_one_batch_is_one_of_many_batches(loss: str, weight: np.ndarray | None) -> None:
    model, y = compiled(loss), TARGETS[loss][2]
    whole = model.evaluate(X, y, sample_weight=weight, verbose=0)
    assert whole == model.evaluate(X, y, sample_weight=weight, verbose=0, callbacks=[Watching()])
    assert whole == model.test_on_batch(X, y, weight)
    assert whole == pytest.approx(model.evaluate(X, y, 7, sample_weight=weight, verbose=0), rel=1e-5)


def test_an_evaluation_of_no_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="x must not be empty, but has no rows"):
        compiled("mse").evaluate(X[:0], TARGETS["mse"][2][:0], verbose=0)


@pytest.mark.parametrize("loss", TARGETS)
def test_calls_of_fit_on_few_rows_are_those_that_somebody_watches(loss: str) -> None:
    plain, watched, y = compiled(loss), compiled(loss), TARGETS[loss][2]
    for rows, epochs in ((slice(0, 20), 2), (slice(4, 24), 1), (slice(0, 24), 3), (slice(3, 4), 1)):
        ours = plain.fit(X[rows], y[rows], epochs=epochs, verbose=0).history
        theirs = watched.fit(X[rows], y[rows], epochs=epochs, verbose=0, callbacks=[Watching()]).history
        assert ours == theirs
        assert plain.train_on_batch(X, y) == watched.train_on_batch(X.tolist(), y)
    assert same(plain, watched)


def test_a_restored_seed_counts_for_what_is_kept() -> None:
    def noisy() -> cnn_core.Sequential:
        model = cnn_core.Sequential([cnn_core.Input((4,)), layers.Dropout(0.5), layers.Dense(3)])
        model.compile("sgd", "mse")
        model.set_weights([np.ones((4, 3)), np.zeros(3)])
        return model

    first, second, y = noisy(), noisy(), TARGETS["mse"][2]
    first.train_on_batch(X, y)
    second.restore_training_state(first.training_state())
    second.set_weights(first.get_weights())
    assert first.train_on_batch(X, y) == second.train_on_batch(X, y)
    third = noisy()
    third.train_on_batch(X, y)
    third.restore_training_state(first.training_state())
    third.set_weights(first.get_weights())
    assert first.train_on_batch(X, y) == third.train_on_batch(X, y)
