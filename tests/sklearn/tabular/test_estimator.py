"""What a fit of a tabular estimator leaves: all of the new or all of the old; targets, scores and importances."""

from __future__ import annotations

import datetime
import warnings
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import datasets
from sklearn.exceptions import NotFittedError

from cnn_core.sklearn import TabularClassifier, TabularRegressor

SMALL: dict[str, Any] = {"hidden_layer_sizes": (16,), "epochs": 6, "random_state": 0}


def noise(n: int = 200, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    return generator.normal(size=(n, 4)), generator.integers(0, classes, n)


# Interrupted and failed fits


def interrupt_at(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Raise KeyboardInterrupt where it does most harm."""

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(place, interrupted)


PLACES = [
    "cnn_core.sklearn.tabular.encoders.TablePreprocessor.transform",
    "cnn_core.sklearn.tabular.estimator.TabularNetwork",
    "cnn_core.sklearn.tabular.training.TabularTraining._epoch",
    "cnn_core.sklearn.tabular.training.TabularTraining._keep_best",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("change", ["wider", "other classes", "shifted", "names"])
def test_an_interrupted_refit_keeps_the_old_fit(place: str, change: str, monkeypatch: pytest.MonkeyPatch):
    pandas = pytest.importorskip("pandas")
    X, y = noise()
    classifier = TabularClassifier(**SMALL).fit(X, y)
    before, expected = dict(vars(classifier)), classifier.predict_proba(X)
    other = {
        "wider": np.hstack([X, X]),
        "shifted": X * 1000,
        "names": pandas.DataFrame(X, columns=list("abcd")),
    }.get(change, X)
    with monkeypatch.context() as patches:
        interrupt_at(patches, place)
        with pytest.raises(KeyboardInterrupt):
            classifier.fit(other, np.array(list("abc"))[y] if change == "other classes" else y)
    assert vars(classifier) == before
    np.testing.assert_array_equal(classifier.predict_proba(X), expected)


@pytest.mark.parametrize("place", PLACES[:3])
def test_a_first_fit_interrupted_early_is_none(place: str, monkeypatch: pytest.MonkeyPatch):
    X, y = noise()
    classifier = TabularClassifier(**SMALL)
    with monkeypatch.context() as patches:
        interrupt_at(patches, place)
        with pytest.raises(KeyboardInterrupt):
            classifier.fit(X, y)
    with pytest.raises(NotFittedError):
        classifier.predict(X)
    assert set(vars(classifier)) == set(classifier.get_params())


def test_a_failed_refit_keeps_the_old_fit():
    X, y = noise()
    regressor = TabularRegressor(**SMALL).fit(X, y)
    expected = regressor.predict(X)
    with pytest.raises(ValueError, match="infinity"):
        regressor.fit(np.hstack([X, np.full((200, 1), np.inf)]), y)
    with pytest.raises(ValueError, match="y_val"):
        regressor.fit(X[:, :2], y, X_val=X[:, :2], y_val=X[:, :2])
    np.testing.assert_array_equal(regressor.predict(X), expected)


def test_a_refit_leaves_nothing_of_the_old_one():
    pandas = pytest.importorskip("pandas")
    X, y = noise()
    classifier = TabularClassifier(**SMALL).fit(pandas.DataFrame(X, columns=list("abcd")), y)
    classifier.fit(X[:, :2], y)
    assert not hasattr(classifier, "feature_names_in_")
    classifier.fit(X, np.zeros(200))
    assert not hasattr(classifier, "network_")


# Scores that are not always defined


def test_an_undefined_metric_keeps_the_last_epoch(monkeypatch: pytest.MonkeyPatch):
    X, y = noise()
    classifier = TabularClassifier(**SMALL, eval_metric=lambda *_: float("nan"))
    with pytest.warns(UserWarning, match=r"undefined on the held-out rows in 6 of 6 epochs, which count as the worst"):
        classifier.fit(X, y)
    assert classifier.best_epochs_ == [6]
    assert np.isnan(classifier.validation_curve_).all()


def test_an_epoch_without_a_score_is_never_the_best():
    X, y = noise()
    values = iter([0.5, float("nan"), 0.4, float("nan"), 0.6, float("nan")])
    with pytest.warns(UserWarning, match="in 3 of 6 epochs"):
        classifier = TabularClassifier(**SMALL, eval_metric=lambda *_: next(values)).fit(X, y)
    assert classifier.best_epochs_ == [3]


@pytest.mark.parametrize("metric", ["roc_auc", "roc_auc_ovr", "neg_log_loss", "accuracy", "neg_brier_score", "brier"])
def test_metrics_do_without_a_class_that_the_held_out_rows_lack(metric: str):
    X, _ = noise(120)
    y = np.array([0] * 60 + [1] * 58 + [2] * 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier = TabularClassifier(**SMALL, eval_metric=metric).fit(X, y)
    assert np.isfinite(classifier.validation_curve_).all()


def test_scorers_that_need_all_classes_are_undefined_without_one():
    X, _ = noise(120)
    y = np.array([0] * 60 + [1] * 58 + [2] * 2)
    with pytest.warns(UserWarning, match="'roc_auc_ovo' is undefined"):
        classifier = TabularClassifier(**SMALL, eval_metric="roc_auc_ovo").fit(X, y)
    assert classifier.best_epochs_ == [6]


def test_scorers_of_scikit_learns_choose_the_epoch():
    from sklearn.metrics import f1_score, r2_score

    X, y = datasets.load_iris(return_X_y=True)
    labels = np.array(["a", "b", "c"])[y]
    held_out = {"X_val": X[1::2], "y_val": labels[1::2]}
    classifier = TabularClassifier(**SMALL, eval_metric="f1_macro").fit(X[::2], labels[::2], **held_out)
    best = f1_score(labels[1::2], classifier.predict(X[1::2]), average="macro")
    assert -min(classifier.validation_curve_) == pytest.approx(best)
    X, y = datasets.load_diabetes(return_X_y=True)
    for settings in ({}, {"quantiles": (0.1, 0.9)}):
        regressor = TabularRegressor(**SMALL, eval_metric="r2", **settings).fit(
            X[::2], y[::2], X_val=X[1::2], y_val=y[1::2]
        )
        best = r2_score(y[1::2], regressor.predict(X[1::2]))
        assert -min(regressor.validation_curve_) == pytest.approx(best, rel=1e-5)
    absolute = TabularRegressor(**SMALL, eval_metric="neg_mean_absolute_error", quantiles=(0.1, 0.9)).fit(X, y)
    assert (
        absolute.validation_curve_
        == TabularRegressor(**SMALL, eval_metric="mae", quantiles=(0.1, 0.9)).fit(X, y).validation_curve_
    )
    with pytest.raises(
        ValueError, match=r"`eval_metric` must be 'mae', 'rmse', a scorer.*Received: eval_metric='error'"
    ):
        TabularRegressor(eval_metric="error").fit(X, y)


# Targets


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.datetime64("2020-01-01") + np.arange(80), "unit of your choice"),
        (np.arange(80).astype("m8[s]"), "unit of your choice"),
        ([datetime.date(2020, 1, 1 + row % 28) for row in range(80)], "unit of your choice"),
        ([str(row) for row in range(80)], "must hold numbers"),
        ([b"1"] * 80, "must hold numbers"),
    ],
)
def test_targets_that_are_no_numbers(y: Any, message: str):
    X, _ = noise(80)
    with pytest.raises((ValueError, TypeError), match=message):
        TabularRegressor(**SMALL).fit(X, y)
    with pytest.raises((ValueError, TypeError), match=message):
        TabularRegressor(**SMALL).fit(X, np.arange(80.0), X_val=X, y_val=y)


def test_a_validation_part_of_another_width():
    X, _ = noise(80)
    with pytest.raises(ValueError, match=r"y_val must have as many columns as y, 1\. Received: 4"):
        TabularRegressor(**SMALL).fit(X, X[:, 0], X_val=X, y_val=X)
    with pytest.raises(ValueError, match=r"y_val must have as many columns as y, 2\. Received: 1"):
        TabularRegressor(**SMALL).fit(X, X[:, :2], X_val=X, y_val=X[:, 0])


@pytest.mark.parametrize("labels", [[b"a", b"b"], [b"%d" % number for number in range(7)]])
def test_classes_of_bytes_are_refused(labels: list[bytes]):
    X, _ = noise(84)
    with pytest.raises(TypeError, match="bytes"):
        TabularClassifier(**SMALL).fit(X, np.array(labels * (84 // len(labels))))


@pytest.mark.parametrize("factor", [-1, float("nan"), float("inf")])
def test_class_weights_that_are_none(factor: float):
    X, y = noise(80, 2)
    with pytest.raises(ValueError, match="`class_weight` must hold finite numbers of at least 0"):
        TabularClassifier(**SMALL, class_weight={0: factor, 1: 1}).fit(X, y)


# Importances


def test_importances_carry_names_and_take_a_scoring():
    pandas = pytest.importorskip("pandas")
    X, y = datasets.load_iris(return_X_y=True, as_frame=True)
    classifier = TabularClassifier(**{**SMALL, "epochs": 64}).fit(X, y)
    importances = classifier.feature_importances(X, y, random_state=0)
    assert importances.names == tuple(X)
    assert importances.ranked()[0] == (importances.names[int(importances.argmax())], importances.max())
    assert importances["petal width (cm)"] == importances[3]
    by_loss = classifier.feature_importances(X, y, scoring="neg_log_loss", random_state=0)
    assert (np.asarray(by_loss) != np.asarray(importances)).any()
    same = classifier.feature_importances(X, y, scoring="accuracy", random_state=0)
    np.testing.assert_allclose(same, importances)
    own = classifier.feature_importances(
        X, y, scoring=lambda model, X, y: (model.predict(X) == y).mean(), random_state=0
    )
    np.testing.assert_allclose(own, importances)
    assert pandas.Series(importances, index=importances.names).idxmax() == importances.ranked()[0][0]


def test_importances_of_a_regressor():
    X, y = datasets.load_diabetes(return_X_y=True)
    regressor = TabularRegressor(**{**SMALL, "epochs": 32}).fit(X, y)
    absolute = regressor.feature_importances(X, y, scoring="neg_mean_absolute_error", random_state=0)
    assert absolute.names[0] == "column 0"
    assert absolute.max() > regressor.feature_importances(X, y, random_state=0).max() > 0
