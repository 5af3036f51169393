"""Logistic regressions against scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.linear_model import LogisticRegression

from cnn_core.sklearn.tabular.logistic import STRENGTHS, logistic_path


def probabilities(x: Any, kernel: Any, bias: Any) -> Any:
    found = np.exp(x @ kernel + bias)
    return found / found.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("shape", [(80, 4), (12, 30)], ids=["more rows", "more features"])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_the_path_is_scikit_learns(shape: tuple[int, int], is_weighted: bool):
    generator = np.random.default_rng(0)
    x = generator.normal(size=shape) + 3
    labels = generator.integers(0, 3, len(x))
    weights = generator.uniform(0.5, 2, len(x)) if is_weighted else None
    of_rows = np.ones(len(x)) if weights is None else weights
    squares = (of_rows[:, None] * (x - x.mean(axis=0)) ** 2).sum() / (4 * min(shape))
    path = list(logistic_path(x, np.eye(3)[labels], weights))
    assert len(path) == len(STRENGTHS)
    for number in (0, 3, 6):
        model = LogisticRegression(C=1 / (STRENGTHS[number] * squares), tol=1e-8, max_iter=2000)
        expected = model.fit(x, labels, weights).predict_proba(x)
        np.testing.assert_allclose(probabilities(x, *path[number]), expected, atol=3e-3)


def test_classes_apart_end_somewhere():
    x = np.array([[-1.0], [-2.0], [1.0], [2.0]])
    for kernel, bias in logistic_path(x, np.eye(2)[[0, 0, 1, 1]]):
        assert np.isfinite(kernel).all()
        assert (probabilities(x, kernel, bias).argmax(axis=1) == [0, 0, 1, 1]).all()
