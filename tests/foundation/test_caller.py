"""Warnings point at the line of the user's that called into the package."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cnn_core as keras
from cnn_core.foundation.caller import warn_caller

X, Y = np.zeros((8, 3), np.float32), np.zeros((8, 1), np.float32)


def model() -> keras.Sequential:
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


class Shallow(keras.callbacks.EarlyStopping):
    def __init__(self, mode: str) -> None:
        super().__init__(mode=mode)


@pytest.mark.parametrize(
    "call",
    [
        lambda: warn_caller("so it is"),
        lambda: keras.optimizers.SGD(decay=0.1),
        lambda: keras.callbacks.EarlyStopping(mode="best"),
        lambda: model().fit(iter([(X, Y)] * 2), batch_size=4, steps_per_epoch=2, verbose=0),
        lambda: model().evaluate(iter([(X, Y)] * 2), batch_size=4, verbose=0),
        lambda: model().predict(iter([(X,)] * 2), batch_size=4),
        lambda: model().fit(iter([(X, Y)]), epochs=2, verbose=0),
        lambda: model().fit(X, Y, verbose=0, callbacks=[keras.callbacks.EarlyStopping("val_accuracy")]),
    ],
)
def test_a_warning_points_at_the_users_line(call: Callable[[], Any]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    assert caught
    assert {warning.filename for warning in caught} == {__file__}


def test_a_warning_of_an_estimator_passes_over_scikit_learns_wrappers() -> None:
    estimators = pytest.importorskip("cnn_core.sklearn")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimators.MLPRegressor(max_iter=1).fit(X, Y.ravel())
    assert [warning.filename for warning in caught] == [__file__]


def test_the_constructor_of_a_class_of_ones_own_counts_as_the_users() -> None:
    with pytest.warns(UserWarning, match="`mode` must be") as caught:
        Shallow("best")
    first = Shallow.__init__.__code__.co_firstlineno
    assert caught[0].filename == __file__
    assert caught[0].lineno == first + 1
