from __future__ import annotations

import numpy as np
import pytest

import cnn_core
from cnn_core import config


@pytest.fixture
def floatx():
    before = config.floatx()
    yield
    config.set_floatx(before)


def test_floatx_is_float32_at_first():
    assert config.floatx() == "float32"


@pytest.mark.parametrize("value", ["float64", np.float64, np.dtype("float64")])
def test_set_floatx_changes_what_new_layers_compute_in(floatx, value):
    config.set_floatx(value)
    assert config.floatx() == "float64"
    assert cnn_core.layers.Dense(2).dtype == "float64"
    assert cnn_core.layers.Dense(2, dtype="float32").dtype == "float32"


def test_the_last_of_policy_and_floatx_counts(floatx):
    config.set_dtype_policy("mixed_bfloat16")
    assert cnn_core.layers.Dense(2).compute_dtype == "bfloat16"
    assert cnn_core.layers.Dense(2, dtype="float32").compute_dtype == "float32"
    config.set_floatx("float64")
    assert config.dtype_policy().name == cnn_core.layers.Dense(2).compute_dtype == "float64"
    config.set_dtype_policy("float32")
    assert cnn_core.layers.Dense(2).dtype == "float32"


@pytest.mark.parametrize("value", ["float16", "int32", "no type", None, 32])
def test_set_floatx_refuses_other_types_and_keeps_the_old_one(floatx, value):
    with pytest.raises(ValueError, match=r"`value` must be 'float32' or 'float64'. Received: value="):
        config.set_floatx(value)
    assert config.floatx() == "float32"


def test_epsilon_is_that_of_keras():
    assert config.epsilon() == 1e-7
