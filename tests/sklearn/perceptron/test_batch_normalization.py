"""Batch normalization in the estimators: by differences, moving moments, attributes."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from cnn_core.sklearn import MLPRegressor
from mlp_cases import small

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# Batch normalization


NORMALIZATION = ["scales_", "shifts_", "moving_means_", "moving_variances_"]


def normalized(**settings):
    return small(hidden_layer_sizes=(6, 5), activation="tanh", batch_normalization=True, **settings)


def outputs(X, layers, moments=None):
    """The network by hand: layers of (coef, intercept, scale, shift) and at last (coef, intercept)."""
    a = X
    for number, (coef, intercept, scale_, shift) in enumerate(layers[:-1]):
        z = a @ coef + intercept
        mean, variance = (z.mean(axis=0), z.var(axis=0)) if moments is None else moments[number]
        a = np.tanh(scale_ * (z - mean) / np.sqrt(variance + 1e-5) + shift)
    return a @ layers[-1][0] + layers[-1][1]


def layers_of(estimator):
    hidden = zip(estimator.coefs_, estimator.intercepts_, estimator.scales_, estimator.shifts_, strict=False)
    return [*([array.copy() for array in layer] for layer in hidden), [estimator.coefs_[-1], estimator.intercepts_[-1]]]


def cross_entropy(X, y, layers, alpha):
    z = outputs(X, layers)
    rows = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]
    return rows.mean() + alpha / 2 * sum((layer[0] ** 2).sum() for layer in layers) / len(y)


def test_a_step_under_batch_normalization_follows_the_differences(wine):
    X, y = wine[0][::3].astype(np.float64), wine[1][::3]
    rate, alpha = 1e-3, 2.0
    settings = {"solver": "sgd", "momentum": 0.0, "shuffle": False, "learning_rate_init": rate, "alpha": alpha}
    start = normalized(**settings, max_iter=1).fit(X, y)
    layers = layers_of(start)
    layers[-1] = [array.copy() for array in layers[-1]]
    after = copy.deepcopy(start).partial_fit(X, y)
    assert after.loss_ == pytest.approx(cross_entropy(X, y, layers, alpha), rel=1e-12)
    for name, place in (("coefs_", 0), ("intercepts_", 1), ("scales_", 2), ("shifts_", 3)):
        for number, moved in enumerate(getattr(after, name)):
            array = layers[number][place]
            for index in [(0,) * array.ndim, tuple(size - 1 for size in array.shape)]:
                sides, kept = [], array[index]
                for step in (1e-5, -1e-5):
                    array[index] = kept + step
                    sides.append(cross_entropy(X, y, layers, alpha))
                array[index] = kept
                slope = (sides[0] - sides[1]) / 2e-5
                assert (kept - moved[index]) / rate == pytest.approx(slope, abs=1e-7)


def test_prediction_uses_the_moving_moments(wine):
    X, y = wine
    one = normalized(max_iter=1, solver="sgd", learning_rate_init=1e-300).fit(X, y)
    z = X @ one.coefs_[0] + one.intercepts_[0]
    np.testing.assert_allclose(one.moving_means_[0], 0.1 * z.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(one.moving_variances_[0], 0.9 + 0.1 * z.var(axis=0), rtol=1e-9)
    fitted = normalized(max_iter=40, learning_rate_init=0.01).fit(X, y)
    moments = list(zip(fitted.moving_means_, fitted.moving_variances_, strict=True))
    p = np.exp(outputs(X, layers_of(fitted), moments))
    np.testing.assert_allclose(fitted.predict_proba(X), p / p.sum(axis=1, keepdims=True), rtol=1e-9)
    np.testing.assert_allclose(fitted.predict_proba(X[:1]), fitted.predict_proba(X)[:1], rtol=1e-12)
    assert fitted.score(X, y) > 0.95


def test_batch_normalization_stays_in_its_attributes(wine):
    fitted = normalized().fit(*wine)
    for name in NORMALIZATION:
        assert [array.shape for array in getattr(fitted, name)] == [(6,), (5,)]
        assert {array.dtype for array in getattr(fitted, name)} == {wine[0].dtype}
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(wine[0]), fitted.predict_proba(wine[0]))
    for copied in (clone(fitted), fitted.set_params(batch_normalization=False)):
        copied.fit(*wine)
        assert hasattr(copied, "scales_") == copied.batch_normalization
    assert fitted.loss_curve_ == small(hidden_layer_sizes=(6, 5), activation="tanh").fit(*wine).loss_curve_
    with pytest.raises(ValueError, match="`batch_normalization` must stay as it was"):
        fitted.set_params(batch_normalization=True).partial_fit(*wine)
    with pytest.raises(ValueError, match="`batch_normalization` must be False with solver='lbfgs'"):
        normalized(solver="lbfgs").fit(*wine)


def test_batch_normalization_keeps_the_best_moments(wine):
    X, y = wine[0][::2], wine[1][::2]
    X_val, y_val = wine[0][1::2], wine[1][1::2]
    stopped = normalized(early_stopping=True, max_iter=60, learning_rate_init=0.05, n_iter_no_change=5, metric="loss")
    stopped.fit(X, y, X_val=X_val, y_val=y_val)
    p = stopped.predict_proba(X_val)
    assert -np.log(p[np.arange(len(p)), y_val]).mean() == pytest.approx(min(stopped.validation_loss_curve_), rel=1e-9)
    assert stopped.validation_loss_curve_[-1] > min(stopped.validation_loss_curve_)


@pytest.mark.parametrize("batch_size", [1, 40])
def test_batch_normalization_of_sparse_rows_and_weights(wine, monkeypatch, batch_size):
    sparse = pytest.importorskip("scipy.sparse")
    import cnn_core.sklearn.perceptron.training

    X, y = wine
    X = np.where(np.abs(X) > 0.5, X, 0)
    weight = np.linspace(0.5, 2, len(y))
    settings = {"batch_size": batch_size, "max_iter": 3, "dropout": 0.0}
    dense = normalized(**settings).fit(X, y, weight)
    monkeypatch.setattr(cnn_core.sklearn.perceptron.training, "DENSE_BYTES", 0)
    from_sparse = normalized(**settings).fit(sparse.csr_matrix(X), y, weight)
    np.testing.assert_allclose(from_sparse.loss_curve_, dense.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(from_sparse.predict_proba(sparse.csr_matrix(X)), dense.predict_proba(X), rtol=1e-6)


def test_batch_normalization_of_a_regressor(diabetes):
    X, y = diabetes
    settings = {"batch_normalization": True, "dropout": 0.1, "max_iter": 60, "random_state": 0}
    regressor = MLPRegressor("huber", (16, 16), learning_rate_init=0.01, **settings).fit(X.astype(np.float32), y)
    assert regressor.score(X.astype(np.float32), y) > 0.5
    assert {array.dtype for array in regressor.scales_} == {np.dtype("float32")}


def test_training_goes_on_under_batch_normalization(wine):
    X, y = wine
    settings = {"solver": "sgd", "momentum": 0.0, "shuffle": False, "batch_size": 60}
    whole = normalized(**settings, max_iter=6).fit(X, y)
    partly = normalized(**settings)
    for _ in range(6):
        partly.partial_fit(X, y, classes=[0, 1, 2])
    np.testing.assert_allclose(partly.loss_curve_, whole.loss_curve_, rtol=1e-12)
    np.testing.assert_array_equal(partly.moving_means_[1], whole.moving_means_[1])
    warm = normalized(**settings, max_iter=3, warm_start=True).fit(X, y).fit(X, y)
    np.testing.assert_allclose(warm.loss_curve_, whole.loss_curve_, rtol=1e-12)


def test_batch_normalization_in_a_search(wine):
    grid = {"batch_normalization": [False, True], "dropout": [0.0, 0.2]}
    search = GridSearchCV(small(learning_rate_init=0.02), grid, n_jobs=2, cv=3, error_score="raise").fit(*wine)
    assert search.best_score_ > 0.9
