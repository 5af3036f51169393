"""Centres, ranges and limits of features."""

from __future__ import annotations

import numpy as np
import pytest

from cnn_core.sklearn.tabular.scaling import robust_scale, smooth_clip


def test_no_spread_between_quartiles_takes_half_the_distance_of_the_extremes():
    center, factor = robust_scale(np.array([0.0] * 9 + [8.0])[:, None])
    assert (center[0], factor[0]) == (0, 1 / 4)


def test_smooth_clip_keeps_its_limit():
    assert abs(smooth_clip(np.array([1e9, -1e9]))).max() == pytest.approx(3)
