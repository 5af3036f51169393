"""Losses of the package inside of custom losses and models: the values and gradients of the built-in ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnn_core
import tolerances
from cnn_core import Input, Model, layers, losses, ops
from cnn_core.ops.loss_formulas import FORMULAS

GENERATOR = np.random.default_rng(5)
ROWS = GENERATOR.normal(size=(12, 3))
SHARES = np.exp(ROWS) / np.exp(ROWS).sum(axis=1, keepdims=True)
LABELS = GENERATOR.integers(0, 4, 12)
# Of each loss objects, and targets that they can mean.
CASES: list[tuple[Any, Any, Any]] = [
    (losses.MeanSquaredError(), ROWS, None),
    (losses.HalfSquaredError(), ROWS, None),
    (losses.MeanAbsoluteError(), ROWS, None),
    (losses.MeanAbsolutePercentageError(), ROWS, None),
    (losses.MeanSquaredLogarithmicError(), abs(ROWS), "softplus"),
    (losses.CosineSimilarity(), ROWS, None),
    (losses.Huber(), ROWS, None),
    (losses.Huber(0.3), ROWS, None),
    (losses.LogCosh(), ROWS, None),
    (losses.Poisson(), np.floor(abs(3 * ROWS)), "softplus"),
    (losses.KLDivergence(), SHARES, "softmax"),
    (losses.CategoricalHinge(), np.eye(3)[LABELS % 3], None),
    (losses.BinaryCrossentropy(), np.eye(3)[LABELS % 3], "sigmoid"),
    (losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2), np.eye(3)[LABELS % 3], None),
    (losses.CategoricalCrossentropy(), SHARES, "softmax"),
    (losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1), SHARES, None),
    (losses.SparseCategoricalCrossentropy(), LABELS % 3, "softmax"),
    (losses.SparseCategoricalCrossentropy(from_logits=True), LABELS % 3, None),
]


def trained(loss: Any, y: Any, activation: Any, weights: Any = None) -> tuple[float, list[np.ndarray]]:
    cnn_core.utils.set_random_seed(1)
    model = cnn_core.Sequential([Input((5,)), layers.Dense(3, activation, dtype="float64")])
    model.compile(cnn_core.optimizers.SGD(0.1), loss)
    x = np.random.default_rng(2).normal(size=(12, 5))
    before = model.evaluate(x, y, sample_weight=weights, verbose=0, batch_size=12)
    model.fit(x, y, sample_weight=weights, epochs=3, batch_size=12, verbose=0)
    return before, model.get_weights()


@pytest.mark.parametrize(("loss", "y", "activation"), CASES, ids=lambda value: getattr(value, "name", ""))
def test_a_custom_loss_may_return_the_rows_of_ours(loss: Any, y: Any, activation: Any) -> None:
    weights = np.linspace(0, 2, 12)
    ours = trained(loss, y, activation, weights)
    custom = trained(lambda y_true, y_pred: loss.call(y_true, y_pred), y, activation, weights)
    assert custom[0] == pytest.approx(ours[0], rel=1e-6)
    for a, b in zip(custom[1], ours[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


def test_every_expression_is_tried() -> None:
    assert {loss.formula for loss, *_ in CASES} == set(FORMULAS)


def test_losses_may_be_added() -> None:
    def both(y_true: Any, y_pred: Any) -> Any:
        return losses.mean_squared_error(y_true, y_pred) + 0.5 * losses.mae(y_true, y_pred)

    x, y = np.random.default_rng(2).normal(size=(12, 5)), ROWS
    model = cnn_core.Sequential([Input((5,)), layers.Dense(3)])
    model.compile("sgd", both)
    predicted = model.predict(x)
    expected = ((predicted - y) ** 2).mean() + 0.5 * abs(predicted - y).mean()
    assert model.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "none"])
def test_a_model_may_add_a_loss_of_ours(reduction: str) -> None:
    class Encoder(Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner = layers.Dense(2, "tanh")
            self.outer = layers.Dense(5)

        def call(self, x: Any) -> Any:
            made = self.outer(self.inner(x))
            loss = losses.Huber(reduction=reduction)(x, made)
            self.add_loss(ops.mean(loss) if reduction == "none" else loss)
            return made

    x = np.random.default_rng(2).normal(size=(12, 5)).astype("float32")
    model = Encoder()
    model.compile("adam")
    expected = losses.Huber(reduction="sum" if reduction == "sum" else "sum_over_batch_size")(x, model.predict(x))
    assert model.evaluate(x, batch_size=12, verbose=0) == pytest.approx(float(expected), rel=1e-5)
    history = model.fit(x, epochs=20, verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_both_sides_of_a_loss_are_differentiated() -> None:
    x = Input((3,))
    a, b = layers.Dense(2, name="a")(x), layers.Dense(2, name="b")(x)

    class Alike(layers.Layer):
        def call(self, pair: Any) -> Any:
            self.add_loss(losses.MeanSquaredError()(pair[0], pair[1]))
            return pair[0]

    model = Model(x, Alike()([a, b]))
    model.compile("sgd")
    before = [weight.copy() for weight in model.get_weights()]
    model.fit(ROWS, epochs=1, verbose=0)
    assert all(not np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))


def test_what_has_no_expression_is_named() -> None:
    def focal(y_true: Any, y_pred: Any) -> Any:
        return losses.BinaryFocalCrossentropy().call(y_true, y_pred)

    model = cnn_core.Sequential([Input((5,)), layers.Dense(3, "sigmoid")])
    model.compile("sgd", focal)
    with pytest.raises(TypeError, match="The loss 'binary_focal_crossentropy' has no expression of symbols"):
        model.evaluate(np.ones((2, 5)), np.ones((2, 3)), verbose=0)
    with pytest.raises(ValueError, match="`ignore_class` must be None for symbols"):
        losses.SparseCategoricalCrossentropy(ignore_class=0)(Input(()), Input((3,)))


def test_weights_and_reductions_of_symbols() -> None:
    x, w = Input((3,)), Input((1,))
    for reduction in ("sum", "mean", "mean_with_sample_weight", None):
        loss = losses.MeanAbsoluteError(reduction=reduction)

        class Weighted(layers.Layer):
            def call(self, parts: Any) -> Any:
                value = loss(parts[0] * 0, parts[0], parts[1][:, 0])  # noqa: B023
                return value if reduction is None else parts[0] * 0 + value  # noqa: B023

        weights = np.linspace(0, 2, 12)[:, None]
        out = Model([x, w], Weighted()([x, w])).predict([ROWS, weights])
        expected = loss(0 * ROWS, ROWS, weights[:, 0])
        np.testing.assert_allclose(out if reduction is None else out[0, 0], expected, rtol=tolerances.GOLDEN_FLOAT32)
