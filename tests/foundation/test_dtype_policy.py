"""cnn_core/foundation/dtype_policy.py: names of policies, how they are read and written."""

from __future__ import annotations

import numpy as np
import pytest

from cnn_core.foundation.dtype_policy import DTypePolicy, policy_of


@pytest.mark.parametrize(
    ("name", "compute", "variable"),
    [("float32", "float32", "float32"), ("float64", "float64", "float64"), ("mixed_bfloat16", "bfloat16", "float32")],
)
def test_a_policy_names_two_types(name, compute, variable):
    policy = DTypePolicy(name)
    assert (policy.name, policy.compute_dtype, policy.variable_dtype) == (name, compute, variable)
    assert DTypePolicy.from_config(policy.get_config()) == policy == policy_of(policy.as_setting())
    assert len({policy, DTypePolicy(name)}) == 1


@pytest.mark.parametrize(
    "value",
    [
        "float64",
        np.float64,
        np.dtype("float64"),
        {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float64"}, "registered_name": None},
        {"class_name": "Policy", "config": {"name": "float64"}},
    ],
)
def test_a_policy_is_read_from_what_keras_takes_and_writes(value):
    assert policy_of(value) == DTypePolicy("float64")


@pytest.mark.parametrize("name", ["mixed_float16", "bfloat16", "float16"])
def test_policies_that_lose_what_training_needs_say_why(name):
    with pytest.raises(ValueError, match=f"The policy '{name}' is not offered: .*mixed_bfloat16"):
        DTypePolicy(name)
    with pytest.raises(ValueError, match="mixed_bfloat16"):
        policy_of(name)


@pytest.mark.parametrize(
    "value",
    [
        "floaty",
        3,
        None,
        np.int32,
        {"class_name": "DTypePolicy"},
        {"class_name": "DTypePolicy", "config": None},
        {"class_name": "Policy", "config": {}},
    ],
)
def test_anything_else_is_refused_by_name(value):
    with pytest.raises(ValueError, match=r"`policy` must be 'float32', 'float64' or 'mixed_bfloat16'\. Received"):
        policy_of(value, "policy")
