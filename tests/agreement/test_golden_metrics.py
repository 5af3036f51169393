"""Every metric gives Keras's result after one batch and after two, with and without sample weights."""

from __future__ import annotations

import numpy as np
import pytest

import cnn_core
import tolerances
from golden import DTYPES, build, load

CASES = load("metrics").cases
# Keras itself gives no result with weights for some of them.
RECORDED = [
    (name, weighting, dtype)
    for name in CASES
    for weighting in ("plain", "weighted")
    for dtype in DTYPES
    if load("metrics").has(name, dtype, weighting)
]


@pytest.mark.parametrize(("name", "weighting", "dtype"), RECORDED)
def test_metric_is_keras(name: str, weighting: str, dtype: str) -> None:
    vectors, case = load("metrics"), CASES[name]
    metric = build(cnn_core, case["metric"])
    for repetition in range(2):
        for batch, recorded in enumerate(vectors(name, dtype, weighting)):
            values = [array.astype(dtype) for array in vectors.numbered("inputs", case["data"], str(batch))]
            weight = vectors("inputs", "sample_weight", str(batch)).astype(dtype)
            metric.update_state(*values, **({} if weighting == "plain" else {"sample_weight": weight}))
            message = f"batch {batch}, repetition {repetition}"
            tolerances.close(np.asarray(metric.result()), recorded, tolerances.GOLDEN_METRIC, message)
        metric.reset_state()
