"""The network of a tabular estimator as a model: the same answers, and all that a model can do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

import pandas

import cnn_core
from cnn_core.sklearn import TabularClassifier, TabularRegressor
from cnn_core.sklearn.tabular import blend_training
from cnn_core.sklearn.tabular.portfolios import PORTFOLIOS
from cnn_core.sklearn.tabular.presets import PRESETS

SMALL: dict[str, Any] = {"hidden_layer_sizes": (16, 8), "epochs": 8, "random_state": 0}


def table(n: int = 120) -> Any:
    generator = np.random.default_rng(0)
    return pandas.DataFrame(
        {
            "age": np.where(np.arange(n) % 11, generator.normal(40, 10, n), np.nan),
            "city": generator.choice(["Bonn", "Rome", "Oslo"], n),
            "street": [f"street {row % 12}" for row in range(n)],
        }
    )


def features(estimator: Any, frame: Any) -> Any:
    inputs = estimator.network_.inputs(estimator.preprocessor_.transform(frame))
    return inputs[0] if len(inputs) == 1 else inputs


@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("preset", list(PRESETS))
def test_the_same_answers(preset: str, n_members: int, tmp_path: Path):
    frame = table()
    settings = {**SMALL, "preset": preset, "n_members": n_members}
    classifier = TabularClassifier(**settings).fit(frame, frame["city"])
    model = classifier.to_model()
    x = features(classifier, frame)
    np.testing.assert_allclose(model.predict(x, verbose=0), classifier.predict_proba(frame), atol=2e-5)
    y = np.column_stack([frame["age"].fillna(0), 1000 + 5 * (frame["city"] == "Rome")])
    regressor = TabularRegressor(**settings).fit(frame, y)
    predicted = regressor.to_model().predict(features(regressor, frame), verbose=0)
    np.testing.assert_allclose(predicted, regressor.predict(frame), rtol=2e-5, atol=1e-3)
    model.save(tmp_path / "model.safetensors")
    again = cnn_core.load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("preset", list(PORTFOLIOS))
def test_a_blend_is_one_model(preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(blend_training, "greedy_weights", lambda models, score: np.full(len(models), 1 / len(models)))
    frame, few = table(240), {"preset": preset, "epochs": 6, "random_state": 0}
    frame["street"] = [f"street {row % 40}" for row in range(len(frame))]
    classifier = TabularClassifier(**few).fit(frame, frame["city"])
    model, x = classifier.to_model(), features(classifier, frame)
    np.testing.assert_allclose(model.predict(x, verbose=0), classifier.predict_proba(frame), atol=2e-5)
    assert [tuple(each.shape[1:]) for each in model.inputs] == [each.shape[1:] for each in x]
    model.save(tmp_path / "model.safetensors")
    again = cnn_core.load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    y = np.exp(frame["age"].fillna(0).to_numpy() / 20) + 10 * (frame["city"] == "Rome")
    for transform in (None, "log"):
        regressor = TabularRegressor(**few, target_transform=transform).fit(frame, y)
        predicted = regressor.to_model().predict(features(regressor, frame), verbose=0)
        np.testing.assert_allclose(predicted[:, 0], regressor.predict(frame), rtol=1e-4, atol=1e-3)


def test_a_network_without_hidden_layers_has_the_factors_of_its_features():
    x = np.random.default_rng(0).normal(size=(200, 3))
    regressor = TabularRegressor(**(SMALL | {"hidden_layer_sizes": ()})).fit(x, x[:, 0])
    assert (regressor.network_.weights()["member_0/scale"] != 1).any()
    predicted = regressor.to_model().predict(features(regressor, x), verbose=0)
    np.testing.assert_allclose(predicted[:, 0], regressor.predict(x), atol=1e-5)


def test_clamped_predictions_stay_clamped():
    x = np.linspace(-1, 1, 200).reshape(-1, 1)
    regressor = TabularRegressor("td", **SMALL).fit(x, x[:, 0])
    far = np.linspace(-50, 50, 99).reshape(-1, 1)
    predicted = regressor.to_model().predict(features(regressor, far), verbose=0)
    np.testing.assert_allclose(predicted[:, 0], regressor.predict(far), atol=1e-5)
    assert np.abs(predicted).max() <= 1 + 1e-5


def test_quantiles_by_level():
    x = np.random.default_rng(0).normal(size=(200, 1))
    regressor = TabularRegressor(**SMALL, quantiles=(0.1, 0.9)).fit(x, x[:, 0])
    predicted = regressor.to_model().predict(features(regressor, x), verbose=0)
    np.testing.assert_allclose(np.sort(predicted, axis=1)[:, [0, 2]], regressor.predict_quantiles(x), atol=1e-5)


def test_what_a_model_can_do():
    frame = table()
    classifier = TabularClassifier(**SMALL).fit(frame, frame["city"])
    model = classifier.to_model()
    model.compile(loss="sparse_categorical_crossentropy")
    y = np.searchsorted(classifier.classes_, frame["city"])
    trace = model.trace(features(classifier, frame)[:5], y[:5])
    assert trace is not None
    before = classifier.predict_proba(frame)
    model.fit(features(classifier, frame), y, verbose=0)
    np.testing.assert_array_equal(classifier.predict_proba(frame), before)
    full = TabularClassifier("td", **SMALL).fit(frame, frame["city"]).to_model()
    assert "PeriodicEmbedding" in repr([type(layer).__name__ for layer in full.layers])


def test_a_single_class_has_no_network():
    with pytest.raises(ValueError, match="single class"):
        TabularClassifier(**SMALL).fit(np.eye(3), [1, 1, 1]).to_model()
