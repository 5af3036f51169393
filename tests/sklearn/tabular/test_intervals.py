"""Intervals of numbers: exact places, coverage of rows that were not seen, files, errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from cnn_core.sklearn import TabularRegressor
from cnn_core.sklearn.tabular.intervals import HeldOutErrors
from cnn_core.sklearn.tabular.predictor import load_predictor

SMALL: dict[str, Any] = {"epochs": 24, "batch_size": 64, "random_state": 0}


def rows(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows whose errors are skewed, and as large as the effect."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, 3))
    return x, x[:, 0] + generator.exponential(size=n)


@pytest.mark.parametrize(("n", "coverage", "place"), [(99, 0.9, 5), (19, 0.9, 1), (100, 0.5, 25), (9999, 0.9, 500)])
def test_the_ends_are_the_errors_at_these_places(n: int, coverage: float, place: int):
    errors = np.random.default_rng(0).permutation(np.arange(1.0, n + 1))[:, None]
    low, high = HeldOutErrors.of(errors).around(coverage)
    step = 0 if n <= 1000 else n / 999
    assert place - step <= low[0] <= place
    assert n + 1 - place <= high[0] <= n + 1 - place + step


def test_errors_of_any_distribution_are_covered():
    generator = np.random.default_rng(0)
    hits = []
    for _ in range(300):
        errors = HeldOutErrors.of(generator.standard_cauchy((49, 1)))
        low, high = errors.around(0.8)
        fresh = generator.standard_cauchy(200)
        hits.append(((fresh >= low) & (fresh <= high)).mean())
    assert np.mean(hits) == pytest.approx(0.8, abs=0.015)


@pytest.mark.parametrize("preset", ["td_s", "fast"])
def test_rows_that_were_not_seen_are_covered(preset: str):
    found = []
    for seed in range(4):
        x, y = rows(seed, 1200)
        regressor = TabularRegressor(preset, **{**SMALL, "random_state": seed}).fit(x, y)
        x, y = rows(100 + seed, 2000)
        ends = regressor.predict_interval(x, 0.9)
        assert ends.shape == (2000, 2)
        assert (ends[:, 0] < regressor.predict(x)).all()
        assert (regressor.predict(x) < ends[:, 1]).all()
        found.append(((ends[:, 0] <= y) & (y <= ends[:, 1])).mean())
        shares = (regressor.predict_quantiles(x, (0.1, 0.5, 0.9)) >= y[:, None]).mean(axis=0)
        assert np.abs(shares - (0.1, 0.5, 0.9)).max() < 0.09
    assert np.mean(found) == pytest.approx(0.9, abs=0.035 if preset == "td_s" else 0.02)  # of 240 and 1200 errors


def test_a_larger_coverage_takes_a_wider_interval():
    x, y = rows(0, 400)
    regressor = TabularRegressor(n_members=2, **SMALL).fit(x, y)
    widths = [float(np.ptp(regressor.predict_interval(x[:1], coverage))) for coverage in (0.5, 0.8, 0.9)]
    assert widths == sorted(set(widths))


def test_several_targets_and_learnt_quantiles_have_intervals():
    x, y = rows(0, 400)
    both = TabularRegressor(**SMALL).fit(x, np.column_stack([y, -100 * y]))
    ends = both.predict_interval(x, 0.8)
    assert ends.shape == (400, 2, 2)
    assert np.ptp(ends[0, 1]) > 20 * np.ptp(ends[0, 0])
    with pytest.raises(ValueError, match="`predict_quantiles` needs a single target"):
        both.predict_quantiles(x)
    learnt = TabularRegressor(quantiles=(0.1, 0.9), **SMALL).fit(x, y)
    assert ((ends := learnt.predict_interval(x, 0.8))[:, 0] < ends[:, 1]).all()
    with pytest.raises(ValueError, match="`levels` must be None where quantiles were learnt"):
        learnt.predict_quantiles(x, (0.5,))


def test_files_keep_what_intervals_follow_from(tmp_path: Path):
    x, y = rows(0, 3000)
    for preset in ("td_s", "fast"):
        regressor = TabularRegressor(preset, **{**SMALL, "epochs": 4}).fit(x, y)
        regressor.save(tmp_path / "model")
        for again in (TabularRegressor.load(tmp_path / "model"), load_predictor(tmp_path / "model")):
            np.testing.assert_array_equal(again.predict_interval(x, 0.9), regressor.predict_interval(x, 0.9))
            np.testing.assert_array_equal(again.predict_quantiles(x), regressor.predict_quantiles(x))


def test_what_cannot_be_promised_is_refused():
    x, y = rows(0, 100)
    few = TabularRegressor("td_s", **SMALL).fit(x, y)  # 20 held out
    assert few.predict_interval(x, 0.9).shape == (100, 2)
    with pytest.raises(ValueError, match=r"`coverage` must be at most 0\.905 with 20 held-out rows"):
        few.predict_interval(x, 0.95)
    for coverage in (0, 1, 1.5, "most"):
        with pytest.raises((ValueError, TypeError), match="`coverage`"):
            few.predict_interval(x, coverage)
    for levels in ((0.9, 0.1), (0.0,), ()):
        with pytest.raises(ValueError, match="`levels` must ascend between 0 and 1"):
            few.predict_quantiles(x, levels)
    with pytest.raises(ValueError, match="`predict_interval` needs rows that were held out"):
        TabularRegressor("td_s", **SMALL).fit(x[:40], y[:40]).predict_interval(x)


def test_damaged_errors_are_refused():
    state = HeldOutErrors.of(np.arange(5.0)[:, None]).state()
    assert HeldOutErrors.from_state(state, 1).around(0.6)[1] == [4.0]
    for change in ({"n": 0}, {"n": 4}, {"errors": [[1.0], [0.0]]}, {"errors": [1.0]}, {"errors": [[np.nan]] * 5}):
        with pytest.raises(ValueError, match=r"held-out errors|`n`"):
            HeldOutErrors.from_state({**state, **change}, 1)
    with pytest.raises(ValueError, match="held-out errors"):
        HeldOutErrors.from_state(state, 2)
