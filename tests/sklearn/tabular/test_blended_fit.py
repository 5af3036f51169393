"""Presets that blend: scores, time, seeds, files, and what they refuse."""

from __future__ import annotations

import json
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

import pandas as pd
from sklearn.base import clone

import cnn_core.sklearn.tabular.blend_training as blend_training
from cnn_core.callbacks import EarlyStopping
from cnn_core.sklearn import TabularClassifier, TabularRegressor
from cnn_core.sklearn.tabular.blend import Blend
from cnn_core.sklearn.tabular.network import TabularNetwork
from cnn_core.sklearn.tabular.portfolios import PORTFOLIOS
from cnn_core.sklearn.tabular.predictor import load_predictor

FEW: dict[str, Any] = {"epochs": 24, "batch_size": 64, "random_state": 0}


def table(n: int = 240) -> tuple[Any, np.ndarray]:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": generator.normal(40, 10, n),
            "city": generator.choice(["Oslo", "Bonn", "Rome"], n),
            "street": [f"street {row % 40}" for row in range(n)],
        }
    )
    frame.loc[::9, "age"] = np.nan
    return frame, frame["age"].fillna(40).to_numpy() / 10 + (frame["city"] == "Oslo").to_numpy()


@pytest.mark.parametrize("preset", list(PORTFOLIOS))
@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_blends_learn_and_survive_files(kind: Any, preset: str, tmp_path: Path):
    frame, y = table()
    y = np.where(y > 4.4, "old", "young") if kind is TabularClassifier else y
    estimator = kind(preset, **FEW).fit(frame, y)
    assert estimator.score(frame, y) > 0.85
    estimator.save(tmp_path / "model")
    changed = frame.assign(street="nowhere", city=None)
    for copy in (
        kind.load(tmp_path / "model"),
        pickle.loads(pickle.dumps(estimator)),
        load_predictor(tmp_path / "model"),
    ):
        np.testing.assert_array_equal(copy.predict(changed), estimator.predict(changed))
    assert kind.load(tmp_path / "model").leaderboard() == estimator.leaderboard()
    assert len(estimator.feature_importances(frame, y, n_repeats=1, random_state=0)) == 3
    np.testing.assert_array_equal(estimator.predict(frame[:1]), estimator.predict(frame)[:1])
    again = clone(estimator).fit(frame, y)
    np.testing.assert_array_equal(again.predict(frame), estimator.predict(frame))


def test_the_leaderboard_says_what_was_trained():
    frame, y = table()
    regressor = TabularRegressor("best", **FEW).fit(frame, y)
    rows = regressor.leaderboard()
    assert {row["model"] for row in rows} == {"blend", *(each.name for each in PORTFOLIOS["best"].variants)}
    assert sum(row["weight"] for row in rows if row["model"] != "blend") == pytest.approx(1)
    assert [row["score"] for row in rows] == sorted(row["score"] for row in rows)
    blend = next(row for row in rows if row["model"] == "blend")
    assert blend["score"] == min(row["score"] for row in rows)  # greedy: at least as good as the best of them
    assert regressor.n_iter_ == blend["epochs"] == sum(row["epochs"] for row in rows if row is not blend)
    with pytest.raises(ValueError, match="`leaderboard` needs a preset that blends, 'fast'"):
        TabularRegressor("td_s", epochs=1).fit(frame, y).leaderboard()


def test_the_default_is_the_fast_blend():
    frame, y = table()
    default, fast = (TabularRegressor(preset, **FEW).fit(frame, y) for preset in (TabularRegressor().preset, "fast"))
    np.testing.assert_array_equal(default.predict(frame), fast.predict(frame))


@pytest.mark.parametrize(
    "settings",
    [
        {"hidden_layer_sizes": (8,)},
        {"activation": "relu"},
        {"learning_rate": 0.1},
        {"n_members": 2},
        {"callbacks": [EarlyStopping("loss", patience=3)]},
        {"validation_fraction": 0.3},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_the_default_is_one_network_where_an_argument_wants_one(settings: Any):
    frame, y = table()
    default, simple = (TabularRegressor(**FEW, **settings, preset=preset).fit(frame, y) for preset in ("auto", "td_s"))
    assert isinstance(default.network_, TabularNetwork)
    np.testing.assert_array_equal(default.predict(frame), simple.predict(frame))


def test_the_default_is_one_network_where_rows_of_validation_are_given():
    frame, y = table()
    regressor = TabularRegressor(**FEW).fit(frame, y, X_val=frame, y_val=y)
    assert isinstance(regressor.network_, TabularNetwork)


@pytest.mark.parametrize(("n", "times"), [(80, 4.0), (200, 2.0), (240, 4 / 3), (600, 1.0)])
def test_of_few_batches_there_are_more_epochs(n: int, times: float):
    frame, y = table(n)  # four of five folds are trained on in batches of 64 rows
    classifier = TabularClassifier("fast", **FEW).fit(frame, y > 4)
    epochs = {row["model"]: row["epochs"] / row["folds"] for row in classifier.leaderboard()}
    for variant in PORTFOLIOS["fast"].variants:
        is_solved = variant.name in ("linear", "narrow_radial")
        assert epochs[variant.name] == (1 if is_solved else round(variant.epochs * 24 * times))


@pytest.mark.parametrize("metric", ["error", "auc", "log_loss"])
def test_blends_of_classes_are_chosen_by_the_log_loss(metric: str, monkeypatch: pytest.MonkeyPatch):
    seen: list[Any] = []

    def weights(models: list[np.ndarray], score: Any) -> np.ndarray:
        seen.append((models[0], score(models[0])))
        return np.full(len(models), 1 / len(models))

    monkeypatch.setattr(blend_training, "greedy_weights", weights)
    frame, y = table()
    TabularClassifier("fast", eval_metric=metric, **FEW).fit(frame, y > 4)
    ((probabilities, score),) = seen
    truth = np.where(y > 4, probabilities[:, 1], probabilities[:, 0]).astype(np.float64)
    assert score == pytest.approx(-np.log(truth).mean())


@pytest.mark.parametrize("used", range(4))
def test_features_that_no_network_reads_are_not_made(used: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(blend_training, "greedy_weights", lambda models, score: np.eye(len(models))[used])
    frame, y = table()
    regressor = TabularRegressor("fast", **FEW).fit(frame, y)
    assert len(regressor.preprocessor_.parts) == 1
    regressor.save(tmp_path / "model")
    np.testing.assert_array_equal(load_predictor(tmp_path / "model").predict(frame), regressor.predict(frame))
    held_out = next(row["score"] for row in regressor.leaderboard() if row["weight"] == 1)
    assert np.std(regressor.predict(frame) - y) < 2 * held_out * y.std()


def test_equal_features_are_made_once(monkeypatch: pytest.MonkeyPatch):
    """Of numbers, or of few categories, recipes that embed more categories than others have the same features."""
    monkeypatch.setattr(blend_training, "greedy_weights", lambda models, score: np.full(len(models), 1 / len(models)))
    frame, y = table()
    numbers = np.random.default_rng(0).normal(size=(len(y), 3))
    n_bins = {variant.recipe("regression").n_bins for variant in PORTFOLIOS["fast"].variants}
    few = TabularRegressor("fast", **FEW).fit(numbers, y)
    many = TabularRegressor("fast", **FEW).fit(frame, y)
    assert len(few.preprocessor_.parts) == len(n_bins)
    assert len(many.preprocessor_.parts) > len(n_bins)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(few)).predict(numbers), few.predict(numbers))


def test_a_blend_is_the_weighted_mean_of_its_networks():
    frame, y = table()
    regressor = TabularRegressor("balanced", **FEW).fit(frame, y)
    predictor, blend = regressor.predictor_, regressor.network_
    assert isinstance(blend, Blend)
    x = predictor.preprocessor.transform(frame)
    ends = np.cumsum([layout.width for layout in blend.layout])[:-1]
    parts = np.split(x, ends, axis=1)
    total = sum(part.weight * part.network.predict(parts[part.features]).mean(axis=0) for part in blend.parts)
    expected = total[:, 0] * predictor.scale.spread[0] + predictor.scale.mean[0]
    np.testing.assert_allclose(regressor.predict(frame), expected, rtol=1e-6)
    assert sum(part.weight for part in blend.parts) == pytest.approx(1)


def test_fitted_networks_keep_no_memory_of_training(monkeypatch: pytest.MonkeyPatch):
    numbers = np.random.default_rng(0).normal(size=(1500, 10))
    y = np.sin(3 * numbers[:, 0]) * numbers[:, 1]
    blend = TabularRegressor("fast", epochs=1, batch_size=512, random_state=0).fit(numbers, y).network_
    assert isinstance(blend, Blend)
    assert [part.network.native.kept_bytes for part in blend.parts] == [0] * len(blend.parts)
    monkeypatch.setattr(TabularNetwork, "release_kept", lambda network: None)
    blend = TabularRegressor("fast", epochs=1, batch_size=512, random_state=0).fit(numbers, y).network_
    assert max(part.network.native.kept_bytes for part in blend.parts) > 1 << 20, "the test needs larger batches"


def test_probabilities_are_calibrated():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(4000, 3))
    y = generator.random(4000) < 1 / (1 + np.exp(-2 * x[:, 0]))
    settings: dict[str, Any] = {"epochs": 32, "random_state": 0}
    blend = TabularClassifier("fast", **settings).fit(x[:2000], y[:2000])
    p, truth = blend.predict_proba(x[2000:])[:, 1], y[2000:]
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        chosen = (p >= low) & (p < low + 0.2)
        assert abs(p[chosen].mean() - truth[chosen].mean()) < 0.07


def test_time_is_kept():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(3000, 20))
    began = time.monotonic()
    classifier = TabularClassifier("best", time_limit=4.0, random_state=0).fit(x, x[:, 0] * x[:, 1] > 0)
    assert time.monotonic() - began < 4.0 * 1.5  # others use the machine, too
    assert classifier.leaderboard()[0]["epochs"] < 6 * 5 * 128


def test_an_instant_still_leaves_a_model():
    frame, y = table()
    regressor = TabularRegressor("best", time_limit=0.001, random_state=0).fit(frame, y)
    assert np.isfinite(regressor.predict(frame)).all()


def test_weights_quantiles_and_few_rows():
    frame, y = table()
    noisy = y + np.random.default_rng(1).normal(size=len(y))
    heavy = TabularRegressor("fast", **FEW).fit(frame, noisy, sample_weight=np.where(noisy > 4.5, 1.0, 0.0))
    assert heavy.predict(frame).mean() > TabularRegressor("fast", **FEW).fit(frame, noisy).predict(frame).mean() + 0.2
    levels = TabularRegressor("fast", quantiles=(0.1, 0.9), **FEW).fit(frame, y).predict_quantiles(frame)
    assert (levels[:, 0] <= levels[:, 1]).all()
    assert len(TabularClassifier("fast", **FEW).fit(frame[:6], [0, 1] * 3).predict(frame)) == len(frame)
    balanced = TabularClassifier("fast", class_weight="balanced", eval_metric="auc", **FEW).fit(frame, y > 5)
    assert balanced.score(frame, y > 5) > 0.7


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_layer_sizes": (8,)}, "`hidden_layer_sizes` must be None with preset='best'"),
        ({"activation": "relu"}, "`activation` must be None"),
        ({"learning_rate": 0.1}, "`learning_rate` must be None"),
        ({"n_members": 2}, "`n_members` must be None"),
        ({"callbacks": []}, "`callbacks` must be None"),
    ],
)
def test_arguments_of_single_recipes_are_refused(settings: Any, message: str):
    with pytest.raises(ValueError, match=message):
        TabularClassifier("best", **settings).fit([[0.0], [1.0]] * 20, [0, 1] * 20)


def test_a_frame_of_numbers_and_an_array_are_the_same_table():
    x = np.random.default_rng(0).normal(size=(12, 2))
    y = x[:, 0] > 0
    array, frame = (TabularClassifier("fast", **FEW).fit(each, y) for each in (x, pd.DataFrame(x)))
    np.testing.assert_array_equal(array.predict_proba(x), frame.predict_proba(pd.DataFrame(x)))


def test_what_a_blend_cannot_do_is_said():
    frame, y = table()
    with pytest.raises(ValueError, match="`X_val` and `y_val` must be None with preset='fast'"):
        TabularRegressor("fast", **FEW).fit(frame, y, X_val=frame, y_val=y)


def test_damaged_files_are_refused():
    frame, y = table()
    regressor = TabularRegressor("fast", **FEW).fit(frame, y)
    tensors, metadata = regressor.contents()
    (key,) = metadata
    state = json.loads(metadata[key])
    from cnn_core.sklearn.tabular.predictor import predictor_of

    for change in ({"features": 7}, {"features": -1}):
        wrong = json.loads(json.dumps(state))
        wrong["network"]["parts"][0].update(change)
        with pytest.raises(ValueError, match="`features`"):
            predictor_of("regression", wrong, tensors)
    wrong = json.loads(json.dumps(state))
    wrong["network"]["parts"] = []
    with pytest.raises(ValueError, match="its columns must make the features"):
        predictor_of("regression", wrong, tensors)
    first = next(iter(tensors))
    with pytest.raises(ValueError, match="is missing"):
        predictor_of("regression", state, {path: array for path, array in tensors.items() if path != first})
