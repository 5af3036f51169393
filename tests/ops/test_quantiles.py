"""Quantiles: several at a time, whole arrays, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from cnn_core import Input, ops


def test_of_arrays_as_numpy() -> None:
    x = np.random.default_rng(0).normal(size=(3, 4, 5))
    for axis in (None, 1, (0, 2), (2, 0)):
        for keepdims in (False, True):
            found = ops.quantile(x, [0.1, 0.5, 1.0], axis=axis, keepdims=keepdims)
            np.testing.assert_allclose(found, np.quantile(x, [0.1, 0.5, 1.0], axis=axis, keepdims=keepdims))
            np.testing.assert_allclose(ops.median(x, axis, keepdims), np.median(x, axis, keepdims=keepdims))
            found = ops.percentile(x, [10, 90], axis=axis, keepdims=keepdims)
            np.testing.assert_allclose(found, np.percentile(x, [10, 90], axis=axis, keepdims=keepdims))
    assert ops.median(np.array([3, 1, 2])).dtype == np.float32


def test_what_cannot_be_said_of_symbols_is_refused() -> None:
    x = Input((4,))
    with pytest.raises(ValueError, match="goes along an axis of the features"):
        ops.median(x)
    with pytest.raises(TypeError, match=r"`q` must be a number .* Received: q=\[0\.1, 0\.9\]"):
        ops.quantile(x, [0.1, 0.9], axis=1)
    with pytest.raises(ValueError, match=r"`q` must be a number .* Received: q=1\.5"):
        ops.quantile(x, 1.5, axis=1)
    with pytest.raises(ValueError, match=r"`method` must be .* Received: method='weibull'"):
        ops.quantile(x, 0.5, axis=1, method="weibull")
