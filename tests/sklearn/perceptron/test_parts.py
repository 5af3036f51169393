"""Perceptrons fitted to rows in parts, against those fitted to all rows at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone

from cnn_core.callbacks import LambdaCallback
from cnn_core.sklearn import MLPClassifier, MLPRegressor
from cnn_core.sklearn.perceptron.parts import fit_parts
from parts_in_memory import PartsInMemory

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 1200
X = np.random.default_rng(0).normal(size=(N, 4))
Y = X[:, 0] * X[:, 1] + np.sin(X[:, 2])
LABELS = np.where(Y > 0.5, "high", np.where(Y < -0.5, "low", "middle"))
SETTINGS: dict[str, Any] = {"hidden_layer_sizes": (16,), "learning_rate_init": 0.02, "random_state": 0}
CUTS = [500, 501, 501, 800]


def fitted(
    estimator: Any, *arrays: Any, n_chains: int = 2, cuts: Any = CUTS, sync_every: int = 1000, **more: Any
) -> Any:
    parts = PartsInMemory(list(zip(*(np.split(array, cuts) for array in arrays), strict=True)), n_chains)
    fit_parts(estimator, parts, arrays[0], arrays[1], None, sync_every)
    return estimator


def same_weights(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one._weights(), other._weights(), strict=True))


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_one_part_is_a_fit_to_all_rows(solver: str):
    """The same initial weights, batches, penalties, steps and losses."""
    settings = {**SETTINGS, "max_iter": 4, "shuffle": False, "solver": solver, "alpha": 0.1, "clipnorm": 1.0}
    for kind, y in ((MLPRegressor, Y), (MLPClassifier, LABELS), (MLPClassifier, LABELS == "low")):
        local = kind(**settings).fit(X, y)
        found = fitted(kind(**settings), X, y, cuts=[])
        assert same_weights(found, local)
        np.testing.assert_allclose(found.loss_curve_, local.loss_curve_, rtol=1e-12)
        assert (found.n_iter_, found.t_, found.best_loss_) == (4, 4 * N, min(found.loss_curve_))
        np.testing.assert_array_equal(found.predict(X), local.predict(X))


def test_rounds_within_an_epoch_change_nothing_for_one_chain():
    settings = {**SETTINGS, "max_iter": 3, "dropout": 0.2, "batch_normalization": True, "shuffle": False}
    once = fitted(MLPRegressor(**settings), X, Y, n_chains=1, sync_every=1000)
    often = fitted(MLPRegressor(**settings), X, Y, n_chains=1, sync_every=1)
    assert same_weights(once, often)


@pytest.mark.parametrize("n_chains", [1, 2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_parts_teach_what_all_rows_teach(n_chains: int, weighted: bool):
    weights = (np.random.default_rng(1).uniform(0, 2, N),) if weighted else ()
    settings = {**SETTINGS, "max_iter": 80 * n_chains, "n_iter_no_change": 1000, "alpha": 0.0}
    local = MLPRegressor(**{**settings, "max_iter": 80}).fit(X, Y, *weights)
    found = fitted(MLPRegressor(**settings), X, Y, *weights, n_chains=n_chains)
    assert found.score(X, Y) > local.score(X, Y) - 0.05
    settings["class_weight"] = "balanced"
    classifier = MLPClassifier(**{**settings, "max_iter": 80}).fit(X, LABELS, *weights)
    found = fitted(MLPClassifier(**settings), X, LABELS, *weights, n_chains=n_chains)
    assert found.score(X, LABELS) > classifier.score(X, LABELS) - 0.05


def test_outputs_of_several_columns():
    settings = {**SETTINGS, "max_iter": 80}
    both = np.stack([Y, X[:, 3]], axis=1)
    regressor = fitted(MLPRegressor(**settings, early_stopping=True), X, both)
    assert regressor.predict(X).shape == (N, 2)
    assert regressor.best_validation_score_ > 0.9
    labels = (both > 0).astype(int)
    classifier = fitted(MLPClassifier(**settings, early_stopping=True), X, labels)
    assert classifier.predict(X).shape == (N, 2)
    assert classifier.score(X, labels) > 0.8


def test_held_out_rows_stop_the_training():
    stops = {"early_stopping": True, "n_iter_no_change": 3, "max_iter": 300, "validation_fraction": 0.25}
    for kind, y in ((MLPRegressor, Y), (MLPClassifier, LABELS)):
        found = fitted(kind(**{**SETTINGS, "learning_rate_init": 0.05}, **stops), X, y)
        assert found.n_iter_ < 300
        assert found.best_validation_score_ == max(found.validation_scores_)
        assert abs(found.score(X, y) - found.best_validation_score_) < 0.1
    by_loss = fitted(MLPRegressor(**SETTINGS, **{**stops, "max_iter": 5}, metric="loss"), X, Y)
    assert [-score for score in by_loss.validation_scores_] == by_loss.validation_loss_curve_


def test_empty_parts_change_nothing():
    settings = {**SETTINGS, "max_iter": 3}
    empty = (X[:0], LABELS[:0])
    full = [(X[:700], LABELS[:700]), (X[700:], LABELS[700:])]
    plain, padded = MLPClassifier(**settings), MLPClassifier(**settings)
    fit_parts(plain, PartsInMemory(full), None, None, None, 1000)
    fit_parts(padded, PartsInMemory([*full, empty]), None, None, None, 1000)
    assert same_weights(plain, padded)
    with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
        fit_parts(MLPClassifier(), PartsInMemory([empty]), None, None, None, 1000)


def test_parts_of_a_single_class_are_told_of_the_others():
    y = np.where(X[:, 0] > 0.5, "high", "low")
    order = np.argsort(y, kind="stable")
    n_high = int((y == "high").sum())
    settings = {**SETTINGS, "max_iter": 30, "early_stopping": True}
    found = fitted(MLPClassifier(**settings), X[order], y[order], cuts=[n_high], sync_every=1)
    assert found.classes_.tolist() == ["high", "low"]
    assert found.score(X, y) > 0.9
    alone = fitted(MLPClassifier(**settings), X, np.full(N, "same"))
    assert set(alone.predict(X)) == {"same"}


def test_rows_of_no_weight_teach_nothing():
    weights = np.ones(N)
    weights[: CUTS[0]] = 0
    spoiled = np.where(weights == 0, 1e3, Y)
    found = fitted(MLPRegressor(**SETTINGS, max_iter=60), X, spoiled, weights)
    assert found.score(X, Y) > 0.9


def test_callbacks_see_epochs_and_may_end_them():
    seen: list[Any] = []

    def note(epoch: int, logs: Any) -> None:
        seen.append((epoch, *logs))
        callback.model.stop_training = epoch == 2

    callback = LambdaCallback(on_epoch_end=note)
    found = fitted(MLPRegressor(**SETTINGS, early_stopping=True, callbacks=[callback]), X, Y)
    assert seen == [(epoch, "loss", "val_loss", "val_score") for epoch in range(3)]
    assert found.n_iter_ == 3


def test_float32_stays_float32():
    found = fitted(MLPRegressor(**SETTINGS, max_iter=2), X.astype(np.float32), Y)
    assert found.coefs_[0].dtype == np.float32


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"solver": "lbfgs"}, r"`solver` must be 'adam' or 'sgd' where rows lie in parts. Received: solver='lbfgs'"),
        ({"warm_start": True}, r"`warm_start` must be False"),
        ({"metric": "roc_auc"}, r"`metric` must be None, 'loss' or 'accuracy', which add up"),
        ({"class_weight": [{0: 1}]}, r"`class_weight` must be a dict, 'balanced' or None"),
        ({"callbacks": [LambdaCallback(on_train_batch_end=print)]}, r"`callbacks` must be content with hooks around"),
        ({"alpha": -1}, r"The 'alpha' parameter of MLPClassifier must be"),
        ({"early_stopping": True, "validation_fraction": 0.0005}, r"The validation set is too small"),
    ],
)
def test_settings_that_need_all_rows_are_refused(settings: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        fitted(MLPClassifier(**{**SETTINGS, **settings}), X, LABELS)


def test_wrong_rows_are_refused_by_their_part():
    y = Y.copy()
    y[600] = np.nan
    with pytest.raises(ValueError, match=r"In part 3 of the rows: Input y contains NaN"):
        fitted(MLPRegressor(**SETTINGS), X, y)
    parts = PartsInMemory([(X[:5], Y[:5]), (X[:5, :2], Y[:5])])
    with pytest.raises(ValueError, match=r"same columns. Received: n_features=4 in part 0, n_features=2 in part 1"):
        fit_parts(clone(MLPRegressor()), parts, None, None, None, 1000)


def test_weights_that_leave_the_finite_numbers_are_an_error():
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        fitted(MLPRegressor(**{**SETTINGS, "solver": "sgd", "learning_rate_init": 1e200}, max_iter=3), X, Y)
