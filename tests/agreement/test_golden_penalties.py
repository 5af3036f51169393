"""Regularizers have Keras's values and constraints Keras's effect on a matrix; trajectories test them in training."""

from __future__ import annotations

import numpy as np
import pytest

import cnn_core
import tolerances
from golden import DTYPES, build, load

CASES = load("penalties").cases


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "regularizer" in case])
def test_regularizer_is_keras(name: str, dtype: str) -> None:
    vectors = load("penalties")
    regularizer = build(cnn_core, CASES[name]["regularizer"])
    w = vectors("inputs", "w").astype(dtype)
    tolerances.close(regularizer(w), vectors(name, dtype, "value"), tolerances.golden(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "constraint" in case])
def test_constraint_is_keras(name: str, dtype: str) -> None:
    vectors = load("penalties")
    constraint = build(cnn_core, CASES[name]["constraint"])
    w = vectors("inputs", "w").astype(dtype)
    kept = w.copy()
    result = constraint(w)
    tolerances.close(result, vectors(name, dtype, "result"), tolerances.golden(dtype))
    assert result.dtype == dtype
    assert np.array_equal(w, kept)
