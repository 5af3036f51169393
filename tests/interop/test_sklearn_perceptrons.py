from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

import cnn_core.sklearn
from cnn_core import Input, Sequential, layers, load_model
from cnn_core.interop import from_sklearn, to_sklearn

GENERATOR = np.random.default_rng(5)
X = GENERATOR.normal(size=(60, 4))
TARGETS: dict[str, Any] = {
    "two": np.where(X[:, 0] > 0, "yes", "no"),
    "three": np.digitize(X[:, 0], [-0.4, 0.4]) * 10,
    "labels": (X[:, :3] > 0).astype(int),
}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def probabilities(model: Any, x: Any) -> Any:
    found = model.predict(x, verbose=0)
    return np.hstack([1 - found, found]) if found.shape[1] == 1 else found


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_classifiers_come_and_go(kind: str, activation: str):
    fitted = MLPClassifier((5, 3), activation=activation, max_iter=20, random_state=0).fit(X, TARGETS[kind])
    model = from_sklearn(fitted)
    np.testing.assert_allclose(probabilities(model, X), fitted.predict_proba(X), rtol=1e-13, atol=1e-15)
    assert json.loads(model.metadata["classes"]) == fitted.classes_.tolist()
    back = to_sklearn(model)
    assert np.array_equal(back.predict(X), fitted.predict(X))
    assert np.array_equal(back.predict_proba(X), fitted.predict_proba(X))
    assert back.score(X, TARGETS[kind]) == fitted.score(X, TARGETS[kind])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [1, 3])
def test_regressors_come_and_go(dtype: str, width: int):
    x = X.astype(dtype)
    y = x[:, :width] ** 2 if width > 1 else x[:, 0] ** 2
    fitted = MLPRegressor(hidden_layer_sizes=(6,), max_iter=20, random_state=0).fit(x, y)
    model = from_sklearn(fitted)
    assert model.dtype == dtype
    assert "classes" not in model.metadata
    tolerance = 1e-13 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(model(x).reshape(y.shape), fitted.predict(x), rtol=tolerance, atol=tolerance)
    assert np.array_equal(to_sklearn(model).predict(x), fitted.predict(x))


@pytest.mark.doors
def test_random_perceptrons_come_and_go(n_architectures: int):
    for seed in range(n_architectures):
        draw = np.random.default_rng(seed)
        sizes = draw.integers(1, 9, size=draw.integers(1, 4)).tolist()
        activation = str(draw.choice(["identity", "logistic", "tanh", "relu"]))
        settings: dict[str, Any] = {"activation": activation, "max_iter": 3, "random_state": seed}
        kind = list(TARGETS)[seed % 3]
        if seed % 2:
            classifier = MLPClassifier(sizes, **settings).fit(X, TARGETS[kind])
            model = from_sklearn(classifier)
            np.testing.assert_allclose(probabilities(model, X), classifier.predict_proba(X), rtol=1e-12, atol=1e-14)
            assert np.array_equal(to_sklearn(model).predict_proba(X), classifier.predict_proba(X))
        else:
            regressor = MLPRegressor(hidden_layer_sizes=sizes, **settings).fit(X, np.squeeze(X[:, : 1 + seed % 3]) ** 2)
            model = from_sklearn(regressor)
            np.testing.assert_allclose(np.squeeze(model(X)), regressor.predict(X), rtol=1e-12, atol=1e-14)
            assert np.array_equal(to_sklearn(model).predict(X), regressor.predict(X))


def test_counts_come_and_go():
    counts = np.random.default_rng(1).poisson(np.exp(X[:, 0]))
    if "loss" not in MLPRegressor().get_params():
        pytest.skip("scikit-learn before 1.7 has no other loss")
    fitted = MLPRegressor("poisson", (6,), max_iter=20, random_state=0).fit(X, counts)
    model = from_sklearn(fitted)
    np.testing.assert_allclose(model(X)[:, 0], fitted.predict(X), rtol=1e-13)
    assert np.array_equal(to_sklearn(model).predict(X), fitted.predict(X))


def test_an_estimator_of_ours_keeps_its_labels_in_files(tmp_path: Any):
    fitted = cnn_core.sklearn.MLPClassifier((5,), max_iter=20, random_state=0, dropout=0.2).fit(X, TARGETS["three"])
    model = from_sklearn(fitted)
    assert np.array_equal(model.predict(X, verbose=0), fitted.predict_proba(X))
    model.save(tmp_path / "model.safetensors", metadata={"data": "May"})
    loaded = load_model(tmp_path / "model.safetensors")
    assert loaded.metadata == {"classes": "[0, 10, 20]", "data": "May"}
    with pytest.warns(UserWarning, match=r"^layer 'dropout_0' \(Dropout\) is left out because it acts in training"):
        back = to_sklearn(loaded)
    assert np.array_equal(back.predict(X), fitted.predict(X))


def test_a_model_of_layers_becomes_an_estimator():
    model = Sequential([Input((4,)), layers.Dense(3), layers.Activation("tanh"), layers.Dense(2, "softmax")])
    classifier = to_sklearn(model)
    assert classifier.classes_.tolist() == [0, 1]
    np.testing.assert_allclose(classifier.predict_proba(X), model(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        ([layers.Dense(3, "gelu"), layers.Dense(1)], "one of linear, sigmoid, tanh, relu.*Received: gelu"),
        ([layers.Dense(3, "relu"), layers.Dense(3, "tanh"), layers.Dense(1)], "Received: relu, tanh"),
        ([layers.Dense(3, "relu"), layers.Dense(1, "relu")], "outputs are linear or exponential, or prob"),
        ([layers.PReLU(name="slopes"), layers.Dense(1)], r"layer 'slopes' \(PReLU\) cannot be carried to scikit-learn"),
        ([layers.Identity()], "chains of Dense layers"),
    ],
)
@pytest.mark.filterwarnings("ignore:layer")
def test_what_scikit_learn_has_not_is_refused(chain: Any, message: str):
    with pytest.raises(ValueError, match=message):
        to_sklearn(Sequential([Input((4,)), *chain]))


def test_classes_must_fit_the_outputs():
    model = Sequential([Input((4,)), layers.Dense(3, "softmax")])
    model.metadata["classes"] = "[1, 2]"
    with pytest.raises(ValueError, match="`metadata` must name 3 classes"):
        to_sklearn(model)


def test_other_things_are_refused():
    with pytest.raises(TypeError, match="`estimator` must be an MLPClassifier or MLPRegressor"):
        from_sklearn(np.zeros(3))
    with pytest.raises(ValueError, match="`estimator` must be fitted"):
        from_sklearn(MLPRegressor())
