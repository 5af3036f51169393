from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
import tolerances
from cnn_core import layers, losses

ANGLES = np.array([0.0, 0.5, 1.0, 2.0, 2.25, 4.0])
E = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
Y = np.array([0, 0, 1, 1, 0, 2])
WEIGHTS = np.array([1.0, 0.5, 2.0, 0.0, 1.25, 3.0])
# What Keras computes, in float64, for these: the values, and the reductions without and with weights.
OPTIONS = {"gamma": 3.0, "margin": 0.25, "remove_diagonal": False}
KERAS: list[tuple[dict[str, Any], list[float], dict[str, tuple[float, float]]]] = [
    (
        {"gamma": 2.0},
        [6.183593669948111, 4.1677895001068075, 2.1146766889607576, 2.2288774227358052, 6.917272470324484, 0.0],
        {
            "sum_over_batch_size": (4.322441950415192, 4.228686477165726),
            "sum": (21.612209752075966, 21.143432385828635),
            "mean_with_sample_weight": (4.322441950415193, 4.4512489233323445),
        },
    ),
    (
        OPTIONS,
        [9.150037094004102, 6.332483755646296, 3.4278276917051267, 3.7121695838509177, 10.553621636735201,
         1.6237624841463991],
        {
            "sum_over_batch_size": (5.799983707681339, 6.205874808932617),
            "sum": (34.79990224608804, 37.2352488535957),
            "mean_with_sample_weight": (5.799983707681339, 4.804548239173639),
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("options", "values", "reduced"), KERAS)
def test_values_and_reductions_are_keras_s(options: Any, values: Any, reduced: Any) -> None:
    tolerances.close(losses.Circle(**options).call(Y, E), values, tolerances.KERNEL_FLOAT64)
    tolerances.close(losses.circle(Y[:, None], E, **{"margin": 0.4, **options}), values, tolerances.KERNEL_FLOAT64)
    for reduction, (plain, weighted) in reduced.items():
        loss = losses.Circle(**options, reduction=reduction)
        assert loss(Y, E) == pytest.approx(plain, rel=1e-12)
        assert loss(Y, E, sample_weight=WEIGHTS) == pytest.approx(weighted, rel=1e-12)


def test_references_may_be_others() -> None:
    values = losses.circle(Y[:2], E[:2], Y, E, remove_diagonal=False, gamma=2)
    tolerances.close(values, [6.188527930053332, 4.223787478151438], tolerances.KERNEL_FLOAT64)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
@pytest.mark.parametrize("options", [{"gamma": 2.0}, OPTIONS])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_slopes_count_that_each_row_moves_the_others(options: Any, reduction: str, weights: Any) -> None:
    """Of the loss itself, under a tape, and in a model: always the central differences of the reduced loss."""
    loss = losses.Circle(**options, reduction=reduction)
    shorter = 0.9 * E  # at length 1 the distance of a sample from itself is on a kink
    slopes, step = np.empty_like(shorter), 1e-6
    for place in np.ndindex(shorter.shape):
        moved = [shorter.copy(), shorter.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        slopes[place] = (loss(Y, moved[0], weights) - loss(Y, moved[1], weights)) / (2 * step)
    coefficients = loss.coefficients(Y.shape, Y, weights, loss.call(Y, shorter))
    np.testing.assert_allclose(loss.pullback(Y, shorter, coefficients), slopes, atol=1e-7)
    embeddings = cnn_core.Variable(shorter)
    with cnn_core.GradientTape() as tape:
        value = loss(Y, embeddings + 0, sample_weight=weights)
    np.testing.assert_allclose(tape.gradient(value, embeddings), slopes, atol=1e-7)
    model = cnn_core.Sequential([cnn_core.Input((2,)), layers.Dense(2, use_bias=False, dtype="float64")])
    model.set_weights([np.eye(2)])
    model.compile("sgd", loss)
    assert model.evaluate(shorter, Y, verbose=0, sample_weight=weights) == pytest.approx(
        loss(Y, shorter, weights), rel=1e-12
    )
    np.testing.assert_allclose(model.gradients(shorter, Y, sample_weight=weights)[0], shorter.T @ slopes, atol=1e-6)


def test_embeddings_of_classes_part() -> None:
    generator = np.random.default_rng(0)
    y = generator.integers(0, 4, 256)
    x = (np.eye(4)[y] + generator.normal(0, 0.7, (256, 4))).astype("float32")
    model = cnn_core.Sequential(
        [cnn_core.Input((4,)), layers.Dense(8, "tanh"), layers.Dense(3), layers.UnitNormalization()]
    )
    model.compile(cnn_core.optimizers.Adam(0.01), losses.Circle(gamma=8))
    history = model.fit(x, y, batch_size=64, epochs=30, verbose=0).history["loss"]
    assert history[-1] < 0.7 * history[0]


def test_a_batch_without_pairs_costs_nothing() -> None:
    loss = losses.Circle()
    for y in (np.arange(6), np.zeros(6)):
        assert not loss.call(y, E).any()
        assert loss(y, E) == 0
        assert not loss.gradient(y, E).any()
    assert losses.Circle()(np.zeros(1), E[:1]) == 0


def test_labels_are_any_numbers_and_come_one_for_each_row() -> None:
    assert losses.Circle()(Y + 1000, E) == losses.Circle()(Y, E)
    with pytest.raises(ValueError, match="one label for each"):
        losses.Circle()(Y[:5], E)
    with pytest.raises(ValueError, match="one embedding a row"):
        losses.Circle()(Y, E[0])
    with pytest.raises(ValueError, match="`gamma` must be"):
        losses.Circle(gamma=0)


def test_circle_survives_data_and_files(tmp_path: Path) -> None:
    loss = losses.Circle(gamma=3.0, margin=0.25, remove_diagonal=False)
    again = losses.deserialize(json.loads(json.dumps(losses.serialize(loss))))
    assert (type(again), again.get_config()) == (losses.Circle, loss.get_config())
    assert type(losses.as_loss("circle")) is type(losses.as_loss(losses.circle)) is losses.Circle
    model = cnn_core.Sequential([cnn_core.Input((2,)), layers.Dense(2)])
    model.compile("sgd", loss)
    model.save(tmp_path / "model.safetensors")
    assert cnn_core.load_model(tmp_path / "model.safetensors").loss.get_config() == loss.get_config()
