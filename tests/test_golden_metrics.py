"""Every metric gives Keras's result after one batch and after two, with and without sample weights."""

from __future__ import annotations

import numpy as np
import pytest
import tolerances
from golden import DTYPES, build, load, missing

import cnn_core

CASES = load("metrics").cases


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weighting", ["plain", "weighted"])
@pytest.mark.parametrize("name", CASES)
def test_metric_is_keras(name: str, weighting: str, dtype: str) -> None:
    vectors, case = load("metrics"), CASES[name]
    if not vectors.has(name, dtype, weighting):
        pytest.skip("Keras has no such result")
    if missing(cnn_core, case):
        pytest.skip(f"cnn_core has no {case['metric']['object']}")
    metric = build(cnn_core, case["metric"])
    for repetition in range(2):
        for batch, recorded in enumerate(vectors(name, dtype, weighting)):
            values = [array.astype(dtype) for array in vectors.numbered("inputs", case["data"], str(batch))]
            weight = vectors("inputs", "sample_weight", str(batch)).astype(dtype)
            metric.update_state(*values, **({} if weighting == "plain" else {"sample_weight": weight}))
            message = f"batch {batch}, repetition {repetition}"
            tolerances.close(np.asarray(metric.result()), recorded, tolerances.GOLDEN_METRIC, message)
        metric.reset_state()
