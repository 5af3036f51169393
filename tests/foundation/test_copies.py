"""Tests of `copy.copy` for what owns arrays: the copy is one of its own, as in Keras."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest

import cnn_core
from cnn_core import callbacks, layers, metrics

X = np.arange(12, dtype="float32").reshape(4, 3)


def trained() -> cnn_core.Sequential:
    model = cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(2), layers.BatchNormalization(), layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(X, X[:, :1], verbose=0)
    return model


def test_a_copied_model_stays_as_it_was() -> None:
    model = trained()
    best, before = copy.copy(model), model.get_weights()
    model.fit(X, X[:, :1], epochs=3, verbose=0)
    for weight, kept in zip(best.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)
    best.fit(X, X[:, :1], epochs=3, verbose=0)
    for weight, same in zip(best.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)


@pytest.mark.parametrize("index", [0, 1])
def test_a_copied_layer_stays_as_it_was(index: int) -> None:
    model = trained()
    kept = copy.copy(model.layers[index])
    before = kept.get_weights()
    model.fit(X, X[:, :1], epochs=3, verbose=0)
    for weight, same in zip(kept.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, same)


def test_a_copied_metric_counts_for_itself() -> None:
    metric = metrics.Mean()
    metric.update_state([1.0, 3.0])
    kept = copy.copy(metric)
    metric.update_state([100.0])
    assert float(kept.result()) == 2


def test_a_copied_variable_has_an_array_of_its_own() -> None:
    variable = trained().layers[0].kernel
    kept = copy.copy(variable)
    before = np.array(kept)
    variable.assign(np.zeros(variable.shape))
    np.testing.assert_array_equal(np.array(kept), before)


def a_history() -> callbacks.History:
    return trained().history


def an_early_stopping() -> callbacks.EarlyStopping:
    stopping = callbacks.EarlyStopping("loss", restore_best_weights=True)
    trained().fit(X, X[:, :1], epochs=2, callbacks=[stopping], verbose=0)
    return stopping


def a_callback_list() -> callbacks.CallbackList:
    return callbacks.CallbackList([an_early_stopping()], add_history=True, model=trained())


def owned(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what a callback can change in place, with the way to it; not what belongs to its model."""
    if isinstance(value, (dict, list, np.ndarray)):
        yield path, value
    parts: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, (list, tuple)):
        parts = enumerate(value)
    elif isinstance(value, callbacks.Callback):
        parts = ((name, part) for name, part in vars(value).items() if name != "_model")
    for name, part in parts:
        yield from owned(part, f"{path}.{name}")


@pytest.mark.parametrize("make", [a_history, an_early_stopping, a_callback_list])
def test_a_copied_callback_gathers_results_of_its_own_of_the_same_model(make: Callable[[], Any]) -> None:
    original = make()
    kept = copy.copy(original)
    assert kept.model is original.model
    theirs = {id(part): path for path, part in owned(original)}
    assert len(theirs) > 1
    assert [theirs[id(part)] for _, part in owned(kept) if id(part) in theirs] == []
    assert [path for path, _ in owned(kept)] == [path for path, _ in owned(original)]


def test_a_copied_history_keeps_its_epochs() -> None:
    model = trained()
    history = model.history
    kept, before = copy.copy(history), list(history.history["loss"])
    model.fit(X, X[:, :1], epochs=3, verbose=0, callbacks=[history])
    assert kept.history["loss"] == before
    assert len(history.history["loss"]) == 4


def test_a_copied_callback_shares_what_cannot_be_copied() -> None:
    class Locked(callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.lock, self.seen = threading.Lock(), []

    original = Locked()
    kept = copy.copy(original)
    assert kept.lock is original.lock
    assert kept.seen is not original.seen


def test_a_copied_schedule_has_lists_of_its_own() -> None:
    schedule = cnn_core.optimizers.schedules.PiecewiseConstantDecay([1], [0.1, 0.2])
    kept = copy.copy(schedule)
    schedule.values[0] = 5.0
    assert kept(0) == 0.1
