"""Files of every version, recorded when it was the newest, are read for ever and answer as they did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cnn_core
from cnn_core.foundation.version import __version__

FOLDERS = sorted((Path(__file__).parent / "golden" / "files").iterdir())
ROWS = np.random.default_rng(0).normal(size=(40, 3))[:5]
CLOSE = {"rtol": 1e-5, "atol": 1e-6}


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.mark.parametrize("name", ["functional", "sequential"])
def test_models(folder: Path, name: str):
    model = cnn_core.load_model(folder / f"{name}.safetensors")
    answers = np.load(folder / "answers.npz")
    found = model.predict(ROWS, verbose=0)
    for key, value in (found if isinstance(found, dict) else {"": found}).items():
        np.testing.assert_allclose(value, answers[f"{name}/{key}"], **CLOSE)
    assert int(model.optimizer.iterations) == 4  # training goes on where it was
    weights = model.get_weights()
    model.set_weights([np.zeros_like(weight) for weight in weights])
    model.load_weights(folder / f"{name}.weights.safetensors")
    for one, other in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, other)


ESTIMATORS = {"perceptron": "MLPClassifier", "classifier": "TabularClassifier", "regressor": "TabularRegressor"}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators(folder: Path, name: str):
    pytest.importorskip("sklearn", reason="systems for which it has no package")
    import cnn_core.sklearn

    estimator = getattr(cnn_core.sklearn, ESTIMATORS[name]).load(folder / f"{name}.safetensors")
    answer = estimator.predict_proba if hasattr(estimator, "predict_proba") else estimator.predict
    np.testing.assert_allclose(answer(ROWS), np.load(folder / "answers.npz")[name], **CLOSE)


def test_this_version_is_recorded():
    assert __version__ in [folder.name for folder in FOLDERS]
