"""Training that goes on: settings that change between calls, state that goes through a pickle, weights below zero."""

from __future__ import annotations

import copy
import itertools
import pickle
from inspect import signature

import numpy as np
import pytest

pytest.importorskip("sklearn")

import sklearn.neural_network as theirs
from sklearn.base import clone
from sklearn.multioutput import MultiOutputRegressor

import cnn_core.sklearn as ours
from cnn_core.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).normal(size=(120, 5))
Y = X[:, 0] * 5
LABELS = np.arange(120) % 3
SETTINGS = {"hidden_layer_sizes": (8,), "random_state": 0}

# Weights


@pytest.mark.parametrize(
    "weights",
    [-np.ones(120), np.linspace(-3, 1, 120), np.linspace(-1, 3, 120), -np.eye(120)[0] - 0.5],
    ids=["all", "most", "few", "uneven"],
)
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.skipif(
    "sample_weight" not in signature(theirs.MLPRegressor.fit).parameters,
    reason="scikit-learn's perceptrons take weights from 1.7 on",
)
def test_weights_below_zero_are_divided_by_their_sum(weights, solver):
    settings = SETTINGS | {"solver": solver, "max_iter": 4, "alpha": 0.0, "learning_rate_init": 1e-4}
    pair = [module.MLPRegressor(**settings).fit(X, Y, sample_weight=weights) for module in (theirs, ours)]
    assert pair[1].loss_ == pytest.approx(pair[0].loss_, rel=1e-6)
    np.testing.assert_allclose(pair[1].coefs_[0], pair[0].coefs_[0], rtol=1e-4, atol=1e-8)


def test_weights_of_one_sign_are_as_good_as_their_opposites():
    weights = np.linspace(1, 2, 120)
    settings = SETTINGS | {"alpha": 0.0, "max_iter": 20, "batch_size": 40}
    for kind, y in ((MLPRegressor, Y), (MLPClassifier, LABELS)):
        pair = [kind(**settings).fit(X, y, sample_weight=sign * weights) for sign in (1, -1)]
        assert pair[0].loss_curve_ == pair[1].loss_curve_
    held_out = {"X_val": X, "y_val": Y, "sample_weight_val": -weights}
    measured = MLPRegressor(**settings).fit(X, Y, **held_out)
    assert measured.validation_loss_curve_[-1] == pytest.approx(
        0.5 * np.average((measured.predict(X) - Y) ** 2, weights=weights)
    )


# State


@pytest.mark.parametrize("first", ["partial_fit", "fit"])
@pytest.mark.parametrize("way", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))], ids=["copy", "pickle"])
@pytest.mark.parametrize(
    "settings", [{"solver": "adam"}, {"solver": "sgd", "learning_rate": "adaptive"}, {"dropout": 0.3}]
)
def test_training_goes_on_behind_a_pickle_as_before_it(way, settings, first):
    estimators = [MLPRegressor(**SETTINGS, **settings, max_iter=3) for _ in range(2)]
    for estimator in estimators:
        getattr(estimator, first)(X, Y)
    stayed, travelled = estimators
    for _ in range(3):
        stayed.partial_fit(X, Y)
        travelled = way(travelled).partial_fit(X, Y)
    assert travelled.loss_curve_ == stayed.loss_curve_
    np.testing.assert_array_equal(travelled.coefs_[0], stayed.coefs_[0])


def test_workers_train_on_as_this_process_does():
    targets = X[:, :2] * 2 + 1
    outputs = []
    for n_jobs in (1, 2):
        model = MultiOutputRegressor(MLPRegressor(**SETTINGS), n_jobs=n_jobs)
        for _ in range(5):
            model.partial_fit(X, targets)
        outputs.append(model.predict(X))
    np.testing.assert_array_equal(*outputs)


def test_settings_between_partial_fits_count():
    def after(**changes):
        return MLPRegressor(**SETTINGS).partial_fit(X, Y).set_params(**changes).partial_fit(X, Y)

    plain = after()
    for changes in (
        {"learning_rate_init": 0.1},
        {"beta_1": 0.1},
        {"solver": "sgd"},
        {"alpha": 100.0},
        {"loss": "huber"},
    ):
        assert not np.array_equal(after(**changes).coefs_[0], plain.coefs_[0])
    assert after(solver="sgd")._optimizer.rule == "sgd"


def test_a_rate_that_has_adapted_stays():
    adaptive = MLPRegressor(**SETTINGS, solver="sgd", learning_rate="adaptive", tol=1e9, n_iter_no_change=1, max_iter=4)
    adaptive.fit(X, Y)
    rate = adaptive._optimizer.learning_rate
    assert rate < adaptive.learning_rate_init
    assert adaptive.partial_fit(X, Y)._optimizer.learning_rate <= rate


# Toggles

CHOICES = [
    {},
    {"early_stopping": True},
    {"early_stopping": True, "metric": "loss"},
    {"solver": "lbfgs"},
    {"solver": "sgd"},
    {"early_stopping": True, "metric": "neg_log_loss"},
]


@pytest.mark.parametrize(("first", "then"), list(itertools.permutations(CHOICES, 2)))
def test_settings_may_change_under_a_warm_start(first, then):
    defaults = {"early_stopping": False, "metric": None, "solver": "adam"}
    estimator = MLPClassifier(**SETTINGS, warm_start=True, max_iter=5).set_params(**first).fit(X, LABELS)
    before = [coef.copy() for coef in estimator.coefs_]
    estimator.set_params(**(defaults | then)).fit(X, LABELS)
    if estimator.solver == "lbfgs":
        assert not any(hasattr(estimator, name) for name in ("loss_curve_", "best_loss_", "validation_scores_"))
        return
    n = len(estimator.loss_curve_)
    assert n == (5 if first.get("solver") == "lbfgs" else 10)
    if estimator.early_stopping:
        assert estimator.best_loss_ is None
        assert estimator.best_validation_score_ == max(estimator.validation_scores_[-5:])
        assert not np.array_equal(estimator.coefs_[0], before[0])
    else:
        assert estimator.best_validation_score_ is None
        assert estimator.best_loss_ <= min(estimator.loss_curve_[-5:])


def test_a_change_of_loss_changes_outputs_and_measure():
    counts = np.exp(X[:, 0])
    estimator = MLPRegressor(**SETTINGS, warm_start=True, max_iter=5).fit(X, counts)
    estimator.set_params(loss="poisson", max_iter=60).fit(X, counts)
    assert estimator.out_activation_ == "exp"
    assert (estimator.predict(X) > 0).all()
    # Deviances beside squared errors: what was the least of those says nothing of these.
    assert estimator.best_loss_ == min(estimator.loss_curve_[5:])


def test_a_full_fit_begins_again():
    estimator = MLPClassifier(**SETTINGS, early_stopping=True, max_iter=5).fit(X, LABELS)
    estimator.set_params(solver="lbfgs", early_stopping=False).fit(X, LABELS)
    assert not hasattr(estimator, "loss_curve_")
    estimator.set_params(solver="adam").fit(X, LABELS)
    assert len(estimator.loss_curve_) == 5
    assert estimator.validation_scores_ is None


def test_partial_fit_after_early_stopping():
    stopped = MLPClassifier(**SETTINGS, early_stopping=True, max_iter=5).fit(X, LABELS)
    stopped.set_params(early_stopping=False).partial_fit(X, LABELS)
    assert len(stopped.loss_curve_) == 6


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_what_is_refused_loses_nothing(call):
    wrong = [
        (X[:, :2], LABELS[:-1], None),
        (X, LABELS + 0.5, None),
        (X, np.where(LABELS == 0, -1, 7), np.zeros(120)),
        (np.where(X > 2, np.nan, X), LABELS, None),
        (X, LABELS, np.ones(3)),
    ]
    fitted = MLPClassifier(**SETTINGS, max_iter=2).fit(X, LABELS)
    before = pickle.dumps(fitted)
    for data in wrong:
        with pytest.raises(ValueError, match=r"\w"):
            getattr(fitted, call)(*data)
        assert pickle.dumps(fitted) == before
    for setting in ({"dropout": 2.0}, {"dropout": [1.5]}, {"activation": ["relu"] * 2}, {"hidden_layer_sizes": [0]}):
        with pytest.raises(ValueError, match=next(iter(setting))):
            fitted.set_params(**setting).fit(X, LABELS)
        fitted.set_params(**pickle.loads(before).get_params())
    np.testing.assert_array_equal(fitted.predict(X), pickle.loads(before).predict(X))


def test_arrays_that_begin_at_any_byte_are_read():
    """As those that come from another process or from a file do."""
    rng = np.random.default_rng(0)
    X, weights = rng.normal(size=(40, 3)), rng.uniform(1, 2, 40)
    settings = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}
    for estimator, y in ((MLPRegressor(**settings), X[:, 0].copy()), (MLPClassifier(**settings), np.arange(40) % 3)):
        expected = clone(estimator).fit(X, y, weights).predict(X)
        found = estimator.fit(unaligned(X), unaligned(y), unaligned(weights)).predict(unaligned(X))
        np.testing.assert_array_equal(found, expected)


def unaligned(array: np.ndarray) -> np.ndarray:
    odd = np.frombuffer(bytearray(array.nbytes + 1), array.dtype, offset=1, count=array.size).reshape(array.shape)
    odd[...] = array
    assert not odd.flags.aligned
    return odd
