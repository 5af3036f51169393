"""What users pass as x, y and weights, turned into what the loop over batches takes: a Dataset, or Batches of them.

Floor 3. Knows what inputs and targets should look like (the specs), but neither models nor how a batch is used.
`adapt` is the way in for arrays, `Batches` for generators; `is_batches` tells which of the two an object wants.
The folder data/ beside this file holds files, not code; Python prefers the module.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, TypeAlias

import numpy as np

import cnn_core.validation as validation
from cnn_core.sparse import check_sparse
from cnn_core.validation import Array, Shape

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

__all__ = [
    "Batches",
    "Dataset",
    "DensifiedRows",
    "InputSpec",
    "LazyRows",
    "PyDataset",
    "SparseRows",
    "TargetSpec",
    "adapt",
    "feature_shape",
    "is_batches",
]

# What a user's generator yields, once unpacked: x, y, sample_weight.
Triple: TypeAlias = tuple[Any, Any, Any]


# Rows that are converted at a time where they cannot be read in place.
ROWS_AT_A_TIME = 4096


class InputSpec(NamedTuple):
    """Describe what one input of a model takes.

    Attributes
    ----------
    name : str
        Key of the input where x is a dict.
    shape : tuple of int or None
        Features per sample, without the batch dimension; None fits any size. () counts as (1,).
    kind : {"float", "int"}, default "float"
        Whether the rows reach native code in the model's dtype or, for an Embedding, as int32.
    limit : int, default None
        With kind "int": indices must be 0..limit - 1.
    sparse : bool, default False
        Whether a SciPy sparse matrix may be given.
    """

    name: str
    shape: Shape
    kind: Literal["float", "int"] = "float"
    limit: int | None = None
    sparse: bool = False


class TargetSpec(NamedTuple):
    """Describe what one output of a model is compared with.

    Attributes
    ----------
    name : str
        Key of the target where y is a dict.
    shape : tuple of int or None, or None
        Shape of the output per sample. None: anything, as a custom loss may want.
    kind : {"values", "labels", "one_hot"}, default "values"
        Numbers like the output's; class indices, as the sparse cross-entropy takes; or one row of class
        probabilities, as the categorical one does. The last two differ from "values" in what the messages propose.
    ignore_class : int, default None
        With kind "labels": a label that passes although it is no class.
    rows : tuple of int, default ()
        Where `shape` is None: the output's shape without its last dimension, in which weights may be given.
    """

    name: str
    shape: Shape | None
    kind: Literal["values", "labels", "one_hot"] = "values"
    ignore_class: int | None = None
    rows: tuple[int, ...] = ()


class LazyRows:
    """Rows of an array that stays where it is, such as a memory map of another dtype; converted when asked for.

    Parameters
    ----------
    source : numpy.ndarray of shape (n, ...)
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
        numpy.ndarray of shape (len(indices), features)

        Raises
        ------
        ValueError
            If one of them holds NaN, an infinity or a number that the dtype cannot hold.
        """
        block = np.asarray(self.source[indices])
        try:
            converted = validation.convert(block, self._name, self.dtype)
            return validation.finite(converted, self._name).reshape(-1, self.shape[1])
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


class Dataset:
    """Checked data in the form that the loop over batches takes.

    Attributes
    ----------
    inputs : list of numpy.ndarray, SparseRows, LazyRows or DensifiedRows
        One per input of the model, (n, features) each. Arrays are C-contiguous in the model's dtype, or int32.
        They may share memory with what the user passed, and may be read-only.
    targets : list of numpy.ndarray or LazyRows
        One per target: (n, width) in the model's dtype; for labels (n,) or (n, places) of int32. Empty for prediction.
    weights : list of numpy.ndarray or None
        One per target: (n,) in the model's dtype, or (n, ...) for an output of more than one dimension per sample.
        None where every sample counts 1.
    n : int
        Number of samples.
    dtype : numpy.dtype
        The model's: float32 or float64.
    """

    __slots__ = ("dtype", "inputs", "n", "targets", "weights")

    def __init__(
        self,
        inputs: list[Rows],
        targets: list[Array | LazyRows],
        weights: list[Array | None],
        n: int,
        dtype: np.dtype[Any],
    ) -> None:
        self.inputs = inputs
        self.targets = targets
        self.weights = weights
        self.n = n
        self.dtype = dtype

    def __len__(self) -> int:
        return self.n

    @property
    def in_memory(self) -> bool:
        """Whether inputs and targets are ordinary arrays or sparse rows, which native code can walk by itself."""
        return all(isinstance(rows, (np.ndarray, SparseRows)) for rows in (*self.inputs, *self.targets))

    def take(self, indices: Array | slice) -> Dataset:
        """Return some samples in the given order, as ordinary arrays (SparseRows stay sparse).

        Examples
        --------
        >>> data = adapt([[1], [2], [3]], [0, 1, 0], input_specs=[InputSpec("x", (1,))],
        ...              target_specs=[TargetSpec("y", (1,))])
        >>> data.take(np.array([2, 1])).inputs
        [array([[3.],
               [2.]], dtype=float32)]
        """
        return Dataset(
            [rows[indices] if isinstance(rows, np.ndarray) else rows.rows(indices) for rows in self.inputs],
            [rows[indices] if isinstance(rows, np.ndarray) else rows.rows(indices) for rows in self.targets],
            [None if weight is None else weight[indices] for weight in self.weights],
            len(range(*indices.indices(self.n))) if isinstance(indices, slice) else len(indices),
            self.dtype,
        )

    def keep_sparse(self, allowed: Sequence[bool]) -> Dataset:
        """Return the data with sparse rows only in those inputs where they are allowed; elsewhere made dense lazily.

        Examples
        --------
        >>> sparse = SparseRows(np.array([5.0]), np.array([1], np.int32), np.array([0, 1]), 2)
        >>> data = Dataset([sparse, sparse], [], [], 1, np.dtype(np.float64)).keep_sparse([True, False])
        >>> [type(rows).__name__ for rows in data.inputs]
        ['SparseRows', 'DensifiedRows']
        """
        if not any(isinstance(rows, SparseRows) for rows in self.inputs):
            return self
        inputs = [
            DensifiedRows(rows) if isinstance(rows, SparseRows) and not may_stay else rows
            for rows, may_stay in zip(self.inputs, allowed, strict=True)
        ]
        return Dataset(inputs, self.targets, self.weights, self.n, self.dtype)

    def dense(self) -> Dataset:
        """Return all samples with every input as an ordinary array of the model's dtype, indices included.

        Examples
        --------
        >>> sparse = SparseRows(np.array([5.0]), np.array([1], np.int32), np.array([0, 1]), 2)
        >>> Dataset([sparse], [], [], 1, np.dtype(np.float64)).dense().inputs
        [array([[0., 5.]])]
        """
        whole = self.take(slice(None))
        arrays = [rows if isinstance(rows, np.ndarray) else rows.dense() for rows in whole.inputs]  # type: ignore[union-attr]
        return Dataset(
            [np.asarray(rows, self.dtype) for rows in arrays], whole.targets, whole.weights, self.n, self.dtype
        )

    def slice(self, start: int, stop: int) -> Dataset:
        """Return the samples from `start` up to `stop`, sharing memory; lazy rows stay lazy."""
        chosen = slice(start, stop)
        return Dataset(
            [rows[chosen] if isinstance(rows, np.ndarray) else rows.slice(start, stop) for rows in self.inputs],
            [rows[chosen] if isinstance(rows, np.ndarray) else rows.slice(start, stop) for rows in self.targets],
            [None if weight is None else weight[chosen] for weight in self.weights],
            stop - start,
            self.dtype,
        )

    def split(self, validation_split: float) -> tuple[Dataset, Dataset]:
        """Set the last rows apart for validation, before any shuffling.

        Parameters
        ----------
        validation_split : float, 0 < validation_split < 1
            The share of the rows; floor(n * (1 - validation_split)) are kept for training.

        Returns
        -------
        tuple of Dataset
            For training and for validation.

        Raises
        ------
        ValueError
            If one of the two would be empty.

        Examples
        --------
        >>> data = adapt(np.arange(10.0), input_specs=[InputSpec("x", (1,))])
        >>> [part.n for part in data.split(0.25)]
        [7, 3]
        """
        share = validation.fraction(validation_split, "validation_split", include_zero=False, include_one=False)
        kept = math.floor(self.n * (1 - share))
        if kept in (0, self.n):
            empty = "training" if kept == 0 else "validation"
            raise ValueError(
                f"`validation_split` leaves no row for {empty}. "
                f"Received: validation_split={validation.show(validation_split)} with x of {self.n} rows"
            )
        return self.slice(0, kept), self.slice(kept, self.n)

    def weigh_classes(self, class_weight: Mapping[int, float] | None) -> Dataset:
        """Multiply each sample's weight by that of its class.

        The class is the label; the index of the largest value where a target has several columns; else the value
        rounded. Classes that are not mentioned count 1. (Keras refuses class_weight beside sample_weight.)

        Parameters
        ----------
        class_weight : mapping of int to float, or None
            None changes nothing.

        Raises
        ------
        TypeError, ValueError
            If it is no mapping of class indices to finite numbers, or there is not exactly one target.

        Examples
        --------
        >>> data = adapt([[1], [2], [3]], [0, 1, 2], input_specs=[InputSpec("x", (1,))],
        ...              target_specs=[TargetSpec("y", (3,), "labels")])
        >>> data.weigh_classes({2: 10.0}).weights
        [array([ 1.,  1., 10.], dtype=float32)]
        """
        if class_weight is None:
            return self
        known = _class_weights(class_weight)
        if len(self.targets) != 1:
            raise ValueError(
                f"`class_weight` can be used with one output only. Received: a model of {len(self.targets)} outputs"
            )
        classes, positions = np.unique(_classes(self.targets[0]), return_inverse=True)
        table = np.array([known.get(int(label), 1.0) for label in classes])
        weight = validation.convert(table, "class_weight", self.dtype)[positions.reshape(-1)]
        given = self.weights[0]
        if given is not None:
            weight = weight.reshape(-1, *[1] * (given.ndim - 1)) * given
        return Dataset(self.inputs, self.targets, [weight], self.n, self.dtype)


def adapt(
    x: object,
    y: object = None,
    sample_weight: object = None,
    class_weight: Mapping[int, float] | None = None,
    *,
    input_specs: Sequence[InputSpec],
    target_specs: Sequence[TargetSpec] = (),
    dtype: object = np.float32,
) -> Dataset:
    """Check arrays and turn them into a Dataset.

    Parameters
    ----------
    x : array-like, or list or dict of array-likes
        One per input spec: in their order, or by their names. What counts as array-like: `validation.as_array`; for
        an input that allows it a SciPy sparse matrix too. float64 is rounded to float32 where that is the dtype.
        An array of the right dtype in C order is used in place. A memory map of another dtype is converted batch by
        batch, everything else at once.
    y : array-like, or list or dict of array-likes, default None
        One per target spec. None is right only without target specs.
    sample_weight : array-like, or list or dict of array-likes or None, default None
        Weight of each sample, shape (n,) or (n, 1); or (n, ...), the output's shape without its last dimension. One
        array serves all outputs.
    class_weight : mapping of int to float, default None
        See `Dataset.weigh_classes`. `fit` with a validation split weighs the training part only: there, split first.
    input_specs : sequence of InputSpec
    target_specs : sequence of TargetSpec, default ()
        Empty for prediction.
    dtype : {float32, float64}, default float32
        The model's dtype.

    Returns
    -------
    Dataset

    Raises
    ------
    TypeError, ValueError
        If anything is missing, misshapen, not finite or not a number; the message names the argument.

    Examples
    --------
    >>> data = adapt([[1, 2], [3, 4]], [0, 1], sample_weight=[1, 0.5],
    ...              input_specs=[InputSpec("features", (2,))], target_specs=[TargetSpec("label", (3,), "labels")])
    >>> data.targets, data.weights
    ([array([0, 1], dtype=int32)], [array([1. , 0.5], dtype=float32)])
    """
    real = validation.float_dtype(dtype)
    if target_specs and y is None:
        refuse_without_targets(x)
    given = {name: _read_input(value, name, spec, real) for name, value, spec in _match(x, input_specs, "x")}
    wanted: dict[str, Array | LazyRows] = {}
    weights: dict[str, Array | None] = {}
    if target_specs:
        wanted = {name: _read_target(value, name, spec, real) for name, value, spec in _match(y, target_specs, "y")}
        pairs = _match_weights(sample_weight, target_specs)
        weights = {name: _read_weight(value, name, spec, real) for name, value, spec in pairs}
    present = {name: weight for name, weight in weights.items() if weight is not None}
    n = validation.same_length({**given, **wanted, **present})
    by_target = list(weights.values())
    if len(by_target) == 1:  # one array serves all outputs
        by_target *= len(wanted)
    return Dataset(list(given.values()), list(wanted.values()), by_target, n, real).weigh_classes(class_weight)


def refuse_without_targets(x: object) -> NoReturn:
    """Tell that y is missing, or that x is something else than the caller takes it for.

    Raises
    ------
    TypeError
        If x is a list of batches, a function, or nothing that can be read as an array.
    ValueError
        If it is an array, or a structure of them.
    """
    _refuse_batches(x)
    if not isinstance(x, (list, tuple, Mapping)) and not validation.is_sparse(x):
        validation.check_rows(validation.as_array(x, "x"), "x")
    raise ValueError("y must be given: the model's loss compares its output with it. Received: y=None")


def _refuse_batches(x: object) -> None:
    if isinstance(x, (list, tuple)) and x and all(map(_resembles_batch, x)):
        raise TypeError(
            "x must be arrays, or an iterator over batches. Received: a list of batches (x, y). Pass iter(x), or a "
            "PyDataset if it is to be walked in several epochs"
        )


def _resembles_batch(value: object) -> bool:
    return isinstance(value, (list, tuple)) and 2 <= len(value) <= 3 and all(map(_has_rows, value))


def _has_rows(value: object) -> bool:
    return len(getattr(value, "shape", ())) > 0


def feature_shape(x: object, name: str = "x") -> tuple[int, ...]:
    """Return the shape of one sample, from which a model without an Input learns what to expect.

    Examples
    --------
    >>> feature_shape(np.zeros((5, 3))), feature_shape([1.0, 2.0])
    ((3,), (1,))
    """
    if _wraps_one(x, 1):
        x = x[0]  # type: ignore[index]
    array: Any = x if validation.is_sparse(x) else validation.check_rows(validation.as_array(x, name), name)
    return tuple(array.shape[1:])


# The parts of adapt


def _match(value: object, specs: Sequence[Any], name: str) -> list[tuple[str, Any, Any]]:
    """Pair the parts of a structure with the specs, in the specs' order: (name of the part, part, spec)."""
    if isinstance(value, Mapping) and not validation.is_sparse(value):  # one of SciPy's formats is a dict
        names = [spec.name for spec in specs]
        if set(value) != set(names):
            wanted = ", ".join(map(repr, names))
            raise ValueError(f"{name} must have the keys {wanted}. Received: keys {', '.join(map(repr, value))}")
        return [(f"{name}[{spec.name!r}]", value[spec.name], spec) for spec in specs]
    if len(specs) == 1:
        if _wraps_one(value, _rank(specs[0])):
            value = value[0]  # type: ignore[index]
        elif isinstance(value, (list, tuple)):
            _refuse_several(value, name, max(_rank(specs[0]), 1))
        return [(name, value, specs[0])]
    if not isinstance(value, (list, tuple)) or len(value) != len(specs):
        names_of = ", ".join(repr(spec.name) for spec in specs)
        received = (
            f"{len(value)} arrays" if isinstance(value, (list, tuple)) else f"{name} of type {type(value).__name__}"
        )
        raise ValueError(
            f"{name} must be a list of {len(specs)} arrays or a dict with the keys {names_of}. Received: {received}"
        )
    return [(f"{name}[{i}]", part, spec) for i, (part, spec) in enumerate(zip(value, specs, strict=True))]


def _refuse_several(value: Sequence[Any], name: str, rank: int) -> None:
    """Refuse a list of arrays or batches where one array belongs; a list of samples of this rank is one."""
    if name == "x":
        _refuse_batches(value)
    if len(value) > 1 and all(len(getattr(part, "shape", ())) > rank for part in value):
        shapes = ", ".join(str(tuple(part.shape)) for part in value[:4])
        raise ValueError(
            f"{name} must be one array, as the model takes one. Received: a list of {len(value)} arrays of the shapes "
            f"{shapes}{', ...' if len(value) > 4 else ''}"
        )


def _match_weights(value: object, specs: Sequence[TargetSpec]) -> list[tuple[str, Any, TargetSpec]]:
    """Pair weights with targets as `_match` does; a dict may leave targets out, and one array serves all."""
    if isinstance(value, Mapping):
        unknown = set(value) - {spec.name for spec in specs}
        if unknown:
            raise ValueError(f"sample_weight has a key that is no output. Received: key {unknown.pop()!r}")
        return [(f"sample_weight[{spec.name!r}]", value.get(spec.name), spec) for spec in specs]
    if isinstance(value, (list, tuple)) and len(specs) > 1 and len(value) == len(specs) and holds_arrays(value):
        return [(f"sample_weight[{i}]", part, spec) for i, (part, spec) in enumerate(zip(value, specs, strict=True))]
    if _wraps_one(value, 0):
        value = value[0]  # type: ignore[index]
    return [("sample_weight", value, specs[0])]


def holds_arrays(values: object) -> bool:
    """Tell whether a list is a structure of arrays, rather than an array of numbers."""
    return isinstance(values, (list, tuple)) and all(
        value is None or _has_rows(value) or isinstance(value, (list, tuple)) for value in values
    )


def _rank(spec: InputSpec | TargetSpec) -> int:
    """Dimensions of one sample, where a single number has none."""
    if spec.shape is None or spec.shape in ((), (1,)) or (isinstance(spec, TargetSpec) and spec.kind == "labels"):
        return 0
    return len(spec.shape)


def _wraps_one(value: object, rank: int) -> bool:
    """Tell whether a list or tuple is a structure around one array, rather than an array of one sample."""
    return isinstance(value, (list, tuple)) and len(value) == 1 and len(getattr(value[0], "shape", ())) > rank


def _read_input(x: object, name: str, spec: InputSpec, dtype: np.dtype[Any]) -> Rows:
    shape = spec.shape or (1,)
    if spec.sparse and validation.is_sparse(x):
        return SparseRows.read(x, name, dtype, shape[0])
    if spec.kind == "int":
        indices = validation.as_indices(x, name, spec.limit)
        validation.check_width(indices, shape, name)
        return _flat(indices)
    array = validation.check_rows(validation.as_array(x, name), name, shape)
    return _read_values(array, name, dtype, validation.column_names(x))


def _read_values(array: Array, name: str, dtype: np.dtype[Any], columns: Sequence[str] | None) -> Array | LazyRows:
    """Bring samples of any shape into rows of the model's dtype: in place, lazily or by conversion."""
    if _is_memory_map(array) and (array.dtype != dtype or not array.flags.c_contiguous):
        return LazyRows(array, dtype, name)
    return _flat(validation.finite(validation.convert(array, name, dtype), name, columns))


def _read_target(y: object, name: str, spec: TargetSpec, dtype: np.dtype[Any]) -> Array | LazyRows:
    if spec.kind == "labels":
        n_classes = spec.shape[-1] if spec.shape else None
        places = spec.shape[:-1] if spec.shape else ()
        return validation.labels(y, n_classes, name, ignore_class=spec.ignore_class, places=places)  # type: ignore[arg-type]
    array = validation.as_array(y, name)
    if spec.kind == "one_hot" and spec.shape not in (None, (1,)) and math.prod(array.shape[1:]) == 1:
        classes = spec.shape[-1] if spec.shape else "n"
        raise ValueError(
            f"{name} has one label per row; this loss expects a row of {classes} class probabilities. Use the sparse "
            f"categorical loss, or utils.to_categorical({name}, {classes}). Received: {name}.shape={array.shape}"
        )
    array = validation.check_rows(array, name)
    if spec.shape is not None:
        _check_target_width(array, spec.shape or (1,), name)
    return _read_values(array, name, dtype, validation.column_names(y))


def _check_target_width(y: Array, shape: Shape, name: str) -> None:
    fits = y.ndim - 1 == len(shape) and all(want in (None, got) for want, got in zip(shape, y.shape[1:], strict=True))
    if not fits:
        raise ValueError(
            f"{name} must have the shape of the model's output, {_batch_shape(shape)}. Received: {name}.shape={y.shape}"
        )


def _batch_shape(shape: Shape) -> str:
    return f"(n, {', '.join('any' if size is None else str(size) for size in shape)})"


def _read_weight(weight: object, name: str, spec: TargetSpec, dtype: np.dtype[Any]) -> Array | None:
    if weight is None:
        return None
    array = validation.as_array(weight, name)
    validation.check_rows(array, name)
    inner = spec.shape[:-1] if spec.shape else spec.rows
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 and array.shape[1:] != inner:
        allowed = "(n,) or (n, 1)" + (f" or {_batch_shape(inner)}" if inner else "")
        raise ValueError(f"{name} must have the shape {allowed}. Received: {name}.shape={array.shape}")
    return validation.finite(validation.convert(array, name, dtype), name)


def _flat(array: Array) -> Array:
    """View C-contiguous samples of any shape as rows."""
    return array if array.ndim == 2 else array.reshape(array.shape[0], -1)


def _is_memory_map(array: Array) -> bool:
    """Tell whether an array lies in a file: it or what it is a view of is a memory map."""
    base: object = array
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap):
            return True
        base = base.base
    return False


def _class_weights(class_weight: object) -> dict[int, float]:
    wanted = "a dict from class indices to finite numbers"
    if not isinstance(class_weight, Mapping):
        raise TypeError(f"`class_weight` must be {wanted}. Received: class_weight={validation.show(class_weight)}")
    result = {}
    for key, weight in class_weight.items():
        try:
            label = int(key)
        except (TypeError, ValueError):
            raise ValueError(f"`class_weight` must be {wanted}. Received: key {validation.show(key)}") from None
        result[label] = validation.number(weight, f"class_weight[{validation.show(key)}]")
    return result


def _classes(target: Array | LazyRows) -> Array:
    """Return the class of each sample, whichever way the target states it."""
    if isinstance(target, LazyRows):
        target = target.rows(slice(None))
    if target.ndim == 1:
        return target
    if target.dtype == np.int32:
        raise ValueError(f"`class_weight` needs one label per sample. Received: {target.shape[1]} labels per sample")
    classes: Array = target.argmax(axis=1) if target.shape[1] > 1 else np.rint(target[:, 0])
    return classes


# Batches from outside


class PyDataset:
    """Give batches by number: the base of data sets that are computed or read piece by piece.

    A subclass defines ``__getitem__(index)``, which returns (x,), (x, y) or (x, y, sample_weight), and ``__len__``,
    the number of batches, or the property ``num_batches``, where None stands for endless.

    Parameters
    ----------
    workers : int, default 1
        With more than one, so many threads prepare batches ahead, which come in order all the same.
    use_multiprocessing : bool, default False
        Prepare batches in `workers` processes; the data set and its batches must pickle.
    max_queue_size : int, default 10
        How many batches may be prepared ahead.

    Examples
    --------
    >>> class Squares(PyDataset):
    ...     def __len__(self):
    ...         return 2
    ...     def __getitem__(self, index):
    ...         x = np.arange(index * 3.0, index * 3.0 + 3.0)
    ...         return x, x**2
    >>> [y.tolist() for x, y, weight in Batches(Squares(workers=2)).triples()]
    [[0.0, 1.0, 4.0], [9.0, 16.0, 25.0]]
    """

    # Class attributes, so that a subclass that forgets super().__init__() still has the defaults.
    workers: int = 1
    use_multiprocessing: bool = False
    max_queue_size: int = 10

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers = validation.non_negative_integer(workers, "workers")
        self.use_multiprocessing = validation.boolean(use_multiprocessing, "use_multiprocessing")
        self.max_queue_size = validation.positive_integer(max_queue_size, "max_queue_size")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index), which returns one batch")

    def __iter__(self) -> Iterator[Any]:
        """Yield every batch once; Python would ask for the next number until an IndexError, which may never come."""
        return map(self.__getitem__, itertools.count() if self.num_batches is None else range(self.num_batches))

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse to be read as one array."""
        raise TypeError(
            f"{type(self).__name__} gives batches, which only the x of `fit`, `evaluate` and `predict` may do"
        )

    @property
    def num_batches(self) -> int | None:
        """Number of batches, or None for endless."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(f"{type(self).__name__} must define __len__() or the property num_batches")

    def on_epoch_begin(self) -> None:
        """Do something before every epoch."""

    def on_epoch_end(self) -> None:
        """Do something after every epoch, such as shuffling."""


def is_batches(x: object) -> bool:
    """Tell whether an object yields batches, rather than being an array or a structure of arrays.

    Examples
    --------
    >>> is_batches(batch for batch in ()), is_batches([[1.0]])
    (True, False)
    """
    if isinstance(x, Iterator) or _is_numbered(x):
        return True
    arrays = ("__array__", "__dlpack__", "__array_interface__", "to_numpy", "tocsr")
    if isinstance(x, (Sequence, Mapping, set, frozenset, str, bytes)) or any(hasattr(x, name) for name in arrays):
        return False
    return isinstance(x, Iterable)


class Batches:
    """Draw batches from a generator, an iterable or a PyDataset.

    Parameters
    ----------
    source : iterator, iterable or PyDataset
        Each item is a batch: x, (x,), (x, y) or (x, y, sample_weight). What the source raises passes unchanged.
    name : str, default "x"
        The argument's name, for messages.
    steps_name : str, default "steps_per_epoch"
        The name of the argument that says how many batches an epoch has.

    Attributes
    ----------
    num_batches : int or None
        Batches in one pass, if the source tells.
    exhausted : bool
        Whether a source that can be walked only once has ended.

    Examples
    --------
    >>> batches = Batches((np.full((2, 1), i), np.zeros(2)) for i in range(3))
    >>> [int(x[0, 0]) for x, y, weight in batches.triples(steps=2)]
    [0, 1]
    >>> [int(x[0, 0]) for x, y, weight in batches.triples()]
    [2]
    """

    def __init__(self, source: Any, name: str = "x", steps_name: str = "steps_per_epoch") -> None:
        self.source = source
        self.name = name
        self.steps_name = steps_name
        self.exhausted = False
        self.num_batches = _length(source)
        self._by_number = _is_numbered(source)
        self._once = isinstance(source, Iterator)
        self._current: Iterator[Any] | None = None
        self._ahead: dict[int, Any] = {}  # by place in the pass: what was read before an epoch asked for it
        self._within = False  # whether an epoch has begun and not ended
        self._drawn = 0  # batches of the current pass
        self._ever_drawn = False

    def peek(self) -> Triple:
        """Begin the first epoch and return its first batch, which the epoch will give again."""
        self._begin()
        if not self._ahead:
            if self._current is None and not self._by_number:
                self._current = self._start(None)
            try:
                self._ahead[0] = self.source[0] if self._current is None else next(self._current)
            except StopIteration:
                raise self._emptiness() from None
        return unpack(self._ahead[0])

    def has_ended(self) -> bool:
        """Tell whether no epoch can follow, because the source could be walked only once."""
        if not self.exhausted:
            return False
        self._current = self._start(None)  # some iterators begin anew after they have ended
        try:
            self._ahead[0] = next(self._current)
        except StopIteration:
            self._current = None
            return True
        self.exhausted = False
        return False

    def epoch(
        self,
        adapter: Callable[[Any, Any, Any], Any],
        steps: int | None = None,
        shuffle: np.random.Generator | None = None,
    ) -> Iterator[Any]:
        """Yield the batches of one epoch as Datasets.

        Parameters
        ----------
        adapter : callable
            (x, y, sample_weight) -> Dataset, such as `adapt` with the specs filled in. What it finds wrong is reported
            with the batch's number.
        steps, shuffle
            As in `walk`.
        """
        for number, triple in enumerate(self.triples(steps, shuffle)):
            try:
                data = adapter(*triple)
            except (TypeError, ValueError) as error:
                raise type(error)(f"Batch {number}: {error}") from error
            yield data

    def triples(self, steps: int | None = None, shuffle: np.random.Generator | None = None) -> Iterator[Triple]:
        """Yield the batches of one epoch as (x, y, sample_weight), with None for what is absent; see `walk`.

        Raises
        ------
        ValueError
            If a batch is a tuple of another length, and as `walk`.
        """
        return map(unpack, self.walk(steps, shuffle))

    def walk(self, steps: int | None = None, shuffle: np.random.Generator | None = None) -> Iterator[Any]:
        """Yield the batches of one epoch as they come.

        Parameters
        ----------
        steps : int, default None
            Yield so many batches and go on from there in the next epoch. Running out before that ends the epoch with
            a warning. None: one pass over the source.
        shuffle : numpy.random.Generator, default None
            Draws the order of a PyDataset's batches. Other sources keep their own.

        Raises
        ------
        ValueError
            If the source is endless and no number of steps is given, or if it yields nothing in its first pass.
        """
        if steps is None and self._by_number and self.num_batches is None:
            raise ValueError(
                f"`{self.steps_name}` must be given for an endless PyDataset. Received: {self.steps_name}=None"
            )
        self._begin()
        if self._current is None or (steps is None and self._drawn and not self._once):
            self._current = self._start(shuffle)
        drawn = 0
        while steps is None or drawn < steps:
            try:
                batch = self._ahead.pop(0) if not self._by_number and self._ahead else next(self._current)
            except StopIteration:
                if drawn == 0 and self._drawn and not self._once:
                    self._current = self._start(shuffle)  # the epoch before took the last batch
                    continue
                self._end(drawn, steps)
                break
            drawn += 1
            self._drawn += 1
            self._ever_drawn = True
            yield batch
        if self.num_batches is not None and self._drawn >= self.num_batches and not self._once:
            self._current = None  # the pass ended with the epoch: the next epoch starts another, without a warning
        self._finish()

    def rewind(self) -> None:
        """End the epoch under way, and let the next one begin with the first batch if the source has it still."""
        self.close()
        if not self._once:
            self._current = None
        self._finish()

    def close(self) -> None:
        """Stop the workers, if there are any."""
        if isinstance(self._current, Generator) and self._by_number:
            self._current.close()
            self._current = None

    def _start(self, shuffle: np.random.Generator | None) -> Iterator[Any]:
        self._drawn = 0
        if self._ever_drawn:
            self._ahead.clear()
        if not self._by_number:
            return iter(self.source)
        order: Iterable[int] = itertools.count() if self.num_batches is None else range(self.num_batches)
        if shuffle is not None and self.num_batches is not None:
            order = shuffle.permutation(self.num_batches).tolist()
        return _fetch(self.source, order, self._ahead)

    def _end(self, drawn: int, steps: int | None) -> None:
        """Take note that the source has ended within an epoch."""
        self._current = None
        self.exhausted = self._once
        if not self._ever_drawn:
            raise self._emptiness()
        if steps is not None or drawn == 0:
            warn_of_shortage(self.name, drawn, self.steps_name)

    def _emptiness(self) -> ValueError:
        return ValueError(f"{self.name} must yield at least one batch. Received: none")

    def _begin(self) -> None:
        if not self._within:
            self._within = True
            self._notify("on_epoch_begin")

    def _finish(self) -> None:
        if self._within:
            self._within = False
            self._notify("on_epoch_end")

    def _notify(self, event: str) -> None:
        hook = getattr(self.source, event, None) if self._by_number else None
        if callable(hook):
            hook()


def warn_of_shortage(name: str, drawn: int, steps_name: str) -> None:
    """Warn that an epoch is shorter than it should be, because the data has no more batches."""
    warnings.warn(
        f"{name} ran out of batches after {drawn} of this epoch, which therefore ends early. Pass a smaller "
        f"`{steps_name}`, a PyDataset or an endless generator.",
        UserWarning,
        stacklevel=2,
    )


def unpack(batch: Any) -> Triple:
    """Split a batch into x, y and sample_weight, with None for what is absent.

    Examples
    --------
    >>> unpack(([[1.0]], [0]))
    ([[1.0]], [0], None)
    """
    if not isinstance(batch, (tuple, list)):
        return batch, None, None
    if not 1 <= len(batch) <= 3:
        raise ValueError(
            f"A batch must be (x,), (x, y) or (x, y, sample_weight). Received: a {type(batch).__name__} of {len(batch)}"
        )
    x, y, sample_weight = (*batch, None, None)[:3]
    return x, y, sample_weight


def _is_numbered(x: object) -> bool:
    """Tell whether an object gives batches by number: a PyDataset, of this library or another."""
    return isinstance(x, PyDataset) or validation.gives_batches(x)


def _length(source: Any) -> int | None:
    if _is_numbered(source):
        length = source.num_batches
        return None if length is None else validation.positive_integer(length, "num_batches")
    try:
        return len(source)
    except TypeError:  # a generator, or a loader over a stream
        return None


def _fetch(source: Any, order: Iterable[int], read: dict[int, Any]) -> Generator[Any, None, None]:
    """Yield batches by number in the given order; with workers, prepared ahead but in the same order.

    What stands in `read` by its number is taken from there once. Workers prepare it again.
    """
    if source.workers < 1 or (source.workers == 1 and not source.use_multiprocessing):
        for index in order:
            yield read.pop(index) if index in read else source[index]
        return
    read.clear()
    numbers = iter(order)
    executor, fetch = _workers(source)
    ahead: deque[Future[Any]] = deque()
    try:
        for index in itertools.islice(numbers, source.max_queue_size):
            ahead.append(executor.submit(fetch, index))
        while ahead:
            batch = ahead.popleft().result()
            for index in itertools.islice(numbers, 1):
                ahead.append(executor.submit(fetch, index))
            yield batch
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _workers(source: Any) -> tuple[Executor, Callable[[int], Any]]:
    # Imported here because it brings threading's and multiprocessing's machinery, which most programs do not need.
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

    if source.use_multiprocessing:
        return ProcessPoolExecutor(source.workers, initializer=_set_worker_source, initargs=(source,)), _worker_batch
    return ThreadPoolExecutor(source.workers, thread_name_prefix="cnn_core-batches"), source.__getitem__


# In a worker process: the data set whose batches it prepares, sent once instead of with every batch.
_worker_source: Any = None


def _set_worker_source(source: Any) -> None:
    global _worker_source
    _worker_source = source


def _worker_batch(index: int) -> Any:
    return _worker_source[index]
