"""Tabular estimators fitted to rows in parts, against those fitted to all rows at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

import pandas

from cnn_core.callbacks import LambdaCallback
from cnn_core.sklearn import TabularClassifier, TabularRegressor
from cnn_core.sklearn.tabular.parts import fit_parts
from parts_in_memory import PartsInMemory

N = 1600
CUTS = [500, 501, 501, 900]
SMALL: dict[str, Any] = {"hidden_layer_sizes": (32, 32), "random_state": 0}


def table(n: int = N) -> tuple[Any, np.ndarray]:
    rng = np.random.default_rng(0)
    X = pandas.DataFrame(
        {
            "number": rng.normal(size=n),
            "text": rng.choice(["x", "y", "z"], n),
            "whole": rng.integers(0, 20, n),
            "day": pandas.Timestamp("2020-01-01") + pandas.to_timedelta(rng.integers(0, 500, n), unit="D"),
            "flag": rng.random(n) < 0.5,
            "many": rng.choice([f"value {k}" for k in range(40)], n),
        }
    )
    X.loc[rng.random(n) < 0.1, "number"] = np.nan
    y = X["number"].fillna(2) * (X["text"] == "x") + np.sin(X["whole"] / 3) + 0.5 * X["flag"]
    return X, y.to_numpy() + 0.1 * rng.normal(size=n)


X, Y = table()
LABELS = np.where(Y > 0.8, "high", np.where(Y < 0, "low", "middle"))


def split(rows: Any, cuts: Any) -> list[Any]:
    return [rows[start:end] for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True)]


def fitted(estimator: Any, *tables: Any, n_chains: int = 2, cuts: Any = CUTS, sync_every: int = 1000) -> Any:
    parts = PartsInMemory(list(zip(*(split(rows, cuts) for rows in tables), strict=True)), n_chains)
    fit_parts(estimator, parts, tables[0], tables[1], None, sync_every)
    return estimator


def same_weights(one: Any, other: Any) -> bool:
    return bool(np.array_equal(one.network_.values, other.network_.values))


@pytest.mark.parametrize("preset", ["td_s", "td", "piecewise_linear"])
def test_parts_teach_what_all_rows_teach(preset: str):
    for kind, y in ((TabularRegressor, Y), (TabularClassifier, LABELS)):
        local = kind(preset, **SMALL, epochs=30).fit(X, y)
        found = fitted(kind(preset, **SMALL, epochs=60), X, y)
        # The scores of five seeds of "td" for classes lie between 0.85 and 0.91 of all rows, 0.79 and 0.87 of parts.
        assert found.score(X, y) > local.score(X, y) - 0.06
        assert found.n_iter_ == len(found.loss_curve_) == len(found.validation_curve_) == 60
        assert found.validation_curve_[found.best_epochs_[0] - 1] == min(found.validation_curve_)
        assert found.preprocessor_.kinds == local.preprocessor_.kinds
        assert found.feature_names_in_.tolist() == X.columns.tolist()


def test_preprocessing_is_that_of_all_rows():
    """Where nothing is held out and no column has more values than a sketch."""
    local = TabularRegressor(**SMALL, epochs=1, validation_fraction=0.0).fit(X, Y)
    found = fitted(TabularRegressor(**SMALL, epochs=1, validation_fraction=0.0), X, Y)
    np.testing.assert_array_equal(found.preprocessor_.transform(X), local.preprocessor_.transform(X))
    ours, theirs = found.predictor_.scale, local.predictor_.scale
    np.testing.assert_allclose([ours.mean, ours.spread], [theirs.mean, theirs.spread], rtol=1e-12)
    np.testing.assert_allclose([ours.lowest, ours.highest], [theirs.lowest, theirs.highest], rtol=1e-6)


def test_weights_and_classes():
    weights = np.random.default_rng(1).uniform(0, 2, N) * (np.arange(N) >= CUTS[0])
    spoiled = np.where(weights == 0, "high", LABELS)
    settings = {**SMALL, "epochs": 60, "class_weight": "balanced", "n_members": 2}
    found = fitted(TabularClassifier(**settings), X, spoiled, weights)
    rest = X[CUTS[0] :], LABELS[CUTS[0] :]
    local = TabularClassifier(**{**settings, "epochs": 30}).fit(*rest, weights[CUTS[0] :])
    assert found.score(*rest) > local.score(*rest) - 0.03
    assert len(found.best_epochs_) == 2


def test_quantiles_and_several_targets():
    found = fitted(TabularRegressor(**SMALL, epochs=40, quantiles=(0.1, 0.9)), X, Y)
    low, high = found.predict_quantiles(X).T
    assert 0.7 < ((low < Y) & (high > Y)).mean() < 0.9
    both = fitted(TabularRegressor(**SMALL, epochs=40), X, np.stack([Y, -2 * Y], axis=1))
    assert both.predict(X).shape == (N, 2)


def test_empty_single_class_and_small_parts():
    order = np.argsort(LABELS, kind="stable")
    cuts = np.searchsorted(LABELS[order], ["low", "low", "middle"])
    settings = {**SMALL, "epochs": 40, "batch_size": 32}
    found = fitted(TabularClassifier(**settings), X.iloc[order], LABELS[order], cuts=cuts, sync_every=4)
    assert found.classes_.tolist() == ["high", "low", "middle"]
    assert found.score(X, LABELS) > 0.9
    alone = fitted(TabularClassifier(**settings), X, np.full(N, "same"))
    assert alone.predict(X).tolist() == ["same"] * N
    few = fitted(TabularRegressor(**settings), X[:40], Y[:40], cuts=[10, 11])
    assert few.validation_curve_ == []
    assert few.best_epochs_ == [40]


def test_columns_that_differ_from_part_to_part():
    mixed = np.array(["2020-01-01"] * 40 + ["soon", "later"] * 20, object)
    gaps = np.array([None] * 40 + [1.5, 2.5] * 20, object)
    frame = pandas.DataFrame({"mixed": mixed, "gaps": gaps, "nothing": [None] * 80})
    found = fitted(TabularRegressor(**SMALL, epochs=1), frame, Y[:80], cuts=[40])
    assert found.preprocessor_.kinds == ["category", "number", "missing"]
    names = ["gaps", "mixed=2020-01-01", "mixed=later", "mixed=soon", "gaps is missing"]
    assert sorted(found.preprocessor_.feature_names) == sorted(names)
    texts = pandas.DataFrame({"mixed": np.array([1.0] * 40 + ["x"] * 40, object)})
    with pytest.raises(ValueError, match=r"'mixed' must be of one kind. Received: numbers in some parts"):
        fitted(TabularRegressor(**SMALL, epochs=1), texts, Y[:80], cuts=[40])


def test_callbacks_and_patience_end_the_training():
    def stop(epoch: int, logs: Any) -> None:
        callback.model.stop_training = epoch == 1

    callback = LambdaCallback(on_epoch_end=stop)
    assert fitted(TabularRegressor(**SMALL, epochs=9, callbacks=[callback]), X, Y).n_iter_ == 2
    patient = fitted(TabularRegressor(**SMALL, epochs=200, patience=2), X, Y)
    assert patient.n_iter_ < 200


def test_files_hold_what_was_fitted(tmp_path: Any):
    found = fitted(TabularClassifier(**SMALL, epochs=2), X, LABELS)
    found.save(tmp_path / "model.safetensors")
    loaded = TabularClassifier.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict_proba(X), found.predict_proba(X))


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (
            TabularClassifier,
            {"eval_metric": "auc"},
            r"`eval_metric` must be 'auto', 'loss', 'brier', 'error', 'log_loss'",
        ),
        (
            TabularRegressor,
            {"eval_metric": "r2"},
            r"`eval_metric` must be 'auto', 'loss', 'mae', 'rmse' where rows lie",
        ),
        (TabularRegressor, {"target_transform": "auto"}, r"`target_transform` must be None where rows lie in parts"),
        (TabularRegressor, {"time_limit": 1.0}, r"`time_limit` must be None where rows lie in parts"),
        (TabularRegressor, {"epochs": 0}, r"`epochs` must be a positive integer"),
    ],
)
def test_settings_that_need_all_rows_are_refused(kind: Any, settings: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        fitted(kind(**settings), X, LABELS if kind is TabularClassifier else Y)


def test_wrong_rows_are_refused_by_their_part():
    y = Y.copy()
    y[600] = np.nan
    with pytest.raises(ValueError, match=r"In part 3 of the rows: Input y contains NaN"):
        fitted(TabularRegressor(**SMALL), X, y)
    with pytest.raises(ValueError, match=r"In part 1 of the rows: .*infinity in row 0"):
        fitted(TabularRegressor(**SMALL), X.assign(number=np.where(np.arange(N) == 500, np.inf, 1.0)), Y)
