"""One set of names for what held-out rows are measured with, in all estimators."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.metrics import get_scorer_names

from cnn_core.sklearn import MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor
from cnn_core.sklearn.metric_names import SCORERS, scorer_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X = np.random.default_rng(0).normal(size=(120, 3))
CLASSES, NUMBERS = (X[:, 0] > 0).astype(int), X[:, 0] * 2
OF_CLASSES = (
    "auto",
    None,
    "loss",
    "error",
    "log_loss",
    "brier",
    "auc",
    "accuracy",
    "neg_log_loss",
    "roc_auc",
    "f1_macro",
)
OF_NUMBERS = ("auto", None, "loss", "rmse", "mae", "neg_root_mean_squared_error", "neg_mean_absolute_error", "r2")
FEW = {"early_stopping": True, "max_iter": 2, "random_state": 0}


@pytest.mark.parametrize(
    ("perceptron", "table", "y", "metric"),
    [(MLPClassifier, TabularClassifier, CLASSES, metric) for metric in OF_CLASSES]
    + [(MLPRegressor, TabularRegressor, NUMBERS, metric) for metric in OF_NUMBERS],
)
def test_every_name_is_taken_by_both_kinds_of_estimators(perceptron, table, y, metric):
    assert np.isfinite(perceptron(metric=metric, **FEW).fit(X, y).best_validation_score_)
    assert np.isfinite(table(eval_metric=metric, epochs=2, random_state=0).fit(X, y).validation_curve_).all()


@pytest.mark.parametrize("name", SCORERS)
def test_a_short_name_is_scikit_learns_scorer(name):
    assert scorer_of(name) in get_scorer_names()
    perceptron, y = (MLPRegressor, NUMBERS) if name in ("rmse", "mae") else (MLPClassifier, CLASSES)
    short, scorer = (perceptron(metric=metric, **FEW).fit(X, y) for metric in (name, SCORERS[name]))
    assert short.best_validation_score_ == scorer.best_validation_score_


def test_the_area_under_the_curve_of_several_classes_is_one_against_the_rest():
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    short, scorer = (MLPClassifier(metric=metric, **FEW).fit(X, y) for metric in ("auc", "roc_auc_ovr"))
    assert short.best_validation_score_ == scorer.best_validation_score_


@pytest.mark.parametrize("name", ["acuracy", "log_los"])
def test_unknown_names_are_answered_with_the_nearest(name):
    with pytest.raises(ValueError, match=rf"Got '{name}' instead\. Did you mean '\w+'\?$"):
        MLPClassifier(metric=name).fit(X, CLASSES)
    with pytest.raises(ValueError, match=rf"Received: eval_metric='{name}'\. Did you mean '\w+'\?$"):
        TabularClassifier(eval_metric=name).fit(X, CLASSES)
    with pytest.raises(ValueError, match=r"Got 'rleu' instead\. Did you mean 'relu'\?$"):
        MLPClassifier("rleu", solver="adam").set_params(hidden_layer_sizes=(3,), activation="rleu").fit(X, CLASSES)
