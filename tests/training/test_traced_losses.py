"""Custom losses written with ops: values, gradients and training against built-in losses and NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import cnn_core
import cnn_core.inspection as inspection
import tolerances
from cnn_core import Input, Model, Sequential, layers, losses, ops
from cnn_core.sklearn import MLPRegressor
from cnn_core.training.traced_losses import traced_plan

RANDOM = np.random.default_rng(4)
X, Y = RANDOM.normal(size=(48, 4)), RANDOM.normal(size=(48, 3))


def squared_error(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


def elementwise(y_true, y_pred):
    return ops.square(y_true - y_pred)


def of_the_batch(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred))


class SquaredError(losses.Loss):
    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)


def model(loss, width=3, activation=None, **options):
    cnn_core.utils.set_random_seed(1)
    made = Sequential([Input((4,), dtype="float64"), layers.Dense(width, activation, dtype="float64")])
    made.compile("adam", loss, **options)
    return made


@pytest.mark.parametrize("loss", [squared_error, elementwise, of_the_batch, SquaredError(), SquaredError])
def test_the_mean_squared_error_in_other_words(loss):
    one, other = model(loss), model("mse")
    weights = {} if loss is of_the_batch else {"sample_weight": RANDOM.random(48)}
    for each in (one, other):
        each.fit(X, Y, epochs=3, batch_size=16, shuffle=False, verbose=0, **weights)
    for first, second in zip(one.get_weights(), other.get_weights(), strict=True):
        tolerances.close(first, second, tolerances.KERNEL_FLOAT64)
    assert one.evaluate(X, Y, verbose=0) == pytest.approx(other.evaluate(X, Y, verbose=0))


def test_labels_come_as_they_stand_in_the_table():
    labels = RANDOM.integers(0, 3, 48)

    def crossentropy(y_true, y_pred):
        chosen = ops.one_hot(ops.cast(y_true, "int32"), 3)
        return -ops.sum(chosen * ops.log(y_pred), axis=-1)

    one, other = (
        model(crossentropy, activation="softmax"),
        model("sparse_categorical_crossentropy", activation="softmax"),
    )
    for each in (one, other):
        each.fit(X, labels, epochs=3, batch_size=16, shuffle=False, verbose=0)
    np.testing.assert_allclose(one.get_weights()[0], other.get_weights()[0], rtol=1e-9)


def focal(y_true, y_pred):
    p = ops.clip(y_pred, 1e-7, 1 - 1e-7)
    return -ops.mean(
        ops.power(1 - p, 2.0) * y_true * ops.log(p) + ops.power(p, 2.0) * (1 - y_true) * ops.log(1 - p), axis=-1
    )


def pinball(y_true, y_pred):
    error = y_true - y_pred
    return ops.mean(ops.maximum(0.9 * error, -0.1 * error), axis=-1)


def contrastive(y_true, y_pred):
    return ops.mean(y_true * ops.square(y_pred) + (1 - y_true) * ops.square(ops.maximum(1.0 - y_pred, 0.0)), axis=-1)


@pytest.mark.parametrize("loss", [focal, pinball, contrastive])
def test_gradients_by_central_differences(loss):
    made = model(loss, activation="sigmoid")
    y = (Y > 0).astype(float)
    found = made.gradients(X, y)
    found = found if isinstance(found, list) else list(found.values())
    kernel = made.layers[-1].kernel
    start, step = kernel.numpy(), 1e-6
    for place in [(0, 0), (3, 2), (1, 1)]:
        values = []
        for sign in (1, -1):
            moved = start.copy()
            moved[place] += sign * step
            kernel.assign(moved)
            values.append(float(np.mean(loss(y, made(X)))))
        assert found[0][place] == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5, abs=1e-9)
        kernel.assign(start)


def test_several_outputs_each_with_its_own():
    x = Input((4,))
    made = Model(x, {"a": layers.Dense(3, name="a")(x), "b": layers.Dense(1, name="b")(x)})
    made.compile("sgd", {"a": squared_error, "b": pinball}, loss_weights={"a": 1.0, "b": 0.5})
    logs = made.fit(X, {"a": Y, "b": Y[:, :1]}, epochs=2, verbose=0).history
    assert set(logs) == {"loss", "a_loss", "b_loss"}
    assert logs["loss"][1] < logs["loss"][0]


def test_numpy_is_told_from_ops():
    made = model(lambda y_true, y_pred: np.mean(np.square(y_true - y_pred), axis=-1))
    with pytest.raises(TypeError, match=r"needs its gradient: write it with functions of cnn_core\.ops instead"):
        made.fit(X, Y, verbose=0)
    made = model(lambda y_true, y_pred: 0.0)
    with pytest.raises(TypeError, match=r"must return what it computes of its inputs.*Received: 0\.0"):
        made.fit(X, Y, verbose=0)


def test_a_name_brings_it_back_from_a_file(tmp_path):
    made = model(squared_error)
    made.fit(X, Y, verbose=0)
    made.save(tmp_path / "m.safetensors")
    again = cnn_core.load_model(tmp_path / "m.safetensors", custom_objects={"squared_error": squared_error})
    assert again.evaluate(X, Y, verbose=0) == made.evaluate(X, Y, verbose=0)
    with pytest.raises(ValueError, match="lambda"):
        model(lambda y_true, y_pred: ops.square(y_true - y_pred)).save(tmp_path / "lambda.safetensors")


def test_perceptrons_take_them_too():
    coefficients = []
    for loss in (SquaredError(), losses.MeanSquaredError()):
        estimator = MLPRegressor(loss, (5,), max_iter=3, random_state=0)
        with pytest.warns(match="[Ii]teration"):
            estimator.fit(X, Y)
        coefficients.append(estimator.coefs_[0])
    np.testing.assert_allclose(*coefficients, rtol=1e-9)


def test_a_plan_is_made_once_for_a_shape():
    loss = losses.deserialize(squared_error)
    kind = np.dtype("float64")
    assert traced_plan(loss, (3,), 3, kind) is traced_plan(loss, (3,), 3, kind)
    assert traced_plan(loss, (3,), 3, kind) is not traced_plan(loss, (2,), 2, kind)


def test_two_values_are_no_loss():
    made = model(lambda y_true, y_pred: [y_pred, y_pred])
    with pytest.raises(TypeError, match=r"must return one symbol\. Received: 2"):
        made.fit(X, Y, verbose=0)


def focal(y_true, y_pred):
    return ops.sum(-y_true * (1 - y_pred) ** 3 * ops.log(y_pred), axis=-1)


def test_a_focal_loss_is_numpys_and_its_derivatives_central_differences():
    made, y = model(focal, activation="sigmoid"), np.abs(Y)
    p = made.predict(X)
    expected = (-y * (1 - p) ** 3 * np.log(p)).sum(-1).mean()
    np.testing.assert_allclose(made.evaluate(X, y, verbose=0), expected, rtol=10 * tolerances.KERNEL_FLOAT64)
    assert inspection.gradient_check(made, X, y)


def test_a_formula_runs_in_python_once_for_all_batches_and_passes():
    calls = []

    def counted(y_true, y_pred):
        calls.append(None)
        return squared_error(y_true, y_pred)

    made = model(counted)
    for _ in range(3):
        made.fit(X, Y, batch_size=16, validation_split=0.25, verbose=0)
    made.evaluate(X, Y, verbose=0)
    assert len(calls) == 1


def test_a_file_of_keras_names_the_function(tmp_path):
    made = model(squared_error)
    made.fit(X, Y, verbose=0)
    made.save(tmp_path / "m.keras")
    again = cnn_core.load_model(tmp_path / "m.keras", custom_objects={"squared_error": squared_error})
    assert again.evaluate(X, Y, verbose=0) == made.evaluate(X, Y, verbose=0)


@pytest.mark.parametrize("columns", [1, 3])
def test_targets_with_and_without_an_axis_are_told_apart_as_in_keras(columns: int) -> None:
    """Functions get what Keras gives them; within one training both may come."""
    seen: list[tuple[int, ...]] = []

    def noted(y_true, y_pred):
        seen.append(tuple(y_true.shape[1:]))
        target = y_true if len(y_true.shape) == len(y_pred.shape) else ops.expand_dims(y_true, -1)
        return ops.mean(ops.square(y_pred - target), axis=-1)

    model = Sequential([Input((2,)), layers.Dense(columns)])
    model.compile("sgd", noted)
    x, y = np.ones((6, 2)), np.arange(6.0)
    losses = [model.evaluate(x, each, verbose=0) for each in (y, y[:, None], y)]
    assert sorted(set(seen)) == ([(1,)] if columns == 1 else [(), (1,)])
    assert losses[0] == losses[1] == losses[2]
    predictions = model.predict(x)
    assert losses[0] == pytest.approx(np.mean((predictions - y[:, None]) ** 2), rel=1e-5)
    model.fit(iter([(x, y), (x, y[:, None])]), verbose=0)
