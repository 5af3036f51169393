"""The estimators against scikit-learn's own, from the same random state: curves, attributes, warnings, messages."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from inspect import signature

import numpy as np
import pytest

pytest.importorskip("sklearn")

import sklearn.neural_network as theirs
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
    make_multilabel_classification,
)
from sklearn.preprocessing import scale

import cnn_core.sklearn as ours

# From 1.7 on scikit-learn's perceptrons take weights and Poisson's loss, and L-BFGS warns in the words of today.
SINCE_1_7 = "loss" in signature(theirs.MLPRegressor).parameters
# Twenty epochs in float64: rounding of 1e-16 a step, which no network here amplifies beyond 1e-9.
SAME_CURVE = 1e-8
SAME_WEIGHTS = 1e-6
# L-BFGS decides by comparing losses, so that rounding may change a step.
SAME_MINIMUM = 1e-5
CURVE_IN_FLOAT32 = 2e-3

SETS = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer, "digits": load_digits}
SETTINGS = {
    "default": {},
    "sgd": {"solver": "sgd"},
    "plain momentum, invscaling": {
        "solver": "sgd",
        "nesterovs_momentum": False,
        "learning_rate": "invscaling",
        "power_t": 0.3,
    },
    "adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.1,
        "tol": 1e-2,
        "n_iter_no_change": 1,
    },
    "no momentum": {"solver": "sgd", "momentum": 0.0, "batch_size": 17},
    "early stopping": {"early_stopping": True},
    "tanh, two layers": {"activation": "tanh", "hidden_layer_sizes": (30, 20)},
    "logistic, penalty": {"activation": "logistic", "hidden_layer_sizes": [30, 20], "alpha": 0.1},
    "in order": {"activation": "identity", "batch_size": 33, "shuffle": False},
    "linear": {"hidden_layer_sizes": ()},
    "converging": {"tol": 0.5, "n_iter_no_change": 2},
}
ATTRIBUTES = [
    "n_iter_",
    "n_layers_",
    "n_outputs_",
    "n_features_in_",
    "t_",
    "out_activation_",
    "classes_",
    "loss_curve_",
    "loss_",
    "best_loss_",
    "validation_scores_",
    "best_validation_score_",
]


def fitted(kind, X, y, sample_weight=None, **settings):
    """Return an estimator and the warnings and words of its `fit`."""
    said = io.StringIO()
    if sample_weight is not None and not SINCE_1_7:
        pytest.skip("scikit-learn's perceptrons take weights from 1.7 on")
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    with warnings.catch_warnings(record=True) as warned, contextlib.redirect_stdout(said):
        warnings.simplefilter("always")
        # Earlier versions of scikit-learn hand SciPy an option that SciPy is about to drop.
        warnings.filterwarnings("ignore", "scipy.optimize: The `disp`", DeprecationWarning)
        estimator = kind(**{"random_state": 3, "max_iter": 20, **settings}).fit(X, y, **weights)
    return (
        estimator,
        sorted({(each.category, str(each.message) if SINCE_1_7 else "") for each in warned}, key=str),
        said.getvalue(),
    )


def assert_same(X, y, name="MLPClassifier", sample_weight=None, curve=SAME_CURVE, weights=SAME_WEIGHTS, **settings):
    theirs_fitted, theirs_warned, theirs_said = fitted(getattr(theirs, name), X, y, sample_weight, **settings)
    ours_fitted, ours_warned, ours_said = fitted(getattr(ours, name), X, y, sample_weight, **settings)
    assert ours_warned == theirs_warned
    assert ours_said == theirs_said
    for attribute in ATTRIBUTES:
        assert hasattr(ours_fitted, attribute) == hasattr(theirs_fitted, attribute), attribute
        actual, desired = (getattr(each, attribute, None) for each in (ours_fitted, theirs_fitted))
        if isinstance(desired, (float, np.floating, list)):
            np.testing.assert_allclose(actual, desired, rtol=curve, err_msg=attribute)
        else:
            np.testing.assert_array_equal(actual, desired, err_msg=attribute)
    for actual, desired in zip(
        ours_fitted.coefs_ + ours_fitted.intercepts_, theirs_fitted.coefs_ + theirs_fitted.intercepts_, strict=True
    ):
        np.testing.assert_allclose(actual, desired, atol=weights * max(1, np.abs(desired).max()), rtol=0)
    assert ours_fitted.score(X, y) == pytest.approx(theirs_fitted.score(X, y), abs=weights)
    return ours_fitted, theirs_fitted


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_classifier_follows_every_epoch(name, settings):
    X, y = SETS[name](return_X_y=True)
    assert_same(scale(X[:400]), y[:400], **settings)


@pytest.mark.parametrize("name", ["wine", "breast cancer"])
def test_probabilities_that_saturate_cost_what_they_cost_there(name):
    X, y = SETS[name](return_X_y=True)
    assert_same(X, y)
    assert_same(X, y, activation="identity", batch_size=33, shuffle=False)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
@pytest.mark.parametrize("outputs", [1, 2])
def test_regressor_follows_every_epoch(settings, outputs):
    X, y = load_diabetes(return_X_y=True)
    y = y / 100
    assert_same(X * 20, y if outputs == 1 else np.column_stack([y, y**2]), "MLPRegressor", **settings)


@pytest.mark.skipif(not SINCE_1_7, reason="scikit-learn has Poisson's loss from 1.7 on")
def test_poisson():
    X, y = load_diabetes(return_X_y=True)
    assert_same(X, y / 100, "MLPRegressor", loss="poisson")
    assert_same(X, y / 100, "MLPRegressor", loss="poisson", early_stopping=True)
    assert_same(X, y / 100, "MLPRegressor", loss="poisson", solver="lbfgs", curve=SAME_MINIMUM, weights=1e-3)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_multilabel(settings):
    X, y = make_multilabel_classification(150, random_state=0)
    ours_fitted, theirs_fitted = assert_same(scale(X), y, **settings)
    np.testing.assert_array_equal(ours_fitted.predict(scale(X)), theirs_fitted.predict(scale(X)))


@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"solver": "sgd", "batch_size": 50}])
def test_sample_weights(settings):
    X, y = load_wine(return_X_y=True)
    weight = np.random.RandomState(0).uniform(0, 3, len(y))
    assert_same(scale(X), y, sample_weight=weight, **settings)
    X, y = load_diabetes(return_X_y=True)
    assert_same(X, y / 100, "MLPRegressor", np.resize(weight, len(y)), **settings)


@pytest.mark.parametrize("name", ["iris", "wine", "breast cancer"])
def test_lbfgs(name):
    X, y = SETS[name](return_X_y=True)
    assert_same(scale(X), y, solver="lbfgs", max_iter=15, curve=SAME_MINIMUM, weights=1e-3)
    weight = np.random.RandomState(0).uniform(0, 3, len(y))
    assert_same(scale(X), y, sample_weight=weight, solver="lbfgs", max_iter=15, curve=SAME_MINIMUM, weights=1e-3)


def test_sparse_data():
    sparse = pytest.importorskip("scipy.sparse")
    X, y = load_digits(return_X_y=True)
    for form in (sparse.csr_matrix, sparse.csc_array):
        ours_fitted, theirs_fitted = assert_same(form(X[:300]), y[:300], max_iter=5)
        np.testing.assert_allclose(
            ours_fitted.predict_proba(form(X[300:350])), theirs_fitted.predict_proba(form(X[300:350])), rtol=1e-6
        )


@pytest.mark.parametrize("name", ["DENSE_BYTES", "DENSE_SHARE"])
def test_sparse_data_stay_sparse(monkeypatch, name):
    sparse = pytest.importorskip("scipy.sparse")
    import cnn_core.sklearn.perceptron.training

    monkeypatch.setattr(cnn_core.sklearn.perceptron.training, name, {"DENSE_BYTES": 0, "DENSE_SHARE": 1}[name])
    X, y = load_digits(return_X_y=True)
    X, y = sparse.csr_matrix(X[:300]), y[:300]
    assert_same(X, y, max_iter=3, batch_size=32)
    assert_same(X, y, max_iter=3, early_stopping=True, validation_fraction=0.5)
    assert_same(X, y, max_iter=5, solver="lbfgs", curve=SAME_MINIMUM, weights=1e-3)
    weight = np.random.RandomState(0).uniform(0, 3, len(y))
    assert_same(X, y, max_iter=5, solver="lbfgs", sample_weight=weight, curve=SAME_MINIMUM, weights=1e-3)
    assert_same(X, y, max_iter=3, sample_weight=weight)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_float32_stays(solver):
    X, y = load_wine(return_X_y=True)
    fitted_ours, _ = assert_same(
        scale(X).astype(np.float32), y, solver=solver, curve=CURVE_IN_FLOAT32, weights=CURVE_IN_FLOAT32
    )
    assert {each.dtype for each in fitted_ours.coefs_ + fitted_ours.intercepts_} == {np.dtype("float32")}
    assert fitted_ours.predict_proba(scale(X).astype(np.float32)).dtype == np.float32
    assert fitted_ours.predict_proba(scale(X)).dtype == np.float64


def test_printed_progress():
    X, y = load_iris(return_X_y=True)
    assert_same(X, y, verbose=True, early_stopping=True)
    assert_same(X, y, verbose=True, tol=1.0, n_iter_no_change=1)
    assert_same(
        X,
        y,
        verbose=True,
        solver="sgd",
        learning_rate="adaptive",
        learning_rate_init=1e-3,
        tol=1.0,
        n_iter_no_change=1,
        max_iter=100,
    )


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fit_and_warm_start(solver):
    X, y = load_iris(return_X_y=True)
    pair = [module.MLPClassifier(solver=solver, random_state=1) for module in (theirs, ours)]
    for estimator in pair:
        for _ in range(5):
            estimator.partial_fit(X, y, classes=np.unique(y))
        estimator.partial_fit(X[:60], y[:60])
    np.testing.assert_allclose(pair[1].loss_curve_, pair[0].loss_curve_, rtol=SAME_CURVE)
    assert pair[1].t_ == pair[0].t_
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for estimator in pair:
            estimator.set_params(warm_start=True, max_iter=5).fit(X, y).fit(X, y)
    np.testing.assert_allclose(pair[1].loss_curve_, pair[0].loss_curve_, rtol=SAME_CURVE)


@pytest.mark.parametrize(
    ("name", "y", "settings"),
    [
        ("MLPClassifier", [0, 1, 1], {"hidden_layer_sizes": (3, -1)}),
        ("MLPClassifier", [0, 1, 1], {"early_stopping": True}),
        ("MLPClassifier", [0, 0, 0, 1], {"early_stopping": True}),
        ("MLPClassifier", [0.5, 1.5, 2.5], {}),
        ("MLPClassifier", [[0, 1], [1, 2], [2, 2]], {}),
        ("MLPClassifier", [0, 1], {}),
        ("MLPClassifier", [0, 1, 1], {"alpha": -1.0}),
        ("MLPClassifier", [0, 1, 1], {"beta_1": 1.0}),
        ("MLPClassifier", [0, 1, 1], {"hidden_layer_sizes": (3, 2.5)}),
        ("MLPClassifier", [0, 1, 1], {"n_iter_no_change": 0}),
        ("MLPClassifier", [0, 1, 1], {"random_state": "a"}),
        ("MLPClassifier", [0, 1, 1], {"verbose": None}),
        ("MLPRegressor", [0, 1, np.nan], {}),
        ("MLPRegressor", [1e300, -1e300, 1e300], {"solver": "sgd"}),
    ],
)
def test_errors_are_the_same(name, y, settings):
    X = np.arange(2.0 * max(3, len(y))).reshape(-1, 2)
    assert message(getattr(ours, name)(max_iter=5, **settings), X, y) == message(
        getattr(theirs, name)(max_iter=5, **settings), X, y
    )


def message(estimator, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            estimator.fit(X, y)
        except (ValueError, TypeError) as error:
            return type(error).__name__, re.sub(r"0x[0-9a-f]+", "", str(error))
    pytest.fail(f"{estimator} accepts it")


PARTIAL_FITS = {
    "no classes": lambda estimator, X, y: estimator.partial_fit(X, y),
    "a new class": lambda estimator, X, y: estimator.partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y + 1),
    "other classes": lambda estimator, X, y: estimator.partial_fit(X, y, classes=[0, 1, 2]).partial_fit(
        X, y, classes=[0, 1]
    ),
    "a class too few": lambda estimator, X, y: estimator.partial_fit(X, y, classes=[0, 1]),
    "fewer columns": lambda estimator, X, y: estimator.partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X[:, 1:], y),
    "early stopping": lambda estimator, X, y: estimator.set_params(early_stopping=True).partial_fit(
        X, y, classes=[0, 1, 2]
    ),
    "warm start without a class": lambda estimator, X, y: (
        estimator.set_params(warm_start=True, max_iter=1).fit(X, y).fit(X[y > 0], y[y > 0])
    ),
}


@pytest.mark.parametrize("name", PARTIAL_FITS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_errors_of_further_training_are_the_same(name):
    X, y = load_iris(return_X_y=True)
    said = []
    for module in (theirs, ours):
        with pytest.raises(ValueError, match=r"\w") as error:
            PARTIAL_FITS[name](module.MLPClassifier((4,)), X, y)
        said.append(str(error.value))
    assert said[0] == said[1]


def test_warm_start_keeps_the_best_weights():
    # scikit-learn's best weights are the arrays that it trains further, so that it returns the last ones here.
    X, y = load_iris(return_X_y=True)
    settings = {"early_stopping": True, "n_iter_no_change": 1, "tol": 0.3, "warm_start": True, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warm = ours.MLPClassifier(**settings).fit(X, y)
        best = [coef.copy() for coef in warm.coefs_]
        warm.fit(X, y)
    assert warm.validation_scores_[-1] <= warm.best_validation_score_
    for kept, now in zip(best, warm.coefs_, strict=True):
        np.testing.assert_array_equal(now, kept)


def test_divergence_under_early_stopping():
    X, y = load_iris(return_X_y=True)
    settings = {"solver": "sgd", "activation": "identity", "learning_rate_init": 1.0, "early_stopping": True}
    pair = []
    for module in (theirs, ours):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pair.append(module.MLPRegressor(random_state=0, max_iter=20, **settings).fit(X, y))
    assert len(pair[1].validation_scores_) == len(pair[0].validation_scores_) == 20
    assert np.isnan(pair[1].validation_scores_[-1])
    assert all(np.isfinite(coef).all() for coef in pair[1].coefs_)
