"""Losses of the estimators: the user's own, and those that cannot mean targets or outputs."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone

import cnn_core
from cnn_core import layers, losses, ops
from cnn_core.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).normal(size=(60, 3))
TWO, THREE = (X[:, 0] > 0).astype(int), np.arange(60) % 3
SETTINGS = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}


class Cubic(losses.Loss):
    """A Loss of the user's own, as `compile` takes it."""

    __slots__ = ()

    def call(self, y_true, y_pred):
        assert y_true.shape == y_pred.shape
        return (np.abs(y_pred - y_true) ** 3).sum(axis=-1)

    def gradient(self, y_true, y_pred):
        return 3 * (y_pred - y_true) * np.abs(y_pred - y_true)


class ByLabel(losses.Loss):
    """The cross-entropy of labels, written by hand."""

    expects_labels = True

    def call(self, y_true, y_pred):
        assert y_true.dtype == np.int32
        return -np.log(y_pred[np.arange(len(y_true)), y_true])

    def gradient(self, y_true, y_pred):
        gradient = np.zeros_like(y_pred)
        rows = np.arange(len(y_true))
        gradient[rows, y_true] = -1 / y_pred[rows, y_true]
        return gradient


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_a_loss_of_ones_own_is_that_of_compile(n_outputs, solver):
    loss, y = Cubic(), X[:, :n_outputs] ** 2
    fitted = MLPRegressor(loss, solver=solver, alpha=0.0, **SETTINGS).fit(X, y if n_outputs == 2 else y.ravel())
    assert vars(loss).keys() == vars(Cubic()).keys()  # nothing of a run stays on it
    model = cnn_core.Sequential([cnn_core.Input((3,)), *map(dense, ["relu", None], fitted.coefs_, fitted.intercepts_)])
    model.compile("sgd", loss)
    expected = float(np.mean(Cubic().call(y, fitted.predict(X).reshape(y.shape))))
    assert model.evaluate(X, y, verbose=0) == pytest.approx(expected, rel=1e-12)
    again = MLPRegressor(loss, solver=solver, alpha=0.0, **SETTINGS).fit(X, y if n_outputs == 2 else y.ravel())
    np.testing.assert_array_equal(again.coefs_[0], fitted.coefs_[0])


def dense(activation, kernel, bias):
    layer = layers.Dense(len(bias), activation, dtype="float64")
    layer.build((None, len(kernel)))
    layer.set_weights([kernel, bias])
    return layer


@pytest.mark.parametrize("failing", ["call", "gradient"])
def test_what_a_loss_of_ones_own_raises_arrives(failing):
    def fail(self, y_true, y_pred):
        raise ZeroDivisionError("mine")

    loss = type("Failing", (Cubic,), {failing: fail})()
    with pytest.raises(ZeroDivisionError, match="mine"):
        MLPRegressor(loss, **SETTINGS).fit(X, X[:, 0])


def test_a_loss_of_wrong_shape_is_named():
    class Flat(Cubic):
        def gradient(self, y_true, y_pred):
            return (y_pred - y_true).ravel()

    with pytest.raises(ValueError, match=r"`gradient` of the loss 'flat' must return an array of shape \(60, 1\)"):
        MLPRegressor(Flat(), **SETTINGS).fit(X, X[:, 0])


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_loss_of_labels_gets_labels(early_stopping):
    settings = SETTINGS | {"max_iter": 20, "early_stopping": early_stopping}
    own = MLPClassifier(loss=ByLabel(), **settings).fit(X, THREE)
    native = MLPClassifier(**settings).fit(X, THREE)
    np.testing.assert_allclose(own.loss_curve_, native.loss_curve_, rtol=1e-12)


@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        ("poisson", X[:, 0], "`y` must be at least 0 for the loss 'half_poisson_deviance'"),
        (losses.MeanSquaredLogarithmicError(), X[:, 0], "`y` must be at least 0"),
        (losses.BinaryCrossentropy(from_logits=True), 2.0 * TWO, "`y` must be from 0 to 1 .* Received: 2.0"),
        (losses.Hinge(), 3.0 * TWO, "`y` must be all -1 or 1, or all 0 or 1"),
        (losses.BinaryCrossentropy(), TWO, "its outputs must be positive"),
        (losses.Poisson(), TWO, "its outputs must be positive"),
        (losses.Dice(), TWO, "its outputs must be positive"),
        (losses.Tversky(axis=-1), X[:, :2] > 0, "its outputs must be positive"),
        (losses.Circle(), TWO, "not samples with each other"),
        (losses.SparseCategoricalCrossentropy(), TWO, "not class labels"),
        (losses.CategoricalCrossentropy(), X[:, :2] > 0, "not compare shares"),
        (losses.CosineSimilarity(), X[:, 0], "more than the sign of a single output"),
    ],
)
def test_numbers_that_a_loss_cannot_mean(loss, y, message):
    for call in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match=message):
            getattr(MLPRegressor(loss, **SETTINGS), call)(X, y)


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (losses.Dice(), TWO),
        (losses.Dice(axis=-1), X > 0),
        (losses.Tversky(0.3, 0.7), THREE),
        (losses.CategoricalGeneralizedCrossEntropy(), THREE),
    ],
)
def test_losses_of_overlap_and_of_labels_that_may_be_wrong_are_trained_on(loss, y):
    settings = SETTINGS | {"max_iter": 200, "learning_rate_init": 0.02, "solver": "adam"}
    fitted = MLPClassifier(loss=loss, **settings).fit(X, y)
    assert fitted.loss_curve_[-1] < 0.9 * fitted.loss_curve_[0]


def test_held_out_numbers_that_a_loss_cannot_mean():
    with pytest.raises(ValueError, match="`y_val` must be at least 0"):
        MLPRegressor("poisson", **SETTINGS).fit(X, X[:, 0] ** 2, X_val=X, y_val=X[:, 0])


@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        (losses.BinaryCrossentropy(from_logits=True), TWO, "from_logits=False"),
        (losses.CategoricalCrossentropy(from_logits=True), THREE, "from_logits=False"),
        (losses.CategoricalCrossentropy(), TWO, "not compare shares"),
        (losses.KLDivergence(), X > 0, "not compare shares"),
        (losses.SparseCategoricalCrossentropy(), TWO, "not class labels"),
        (losses.SparseCategoricalCrossentropy(), X > 0, "not class labels"),
        (losses.CosineSimilarity(), TWO, "more than the sign"),
        (losses.CategoricalGeneralizedCrossEntropy(), TWO, "not class labels"),
        (losses.Circle(), THREE, "not samples with each other"),
    ],
)
def test_classes_that_a_loss_cannot_mean(loss, y, message):
    with pytest.raises(ValueError, match=message):
        MLPClassifier(loss=loss, **SETTINGS).fit(X, y)


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (losses.BinaryCrossentropy(), TWO),
        (losses.BinaryFocalCrossentropy(), X > 0),
        (losses.CategoricalCrossentropy(), THREE),
        (losses.SparseCategoricalCrossentropy(), THREE),
        (losses.get("ce"), THREE),
        (losses.KLDivergence(), THREE),
        (losses.Poisson(), TWO),
        (losses.Hinge(), TWO),
        (losses.CategoricalHinge(), THREE),
    ],
)
def test_classes_that_a_loss_can_mean(loss, y):
    fitted = MLPClassifier(loss=loss, **(SETTINGS | {"max_iter": 60, "learning_rate_init": 0.02})).fit(X, y)
    assert fitted.loss_ < fitted.loss_curve_[0]


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize(
    ("estimator", "y"), [(MLPRegressor, X.sum(axis=1)), (MLPClassifier, TWO), (MLPClassifier, THREE)]
)
def test_a_plain_function_is_a_loss(estimator, y, solver):
    def squared(y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)

    given = [clone(estimator(loss=loss, solver=solver, **SETTINGS)) for loss in (squared, losses.MeanSquaredError())]
    own, known = (each.fit(X, y) for each in given)
    for one, other in zip(own.coefs_, known.coefs_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)
    with pytest.raises(TypeError, match=r"write it with functions of cnn_core\.ops"):
        estimator(loss=lambda y_true, y_pred: np.abs(y_pred), **SETTINGS).fit(X, y)
