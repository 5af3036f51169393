"""Scores of held-out rows that are undefined for an epoch, or for all."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss

from cnn_core.sklearn import MLPClassifier, MLPRegressor
from cnn_core.sklearn.perceptron.held_out import UNKNOWN, Standing

RARE_X = np.random.default_rng(0).normal(size=(120, 5))
RARE_Y = np.array([0] * 118 + [1] * 2)
SETTINGS = {"hidden_layer_sizes": (8,), "random_state": 0, "early_stopping": True, "learning_rate_init": 0.05}


def quietly(estimator, *arguments, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(*arguments, **more)


@pytest.mark.parametrize("metric", ["roc_auc", lambda estimator, X, y: float("nan")])
def test_an_undefined_score_gives_way_to_the_validation_loss(metric):
    estimator = MLPClassifier(**SETTINGS, metric=metric)
    with pytest.warns(UserWarning, match=r"undefined on the held-out rows in \d+ of \d+ epochs") as caught:
        quietly(estimator, RARE_X, RARE_Y)
    assert sum("undefined" in str(each.message) for each in caught) == 1
    assert "lack the classes [np.int64(1)]" in str(caught[0].message) or "lack the classes [1]" in str(
        caught[0].message
    )
    assert np.isnan(estimator.best_validation_score_)
    by_loss = quietly(MLPClassifier(**SETTINGS, metric="loss"), RARE_X, RARE_Y)
    assert estimator.validation_loss_curve_ == by_loss.validation_loss_curve_
    np.testing.assert_array_equal(estimator.coefs_[0], by_loss.coefs_[0])


def test_a_score_that_is_undefined_at_times_loses_to_any_other():
    seen = []

    def late(estimator, X, y):
        seen.append(estimator.score(X, y))
        return float("nan") if len(seen) < 4 else seen[-1]

    y = (RARE_X[:, 0] > 0).astype(int)
    with pytest.warns(UserWarning, match="undefined on the held-out rows in 3 of"):
        stopped = quietly(MLPClassifier(**SETTINGS, metric=late), RARE_X, y)
    assert stopped.best_validation_score_ == max(seen[3:]) == np.nanmax(stopped.validation_scores_)


@pytest.mark.parametrize("metric", ["neg_log_loss", "top_k_accuracy", "roc_auc_ovr", "roc_auc_ovo_weighted"])
def test_held_out_rows_that_lack_a_class(metric):
    y = np.array([0] * 60 + [1] * 57 + [2] * 3)
    own = {"X_val": RARE_X[:80], "y_val": y[:80]}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        stopped = MLPClassifier(**SETTINGS, max_iter=20, metric=metric).fit(RARE_X, y, **own)
    undefined = [each for each in caught if "is undefined on the held-out rows" in str(each.message)]
    assert bool(undefined) == metric.startswith("roc_auc")
    start = MLPClassifier(hidden_layer_sizes=(8,), random_state=0, max_iter=1, learning_rate_init=1e-300)
    assert not np.array_equal(stopped.coefs_[0], quietly(start, RARE_X, y).coefs_[0])
    if metric == "neg_log_loss":
        expected = -log_loss(y[:80], stopped.predict_proba(RARE_X[:80]), labels=[0, 1, 2])
        assert stopped.best_validation_score_ == pytest.approx(expected, rel=1e-12)


def test_a_metric_with_a_domain_of_its_own_costs_no_training():
    settings = SETTINGS | {"max_iter": 30, "metric": "neg_mean_gamma_deviance"}
    with pytest.warns(UserWarning, match=r"epochs \(.*strictly positive.*\), which were compared by their validation"):
        quietly(MLPRegressor(**settings), RARE_X, -np.abs(RARE_X[:, 0]))


def test_a_metric_of_ones_own_may_fail():
    def broken(estimator, X, y):
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        MLPClassifier(**SETTINGS, metric=broken).fit(RARE_X, (RARE_X[:, 0] > 0).astype(int))


def test_weights_that_cancel_out_leave_no_score():
    own = {"X_val": RARE_X[:2], "y_val": [0, 1], "sample_weight_val": [1.0, -1.0]}
    with pytest.warns(UserWarning, match="their weights add up to 0"):
        quietly(MLPClassifier((4,), max_iter=2, random_state=0), RARE_X, (RARE_X[:, 0] > 0).astype(int), **own)


def test_standings():
    nan = float("nan")
    assert UNKNOWN == Standing.of(nan, nan) < Standing.of(nan, 5.0) < Standing.of(-7.0, nan)
    assert Standing.of(0.5, 1.0).better_by(0.1) > Standing.of(0.55, 0.1)
