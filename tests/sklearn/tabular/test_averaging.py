"""By how much the errors of a mean of networks are smaller: known correlations, edges, and blends."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from cnn_core.sklearn import TabularRegressor
from cnn_core.sklearn.tabular.averaging import averaging_factor


def test_the_factor_follows_from_the_correlation():
    generator = np.random.default_rng(0)
    own, others = generator.normal(size=(300, 2)), generator.normal(size=(4, 300, 2))
    others += 0.8 * own + 3
    for output in range(2):
        r = np.mean([np.corrcoef(own[:, output], other[:, output])[0, 1] for other in others])
        expected = np.sqrt(np.sqrt(r + (1 - r) / 5))
        assert averaging_factor(own, others)[output] == pytest.approx(expected, rel=1e-12)


def test_the_mean_of_networks_has_errors_of_about_that_spread():
    generator = np.random.default_rng(0)
    noise, networks = generator.normal(size=(20000, 1)), 0.6 * generator.normal(size=(5, 20000, 1))
    errors = noise + networks
    smaller = errors.mean(axis=0).std() / errors.std()
    assert smaller < averaging_factor(errors[0], errors[1:])[0] < 1
    assert averaging_factor(errors[0], errors[1:])[0] ** 2 == pytest.approx(smaller, rel=0.02)


def test_networks_that_agree_or_are_alone_have_the_errors_of_one():
    errors = np.random.default_rng(0).normal(size=(50, 1))
    assert averaging_factor(errors, np.stack([errors, 2 * errors + 1])) == pytest.approx(1)
    assert averaging_factor(errors, np.zeros((0, 50, 1))).tolist() == [1]
    assert averaging_factor(np.zeros((50, 1)), np.zeros((2, 50, 1))).tolist() == [1]
    assert averaging_factor(errors, -errors[None]) == pytest.approx(0.5**0.25), "of opposite errors, as if unrelated"


@pytest.mark.parametrize("quantiles", [None, (0.1, 0.9)])
def test_intervals_of_blends_are_narrower_by_that(quantiles: object, monkeypatch: pytest.MonkeyPatch):
    x = np.random.default_rng(0).normal(size=(300, 4))
    y = np.sin(3 * x[:, 0]) * x[:, 1]

    def width() -> float:
        regressor = TabularRegressor("fast", epochs=8, batch_size=64, random_state=0, quantiles=quantiles).fit(x, y)
        return float(np.ptp(regressor.predict_interval(x[:1], 0.8)))

    narrower = width()
    monkeypatch.setattr(
        "cnn_core.sklearn.tabular.blend_training.averaging_factor", lambda own, others: np.full(own.shape[1], 0.5)
    )
    half = width()
    assert half < narrower < 2 * half
