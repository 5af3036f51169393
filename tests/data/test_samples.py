"""Data as custom steps are given it: structures of arrays, cut into batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnn_core.data.samples import Samples

FLOAT = np.dtype("float32")


def samples(x: Any, y: Any = None, sample_weight: Any = None) -> Samples:
    return Samples(x, y, sample_weight, FLOAT)


def test_batches_are_packed_as_keras_does() -> None:
    x, y = np.arange(4.0), np.arange(4)
    assert samples(x).take(slice(2)).tolist() == [0, 1]
    assert isinstance(samples((x,)).take(slice(2)), tuple)
    assert [part.tolist() for part in samples(x, y).take([3, 1])] == [[3, 1], [3, 1]]
    assert len(samples(x, y, x).take(slice(2))) == 3
    assert samples(x, None, x).take(slice(2))[1] is None


def test_structures_and_dtypes_are_kept() -> None:
    x = {"a": np.ones((3, 2)), "b": [np.arange(3), np.array(["u", "v", "w"])]}
    batch, target = samples(x, [[1.0], [2.0], [3.0]]).take(slice(1, None))
    assert list(batch) == ["a", "b"]
    assert batch["a"].dtype == np.float32
    assert batch["b"][0].dtype.kind == "i"
    assert batch["b"][1].tolist() == ["v", "w"]
    assert target.tolist() == [[2], [3]]


def test_the_last_rows_are_set_apart() -> None:
    first, last = samples(np.arange(10.0), np.arange(10)).split(0.25)
    assert (first.n, last.n) == (7, 3)
    assert last.take(slice(None))[0].tolist() == [7, 8, 9]


def test_classes_are_weighed() -> None:
    x, labels = np.ones(3), np.array([0, 1, 1])
    assert samples(x, labels).weigh_classes({1: 3.0}).take(slice(None))[2].tolist() == [1, 3, 3]
    assert samples(x, np.eye(2)[labels], 2 * x).weigh_classes({1: 3.0}).take(slice(None))[2].tolist() == [2, 6, 6]
    assert samples(x, labels).weigh_classes(None).take(slice(None))[1].tolist() == [0, 1, 1]
    with pytest.raises(ValueError, match=r"with one array of targets only\. Received: 2"):
        samples(x, [x, x]).weigh_classes({1: 3.0})


def test_bad_data_are_named() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(ValueError, match=r"x\['a'\]"):
        samples({"a": np.array([1.0, np.nan])})
    with pytest.raises(ValueError, match="same number of"):
        samples(np.ones(3), np.ones(2))
    with pytest.raises(TypeError, match=r"call x\.toarray\(\)"):
        samples(sparse.eye(3))
