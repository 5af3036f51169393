"""A data set as the loop over batches reads it: inputs, targets and weights, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.data.rows import DensifiedRows, LazyRows, Rows, SparseRows, as_readable
from cnn_core.foundation.domains import Domain
from cnn_core.foundation.records import NamedTuple
from cnn_core.foundation.validation.messages import Array, Shape

Kind: TypeAlias = Literal["float", "int", "text", "whole"]


class InputSpec(NamedTuple):
    """Describe what one input of a model takes.

    Attributes
    ----------
    name : str
        Key of the input where x is a dict.
    shape : tuple of int or None
        Features per sample, without the batch dimension; None fits any size. () counts as (1,).
    kind : {"float", "int", "text", "whole"}, default "float"
        Whether the rows reach native code in the model's dtype or, for an Embedding, as int32; or are texts or whole
        numbers of any size, of which something else is made before.
    limit : int, default None
        With kind "int": indices must be 0..limit - 1.
    sparse : bool, default False
        Whether a SciPy sparse matrix may be given.
    """

    name: str
    shape: Shape
    kind: Kind = "float"
    limit: int | None = None
    sparse: bool = False


class Meaning(NamedTuple):
    """Describe the targets that a loss or a metric can mean.

    Attributes
    ----------
    domain : Domain
    owner : str
        Whose it is, for the message.
    axis : int
        Along which rows add up.
    """

    domain: Domain
    owner: str
    axis: int = -1


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
    output : tuple of int, default ()
        Where `shape` is None: the output's shape per sample. Weights may be given in it, less its last dimension.
    meanings : tuple of Meaning, default ()
        What losses and metrics ask of the targets.
    keeps_vectors : bool, default False
        Whether targets of shape (n,) stay so, and do not become (n, 1).
    """

    name: str
    shape: Shape | None
    kind: Literal["values", "labels", "one_hot"] = "values"
    ignore_class: int | None = None
    output: Shape = ()
    meanings: tuple[Meaning, ...] = ()
    keeps_vectors: bool = False

    @property
    def places(self) -> Shape:
        """Where weights may be given: the output's shape without its last dimension."""
        return (self.shape or self.output)[:-1]

    def in_shape(self, target: Array) -> Array:
        """Return targets in the output's shape, labels without its last dimension; others as they are."""
        if self.kind == "labels":
            return target.reshape(len(target), *self.places)
        shape = self.shape or self.output
        fits = target.ndim > 1 and math.prod(target.shape[1:]) == math.prod(shape)  # type: ignore[arg-type]
        return target.reshape(-1, *shape) if fits else target


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

    @classmethod
    def of_one(cls, x: Array | SparseRows, y: Array, weights: Array | None = None) -> Dataset:
        """Return checked rows of one input and one target, in the type of the input.

        Examples
        --------
        >>> Dataset.of_one(np.ones((3, 2)), np.zeros((3, 1))).dtype
        dtype('float64')
        """
        return cls([x], [y], [weights], len(x), (x.data if isinstance(x, SparseRows) else x).dtype)

    def __setstate__(self, state: tuple[None, dict[str, Any]]) -> None:
        """Take over what another process has sent, whose arrays may begin at any byte."""
        for name, value in state[1].items():
            setattr(self, name, list(map(as_readable, value)) if isinstance(value, list) else value)

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
        >>> from cnn_core.data.adapt import adapt
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
        >>> from cnn_core.data.rows import SparseRows
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
        >>> from cnn_core.data.rows import SparseRows
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
        >>> from cnn_core.data.adapt import adapt
        >>> data = adapt(np.arange(10.0), input_specs=[InputSpec("x", (1,))])
        >>> [part.n for part in data.split(0.25)]
        [7, 3]
        """
        kept = rows_kept(self.n, validation_split)
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
        >>> from cnn_core.data.adapt import adapt
        >>> data = adapt([[1], [2], [3]], [0, 1, 2], input_specs=[InputSpec("x", (1,))],
        ...              target_specs=[TargetSpec("y", (3,), "labels")])
        >>> data.weigh_classes({2: 10.0}).weights
        [array([ 1.,  1., 10.], dtype=float32)]
        """
        if class_weight is None:
            return self
        if len(self.targets) != 1:
            raise ValueError(
                f"`class_weight` can be used with one output only. Received: a model of {len(self.targets)} outputs"
            )
        weight = weights_by_class(self.targets[0], class_weight, self.dtype)
        given = self.weights[0]
        if given is not None:
            weight = weight.reshape(-1, *[1] * (given.ndim - 1)) * given
        return Dataset(self.inputs, self.targets, [weight], self.n, self.dtype)


def rows_kept(n: int, validation_split: float) -> int:
    """Return how many of n rows are left for training: see `Dataset.split`."""
    share = validation.fraction(validation_split, "validation_split", include_zero=False, include_one=False)
    kept = math.floor(n * (1 - share))
    if kept in (0, n):
        empty = "training" if kept == 0 else "validation"
        raise ValueError(
            f"`validation_split` leaves no row for {empty}. "
            f"Received: validation_split={validation.show(validation_split)} with x of {n} rows"
        )
    return kept


def weights_by_class(target: Array | LazyRows, class_weight: Mapping[int, float], dtype: np.dtype[Any]) -> Array:
    """Return the weight of each sample's class: see `Dataset.weigh_classes`."""
    known = _class_weights(class_weight)
    classes, positions = np.unique(_classes(target), return_inverse=True)
    table = np.array([known.get(int(label), 1.0) for label in classes])
    return validation.convert(table, "class_weight", dtype)[positions.reshape(-1)]


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
