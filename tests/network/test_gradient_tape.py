"""`GradientTape` over models, layers and losses: the derivatives of the native loop."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import reference
import tolerances
from cnn_core import GradientTape, Input, Model, Sequential, Tensor, layers, losses, ops

X = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
LABELS = np.arange(12) % 3
Y = np.eye(3, dtype="float32")[LABELS]


def classifier(**settings: Any) -> Sequential:
    model = Sequential([Input((4,)), layers.Dense(6, "tanh", **settings), layers.Dense(3, "softmax")])
    model.compile("sgd", "categorical_crossentropy")
    return model


def assert_native(model: Model, loss: Tensor, tape: GradientTape, y: Any = Y) -> None:
    """Loss and derivatives are those of the native loop."""
    assert float(loss) == pytest.approx(model.evaluate(X, y, verbose=0), rel=tolerances.GOLDEN_FLOAT32)
    found = tape.gradient(loss, model.trainable_variables)
    for ours, native in zip(found, model.gradients(X, y), strict=True):
        tolerances.close(ours, native, tolerances.GOLDEN_FLOAT32)


@pytest.mark.parametrize(
    "loss",
    [
        losses.CategoricalCrossentropy(),
        lambda y, p: -ops.mean(ops.sum(y * ops.log(p), axis=-1)),
        lambda y, p: ops.mean(losses.categorical_crossentropy(y, p)),
    ],
    ids=["object", "ops", "function"],
)
def test_a_loss_however_written(loss: Any) -> None:
    model, tape = classifier(), GradientTape()
    with tape:
        value = loss(Y, model(X, training=True))
    assert_native(model, value, tape)


def test_penalties_are_among_the_losses() -> None:
    model, tape = classifier(kernel_regularizer="l2", activity_regularizer="l1"), GradientTape()
    with tape:
        value = losses.CategoricalCrossentropy()(Y, model(X, training=True)) + sum(model.losses)
    assert len(model.losses) == 2
    assert_native(model, value, tape)


class Penalized(layers.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(5, "tanh", activity_regularizer="l2", kernel_regularizer=lambda w: ops.sum(w**4))

    def call(self, x: Any) -> Any:
        h = self.dense(x)
        self.add_loss(ops.mean(ops.square(h)))
        self.add_loss(0.1 * ops.sum(ops.abs(self.dense.kernel)))
        return h


class Custom(Model):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.top = Penalized(), layers.Dense(3, "softmax")

    def call(self, x: Any, training: bool | None = None) -> Any:
        return self.top(self.hidden(x))


def test_a_custom_model_with_added_losses() -> None:
    model, tape = Custom(), GradientTape()
    model.compile("sgd", "categorical_crossentropy")
    with tape:
        value = losses.CategoricalCrossentropy()(Y, model(X, training=True)) + ops.sum(model.losses)
    assert len(model.losses) == 4
    assert_native(model, value, tape)


def test_layers_one_by_one_and_python_between_them() -> None:
    model, tape = classifier(), GradientTape()
    with tape:
        value: Any = X
        for layer in model.layers:
            value = layer(value)
            if value.shape[-1] == 3:
                assert float(ops.max(value)) <= 1
        loss = losses.SparseCategoricalCrossentropy()(LABELS, value, sample_weight=np.ones(12))
    assert_native(model, loss, tape)


def test_inputs_that_are_watched() -> None:
    model, tape = classifier(), GradientTape()
    x = tape.watch(X)
    with tape:
        loss = losses.CategoricalCrossentropy()(Y, model(x))
    by_inputs = model.gradients(X, Y, with_inputs=True)[1]
    tolerances.close(tape.gradient(loss, x), by_inputs[0] if isinstance(by_inputs, list) else by_inputs, 1e-5)


def test_several_inputs_and_outputs() -> None:
    first, second = Input((4,)), Input((4,))
    shared = layers.Dense(3)
    model = Model([first, second], {"sum": shared(first) + shared(second), "first": layers.Dense(1)(first)})
    tape = GradientTape()
    with tape:
        made = model([X, X[::-1].copy()])
        loss = ops.mean(ops.square(made["sum"])) + ops.mean(made["first"])
    found = tape.gradient(loss, {"shared": shared.trainable_variables, "all": model.trainable_variables})
    assert [each.shape for each in found["shared"]] == [(4, 3), (3,)]
    z = X @ shared.kernel.numpy() + X[::-1] @ shared.kernel.numpy() + 2 * shared.bias.numpy()
    tolerances.close(found["shared"][1], 2 * 2 * z.mean(axis=0) / 3, tolerances.GOLDEN_FLOAT32)


def test_normalization_moves_and_dropout_draws() -> None:
    model = Sequential([Input((4,)), layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(1)])
    before = model.layers[0].moving_mean.numpy()
    with GradientTape() as tape:
        first, second = model(X, training=True), model(X, training=True)
        still = [model(X, training=False) for _ in range(2)]
    assert not np.array_equal(np.asarray(first), np.asarray(second))
    assert np.array_equal(np.asarray(still[0]), np.asarray(still[1]))
    assert not np.array_equal(model.layers[0].moving_mean.numpy(), before)
    assert all(each is not None for each in tape.gradient(first, model.trainable_variables))


def test_what_is_not_reached_is_none_and_a_frozen_layer_lets_derivatives_through() -> None:
    model, other = classifier(), layers.Dense(1)
    other(X)
    model.layers[1].trainable = False
    with GradientTape() as tape:
        loss = losses.CategoricalCrossentropy()(Y, model(X, training=True))
    assert tape.gradient(loss, other.kernel) is None
    assert all(np.abs(each).sum() > 0 for each in tape.gradient(loss, model.trainable_variables))


def test_targets_that_are_computed() -> None:
    """A constant while nobody asks for the derivative by what lies below; else an error, never a wrong number."""
    teacher, student = classifier(), classifier()
    with GradientTape() as tape:
        loss = losses.KLDivergence()(teacher(X), student(X))
    assert all(each is not None for each in tape.gradient(loss, student.trainable_variables))
    with pytest.raises(TypeError, match="no derivative by its targets"):
        tape.gradient(loss, teacher.trainable_variables)
    with GradientTape() as tape:
        swapped = losses.MeanSquaredError()(student(X), Y)
    with pytest.raises(TypeError, match="no derivative by its targets"):
        tape.gradient(swapped, student.trainable_variables)


def test_losses_with_a_gradient_of_their_own_and_other_axes() -> None:
    class Quartic(losses.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return ((y_pred - y_true) ** 4).mean(axis=-1)

        def gradient(self, y_true: Any, y_pred: Any) -> Any:
            return 4 * (y_pred - y_true) ** 3 / y_pred.shape[-1]

    tape = GradientTape()
    p = tape.watch(np.random.default_rng(1).normal(size=(5, 3)))
    with tape:
        own, written = Quartic()(np.ones((5, 3)), p), ops.mean((p - 1.0) ** 4)
        along = losses.CosineSimilarity(axis=0)(np.ones((5, 3)), p)
        rows = losses.CosineSimilarity()(np.ones((3, 5)), ops.transpose(p))
    tolerances.close(tape.gradient(own, p), tape.gradient(written, p), tolerances.GOLDEN_FLOAT64)
    tolerances.close(tape.gradient(along, p), tape.gradient(rows, p), 1e-9)


def test_bad_arguments_are_named() -> None:
    model = classifier()
    with GradientTape() as tape:
        forgotten = np.mean(np.asarray(model(X)))
        loss = ops.mean(model(X))
    with pytest.raises(TypeError, match=r"^`target` must be computed inside of `with GradientTape\(\) as tape:`"):
        tape.gradient(forgotten, model.trainable_variables)
    with pytest.raises(TypeError, match=r"^`sources` must be variables, or tensors"):
        tape.gradient(loss, [X])
    with pytest.raises(ValueError, match="`watch_accessed_variables` must be True"):
        GradientTape(watch_accessed_variables=False)
    with tape, pytest.raises(RuntimeError, match="make another one"), tape:
        pass


EVERY_LOSS = sorted(
    {
        loss
        for loss in vars(losses).values()
        if inspect.isclass(loss) and issubclass(loss, losses.Loss) and loss not in (losses.Loss, losses.CustomLoss)
    },
    key=lambda loss: loss.__name__,
)


@pytest.mark.parametrize("cls", EVERY_LOSS)
def test_every_loss_by_central_differences(cls: Any) -> None:
    loss, generator = cls(), np.random.default_rng(8)
    p = generator.uniform(0.1, 0.9, (6, 3))
    p /= p.sum(axis=1, keepdims=True)
    labels = np.array([0, 0, 1, 1, 2, 2])
    y: Any = labels if loss.expects_labels or cls.__name__ == "Circle" else np.eye(3)[labels]
    if cls.__name__ == "GaussianNLL":
        p, y = generator.uniform(0.1, 0.9, (6, 2)), generator.random((6, 1))
    elif cls.__name__ == "MeanAbsolutePercentageError":
        y = y + 0.5
    elif "Hinge" in cls.__name__ and cls.__name__ != "CategoricalHinge":
        y = 2 * y - 1
    tape = GradientTape()
    watched = tape.watch(p)
    with tape:
        value = loss(y, watched, sample_weight=None)
    assert float(value) == pytest.approx(loss(y, p), rel=1e-12)
    numeric = reference.central_differences(lambda: loss(y, p), p, tolerances.DIFFERENCE_STEP)
    tolerances.close(tape.gradient(value, watched), numeric, tolerances.GRADIENT_CHECK, cls.__name__)
