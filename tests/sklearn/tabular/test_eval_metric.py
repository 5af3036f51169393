"""Every name that an epoch may be chosen by: the value is scikit-learn's, the direction right, a typo answered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.metrics import get_scorer, mean_pinball_loss

from cnn_core.sklearn import TabularClassifier, TabularRegressor

SMALL: dict[str, Any] = {"epochs": 6, "batch_size": 32, "hidden_layer_sizes": (8,), "random_state": 0}
CLASSES = {
    "error": "accuracy",
    "accuracy": "accuracy",
    "log_loss": "neg_log_loss",
    "neg_log_loss": "neg_log_loss",
    "brier": "neg_brier_score",
    "auc": "roc_auc",
    "roc_auc": "roc_auc",
    "f1": "f1",
    "f1_macro": "f1_macro",
    "balanced_accuracy": "balanced_accuracy",
    "average_precision": "average_precision",
    "matthews_corrcoef": "matthews_corrcoef",
}
NUMBERS = {
    "rmse": "neg_root_mean_squared_error",
    "mae": "neg_mean_absolute_error",
    "neg_mean_absolute_error": "neg_mean_absolute_error",
    "neg_mean_squared_error": "neg_mean_squared_error",
    "neg_median_absolute_error": "neg_median_absolute_error",
    "r2": "r2",
    "explained_variance": "explained_variance",
}
IN_STANDARD_DEVIATIONS = ("rmse", "mae", "neg_mean_absolute_error")


def rows(seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(160, 3))
    return x, 5 + x[:, 0] * x[:, 1] + 0.5 * generator.normal(size=160)


def check_best(estimator: Any) -> float:
    """Return the best value, which is that of the epoch that is kept: the last of equals."""
    curve = np.array(estimator.validation_curve_)
    assert len(np.unique(curve)) > 1
    assert estimator.best_epochs_ == [int(np.flatnonzero(curve == curve.min())[-1]) + 1]
    return float(curve.min())


@pytest.mark.parametrize(("name", "scorer"), CLASSES.items())
def test_classes(name: str, scorer: str):
    (x, y), (x_val, y_val) = rows(0), rows(1)
    y, y_val = (y > 5).astype(int), (y_val > 5).astype(int)
    estimator = TabularClassifier(**SMALL, eval_metric=name).fit(x, y, X_val=x_val, y_val=y_val)
    found, expected = check_best(estimator), get_scorer(scorer)(estimator, x_val, y_val)
    if scorer == "neg_brier_score":  # of two classes scikit-learn's is half of the sum over both
        found /= 2
    if name in ("error", "accuracy"):
        expected -= 1
    assert found == pytest.approx(-expected, abs=1e-6)


@pytest.mark.parametrize(("name", "scorer"), NUMBERS.items())
def test_numbers(name: str, scorer: str):
    (x, y), (x_val, y_val) = rows(0), rows(1)
    estimator = TabularRegressor(**SMALL, eval_metric=name).fit(x, y, X_val=x_val, y_val=y_val)
    expected = -get_scorer(scorer)(estimator, x_val, y_val)
    unit = y.std() if name in IN_STANDARD_DEVIATIONS else 1
    assert check_best(estimator) == pytest.approx(expected / unit, abs=1e-5)


@pytest.mark.parametrize("name", ["auto", "loss", "pinball"])
def test_quantiles(name: str):
    (x, y), (x_val, y_val) = rows(0), rows(1)
    levels = (0.1, 0.5, 0.9)
    estimator = TabularRegressor(**SMALL, eval_metric=name, quantiles=levels).fit(x, y, X_val=x_val, y_val=y_val)
    told = estimator.predict_quantiles(x_val).T
    expected = [mean_pinball_loss(y_val, each, alpha=level) for each, level in zip(told, levels, strict=True)]
    # Told quantiles ascend, and those that the network learns need not at first.
    assert check_best(estimator) == pytest.approx(np.mean(expected) / y.std(), rel=0.02)


@pytest.mark.parametrize(
    ("kind", "name", "meant"),
    [
        (TabularClassifier, "roc_acu", "roc_auc"),
        (TabularClassifier, "log_los", "log_loss"),
        (TabularRegressor, "rsme", "rmse"),
        (TabularRegressor, "mea", "mae"),
    ],
)
def test_typos_are_answered(kind: Any, name: str, meant: str):
    x, y = rows(0)
    with pytest.raises(ValueError, match=rf"`eval_metric` must be .*Received: eval_metric='{name}'.*{meant}"):
        kind(**SMALL, eval_metric=name).fit(x, y > 5 if kind is TabularClassifier else y)


@pytest.mark.parametrize("preset", ["td_s", "fast"])
def test_what_measures_another_task_is_refused(preset: str):
    x, y = rows(0)
    for kind, name in ((TabularClassifier, "rmse"), (TabularRegressor, "auc"), (TabularRegressor, "pinball")):
        with pytest.raises(ValueError, match="`eval_metric` must be"):
            kind(preset, eval_metric=name).fit(x, y > 5 if kind is TabularClassifier else y)
