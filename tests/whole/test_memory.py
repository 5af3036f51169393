"""What is left when memory runs out: every allocation of a call fails once, and the model is as it was before."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import layers

_testcapi = pytest.importorskip("_testcapi", reason="needs CPython's own test module, which lets allocations fail")

X = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")
Y = X[:, :2].copy()
pytestmark = [
    # A generator that cannot even be closed for want of memory tells so beside the error.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.skipif(
        (3, 12) <= sys.version_info < (3, 14),
        reason="a generator expression that finds no memory gives up its code once too often, which ends the process",
    ),
]
ENOUGH = 60  # calls in a row that need no allocation of such a number


def compiled(**arguments: Any) -> cnn_core.Sequential:
    cnn_core.utils.set_random_seed(1)
    model = cnn_core.Sequential(
        [cnn_core.Input((4,)), layers.Dense(3, "relu"), layers.BatchNormalization(), layers.Dense(2)]
    )
    model.compile(**{"optimizer": "adam", "loss": "mse", **arguments})
    return model


def state(model: cnn_core.Sequential) -> list[Any]:
    slots = [slot.copy() for slot in model.optimizer.state.values()]
    return [*model.get_weights(), *slots, np.array(model.optimizer.batches_seen)]


def same(first: list[Any], second: list[Any]) -> bool:
    return len(first) == len(second) and all(map(np.array_equal, first, second))


@contextmanager
def failing(number: int) -> Iterator[None]:
    """Let one allocation fail, the `number`th from here."""
    gc.disable()
    try:
        _testcapi.set_nomemory(number, number + 1)
        yield
    finally:
        _testcapi.remove_mem_hooks()
        gc.enable()


def failures(model: cnn_core.Sequential, call: Callable[[], Any]) -> Iterator[tuple[int, list[Any]]]:
    """Let every allocation of a call fail in turn; yield the number, and the state before, of each call that raised."""
    number = passed = 0
    while passed < ENOUGH:
        before = state(model)
        try:
            with failing(number):
                call()
            passed += 1
        except (MemoryError, SystemError):  # the latter where NumPy forgets to say which
            passed = 0
            yield number, before
        number += 1


@pytest.mark.parametrize("return_dict", [False, True])
@pytest.mark.parametrize("metrics", [[], ["mae", "cosine_similarity"]])
def test_a_step_is_made_with_its_answer_or_not_at_all(metrics: list[str], return_dict: bool) -> None:
    model, twin = compiled(metrics=metrics), compiled(metrics=metrics)
    model.train_on_batch(X, Y)
    numbers = []
    for number, before in failures(model, lambda: model.train_on_batch(X, Y, return_dict=return_dict)):
        numbers.append(number)
        assert same(state(model), before), number
    assert len(numbers) > 30
    for _ in range(model.optimizer.batches_seen):
        twin.train_on_batch(X, Y)
    assert same(state(model), state(twin)), "the calls between made a step each"


@pytest.mark.parametrize(
    "name", ["predict", "evaluate", "test_on_batch", "predict_on_batch", "get_weights", "gradients"]
)
def test_what_only_looks_changes_nothing(name: str) -> None:
    model = compiled(metrics=["mae"])
    model.train_on_batch(X, Y)
    arguments = (X,) if "predict" in name else () if name == "get_weights" else (X, Y)
    call = getattr(model, name)
    expected, numbers = call(*arguments), []
    for number, before in failures(model, lambda: call(*arguments)):
        numbers.append(number)
        assert same(state(model), before), number
    assert len(numbers) > 5
    np.testing.assert_equal(call(*arguments), expected)


def test_weights_are_set_all_or_none() -> None:
    model = compiled()
    model.train_on_batch(X, Y)
    others = [2 * weight + 1 for weight in model.get_weights()]
    kept = model.get_weights()
    for number, before in failures(model, lambda: model.set_weights(others)):
        assert same(state(model), before), number
        model.set_weights(kept)
    model.set_weights(others)
    assert same(model.get_weights(), others)


def test_fit_counts_the_steps_that_it_made() -> None:
    model, twin = compiled(), compiled()
    model.train_on_batch(X, Y)
    twin.train_on_batch(X, Y)
    for number, _ in failures(model, lambda: model.fit(X, Y, batch_size=24, epochs=2, shuffle=False, verbose=0)):
        while twin.optimizer.batches_seen < model.optimizer.batches_seen:
            twin.train_on_batch(X, Y)
        assert same(state(model), state(twin)), number
