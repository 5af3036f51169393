"""Steps from given gradients follow Keras: all variables, some of them, and some without a gradient."""

from __future__ import annotations

import pytest

import cnn_core
import tolerances
from applied_cases import CASES, Case
from golden import DTYPES, load


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_apply_follows_keras(case: Case, dtype: str, floatx: None) -> None:
    vectors = load("applied")
    variables, state = case.run(cnn_core, dtype)
    tolerances.close(variables, vectors(case.name, dtype, "variables"), tolerances.golden(dtype), "variables")
    tolerances.close(state, vectors(case.name, dtype, "state"), tolerances.golden(dtype), "state")
