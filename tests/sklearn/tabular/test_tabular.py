"""TabularClassifier and TabularRegressor: scikit-learn's conventions, scores on real tables, files, clear errors."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

import sklearn
from sklearn import datasets
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from cnn_core.activations import ELU
from cnn_core.sklearn import TabularClassifier, TabularRegressor
from cnn_core.sklearn.tabular.estimators import load
from cnn_core.sklearn.tabular.presets import PRESETS
from thread_counts import on_threads

SMALL: dict[str, Any] = {"hidden_layer_sizes": (32,), "epochs": 64}


BLENDS: dict[str, Any] = {"epochs": 20}


@parametrize_with_checks(
    [TabularClassifier(**SMALL), TabularRegressor(**SMALL), TabularClassifier(**BLENDS), TabularRegressor(**BLENDS)]
)
def test_scikit_learns_checks(estimator: Any, check: Any):
    check(estimator)


def iris(**settings: Any) -> tuple[TabularClassifier, np.ndarray, np.ndarray]:
    X, y = datasets.load_iris(return_X_y=True)
    return TabularClassifier(**{"random_state": 0, **SMALL, **settings}).fit(X, y), X, y


def table() -> tuple[Any, np.ndarray]:
    pandas = pytest.importorskip("pandas")
    generator = np.random.default_rng(0)
    n = 120
    frame = pandas.DataFrame(
        {
            "age": generator.normal(40, 10, n),
            "city": generator.choice(["Bonn", "Rome", "Oslo"], n),
            "member": generator.random(n) > 0.5,
            "since": np.datetime64("2020-01-01") + generator.integers(0, 900, n),
            "empty": [None] * n,
            "constant": 1.0,
        }
    )
    frame.loc[3, "age"] = np.nan
    return frame, np.where(frame["city"] == "Rome", "yes", "no")


@pytest.mark.parametrize(
    ("load_table", "least"),
    [(datasets.load_iris, 0.92), (datasets.load_wine, 0.95), (datasets.load_breast_cancer, 0.94)],
)
def test_accuracy_on_real_tables(load_table: Any, least: float):
    X, y = load_table(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
    assert TabularClassifier(epochs=40, random_state=0).fit(X_train, y_train).score(X_test, y_test) >= least


def test_regression_on_a_real_table():
    X, y = datasets.load_diabetes(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    # Ridge regression reaches 0.36 on this split.
    assert TabularRegressor(epochs=64, n_members=2, random_state=0).fit(X_train, y_train).score(X_test, y_test) > 0.3


def test_a_frame_as_it_is():
    frame, y = table()
    classifier = TabularClassifier(**SMALL, random_state=0).fit(frame, y)
    assert classifier.score(frame, y) > 0.95
    assert classifier.feature_names_in_.tolist() == list(frame)
    changed = frame.assign(city="Paris", age=np.nan)
    assert np.isfinite(classifier.predict_proba(changed)).all()
    importances = classifier.feature_importances(frame, y, random_state=0)
    assert importances.argmax() == 1
    assert importances[4] == importances[5] == 0


def test_a_frame_with_other_columns_is_refused():
    frame, y = table()
    classifier = TabularClassifier(**{**SMALL, "epochs": 1}).fit(frame, y)
    with pytest.raises(ValueError, match=r"now missing:\n- age"):
        classifier.predict(frame.drop(columns="age"))
    with pytest.raises(ValueError, match="same order"):
        classifier.predict(frame[list(frame)[::-1]])
    with pytest.raises(ValueError, match=r"'age' held numbers in training\. Received: 'old' in row 0"):
        classifier.predict(frame.assign(age="old"))


@pytest.mark.parametrize("preset", list(PRESETS))
@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_every_preset_does_everything(kind: Any, preset: str, tmp_path: Path):
    frame, y = table()
    frame["street"] = [f"street {row % 11}" for row in range(len(frame))]
    if kind is TabularRegressor:
        y = np.where(y == "yes", 1.0, -1.0) + frame["age"].fillna(40) / 100
    settings = {**SMALL, "n_members": 2, "random_state": 0, **({"learning_rate": 0.02} if preset == "tabm" else {})}
    estimator = kind(preset, **settings).fit(frame, y)
    assert estimator.score(frame, y) > 0.9
    changed = frame.assign(street="nowhere", city=None, age=np.nan)
    assert len(estimator.predict(changed)) == len(frame)
    importances = estimator.feature_importances(frame, y, random_state=0)
    assert importances.argmax() == 1
    estimator.save(tmp_path / "model")
    for copy in (load(tmp_path / "model"), pickle.loads(pickle.dumps(estimator))):
        np.testing.assert_array_equal(copy.predict(changed), estimator.predict(changed))
    again = kind(preset, **settings).fit(frame, y)
    np.testing.assert_array_equal(again.predict(frame), estimator.predict(frame))
    limited = kind(preset, time_limit=0.001, random_state=0).fit(frame, y)
    assert limited.n_iter_ == 1


def test_the_full_regressor_stays_within_the_range_of_its_targets(tmp_path: Path):
    x = np.linspace(-1, 1, 200).reshape(-1, 1)
    far = np.array([[-50.0], [50.0]])
    free = TabularRegressor("periodic", random_state=0, **SMALL).fit(x, x[:, 0])
    kept = TabularRegressor("td", random_state=0, **SMALL).fit(x, x[:, 0])
    assert np.abs(free.predict(far)).max() > 1
    kept.save(tmp_path / "model")
    for regressor in (kept, load(tmp_path / "model")):
        assert np.abs(regressor.predict(np.linspace(-50, 50, 99).reshape(-1, 1))).max() <= 1 + 1e-6
    levels = TabularRegressor("td", quantiles=(0.1, 0.9), random_state=0, **SMALL).fit(x, x[:, 0])
    assert np.abs(levels.predict_quantiles(far)).max() <= 1 + 1e-6


def test_an_unknown_preset_is_refused():
    expected = (
        r"`preset` must be 'auto', 'balanced', 'best', 'fast', 'periodic', 'piecewise_linear', 'tabm', 'td' or "
        r"'td_s'\. R"
    )
    for preset in ("magic", ["td"], None):
        with pytest.raises((TypeError, ValueError), match=expected):
            TabularClassifier(preset).fit([[0.0], [1.0]], [0, 1])


def test_the_seed_decides():
    first, X, _ = iris()
    second, _, _ = iris()
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    assert (iris(random_state=1)[0].predict_proba(X) != first.predict_proba(X)).any()


@pytest.mark.parametrize("preset", ["td_s", "td"])
def test_the_number_of_threads_changes_nothing(preset: str):
    X, y = datasets.load_digits(return_X_y=True)
    found = []
    for number in (1, 2):
        with on_threads(number):
            found.append(TabularClassifier(preset, epochs=2, random_state=0).fit(X, y).predict_proba(X))
    np.testing.assert_array_equal(*found)


def test_members_are_averaged():
    several, X, _ = iris(n_members=3)
    single = several.network_.predict(several.preprocessor_.transform(X))
    assert single.shape == (3, 150, 3)
    np.testing.assert_allclose(several.predict_proba(X), single.mean(axis=0), atol=1e-6)
    assert len(several.best_epochs_) == 3


@pytest.mark.parametrize("metric", ["error", "log_loss", "brier", "auc"])
def test_the_best_epoch_is_kept(metric: str):
    classifier, _, _ = iris(eval_metric=metric)
    curve = np.array(classifier.validation_curve_)
    assert len(curve) == classifier.n_iter_ == 64
    # Of equals the later one.
    assert classifier.best_epochs_ == [64 - int(np.argmin(curve[::-1]))]


def test_smoothing_is_off_where_probabilities_count():
    sharp, X, _ = iris(eval_metric="log_loss")
    smooth, _, _ = iris(eval_metric="error")
    assert sharp.predict_proba(X).max() > smooth.predict_proba(X).max()


def test_auc_is_scikit_learns():
    from sklearn.metrics import log_loss, roc_auc_score

    import cnn_core.sklearn.tabular.scores as scores

    generator = np.random.default_rng(0)
    y, weights = generator.integers(0, 2, 60), generator.random(60)
    positive = generator.integers(0, 9, 60) / 8  # with ties
    probabilities = np.stack([1 - positive, positive], axis=1)
    expected = roc_auc_score(y, positive, sample_weight=weights)
    assert scores.negative_auc(y, probabilities, weights) == pytest.approx(-expected)
    clipped = probabilities.clip(0.01, 0.99)
    assert scores.log_loss(y, clipped, weights) == pytest.approx(log_loss(y, clipped, sample_weight=weights))


def test_a_validation_part_of_ones_own():
    X, y = datasets.load_iris(return_X_y=True)
    classifier = TabularClassifier(**SMALL, random_state=0).fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert min(classifier.validation_curve_) == pytest.approx(1 - classifier.score(X[1::2], y[1::2]))
    with pytest.raises(ValueError, match="class 7"):
        classifier.fit(X, y, X_val=X[:2], y_val=[0, 7])


def test_class_weights_move_the_balance():
    generator = np.random.default_rng(0)
    y = (generator.random(400) < 0.1).astype(int)
    X = generator.normal(size=(400, 2)) + 0.8 * y[:, None]
    plain = TabularClassifier(**SMALL, eval_metric="log_loss", random_state=0).fit(X, y)
    balanced = TabularClassifier(**SMALL, eval_metric="log_loss", class_weight="balanced", random_state=0).fit(X, y)
    assert balanced.predict(X).mean() > 2 * plain.predict(X).mean()


def test_weights_of_zero_leave_rows_out():
    X, y = datasets.load_diabetes(return_X_y=True)
    weights = np.r_[np.ones(221), np.zeros(221)]
    spoiled = np.r_[y[:221], 1e6 * np.ones(221)]
    regressor = TabularRegressor(**SMALL, random_state=0).fit(X, spoiled, sample_weight=weights)
    assert regressor.predict(X).max() < 1000


def test_quantiles():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(1500, 1))
    y = X[:, 0] + generator.normal(size=1500) * (0.2 + (X[:, 0] > 0))
    regressor = TabularRegressor(quantiles=(0.1, 0.5, 0.9), **SMALL, random_state=0).fit(X[:1000], y[:1000])
    quantiles = regressor.predict_quantiles(X[1000:])
    assert (np.diff(quantiles, axis=1) >= 0).all()
    covered = (y[1000:, None] <= quantiles).mean(axis=0)
    # 500 rows: the standard deviation of a share of 0.1 is 0.013, of 0.5 it is 0.022; the fit adds as much again.
    np.testing.assert_allclose(covered, [0.1, 0.5, 0.9], atol=0.07)
    wide = X[1000:, 0] > 0.3
    assert np.ptp(quantiles[wide], axis=1).mean() > 2 * np.ptp(quantiles[~wide], axis=1).mean()
    np.testing.assert_array_equal(regressor.predict(X[1000:]), quantiles[:, 1])


@pytest.mark.parametrize("quantiles", [(), (0.5, 0.1), (0, 0.5), (0.5, 1)])
def test_wrong_quantiles(quantiles: Any):
    with pytest.raises(ValueError, match="quantiles"):
        TabularRegressor(quantiles=quantiles).fit(np.eye(4), np.arange(4.0))


def test_quantiles_must_be_asked_for():
    regressor = TabularRegressor(**{**SMALL, "epochs": 1}).fit(np.eye(4), np.arange(4.0))
    with pytest.raises(ValueError, match="quantiles"):
        regressor.predict_quantiles(np.eye(4))


def test_pieces_follow_jumps():
    generator = np.random.default_rng(0)
    X = generator.random((600, 1))
    y = np.floor(12 * X[:, 0]) % 2
    scores = {
        preset: TabularClassifier(preset, epochs=64, random_state=0).fit(X[:400], y[:400]).score(X[400:], y[400:])
        for preset in ("td_s", "piecewise_linear")
    }
    assert scores["piecewise_linear"] > max(0.85, scores["td_s"])


def table_of_many_categories(n: int, seed: int) -> tuple[Any, Any, Any]:
    """400 values with an effect each: the table, the effects of its rows, and these with noise."""
    generator = np.random.default_rng(seed)
    of_value = np.random.default_rng(0).normal(size=400)
    values = generator.integers(0, 400, n)
    table = np.array(
        [[f"value {value}", number] for value, number in zip(values, generator.normal(size=n), strict=True)], object
    )
    return table, of_value[values], of_value[values] + 0.5 * generator.normal(size=n)


@pytest.mark.parametrize("preset", ["td_s", "auto"])
def test_categories_of_many_values_are_learnt(preset: str, tmp_path: Path):
    X, _, y = table_of_many_categories(3000, 1)
    unseen, truth, _ = table_of_many_categories(1000, 2)
    regressor = TabularRegressor(preset, random_state=0).fit(X, y)
    layout = regressor.network_.layout
    n_codes = {each.n_codes for each in (layout if isinstance(layout, list) else [layout])}
    assert n_codes - {()} == {(401,)}, "all embed the values but the radial network, which has a feature for each"
    predicted = regressor.predict(unseen)
    # A value's own mean is off by noise / sqrt(rows): of six rows 0.5**2 / 6 = 0.04 of the variance.
    assert 1 - ((predicted - truth) ** 2).mean() / truth.var() > 0.8
    regressor.save(tmp_path / "many.safetensors")
    np.testing.assert_array_equal(load(tmp_path / "many.safetensors").predict(unseen), predicted)
    none_of_the_known = regressor.predict([["new", 0.0], [None, 0.0]])
    assert none_of_the_known[0] == none_of_the_known[1]
    assert abs(none_of_the_known[0] - y.mean()) < y.std()


def test_categories_that_tell_nothing_are_not_believed():
    X, _, y = table_of_many_categories(2000, 3)
    y = np.random.default_rng(4).permutation(y)
    train, unseen = slice(0, 1000), slice(1000, None)
    regressor = TabularRegressor("td_s", random_state=0).fit(X[train], y[train])
    assert regressor.score(X[unseen], y[unseen]) > -0.2, "the best epoch is one before values are learnt by heart"


def test_several_targets():
    X, y = datasets.load_linnerud(return_X_y=True)
    regressor = TabularRegressor(**SMALL, random_state=0).fit(X, y)
    assert regressor.predict(X).shape == y.shape
    assert regressor.score(X, y) > 0.3


def test_few_rows_and_few_classes():
    X = np.arange(6.0).reshape(3, 2)
    assert TabularClassifier(**SMALL).fit(X, ["a", "a", "a"]).predict_proba(X).tolist() == [[1], [1], [1]]
    assert TabularRegressor(**SMALL).fit(X[:1], [5.0]).predict(X) == pytest.approx([5, 5, 5])
    assert TabularRegressor(**SMALL).fit(X, [5.0, 5, 5]).predict(X) == pytest.approx([5, 5, 5], abs=0.1)


@pytest.mark.parametrize(
    "settings",
    [
        {"preset": "best"},
        {"epochs": 0},
        {"batch_size": 1.5},
        {"n_members": 17},
        {"validation_fraction": 1.0},
        {"eval_metric": "rmse"},
        {"label_smoothing": 2},
        {"hidden_layer_sizes": (0,)},
        {"learning_rate": -1},
        {"time_limit": 0},
        {"activation": "nothing"},
    ],
)
def test_wrong_arguments_are_named(settings: dict[str, Any]):
    with pytest.raises((ValueError, TypeError), match=next(iter(settings))):
        iris(**settings)


@pytest.mark.parametrize("y", [[0, 1, None], ["a", "b", None], [0.0, 1.0, np.nan]])
def test_missing_classes_are_refused(y: list[Any]):
    with pytest.raises(ValueError, match="row 2"):
        TabularClassifier().fit(np.eye(3), np.array(y, dtype=object))


def test_a_time_limit_ends_the_training():
    classifier, _, _ = iris(epochs=100_000, time_limit=0.2)
    assert 1 <= classifier.n_iter_ < 100_000


def test_progress(capsys: pytest.CaptureFixture[str]):
    iris(verbose=1, epochs=8)
    printed = capsys.readouterr().out
    assert printed.count("\n") == 8
    assert "epoch 8/8 - loss" in printed


def test_files_hold_everything(tmp_path: Path):
    frame, y = table()
    classifier = TabularClassifier(**SMALL, n_members=2, random_state=0).fit(frame, y)
    classifier.save(tmp_path / "model.safetensors")
    again = TabularClassifier.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict_proba(frame), classifier.predict_proba(frame))
    assert again.get_params() == classifier.get_params()
    assert again.classes_.tolist() == classifier.classes_.tolist()
    assert again.feature_names_in_.tolist() == classifier.feature_names_in_.tolist()
    with pytest.raises(ValueError, match="TabularRegressor"):
        TabularRegressor.load(tmp_path / "model.safetensors")


@pytest.mark.parametrize("settings", [{}, {"quantiles": (0.2, 0.8)}])
def test_files_of_regressors(settings: dict[str, Any]):
    X, y = datasets.load_diabetes(return_X_y=True)
    regressor = TabularRegressor(**{**SMALL, "epochs": 3}, **settings).fit(X, y)
    file = io.BytesIO()
    regressor.save(file)
    file.seek(0)
    np.testing.assert_array_equal(load(file).predict(X), regressor.predict(X))
    file.seek(0)
    with pytest.raises(ValueError, match="The file holds a TabularRegressor, not a TabularClassifier"):
        TabularClassifier.load(file)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(regressor)).predict(X), regressor.predict(X))


def test_files_of_something_else(tmp_path: Path):
    import cnn_core.foundation.model_file as model_file

    model_file.write(tmp_path / "weights", {"kernel": np.ones(3)})
    with pytest.raises(ValueError, match="no tabular estimator"):
        load(tmp_path / "weights")
    model_file.write(tmp_path / "damaged", {}, {"cnn_core.tabular": '{"task": "classification"}'})
    with pytest.raises(ValueError, match="damaged"):
        load(tmp_path / "damaged")


def test_among_scikit_learns_tools():
    X, y = datasets.load_iris(return_X_y=True)
    classifier = TabularClassifier(**{**SMALL, "epochs": 16}, random_state=0)
    pipeline = make_pipeline(make_column_transformer((StandardScaler(), [0, 1, 2, 3])), clone(classifier))
    assert cross_val_score(pipeline, X, y, cv=2).min() > 0.8
    search = GridSearchCV(classifier, {"learning_rate": [0.02, 0.04]}, cv=2).fit(X, y)
    assert search.best_score_ > 0.8
    assert CalibratedClassifierCV(classifier, cv=2).fit(X, y).score(X, y) > 0.8
    importance = permutation_importance(clone(classifier).fit(X, y), X, y, n_repeats=2, random_state=0)
    assert importance.importances_mean.max() > 0.1


def test_weights_are_routed():
    X, y = datasets.load_iris(return_X_y=True)
    weights = np.ones(len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        classifier = TabularClassifier(**{**SMALL, "epochs": 4}).set_fit_request(sample_weight=True)
        classifier.set_score_request(sample_weight=False)
        GridSearchCV(classifier, {"epochs": [2, 3]}, cv=2).fit(X, y, sample_weight=weights)


def test_two_processes_at_once():
    X, y = datasets.load_iris(return_X_y=True)
    assert len(cross_val_score(TabularClassifier(**{**SMALL, "epochs": 2}), X, y, cv=2, n_jobs=2)) == 2


def test_arguments_that_belong_together():
    X, y = datasets.load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="Received: X_val without y_val"):
        TabularClassifier(**SMALL).fit(X, y, X_val=X)
    with pytest.raises(ValueError, match="Received: y_val without X_val"):
        TabularRegressor(**SMALL).fit(X, y, y_val=y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        iris()[0].feature_importances(X, y[:-1])


def test_tables_that_are_none():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    frame = pandas.DataFrame([[1.0, 2.0]] * 4, columns=["same", "same"])
    with pytest.raises(ValueError, match=r"names of their own\. Received: 'same' more than once"):
        TabularClassifier().fit(frame, [0, 1, 0, 1])
    with pytest.raises(TypeError, match=r"call its `collect\(\)`\. Received: LazyFrame"):
        TabularClassifier().fit(polars.LazyFrame({"a": [1, 2]}), [0, 1])


def test_activations_with_settings_and_ones_own(tmp_path: Path):
    class Square:
        def forward(self, z: np.ndarray) -> np.ndarray:
            return z * z

        def derivative(self, z: np.ndarray, a: np.ndarray) -> np.ndarray:
            return 2 * z

    steep, X, y = iris(activation=ELU(2.0), epochs=4)
    steep.save(tmp_path / "model")
    assert load(tmp_path / "model").activation == {"class_name": "elu", "config": {"alpha": 2.0}}
    np.testing.assert_array_equal(load(tmp_path / "model").predict_proba(X), steep.predict_proba(X))
    assert (iris(activation="elu", epochs=4)[0].predict_proba(X) != steep.predict_proba(X)).any()
    own = iris(activation=Square(), epochs=4)[0]
    with pytest.raises(ValueError, match="holds data only, and no code: `activation` must be a built-in one"):
        own.save(tmp_path / "own")
    for activation in (Square(), "softmax"):
        with pytest.raises(ValueError, match="`activation` must be a built-in, elementwise one with preset='td'"):
            TabularClassifier("td", activation=activation).fit(X, y)


@pytest.mark.parametrize("classes", [["2020-01-01", "2021-06-30"], [5, 7]])
def test_dates_and_times_as_classes(classes: list[Any], tmp_path: Path):
    X, y = datasets.load_iris(return_X_y=True)
    kind = "datetime64[D]" if isinstance(classes[0], str) else "timedelta64[s]"
    labels = np.array(classes, kind)[(y > 0).astype(int)]
    classifier = TabularClassifier(**SMALL, random_state=0).fit(X, labels)
    classifier.save(tmp_path / "model")
    assert classifier.score(X, labels) > 0.95
    np.testing.assert_array_equal(load(tmp_path / "model").predict(X), classifier.predict(X))
    assert load(tmp_path / "model").classes_.dtype == labels.dtype


@pytest.mark.parametrize("unit", [1e-200, 1.0, 1e200])
def test_targets_of_any_size(unit: float):
    X, y = datasets.load_diabetes(return_X_y=True)
    ordinary = TabularRegressor(**SMALL, random_state=0).fit(X, y).predict(X)
    scaled = TabularRegressor(**SMALL, random_state=0).fit(X, y * unit).predict(X)
    np.testing.assert_allclose(scaled / unit, ordinary, rtol=1e-3)


def test_an_interrupted_fit_leaves_the_best_epoch(monkeypatch: pytest.MonkeyPatch):
    X, y = datasets.load_iris(return_X_y=True)
    calls = iter(range(5))

    def metric(truth: np.ndarray, probabilities: np.ndarray, weights: Any) -> float:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return 0.5

    classifier = TabularClassifier(**SMALL, eval_metric=metric, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(X, y)
    assert classifier.n_iter_ == 4
    assert classifier.best_epochs_ == [3]
    assert classifier.predict_proba(X).shape == (150, 3)
