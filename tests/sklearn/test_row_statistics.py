"""What is said of rows part by part, against what NumPy and scikit-learn say of all of them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.utils import compute_class_weight

from cnn_core.sklearn.row_statistics import ClassCounts, Moments

CUTS = [3, 4, 4, 50]


@pytest.mark.parametrize("scale", [1.0, 1e160, 1e-160])
@pytest.mark.parametrize("weighted", [False, True])
def test_moments_of_parts_are_those_of_the_whole(scale: float, weighted: bool):
    rng = np.random.default_rng(0)
    y = scale * (5 + rng.normal(size=(80, 2)) * [1, 1e-3])
    weights = rng.integers(1, 4, 80).astype(float)
    cuts = [each for each in zip(np.split(y, CUTS), np.split(weights, CUTS), strict=True) if len(each[0])]
    found = Moments.merge([Moments.of(part, of_part if weighted else None) for part, of_part in cuts])
    copies = np.repeat(y, weights.astype(int), axis=0) if weighted else y
    assert found.weight == len(copies)
    np.testing.assert_allclose(found.mean, copies.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(found.deviation / scale, (copies / scale).std(axis=0), rtol=1e-11)
    np.testing.assert_array_equal([found.low, found.high], [y.min(axis=0), y.max(axis=0)])


def test_parts_without_weight_change_nothing():
    some = Moments.of(np.array([[1.0], [3.0]]))
    nothing = Moments(0.0, *(np.array([value]) for value in (9.0, 1.0, 2.0, 2.0)))
    assert Moments.merge([some, nothing]).mean == Moments.merge([nothing, some]).mean == [2.0]
    assert Moments.merge([nothing, nothing]).weight == 0


@pytest.mark.parametrize("kind", [str, int, float, bool])
def test_class_counts_of_parts_are_those_of_the_whole(kind: type):
    y = np.random.default_rng(0).integers(0, 2 if kind is bool else 5, 80).astype(kind)
    found = ClassCounts.merge([ClassCounts.of(part) for part in np.split(y, CUTS) if len(part)])
    classes, counts = np.unique(y, return_counts=True)
    np.testing.assert_array_equal(found.classes, classes)
    np.testing.assert_array_equal(found.counts, counts)
    balanced = compute_class_weight("balanced", classes=classes, y=y)
    assert found.factors("balanced") == dict(zip(classes.tolist(), balanced.tolist(), strict=True))
    assert found.factors(None) is None


def test_class_weights_count_for_classes_that_are_there():
    counts = ClassCounts.of(np.array(["a", "b", "b"]))
    assert counts.factors({"a": 3}) == {"a": 3, "b": 1}
    with pytest.raises(ValueError, match="are not in class_weight"):
        counts.factors({"c": 3})


def test_texts_and_numbers_are_not_classes_of_one_target():
    with pytest.raises(ValueError, match=r"either texts or numbers in all parts. Received: <U1, int64"):
        ClassCounts.merge([ClassCounts.of(np.array(["a"])), ClassCounts.of(np.array([1]))])
