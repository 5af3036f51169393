"""What `fit` is given: dask collections, checked against each other, as partitions."""

from __future__ import annotations

import math
from typing import Any

import dask.array
import numpy as np
from dask import delayed
from dask.base import is_dask_collection
from dask.delayed import Delayed
from dask.optimization import cull

from cnn_core.sklearn.parts import GivenPart


def partitions_of(X: Any, y: object, sample_weight: object = None) -> list[Any]:
    """Return the partitions of features, targets and weights, side by side: delayed instances of `GivenPart`.

    Parameters
    ----------
    X : dask.array.Array of shape (n, features), or dask.dataframe.DataFrame
    y : dask.array.Array of shape (n,) or (n, outputs), dask.dataframe.Series or DataFrame
    sample_weight : dask.array.Array of shape (n,) or dask.dataframe.Series, default None

    Returns
    -------
    list of Delayed

    Raises
    ------
    TypeError
        If one of them is no dask collection.
    ValueError
        If they do not have the same partitions.
    """
    X = checked_features(X)
    given = {"y": y} if sample_weight is None else {"y": y, "sample_weight": sample_weight}
    columns = [X, *(_aligned(_checked(column, name), X, name) for name, column in given.items())]
    if any(map(is_array, columns)):
        return [delayed(GivenPart)(*part) for part in zip(*map(_delayed, columns), strict=True)]
    # As one expression, in which what all of them read is read once.
    more = {"align_dataframes": False, "enforce_metadata": False, "meta": X._meta}
    return _delayed(X.map_partitions(GivenPart, *columns[1:], **more))


def checked_features(X: Any) -> Any:
    """Return features with all columns of a row in one chunk.

    Raises
    ------
    TypeError, ValueError
        If they are no dask collection, or have no columns.
    """
    X = _checked(X, "X")
    if X.ndim != 2:
        raise ValueError(f"`X` must be of shape (n, features). Received: {_told(X)} of {X.ndim} axes")
    if not is_array(X):
        return X
    if math.isnan(X.shape[1]):
        raise ValueError(
            f"`X` must have a known number of columns. Received: shape={X.shape}. X.compute_chunk_sizes() finds it out"
        )
    return X if X.numblocks[1] == 1 else X.rechunk({1: -1})


def is_array(collection: object) -> bool:
    """Whether a collection is a dask array, else a data frame or a series."""
    return isinstance(collection, dask.array.Array)


def _told(collection: object) -> str:
    return f"{type(collection).__module__.partition('.')[0]} {type(collection).__name__}"


def _checked(collection: object, name: str) -> Any:
    is_frame = is_dask_collection(collection) and hasattr(collection, "npartitions") and hasattr(collection, "_meta")
    if is_array(collection) or is_frame:
        return collection
    local = "dask.array.from_array(...) and dask.dataframe.from_pandas(...) make them of what is in memory"
    raise TypeError(
        f"`{name}` must be a dask array, data frame or series. Received: {_told(collection)}. {local}; "
        "cnn_core.sklearn has the estimators for rows that are in memory"
    )


def _aligned(column: Any, X: Any, name: str) -> Any:
    """Return a column with the partitions of X."""
    if is_array(column) and column.ndim == 2 and column.numblocks[1] > 1:
        column = column.rechunk({1: -1})
    if is_array(column) and is_array(X):
        ours, theirs = X.chunks[0], column.chunks[0]
        are_known = not (np.isnan(ours).any() or np.isnan(theirs).any())
        if are_known and sum(ours) != sum(theirs):
            raise ValueError(f"`{name}` must have as many rows as X, {sum(ours)}. Received: {sum(theirs)}")
        if are_known and ours != theirs:
            return column.rechunk({0: ours})
    elif _are_divided_otherwise(column, X):
        raise ValueError(
            f"`{name}` must have the partitions of X, which lie between other divisions. "
            f"Use {name}.repartition(divisions=X.divisions)"
        )
    if _n_partitions(column) != _n_partitions(X):
        raise ValueError(
            f"`{name}` must have as many partitions as X, {_n_partitions(X)}. Received: {_n_partitions(column)}. "
            "Of arrays with unknown chunk sizes, compute_chunk_sizes() finds them out; frames are repartitioned by "
            "their divisions, which set_index gives them"
        )
    return column


def _are_divided_otherwise(column: Any, X: Any) -> bool:
    """Whether two frames are known to be cut at other values of their index."""
    are_frames = not is_array(column) and not is_array(X)
    return are_frames and column.known_divisions and X.known_divisions and column.divisions != X.divisions


def _n_partitions(collection: Any) -> int:
    return int(collection.numblocks[0] if is_array(collection) else collection.npartitions)


def _delayed(collection: Any) -> list[Any]:
    """The partitions of a collection; not more of a frame in one, as dask would have it where they are small."""
    if is_array(collection):
        parts = list(np.ravel(collection.to_delayed()))
    else:
        parts = list(collection.simplify().to_delayed(optimize_graph=False))
    # Each is asked for by itself, round after round, and with the graph of all this would take the square of them.
    graph = dict(parts[0].dask)
    return [Delayed(part.key, cull(graph, [part.key])[0]) if part.key in graph else part for part in parts]
