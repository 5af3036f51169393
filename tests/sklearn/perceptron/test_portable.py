"""Perceptrons as files and as models."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

pytest.importorskip("sklearn")

import cnn_core
import cnn_core.foundation.model_file as model_file
from cnn_core import activations, losses
from cnn_core.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).normal(size=(90, 3))
LABELS = np.arange(90) % 3
SETTINGS = {"hidden_layer_sizes": (6, 5), "random_state": 0, "max_iter": 4}
TARGETS = {
    "two": LABELS > 0,
    "three": LABELS,
    "texts": np.array(["a", "ü", "c"])[LABELS],
    "objects": np.array(["a", "b", "c"], object)[LABELS],
    "days": (np.datetime64("2020-01-01") + np.arange(3))[LABELS],
    "one": np.full(90, 7),
    "several": X > 0,
}
CHOICES = [
    {},
    {"solver": "lbfgs"},
    {"solver": "sgd", "momentum": 0.0, "clipnorm": 1.0},
    {"batch_normalization": True, "dropout": [0.1, 0.0], "activation": ["gelu", activations.LeakyReLU(0.1)]},
    {"activation": "logistic", "early_stopping": True, "metric": "neg_log_loss"},
]


@pytest.mark.parametrize("name", TARGETS)
def test_a_classifier_comes_back(name, tmp_path):
    fitted = MLPClassifier(**SETTINGS).fit(X, TARGETS[name])
    fitted.save(tmp_path / "classifier.safetensors")
    loaded = MLPClassifier.load(tmp_path / "classifier.safetensors")
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    assert loaded.classes_.dtype == fitted.classes_.dtype
    assert loaded.get_params() == fitted.get_params()
    assert loaded.loss_curve_ == fitted.loss_curve_


@pytest.mark.parametrize("settings", CHOICES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_goes_on_behind_a_file(settings, dtype, tmp_path):
    rows = X.astype(dtype)
    fitted = MLPClassifier(**SETTINGS, **settings, warm_start=True).fit(rows, LABELS)
    fitted.save(tmp_path / "classifier.safetensors")
    loaded = MLPClassifier.load(tmp_path / "classifier.safetensors")
    assert repr(loaded.get_params()) == repr(fitted.get_params())
    for estimator in (loaded, fitted):
        if settings.get("solver") == "lbfgs" or settings.get("early_stopping"):
            estimator.fit(rows, LABELS)
        else:
            estimator.partial_fit(rows, LABELS)
    for ours, theirs in zip(loaded.coefs_, fitted.coefs_, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert getattr(loaded, "loss_curve_", None) == getattr(fitted, "loss_curve_", None)


def test_sparse_labels_come_back_sparse(tmp_path):
    sparse = pytest.importorskip("scipy.sparse")
    fitted = MLPClassifier(**SETTINGS).fit(X, sparse.csr_matrix((X > 0).astype(int)))
    fitted.save(tmp_path / "classifier.safetensors")
    predicted = MLPClassifier.load(tmp_path / "classifier.safetensors").predict(X)
    assert sparse.issparse(predicted)
    assert (predicted != fitted.predict(X)).nnz == 0


def test_names_class_weights_and_losses_come_back(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    fitted = MLPClassifier(**SETTINGS, class_weight={0: 1, 1: 2.5, 2: 1}).fit(frame, LABELS)
    fitted.save(tmp_path / "classifier.safetensors")
    loaded = MLPClassifier.load(tmp_path / "classifier.safetensors")
    assert list(loaded.feature_names_in_) == ["a", "b", "c"]
    assert loaded.class_weight == {0: 1, 1: 2.5, 2: 1}
    np.testing.assert_array_equal(loaded.predict(frame), fitted.predict(frame))
    regressor = MLPRegressor(losses.Huber(0.5), **SETTINGS, metric=lambda *_: 0.0, callbacks=[]).fit(X, X[:, :2])
    regressor.save(tmp_path / "regressor.safetensors")
    again = MLPRegressor.load(tmp_path / "regressor.safetensors")
    assert again.loss.delta == 0.5
    assert again.metric is None
    np.testing.assert_array_equal(again.predict(X), regressor.predict(X))


def test_a_file_holds_no_code(tmp_path):
    class Cube:
        def forward(self, z):
            return z**3

        def derivative(self, z, a):
            return 3 * z**2

    class Mine(losses.Loss):
        def call(self, y_true, y_pred):
            return ((y_pred - y_true) ** 2).sum(axis=-1)

        def gradient(self, y_true, y_pred):
            return 2 * (y_pred - y_true)

    for name, settings in (("activation", {"activation": Cube()}), ("loss", {"loss": Mine()})):
        fitted = MLPRegressor(**SETTINGS, **settings).fit(X, X[:, 0])
        with pytest.raises(ValueError, match=f"no code: `{name}` must be a built-in one"):
            fitted.save(tmp_path / "regressor.safetensors")


def test_other_files_are_refused_by_name(tmp_path):
    path = tmp_path / "file.safetensors"
    MLPRegressor(**SETTINGS).fit(X, X[:, 0]).save(path)
    with pytest.raises(ValueError, match=r"file.safetensors' .*another estimator than MLPClassifier.*'MLPRegressor'"):
        MLPClassifier.load(path)
    with pytest.raises(ValueError, match=r"it holds an estimator of cnn_core\.sklearn: use load of its MLPClassifier"):
        cnn_core.load_model(path)
    tensors, metadata = model_file.read(path)
    metadata = {key: text for key, text in metadata.items() if key == "cnn_core.perceptron"}
    state = json.loads(metadata["cnn_core.perceptron"])
    damages = [
        ({**tensors, "coefs_1": tensors["coefs_0"]}, state),
        ({name: each for name, each in tensors.items() if name != "coefs_2"}, state),
        (tensors, {**state, "parameters": None}),
        (tensors, {**state, "attributes": {}}),
        (tensors, {**state, "optimizer": {"rule": "adam"}}),
        (tensors, {**state, "parameters": {**state["parameters"], "activation": "swosh"}}),
        (tensors, []),
    ]
    for damaged, told in damages:
        model_file.write(path, damaged, {"cnn_core.perceptron": json.dumps(told)})
        with pytest.raises(ValueError, match=r"file.safetensors' is damaged"):
            MLPRegressor.load(path)
    cnn_core.Sequential([cnn_core.Input((2,)), cnn_core.layers.Dense(1)]).save(path)
    with pytest.raises(ValueError, match=r"file.safetensors' holds no perceptron"):
        MLPRegressor.load(path)
    with path.open("rb") as file, pytest.raises(ValueError, match=r"file.safetensors' holds no perceptron"):
        MLPRegressor.load(file)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("attributes", "out_activation_", "softmax"),
        ("attributes", "n_iter_", "many"),
        ("attributes", "loss_curve_", [0.5, [0.5]]),
        ("labels", "classes", [0, float("inf")]),
        ("labels", "classes", [0, 2**64]),
        ("labels", "classes", 5),
        ("labels", "classes", [[0, 1]]),
        ("labels", "classes", []),
        ("labels", "dtype", "<U100000000"),
        ("labels", "kind", "multiclass"),
        ("labels", "sparse", "no"),
        ("parameters", "activation", []),
        ("parameters", "dropout", [2.0]),
        (None, "labels", None),
    ],
)
def test_what_is_recorded_of_a_fit_is_checked_by_type(part, name, value, tmp_path):
    path = tmp_path / "file.safetensors"
    MLPClassifier(**SETTINGS).fit(X, np.arange(len(X)) % 2).save(path)
    tensors, metadata = model_file.read(path)
    state = json.loads(metadata["cnn_core.perceptron"])
    (state if part is None else state[part])[name] = value
    model_file.write(path, tensors, {"cnn_core.perceptron": json.dumps(state)})
    with pytest.raises(ValueError, match=r"file.safetensors' is damaged"):
        MLPClassifier.load(path)


def test_an_open_file_does_as_well_as_its_name():
    file, X = io.BytesIO(), np.eye(4)
    regressor = MLPRegressor(max_iter=2, random_state=0).fit(X, X[:, 0])
    regressor.save(file)
    file.seek(0)
    np.testing.assert_array_equal(MLPRegressor.load(file).predict(X), regressor.predict(X))


# Models


@pytest.mark.parametrize("settings", CHOICES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["two", "three", "several"])
def test_a_classifier_as_a_model(settings, dtype, name):
    if name == "several" and settings.get("metric"):
        settings = settings | {"metric": None}
    rows = X.astype(dtype)
    fitted = MLPClassifier(**SETTINGS, **settings).fit(rows, TARGETS[name])
    model = fitted.to_model()
    found = model.predict(rows, verbose=0)
    expected = fitted.predict_proba(rows)
    np.testing.assert_array_equal(found, expected[:, 1:] if name == "two" else expected)
    assert found.dtype == dtype
    targets = TARGETS[name].astype(int)
    loss = model.evaluate(rows, targets, verbose=0)
    assert np.isfinite(loss)
    if name == "three":
        assert loss == pytest.approx(-np.log(expected[np.arange(90), targets]).mean(), rel=1e-5)
    model.layers[0].kernel.assign(np.zeros((3, 6)))
    np.testing.assert_array_equal(fitted.predict_proba(rows), expected)  # the weights are copies


@pytest.mark.parametrize("loss", ["squared_error", "poisson", "huber", "absolute_error", "quantile", losses.LogCosh()])
def test_a_regressor_as_a_model(loss):
    y = np.abs(X[:, :2])
    fitted = MLPRegressor(loss, **SETTINGS).fit(X, y)
    model = fitted.to_model()
    np.testing.assert_array_equal(model.predict(X, verbose=0), fitted.predict(X))
    seen = model.trace(X, y)
    assert [layer.name for layer in seen] == ["dense_0", "dense_1", "dense_2"]
    np.testing.assert_allclose(seen["dense_0"].z, X @ fitted.coefs_[0] + fitted.intercepts_[0], rtol=1e-12)
    assert model.fit(X, y, epochs=1, verbose=0).history["loss"][0] == pytest.approx(seen.loss, rel=0.1)


def test_an_activation_of_ones_own_stays_in_the_model():
    class Cube:
        def forward(self, z):
            return z**3

        def derivative(self, z, a):
            return 3 * z**2

    fitted = MLPRegressor(hidden_layer_sizes=(3,), activation=Cube(), max_iter=2, random_state=0).fit(X, X[:, 0])
    np.testing.assert_array_equal(fitted.to_model().predict(X, verbose=0).ravel(), fitted.predict(X))
