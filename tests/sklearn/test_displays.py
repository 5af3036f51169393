"""The displays of scikit-learn take the estimators as they are, and draw what these predict."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibrationDisplay
from sklearn.inspection import PartialDependenceDisplay
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    PrecisionRecallDisplay,
    PredictionErrorDisplay,
    RocCurveDisplay,
    average_precision_score,
    confusion_matrix,
    roc_auc_score,
)

from cnn_core.sklearn import MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor

matplotlib = pytest.importorskip("matplotlib")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

GENERATOR = np.random.default_rng(0)
NUMBERS = pd.DataFrame(GENERATOR.normal(size=(80, 3)), columns=["a", "b", "c"])
TARGET = NUMBERS["a"] - NUMBERS["b"] + GENERATOR.normal(size=80)
CLASSES = np.where(TARGET > 0, "yes", "no")


@pytest.fixture(autouse=True)
def no_windows():
    from matplotlib import pyplot

    with matplotlib.rc_context({"backend": "agg"}):
        yield
    pyplot.close("all")


@pytest.fixture(scope="module", params=[MLPClassifier, TabularClassifier])
def classifier(request):
    limit = {"max_iter": 20} if request.param is MLPClassifier else {"epochs": 8}
    return request.param(random_state=0, **limit).fit(NUMBERS, CLASSES)


@pytest.fixture(scope="module", params=[MLPRegressor, TabularRegressor])
def regressor(request):
    limit = {"max_iter": 20} if request.param is MLPRegressor else {"epochs": 8}
    return request.param(random_state=0, **limit).fit(NUMBERS, TARGET)


def test_classifications(classifier):
    shares = classifier.predict_proba(NUMBERS)[:, 1]
    confusion = ConfusionMatrixDisplay.from_estimator(classifier, NUMBERS, CLASSES)
    np.testing.assert_array_equal(
        confusion.confusion_matrix, confusion_matrix(CLASSES, np.where(shares > 0.5, "yes", "no"))
    )
    roc = RocCurveDisplay.from_estimator(classifier, NUMBERS, CLASSES)
    assert roc.roc_auc == pytest.approx(roc_auc_score(CLASSES == "yes", shares))
    precision = PrecisionRecallDisplay.from_estimator(classifier, NUMBERS, CLASSES)
    assert precision.average_precision == pytest.approx(average_precision_score(CLASSES == "yes", shares))
    reliability = CalibrationDisplay.from_estimator(classifier, NUMBERS, CLASSES, n_bins=2)
    np.testing.assert_allclose(reliability.y_prob, shares)


@pytest.mark.parametrize("kind", ["residual_vs_predicted", "actual_vs_predicted"])
def test_residuals(regressor, kind):
    display = PredictionErrorDisplay.from_estimator(regressor, NUMBERS, TARGET, kind=kind, subsample=None)
    np.testing.assert_array_equal(display.y_pred, regressor.predict(NUMBERS))
    np.testing.assert_array_equal(display.y_true, TARGET)


def test_dependence(regressor):
    display = PartialDependenceDisplay.from_estimator(regressor, NUMBERS, ["b"], kind="both", grid_resolution=4)
    (found,) = display.pd_results
    for value, mean in zip(found["grid_values"][0], found["average"][0], strict=True):
        assert mean == pytest.approx(regressor.predict(NUMBERS.assign(b=value)).mean(), rel=1e-5)


def test_dependence_on_a_category():
    table = NUMBERS.assign(size=pd.Categorical(np.where(NUMBERS["a"] > 0, "large", "small")))
    classifier = TabularClassifier(epochs=8, random_state=0).fit(table, CLASSES)
    display = PartialDependenceDisplay.from_estimator(classifier, table, ["size"], categorical_features=["size"])
    (found,) = display.pd_results
    assert found["grid_values"][0].tolist() == ["large", "small"]
    large = table.assign(size=pd.Categorical(["large"] * 80, categories=["large", "small"]))
    assert found["average"][0][0] == pytest.approx(classifier.predict_proba(large)[:, 1].mean(), rel=1e-5)
