"""How the estimators live with scikit-learn's tools."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, check_cv, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import cnn_core
from cnn_core.sklearn import MLPClassifier, MLPRegressor
from mlp_cases import small

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# Within scikit-learn


def test_pipeline_and_search(wine):
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(
        StandardScaler(), MLPClassifier((8,), max_iter=30, random_state=0, learning_rate_init=0.03)
    )
    search = GridSearchCV(pipeline, {"mlpclassifier__alpha": [1e-4, 1.0]}, n_jobs=2, cv=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(X, y)
    assert search.best_score_ > 0.8
    best = search.best_estimator_[-1]
    assert clone(best).get_params() == best.get_params()


def test_workers_share_the_processors():
    joblib = pytest.importorskip("joblib")
    widths = joblib.Parallel(n_jobs=2, backend="loky")(joblib.delayed(cnn_core.get_num_threads)() for _ in range(4))
    assert max(widths) * 2 <= max(joblib.cpu_count(), 2)


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_workers_compute_what_this_process_does(wine, backend):
    joblib = pytest.importorskip("joblib")
    alone = cross_val_score(small(learning_rate_init=0.05), *wine, cv=4)
    with joblib.parallel_config(backend=backend, n_jobs=2), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads, which joblib makes
        np.testing.assert_array_equal(cross_val_score(small(learning_rate_init=0.05), *wine, cv=4), alone)


def test_columns_of_a_frame_through_a_pipeline():
    pandas = pytest.importorskip("pandas")
    X, y = load_wine(return_X_y=True, as_frame=True)
    X["proline"] = pandas.cut(X["proline"], 3, labels=["low", "middle", "high"])
    columns = ColumnTransformer(
        [("number", StandardScaler(), list(X.columns[:-1])), ("category", OneHotEncoder(), ["proline"])]
    )
    grid = {"mlpclassifier__hidden_layer_sizes": [(4,), (8, 8)], "mlpclassifier__dropout": [0.0, 0.1]}
    pipeline = make_pipeline(columns, small(max_iter=40, learning_rate_init=0.03))
    search = GridSearchCV(pipeline, grid, n_jobs=2, cv=3, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.9
    assert search.predict(X.iloc[:1]) == [0]


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_sample_weights_are_routed(wine, kind):
    X, y = wine
    weight = np.random.default_rng(0).uniform(0, 9, len(y))
    with config_context(enable_metadata_routing=True):
        asking = kind(hidden_layer_sizes=(8,), max_iter=6, random_state=0, learning_rate_init=0.02)
        asking.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        routed = GridSearchCV(asking, {"alpha": [1e-4]}, cv=3, refit=False).fit(X, y, sample_weight=weight)
        ignoring = clone(asking).set_fit_request(sample_weight=False)
        unweighted = GridSearchCV(ignoring, {"alpha": [1e-4]}, cv=3, refit=False).fit(X, y, sample_weight=weight)
    by_hand = []
    for train, test in check_cv(3, y, classifier=kind is MLPClassifier).split(X, y):
        by_hand.append(clone(asking).fit(X[train], y[train], weight[train]).score(X[test], y[test], weight[test]))
    assert routed.cv_results_["mean_test_score"][0] == pytest.approx(np.mean(by_hand), rel=1e-12)
    assert routed.cv_results_["mean_test_score"][0] != unweighted.cv_results_["mean_test_score"][0]


def test_own_validation_set_is_routed_through_a_pipeline(wine):
    X, y = wine
    with config_context(enable_metadata_routing=True):
        asking = small(early_stopping=True).set_fit_request(X_val=True, y_val=True)
        pipeline = Pipeline([("mlp", asking)]).fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert len(pipeline[-1].validation_scores_) == pipeline[-1].n_iter_


def test_calibrated_probabilities_and_importances_point_the_right_way(wine):
    X, y = wine
    noise = np.random.default_rng(0).standard_normal((len(y), 1))
    settings = {"max_iter": 60, "learning_rate_init": 0.03}
    calibrated = CalibratedClassifierCV(small(**settings), cv=3, method="isotonic").fit(X, y)
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1)
    assert calibrated.score(X, y) > 0.95
    fitted = small(**settings).fit(np.hstack([X, noise]), y)
    importance = permutation_importance(fitted, np.hstack([X, noise]), y, n_repeats=5, random_state=0, n_jobs=2)
    assert importance.importances_mean[-1] < importance.importances_mean[:-1].max() / 3


def test_calibration_importance_and_output(wine):
    X, y = wine
    assert CalibratedClassifierCV(small(), cv=2).fit(X, y).predict_proba(X).shape == (178, 3)
    importance = permutation_importance(small().fit(X, y), X, y, n_repeats=2, random_state=0)
    assert importance.importances_mean.shape == (13,)
    assert cross_val_score(small(learning_rate_init=0.05), X, y, cv=2).mean() > 0.9


def test_names_of_features_and_frames():
    pandas = pytest.importorskip("pandas")
    X, y = load_iris(return_X_y=True, as_frame=True)
    pipeline = make_pipeline(StandardScaler(), MLPClassifier((4,), max_iter=3)).set_output(transform="pandas").fit(X, y)
    assert list(pipeline[-1].feature_names_in_) == list(X.columns)
    stopped = MLPClassifier((4,), max_iter=3, early_stopping=True, metric="accuracy").fit(X, y)
    assert len(stopped.predict(pandas.DataFrame(X))) == 150


def test_strings_booleans_and_one_class():
    X = np.arange(8.0).reshape(4, 2)
    for y in (["a", "b", "a", "b"], [True, False, True, False], np.array(["x", "y", "z", "x"], object)):
        assert set(small(max_iter=2).fit(X, y).predict(X)) <= set(y)
    assert set(small(max_iter=2).fit(X, [5, 5, 5, 5]).predict(X)) == {5}
    assert small(max_iter=2).fit(X[:1], [5]).predict(X[:1]) == [5]


def test_sparse_labels_come_back_sparse():
    sparse = pytest.importorskip("scipy.sparse")
    X = np.arange(12.0).reshape(6, 2)
    y = sparse.csr_matrix(np.array([[0, 1], [1, 0], [1, 1]] * 2))
    assert sparse.issparse(small(max_iter=2).fit(X, y).predict(X))


# Plain arrays, and predictions through the network of `fit`


@pytest.mark.parametrize(
    "damage",
    [
        lambda X: np.where(np.arange(len(X))[:, None] == 3, np.nan, X),
        lambda X: X[:, :-1],
        lambda X: X.ravel(),
        lambda X: X[:0],
        lambda X: X.astype(complex),
    ],
    ids=["nan", "a column less", "a vector", "no rows", "complex"],
)
def test_plain_arrays_meet_the_same_errors(wine, damage):
    from sklearn.neural_network import MLPClassifier as Theirs

    X, y = wine
    said = []
    for kind in (Theirs, MLPClassifier):
        fitted = kind((4,), max_iter=1).fit(X, y)
        said.append(complaint(fitted.predict, damage(X)))
    assert said[0] == said[1]


def complaint(function, *arguments):
    with pytest.raises(ValueError, match=r"\w") as error:
        function(*arguments)
    return str(error.value)


def test_targets_that_do_not_fit_meet_the_same_errors(wine, diabetes):
    import sklearn.neural_network as theirs

    X, y = diabetes
    broken = np.where(y == y[0], np.inf, y)
    for name, rows, targets in [("MLPRegressor", X, broken), ("MLPRegressor", X, y[:-1]), ("MLPClassifier", X, y)]:
        said = []
        for kind in (getattr(theirs, name), globals()[name]):
            said.append(complaint(kind(hidden_layer_sizes=(4,), max_iter=1).fit, rows, targets))
        assert said[0] == said[1]


def test_names_of_features_are_forgotten_with_the_frame():
    X, y = load_iris(return_X_y=True, as_frame=True)
    fitted = small(max_iter=2).fit(X, y)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        fitted.predict(X.to_numpy())
    fitted.fit(X.to_numpy(), y.to_numpy())
    assert not hasattr(fitted, "feature_names_in_")
    assert fitted.n_features_in_ == 4
    fitted.predict(X.to_numpy())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_prediction_is_that_of_the_attributes(wine, dtype):
    X, y = wine[0].astype(dtype), wine[1]
    fitted = small(hidden_layer_sizes=(8, 7), dropout=0.3, activation=["tanh", "relu"]).fit(X, y)
    copied = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(fitted.predict_proba(X), copied.predict_proba(X))
    fitted.set_params(activation="relu")
    copied.set_params(activation="relu")
    np.testing.assert_array_equal(fitted.predict_proba(X), copied.predict_proba(X))
    assert not np.array_equal(fitted.predict_proba(X), small(hidden_layer_sizes=(8, 7)).fit(X, y).predict_proba(X))
    fitted.coefs_[0] = fitted.coefs_[0] * 0
    fitted.intercepts_[0][...] = -1.0
    assert len(np.unique(fitted.predict_proba(X), axis=0)) == 1


def test_poisson_predicts_what_the_attributes_say(diabetes):
    X, y = diabetes[0], np.exp(diabetes[1])
    fitted = MLPRegressor("poisson", (), max_iter=30, random_state=0).fit(X, y)
    expected = np.exp(X @ fitted.coefs_[0] + fitted.intercepts_[0]).ravel()
    np.testing.assert_allclose(fitted.predict(X), expected, rtol=1e-12)
