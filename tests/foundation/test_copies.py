"""Tests of `copy.copy` for what owns arrays: the copy is one of its own, as in Keras."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import cnn_core
from cnn_core import layers, metrics

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
