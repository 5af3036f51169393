"""Whether a logarithm is learnt: long tails, none, few rows, wide tables, seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")


from cnn_core.sklearn import TabularRegressor
from cnn_core.sklearn.tabular.target_choice import chosen_logarithm


def rows(kind: str, n: int = 600, width: int = 4) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    x, noise = generator.normal(size=(n, width)), generator.normal(size=n)
    effect = x[:, 0] - x[:, 1]
    targets = {
        "multiplied": np.exp(effect + 0.5 * noise),
        "below": -np.exp(effect + 0.5 * noise),
        "added": effect + noise,
        "counts": generator.poisson(np.exp(effect)).astype(float),
    }
    return x, targets[kind]


@pytest.mark.parametrize(("kind", "sign"), [("multiplied", 1), ("below", -1), ("counts", 1), ("added", None)])
def test_effects_that_multiply_are_found(kind: str, sign: int | None):
    x, y = rows(kind)
    found = chosen_logarithm(y, lambda: x, seed=0)
    assert (None if found is None else found.sign) == sign
    assert found == chosen_logarithm(y, lambda: x, seed=0)


def test_features_are_not_asked_for_without_a_tail():
    def features() -> np.ndarray:
        raise AssertionError

    assert chosen_logarithm(rows("added")[1], features, 0) is None
    assert chosen_logarithm(rows("multiplied")[1][:63], features, 0) is None
    assert chosen_logarithm(np.ones(100), features, 0) is None


def test_wide_tables_are_decided_too():
    x, y = rows("multiplied", 1000, 1100)
    chosen_logarithm(y, lambda: x, seed=0)


@pytest.mark.parametrize("preset", ["td_s", "piecewise_linear", "fast"])
@pytest.mark.parametrize(("kind", "is_learnt"), [("multiplied", True), ("added", False)])
def test_all_presets_decide_alike(preset: str, kind: str, is_learnt: bool):
    x, y = rows(kind)
    settings: dict[str, Any] = {"epochs": 2, "random_state": 0}
    found = TabularRegressor(preset, target_transform="auto", **settings).fit(x, y)
    assert (found.predictor_.scale.logarithm is not None) == is_learnt
    if not is_learnt:
        np.testing.assert_array_equal(found.predict(x), TabularRegressor(preset, **settings).fit(x, y).predict(x))


def test_a_blend_covers_what_multiplies():
    x, y = rows("multiplied", 3000)
    train, unseen = slice(0, 1000), slice(1000, None)
    ends = {}
    for transform in (None, "auto"):
        blend = TabularRegressor("fast", target_transform=transform, epochs=16, random_state=0)
        ends[transform] = blend.fit(x[train], y[train]).predict_interval(x[unseen], 0.9)
        low, high = ends[transform].T
        assert ((low <= y[unseen]) & (y[unseen] <= high)).mean() == pytest.approx(0.9, abs=0.02)
    widths = {transform: np.median(np.diff(each, axis=1)) for transform, each in ends.items()}
    assert widths["auto"] < 0.9 * widths[None], "most rows have narrower intervals where these grow with the target"
