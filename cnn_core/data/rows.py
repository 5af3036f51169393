"""Rows that are not an array in memory: memory maps, sparse matrices, and those made dense."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.foundation.arrays import readable
from cnn_core.foundation.sparse import check_sparse
from cnn_core.foundation.validation.messages import Array

# Rows that are converted at a time where they cannot be read in place.
ROWS_AT_A_TIME = 4096


class LazyRows:
    """Rows of an array that stays where it is, such as a memory map of another dtype; converted when asked for.

    Parameters
    ----------
    source : numpy.ndarray of shape (n, ...) or (n,)
        Any numeric dtype, strides and byte order.
    dtype : {float32, float64}
        What `rows` returns.
    name : str, default "x"
        The argument's name, for messages.

    Attributes
    ----------
    shape : tuple of int
        (n, features).

    Examples
    --------
    >>> lazy = LazyRows(np.arange(6).reshape(3, 2), np.float32)
    >>> lazy.rows(np.array([2, 0]))
    array([[4., 5.],
           [0., 1.]], dtype=float32)
    """

    def __init__(self, source: Array, dtype: object, name: str = "x", start: int = 0) -> None:
        self.source = source
        self.dtype = np.dtype(dtype)  # type: ignore[call-overload]
        self.shape: tuple[int, int] = (source.shape[0], math.prod(source.shape[1:]))
        self._name = name
        self._start = start

    def __len__(self) -> int:
        return self.shape[0]

    def rows(self, indices: Array | slice) -> Array:
        """Return some rows, C-contiguous and checked.

        Parameters
        ----------
        indices : numpy.ndarray of int, or slice

        Returns
        -------
        numpy.ndarray of shape (len(indices), features); (len(indices),) of a source of one axis

        Raises
        ------
        ValueError
            If one of them holds NaN, an infinity or a number that the dtype cannot hold.
        """
        block = np.asarray(self.source[indices])
        try:
            converted = validation.convert(block, self._name, self.dtype)
            found = validation.finite(converted, self._name)
            return found if self.source.ndim == 1 else found.reshape(-1, self.shape[1])
        except ValueError as error:
            chosen = np.arange(len(self))[indices] + self._start
            raise ValueError(f"{error}, of which row 0 is row {chosen[0]} of {self._name}") from None

    def slice(self, start: int, stop: int) -> LazyRows:
        """Return the rows from `start` up to `stop`, just as lazy."""
        return LazyRows(self.source[start:stop], self.dtype, self._name, self._start + start)


class SparseRows:
    """The rows of a sparse matrix in compressed sparse row form.

    Row i has the values ``data[indptr[i]:indptr[i + 1]]`` in the columns ``indices[indptr[i]:indptr[i + 1]]``.
    ``indptr[0]`` need not be 0: a slice shares `data` and `indices` with the whole. A column that occurs twice in a
    row counts with the sum of its values.

    Attributes
    ----------
    data : numpy.ndarray of float32 or float64
    indices : numpy.ndarray of int32
    indptr : numpy.ndarray of int64, shape (n + 1,)
    shape : tuple of int
        (n, features).

    Examples
    --------
    >>> sparse = SparseRows(np.array([5.0, 7.0]), np.array([1, 0], np.int32), np.array([0, 1, 1, 2]), 2)
    >>> sparse.dense()
    array([[0., 5.],
           [0., 0.],
           [7., 0.]])
    """

    def __init__(self, data: Array, indices: Array, indptr: Array, width: int) -> None:
        self.data = data
        self.indices = indices
        self.indptr = indptr
        self.shape = (len(indptr) - 1, width)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over what another process has sent, whose arrays may begin at any byte."""
        for name, value in state.items():
            setattr(self, name, as_readable(value))

    @classmethod
    def read(cls, x: Any, name: str, dtype: object, width: int | None = None) -> SparseRows:
        """Take over a SciPy sparse matrix or array; share its memory where the dtypes fit.

        Parameters
        ----------
        x : SciPy sparse matrix or array of shape (n, width)
            Any format.
        name : str
            The argument's name.
        dtype : {float32, float64}
            Type of the values.
        width : int, default None
            The number of features that the model expects.

        Raises
        ------
        TypeError, ValueError
            If it is no matrix, is empty, has another width, holds NaN, infinities or no numbers, or is inconsistent.
        """
        if len(x.shape) != 2 or 0 in x.shape:
            raise ValueError(f"{name} must be a matrix with rows and columns. Received: {name}.shape={x.shape}")
        if width is not None and x.shape[1] != width:
            raise ValueError(
                f"{name} has {x.shape[1]} features; the model expects {width}. Received: {name}.shape={x.shape}"
            )
        if x.shape[1] > np.iinfo(np.int32).max:
            raise ValueError(f"{name} must have fewer than 2**31 features. Received: {name}.shape={x.shape}")
        check_sparse(x, name)
        rows = x.tocsr()
        values = validation.convert(validation.as_array(rows.data, f"{name}.data"), f"{name}.data", np.dtype(dtype))  # type: ignore[call-overload]
        return cls(
            validation.finite(values, f"{name}.data"),
            np.ascontiguousarray(rows.indices, dtype=np.int32),
            np.ascontiguousarray(rows.indptr, dtype=np.int64),
            x.shape[1],
        )

    def __len__(self) -> int:
        return self.shape[0]

    def rows(self, indices: Array | slice) -> SparseRows:
        """Return some rows in the given order; a slice of step 1 shares memory."""
        if isinstance(indices, slice):
            start, stop, step = indices.indices(len(self))
            if step == 1:
                return self.slice(start, max(start, stop))
            indices = np.arange(start, stop, step)
        starts = self.indptr[:-1][indices]
        lengths = self.indptr[1:][indices] - starts
        indptr = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(lengths, out=indptr[1:])
        # Position j of the result, in row r, comes from starts[r] + (j - indptr[r]).
        taken = np.arange(indptr[-1]) + np.repeat(starts - indptr[:-1], lengths)
        return SparseRows(self.data[taken], self.indices[taken], indptr, self.shape[1])

    def slice(self, start: int, stop: int) -> SparseRows:
        """Return the rows from `start` up to `stop`, sharing memory."""
        return SparseRows(self.data, self.indices, self.indptr[start : stop + 1], self.shape[1])

    def dense(self) -> Array:
        """Return the matrix as an ordinary array of shape (n, features)."""
        result = np.zeros(self.shape, dtype=self.data.dtype)
        used = slice(int(self.indptr[0]), int(self.indptr[-1]))
        owners = np.repeat(np.arange(len(self)), np.diff(self.indptr))
        np.add.at(result, (owners, self.indices[used]), self.data[used])
        return result


class DensifiedRows:
    """Sparse rows for a layer that cannot read them: made into ordinary arrays when asked for.

    Parameters
    ----------
    source : SparseRows

    Attributes
    ----------
    shape : tuple of int
        (n, features).

    Examples
    --------
    >>> sparse = SparseRows(np.array([5.0, 7.0]), np.array([1, 0], np.int32), np.array([0, 1, 1, 2]), 2)
    >>> DensifiedRows(sparse).rows(np.array([2, 0]))
    array([[7., 0.],
           [0., 5.]])
    """

    def __init__(self, source: SparseRows) -> None:
        self.source = source
        self.shape = source.shape

    def __len__(self) -> int:
        return self.shape[0]

    def rows(self, indices: Array | slice) -> Array:
        """Return some rows in the given order, as an array of shape (len(indices), features)."""
        return self.source.rows(indices).dense()

    def slice(self, start: int, stop: int) -> DensifiedRows:
        """Return the rows from `start` up to `stop`, sharing memory."""
        return DensifiedRows(self.source.slice(start, stop))


Rows: TypeAlias = Array | LazyRows | SparseRows | DensifiedRows


def as_readable(value: Any) -> Any:
    """Return an array as native code reads it, and whatever else as it is."""
    return readable(value) if isinstance(value, np.ndarray) else value


def is_memory_map(array: Array) -> bool:
    """Tell whether an array lies in a file: it or what it is a view of is a memory map."""
    base: object = array
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap):
            return True
        base = base.base
    return False
