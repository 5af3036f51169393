from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnn_core
import reference
import tolerances
from cnn_core import layers, losses

DRAW = np.random.default_rng(0)
Y, P = DRAW.integers(0, 2, (6, 4)).astype(float), DRAW.uniform(0.05, 0.95, (6, 4))
WEIGHTS = np.array([1.0, 0.5, 2.0, 0.0, 1.25, 3.0])


def of_batch(y: Any, p: Any, alpha: float = 0.5, beta: float = 0.5) -> float:
    """Take the whole batch for one row."""
    return float(reference.loss_values("tversky", y.reshape(1, -1), p.reshape(1, -1), alpha=alpha, beta=beta)[0])


def test_a_batch_has_one_value_unless_axes_are_named() -> None:
    assert losses.Dice()(Y, P) == pytest.approx(of_batch(Y, P), rel=1e-6)
    assert losses.Tversky(0.2, 1.5)(Y, P) == pytest.approx(of_batch(Y, P, 0.2, 1.5), rel=1e-12)
    assert losses.dice(Y, P).shape == losses.tversky(Y, P).shape == ()
    tolerances.close(losses.dice(Y, P, axis=-1), reference.loss_values("dice", Y, P), tolerances.KERNEL_FLOAT64)
    tolerances.close(losses.tversky(Y, P, axis=(1,)), reference.loss_values("tversky", Y, P), tolerances.KERNEL_FLOAT64)


@pytest.mark.parametrize(
    ("reduction", "factor"), [("sum_over_batch_size", 7.75 / 6), ("sum", 7.75 / 6), ("mean_with_sample_weight", 1.0)]
)
def test_the_value_of_a_batch_is_multiplied_by_its_mean_weight(reduction: str, factor: float) -> None:
    loss = losses.Dice(reduction=reduction)
    assert loss(Y, P) == pytest.approx(of_batch(Y, P), rel=1e-6)
    assert loss(Y, P, sample_weight=WEIGHTS) == pytest.approx(factor * of_batch(Y, P), rel=1e-6)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
@pytest.mark.parametrize("axis", [None, -1, (1,)])
@pytest.mark.parametrize("cls", [losses.Dice, losses.Tversky])
def test_training_has_the_values_and_slopes_of_the_formula(cls: Any, axis: Any, reduction: str) -> None:
    model = cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(4, "sigmoid", dtype="float64")])
    loss = cls(axis=axis, reduction=reduction)
    model.compile("sgd", loss)
    x = DRAW.normal(size=(6, 3))
    for weights in (None, WEIGHTS):
        wanted = loss(Y, model.predict(x), sample_weight=weights)
        assert model.evaluate(x, Y, sample_weight=weights, verbose=0) == pytest.approx(wanted, rel=1e-12)
    assert cnn_core.inspection.gradient_check(model, x, Y).max_relative_error < tolerances.GRADIENT_CHECK
    before = model.evaluate(x, Y, verbose=0)
    model.fit(x, Y, epochs=20, batch_size=6, verbose=0)
    assert model.evaluate(x, Y, verbose=0) < before


def test_a_model_with_such_a_loss_is_saved_and_loaded(tmp_path: Path) -> None:
    model = cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(4, "sigmoid")])
    model.compile("sgd", losses.Tversky(0.3, 0.7, axis=(1,), name="overlap"))
    model.save(tmp_path / "model.safetensors")
    again = cnn_core.load_model(tmp_path / "model.safetensors").loss
    assert again.get_config() == model.loss.get_config()
    assert again.get_config()["axis"] in ((1,), [1])


@pytest.mark.parametrize("loss", [losses.Dice(), losses.Tversky(0.3, 0.7, axis=-1)])
def test_losses_of_overlap_survive_data(loss: Any) -> None:
    again = losses.deserialize(json.loads(json.dumps(losses.serialize(loss))))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()


def test_names_find_losses_of_overlap() -> None:
    assert type(losses.as_loss("dice")) is type(losses.as_loss(losses.dice)) is losses.Dice
    assert losses.get("tversky") is losses.tversky
    assert losses.Tversky().axis is None


@pytest.mark.parametrize("axis", [0, (0, 1), "rows", 1.5])
def test_axes_across_some_samples_are_refused(axis: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="`axis` must be"):
        losses.Dice(axis=axis)


def test_targets_outside_of_the_unit_are_refused() -> None:
    model = cnn_core.Sequential([cnn_core.Input((3,)), layers.Dense(4, "sigmoid")])
    model.compile("sgd", "dice")
    with pytest.raises(ValueError, match="must be from 0 to 1"):
        model.fit(np.zeros((6, 3)), 2 + Y, verbose=0)
