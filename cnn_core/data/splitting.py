"""Samples of arrays that belong together: split in two, put into batches, packed and unpacked as Keras has them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import cnn_core.foundation.validation as validation
from cnn_core.data.batches import PyDataset
from cnn_core.foundation.arrays import Array
from cnn_core.foundation.keywords import KnowsItsArguments, knows_its_arguments
from cnn_core.foundation.random_state import next_seed


class IndexedSamples(KnowsItsArguments):
    """Rows of one array, or of a tuple or dict of arrays, one sample after another.

    What `split_dataset` gives. For training they are put into batches, as those of Keras are: ``samples.batch(32)``.

    Parameters
    ----------
    arrays : numpy.ndarray, or tuple or dict of them
        All of as many rows.
    order : numpy.ndarray of int, default None
        Which rows, in which order. None: all, in their own.

    Examples
    --------
    >>> samples = IndexedSamples((np.arange(3.0), np.arange(3) > 0))
    >>> len(samples), samples[1]
    (3, (np.float64(1.0), np.True_))
    >>> [batch[0].tolist() for batch in samples.batch(2)]
    [[0.0, 1.0], [2.0]]
    """

    def __init__(self, arrays: object, order: Array | None = None) -> None:
        self._arrays = arrays
        self._order = np.arange(_count(arrays)) if order is None else order

    @property
    def arrays(self) -> Any:
        """All samples, as one array or a tuple or dict of them."""
        return self.rows(slice(None))

    def rows(self, chosen: Any) -> Any:
        """Return some samples together, chosen as from an array."""
        order = self._order[chosen]
        return _each(self._arrays, lambda array: array[order])

    def __len__(self) -> int:
        return len(self._order)

    def cardinality(self) -> int:
        """Return the number of samples."""
        return len(self)

    def __getitem__(self, index: int) -> Any:
        return self.rows(validation.integer(index, "index"))

    def __iter__(self) -> Iterator[Any]:
        return map(self.__getitem__, range(len(self)))

    def batch(self, batch_size: int, drop_remainder: bool = False) -> PyDataset:
        """Return them in batches, for `fit`, `evaluate` and `predict`.

        Parameters
        ----------
        batch_size : int
        drop_remainder : bool, default False
            Whether to leave out a last batch that is not full.
        """
        return _BatchesOf(self, validation.positive_integer(batch_size, "batch_size"), drop_remainder)


class _BatchesOf(PyDataset):
    def __init__(self, samples: IndexedSamples, batch_size: int, drop_remainder: bool) -> None:
        super().__init__()
        self._samples, self._size = samples, batch_size
        whole = len(samples) // batch_size
        left_out = validation.boolean(drop_remainder, "drop_remainder") or len(samples) == whole * batch_size
        self._n = whole if left_out else whole + 1

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: int) -> Any:
        rows = self._samples.rows(slice(index * self._size, (index + 1) * self._size))
        return rows if isinstance(rows, tuple) else (rows,)


@knows_its_arguments
def split_dataset(
    dataset: object,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: None = None,
) -> tuple[IndexedSamples, IndexedSamples]:
    """Split samples in two, such as for training and test.

    Parameters
    ----------
    dataset : array-like, or list, tuple or dict of them, or indexed samples
        What belongs together, with as many rows each; or an object with a length that gives samples by number, such as
        a PyTorch data set, which is read whole.
    left_size, right_size : int or float, default None
        How many samples, or which share of them, above 0 and below 1. None: what the other leaves; one of them is
        needed.
    shuffle : bool, default False
        Whether to draw the order, as Keras with TensorFlow draws it.
    seed : int, default None
    preferred_backend : default None
        Has no other value.

    Returns
    -------
    tuple of IndexedSamples
        ``samples.batch(32)`` goes into `fit`.

    Raises
    ------
    ValueError, TypeError
        If a size is out of its range, both are too large together, or the arrays differ in length.

    Examples
    --------
    >>> left, right = split_dataset((np.arange(10.0), np.arange(10)), left_size=0.8)
    >>> len(left), right.arrays
    (8, (array([8., 9.]), array([8, 9])))
    """
    if preferred_backend is not None:
        raise ValueError(f"`preferred_backend` must be None. Received: preferred_backend={preferred_backend!r}")
    arrays = _as_arrays(dataset)
    total = _count(arrays)
    if left_size is None and right_size is None:
        raise ValueError("`left_size` or `right_size` must be given. Received: left_size=None, right_size=None")
    left, right = _rows_of(left_size, "left_size", total), _rows_of(right_size, "right_size", total)
    left = total - right if left is None and right is not None else left
    assert left is not None
    right = total - left if right is None else right
    if min(left, right) < 1:
        raise ValueError(f"`dataset` must leave a sample on both sides. Received: {total} samples, {left} and {right}")
    if left + right > total:
        raise ValueError(
            f"`left_size` and `right_size` must be at most {total} together. "
            f"Received: left_size={left_size}, right_size={right_size}"
        )
    order = list(range(total))
    if validation.boolean(shuffle, "shuffle"):
        random.Random(next_seed() if seed is None else validation.integer(seed, "seed")).shuffle(order)
    rows = np.array(order, np.intp)
    return IndexedSamples(arrays, rows[:left]), IndexedSamples(arrays, rows[total - right :])


def _rows_of(size: float | None, name: str, total: int) -> int | None:
    """Return how many rows a size means."""
    if size is None:
        return None
    number = validation.number(size, name)
    whole = isinstance(size, (int, np.integer))
    if not 0 < number < (total if whole else 1):
        raise ValueError(
            f"`{name}` must be a whole number above 0 and below {total}, or a share above 0 and below 1. "
            f"Received: {name}={size!r}"
        )
    return int(size) if whole else round(number * total)


def _as_arrays(dataset: object) -> Any:
    """Return an array, or a tuple or dict of arrays of one length."""
    if isinstance(dataset, (list, tuple)):
        arrays: Any = tuple(validation.as_array(each, f"dataset[{i}]") for i, each in enumerate(dataset))
    elif isinstance(dataset, Mapping):
        arrays = {key: validation.as_array(each, f"dataset[{key!r}]") for key, each in dataset.items()}
    elif not hasattr(dataset, "__array__") and hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__"):
        return _gathered([dataset[i] for i in range(len(dataset))])
    else:
        arrays = validation.as_array(dataset, "dataset")
    sizes = {len(each) if each.ndim else None for each in _parts(arrays)}
    if len(sizes) != 1 or None in sizes:
        raise ValueError(f"`dataset` must hold arrays of as many rows each. Received: {_shapes(arrays)}")
    return arrays


def _gathered(samples: list[Any]) -> dict[Any, Array] | Array | tuple[Array, ...]:
    """Put samples that came one by one into arrays."""
    if not samples:
        raise ValueError("`dataset` must hold samples. Received: none")
    if isinstance(samples[0], (list, tuple)):
        return tuple(np.stack([np.asarray(part) for part in parts]) for parts in zip(*samples, strict=True))
    if isinstance(samples[0], Mapping):
        return {key: np.stack([np.asarray(sample[key]) for sample in samples]) for key in samples[0]}
    return np.stack([np.asarray(sample) for sample in samples])


def _each(arrays: Any, function: Callable[[Array], Any]) -> Any:
    if isinstance(arrays, tuple):
        return tuple(map(function, arrays))
    if isinstance(arrays, dict):
        return {key: function(array) for key, array in arrays.items()}
    return function(arrays)


def _parts(arrays: Any) -> Sequence[Array]:
    return arrays if isinstance(arrays, tuple) else list(arrays.values()) if isinstance(arrays, dict) else [arrays]


def _count(arrays: object) -> int:
    return len(_parts(arrays)[0])


def _shapes(arrays: object) -> str:
    return "shapes " + ", ".join(str(each.shape) for each in _parts(arrays)) if len(_parts(arrays)) else "no array"


@knows_its_arguments
def pack_x_y_sample_weight(x: object, y: object = None, sample_weight: object = None) -> Any:
    """Put inputs, targets and weights into the form in which data sets give them: x, (x, y) or (x, y, sample_weight).

    Without targets, x that is a list or tuple goes into a tuple of its own.

    Examples
    --------
    >>> pack_x_y_sample_weight(1.0), pack_x_y_sample_weight([1.0, 2.0]), pack_x_y_sample_weight(1.0, 2.0)
    (1.0, ([1.0, 2.0],), (1.0, 2.0))
    """
    if y is None:
        return (x,) if isinstance(x, (tuple, list)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


@knows_its_arguments
def unpack_x_y_sample_weight(data: object) -> tuple[Any, Any, Any]:
    """Return x, y and sample_weight of x, (x,), (x, y) or (x, y, sample_weight); None for what is not there.

    Raises
    ------
    ValueError
        If there are more than three parts, or none.

    Examples
    --------
    >>> unpack_x_y_sample_weight((1.0, 2.0))
    (1.0, 2.0, None)
    """
    parts = tuple(data) if isinstance(data, (list, tuple)) else (data,)
    if not 1 <= len(parts) <= 3:
        raise ValueError(f"`data` must be x, (x,), (x, y) or (x, y, sample_weight). Received: {len(parts)} parts")
    x, y, sample_weight = (*parts, None, None)[:3]
    return x, y, sample_weight
