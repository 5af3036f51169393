"""Functions of symbols in graphs: pickled by their names."""

from __future__ import annotations

import pickle

import numpy as np

import cnn_core
from cnn_core import ops


def test_models_with_functions_are_pickled() -> None:
    x = cnn_core.Input((3,))
    model = cnn_core.Model(x, ops.sum(ops.where(x > 0, x, 0.0) ** 2, axis=-1, keepdims=True))
    rows = np.array([[1.0, -2.0, 3.0]], "float32")
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(rows), [[10]])
    np.testing.assert_array_equal(model.predict(rows), [[10]])
