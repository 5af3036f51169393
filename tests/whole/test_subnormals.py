"""Numbers below the smallest normal one: nothing here sets the processor to count them as zero."""

from __future__ import annotations

import numpy as np

import cnn_core
from cnn_core import layers

TINY = np.float32(1e-40)


def test_a_fit_leaves_the_callers_arithmetic_alone():
    model = cnn_core.Sequential([cnn_core.Input((4,)), layers.Dense(3)])
    model.compile("adam", "mse")
    model.fit(np.ones((64, 4)), np.ones((64, 3)), epochs=2, verbose=0)
    assert TINY * np.float32(1) == TINY != 0


def test_every_thread_computes_with_them():
    before = cnn_core.get_num_threads()
    cnn_core.set_num_threads(2)
    try:
        model = cnn_core.Sequential([cnn_core.Input((64,)), layers.Dense(64, kernel_initializer="identity")])
        x = np.full((20_000, 64), TINY)
        # As bits: a caller whose arithmetic counts them as zero would find zero equal to them.
        assert (model.predict(x, verbose=0).view(np.int32) == TINY.view(np.int32)).all()
    finally:
        cnn_core.set_num_threads(before)
