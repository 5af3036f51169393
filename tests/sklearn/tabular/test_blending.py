"""Folds, the greedy choice of weights, and the temperature, against what follows by hand or by search."""

from __future__ import annotations

import numpy as np
import pytest

from cnn_core.sklearn.tabular.blending import greedy_weights
from cnn_core.sklearn.tabular.calibration import best_temperature, tempered
from cnn_core.sklearn.tabular.cross_fitting import CrossFitted
from cnn_core.sklearn.tabular.folds import folds


@pytest.mark.parametrize("n_folds", [2, 3, 8])
def test_every_row_is_held_out_once_and_classes_are_shared_out(n_folds: int):
    labels = np.repeat([0, 1, 2], [40, 25, 3])
    found = folds(labels, len(labels), n_folds, seed=1)
    assert len(found) == n_folds
    held_out = np.concatenate([each for _, each in found])
    assert sorted(held_out) == list(range(len(labels)))
    for train, rest in found:
        assert sorted([*train, *rest]) == list(range(len(labels)))
        for label, count in ((0, 40), (1, 25), (2, 3)):
            assert abs((labels[rest] == label).sum() - count / n_folds) < 1
    again = folds(labels, len(labels), n_folds, seed=1)
    assert all((one[1] == other[1]).all() for one, other in zip(found, again, strict=True))
    assert any((one[1] != other[1]).any() for one, other in zip(found, folds(labels, 68, n_folds, 2), strict=True)
               if len(one[1]) == len(other[1]))  # fmt: skip


def test_a_handful_of_rows_is_looked_at_whole():
    ((train, held_out),) = folds(None, 9, 5, seed=0)
    assert train.tolist() == held_out.tolist() == list(range(9))


def test_greedy_weights_are_as_good_as_a_search_over_weights():
    generator = np.random.default_rng(0)
    truth = generator.normal(size=200)
    models = [
        truth + generator.normal(scale=scale, size=200) + bias for scale, bias in ((0.5, 0.3), (0.5, -0.3), (2, 0))
    ]

    def score(mean: np.ndarray) -> float:
        return float(np.mean((mean - truth) ** 2))

    weights = greedy_weights(models, score)
    assert weights.sum() == pytest.approx(1)
    grid = [(a, b, 1 - a - b) for a in np.linspace(0, 1, 41) for b in np.linspace(0, 1 - a, 41)]
    best = min(score(sum(w * m for w, m in zip(each, models, strict=True))) for each in grid)
    found = score(sum(w * m for w, m in zip(weights, models, strict=True)))
    assert best <= found + 1e-9 or found < best
    assert found < 1.01 * best < min(map(score, models))


def test_one_model_and_undefined_scores():
    assert greedy_weights([np.ones(3)], lambda mean: 1.0).tolist() == [1.0]
    one, other = np.zeros(3), np.ones(3)
    assert greedy_weights([one, other], lambda mean: float("nan") if mean[0] < 1 else 0.0).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("truth", [0.4, 1.0, 3.0])
def test_the_temperature_of_probabilities_is_found(truth: float):
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(20_000, 3))
    right = tempered(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), 1.0)
    labels = (generator.random(len(right))[:, None] > right.cumsum(axis=1)).sum(axis=1)
    wrong = tempered(right, 1 / truth)
    assert best_temperature(wrong, labels) == pytest.approx(truth, rel=0.05)


def test_weights_count_and_extremes_stay_finite():
    sure = np.array([[0.9, 0.1]] * 2)
    calm = best_temperature(sure, np.array([0, 1]), np.array([1.0, 1.0]))
    bold = best_temperature(sure, np.array([0, 1]), np.array([1.0, 0.0]))
    assert bold < 1 < calm
    assert np.isfinite(tempered(np.array([[1.0, 0.0]]), bold)).all()
    np.testing.assert_allclose(tempered(np.array([[0.7, 0.3]]), 1.0), [[0.7, 0.3]], rtol=1e-12)


def test_of_noise_no_epoch_looks_good_on_rows_that_did_not_choose_it():
    generator = np.random.default_rng(0)
    truth = generator.normal(size=(40, 1))
    epochs = generator.normal(size=(300, 40, 1))

    def score_of(places: np.ndarray):
        return lambda outputs: float(np.mean((outputs - truth[places]) ** 2))

    fitted = CrossFitted(score_of, np.arange(40))
    found = [fitted(each) for each in epochs]
    mean = np.mean(found)
    assert min(found) < 0.75 * mean  # what choosing makes of nothing
    assert score_of(np.arange(40))(fitted.outputs) > 0.8 * mean


def test_undefined_halves_keep_the_last_outputs():
    fitted = CrossFitted(lambda places: lambda outputs: float("nan"), np.arange(6))
    for epoch in range(3):
        fitted(np.full((6, 1), float(epoch)))
    assert (fitted.outputs == 2).all()
