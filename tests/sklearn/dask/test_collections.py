"""Collections that `fit` refuses before it looks for a cluster, and what the messages say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("dask.array", reason="dask is not installed")
pytest.importorskip("distributed", reason="dask's scheduler is not installed")

import dask.array as da

from cnn_core.dask import MLPRegressor
from cnn_core.sklearn.dask.collections import partitions_of

X = da.ones((6, 2), chunks=(3, 1))
Y = da.ones(6, chunks=2)


def shapes(partitions: list[Any]) -> list[list[tuple[int, ...]]]:
    found = [partition.compute(scheduler="sync") for partition in partitions]
    return [[column.shape for column in part if column is not None] for part in found]


def test_partitions_stand_side_by_side():
    assert shapes(partitions_of(X, Y, Y)) == [[(3, 2), (3,), (3,)]] * 2


def test_partitions_know_of_no_other():
    frames = pytest.importorskip("dask.dataframe")
    many = da.ones((100, 2), chunks=(1, 2))
    frame = frames.from_dask_array(many)
    for X, y in ((many, many[:, 0]), (frame, frame[0])):
        parts = partitions_of(X, y)
        assert len(parts) == 100
        assert max(len(dict(part.dask)) for part in parts) < 20


def test_frames_and_arrays_stand_side_by_side():
    frames = pytest.importorskip("dask.dataframe")
    frame = frames.from_dask_array(X.rechunk({1: 2}), columns=["a", "b"])
    assert shapes(partitions_of(frame, frame["a"])) == [[(3, 2), (3,)]] * 2
    assert shapes(partitions_of(frame, Y.rechunk(3))) == [[(3, 2), (3,)]] * 2


def test_columns_of_files_that_are_read_in_part(tmp_path: Path):
    """Of few columns of a file dask would make fewer partitions than of many."""
    frames, pandas = pytest.importorskip("dask.dataframe"), pytest.importorskip("pandas")
    rows = pandas.DataFrame(np.arange(80.0).reshape(8, 10), columns=list("abcdefghij"))
    for number in range(4):
        rows[2 * number : 2 * number + 2].to_parquet(tmp_path / f"{number}.parquet")
    frame = frames.read_parquet(tmp_path)
    assert len(frame["j"].to_delayed()) < 4
    assert shapes(partitions_of(frame[list("abcdefghi")], frame["j"])) == [[(2, 9), (2,)]] * 4
    assert shapes(partitions_of(frame[list("abcdefghi")], da.ones(8, chunks=2))) == [[(2, 9), (2,)]] * 4


def test_what_is_no_collection():
    with pytest.raises(TypeError, match=r"`X` must be a dask array, data frame or series. Received: numpy ndarray"):
        partitions_of(np.ones((6, 2)), Y)
    with pytest.raises(TypeError, match=r"`y` must be a dask array"):
        partitions_of(X, np.ones(6))
    with pytest.raises(TypeError, match=r"`y` must be a dask array"):
        partitions_of(X, None)


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"`y` must have as many rows as X, 6. Received: 5"):
        partitions_of(X, da.ones(5, chunks=3))
    with pytest.raises(ValueError, match=r"`X` must be of shape \(n, features\)"):
        partitions_of(Y, Y)
    with pytest.raises(ValueError, match=r"`sample_weight` must have as many partitions as X, 2. Received: 3"):
        partitions_of(X, Y, Y[Y > 0])


def test_frames_that_are_cut_otherwise():
    frames = pytest.importorskip("dask.dataframe")
    pandas = pytest.importorskip("pandas")
    frame = frames.from_pandas(pandas.DataFrame({"a": range(6)}), npartitions=2)
    other = frames.from_pandas(pandas.Series(range(6), index=range(1, 7)), npartitions=2)
    with pytest.raises(ValueError, match=r"Use y.repartition\(divisions=X.divisions\)"):
        partitions_of(frame, other)
    with pytest.raises(ValueError, match=r"`X` must be of shape \(n, features\). Received: dask Series of 1 axes"):
        partitions_of(other, other)


def test_no_client():
    with pytest.raises(ValueError, match=r"`client` must be a distributed.Client where none is the current one"):
        MLPRegressor().fit(X, Y)
    with pytest.raises(TypeError, match=r"`client` must be a distributed.Client. Received: client='tcp://"):
        MLPRegressor(client="tcp://localhost:8786").fit(X, Y)
