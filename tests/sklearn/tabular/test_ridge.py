"""Ridge regressions against scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.linear_model import Ridge

from cnn_core.sklearn.tabular.ridge import RidgePath, ridge


def table(n: int, width: int, n_targets: int = 2, seed: int = 0) -> tuple[Any, Any, Any]:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, width)) + 3
    return x, x @ generator.normal(size=(width, n_targets)) + 5, generator.uniform(0.5, 2, n)


@pytest.mark.parametrize("shape", [(30, 4), (6, 20)], ids=["more rows", "more features"])
@pytest.mark.parametrize("penalty", [0.1, 20.0])
def test_solutions_are_scikit_learns(shape: tuple[int, int], penalty: float):
    x, y, weights = table(*shape)
    expected = Ridge(alpha=penalty).fit(x, y)
    np.testing.assert_allclose(ridge(x, y, penalty)(x[:5] + 1), expected.predict(x[:5] + 1))
    for of_rows in (None, weights):
        expected = Ridge(alpha=penalty).fit(x, y, of_rows)
        kernel, bias = RidgePath(x, y, of_rows).solution(penalty)
        np.testing.assert_allclose(kernel, expected.coef_.T)
        np.testing.assert_allclose(bias, expected.intercept_)


def test_features_that_tell_nothing_leave_the_mean():
    path = RidgePath(np.ones((4, 2)), np.array([[1.0], [2.0], [3.0], [6.0]]))
    for penalty in path.penalties:
        kernel, bias = path.solution(penalty)
        assert not kernel.any()
        assert bias == [3]
    assert len(list(path.solutions())) == len(path.penalties)
